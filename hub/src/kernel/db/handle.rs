//! The database as modules hold it: cheap to clone, one for the whole program.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use serde::de::DeserializeOwned;
use tokio::sync::RwLock;

use super::claim::Claim;
use super::deadline::Patience;
use super::error::DbError;
use super::lite::{Ask, Lite, Opening};
use super::pg::Pg;
use super::tx::{Tx, Way, first, rows};
use super::url::DatabaseUrl;
use super::value::V;
use crate::kernel::workers::Workers;

const TRIES: u32 = 10;

#[derive(Clone)]
pub struct Db {
    backend: Arc<Backend>,
    workers: Workers,
}

enum Backend {
    Lite(Lite),
    Pg(Box<Pg>),
}

impl Db {
    /// SQLite's file is made when it is not there.
    pub async fn open(url: &DatabaseUrl) -> Result<Self, DbError> {
        Self::open_with(url, Workers::default()).await
    }

    /// The same, where SQLite's work is done by these.
    pub async fn open_with(url: &DatabaseUrl, workers: Workers) -> Result<Self, DbError> {
        Self::opened(url, Opening::OrMake, workers).await
    }

    /// Only a database that a hub has used before; nothing is made or changed in another one.
    pub async fn open_existing(url: &DatabaseUrl) -> Result<Self, DbError> {
        Self::opened(url, Opening::Existing, Workers::default()).await
    }

    async fn opened(url: &DatabaseUrl, how: Opening, workers: Workers) -> Result<Self, DbError> {
        let backend = match url {
            DatabaseUrl::Sqlite(file) => Backend::Lite(Lite::open(file.clone(), how, workers.clone()).await?),
            DatabaseUrl::Postgres(config) => Backend::Pg(Box::new(Pg::open(*config.clone()).await?)),
        };
        Ok(Self { backend: Arc::new(backend), workers })
    }

    /// The right to serve this database, which one hub has at a time. Waits so long for another one's end.
    pub async fn claim(&self, wait: Duration) -> Result<Claim, DbError> {
        match &*self.backend {
            Backend::Lite(_) => Ok(Claim::on_sqlite()),
            Backend::Pg(pg) => Claim::on_postgres(pg.config(), wait).await,
        }
    }

    pub fn is_postgres(&self) -> bool {
        matches!(&*self.backend, Backend::Pg(_))
    }

    /// Who does work that blocks, here and for whoever unpacks what goes into the database.
    pub fn workers(&self) -> &Workers {
        &self.workers
    }

