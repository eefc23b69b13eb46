//! The hub's store. The real program is written down while a gateway sends it readings and events; what the gateway knows to be
//! acknowledged stands in the record between what the hub did.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use rusqlite::Connection;
use steward_edge::alarm::Alarms;
use steward_edge::buffer::{Buffer, BufferSettings};
use steward_edge::clock::Timekeeper;
use steward_edge::evidence::Evidence;
use steward_edge::uplink::{self, MachineNetwork, Means, UplinkSettings};
use steward_shared::alarm::{Event, EventKind};
use steward_shared::id::{EventId, PointNo, RandomIds};
use steward_shared::reading::{Quality, Reading, Value};
use steward_shared::time::{Clock, SystemClock, Timestamp};
use steward_shared::wire::message::{
    Catalogue, CatalogueDevice, CataloguePoint, Lane, LaneState, Names, PointKind,
};
use steward_tests::Hub;
use steward_tests::programs::HubOptions;
use tempfile::TempDir;
use tokio::sync::{broadcast, mpsc, watch};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use super::disk::{self, Chance, Cut, Disk, Entry};
use super::{assert_kept, in_memory, wanted};

const POINTS: u32 = 20;
const WRITING: Duration = Duration::from_secs(15);
const CUTS: usize = 125;
/// Of a batch of history: so many instants of each point.
const INSTANTS: u32 = 30;

struct Gateway {
    buffer: Buffer,
    first: PointNo,
    began: Timestamp,
    /// Turns of `write` so far: no instant comes twice.
    turns: AtomicU32,
}

/// Of commands there are none here.
const LANES: [Lane; 3] = [Lane::Alarm, Lane::Live, Lane::Backfill];
/// In that order.
type Marks = [u64; 3];

impl Gateway {
    async fn new(folder: &Path) -> Self {
        let settings = BufferSettings::default();
        let buffer = Buffer::open(folder, settings, Arc::new(SystemClock), Arc::new(RandomIds)).unwrap();
        let keys = (0..POINTS).map(|i| ("meter".to_owned(), format!("p{i}"))).collect();
        let numbers = buffer.number_points(keys).await.unwrap();
        let points = numbers.iter().enumerate().map(|(i, no)| point(*no, i)).collect();
        let device = CatalogueDevice {
            key: "meter".into(),
            title: Names::default(),
            profile: "acme/meter".into(),
            vendor: "Acme".into(),
            model: "Meter".into(),
            place: String::new(),
            line: "line".into(),
            address: "1".into(),
            in_use: true,
        };
        buffer.set_catalogue(Catalogue { devices: vec![device], points }).await.unwrap();
        Self { buffer, first: numbers[0], began: SystemClock.now(), turns: AtomicU32::new(0) }
    }

    fn readings(&self, from: Timestamp, instants: u32) -> Vec<Reading> {
        let of = |instant: u32, i: u32| Reading {
            point: PointNo(self.first.0 + i),
            at: from.plus(Duration::from_secs(10) * instant),
            value: Some(Value::Number(f64::from(i * instant % 97) / 10.0)),
            quality: Quality::Good,
        };
        (0..instants).flat_map(|t| (0..POINTS).map(move |i| of(t, i))).collect()
    }

    /// Live readings, history of hours that are over, and events, until the time is over; acknowledgements go to the record.
    async fn write(&self, record: &File, how_long: Duration) {
        let begun = Instant::now();
        let hours_ago = self.began.minus(Duration::from_hours(30));
        while begun.elapsed() < how_long {
            let n = self.turns.fetch_add(1, Ordering::Relaxed);
            let live = self.began.minus(Duration::from_mins(10)).plus(Duration::from_millis(1) * n);
            self.buffer.record(self.readings(live, 1)).await;
            self.buffer.flush().await.unwrap();
            if n.is_multiple_of(3) {
                let from = hours_ago.plus(Duration::from_secs(10) * INSTANTS * (n / 3));
                self.buffer.import(Lane::Backfill, self.readings(from, INSTANTS)).await.unwrap();
            }
            if n.is_multiple_of(7) {
                self.buffer.event(event(n)).await.unwrap();
            }
            sleep(Duration::from_millis(20)).await;
            let acked = lanes(&self.buffer, |lane| lane.acked).await;
            disk::say(record, &format!("acked {} {} {}", acked[0], acked[1], acked[2]));
        }
    }

