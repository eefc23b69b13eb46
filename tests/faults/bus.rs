//! What goes wrong on a field bus, put to the real edge: a line on which something babbles, a port that is pulled and
//! comes back under another name, a profile that is wrong about its device.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test says with a panic what broke")]

use std::fmt::Write as _;
use std::fs::File;
use std::io::{Read, Write};
use std::net::SocketAddr;
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use nix::fcntl::OFlag;
use nix::pty::{grantpt, posix_openpt, ptsname_r, unlockpt};
use nix::sys::stat::Mode;
use nix::sys::termios::{SetArg, cfmakeraw, tcgetattr, tcsetattr};
use serde_json::Value;
use steward_edge::lab::Serial;
use steward_protocols::far_end::{Heard, Pace, Station};
use steward_protocols::modbus::device::{Answers, Asked, Outcome, Reply, to_serial};
use steward_tests::programs::free_tcp_port;
use steward_tests::{Edge, eventually};

const LONG: Duration = Duration::from_mins(1);
const TURNAROUND: Duration = Duration::from_millis(5);
const PACE: Pace = Pace { baud: 9600, bits: 10 };

fn shown(edge: &Edge, device: &str, point: &str) -> Option<Value> {
    let status = edge.status().ok()?;
    status["values"].as_array()?.iter().find(|v| v["device"] == device && v["point"] == point).cloned()
}

/// When it was last good, if it is good now.
fn good_at(edge: &Edge, device: &str, point: &str) -> Option<String> {
    shown(edge, device, point).filter(|v| v["quality"] == "good")?["at"].as_str().map(str::to_owned)
}

fn quality(edge: &Edge, device: &str, point: &str) -> Option<String> {
    shown(edge, device, point)?["quality"].as_str().map(str::to_owned)
}

fn is_up(edge: &Edge, line: &str) -> Option<bool> {
    let status = edge.status().ok()?;
    status["health"]["lines"].as_array()?.iter().find(|l| l["name"] == line)?["up"].as_bool()
}

/// Waits until the point has been read anew.
fn read_anew(edge: &Edge, device: &str, point: &str) {
    let before = good_at(edge, device, point);
    eventually(&format!("{device}/{point} is read anew"), LONG, || {
        good_at(edge, device, point).filter(|now| before.as_ref() != Some(now))
    });
}

/// Registers 0 to 9 of units 1 and 2, eight of them in one answer at most.
struct Meters;

const REGISTERS: [u16; 10] = [0x4366, 0x3333, 1234, 0xABCD, 0xFFFF, 0xFFFF, 7, 8, 9, 10];

impl Answers for Meters {
    fn answer(&self, asked: Asked) -> Reply {
        let (from, count) = (usize::from(asked.address), usize::from(asked.count));
        Reply::of(match (asked.unit, asked.function) {
            (1 | 2, 3) if count > 8 => Outcome::Refused(3),
            (1 | 2, 3) => REGISTERS
                .get(from..from + count)
                .map_or(Outcome::Refused(2), |words| Outcome::Registers(words.to_vec())),
            (1 | 2, _) => Outcome::Refused(1),
            _ => Outcome::Nothing,
        })
    }
}

impl Station for Meters {
    fn hear(&self, frame: &[u8]) -> Heard {
        to_serial(frame, TURNAROUND, self)
    }
}

fn profile(dir: &Path, model: &str, head: &str, points: &[(&str, &str)]) {
    let mut text = format!(
        "vendor = \"Acme\"\nmodel = \"{model}\"\ntitle = {{ zh = \"表\", en = \"Meter\" }}\nsource = [\"this test\"]\n{head}\n"
    );
    for (key, place) in points {
        let title = "title = { zh = \"点\", en = \"Point\" }";
        writeln!(text, "[[point]]\nkey = \"{key}\"\n{title}\nclass = \"fast\"\n{place}").unwrap();
    }
    let file = dir.join(format!("profiles/acme/{model}.toml"));
    std::fs::create_dir_all(file.parent().unwrap()).unwrap();
    std::fs::write(file, text).unwrap();
}

/// A gateway with one serial line; each unit has the profile of its place.
fn gateway(dir: &Path, port: &Path, http: SocketAddr, profiles: &[&str]) -> PathBuf {
    let mut text = format!(
        "[gateway]\nname = \"bus\"\ndata = \"{}\"\n[http]\nlisten = \"{http}\"\n[profiles]\nfolders = [\"profiles\"]\n",
        dir.join("edge").display(),
    );
    text += &line("rs485", port);
    for (unit, profile) in (1..).zip(profiles) {
        text += &device(&format!("d{unit}"), profile, unit);
    }
    let file = dir.join("edge.toml");
    std::fs::write(&file, text).unwrap();
    file
}

