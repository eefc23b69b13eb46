//! How long a statement or a transaction may take. Migrations have no deadline: a large table takes its time, and a
//! start that gives up in the middle gives up at the next one too.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::{OwnedSemaphorePermit, Semaphore};

use super::error::DbError;

/// One statement, and a caller's wait for a connection or for the turn to write.
pub const STATEMENT: Duration = Duration::from_secs(30);
/// All of a transaction; while it runs, SQLite lets no other one write.
pub const TRANSACTION: Duration = Duration::from_mins(1);

/// Whether a transaction is bound to these.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Patience {
    Usual,
    Endless,
}

impl Patience {
    pub async fn statement<T>(self, work: impl Future<Output = T>) -> Result<T, DbError> {
        self.within(STATEMENT, work).await
    }

    pub async fn transaction<T>(self, work: impl Future<Output = T>) -> Result<T, DbError> {
        self.within(TRANSACTION, work).await
    }

    async fn within<T>(self, deadline: Duration, work: impl Future<Output = T>) -> Result<T, DbError> {
        match self {
            Self::Usual => {
                tokio::time::timeout(deadline, work).await.map_err(|_| DbError::Deadline(deadline))
            }
            Self::Endless => Ok(work.await),
        }
    }
}

/// Waits for the turn to write, or for a connection; `what` stands in the measure of such waits.
pub async fn turn_of(what: &'static str, turns: &Arc<Semaphore>) -> Result<OwnedSemaphorePermit, DbError> {
    let begun = tokio::time::Instant::now();
    let turn = tokio::time::timeout(STATEMENT, Arc::clone(turns).acquire_owned()).await;
    metrics::histogram!("steward_hub_database_wait_seconds", "for" => what)
        .record(begun.elapsed().as_secs_f64());
    match turn {
        Ok(permit) => Ok(permit.expect("the semaphore is never closed")),
        Err(_) => Err(DbError::Busy),
    }
}
