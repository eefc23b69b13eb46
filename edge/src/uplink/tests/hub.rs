//! A hub small enough to read: real QUIC, TCP and TLS on loopback, its own CA, and a script of how it misbehaves. It applies
//! batches as the real one does (next: stored, older: known, later: refused) and writes down what it saw.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use quinn::crypto::rustls::QuicServerConfig;
use quinn::{Endpoint, ServerConfig};
use rcgen::{
    BasicConstraints, CertificateParams, CertificateSigningRequestParams, ExtendedKeyUsagePurpose, IsCa,
    Issuer, KeyPair, KeyUsagePurpose, SanType, SigningKey,
};
use rustls::RootCertStore;
use rustls::server::WebPkiClientVerifier;
use rustls_pki_types::{CertificateDer, CertificateSigningRequestDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use sha2::{Digest, Sha256};
use steward_shared::id::{GatewayId, RandomIds};
use steward_shared::time::{Clock, SystemClock, Timestamp};
use steward_shared::wire::code::Code;
use steward_shared::wire::config::{CheckedConfig, ConfigReport, NewConfig, SignedConfig};
use steward_shared::wire::frame::to_cbor;
use steward_shared::wire::message::*;
use steward_shared::wire::mux::{Link, STREAMS, Side, Trust};
use tokio::io::AsyncWriteExt as _;
use tokio::net::TcpListener;
use tokio_rustls::TlsAcceptor;

use super::wire::{Connection, Handshake, Way};
use crate::uplink::error::UplinkError;
use crate::uplink::frames::{FrameReader, write};
use crate::uplink::identity::{Identity, new_key, request};
use crate::uplink::road::{Incoming, Outgoing};
use crate::uplink::tcp;

pub const SECRET: [u8; 10] = *b"0123456789";

#[derive(Default)]
#[allow(clippy::struct_excessive_bools, reason = "each is one line of the script")]
pub struct Seen {
    /// What it says to have at its watermarks.
    pub known: Vec<Known>,
    pub epoch: u32,
    pub marks: HashMap<Lane, u64>,
    pub stored: Vec<Batch>,
    /// Sequences that came again, and whether with the same hash.
    pub again: Vec<(Lane, u64, bool)>,
    pub hellos: Vec<Hello>,
    /// The certificates that gateways came with, session by session.
    pub certificates: Vec<CertificateDer<'static>>,
    pub health: Vec<Health>,
    pub catalogues: Vec<Catalogue>,
    pub renewals: usize,
    /// How often somebody asked for a first certificate.
    pub enrolments: usize,
    pub live: Vec<LiveSample>,
    pub configs: Vec<ConfigReport>,
    pub checked: Vec<CheckedConfig>,
    /// What gateways said when they left.
    pub goodbyes: Vec<String>,
    pub handshakes: usize,
    pub connection: Option<Connection>,
    pub control: Option<Arc<tokio::sync::Mutex<Outgoing>>>,
    // The script.
    pub withhold_acks: bool,
    /// The welcome says that the hub has nothing, though it has.
    pub forgetful: bool,
    pub nack_once: Option<(Lane, u64)>,
    /// Says nothing of what comes behind a batch that it refused.
    pub deaf_behind: bool,
    /// Takes nothing of this lane.
    pub nack_all: Option<Lane>,
    /// How often it refused a batch.
    pub nacks: usize,
    pub refuse: Option<Refusal>,
    pub hang_up: bool,
    pub catalogue_wanted: bool,
    pub config_wanted: bool,
}

#[derive(Clone)]
pub struct Hub {
    pub address: SocketAddr,
    pub gateway: GatewayId,
    pub seen: Arc<Mutex<Seen>>,
    ca: Arc<(CertificateDer<'static>, Issuer<'static, KeyPair>)>,
}

impl Hub {
    pub fn start() -> Self {
        Self::over(Way::Both)
    }

    /// One that can be reached by this road only.
    pub fn over(way: Way) -> Self {
        let ca = Arc::new(authority());
        let tls = server(&ca);
        let quic = ServerConfig::with_crypto(Arc::new(QuicServerConfig::try_from(tls.clone()).unwrap()));
        // Whoever has the one port has the other too, used or not: nobody else comes between.
        let (endpoint, listener, address) = loop {
            let endpoint = Endpoint::server(quic.clone(), (Ipv4Addr::LOCALHOST, 0).into()).unwrap();
            let address = endpoint.local_addr().unwrap();
            if let Ok(listener) = std::net::TcpListener::bind(address) {
                break (endpoint, listener, address);
            }
        };
        let hub = Self {
            address,
            gateway: GatewayId::new(&RandomIds),
            seen: Arc::new(Mutex::new(Seen { epoch: 1, ..Seen::default() })),
            ca,
        };
        if way != Way::Tcp {
            tokio::spawn(hub.clone().accept_quic(endpoint));
        }
        if way != Way::Quic {
            listener.set_nonblocking(true).unwrap();
            let listener = TcpListener::from_std(listener).unwrap();
            tokio::spawn(hub.clone().accept_tcp(listener, TlsAcceptor::from(Arc::new(tls))));
        }
        hub
    }

    async fn accept_quic(self, endpoint: Endpoint) {
        while let Some(incoming) = endpoint.accept().await {
            let hub = self.clone();
            tokio::spawn(async move {
                if let Ok(connection) = incoming.await {
                    let _ = hub.serve(Handshake::of_quic(connection)).await;
                }
            });
        }
    }

    async fn accept_tcp(self, listener: TcpListener, tls: TlsAcceptor) {
        while let Ok((socket, _)) = listener.accept().await {
            let (hub, tls) = (self.clone(), tls.clone());
            tokio::spawn(async move {
                let stream = match tls.accept(socket).into_fallible().await {
                    Ok(stream) => stream,
                    Err((_, mut socket)) => {
                        // The alert is heard only while the socket is not reset.
                        let _ = socket.shutdown().await;
                        tokio::time::sleep(Duration::from_millis(500)).await;
                        return;
                    }
                };
                let link = Link::new(Side::Hub, Trust { streams: STREAMS, window: 64 << 10 });
                let handshake = Handshake::of_tls(stream.get_ref().1, link.clone());
                let serving = async {
                    let _ = hub.serve(handshake).await;
                    link.close(0, b"");
                };
                tokio::join!(serving, tcp::drive(stream, &link));
            });
        }
    }

    pub fn seen(&self) -> MutexGuard<'_, Seen> {
        self.seen.lock().unwrap()
    }

    pub fn code(&self) -> Code {
        Code { secret: SECRET, ca: Code::fingerprint(&self.ca.0) }
    }

    /// Breaks every connection, as a hub does that stops.
    pub fn hang_up(&self) {
        if let Some(connection) = self.seen().connection.take() {
            connection.close(b"stopping");
        }
    }

    /// An identity as enrolment gives it, valid from and to these days before and after now.
    pub fn identity(&self, from_days: i64, to_days: i64) -> Identity {
        let key = new_key().unwrap();
        let certificate = self.sign(&request(&key).unwrap(), from_days, to_days);
        Identity::new(self.gateway, key, certificate.into(), self.ca.0.clone()).unwrap()
    }

    fn sign(&self, csr: &[u8], from_days: i64, to_days: i64) -> Vec<u8> {
        let csr =
            CertificateSigningRequestParams::from_der(&CertificateSigningRequestDer::from(csr)).unwrap();
        let mut params = leaf(from_days, to_days);
        let uri = format!("{GATEWAY_URI_PREFIX}{}", self.gateway);
        params.subject_alt_names = vec![SanType::URI(uri.try_into().unwrap())];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        params.signed_by(&csr.public_key, &self.ca.1).unwrap().der().to_vec()
    }

    pub async fn say(&self, message: ControlDown) {
        let control = self.seen().control.clone().expect("a gateway is connected");
        write(&mut *control.lock().await, &message, "test").await.unwrap();
    }

    pub fn signed(&self, config: &NewConfig) -> SignedConfig {
        let config = to_cbor(config).unwrap();
        let signature = self.ca.1.key().sign(&SignedConfig::signed(&config)).unwrap();
        SignedConfig { config, signature }
    }

    async fn serve(&self, handshake: Handshake) -> Result<(), UplinkError> {
        let Handshake { connection, protocol, certificate } = handshake;
        let (up, down) = connection.accept().await?;
        if protocol.as_deref() == Some(ALPN_ENROL) {
            return self.enrol(up, down).await;
        }
        self.seen().certificates.push(certificate.expect("a session without a certificate"));
        self.session(connection, up, down).await
    }

    async fn enrol(&self, mut up: Outgoing, down: Incoming) -> Result<(), UplinkError> {
        let ask: Enrol = FrameReader::new(down, "test").next().await?;
        self.seen().enrolments += 1;
        let answer = if ask.code == SECRET {
            let certificate = self.sign(&ask.csr, -1, 30);
            EnrolAnswer::Accepted(Enrolled { gateway: self.gateway, certificate })
        } else {
            EnrolAnswer::Refused(EnrolRefusal::UnknownCode)
        };
        write(&mut up, &answer, "test").await?;
        let _ = up.shutdown().await;
        match &mut up {
            Outgoing::Quic(send) => drop(send.stopped().await),
            Outgoing::Tcp(out) => drop(std::future::poll_fn(|cx| out.0.poll_drained(cx)).await),
        }
        Ok(())
    }

    async fn session(
        &self,
        connection: Connection,
        mut up: Outgoing,
        down: Incoming,
    ) -> Result<(), UplinkError> {
        let mut control = FrameReader::new(down, "test");
        let ControlUp::Hello(hello) = control.next().await? else { panic!("the first message is no hello") };
        let (answer, hang_up) = {
            let mut seen = self.seen();
            seen.handshakes += 1;
            // Another database: its sequences begin anew, and what its numbers mean must be said again.
            let is_new = seen.hellos.last().is_some_and(|former| former.buffer != hello.buffer);
            if is_new {
                seen.epoch += 1;
                seen.marks.clear();
                seen.stored.clear();
            }
            // What the gateway dropped never comes.
            for held in &hello.lanes {
                let mark = seen.marks.entry(held.lane).or_default();
                *mark = (*mark).max(held.first.saturating_sub(1));
            }
            seen.hellos.push(hello);
            seen.connection = Some(connection.clone());
            let known = |lane| if seen.forgetful { None } else { seen.marks.get(&lane).copied() };
            let mark = |lane| Watermark { lane, seq: known(lane).unwrap_or(0) };
            let welcome = Welcome {
                epoch: seen.epoch,
                watermarks: Lane::ALL.map(mark).to_vec(),
                catalogue_wanted: seen.catalogue_wanted || is_new,
                now: SystemClock.now(),
                config_wanted: seen.config_wanted,
                known: seen.known.clone(),
            };
            let answer = seen.refuse.clone().map_or(ControlDown::Welcome(welcome), ControlDown::Refused);
            (answer, seen.hang_up)
        };
        write(&mut up, &answer, "test").await?;
        if hang_up {
            tokio::time::sleep(Duration::from_millis(50)).await;
            connection.close(b"flapping");
            return Ok(());
        }
        self.seen().control = Some(Arc::new(tokio::sync::Mutex::new(up)));
        let hub = self.clone();
        let datagrams = connection.clone();
        tokio::spawn(async move {
            while let Some(bytes) = datagrams.datagram().await {
                let live: LiveSamples = steward_shared::wire::frame::from_cbor(&bytes).unwrap();
                hub.seen().live.extend(live.samples);
            }
        });
        let hub = self.clone();
        tokio::spawn(async move { hub.control(control).await });
        loop {
            let (up, down) = match connection.accept().await {
                Ok(stream) => stream,
                Err(e) => {
                    self.seen().goodbyes.push(e.to_string());
                    return Ok(());
                }
            };
            let hub = self.clone();
            tokio::spawn(async move { hub.lane(up, down).await });
        }
    }

    async fn control(&self, mut control: FrameReader) -> Result<(), UplinkError> {
        loop {
            match control.next::<ControlUp>().await? {
                ControlUp::Hello(_) => panic!("a second hello"),
                ControlUp::Catalogue(c) => self.seen().catalogues.push(c),
                ControlUp::Health(h) => self.seen().health.push(h),
                ControlUp::Config(c) => self.seen().configs.push(c),
                ControlUp::Checked(c) => self.seen().checked.push(c),
                ControlUp::Renew(r) => {
                    self.seen().renewals += 1;
                    let certificate = self.sign(&r.csr, -1, 30);
                    let up = self.seen().control.clone().unwrap();
                    let answer = ControlDown::Certificate(Certificate { certificate });
                    write(&mut *up.lock().await, &answer, "test").await?;
                }
            }
        }
    }

    async fn lane(&self, mut up: Outgoing, down: Incoming) -> Result<(), UplinkError> {
        let mut frames = FrameReader::new(down, "test");
        let LaneUp::Open(opened) = frames.next().await? else { panic!("a lane without its name") };
        loop {
            let LaneUp::Batch(batch) = frames.next().await? else { panic!("a lane opened twice") };
            assert_eq!((batch.lane, batch.hash.as_slice()), (opened, Sha256::digest(&batch.body).as_slice()));
            if let Some(answer) = self.apply(batch) {
                write(&mut up, &answer, "test").await?;
            }
        }
    }

    fn apply(&self, batch: Batch) -> Option<LaneDown> {
        let mut seen = self.seen();
        let (lane, seq) = (batch.lane, batch.seq);
        assert_eq!(batch.epoch, seen.epoch);
        let mark = seen.marks.get(&lane).copied().unwrap_or(0);
        if seen.nack_once == Some((lane, seq)) {
            seen.nack_once = None;
            return Some(LaneDown::Nack(mark));
        }
        if seq > mark + 1 && seen.deaf_behind {
            return None;
        }
        if seq > mark + 1 || seen.nack_all == Some(lane) {
            seen.nacks += 1;
            return Some(LaneDown::Nack(mark));
        }
        if seq == mark + 1 {
            seen.marks.insert(lane, seq);
            seen.stored.push(batch);
        } else {
            let same = seen.stored.iter().any(|b| (b.lane, b.seq) == (lane, seq) && b.hash == batch.hash);
            seen.again.push((lane, seq, same));
        }
        let mark = seen.marks[&lane];
        (!seen.withhold_acks).then_some(LaneDown::Ack(mark))
    }
}

