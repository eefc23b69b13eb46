//! A transaction. The handle is cheap to clone and dead after its end; after the first statement that failed
//! nothing more can be done in it, on both databases.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU8, Ordering};

use serde::de::DeserializeOwned;
use tokio::sync::RwLock;

use super::error::DbError;
use super::lite::{Answer, Ask, LiteTx};
use super::pg::Lent;
use super::row;
use super::value::V;

const OPEN: u8 = 0;
const BROKEN: u8 = 1;
const OVER: u8 = 2;

#[derive(Clone)]
pub struct Tx(Arc<Inner>);

struct Inner {
    way: Way,
    state: AtomicU8,
    passing: AtomicBool,
}

pub(super) enum Way {
    Lite(LiteTx),
    /// Emptied at the end: the connection goes back to its pool, or is closed.
    Pg(Box<RwLock<Option<Lent>>>),
}

impl Tx {
    pub(super) fn new(way: Way) -> Self {
        Self(Arc::new(Inner { way, state: AtomicU8::new(OPEN), passing: AtomicBool::new(false) }))
    }

    /// All rows that the statement gives. `insert … returning` works too.
    pub async fn query<T: DeserializeOwned>(&self, sql: &str, params: Vec<V>) -> Result<Vec<T>, DbError> {
        rows(self.ask(Ask::Query(sql.to_owned(), params)).await?)
    }

    /// The first row, or none.
    pub async fn one<T: DeserializeOwned>(&self, sql: &str, params: Vec<V>) -> Result<Option<T>, DbError> {
        first(self.ask(Ask::Query(sql.to_owned(), params)).await?)
    }

    /// How many rows were changed.
    pub async fn execute(&self, sql: &str, params: Vec<V>) -> Result<u64, DbError> {
        Ok(self.ask(Ask::Execute(sql.to_owned(), params)).await?.changed)
    }

    /// The same statement once for each row of parameters; pipelined on PostgreSQL.
    pub async fn execute_many(&self, sql: &str, rows: Vec<Vec<V>>) -> Result<u64, DbError> {
        if rows.is_empty() {
            return Ok(0);
        }
        Ok(self.ask(Ask::ExecuteMany(sql.to_owned(), rows)).await?.changed)
    }

    pub fn is_postgres(&self) -> bool {
        matches!(self.0.way, Way::Pg(_))
    }

    /// Several statements without parameters, for migrations.
    pub(super) async fn script(&self, sql: &str) -> Result<(), DbError> {
        self.ask(Ask::Script(sql.to_owned())).await.map(drop)
    }

    async fn ask(&self, ask: Ask) -> Result<Answer, DbError> {
        if self.0.state.load(Ordering::SeqCst) != OPEN {
            return Err(DbError::Over);
        }
        let answer = self.send(ask).await;
        if let Err(e) = &answer {
            self.0.passing.fetch_or(e.is_passing(), Ordering::SeqCst);
            let _ = self.0.state.compare_exchange(OPEN, BROKEN, Ordering::SeqCst, Ordering::SeqCst);
        }
        answer
    }

    async fn send(&self, ask: Ask) -> Result<Answer, DbError> {
        match &self.0.way {
            Way::Lite(lite) => lite.ask(ask).await,
            Way::Pg(lent) => lent.read().await.as_ref().ok_or(DbError::Over)?.ask(ask).await,
        }
    }

    pub(super) fn may_pass(&self) -> bool {
        self.0.passing.load(Ordering::SeqCst)
    }

    pub(super) async fn commit(&self) -> Result<(), DbError> {
        if self.0.state.swap(OVER, Ordering::SeqCst) != OPEN {
            return Err(DbError::Over);
        }
        self.send(Ask::Script("commit".into())).await?;
        self.let_go().await;
        Ok(())
    }

    pub(super) async fn roll_back(&self) {
        self.0.state.store(OVER, Ordering::SeqCst);
        match self.send(Ask::Script("rollback".into())).await {
            Ok(_) => self.let_go().await,
            Err(e) => tracing::debug!(error = %e, "a transaction could not be rolled back; it is abandoned"),
        }
    }

    async fn let_go(&self) {
        if let Way::Pg(lent) = &self.0.way
            && let Some(lent) = lent.write().await.take()
        {
            lent.give_back();
        }
    }

    /// Undoes without waiting: the caller went away in the middle.
    pub(super) fn abandon(&self) {
        self.0.state.store(OVER, Ordering::SeqCst);
        match &self.0.way {
            Way::Lite(lite) => lite.abandon(),
            Way::Pg(lent) => drop(lent.try_write().ok().and_then(|mut lent| lent.take())),
        }
    }
}

pub(super) fn rows<T: DeserializeOwned>(answer: Answer) -> Result<Vec<T>, DbError> {
    let names = answer.names;
    answer.rows.into_iter().map(|values| row::read(&names, values).map_err(DbError::Row)).collect()
}

pub(super) fn first<T: DeserializeOwned>(answer: Answer) -> Result<Option<T>, DbError> {
    let names = answer.names;
    answer.rows.into_iter().next().map(|values| row::read(&names, values).map_err(DbError::Row)).transpose()
}
