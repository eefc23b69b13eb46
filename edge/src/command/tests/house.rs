//! A gateway with one line and one device behind it, whose registers a test looks into, and a hub's key.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use rcgen::{BasicConstraints, CertificateParams, IsCa, KeyPair, SigningKey};
use rustls_pki_types::CertificateDer;
use steward_protocols::exchange::{About, Refusal, Reply};
use steward_shared::id::{CommandId, GatewayId, RandomIds};
use steward_shared::reading::Quality;
use steward_shared::time::{Clock, ManualClock, Timestamp};
use steward_shared::wire::command::{Order, RelinquishOrder, Report, SignedOrder, Stage, WriteOrder};
use steward_shared::wire::frame::{from_cbor, to_cbor};
use steward_shared::wire::message::Lane;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::super::{Incoming, Pace, Room, run};
use crate::alarm::Alarms;
use crate::buffer::{Buffer, BufferSettings};
use crate::config::{Config, parse};
use crate::lend::{Doors, Errand, ErrandFailure, Visits, What};

pub const NOW: Timestamp = Timestamp(1_780_000_000_000);
const SETPOINT: u16 = 10;

const PROFILE: &str = r#"
vendor = "Acme"
model = "A1"
title = { zh = "空调箱", en = "Air handler" }
source = ["this test"]
[[point]]
key = "setpoint"
title = { zh = "设定", en = "Setpoint" }
table = "holding"
address = 10
type = "i16"
scale = 0.1
unit = "Cel"
write = { min = 16, max = 30 }
[[point]]
key = "fan"
title = { zh = "风机", en = "Fan" }
table = "holding"
address = 11
type = "u16"
kind = "enumeration"
write = { two_persons = true }
labels = [{ code = 0, zh = "停", en = "off" }, { code = 1, zh = "开", en = "on" }]
[[point]]
key = "mode"
title = { zh = "模式", en = "Mode" }
table = "holding"
address = 12
type = "u16"
unit = "1"
write = { min = 0, max = 3, time_boxed = true }
[[point]]
key = "power"
title = { zh = "功率", en = "Power" }
table = "holding"
address = 13
type = "u16"
unit = "kW"
"#;

const FILE: &str = r#"
[gateway]
name = "t"
data = "data"
[profiles]
folders = ["profiles"]
[[line]]
name = "l"
kind = "tcp"
host = "127.0.0.1"
port = 1
[[line.device]]
name = "ahu"
profile = "acme/a1"
address = 1
remote_write = { per_minute = 3 }
[[line.device]]
name = "closed"
profile = "acme/a1"
address = 2
"#;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mood {
    Obeys,
    /// Says yes and keeps what it had.
    Ignores,
    /// Says no to what is written.
    Refuses,
    Silent,
    /// Does what is written, and from then on it is silent.
    TakesAndDies,
    /// Hears what is written, does nothing, and from then on it is silent.
    HearsAndDies,
}

/// The device behind the line.
pub struct Plant {
    pub registers: Mutex<BTreeMap<u16, u16>>,
    pub mood: Mutex<Mood>,
    pub writes: AtomicUsize,
}

impl Plant {
    pub fn setpoint(&self) -> u16 {
        self.registers.lock().unwrap()[&SETPOINT]
    }

    pub fn set(&self, setpoint: u16) {
        self.registers.lock().unwrap().insert(SETPOINT, setpoint);
    }

    pub fn is(&self, mood: Mood) {
        *self.mood.lock().unwrap() = mood;
    }

    pub fn writes(&self) -> usize {
        self.writes.load(Ordering::SeqCst)
    }

