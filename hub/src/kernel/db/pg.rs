//! PostgreSQL: a bounded pool of connections. One that broke is replaced, one whose transaction was left open
//! is closed, never handed on. Every wait has a deadline.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bytes::BytesMut;
use futures_util::future::try_join_all;
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinHandle;
use tokio_postgres::error::SqlState;
use tokio_postgres::types::{FromSql, IsNull, ToSql, Type};
use tokio_postgres::{Client, Config, NoTls, Statement};

use super::deadline::{Patience, STATEMENT, turn_of};
use super::error::{DbError, abridged};
use super::lite::{Answer, Ask};
use super::value::V;

const CONNECTIONS: usize = 12;
const CONNECT_DEADLINE: Duration = Duration::from_secs(5);
const KEPT_STATEMENTS: usize = 256;
/// Rows of one `execute_many` that are under way at once.
const PIPELINE: usize = 256;

pub struct Pg {
    config: Config,
    idle: Arc<Mutex<Vec<Connection>>>,
    free: Arc<Semaphore>,
}

struct Connection {
    client: Client,
    statements: Mutex<HashMap<String, Statement>>,
}

/// A connection that belongs to one caller.
pub struct Lent {
    conn: Option<Connection>,
    pool: Arc<Mutex<Vec<Connection>>>,
    patience: Patience,
    _permit: OwnedSemaphorePermit,
}

impl Pg {
    pub async fn open(config: Config) -> Result<Self, DbError> {
        let pg = Self { config, idle: Arc::default(), free: Arc::new(Semaphore::new(CONNECTIONS)) };
        pg.lend(Patience::Usual).await?.give_back();
        Ok(pg)
    }

    async fn lend(&self, patience: Patience) -> Result<Lent, DbError> {
        let permit = turn_of("connection", &self.free).await?;
        let kept = {
            let mut idle = lock(&self.idle);
            std::iter::from_fn(|| idle.pop()).find(|c| !c.client.is_closed())
        };
        let conn = if let Some(conn) = kept {
            conn
        } else {
            let (client, _) = connect(&self.config).await?;
            Connection { client, statements: Mutex::default() }
        };
        Ok(Lent { conn: Some(conn), pool: Arc::clone(&self.idle), patience, _permit: permit })
    }

    pub fn config(&self) -> &Config {
        &self.config
    }

    /// One statement on its own.
    pub async fn ask(&self, ask: Ask) -> Result<Answer, DbError> {
        let lent = self.lend(Patience::Usual).await?;
        let answer = lent.ask(ask).await;
        if !matches!(answer, Err(DbError::Broken(_) | DbError::Deadline(_))) {
            lent.give_back();
        }
        answer
    }

    pub async fn begin(&self, begin: &str, patience: Patience) -> Result<Lent, DbError> {
        let begin = match patience {
            Patience::Usual => begin.to_owned(),
            Patience::Endless => format!(
                "{begin}; set local statement_timeout = 0; set local idle_in_transaction_session_timeout = 0"
            ),
        };
        let lent = self.lend(patience).await?;
        match lent.ask(Ask::Script(begin.clone())).await {
            Ok(_) => Ok(lent),
            // The server was restarted while the connection lay idle: one new try on a new connection.
            Err(DbError::Broken(_)) => {
                drop(lent);
                lock(&self.idle).clear();
                let lent = self.lend(patience).await?;
                lent.ask(Ask::Script(begin)).await.map(|_| lent)
            }
            Err(e) => Err(e),
        }
    }
}

/// A new connection, and the task that carries it until it ends.
pub async fn connect(config: &Config) -> Result<(Client, JoinHandle<()>), DbError> {
    let unreachable = |source: Option<Box<dyn std::error::Error + Send + Sync>>| {
        DbError::Open {
        place: format!("postgres at {:?}, database {:?}", config.get_hosts(), config.get_dbname()),
        way_out: "is the server running, are address, user and password right, and does it let the hub in without TLS?"
            .into(),
        source,
    }
    };
    let opening = async {
        let (client, connection) = config.connect(NoTls).await?;
        let carried = tokio::spawn(async move {
            if let Err(e) = connection.await {
                tracing::debug!(error = %e, "a connection to PostgreSQL ended");
            }
        });
        client.batch_execute("set statement_timeout = 30000; set idle_in_transaction_session_timeout = 60000; set time zone 'UTC'").await?;
        Ok::<_, tokio_postgres::Error>((client, carried))
    };
    match tokio::time::timeout(CONNECT_DEADLINE, opening).await {
        Ok(Ok(opened)) => Ok(opened),
        Ok(Err(e)) => Err(unreachable(Some(Box::new(e)))),
        Err(_) => Err(unreachable(None)),
    }
}

