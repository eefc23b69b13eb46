//! Readings a second from one Modbus TCP server: the whole edge, with decoding, quality and its durable buffer, beside a
//! bare tokio-modbus and a bare pymodbus client that read the same blocks and throw them away.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Arc;
use std::time::Duration;

use anyhow::Context as _;
use steward_tests::Edge;
use steward_tests::programs::free_tcp_port;
use tempfile::TempDir;
use tokio::time::Instant;
use tokio_modbus::Slave;
use tokio_modbus::client::{Reader, tcp};
use tokio_modbus::prelude::SlaveContext;

use crate::figures::{grouped, mb, median};
use crate::machine;
use crate::server::Server;

/// Registers of a device, all of them points, in blocks as large as the standard allows.
const POINTS: u16 = 1000;
const BLOCK: u16 = 125;
/// Devices, and how often each of their points is read. The last is the most that a gateway can be asked for: 50 000
/// points at the shortest period.
const CASES: [Case; 3] = [
    Case { units: 10, period_ms: 1000 },
    Case { units: 10, period_ms: 100 },
    Case { units: 50, period_ms: 100 },
];
const ROUNDS: usize = 3;
const WARM: Duration = Duration::from_secs(4);
const MEASURED: Duration = Duration::from_secs(15);

#[derive(Clone, Copy)]
struct Case {
    units: u8,
    period_ms: u64,
}

impl Case {
    fn nominal(self) -> f64 {
        f64::from(self.units) * f64::from(POINTS) * 1000.0 / self.period_ms as f64
    }
}

struct Taken {
    readings: f64,
    /// Share of a core.
    cpu: f64,
    memory: u64,
}

pub fn run() -> anyhow::Result<()> {
    println!("| nominal readings/s | who | readings/s | CPU, share of a core | memory, peak |");
    println!("|---|---|---|---|---|");
    for case in CASES {
        let mut all: [Vec<Taken>; 3] = Default::default();
        for round in 0..ROUNDS {
            // Each takes its turn at being first.
            for turn in 0..all.len() {
                let who = (turn + round) % all.len();
                all[who].push(one(who, case)?);
            }
        }
        let names = ["**steward-edge**, stored durably", "tokio-modbus, bare", "pymodbus, bare"];
        for (name, taken) in names.into_iter().zip(&all) {
            let of = |f: fn(&Taken) -> f64| median(taken.iter().map(f).collect());
            println!(
                "| {} | {name} | {} | {:.1} % | {} |",
                grouped(case.nominal()),
                grouped(of(|t| t.readings)),
                of(|t| t.cpu) * 100.0,
                mb(of(|t| t.memory as f64) as u64),
            );
        }
    }
    println!();
    println!(
        "One connection, 10 devices of {POINTS} points in blocks of {BLOCK} registers, each point once a second, then \
         ten times, then 50 such devices: all three are paced, and the last is the most that a gateway can be asked \
         for. Median of {ROUNDS} rounds of {} s in turn. Counted at the server.",
        MEASURED.as_secs()
    );
    Ok(())
}

fn one(who: usize, case: Case) -> anyhow::Result<Taken> {
    let server = Server::start(Arc::new(|unit, address| address.wrapping_mul(7) ^ u16::from(unit)))?;
    let dir = TempDir::new()?;
    let (port, ms) = (server.address.port().to_string(), case.period_ms.to_string());
    let units = case.units.to_string();
    match who {
        0 => {
            let mut edge = edge(dir.path(), server.address, case)?;
            edge.start()?;
            let pid = edge.process().context("the edge runs")?.id();
            let taken = measure(&server, pid)?;
            edge.stop()?;
            Ok(taken)
        }
        1 => {
            let own = std::env::current_exe()?;
            client(&server, Command::new(own).args(["tokio-modbus-client", &port, &units, &ms]))
        }
        _ => {
            let python = std::env::var_os("STEWARD_PYTHON")
                .context("STEWARD_PYTHON is not set; use `cargo xtask bench`")?;
            let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("bench/poll_pymodbus.py");
            client(&server, Command::new(python).arg(script).args([&port, &units, &ms]))
        }
    }
}

fn client(server: &Server, command: &mut Command) -> anyhow::Result<Taken> {
    let mut child = command.stdin(Stdio::null()).stdout(Stdio::null()).spawn()?;
    let taken = measure(server, child.id());
    child.kill()?;
    child.wait()?;
    taken
}

fn measure(server: &Server, pid: u32) -> anyhow::Result<Taken> {
    std::thread::sleep(WARM);
    let (begun, given, cpu) = (Instant::now(), server.given(), machine::cpu(pid)?);
    std::thread::sleep(MEASURED);
    let passed = begun.elapsed().as_secs_f64();
    Ok(Taken {
        readings: (server.given() - given) as f64 / passed,
        cpu: machine::cpu(pid)?.saturating_sub(cpu).as_secs_f64() / passed,
        memory: machine::peak_memory(pid)?,
    })
}

/// A gateway's file with its devices, and the profile of their registers.
fn edge(dir: &Path, server: SocketAddr, case: Case) -> anyhow::Result<Edge> {
    let profiles = dir.join("profiles/bench");
    std::fs::create_dir_all(&profiles)?;
    let mut profile = String::from(
        "vendor = \"bench\"\nmodel = \"block\"\ntitle = { zh = \"一块\", en = \"Block\" }\nsource = [\"bench\"]\n",
    );
    for address in 0..POINTS {
        write!(
            profile,
            "[[point]]\nkey = \"p{address}\"\ntitle = {{ zh = \"点\", en = \"p\" }}\ntable = \"holding\"\n\
             address = {address}\ntype = \"u16\"\nscale = 0.1\nunit = \"Cel\"\nclass = \"fast\"\n"
        )?;
    }
    std::fs::write(profiles.join("block.toml"), profile)?;
    let http = SocketAddr::from(([127, 0, 0, 1], free_tcp_port()?));
    let mut text = format!(
        "[gateway]\nname = \"bench\"\ndata = \"{}\"\n[http]\nlisten = \"{http}\"\n[periods]\nfast = \"{}ms\"\n\
         [profiles]\nfolders = [\"{}\"]\n[log]\nlevel = \"warn\"\n[[line]]\nname = \"tcp\"\nkind = \"tcp\"\n\
         host = \"127.0.0.1\"\nport = {}\n",
        dir.join("edge").display(),
        case.period_ms,
        dir.join("profiles").display(),
        server.port(),
    );
    for unit in 1..=case.units {
        write!(text, "[[line.device]]\nname = \"d{unit}\"\nprofile = \"bench/block\"\naddress = {unit}\n")?;
    }
    let file: PathBuf = dir.join("edge.toml");
    std::fs::write(&file, text)?;
    Ok(Edge::new(&file, http))
}

/// The peer: reads every block of every unit once a period.
pub fn tokio_modbus(port: u16, units: u8, period: Duration) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    runtime.block_on(async {
        let mut context = tcp::connect_slave(SocketAddr::from(([127, 0, 0, 1], port)), Slave(1)).await?;
        let mut turn = tokio::time::interval(period);
        loop {
            turn.tick().await;
            for unit in 1..=units {
                context.set_slave(Slave(unit));
                for address in (0..POINTS).step_by(usize::from(BLOCK)) {
                    let words = context.read_holding_registers(address, BLOCK).await??;
                    anyhow::ensure!(words.len() == usize::from(BLOCK), "a short answer");
                }
            }
        }
    })
}
