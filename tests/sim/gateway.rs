//! The gateway as a host: the real buffer, alarms, clock and uplink, and a plant that gives them something to do. What is
//! durable is written into the ledger when the buffer says so.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use steward_edge::alarm::Alarms;
use steward_edge::buffer::{Buffer, BufferSettings, Machine};
use steward_edge::clock::Timekeeper;
use steward_edge::evidence::Evidence;
use steward_edge::uplink::{self, Means, UplinkSettings, UplinkState};
use steward_shared::alarm::{Event, EventKind};
use steward_shared::id::{BootId, EventId, PointNo};
use steward_shared::reading::{Quality, Reading, Value};
use steward_shared::time::{Clock, Timestamp};
use steward_shared::wire::message::{
    Catalogue, CatalogueDevice, CataloguePoint, DeviceHealth, Health, Lane, Names, PointKind,
};
use tokio::sync::{broadcast, mpsc, watch};
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

use crate::chance::Chance;
use crate::earth::{DEVICES, Earth, PORT, Said, held};
use crate::network::Simulated;
use crate::trace::Trace;

const VERSION: &str = "0.1.0";
/// Where it polls seldom.
const LONGEST_TURN: Duration = Duration::from_secs(10);
/// Readings of a turn.
const POINTS: usize = 3;

#[derive(Debug)]
struct Hardware {
    boot: BootId,
    since: i64,
    trace: Arc<Trace>,
}

impl Machine for Hardware {
    fn boot(&self) -> BootId {
        self.boot
    }

    fn since_boot(&self) -> Duration {
        Duration::from_millis((self.trace.now() - self.since).unsigned_abs())
    }

    fn work(&self, work: BoxFuture<'static, ()>) -> std::io::Result<()> {
        tokio::spawn(work);
        Ok(())
    }

    fn aside(&self, work: Box<dyn FnOnce() + Send>) -> BoxFuture<'static, ()> {
        work();
        Box::pin(std::future::ready(()))
    }
}

/// Until it is crashed.
pub async fn run(earth: Arc<Earth>) -> turmoil::Result {
    let hub = format!("{}:{PORT}", turmoil::lookup("hub"));
    let clock: Arc<dyn Clock> = earth.gateway_clock.clone();
    let network = Arc::new(Simulated(Arc::clone(&earth.air)));
    if !earth.gateway.join("identity").exists() {
        let code = loop {
            if let Some(code) = held(&earth.code).clone() {
                break code;
            }
            sleep(Duration::from_millis(10)).await;
        };
        uplink::enrol_over(network.as_ref(), &earth.gateway, &hub, &code, VERSION, clock.clone()).await?;
    }
    let (boot, since) = *held(&earth.boot);
    let machine = Arc::new(Hardware { boot, since, trace: Arc::clone(&earth.trace) });
    let retention = if earth.nature.forgets { Duration::ZERO } else { Duration::from_hours(7 * 24) };
    let settings = BufferSettings { retention, flush: Duration::from_secs(5), ..BufferSettings::default() };
    let buffer = Buffer::open_on(machine, &earth.gateway, &settings, clock.clone(), &earth.ids)?;
    let keys: Vec<_> = (0..POINTS).map(|n| (DEVICES[n].to_owned(), "power".to_owned())).collect();
    let points = buffer.number_points(keys).await?;
    buffer.set_catalogue(catalogue(&points)).await?;
    let synchronised = if earth.nature.clock_moves { || false } else { || true };
    let timekeeper =
        Timekeeper::new(buffer.clone(), Evidence::none(), clock.clone(), earth.ids.clone(), synchronised);
    let alarms = Alarms::open(buffer.clone(), clock.clone(), earth.ids.clone()).await?;
    let cancel = CancellationToken::new();
    tokio::spawn(alarms.clone().keep(cancel.clone()));
    let (health, state) = (watch::Sender::new(Health::default()), watch::Sender::default());
    let states = state.subscribe();
    // Nobody commands this gateway.
    let (commands, _orders) = mpsc::channel(1);
    let means = Means {
        network,
        buffer: buffer.clone(),
        alarms: alarms.clone(),
        live: broadcast::Sender::new(64),
        health: health.subscribe(),
        timekeeper,
        commands,
        configuration: steward_edge::configure::Link::closed(),
    };
    let settings = UplinkSettings { hub, state_dir: earth.gateway.clone(), version: VERSION.into() };
    tokio::spawn(uplink::run(settings, means, cancel, state));
    let chance = Chance::of(earth.seed, 3 + 2 * earth.trace.now().unsigned_abs());
    Program { earth, buffer, points, alarms, health, states, chance, unflushed: Vec::new(), session: None }
        .go_on()
        .await
}

struct Program {
    earth: Arc<Earth>,
    buffer: Buffer,
    points: Vec<PointNo>,
    alarms: Alarms,
    health: watch::Sender<Health>,
    states: watch::Receiver<UplinkState>,
    chance: Chance,
    /// Serials of readings that may be in memory only.
    unflushed: Vec<u64>,
    /// Since when the present session is.
    session: Option<Timestamp>,
}