impl Lent {
    pub async fn ask(&self, ask: Ask) -> Result<Answer, DbError> {
        let conn = self.conn.as_ref().ok_or(DbError::Over)?;
        self.patience.statement(conn.ask(ask)).await?
    }

    /// Only a connection outside of any transaction may go back; dropping closes it instead.
    pub fn give_back(mut self) {
        if let Some(conn) = self.conn.take()
            && !conn.client.is_closed()
        {
            lock(&self.pool).push(conn);
        }
    }
}

impl Connection {
    async fn ask(&self, ask: Ask) -> Result<Answer, DbError> {
        match ask {
            Ask::Query(sql, params) => self.query(&sql, params).await.map_err(|e| meaning(e, &sql)),
            Ask::Execute(sql, params) => {
                self.execute_many(&sql, vec![params]).await.map_err(|e| meaning(e, &sql))
            }
            Ask::ExecuteMany(sql, rows) => self.execute_many(&sql, rows).await.map_err(|e| meaning(e, &sql)),
            Ask::Script(sql) => self
                .client
                .batch_execute(&sql)
                .await
                .map(|()| Answer::default())
                .map_err(|e| meaning(e, &sql)),
        }
    }

    async fn prepared(&self, sql: &str) -> Result<Statement, tokio_postgres::Error> {
        if let Some(kept) = lock(&self.statements).get(sql) {
            return Ok(kept.clone());
        }
        let statement = self.client.prepare(sql).await?;
        let mut kept = lock(&self.statements);
        if kept.len() >= KEPT_STATEMENTS {
            kept.clear();
        }
        kept.insert(sql.to_owned(), statement.clone());
        Ok(statement)
    }

    async fn query(&self, sql: &str, params: Vec<V>) -> Result<Answer, tokio_postgres::Error> {
        let statement = self.prepared(sql).await?;
        let names = statement.columns().iter().map(|c| c.name().to_owned()).collect::<Vec<_>>();
        let found = self.client.query(&statement, &by_reference(&params)).await?;
        let mut rows = Vec::with_capacity(found.len());
        for row in found {
            let values = (0..names.len()).map(|i| row.try_get::<_, V>(i)).collect::<Result<Vec<_>, _>>()?;
            rows.push(values);
        }
        Ok(Answer { names, rows, changed: 0 })
    }

    async fn execute_many(&self, sql: &str, rows: Vec<Vec<V>>) -> Result<Answer, tokio_postgres::Error> {
        let statement = &self.prepared(sql).await?;
        let mut changed = 0;
        for chunk in rows.chunks(PIPELINE) {
            let running = chunk
                .iter()
                .map(|row| async move { self.client.execute(statement, &by_reference(row)).await });
            changed += try_join_all(running).await?.into_iter().sum::<u64>();
        }
        Ok(Answer { changed, ..Answer::default() })
    }
}

fn by_reference(params: &[V]) -> Vec<&(dyn ToSql + Sync)> {
    params.iter().map(|p| p as &(dyn ToSql + Sync)).collect()
}

fn lock<T>(m: &Mutex<T>) -> std::sync::MutexGuard<'_, T> {
    m.lock().unwrap_or_else(PoisonError::into_inner)
}

pub fn meaning(e: tokio_postgres::Error, sql: &str) -> DbError {
    if let Some(refusal) = e.as_db_error() {
        let name = || DbError::Constraint(refusal.constraint().unwrap_or_default().to_owned());
        match *refusal.code() {
            SqlState::UNIQUE_VIOLATION | SqlState::CHECK_VIOLATION | SqlState::EXCLUSION_VIOLATION => {
                return name();
            }
            SqlState::FOREIGN_KEY_VIOLATION | SqlState::RESTRICT_VIOLATION => return DbError::Reference,
            SqlState::T_R_SERIALIZATION_FAILURE
            | SqlState::T_R_DEADLOCK_DETECTED
            | SqlState::LOCK_NOT_AVAILABLE => return DbError::Busy,
            SqlState::CHARACTER_NOT_IN_REPERTOIRE => return DbError::Unstorable,
            SqlState::QUERY_CANCELED => return DbError::Deadline(STATEMENT),
            SqlState::ADMIN_SHUTDOWN | SqlState::CRASH_SHUTDOWN | SqlState::CANNOT_CONNECT_NOW => {
                return DbError::Broken(Box::new(e));
            }
            _ => {}
        }
    } else if e.is_closed()
        || std::error::Error::source(&e).is_some_and(<dyn std::error::Error>::is::<std::io::Error>)
    {
        return DbError::Broken(Box::new(e));
    }
    DbError::Statement { sql: abridged(sql), source: Box::new(e) }
}

