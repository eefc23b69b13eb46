//! The outbox: what a lower module has to tell to upper ones, written in the transaction that caused it and
//! told after the commit, at least once, in order. A listener must bear being told twice. An event that cannot be
//! told for long is set aside, so that it does not hold up all others, and is tried again when the hub starts.

use std::time::Duration;

use futures_util::future::BoxFuture;
use serde::Deserialize;
use steward_shared::time::Timestamp;

use super::ctx::Ctx;
use super::db::{Db, DbError, Tx};
use super::faults::{caught, chain};
use super::jobs::Job;
use super::module::BoxError;
use crate::params;

/// The job that tells; `put` is followed by a nudge of it once the transaction is through.
pub const JOB: &str = "kernel.outbox";
const AT_ONCE: usize = 100;
/// Set aside is what failed so often and is so old.
const TRIES: i64 = 10;
const PATIENCE: Duration = Duration::from_mins(10);

/// Who wants to be told of a topic.
#[derive(Clone, Copy)]
pub struct Listener {
    pub topic: &'static str,
    pub hear: for<'a> fn(&'a Ctx, &'a str) -> BoxFuture<'a, Result<(), BoxError>>,
}

/// All listeners of all modules; put into the context at start.
pub struct Listeners(pub Vec<Listener>);

/// `topic` is `<module>.<what happened>`; `body` is what the listeners read, as JSON.
pub async fn put(tx: &Tx, at: Timestamp, topic: &str, body: &impl serde::Serialize) -> Result<(), DbError> {
    let body = serde_json::to_string(body).expect("an event is texts, numbers and ids");
    tx.execute("insert into outbox (topic, body, at, tries) values ($1, $2, $3, 0)", params![topic, body, at])
        .await
        .map(drop)
}

pub fn job() -> Job {
    Job {
        name: JOB,
        every: Duration::from_secs(10),
        run: |ctx| Box::pin(async move { Ok(tell(&ctx).await?) }),
    }
}

#[derive(Deserialize)]
struct Waiting {
    id: i64,
    topic: String,
    body: String,
    at: Timestamp,
    tries: i64,
}

/// At the start: what was set aside may be told by this program.
pub async fn try_all_again(db: &Db) -> Result<(), DbError> {
    db.execute("update outbox set tries = 0 where tries > 0", params![]).await.map(drop)
}

/// Tells what waits, oldest first; stops at one that a listener cannot take, and begins there next time.
pub async fn tell(ctx: &Ctx) -> Result<(), DbError> {
    let Some(listeners) = ctx.find_part::<Listeners>() else { return Ok(()) };
    while let Some(waiting) = next(ctx).await? {
        for event in waiting {
            let told = caught(hear(ctx, &listeners, &event)).await;
            if let Err(e) = told.unwrap_or_else(|panicked| Err(panicked.into())) {
                ctx.db
                    .execute("update outbox set tries = tries + 1 where id = $1", params![event.id])
                    .await?;
                let (error, topic, tries) = (chain(e.as_ref()), &event.topic, event.tries + 1);
                if tries < TRIES || ctx.now().since(event.at) < PATIENCE {
                    tracing::warn!(error, topic, tries, "an event could not be told; it waits");
                    return measure(ctx).await;
                }
                tracing::error!(
                    error,
                    topic,
                    id = event.id,
                    "an event cannot be told; it is set aside until the hub starts again"
                );
                continue;
            }
            ctx.db.execute("delete from outbox where id = $1", params![event.id]).await?;
        }
    }
    measure(ctx).await
}

/// None when nothing waits any more.
async fn next(ctx: &Ctx) -> Result<Option<Vec<Waiting>>, DbError> {
    let waiting: Vec<Waiting> = ctx
        .db
        .query(
            "select id, topic, body, at, tries from outbox where tries < $2 or at > $3 order by id limit $1",
            params![AT_ONCE, TRIES, ctx.now().minus(PATIENCE)],
        )
        .await?;
    Ok(if waiting.is_empty() { None } else { Some(waiting) })
}

async fn hear(ctx: &Ctx, listeners: &Listeners, event: &Waiting) -> Result<(), BoxError> {
    for listener in listeners.0.iter().filter(|l| l.topic == event.topic) {
        (listener.hear)(ctx, &event.body).await?;
    }
    Ok(())
}

async fn measure(ctx: &Ctx) -> Result<(), DbError> {
    let waiting: Option<i64> = ctx.db.one("select count(*) from outbox", params![]).await?;
    metrics::gauge!("steward_hub_outbox_waiting").set(waiting.unwrap_or_default() as f64);
    Ok(())
}
