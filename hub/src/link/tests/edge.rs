//! A hub's door for a test, and a gateway as the wire sees one: nothing of the edge's own code.

use std::net::{Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use quinn::TransportConfig;
use rcgen::{CertificateParams, KeyPair};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use serde::Serialize;
use serde::de::DeserializeOwned;
use sha2::{Digest, Sha256};
use steward_shared::id::{BootId, BufferId, GatewayId, PointNo, RandomIds};
use steward_shared::reading::{Quality, Reading, Value};
use steward_shared::time::{Clock, ManualClock, Timestamp};
use steward_shared::wire::columns::{self, Header};
use steward_shared::wire::frame;
use steward_shared::wire::message::{
    ALPN, ALPN_ENROL, Batch, Catalogue, CatalogueDevice, CataloguePoint, ControlDown, ControlUp, Enrol,
    EnrolAnswer, Hello, Lane, LaneDown, LaneState, LaneUp, Names, PROTOCOL, PointKind, Welcome,
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::runtime::Runtime;
use tokio_util::sync::CancellationToken;

use super::super::endpoint::{Door, Time};
use super::super::road::{Incoming, Outgoing};
use super::wire::{Connection, Way, dial};
use crate::gateways::{self, Ca, Fleet, PointRow};
use crate::kernel::ctx::Ctx;
use crate::kernel::db::testing::TestDb;
use crate::kernel::db::{Db, migrate};
use crate::kernel::settings::Settings;
use crate::sites;
use crate::telemetry::{self, Readings, Sample};

pub const NOW: i64 = 1_772_352_000_000; // 2026-03-01T08:00:00Z
const PATIENCE: Duration = Duration::from_secs(20);

pub struct Hub {
    pub ctx: Ctx,
    pub clock: Arc<ManualClock>,
    pub fleet: Arc<Fleet>,
    pub readings: Arc<Readings>,
    pub address: SocketAddr,
    pub door: Arc<Door>,
    /// By which road gateways come.
    way: Way,
    stop: CancellationToken,
}

impl Drop for Hub {
    fn drop(&mut self) {
        self.stop.cancel();
    }
}

pub async fn tables(db: &Db) {
    let modules = [
        ("sites", sites::module().migrations),
        ("gateways", gateways::MIGRATIONS),
        ("telemetry", telemetry::MIGRATIONS),
    ];
    migrate(db, &modules, NOW).await.unwrap();
}

impl Hub {
    pub async fn on(test: &TestDb) -> Self {
        tables(&test.db).await;
        Self::start(test.db.clone(), test.dir.path()).await
    }

    pub async fn start(db: Db, dir: &Path) -> Self {
        let clock = Arc::new(ManualClock::at(Timestamp(NOW)));
        let ctx = Ctx::new(db, clock.clone(), Arc::new(RandomIds), Settings::default());
        let ca = Ca::open(dir, clock.clone(), Arc::new(RandomIds)).unwrap();
        let fleet = Arc::new(Fleet::new(&ctx, Arc::new(ca)));
        fleet.expect_all().await.unwrap();
        let readings = Arc::new(Readings::new(&ctx, fleet.clone()));
        readings.rebuild().await.unwrap();
        let stop = CancellationToken::new();
        tokio::spawn(readings.clone().commit_groups(stop.clone()));
        let door = Door::new(fleet.clone(), readings.clone(), clock.clone());
        let ports = door.listen(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).unwrap();
        let address = ports.local_addr().unwrap();
        tokio::spawn(Arc::clone(&door).serve(ports, stop.clone()));
        Self { ctx, clock, fleet, readings, address, door, way: Way::Quic, stop }
    }

    /// Its gateways come by this road.
    pub fn by(mut self, way: Way) -> Self {
        self.way = way;
        self
    }

    /// A new gateway's code, as the API gives it.
    pub async fn code(&self, name: &str) -> (GatewayId, Vec<u8>) {
        let name = name.to_owned();
        let (id, new) = self.ctx.db.tx(async |tx| self.fleet.create(&tx, &name, None).await).await.unwrap();
        (id, new.code.secret.to_vec())
    }

    pub async fn enrol(&self, code: &[u8], key: &KeyPair) -> EnrolAnswer {
        let connection = self.dial(ALPN_ENROL, None).await.unwrap();
        let (mut send, mut recv) = connection.open_bi().await.unwrap();
        let csr = request(key);
        say(&mut send, &Enrol { code: code.to_vec(), csr, version: "0.1.0".into(), host: "test".into() })
            .await;
        hear(&mut recv).await.unwrap()
    }

    pub async fn enrolled(&self, name: &str) -> Papers {
        let (_, code) = self.code(name).await;
        self.enrolled_by(&code).await
    }

    /// A gateway that has its papers already gets others.
    pub async fn enrolled_again(&self, gateway: GatewayId) -> Papers {
        let new = self.ctx.db.tx(async |tx| self.fleet.new_code(&tx, gateway).await).await.unwrap();
        self.enrolled_by(&new.code.secret).await
    }

    async fn enrolled_by(&self, code: &[u8]) -> Papers {
        let key = KeyPair::generate().unwrap();
        match self.enrol(code, &key).await {
            EnrolAnswer::Accepted(e) => {
                Papers { gateway: e.gateway, key: Arc::new(key), certificate: e.certificate.into() }
            }
            EnrolAnswer::Refused(r) => panic!("{r:?}"),
        }
    }

    pub async fn dial(&self, alpn: &[u8], papers: Option<&Papers>) -> Result<Connection, String> {
        self.dial_with(alpn, papers, TransportConfig::default()).await
    }

    async fn dial_with(
        &self,
        alpn: &[u8],
        papers: Option<&Papers>,
        transport: TransportConfig,
    ) -> Result<Connection, String> {
        dial(self.way, self.address, self.tls(alpn, papers), transport).await
    }

    /// What a gateway with these papers dials with.
    pub fn tls(&self, alpn: &[u8], papers: Option<&Papers>) -> rustls::ClientConfig {
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let mut roots = rustls::RootCertStore::empty();
        roots.add(self.fleet.ca().certificate().clone()).unwrap();
        // The client's clock is the hub's of the beginning: only the hub looks at dates here.
        let clock: Arc<dyn Clock> = Arc::new(ManualClock::at(Timestamp(NOW)));
        let tls = rustls::ClientConfig::builder_with_details(provider, Arc::new(Time(clock)))
            .with_protocol_versions(&[&rustls::version::TLS13])
            .unwrap()
            .with_root_certificates(roots);
        let mut tls = match papers {
            None => tls.with_no_client_auth(),
            Some(p) => {
                let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(p.key.serialize_der()));
                tls.with_client_auth_cert(vec![p.certificate.clone()], key).unwrap()
            }
        };
        tls.alpn_protocols = vec![alpn.to_vec()];
        tls
    }

    pub async fn session(&self, papers: &Papers, buffer: BufferId, held: u64) -> Session {
        self.session_over(papers, buffer, held, TransportConfig::default()).await
    }

    pub async fn session_over(
        &self,
        papers: &Papers,
        buffer: BufferId,
        held: u64,
        link: TransportConfig,
    ) -> Session {
        let connection = self.dial_with(ALPN, Some(papers), link).await.unwrap();
        let mut s = Session::on(connection).await;
        s.welcome = Some(s.hello(papers.gateway, buffer, held).await);
        s.buffer = buffer;
        s
    }

    pub async fn events(&self, gateway: GatewayId, kind: &str) -> Vec<gateways::EventRow> {
        let all = self.fleet.events(gateway, None, 100).await.unwrap();
        all.into_iter().filter(|e| e.kind == kind).collect()
    }

    pub async fn count(&self, table: &str) -> i64 {
        self.ctx.db.one::<i64>(&format!("select count(*) as n from {table}"), vec![]).await.unwrap().unwrap()
    }

    pub async fn point(&self, gateway: GatewayId, key: &str) -> PointRow {
        let points = self.fleet.points_of(gateway).await.unwrap();
        points.into_iter().find(|p| p.key == key).unwrap()
    }

    pub async fn history(&self, point: &PointRow) -> Vec<Sample> {
        self.readings.samples(point, Timestamp(NOW - 86_400_000), Timestamp(NOW + 86_400_000)).await.unwrap()
    }
}

/// A hub with a runtime and connections to the database of its own, which dies between two steps of whatever it does.
pub struct Mortal {
    runtime: Runtime,
    pub hub: Hub,
}

impl Mortal {
    pub async fn on(test: &TestDb) -> Self {
        tables(&test.db).await;
        let runtime =
            tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build().unwrap();
        let (url, dir) = (test.url.clone(), test.dir.path().to_owned());
        let starting = async move { Hub::start(Db::open(&url).await.unwrap(), &dir).await };
        let hub = runtime.spawn(starting).await.unwrap();
        Self { runtime, hub }
    }

    /// Its tasks are gone when this returns.
    pub async fn kill(self) {
        let Self { runtime, hub } = self;
        tokio::task::spawn_blocking(move || runtime.shutdown_timeout(PATIENCE)).await.unwrap();
        drop(hub);
    }
}

/// What a gateway keeps on its disk.
#[derive(Clone)]
pub struct Papers {
    pub gateway: GatewayId,
    pub key: Arc<KeyPair>,
    pub certificate: CertificateDer<'static>,
}

pub struct Session {
    pub connection: Connection,
    pub send: Outgoing,
    pub recv: Incoming,
    pub welcome: Option<Welcome>,
    pub buffer: BufferId,
    /// What its clock shows.
    pub now: Timestamp,
}

impl Session {
    pub async fn dial(hub: &Hub, papers: &Papers) -> Self {
        Self::on(hub.dial(ALPN, Some(papers)).await.unwrap()).await
    }

    pub async fn on(connection: Connection) -> Self {
        let (send, recv) = connection.open_bi().await.unwrap();
        let buffer = BufferId::new(&RandomIds);
        Self { connection, send, recv, welcome: None, buffer, now: Timestamp(NOW) }
    }

    pub async fn say_hello(&mut self, gateway: GatewayId, buffer: BufferId, held: u64) {
        let lanes = Lane::ALL.map(|lane| LaneState { lane, first: 1, last: held, acked: 0 }).to_vec();
        let hello = Hello {
            protocol: PROTOCOL,
            gateway,
            version: "0.1.0".into(),
            buffer,
            epoch: 0,
            lanes,
            catalogue: Sha256::digest(frame::to_cbor(&catalogue()).unwrap()).to_vec(),
            boot: BootId::new(&RandomIds),
            now: self.now,
            more_lanes: vec![],
        };
        say(&mut self.send, &ControlUp::Hello(hello)).await;
    }

    /// Says hello, and sends the catalogue if it is wanted.
    pub async fn hello(&mut self, gateway: GatewayId, buffer: BufferId, held: u64) -> Welcome {
        self.say_hello(gateway, buffer, held).await;
        match hear(&mut self.recv).await {
            Some(ControlDown::Welcome(welcome)) => {
                if welcome.catalogue_wanted {
                    say(&mut self.send, &ControlUp::Catalogue(catalogue())).await;
                }
                welcome
            }
            other => panic!("{other:?}"),
        }
    }

    pub fn mark(&self, lane: Lane) -> u64 {
        let marks = &self.welcome.as_ref().unwrap().watermarks;
        marks.iter().find(|w| w.lane == lane).unwrap().seq
    }

    pub async fn lane(&self, lane: Lane) -> LaneStream {
        let (mut send, recv) = self.connection.open_bi().await.unwrap();
        say(&mut send, &LaneUp::Open(lane)).await;
        let epoch = self.welcome.as_ref().unwrap().epoch;
        LaneStream { lane, epoch, send, recv, _connection: self.connection.clone() }
    }
}

pub struct LaneStream {
    lane: Lane,
    epoch: u32,
    pub send: Outgoing,
    pub recv: Incoming,
    _connection: Connection,
}

impl LaneStream {
    pub async fn send(&mut self, seq: u64, count: u32, body: Vec<u8>) {
        let hash = Sha256::digest(&body).to_vec();
        self.send_hashed(seq, count, body, hash).await;
    }

    pub async fn send_hashed(&mut self, seq: u64, count: u32, body: Vec<u8>, hash: Vec<u8>) {
        say(
            &mut self.send,
            &LaneUp::Batch(Batch { lane: self.lane, epoch: self.epoch, seq, count, hash, body }),
        )
        .await;
    }

    pub async fn answer(&mut self) -> LaneDown {
        hear(&mut self.recv).await.expect("the lane answers")
    }

    pub async fn ask(&mut self, seq: u64, body: (u32, Vec<u8>)) -> LaneDown {
        self.send(seq, body.0, body.1).await;
        self.answer().await
    }
}

/// For a certificate of this key.
pub fn request(key: &KeyPair) -> Vec<u8> {
    CertificateParams::new(Vec::new()).unwrap().serialize_request(key).unwrap().der().to_vec()
}

/// One device with the points #1 `power` and #2 `energy`, a counter.
pub fn catalogue() -> Catalogue {
    catalogue_of(vec![point(1, "power", PointKind::Gauge), point(2, "energy", PointKind::Counter)])
}

fn names(zh: &str, en: &str) -> Names {
    Names { zh: zh.into(), en: en.into() }
}

pub fn point(no: u32, key: &str, kind: PointKind) -> CataloguePoint {
    CataloguePoint {
        no: PointNo(no),
        device: "meter".into(),
        key: key.into(),
        title: names("点", key),
        unit: "kW".into(),
        kind,
        labels: vec![],
        period_ms: 10_000,
        decimals: 1,
        modulus: None,
        in_use: true,
        write: None,
    }
}

/// One device with these points.
pub fn catalogue_of(points: Vec<CataloguePoint>) -> Catalogue {
    Catalogue {
        devices: vec![CatalogueDevice {
            key: "meter".into(),
            title: names("总表", "Main meter"),
            profile: "test/meter".into(),
            vendor: "test".into(),
            model: "meter".into(),
            place: "B1".into(),
            line: "tcp".into(),
            address: "1".into(),
            in_use: true,
        }],
        points,
    }
}

/// Readings of point #1 at these seconds after NOW, as a batch's body.
pub fn body(values: &[(i64, f64)]) -> (u32, Vec<u8>) {
    body_of(1, values)
}

/// The same of another point.
pub fn body_of(no: u32, values: &[(i64, f64)]) -> (u32, Vec<u8>) {
    let readings: Vec<Reading> = values
        .iter()
        .map(|(second, v)| Reading {
            point: PointNo(no),
            at: Timestamp(NOW + second * 1000),
            value: Some(Value::Number(*v)),
            quality: Quality::Good,
        })
        .collect();
    let header = Header { boot: BootId::new(&RandomIds), mono_ms: 1, wall: Timestamp(NOW) };
    (values.len() as u32, columns::encode(&readings, &header).unwrap())
}

pub async fn say<T: Serialize>(send: &mut Outgoing, message: &T) {
    send.write_all(&frame::encode(message).unwrap()).await.unwrap();
}

/// None when the stream or the connection ended.
pub async fn hear<T: DeserializeOwned>(recv: &mut Incoming) -> Option<T> {
    let read = async {
        let mut header = [0; frame::HEADER];
        recv.read_exact(&mut header).await.ok()?;
        let mut body = vec![0; frame::length(header).unwrap()];
        recv.read_exact(&mut body).await.ok()?;
        Some(frame::from_cbor(&body).unwrap())
    };
    tokio::time::timeout(PATIENCE, read).await.expect("an answer within twenty seconds")
}

/// The code with which the hub closes the connection.
pub async fn closed(connection: &Connection) -> u32 {
    let ended = tokio::time::timeout(PATIENCE, connection.ended()).await.expect("the connection ends");
    ended.0.unwrap_or_else(|| panic!("{}", ended.1))
}
