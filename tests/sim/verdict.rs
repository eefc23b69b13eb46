//! What must be so when a world has healed.

use std::collections::BTreeMap;
use std::fs;
use std::path::Path;
use std::time::Duration;

use crate::earth::{DEVICES, Earth, held};
use crate::look::Look;
use crate::world::World;

/// After that: until open alarms are right at the hub, and until it has everything.
const ALARMS: Duration = Duration::from_mins(1);
const ALL: Duration = Duration::from_mins(5);

/// What a world takes at most: the gateway's ballast is four megabytes of it.
const MEMORY_KB: u64 = 128 << 10;
const DISK_BYTES: u64 = 16 << 20;

pub struct Told {
    pub hash: String,
    pub acknowledged: usize,
    pub datagrams: u64,
    pub sessions: u64,
}

/// Heals everything, stops the plant and waits for the hub to have all.
pub fn settle(world: &mut World) -> Result<(), String> {
    world.heal();
    held(&world.earth.plant).runs = false;
    // What it said before is over.
    held(&world.earth.said).unacked = u64::MAX;
    let mut wrong = String::new();
    world
        .until("open alarms at the hub", ALARMS, |earth| {
            wrong = alarms_wrong(earth);
            wrong.is_empty()
        })
        .map_err(|e| format!("I3: {e}: {wrong}"))?;
    world.until("everything at the hub", ALL, |earth| {
        let said = held(&earth.said);
        said.connected && said.unacked == 0
    })?;
    // What was under way is over.
    world.run(Duration::from_secs(2))
}

/// `comes_again`: the gateway was restored from a copy. `may_miss`: it has lost what the hub had not got.
pub fn of(world: &World, comes_again: bool, may_miss: bool) -> Result<Told, String> {
    let look = world.look()?;
    let ledger = held(&world.earth.ledger);
    let (missing, doubled) = (ledger.missing(&look.all()), look.doubled(comes_again));
    if !missing.is_empty() {
        return Err(format!("I1: lost: {}", some(&missing)));
    }
    if !doubled.is_empty() {
        return Err(format!("I2: applied twice: {}", some(&doubled)));
    }
    if !look.aside.is_empty() {
        return Err(format!("set aside: {}", some(&look.aside)));
    }
    if !look.told_missing.is_empty() && !may_miss {
        return Err(format!("the hub misses what nobody has lost: {}", some(&look.told_missing)));
    }
    let (memory, disk) = (most_memory_kb(), size(&world.earth.gateway) + size(&world.earth.hub));
    if memory > MEMORY_KB || disk > DISK_BYTES {
        return Err(format!("I6: {memory} kB of memory, {disk} bytes on disk"));
    }
    for words in &look.words {
        world.earth.trace.tell(words);
    }
    Ok(Told {
        hash: world.earth.trace.hash(),
        acknowledged: ledger.acknowledged(),
        datagrams: world.earth.trace.datagrams(),
        sessions: held(&world.earth.said).sessions,
    })
}

/// The most that this process has had.
fn most_memory_kb() -> u64 {
    let status = fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    line.and_then(|line| line.trim().trim_end_matches(" kB").parse().ok()).unwrap_or(u64::MAX)
}

fn size(folder: &Path) -> u64 {
    let files = fs::read_dir(folder).into_iter().flatten().flatten();
    files.filter_map(|file| file.metadata().ok()).map(|file| file.len()).sum()
}

fn some(all: &[String]) -> String {
    let few: Vec<_> = all.iter().take(5).cloned().collect();
    format!("{} in all: {}", all.len(), few.join("; "))
}

/// Of which devices the hub does not say what is so.
fn alarms_wrong(earth: &Earth) -> String {
    let Ok(look) = Look::at(&earth.hub) else { return "no database".into() };
    let silent = held(&earth.plant).silent;
    let truth: BTreeMap<_, _> = DEVICES.iter().map(|d| (*d).to_owned()).zip(silent).collect();
    if look.silent == truth { String::new() } else { format!("{:?} for {truth:?}", look.silent) }
}
