//! Readings a second from ten BACnet devices of a hundred objects each, and datagrams for each reading, both directions:
//! the whole edge beside a client of bacpypes3 that throws away what it reads. The devices are of bacpypes3 too.

use std::fmt::Write as _;
use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Child, ChildStdout, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::Context as _;
use steward_tests::Edge;
use steward_tests::programs::{free_tcp_port, free_udp_port};
use tempfile::TempDir;
use tokio::time::Instant;

use crate::figures::{mb, median};
use crate::machine;
use crate::modbus::stored_rate;

const DEVICES: u16 = 10;
const OBJECTS: u16 = 100;
const PERIOD: Duration = Duration::from_secs(5);
const ROUNDS: usize = 3;
const WARM: Duration = Duration::from_secs(12);
const MEASURED: Duration = Duration::from_secs(30);

struct Taken {
    readings: f64,
    datagrams: f64,
    cpu: f64,
    memory: u64,
}

pub fn run() -> anyhow::Result<()> {
    let mut all: [Vec<Taken>; 2] = Default::default();
    for round in 0..ROUNDS {
        for turn in 0..2 {
            let who = (turn + round) % 2;
            all[who].push(if who == 0 { steward()? } else { bacpypes()? });
        }
    }
    println!("| who | readings/s | datagrams a reading | CPU, share of a core | memory, peak |");
    println!("|---|---|---|---|---|");
    for (name, taken) in ["**steward-edge**, stored durably", "bacpypes3, bare"].into_iter().zip(&all) {
        let of = |f: fn(&Taken) -> f64| median(taken.iter().map(f).collect());
        println!(
            "| {name} | {:.1} | {:.4} | {:.2} % | {} |",
            of(|t| t.readings),
            of(|t| t.datagrams / t.readings),
            of(|t| t.cpu) * 100.0,
            mb(of(|t| t.memory as f64) as u64)
        );
    }
    println!();
    println!(
        "{DEVICES} devices of {OBJECTS} objects, the present value of each every {} s: {} readings/s. Datagrams of both \
         directions, as the kernel counts them. Median of {ROUNDS} rounds of {} s in turn.",
        PERIOD.as_secs(),
        f64::from(DEVICES) * f64::from(OBJECTS) / PERIOD.as_secs_f64(),
        MEASURED.as_secs()
    );
    Ok(())
}

/// A process that ends with its owner.
struct Running(Child);

impl Drop for Running {
    fn drop(&mut self) {
        // It may have ended by itself.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn python(words: &[String]) -> anyhow::Result<(Running, BufReader<ChildStdout>)> {
    let python =
        std::env::var_os("STEWARD_PYTHON").context("STEWARD_PYTHON is not set; use `cargo xtask bench`")?;
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("bench/bacnet.py");
    let mut command = Command::new(python);
    let mut child = command.arg(script).args(words).stdin(Stdio::null()).stdout(Stdio::piped()).spawn()?;
    let out = child.stdout.take().context("its output is piped")?;
    Ok((Running(child), BufReader::new(out)))
}

fn devices() -> anyhow::Result<(Running, u16)> {
    let port = free_udp_port()?;
    let words = ["devices".to_owned(), port.to_string(), DEVICES.to_string(), OBJECTS.to_string()];
    let (running, mut out) = python(&words)?;
    let mut line = String::new();
    out.read_line(&mut line)?;
    anyhow::ensure!(line.trim() == "ready", "the devices did not come up");
    Ok((running, port))
}

/// Datagrams sent on this machine: on the loopback each is received too.
fn datagrams() -> anyhow::Result<u64> {
    let text = std::fs::read_to_string("/proc/net/snmp")?;
    let mut lines = text.lines().filter_map(|line| line.strip_prefix("Udp:"));
    let (names, values) = lines.next().zip(lines.next()).context("the kernel counts datagrams")?;
    let at = names.split_whitespace().position(|name| name == "OutDatagrams").context("and those sent")?;
    Ok(values.split_whitespace().nth(at).context("with their number")?.parse()?)
}

/// Waits for the next round to be counted, so that what lies between two calls is whole rounds.
fn counted(readings: &impl Fn() -> anyhow::Result<u64>) -> anyhow::Result<(Instant, u64)> {
    let before = readings()?;
    for _ in 0..1500 {
        std::thread::sleep(Duration::from_millis(20));
        let now = readings()?;
        if now > before {
            return Ok((Instant::now(), now));
        }
    }
    anyhow::bail!("nothing is read")
}

fn measure(pid: u32, readings: impl Fn() -> anyhow::Result<u64>) -> anyhow::Result<Taken> {
    std::thread::sleep(WARM);
    let ((begun, before), sent, cpu) = (counted(&readings)?, datagrams()?, machine::cpu(pid)?);
    std::thread::sleep(MEASURED);
    let ((ended, after), sent_then, cpu_then) = (counted(&readings)?, datagrams()?, machine::cpu(pid)?);
    let passed = ended.duration_since(begun).as_secs_f64();
    Ok(Taken {
        readings: (after - before) as f64 / passed,
        datagrams: (sent_then - sent) as f64 / passed,
        cpu: cpu_then.saturating_sub(cpu).as_secs_f64() / passed,
        memory: machine::peak_memory(pid)?,
    })
}

fn bacpypes() -> anyhow::Result<Taken> {
    let (_devices, port) = devices()?;
    let words = ["read".to_owned(), port.to_string(), DEVICES.to_string(), OBJECTS.to_string()];
    let more = [PERIOD.as_millis().to_string(), free_udp_port()?.to_string()];
    let (reader, out) = python(&[&words[..], &more].concat())?;
    let read = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&read);
    std::thread::spawn(move || {
        for values in out.lines().map_while(Result::ok).filter_map(|line| line.parse().ok()) {
            counted.fetch_add(values, Ordering::Relaxed);
        }
    });
    measure(reader.0.id(), || Ok(read.load(Ordering::Relaxed)))
}

