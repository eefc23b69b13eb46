//! Background work: idempotent functions that run by period and by nudge. One database serves one hub; a lease in it
//! sees to it that no job runs twice at once also where a hub lost its claim and has not ended yet.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use super::ctx::Ctx;
use super::db::DbError;
use super::faults::{caught, chain};
use super::module::{BoxError, Working};
use crate::params;

/// What a module hands over. The function must bear being run twice and being stopped in the middle.
#[derive(Clone)]
pub struct Job {
    /// `<module>.<what>`, unique.
    pub name: &'static str,
    pub every: Duration,
    pub run: fn(Ctx) -> Working,
}

/// The bells of the jobs: nudge one to have it run now.
#[derive(Clone, Debug, Default)]
pub struct Jobs(Arc<Mutex<HashMap<&'static str, Arc<Notify>>>>);

impl Jobs {
    /// Many nudges before the job comes round are one.
    pub fn nudge(&self, name: &'static str) {
        self.bell(name).notify_one();
    }

    pub fn bell(&self, name: &'static str) -> Arc<Notify> {
        let mut bells = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(bells.entry(name).or_default())
    }
}

/// How long a hub may hold a job before another one takes it for dead. A job that runs longer renews.
const LEASE: Duration = Duration::from_mins(2);
const RENEW: Duration = Duration::from_secs(30);

/// Runs one job by period and by nudge until the program stops. What fails is logged and tried again next time.
pub async fn keep_running(ctx: Ctx, job: Job) {
    let bell = ctx.jobs.bell(job.name);
    let holder = ctx.ids.new_uuid().to_string();
    loop {
        let begun = tokio::time::Instant::now();
        let outcome = run_leased(&ctx, &job, &holder).await;
        let took = begun.elapsed().as_secs_f64();
        metrics::histogram!("steward_hub_job_seconds", "job" => job.name).record(took);
        let failed = outcome.is_err();
        if let Err(e) = outcome {
            metrics::counter!("steward_hub_job_failures_total", "job" => job.name).increment(1);
            tracing::warn!(job = job.name, error = %chain(e.as_ref()), "a job failed; it is tried again");
        }
        // A nudge does not shorten the wait after a failure: the cause is probably still there.
        let pause = if failed { Duration::from_secs(5).min(job.every) } else { Duration::ZERO };
        tokio::select! {
            // Losing the wait is harmless: the program stops.
            () = ctx.stopping.cancelled() => return,
            // Losing the bell is harmless: a nudge stays in it until it is heard.
            () = async {
                tokio::time::sleep(pause).await;
                let _ = tokio::time::timeout(job.every, bell.notified()).await;
            } => {}
        }
    }
}

/// False when another hub holds the job, and it was not run here.
pub(super) async fn run_leased(ctx: &Ctx, job: &Job, holder: &str) -> Result<bool, BoxError> {
    if !lease(ctx, job.name, holder).await? {
        return Ok(false);
    }
    // Polled beside the work, never instead of it: the work may hold the turn to write that a renewal waits for.
    let renewing = async {
        loop {
            tokio::time::sleep(RENEW).await;
            match lease(ctx, job.name, holder).await {
                Ok(true) => {}
                Ok(false) => return Err("another hub has taken the job over".into()),
                Err(e) => {
                    tracing::warn!(job = job.name, error = %chain(&e), "the lease of a job could not be renewed");
                }
            }
        }
    };
    // All are gone after this, and with them a transaction that the work was in: `release` has to write.
    let outcome = tokio::select! {
        outcome = caught(async { (job.run)(ctx.clone()).await }) => outcome.unwrap_or_else(|e| Err(e.into())),
        // Jobs bear being stopped in the middle.
        () = ctx.stopping.cancelled() => Ok(()),
        // Losing it is harmless: the job is done. When it ends, the job is another hub's, and is stopped here.
        lost = renewing => lost,
    };
    let error = outcome.as_ref().err().map(|e| chain(e.as_ref()));
    release(ctx, job.name, holder, error).await?;
    outcome.map(|()| true)
}

/// True when this hub may run the job now.
async fn lease(ctx: &Ctx, name: &str, holder: &str) -> Result<bool, DbError> {
    let now = ctx.now();
    let until = now.plus(LEASE);
    let taken = ctx
        .db
        .execute(
            "insert into job (name, holder, until, last_start) values ($1, $2, $3, $4)
             on conflict (name) do update set holder = excluded.holder, until = excluded.until, last_start = excluded.last_start
             where job.until <= excluded.last_start or job.holder = excluded.holder",
            params![name, holder, until, now],
        )
        .await?;
    Ok(taken == 1)
}

async fn release(ctx: &Ctx, name: &str, holder: &str, error: Option<String>) -> Result<(), DbError> {
    ctx.db
        .execute(
            "update job set until = 0, last_end = $3, last_error = $4 where name = $1 and holder = $2",
            params![name, holder, ctx.now(), error],
        )
        .await
        .map(drop)
}
