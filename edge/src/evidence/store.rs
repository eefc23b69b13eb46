//! `raw.db`: runs of answers, each content once. The keeper writes it, the command line reads it at the same time.

use std::collections::HashMap;
use std::collections::hash_map::Entry;
use std::ops::Range;
use std::path::Path;
use std::sync::Arc;

use rusqlite::{Connection, OpenFlags, OptionalExtension, Row, Transaction, params};
use sha2::{Digest, Sha256};
use steward_shared::time::Timestamp;
use steward_shared::wire::columns::Header;

use super::runs::Run;
use crate::buffer::{Moved, SAME_MS, offset_of};

/// In the data folder.
pub(super) const NAME: &str = "raw.db";
const VERSION: i64 = 1;
const FORGET: &str = "drop table if exists run; drop table if exists span; drop table if exists contents;";
const SCHEMA: &str = "
create table if not exists contents(id integer primary key, hash blob not null unique, bytes blob not null);
create table if not exists span(
    id integer primary key, device text not null, profile text not null, words text not null, asked text not null,
    unique (device, words, profile, asked)
);
create table if not exists run(
    id integer primary key, span integer not null references span(id), t0 integer not null, t1 integer not null,
    step integer not null, n integer not null, contents integer not null references contents(id),
    boot text, ahead integer
);
create index if not exists run_span on run(span, t0);
create index if not exists run_end on run(t1);
create index if not exists run_contents on run(contents);
";
const RUN: &str = "select s.device, s.profile, s.words, r.t0, r.step, r.n, c.bytes, s.asked
    from run r join span s on s.id = r.span join contents c on c.id = r.contents";

/// Runs that are looked for at once.
const PAGE: i64 = 256;

#[derive(Debug, thiserror::Error)]
pub enum EvidenceError {
    #[error("the raw answers cannot be used")]
    Database(#[from] rusqlite::Error),
    #[error(
        "there are no raw answers in {0}; [evidence] keep of the gateway's file says how long they are kept"
    )]
    None(String),
}

type Result<T> = std::result::Result<T, EvidenceError>;

pub(super) struct Store {
    db: Connection,
    /// Those of this program's time; none is ever removed.
    spans: HashMap<Span, i64>,
}

#[derive(PartialEq, Eq, Hash)]
struct Span {
    device: Arc<str>,
    words: String,
    profile: Arc<str>,
    asked: Arc<str>,
}

impl Span {
    fn of(run: &Run) -> Self {
        let Run { device, profile, span, asked, .. } = run;
        Self {
            device: Arc::clone(device),
            words: span.clone(),
            profile: Arc::clone(profile),
            asked: Arc::clone(asked),
        }
    }
}

fn contents(tx: &Transaction<'_>, bytes: &[u8]) -> rusqlite::Result<i64> {
    let hash = Sha256::digest(bytes);
    let new = tx
        .prepare_cached("insert or ignore into contents(hash, bytes) values (?1, ?2)")?
        .execute(params![hash.as_slice(), bytes])?;
    if new > 0 {
        return Ok(tx.last_insert_rowid());
    }
    tx.prepare_cached("select id from contents where hash = ?1")?.query_row([hash.as_slice()], |r| r.get(0))
}

fn span(tx: &Transaction<'_>, run: &Run) -> rusqlite::Result<i64> {
    let words = params![run.device, run.profile, run.span, run.asked];
    tx.prepare_cached("insert or ignore into span(device, profile, words, asked) values (?1, ?2, ?3, ?4)")?
        .execute(words)?;
    tx.prepare_cached("select id from span where device = ?1 and profile = ?2 and words = ?3 and asked = ?4")?
        .query_row(words, |r| r.get(0))
}

impl Store {
    /// One that is damaged is thrown away: what it says is of a few days only.
    pub fn open(folder: &Path) -> Result<Self> {
        let path = folder.join(NAME);
        Self::try_open(&path).or_else(|e| {
            tracing::warn!(
                error = &e as &dyn std::error::Error,
                "the raw answers are unusable; they begin anew"
            );
            for end in ["", "-wal", "-shm"] {
                // Whether it could be removed shows when it is opened again.
                let _ = std::fs::remove_file(folder.join(format!("{NAME}{end}")));
            }
            Self::try_open(&path)
        })
    }

