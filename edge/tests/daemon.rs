//! The program itself: started as systemd starts it, spoken to by signals and over its pages.

#![allow(clippy::unwrap_used, reason = "a broken fixture ends the test")]

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::os::fd::AsFd;
use std::os::unix::net::UnixDatagram;
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdout, Output, Stdio};
use std::sync::Arc;
use std::time::Duration;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{Signal, kill};
use nix::sys::stat::Mode;
use nix::unistd::{Pid, mkfifo};
use serde_json::Value;

use program::program;
use steward_edge::buffer::{Buffer, BufferSettings};
use steward_shared::id::RandomIds;
use steward_shared::time::SystemClock;
use steward_shared::wire::columns;
use steward_shared::wire::message::Lane;

#[path = "started/program.rs"]
mod program;

/// Nothing here takes this long, on any machine.
const PATIENCE: Duration = Duration::from_mins(1);

const METER: &str = r#"
[[line]]
name = "NAME"
kind = "tcp"
host = "127.0.0.1"
port = 1
[[line.device]]
name = "meter"
profile = "schneider/pm5350"
address = 1
"#;

/// One meter on two wires: over TCP, and over a serial line that is a pseudo-terminal.
const TWO_WIRES: &str = r#"
[periods]
fast = "1s"
normal = "1s"
slow = "1s"
[[line]]
name = "network"
kind = "tcp"
host = "127.0.0.1"
port = PORT
[[line.device]]
name = "over-tcp"
profile = "schneider/pm5350"
address = 1
[[line]]
name = "serial"
kind = "serial"
port = "PTY"
baud = 19200
[[line.device]]
name = "over-rtu"
profile = "schneider/pm5350"
address = 1
"#;

/// A running steward-edge.
struct Edge {
    folder: tempfile::TempDir,
    pages: SocketAddr,
    notify: UnixDatagram,
    child: Child,
}

impl Edge {
    /// Returns when it says that it works.
    fn start(lines: &str, log: Stdio) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let pages = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
        write(&file(folder.path()), pages, lines);
        let socket = folder.path().join("notify");
        let notify = UnixDatagram::bind(&socket).unwrap();
        notify.set_read_timeout(Some(PATIENCE)).unwrap();
        let child = program()
            .arg("run")
            .arg(file(folder.path()))
            .env("NOTIFY_SOCKET", socket)
            .stderr(log)
            .spawn()
            .unwrap();
        let edge = Self { folder, pages, notify, child };
        edge.says("READY=1");
        edge
    }

    /// Waits for this word to systemd.
    fn says(&self, wanted: &str) {
        let mut heard = [0; 128];
        loop {
            let n = self.notify.recv(&mut heard).unwrap_or_else(|e| panic!("{wanted} was never said: {e}"));
            if &heard[..n] == wanted.as_bytes() {
                return;
            }
        }
    }

    fn signal(&self, signal: Signal) {
        kill(Pid::from_raw(self.child.id().try_into().unwrap()), signal).unwrap();
    }

    /// Status line and body of a page.
    fn page(&self, path: &str) -> (String, String) {
        let mut stream = TcpStream::connect(self.pages).unwrap();
        write!(stream, "GET {path} HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n").unwrap();
        let mut text = String::new();
        stream.read_to_string(&mut text).unwrap();
        let (head, body) = text.split_once("\r\n\r\n").unwrap();
        (head.lines().next().unwrap_or_default().to_owned(), body.to_owned())
    }

    fn ended(&mut self) -> Option<i32> {
        let mut code = None;
        eventually("the program has ended", || {
            code = self.child.try_wait().unwrap();
            code.is_some()
        });
        code.and_then(|c| c.code())
    }
}

