//! What the uplink is told, and what others may know of it.

use std::path::PathBuf;

use steward_shared::id::GatewayId;
use steward_shared::time::Timestamp;

#[derive(Clone, Debug)]
pub struct UplinkSettings {
    /// `host:port` of the hub.
    pub hub: String,
    /// The data folder; the identity is in its subfolder `identity`.
    pub state_dir: PathBuf,
    /// Version of the program, for the hub's page.
    pub version: String,
}

/// How the uplink fares, for the page on the gateway itself and for metrics.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct UplinkState {
    pub connected: bool,
    /// Since when it is as it is.
    pub since: Option<Timestamp>,
    /// Absent while there is no identity: this gateway is not enrolled.
    pub gateway: Option<GatewayId>,
    pub certificate_expires: Option<Timestamp>,
    /// Why there is no connection, and the way out.
    pub last_error: Option<String>,
}
