//! Opening a database: settings that keep what is committed, a check that the file is whole, and a new file in place of
//! one that is damaged (the old one is moved aside).

use std::ffi::OsString;
use std::path::{Path, PathBuf};

use rusqlite::{Connection, ErrorCode, OpenFlags};
use steward_shared::time::Timestamp;

use crate::buffer::BufferError;

/// As many damaged forerunners of each database are kept.
const ASIDE: usize = 3;
/// SQLite before 3.51.3 could reset a write-ahead log under a concurrent checkpoint and lose commits.
const OLDEST_SQLITE: i32 = 3_051_003;

/// The library that this program is linked with, by its number and its words.
pub(in crate::buffer) const fn assert_sqlite(number: i32, words: &'static str) -> Result<(), BufferError> {
    if number < OLDEST_SQLITE { Err(BufferError::OldSqlite(words)) } else { Ok(()) }
}

/// A database with `schema` as its version `version`, and where its damaged forerunner was moved, if it was.
pub(in crate::buffer) fn open_or_move_aside(
    path: &Path,
    version: i64,
    schema: &str,
    now: Timestamp,
) -> Result<(Connection, Option<PathBuf>), BufferError> {
    match open(path, version, schema) {
        Err(e) if e.is_damage() => {
            let aside = move_aside(path, now)?;
            Ok((open(path, version, schema)?, Some(aside)))
        }
        other => other.map(|db| (db, None)),
    }
}

pub(in crate::buffer) fn open(path: &Path, version: i64, schema: &str) -> Result<Connection, BufferError> {
    let flags =
        OpenFlags::SQLITE_OPEN_READ_WRITE | OpenFlags::SQLITE_OPEN_CREATE | OpenFlags::SQLITE_OPEN_NO_MUTEX;
    let db = Connection::open_with_flags(path, flags)?;
    prepare(&db, path, version, schema).map_err(|e| match e {
        BufferError::Database(e) if e.sqlite_error_code() == Some(ErrorCode::DatabaseBusy) => {
            BufferError::InUse(path.to_owned())
        }
        e => e,
    })?;
    Ok(db)
}

fn prepare(db: &Connection, path: &Path, version: i64, schema: &str) -> Result<(), BufferError> {
    // One owner: the lock is held from the first access on, and there is no shared-memory file.
    db.pragma_update(None, "locking_mode", "exclusive")?;
    // Small pages: a flush of ten seconds is a few hundred bytes, and each page it touches is written twice.
    db.pragma_update(None, "page_size", 1024)?;
    // Most is appended: few pages are worth keeping.
    db.pragma_update(None, "cache_size", -256)?;
    db.pragma_update(None, "auto_vacuum", "incremental")?;
    db.pragma_update(None, "journal_mode", "wal")?;
    db.pragma_update(None, "synchronous", "full")?;
    db.pragma_update(None, "wal_autocheckpoint", 4000)?;
    db.pragma_update(None, "journal_size_limit", 4 << 20)?;
    let found: i64 = db.pragma_query_value(None, "user_version", |r| r.get(0))?;
    if found > version {
        return Err(BufferError::NewerSchema(path.to_owned(), found));
    }
    let check: String = db.pragma_query_value(None, "quick_check", |r| r.get(0))?;
    if check != "ok" {
        return Err(damaged(check));
    }
    // Nothing is written to a file that exists: a full disk must not keep the program from starting.
    if found < version {
        db.execute_batch(&format!("begin immediate; {schema} pragma user_version = {version}; commit;"))?;
    }
    // A program that ended because a sync had failed leaves in the log what is there only by the kernel's word: nothing may
    // be built on it before it is in the database, and that is synced.
    match write_back(db) {
        Err(e) if e.sqlite_error_code() != Some(ErrorCode::DiskFull) => Err(e.into()),
        _ => Ok(()),
    }
}

/// Everything that is committed, from the log into the database, synced; and the log begins anew.
pub(super) fn write_back(db: &Connection) -> rusqlite::Result<()> {
    db.query_row("pragma wal_checkpoint(truncate)", [], |_| Ok(()))
}

fn damaged(what: String) -> BufferError {
    BufferError::Database(rusqlite::Error::SqliteFailure(
        rusqlite::ffi::Error::new(rusqlite::ffi::SQLITE_CORRUPT),
        Some(what),
    ))
}

/// Out of the way of a new database, with its log; nothing may hold it any more. The newest few are kept, for whoever
/// wants to look for the cause.
pub(in crate::buffer) fn move_aside(path: &Path, now: Timestamp) -> Result<PathBuf, BufferError> {
    let mark = format!(".damaged-{}", now.0);
    let aside = with(path, &mark);
    let moved = || -> std::io::Result<()> {
        for end in ["-wal", "-shm"] {
            let from = with(path, end);
            if from.exists() {
                std::fs::rename(&from, with(path, &format!("{mark}{end}")))?;
            }
        }
        std::fs::rename(path, &aside)
    };
    moved().map_err(BufferError::File)?;
    if let Err(e) = forget_older(path) {
        tracing::warn!(error = &e as &dyn std::error::Error, "an older damaged database stays where it is");
    }
    Ok(aside)
}

fn forget_older(path: &Path) -> std::io::Result<()> {
    let (Some(folder), Some(name)) = (path.parent(), path.file_name()) else { return Ok(()) };
    let start = format!("{}.damaged-", name.to_string_lossy());
    let mut marks = Vec::new();
    for entry in std::fs::read_dir(folder)? {
        let name = entry?.file_name();
        marks.extend(name.to_str().and_then(|n| n.strip_prefix(&start)?.parse::<i64>().ok()));
    }
    marks.sort_unstable();
    for mark in marks.iter().rev().skip(ASIDE) {
        for end in ["-wal", "-shm", ""] {
            match std::fs::remove_file(with(path, &format!(".damaged-{mark}{end}"))) {
                Err(e) if e.kind() != std::io::ErrorKind::NotFound => return Err(e),
                _ => {}
            }
        }
    }
    Ok(())
}

fn with(path: &Path, end: &str) -> PathBuf {
    let mut name = OsString::from(path);
    name.push(end);
    PathBuf::from(name)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fault_s14_a_program_with_an_sqlite_that_loses_commits_does_not_begin() {
        let refused = assert_sqlite(3_051_002, "3.51.2").unwrap_err().to_string();
        assert!(refused.contains("3.51.2") && refused.contains("3.51.3 or newer"), "{refused}");
        assert!(assert_sqlite(3_051_003, "3.51.3").is_ok());
        assert!(assert_sqlite(rusqlite::version_number(), rusqlite::version()).is_ok());
    }
}
