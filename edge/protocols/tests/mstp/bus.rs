//! The line and those on it. An event is an octet that arrives, or a deadline of a station; what happens is the same in
//! each run.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use bacnet_mstp_core::npdu::NetworkPriority;
use bacnet_mstp_core::{
    Action, FixedQueues, Instant as Tick, MasterCore, MstpCoreConfig, ReplyDecision, StandardStorage,
    TransmitId,
};
use steward_protocols::bacnet::mstp::{Event, Frame, FrameType, Heard, Node, Npdu, Receiver, Settings};

pub const BAUD: u32 = 38_400;

#[allow(clippy::disallowed_methods, reason = "any instant serves as the beginning of virtual time")]
fn beginning() -> Instant {
    Instant::now()
}

/// A request: read the present value of analog input 5, as Annex F.3.5 has it.
pub const REQUEST: [u8; 13] = [0x01, 0x04, 0x00, 0x03, 0x01, 0x0C, 0x0C, 0x00, 0x00, 0x00, 0x05, 0x19, 0x55];
/// Its answer.
pub const ANSWER: [u8; 19] = [
    0x01, 0x00, 0x30, 0x01, 0x0C, 0x0C, 0x00, 0x00, 0x00, 0x05, 0x19, 0x55, 0x3E, 0x44, 0x42, 0x90, 0x99,
    0x9A, 0x3F,
];

type Core = MasterCore<'static, &'static mut FixedQueues<8, 4>>;

/// A node of the other stack. It answers every request with `ANSWER`, or postpones it where it has none ready.
pub struct Foreign {
    core: Core,
    start: Option<TransmitId>,
    sending: Option<(TransmitId, Instant)>,
    pub heard: Vec<Vec<u8>>,
    pub postpones: bool,
    late: Vec<u8>,
}

/// A station that only speaks when it is asked: no token ever comes to it.
pub struct Slave {
    receiver: Receiver,
    mac: u8,
}

pub enum Station {
    Ours {
        node: Box<Node>,
        npdus: Vec<Npdu>,
        events: Vec<Event>,
        answers: bool,
    },
    Foreign(Box<Foreign>),
    Slave(Slave),
    /// Absent.
    Gone,
}

pub struct Bus {
    pub stations: Vec<Station>,
    pub now: Instant,
    begun: Instant,
    /// Octets under way: when they arrive, from whom, and whether two spoke at once.
    air: BTreeMap<(Instant, u64), (usize, u8)>,
    serial: u64,
    busy_until: Instant,
    /// What was said, frame by frame.
    pub said: Vec<(Duration, Frame)>,
    pub collisions: u64,
    /// Adapters give back what they send.
    pub echoes: bool,
    /// One octet in so many is spoiled.
    pub noise: Option<u64>,
}

/// What a station says, as whoever it is for hears it.
fn spied(octets: &[u8]) -> Option<Frame> {
    let destination = *octets.get(3)?;
    let mut receiver = Receiver::new(destination, Duration::from_secs(1));
    let now = beginning();
    octets.iter().find_map(|octet| match receiver.octet(*octet, now) {
        Some(Heard::Frame(frame)) => Some(frame),
        _ => None,
    })
}

impl Bus {
    pub fn new(stations: Vec<Station>) -> Self {
        let now = beginning();
        Self {
            stations,
            now,
            begun: now,
            air: BTreeMap::new(),
            serial: 0,
            busy_until: now,
            said: Vec::new(),
            collisions: 0,
            echoes: false,
            noise: None,
        }
    }

    pub fn ours(&self, mac: u8) -> Station {
        self.ours_with(Settings { max_info_frames: 5, ..Settings::new(mac, BAUD) })
    }

    pub fn ours_with(&self, settings: Settings) -> Station {
        let node = Box::new(Node::new(settings, self.now));
        Station::Ours { node, npdus: Vec::new(), events: Vec::new(), answers: true }
    }

    fn tick(&self, at: Instant) -> Tick {
        Tick::from_nanos(at.duration_since(self.begun).as_nanos() as u64 + 1)
    }

