//! A hub's claim on its PostgreSQL database: a session's advisory lock on a connection of its own, held for as long as
//! the hub serves. Two hubs must never serve one database: what is not compacted yet is in the memory of one of them.
//! Taken and kept by `app`; the server frees it when the hub dies or its connection breaks. SQLite has none: its file
//! lies in the data folder of one hub.

use std::time::Duration;

use tokio::task::JoinHandle;
use tokio_postgres::{Client, Config};

use super::error::DbError;
use super::pg;

/// How long the server may need to notice that the connection of a former hub is dead, and somewhat more.
const KEEPALIVE: &str =
    "set tcp_keepalives_idle = 10; set tcp_keepalives_interval = 5; set tcp_keepalives_count = 3";
const LOCK: i64 = 7_311_902;
const BEAT: Duration = Duration::from_secs(5);
const ANSWER: Duration = Duration::from_secs(10);

/// Given up when this is dropped.
pub struct Claim(Option<Box<Held>>);

struct Held {
    config: Config,
    /// For a hub that is about to end, or whose end the server has not noticed yet.
    wait: Duration,
    client: Client,
    connection: JoinHandle<()>,
}

impl Claim {
    pub(super) fn on_sqlite() -> Self {
        Self(None)
    }

    pub(super) async fn on_postgres(config: &Config, wait: Duration) -> Result<Self, DbError> {
        Held::take(config.clone(), wait).await.map(|held| Self(Some(held)))
    }

    /// Watches over it, and takes it again where its connection broke. Ends when another hub was faster, with that
    /// error.
    pub async fn keep(self) -> DbError {
        let Some(mut held) = self.0 else { return std::future::pending().await };
        loop {
            held.until_lost().await;
            tracing::warn!("the connection that holds the claim on the database broke; it is taken again");
            let Held { config, wait, client, .. } = *held;
            drop(client);
            held = loop {
                match Held::take(config.clone(), wait).await {
                    Ok(again) => break again,
                    Err(e @ DbError::Claimed) => return e,
                    // Who cannot reach the database cannot write either.
                    Err(_) => tokio::time::sleep(BEAT).await,
                }
            };
            tracing::info!("the claim on the database is taken again");
        }
    }
}

impl Held {
    async fn take(config: Config, wait: Duration) -> Result<Box<Self>, DbError> {
        let (client, connection) = Box::pin(pg::connect(&config)).await?;
        let taking = async {
            let wait_ms = wait.as_millis();
            client
                .batch_execute(&format!(
                    "{KEEPALIVE}; set statement_timeout = 0; set lock_timeout = {wait_ms}"
                ))
                .await?;
            let sql = "select pg_try_advisory_lock($1)";
            if client.query_one(sql, &[&LOCK]).await?.try_get(0)? {
                return Ok(());
            }
            tracing::info!(?wait, "another hub has this database; this one waits for its end");
            client.execute("select pg_advisory_lock($1)", &[&LOCK]).await.map(drop)
        };
        match tokio::time::timeout(wait + ANSWER, taking).await {
            Ok(Ok(())) => Ok(Box::new(Self { config, wait, client, connection })),
            Ok(Err(e)) => Err(match pg::meaning(e, "select pg_advisory_lock") {
                DbError::Busy => DbError::Claimed,
                e => e,
            }),
            Err(_) => Err(DbError::Deadline(wait + ANSWER)),
        }
    }

    async fn until_lost(&mut self) {
        loop {
            tokio::select! {
                // Losing it is harmless: it is a task of its own.
                _ = &mut self.connection => return,
                // Losing the wait is harmless: the connection is gone.
                () = tokio::time::sleep(BEAT) => {}
            }
            // A connection may be dead without a word.
            let answer = tokio::time::timeout(ANSWER, self.client.simple_query("select 1")).await;
            if !matches!(answer, Ok(Ok(_))) {
                return;
            }
        }
    }
}