    /// A request of MODBUS TCP: seven bytes of header, then function, address and the rest.
    fn answer(&self, frame: &[u8]) -> Result<Reply, ErrandFailure> {
        let word = |at: usize| u16::from_be_bytes([frame[at], frame[at + 1]]);
        let (function, address, mood) = (frame[7], word(8), *self.mood.lock().unwrap());
        let mut registers = self.registers.lock().unwrap();
        let silent = || Err(ErrandFailure::Failed("no reply within 500 ms".into()));
        if function == 3 {
            if mood == Mood::Silent {
                return silent();
            }
            let read = (address..address + word(10)).flat_map(|n| registers[&n].to_be_bytes());
            return Ok(Ok(read.collect()));
        }
        self.writes.fetch_add(1, Ordering::SeqCst);
        if matches!(mood, Mood::Obeys | Mood::TakesAndDies) {
            let value = if function == 6 { word(10) } else { word(13) };
            registers.insert(address, value);
        }
        match mood {
            Mood::Obeys | Mood::Ignores => Ok(Ok(Vec::new())),
            Mood::Refuses => Ok(Err(Refusal {
                quality: Quality::Refused(2),
                about: About::Place,
                text: "illegal data address".into(),
            })),
            Mood::Silent => silent(),
            Mood::TakesAndDies | Mood::HearsAndDies => {
                self.is(Mood::Silent);
                silent()
            }
        }
    }
}

pub struct House {
    pub folder: tempfile::TempDir,
    pub plant: Arc<Plant>,
    pub clock: Arc<ManualClock>,
    pub buffer: Buffer,
    pub alarms: Alarms,
    config: Arc<Config>,
    ca: (CertificateDer<'static>, KeyPair),
    pub gateway: GatewayId,
    inbox: mpsc::Sender<Incoming>,
    cancel: CancellationToken,
    task: JoinHandle<()>,
}

fn buffer(folder: &Path, clock: &Arc<ManualClock>) -> Buffer {
    let clock: Arc<dyn Clock> = clock.clone();
    Buffer::open(&folder.join("data"), BufferSettings::default(), clock, Arc::new(RandomIds)).unwrap()
}

fn desk(
    buffer: &Buffer,
    alarms: &Alarms,
    config: &Arc<Config>,
    plant: &Arc<Plant>,
    clock: &Arc<ManualClock>,
) -> (mpsc::Sender<Incoming>, CancellationToken, JoinHandle<()>) {
    let doors = Arc::<Doors>::default();
    let Visits { mut errands, .. } = doors.open("l");
    let plant = Arc::clone(plant);
    tokio::spawn(async move {
        while let Some(errand) = errands.recv().await {
            let Errand { what: What::Exchange(mut exchange), answer: to, .. } = errand else {
                panic!("an errand that is none of a command")
            };
            let answer = plant.answer(&exchange.frame(1));
            to.end(answer);
        }
    });
    let pace = Pace {
        first_look: Duration::from_millis(20),
        second_look: Duration::from_millis(60),
        again: Duration::from_millis(20),
        tick: Duration::from_millis(10),
    };
    let configs = watch::Sender::new(Arc::clone(config));
    let parts = (buffer.clone(), alarms.clone(), doors);
    let room = Room::new(parts, configs.subscribe(), config.data.clone(), clock.clone(), pace);
    let (inbox, orders) = mpsc::channel(16);
    let cancel = CancellationToken::new();
    let task = tokio::spawn(run(Arc::new(room), orders, cancel.clone()));
    (inbox, cancel, task)
}

impl House {
    pub async fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(folder.path().join("profiles/acme")).unwrap();
        std::fs::write(folder.path().join("profiles/acme/a1.toml"), PROFILE).unwrap();
        let config = parse("edge.toml", FILE, folder.path(), []);
        let config = Arc::new(config.unwrap_or_else(|f| panic!("{}", steward_shared::document::listing(&f))));
        let clock = Arc::new(ManualClock::at(NOW.minus(Duration::from_hours(1))));
        let buffer = buffer(folder.path(), &clock);
        clock.set(NOW);
        let alarms = Alarms::open(buffer.clone(), clock.clone(), Arc::new(RandomIds)).await.unwrap();
        let plant = Arc::new(Plant {
            registers: Mutex::new(BTreeMap::from([(SETPOINT, 215), (11, 0), (12, 1), (13, 40)])),
            mood: Mutex::new(Mood::Obeys),
            writes: AtomicUsize::new(0),
        });
        let (inbox, cancel, task) = desk(&buffer, &alarms, &config, &plant, &clock);
        let (ca, gateway) = (authority(), GatewayId::new(&RandomIds));
        Self { folder, plant, clock, buffer, alarms, config, ca, gateway, inbox, cancel, task }
    }

