use std::io::{BufRead, BufReader};
use std::os::unix::fs::FileExt;
use std::process::{Command, Stdio};
use std::time::Duration;

use steward_shared::alarm::{Event, EventKind};
use steward_shared::id::EventId;
use steward_shared::wire::columns;
use steward_shared::wire::frame::from_cbor;
use steward_shared::wire::message::{Lane, Watermark};

use super::*;

pub(super) async fn events(b: &Buffer) -> Vec<Event> {
    let (mut out, mut seq) = (vec![], 0);
    while let Some(item) = b.after(Lane::Alarm, seq).await.unwrap() {
        out.push(from_cbor(&item.body).unwrap());
        seq = item.seq;
    }
    out
}

/// Where the child of the kill test writes; set only for that process.
const KILL_DIR: &str = "STEWARD_TEST_KILL_DIR";
/// The child acknowledges what lies so far back.
const KEPT: u64 = 30;

/// Writes, acknowledges and trims without end, and says what is committed.
async fn write_until_killed(dir: &Path) {
    let clock = clock();
    let settings = BufferSettings { retention: Duration::ZERO, ..BufferSettings::default() };
    let b = open(dir, settings, &clock);
    for seq in b.state().await.unwrap().lanes[1].last + 1.. {
        b.record(readings(seq as i64, 40)).await;
        b.flush().await.unwrap();
        eprintln!("live {seq}");
        clock.advance(Duration::from_millis(1));
        if seq % 5 == 0 {
            b.event(applied(seq)).await.unwrap();
            eprintln!("alarm {}", b.state().await.unwrap().lanes[0].last);
        }
        if seq % 7 == 0 {
            // Enough that the log is written back and the file shrinks now and then.
            b.import(Lane::Backfill, noise(seq, 20_000)).await.unwrap();
            b.ack(Lane::Backfill, u64::MAX).await.unwrap();
        }
        if seq % 9 == 0 {
            let acked = seq.saturating_sub(KEPT);
            eprintln!("acked {acked}");
            b.ack(Lane::Live, acked).await.unwrap();
            b.look_after().await.unwrap();
        }
    }
}

pub(super) fn applied(seq: u64) -> Event {
    Event {
        id: EventId::new(&RandomIds),
        at: NOON,
        kind: EventKind::ConfigApplied,
        active: true,
        line: None,
        device: None,
        detail: seq.to_string(),
        about: None,
    }
}

/// What the child said of itself.
#[derive(Debug, Default)]
struct Told {
    live: u64,
    alarm: u64,
    acked: u64,
}

impl Told {
    fn note(&mut self, said: &str) {
        let number = |word: &str| said.strip_prefix(word).and_then(|n| n.trim().parse::<u64>().ok());
        self.live = number("live ").unwrap_or_default().max(self.live);
        self.alarm = number("alarm ").unwrap_or_default().max(self.alarm);
        self.acked = number("acked ").unwrap_or_default().max(self.acked);
    }
}

#[derive(Debug)]
enum Kill {
    AfterLines(u32),
    After(Duration),
}

#[test]
fn fault_s1_a_committed_batch_survives_a_hundred_kills() {
    if let Ok(dir) = std::env::var(KILL_DIR) {
        return block_on(write_until_killed(Path::new(&dir)));
    }
    let (dir, mut told) = (tempfile::tempdir().unwrap(), Told::default());
    for round in 0..100u32 {
        // Another place in its work each round: some while after so many commits, some wherever it is just then.
        let random = Duration::from_micros(u64::from(getrandom::u32().unwrap()) % 80_000);
        match round % 4 {
            0 => {
                // While the databases are made.
                let fresh = tempfile::tempdir().unwrap();
                let mut told = Told::default();
                kill_one(fresh.path(), &Kill::After(random / 4), &mut told);
                block_on(look(fresh.path(), &told));
            }
            1 => kill_one(dir.path(), &Kill::AfterLines(round % 7), &mut told),
            2 => kill_one(dir.path(), &Kill::AfterLines(12 + round % 7), &mut told),
            _ => kill_one(dir.path(), &Kill::After(random), &mut told),
        }
    }
    assert!(told.live >= 100, "only {told:?} was written");
    assert!(told.acked > 0, "nothing was ever trimmed");
    block_on(look(dir.path(), &told));
}

