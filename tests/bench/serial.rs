//! How much of a serial line is used for what it is there for. The line is a pseudo-terminal at the pace of the wire;
//! what passes is counted at the devices' end, and so is each request that came before the line had been silent for 3.5
//! characters. `rtu`: beside the limit that the standard leaves, and the clients of others. `dead`: one device of ten
//! that never answers.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use steward_edge::lab::Serial;
use steward_protocols::far_end::{Answer, Counts, Heard, Pace, Station};
use steward_protocols::modbus::with_crc;
use tempfile::TempDir;
use tokio::time::Instant;

use crate::figures::median;
use crate::modbus::{EdgeLine, Peer, Points, edge};
use crate::poll::end;

const PEERS: [Peer; 3] = [Peer::TokioModbus, Peer::Libmodbus, Peer::Pymodbus];
const UNITS: u8 = 20;
const REGISTERS: u16 = 10;
/// Baud rate, and what the devices take before they answer, in milliseconds.
const CASES: [(u32, u64); 4] = [(9600, 5), (9600, 20), (115_200, 5), (115_200, 20)];
const ROUNDS: usize = 3;
/// A little more than the line can carry, so that there is always something due; the edge refuses a file that asks for
/// much more.
const FULL: f64 = 1.005;
/// The edge learns in it how long each device takes.
const WARM: Duration = Duration::from_secs(8);
const MEASURED: Duration = Duration::from_secs(15);

/// Devices 1, 2, … that answer any question for registers, but for one that does not.
struct Devices {
    turnaround: Duration,
    dead: Option<u8>,
}

impl Station for Devices {
    fn hear(&self, frame: &[u8]) -> Heard {
        let [unit, function, .., high, low, _, _] = frame else { return Heard::Broken };
        if with_crc(frame[..frame.len() - 2].to_vec()) != frame {
            return Heard::Broken;
        }
        if self.dead == Some(*unit) {
            return Heard::Nobody;
        }
        let count = u16::from_be_bytes([*high, *low]);
        let mut bytes = vec![*unit, *function, (2 * count) as u8];
        bytes.extend((0..count).flat_map(|i| (i * 7).to_be_bytes()));
        Heard::Answered(vec![Answer { bytes: with_crc(bytes), turnaround: self.turnaround }])
    }
}

/// Answers a second that the standard leaves room for: request, turnaround and answer, and the silence before the next.
fn limit(pace: Pace, turnaround: Duration) -> f64 {
    let characters = 8 + 5 + 2 * u32::from(REGISTERS);
    let each = pace.character() * characters + turnaround.max(pace.silence()) + pace.silence();
    1.0 / each.as_secs_f64()
}

struct Taken {
    answers: f64,
    /// Of a hundred requests.
    too_early: f64,
}

pub fn rtu() -> anyhow::Result<()> {
    let dir = TempDir::new()?;
    println!("| line | who | registers/s | of the limit | requests before 3.5 characters of silence |");
    println!("|---|---|---|---|---|");
    for (baud, ms) in CASES {
        let (pace, turnaround) = (Pace { baud, bits: 10 }, Duration::from_millis(ms));
        let limit = limit(pace, turnaround);
        let mut all: [Vec<Taken>; PEERS.len() + 1] = Default::default();
        for round in 0..ROUNDS {
            for turn in 0..all.len() {
                let who = (turn + round) % all.len();
                all[who].push(one(who.checked_sub(1).map(|peer| PEERS[peer]), pace, turnaround, dir.path())?);
            }
        }
        let names = ["**steward-edge**, stored durably"].into_iter().chain(PEERS.map(Peer::name));
        for (name, taken) in names.zip(&all) {
            let of = |f: fn(&Taken) -> f64| median(taken.iter().map(f).collect());
            println!(
                "| {baud} 8N1, {ms} ms | {name} | {:.0} | {:.1} % | {:.1} % |",
                of(|t| t.answers) * f64::from(REGISTERS),
                of(|t| t.answers) / limit * 100.0,
                of(|t| t.too_early) * 100.0,
            );
        }
    }
    println!();
    println!(
        "{UNITS} devices, each asked for {REGISTERS} registers as often as the line allows; the milliseconds are what a \
         device takes before it answers. The limit: 13 characters and two for each register, the turnaround, and 3.5 \
         characters of silence before the next request (1.75 ms above 19200 baud). Who does not keep the silence can \
         exceed it. Median of {ROUNDS} rounds of {} s in turn. Counted at the devices' end of a pseudo-terminal.",
        MEASURED.as_secs()
    );
    Ok(())
}