    fn try_open(path: &Path) -> Result<Self> {
        let db = Connection::open(path)?;
        db.pragma_update(None, "cache_size", -1024)?;
        db.pragma_update(None, "auto_vacuum", "incremental")?;
        db.pragma_update(None, "journal_mode", "wal")?;
        // A power cut may take the newest; no reading depends on it.
        db.pragma_update(None, "synchronous", "normal")?;
        let version: i64 = db.pragma_query_value(None, "user_version", |r| r.get(0))?;
        if version != VERSION {
            // What an older program kept is of a few days only.
            db.execute_batch(FORGET)?;
            db.pragma_update(None, "user_version", VERSION)?;
        }
        db.execute_batch(SCHEMA)?;
        Ok(Self { db, spans: HashMap::new() })
    }

    /// Runs whose instants are of the clock that said this.
    pub fn keep(&mut self, runs: &[Run], clock: &Header) -> Result<()> {
        let done = self.try_keep(runs, clock);
        if done.is_err() {
            // Whether what it knows was taken back is not known.
            self.spans.clear();
        }
        done
    }

    fn try_keep(&mut self, runs: &[Run], clock: &Header) -> Result<()> {
        let tx = self.db.transaction()?;
        for run in runs {
            let contents = contents(&tx, &run.contents)?;
            let span = match self.spans.entry(Span::of(run)) {
                Entry::Occupied(known) => *known.get(),
                Entry::Vacant(new) => *new.insert(span(&tx, run)?),
            };
            tx.prepare_cached(
                "insert into run(span, t0, t1, step, n, contents, boot, ahead) values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)",
            )?
            .execute(params![
                span,
                run.from.0,
                run.last().0,
                run.step_ms,
                run.count,
                contents,
                clock.boot.to_string(),
                offset_of(clock),
            ])?;
        }
        tx.commit()?;
        Ok(())
    }

    /// Moves the instants of this boot's runs by what the readings of their clock were moved by, so that both still
    /// stand under the same.
    pub fn shift(&mut self, moved: &[Moved], right: &Header) -> Result<()> {
        let tx = self.db.transaction()?;
        // The last first: of a clock that drifted each run is moved by the one that it is behind, and by no other then.
        for Moved { from, shift_ms, set_ms } in moved.iter().rev() {
            tx.execute(
                "update run set t0 = t0 + ?1, t1 = t1 + ?1, ahead = ahead + ?6
                 where boot = ?2 and t1 >= ?3 and abs(ahead + ?6 - ?4) <= ?5",
                params![shift_ms, right.boot.to_string(), from.0, offset_of(right), SAME_MS, set_ms],
            )?;
        }
        tx.commit()?;
        Ok(())
    }

    /// Removes what ended before an instant, and the oldest while there is more than `most` bytes.
    pub fn trim(&self, before: Timestamp, most: u64) -> Result<()> {
        self.db.execute("delete from run where t1 < ?1", [before.0])?;
        while self.bytes()? > most {
            // A twentieth at a time: what is left is near what is allowed.
            let oldest = "delete from run where id in (select id from run order by t1 \
                          limit (select max(1, count(*) / 20) from run))";
            if self.db.execute(oldest, [])? == 0 {
                break;
            }
            self.forget_contents()?;
        }
        self.forget_contents()?;
        self.db.execute_batch("pragma incremental_vacuum")?;
        Ok(())
    }

    fn forget_contents(&self) -> Result<()> {
        self.db.execute(
            "delete from contents where not exists (select 1 from run where run.contents = contents.id)",
            [],
        )?;
        Ok(())
    }

    fn bytes(&self) -> Result<u64> {
        let pragma = |name: &str| self.db.pragma_query_value(None, name, |r| r.get::<_, i64>(0));
        Ok(((pragma("page_count")? - pragma("freelist_count")?) * pragma("page_size")?) as u64)
    }
}

/// Looks into the raw answers, also while they are written.
pub struct Reader {
    db: Connection,
}

impl Reader {
    pub fn open(folder: &Path) -> Result<Self> {
        let path = folder.join(NAME);
        if !path.exists() {
            return Err(EvidenceError::None(folder.display().to_string()));
        }
        let flags = OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX;
        let db = Connection::open_with_flags(path, flags)?;
        db.busy_timeout(std::time::Duration::from_secs(5))?;
        Ok(Self { db })
    }