    /// The real uplink, until `work` is over.
    async fn linked(&self, folder: &Path, hub: &Hub, work: impl Future<Output = ()>) {
        let (live, health, cancel) = (
            broadcast::Sender::new(64),
            watch::Sender::new(steward_shared::wire::message::Health::default()),
            CancellationToken::new(),
        );
        let settings = UplinkSettings {
            hub: hub.gateways.to_string(),
            state_dir: folder.to_owned(),
            version: "0.1.0".into(),
        };
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        let keeper =
            Timekeeper::new(self.buffer.clone(), Evidence::none(), clock, Arc::new(RandomIds), || true);
        let state = watch::Sender::default();
        let alarms =
            Alarms::open(self.buffer.clone(), Arc::new(SystemClock), Arc::new(RandomIds)).await.unwrap();
        // Nobody commands this gateway.
        let (commands, _orders) = mpsc::channel(1);
        let means = Means {
            network: Arc::new(MachineNetwork),
            buffer: self.buffer.clone(),
            alarms,
            live,
            health: health.subscribe(),
            timekeeper: keeper,
            commands,
            configuration: steward_edge::configure::Link::closed(),
        };
        let uplink = uplink::run(settings, means, cancel.clone(), state);
        tokio::join!(uplink, async {
            work.await;
            cancel.cancel();
        });
    }
}

async fn lanes(buffer: &Buffer, of: impl Fn(&LaneState) -> u64) -> Marks {
    let lanes = buffer.state().await.unwrap().lanes;
    LANES.map(|lane| lanes.iter().find(|l| l.lane == lane).map_or(0, &of))
}

fn point(no: PointNo, i: usize) -> CataloguePoint {
    CataloguePoint {
        no,
        device: "meter".into(),
        key: format!("p{i}"),
        title: Names::default(),
        unit: "1".into(),
        kind: PointKind::Gauge,
        labels: vec![],
        period_ms: 10_000,
        decimals: 1,
        modulus: None,
        in_use: true,
        write: None,
    }
}

fn event(n: u32) -> Event {
    Event {
        id: EventId::new(&RandomIds),
        at: SystemClock.now(),
        kind: EventKind::ConfigApplied,
        active: true,
        line: None,
        device: None,
        detail: n.to_string(),
        about: None,
    }
}

/// What the gateway had been told to be durable by then.
fn told(entries: &[Entry]) -> Marks {
    let said = entries.iter().rev().filter(|e| e.is_said()).map(Entry::said);
    let marks = said.filter_map(|s| {
        let mut numbers = s.strip_prefix("acked ")?.split(' ').map(|n| n.parse().unwrap());
        Some([numbers.next()?, numbers.next()?, numbers.next()?])
    });
    marks.into_iter().next().unwrap_or_default()
}

/// What the store holds: watermarks, readings, events.
fn kept(folder: &Path) -> Result<(Marks, u64, u64), String> {
    let db = Connection::open(folder.join("steward.db")).map_err(|e| e.to_string())?;
    let one = |sql: &str| db.query_row(sql, [], |r| r.get::<_, i64>(0)).map(|n| n as u64);
    let check: String =
        db.query_row("pragma integrity_check", [], |r| r.get(0)).map_err(|e| e.to_string())?;
    if check != "ok" {
        return Err(check);
    }
    let mark = |lane: Lane| {
        let sql =
            format!("select coalesce(max(seq), 0) from watermark where epoch = 1 and lane = {}", lane.code());
        one(&sql)
    };
    let marks = || -> rusqlite::Result<_> {
        let marks = [mark(Lane::Alarm)?, mark(Lane::Live)?, mark(Lane::Backfill)?];
        let readings =
            one("select (select coalesce(sum(n), 0) from frame) + (select coalesce(sum(n), 0) from raw)")?;
        // The hub has events of its own about a gateway; those that came bear their sequence's detail.
        let events = one("select count(*) from gateway_event where kind = 'config_applied'")?;
        Ok((marks, readings, events))
    };
    marks().map_err(|e| e.to_string())
}

/// What is missing of what was told, or there twice, if anything is.
fn missing(folder: &Path, told: Marks) -> Result<(), String> {
    let (marks, readings, events) = match kept(folder) {
        Ok(kept) => kept,
        // Nothing was promised while the store was being made.
        Err(_) if told == Marks::default() => return Ok(()),
        Err(e) => return Err(e),
    };
    let [alarm, live, backfill] = marks;
    if marks.iter().zip(told).any(|(mark, told)| *mark < told) {
        return Err(format!("watermarks are {marks:?}, told were {told:?}"));
    }
    let wanted = u64::from(POINTS) * (live + backfill * u64::from(INSTANTS));
    if readings != wanted || events != alarm {
        return Err(format!("{readings} readings of {wanted}, {events} events of {alarm}"));
    }
    Ok(())
}

/// A hub that is written down, and a gateway that is enrolled there.
struct Recorded {
    hub: Hub,
    gateway: Gateway,
    gateway_folder: PathBuf,
    folder: PathBuf,
    record: PathBuf,
    root: PathBuf,
    _place: TempDir,
}

