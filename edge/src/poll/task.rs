//! What the task of one line is given and what it tells, and where it begins. One task a line, born in the supervisor;
//! `owner` does its work, or `bacnet` where the line is a network. It tells by a bounded channel: when that is full the
//! line waits, polls later, and counts the slots that it missed.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use steward_shared::alarm::{About, EventKind};
use steward_shared::id::{Ids, PointNo};
use steward_shared::reading::Reading;
use steward_shared::time::Clock;
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;
use tracing::debug;

use super::owner::Owner;
use crate::config::{LineConfig, WireConfig};
use crate::evidence::Evidence;
use crate::health::LineGauge;
use crate::lend::Visits;
use crate::line::Dial;

/// What a line has to tell.
#[derive(Debug, Clone, PartialEq)]
pub enum Told {
    Readings(Vec<Reading>),
    /// Something lasting began (`active`) or ended.
    Alarm {
        kind: EventKind,
        line: String,
        device: Option<String>,
        active: bool,
        detail: String,
    },
    /// The same of one object of a device, or with facts.
    About {
        kind: EventKind,
        line: String,
        device: Option<String>,
        active: bool,
        detail: String,
        about: About,
    },
    /// These objects are all of which a device has something of a kind to tell: what is open of others is over.
    Listed {
        kind: EventKind,
        line: String,
        device: String,
        objects: BTreeSet<String>,
    },
}

/// What a line's task needs.
pub struct LineTask {
    pub config: LineConfig,
    /// Per device the numbers of its profile's points, in the profile's order.
    pub numbers: Vec<Vec<PointNo>>,
    /// The longest that a device may take for its answer whom the owner before may have asked; zero where there was none.
    pub slowest_before: Duration,
    /// Per device whether it was silent under the owner before.
    pub silent_before: Vec<bool>,
    pub dial: Arc<dyn Dial>,
    pub gauge: Arc<LineGauge>,
    pub told: mpsc::Sender<Told>,
    /// Where raw answers go.
    pub evidence: Evidence,
    pub clock: Arc<dyn Clock>,
    pub ids: Arc<dyn Ids>,
    /// Tools that want the line for a while, and single errands of others.
    pub visits: Visits,
}

impl LineTask {
    /// Polls until `cancel`. A question under way is dropped with its wire, which harms nothing: the next
    /// owner opens the wire anew and asks nothing until an answer to it cannot come any more.
    pub async fn run(self, cancel: CancellationToken) {
        let line = self.config.name.clone();
        if matches!(self.config.wire, WireConfig::Bacnet(_) | WireConfig::Mstp(_)) {
            super::bacnet::run(self, &cancel).await;
        } else if let WireConfig::Mqtt(broker) = self.config.wire.clone() {
            super::mqtt::run(self, &broker, &cancel).await;
        } else {
            tokio::select! {
                () = cancel.cancelled() => {}
                () = Owner::new(self).run() => {}
            }
        }
        debug!(line, "line stopped");
    }
}
