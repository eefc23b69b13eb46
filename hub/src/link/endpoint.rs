//! The door: TLS 1.3 with the hub's own CA by either road, who may come in at all, and how many at once.

use std::collections::HashMap;
use std::net::{IpAddr, SocketAddr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use quinn::crypto::rustls::HandshakeData;
use quinn::{AsyncUdpSocket, Connection, Incoming, Runtime, VarInt};
use rustls::pki_types::{CertificateDer, UnixTime};
use rustls::server::WebPkiClientVerifier;
use rustls::time_provider::TimeProvider;
use steward_shared::id::GatewayId;
use steward_shared::time::{Clock, Timestamp};
use steward_shared::wire::message::{ALPN, ALPN_ENROL, Lane};
use steward_shared::wire::mux::{Link, Side, Trust};
use tokio::net::TcpStream;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::frames::PROMPT;
use super::pauses::Pauses;
use super::ports::Ports;
use super::refused::Refused;
use super::road::{Road, code};
use super::seats::Seats;
use super::strangers::{Place, Strangers};
use super::{enrol, session, tcp};
use crate::gateways::{Ca, CaError, Fleet, Happening, Identity, ServerLeaf, Tries, identity};
use crate::kernel::module::{BoxError, Module, Task};
use crate::telemetry::Readings;

/// From here on a peer must first show that it can receive at its address (RFC 9000, 8.1.2).
pub(super) const RETRY_FROM: usize = 256;
const MOST_CONNECTIONS: usize = 10_000;
/// After an error of the socket on which connections come: of too many open files, for one.
const AGAIN: Duration = Duration::from_secs(1);
/// The same event about the same gateway is told once in this time.
const REPEAT: Duration = Duration::from_hours(1);
const GOODBYE: Duration = Duration::from_secs(5);

#[derive(Debug, thiserror::Error)]
pub enum LinkError {
    #[error(
        "cannot listen for gateways on {address} ({kind}); is a hub running already? stop it, or set another port as \
         [gateways] listen (or STEWARD_HUB__GATEWAYS__LISTEN)"
    )]
    Bind { address: SocketAddr, kind: &'static str, source: std::io::Error },
    #[error("the socket for gateways cannot be used")]
    Socket(#[source] std::io::Error),
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
    strangers: Strangers,
    refused: Refused,
    /// Connections by TCP.
    open: AtomicUsize,
}

/// The door with its ports, until the task takes them.
struct Open {
    door: Arc<Door>,
    ports: Mutex<Option<Ports>>,
}

pub fn module() -> Module {
    let listen = Task {
        name: "link.listen",
        run: |ctx, stop| {
            Box::pin(async move {
                let open = ctx.part::<Open>();
                let ports = open.ports.lock().unwrap_or_else(PoisonError::into_inner).take();
                if let Some(ports) = ports {
                    Arc::clone(&open.door).serve(ports, stop).await;
                }
                Ok::<_, BoxError>(())
            })
        },
    };
    Module {
        name: "link",
        setup: Some(|ctx| {
            Box::pin(async move {
                let door = Door::new(ctx.part::<Fleet>(), ctx.part::<Readings>(), ctx.clock.clone());
                let ports = door.listen(ctx.settings.gateways_listen)?;
                tracing::info!(address = %ports.local_addr()?, "listening for gateways, by UDP and TCP");
                ctx.put(Arc::new(Open { door, ports: Mutex::new(Some(ports)) }));
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
            strangers: Strangers::default(),
            refused: Refused::default(),
            open: AtomicUsize::new(0),
        })
    }

    /// Binds the port, for both roads. Within a runtime.
    pub fn listen(&self, address: SocketAddr) -> Result<Ports, LinkError> {
        Ports::bind(address, tls(self.fleet.ca(), self.clock.clone())?)
    }

    /// The same on a socket that is handed in, by QUIC alone.
    pub fn listen_on(
        &self,
        socket: Arc<dyn AsyncUdpSocket>,
        runtime: Arc<dyn Runtime>,
    ) -> Result<Ports, LinkError> {
        Ports::over(socket, runtime, tls(self.fleet.ca(), self.clock.clone())?)
    }

    /// Until the token is cancelled; then says goodbye and waits for the sessions.
    pub async fn serve(self: Arc<Self>, ports: Ports, stop: CancellationToken) {
        let sessions = TaskTracker::new();
        let Ports { quic, tcp, tls } = ports;
        loop {
            // Losing any branch is harmless: both accepts are cancel safe, and cancellation is remembered.
            tokio::select! {
                incoming = quic.accept() => {
                    let Some(incoming) = incoming else { break };
                    let open = quic.open_connections() + self.open.load(Ordering::Relaxed);
                    if open >= MOST_CONNECTIONS {
                        incoming.refuse();
                    } else if quic.open_connections() >= RETRY_FROM && !incoming.remote_address_validated() {
                        // It fails only for validated addresses.
                        let _ = incoming.retry();
                    } else {
                        sessions.spawn(Arc::clone(&self).greet(incoming, stop.child_token()));
                    }
                }
                accepted = Ports::accept(tcp.as_ref()) => match accepted {
                    Ok((socket, from)) => {
                        let open = quic.open_connections() + self.open.load(Ordering::Relaxed);
                        if open < MOST_CONNECTIONS
                            && let Some(place) = self.strangers.let_in(from.ip())
                        {
                            let door = Arc::clone(&self);
                            let tls = tls.clone();
                            sessions.spawn(door.greet_over_tcp(tls, socket, from, place, stop.child_token()));
                        }
                    }
                    Err(e) => {
                        tracing::warn!(error = %e, "gateways' connections by TCP cannot be taken at present");
                        tokio::time::sleep(AGAIN).await;
                    }
                },
                () = stop.cancelled() => break,
            }
        }
        drop(tcp);
        sessions.close();
        if tokio::time::timeout(GOODBYE, sessions.wait()).await.is_err() {
            tracing::warn!("sessions with gateways did not end in time and are cut");
        }
        quic.close(VarInt::from_u32(code::BUSY), b"the hub stops");
        let _ = tokio::time::timeout(Duration::from_secs(1), quic.wait_idle()).await;
    }

    async fn greet(self: Arc<Self>, incoming: Incoming, stop: CancellationToken) {
        let from = incoming.remote_address();
        let _counted = Counted::new();
        let connection = match tokio::time::timeout(PROMPT, incoming).await {
            Ok(Ok(connection)) => connection,
            Ok(Err(e)) => {
                self.refused.note(from, &e);
                return;
            }
            Err(_) => return,
        };
        let protocol = connection
            .handshake_data()
            .and_then(|d| d.downcast::<HandshakeData>().ok())
            .and_then(|d| d.protocol);
        let leaf = leaf(&connection);
        self.attend(&Road::Quic(connection), protocol.as_deref(), leaf.as_ref(), stop).await;
    }

    async fn greet_over_tcp(
        self: Arc<Self>,
        tls: TlsAcceptor,
        socket: TcpStream,
        from: SocketAddr,
        place: Place,
        stop: CancellationToken,
    ) {
        let _counted = Counted::new();
        let _open = Opened::new(&self.open);
        tcp::prepare(&socket);
        // Losing the handshake is harmless: nothing has been said yet.
        let accepted = tokio::select! {
            accepted = tokio::time::timeout(PROMPT, tcp::accept(&tls, socket)) => accepted,
            () = stop.cancelled() => return,
        };
        let stream = match accepted {
            Ok(Ok(stream)) => stream,
            Ok(Err(e)) => {
                self.refused.note(from, &e);
                return;
            }
            Err(_) => return,
        };
        drop(place);
        let (_, session) = stream.get_ref();
        let protocol = session.alpn_protocol().map(<[u8]>::to_vec);
        let leaf =
            session.peer_certificates().and_then(|chain| chain.first()).map(|c| c.clone().into_owned());
        let link = Link::new(Side::Hub, Trust::STRANGER);
        let road = Road::Tcp(link.clone(), from);
        let attended = async {
            self.attend(&road, protocol.as_deref(), leaf.as_ref(), stop).await;
            // Whatever it ended with: the socket is held by nobody any more.
            road.close(code::DONE, b"");
        };
        tokio::join!(attended, tcp::drive(stream, &link));
    }

    /// A connection whose handshake is done, by its protocol.
    async fn attend(
        self: &Arc<Self>,
        road: &Road,
        protocol: Option<&[u8]>,
        leaf: Option<&CertificateDer<'_>>,
        stop: CancellationToken,
    ) {
        match protocol {
            Some(p) if p == ALPN_ENROL => enrol::serve(self, road).await,
            Some(p) if p == ALPN => match leaf.and_then(|leaf| self.certified(leaf)) {
                Some(identity) => {
                    road.trust();
                    session::serve(self, road, identity, stop).await;
                }
                None => road.close(code::REFUSED, b"a gateway's certificate is needed; enrol first"),
            },
            _ => road.close(code::PROTOCOL, b"unknown protocol"),
        }
    }

    /// Who the peer is by its certificate; the handshake has checked it against the CA.
    fn certified(&self, leaf: &CertificateDer<'_>) -> Option<Identity> {
        identity(leaf).filter(|i| i.expires > self.clock.now())
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

/// A connection by TCP, as it counts for how many there may be.
struct Opened<'a>(&'a AtomicUsize);

impl<'a> Opened<'a> {
    fn new(open: &'a AtomicUsize) -> Self {
        open.fetch_add(1, Ordering::Relaxed);
        Self(open)
    }
}

impl Drop for Opened<'_> {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
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

fn leaf(connection: &Connection) -> Option<CertificateDer<'static>> {
    let chain = connection.peer_identity()?.downcast::<Vec<CertificateDer<'static>>>().ok()?;
    chain.first().cloned()
}
