//! A text is checked by the gateway that is to run it: it knows its profiles, its wires and what its own file allows. The
//! question goes over the gateway's session, if there is one.

use std::collections::{BTreeSet, HashMap};
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use steward_shared::document::{Change, Document, difference, settings};
use steward_shared::id::GatewayId;
use steward_shared::wire::config::{ConfigFault, MAX_TEXT};
use tokio::sync::{mpsc, oneshot};

use super::error::ConfigError;
use super::store;
use crate::gateways::fleet::Fleet;

/// Questions to one gateway that may wait.
const WAITING: usize = 4;
/// A gateway reads its profiles for it, too.
const PATIENCE: Duration = Duration::from_secs(20);

/// One text that somebody wants to know about.
#[derive(Debug)]
pub struct Question {
    pub text: String,
    pub answer: oneshot::Sender<Vec<ConfigFault>>,
}

/// Where a gateway's session takes questions, for as long as it holds this.
pub struct Questions<'f> {
    pub inbox: mpsc::Receiver<Question>,
    own: mpsc::Sender<Question>,
    gateway: GatewayId,
    checks: &'f Checks,
}

impl Drop for Questions<'_> {
    fn drop(&mut self) {
        let mut asked = self.checks.0.lock().unwrap_or_else(PoisonError::into_inner);
        // A newer session may have taken its place.
        if asked.get(&self.gateway).is_some_and(|other| other.same_channel(&self.own)) {
            asked.remove(&self.gateway);
        }
    }
}

/// The gateways that can be asked.
#[derive(Default)]
pub struct Checks(Mutex<HashMap<GatewayId, mpsc::Sender<Question>>>);

impl Checks {
    pub fn take(&self, gateway: GatewayId) -> Questions<'_> {
        let (own, inbox) = mpsc::channel(WAITING);
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(gateway, own.clone());
        Questions { inbox, own, gateway, checks: self }
    }

    pub fn has(&self, gateway: GatewayId) -> bool {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).contains_key(&gateway)
    }

    fn of(&self, gateway: GatewayId) -> Option<mpsc::Sender<Question>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&gateway).cloned()
    }
}

/// What is found out of a text.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Checked {
    /// None where the gateway would take it.
    pub faults: Vec<ConfigFault>,
    /// What differs from the configuration in force.
    pub changes: Vec<Change>,
    /// The lines of both: on any of them a change may be tried first.
    pub lines: BTreeSet<String>,
}

impl Fleet {
    /// The session of a gateway that has told its configuration takes questions about others.
    pub fn questions(&self, gateway: GatewayId) -> Questions<'_> {
        self.checks.take(gateway)
    }

    /// Somebody answers there right now.
    pub fn can_check(&self, gateway: GatewayId) -> bool {
        self.checks.has(gateway)
    }

    pub async fn check_config(&self, gateway: GatewayId, text: String) -> Result<Checked, ConfigError> {
        check_size(&text)?;
        let row = store::config(&self.db, gateway).await?.ok_or(ConfigError::NotTold)?;
        let content = row.content.ok_or(ConfigError::TooLong)?;
        let changes = changes(&content, &text);
        let lines = [content.as_str(), &text].into_iter().flat_map(lines).collect();
        let inbox = self.checks.of(gateway).ok_or(ConfigError::Away)?;
        let (answer, answered) = oneshot::channel();
        let asking = async {
            inbox.send(Question { text, answer }).await.map_err(|_| ConfigError::Away)?;
            answered.await.map_err(|_| ConfigError::Away)
        };
        let faults = tokio::time::timeout(PATIENCE, asking).await.map_err(|_| ConfigError::NoAnswer)??;
        Ok(Checked { faults, changes, lines })
    }
}

pub fn check_size(text: &str) -> Result<(), ConfigError> {
    if text.len() <= MAX_TEXT {
        return Ok(());
    }
    let detail = "a configuration has at most 256 KiB".to_owned();
    Err(ConfigError::Field { pointer: "/text", code: "too_long", detail })
}

/// What differs; nothing where one of them cannot be read, which the gateway tells.
pub fn changes(before: &str, after: &str) -> Vec<Change> {
    let read = |text: &str| Document::parse("", text).ok();
    read(before).zip(read(after)).map_or_else(Vec::new, |(before, after)| difference(&before, &after))
}

/// The names of the lines; none of a text that cannot be read.
fn lines(text: &str) -> Vec<String> {
    let all = Document::parse("", text).map_or_else(|_| Vec::new(), |document| settings(&document));
    let name = |mut path: Vec<String>| match path.as_slice() {
        [list, _, key] if list == "line" && key == "name" => Some(path.swap_remove(1)),
        _ => None,
    };
    all.into_iter().filter_map(|setting| name(setting.path)).collect()
}