/// A silence that no crowded machine makes by itself.
fn line(name: &str, port: &Path) -> String {
    format!(
        "[[line]]\nname = \"{name}\"\nkind = \"serial\"\nport = \"{}\"\nbaud = 9600\nparity = \"none\"\ntimeout = \"300ms\"\ngap = \"50ms\"\n",
        port.display()
    )
}

fn device(name: &str, profile: &str, unit: u8) -> String {
    format!("[[line.device]]\nname = \"{name}\"\nprofile = \"acme/{profile}\"\naddress = {unit}\n")
}

/// A port at which the meters answer until `babbles`: then noise comes without a pause, and no answer.
fn port_that_may_babble(babbles: Arc<AtomicBool>) -> (PathBuf, OwnedFd) {
    let flags = OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_CLOEXEC;
    let master = posix_openpt(flags).unwrap();
    grantpt(&master).unwrap();
    unlockpt(&master).unwrap();
    let path = PathBuf::from(ptsname_r(&master).unwrap());
    let theirs = nix::fcntl::open(&path, flags, Mode::empty()).unwrap();
    let mut raw = tcgetattr(&theirs).unwrap();
    cfmakeraw(&mut raw);
    tcsetattr(&theirs, SetArg::TCSANOW, &raw).unwrap();
    let mut ours = File::from(OwnedFd::from(master));
    let mut noise = ours.try_clone().unwrap();
    let quiet = Arc::clone(&babbles);
    std::thread::spawn(move || {
        let mut frame = [0; 8];
        while ours.read_exact(&mut frame).is_ok() {
            if !quiet.load(Ordering::SeqCst)
                && let Heard::Answered(answers) = Meters.hear(&frame)
            {
                std::thread::sleep(TURNAROUND);
                let _ = ours.write_all(&answers[0].bytes);
            }
        }
    });
    std::thread::spawn(move || {
        loop {
            if !babbles.load(Ordering::SeqCst) {
                std::thread::sleep(Duration::from_millis(2));
            } else if noise.write_all(&[0x55; 64]).is_err() {
                return;
            }
        }
    });
    (path, theirs)
}

const TRUTH: &str = "table = \"holding\"\naddress = 2\ntype = \"u16\"\nunit = \"W\"";

#[test]
fn fault_b9_a_line_that_babbles_is_named_and_the_others_poll_on() {
    let dir = tempfile::tempdir().unwrap();
    let http = SocketAddr::from(([127, 0, 0, 1], free_tcp_port().unwrap()));
    profile(dir.path(), "m1", "[modbus]\nmax_registers = 8", &[("power", TRUTH)]);
    let babbles = Arc::new(AtomicBool::new(false));
    let (port, _open) = port_that_may_babble(Arc::clone(&babbles));
    let other = dir.path().join("ttyUSB1");
    let _adapter = Serial::open(&other, PACE, Arc::new(Meters)).unwrap();
    let file = gateway(dir.path(), &port, http, &["m1"]);
    let second = std::fs::read_to_string(&file).unwrap() + &line("other", &other) + &device("e1", "m1", 1);
    std::fs::write(&file, second).unwrap();
    let mut edge = Edge::new(&file, http);
    edge.start().unwrap();
    for device in ["d1", "e1"] {
        eventually(&format!("{device} is read"), LONG, || good_at(&edge, device, "power"));
    }
    babbles.store(true, Ordering::SeqCst);
    eventually("the line is told as down", LONG, || is_up(&edge, "rs485").filter(|up| !up));
    eventually("its points say so", LONG, || {
        quality(&edge, "d1", "power").filter(|quality| quality == "line_down")
    });
    for _ in 0..3 {
        read_anew(&edge, "e1", "power");
    }
    assert_eq!((is_up(&edge, "rs485"), is_up(&edge, "other")), (Some(false), Some(true)));
    let log = edge.log();
    let told: Vec<_> = log.lines().filter(|line| line.contains("line is down")).collect();
    let [told] = told.as_slice() else { panic!("told once, not {told:?}") };
    assert!(told.contains("rs485") && told.contains(&port.display().to_string()), "line and port: {told}");
    assert!(told.contains("babbles"), "{told}");
    babbles.store(false, Ordering::SeqCst);
    read_anew(&edge, "d1", "power");
    eventually("the line is told as up", LONG, || is_up(&edge, "rs485").filter(|up| *up));
    edge.stop().unwrap();
}

