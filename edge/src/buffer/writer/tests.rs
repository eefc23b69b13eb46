//! The writer without its thread: what its files wait for, and what it holds in memory.

use std::path::Path;

use steward_shared::id::RandomIds;
use steward_shared::reading::Value;
use steward_shared::wire::columns;
use steward_shared::wire::frame::{MAX_FRAME, encode};
use steward_shared::wire::message::{Batch, LaneUp};

use super::*;
use crate::buffer::boot::ThisMachine;
use crate::buffer::tests::{clock, readings};

fn writer(dir: &Path, settings: &BufferSettings) -> Writer {
    let (clock, ids): (Arc<dyn Clock>, Arc<dyn Ids>) = (clock(), Arc::new(RandomIds));
    let boot = Boot(Arc::new(ThisMachine::read(ids.as_ref())));
    Writer::open(dir, settings, &clock, &ids, &boot).unwrap()
}

/// A commit waits until the disk has it: in the log (WAL), synced at each commit (2 is FULL).
fn assert_commits_are_synced(writer: &Writer) {
    let both = [("telemetry", writer.telemetry.connection()), ("alarms", writer.alarms.connection())];
    for (name, db) in both {
        let word = |pragma| db.pragma_query_value(None, pragma, |r| r.get::<_, String>(0)).unwrap();
        let number = |pragma| db.pragma_query_value(None, pragma, |r| r.get::<_, i64>(0)).unwrap();
        assert_eq!((word("journal_mode"), number("synchronous")), ("wal".to_owned(), 2), "{name}");
    }
}

#[test]
fn fault_s1_each_commit_is_on_the_disk_before_it_returns_in_new_old_and_replaced_files() {
    let dir = tempfile::tempdir().unwrap();
    let new = writer(dir.path(), &BufferSettings::default());
    assert_commits_are_synced(&new);
    drop(new);
    let mut old = writer(dir.path(), &BufferSettings::default());
    assert_commits_are_synced(&old);
    old.replace_telemetry().unwrap();
    old.replace_alarms().unwrap();
    assert_commits_are_synced(&old);
    drop(old);
    for name in ["telemetry.db", "alarms.db"] {
        std::fs::write(dir.path().join(name), vec![0x5a; 20_000]).unwrap();
    }
    assert_commits_are_synced(&writer(dir.path(), &BufferSettings::default()));
}

#[test]
fn a_flush_of_long_texts_becomes_batches_that_fit_into_a_frame() {
    let dir = tempfile::tempdir().unwrap();
    let settings = BufferSettings { flush_readings: 100_000, ..BufferSettings::default() };
    let mut writer = writer(dir.path(), &settings);
    let text = |i: usize| Value::Text(format!("{i:06} {:045x}", i as u128 * 0x9e37_79b9_7f4a_7c15_f39c));
    let all: Vec<_> = readings(0, 100_000)
        .into_iter()
        .enumerate()
        .map(|(i, r)| Reading { value: Some(text(i)), ..r })
        .collect();
    writer.record(all.clone(), 0);
    assert!(writer.pending.is_empty(), "there were enough for a flush");
    let (mut seq, mut stored) = (0, Vec::new());
    while let Some(one) = writer.after(Lane::Live, seq, false).unwrap() {
        seq = one.seq;
        stored.extend(columns::decode(&one.body).unwrap().readings);
        let batch =
            Batch { lane: Lane::Live, epoch: 1, seq, count: one.count, hash: one.hash, body: one.body };
        let frame = encode(&LaneUp::Batch(batch)).unwrap();
        assert!(frame.len() < MAX_FRAME / 2, "{} bytes", frame.len());
    }
    assert!(seq > 1);
    stored.sort_by_key(|r| r.point);
    assert!(stored == all, "each once");
}

#[test]
fn while_the_disk_refuses_memory_holds_no_more_than_ten_flushes_and_one() {
    let dir = tempfile::tempdir().unwrap();
    let settings = BufferSettings { flush_readings: 100, ..BufferSettings::default() };
    let mut writer = writer(dir.path(), &settings);
    writer.last_error = Some("the disk refuses".to_owned());
    for i in 0..200 {
        writer.record(readings(i, 30), 0);
        assert!(writer.pending.len() <= 11 * 100, "{} after {i}", writer.pending.len());
    }
    assert_eq!(writer.dropped + writer.pending.len() as u64, 200 * 30, "what is not there is counted");
    assert_eq!(writer.pending.last(), readings(199, 30).last(), "the oldest go");
}
