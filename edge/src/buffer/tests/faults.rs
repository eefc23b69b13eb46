use std::io::{BufRead, BufReader};
use std::os::unix::fs::FileExt;
use std::process::{Command, Stdio};
use std::time::Duration;

use steward_shared::alarm::{Event, EventKind};
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

/// The child of the kill test: writes batches and events without end and says after each what is committed.
#[test]
#[ignore = "the child process of fault_s1, started by it"]
fn child_that_writes_until_it_is_killed() {
    let Ok(dir) = std::env::var("STEWARD_TEST_KILL_DIR") else { return };
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let b = open(Path::new(&dir), BufferSettings::default(), &clock());
        let alarms = crate::alarm::Alarms::open(b.clone(), clock(), Arc::new(RandomIds)).await.unwrap();
        for i in b.state().await.unwrap().lanes[1].last.. {
            b.record(readings(i as i64, 40)).await;
            b.flush().await.unwrap();
            eprintln!("live {}", b.state().await.unwrap().lanes[1].last);
            if i % 5 == 0 {
                alarms.set(EventKind::ConfigApplied, None, None, true, "").await.unwrap();
                eprintln!("alarm {}", b.state().await.unwrap().lanes[0].last);
            }
        }
    });
}

#[test]
fn fault_s1_a_committed_batch_survives_a_hundred_kills() {
    let dir = tempfile::tempdir().unwrap();
    let (mut live, mut alarm) = (0u64, 0u64);
    for round in 0..100u32 {
        let mut child = Command::new(std::env::current_exe().unwrap())
            .args([
                "--ignored",
                "--exact",
                "--nocapture",
                "buffer::tests::faults::child_that_writes_until_it_is_killed",
            ])
            .env("STEWARD_TEST_KILL_DIR", dir.path())
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .unwrap();
        // Another place in its work each round: after so many commits, plus whatever the kill takes.
        let mut lines = BufReader::new(child.stderr.take().unwrap()).lines();
        for _ in 0..=(round % 7) {
            note(&lines.next().expect("the child says what it committed").unwrap(), &mut live, &mut alarm);
        }
        child.kill().unwrap();
        child.wait().unwrap();
        // What it said before it died was committed too.
        for line in lines {
            note(&line.unwrap(), &mut live, &mut alarm);
        }
    }
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    runtime.block_on(async {
        let b = open(dir.path(), BufferSettings::default(), &clock());
        let state = b.state().await.unwrap();
        assert!(live >= 100, "only {live} batches were written");
        assert!(
            state.lanes[1].last >= live && state.lanes[0].last >= alarm,
            "{state:?}, told {live} and {alarm}"
        );
        let mut seq = 0;
        while let Some(batch) = b.after(Lane::Live, seq).await.unwrap() {
            assert_eq!(batch.seq, seq + 1, "a batch is missing");
            assert_eq!(columns::decode(&batch.body).unwrap().readings.len(), 40);
            seq = batch.seq;
        }
        assert_eq!(seq, state.lanes[1].last);
        assert!(
            events(&b).await.iter().all(|e| e.kind == EventKind::ConfigApplied),
            "nothing was found damaged"
        );
    });
}

fn note(said: &str, live: &mut u64, alarm: &mut u64) {
    let number = |word: &str| said.strip_prefix(word).and_then(|n| n.trim().parse::<u64>().ok());
    *live = number("live ").unwrap_or(*live).max(*live);
    *alarm = number("alarm ").unwrap_or(*alarm).max(*alarm);
}

#[tokio::test]
async fn a_batch_that_no_longer_matches_its_hash_is_told_and_the_rest_flows() {
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
async fn a_damaged_database_is_moved_aside_and_a_new_one_begins() {
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

/// A small disk of its own, taken away at the end.
struct SmallDisk(tempfile::TempDir);

impl SmallDisk {
    fn mount(size: &str) -> Option<Self> {
        let dir = tempfile::tempdir().unwrap();
        let mounted = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={size}"), "steward-test"])
            .arg(dir.path())
            .stderr(Stdio::null())
            .status();
        mounted.is_ok_and(|s| s.success()).then_some(Self(dir))
    }
}

impl Drop for SmallDisk {
    fn drop(&mut self) {
        let _ = Command::new("umount").arg("-l").arg(self.0.path()).status();
    }
}

fn fill(file: &mut std::fs::File) {
    for size in [65_536, 4096, 1] {
        while std::io::Write::write_all(file, &vec![1; size]).is_ok() {}
    }
}

#[tokio::test]
async fn fault_s5_on_a_full_disk_alarms_are_stored_and_it_recovers_without_restart() {
    let Some(disk) = SmallDisk::mount("16m") else {
        eprintln!("NOT RUN: fault_s5 needs to mount a small tmpfs (run it as root)");
        return;
    };
    let dir = disk.0.path().join("data");
    let clock = clock();
    let b = open(&dir, BufferSettings::default(), &clock);
    let alarms = crate::alarm::Alarms::open(b.clone(), clock.clone(), Arc::new(RandomIds)).await.unwrap();
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
            alarms.set(EventKind::ConfigApplied, None, None, true, "x").await.unwrap();
        }
    }
    let state = b.state().await.unwrap();
    assert!(state.lanes[1].first > 1, "the oldest telemetry was dropped: {state:?}");
    assert_eq!(state.lanes[1].last, 400, "and the newest is there");
    assert!(b.stats().dropped > 0);
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
