//! `cargo demo` tried as its users do: on a port that is taken, twice at once, with a hub that is stopped and started,
//! ended by Ctrl-C and by kill -9, and once more on what it kept. Called by `verify`.

use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::api::Api;
use crate::child::{Running, wait_for};
use crate::files;
use crate::http;
use crate::json::Json;
use crate::report::Counts;
use crate::shell;
use crate::stack;
use crate::stopwatch::eventually;

const UP: Duration = Duration::from_mins(3);
const SOON: Duration = Duration::from_secs(30);

struct Rehearsal {
    folder: PathBuf,
    log: PathBuf,
    /// The page's wished port, which is taken.
    taken: u16,
}

pub fn run(counts: &mut Counts) -> Result<(), String> {
    let folder = files::target().join("demo-test");
    let fault = |e: std::io::Error| format!("no port on loopback: {e}");
    let listener = TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).map_err(fault)?;
    let taken = listener.local_addr().map_err(fault)?.port();
    let tried = Rehearsal { log: folder.with_extension("log"), folder, taken };
    tried.somebody_elses_folder(counts)?;
    tried.interrupted_run(counts)?;
    let kept = tried.first_run(counts)?;
    tried.second_run(counts, &kept)
}

impl Rehearsal {
    /// `--fresh` must not be the end of what somebody else keeps in a folder.
    fn somebody_elses_folder(&self, counts: &mut Counts) -> Result<(), String> {
        files::remove(&self.folder)?;
        let kept = self.folder.join("kept");
        files::write(&kept, "")?;
        let refused = shell::output(&self.command(&["--fresh"])).err().unwrap_or_default();
        holds(counts, "a folder of somebody else is refused", refused.contains("new or empty"))?;
        holds(counts, "and left as it is", kept.is_file())?;
        files::remove(&self.folder)
    }

    fn interrupted_run(&self, counts: &mut Counts) -> Result<(), String> {
        files::write(&self.log, "")?;
        let mut demo = Running::of("the demo", &self.command(&["--days", "30"]), &self.log)?;
        wait_for("the history", UP, &mut [&mut demo], || self.said().contains("▸ history").then_some(()))?;
        demo.signal("INT");
        holds(counts, "Ctrl-C in the middle leaves nothing running", self.nothing_runs())
    }

    /// Gives what the hub has kept.
    fn first_run(&self, counts: &mut Counts) -> Result<String, String> {
        files::write(&self.folder.join("of-an-earlier-run"), "")?;
        let (mut demo, port) = self.start(&["--days", "1", "--fresh"])?;
        holds(counts, "--fresh forgets what was there", !self.folder.join("of-an-earlier-run").exists())?;
        let told = format!("port {} is in use; the page takes {port}", self.taken);
        holds(counts, "a port in use is named and a free one taken", self.said().contains(&told))?;
        let refused = shell::output(&self.command(&["--days", "1"])).err().unwrap_or_default();
        holds(counts, "a second run is refused", refused.contains("is in use by another run"))?;
        let page = || http::request(port, "GET", "/healthz", "", "").is_ok();
        holds(counts, "the page answers", page())?;
        self.ask(&["stop", "hub"])?;
        holds(counts, "a stopped hub is away", eventually(SOON, || (!page()).then_some(())).is_some())?;
        self.ask(&["start", "hub"])?;
        let back = wait_for("the hub", UP, &mut [&mut demo], || page().then_some(()));
        holds(counts, "a started hub is back", back.is_ok())?;
        self.breaks_and_mends(counts)?;
        let kept = self.kept(port)?;
        demo.signal("INT");
        holds(counts, "Ctrl-C leaves nothing running", self.nothing_runs())?;
        Ok(kept)
    }

    fn breaks_and_mends(&self, counts: &mut Counts) -> Result<(), String> {
        let meter = "meter-chillers";
        let values = self.ask(&["list", "--values"])?;
        holds(counts, "`list --values` names the devices", values.contains(meter))?;
        let is_broken = || Ok::<_, String>(self.ask(&["list"])?.contains(meter));
        holds(counts, "nothing is broken at first", !is_broken()?)?;
        self.ask(&["break", meter, "silent", "--for", "5m"])?;
        holds(counts, "a broken meter is listed", is_broken()?)?;
        self.ask(&["mend", meter])?;
        holds(counts, "a mended one is not", !is_broken()?)
    }

