//! The uplink against a small hub on loopback: real QUIC and TCP, real TLS, the real buffer.

mod clocks;
mod enrolment;
mod hub;
mod link;
mod relay;
mod roads;
mod sessions;
mod wire;

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use steward_shared::alarm::{Event, EventKind};
use steward_shared::id::{EventId, PointNo, RandomIds};
use steward_shared::reading::{Quality, Reading, Value};
use steward_shared::time::{Clock, SystemClock};
use steward_shared::wire::message::{Health, Lane};
use tokio::sync::{broadcast, mpsc, watch};
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

pub(crate) use self::hub::Hub;
use super::{Live, MachineNetwork, Means, UplinkSettings, UplinkState, run};
use crate::alarm::Alarms;
use crate::buffer::{Buffer, BufferSettings};
use crate::clock::Timekeeper;
use crate::command::Incoming;
use crate::evidence::Evidence;

/// A gateway without its poller.
struct Gateway {
    buffer: Buffer,
    live: Live,
    health: watch::Sender<Health>,
    state: watch::Receiver<UplinkState>,
    _commands: mpsc::Receiver<Incoming>,
    cancel: CancellationToken,
    task: JoinHandle<()>,
}

impl Gateway {
    async fn start(dir: &Path, hub: &Hub) -> Self {
        Self::start_by(dir, hub.address).await
    }

    async fn start_by(dir: &Path, address: SocketAddr) -> Self {
        Self::start_with(dir, address, BufferSettings::default()).await
    }

    async fn start_with(dir: &Path, address: SocketAddr, settings: BufferSettings) -> Self {
        let buffer = Buffer::open(dir, settings, Arc::new(SystemClock), Arc::new(RandomIds)).unwrap();
        Self::start_of(dir, address, buffer, Arc::new(SystemClock)).await
    }

    /// With a clock that nobody but the hub vouches for.
    async fn start_of(dir: &Path, address: SocketAddr, buffer: Buffer, clock: Arc<dyn Clock>) -> Self {
        Self::start_at(dir, &address.to_string(), buffer, clock).await
    }

    async fn start_at(dir: &Path, hub: &str, buffer: Buffer, clock: Arc<dyn Clock>) -> Self {
        let settings =
            UplinkSettings { hub: hub.to_owned(), state_dir: dir.to_owned(), version: "0.1.0".into() };
        let (live, health, state) =
            (broadcast::Sender::new(64), watch::Sender::new(Health::default()), watch::Sender::default());
        let (states, cancel) = (state.subscribe(), CancellationToken::new());
        let timekeeper =
            Timekeeper::new(buffer.clone(), Evidence::none(), clock, Arc::new(RandomIds), || false);
        let alarms = Alarms::open(buffer.clone(), Arc::new(SystemClock), Arc::new(RandomIds)).await.unwrap();
        tokio::spawn(alarms.clone().keep(cancel.clone()));
        let (commands, incoming) = mpsc::channel(16);
        let means = Means {
            network: Arc::new(MachineNetwork),
            buffer: buffer.clone(),
            alarms,
            live: live.clone(),
            health: health.subscribe(),
            timekeeper,
            commands,
            configuration: crate::configure::Link::closed(),
        };
        let task = tokio::spawn(run(settings, means, cancel.clone(), state));
        Self { buffer, live, health, state: states, _commands: incoming, cancel, task }
    }

    async fn batch(&self, from: i64) {
        self.buffer.record(readings(from)).await;
        self.buffer.flush().await.unwrap();
    }

    async fn event(&self, kind: EventKind, device: Option<&str>) {
        let event = Event {
            id: EventId::new(&RandomIds),
            at: SystemClock.now(),
            kind,
            active: true,
            line: None,
            device: device.map(Into::into),
            detail: String::new(),
            about: None,
        };
        self.buffer.event(event).await.unwrap();
    }

    async fn stop(self) {
        self.cancel.cancel();
        self.task.await.unwrap();
        self.buffer.close().await.unwrap();
    }
}

fn readings(from: i64) -> Vec<Reading> {
    let one = |i: u32| Reading {
        point: PointNo(i),
        at: steward_shared::time::Timestamp(1_760_000_000_000 + from * 10_000),
        value: Some(Value::Number(f64::from(i) / 10.0)),
        quality: Quality::Good,
    };
    (1..=20).map(one).collect()
}

/// Waits for a state that must come, and names it when it does not.
async fn eventually(what: &str, mut is_so: impl FnMut() -> bool) {
    let waiting = async {
        while !is_so() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    assert!(tokio::time::timeout(Duration::from_secs(20), waiting).await.is_ok(), "never: {what}");
}

fn mark(hub: &Hub, lane: Lane) -> u64 {
    hub.seen().marks.get(&lane).copied().unwrap_or(0)
}