fn kill_one(dir: &Path, kill: &Kill, told: &mut Told) {
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "--nocapture",
            "buffer::tests::faults::fault_s1_a_committed_batch_survives_a_hundred_kills",
        ])
        .env(KILL_DIR, dir)
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
    match kill {
        Kill::AfterLines(n) => {
            for _ in 0..=*n {
                told.note(&lines.next().expect("the child says what it committed").unwrap());
            }
        }
        Kill::After(delay) => std::thread::sleep(*delay),
    }
    child.kill().unwrap();
    let ended = child.wait().unwrap();
    // What it said before it died was committed too.
    let said: Vec<_> = lines.map(|l| l.unwrap()).inspect(|l| told.note(l)).collect();
    assert_eq!(ended.code(), None, "it did not live until it was killed ({kill:?}): {}", said.join("\n"));
}

/// Everything that was told is there, reading by reading, and nothing was found damaged.
async fn look(dir: &Path, told: &Told) {
    let begun = tokio::time::Instant::now();
    let b = open(dir, BufferSettings::default(), &clock());
    // The promise is three seconds; this machine may be busy.
    assert!(begun.elapsed() < Duration::from_secs(15), "{:?}", begun.elapsed());
    let lanes = b.state().await.unwrap().lanes;
    assert!(lanes[1].last >= told.live && lanes[0].last >= told.alarm, "{lanes:?}, {told:?}");
    assert!(lanes[1].first <= told.acked + 1, "{lanes:?}, {told:?}");
    for seq in lanes[1].first..=lanes[1].last {
        let batch = b.after(Lane::Live, seq - 1).await.unwrap().unwrap();
        assert_eq!(batch.seq, seq, "a batch is missing");
        assert_eq!(columns::decode(&batch.body).unwrap().readings, readings(seq as i64, 40));
    }
    let events = events(&b).await;
    assert!(events.iter().all(|e| e.kind == EventKind::ConfigApplied), "{events:?}");
    b.close().await.unwrap();
}

fn block_on(work: impl Future<Output = ()>) {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work);
}

#[tokio::test]
async fn fault_y10_a_batch_that_no_longer_matches_its_hash_is_told_and_the_rest_flows() {
    let dir = tempfile::tempdir().unwrap();
    let b = open(dir.path(), BufferSettings::default(), &clock());
    for i in 0..3 {
        b.record(readings(i, 30)).await;
        b.flush().await.unwrap();
    }
    let second = b.after(Lane::Live, 1).await.unwrap().unwrap();
    b.close().await.unwrap();
    flip_one_bit(&dir.path().join("telemetry.db"), &second.body);
    let b = open(dir.path(), BufferSettings::default(), &clock());
    let found: Vec<_> = [
        b.after(Lane::Live, 0).await.unwrap().unwrap(),
        b.after(Lane::Live, 1).await.unwrap().unwrap(),
        b.after(Lane::Live, 2).await.unwrap().unwrap(),
    ]
    .iter()
    .map(|b| (b.seq, b.count, columns::decode(&b.body).unwrap().readings.len()))
    .collect();
    assert_eq!(found, [(1, 30, 30), (2, 0, 0), (3, 30, 30)]);
    assert_eq!(events(&b).await.iter().map(|e| e.kind).collect::<Vec<_>>(), [EventKind::BufferCorrupt]);
    assert_eq!(b.after(Lane::Live, 1).await.unwrap().unwrap().count, 0);
    assert_eq!(events(&b).await.len(), 1, "told once");
}

/// As a worn flash cell does: SQLite's own check does not see it.
fn flip_one_bit(file: &Path, body: &[u8]) {
    let bytes = std::fs::read(file).unwrap();
    let at = bytes.windows(body.len()).position(|w| w == body).expect("the body lies in one page")
        + body.len() / 2;
    let file = std::fs::OpenOptions::new().write(true).open(file).unwrap();
    file.write_all_at(&[bytes[at] ^ 1], at as u64).unwrap();
}