fn authority() -> (CertificateDer<'static>, Issuer<'static, KeyPair>) {
    let key = KeyPair::generate().unwrap();
    let mut params = leaf(-100, 3650);
    params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign];
    let certificate = params.self_signed(&key).unwrap().der().clone();
    let issuer = Issuer::from_ca_cert_der(&certificate, key).unwrap();
    (certificate, issuer)
}

fn server(ca: &(CertificateDer<'static>, Issuer<'static, KeyPair>)) -> rustls::ServerConfig {
    let key = KeyPair::generate().unwrap();
    let mut params = leaf(-1, 90);
    params.subject_alt_names = vec![SanType::DnsName(HUB_SERVER_NAME.try_into().unwrap())];
    params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    let certificate = params.signed_by(&key, &ca.1).unwrap().der().clone();
    let provider = Arc::new(rustls::crypto::ring::default_provider());
    let mut roots = RootCertStore::empty();
    roots.add(ca.0.clone()).unwrap();
    let clients = WebPkiClientVerifier::builder_with_provider(Arc::new(roots), provider.clone())
        .allow_unauthenticated()
        .build()
        .unwrap();
    let mut tls = rustls::ServerConfig::builder_with_provider(provider)
        .with_protocol_versions(&[&rustls::version::TLS13])
        .unwrap()
        .with_client_cert_verifier(clients)
        .with_single_cert(
            vec![certificate, ca.0.clone()],
            PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der())),
        )
        .unwrap();
    tls.alpn_protocols = vec![ALPN.to_vec(), ALPN_ENROL.to_vec()];
    tls
}

fn leaf(from_days: i64, to_days: i64) -> CertificateParams {
    let mut params = CertificateParams::new(Vec::new()).unwrap();
    let day = |days: i64| {
        let at = Timestamp(SystemClock.now().0 + days * 86_400_000);
        rcgen::date_time_ymd(1970, 1, 1) + Duration::from_millis(at.0 as u64)
    };
    params.not_before = day(from_days);
    params.not_after = day(to_days);
    params
}
