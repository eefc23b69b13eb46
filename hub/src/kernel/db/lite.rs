//! SQLite: one connection that writes, a few that read. Work runs on the runtime's blocking threads, never on
//! its own; a statement whose caller has gone or whose deadline has passed is interrupted.

use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use rusqlite::types::{ToSqlOutput, Value, ValueRef};
use rusqlite::{Connection, InterruptHandle, OpenFlags, ToSql, ffi};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::deadline::{Patience, STATEMENT, turn_of};
use super::error::{DbError, abridged};
use super::value::V;
use crate::kernel::workers::Workers;

const READERS: usize = 4;
/// SQLite 3.51.3 mends a fault by which a WAL database could be damaged.
const OLDEST: i32 = 3_051_003;

/// What a statement gave.
#[derive(Default)]
pub struct Answer {
    pub names: Vec<String>,
    pub rows: Vec<Vec<V>>,
    pub changed: u64,
}

/// What is asked of a connection.
pub enum Ask {
    Query(String, Vec<V>),
    Execute(String, Vec<V>),
    ExecuteMany(String, Vec<Vec<V>>),
    Script(String),
}

/// What to do about a file that is not there, or is another program's.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Opening {
    OrMake,
    Existing,
}

pub struct Lite {
    writer: Arc<Mutex<Connection>>,
    turn: Arc<Semaphore>,
    readers: Arc<Mutex<Vec<Connection>>>,
    free: Arc<Semaphore>,
    workers: Workers,
}

impl Lite {
    pub async fn open(file: PathBuf, how: Opening, workers: Workers) -> Result<Self, DbError> {
        if rusqlite::version_number() < OLDEST {
            return Err(DbError::OldSqlite(rusqlite::version()));
        }
        let opened = workers.run(move || {
            let broken = |e: rusqlite::Error| DbError::Open {
                place: file.display().to_string(),
                way_out: "the folder must exist and be writable, and the file must be a SQLite database"
                    .into(),
                source: Some(Box::new(e)),
            };
            if how == Opening::Existing {
                // Before the writer, which changes how the file is kept.
                let missing = |e: rusqlite::Error| DbError::Open {
                    place: file.display().to_string(),
                    way_out: "is this the hub's configuration? give its file with --config".into(),
                    source: Some(Box::new(e)),
                };
                let reader = reader(&file).map_err(missing)?;
                let tables = reader.prepare("select number from schema_migration");
                drop(tables.map_err(|e| DbError::Foreign(Box::new(e)))?);
            }
            let writer = writer(&file).map_err(broken)?;
            let mut readers = Vec::with_capacity(READERS);
            for _ in 0..READERS {
                readers.push(reader(&file).map_err(broken)?);
            }
            Ok::<_, DbError>((writer, readers))
        });
        let (writer, readers) = opened.await.map_err(gone)??;
        Ok(Self {
            writer: Arc::new(Mutex::new(writer)),
            turn: Arc::new(Semaphore::new(1)),
            readers: Arc::new(Mutex::new(readers)),
            free: Arc::new(Semaphore::new(READERS)),
            workers,
        })
    }

    /// Reads beside the writer, on the state that was last committed.
    pub async fn read(&self, ask: Ask) -> Result<Answer, DbError> {
        let permit = turn_of("reader", &self.free).await?;
        let pool = Arc::clone(&self.readers);
        let conn = lock(&pool).pop().expect("a permit stands for a connection in the pool");
        let interrupt = Interrupt::of(&conn);
        let armed = interrupt.clone();
        let work = self.workers.run(move || {
            let answer = run(&conn, ask);
            armed.disarm();
            lock(&pool).push(conn);
            drop(permit);
            answer
        });
        finish(work, interrupt, Patience::Usual).await
    }

    /// Waits for the turn to write and begins a transaction.
    pub async fn begin(&self, patience: Patience) -> Result<LiteTx, DbError> {
        let permit = turn_of("writer", &self.turn).await?;
        let tx = LiteTx {
            writer: Arc::clone(&self.writer),
            turn: Arc::new(permit),
            patience,
            workers: self.workers.clone(),
        };
        tx.ask(Ask::Script("begin immediate".into())).await?;
        Ok(tx)
    }
}

/// The transaction that has the writer. It ends by `ask` with commit or rollback, or by `abandon`.
pub struct LiteTx {
    writer: Arc<Mutex<Connection>>,
    turn: Arc<OwnedSemaphorePermit>,
    patience: Patience,
    workers: Workers,
}

impl LiteTx {
    pub async fn ask(&self, ask: Ask) -> Result<Answer, DbError> {
        let (writer, turn) = (Arc::clone(&self.writer), Arc::clone(&self.turn));
        let interrupt = Interrupt::default();
        let armed = interrupt.clone();
        let work = self.workers.run(move || {
            let conn = lock(&writer);
            // A former transaction whose caller went away, and which had no runtime left to end it.
            if matches!(&ask, Ask::Script(sql) if sql.starts_with("begin")) && !conn.is_autocommit() {
                run(&conn, Ask::Script("rollback".into()))?;
            }
            armed.arm(&conn);
            let answer = run(&conn, ask);
            armed.disarm();
            drop(conn);
            drop(turn);
            answer
        });
        finish(work, interrupt, self.patience).await
    }

