//! What a seed does to a world: faults by chance for a while, then all heals, and everything that was promised must be so.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;
use std::{fs, io};

use rusqlite::Connection;

use crate::apart;
use crate::chance::Chance;
use crate::earth::{self, Nature, Stalls, held};
use crate::hub::DATABASE;
use crate::verdict::{self, Told};
use crate::world::{Host, Link, World};

/// How long faults come.
const FAULTS: Duration = Duration::from_mins(1);
/// So far at most a hub that acknowledges first is behind its word.
const BEHIND: Duration = Duration::from_secs(1);

/// What else happens in the world of a seed, besides crashes and a bad link.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Turn {
    Plain,
    Clock,
    HubRestored,
    GatewayRestored,
    GatewayLost,
}

impl Turn {
    const fn of(seed: u64) -> Self {
        match seed % 6 {
            1 => Self::Clock,
            2 => Self::HubRestored,
            3 => Self::GatewayRestored,
            4 => Self::GatewayLost,
            _ => Self::Plain,
        }
    }

    fn nature(self) -> Nature {
        Nature {
            // What was given up cannot be asked for again.
            forgets: matches!(self, Self::Plain | Self::Clock),
            clock_moves: self == Self::Clock,
            ..Nature::default()
        }
    }
}

/// A program that keeps a promise less. Its code is that of the others: what its fault would do to the databases is done
/// to them.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mutant {
    /// The hub forgets with each crash what it has had.
    NoWatermark,
    /// The hub acknowledges what a crash takes back.
    AcksFirst,
    /// The gateway gives up what nobody has acknowledged.
    TrimsFirst,
}

/// What happened, or what was broken.
pub fn run(seed: u64, mutant: Option<Mutant>) -> Result<Told, String> {
    apart::count_panics();
    let turn = if mutant.is_some() { Turn::Plain } else { Turn::of(seed) };
    let mut nature = turn.nature();
    nature.trims_early = mutant == Some(Mutant::TrimsFirst);
    let mut world = World::new(seed, nature);
    world.until("the first session", Duration::from_mins(1), |e| held(&e.said).connected)?;
    let chance = Chance::of(seed, 4);
    Fates { turn, mutant, chance, hub_copy: None, gateway_copy: None }.befall(&mut world)?;
    verdict::settle(&mut world)?;
    verdict::of(
        &world,
        turn == Turn::GatewayRestored,
        matches!(turn, Turn::GatewayRestored | Turn::GatewayLost),
    )
}

struct Fates {
    turn: Turn,
    mutant: Option<Mutant>,
    chance: Chance,
    hub_copy: Option<PathBuf>,
    /// With how much the ledger held when it was made.
    gateway_copy: Option<(PathBuf, usize)>,
}

impl Fates {
    fn befall(&mut self, world: &mut World) -> Result<(), String> {
        let mut left = FAULTS;
        while left > Duration::ZERO {
            self.one(world)?;
            let pause = Duration::from_millis(self.chance.within(50..5_000)).min(left);
            self.pass(world, pause)?;
            left -= pause;
        }
        Ok(())
    }

    fn one(&mut self, world: &mut World) -> Result<(), String> {
        match self.chance.within(0..10) {
            0 => world.link(Link::Whole),
            1 => {
                let links = [Link::Cut, Link::Deaf(Host::Hub), Link::Deaf(Host::Gateway)];
                world.link(links[self.chance.within(0..3) as usize]);
            }
            2 => {
                let (lost, doubled) = (self.chance.within(0..300), self.chance.within(0..200));
                world.weather(lost, doubled);
            }
            3 => world.slowest(Duration::from_millis(self.chance.within(3..300))),
            4 => {
                world.weather(0, 0);
                *held(&world.earth.stalls) = Stalls { often: self.chance.within(0..10), most_ms: 8_000 };
            }
            5 | 6 => self.crash_or_start(world, Host::Hub)?,
            7 => self.crash_or_start(world, Host::Gateway)?,
            _ => self.turn(world)?,
        }
        Ok(())
    }

