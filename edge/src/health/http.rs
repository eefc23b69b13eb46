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
use axum::serve::Listener;
use axum::{Json, Router};
use serde::Serialize;
use steward_shared::id::GatewayId;
use steward_shared::time::{Clock, Timestamp};
use steward_shared::wire::config::ConfigReport;
use steward_shared::wire::message::{Health, Names};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;
use tracing::error;

use super::gauges::LineGauge;
use super::metric::figures;
use super::publishers::{PublishGauge, PublishHealth};
use crate::buffer::Buffer;
use crate::doctor::{DeviceBook, LineBook};
use crate::poll::{Latest, Shown};
use crate::uplink::{RoadKind, UplinkState};

/// After an error of the socket on which connections come: of too many open files, for one.
const AGAIN: Duration = Duration::from_secs(1);
/// A report older than this means that the program no longer does its work.
const REPORT_AGE: Duration = Duration::from_secs(45);

/// What the pages show.
#[derive(Clone)]
pub struct Pages {
    pub gateway: String,
    pub title: Names,
    pub buffer: Buffer,
    /// The instant from which reports count their uptime.
    pub started: Instant,
    pub latest: Arc<Latest>,
    pub health: watch::Receiver<Health>,
    pub hub: watch::Receiver<UplinkState>,
    pub configuration: watch::Receiver<Arc<ConfigReport>>,
    pub lines: watch::Receiver<Vec<Arc<LineGauge>>>,
    pub publishers: watch::Receiver<Vec<Arc<PublishGauge>>>,
    pub clock: Arc<dyn Clock>,
}

#[derive(Serialize)]
struct Status {
    gateway: String,
    title: Names,
    version: &'static str,
    now: Timestamp,
    hub: Hub,
    configuration: Configuration,
    health: Health,
    doctor: Vec<OfLine>,
    /// Who is told readings besides the hub.
    publish: Vec<PublishHealth>,
    values: Vec<Shown>,
}

/// What was seen on the wires of a line.
#[derive(Serialize)]
struct OfLine {
    name: String,
    #[serde(flatten)]
    line: LineBook,
    devices: Vec<OfDevice>,
}

#[derive(Serialize)]
struct OfDevice {
    key: String,
    #[serde(flatten)]
    device: DeviceBook,
}

fn of_line(gauge: &LineGauge) -> OfLine {
    let (book, names) = gauge.book();
    let devices = names.into_iter().zip(book.devices().iter().cloned());
    let devices = devices.map(|(key, device)| OfDevice { key, device }).collect();
    OfLine { name: gauge.name().to_owned(), line: book.line().clone(), devices }
}

/// The way to the hub.
#[derive(Serialize)]
struct Hub {
    enrolled: bool,
    connected: bool,
    /// quic or tcp, while it is connected.
    road: Option<&'static str>,
    /// What somebody should see to, though it is connected.
    advice: Option<Names>,
    since: Option<Timestamp>,
    gateway: Option<GatewayId>,
    certificate_expires: Option<Timestamp>,
    last_error: Option<String>,
}

/// Which configuration is in force.
#[derive(Serialize)]
struct Configuration {
    /// The hub may change it.
    open: bool,
    /// The hub's version; none for the file on site.
    version: Option<u64>,
    /// The last version that the hub wanted, what became of it (refused, trying, kept, taken_back) and why.
    last: Option<u64>,
    state: Option<&'static str>,
    detail: Option<String>,
}

impl From<&ConfigReport> for Configuration {
    fn from(report: &ConfigReport) -> Self {
        let last = report.outcome.as_ref();
        Self {
            open: report.is_open,
            version: report.version,
            last: last.map(|outcome| outcome.version),
            state: last.map(|outcome| outcome.stage.word()),
            detail: last.map(|outcome| outcome.detail.clone()).filter(|detail| !detail.is_empty()),
        }
    }
}

/// Takes the address; an address in use is an error here and not later.
pub async fn bind(listen: SocketAddr) -> io::Result<TcpListener> {
    TcpListener::bind(listen).await
}

