//! The writer without its thread: what its files wait for.

use std::path::Path;

use steward_shared::id::RandomIds;

use super::*;
use crate::buffer::tests::clock;

fn writer(dir: &Path, settings: &BufferSettings) -> Writer {
    let (clock, ids): (Arc<dyn Clock>, Arc<dyn Ids>) = (clock(), Arc::new(RandomIds));
    let boot = Boot::read(ids.as_ref());
    Writer::open(dir, settings, &clock, &ids, boot).unwrap()
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
