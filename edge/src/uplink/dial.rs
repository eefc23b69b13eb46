//! From `host:port` to a connection: every address that the name has is tried in turn, and each by both roads. QUIC goes
//! first, TCP a moment later if there is nothing yet, and the first finished handshake wins; where TCP was needed a
//! short while ago it is the other way round. A name that cannot be resolved is not needed: the last good address is
//! kept on disk.

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use quinn::ConnectionError;
use steward_shared::wire::message::HUB_SERVER_NAME;
use steward_shared::wire::mux::{Link, STREAMS, Side, Trust};
use tokio::time::timeout;

use super::address;
use super::error::UplinkError;
use super::network::Network;
use super::road::{OverTcp, Road, RoadKind};
use super::tcp;
use super::tls::Configs;

const RESOLVE: Duration = Duration::from_secs(10);
/// The same where an address is known anyway.
const RESOLVE_KNOWN: Duration = Duration::from_secs(2);
const HANDSHAKE: Duration = Duration::from_secs(10);
/// So long the second road waits for the first.
const HEAD_START: Duration = Duration::from_millis(300);
/// Addresses of one name that are tried.
const ADDRESSES: usize = 8;
/// What the hub may send on each stream before it is read: answers are small.
const WINDOW: u32 = 64 << 10;

/// How to dial.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Order {
    pub first: RoadKind,
    pub head_start: Duration,
}

impl Order {
    pub const fn first(first: RoadKind) -> Self {
        Self { first, head_start: HEAD_START }
    }

    /// By QUIC, which is known to come through; TCP only where it does not after all.
    pub const QUIC_WORKS: Self = Self { first: RoadKind::Quic, head_start: HANDSHAKE };
}

/// A connection, and where the hub was found.
pub(super) struct Dialled {
    pub road: Road,
    pub address: SocketAddr,
}

pub(super) async fn dial(
    network: &dyn Network,
    hub: &str,
    state_dir: &Path,
    configs: &Configs,
    order: Order,
) -> Result<Dialled, UplinkError> {
    let mut last = UplinkError::Silent(hub.to_owned());
    for address in addresses(hub, state_dir).await? {
        match race(network, hub, address, configs, order).await {
            Ok(road) => return Ok(Dialled { road, address }),
            Err(e) => last = telling(last, e),
        }
    }
    Err(last)
}

/// Where the hub may be: what its name says, and where it was last.
async fn addresses(hub: &str, state_dir: &Path) -> Result<Vec<SocketAddr>, UplinkError> {
    let unresolved = |e| UplinkError::Address(hub.to_owned(), e);
    if !hub.rsplit_once(':').is_some_and(|(host, port)| !host.is_empty() && port.parse::<u16>().is_ok()) {
        return Err(unresolved(None));
    }
    if let Ok(address) = hub.parse() {
        return Ok(vec![address]);
    }
    let (dir, name) = (state_dir.to_owned(), hub.to_owned());
    let known = tokio::task::spawn_blocking(move || address::recall(&dir, &name)).await.ok().flatten();
    let patience = if known.is_some() { RESOLVE_KNOWN } else { RESOLVE };
    let found = match timeout(patience, tokio::net::lookup_host(hub)).await {
        Ok(Ok(found)) => Ok(found.take(ADDRESSES).collect()),
        Ok(Err(e)) => Err(unresolved(Some(e))),
        Err(_) => Err(UplinkError::Deadline("name resolution")),
    };
    match (found, known) {
        (Ok(found), None) => Ok(found),
        (Ok(mut found), Some(known)) => {
            if !found.contains(&known) {
                found.push(known);
            }
            Ok(found)
        }
        (Err(e), Some(known)) => {
            tracing::debug!(hub, error = %e, address = %known, "using the address at which the hub was last");
            Ok(vec![known])
        }
        (Err(e), None) => Err(e),
    }
}

/// Both roads to one address.
async fn race(
    network: &dyn Network,
    hub: &str,
    address: SocketAddr,
    configs: &Configs,
    order: Order,
) -> Result<Road, UplinkError> {
    if !network.has_tcp() {
        return quic(network, hub, address, configs).await;
    }
    let by = async |kind| match kind {
        RoadKind::Quic => quic(network, hub, address, configs).await,
        RoadKind::Tcp => over_tcp(hub, address, configs).await,
    };
    let (lead, follow) = (by(order.first), by(order.first.other()));
    tokio::pin!(lead, follow);
    match timeout(order.head_start, &mut lead).await {
        Ok(Ok(road)) => return Ok(road),
        Ok(Err(e)) => return follow.await.map_err(|other| telling(e, other)),
        Err(_) => {}
    }
    // The one that loses leaves nothing behind: a handshake that is given up.
    tokio::select! {
        first = &mut lead => match first {
            Ok(road) => Ok(road),
            Err(e) => follow.await.map_err(|other| telling(e, other)),
        },
        second = &mut follow => match second {
            Ok(road) => Ok(road),
            Err(e) => lead.await.map_err(|other| telling(e, other)),
        },
    }
}

/// Of two failures the one that tells more: a hub that is not the right one, before a silence.
fn telling(a: UplinkError, b: UplinkError) -> UplinkError {
    let weight = |e: &UplinkError| match e {
        UplinkError::HubNotTrusted(_) => 3,
        UplinkError::CertificateExpired | UplinkError::CertificateRefused(_) => 2,
        UplinkError::Silent(_) => 0,
        _ => 1,
    };
    if weight(&b) > weight(&a) { b } else { a }
}

pub(super) async fn quic(
    network: &dyn Network,
    hub: &str,
    address: SocketAddr,
    configs: &Configs,
) -> Result<Road, UplinkError> {
    let mut endpoint = network.endpoint(address).map_err(UplinkError::Socket)?;
    endpoint.set_default_client_config(configs.quic.clone());
    let connecting = endpoint.connect(address, HUB_SERVER_NAME)?;
    match timeout(HANDSHAKE, connecting).await {
        Ok(Ok(connection)) => Ok(Road::Quic(connection, endpoint)),
        Err(_) | Ok(Err(ConnectionError::TimedOut)) => Err(UplinkError::Silent(hub.to_owned())),
        Ok(Err(e)) => Err(e.into()),
    }
}

async fn over_tcp(hub: &str, address: SocketAddr, configs: &Configs) -> Result<Road, UplinkError> {
    match timeout(HANDSHAKE, tcp::connect(address, configs.tls.clone())).await {
        Ok(Ok(stream)) => {
            let chain = stream.get_ref().1.peer_certificates().unwrap_or_default().to_vec();
            let link = Link::new(Side::Gateway, Trust { streams: STREAMS, window: WINDOW });
            let its_link = link.clone();
            let driver = tokio::spawn(async move { tcp::drive(stream, &its_link).await });
            Ok(Road::Tcp(OverTcp { link, driver, chain }))
        }
        Ok(Err(e)) => Err(UplinkError::of_handshake(hub, e)),
        Err(_) => Err(UplinkError::Silent(hub.to_owned())),
    }
}
