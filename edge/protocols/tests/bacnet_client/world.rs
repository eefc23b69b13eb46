//! A client, devices, and a network between them in virtual time: it loses, doubles and delays as it is told.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use steward_protocols::bacnet::client::{Client, Event, LinkAddress, Peer, Reading, Settings};
use steward_protocols::bacnet::{Answer, PropertyRef, Request};

use super::device::{Device, MS, beginning};

/// In a thousand datagrams so many are lost, and so many come twice; each takes between one and `delay` milliseconds.
#[derive(Clone, Copy, Debug)]
pub struct Weather {
    pub loss: u32,
    pub double: u32,
    pub delay: u32,
}

pub const FAIR: Weather = Weather { loss: 0, double: 0, delay: 1 };

enum To {
    Client(Peer),
    Device(usize),
}

pub struct World {
    pub client: Client,
    pub devices: Vec<Device>,
    pub now: Instant,
    pub weather: Weather,
    /// What the client has sent: when and to whom.
    pub sent: Vec<(Instant, LinkAddress, Vec<u8>)>,
    pub events: Vec<Event>,
    air: BTreeMap<(Instant, u64), (To, Vec<u8>)>,
    serial: u64,
    chance: u64,
}

impl World {
    pub fn new(settings: Settings, devices: Vec<Device>, weather: Weather, seed: u64) -> Self {
        let now = beginning();
        let mut client = Client::new(settings);
        client.poll(now);
        let mut world = Self {
            client,
            devices,
            now,
            weather,
            sent: Vec::new(),
            events: Vec::new(),
            air: BTreeMap::new(),
            serial: 0,
            chance: seed | 1,
        };
        world.collect();
        world
    }

    /// A number below `below`, the same in each run.
    fn chance(&mut self, below: u32) -> u32 {
        self.chance =
            self.chance.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        ((self.chance >> 33) % u64::from(below.max(1))) as u32
    }

    fn fly(&mut self, to: impl Fn() -> To, bytes: &[u8]) {
        let copies = 1 + u32::from(self.chance(1000) < self.weather.double);
        for _ in 0..copies {
            if self.chance(1000) < self.weather.loss {
                continue;
            }
            let delay = MS * (1 + self.chance(self.weather.delay));
            self.serial += 1;
            self.air.insert((self.now + delay, self.serial), (to(), bytes.to_vec()));
        }
    }

    /// What the client has to say.
    pub fn collect(&mut self) {
        while let Some(datagram) = self.client.datagram() {
            self.sent.push((self.now, datagram.to, datagram.bytes.clone()));
            let device = self.devices.iter().position(|d| d.peer.address == datagram.to);
            if let Some(device) = device {
                self.fly(|| To::Device(device), &datagram.bytes);
            }
        }
        while let Some(event) = self.client.event() {
            self.events.push(event);
        }
    }

    /// Something that a device says by itself.
    pub fn says(&mut self, device: usize, bytes: &[u8]) {
        let peer = self.devices[device].peer;
        self.fly(|| To::Client(peer), bytes);
    }

    fn next(&self) -> Option<Instant> {
        let air = self.air.first_key_value().map(|((at, _), _)| *at);
        let devices = self.devices.iter().filter_map(Device::deadline);
        air.into_iter().chain(self.client.deadline()).chain(devices).min()
    }

    /// Goes on for so long, or until the condition is met.
    pub fn run(&mut self, within: Duration, mut until: impl FnMut(&Self) -> bool) -> bool {
        let end = self.now + within;
        for _ in 0..1_000_000 {
            if until(self) {
                return true;
            }
            let Some(next) = self.next().filter(|at| *at <= end) else {
                self.now = end;
                return until(self);
            };
            self.now = self.now.max(next);
            let due: Vec<_> = self.air.keys().take_while(|(at, _)| *at <= self.now).copied().collect();
            for key in due {
                match self.air.remove(&key) {
                    Some((To::Client(peer), bytes)) => self.client.received(peer.address, &bytes, self.now),
                    Some((To::Device(i), bytes)) => {
                        let peer = self.devices[i].peer;
                        for answer in self.devices[i].received(&bytes, self.now) {
                            self.fly(|| To::Client(peer), &answer);
                        }
                    }
                    None => {}
                }
            }
            for i in 0..self.devices.len() {
                let peer = self.devices[i].peer;
                for answer in self.devices[i].poll(self.now) {
                    self.fly(|| To::Client(peer), &answer);
                }
            }
            self.client.poll(self.now);
            self.collect();
        }
        panic!("it never ends");
    }

    /// Introduces every device to the client.
    pub fn introduce(&mut self) {
        for i in 0..self.devices.len() {
            let bytes = self.devices[i].i_am();
            let peer = self.devices[i].peer;
            self.client.received(peer.address, &bytes, self.now);
        }
        self.collect();
    }

    pub fn ask(
        &mut self,
        peer: Peer,
        request: Request,
    ) -> Result<Answer, steward_protocols::bacnet::client::Failure> {
        let wanted = self.client.ask(peer, request, self.now);
        self.collect();
        let ended = |e: &Event| matches!(e, Event::Answered { ticket, .. } if *ticket == wanted);
        assert!(self.run(Duration::from_mins(10), |w| w.events.iter().any(ended)), "every request ends");
        let at = self.events.iter().position(ended).unwrap();
        let Event::Answered { outcome, .. } = self.events.remove(at) else { unreachable!() };
        outcome
    }

    pub fn read(&mut self, peer: Peer, targets: Vec<PropertyRef>) -> Vec<(PropertyRef, Reading)> {
        let wanted = self.client.read(peer, targets, self.now);
        self.collect();
        let ended = |e: &Event| matches!(e, Event::Read { ticket, .. } if *ticket == wanted);
        assert!(self.run(Duration::from_hours(1), |w| w.events.iter().any(ended)), "every reading ends");
        let at = self.events.iter().position(ended).unwrap();
        let Event::Read { readings, .. } = self.events.remove(at) else { unreachable!() };
        readings
    }
}