    pub fn foreign(&self, mac: u8) -> Station {
        let mut config = MstpCoreConfig::for_baud_rate(BAUD).unwrap();
        config.station = mac;
        let storage = Box::leak(Box::new(StandardStorage::<8, 4, 4>::new()));
        let core = MasterCore::new(config, storage, self.tick(self.now)).unwrap();
        let foreign = Foreign {
            core,
            start: None,
            sending: None,
            heard: Vec::new(),
            postpones: false,
            late: Vec::new(),
        };
        Station::Foreign(Box::new(foreign))
    }

    pub const fn slave(mac: u8) -> Station {
        Station::Slave(Slave { receiver: Receiver::new(mac, Duration::from_millis(20)), mac })
    }

    pub fn add(&mut self, station: Station) -> usize {
        self.stations.push(station);
        self.stations.len() - 1
    }

    pub fn node(&mut self, at: usize) -> &mut Node {
        let Station::Ours { node, .. } = &mut self.stations[at] else { panic!("a node of ours") };
        node
    }

    pub fn npdus(&self, at: usize) -> &[Npdu] {
        let Station::Ours { npdus, .. } = &self.stations[at] else { panic!("a node of ours") };
        npdus
    }

    pub fn events(&self, at: usize) -> &[Event] {
        let Station::Ours { events, .. } = &self.stations[at] else { panic!("a node of ours") };
        events
    }

    pub fn queue(&mut self, at: usize, to: u8, npdu: &[u8]) {
        let now = self.now;
        self.node(at).queue(to, npdu.to_vec(), now).unwrap();
    }

    pub fn foreign_at(&mut self, at: usize) -> &mut Foreign {
        let Station::Foreign(foreign) = &mut self.stations[at] else { panic!("a node of the other stack") };
        foreign
    }

    pub fn foreign_asks(&mut self, at: usize, to: u8, npdu: &[u8]) {
        let now = self.tick(self.now);
        self.foreign_at(at).core.enqueue_npdu(to, npdu, NetworkPriority::Normal, now).unwrap();
    }

    /// Octets that no station of ours has said.
    pub fn inject(&mut self, octets: &[u8]) {
        self.say(usize::MAX, octets);
    }

    fn say(&mut self, from: usize, octets: &[u8]) {
        let each = Duration::from_secs(10) / BAUD;
        let collides = self.now < self.busy_until;
        if collides {
            self.collisions += 1;
            // What is still under way is spoiled too.
            for (_, octet) in self.air.values_mut() {
                *octet ^= 0x5A;
            }
        } else if let Some(frame) = spied(octets) {
            self.said.push((self.now.duration_since(self.begun), frame));
        }
        for (i, octet) in (1..).zip(octets) {
            self.serial += 1;
            let spoiled = collides || self.noise.is_some_and(|n| self.serial.is_multiple_of(n));
            let octet = if spoiled { octet ^ 0x24 } else { *octet };
            self.air.insert((self.now + each * i, self.serial), (from, octet));
        }
        self.busy_until = self.busy_until.max(self.now + each * octets.len() as u32);
    }

    fn deadline(&self, station: &Station) -> Option<Instant> {
        match station {
            Station::Ours { node, .. } => Some(node.deadline()),
            Station::Foreign(foreign) => {
                let next = foreign.core.next_deadline();
                let next = next.map(|t| self.begun + Duration::from_nanos(t.as_nanos().saturating_sub(1)));
                next.into_iter().chain(foreign.sending.map(|(_, end)| end)).min()
            }
            Station::Slave(_) | Station::Gone => None,
        }
    }

    /// Goes on for so long, or until the condition is met.
    pub fn run(&mut self, within: Duration, mut until: impl FnMut(&Self) -> bool) -> bool {
        let end = self.now + within;
        for at in 0..self.stations.len() {
            self.work(at);
        }
        for _ in 0..5_000_000 {
            if until(self) {
                return true;
            }
            let deadlines = self.stations.iter().filter_map(|s| self.deadline(s));
            let next = self.air.keys().next().map(|(at, _)| *at).into_iter().chain(deadlines).min();
            let Some(next) = next.filter(|at| *at <= end) else {
                self.now = end;
                return until(self);
            };
            self.now = self.now.max(next);
            let arrived: Vec<_> = self.air.keys().take_while(|(at, _)| *at <= self.now).copied().collect();
            for key in arrived {
                let Some((from, octet)) = self.air.remove(&key) else { continue };
                for to in 0..self.stations.len() {
                    if to != from || self.echoes {
                        self.hear(to, octet);
                    }
                }
            }
            for at in 0..self.stations.len() {
                self.work(at);
            }
        }
        panic!("it never ends");
    }

