//! What the uplink is told, and what others may know of it.

use std::path::PathBuf;

use steward_shared::id::GatewayId;
use steward_shared::time::Timestamp;
use steward_shared::wire::message::Names;

use super::road::RoadKind;

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
    /// By which road, while it is connected.
    pub road: Option<RoadKind>,
    /// The port at which the hub was found.
    pub port: Option<u16>,
    /// Since when it is as it is.
    pub since: Option<Timestamp>,
    /// Absent while there is no identity: this gateway is not enrolled.
    pub gateway: Option<GatewayId>,
    pub certificate_expires: Option<Timestamp>,
    /// Why there is no connection, and the way out.
    pub last_error: Option<String>,
}

impl UplinkState {
    /// What somebody should see to, though the session goes on.
    pub fn advice(&self) -> Option<Names> {
        let port = self.port?;
        (self.connected && self.road == Some(RoadKind::Tcp)).then(|| Names {
            zh: format!("经 TCP 连接：路上的 UDP 似乎被拦截；请让网络管理员放行 UDP 端口 {port}"),
            en: format!("over TCP: UDP seems to be blocked on the way; ask for UDP port {port}"),
        })
    }
}
