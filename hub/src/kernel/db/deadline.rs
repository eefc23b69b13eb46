//! How long a statement or a transaction may take. Migrations have no deadline: a large table takes its time, and a
//! start that gives up in the middle gives up at the next one too.

use std::future::Future;
use std::time::Duration;

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
