//! A meter whose registers a test sets, and the daemon that polls it.

use std::collections::BTreeMap;
use std::io::{Read, Write};
use std::net::{TcpListener, TcpStream};
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use steward_edge::buffer::{Buffer, BufferSettings};
use steward_edge::config::load;
use steward_edge::poll::{Latest, Shown, Word};
use steward_edge::supervisor::{Setup, Supervisor, SupervisorError};
use steward_shared::alarm::{Event, EventKind};
use steward_shared::document::listing;
use steward_shared::id::RandomIds;
use steward_shared::reading::Reading;
use steward_shared::time::{Clock, SystemClock};
use steward_shared::wire::columns::decode;
use steward_shared::wire::frame::from_cbor;
use steward_shared::wire::message::{Catalogue, Lane};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

/// Holding registers behind a port, answered by MODBUS TCP (MODBUS Messaging on TCP/IP V1.0b).
pub struct Meter {
    port: u16,
    registers: Arc<Mutex<BTreeMap<u16, u16>>>,
}

impl Meter {
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let port = listener.local_addr().unwrap().port();
        let registers: Arc<Mutex<BTreeMap<u16, u16>>> = Arc::default();
        let shown = Arc::clone(&registers);
        std::thread::spawn(move || {
            for stream in listener.incoming() {
                let shown = Arc::clone(&shown);
                std::thread::spawn(move || serve(stream.unwrap(), &shown));
            }
        });
        Self { port, registers }
    }

    pub fn set(&self, register: u16, value: u16) {
        self.registers.lock().unwrap().insert(register, value);
    }

    /// Two registers, the high word first.
    pub fn set_wide(&self, register: u16, value: u32) {
        let mut registers = self.registers.lock().unwrap();
        registers.insert(register, (value >> 16) as u16);
        registers.insert(register + 1, value as u16);
    }
}

fn serve(mut stream: TcpStream, registers: &Mutex<BTreeMap<u16, u16>>) {
    let mut request = [0; 12];
    while stream.read_exact(&mut request).is_ok() {
        let (from, count) =
            (u16::from_be_bytes([request[8], request[9]]), u16::from_be_bytes([request[10], request[11]]));
        let shown = registers.lock().unwrap();
        let data: Vec<u8> =
            (from..from + count).flat_map(|r| shown.get(&r).copied().unwrap_or(0).to_be_bytes()).collect();
        drop(shown);
        let length = (3 + data.len()) as u16;
        let mut answer = request[..4].to_vec();
        answer.extend(length.to_be_bytes());
        answer.extend([request[6], request[7], data.len() as u8]);
        answer.extend(data);
        if stream.write_all(&answer).is_err() {
            return;
        }
    }
}

/// The daemon in a folder; it can be stopped and started again.
pub struct House {
    pub folder: tempfile::TempDir,
    latest: Option<Arc<Latest>>,
    stop: CancellationToken,
    task: Option<JoinHandle<Result<(), SupervisorError>>>,
}

/// What lies in the buffer at the end.
pub struct Left {
    pub events: Vec<Event>,
    pub readings: Vec<Reading>,
    pub catalogue: Catalogue,
}

impl Left {
    pub fn of(&self, key: &str) -> Vec<&Reading> {
        let no = self.catalogue.points.iter().find(|p| p.key == key).unwrap().no;
        self.readings.iter().filter(|r| r.point == no).collect()
    }

    pub fn told(&self, kind: EventKind) -> Vec<bool> {
        self.events.iter().filter(|e| e.kind == kind).map(|e| e.active).collect()
    }

    pub fn detail(&self, kind: EventKind) -> String {
        self.events.iter().find(|e| e.kind == kind && e.active).unwrap().detail.clone()
    }
}

