//! The engineer's tools on a device that we did not write: pymodbus on a pseudo-terminal and over TCP, with and without
//! a daemon on the same line.
#![allow(clippy::unwrap_used, reason = "a test says with a panic what broke")]

use std::net::SocketAddr;
use std::os::unix::fs::chown;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::time::Duration;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;
use steward_tests::programs::{Peer, free_tcp_port, program};
use steward_tests::{Edge, eventually};

const LONG: Duration = Duration::from_mins(1);

struct Bench {
    dir: tempfile::TempDir,
    http: SocketAddr,
    peer: Peer,
    tcp: u16,
}

impl Bench {
    fn new() -> Option<Self> {
        if !Peer::wanted("pymodbus") {
            return None;
        }
        let dir = tempfile::tempdir().unwrap();
        let tcp = free_tcp_port().unwrap();
        let peer = Peer::start("device.py", dir.path(), &[&tcp.to_string()]).unwrap();
        let http = SocketAddr::from(([127, 0, 0, 1], free_tcp_port().unwrap()));
        let bench = Self { dir, http, peer, tcp };
        let profiles = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers/profiles");
        let serial = bench.serial();
        let device = |name: &str, address: u16| {
            format!(
                "[[line.device]]\nname = \"{name}\"\nprofile = \"pymodbus/writable\"\naddress = {address}\n"
            )
        };
        let text = format!(
            "[gateway]\nname = \"bench\"\ndata = \"data\"\n[http]\nlisten = \"{http}\"\n\
             [periods]\nnormal = \"1s\"\n[profiles]\nfolders = [\"{}\"]\n\
             [[line]]\nname = \"rtu\"\nkind = \"serial\"\nport = \"{serial}\"\nbaud = 19200\nstop_bits = 2\n{}{}",
            profiles.display(),
            device("ahu", 7),
            device("gone", 99),
        );
        std::fs::create_dir(bench.dir.path().join("data")).unwrap();
        std::fs::write(bench.file(), text).unwrap();
        Some(bench)
    }

    fn file(&self) -> PathBuf {
        self.dir.path().join("edge.toml")
    }

    fn serial(&self) -> String {
        self.peer.ready["serial"].as_str().unwrap().to_owned()
    }

    fn daemon(&self) -> Edge {
        let mut edge = Edge::new(&self.file(), self.http);
        edge.start().unwrap();
        eventually("the device was read", LONG, || {
            let status = edge.status().ok()?;
            status["values"].as_array()?.iter().any(|v| v["quality"] == "good").then_some(())
        });
        edge
    }

    fn command(&self, words: &[&str]) -> Command {
        let mut command = Command::new(program("steward-edge", "steward-edge").unwrap());
        command.args(words).current_dir(self.dir.path()).stdin(Stdio::null());
        command.env_remove("LC_ALL").env("LANG", "en_US.UTF-8");
        command
    }

    fn run(&self, words: &[&str]) -> Said {
        Said::of(&self.command(words).output().unwrap())
    }

    fn start(&self, words: &[&str]) -> Child {
        self.command(words).stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap()
    }

    /// What the point is by a tool of its own.
    fn value(&self, point: &str) -> f64 {
        let said = self.run(&["read", point, "--json"]);
        let value: Value = serde_json::from_str(said.out.trim()).unwrap_or_else(|e| panic!("{e}: {said:?}"));
        value["value"].as_f64().unwrap_or(f64::NAN)
    }

    /// Waits until the setpoint is this.
    fn becomes(&self, wanted: f64) {
        eventually(&format!("the setpoint is {wanted}"), LONG, || {
            ((self.value("ahu/setpoint") - wanted).abs() < 1e-9).then_some(())
        });
    }

    fn holds(&self) -> usize {
        std::fs::read_dir(self.dir.path().join("data/holds")).map_or(0, Iterator::count)
    }
}

#[derive(Debug)]
struct Said {
    code: i32,
    out: String,
    err: String,
}