#[tokio::test]
async fn fault_s10_fault_s11_a_damaged_database_is_moved_aside_and_a_new_one_begins() {
    let dir = tempfile::tempdir().unwrap();
    let b = open(dir.path(), BufferSettings::default(), &clock());
    let before = b.state().await.unwrap().id;
    b.close().await.unwrap();
    std::fs::write(dir.path().join("telemetry.db"), vec![0x5a; 20_000]).unwrap();
    let b = open(dir.path(), BufferSettings::default(), &clock());
    assert_ne!(b.state().await.unwrap().id, before);
    assert_eq!(events(&b).await.iter().map(|e| e.kind).collect::<Vec<_>>(), [EventKind::BufferCorrupt]);
    let aside = std::fs::read_dir(dir.path())
        .unwrap()
        .filter(|e| e.as_ref().unwrap().file_name().to_string_lossy().starts_with("telemetry.db.damaged-"));
    assert_eq!(aside.count(), 1);
    b.record(readings(0, 3)).await;
    b.flush().await.unwrap();
}

/// A database whose first sixteen bytes are gone is none.
#[tokio::test]
async fn fault_s10_a_header_that_is_gone_costs_that_file_and_nothing_else() {
    let dir = tempfile::tempdir().unwrap();
    let b = open(dir.path(), BufferSettings::default(), &clock());
    b.record(readings(0, 3)).await;
    b.event(applied(7)).await.unwrap();
    b.close().await.unwrap();
    let file = std::fs::OpenOptions::new().write(true).open(dir.path().join("telemetry.db")).unwrap();
    file.write_all_at(&[0; 16], 0).unwrap();
    let b = open(dir.path(), BufferSettings::default(), &clock());
    let kinds: Vec<_> = events(&b).await.iter().map(|e| e.kind).collect();
    assert_eq!(
        kinds,
        [EventKind::ConfigApplied, EventKind::BufferCorrupt],
        "what had happened is still known"
    );
    b.record(readings(1, 3)).await;
    b.flush().await.unwrap();
    assert_eq!(b.after(Lane::Live, 0).await.unwrap().unwrap().seq, 1);
}

/// Only what no checkpoint had written back yet can be lost with the log, and the sequences say so to the hub.
#[tokio::test]
async fn fault_s12_a_log_that_is_gone_or_garbage_costs_what_was_in_it_only() {
    for garbage in [None, Some(vec![0x5a; 9000])] {
        let dir = tempfile::tempdir().unwrap();
        let b = open(dir.path(), BufferSettings::default(), &clock());
        for i in 0..3 {
            b.record(readings(i, 30)).await;
            b.flush().await.unwrap();
        }
        b.close().await.unwrap();
        let copy = tempfile::tempdir().unwrap();
        let b = open(dir.path(), BufferSettings::default(), &clock());
        b.record(readings(3, 30)).await;
        b.flush().await.unwrap();
        // As a power cut leaves it, and then its log is lost.
        for name in ["telemetry.db", "alarms.db"] {
            std::fs::copy(dir.path().join(name), copy.path().join(name)).unwrap();
        }
        if let Some(garbage) = garbage {
            std::fs::write(copy.path().join("telemetry.db-wal"), &garbage).unwrap();
            std::fs::write(copy.path().join("telemetry.db-shm"), &garbage).unwrap();
        }
        let left = open(copy.path(), BufferSettings::default(), &clock());
        let (now, then) = (b.state().await.unwrap(), left.state().await.unwrap());
        assert_eq!((then.id, then.lanes[1].last), (now.id, 3), "the same buffer, one batch behind");
        for seq in 1..=3 {
            assert_eq!(left.after(Lane::Live, seq - 1).await.unwrap().unwrap().seq, seq);
        }
        left.record(readings(4, 30)).await;
        left.flush().await.unwrap();
        left.close().await.unwrap();
    }
}

