//! The QUIC endpoint: TLS 1.3 with the hub's own CA, who may come in at all, and how many at once.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use quinn::crypto::rustls::{HandshakeData, QuicServerConfig};
use quinn::{Connection, Endpoint, Incoming, TransportConfig, VarInt};
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::time_provider::TimeProvider;
use steward_shared::id::GatewayId;
use steward_shared::time::{Clock, Timestamp};
use steward_shared::wire::message::{ALPN, ALPN_ENROL, Lane};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::frames::PROMPT;
use super::pauses::Pauses;
use super::seats::Seats;
use super::{enrol, session};
use crate::gateways::{Ca, CaError, Fleet, Happening, Identity, ServerLeaf, Tries, identity};
use crate::kernel::module::{BoxError, Module, Task};
use crate::telemetry::Readings;

/// Why a connection is closed, for the peer.
pub mod code {
    use quinn::VarInt;

    pub const DONE: VarInt = VarInt::from_u32(0);
    pub const REFUSED: VarInt = VarInt::from_u32(1);
    pub const PROTOCOL: VarInt = VarInt::from_u32(2);
    /// Come again later.
    pub const BUSY: VarInt = VarInt::from_u32(3);
    pub const REVOKED: VarInt = VarInt::from_u32(4);
    pub const REPLACED: VarInt = VarInt::from_u32(5);
    /// The clocks differ by more than any reading may: the gateway keeps what it has until they agree.
    pub const CLOCK: VarInt = VarInt::from_u32(6);
    /// What came last could not be used: the gateway keeps the rest, and one is tried each hour.
    pub const PAUSED: VarInt = VarInt::from_u32(7);
}

/// From here on a peer must first show that it can receive at its address (RFC 9000, 8.1.2).
const RETRY_FROM: usize = 256;
const MOST_CONNECTIONS: usize = 10_000;
const IDLE: Duration = Duration::from_secs(30);
/// The control stream, three lanes, and room for the next protocol.
const STREAMS: u32 = 8;
const STREAM_WINDOW: u32 = 1 << 20;
const CONNECTION_WINDOW: u32 = 4 << 20;
/// The same as long as it is not known who it is.
const STRANGERS_WINDOW: u32 = 16 << 10;
const DATAGRAMS: usize = 256 << 10;
/// The same event about the same gateway is told once in this time.
const REPEAT: Duration = Duration::from_hours(1);
const GOODBYE: Duration = Duration::from_secs(5);