impl Said {
    fn of(output: &Output) -> Self {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        Self {
            code: output.status.code().unwrap_or(-1),
            out: text(&output.stdout),
            err: text(&output.stderr),
        }
    }
}

#[test]
fn a_device_is_read_by_its_name_and_by_its_registers_in_both_languages() {
    let Some(bench) = Bench::new() else { return };
    let en = bench.run(&["read", "ahu"]);
    assert!(en.code == 0 && en.out.contains("22.5 °C") && en.out.contains("Temperature setpoint"), "{en:?}");
    assert!(en.out.contains("1 (Cooling)") && en.out.contains("-77"), "{en:?}");
    let zh = bench.run(&["read", "ahu/mode", "--lang", "zh"]);
    assert!(zh.out.contains("设备 ahu") && zh.out.contains("1 (制冷)") && zh.out.contains("模式"), "{zh:?}");
    assert!((bench.value("ahu/limit") - 40.5).abs() < 1e-9);
    let serial = bench.serial();
    let by_hand = ["--stop-bits", "2", "--baud", "19200", "--address", "7", "--from", "60", "--count", "3"];
    let registers = bench.run(&[["read", "--line", &serial].as_slice(), &by_hand].concat());
    assert!(registers.out.contains("60  00E1    225") && registers.out.contains("f32 40.5"), "{registers:?}");
    let tcp = format!("127.0.0.1:{}", bench.tcp);
    let bits = bench.run(&[
        "read",
        "--line",
        &tcp,
        "--address",
        "7",
        "--table",
        "coil",
        "--from",
        "5",
        "--count",
        "2",
        "--json",
    ]);
    assert!(
        bits.out.lines().count() == 2 && bits.out.contains("\"register\":5,\"table\":\"coil\",\"value\":1"),
        "{bits:?}"
    );
    let watched = bench.run(&["watch", "ahu/setpoint", "--every", "200ms", "--rounds", "3"]);
    assert!(
        watched.code == 0 && watched.out.matches("22.5 °C").count() == 1,
        "only changes are told: {watched:?}"
    );
}

#[test]
fn what_is_wrong_is_told_with_the_way_out() {
    let Some(bench) = Bench::new() else { return };
    for (words, wanted) in [
        (["read", "ahuu"].as_slice(), "did you mean ahu?"),
        (&["read", "ahu/setpont"], "did you mean setpoint?"),
        (&["read", "gone"], "the device refuses: exception 4"),
        (&["read"], "required"),
        (&["read", "--line", "/dev/there-is-no-such-port"], "cannot be used"),
        (&["read", "--line", "127.0.0.1:1"], "port 1 cannot be reached"),
        (&["read", "ahu", "--line", "x"], "cannot be used with"),
        (&["write", "ahu/measured", "1", "--yes"], "lies in the table input"),
        (&["write", "ahu/setpoint", "31", "--yes"], "write 16 … 30"),
        (&["write", "ahu/setpoint", "warm", "--yes"], "is no value of this point"),
        (&["write", "ahu/mode", "3", "--yes"], "1 (Cooling), 2 (Heating)"),
        (&["write", "ahu", "3", "--yes"], "device/point"),
        (&["write", "ahu/setpoint", "20"], "add --yes"),
        (&["write", "ahu/setpoint", "20", "--expect", "19"], "not 19.0 °C as expected"),
        (&["write", "ahu/setpoint", "20", "--for", "10"], "is no time"),
    ] {
        let said = bench.run(words);
        let told = format!("{}{}", said.out, said.err);
        assert!(said.code != 0 && told.contains(wanted), "{words:?}: {said:?}");
    }
    assert!((bench.value("ahu/setpoint") - 22.5).abs() < 1e-9, "nothing was written");
}