/// Serves the pages until `cancel`. Requests under way are not waited for: nothing depends on them.
pub async fn serve(listener: TcpListener, pages: Pages, cancel: CancellationToken) -> io::Result<()> {
    tokio::select! {
        served = axum::serve(Door(listener), router(pages)).into_future() => served,
        () = cancel.cancelled() => Ok(()),
    }
}

/// Says why nobody is let in, once; axum's own would only wait.
struct Door(TcpListener);

impl Listener for Door {
    type Io = TcpStream;
    type Addr = SocketAddr;

    async fn accept(&mut self) -> (TcpStream, SocketAddr) {
        let mut is_told = false;
        loop {
            match self.0.accept().await {
                Ok(accepted) => return accepted,
                // It has gone away before it was taken.
                Err(e) if e.kind() == io::ErrorKind::ConnectionAborted => {}
                Err(e) => {
                    if !std::mem::replace(&mut is_told, true) {
                        error!("no connection to the status pages can be taken: {e}");
                    }
                    sleep(AGAIN).await;
                }
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.0.local_addr()
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

/// Whether the program does its work at all: a supervisor restarts it when not. The age is not the wall clock's: one that
/// is set right is no fault.
async fn healthz(State(pages): State<Arc<Pages>>) -> (StatusCode, String) {
    let reported = Duration::from_secs(pages.health.borrow().uptime_s);
    let age = pages.started.elapsed().saturating_sub(reported);
    if pages.buffer.is_closed() {
        (StatusCode::SERVICE_UNAVAILABLE, "the buffer has ended; nothing is kept\n".to_owned())
    } else if age > REPORT_AGE {
        (StatusCode::SERVICE_UNAVAILABLE, format!("the last health report is {} s old\n", age.as_secs()))
    } else {
        (StatusCode::OK, "ok\n".to_owned())
    }
}

/// Whether it does its work well: every line up, room on the disk, everything stored.
async fn readyz(State(pages): State<Arc<Pages>>) -> (StatusCode, String) {
    let health = pages.health.borrow().clone();
    let stats = pages.buffer.stats();
    let mut wrong = Vec::new();
    if health.at == Timestamp::default() {
        wrong.push("starting".to_owned());
    }
    if stats.is_full {
        wrong.push("the disk is full; free some space: the oldest readings are dropped".to_owned());
    }
    if let Some(why) = &stats.last_error {
        wrong.push(format!("the last write to the disk failed: {why}"));
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
    let (health, hub) = (pages.health.borrow().clone(), pages.hub.borrow().clone());
    let lines = pages.lines.borrow().clone();
    let publish = told(&pages);
    let text = figures(&health, &lines, &publish, &hub, pages.clock.now());
    ([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text)
}

fn told(pages: &Pages) -> Vec<PublishHealth> {
    pages.publishers.borrow().iter().map(|gauge| gauge.read()).collect()
}

async fn status(State(pages): State<Arc<Pages>>) -> impl IntoResponse {
    let now = pages.clock.now();
    let hub = pages.hub.borrow().clone();
    Json(Status {
        gateway: pages.gateway.clone(),
        title: pages.title.clone(),
        version: env!("CARGO_PKG_VERSION"),
        now,
        hub: Hub {
            enrolled: hub.gateway.is_some(),
            connected: hub.connected,
            road: hub.road.map(RoadKind::word),
            advice: hub.advice(),
            since: hub.since,
            gateway: hub.gateway,
            certificate_expires: hub.certificate_expires,
            last_error: hub.last_error,
        },
        configuration: Configuration::from(&**pages.configuration.borrow()),
        health: pages.health.borrow().clone(),
        doctor: pages.lines.borrow().iter().map(|line| of_line(line)).collect(),
        publish: told(&pages),
        values: pages.latest.show(now),
    })
}

#[cfg(test)]
mod tests {
    use steward_shared::id::RandomIds;
    use steward_shared::time::ManualClock;
    use steward_shared::wire::message::LineHealth;

    use super::*;
    use crate::buffer::BufferSettings;

    struct House {
        _dir: tempfile::TempDir,
        clock: Arc<ManualClock>,
        health: watch::Sender<Health>,
        pages: Arc<Pages>,
    }

    /// A gateway that reported now, with a line that is up.
    fn house() -> House {
        let dir = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualClock::at(Timestamp(1_760_000_000_000)));
        let line = LineHealth { name: "chw".into(), up: true, ..LineHealth::default() };
        let health = watch::Sender::new(Health { at: clock.now(), lines: vec![line], ..Health::default() });
        let settings = BufferSettings::default();
        let pages = Pages {
            gateway: "east".into(),
            title: Names { zh: "东区".into(), en: "East".into() },
            buffer: Buffer::open(dir.path(), settings, clock.clone(), Arc::new(RandomIds)).unwrap(),
            started: Instant::now(),
            latest: Arc::default(),
            health: health.subscribe(),
            hub: watch::Sender::default().subscribe(),
            configuration: watch::Sender::default().subscribe(),
            lines: watch::Sender::default().subscribe(),
            publishers: watch::Sender::default().subscribe(),
            clock: clock.clone(),
        };
        House { _dir: dir, clock, health, pages: Arc::new(pages) }
    }

    async fn healthy(h: &House) -> (u16, String) {
        let (status, text) = healthz(State(Arc::clone(&h.pages))).await;
        (status.as_u16(), text)
    }

    async fn ready(h: &House) -> (u16, String) {
        let (status, text) = readyz(State(Arc::clone(&h.pages))).await;
        (status.as_u16(), text)
    }

    #[tokio::test]
    async fn a_wall_clock_that_is_set_right_is_no_fault() {
        let h = house();
        h.clock.advance(Duration::from_hours(1));
        assert_eq!(healthy(&h).await, (200, "ok\n".to_owned()));
    }

    #[tokio::test]
    async fn a_program_that_reports_no_more_or_keeps_nothing_is_not_healthy() {
        let h = house();
        tokio::time::pause();
        tokio::time::advance(Duration::from_secs(100)).await;
        tokio::time::resume();
        h.health.send_modify(|health| health.uptime_s = 40);
        let (status, text) = healthy(&h).await;
        assert_eq!((status, text.contains("is 60 s old")), (503, true), "{text}");
        h.health.send_modify(|health| health.uptime_s = 95);
        assert_eq!(healthy(&h).await.0, 200);
        h.pages.buffer.close().await.unwrap();
        let (status, text) = healthy(&h).await;
        assert_eq!((status, text.contains("nothing is kept")), (503, true), "{text}");
    }

    #[tokio::test]
    async fn what_does_not_work_well_is_named() {
        let h = house();
        assert_eq!(ready(&h).await, (200, "ready\n".to_owned()));
        h.health.send_modify(|health| {
            health.lines[0].up = false;
            health.lines[0].last_error = Some("no such port".into());
        });
        let (status, text) = ready(&h).await;
        assert_eq!((status, text.as_str()), (503, "line chw is down: no such port\n"));
    }

    #[tokio::test]
    async fn the_status_says_the_name_for_people_in_both_languages() {
        let h = house();
        let response = status(State(Arc::clone(&h.pages))).await.into_response();
        let body = axum::body::to_bytes(response.into_body(), 1 << 20).await.unwrap();
        let shown: serde_json::Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(shown["title"], serde_json::json!({ "zh": "东区", "en": "East" }));
        assert_eq!(shown["gateway"], "east");
    }

    #[tokio::test]
    async fn the_status_says_by_which_road_the_hub_is_reached_and_what_to_see_to() {
        let mut h = house();
        let hub = UplinkState {
            connected: true,
            road: Some(RoadKind::Tcp),
            port: Some(7443),
            ..UplinkState::default()
        };
        let mut pages = (*h.pages).clone();
        pages.hub = watch::Sender::new(hub).subscribe();
        h.pages = Arc::new(pages);
        let response = status(State(Arc::clone(&h.pages))).await.into_response();
        let body = axum::body::to_bytes(response.into_body(), 1 << 20).await.unwrap();
        let shown: serde_json::Value = serde_json::from_slice(&body).unwrap();
        assert_eq!(shown["hub"]["road"], "tcp");
        assert_eq!(
            shown["hub"]["advice"]["en"],
            "over TCP: UDP seems to be blocked on the way; ask for UDP port 7443"
        );
        assert!(shown["hub"]["advice"]["zh"].as_str().unwrap().contains("放行 UDP 端口 7443"));
    }
}
