//! The program as it is started and stopped by people and by systemd.
#![allow(clippy::unwrap_used, reason = "a test says with a panic what broke")]

use std::io::{BufRead, BufReader, Read};
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Output, Stdio};
use std::sync::mpsc;
use std::time::Duration;

use tempfile::TempDir;

struct Site {
    dir: TempDir,
    http: SocketAddr,
    gateways: SocketAddr,
}

impl Site {
    /// A data folder that does not exist yet, and ports that were free a moment ago.
    fn new() -> Self {
        let http = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let gateways = UdpSocket::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        let dir = tempfile::tempdir().unwrap();
        let text = format!(
            "[http]\nlisten = \"{http}\"\n[gateways]\nlisten = \"{gateways}\"\n[data]\ndir = \"{}\"\n",
            dir.path().join("deep/data").display()
        );
        std::fs::write(dir.path().join("hub.toml"), text).unwrap();
        Self { dir, http, gateways }
    }

    fn file(&self) -> PathBuf {
        self.dir.path().join("hub.toml")
    }

    fn database(&self) -> PathBuf {
        self.dir.path().join("deep/data/steward.db")
    }
}

fn hub(words: &[&str], file: Option<&Path>) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_steward-hub"));
    command.args(words).stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    if let Some(file) = file {
        command.arg("--config").arg(file);
    }
    command
}

fn output(words: &[&str], file: Option<&Path>) -> Output {
    hub(words, file).output().unwrap()
}

fn text(bytes: &[u8]) -> String {
    String::from_utf8_lossy(bytes).into_owned()
}

/// A hub that has said that it serves; killed when the test breaks off.
struct Running(Child, String);

impl Running {
    fn start(site: &Site) -> Self {
        let mut child = hub(&["run"], Some(&site.file())).spawn().unwrap();
        let out = child.stdout.take().unwrap();
        let (told, hears) = mpsc::channel();
        std::thread::spawn(move || {
            let mut line = String::new();
            let _ = BufReader::new(out).read_line(&mut line);
            let _ = told.send(line);
        });
        let line = hears.recv_timeout(Duration::from_mins(1)).unwrap_or_default();
        let mut running = Self(child, line);
        if running.1.is_empty() {
            let _ = running.0.kill();
            let mut why = String::new();
            let _ = running.0.stderr.take().unwrap().read_to_string(&mut why);
            panic!("the hub did not start: {why}");
        }
        running
    }

    fn stop(mut self, signal: &str) -> ExitStatus {
        assert!(Command::new("kill").args([signal, &self.0.id().to_string()]).status().unwrap().success());
        self.0.wait().unwrap()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn the_first_start_makes_its_folder_and_says_where_to_go_and_a_signal_ends_it_cleanly() {
    let site = Site::new();
    for signal in ["-TERM", "-INT"] {
        let running = Running::start(&site);
        assert_eq!(running.1, format!("steward-hub serves http://{}/\n", site.http));
        assert!(site.database().exists());
        assert!(running.stop(signal).success(), "{signal}");
    }
}

#[test]
fn a_port_in_use_is_said_plainly_with_the_way_out() {
    let site = Site::new();
    let _taken = TcpListener::bind(site.http).unwrap();
    let refused = output(&["run"], Some(&site.file()));
    let said = text(&refused.stderr);
    assert!(!refused.status.success());
    assert!(said.contains(&format!("{} is in use", site.http)) && said.contains("[http] listen"), "{said}");
}

#[test]
fn the_gateways_port_in_use_is_said_plainly_before_the_hub_says_that_it_serves() {
    let site = Site::new();
    let _taken = UdpSocket::bind(site.gateways).unwrap();
    let refused = output(&["run"], Some(&site.file()));
    let said = text(&refused.stderr);
    assert!(!refused.status.success() && refused.stdout.is_empty(), "{refused:?}");
    for wanted in [&site.gateways.to_string(), "[gateways] listen", "in use"] {
        assert!(said.contains(wanted), "{wanted} is missing in:\n{said}");
    }
}

#[test]
fn check_tells_every_fault_and_run_does_not_start_with_one() {
    let site = Site::new();
    assert!(output(&["check"], Some(&site.file())).status.success());
    std::fs::write(
        site.file(),
        "[http]\nlisten = \"x\"\n[sesions]\nidle = \"1h\"\n[log]\nformat = \"xml\"\n",
    )
    .unwrap();
    for word in ["check", "run"] {
        let refused = output(&[word], Some(&site.file()));
        assert_eq!(refused.status.code(), Some(2), "{word}");
        let said = text(&refused.stderr);
        for wanted in ["hub.toml:2:", "hub.toml:3:", "sessions", "hub.toml:6:", "json"] {
            assert!(said.contains(wanted), "{wanted} is missing in:\n{said}");
        }
    }
    let gone = output(&["check"], Some(&site.dir.path().join("gone.toml")));
    assert!(text(&gone.stderr).contains("gone.toml"));
}

#[test]
fn a_database_that_is_none_is_refused_with_the_way_out() {
    let site = Site::new();
    std::fs::create_dir_all(site.database().parent().unwrap()).unwrap();
    std::fs::write(
        site.database(),
        "this is a diary and no database, and it is long enough to be read as one".repeat(20),
    )
    .unwrap();
    let refused = output(&["run"], Some(&site.file()));
    let said = text(&refused.stderr);
    assert!(!refused.status.success() && said.contains("must be a SQLite database"), "{said}");
}

#[test]
fn the_audit_trail_can_be_checked_from_outside() {
    let site = Site::new();
    assert!(Running::start(&site).stop("-TERM").success());
    let whole = output(&["audit", "verify"], Some(&site.file()));
    assert!(whole.status.success() && text(&whole.stdout).contains("is whole"), "{whole:?}");
    assert!(text(&whole.stdout).contains(&site.database().display().to_string()), "{whole:?}");
    let nobody = output(&["users", "reset-password", "nobody"], Some(&site.file()));
    assert!(!nobody.status.success() && text(&nobody.stderr).contains("no such user"), "{nobody:?}");
}

#[test]
fn a_wrong_configuration_makes_no_database_to_be_checked() {
    let site = Site::new();
    std::fs::create_dir_all(site.database().parent().unwrap()).unwrap();
    for words in [&["audit", "verify"][..], &["users", "reset-password", "admin"]] {
        let refused = output(words, Some(&site.file()));
        let said = text(&refused.stderr);
        assert!(!refused.status.success() && refused.stdout.is_empty(), "{refused:?}");
        assert!(said.contains(&site.database().display().to_string()) && said.contains("--config"), "{said}");
        assert!(!site.database().exists());
    }
    // Another program's database stays as it was.
    std::fs::write(site.database(), b"").unwrap();
    let foreign = output(&["audit", "verify"], Some(&site.file()));
    assert!(text(&foreign.stderr).contains("no tables of a hub"), "{foreign:?}");
    assert_eq!(std::fs::metadata(site.database()).unwrap().len(), 0);
}

#[test]
fn a_variable_of_the_system_that_is_no_text_is_no_matter() {
    use std::os::unix::ffi::OsStrExt;
    let site = Site::new();
    let odd = std::ffi::OsStr::from_bytes(b"\xff\xfe");
    let checked = hub(&["check"], Some(&site.file())).env("ODD", odd).output().unwrap();
    assert!(checked.status.success(), "{checked:?}");
}
