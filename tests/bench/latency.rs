//! From a register's change to the number in a browser: the register of a server of our own changes at moments that the
//! poll does not know, the real edge polls it, the real hub tells it, Chromium draws it.

use std::io::{BufRead, BufReader};
use std::net::SocketAddr;
use std::path::Path;
use std::process::{Command, Stdio};
use std::sync::atomic::{AtomicU16, Ordering};
use std::sync::{Arc, Mutex, PoisonError, mpsc};
use std::time::Duration;

use anyhow::Context as _;
use serde_json::Value;
use steward_shared::time::{Clock, SystemClock};
use steward_tests::plant::noise::chance;
use steward_tests::programs::{ADMIN, HubOptions, PASSWORD, free_tcp_port};
use steward_tests::{Edge, Hub, eventually};
use tempfile::TempDir;

use crate::figures::quantile;
use crate::server::Server;

const CHANGES: u16 = 100;
const PERIODS: [&str; 2] = ["1s", "100ms"];
const PATIENCE: Duration = Duration::from_secs(30);

/// The register, and when it changed and was first read, in milliseconds since 1970.
#[derive(Default)]
struct Sequence {
    now: AtomicU16,
    changed: Mutex<Vec<i64>>,
    read: Mutex<Vec<Option<i64>>>,
}

impl Sequence {
    fn change(&self) {
        let at = SystemClock.now().0;
        self.changed.lock().unwrap_or_else(PoisonError::into_inner).push(at);
        self.read.lock().unwrap_or_else(PoisonError::into_inner).push(None);
        self.now.fetch_add(1, Ordering::SeqCst);
    }

    fn register(&self) -> u16 {
        let now = self.now.load(Ordering::SeqCst);
        let mut read = self.read.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(first) = usize::from(now).checked_sub(1).and_then(|at| read.get_mut(at)) {
            first.get_or_insert_with(|| SystemClock.now().0);
        }
        now
    }
}

pub fn run() -> anyhow::Result<()> {
    println!(
        "| period of the poll | from the change to the browser, p50 | p99 | from the poll to the browser, p50 | p99 |"
    );
    println!("|---|---|---|---|---|");
    for period in PERIODS {
        let (whole, way) = one(period)?;
        let ms = |of: &[f64], p| format!("{:.0} ms", quantile(of.to_vec(), p));
        println!(
            "| {period} | {} | {} | {} | {} |",
            ms(&whole, 0.5),
            ms(&whole, 0.99),
            ms(&way, 0.5),
            ms(&way, 0.99)
        );
    }
    println!();
    println!(
        "{CHANGES} changes at moments that follow no grid, one point on a page of Chromium, measured in the frame that \
         draws the number. The poll's grid is part of the first two columns: a change waits for the next slot, half a \
         period on average."
    );
    Ok(())
}

fn one(period: &str) -> anyhow::Result<(Vec<f64>, Vec<f64>)> {
    let sequence = Arc::new(Sequence::default());
    let told = Arc::clone(&sequence);
    let server = Server::start(Arc::new(move |_, _| told.register()))?;
    let dir = TempDir::new()?;
    let mut hub = Hub::new(&dir.path().join("hub"), &HubOptions::default())?;
    hub.start()?;
    let admin = hub.admin()?;
    let (gateway, code) = hub.add_gateway(&admin, "bench")?;
    let mut edge = edge(dir.path(), server.address, hub.gateways, period)?;
    edge.enrol(&code)?;
    edge.start()?;
    let device = eventually("the hub knows the device", PATIENCE, || {
        let devices = hub.list(&admin, &format!("/api/v1/devices?gateway={gateway}")).ok()?;
        devices.first().and_then(|d: &Value| d["id"].as_str().map(str::to_owned))
    });
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("bench/browser.mjs");
    let mut browser = Command::new("node")
        .arg(script)
        .args([&format!("http://{}", hub.http), ADMIN, PASSWORD, &device, "Sequence"])
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .context("node cannot be started")?;
    let drawn = watch(&sequence, browser.stdout.take().context("its output is a pipe")?);
    // Ended already says why on its own.
    let _ = browser.kill();
    browser.wait()?;
    edge.stop()?;
    hub.stop()?;
    let drawn = drawn?;
    let changed = sequence.changed.lock().unwrap_or_else(PoisonError::into_inner);
    let read = sequence.read.lock().unwrap_or_else(PoisonError::into_inner);
    let since = |from: &dyn Fn(usize) -> Option<i64>| -> Vec<f64> {
        drawn.iter().filter_map(|(number, at)| Some(at - from(*number - 1)? as f64)).collect()
    };
    Ok((since(&|i| changed.get(i).copied()), since(&|i| read.get(i).copied().flatten())))
}

/// Changes the register again and again; gives each number with the instant when it was drawn.
fn watch(sequence: &Sequence, out: impl std::io::Read + Send + 'static) -> anyhow::Result<Vec<(usize, f64)>> {
    let (send, lines) = mpsc::channel();
    std::thread::spawn(move || {
        for line in BufReader::new(out).lines().map_while(Result::ok) {
            if send.send(line).is_err() {
                break;
            }
        }
    });
    let next = || lines.recv_timeout(PATIENCE).context("the browser says nothing any more");
    while next()? != "ready" {}
    let mut drawn = Vec::new();
    for number in 1..=CHANGES {
        // Between one and two seconds, at no place of the poll's grid in particular.
        std::thread::sleep(Duration::from_millis((1500.0 + 500.0 * chance(3, 5, i64::from(number))) as u64));
        sequence.change();
        loop {
            let line = next()?;
            let (shown, at) = line.split_once(' ').context("the browser's line has two words")?;
            if shown.parse::<u16>().is_ok_and(|shown| shown == number) {
                drawn.push((usize::from(number), at.parse()?));
                break;
            }
        }
    }
    Ok(drawn)
}

fn edge(dir: &Path, server: SocketAddr, hub: SocketAddr, period: &str) -> anyhow::Result<Edge> {
    let profiles = dir.join("profiles/bench");
    std::fs::create_dir_all(&profiles)?;
    std::fs::write(
        profiles.join("sequence.toml"),
        "vendor = \"bench\"\nmodel = \"sequence\"\ntitle = { zh = \"序号\", en = \"Sequence device\" }\n\
         source = [\"bench\"]\n[[point]]\nkey = \"sequence\"\ntitle = { zh = \"序号\", en = \"Sequence\" }\n\
         table = \"holding\"\naddress = 0\ntype = \"u16\"\nunit = \"1\"\nclass = \"fast\"\n",
    )?;
    let http = SocketAddr::from(([127, 0, 0, 1], free_tcp_port()?));
    let text = format!(
        "[gateway]\nname = \"bench\"\ndata = \"{}\"\n[hub]\naddress = \"{hub}\"\n[http]\nlisten = \"{http}\"\n\
         [periods]\nfast = \"{period}\"\n[profiles]\nfolders = [\"{}\"]\n[[line]]\nname = \"tcp\"\nkind = \"tcp\"\n\
         host = \"127.0.0.1\"\nport = {}\n[[line.device]]\nname = \"one\"\nprofile = \"bench/sequence\"\naddress = 1\n",
        dir.join("edge").display(),
        dir.join("profiles").display(),
        server.port(),
    );
    let file = dir.join("edge.toml");
    std::fs::write(&file, text)?;
    Ok(Edge::new(&file, http))
}
