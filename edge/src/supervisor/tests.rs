//! The supervisor with a real buffer on a real disk, in real time; only the wires are fake.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use steward_shared::alarm::{Event, EventKind};
use steward_shared::id::RandomIds;
use steward_shared::reading::Quality;
use steward_shared::time::{Clock, SystemClock};
use steward_shared::wire::columns::decode;
use steward_shared::wire::config::{CheckedConfig, ConfigReport};
use steward_shared::wire::frame::from_cbor;
use steward_shared::wire::message::{ControlDown, Lane, Watch};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

mod configuring;

use super::*;
use crate::alarm::Alarms;
use crate::buffer::{Buffer, BufferSettings};
use crate::config::{WireConfig, load};
use crate::line::Dial;
use crate::line::fake::{Act, FakeWire};
use crate::poll::Latest;
use crate::uplink::tests::Hub;

pub(super) const PROFILE: &str = r#"
vendor = "Acme"
model = "M1"
title = { zh = "电表", en = "Meter" }
source = ["this test"]
[[point]]
key = "power"
title = { zh = "功率", en = "Power" }
table = "holding"
address = 5
type = "u16"
unit = "kW"
class = "fast"
"#;

fn file(folder: &Path, lines: &[(&str, u16, &str)]) {
    file_with(folder, "", "127.0.0.1:0", lines);
}

fn file_with(folder: &Path, more: &str, listen: &str, lines: &[(&str, u16, &str)]) {
    let mut text = format!(
        "[gateway]\nname = \"t\"\ndata = \"data\"\n[periods]\nfast = \"100ms\"\n[profiles]\nfolders = [\"profiles\"]\n\
         [http]\nlisten = \"{listen}\"\n{more}\n",
    );
    for (name, port, profile) in lines {
        let line = format!(
            "[[line]]\nname = \"{name}\"\nkind = \"tcp\"\nhost = \"127.0.0.1\"\nport = {port}\n\
             [[line.device]]\nname = \"meter-{name}\"\nprofile = \"{profile}\"\naddress = 1\n"
        );
        text.push_str(&line);
    }
    std::fs::write(folder.join("edge.toml"), text).unwrap();
}

/// From this port on nobody answers.
const DEAD: u16 = 900;

/// When a wire was dialled.
type Dials = Arc<Mutex<Vec<Duration>>>;

/// A running supervisor and what was dialled, by port.
struct House {
    folder: tempfile::TempDir,
    dialled: Arc<Mutex<BTreeMap<u16, Dials>>>,
    latest: Arc<Latest>,
    buffer: Buffer,
    alarms: Alarms,
    reload: mpsc::Sender<()>,
    stop: CancellationToken,
    task: JoinHandle<Result<(), SupervisorError>>,
}