#[test]
fn each_function_that_writes_is_written_and_read_back_by_another_program() {
    let Some(bench) = Bench::new() else { return };
    let dry = bench.run(&["write", "ahu/setpoint", "24", "--dry-run"]);
    assert!(dry.out.contains("function 6): 07 06 00 3C 00 F0 49 E4"), "{dry:?}");
    assert!((bench.value("ahu/setpoint") - 22.5).abs() < 1e-9);
    for (point, value, reads) in [
        ("ahu/setpoint", "24", 24.0),
        ("ahu/limit", "55.5", 55.5),
        ("ahu/enable", "on", 1.0),
        ("ahu/mode", "制热", 2.0),
        ("ahu/lamp", "off", 0.0),
    ] {
        let said = bench.run(&["write", point, value, "--yes", "--lang", "zh"]);
        assert!(said.code == 0 && said.out.contains("读回核对一致"), "{point}: {said:?}");
        assert!((bench.value(point) - reads).abs() < 1e-9, "{point}");
    }
    let whole = bench.run(&[
        "read",
        "--line",
        &bench.serial(),
        "--baud",
        "19200",
        "--stop-bits",
        "2",
        "--address",
        "7",
        "--from",
        "63",
        "--count",
        "1",
    ]);
    assert!(whole.out.contains("FF1F"), "the bits beside the one that was written stay: {whole:?}");
    // Steps of 0.1: what the register holds is what was written, whatever was asked for.
    let near = bench.run(&["write", "ahu/setpoint", "24.06", "--yes", "--json"]);
    let near: Value = serde_json::from_str(near.out.trim()).unwrap_or_else(|e| panic!("{e}: {near:?}"));
    assert_eq!((&near["value"], &near["before"]), (&Value::from(24.1), &Value::from(24.0)), "{near}");
    let written = std::fs::read_to_string(bench.dir.path().join("data/writes.jsonl")).unwrap();
    assert_eq!(written.lines().count(), 6, "{written}");
    assert!(written.lines().last().unwrap().contains("\"value\":24.1"), "{written}");
}

#[test]
fn the_daemon_lends_its_line_and_polls_on() {
    let Some(bench) = Bench::new() else { return };
    let mut edge = bench.daemon();
    let taken = bench.run(&["read", "--line", &bench.serial(), "--address", "7"]);
    assert!(
        taken.code == 1 && taken.err.contains("steward-edge") && taken.err.contains("--config"),
        "{taken:?}"
    );
    assert!((bench.value("ahu/setpoint") - 22.5).abs() < 1e-9);
    let said = bench.run(&["write", "ahu/setpoint", "23.5", "--yes"]);
    assert_eq!(said.code, 0, "{said:?}");
    eventually("the daemon polls the new value", LONG, || {
        let status = edge.status().ok()?;
        let values = status["values"].as_array()?;
        values.iter().any(|v| v["point"] == "setpoint" && v["value"] == 23.5).then_some(())
    });
    edge.stop().unwrap();
}

#[test]
fn a_value_for_a_while_comes_back_after_its_time_ctrl_c_and_kill() {
    let Some(bench) = Bench::new() else { return };
    let over = bench.run(&["write", "ahu/setpoint", "20", "--yes", "--for", "1s"]);
    assert!(over.code == 0 && over.out.contains("is what it was before"), "{over:?}");
    bench.becomes(22.5);

    let mut tool = bench.start(&["write", "ahu/setpoint", "21", "--yes", "--for", "1h"]);
    bench.becomes(21.0);
    let twice = bench.run(&["write", "ahu/setpoint", "19", "--yes", "--for", "1s"]);
    assert!(twice.code == 1 && twice.err.contains("is held by"), "{twice:?}");
    kill(Pid::from_raw(i32::try_from(tool.id()).unwrap()), Signal::SIGINT).unwrap();
    assert!(tool.wait().unwrap().success());
    bench.becomes(22.5);
    assert_eq!(bench.holds(), 0);

    let mut tool = bench.start(&["write", "ahu/setpoint", "18", "--yes", "--for", "1h"]);
    bench.becomes(18.0);
    tool.kill().unwrap();
    tool.wait().unwrap();
    assert_eq!(bench.holds(), 1, "what stood there before is on the disk");
    let back = bench.run(&["write", "ahu/setpoint", "--back"]);
    assert!(back.code == 0 && back.out.contains("is what it was before"), "{back:?}");
    bench.becomes(22.5);
    assert_eq!(bench.holds(), 0);
}