impl Recorded {
    async fn start() -> Self {
        let place = tempfile::tempdir().unwrap();
        let root = place.path().canonicalize().unwrap();
        let (folder, record, gateway_folder) = (root.join("hub"), root.join("record"), root.join("gateway"));
        let hub = Hub::new(&folder, &HubOptions::default()).unwrap();
        disk::library(&root);
        let gateway = Gateway::new(&gateway_folder).await;
        let mut all = Self { hub, gateway, gateway_folder, folder, record, root, _place: place };
        all.start_hub();
        let hub = &all.hub;
        let (_, code) =
            tokio::task::block_in_place(|| hub.add_gateway(&hub.admin().unwrap(), "plant-room")).unwrap();
        let address = hub.gateways.to_string();
        let clock = Arc::new(SystemClock);
        uplink::enrol(&all.gateway_folder, &address, &code, "0.1.0", clock).await.unwrap();
        all
    }

    fn start_hub(&mut self) {
        let (library, mood) = (self.root.join("record.so"), self.root.join("mood"));
        let variables = [
            ("LD_PRELOAD", library.to_str().unwrap()),
            ("STEWARD_RECORD_FOLDER", self.folder.to_str().unwrap()),
            ("STEWARD_RECORD", self.record.to_str().unwrap()),
            ("STEWARD_DISK_MOOD", mood.to_str().unwrap()),
        ];
        tokio::task::block_in_place(|| self.hub.start_with(&variables)).unwrap();
    }

    async fn write(&self, how_long: Duration) {
        let own = File::options().append(true).open(&self.record).unwrap();
        let writing = self.gateway.write(&own, how_long);
        self.gateway.linked(&self.gateway_folder, &self.hub, writing).await;
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn fault_s8_the_hub_builds_nothing_on_what_failed_syncs_left_behind_when_it_was_killed() {
    if !wanted() {
        return;
    }
    let mut all = Recorded::start().await;
    all.write(Duration::from_secs(3)).await;
    std::fs::write(all.root.join("mood"), "errors").unwrap();
    all.write(Duration::from_secs(2)).await;
    all.hub.kill().unwrap();
    std::fs::write(all.root.join("mood"), "well").unwrap();
    let before = told(&disk::read(&all.record));
    all.start_hub();
    all.write(Duration::from_secs(5)).await;
    all.hub.kill().unwrap();
    let entries = disk::read(&all.record);
    assert!(entries.iter().any(|e| e.is_failed_sync_of("steward.db-wal")), "no sync has failed");
    assert!(told(&entries).iter().zip(before).all(|(now, then)| *now > then), "it went on after the start");
    assert_kept(&entries, CUTS / 2, |left, played| missing(left, told(played)));
}

#[tokio::test(flavor = "multi_thread")]
async fn fault_s2_fault_s3_the_hub_keeps_once_all_that_it_had_acknowledged_when_the_power_is_cut() {
    if !wanted() {
        return;
    }
    let mut all = Recorded::start().await;
    all.write(WRITING).await;
    all.hub.kill().unwrap();
    let entries = disk::read(&all.record);
    let marks = told(&entries);
    assert!(marks.iter().all(|mark| *mark > 10), "too little was written: {marks:?}");
    assert_kept(&entries, CUTS, |left, played| missing(left, told(played)));
    let Recorded { mut hub, gateway, gateway_folder, folder, _place, .. } = all;

    // And one of them is started again: the gateway goes on where the hub is, and in the end all of it is there once.
    let cut_at = entries.len() * 2 / 3;
    let mut after = Disk::new(false);
    entries[..cut_at].iter().for_each(|entry| after.play(entry));
    let left = in_memory();
    after.leave(Cut::Tears, &mut Chance(7), left.path());
    for file in std::fs::read_dir(&folder).unwrap().map(|f| f.unwrap().path()) {
        let name = file.file_name().unwrap();
        if file.is_file() && name != "hub.toml" && name != "hub.log" {
            std::fs::remove_file(&file).unwrap();
        }
    }
    copy(left.path(), &folder);
    tokio::task::block_in_place(|| hub.start()).unwrap();
    let last = lanes(&gateway.buffer, |lane| lane.last).await;
    gateway
        .linked(&gateway_folder, &hub, async {
            let begun = Instant::now();
            while let Err(missing) = missing(&folder, last) {
                assert!(begun.elapsed() < Duration::from_mins(1), "the gateway does not get on: {missing}");
                sleep(Duration::from_millis(200)).await;
            }
        })
        .await;
    hub.stop().unwrap();
    missing(&folder, last).unwrap();
    let db = Connection::open(folder.join("steward.db")).unwrap();
    let hours: i64 = db.query_row("select count(*) from raw", [], |r| r.get(0)).unwrap();
    assert!(hours > 0, "nothing was compacted: half of what the store does was not tried");
}

fn copy(from: &Path, to: &Path) {
    for file in std::fs::read_dir(from).unwrap().map(|f| f.unwrap().path()) {
        let target = to.join(file.file_name().unwrap());
        if file.is_dir() {
            std::fs::create_dir_all(&target).unwrap();
            copy(&file, &target);
        } else {
            std::fs::copy(&file, &target).unwrap();
        }
    }
}