impl House {
    /// `points` are the profile's, `own` what the gateway's file says of the device besides.
    pub async fn start(meter: &Meter, points: &str, own: &str) -> Self {
        let folder = tempfile::tempdir().unwrap();
        std::fs::create_dir_all(folder.path().join("profiles/acme")).unwrap();
        let profile = format!(
            "vendor = \"Acme\"\nmodel = \"M1\"\ntitle = {{ zh = \"电表\", en = \"Meter\" }}\nsource = [\"this test\"]\n{points}"
        );
        std::fs::write(folder.path().join("profiles/acme/m1.toml"), profile).unwrap();
        let file = format!(
            "[gateway]\nname = \"t\"\ndata = \"data\"\n[buffer]\nflush = \"1s\"\n[periods]\nfast = \"100ms\"\n\
             [profiles]\nfolders = [\"profiles\"]\n[http]\nlisten = \"127.0.0.1:0\"\n\
             [[line]]\nname = \"l\"\nkind = \"tcp\"\nhost = \"127.0.0.1\"\nport = {}\n\
             [[line.device]]\nname = \"meter\"\nprofile = \"acme/m1\"\naddress = 1\n{own}\n",
            meter.port
        );
        std::fs::write(folder.path().join("edge.toml"), file).unwrap();
        let mut house = Self { folder, latest: None, stop: CancellationToken::new(), task: None };
        house.start_again().await;
        house
    }

    pub async fn start_again(&mut self) {
        let path = self.folder.path().join("edge.toml");
        let config = load(&path).unwrap_or_else(|f| panic!("{}", listing(&f)));
        let supervisor = Supervisor::start(Setup::of(path), config).await.unwrap();
        self.latest = Some(supervisor.latest());
        self.stop = CancellationToken::new();
        let (_, reloads) = mpsc::channel(1);
        self.task = Some(tokio::spawn(supervisor.run(self.stop.clone(), reloads)));
    }

    pub fn data(&self) -> std::path::PathBuf {
        self.folder.path().join("data")
    }

    pub fn shown(&self, point: &str) -> Shown {
        let rows = self.latest.as_ref().unwrap().show(SystemClock.now());
        rows.into_iter().find(|r| r.point == point).unwrap()
    }

    pub async fn until(&self, what: &str, done: impl Fn(&Self) -> bool) {
        let deadline = Instant::now() + Duration::from_secs(20);
        while !done(self) {
            assert!(Instant::now() < deadline, "never happened: {what}");
            sleep(Duration::from_millis(20)).await;
        }
    }

    pub async fn until_quality(&self, point: &str, quality: &str) {
        self.until(&format!("{point} is {quality}"), |h| h.shown(point).quality == Some(quality)).await;
    }

    pub async fn until_number(&self, point: &str, number: f64) {
        let wanted = Some(Word::Number(number));
        self.until(&format!("{point} shows {number}"), |h| {
            let shown = h.shown(point);
            shown.quality == Some("good") && shown.value == wanted
        })
        .await;
    }

    /// Until so many more polls have been made.
    pub async fn polls(&self, count: u32) {
        let newest = |house: &Self| {
            let rows = house.latest.as_ref().unwrap().show(SystemClock.now());
            rows.into_iter().filter_map(|row| row.at).max()
        };
        for _ in 0..count {
            let before = newest(self);
            self.until("another poll", |house| newest(house) > before).await;
        }
    }

    pub async fn stop(&mut self) -> Left {
        self.stop.cancel();
        self.task.take().unwrap().await.unwrap().unwrap();
        left(&self.data()).await
    }
}

async fn left(data: &Path) -> Left {
    let buffer =
        Buffer::open(data, BufferSettings::default(), Arc::new(SystemClock), Arc::new(RandomIds)).unwrap();
    let catalogue = buffer.catalogue().await.unwrap();
    let (mut events, mut readings, mut seq) = (Vec::new(), Vec::new(), 0);
    while let Some(item) = buffer.after(Lane::Alarm, seq).await.unwrap() {
        events.push(from_cbor(&item.body).unwrap());
        seq = item.seq;
    }
    seq = 0;
    while let Some(item) = buffer.after(Lane::Live, seq).await.unwrap() {
        readings.extend(decode(&item.body).unwrap().readings);
        seq = item.seq;
    }
    buffer.close().await.unwrap();
    Left { events, readings, catalogue }
}
