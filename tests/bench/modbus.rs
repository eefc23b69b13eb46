//! Who reads Modbus in the benchmarks: the whole edge, and the clients of others that read the same blocks and throw them
//! away, each in a process of its own, so that its CPU and memory can be told apart.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::Context as _;
use steward_shared::wire::columns::decode;
use steward_tests::Edge;
use steward_tests::programs::free_tcp_port;
use tokio_modbus::Slave;
use tokio_modbus::client::{Context, Reader, rtu, tcp};
use tokio_modbus::prelude::SlaveContext;
use tokio_serial::SerialPortBuilderExt;

/// Registers of a device, two to a point, in blocks as large as the standard allows.
pub const REGISTERS: u16 = 2000;
pub const BLOCK: u16 = 125;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Peer {
    TokioModbus,
    Libmodbus,
    Pymodbus,
}

impl Peer {
    pub const fn name(self) -> &'static str {
        match self {
            Self::TokioModbus => "tokio-modbus, bare",
            Self::Libmodbus => "libmodbus, bare",
            Self::Pymodbus => "pymodbus, bare",
        }
    }

    /// The client's process, with these words.
    fn start(self, dir: &Path, words: &[String]) -> anyhow::Result<Child> {
        let bench = Path::new(env!("CARGO_MANIFEST_DIR")).join("bench");
        let mut command = match self {
            Self::TokioModbus => {
                let mut own = Command::new(std::env::current_exe()?);
                own.arg("tokio-modbus-client");
                own
            }
            Self::Libmodbus => Command::new(compiled(&bench.join("modbus_libmodbus.c"), dir)?),
            Self::Pymodbus => {
                let python = std::env::var_os("STEWARD_PYTHON")
                    .context("STEWARD_PYTHON is not set; use `cargo xtask bench`")?;
                let mut command = Command::new(python);
                command.arg(bench.join("modbus_pymodbus.py"));
                command
            }
        };
        Ok(command.args(words).stdin(Stdio::null()).stdout(Stdio::null()).spawn()?)
    }

    /// Reads every block of every unit of each server once a period.
    pub fn tcp(self, dir: &Path, ports: &[u16], units: u8, period: Duration) -> anyhow::Result<Child> {
        let mut words = vec!["tcp".to_owned(), period.as_millis().to_string(), units.to_string()];
        words.extend(ports.iter().map(ToString::to_string));
        self.start(dir, &words)
    }

    /// Asks one unit after the other for its first registers.
    pub fn serial(
        self,
        dir: &Path,
        path: &Path,
        baud: u32,
        units: u8,
        registers: u16,
    ) -> anyhow::Result<Child> {
        let path = path.display().to_string();
        let numbers = [baud, u32::from(units), u32::from(registers)].map(|n| n.to_string());
        let words: Vec<String> = ["rtu".to_owned(), path].into_iter().chain(numbers).collect();
        self.start(dir, &words)
    }
}

fn compiled(source: &Path, dir: &Path) -> anyhow::Result<PathBuf> {
    let program = dir.join("modbus-libmodbus");
    if !program.exists() {
        let built =
            Command::new("cc").args(["-O2", "-o"]).arg(&program).arg(source).arg("-lmodbus").status()?;
        anyhow::ensure!(built.success(), "libmodbus' client cannot be built; is libmodbus-dev there?");
    }
    Ok(program)
}

/// What `tokio-modbus-client` does, by the words that its process was given.
pub fn tokio_modbus(words: &[&str]) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    match words {
        ["tcp", ms, units, ports @ ..] => {
            let (period, units) = (Duration::from_millis(ms.parse()?), units.parse()?);
            let ports: Vec<u16> = ports.iter().map(|port| port.parse()).collect::<Result<_, _>>()?;
            let all = ports.into_iter().map(|port| every_block(port, units, period));
            runtime.block_on(futures_util::future::try_join_all(all)).map(|_| ())
        }
        ["rtu", path, baud, units, registers] => {
            runtime.block_on(first_registers(path, baud.parse()?, units.parse()?, registers.parse()?))
        }
        other => anyhow::bail!("`{}` is no client", other.join(" ")),
    }
}

async fn every_block(port: u16, units: u8, period: Duration) -> anyhow::Result<()> {
    let mut context = tcp::connect_slave(SocketAddr::from(([127, 0, 0, 1], port)), Slave(1)).await?;
    let mut turn = tokio::time::interval(period);
    loop {
        turn.tick().await;
        for unit in 1..=units {
            context.set_slave(Slave(unit));
            for address in (0..REGISTERS).step_by(usize::from(BLOCK)) {
                read(&mut context, address, BLOCK).await?;
            }
        }
    }
}