/// SQLSTATE classes 22, data exception, and 23, integrity constraint violation.
pub fn is_of_the_values(e: &(dyn std::error::Error + 'static)) -> bool {
    let refusal = e.downcast_ref::<tokio_postgres::Error>().and_then(tokio_postgres::Error::as_db_error);
    refusal.is_some_and(|r| r.code().code().starts_with("22") || r.code().code().starts_with("23"))
}

type Fault = Box<dyn std::error::Error + Sync + Send>;

impl ToSql for V {
    fn to_sql(&self, ty: &Type, out: &mut BytesMut) -> Result<IsNull, Fault> {
        match (self, ty) {
            (Self::Null, _) => Ok(IsNull::Yes),
            (Self::Int(i), &Type::INT8) => i.to_sql(ty, out),
            (Self::Int(i), &Type::INT4) => i32::try_from(*i)?.to_sql(ty, out),
            (Self::Int(i), &Type::INT2) => i16::try_from(*i)?.to_sql(ty, out),
            (Self::Int(i), &Type::FLOAT8) => (*i as f64).to_sql(ty, out),
            (Self::Int(i @ (0 | 1)), &Type::BOOL) => (*i == 1).to_sql(ty, out),
            (Self::Real(r), &Type::FLOAT8) => r.to_sql(ty, out),
            (Self::Text(t), &(Type::TEXT | Type::VARCHAR | Type::BPCHAR | Type::NAME | Type::UNKNOWN)) => {
                t.to_sql(ty, out)
            }
            (Self::Blob(b), &Type::BYTEA) => b.to_sql(ty, out),
            (v, ty) => Err(format!("{v:?} is no {ty}; cast the parameter in the statement").into()),
        }
    }

    fn accepts(_: &Type) -> bool {
        true
    }

    tokio_postgres::types::to_sql_checked!();
}

impl<'a> FromSql<'a> for V {
    fn from_sql(ty: &Type, raw: &'a [u8]) -> Result<Self, Fault> {
        Ok(match *ty {
            Type::INT8 => Self::Int(i64::from_sql(ty, raw)?),
            Type::INT4 => Self::Int(i64::from(i32::from_sql(ty, raw)?)),
            Type::INT2 => Self::Int(i64::from(i16::from_sql(ty, raw)?)),
            Type::BOOL => Self::Int(i64::from(bool::from_sql(ty, raw)?)),
            Type::FLOAT8 => Self::Real(f64::from_sql(ty, raw)?),
            Type::FLOAT4 => Self::Real(f64::from(f32::from_sql(ty, raw)?)),
            Type::BYTEA => Self::Blob(raw.to_vec()),
            Type::TEXT | Type::VARCHAR | Type::BPCHAR | Type::NAME | Type::UNKNOWN => {
                Self::Text(String::from_sql(ty, raw)?)
            }
            Type::NUMERIC => numeric(raw)?,
            ref other => return Err(format!("a column of type {other} is not read; cast it").into()),
        })
    }

    fn from_sql_null(_: &Type) -> Result<Self, Fault> {
        Ok(Self::Null)
    }

    fn accepts(_: &Type) -> bool {
        true
    }
}

/// PostgreSQL's `numeric` on the wire: digits of base 10000 (`sum` of integers gives it).
fn numeric(raw: &[u8]) -> Result<V, Fault> {
    let word = |i: usize| {
        raw.get(i * 2..i * 2 + 2).map(|b| i16::from_be_bytes([b[0], b[1]])).ok_or("a numeric is cut short")
    };
    let (count, weight, sign) = (word(0)?, word(1)?, word(2)? as u16);
    let mut exact: Option<i64> = Some(0);
    let mut rough = 0.0;
    for i in 0..count {
        let digit = word(4 + i as usize)?;
        let power = i32::from(weight) - i32::from(i);
        rough += f64::from(digit) * 10_000_f64.powi(power);
        exact = match u32::try_from(power) {
            Ok(p) => {
                exact.and_then(|e| 10_000_i64.checked_pow(p)?.checked_mul(i64::from(digit))?.checked_add(e))
            }
            Err(_) => None,
        };
    }
    Ok(match (sign, exact) {
        (0, Some(e)) => V::Int(e),
        (0x4000, Some(e)) => V::Int(-e),
        (0, None) => V::Real(rough),
        (0x4000, None) => V::Real(-rough),
        _ => V::Real(f64::NAN),
    })
}
