//! The gateway's buffer. A child writes, acknowledges and trims, and says on standard error what is committed.

use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::sync::Arc;
use std::time::Duration;

use steward_edge::buffer::{Buffer, BufferError, BufferSettings};
use steward_shared::alarm::{Event, EventKind};
use steward_shared::id::{EventId, PointNo, RandomIds};
use steward_shared::reading::{Quality, Reading, Value};
use steward_shared::time::{ManualClock, Timestamp};
use steward_shared::wire::columns;
use steward_shared::wire::frame::from_cbor;
use steward_shared::wire::message::Lane;

use tempfile::TempDir;

use super::disk::{self, Cut, Entry};
use super::{assert_kept, cut_everywhere, wanted};

/// Where the child writes; set only for that process.
const CHILD: &str = "STEWARD_TEST_POWER_CHILD";
/// Set for a child that dies of the first sync that fails after a while.
const DIES: &str = "STEWARD_TEST_POWER_DIES";
const NOON: Timestamp = Timestamp(1_760_000_000_000);
const BATCHES: u64 = 400;
/// The child acknowledges what lies so far back.
const KEPT: u64 = 30;
const CUTS: usize = 250;

fn block_on<T>(work: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap().block_on(work)
}

fn try_open(folder: &Path) -> Result<Buffer, BufferError> {
    let settings = BufferSettings { retention: Duration::ZERO, ..BufferSettings::default() };
    Buffer::open(folder, settings, Arc::new(ManualClock::at(NOON)), Arc::new(RandomIds))
}

fn open(folder: &Path) -> Buffer {
    try_open(folder).unwrap()
}

fn readings(seq: u64) -> Vec<Reading> {
    let one = |i: u32| Reading {
        point: PointNo(i),
        at: Timestamp(NOON.0 + seq as i64 * 10_000),
        value: Some(Value::Number(f64::from(i) / 10.0)),
        quality: Quality::Good,
    };
    (1..=40).map(one).collect()
}

/// No codec makes it small: the log is written back now and then, and the file grows and shrinks.
fn noise(seed: u64) -> Vec<Reading> {
    let mut chance = disk::Chance(seed);
    let mut one = |i: u32| Reading {
        point: PointNo(i % 200),
        at: Timestamp(NOON.0 + i64::from(i)),
        value: Some(Value::Number(chance.below(1 << 30) as f64 / 7.0)),
        quality: Quality::Good,
    };
    (0..20_000).map(&mut one).collect()
}