    fn crash_or_start(&mut self, world: &mut World, host: Host) -> Result<(), String> {
        if !world.is_up(host) {
            world.start(host);
            return Ok(());
        }
        world.crash(host);
        if host == Host::Hub {
            self.betray(world)?;
        }
        if self.chance.permille(500) {
            world.run(Duration::from_millis(self.chance.within(1..500)))?;
            world.start(host);
        }
        Ok(())
    }

    fn pass(&mut self, world: &mut World, pause: Duration) -> Result<(), String> {
        if self.mutant != Some(Mutant::AcksFirst) {
            return world.run(pause);
        }
        let mut left = pause;
        while left > Duration::ZERO {
            let copy = world.earth.copy(&world.earth.hub, "what is kept").map_err(|e| e.to_string())?;
            self.hub_copy = Some(copy);
            let step = left.min(BEHIND);
            world.run(step)?;
            left -= step;
        }
        Ok(())
    }

    /// What a crash does to a hub that breaks its promise.
    fn betray(&self, world: &World) -> Result<(), String> {
        let earth = &world.earth;
        match (self.mutant, &self.hub_copy) {
            (Some(Mutant::AcksFirst), Some(copy)) => {
                earth::restore(copy, &earth.hub).map_err(|e| e.to_string())
            }
            (Some(Mutant::NoWatermark), _) => {
                let forget = || {
                    let db = Connection::open(earth.hub.join(DATABASE))?;
                    db.execute("update watermark set seq = 0, recent = x''", [])
                };
                forget().map(drop).map_err(|e| e.to_string())
            }
            _ => Ok(()),
        }
    }

    /// What is special about this world.
    fn turn(&mut self, world: &mut World) -> Result<(), String> {
        let broken = |e: io::Error| e.to_string();
        let earth = Arc::clone(&world.earth);
        match self.turn {
            Turn::Plain => {}
            Turn::Clock => {
                let hours = 2 * 3_600_000;
                let skew = if self.chance.permille(400) {
                    0
                } else {
                    self.chance.within(0..2 * hours) as i64 - hours as i64
                };
                earth.trace.tell(&format!("the gateway's clock is set {skew} ms off"));
                *held(&earth.skew_ms) = skew;
            }
            Turn::HubRestored => match self.hub_copy.take() {
                None => self.hub_copy = Some(earth.copy(&earth.hub, "copy of the hub").map_err(broken)?),
                Some(copy) => {
                    if world.is_up(Host::Hub) {
                        world.crash(Host::Hub);
                    }
                    earth.trace.tell("the hub is restored from a copy");
                    earth::restore(&copy, &earth.hub).map_err(broken)?;
                    world.start(Host::Hub);
                }
            },
            Turn::GatewayRestored => match self.gateway_copy.take() {
                None => {
                    let copy = earth.copy(&earth.gateway, "copy of the gateway").map_err(broken)?;
                    self.gateway_copy = Some((copy, held(&earth.ledger).len()));
                }
                Some((copy, then)) => {
                    if world.is_up(Host::Gateway) {
                        world.crash(Host::Gateway);
                    }
                    earth.trace.tell("the gateway is restored from a copy");
                    held(&earth.ledger).lost_since(then);
                    earth::restore(&copy, &earth.gateway).map_err(broken)?;
                    world.start(Host::Gateway);
                }
            },
            Turn::GatewayLost => {
                if world.is_up(Host::Gateway) {
                    world.crash(Host::Gateway);
                }
                earth.trace.tell("the gateway's databases are lost");
                held(&earth.ledger).lost_since(0);
                for entry in fs::read_dir(&earth.gateway).map_err(broken)? {
                    let path = entry.map_err(broken)?.path();
                    if path.is_file() {
                        fs::remove_file(path).map_err(broken)?;
                    }
                }
                world.start(Host::Gateway);
            }
        }
        Ok(())
    }
}