    fn second_run(&self, counts: &mut Counts, kept: &str) -> Result<(), String> {
        let (demo, port) = self.start(&["--days", "1"])?;
        holds(counts, "a second run keeps its data", self.kept(port)? == kept)?;
        demo.signal("KILL");
        holds(counts, "kill -9 leaves nothing running", self.nothing_runs())
    }

    /// The gateway as the hub knows it, and the oldest reading of one of its points.
    fn kept(&self, port: u16) -> Result<String, String> {
        let password = files::read(&self.folder.join("password"))?;
        let api = Api::open(port, stack::USER, password.trim(), "")?;
        let first = |what: &str| -> Result<Json, String> {
            let page = api.get(&format!("/api/v1/{what}?limit=1"))?;
            page.get("items").items().first().cloned().ok_or_else(|| format!("the hub has no {what}"))
        };
        let (gateway, point) = (first("gateways")?, first("points")?);
        let enrolled = gateway.get("enrolled_at").text().ok_or("the gateway is not enrolled")?;
        let point = point.get("id").number().ok_or("the point has no number")?;
        let path = format!("/api/v1/series.csv?points={point}&from=2020-01-01T00:00:00Z&to={enrolled}");
        // History comes in order, so its first reading is the first to be there.
        let oldest = eventually(SOON, || api.text(&path).ok()?.lines().nth(1).map(str::to_owned));
        let oldest = oldest.ok_or("the hub has no history")?;
        Ok(format!("{} {enrolled} {oldest}", gateway.get("id").text().unwrap_or_default()))
    }

    fn command(&self, wishes: &[&str]) -> Command {
        let own = std::env::current_exe().unwrap_or_default();
        let port = self.taken.to_string();
        let folder = self.folder.display().to_string();
        let mut args = vec!["demo", "--dir", &folder, "--port", &port];
        args.extend_from_slice(wishes);
        shell::command(own, &args, &files::root())
    }

    /// Starts it and waits for the line that everybody waits for; gives the page's port.
    fn start(&self, wishes: &[&str]) -> Result<(Running, u16), String> {
        files::write(&self.log, "")?;
        let mut demo = Running::of("the demo", &self.command(wishes), &self.log)?;
        let port = wait_for("its address", UP, &mut [&mut demo], || {
            let said = self.said();
            let address = said.split_once("address   http://127.0.0.1:")?.1;
            address.lines().next()?.trim().parse().ok()
        })?;
        Ok((demo, port))
    }

    /// As in another terminal.
    fn ask(&self, words: &[&str]) -> Result<String, String> {
        let own = std::env::current_exe().unwrap_or_default();
        let folder = self.folder.display().to_string();
        let mut args = vec!["demo"];
        args.extend_from_slice(words);
        args.extend_from_slice(&["--dir", &folder]);
        shell::output(&shell::command(own, &args, &files::root()))
    }

    fn said(&self) -> String {
        files::read(&self.log).unwrap_or_default()
    }

    /// No process has the folder in its command line, soon.
    fn nothing_runs(&self) -> bool {
        eventually(SOON, || running_with(&self.folder).is_empty().then_some(())).is_some()
    }
}

fn holds(counts: &mut Counts, what: &str, is_so: bool) -> Result<(), String> {
    if is_so {
        counts.passed += 1;
        return Ok(());
    }
    Err(format!("cargo demo: {what}: that is not so"))
}

/// Ids of the processes that name this folder.
fn running_with(folder: &Path) -> Vec<String> {
    let name = folder.display().to_string();
    let processes = std::fs::read_dir("/proc").into_iter().flatten().flatten();
    let names_it = |dir: &Path| {
        std::fs::read(dir.join("cmdline")).is_ok_and(|line| String::from_utf8_lossy(&line).contains(&name))
    };
    let ours = processes.filter(|p| names_it(&p.path()));
    ours.map(|p| p.file_name().to_string_lossy().into_owned()).collect()
}
