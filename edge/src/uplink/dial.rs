//! From `host:port` to a connection: every address that the name has is tried in turn, each with a deadline.

use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use quinn::{ClientConfig, Connection, ConnectionError, Endpoint};
use steward_shared::wire::message::HUB_SERVER_NAME;
use tokio::time::timeout;

use super::error::UplinkError;

const RESOLVE: Duration = Duration::from_secs(10);
const HANDSHAKE: Duration = Duration::from_secs(10);

/// A connection and the endpoint that it lives on; whoever ends it waits for the endpoint, so that the hub hears of it.
pub(super) struct Dialled {
    pub connection: Connection,
    endpoint: Endpoint,
}

impl Dialled {
    pub async fn close(self, reason: &str) {
        self.connection.close(0u32.into(), reason.as_bytes());
        let _ = timeout(Duration::from_secs(2), self.endpoint.wait_idle()).await;
    }
}

pub(super) async fn dial(hub: &str, config: ClientConfig) -> Result<Dialled, UplinkError> {
    let unresolved = |e| UplinkError::Address(hub.to_owned(), e);
    if !hub.rsplit_once(':').is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok()) {
        return Err(unresolved(None));
    }
    let found = timeout(RESOLVE, tokio::net::lookup_host(hub)).await;
    let found =
        found.map_err(|_| UplinkError::Deadline("name resolution"))?.map_err(|e| unresolved(Some(e)))?;
    let mut last = UplinkError::Silent(hub.to_owned());
    for address in found.take(8) {
        match handshake(hub, address, config.clone()).await {
            Ok(dialled) => return Ok(dialled),
            Err(e) => last = e,
        }
    }
    Err(last)
}

async fn handshake(hub: &str, address: SocketAddr, config: ClientConfig) -> Result<Dialled, UplinkError> {
    let any: SocketAddr = match address {
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    };
    let mut endpoint = Endpoint::client(any).map_err(UplinkError::Socket)?;
    endpoint.set_default_client_config(config);
    let connecting = endpoint.connect(address, HUB_SERVER_NAME)?;
    match timeout(HANDSHAKE, connecting).await {
        Ok(Ok(connection)) => Ok(Dialled { connection, endpoint }),
        Err(_) | Ok(Err(ConnectionError::TimedOut)) => Err(UplinkError::Silent(hub.to_owned())),
        Ok(Err(e)) => Err(e.into()),
    }
}