fn event(seq: u64) -> Event {
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

/// In one write: it is one entry of the record.
fn say(word: &str, seq: u64) {
    use std::io::Write as _;
    std::io::stderr().write_all(format!("{word} {seq}\n").as_bytes()).unwrap();
}

async fn write(folder: &Path) {
    // A program that cannot start is started again.
    let buffer = std::iter::repeat_with(|| try_open(folder)).find_map(Result::ok).unwrap();
    let dies = std::env::var_os(DIES).is_some();
    for seq in buffer.state().await.unwrap().lanes[1].last + 1..=BATCHES {
        buffer.record(readings(seq)).await;
        // A disk that fails is asked again.
        while buffer.flush().await.is_err() {
            if dies && seq > BATCHES / 4 {
                std::process::abort();
            }
        }
        say("live", seq);
        if seq % 5 == 0 {
            while buffer.event(event(seq / 5)).await.is_err() {}
            say("alarm", seq / 5);
        }
        if seq % 20 == 0 {
            let _ = buffer.import(Lane::Backfill, noise(seq)).await;
            buffer.ack(Lane::Backfill, u64::MAX).await.unwrap();
        }
        if seq % 9 == 0 {
            say("acked", seq.saturating_sub(KEPT));
            buffer.ack(Lane::Live, seq.saturating_sub(KEPT)).await.unwrap();
            let _ = buffer.look_after().await;
        }
    }
    let _ = buffer.close().await;
}

#[derive(Clone, Copy, Debug, Default)]
struct Told {
    live: u64,
    alarm: u64,
    acked: u64,
}

fn told(entries: &[Entry]) -> Told {
    let mut told = Told::default();
    for said in entries.iter().filter(|e| e.is_said()).map(Entry::said) {
        let number = |word: &str| said.strip_prefix(word).and_then(|n| n.trim().parse::<u64>().ok());
        told.live = number("live ").unwrap_or_default().max(told.live);
        told.alarm = number("alarm ").unwrap_or_default().max(told.alarm);
        told.acked = number("acked ").unwrap_or_default().max(told.acked);
    }
    told
}

/// A place for a child's folder and its record, or none in the child itself, which works here.
fn place() -> Option<TempDir> {
    if let Ok(folder) = std::env::var(CHILD) {
        block_on(write(Path::new(&folder)));
        return None;
    }
    let place = tempfile::tempdir().unwrap();
    std::fs::create_dir(place.path().join("data")).unwrap();
    Some(place)
}

/// Runs a child, which goes on in the folder and in the record; one of so many syncs fails.
fn child(place: &TempDir, test: &str, fails: u32, dies: bool) -> Output {
    let folder = place.path().canonicalize().unwrap();
    let mut child = Command::new(std::env::current_exe().unwrap());
    child
        .args(["--exact", "--nocapture", &format!("gateway::{test}")])
        .env(CHILD, folder.join("data"))
        .env("STEWARD_RECORD_FOLDER", folder.join("data"))
        .env("STEWARD_RECORD", folder.join("record"))
        .env("STEWARD_RECORD_FAILS", fails.to_string())
        .env("LD_PRELOAD", disk::library(place.path()))
        .stdout(Stdio::null());
    if dies {
        child.env(DIES, "1");
    }
    child.output().unwrap()
}

/// What a child does that lives, written down; none in the child itself.
fn recorded(test: &str, fails: u32) -> Option<Vec<Entry>> {
    let place = place()?;
    let ended = child(&place, test, fails, false);
    assert!(ended.status.success(), "{}", String::from_utf8_lossy(&ended.stderr));
    let entries = disk::read(&place.path().join("record"));
    assert!(entries.len() > 1000, "only {} entries were written down", entries.len());
    Some(entries)
}

/// What is missing of what was told, if anything is.
fn missing(folder: &Path, told: Told) -> Result<(), String> {
    block_on(async {
        let buffer = open(folder);
        let lanes = buffer.state().await.unwrap().lanes;
        if lanes[1].last < told.live || lanes[1].first > told.acked + 1 {
            return Err(format!("{lanes:?} of {told:?}"));
        }
        for seq in lanes[1].first..=lanes[1].last {
            let batch = buffer.after(Lane::Live, seq - 1).await.unwrap().unwrap();
            if batch.seq != seq || columns::decode(&batch.body).unwrap().readings != readings(seq) {
                return Err(format!("batch {seq} is not what it was"));
            }
        }
        let (mut seq, mut applied) = (0, 0u64);
        while let Some(item) = buffer.after(Lane::Alarm, seq).await.unwrap() {
            seq = item.seq;
            let event: Event = from_cbor(&item.body).unwrap();
            if event.kind == EventKind::ConfigApplied {
                let number = event.detail.parse().unwrap();
                if number <= applied {
                    return Err(format!("event {number} is there after event {applied}"));
                }
                applied = number;
            } else if event.kind != EventKind::StorageFailing {
                return Err(format!("nothing was damaged, and yet {event:?}"));
            }
        }
        if applied < told.alarm {
            return Err(format!("{applied} events of {told:?}"));
        }
        buffer.close().await.unwrap();
        Ok(())
    })
}

#[test]
fn fault_s2_fault_s3_a_gateway_keeps_all_that_it_had_committed_when_the_power_is_cut() {
    let test = "fault_s2_fault_s3_a_gateway_keeps_all_that_it_had_committed_when_the_power_is_cut";
    if wanted()
        && let Some(entries) = recorded(test, 0)
    {
        assert_kept(&entries, CUTS, |left, played| missing(left, told(played)));
    }
}

#[test]
fn fault_s8_what_a_failed_sync_was_for_is_written_again_before_it_is_called_kept() {
    let test = "fault_s8_what_a_failed_sync_was_for_is_written_again_before_it_is_called_kept";
    if wanted()
        && let Some(entries) = recorded(test, 7)
    {
        for file in ["telemetry.db-wal", "alarms.db-wal"] {
            assert!(entries.iter().any(|e| e.is_failed_sync_of(file)), "no sync of {file} has failed");
        }
        assert_kept(&entries, CUTS / 2, |left, played| missing(left, told(played)));
    }
}

#[test]
fn fault_s8_nothing_is_built_on_what_a_failed_sync_left_behind_when_the_program_died_of_it() {
    let test = "fault_s8_nothing_is_built_on_what_a_failed_sync_left_behind_when_the_program_died_of_it";
    if !wanted() {
        return;
    }
    let Some(place) = place() else { return };
    let died = child(&place, test, 30, true);
    assert!(!died.status.success(), "no sync has failed");
    let lived = child(&place, test, 0, false);
    assert!(lived.status.success(), "{}", String::from_utf8_lossy(&lived.stderr));
    assert_kept(&disk::read(&place.path().join("record")), CUTS / 2, |left, played| {
        missing(left, told(played))
    });
}

#[test]
fn fault_s2_what_is_looked_for_is_missed_on_a_disk_that_syncs_nothing() {
    let test = "fault_s2_what_is_looked_for_is_missed_on_a_disk_that_syncs_nothing";
    if wanted()
        && let Some(entries) = recorded(test, 0)
    {
        let mut lost = 0;
        cut_everywhere(&entries, 20, Cut::LosesAll, true, |folder, played, _| {
            lost += u32::from(missing(folder, told(played)).is_err());
        });
        assert!(lost >= 15, "only {lost} of 20 cuts were seen to lose something");
    }
}