#[test]
fn the_daemon_brings_back_what_a_dead_tool_has_left() {
    let Some(bench) = Bench::new() else { return };
    let mut edge = bench.daemon();
    let mut tool = bench.start(&["write", "ahu/setpoint", "18", "--yes", "--for", "4s"]);
    bench.becomes(18.0);
    tool.kill().unwrap();
    tool.wait().unwrap();
    bench.becomes(22.5);
    eventually("and its file is gone", LONG, || (bench.holds() == 0).then_some(()));
    edge.stop().unwrap();
}

/// The daemon as the package runs it, and the tool as the engineer does: as root.
#[test]
fn the_daemon_of_another_user_brings_back_what_a_tool_of_root_has_left() {
    const DAEMON: u32 = 65_534;
    if !nix::unistd::getuid().is_root() {
        eprintln!("only root can run the daemon as another user: not tried");
        return;
    }
    let Some(bench) = Bench::new() else { return };
    let at = bench.dir.path();
    for path in [at, &at.join("data")] {
        chown(path, Some(DAEMON), Some(DAEMON)).unwrap();
    }
    // What that user may not look at in the checkout lies here for it.
    std::fs::create_dir_all(at.join("profiles/pymodbus")).unwrap();
    let profile = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers/profiles/pymodbus/writable.toml");
    std::fs::copy(profile, at.join("profiles/pymodbus/writable.toml")).unwrap();
    let daemons = at.join("steward-edge");
    std::fs::copy(program("steward-edge", "steward-edge").unwrap(), &daemons).unwrap();
    let text = format!(
        "[gateway]\nname = \"bench\"\ndata = \"data\"\n[http]\nlisten = \"{}\"\n\
         [profiles]\nfolders = [\"profiles\"]\n\
         [[line]]\nname = \"tcp\"\nkind = \"tcp\"\nhost = \"127.0.0.1\"\nport = {}\n\
         [[line.device]]\nname = \"ahu\"\nprofile = \"pymodbus/writable\"\naddress = 7\n",
        bench.http, bench.tcp
    );
    std::fs::write(bench.file(), text).unwrap();
    let daemon = Command::new(&daemons).args(["run"]).current_dir(at).uid(DAEMON).gid(DAEMON).spawn();
    let mut daemon = Simulated(daemon.unwrap());
    eventually("the daemon lends its line", LONG, || at.join("data/lines.sock").exists().then_some(()));
    let masked = format!(
        "umask 077; exec '{}' write ahu/setpoint 18 --yes --for 4s",
        program("steward-edge", "steward-edge").unwrap().display()
    );
    let mut tool =
        Command::new("sh").args(["-c", &masked]).current_dir(at).stdout(Stdio::null()).spawn().unwrap();
    bench.becomes(18.0);
    tool.kill().unwrap();
    tool.wait().unwrap();
    assert_eq!(bench.holds(), 1);
    eventually("the daemon has removed the hold", LONG, || (bench.holds() == 0).then_some(()));
    bench.becomes(22.5);
    assert!(daemon.0.try_wait().unwrap().is_none(), "the daemon runs");
}

/// A device of a profile as a process of its own.
struct Simulated(Child);

impl Simulated {
    fn start(bench: &Path, words: &[&str]) -> Self {
        let program = program("steward-edge", "steward-edge").unwrap();
        let command = [&["simulate"], words].concat();
        let child = Command::new(program)
            .args(command)
            .current_dir(bench)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn();
        Self(child.unwrap())
    }
}