    /// Undoes what was done, without anyone who waits for it. The turn passes on afterwards.
    pub fn abandon(&self) {
        let (writer, turn) = (Arc::clone(&self.writer), Arc::clone(&self.turn));
        let undo = move || {
            let conn = lock(&writer);
            if !conn.is_autocommit()
                && let Err(e) = conn.execute_batch("rollback")
            {
                tracing::warn!(error = %e, "an abandoned transaction could not be undone; the next one tries again");
            }
            drop(conn);
            drop(turn);
        };
        self.workers.start(undo);
    }
}

/// Stops a statement from outside, but only while it is the one that was meant.
#[derive(Clone, Default)]
struct Interrupt(Arc<Mutex<Option<InterruptHandle>>>);

impl Interrupt {
    fn of(conn: &Connection) -> Self {
        Self(Arc::new(Mutex::new(Some(conn.get_interrupt_handle()))))
    }

    fn arm(&self, conn: &Connection) {
        *lock(&self.0) = Some(conn.get_interrupt_handle());
    }

    fn disarm(&self) {
        *lock(&self.0) = None;
    }
}

struct InterruptOnDrop(Interrupt);

impl Drop for InterruptOnDrop {
    fn drop(&mut self) {
        if let Some(handle) = lock(&self.0.0).take() {
            handle.interrupt();
        }
    }
}

async fn finish(
    work: impl Future<Output = Result<Result<Answer, DbError>, tokio::task::JoinError>>,
    interrupt: Interrupt,
    patience: Patience,
) -> Result<Answer, DbError> {
    let _stop = InterruptOnDrop(interrupt);
    patience.statement(work).await?.map_err(gone)?
}

fn gone(e: tokio::task::JoinError) -> DbError {
    DbError::Broken(Box::new(e))
}

/// A poisoned lock means that a statement panicked; the connection itself is sound, because SQLite undoes.
fn lock<T>(m: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    m.lock().unwrap_or_else(PoisonError::into_inner)
}

fn writer(file: &Path) -> rusqlite::Result<Connection> {
    let conn = Connection::open(file)?;
    conn.busy_timeout(Duration::from_secs(5))?;
    conn.execute_batch(
        "pragma journal_mode = wal; pragma synchronous = full; pragma foreign_keys = on;
         pragma temp_store = memory; pragma cache_size = -32768; pragma journal_size_limit = 67108864;",
    )?;
    // A hub that was killed after a sync had failed leaves in the log what is there only by the kernel's word: nothing may be
    // built on it before it is in the database, and that is synced. A full disk must not keep the hub from starting.
    match conn.query_row("pragma wal_checkpoint(truncate)", [], |_| Ok(())) {
        Err(e) if e.sqlite_error_code() != Some(rusqlite::ErrorCode::DiskFull) => return Err(e),
        _ => {}
    }
    conn.set_prepared_statement_cache_capacity(256);
    Ok(conn)
}

fn reader(file: &Path) -> rusqlite::Result<Connection> {
    let conn = Connection::open_with_flags(
        file,
        OpenFlags::SQLITE_OPEN_READ_ONLY | OpenFlags::SQLITE_OPEN_NO_MUTEX | OpenFlags::SQLITE_OPEN_URI,
    )?;
    conn.busy_timeout(Duration::from_secs(5))?;
    conn.execute_batch("pragma query_only = on; pragma temp_store = memory; pragma cache_size = -16384;")?;
    conn.set_prepared_statement_cache_capacity(256);
    Ok(conn)
}

fn run(conn: &Connection, ask: Ask) -> Result<Answer, DbError> {
    match ask {
        Ask::Query(sql, params) => query(conn, &sql, &params).map_err(|e| meaning(conn, e, &sql)),
        Ask::Execute(sql, params) => {
            execute_many(conn, &sql, std::slice::from_ref(&params)).map_err(|e| meaning(conn, e, &sql))
        }
        Ask::ExecuteMany(sql, rows) => execute_many(conn, &sql, &rows).map_err(|e| meaning(conn, e, &sql)),
        Ask::Script(sql) => {
            conn.execute_batch(&sql).map(|()| Answer::default()).map_err(|e| meaning(conn, e, &sql))
        }
    }
}

fn query(conn: &Connection, sql: &str, params: &[V]) -> rusqlite::Result<Answer> {
    let mut statement = conn.prepare_cached(&numbered(sql))?;
    let names: Vec<String> = statement.column_names().map(str::to_owned).collect();
    let mut rows = statement.query(rusqlite::params_from_iter(params))?;
    let mut all = Vec::new();
    while let Some(row) = rows.next()? {
        let mut values = Vec::with_capacity(names.len());
        for i in 0..names.len() {
            values.push(match row.get_ref(i)? {
                ValueRef::Null => V::Null,
                ValueRef::Integer(i) => V::Int(i),
                ValueRef::Real(r) => V::Real(r),
                ValueRef::Text(t) => V::Text(String::from_utf8_lossy(t).into_owned()),
                ValueRef::Blob(b) => V::Blob(b.to_vec()),
            });
        }
        all.push(values);
    }
    drop(rows);
    Ok(Answer { names, rows: all, changed: 0 })
}

