//! A gateway and a hub on a simulated network, in virtual time: both are crashed, restarted and cut off from outside, and
//! their folders outlive them.

use std::sync::Arc;
use std::time::Duration;

use turmoil::{Builder, Sim};

use crate::earth::{Earth, Nature, Stalls, held};
use crate::look::Look;
use crate::{gateway, hub};

/// How far both hosts go in turn.
const TICK: Duration = Duration::from_millis(1);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Host {
    Hub,
    Gateway,
}

impl Host {
    const fn name(self) -> &'static str {
        match self {
            Self::Hub => "hub",
            Self::Gateway => "gateway",
        }
    }
}

/// Which datagrams come through.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Link {
    Whole,
    Cut,
    /// Nothing reaches this one.
    Deaf(Host),
}

pub struct World {
    sim: Sim<'static>,
    pub earth: Arc<Earth>,
    link: Link,
    hub_up: bool,
    gateway_up: bool,
}

type Done = Result<(), String>;

impl World {
    pub fn new(seed: u64, nature: Nature) -> Self {
        Self::ticking(seed, nature, TICK)
    }

    pub fn ticking(seed: u64, nature: Nature, tick: Duration) -> Self {
        let earth = Earth::new(seed, nature).expect("a folder for a world can be made");
        let mut sim = Builder::new()
            .rng_seed(seed)
            .tick_duration(tick)
            .min_message_latency(Duration::from_millis(2))
            .max_message_latency(Duration::from_millis(20))
            .simulation_duration(Duration::from_hours(24 * 365))
            .udp_capacity(4096)
            .build();
        let (of_hub, of_gateway) = (Arc::clone(&earth), Arc::clone(&earth));
        sim.host(Host::Hub.name(), move || hub::run(Arc::clone(&of_hub)));
        sim.host(Host::Gateway.name(), move || gateway::run(Arc::clone(&of_gateway)));
        Self { sim, earth, link: Link::Whole, hub_up: true, gateway_up: true }
    }

    fn step(&mut self) -> Done {
        self.sim.step().map_err(|e| format!("a program ended: {e}"))?;
        self.earth.turn_to(self.sim.elapsed());
        Ok(())
    }

    pub fn run(&mut self, for_how_long: Duration) -> Done {
        let until = self.sim.elapsed() + for_how_long;
        while self.sim.elapsed() < until {
            self.step()?;
        }
        Ok(())
    }

    /// Until something is so, which must be within this time. It is looked each half second. Answers how long it took.
    pub fn until(
        &mut self,
        what: &str,
        within: Duration,
        mut is_so: impl FnMut(&Earth) -> bool,
    ) -> Result<Duration, String> {
        let begun = self.sim.elapsed();
        while !is_so(&self.earth) {
            let waited = self.sim.elapsed().saturating_sub(begun);
            if waited > within {
                return Err(format!(
                    "{what}: not within {within:?}; the gateway says {:?}",
                    *held(&self.earth.said)
                ));
            }
            self.run(Duration::from_millis(500))?;
        }
        Ok(self.sim.elapsed().saturating_sub(begun))
    }

    pub fn link(&mut self, link: Link) {
        self.earth.trace.tell(&format!("{link:?}"));
        let (hub, gateway) = (Host::Hub.name(), Host::Gateway.name());
        self.sim.repair(hub, gateway);
        match link {
            Link::Whole => {}
            Link::Cut => self.sim.partition(hub, gateway),
            Link::Deaf(Host::Hub) => self.sim.partition_oneway(gateway, hub),
            Link::Deaf(Host::Gateway) => self.sim.partition_oneway(hub, gateway),
        }
        self.link = link;
    }

    /// How long a datagram is under way at most; each takes its own time, so that they overtake each other.
    pub fn slowest(&mut self, latency: Duration) {
        self.earth.trace.tell(&format!("at most {latency:?} under way"));
        self.sim.set_link_max_message_latency(Host::Hub.name(), Host::Gateway.name(), latency);
    }

    /// In a thousand.
    pub fn weather(&mut self, lost: u64, doubled: u64) {
        self.earth.trace.tell(&format!("{lost} of 1000 datagrams are lost, {doubled} doubled"));
        let mut air = held(&self.earth.air);
        (air.weather.lost, air.weather.doubled) = (lost, doubled);
    }

    pub const fn is_up(&self, host: Host) -> bool {
        match host {
            Host::Hub => self.hub_up,
            Host::Gateway => self.gateway_up,
        }
    }

    /// Without a word to anybody.
    pub fn crash(&mut self, host: Host) {
        self.earth.trace.tell(&format!("{host:?} crashes"));
        self.sim.crash(host.name());
        *self.up(host) = false;
        if host == Host::Gateway {
            held(&self.earth.said).connected = false;
        }
    }

    pub fn start(&mut self, host: Host) {
        self.earth.trace.tell(&format!("{host:?} starts"));
        self.sim.bounce(host.name());
        *self.up(host) = true;
    }

    const fn up(&mut self, host: Host) -> &mut bool {
        match host {
            Host::Hub => &mut self.hub_up,
            Host::Gateway => &mut self.gateway_up,
        }
    }

    /// The link is whole, both run, the clock is right.
    pub fn heal(&mut self) {
        *held(&self.earth.skew_ms) = 0;
        *held(&self.earth.stalls) = Stalls::default();
        self.weather(0, 0);
        self.slowest(Duration::from_millis(20));
        self.link(Link::Whole);
        for host in [Host::Hub, Host::Gateway] {
            if !self.is_up(host) {
                self.start(host);
            }
        }
    }

    /// What is at the hub now.
    pub fn look(&self) -> Result<Look, String> {
        Look::at(&self.earth.hub).map_err(|e| format!("the hub's database cannot be read: {e}"))
    }
}