/// Readers of the file from outside are kept out, and what one transaction leaves of the log is bounded.
#[tokio::test]
async fn fault_s13_nobody_holds_the_log_open_and_it_does_not_grow_without_end() {
    let dir = tempfile::tempdir().unwrap();
    let b = open(dir.path(), BufferSettings::default(), &clock());
    let reader = rusqlite::Connection::open(dir.path().join("telemetry.db")).unwrap();
    let read = reader.query_row("select count(*) from batch", [], |r| r.get::<_, i64>(0));
    assert_eq!(read.unwrap_err().sqlite_error_code(), Some(rusqlite::ErrorCode::DatabaseBusy));
    let mut longest = 0;
    for i in 0..60 {
        b.import(Lane::Backfill, noise(i, 20_000)).await.unwrap();
        longest = longest.max(std::fs::metadata(dir.path().join("telemetry.db-wal")).unwrap().len());
    }
    assert!(longest < 10 << 20, "the log grew to {longest} bytes");
}

/// A small disk of its own, taken away at the end.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    /// None where this user may not mount.
    fn mount(size: &str) -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={size}"), "steward-test"])
            .arg(dir.path())
            .stderr(Stdio::null())
            .status();
        mounted.is_ok_and(|s| s.success()).then(|| Self(dir))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0.path()).status();
    }
}

/// The test once more, as root of a user namespace of its own, where it may mount. Where that is not allowed either, it
/// fails: a fault that was not tried is not passed.
fn in_a_namespace(test: &str) {
    const INSIDE: &str = "STEWARD_TEST_INSIDE";
    let by_hand =
        "this test mounts a small disk; run it as root: sudo -E cargo test -p steward-edge --lib fault_s5";
    assert!(std::env::var_os(INSIDE).is_none(), "{by_hand}");
    let again = Command::new("unshare")
        .args(["--map-root-user", "--mount", "--"])
        .arg(std::env::current_exe().unwrap())
        .args(["--exact", "--nocapture", test])
        .env(INSIDE, "1")
        .status();
    assert!(again.is_ok_and(|s| s.success()), "{by_hand}");
}

fn fill(file: &mut std::fs::File) {
    for size in [65_536, 4096, 1] {
        while std::io::Write::write_all(file, &vec![1; size]).is_ok() {}
    }
}

#[tokio::test]
async fn fault_s6_a_gateway_starts_on_a_full_disk_and_keeps_its_alarms() {
    let Some(disk) = SmallDisk::mount("16m") else {
        return in_a_namespace(
            "buffer::tests::faults::fault_s6_a_gateway_starts_on_a_full_disk_and_keeps_its_alarms",
        );
    };
    let dir = disk.0.path().join("data");
    let b = open(&dir, BufferSettings::default(), &clock());
    b.record(noise(1, 1000)).await;
    b.event(applied(1)).await.unwrap();
    b.close().await.unwrap();
    let mut hog = std::fs::File::create(disk.0.path().join("hog")).unwrap();
    fill(&mut hog);
    let b = open(&dir, BufferSettings::default(), &clock());
    b.event(applied(2)).await.unwrap();
    assert_eq!(events(&b).await.iter().filter(|e| e.kind == EventKind::ConfigApplied).count(), 2);
    assert_eq!(b.after(Lane::Live, 0).await.unwrap().unwrap().count, 1000);
    b.close().await.unwrap();
}