    fn hear(&mut self, at: usize, octet: u8) {
        let (now, tick) = (self.now, self.tick(self.now));
        match &mut self.stations[at] {
            Station::Ours { node, .. } => node.received(&[octet], now),
            Station::Foreign(foreign) => foreign.core.on_octet(octet, tick),
            Station::Slave(slave) => {
                slave.receiver.silence(now);
                let asked = match slave.receiver.octet(octet, now) {
                    Some(Heard::Frame(frame)) if frame.kind == FrameType::DataExpectingReply => frame,
                    _ => return,
                };
                let kind = FrameType::DataNotExpectingReply;
                let answer =
                    Frame { kind, destination: asked.source, source: slave.mac, data: ANSWER.to_vec() };
                // It takes its time.
                let begin = self.now;
                self.now += Duration::from_millis(5);
                self.say(at, &answer.encode());
                self.now = begin;
            }
            Station::Gone => {}
        }
    }

    fn work(&mut self, at: usize) {
        let now = self.now;
        let mut station = std::mem::replace(&mut self.stations[at], Station::Gone);
        match &mut station {
            Station::Ours { node, npdus, events, answers } => {
                node.poll(now);
                while let Some(npdu) = node.npdu() {
                    if *answers && npdu.octets.get(1).is_some_and(|control| control & 4 != 0) {
                        node.queue(npdu.source, ANSWER.to_vec(), now).unwrap();
                    }
                    npdus.push(npdu);
                }
                node.poll(now);
                while let Some(event) = node.event() {
                    events.push(event);
                }
                if let Some(octets) = node.transmit(now) {
                    self.say(at, &octets);
                }
            }
            Station::Foreign(foreign) => {
                let tick = self.tick(now);
                if let Some((id, end)) = foreign.sending.filter(|(_, end)| *end <= now) {
                    foreign.sending = None;
                    foreign.core.on_transmit_complete(id, self.tick(end));
                }
                if foreign.core.next_deadline().is_some_and(|due| due <= tick) {
                    foreign.core.on_deadline(tick);
                }
                foreign.drain(tick);
                if foreign.sending.is_none()
                    && let Some(id) = foreign.start.take()
                    && let Ok(octets) = foreign.core.on_transmit_started(id, tick).map(<[u8]>::to_vec)
                {
                    let end = now + Duration::from_secs(10) / BAUD * octets.len() as u32;
                    foreign.sending = Some((id, end));
                    self.say(at, &octets);
                }
                foreign.drain(tick);
            }
            Station::Slave(_) | Station::Gone => {}
        }
        self.stations[at] = station;
    }

    /// Who has held the token since `from`, and how often.
    pub fn tokens_since(&self, from: usize) -> BTreeMap<u8, usize> {
        let mut held = BTreeMap::new();
        for (_, frame) in self.said.iter().skip(from).filter(|(_, f)| f.kind == FrameType::Token) {
            *held.entry(frame.destination).or_default() += 1;
        }
        held
    }
}

impl Foreign {
    fn drain(&mut self, tick: Tick) {
        loop {
            let asked = match self.core.poll_action() {
                Action::Idle => return,
                Action::Transmit { id, .. } => {
                    self.start = Some(id);
                    None
                }
                Action::DeliverNpdu { source, npdu, request_id, .. } => {
                    self.heard.push(npdu.to_vec());
                    request_id.map(|id| (id, source))
                }
                _ => None,
            };
            let Some((id, source)) = asked else { continue };
            if self.postpones {
                self.core.complete_request(id, ReplyDecision::Postponed, tick).unwrap();
                self.late.push(source);
            } else {
                self.core.complete_request(id, ReplyDecision::Data(&ANSWER), tick).unwrap();
            }
        }
    }

    /// What was postponed is answered now, under this station's own token.
    pub fn answer_late(&mut self, bus_tick: Tick) {
        for to in self.late.drain(..) {
            self.core.enqueue_npdu(to, &ANSWER, NetworkPriority::Normal, bus_tick).unwrap();
        }
    }
}

impl Bus {
    pub fn answer_late(&mut self, at: usize) {
        let tick = self.tick(self.now);
        self.foreign_at(at).answer_late(tick);
    }
}