fn one(peer: Option<Peer>, pace: Pace, turnaround: Duration, dir: &Path) -> anyhow::Result<Taken> {
    let own = TempDir::new()?;
    let path = own.path().join("port");
    let line = Serial::open(&path, pace, Arc::new(Devices { turnaround, dead: None }))?;
    let Some(peer) = peer else {
        let period = Duration::from_secs_f64(f64::from(UNITS) / limit(pace, turnaround) / FULL);
        return steward(own.path(), &path, pace, UNITS, period, || measure(&line));
    };
    let mut client = peer.serial(dir, &path, pace.baud, UNITS, REGISTERS)?;
    let taken = measure(&line);
    end(&mut client)?;
    Ok(taken)
}

fn steward<T>(
    dir: &Path,
    path: &Path,
    pace: Pace,
    units: u8,
    period: Duration,
    measure: impl FnOnce() -> T,
) -> anyhow::Result<T> {
    let keys = format!(
        "kind = \"serial\"\nport = \"{}\"\nbaud = {}\nparity = \"none\"\nstop_bits = 1",
        path.display(),
        pace.baud
    );
    let lines = [EdgeLine { keys, units: (1..=units).collect() }];
    let mut edge = edge(dir, &lines, Points::Words(REGISTERS), period)?;
    edge.start()?;
    edge.process().context("the edge runs")?;
    let taken = measure();
    edge.stop()?;
    Ok(taken)
}

fn measure(line: &Serial) -> Taken {
    std::thread::sleep(WARM);
    let (begun, before) = (Instant::now(), line.counts());
    std::thread::sleep(MEASURED);
    let (passed, after) = (begun.elapsed().as_secs_f64(), line.counts());
    let share = |of: fn(&Counts) -> u64| (of(&after) - of(&before)) as f64;
    Taken {
        answers: share(|c| c.answers) / passed,
        too_early: share(|c| c.too_early + c.collisions) / share(|c| c.requests).max(1.0),
    }
}

/// What a device that never answers costs nine that do, on a line with no time to spare.
pub fn dead() -> anyhow::Result<()> {
    const TEN: u8 = 10;
    const LONG: Duration = Duration::from_mins(1);
    println!("| line | answers/s of nine devices | of ten, one of them dead | cost |");
    println!("|---|---|---|---|");
    for (baud, ms) in [(9600, 20), (19_200, 20)] {
        let (pace, turnaround) = (Pace { baud, bits: 10 }, Duration::from_millis(ms));
        let rate = |dead: Option<u8>, units: u8| -> anyhow::Result<f64> {
            let own = TempDir::new()?;
            let path = own.path().join("port");
            let line = Serial::open(&path, pace, Arc::new(Devices { turnaround, dead }))?;
            // As often as it takes to fill the line with nine.
            let period = Duration::from_secs_f64(9.0 / limit(pace, turnaround) / FULL);
            steward(own.path(), &path, pace, units, period, || {
                // It is given up, and its timeout learned, before the figure begins.
                std::thread::sleep(WARM * 3);
                let (begun, before) = (Instant::now(), line.counts());
                std::thread::sleep(LONG);
                (line.counts().answers - before.answers) as f64 / begun.elapsed().as_secs_f64()
            })
        };
        let mut costs = Vec::new();
        for _ in 0..ROUNDS {
            let (nine, ten) = (rate(None, TEN - 1)?, rate(Some(TEN), TEN)?);
            costs.push((1.0 - ten / nine, nine, ten));
        }
        let of = |f: fn(&(f64, f64, f64)) -> f64| median(costs.iter().map(f).collect());
        println!(
            "| {baud} 8N1, {ms} ms | {:.2} | {:.2} | {:.1} % |",
            of(|c| c.1),
            of(|c| c.2),
            of(|c| c.0) * 100.0
        );
    }
    println!();
    println!(
        "Each is asked for {REGISTERS} registers more often than the line can carry, which is more often than each second, so \
         that all that the dead device takes is missed by the others. Median of {ROUNDS} pairs of {} s, counted at the devices' end.",
        LONG.as_secs()
    );
    Ok(())
}
