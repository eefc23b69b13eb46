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
use crate::modbus::{BLOCK, EdgeLine, POINTS, Peer, edge};
use crate::server::Server;

const CONNECTIONS: usize = 10;
/// Devices behind each connection, and how often each of their points is read. The last is the most that a gateway can
/// be asked for: 50 000 points at the shortest period.
const CASES: [Case; 3] = [
    Case { units: 1, period: Duration::from_secs(1) },
    Case { units: 1, period: Duration::from_millis(100) },
    Case { units: 5, period: Duration::from_millis(100) },
];
const PEERS: [Peer; 3] = [Peer::TokioModbus, Peer::Libmodbus, Peer::Pymodbus];
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

struct Taken {
    readings: f64,
    /// Share of a core.
    cpu: f64,
    memory: u64,
}

pub fn run() -> anyhow::Result<()> {
    let dir = TempDir::new()?;
    println!(
        "| nominal readings/s | who | readings/s | of the nominal rate | CPU, share of a core | memory, peak |"
    );
    println!("|---|---|---|---|---|---|");
    for case in CASES {
        let mut all: [Vec<Taken>; PEERS.len() + 1] = Default::default();
        for round in 0..ROUNDS {
            // Each takes its turn at being first.
            for turn in 0..all.len() {
                let who = (turn + round) % all.len();
                all[who].push(one(who.checked_sub(1).map(|peer| PEERS[peer]), case, dir.path())?);
            }
        }
        let names = ["**steward-edge**, stored durably"].into_iter().chain(PEERS.map(Peer::name));
        for (name, taken) in names.zip(&all) {
            let of = |f: fn(&Taken) -> f64| median(taken.iter().map(f).collect());
            println!(
                "| {} | {name} | {} | {:.2} % | {:.1} % | {} |",
                grouped(case.nominal()),
                grouped(of(|t| t.readings)),
                of(|t| t.readings) / case.nominal() * 100.0,
                of(|t| t.cpu) * 100.0,
                mb(of(|t| t.memory as f64) as u64),
            );
        }
    }
    println!();
    println!(
        "{CONNECTIONS} connections, each to devices of {POINTS} points in blocks of {BLOCK} registers: one device with \
         each point once a second, then ten times, then five such devices. All are paced, and the last is the most that a \
         gateway can be asked for. Median of {ROUNDS} rounds of {} s in turn. Counted at the servers.",
        MEASURED.as_secs()
    );
    Ok(())
}

/// The edge, or one of its peers.
fn one(peer: Option<Peer>, case: Case, dir: &Path) -> anyhow::Result<Taken> {
    let server = || Server::start(Arc::new(|unit, address| address.wrapping_mul(7) ^ u16::from(unit)));
    let servers: Vec<Server> = (0..CONNECTIONS).map(|_| server()).collect::<anyhow::Result<_>>()?;
    let ports: Vec<u16> = servers.iter().map(|server| server.address.port()).collect();
    let Some(peer) = peer else {
        let own = TempDir::new()?;
        let line = |port: &u16| EdgeLine {
            keys: format!("kind = \"tcp\"\nhost = \"127.0.0.1\"\nport = {port}"),
            units: (1..=case.units).collect(),
        };
        let lines: Vec<EdgeLine> = ports.iter().map(line).collect();
        let mut edge = edge(own.path(), &lines, POINTS, case.period)?;
        edge.start()?;
        let pid = edge.process().context("the edge runs")?.id();
        let taken = measure(&servers, pid)?;
        edge.stop()?;
        return Ok(taken);
    };
    let mut client = peer.tcp(dir, &ports, case.units, case.period)?;
    let taken = measure(&servers, client.id());
    end(&mut client)?;
    taken
}

pub fn end(client: &mut Child) -> anyhow::Result<()> {
    client.kill()?;
    client.wait()?;
    Ok(())
}

fn measure(servers: &[Server], pid: u32) -> anyhow::Result<Taken> {
    let given = || servers.iter().map(Server::given).sum::<u64>();
    std::thread::sleep(WARM);
    let (begun, before, cpu) = (Instant::now(), given(), machine::cpu(pid)?);
    std::thread::sleep(MEASURED);
    let passed = begun.elapsed().as_secs_f64();
    Ok(Taken {
        readings: (given() - before) as f64 / passed,
        cpu: machine::cpu(pid)?.saturating_sub(cpu).as_secs_f64() / passed,
        memory: machine::peak_memory(pid)?,
    })
}