    /// The power fails and comes back: nothing in memory is left.
    pub async fn reboot(self) -> Self {
        self.cancel.cancel();
        self.task.await.unwrap();
        self.buffer.close().await.unwrap();
        let buffer = buffer(self.folder.path(), &self.clock);
        let alarms = Alarms::open(buffer.clone(), self.clock.clone(), Arc::new(RandomIds)).await.unwrap();
        let (inbox, cancel, task) = desk(&buffer, &alarms, &self.config, &self.plant, &self.clock);
        Self { buffer, alarms, inbox, cancel, task, ..self }
    }

    /// The same, and a file of the data folder is gone afterwards.
    pub async fn reboot_without(self, file: &str) -> Self {
        self.cancel.cancel();
        self.buffer.close().await.unwrap();
        for end in ["", "-wal", "-shm"] {
            let _ = std::fs::remove_file(self.folder.path().join(format!("data/{file}{end}")));
        }
        let buffer = buffer(self.folder.path(), &self.clock);
        Self { buffer, ..self }.reboot().await
    }

    /// 23.0 for the setpoint, valid for ten minutes.
    pub fn order(&self) -> WriteOrder {
        WriteOrder {
            command: CommandId::new(&RandomIds),
            gateway: self.gateway,
            device: "ahu".into(),
            point: "setpoint".into(),
            by: "li".into(),
            approver: None,
            why: "WO-2026-0417".into(),
            expected: Some(21.5),
            value: 23.0,
            priority: None,
            issued: self.clock.now(),
            not_after: self.clock.now().plus(Duration::from_mins(10)),
            relinquish_at: None,
        }
    }

    pub fn signed(&self, order: &Order) -> SignedOrder {
        let order = to_cbor(order).unwrap();
        let signature = self.ca.1.sign(&SignedOrder::signed(&order)).unwrap();
        SignedOrder { order, signature }
    }

    pub async fn send(&self, signed: SignedOrder) {
        let incoming = Incoming { signed, ca: self.ca.0.clone(), gateway: self.gateway };
        self.inbox.send(incoming).await.unwrap();
    }

    pub async fn give(&self, order: &WriteOrder) {
        self.send(self.signed(&Order::Write(order.clone()))).await;
    }

    pub async fn relinquish(&self, command: CommandId) {
        let order = RelinquishOrder {
            command,
            gateway: self.gateway,
            by: "wang".into(),
            why: "done".into(),
            issued: self.clock.now(),
        };
        self.send(self.signed(&Order::Relinquish(order))).await;
    }

    /// All reports so far, as the hub gets them.
    pub async fn reports(&self) -> Vec<Report> {
        let (mut reports, mut seq) = (Vec::new(), 0);
        while let Some(item) = self.buffer.after(Lane::Command, seq).await.unwrap() {
            seq = item.seq;
            reports.push(from_cbor(&item.body).unwrap());
        }
        reports
    }

    /// Waits until this command has come so far, and gives that report.
    pub async fn until(&self, command: CommandId, stage: Stage) -> Report {
        for _ in 0..1000 {
            let found = self.reports().await.into_iter().rfind(|r| r.command == command && r.stage == stage);
            if let Some(report) = found {
                return report;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("never {stage:?}: {:?}", self.reports().await)
    }

    /// Waits until the device has heard of it.
    pub async fn until_written(&self) {
        for _ in 0..1000 {
            if self.plant.writes() > 0 {
                return;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
        panic!("never written: {:?}", self.reports().await)
    }

    pub async fn stages(&self, command: CommandId) -> Vec<Stage> {
        self.reports().await.into_iter().filter(|r| r.command == command).map(|r| r.stage).collect()
    }

    pub fn holds(&self) -> usize {
        let holds = std::fs::read_dir(self.folder.path().join("data/holds"));
        holds.map_or(0, Iterator::count)
    }
}

fn authority() -> (CertificateDer<'static>, KeyPair) {
    let key = KeyPair::generate().unwrap();
    let mut params = CertificateParams::default();
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    (params.self_signed(&key).unwrap().der().clone(), key)
}