#[test]
fn fault_b12_a_port_that_is_pulled_and_comes_back_as_another_is_found_by_its_place() {
    let dir = tempfile::tempdir().unwrap();
    let http = SocketAddr::from(([127, 0, 0, 1], free_tcp_port().unwrap()));
    profile(dir.path(), "m1", "", &[("power", TRUTH), ("last", &TRUTH.replace("= 2", "= 9"))]);
    // As udev's links in /dev/serial/by-path: they name the socket, whatever number the adapter gets.
    let place = dir.path().join("by-path-usb-0:1.2");
    let open = || Serial::open(&place, PACE, Arc::new(Meters)).unwrap();
    let mut adapter = Some(open());
    let mut edge = Edge::new(&gateway(dir.path(), &place, http, &["m1", "m1"]), http);
    edge.start().unwrap();
    eventually("both meters are read", LONG, || {
        good_at(&edge, "d1", "power").and(good_at(&edge, "d2", "last"))
    });
    let mut taken = Vec::new();
    for _ in 0..2 {
        let before = std::fs::read_link(&place).unwrap();
        // Polls come each second and take a part of it: now and then this is in the middle of a frame.
        drop(adapter.take());
        eventually("the line is told as down", LONG, || is_up(&edge, "rs485").filter(|up| !up));
        eventually("its points say so", LONG, || {
            quality(&edge, "d1", "power").filter(|quality| quality == "line_down")
        });
        // Somebody else has the old number.
        while std::fs::metadata(&before).is_err() {
            taken.push(nix::pty::openpty(None, None).unwrap());
        }
        adapter = Some(open());
        assert_ne!(std::fs::read_link(&place).unwrap(), before, "it has another number");
        read_anew(&edge, "d1", "power");
        read_anew(&edge, "d2", "last");
        eventually("the line is told as up", LONG, || is_up(&edge, "rs485").filter(|up| *up));
    }
    let told = edge.log().lines().filter(|line| line.contains("line is down")).count();
    assert_eq!(told, 2, "each loss is told once");
    assert_eq!(shown(&edge, "d1", "power").unwrap()["value"], 1234.0);
    edge.stop().unwrap();
}

#[test]
fn a_profile_that_lies_has_its_values_marked_and_nothing_else_on_the_line_suffers() {
    let dir = tempfile::tempdir().unwrap();
    let http = SocketAddr::from(([127, 0, 0, 1], free_tcp_port().unwrap()));
    let place = dir.path().join("ttyUSB0");
    let _adapter = Serial::open(&place, PACE, Arc::new(Meters)).unwrap();
    profile(dir.path(), "m1", "[modbus]\nmax_registers = 8", &[("power", TRUTH)]);
    let at = |address: u16, rest: &str| format!("table = \"holding\"\naddress = {address}\n{rest}");
    let lies = [
        // Sort of value, order of its words, and its length; then where it stands.
        (
            "order",
            at(0, "type = \"f32\"\norder = \"cdab\"\nunit = \"V\"\nmin = 100\nmax = 300"),
            "out_of_range",
        ),
        ("type", at(0, "type = \"u32\"\nunit = \"V\"\nmin = 100\nmax = 300"), "out_of_range"),
        ("digits", at(3, "type = \"bcd16\"\nunit = \"1\""), "undecodable"),
        ("float", at(4, "type = \"f32\"\nunit = \"V\""), "undecodable"),
        ("long", at(0, "type = \"string\"\nregisters = 20\nkind = \"text\""), "refused"),
        ("wide", at(7, "type = \"f64\"\nunit = \"V\""), "refused"),
        ("beyond", at(500, "type = \"u16\"\nunit = \"V\""), "refused"),
        ("table", "table = \"input\"\naddress = 0\ntype = \"u16\"\nunit = \"V\"".to_owned(), "refused"),
        ("coil", "table = \"coil\"\naddress = 0\nkind = \"flag\"".to_owned(), "refused"),
    ];
    let mut points: Vec<(&str, &str)> = lies.iter().map(|(key, place, _)| (*key, place.as_str())).collect();
    points.push(("true", TRUTH));
    // It bears neither so many registers at once nor so wide a gap.
    profile(dir.path(), "liar", "[modbus]\nmax_registers = 125\nmax_gap = 100", &points);
    let mut edge = Edge::new(&gateway(dir.path(), &place, http, &["m1", "liar"]), http);
    edge.start().unwrap();
    for (key, _, wanted) in &lies {
        eventually(&format!("{key} is marked as {wanted}"), LONG, || {
            quality(&edge, "d2", key).filter(|quality| quality == wanted)
        });
    }
    // What it says truly is read all the same, out of the midst of the lies.
    for _ in 0..3 {
        read_anew(&edge, "d2", "true");
        read_anew(&edge, "d1", "power");
    }
    for device in [("d1", "power"), ("d2", "true")] {
        assert_eq!(shown(&edge, device.0, device.1).unwrap()["value"], 1234.0, "{device:?}");
    }
    for (key, _, wanted) in &lies {
        assert_eq!(quality(&edge, "d2", key).as_deref(), Some(*wanted), "{key} is still marked");
    }
    let status = edge.status().unwrap();
    let devices = status["health"]["devices"].as_array().unwrap();
    let errors = devices.iter().find(|d| d["key"] == "d1").unwrap()["errors"].clone();
    assert_eq!(errors, 0, "the neighbour lost nothing");
    assert!(edge.runs() && !edge.log().contains("panicked"), "{}", edge.log());
    edge.stop().unwrap();
}
