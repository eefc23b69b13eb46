//! `cargo demo` tried as its users do: on a port that is taken, twice at once, with a hub that is stopped and started,
//! ended by Ctrl-C and by kill -9, and once more on what it kept. Called by `verify`.

use std::net::{Ipv4Addr, TcpListener};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::child::{Running, wait_for};
use crate::files;
use crate::http;
use crate::report::Counts;
use crate::shell;
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
    tried.first_run(counts)?;
    tried.second_run(counts)
}

impl Rehearsal {
    fn first_run(&self, counts: &mut Counts) -> Result<(), String> {
        files::write(&self.folder.join("of-an-earlier-run"), "")?;
        let (mut demo, port) = self.start(&["--days", "1", "--fresh"])?;
        holds(counts, "--fresh forgets what was there", !self.folder.join("of-an-earlier-run").exists())?;
        let told = format!("port {} is in use; the page takes {port}", self.taken);
        holds(counts, "a port in use is named and a free one taken", self.said().contains(&told))?;
        let second = self.command(&["--days", "1"]);
        let refused = shell::output(&second).err().unwrap_or_default();
        holds(counts, "a second run is refused", refused.contains("is in use by another run"))?;
        let page = || http::request(port, "GET", "/healthz", "", "").is_ok();
        holds(counts, "the page answers", page())?;
        self.wish("stop")?;
        holds(counts, "a stopped hub is away", eventually(SOON, || (!page()).then_some(())).is_some())?;
        self.wish("start")?;
        let back = wait_for("the hub", UP, &mut [&mut demo], || page().then_some(()));
        holds(counts, "a started hub is back", back.is_ok())?;
        demo.signal("INT");
        holds(counts, "Ctrl-C leaves nothing running", self.nothing_runs())
    }

    fn second_run(&self, counts: &mut Counts) -> Result<(), String> {
        let (demo, _) = self.start(&["--days", "1"])?;
        holds(counts, "a second run keeps its data", !self.said().contains("history"))?;
        demo.signal("KILL");
        holds(counts, "kill -9 leaves nothing running", self.nothing_runs())
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

    fn wish(&self, act: &str) -> Result<(), String> {
        let own = std::env::current_exe().unwrap_or_default();
        let folder = self.folder.display().to_string();
        let args = ["demo", act, "hub", "--dir", &folder];
        shell::output(&shell::command(own, &args, &files::root())).map(drop)
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
