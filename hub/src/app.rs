//! The program put together: database, modules, routes, jobs, tasks; and taken apart in order when it stops.

use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use futures_util::FutureExt;
use metrics_exporter_prometheus::PrometheusHandle;
use serde_json::Value;
use steward_shared::id::Ids;
use steward_shared::systemd::Systemd;
use steward_shared::time::Clock;
use tokio::net::TcpListener;
use tokio::task::{JoinError, JoinSet};
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;
use utoipa::OpenApi;
use utoipa::openapi::security::{ApiKey, ApiKeyValue, SecurityScheme};
use utoipa_axum::router::OpenApiRouter;

use crate::kernel::caller::SESSION_COOKIE;
use crate::kernel::ctx::Ctx;
use crate::kernel::db::{Claim, Db, DbError, Migration, migrate};
use crate::kernel::faults::{caught, chain};
use crate::kernel::files::AllNamed;
use crate::kernel::module::{BoxError, Module};
use crate::kernel::outbox::Listeners;
use crate::kernel::settings::Settings;
use crate::kernel::{heartbeat, http, jobs};
use crate::web::{self, ApiDocument};
use crate::{document, measures, modules};

/// How long requests and tasks that are under way may take to finish when the program stops.
const FAREWELL: Duration = Duration::from_secs(10);
/// How long a hub that starts waits for the end of another one: longer than PostgreSQL needs to notice that the
/// connection of one that died is gone, which takes 25 s where its whole machine did.
const OTHERS_END: Duration = Duration::from_secs(40);
/// How often the measures are tidied: what a histogram has collected is summed up then.
const UPKEEP: Duration = Duration::from_secs(30);

#[derive(OpenApi)]
#[openapi(info(
    title = "Steward hub",
    description = "The API of Steward's hub. The console uses nothing else. Errors are application/problem+json \
                   (RFC 9457); lists come in pages; a change needs If-Match; every POST takes an Idempotency-Key. \
                   The scopes of `session` are the least role that an operation wants.",
    license(name = "Apache-2.0", identifier = "Apache-2.0")
))]
struct Base;

/// The hub, ready to serve.
pub struct App {
    pub ctx: Ctx,
    pub router: Router,
    modules: Vec<Module>,
    claim: Claim,
}