fn steward() -> anyhow::Result<Taken> {
    let (_devices, port) = devices()?;
    let dir = TempDir::new()?;
    let mut edge = edge(dir.path(), port)?;
    edge.start()?;
    let pid = edge.process().context("the edge runs")?.id();
    // What is on its disk can be read when it has stopped; the window is of whole rounds.
    std::thread::sleep(WARM);
    let (begun, sent, cpu) = (Instant::now(), datagrams()?, machine::cpu(pid)?);
    std::thread::sleep(MEASURED);
    let (passed, sent, cpu) =
        (begun.elapsed().as_secs_f64(), datagrams()? - sent, machine::cpu(pid)?.saturating_sub(cpu));
    let memory = machine::peak_memory(pid)?;
    edge.stop()?;
    Ok(Taken {
        readings: stored_rate(dir.path(), PERIOD)?,
        datagrams: sent as f64 / passed,
        cpu: cpu.as_secs_f64() / passed,
        memory,
    })
}

fn edge(dir: &Path, port: u16) -> anyhow::Result<Edge> {
    let profiles = dir.join("profiles/bench");
    std::fs::create_dir_all(&profiles)?;
    let mut profile = String::from(
        "vendor = \"bench\"\nmodel = \"hundred\"\ntitle = { zh = \"一百\", en = \"Hundred\" }\nsource = [\"bench\"]\n\
         [bacnet]\nstatus = false\n",
    );
    for n in 1..=OBJECTS {
        write!(
            profile,
            "[[point]]\nkey = \"p{n}\"\ntitle = {{ zh = \"点\", en = \"p\" }}\nobject = \"analog-input\"\n\
             instance = {n}\nunit = \"Cel\"\nclass = \"fast\"\n"
        )?;
    }
    std::fs::write(profiles.join("hundred.toml"), profile)?;
    let http = SocketAddr::from(([127, 0, 0, 1], free_tcp_port()?));
    let mut text = format!(
        "[gateway]\nname = \"bench\"\ndata = \"{}\"\n[http]\nlisten = \"{http}\"\n[periods]\nfast = \"{}ms\"\n\
         [profiles]\nfolders = [\"{}\"]\n[log]\nlevel = \"warn\"\n[[line]]\nname = \"bms\"\nkind = \"bacnet-ip\"\n\
         listen = \"127.0.0.1:{}\"\nbroadcast = \"127.255.255.255:{port}\"\n",
        dir.join("edge").display(),
        PERIOD.as_millis(),
        dir.join("profiles").display(),
        free_udp_port()?,
    );
    for i in 0..DEVICES {
        write!(
            text,
            "[[line.device]]\nname = \"d{i}\"\nprofile = \"bench/hundred\"\ninstance = {}\nhost = \"127.0.0.{}:{port}\"\n",
            2001 + i,
            20 + i
        )?;
    }
    let file = dir.join("edge.toml");
    std::fs::write(&file, text)?;
    Ok(Edge::new(&file, http))
}
