//! Writing a row of the audit trail. Secrets never stand in `before` or `after`: the caller leaves them out.

use serde_json::Value;
use steward_shared::time::Timestamp;

use super::store;
use crate::kernel::caller::{Caller, Origin};
use crate::kernel::db::{Db, DbError, Tx};

/// What is recorded.
#[derive(Clone, Debug, Default)]
pub struct Entry {
    /// None when nobody was logged in.
    pub actor: Option<String>,
    pub actor_name: String,
    pub address: String,
    pub request: String,
    /// `<module>.<act>`, such as `accounts.log_in`.
    pub action: String,
    /// The kind of thing, such as `user`, and which one.
    pub object: String,
    pub object_id: String,
    pub before: Option<Value>,
    pub after: Option<Value>,
    /// Empty when it was done; otherwise why it was refused.
    pub refused: Option<String>,
    pub reason: String,
}

impl Entry {
    pub fn by(caller: &Caller, origin: &Origin, action: &str) -> Self {
        Self {
            actor: Some(caller.user.to_string()),
            actor_name: caller.login.clone(),
            ..Self::by_stranger(&caller.login, origin, action)
        }
    }

    /// Somebody who is not logged in; `name` is what they called themselves.
    pub fn by_stranger(name: &str, origin: &Origin, action: &str) -> Self {
        Self {
            actor_name: name.chars().take(64).collect(),
            address: origin.address.clone(),
            request: origin.request.clone(),
            action: action.to_owned(),
            ..Self::default()
        }
    }

    /// The program itself, or somebody at its command line.
    pub fn by_system(action: &str) -> Self {
        Self { actor_name: "system".into(), action: action.to_owned(), ..Self::default() }
    }

    #[must_use]
    pub fn on(mut self, object: &str, id: impl std::fmt::Display) -> Self {
        object.clone_into(&mut self.object);
        self.object_id = id.to_string();
        self
    }

    #[must_use]
    pub fn before(mut self, before: &impl serde::Serialize) -> Self {
        self.before = serde_json::to_value(before).ok();
        self
    }

    #[must_use]
    pub fn after(mut self, after: &impl serde::Serialize) -> Self {
        self.after = serde_json::to_value(after).ok();
        self
    }

    #[must_use]
    pub fn refused(mut self, why: impl Into<String>) -> Self {
        self.refused = Some(why.into());
        self
    }
}

/// Appends a row in the transaction of the act, so that the one is never without the other.
pub async fn record(tx: &Tx, at: Timestamp, entry: Entry) -> Result<(), DbError> {
    let last = store::last(tx).await?;
    let (no, before) = last.map_or((1, String::new()), |l| (l.no + 1, l.hash));
    let row = store::Row {
        no,
        at,
        actor: entry.actor,
        actor_name: entry.actor_name,
        address: entry.address,
        request: entry.request,
        action: entry.action,
        object: entry.object,
        object_id: entry.object_id,
        before_json: entry.before.map(|v| v.to_string()),
        after_json: entry.after.map(|v| v.to_string()),
        result: if entry.refused.is_some() { "refused".into() } else { "done".into() },
        reason: entry.refused.unwrap_or(entry.reason),
        hash: String::new(),
    };
    let hash = row.hash_after(&before);
    store::append(tx, &store::Row { hash, ..row }).await
}

/// For an act that changes nothing else, such as a refusal or a read.
pub async fn record_alone(db: &Db, at: Timestamp, entry: Entry) -> Result<(), DbError> {
    db.tx(async |tx| record(&tx, at, entry.clone()).await).await
}