#[derive(Debug, thiserror::Error)]
pub enum StartError {
    #[error(transparent)]
    Database(#[from] DbError),
    #[error("module {module} cannot start")]
    Setup {
        module: &'static str,
        #[source]
        source: BoxError,
    },
}

/// Why the hub stopped without being told to.
#[derive(Debug, thiserror::Error)]
pub enum ServeError {
    #[error("the task {name} broke off")]
    Task {
        name: &'static str,
        #[source]
        source: BoxError,
    },
    #[error("the task {0} ended before its time")]
    Ended(&'static str),
    #[error("a task was lost")]
    Lost(#[source] JoinError),
}

/// All routes with their document.
pub fn api(modules: &mut [Module]) -> (Router<Ctx>, Value) {
    let mut all = OpenApiRouter::with_openapi(Base::openapi()).merge(web::routes());
    for module in modules {
        all = all.merge(std::mem::take(&mut module.routes));
    }
    let (router, mut openapi) = all.split_for_parts();
    openapi.components.get_or_insert_default().add_security_scheme(
        "session",
        SecurityScheme::ApiKey(ApiKey::Cookie(ApiKeyValue::new(SESSION_COOKIE))),
    );
    let mut document = serde_json::to_value(openapi).expect("the document is JSON");
    document::complete(&mut document);
    (router, document)
}

/// The OpenAPI document as it is committed.
pub fn openapi() -> String {
    let mut text = serde_json::to_string_pretty(&api(&mut modules::all()).1).expect("the document is JSON");
    text.push('\n');
    text
}

/// Who may call what, one operation a line, as it is committed.
pub fn policies() -> String {
    let (_, document) = api(&mut modules::all());
    let mut lines: Vec<String> = http::Policies::of(&document)
        .all()
        .map(|(m, p, policy)| format!("{p} {m} {}\n", policy.word()))
        .collect();
    lines.sort();
    lines.concat()
}

impl App {
    /// Claims the database, migrates it and sets up the modules.
    pub async fn build(
        db: Db,
        clock: Arc<dyn Clock>,
        ids: Arc<dyn Ids>,
        settings: Settings,
        handle: PrometheusHandle,
    ) -> Result<Self, StartError> {
        measures::describe();
        let claim = db.claim(OTHERS_END).await?;
        let mut modules = modules::all();
        let tables: Vec<(&str, &[Migration])> = modules.iter().map(|m| (m.name, m.migrations)).collect();
        migrate(&db, &tables, clock.now().as_millis()).await?;
        let ctx = Ctx::new(db, clock, ids, settings);
        ctx.put(Arc::new(handle));
        ctx.put(Arc::new(Listeners(modules.iter().flat_map(|m| m.listeners.iter().copied()).collect())));
        ctx.put(Arc::new(AllNamed(modules.iter().filter_map(|m| m.files).collect())));
        for module in &modules {
            if let Some(setup) = module.setup {
                setup(ctx.clone())
                    .await
                    .map_err(|source| StartError::Setup { module: module.name, source })?;
            }
        }
        let (api, document) = api(&mut modules);
        let router = http::dress(api.fallback(web::console), &document, &ctx);
        ctx.put(Arc::new(ApiDocument(document)));
        Ok(Self { ctx, router, modules, claim })
    }

    /// Serves until `stop`, then lets what is under way finish. A task that breaks off stops the hub, and is the
    /// error.
    pub async fn serve(
        self,
        listener: TcpListener,
        systemd: Systemd,
        stop: impl Future<Output = ()> + Send,
    ) -> Result<(), ServeError> {
        let Self { ctx, router, modules, claim } = self;
        let (stopping, under_way) = (ctx.stopping.clone(), ctx.under_way.clone());
        let mut work = JoinSet::new();
        for module in modules {
            for job in module.jobs {
                work.spawn(watched(job.name, stopping.clone(), jobs::keep_running(ctx.clone(), job).map(Ok)));
            }
            for task in module.tasks {
                let (ctx, stop) = (ctx.clone(), stopping.clone());
                work.spawn(watched(task.name, stopping.clone(), async move { (task.run)(ctx, stop).await }));
            }
        }
        let beating = heartbeat::beat(ctx.db.clone(), systemd, stopping.clone());
        work.spawn(watched("heartbeat", stopping.clone(), beating.map(Ok)));
        work.spawn(watched("measures", stopping.clone(), keep_measures_tidy(ctx.clone()).map(Ok)));
        let serving = http::serve(listener, router, http::Limits::default(), stopping.clone());
        work.spawn(watched("web server", stopping.clone(), serving.map(Ok)));

        // Not among the others: the database is claimed until all of them have finished.
        let keeping =
            watched("claim on the database", stopping.clone(), async { Err(claim.keep().await.into()) });
        let mut keeping = AbortOnDropHandle::new(tokio::spawn(keeping));

        let mut broken = None;
        tokio::select! {
            // Losing the signal is harmless: the hub stops anyway.
            () = stop => {}
            // Losing it is harmless: it goes on while the hub stops.
            lost = &mut keeping => note(&mut broken, lost),
            // Cancel safe; there is always one task at least.
            Some(ended) = work.join_next() => note(&mut broken, ended),
        }
        stopping.cancel();
        let all_done = async {
            while let Some(ended) = work.join_next().await {
                note(&mut broken, ended);
            }
            // After the web server, which begins it.
            under_way.close();
            under_way.wait().await;
        };
        if tokio::time::timeout(FAREWELL, all_done).await.is_err() {
            tracing::warn!("something did not finish in time; the hub stops without it");
        }
        broken.map_or(Ok(()), Err)
    }
}

/// The first fault is the one that the hub ends with; the others are only logged.
fn note(first: &mut Option<ServeError>, ended: Result<Result<(), ServeError>, JoinError>) {
    match ended.unwrap_or_else(|e| Err(ServeError::Lost(e))) {
        Ok(()) => {}
        Err(e) if first.is_none() => *first = Some(e),
        Err(e) => tracing::error!(error = chain(&e), "one more task of the hub broke off"),
    }
}

async fn keep_measures_tidy(ctx: Ctx) {
    let handle = ctx.find_part::<PrometheusHandle>();
    // Losing the wait is harmless: measures are tidied again after the next start.
    while tokio::time::timeout(UPKEEP, ctx.stopping.cancelled()).await.is_err() {
        if let Some(handle) = &handle {
            handle.run_upkeep();
        }
    }
}

/// A task with its name in what it dies of. One that ends before the program is to stop has failed too.
async fn watched(
    name: &'static str,
    stopping: CancellationToken,
    work: impl Future<Output = Result<(), BoxError>>,
) -> Result<(), ServeError> {
    match caught(work).await {
        Ok(Ok(())) if stopping.is_cancelled() => Ok(()),
        Ok(Ok(())) => Err(ServeError::Ended(name)),
        Ok(Err(source)) => Err(ServeError::Task { name, source }),
        Err(panicked) => Err(ServeError::Task { name, source: panicked.into() }),
    }
}

#[cfg(test)]
mod tests;