    /// What was asked of a device, each once.
    pub fn spans(&self, device: &str) -> Result<Vec<String>> {
        let mut statement =
            self.db.prepare_cached("select distinct words from span where device = ?1 order by words")?;
        let words = statement.query_map([device], |r| r.get(0))?;
        Ok(words.collect::<rusqlite::Result<_>>()?)
    }

    /// The newest run of a question that began at `at` or before.
    pub fn newest(&self, device: &str, span: &str, at: Timestamp) -> Result<Option<Run>> {
        let mut newest = None;
        self.back(device, span, at, |run| {
            newest = Some(run);
            false
        })?;
        Ok(newest)
    }

    /// Shows the runs of a question that began at `at` or before, the newest first, while more are wanted.
    pub fn back(
        &self,
        device: &str,
        span: &str,
        at: Timestamp,
        mut wants_more: impl FnMut(Run) -> bool,
    ) -> Result<()> {
        let mut places = self.db.prepare_cached(
            "select r.t0, r.id from run r join span s on s.id = r.span where s.device = ?1 and s.words = ?2
             and (r.t0, r.id) < (?3, ?4) order by r.t0 desc, r.id desc limit ?5",
        )?;
        let mut one = self.db.prepare_cached(&format!("{RUN} where r.id = ?1"))?;
        let (mut behind, mut most) = ((at.0, i64::MAX), 1);
        loop {
            let place = |r: &Row<'_>| Ok((r.get(0)?, r.get(1)?));
            let found = places.query_map(params![device, span, behind.0, behind.1, most], place)?;
            let found: Vec<(i64, i64)> = found.collect::<rusqlite::Result<_>>()?;
            for (_, id) in &found {
                // It may have grown too old meanwhile.
                let Some(run) = one.query_row([id], run).optional()? else { continue };
                if !wants_more(run) {
                    return Ok(());
                }
            }
            match found.last() {
                Some(oldest) if found.len() as i64 == most => (behind, most) = (*oldest, PAGE),
                _ => return Ok(()),
            }
        }
    }

    /// The answers of a device that were made by another profile than this.
    pub fn others(&self, device: &str, profile: &str) -> Result<Others> {
        let longest = "select coalesce(max(r.t1 - r.t0), 0) from run r join span s on s.id = r.span
                       where s.device = ?1 and s.profile <> ?2";
        let longest = self.db.query_row(longest, [device, profile], |r| r.get(0))?;
        Ok(Others { device: device.to_owned(), profile: profile.to_owned(), longest })
    }

    /// When the first of them began that last until `since` or longer.
    pub fn first(&self, of: &Others, since: Timestamp) -> Result<Option<Timestamp>> {
        let sql = "select min(r.t0) from run r join span s on s.id = r.span
                   where s.device = ?1 and s.profile <> ?2 and r.t0 >= ?3 and r.t1 >= ?4";
        let began = since.0.saturating_sub(of.longest);
        let parameters = params![of.device, of.profile, began, since.0];
        let first: Option<i64> = self.db.prepare_cached(sql)?.query_row(parameters, |r| r.get(0))?;
        Ok(first.map(Timestamp))
    }

    /// The runs of them that have answers within some time, in its order.
    pub fn within(&self, of: &Others, within: &Range<Timestamp>) -> Result<Vec<Run>> {
        let sql = format!(
            "{RUN} where s.device = ?1 and s.profile <> ?2 and r.t0 >= ?3 and r.t0 < ?4 and r.t1 >= ?5 order by r.t0"
        );
        let (start, end) = (within.start.0, within.end.0);
        let began = start.saturating_sub(of.longest);
        let mut statement = self.db.prepare_cached(&sql)?;
        let runs = statement.query_map(params![of.device, of.profile, began, end, start], run)?;
        Ok(runs.collect::<rusqlite::Result<_>>()?)
    }
}

/// Answers of a device that were made by other profiles. How long the longest run of them is bounds where those of an instant
/// can have begun, so that no more is looked through than what is wanted.
#[derive(Debug)]
pub struct Others {
    device: String,
    profile: String,
    longest: i64,
}

