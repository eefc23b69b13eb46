//! The gateway's own pages, for its operator and for Prometheus: /healthz /readyz /metrics /status. They
//! listen on the machine itself unless the gateway's file says otherwise, show no secret and change nothing.

use std::future::IntoFuture;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::response::IntoResponse;
use axum::routing::get;
use axum::{Json, Router};
use metrics_exporter_prometheus::PrometheusHandle;
use serde::Serialize;
use steward_shared::id::GatewayId;
use steward_shared::time::{Clock, Timestamp};
use steward_shared::wire::message::Health;
use tokio::net::TcpListener;
use tokio::sync::watch;
use tokio_util::sync::CancellationToken;

use crate::poll::{Latest, Shown};
use crate::uplink::UplinkState;

/// A report older than this means that the program no longer does its work.
const REPORT_AGE: Duration = Duration::from_secs(45);

/// What the pages show.
#[derive(Clone)]
pub struct Pages {
    pub gateway: String,
    pub latest: Arc<Latest>,
    pub health: watch::Receiver<Health>,
    pub hub: watch::Receiver<UplinkState>,
    pub prometheus: Option<PrometheusHandle>,
    pub clock: Arc<dyn Clock>,
}

#[derive(Serialize)]
struct Status {
    gateway: String,
    version: &'static str,
    now: Timestamp,
    hub: Hub,
    health: Health,
    values: Vec<Shown>,
}

/// The way to the hub.
#[derive(Serialize)]
struct Hub {
    enrolled: bool,
    connected: bool,
    since: Option<Timestamp>,
    gateway: Option<GatewayId>,
    certificate_expires: Option<Timestamp>,
    last_error: Option<String>,
}

/// Takes the address; an address in use is an error here and not later.
pub async fn bind(listen: SocketAddr) -> io::Result<TcpListener> {
    TcpListener::bind(listen).await
}

/// Serves the pages until `cancel`. Requests under way are not waited for: nothing depends on them.
pub async fn serve(listener: TcpListener, pages: Pages, cancel: CancellationToken) -> io::Result<()> {
    tokio::select! {
        served = axum::serve(listener, router(pages)).into_future() => served,
        () = cancel.cancelled() => Ok(()),
    }
}

fn router(pages: Pages) -> Router {
    Router::new()
        .route("/healthz", get(healthz))
        .route("/readyz", get(readyz))
        .route("/metrics", get(metrics))
        .route("/status", get(status))
        .with_state(Arc::new(pages))
}

/// Whether the program does its work at all: a supervisor restarts it when not.
async fn healthz(State(pages): State<Arc<Pages>>) -> (StatusCode, String) {
    let at = pages.health.borrow().at;
    let age = pages.clock.now().since(at);
    if at != Timestamp::default() && age > REPORT_AGE {
        (StatusCode::SERVICE_UNAVAILABLE, format!("the last health report is {} s old\n", age.as_secs()))
    } else {
        (StatusCode::OK, "ok\n".to_owned())
    }
}

/// Whether it does its work well: every line up, room on the disk.
async fn readyz(State(pages): State<Arc<Pages>>) -> (StatusCode, String) {
    let health = pages.health.borrow().clone();
    let mut wrong = Vec::new();
    if health.at == Timestamp::default() {
        wrong.push("starting".to_owned());
    }
    for line in health.lines.iter().filter(|l| !l.up) {
        let why = line.last_error.as_deref().unwrap_or("not opened yet");
        wrong.push(format!("line {} is down: {why}", line.name));
    }
    if wrong.is_empty() {
        (StatusCode::OK, "ready\n".to_owned())
    } else {
        (StatusCode::SERVICE_UNAVAILABLE, wrong.join("\n") + "\n")
    }
}

async fn metrics(State(pages): State<Arc<Pages>>) -> impl IntoResponse {
    let text = pages.prometheus.as_ref().map(PrometheusHandle::render).unwrap_or_default();
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text)
}

async fn status(State(pages): State<Arc<Pages>>) -> impl IntoResponse {
    let now = pages.clock.now();
    let hub = pages.hub.borrow().clone();
    Json(Status {
        gateway: pages.gateway.clone(),
        version: env!("CARGO_PKG_VERSION"),
        now,
        hub: Hub {
            enrolled: hub.gateway.is_some(),
            connected: hub.connected,
            since: hub.since,
            gateway: hub.gateway,
            certificate_expires: hub.certificate_expires,
            last_error: hub.last_error,
        },
        health: pages.health.borrow().clone(),
        values: pages.latest.show(now),
    })
}