async fn first_registers(path: &str, baud: u32, units: u8, registers: u16) -> anyhow::Result<()> {
    let port = tokio_serial::new(path, baud).open_native_async()?;
    let mut context = rtu::attach_slave(port, Slave(1));
    loop {
        for unit in 1..=units {
            context.set_slave(Slave(unit));
            read(&mut context, 0, registers).await?;
        }
    }
}

async fn read(context: &mut Context, address: u16, count: u16) -> anyhow::Result<()> {
    let words = context.read_holding_registers(address, count).await??;
    anyhow::ensure!(words.len() == usize::from(count), "a short answer");
    Ok(())
}

/// A line of the gateway's file, and its devices by their addresses.
pub struct EdgeLine {
    /// The keys of its `[[line]]`, without name and devices.
    pub keys: String,
    pub units: Vec<u8>,
}

/// What stands in the registers of a device, from 0 on.
#[derive(Clone, Copy, Debug)]
pub enum Points {
    /// So many, one register each.
    Words(u16),
    /// So many, a floating point number each.
    Floats(u16),
}

/// The buffer of a gateway that has stopped; nobody else may look into it before.
fn buffer(dir: &Path) -> anyhow::Result<rusqlite::Connection> {
    let file = dir.join("edge/telemetry.db");
    Ok(rusqlite::Connection::open_with_flags(&file, rusqlite::OpenFlags::SQLITE_OPEN_READ_ONLY)?)
}

/// Readings that it has on its disk.
pub fn stored(dir: &Path) -> anyhow::Result<u64> {
    let count: i64 = buffer(dir)?.query_row("select coalesce(sum(n), 0) from batch", [], |row| row.get(0))?;
    Ok(count.unsigned_abs())
}

/// Good readings a second that are on a gateway's disk, of whole periods: from one after the first reading on, when every
/// device has its place in the period, to the last that has come to its end.
pub fn stored_rate(dir: &Path, period: Duration) -> anyhow::Result<f64> {
    let buffer = buffer(dir)?;
    let mut batches = buffer.prepare("select body from batch")?;
    let mut instants = Vec::new();
    for body in batches.query_map([], |row| row.get::<_, Vec<u8>>(0))? {
        let readings = decode(&body?)?.readings;
        instants.extend(readings.iter().filter(|r| r.quality.is_good()).map(|r| r.at.as_millis()));
    }
    let period = i64::try_from(period.as_millis())?;
    let (first, last) = instants.iter().min().zip(instants.iter().max()).context("nothing is stored")?;
    let begins = first + period;
    let periods = (last - begins) / period;
    anyhow::ensure!(periods > 0, "less than two periods are stored");
    let whole = begins..begins + periods * period;
    let count = instants.iter().filter(|at| whole.contains(at)).count();
    Ok(count as f64 / ((whole.end - whole.start) as f64 / 1000.0))
}

/// A gateway with these lines and their devices.
pub fn edge(dir: &Path, lines: &[EdgeLine], points: Points, period: Duration) -> anyhow::Result<Edge> {
    let profiles = dir.join("profiles/bench");
    std::fs::create_dir_all(&profiles)?;
    let mut profile = String::from(
        "vendor = \"bench\"\nmodel = \"block\"\ntitle = { zh = \"一块\", en = \"Block\" }\nsource = [\"bench\"]\n",
    );
    let (count, wide, kind) = match points {
        Points::Words(count) => (count, 1, "type = \"u16\"\nscale = 0.1"),
        Points::Floats(count) => (count, 2, "type = \"f32\""),
    };
    for n in 0..count {
        write!(
            profile,
            "[[point]]\nkey = \"p{n}\"\ntitle = {{ zh = \"点\", en = \"p\" }}\ntable = \"holding\"\n\
             address = {}\n{kind}\nunit = \"Cel\"\nclass = \"fast\"\n",
            n * wide
        )?;
    }
    std::fs::write(profiles.join("block.toml"), profile)?;
    let http = SocketAddr::from(([127, 0, 0, 1], free_tcp_port()?));
    let mut text = format!(
        "[gateway]\nname = \"bench\"\ndata = \"{}\"\n[http]\nlisten = \"{http}\"\n[periods]\nfast = \"{}ms\"\n\
         [profiles]\nfolders = [\"{}\"]\n[log]\nlevel = \"warn\"\n",
        dir.join("edge").display(),
        period.as_millis(),
        dir.join("profiles").display(),
    );
    for (i, line) in lines.iter().enumerate() {
        write!(text, "[[line]]\nname = \"line-{i}\"\n{}\n", line.keys)?;
        for unit in &line.units {
            let device = "[[line.device]]\nprofile = \"bench/block\"\n";
            write!(text, "{device}name = \"d{i}-{unit}\"\naddress = {unit}\n")?;
        }
    }
    let file = dir.join("edge.toml");
    std::fs::write(&file, text)?;
    Ok(Edge::new(&file, http))
}
