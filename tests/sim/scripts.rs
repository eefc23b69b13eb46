//! Worlds in which one thing is wrong, for long.

use std::time::Duration;

use crate::apart;
use crate::earth::{Nature, Stalls, held};
use crate::verdict;
use crate::world::{Host, Link, World};

/// So many alarms in a hundred are at the hub in this time, on the worst of lines.
const ALARM_MS: i64 = 5_000;

fn connected(seed: u64, nature: Nature, tick: Duration) -> Result<World, String> {
    apart::count_panics();
    let mut world = World::ticking(seed, nature, tick);
    world.until("the first session", Duration::from_mins(2), |e| held(&e.said).connected)?;
    Ok(world)
}

fn settled(mut world: World) -> Result<String, String> {
    verdict::settle(&mut world)?;
    verdict::of(&world, false, false).map(|told| told.hash)
}

/// For three days nothing comes through, and the gateway goes on.
pub fn days_without_a_link(seed: u64) -> Result<String, String> {
    let nature = Nature { pause: Duration::from_mins(10), ..Nature::default() };
    let mut world = connected(seed, nature, Duration::from_millis(500))?;
    world.link(Link::Cut);
    world.run(Duration::from_hours(72))?;
    let (kept, said) = (held(&world.earth.ledger).len(), *held(&world.earth.said));
    if said.connected || said.unacked < 300 || kept < 1000 {
        return Err(format!("three days left no more than {kept} items behind, and {said:?}"));
    }
    settled(world)
}

/// A third of the datagrams is lost, a tenth comes twice, each takes up to 300 ms, so that they overtake one another.
pub fn the_worst_of_lines(seed: u64) -> Result<String, String> {
    let nature = Nature { forgets: true, ..Nature::default() };
    let mut world = connected(seed, nature, Duration::from_millis(1))?;
    world.weather(300, 100);
    world.slowest(Duration::from_millis(300));
    world.run(Duration::from_mins(5))?;
    let late = world.look()?.late_ms;
    let worst = late.iter().filter(|ms| **ms > ALARM_MS).count();
    if late.len() < 50 || worst * 100 > late.len() {
        return Err(format!("{worst} of {} events came later than {ALARM_MS} ms", late.len()));
    }
    settled(world)
}

/// Statements take longer than anybody waits for them, and are done all the same: what was committed is stored again.
pub fn answers_past_their_deadline(seed: u64) -> Result<String, String> {
    let mut world = connected(seed, Nature { forgets: true, ..Nature::default() }, Duration::from_millis(1))?;
    *held(&world.earth.stalls) = Stalls { often: 30, most_ms: 60_000 };
    world.run(Duration::from_mins(20))?;
    settled(world)
}

/// What the gateway sends arrives; nothing comes back.
pub fn no_acknowledgement(seed: u64) -> Result<String, String> {
    let mut world = connected(seed, Nature { forgets: true, ..Nature::default() }, Duration::from_millis(1))?;
    for _ in 0..5 {
        world.run(Duration::from_secs(10))?;
        let before = held(&world.earth.ledger).acknowledged();
        world.link(Link::Deaf(Host::Gateway));
        // What was under way arrives, and is looked at.
        world.run(Duration::from_secs(2))?;
        let deaf = held(&world.earth.ledger).acknowledged();
        world.run(Duration::from_secs(8))?;
        let (acknowledged, unacked) =
            (held(&world.earth.ledger).acknowledged(), held(&world.earth.said).unacked);
        if acknowledged != deaf || unacked == 0 {
            return Err(format!("{before} items were acknowledged, then {deaf}, and then {acknowledged}"));
        }
        world.link(Link::Whole);
    }
    settled(world)
}
