//! Readings a second from ten Modbus TCP servers: the whole edge, with decoding, quality and its durable buffer, beside
//! bare clients that read the same blocks and throw them away.

use std::path::Path;
use std::process::Child;
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use tempfile::TempDir;
use tokio::time::Instant;

use crate::figures::{grouped, mb, median};
use crate::machine;
use crate::modbus::{BLOCK, EdgeLine, Peer, Points, REGISTERS, edge, stored};
use crate::node_red;
use crate::server::Server;

const CONNECTIONS: usize = 10;
/// Of each device.
const POINTS: u16 = REGISTERS / 2;
/// Devices behind each connection, and how often each of their points is read. The last is the most that a gateway can
/// be asked for: 50 000 points at the shortest period.
const CASES: [Case; 3] = [
    Case { units: 1, period: Duration::from_secs(1) },
    Case { units: 1, period: Duration::from_millis(100) },
    Case { units: 5, period: Duration::from_millis(100) },
];
const ALL: [Who; 5] = [
    Who::Steward,
    Who::Bare(Peer::TokioModbus),
    Who::Bare(Peer::Libmodbus),
    Who::Bare(Peer::Pymodbus),
    Who::NodeRed,
];
const ROUNDS: usize = 3;
const WARM: Duration = Duration::from_secs(4);
const MEASURED: Duration = Duration::from_secs(15);

#[derive(Clone, Copy)]
struct Case {
    units: u8,
    period: Duration,
}

impl Case {
    fn nominal(self) -> f64 {
        CONNECTIONS as f64 * f64::from(self.units) * f64::from(POINTS) / self.period.as_secs_f64()
    }
}

#[derive(Clone, Copy)]
enum Who {
    Steward,
    Bare(Peer),
    NodeRed,
}

impl Who {
    const fn name(self) -> &'static str {
        match self {
            Self::Steward => "**steward-edge**, stored durably",
            Self::Bare(peer) => peer.name(),
            Self::NodeRed => "Node-RED, contrib-modbus",
        }
    }
}

struct Taken {
    readings: f64,
    /// Of a hundred readings that the servers gave, those on the edge's disk in the end; nothing for who keeps none.
    stored: f64,
    /// Share of a core.
    cpu: f64,
    memory: u64,
}

pub fn run() -> anyhow::Result<()> {
    let dir = TempDir::new()?;
    println!(
        "| nominal readings/s | who | readings/s | of the nominal rate | stored of those | CPU, share of a core | memory, peak |"
    );
    println!("|---|---|---|---|---|---|---|");
    for case in CASES {
        let mut all: [Vec<Taken>; ALL.len()] = Default::default();
        for round in 0..ROUNDS {
            // Each takes its turn at being first.
            for turn in 0..all.len() {
                let who = (turn + round) % all.len();
                all[who].push(one(ALL[who], case, dir.path())?);
            }
        }
        for (name, taken) in ALL.map(Who::name).into_iter().zip(&all) {
            let of = |f: fn(&Taken) -> f64| median(taken.iter().map(f).collect());
            let stored = of(|t| t.stored);
            println!(
                "| {} | {name} | {} | {:.2} % | {} | {:.1} % | {} |",
                grouped(case.nominal()),
                grouped(of(|t| t.readings)),
                of(|t| t.readings) / case.nominal() * 100.0,
                if stored > 0.0 { format!("{stored:.2} %") } else { String::new() },
                of(|t| t.cpu) * 100.0,
                mb(of(|t| t.memory as f64) as u64),
            );
        }
    }
    println!();
    println!(
        "{CONNECTIONS} connections, each to devices of {POINTS} points, floating point numbers that move, in blocks of at \
         most {BLOCK} registers: one device with each point once a second, then ten times, then five such devices. All are \
         paced, and the last is the most that a gateway can be asked for. Median of {ROUNDS} rounds of {} s in turn. Counted \
         at the servers; what is stored, in the buffer's file after the edge has stopped.",
        MEASURED.as_secs()
    );
    Ok(())
}

/// The edge, or one of its peers.
fn one(who: Who, case: Case, dir: &Path) -> anyhow::Result<Taken> {
    let began = Instant::now();
    let server = || Server::start(Arc::new(move |unit, address| moving(began.elapsed(), unit, address)));
    let servers: Vec<Server> = (0..CONNECTIONS).map(|_| server()).collect::<anyhow::Result<_>>()?;
    let ports: Vec<u16> = servers.iter().map(|server| server.address.port()).collect();
    let mut client = match who {
        Who::Steward => return steward(&servers, &ports, case),
        Who::Bare(peer) => peer.tcp(dir, &ports, case.units, case.period)?,
        Who::NodeRed => node_red::start(dir, &ports, case.units, case.period)?,
    };
    let taken = measure(&servers, client.id());
    end(&mut client)?;
    taken
}

fn steward(servers: &[Server], ports: &[u16], case: Case) -> anyhow::Result<Taken> {
    let own = TempDir::new()?;
    let line = |port: &u16| EdgeLine {
        keys: format!("kind = \"tcp\"\nhost = \"127.0.0.1\"\nport = {port}"),
        units: (1..=case.units).collect(),
    };
    let lines: Vec<EdgeLine> = ports.iter().map(line).collect();
    let mut edge = edge(own.path(), &lines, Points::Floats(POINTS), case.period)?;
    edge.start()?;
    let pid = edge.process().context("the edge runs")?.id();
    let taken = measure(servers, pid)?;
    edge.stop()?;
    let stored = stored(own.path())? as f64 / given(servers) * 100.0;
    Ok(Taken { stored, ..taken })
}

/// A register of a temperature that swings, each point at a speed of its own, as a sensor shows it: to a hundredth.
fn moving(since: Duration, unit: u8, address: u16) -> u16 {
    let point = address / 2;
    let at = since.as_secs_f32() / f32::from(5 + point % 50) + f32::from(unit);
    let bits = (((20.0 + f32::from(point % 20) + 3.0 * at.sin()) * 100.0).round() / 100.0).to_bits();
    if address.is_multiple_of(2) { (bits >> 16) as u16 } else { bits as u16 }
}

/// Readings that the servers have given so far, by the registers asked for.
fn given(servers: &[Server]) -> f64 {
    servers.iter().map(Server::given).sum::<u64>() as f64 / 2.0
}

pub fn end(client: &mut Child) -> anyhow::Result<()> {
    client.kill()?;
    client.wait()?;
    Ok(())
}

fn measure(servers: &[Server], pid: u32) -> anyhow::Result<Taken> {
    std::thread::sleep(WARM);
    let (begun, before, cpu) = (Instant::now(), given(servers), machine::cpu(pid)?);
    std::thread::sleep(MEASURED);
    let passed = begun.elapsed().as_secs_f64();
    Ok(Taken {
        readings: (given(servers) - before) / passed,
        stored: 0.0,
        cpu: machine::cpu(pid)?.saturating_sub(cpu).as_secs_f64() / passed,
        memory: machine::peak_memory(pid)?,
    })
}
