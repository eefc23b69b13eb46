//! The outbox: what a lower module has to tell to upper ones, written in the transaction that caused it and
//! told after the commit, at least once, in order. A listener must bear being told twice.

use std::time::Duration;

use futures_util::future::BoxFuture;
use serde::Deserialize;
use steward_shared::time::Timestamp;

use super::ctx::Ctx;
use super::db::{DbError, Tx};
use super::jobs::Job;
use super::module::BoxError;
use crate::params;

/// The job that tells; `put` is followed by a nudge of it once the transaction is through.
pub const JOB: &str = "kernel.outbox";
const AT_ONCE: usize = 100;

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
    tries: i64,
}

/// Tells what waits, oldest first; stops at one that a listener cannot take, and begins there next time.
pub async fn tell(ctx: &Ctx) -> Result<(), DbError> {
    let Some(listeners) = ctx.find_part::<Listeners>() else { return Ok(()) };
    loop {
        let waiting: Vec<Waiting> = ctx
            .db
            .query("select id, topic, body, tries from outbox order by id limit $1", params![AT_ONCE])
            .await?;
        if waiting.is_empty() {
            return Ok(());
        }
        for event in waiting {
            for listener in listeners.0.iter().filter(|l| l.topic == event.topic) {
                if let Err(e) = (listener.hear)(ctx, &event.body).await {
                    tracing::warn!(error = %e, topic = event.topic, tries = event.tries, "an event could not be told; it waits");
                    ctx.db
                        .execute("update outbox set tries = tries + 1 where id = $1", params![event.id])
                        .await?;
                    return Ok(());
                }
            }
            ctx.db.execute("delete from outbox where id = $1", params![event.id]).await?;
        }
    }
}
