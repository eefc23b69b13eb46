//! What may be asked of the daemon, and what it answers.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use steward_shared::time::Timestamp;
use tokio::sync::oneshot;

use crate::command;
use crate::refine::{Account, ConfirmFault};

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Request {
    /// All counters, or one as `device/point`, with its entries.
    Ledgers { of: Option<String> },
    /// The meter behind `of` was replaced by one that began with `start`.
    Confirm { of: String, start: f64, end: Option<f64> },
    /// Answers since then that another profile had read are to be read by the one in force.
    Redecode { since: Timestamp },
    /// The newest so many commands from the hub.
    Commands { most: u32 },
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Answer {
    Ledgers(Vec<Account>),
    Refused(ConfirmFault),
    /// How many readings of each device were made anew.
    Redecoded(BTreeMap<String, usize>),
    Commands(Vec<command::Account>),
    /// The question was none, or what it wanted could not be stored: in English.
    Failed(String),
}

/// A request on its way to who can answer it.
#[derive(Debug)]
pub struct Asked {
    pub request: Request,
    pub reply: oneshot::Sender<Answer>,
}
