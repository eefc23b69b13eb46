//! For how long and on how much room raw answers are kept, as the gateway's file says it.

use std::time::Duration;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct EvidenceSettings {
    /// Zero: nothing is kept.
    pub keep: Duration,
    pub quota_bytes: u64,
}