fn run(r: &Row<'_>) -> rusqlite::Result<Run> {
    let text = |i: usize| r.get::<_, String>(i).map(Arc::from);
    Ok(Run {
        device: text(0)?,
        profile: text(1)?,
        span: r.get(2)?,
        from: Timestamp(r.get(3)?),
        step_ms: r.get(4)?,
        count: r.get(5)?,
        contents: r.get(6)?,
        asked: text(7)?,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn clock(boot: u128, ahead: i64) -> Header {
        Header { boot: uuid(boot).parse().unwrap(), mono_ms: 0, wall: Timestamp(ahead) }
    }

    fn uuid(n: u128) -> String {
        format!("{n:032x}")
    }

    const DAY: i64 = 86_400_000;

    #[test]
    fn what_a_wrong_clock_stamped_is_moved_and_nothing_else() {
        let dir = tempfile::tempdir().unwrap();
        let mut store = Store::open(dir.path()).unwrap();
        store.keep(&[run_of(500, 2, 1)], &clock(1, -DAY)).unwrap();
        store.keep(&[run_of(0, 2, 2), run_of(500, 2, 3)], &clock(2, -DAY)).unwrap();
        store.keep(&[run_of(600, 2, 4)], &clock(2, 0)).unwrap();
        store
            .shift(&[Moved { from: Timestamp(400), shift_ms: DAY + 7, set_ms: DAY + 7 }], &clock(2, 12))
            .unwrap();
        let mut statement = store.db.prepare("select t0, t1 from run order by id").unwrap();
        let rows = statement.query_map([], |r| Ok((r.get(0)?, r.get(1)?))).unwrap();
        let got: Vec<(i64, i64)> = rows.map(|row| row.unwrap()).collect();
        let moved = DAY + 507;
        assert_eq!(got, [(500, 510), (0, 10), (moved, moved + 10), (600, 610)]);
    }

    #[test]
    fn fault_c4_raw_answers_of_a_clock_that_drifted_are_moved_as_their_readings_are() {
        let dir = tempfile::tempdir().unwrap();
        let mut store = Store::open(dir.path()).unwrap();
        store.keep(&[run_of(0, 1, 1), run_of(100_000, 1, 2), run_of(200_000, 1, 3)], &clock(2, 0)).unwrap();
        let moved = [(0, 0), (100_000, -4_000), (200_000, -8_000)];
        let moved = moved.map(|(from, shift_ms)| Moved { from: Timestamp(from), shift_ms, set_ms: -8_000 });
        store.shift(&moved, &clock(2, -8_000)).unwrap();
        store.shift(&moved, &clock(2, -8_000)).unwrap();
        let mut statement = store.db.prepare("select t0 from run order by id").unwrap();
        let got: Vec<i64> = statement.query_map([], |r| r.get(0)).unwrap().map(|row| row.unwrap()).collect();
        assert_eq!(got, [0, 96_000, 192_000], "each once");
    }

    #[test]
    fn a_file_that_knows_no_clocks_goes_on() {
        let dir = tempfile::tempdir().unwrap();
        let before = SCHEMA.replace(",\n    boot text, ahead integer", "");
        assert_ne!(before, SCHEMA);
        let db = Connection::open(dir.path().join(NAME)).unwrap();
        db.execute_batch(&before).unwrap();
        drop(db);
        let mut store = Store::open(dir.path()).unwrap();
        store.keep(&[run_of(0, 3, 1)], &clock(1, 0)).unwrap();
        let reader = Reader::open(dir.path()).unwrap();
        assert_eq!(reader.newest("m", "holding 0 1", Timestamp(35)).unwrap(), Some(run_of(0, 3, 1)));
    }

    fn run_of(from: i64, count: i64, byte: u8) -> Run {
        Run {
            device: "m".into(),
            profile: "p".into(),
            span: "holding 0 1".into(),
            asked: "rtu 1".into(),
            from: Timestamp(from),
            step_ms: 10,
            count,
            contents: vec![byte; 100],
        }
    }

    #[test]
    fn what_was_kept_is_read_back_and_each_content_lies_there_once() {
        let dir = tempfile::tempdir().unwrap();
        let mut store = Store::open(dir.path()).unwrap();
        store.keep(&[run_of(0, 3, 1), run_of(30, 1, 2), run_of(40, 5, 1)], &clock(1, 0)).unwrap();
        let count: i64 = store.db.query_row("select count(*) from contents", [], |r| r.get(0)).unwrap();
        assert_eq!(count, 2);
        let reader = Reader::open(dir.path()).unwrap();
        assert_eq!(reader.newest("m", "holding 0 1", Timestamp(35)).unwrap(), Some(run_of(30, 1, 2)));
        assert_eq!(reader.newest("m", "holding 0 1", Timestamp(-1)).unwrap(), None);
        let within = |from, to| Timestamp(from)..Timestamp(to);
        let others = |profile| reader.others("m", profile).unwrap();
        let found = |profile, from, to| reader.within(&others(profile), &within(from, to)).unwrap();
        assert_eq!(found("q", 31, 99), [run_of(40, 5, 1)]);
        assert_eq!(found("q", 21, 40), [run_of(30, 1, 2)]);
        assert!(found("p", 0, 99).is_empty());
        let first = |profile, since| reader.first(&others(profile), Timestamp(since)).unwrap();
        let found = [first("q", 20), first("q", 21), first("q", 81), first("p", 0)];
        assert_eq!(found, [Some(Timestamp(0)), Some(Timestamp(30)), None, None]);
    }

    #[test]
    fn the_runs_of_a_question_are_shown_backwards_as_long_as_they_are_wanted() {
        let dir = tempfile::tempdir().unwrap();
        let mut store = Store::open(dir.path()).unwrap();
        // Two at a time, and more than are looked for at once.
        let runs: Vec<Run> = (0..1000).map(|i| run_of(i / 2 * 10, 1, (i % 7) as u8)).collect();
        store.keep(&runs, &clock(1, 0)).unwrap();
        let reader = Reader::open(dir.path()).unwrap();
        let back = |at, most: usize| {
            let mut shown = Vec::new();
            reader
                .back("m", "holding 0 1", Timestamp(at), |run| {
                    shown.push(run);
                    shown.len() < most
                })
                .unwrap();
            shown
        };
        let mut wanted = runs.clone();
        wanted.reverse();
        assert_eq!(back(i64::MAX, usize::MAX), wanted);
        assert_eq!(back(95, 3), wanted[980..983]);
        assert_eq!(back(-1, 3), []);
    }

    #[test]
    fn what_is_old_or_too_much_leaves_the_oldest_first() {
        let dir = tempfile::tempdir().unwrap();
        let mut store = Store::open(dir.path()).unwrap();
        let runs: Vec<Run> = (0..5000)
            .map(|i| Run { contents: vec![i as u8, (i >> 8) as u8], ..run_of(i * 10, 1, 0) })
            .collect();
        store.keep(&runs, &clock(1, 0)).unwrap();
        store.trim(Timestamp(100), u64::MAX).unwrap();
        let left = |store: &Store| -> (i64, i64) {
            store
                .db
                .query_row("select count(*), min(t0) from run", [], |r| Ok((r.get(0)?, r.get(1)?)))
                .unwrap()
        };
        assert_eq!(left(&store), (4990, 100));
        store.trim(Timestamp(0), 100_000).unwrap();
        let (count, first) = left(&store);
        assert!(count < 4990 && first > 100 && store.bytes().unwrap() <= 100_000);
    }

    #[test]
    fn what_an_older_program_kept_makes_room() {
        let dir = tempfile::tempdir().unwrap();
        let old = Connection::open(dir.path().join(NAME)).unwrap();
        old.execute_batch("create table span(id integer primary key, device text, profile text, words text)")
            .unwrap();
        drop(old);
        let mut store = Store::open(dir.path()).unwrap();
        store.keep(&[run_of(0, 1, 1)], &clock(1, 0)).unwrap();
        drop(store);
        Store::open(dir.path()).unwrap();
        let reader = Reader::open(dir.path()).unwrap();
        assert_eq!(reader.newest("m", "holding 0 1", Timestamp(0)).unwrap(), Some(run_of(0, 1, 1)));
    }

    #[test]
    fn a_damaged_file_begins_anew() {
        let dir = tempfile::tempdir().unwrap();
        std::fs::write(dir.path().join(NAME), vec![7; 8192]).unwrap();
        Store::open(dir.path()).unwrap().keep(&[run_of(0, 1, 1)], &clock(1, 0)).unwrap();
    }
}