impl Drop for Simulated {
    fn drop(&mut self) {
        // Ended already is as good.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn tool(folder: &Path, words: &[&str]) -> Said {
    let mut command = Command::new(program("steward-edge", "steward-edge").unwrap());
    command.args(words).current_dir(folder).stdin(Stdio::null()).env_remove("LC_ALL").env("LANG", "C");
    Said::of(&command.output().unwrap())
}

#[test]
fn a_set_point_of_a_profile_that_ships_is_written_within_the_range_of_its_source() {
    let dir = tempfile::tempdir().unwrap();
    for (profile, point, value, beyond, choices) in [
        ("systemair/save", "set-point", "21.5", "31", "12 … 30"),
        ("swegon/casa", "mode", "3", "5", "boost"),
        ("carel/uc2se", "on", "off", "2", "0 (off)"),
        ("daikin/altherma-4", "hot-water-set-point", "48", "20", "30 … 85"),
    ] {
        let port = free_tcp_port().unwrap();
        let listen = format!("127.0.0.1:{port}");
        let file = format!(
            "[gateway]\nname = \"bench\"\ndata = \"data\"\n[[line]]\nname = \"tcp\"\nkind = \"tcp\"\nhost = \"127.0.0.1\"\n\
             port = {port}\n[[line.device]]\nname = \"plant\"\nprofile = \"{profile}\"\naddress = 1\n"
        );
        std::fs::create_dir_all(dir.path().join("data")).unwrap();
        std::fs::write(dir.path().join("edge.toml"), file).unwrap();
        let _device = Simulated::start(dir.path(), &[profile, "--listen", &listen]);
        eventually("it listens", LONG, || std::net::TcpStream::connect(("127.0.0.1", port)).ok());
        let point = format!("plant/{point}");
        let written = tool(dir.path(), &["write", &point, value, "--yes"]);
        assert!(written.code == 0 && written.out.contains("read back"), "{profile}: {written:?}");
        let refused = tool(dir.path(), &["write", &point, beyond, "--yes"]);
        assert!(refused.code == 1 && refused.err.contains(choices), "{profile}: {refused:?}");
    }
}

#[test]
fn a_watch_goes_on_when_its_connection_is_lost_and_found_again() {
    let dir = tempfile::tempdir().unwrap();
    let (at, port) = (dir.path(), free_tcp_port().unwrap());
    let file = format!(
        "[gateway]\nname = \"bench\"\ndata = \"data\"\n[[line]]\nname = \"tcp\"\nkind = \"tcp\"\nhost = \"127.0.0.1\"\n\
         port = {port}\n[[line.device]]\nname = \"meter\"\nprofile = \"schneider/pm5350\"\naddress = 1\n"
    );
    std::fs::write(at.join("edge.toml"), file).unwrap();
    let simulate = |frequency: &str| {
        let (listen, set) = (format!("127.0.0.1:{port}"), format!("frequency={frequency}"));
        let device = Simulated::start(at, &["schneider/pm5350", "--listen", &listen, "--set", &set]);
        eventually("it listens", LONG, || std::net::TcpStream::connect(("127.0.0.1", port)).ok());
        device
    };
    let text = |name: &str| std::fs::read_to_string(at.join(name)).unwrap();
    let says = |name: &str, wanted: &str| {
        eventually(&format!("{name} says {wanted}"), LONG, || text(name).contains(wanted).then_some(()));
    };
    let device = simulate("49.25");
    let (out, err) = (at.join("out"), at.join("err"));
    let mut watch = Command::new(program("steward-edge", "steward-edge").unwrap());
    watch.args(["watch", "meter/frequency", "--every", "200ms", "--lang", "en"]).current_dir(at);
    watch.stdout(std::fs::File::create(out).unwrap()).stderr(std::fs::File::create(err).unwrap());
    let mut watch = watch.stdin(Stdio::null()).spawn().unwrap();
    says("out", "49.25");
    drop(device);
    says("err", "cannot be reached");
    says("err", "it is tried again");
    let _device = simulate("50.75");
    says("out", "50.75");
    says("err", "it is read again");
    kill(Pid::from_raw(i32::try_from(watch.id()).unwrap()), Signal::SIGINT).unwrap();
    assert!(watch.wait().unwrap().success());
    assert!(
        text("err").matches("tried again").count() <= 3,
        "told once for each way to fail: {}",
        text("err")
    );
}

#[test]
fn a_scan_finds_who_answers_and_what_it_may_be() {
    let dir = tempfile::tempdir().unwrap();
    let pty = dir.path().join("port").display().to_string();
    let _device = Simulated::start(dir.path(), &["schneider/pm5350", "--pty", &pty, "--address", "5"]);
    eventually("the terminal is there", LONG, || Path::new(&pty).exists().then_some(()));
    let words = ["scan", "--line", &pty, "--addresses", "3-6", "--speeds", "9600", "--parities", "none,even"];
    let found = tool(dir.path(), &words);
    assert!(found.code == 0 && found.out.contains("9600 8N1  address 5 answers"), "{found:?}");
    assert_eq!(found.out.matches("answers").count(), 1, "one device, and one setting is enough: {found:?}");
    assert!(found.out.contains("profile = \"schneider/pm5350\"") && found.out.contains("Hz"), "{found:?}");
    assert!(found.out.contains("[[line]]") && found.out.contains("kind = \"serial\""), "{found:?}");
    let json = tool(dir.path(), &["identify", "--line", &pty, "--address", "5", "--json"]);
    let value: Value = serde_json::from_str(json.out.trim()).unwrap();
    assert_eq!(value["proposals"][0]["profile"], "schneider/pm5350", "{json:?}");
    let nobody =
        tool(dir.path(), &["scan", "--line", &pty, "--addresses", "9", "--speeds", "9600", "--lang", "zh"]);
    assert!(nobody.code == 1 && nobody.err.contains("没有设备应答"), "{nobody:?}");
}

#[test]
fn a_scan_finds_the_rate_and_the_parity_of_a_line_and_no_other() {
    let dir = tempfile::tempdir().unwrap();
    let pty = dir.path().join("port").display().to_string();
    let words = ["schneider/pm5350", "--pty", &pty, "--baud", "4800", "--parity", "odd", "--address", "5"];
    let _device = Simulated::start(dir.path(), &words);
    eventually("the terminal is there", LONG, || Path::new(&pty).exists().then_some(()));
    let scan = ["scan", "--line", &pty, "--addresses", "5", "--parities", "none,odd"];
    let deaf = tool(dir.path(), &[&scan[..], &["--speeds", "9600,19200"]].concat());
    assert!(deaf.code == 1 && !deaf.out.contains("answers"), "{deaf:?}");
    let found = tool(dir.path(), &[&scan[..], &["--speeds", "9600,19200,4800"]].concat());
    assert!(found.code == 0 && found.out.contains("4800 8O1  address 5 answers"), "{found:?}");
    assert_eq!(found.out.matches("answers").count(), 1, "{found:?}");
    assert!(found.out.contains("baud = 4800") && found.out.contains("parity = \"odd\""), "{found:?}");
}

#[test]
fn a_scan_stops_where_a_meter_has_said_its_address() {
    let dir = tempfile::tempdir().unwrap();
    let pty = dir.path().join("port").display().to_string();
    let meter = ["dlt645/single-phase@190018180502", "--pty", &pty, "--baud", "2400"];
    let _meter = Simulated::start(dir.path(), &meter);
    eventually("the terminal is there", LONG, || Path::new(&pty).exists().then_some(()));
    // A pseudo-terminal keeps no even parity: the meter would answer to both.
    let words =
        ["scan", "--line", &pty, "--addresses", "9", "--speeds", "2400,4800", "--parities", "none,even"];
    let found = tool(dir.path(), &words);
    assert!(found.code == 0 && found.out.contains("2400 8N1"), "{found:?}");
    assert_eq!(found.out.matches("a meter of DL/T 645").count(), 1, "{found:?}");
    let all = tool(dir.path(), &[&words[..], &["--all"]].concat());
    assert_eq!(all.out.matches("a meter of DL/T 645").count(), 2, "{all:?}");
}

#[test]
fn a_scan_that_is_broken_off_keeps_what_it_has_found() {
    let dir = tempfile::tempdir().unwrap();
    let port = free_tcp_port().unwrap();
    let at = format!("127.0.0.1:{port}");
    let _device = Simulated::start(dir.path(), &["eastron/sdm630", "--listen", &at, "--address", "1"]);
    eventually("it listens", LONG, || std::net::TcpStream::connect(&at).ok());
    let out = std::fs::File::create(dir.path().join("out")).unwrap();
    // The other addresses are silent, each for ten seconds.
    let mut scan = Command::new(program("steward-edge", "steward-edge").unwrap())
        .args([
            "scan",
            "--line",
            &at,
            "--addresses",
            "1-200",
            "--patience",
            "10s",
            "--timeout",
            "10s",
            "--lang",
            "en",
        ])
        .stdin(Stdio::null())
        .stdout(out)
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let said = || std::fs::read_to_string(dir.path().join("out")).unwrap();
    eventually("the device was found", LONG, || said().contains("eastron/sdm630 (").then_some(()));
    kill(Pid::from_raw(i32::try_from(scan.id()).unwrap()), Signal::SIGINT).unwrap();
    assert!(scan.wait().unwrap().success());
    assert!(said().contains("profile = \"eastron/sdm630\""), "{}", said());
}

#[test]
fn a_device_that_knows_its_name_says_it() {
    let Some(bench) = Bench::new() else { return };
    let tcp = format!("127.0.0.1:{}", bench.tcp);
    let found = bench.run(&["scan", "--line", &tcp, "--addresses", "7"]);
    assert!(
        found.out.contains("VendorName: Pymodbus") && found.out.contains("ProductCode: PM-100"),
        "{found:?}"
    );
    assert!(found.out.contains("# no profile fits"), "a few words are no proof of a profile: {found:?}");
}

#[test]
fn a_displays_values_are_found_in_registers_and_on_the_wire() {
    let dir = tempfile::tempdir().unwrap();
    let by_hand = tool(
        dir.path(),
        &["orders", "230.2V", "50.0Hz", "--words", "3334 4366 0000 4248", "--table", "input"],
    );
    assert!(
        by_hand.code == 0
            && by_hand.out.contains("table = \"input\"\naddress = 0\ntype = \"f32\"\norder = \"cdab\""),
        "{by_hand:?}"
    );
    for (words, wanted) in [
        (["orders", "0V", "--words", "0000"].as_slice(), "zero"),
        (&["orders", "230.2V", "--words", "12"], "four hexadecimal digits"),
        (&["orders", "230.2V", "--words", "0001"], "none of the shown values"),
        (&["orders", "230.2V"], "--device, --line or --words"),
        (&["orders", "5furlong", "--words", "0005"], "furlong"),
    ] {
        let said = tool(dir.path(), words);
        assert!(said.code == 1 && said.err.contains(wanted), "{words:?}: {said:?}");
    }
    let Some(bench) = Bench::new() else { return };
    let live = [
        "--line",
        &bench.serial(),
        "--baud",
        "19200",
        "--stop-bits",
        "2",
        "--address",
        "7",
        "--from",
        "60",
        "--count",
        "3",
    ];
    let shown =
        ["orders", "setpoint=22.5Cel", "limit=40.5kW", "--samples", "2", "--every", "100ms", "--lang", "zh"];
    let found = bench.run(&[shown.as_slice(), &live].concat());
    assert!(
        found.out.contains("key = \"setpoint\"")
            && found.out.contains("address = 60\ntype = \"u16\"\nscale = 0.1"),
        "{found:?}"
    );
    assert!(
        found.out.contains("address = 61\ntype = \"f32\"\nunit = \"kW\"")
            && found.out.contains("多次取样合理"),
        "{found:?}"
    );
}