#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    #[error(
        "cannot listen for gateways on {address} (UDP); is a hub running already? stop it, or set another port as \
         [gateways] listen (or STEWARD_HUB__GATEWAYS__LISTEN)"
    )]
    Bind { address: SocketAddr, source: std::io::Error },
    #[error("the TLS of the gateways' port cannot be set up")]
    Tls(#[from] rustls::Error),
    #[error("the verifier of gateways' certificates cannot be set up")]
    Verifier(#[from] rustls::server::VerifierBuilderError),
    #[error("the TLS of the gateways' port has no suite for QUIC")]
    Suite(#[from] quinn::crypto::rustls::NoInitialCipherSuite),
    #[error("the hub's certificate for gateways cannot be made")]
    Ca(#[from] CaError),
}

/// What a connection is handled with. One for the program.
pub struct Door {
    pub(super) fleet: Arc<Fleet>,
    pub(super) readings: Arc<Readings>,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) seats: Seats,
    tries: Mutex<Tries>,
    told: Mutex<HashMap<(GatewayId, &'static str), Timestamp>>,
    pauses: Mutex<Pauses>,
}

/// The door with its port, bound while the program is put together: a port that is taken ends the start.
struct Open {
    door: Arc<Door>,
    endpoint: Endpoint,
}

pub fn module() -> Module {
    let listen = Task {
        name: "link.listen",
        run: |ctx, stop| {
            Box::pin(async move {
                let open = ctx.part::<Open>();
                Arc::clone(&open.door).serve(open.endpoint.clone(), stop).await;
                Ok::<_, BoxError>(())
            })
        },
    };
    Module {
        name: "link",
        setup: Some(|ctx| {
            Box::pin(async move {
                let door = Door::new(ctx.part::<Fleet>(), ctx.part::<Readings>(), ctx.clock.clone());
                let endpoint = door.listen(ctx.settings.gateways_listen)?;
                tracing::info!(address = %endpoint.local_addr()?, "listening for gateways");
                ctx.put(Arc::new(Open { door, endpoint }));
                Ok::<_, BoxError>(())
            })
        }),
        tasks: vec![listen],
        ..Module::default()
    }
}

impl Door {
    pub fn new(fleet: Arc<Fleet>, readings: Arc<Readings>, clock: Arc<dyn Clock>) -> Arc<Self> {
        Arc::new(Self {
            fleet,
            readings,
            clock,
            seats: Seats::default(),
            tries: Mutex::default(),
            told: Mutex::default(),
            pauses: Mutex::default(),
        })
    }

    /// Binds the port. Within a runtime.
    pub fn listen(&self, address: SocketAddr) -> Result<Endpoint, LinkError> {
        let tls = tls(self.fleet.ca(), self.clock.clone())?;
        let mut config = quinn::ServerConfig::with_crypto(Arc::new(QuicServerConfig::try_from(tls)?));
        config.transport_config(Arc::new(transport()));
        Endpoint::server(config, address).map_err(|source| LinkError::Bind { address, source })
    }

    /// Until the token is cancelled; then says goodbye and waits for the sessions.
    pub async fn serve(self: Arc<Self>, endpoint: Endpoint, stop: CancellationToken) {
        let sessions = TaskTracker::new();
        loop {
            // Losing either branch is harmless: accept is cancel safe, and cancellation is remembered.
            let incoming = tokio::select! {
                incoming = endpoint.accept() => incoming,
                () = stop.cancelled() => None,
            };
            let Some(incoming) = incoming else { break };
            if endpoint.open_connections() >= MOST_CONNECTIONS {
                incoming.refuse();
            } else if endpoint.open_connections() >= RETRY_FROM && !incoming.remote_address_validated() {
                // It fails only for validated addresses.
                let _ = incoming.retry();
            } else {
                sessions.spawn(Arc::clone(&self).greet(incoming, stop.child_token()));
            }
        }
        sessions.close();
        if tokio::time::timeout(GOODBYE, sessions.wait()).await.is_err() {
            tracing::warn!("sessions with gateways did not end in time and are cut");
        }
        endpoint.close(code::BUSY, b"the hub stops");
        let _ = tokio::time::timeout(Duration::from_secs(1), endpoint.wait_idle()).await;
    }

    async fn greet(self: Arc<Self>, incoming: Incoming, stop: CancellationToken) {
        let from = incoming.remote_address();
        let _counted = Counted::new();
        let connection = match tokio::time::timeout(PROMPT, incoming).await {
            Ok(Ok(connection)) => connection,
            Ok(Err(e)) => {
                tracing::info!(%from, error = %e, "a connection was refused");
                return;
            }
            Err(_) => return,
        };
        let protocol = connection
            .handshake_data()
            .and_then(|d| d.downcast::<HandshakeData>().ok())
            .and_then(|d| d.protocol);
        match protocol.as_deref() {
            Some(p) if p == ALPN_ENROL => enrol::serve(&self, &connection).await,
            Some(p) if p == ALPN => match self.certified(&connection) {
                Some(identity) => {
                    connection.set_receive_window(VarInt::from_u32(CONNECTION_WINDOW));
                    session::serve(&self, &connection, identity, stop).await;
                }
                None => connection.close(code::REFUSED, b"a gateway's certificate is needed; enrol first"),
            },
            _ => connection.close(code::PROTOCOL, b"unknown protocol"),
        }
    }

    /// Who the peer is by its certificate; the handshake has checked it against the CA.
    fn certified(&self, connection: &Connection) -> Option<Identity> {
        let chain = connection.peer_identity()?.downcast::<Vec<CertificateDer<'static>>>().ok()?;
        identity(chain.first()?).filter(|i| i.expires > self.clock.now())
    }

    pub(super) fn may_try(&self, from: IpAddr) -> bool {
        self.tries.lock().unwrap_or_else(PoisonError::into_inner).allow(from, self.clock.now())
    }

    pub(super) fn is_paused(&self, gateway: GatewayId, lane: Lane) -> bool {
        let pauses = self.pauses.lock().unwrap_or_else(PoisonError::into_inner);
        pauses.is_paused(gateway, lane, self.clock.now())
    }

    /// Whether a batch of the lane could be used; too many in a row that could not pause the lane.
    pub(super) async fn note_use(&self, gateway: GatewayId, lane: Lane, is_good: bool) {
        let is_paused = {
            let mut pauses = self.pauses.lock().unwrap_or_else(PoisonError::into_inner);
            if is_good {
                pauses.good(gateway, lane);
            }
            !is_good && pauses.bad(gateway, lane, self.clock.now())
        };
        if is_paused {
            self.tell_once(gateway, &Happening::LanePaused { lane }).await;
        }
    }

    /// Once an hour at most for each kind and gateway.
    pub(super) async fn tell_once(&self, gateway: GatewayId, what: &Happening) {
        let (now, kind) = (self.clock.now(), what.kind());
        let told = || self.told.lock().unwrap_or_else(PoisonError::into_inner);
        let before = {
            let mut told = told();
            if told.get(&(gateway, kind)).is_some_and(|at| now.since(*at) < REPEAT) {
                return;
            }
            told.insert((gateway, kind), now)
        };
        if let Err(e) = self.fleet.note(gateway, what).await {
            tracing::error!(error = %e, %gateway, kind, "an event could not be stored");
            // It is not told yet.
            match before {
                Some(before) => told().insert((gateway, kind), before),
                None => told().remove(&(gateway, kind)),
            };
        }
    }
}

/// A connection, as the measures count them.
struct Counted(metrics::Gauge);

impl Counted {
    fn new() -> Self {
        let gauge = metrics::gauge!("steward_hub_gateway_connections");
        gauge.increment(1.0);
        Self(gauge)
    }
}

impl Drop for Counted {
    fn drop(&mut self) {
        self.0.decrement(1.0);
    }
}

/// rustls asks our clock, so that tests can let certificates expire.
#[derive(Debug)]
pub(super) struct Time(pub Arc<dyn Clock>);

impl TimeProvider for Time {
    fn current_time(&self) -> Option<UnixTime> {
        let ms = u64::try_from(self.0.now().as_millis()).ok()?;
        Some(UnixTime::since_unix_epoch(Duration::from_millis(ms)))
    }
}

fn tls(ca: &Arc<Ca>, clock: Arc<dyn Clock>) -> Result<rustls::ServerConfig, LinkError> {
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut roots = rustls::RootCertStore::empty();
    roots.add(ca.certificate().clone())?;
    // Who comes without a certificate gets no further than the enrolment: `greet` sees to it.
    let verifier = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone())
        .allow_unauthenticated()
        .build()?;
    let mut tls = rustls::ServerConfig::builder_with_details(provider, Arc::new(Time(clock)))
        .with_protocol_versions(&[&rustls::version::TLS13])?
        .with_client_cert_verifier(verifier)
        .with_cert_resolver(Arc::new(ServerLeaf::new(Arc::clone(ca))?));
    tls.alpn_protocols = vec![ALPN.to_vec(), ALPN_ENROL.to_vec()];
    // A resumed session would bring back a certificate that has expired since; and no 0-RTT.
    tls.send_tls13_tickets = 0;
    tls.max_early_data_size = 0;
    Ok(tls)
}

fn transport() -> TransportConfig {
    let mut t = TransportConfig::default();
    t.max_concurrent_bidi_streams(VarInt::from_u32(STREAMS))
        .max_concurrent_uni_streams(VarInt::from_u32(0))
        .stream_receive_window(VarInt::from_u32(STREAM_WINDOW))
        .receive_window(VarInt::from_u32(STRANGERS_WINDOW))
        .datagram_receive_buffer_size(Some(DATAGRAMS))
        .max_idle_timeout(IDLE.try_into().ok());
    t
}
