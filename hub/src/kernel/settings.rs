//! The settings that modules read. `config.rs` fills them from the files; tests take `Settings::default`.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use steward_shared::document::HostPort;

#[derive(Clone, Debug)]
pub struct Settings {
    /// Where files, the CA and (by default) the database lie.
    pub data: PathBuf,
    /// For gateways: UDP for QUIC, and TCP.
    pub gateways_listen: SocketAddr,
    /// By which name and port gateways reach this hub, where that cannot be told from the page's address.
    pub gateways_address: Option<HostPort>,
    /// How long an enrolment code is good for.
    pub enrolment_valid: Duration,
    /// A session that nobody used for so long is over.
    pub session_idle: Duration,
    /// A session is over after so long, used or not.
    pub session_absolute: Duration,
    /// The cookie is only sent over HTTPS. Switch it on behind a reverse proxy with TLS.
    pub cookie_secure: bool,
    /// Whether `X-Forwarded-For` names the caller: only behind a proxy of one's own.
    pub behind_proxy: bool,
    /// Bytes of an uploaded picture or plan.
    pub upload_limit: u64,
    /// A Prometheus server that is not on this machine sends this as a bearer token.
    pub metrics_token: Option<String>,
}

impl Settings {
    /// The port at which gateways reach this hub.
    pub fn gateways_port(&self) -> u16 {
        self.gateways_address.as_ref().map_or(self.gateways_listen.port(), |address| address.port)
    }
}

impl Default for Settings {
    fn default() -> Self {
        Self {
            data: PathBuf::from("."),
            gateways_listen: SocketAddr::from(([0, 0, 0, 0], 7443)),
            gateways_address: None,
            enrolment_valid: Duration::from_mins(15),
            session_idle: Duration::from_mins(30),
            session_absolute: Duration::from_hours(12),
            cookie_secure: false,
            behind_proxy: false,
            upload_limit: 10 * 1024 * 1024,
            metrics_token: None,
        }
    }
}