impl Drop for Edge {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn file(folder: &Path) -> PathBuf {
    folder.join("edge.toml")
}

fn write(path: &Path, pages: SocketAddr, lines: &str) {
    let text = format!("[gateway]\nname = \"test\"\ndata = \"data\"\n[http]\nlisten = \"{pages}\"\n{lines}");
    std::fs::write(path, text).unwrap();
}

fn eventually(what: &str, mut done: impl FnMut() -> bool) {
    let begun = tokio::time::Instant::now();
    while !done() {
        assert!(begun.elapsed() < PATIENCE, "never: {what}");
        std::thread::sleep(Duration::from_millis(20));
    }
}

#[test]
fn a_hangup_has_the_file_read_again() {
    let mut edge = Edge::start(&METER.replace("NAME", "one"), Stdio::null());
    let shows = |edge: &Edge, line: &str| {
        edge.page("/metrics").1.contains(&format!("steward_edge_line_up{{line=\"{line}\"}}"))
    };
    eventually("the line is there", || shows(&edge, "one"));
    // As long and as old as before, so that it is not noticed without the signal.
    let path = file(edge.folder.path());
    let before = std::fs::metadata(&path).unwrap();
    write(&path, edge.pages, &METER.replace("NAME", "two"));
    std::fs::File::options()
        .write(true)
        .open(&path)
        .unwrap()
        .set_modified(before.modified().unwrap())
        .unwrap();
    assert_eq!(std::fs::metadata(&path).unwrap().len(), before.len());
    edge.signal(Signal::SIGHUP);
    eventually("the other line is there, and the first is not", || {
        shows(&edge, "two") && !shows(&edge, "one")
    });
    edge.signal(Signal::SIGTERM);
    edge.says("STOPPING=1");
    assert_eq!(edge.ended(), Some(0));
}

#[test]
fn the_pages_say_how_it_fares() {
    let mut edge = Edge::start(&METER.replace("NAME", "one"), Stdio::null());
    assert_eq!(edge.page("/healthz"), ("HTTP/1.1 200 OK".to_owned(), "ok\n".to_owned()));
    eventually("nobody answers on that line", || edge.page("/readyz").1.starts_with("line one is down: "));
    assert_eq!(edge.page("/readyz").0, "HTTP/1.1 503 Service Unavailable");
    let (_, figures) = edge.page("/metrics");
    for name in [
        "steward_edge_uptime_seconds ",
        "steward_edge_resident_bytes ",
        "steward_edge_disk_free_bytes ",
        "steward_edge_buffer_bytes ",
        "steward_edge_buffer_oldest_unacknowledged_seconds ",
        "steward_edge_hub_connected 0",
        "steward_edge_line_up{line=\"one\"} 0",
        "steward_edge_line_reconnects_total{line=\"one\"} ",
        "steward_edge_device_silent{device=\"meter\"} ",
    ] {
        assert!(figures.lines().any(|l| l.starts_with(name)), "{name} is missing in\n{figures}");
    }
    edge.says("WATCHDOG=1");
    edge.signal(Signal::SIGINT);
    assert_eq!(edge.ended(), Some(0));
}

/// A simulated meter, until it is dropped.
struct Meter {
    child: Child,
    /// It ends when nobody reads it.
    _told: BufReader<ChildStdout>,
    lines: String,
}

impl Meter {
    fn start(folder: &Path) -> Self {
        let args =
            ["--lang", "en", "simulate", "schneider/pm5350", "--listen", "127.0.0.1:0", "--pty", "dev"];
        let mut child = program()
            .args(args)
            .args(["--baud", "19200", "--set", "frequency=49.2"])
            .current_dir(folder)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let mut told = BufReader::new(child.stdout.take().unwrap());
        let mut words = told.by_ref().lines().map(Result::unwrap);
        let at = words.find(|line| line.contains("Modbus TCP at")).unwrap();
        assert!(words.any(|line| line.contains("Modbus RTU at dev")));
        let (_, port) = at.rsplit_once(':').unwrap();
        let lines = TWO_WIRES.replace("PORT", port).replace("PTY", folder.join("dev").to_str().unwrap());
        Self { child, _told: told, lines }
    }
}

impl Drop for Meter {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// Frequencies that lie on the disk, of a device. Nothing else may have it open.
fn kept(folder: &Path, device: &str) -> Vec<f64> {
    tokio::runtime::Runtime::new().unwrap().block_on(async {
        let settings = BufferSettings::default();
        let buffer = Buffer::open(folder, settings, Arc::new(SystemClock), Arc::new(RandomIds)).unwrap();
        let point = (device.to_owned(), "frequency".to_owned());
        let no = buffer.number_points(vec![point]).await.unwrap()[0];
        let (mut seq, mut found) = (0, Vec::new());
        while let Some(batch) = buffer.after(Lane::Live, seq).await.unwrap() {
            seq = batch.seq;
            let readings = columns::decode(&batch.body).unwrap().readings;
            found.extend(readings.into_iter().filter(|r| r.point == no && r.quality.is_good()));
        }
        buffer.close().await.unwrap();
        found.iter().filter_map(|r| r.value.as_ref()?.as_number()).collect()
    })
}

#[test]
fn what_it_polls_over_tcp_and_a_serial_line_is_on_the_disk_when_it_has_stopped() {
    let folder = tempfile::tempdir().unwrap();
    let meter = Meter::start(folder.path());
    let mut edge = Edge::start(&meter.lines, Stdio::null());
    for device in ["over-tcp", "over-rtu"] {
        eventually(device, || {
            let status: Value = serde_json::from_str(&edge.page("/status").1).unwrap();
            let values = status["values"].as_array().unwrap();
            let found = values.iter().find(|v| v["device"] == device && v["point"] == "frequency");
            found.is_some_and(|v| {
                v["quality"] == "good" && v["value"].as_f64().is_some_and(|hz| (hz - 49.2).abs() < 1e-3)
            })
        });
    }
    edge.signal(Signal::SIGTERM);
    edge.says("STOPPING=1");
    assert_eq!(edge.ended(), Some(0));
    for device in ["over-tcp", "over-rtu"] {
        let kept = kept(&edge.folder.path().join("data"), device);
        assert!(!kept.is_empty() && kept.iter().all(|hz| (hz - 49.2).abs() < 1e-3), "{device}: {kept:?}");
    }
}

/// What keeps the program from stopping here is its log, which nobody reads.
#[test]
fn a_second_signal_ends_it_at_once_whatever_holds_it_up() {
    let (reader, mut writer) = std::io::pipe().unwrap();
    let (log, looked_at) = (Stdio::from(writer.try_clone().unwrap()), writer.try_clone().unwrap());
    let mut edge = Edge::start("", log);
    let filling = std::thread::spawn(move || {
        let full = writer.write_all(&vec![b'x'; 1 << 20]);
        full.is_err()
    });
    eventually("the log is full", || {
        let mut asked = [PollFd::new(looked_at.as_fd(), PollFlags::POLLOUT)];
        poll(&mut asked, PollTimeout::ZERO).unwrap() == 0
    });
    // Two signals of different kinds: two of one kind may come as one.
    edge.signal(Signal::SIGTERM);
    edge.signal(Signal::SIGINT);
    assert_eq!(edge.ended(), Some(130));
    drop(reader);
    assert!(filling.join().unwrap(), "somebody read the log");
}

/// What holds its main loop up here is a file that does not end: a network share that hangs.
#[test]
fn fault_h6_while_the_main_loop_is_held_up_systemd_is_not_told_that_it_works() {
    let mut edge = Edge::start("", Stdio::null());
    let (path, endless) = (file(edge.folder.path()), edge.folder.path().join("endless"));
    edge.says("WATCHDOG=1");
    mkfifo(&endless, Mode::S_IRWXU).unwrap();
    let text = std::fs::read_to_string(&path).unwrap();
    std::fs::rename(&endless, &path).unwrap();
    edge.notify.set_read_timeout(Some(Duration::from_secs(7))).unwrap();
    let begun = tokio::time::Instant::now();
    while edge.notify.recv(&mut [0; 128]).is_ok() {
        assert!(begun.elapsed() < PATIENCE, "it goes on saying that it works");
    }
    assert!(edge.page("/healthz").0.contains("200"), "what is no part of the main loop goes on");
    edge.notify.set_read_timeout(Some(PATIENCE)).unwrap();
    std::fs::rename(&path, &endless).unwrap();
    std::fs::write(&path, &text).unwrap();
    std::fs::write(&endless, &text).unwrap();
    edge.says("WATCHDOG=1");
    edge.signal(Signal::SIGTERM);
    assert_eq!(edge.ended(), Some(0));
}

fn edge(words: &[&str], folder: &Path) -> Output {
    program().args(words).current_dir(folder).output().unwrap()
}

#[test]
fn a_broken_file_and_a_wrong_word_have_exit_codes_of_their_own() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(file(folder.path()), "[gateway]\nname = \"x\"\n[http]\nlisten = 3\n").unwrap();
    for command in ["check", "run"] {
        let broken = edge(&[command], folder.path());
        let said = String::from_utf8_lossy(&broken.stderr).into_owned();
        assert_eq!(broken.status.code(), Some(1), "{said}");
        assert!(said.starts_with("edge.toml:4:10: http.listen: "), "{said}");
    }
    assert_eq!(edge(&["chek"], folder.path()).status.code(), Some(2));
    std::fs::write(file(folder.path()), "[gateway]\nname = \"x\"\n").unwrap();
    let sound = edge(&["check", "--config", "edge.toml"], folder.path());
    assert_eq!(sound.status.code(), Some(0));
    assert!(String::from_utf8_lossy(&sound.stdout).contains("edge.toml is in order"));
}