fn execute_many(conn: &Connection, sql: &str, rows: &[Vec<V>]) -> rusqlite::Result<Answer> {
    let mut statement = conn.prepare_cached(&numbered(sql))?;
    let mut changed = 0;
    for params in rows {
        changed += statement.execute(rusqlite::params_from_iter(params))? as u64;
    }
    Ok(Answer { changed, ..Answer::default() })
}

impl ToSql for V {
    fn to_sql(&self) -> rusqlite::Result<ToSqlOutput<'_>> {
        Ok(match self {
            Self::Null => ToSqlOutput::Owned(Value::Null),
            Self::Int(i) => ToSqlOutput::Owned(Value::Integer(*i)),
            Self::Real(r) => ToSqlOutput::Owned(Value::Real(*r)),
            Self::Text(t) => ToSqlOutput::Borrowed(ValueRef::Text(t.as_bytes())),
            Self::Blob(b) => ToSqlOutput::Borrowed(ValueRef::Blob(b)),
        })
    }
}

/// `$2` is only a name to SQLite, numbered by its first appearance; `?2` is the second parameter.
pub fn numbered(sql: &str) -> String {
    let mut out = String::with_capacity(sql.len());
    let mut quoted = false;
    let mut chars = sql.chars().peekable();
    while let Some(c) = chars.next() {
        quoted ^= c == '\'';
        let is_parameter = c == '$' && !quoted && chars.peek().is_some_and(char::is_ascii_digit);
        out.push(if is_parameter { '?' } else { c });
    }
    out
}

fn meaning(conn: &Connection, e: rusqlite::Error, sql: &str) -> DbError {
    if let rusqlite::Error::SqliteFailure(code, message) = &e {
        let message = message.as_deref().unwrap_or_default();
        match code.extended_code {
            ffi::SQLITE_CONSTRAINT_FOREIGNKEY => return DbError::Reference,
            ffi::SQLITE_CONSTRAINT_CHECK | ffi::SQLITE_CONSTRAINT_TRIGGER => {
                let name = message.rsplit(": ").next().unwrap_or(message);
                return DbError::Constraint(name.to_owned());
            }
            ffi::SQLITE_CONSTRAINT_UNIQUE
            | ffi::SQLITE_CONSTRAINT_PRIMARYKEY
            | ffi::SQLITE_CONSTRAINT_ROWID => return DbError::Constraint(unique_name(conn, message)),
            _ => {}
        }
        match code.code {
            ffi::ErrorCode::DatabaseBusy | ffi::ErrorCode::DatabaseLocked => return DbError::Busy,
            ffi::ErrorCode::OperationInterrupted => return DbError::Deadline(STATEMENT),
            _ => {}
        }
    }
    DbError::Statement { sql: abridged(sql), source: Box::new(e) }
}

/// A constraint without a name, a type, or a size that no row may have.
pub fn is_of_the_values(e: &(dyn std::error::Error + 'static)) -> bool {
    use ffi::ErrorCode::{ConstraintViolation, TooBig, TypeMismatch};
    matches!(e.downcast_ref(), Some(rusqlite::Error::SqliteFailure(f, _))
        if matches!(f.code, ConstraintViolation | TypeMismatch | TooBig))
}

/// SQLite names the columns of a broken unique index, not the index: the schema tells which one has them.
/// Names agree with PostgreSQL's own for keys without a name: `<table>_pkey`, `<table>_<columns>_key`.
fn unique_name(conn: &Connection, message: &str) -> String {
    let what = message.rsplit("failed: ").next().unwrap_or(message);
    if let Some(name) = what.strip_prefix("index '") {
        return name.trim_end_matches('\'').to_owned();
    }
    let columns: Vec<&str> = what.split(", ").filter_map(|c| c.split_once('.').map(|(_, c)| c)).collect();
    let table = what.split('.').next().unwrap_or_default();
    let found = || -> rusqlite::Result<Option<String>> {
        let mut indexes = conn.prepare_cached(
            "select l.name, l.origin, (select group_concat(i.name, ',') from pragma_index_info(l.name) i)
             from pragma_index_list(?1) l where l.\"unique\" = 1",
        )?;
        let mut rows = indexes.query([table])?;
        while let Some(row) = rows.next()? {
            let (name, origin, of): (String, String, Option<String>) =
                (row.get(0)?, row.get(1)?, row.get(2)?);
            if of.as_deref() == Some(columns.join(",").as_str()) {
                return Ok(Some(match origin.as_str() {
                    "pk" => format!("{table}_pkey"),
                    "u" => format!("{table}_{}_key", columns.join("_")),
                    _ => name,
                }));
            }
        }
        Ok(None)
    };
    found().ok().flatten().unwrap_or_else(|| format!("{table}_pkey"))
}