    /// The word that `/api/v1/about` shows.
    pub fn kind(&self) -> &'static str {
        if self.is_postgres() { "postgresql" } else { "sqlite" }
    }

    /// All rows of a statement that only reads, as last committed.
    pub async fn query<T: DeserializeOwned>(&self, sql: &str, params: Vec<V>) -> Result<Vec<T>, DbError> {
        rows(self.read(sql, params).await?)
    }

    /// The first row of a statement that only reads, or none.
    pub async fn one<T: DeserializeOwned>(&self, sql: &str, params: Vec<V>) -> Result<Option<T>, DbError> {
        first(self.read(sql, params).await?)
    }

    /// Whether it answers a question within this time, whoever else writes.
    pub async fn answers(&self, within: Duration) -> Result<(), DbError> {
        let asked = self.one::<i64>("select count(*) from schema_migration", Vec::new());
        tokio::time::timeout(within, asked).await.unwrap_or(Err(DbError::Deadline(within))).map(drop)
    }

    /// Whether it can serve: our tables are there, and the turn to write comes within this time.
    pub async fn is_ready(&self, within: Duration) -> Result<(), DbError> {
        let looked = self.tx(async |tx| {
            tx.one::<i64>("select count(*) from schema_migration", Vec::new()).await.map(drop)
        });
        tokio::time::timeout(within, looked).await.unwrap_or(Err(DbError::Deadline(within)))
    }

    /// One statement that writes, as a transaction of its own; gives how many rows were changed.
    pub async fn execute(&self, sql: &str, params: Vec<V>) -> Result<u64, DbError> {
        let params = &params;
        self.tx(async |tx| tx.execute(sql, params.clone()).await).await
    }

    /// All or nothing. When another writer was in the way the work is done again from its beginning, so it must
    /// not do anything outside of the transaction. An error of the work rolls back.
    ///
    /// `work` is an `async |tx| {…}` that borrows what it needs (no `move`). Plain `Fn` and a boxed future,
    /// because the compiler cannot yet see that the futures of `AsyncFn` may be sent between threads.
    pub fn tx<'a, T, E, F, Fut>(&'a self, work: F) -> BoxFuture<'a, Result<T, E>>
    where
        F: Fn(Tx) -> Fut + Send + Sync + 'a,
        Fut: Future<Output = Result<T, E>> + Send + 'a,
        T: Send + 'a,
        E: From<DbError> + Send + 'a,
    {
        Box::pin(async move {
            let mut tries = 1;
            loop {
                let (done, passing) =
                    self.once(&work, "begin isolation level serializable", Patience::Usual).await;
                if !passing || tries == TRIES {
                    return done;
                }
                tokio::time::sleep(pause(tries)).await;
                tries += 1;
            }
        })
    }

    /// For migrations, which wait for each other by a lock and must then see what the other one did; as long as it
    /// takes.
    pub(super) async fn tx_after_lock<T, F, Fut>(&self, work: F) -> Result<T, DbError>
    where
        F: Fn(Tx) -> Fut,
        Fut: Future<Output = Result<T, DbError>>,
    {
        self.once(&work, "begin isolation level read committed", Patience::Endless).await.0
    }

    async fn once<T, E, F, Fut>(&self, work: &F, begin: &str, patience: Patience) -> (Result<T, E>, bool)
    where
        F: Fn(Tx) -> Fut,
        Fut: Future<Output = Result<T, E>>,
        E: From<DbError>,
    {
        let tx = match self.begin(begin, patience).await {
            Ok(tx) => tx,
            Err(e) => {
                let passing = e.is_passing();
                return (Err(e.into()), passing);
            }
        };
        let mut unfinished = Unfinished(Some(tx.clone()));
        match patience.transaction(work(tx.clone())).await {
            Ok(Ok(value)) => match tx.commit().await {
                Ok(()) => {
                    unfinished.0 = None;
                    (Ok(value), false)
                }
                Err(e) => {
                    let passing = e.is_passing() || tx.may_pass();
                    (Err(e.into()), passing)
                }
            },
            Ok(Err(e)) => {
                tx.roll_back().await;
                (Err(e), tx.may_pass())
            }
            Err(late) => (Err(late.into()), false),
        }
    }

    async fn begin(&self, begin: &str, patience: Patience) -> Result<Tx, DbError> {
        Ok(Tx::new(match &*self.backend {
            Backend::Lite(lite) => Way::Lite(lite.begin(patience).await?),
            Backend::Pg(pg) => Way::Pg(Box::new(RwLock::new(Some(pg.begin(begin, patience).await?)))),
        }))
    }

    async fn read(&self, sql: &str, params: Vec<V>) -> Result<super::lite::Answer, DbError> {
        match &*self.backend {
            Backend::Lite(lite) => lite.read(Ask::Query(sql.to_owned(), params)).await,
            Backend::Pg(pg) => match pg.ask(Ask::Query(sql.to_owned(), params.clone())).await {
                // A read may be repeated: the server was restarted while the connection lay idle.
                Err(DbError::Broken(_)) => pg.ask(Ask::Query(sql.to_owned(), params)).await,
                answer => answer,
            },
        }
    }
}

/// Undoes the transaction when its future is dropped in the middle, or when its end failed.
struct Unfinished(Option<Tx>);

impl Drop for Unfinished {
    fn drop(&mut self) {
        if let Some(tx) = self.0.take() {
            tx.abandon();
        }
    }
}

/// Longer after each try, and never the same for two that collide.
fn pause(tries: u32) -> Duration {
    let spread = getrandom::u32().unwrap_or(0) % 1000;
    Duration::from_micros(u64::from((1 << tries.min(7)) * (500 + spread)))
}