impl Program {
    async fn go_on(mut self) -> turmoil::Result {
        let pause = self.earth.nature.pause;
        let mut polled: Option<Instant> = None;
        loop {
            if !held(&self.earth.plant).runs {
                self.flush().await?;
            } else if polled.is_none_or(|at| at.elapsed() >= pause) {
                polled = Some(Instant::now());
                self.poll().await?;
            }
            self.tell_devices();
            self.look().await?;
            let turn = Duration::from_millis(self.chance.within(300..1_500));
            sleep(turn.max(pause.min(LONGEST_TURN))).await;
        }
    }

    async fn poll(&mut self) -> turmoil::Result {
        let at = self.buffer.now();
        let (readings, serials) = self.readings(at);
        self.buffer.record(readings).await;
        self.unflushed.extend(serials);
        if self.chance.permille(600) {
            self.flush().await?;
        }
        if self.chance.permille(100) {
            let then = at
                .minus(Duration::from_hours(30))
                .minus(Duration::from_millis(self.chance.within(0..3_600_000)));
            let (readings, serials) = self.readings(then);
            self.buffer.import(Lane::Backfill, readings).await?;
            self.stored(Lane::Backfill, &serials).await?;
        }
        if self.chance.permille(300) {
            let serial = held(&self.earth.ledger).next_serial();
            let id = EventId::new(self.earth.ids.as_ref());
            let (kind, detail) = (EventKind::ConfigApplied, serial.to_string());
            let event = Event { id, at, kind, active: true, line: None, device: None, detail, about: None };
            self.buffer.event(event).await?;
            self.stored(Lane::Alarm, &[serial]).await?;
        }
        if self.chance.permille(150) {
            let which = self.chance.within(0..DEVICES.len() as u64) as usize;
            if let Some(silent) = held(&self.earth.plant).silent.get_mut(which) {
                *silent = !*silent;
            }
        }
        if self.earth.nature.trims_early {
            for lane in Lane::ALL {
                self.buffer.ack(lane, u64::MAX).await?;
            }
        }
        if self.earth.nature.forgets && self.chance.permille(500) {
            self.buffer.look_after().await?;
        }
        Ok(())
    }

    /// One of each point, with a value that is no other's.
    fn readings(&self, at: Timestamp) -> (Vec<Reading>, Vec<u64>) {
        let mut ledger = held(&self.earth.ledger);
        let serials: Vec<_> = self.points.iter().map(|_| ledger.next_serial()).collect();
        let reading = |(point, serial): (&PointNo, &u64)| Reading {
            point: *point,
            at,
            value: Some(Value::Number(*serial as f64)),
            quality: Quality::Good,
        };
        (self.points.iter().zip(&serials).map(reading).collect(), serials)
    }

    async fn flush(&mut self) -> turmoil::Result {
        self.buffer.flush().await?;
        let serials = std::mem::take(&mut self.unflushed);
        self.stored(Lane::Live, &serials).await
    }

    /// These are durable: the newest batch of the lane is theirs, or one before it.
    async fn stored(&self, lane: Lane, serials: &[u64]) -> turmoil::Result {
        let state = self.buffer.state().await?;
        let last = state.lanes.iter().find(|l| l.lane == lane).map_or(0, |l| l.last);
        held(&self.earth.ledger).stored(lane, serials, last);
        Ok(())
    }

    /// As the supervisor does it: again and again, whether it is news or not.
    fn tell_devices(&self) {
        let silent = held(&self.earth.plant).silent;
        let mut devices = Vec::new();
        for (device, silent) in DEVICES.iter().zip(silent) {
            self.alarms.tell(EventKind::DeviceSilent, None, Some(device), silent, "");
            devices.push(DeviceHealth { key: (*device).to_owned(), silent, ..DeviceHealth::default() });
        }
        self.health.send_modify(|h| (h.at, h.devices) = (self.buffer.now(), devices));
    }

    async fn look(&mut self) -> turmoil::Result {
        let state = self.buffer.state().await?;
        if !self.earth.nature.trims_early {
            let mut ledger = held(&self.earth.ledger);
            for lane in &state.lanes {
                ledger.acked(lane.lane, lane.acked);
            }
        }
        let link = self.states.borrow().clone();
        let mut said = held(&self.earth.said);
        let began = link.since.filter(|_| link.connected && link.since != self.session);
        if began.is_some() {
            self.session = began;
        }
        let sessions = said.sessions + u64::from(began.is_some());
        let unacked = state.lanes.iter().map(|l| l.last - l.acked).sum();
        *said = Said { connected: link.connected, unacked, sessions };
        Ok(())
    }
}

fn catalogue(points: &[PointNo]) -> Catalogue {
    let names = |text: &str| Names { zh: text.to_owned(), en: text.to_owned() };
    let device = |key: &&str| CatalogueDevice {
        key: (*key).to_owned(),
        title: names(key),
        profile: "test/meter".into(),
        vendor: String::new(),
        model: String::new(),
        place: String::new(),
        line: String::new(),
        address: String::new(),
        in_use: true,
    };
    let point = |(device, no): (&&str, &PointNo)| CataloguePoint {
        no: *no,
        device: (*device).to_owned(),
        key: "power".into(),
        title: names("power"),
        unit: "kW".into(),
        kind: PointKind::Gauge,
        labels: vec![],
        period_ms: 10_000,
        decimals: 1,
        modulus: None,
        in_use: true,
        write: None,
    };
    let devices = DEVICES.iter().map(device).collect();
    Catalogue { devices, points: DEVICES.iter().zip(points).map(point).collect() }
}