impl House {
    async fn start(lines: &[(&str, u16, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        file(folder.path(), lines);
        Self::start_in(folder).await
    }

    /// With the gateway's file that lies in the folder.
    async fn start_in(folder: tempfile::TempDir) -> Self {
        for model in ["m1", "m2"] {
            std::fs::create_dir_all(folder.path().join("profiles/acme")).unwrap();
            let text = PROFILE.replace("M1", &model.to_uppercase());
            std::fs::write(folder.path().join(format!("profiles/acme/{model}.toml")), text).unwrap();
        }
        let path = folder.path().join("edge.toml");
        let dialled = Arc::new(Mutex::new(BTreeMap::new()));
        let seen = Arc::clone(&dialled);
        let start = Instant::now();
        let dial = move |wire: &WireConfig| {
            let WireConfig::Tcp { port, .. } = wire else { panic!("only TCP here") };
            let is_dead = *port >= DEAD;
            let act = move |_, _, _| if is_dead { Act::Silent } else { Act::Answer };
            let mut wire = FakeWire::new(false, start, |_| true, act);
            wire.dialled = Arc::clone(seen.lock().unwrap().entry(*port).or_default());
            Arc::new(wire) as Arc<dyn Dial>
        };
        let setup = Setup { dial: Arc::new(dial), ..Setup::of(path.clone()) };
        let config = load(&path).unwrap_or_else(|f| panic!("{}", steward_shared::document::listing(&f)));
        let supervisor = Supervisor::start(setup, config).await.unwrap();
        let (latest, buffer, alarms) = (supervisor.latest(), supervisor.buffer(), supervisor.alarms());
        let (reload, reloads) = mpsc::channel(1);
        let stop = CancellationToken::new();
        let task = tokio::spawn(supervisor.run(stop.clone(), reloads));
        Self { folder, dialled, latest, buffer, alarms, reload, stop, task }
    }

    fn dials(&self, port: u16) -> usize {
        self.dialled.lock().unwrap().get(&port).map_or(0, |d| d.lock().unwrap().len())
    }

    /// The device's value is good and fresh.
    fn is_live(&self, device: &str) -> bool {
        let rows = self.latest.show(SystemClock.now());
        rows.iter().any(|r| r.device == device && r.quality == Some("good"))
    }

    /// Stops, and gives what lies in the buffer then.
    async fn stop(self) -> (Vec<Event>, usize) {
        self.stop.cancel();
        self.task.await.unwrap().unwrap();
        let (clock, ids) = (Arc::new(SystemClock), Arc::new(RandomIds));
        let buffer =
            Buffer::open(&self.folder.path().join("data"), BufferSettings::default(), clock, ids).unwrap();
        let (mut events, mut readings) = (Vec::new(), 0);
        let mut seq = 0;
        while let Some(item) = buffer.after(Lane::Alarm, seq).await.unwrap() {
            events.push(from_cbor(&item.body).unwrap());
            seq = item.seq;
        }
        seq = 0;
        while let Some(item) = buffer.after(Lane::Live, seq).await.unwrap() {
            let body = decode(&item.body).unwrap();
            readings += body.readings.iter().filter(|r| r.quality == Quality::Good).count();
            seq = item.seq;
        }
        buffer.close().await.unwrap();
        (events, readings)
    }
}

async fn eventually(what: &str, mut done: impl FnMut() -> bool) {
    let deadline = Instant::now() + Duration::from_mins(1);
    while !done() {
        assert!(Instant::now() < deadline, "never happened: {what}");
        sleep(Duration::from_millis(20)).await;
    }
}

fn count(events: &[Event], kind: EventKind) -> usize {
    events.iter().filter(|e| e.kind == kind).count()
}

#[tokio::test]
async fn only_the_line_that_a_change_concerns_is_restarted() {
    let house = House::start(&[("a", 1, "acme/m1"), ("b", 2, "acme/m1"), ("c", 3, "acme/m1")]).await;
    eventually("all are polled", || ["meter-a", "meter-b", "meter-c"].iter().all(|d| house.is_live(d))).await;
    file(house.folder.path(), &[("a", 1, "acme/m1"), ("b", 22, "acme/m1"), ("d", 4, "acme/m1")]);
    house.reload.send(()).await.unwrap();
    eventually("the changed and the new are polled", || house.is_live("meter-b") && house.is_live("meter-d"))
        .await;
    assert_eq!(house.dials(1), 1, "a was not touched");
    assert_eq!((house.dials(2), house.dials(22), house.dials(4)), (1, 1, 1));
    assert!(!house.is_live("meter-c"), "c is configured no more");
    let (events, _) = house.stop().await;
    let applied = events.iter().find(|e| e.kind == EventKind::ConfigApplied).unwrap();
    assert_eq!(applied.detail, "lines started: b, d; stopped: c; untouched: a");
}

#[tokio::test]
async fn corrected_words_reach_the_catalogue_and_restart_no_line() {
    let house = House::start(&[("a", 1, "acme/m1")]).await;
    eventually("it is polled", || house.is_live("meter-a")).await;
    let mut heads = house.buffer.heads();
    let words = PROFILE.replace("\"Power\"", "\"Active power\"").replace("this test", "another document");
    std::fs::write(house.folder.path().join("profiles/acme/m1.toml"), words).unwrap();
    let path = house.folder.path().join("edge.toml");
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::write(&path, text + "place = \"roof\"\n").unwrap();
    house.reload.send(()).await.unwrap();
    let catalogue = loop {
        heads.mark_unchanged();
        let catalogue = house.buffer.catalogue().await.unwrap();
        if catalogue.devices[0].place == "roof" {
            break catalogue;
        }
        heads.changed().await.unwrap();
    };
    assert_eq!(catalogue.points[0].title.en, "Active power");
    sleep_until_fresh(&house).await;
    assert_eq!(house.dials(1), 1);
    let (events, _) = house.stop().await;
    let applied = events.iter().find(|e| e.kind == EventKind::ConfigApplied).unwrap();
    assert!(applied.detail.ends_with("untouched: a"), "{}", applied.detail);
}

#[tokio::test]
async fn a_broken_file_leaves_the_configuration_in_force_and_says_why() {
    let house = House::start(&[("a", 1, "acme/m1")]).await;
    eventually("it is polled", || house.is_live("meter-a")).await;
    file(house.folder.path(), &[("a", 0, "acme/m7")]);
    house.reload.send(()).await.unwrap();
    sleep_until_fresh(&house).await;
    assert_eq!(house.dials(1), 1);
    let (events, _) = house.stop().await;
    let refused: Vec<_> = events.iter().filter(|e| e.kind == EventKind::ConfigRefused).collect();
    assert_eq!(refused.len(), 1, "{events:?}");
    assert!(
        refused[0].detail.contains("2 faults") && refused[0].detail.contains("edge.toml:"),
        "{refused:?}"
    );
    assert_eq!(count(&events, EventKind::ConfigApplied), 0);
    assert_eq!(count(&events, EventKind::Started), 1);
}

/// Waits until a value of after this call has come.
async fn sleep_until_fresh(house: &House) {
    let from = SystemClock.now().plus(Duration::from_millis(500));
    eventually("polling goes on", || {
        house.latest.show(SystemClock.now()).iter().any(|r| r.at.is_some_and(|at| at > from))
    })
    .await;
}

#[tokio::test]
async fn a_changed_profile_is_noticed_and_restarts_the_lines_that_use_it() {
    let house = House::start(&[("a", 1, "acme/m1"), ("b", 2, "acme/m2")]).await;
    eventually("both are polled", || house.is_live("meter-a") && house.is_live("meter-b")).await;
    let changed = PROFILE.replace("M1", "M2").replace("\"power\"", "\"total-power\"");
    std::fs::write(house.folder.path().join("profiles/acme/m2.toml"), changed).unwrap();
    eventually("the new point is polled", || {
        let rows = house.latest.show(SystemClock.now());
        rows.iter().any(|r| r.point == "total-power" && r.quality == Some("good"))
    })
    .await;
    assert_eq!((house.dials(1), house.dials(2)), (1, 2));
    house.stop().await;
}

/// A port that nobody listens on.
fn free_port() -> SocketAddr {
    std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

fn listens(at: SocketAddr) -> bool {
    std::net::TcpStream::connect(at).is_ok()
}

#[tokio::test]
async fn a_changed_address_of_the_pages_moves_them_and_touches_no_line() {
    let (folder, lines) = (tempfile::tempdir().unwrap(), [("a", 1, "acme/m1")]);
    let [before, after] = [free_port(), free_port()];
    file_with(folder.path(), "", &before.to_string(), &lines);
    let house = House::start_in(folder).await;
    eventually("the pages are there", || listens(before)).await;
    file_with(house.folder.path(), "", &after.to_string(), &lines);
    house.reload.send(()).await.unwrap();
    eventually("they are elsewhere", || listens(after) && !listens(before)).await;
    assert_eq!(house.dials(1), 1);
    house.stop().await;
}

#[tokio::test]
async fn a_changed_hub_ends_the_session_and_begins_another() {
    let (folder, lines) = (tempfile::tempdir().unwrap(), [("a", 1, "acme/m1")]);
    let hub = Hub::start();
    hub.identity(-1, 30).save(&folder.path().join("data")).unwrap();
    let with_hub = format!("[hub]\naddress = \"{}\"", hub.address);
    file_with(folder.path(), &with_hub, "127.0.0.1:0", &lines);
    let house = House::start_in(folder).await;
    eventually("a session", || hub.seen().hellos.len() == 1).await;
    file(house.folder.path(), &lines);
    house.reload.send(()).await.unwrap();
    eventually("a goodbye", || hub.seen().goodbyes.len() == 1).await;
    file_with(house.folder.path(), &with_hub, "127.0.0.1:0", &lines);
    house.reload.send(()).await.unwrap();
    eventually("another session", || hub.seen().hellos.len() == 2).await;
    assert_eq!(house.dials(1), 1, "the line was not touched");
    house.stop().await;
}

/// Held against the newest sample of the gateway itself, so that a machine that is busy delays both.
#[tokio::test]
async fn what_is_watched_is_at_the_hub_within_a_second_of_its_sample_and_before_any_batch() {
    let (folder, lines) = (tempfile::tempdir().unwrap(), [("a", 1, "acme/m1")]);
    let hub = Hub::start();
    hub.seen().catalogue_wanted = true;
    hub.identity(-1, 30).save(&folder.path().join("data")).unwrap();
    let more = format!("[hub]\naddress = \"{}\"\n[buffer]\nflush = \"5min\"", hub.address);
    file_with(folder.path(), &more, "127.0.0.1:0", &lines);
    let house = House::start_in(folder).await;
    eventually("a session", || !hub.seen().catalogues.is_empty() && hub.seen().control.is_some()).await;
    let no = hub.seen().catalogues[0].points[0].no;
    hub.say(ControlDown::Watch(Watch { points: vec![no], for_ms: 60_000 })).await;
    for n in 1..=10 {
        eventually("one more sample", || hub.seen().live.len() >= n).await;
        let sample = hub.seen().live.last().unwrap().clone();
        assert_eq!((sample.no, sample.quality), (no, Quality::Good));
        let newest = house.latest.show(SystemClock.now())[0].at.unwrap();
        assert!(newest.since(sample.at) <= Duration::from_secs(1), "{newest} and {sample:?}");
    }
    assert!(hub.seen().stored.iter().all(|b| b.lane != Lane::Live), "the flush is every five minutes");
    house.stop().await;
}

#[tokio::test]
async fn what_takes_effect_at_the_next_start_takes_none_before_it() {
    let (folder, lines) = (tempfile::tempdir().unwrap(), [("a", 1, "acme/m1")]);
    let hub = Hub::start();
    hub.identity(-1, 30).save(&folder.path().join("data")).unwrap();
    let with_hub = format!("[hub]\naddress = \"{}\"", hub.address);
    file_with(folder.path(), "", "127.0.0.1:0", &lines);
    let house = House::start_in(folder).await;
    let elsewhere = |more: &str| {
        file_with(house.folder.path(), more, "127.0.0.1:0", &lines);
        let path = house.folder.path().join("edge.toml");
        let text = std::fs::read_to_string(&path).unwrap().replace("data = \"data\"", "data = \"elsewhere\"");
        std::fs::write(path, text + "[buffer]\nflush = \"60s\"\n").unwrap();
    };
    elsewhere("");
    house.reload.send(()).await.unwrap();
    elsewhere(&with_hub);
    house.reload.send(()).await.unwrap();
    eventually("a session with the identity of the folder in use", || hub.seen().hellos.len() == 1).await;
    let folder = house.folder.path().to_owned();
    assert!(!folder.join("elsewhere").exists());
    let (events, _) = house.stop().await;
    assert_eq!(count(&events, EventKind::ConfigApplied), 1, "only the hub was applied: {events:?}");
}

#[tokio::test]
async fn a_buffer_that_ended_ends_the_program_so_that_it_is_started_again() {
    let house = House::start(&[("a", 1, "acme/m1")]).await;
    eventually("it is polled", || house.is_live("meter-a")).await;
    house.buffer.close().await.unwrap();
    let ended = house.task.await.unwrap().unwrap_err();
    assert!(matches!(ended, SupervisorError::TaskEnded("buffer")), "{ended}");
}

/// What a line tells just before it is taken out of the file is handled when it is gone already.
#[tokio::test]
async fn an_alarm_of_a_line_that_is_configured_no_more_ends_whenever_it_comes() {
    let house = House::start(&[("a", 1, "acme/m1")]).await;
    eventually("it is polled", || house.is_live("meter-a")).await;
    house.alarms.tell(EventKind::LineDown, Some("gone"), None, true, "told late");
    house.alarms.tell(EventKind::LineDown, Some("a"), None, true, "a line that is there");
    let heads = house.buffer.heads();
    eventually("it has ended", || heads.borrow().alarm >= 4).await;
    let (events, _) = house.stop().await;
    let of = |line: &str| -> Vec<_> {
        events.iter().filter(|e| e.line.as_deref() == Some(line)).map(|e| e.active).collect()
    };
    assert_eq!((of("gone"), of("a")), (vec![true, false], vec![true]));
}

#[tokio::test]
async fn what_was_polled_before_the_stop_is_on_disk_after_it() {
    let house = House::start(&[("a", 1, "acme/m1")]).await;
    eventually("it is polled", || house.is_live("meter-a")).await;
    sleep_until_fresh(&house).await;
    let (_, readings) = house.stop().await;
    assert!(readings >= 4, "the flush interval is ten seconds, the stop flushes: {readings}");
}