#[tokio::test]
async fn fault_s5_on_a_full_disk_alarms_are_stored_and_it_recovers_without_restart() {
    let Some(disk) = SmallDisk::mount("16m") else {
        return in_a_namespace(
            "buffer::tests::faults::fault_s5_on_a_full_disk_alarms_are_stored_and_it_recovers_without_restart",
        );
    };
    let dir = disk.0.path().join("data");
    let clock = clock();
    let b = open(&dir, BufferSettings::default(), &clock);
    assert!(dir.join("ballast").exists());
    for i in 0..20 {
        b.record(noise(i, 1000)).await;
        b.flush().await.unwrap();
    }
    // Somebody else fills the disk to the last byte.
    let hog = disk.0.path().join("hog");
    let mut filled = std::fs::File::create(&hog).unwrap();
    fill(&mut filled);
    for i in 20..400 {
        b.record(noise(i, 1000)).await;
        let _ = b.flush().await;
        if i % 10 == 0 {
            b.event(applied(i)).await.unwrap();
        }
    }
    let state = b.state().await.unwrap();
    assert!(state.lanes[1].first > 1, "the oldest telemetry was dropped: {state:?}");
    assert_eq!(state.lanes[1].last, 400, "and the newest is there");
    assert!(b.stats().dropped > 0 && b.stats().is_full);
    let told = events(&b).await;
    assert_eq!(told.iter().filter(|e| e.kind == EventKind::ConfigApplied).count(), 38);
    assert_eq!(told.iter().filter(|e| e.kind == EventKind::BufferDropped).count(), 1);

    // A session on the full disk: what the hub has may go now, and nothing else does.
    b.welcome(3, vec![Watermark { lane: Lane::Live, seq: 399 }]).await.unwrap();
    let dropped = b.stats().dropped;
    for i in 400..420 {
        b.ack(Lane::Live, i).await.unwrap();
        b.record(noise(i, 1000)).await;
        b.flush().await.unwrap();
    }
    assert_eq!(b.stats().dropped, dropped);
    let lane = b.state().await.unwrap().lanes[1];
    assert!(lane.first > state.lanes[1].first && lane.last == 420, "{lane:?}");

    // Even the ballast's room is taken: nothing can be written any more, and still the hub lets the gateway in.
    fill(&mut filled);
    for epoch in 4..=40 {
        b.welcome(epoch, vec![Watermark { lane: Lane::Live, seq: 380 + u64::from(epoch) }]).await.unwrap();
    }
    let state = b.state().await.unwrap();
    assert_eq!((state.epoch, state.lanes[1].acked), (40, 420));

    drop(filled);
    std::fs::remove_file(&hog).unwrap();
    let dropped = b.stats().dropped;
    b.look_after().await.unwrap();
    assert!(dir.join("ballast").exists(), "the ballast stands again");
    assert!(!b.stats().is_full);
    for i in 420..440 {
        b.record(noise(i, 1000)).await;
        b.flush().await.unwrap();
    }
    assert_eq!(b.stats().dropped, dropped, "nothing is dropped any more");
    b.close().await.unwrap();
    let b = tokio::time::timeout(Duration::from_secs(10), async {
        open(&dir, BufferSettings::default(), &clock)
    });
    let state = b.await.unwrap().state().await.unwrap();
    assert_eq!((state.lanes[1].last, state.lanes[1].acked, state.epoch), (440, 420, 40));
}

/// Whoever writes small files takes the last inode: there is room, and no file can be made.
#[tokio::test]
async fn fault_s15_without_an_inode_left_everything_is_kept_and_a_start_damages_nothing() {
    let Some(disk) = SmallDisk::mount("64m,nr_inodes=64") else {
        return in_a_namespace(
            "buffer::tests::faults::fault_s15_without_an_inode_left_everything_is_kept_and_a_start_damages_nothing",
        );
    };
    let (dir, hogs) = (disk.0.path().join("data"), disk.0.path().join("hogs"));
    let take_all = || {
        std::fs::create_dir_all(&hogs).unwrap();
        while std::fs::File::create(hogs.join(EventId::new(&RandomIds).to_string())).is_ok() {}
    };
    let clock = clock();
    let b = open(&dir, BufferSettings::default(), &clock);
    take_all();
    for i in 0..20 {
        b.record(noise(i, 1000)).await;
        b.flush().await.unwrap();
        b.event(applied(i)).await.unwrap();
    }
    b.close().await.unwrap();
    // The write-ahead log is a file that a start has to make.
    take_all();
    let before = std::fs::read_dir(&dir).unwrap().count();
    let started = Buffer::open(&dir, BufferSettings::default(), clock.clone(), Arc::new(RandomIds));
    if let Ok(b) = started {
        b.close().await.unwrap();
    }
    assert_eq!(std::fs::read_dir(&dir).unwrap().count(), before, "nothing was moved aside");
    std::fs::remove_dir_all(&hogs).unwrap();
    let b = open(&dir, BufferSettings::default(), &clock);
    let state = b.state().await.unwrap();
    assert_eq!((state.lanes[1].first, state.lanes[1].last), (1, 20));
    assert_eq!(events(&b).await.iter().filter(|e| e.kind == EventKind::ConfigApplied).count(), 20);
    b.close().await.unwrap();
}
