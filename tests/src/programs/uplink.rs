//! The way of one gateway to the hub, in this process: the real buffer and the real sync, without devices. For what a
//! test must put into the gateway itself, to the millisecond.

use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use steward_edge::alarm::Alarms;
use steward_edge::buffer::{Buffer, BufferSettings};
use steward_edge::clock::Timekeeper;
use steward_edge::command::Incoming;
use steward_edge::evidence::Evidence;
use steward_edge::uplink::{MachineNetwork, Means, UplinkSettings, UplinkState, enrol, run};
use steward_shared::alarm::{Event, EventKind};
use steward_shared::id::{EventId, PointNo, RandomIds};
use steward_shared::reading::{Quality, Reading, Value};
use steward_shared::time::{Clock, SystemClock};
use steward_shared::wire::message::{
    Catalogue, CatalogueDevice, CataloguePoint, Health, Lane, Names, PointKind,
};
use tokio::sync::{broadcast, mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use crate::plant::noise::chance;

const VERSION: &str = "0.1.0";
const DEVICE: &str = "meter";
const PATIENCE: Duration = Duration::from_mins(1);

/// A gateway that is enrolled and connects by itself.
#[derive(Debug)]
pub struct Uplink {
    pub buffer: Buffer,
    state: watch::Receiver<UplinkState>,
    points: Vec<PointNo>,
    events: u64,
    /// Held for as long as the session is to last.
    _health: watch::Sender<Health>,
    _commands: mpsc::Receiver<Incoming>,
    cancel: CancellationToken,
    task: JoinHandle<()>,
}

impl Uplink {
    /// Enrols with a one-time code and starts; `points` is how many points it has.
    pub async fn start(dir: &Path, hub: SocketAddr, code: &str, points: usize) -> anyhow::Result<Self> {
        let clock: Arc<dyn Clock> = Arc::new(SystemClock);
        enrol(dir, &hub.to_string(), code, VERSION, clock.clone()).await?;
        let buffer = Buffer::open(dir, BufferSettings::default(), clock.clone(), Arc::new(RandomIds))?;
        let keys: Vec<_> = (0..points).map(|n| format!("p{n}")).collect();
        let names = keys.iter().map(|key| (DEVICE.to_owned(), key.clone())).collect();
        let points = buffer.number_points(names).await?;
        buffer.set_catalogue(catalogue(&keys, &points)).await?;
        let timekeeper =
            Timekeeper::new(buffer.clone(), Evidence::none(), clock.clone(), Arc::new(RandomIds), || true);
        let alarms = Alarms::open(buffer.clone(), clock, Arc::new(RandomIds)).await?;
        let (cancel, state) = (CancellationToken::new(), watch::Sender::default());
        let (states, health) = (state.subscribe(), watch::Sender::new(Health::default()));
        let (commands, incoming) = mpsc::channel(16);
        let means = Means {
            network: Arc::new(MachineNetwork),
            buffer: buffer.clone(),
            alarms,
            live: broadcast::Sender::new(64),
            health: health.subscribe(),
            timekeeper,
            commands,
            configuration: steward_edge::configure::Link::closed(),
        };
        let settings =
            UplinkSettings { hub: hub.to_string(), state_dir: dir.to_owned(), version: VERSION.into() };
        let task = tokio::spawn(run(settings, means, cancel.clone(), state));
        Ok(Self {
            buffer,
            state: states,
            points,
            events: 0,
            _health: health,
            _commands: incoming,
            cancel,
            task,
        })
    }

    pub async fn connected(&mut self) -> anyhow::Result<()> {
        let connected = tokio::time::timeout(PATIENCE, self.state.wait_for(|s| s.connected)).await;
        connected.context("the gateway does not connect")?.context("the uplink has ended").map(drop)
    }

    /// History of `hours` hours that ended a day ago: each point once a minute, with values that do not compress well.
    pub async fn import(&self, hours: i64) -> anyhow::Result<()> {
        let end = SystemClock.now().minus(Duration::from_hours(24)).floor_to(Duration::from_mins(1));
        for hour in (0..hours).rev() {
            let mut readings = Vec::with_capacity(self.points.len() * 60);
            for (p, point) in (0..).zip(&self.points) {
                for minute in (0..60).rev() {
                    let back = hour * 60 + minute;
                    let at = end.minus(Duration::from_mins(back.unsigned_abs()));
                    let value = chance(7, p, back) * 1000.0;
                    readings.push(Reading {
                        point: *point,
                        at,
                        value: Some(Value::Number(value)),
                        quality: Quality::Good,
                    });
                }
            }
            self.buffer.import(Lane::Backfill, readings).await?;
        }
        Ok(())
    }

    /// How long an event takes until the hub's acknowledgement is here.
    pub async fn alarm(&mut self) -> anyhow::Result<Duration> {
        self.events += 1;
        let event = Event {
            id: EventId::new(&RandomIds),
            at: SystemClock.now(),
            kind: EventKind::DeviceSilent,
            active: true,
            line: None,
            device: Some(format!("device {}", self.events)),
            detail: String::new(),
            about: None,
        };
        let begun = Instant::now();
        self.buffer.event(event).await?;
        while self.acked(Lane::Alarm).await? < self.events {
            anyhow::ensure!(begun.elapsed() < PATIENCE, "the alarm is not acknowledged");
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        Ok(begun.elapsed())
    }

    pub async fn acked(&self, lane: Lane) -> anyhow::Result<u64> {
        let state = self.buffer.state().await?;
        Ok(state.lanes.iter().find(|l| l.lane == lane).map_or(0, |l| l.acked))
    }

    /// The newest that is stored.
    pub async fn last(&self, lane: Lane) -> anyhow::Result<u64> {
        let state = self.buffer.state().await?;
        Ok(state.lanes.iter().find(|l| l.lane == lane).map_or(0, |l| l.last))
    }

    pub async fn stop(self) -> anyhow::Result<()> {
        self.cancel.cancel();
        self.task.await?;
        Ok(self.buffer.close().await?)
    }
}

fn catalogue(keys: &[String], points: &[PointNo]) -> Catalogue {
    let names = |text: &str| Names { zh: text.to_owned(), en: text.to_owned() };
    let device = CatalogueDevice {
        key: DEVICE.into(),
        title: names(DEVICE),
        profile: "bench/noise".into(),
        vendor: String::new(),
        model: String::new(),
        place: String::new(),
        line: String::new(),
        address: String::new(),
        in_use: true,
    };
    let point = |(key, no): (&String, &PointNo)| CataloguePoint {
        no: *no,
        device: DEVICE.into(),
        key: key.clone(),
        title: names(key),
        unit: "kW".into(),
        kind: PointKind::Gauge,
        labels: vec![],
        period_ms: 60_000,
        decimals: 1,
        modulus: None,
        in_use: true,
        write: None,
    };
    Catalogue { devices: vec![device], points: keys.iter().zip(points).map(point).collect() }
}
