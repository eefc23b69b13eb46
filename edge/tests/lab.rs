//! The engineer's bench as programs: a simulated device read by tokio-modbus, which we did not write; a capture of it that
//! becomes a device and a test; a line that is only listened to.

#![allow(clippy::unwrap_used, reason = "a broken fixture ends the test")]

use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, ChildStdin, ChildStdout, Output, Stdio};
use std::time::Duration;

use tokio::time::timeout;
use tokio_modbus::client::{Context, Reader, Writer, rtu, tcp};
use tokio_modbus::prelude::{Slave, SlaveContext};
use tokio_serial::SerialStream;

use program::program;

#[path = "lab/captures.rs"]
mod captures;
#[path = "started/program.rs"]
mod program;

const METER: &str = "schneider/pm5350";
/// Address of its frequency.
const FREQUENCY: u16 = 3109;
const PATIENCE: Duration = Duration::from_secs(30);

fn edge(args: &[&str], dir: &Path) -> Output {
    program().args(["--lang", "en"]).args(args).current_dir(dir).output().unwrap()
}

fn said(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned() + &String::from_utf8_lossy(&output.stderr)
}

/// A command that runs until it is dropped.
struct Running {
    child: Child,
    orders: ChildStdin,
    told: BufReader<ChildStdout>,
}

impl Running {
    fn start(args: &[&str], dir: &Path) -> Self {
        let mut child = program()
            .args(["--lang", "en"])
            .args(args)
            .current_dir(dir)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let (orders, told) = (child.stdin.take().unwrap(), BufReader::new(child.stdout.take().unwrap()));
        Self { child, orders, told }
    }

    fn says(&mut self, wanted: &str) -> String {
        loop {
            let mut line = String::new();
            assert!(self.told.read_line(&mut line).unwrap() > 0, "it ended without {wanted:?}");
            if line.contains(wanted) {
                return line.trim_end().to_owned();
            }
        }
    }

    fn order(&mut self, line: &str) {
        writeln!(self.orders, "{line}").unwrap();
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

async fn registers(context: &mut Context, address: u16, count: u16) -> Result<Vec<u16>, String> {
    match timeout(Duration::from_secs(2), context.read_holding_registers(address, count)).await {
        Err(_) => Err("silent".to_owned()),
        Ok(Err(error)) => Err(error.to_string()),
        Ok(Ok(Err(exception))) => Err(format!("exception {}", u8::from(exception))),
        Ok(Ok(Ok(words))) => Ok(words),
    }
}

fn float(words: &[u16]) -> f32 {
    f32::from_bits(u32::from(words[0]) << 16 | u32::from(words[1]))
}

fn open(path: &Path) -> Context {
    let settings = tokio_serial::new(path.display().to_string(), 19_200);
    rtu::attach_slave(SerialStream::open(&settings).unwrap(), Slave(1))
}

#[tokio::test(flavor = "multi_thread")]
async fn a_profile_answers_a_master_that_we_did_not_write_and_follows_orders() {
    let dir = tempfile::tempdir().unwrap();
    let args = [
        "simulate",
        METER,
        "--listen",
        "127.0.0.1:0",
        "--pty",
        "dev",
        "--baud",
        "19200",
        "--set",
        "frequency=49.2",
    ];
    let mut device = Running::start(&args, dir.path());
    let at = device.says("answers Modbus TCP at");
    device.says("answers Modbus RTU at dev, address 1, 19200 8N1");
    let address = at.rsplit(' ').next().unwrap().parse().unwrap();
    let mut over_tcp = tcp::connect_slave(address, Slave(77)).await.unwrap();
    let mut over_rtu = open(&dir.path().join("dev"));
    for context in [&mut over_tcp, &mut over_rtu] {
        assert!((float(&registers(context, FREQUENCY, 2).await.unwrap()) - 49.2).abs() < 1e-3);
        assert_eq!(registers(context, 60_000, 2).await, Err("exception 2".to_owned()));
    }
    over_rtu.set_slave(Slave(2));
    assert_eq!(registers(&mut over_rtu, FREQUENCY, 2).await, Err("silent".to_owned()), "unit 2 is nobody");
    device.order("set frequency=50.5");
    device.says("frequency stays 50.5");
    assert!((float(&registers(&mut over_tcp, FREQUENCY, 2).await.unwrap()) - 50.5).abs() < 1e-3);
    device.order("break exception code=6");
    device.says("broken now: exception code=6");
    assert_eq!(registers(&mut over_tcp, FREQUENCY, 2).await, Err("exception 6".to_owned()));
    device.order("nonsense");
    device.order("mend");
    device.says("mended: 1 fault");
    assert!(registers(&mut over_tcp, FREQUENCY, 2).await.is_ok());
    device.order("quit");
    assert!(device.child.wait().unwrap().success());
    assert!(!dir.path().join("dev").is_symlink());
}

/// A gateway's file with the meter on a serial line.
fn gateway(dir: &Path, port: &str) -> PathBuf {
    let path = dir.join("edge.toml");
    let text = format!(
        "[gateway]\nname = \"t\"\ndata = \"data\"\n[periods]\nfast = \"1s\"\nnormal = \"1s\"\nslow = \"1s\"\n\
         [[line]]\nname = \"meters\"\nkind = \"serial\"\nport = \"{port}\"\nbaud = 19200\ntimeout = \"200ms\"\n\
         [[line.device]]\nname = \"meter\"\nprofile = \"{METER}\"\naddress = 1\n"
    );
    std::fs::write(&path, text).unwrap();
    path
}

#[tokio::test(flavor = "multi_thread")]
async fn a_capture_becomes_a_device_and_a_test() {
    let dir = tempfile::tempdir().unwrap();
    let port = dir.path().join("dev").display().to_string();
    let args = ["simulate", METER, "--pty", "dev", "--baud", "19200", "--set", "frequency=49.2"];
    let mut device = Running::start(&args, dir.path());
    device.says("answers Modbus RTU");
    gateway(dir.path(), &port);
    let captured = edge(&["capture", "meters", "--for", "4s"], dir.path());
    assert!(captured.status.success(), "{}", said(&captured));
    // It takes its link away: another test's terminal may get the number of this one.
    device.order("quit");
    device.child.wait().unwrap();
    let again = edge(&["capture", "meters", "--for", "1s"], dir.path());
    assert!(!again.status.success() && said(&again).contains("cannot be used"), "{}", said(&again));

    let check =
        |rest: &[&str]| edge(&[&["replay", "meters.capture", "--check", METER], rest].concat(), dir.path());
    let stated = check(&["--state"]);
    assert!(stated.status.success() && said(&stated).contains("frequency  49.20 Hz"), "{}", said(&stated));
    let held = check(&[]);
    assert!(held.status.success() && said(&held).contains("hold, 0 do not"), "{}", said(&held));
    let file = dir.path().join("meters.capture");
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replace("= frequency 49.20", "= frequency 50.00")).unwrap();
    let broken = check(&[]);
    assert_eq!(broken.status.code(), Some(1), "{}", said(&broken));
    assert!(said(&broken).contains("where 50.00 is stated"), "{}", said(&broken));

    let mut replayed = Running::start(&["replay", "meters.capture", "--pty", "dev"], dir.path());
    replayed.says("answers as the capture did");
    let mut master = open(&dir.path().join("dev"));
    assert!((float(&registers(&mut master, FREQUENCY, 2).await.unwrap()) - 49.2).abs() < 1e-3);
    assert_eq!(registers(&mut master, 60_000, 2).await, Err("silent".to_owned()), "it was never asked");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_listener_hears_who_is_asked_for_what_and_never_says_a_word() {
    let dir = tempfile::tempdir().unwrap();
    // Two pseudo-terminals: what is written into one end comes out of the other, and what the listener writes would too.
    let pair = nix::pty::openpty(None, None).unwrap();
    let mut raw = nix::sys::termios::tcgetattr(&pair.slave).unwrap();
    nix::sys::termios::cfmakeraw(&mut raw);
    nix::sys::termios::tcsetattr(&pair.slave, nix::sys::termios::SetArg::TCSANOW, &raw).unwrap();
    let path = nix::unistd::ttyname(&pair.slave).unwrap().display().to_string();
    let args = ["--json", "sniff", "--port", &path, "--baud", "19200", "--profile", METER];
    let mut listener = Running::start(&args, dir.path());
    // The sample frame of the profile's own file, out of the manufacturer's map.
    let library = steward_shared::profile::Library::compiled_in().unwrap();
    let profile = library.get(METER).unwrap();
    let sample = profile.frames.iter().find(|f| f.framing == steward_shared::profile::Framing::Rtu).unwrap();
    let (key, _) = sample.values.first().unwrap();
    let mut damaged = sample.response.clone();
    damaged[4] ^= 1;
    let wire = pair.master;
    let say = |bytes: &[u8]| {
        nix::unistd::write(&wire, bytes).unwrap();
        std::thread::sleep(Duration::from_millis(80));
    };
    let told = tokio::task::spawn_blocking(move || {
        // Until it has the port open nobody hears: the first words are said again.
        let first = listener.told.buffer().is_empty();
        assert!(first);
        (listener.says("\"asked\""), listener.says("\"answered\""), listener.says("\"broken\""), listener)
    });
    let begun = tokio::time::Instant::now();
    while !told.is_finished() {
        assert!(begun.elapsed() < PATIENCE, "it hears nothing");
        say(&sample.request);
        say(&sample.response);
        say(&sample.request);
        say(&damaged);
    }
    let (asked, answered, broken, listener) = told.await.unwrap();
    assert!(asked.contains("\"bytes\""), "{asked}");
    assert!(answered.contains(&format!("\"key\":\"{key}\"")), "{answered}");
    assert!(broken.contains("\"values\":[]"), "{broken}");
    drop(listener);
    let mut ready = [nix::poll::PollFd::new(std::os::fd::AsFd::as_fd(&wire), nix::poll::PollFlags::POLLIN)];
    let waiting = nix::poll::poll(&mut ready, nix::poll::PollTimeout::ZERO).unwrap();
    assert_eq!(waiting, 0, "something was written into the line");
}

/// A daemon under test; it is stopped when dropped.
struct Daemon(Child);

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

#[test]
fn the_doctor_says_that_two_devices_answer_and_that_we_kept_every_silence() {
    let dir = tempfile::tempdir().unwrap();
    let args =
        ["simulate", METER, "--pty", "dev", "--baud", "19200", "--break", "two-answers share=0.3 by=4ms"];
    let mut device = Running::start(&args, dir.path());
    device.says("answers Modbus RTU");
    let file = gateway(dir.path(), &dir.path().join("dev").display().to_string());
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let text = std::fs::read_to_string(&file)
        .unwrap()
        .replace("[periods]", &format!("[http]\nlisten = \"{free}\"\n[periods]"));
    std::fs::write(&file, text).unwrap();
    let away = edge(&["doctor"], dir.path());
    assert!(
        !away.status.success() && said(&away).contains("no program shows its pages at"),
        "{}",
        said(&away)
    );
    let run = program().args(["run"]).arg(&file).stderr(Stdio::null()).spawn().unwrap();
    let _daemon = Daemon(run);
    let begun = tokio::time::Instant::now();
    let told = loop {
        let told = said(&edge(&["doctor", "meters"], dir.path()));
        if told.contains("more than one answer") {
            break told;
        }
        assert!(begun.elapsed() < PATIENCE * 2, "never: {told}");
        std::thread::sleep(Duration::from_millis(500));
    };
    assert!(told.contains("silence between frames broken by us 0 times"), "{told}");
    let sheet = edge(&["sheet", "--out", "sheet.html"], dir.path());
    assert_eq!(sheet.status.code(), Some(1), "{}", said(&sheet));
    assert!(said(&sheet).contains("\nmeter: more than one answer"), "{}", said(&sheet));
    let page = std::fs::read_to_string(dir.path().join("sheet.html")).unwrap();
    assert!(page.contains("FAIL") && page.contains("<svg") && page.contains("Hz"), "{page}");
    let again = edge(&["sheet", "meter", "--out", "sheet.html"], dir.path());
    assert!(said(&again).contains("name another file by --out"), "{}", said(&again));
    let nobody = edge(&["sheet", "metre"], dir.path());
    assert!(said(&nobody).contains("there is no device \"metre\"; there are: meter"), "{}", said(&nobody));
    let unknown = edge(&["doctor", "pumps"], dir.path());
    assert!(!unknown.status.success() && said(&unknown).contains("there are: meters"), "{}", said(&unknown));
}

#[test]
fn a_profile_is_drawn_and_what_contradicts_in_it_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let good = edge(&["lint", METER, "--svg", "map.svg", "--baud", "19200"], dir.path());
    assert!(good.status.success(), "{}", said(&good));
    let told = said(&good);
    for wanted in [
        "holding\n",
        "addresses not read",
        "▓ read, only frames made from the map",
        "has no errors",
        "of a line at 19200 8N1",
    ] {
        assert!(told.contains(wanted), "{wanted}\n{told}");
    }
    for network in ["flexit/nordic", "shelly/pro-3em"] {
        let told = said(&edge(&["lint", network], dir.path()));
        assert!(told.contains("has no errors") && !told.contains("of a line"), "{network}: {told}");
    }
    let svg = std::fs::read_to_string(dir.path().join("map.svg")).unwrap();
    assert!(svg.starts_with("<svg xmlns=") && svg.contains("<title>3109: frequency</title>"));
    let folder = dir.path().join("own/acme");
    std::fs::create_dir_all(&folder).unwrap();
    let point = |key: &str, place: &str| {
        format!(
            "[[point]]\nkey = \"{key}\"\ntitle = {{ zh = \"点\", en = \"Point\" }}\ntable = \"holding\"\nunit = \"kW\"\n{place}\n"
        )
    };
    let text =
        "vendor = \"Acme\"\nmodel = \"M1\"\ntitle = { zh = \"表\", en = \"Meter\" }\nsource = [\"made up\"]\n"
            .to_owned()
            + &point("a", "address = 10\ntype = \"f32\"")
            + &point("b", "address = 11\ntype = \"u16\"");
    std::fs::write(folder.join("m1.toml"), text).unwrap();
    let bad = edge(&["lint", "acme/m1", "--profiles", "own"], dir.path());
    assert_eq!(bad.status.code(), Some(1));
    assert!(
        said(&bad).contains("a and b stand in the same registers") && said(&bad).contains("    10 XX"),
        "{}",
        said(&bad)
    );
    let busy = edge(&["lint", METER, "--baud", "1200", "--periods", "1s,1s,1s,1h"], dir.path());
    assert!(!busy.status.success() && said(&busy).contains("such periods cannot be kept"), "{}", said(&busy));
    let file = "[gateway]\nname = \"t\"\n[profiles]\nfolders = [\"own\"]\n[[line]]\nname = \"x\"\nkind = \"tcp\"\nhost = \"h\"\n\
                port = 502\n[[line.device]]\nname = \"m\"\nprofile = \"acme/m1\"\naddress = 1\n";
    std::fs::write(dir.path().join("edge.toml"), file).unwrap();
    let checked = edge(&["check"], dir.path());
    assert!(
        checked.status.success() && said(&checked).contains("profile acme/m1: error: a and b stand"),
        "{}",
        said(&checked)
    );
}

#[test]
fn what_is_wrong_is_refused_with_the_way_out() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::write(dir.path().join("picture.capture"), "GIF89a").unwrap();
    std::fs::write(dir.path().join("bad.toml"), "vendor = 3\n").unwrap();
    for (args, wanted) in [
        (["simulate", METER].as_slice(), "write --listen 127.0.0.1:1502, --pty or --port"),
        (&["simulate", "schneider/pm5530", "--pty"], "did you mean \"schneider/pm5350\"?"),
        (&["simulate", "dlt645/single-phase@12", "--pty"], "write it like 190018180502"),
        (&["simulate", METER, METER, "--pty"], "each needs its address"),
        (
            &["simulate", "schneider/pm5350@1", "flexit/nordic@1", "--listen", "127.0.0.1:0"],
            "start one for each",
        ),
        (&["simulate", "schneider/pm5350@1", "schneider/pm5350@1", "--pty"], "would answer to one address"),
        (&["simulate", "flexit/nordic@1", "--pty"], "is not simulated on MS/TP"),
        (&["simulate", "shelly/pro-3em", "--pty"], "only what is asked is simulated"),
        (&["read", "--line", "127.0.0.1:99999"], "write 1 … 65535 behind the colon"),
        (&["read", "--line", "ttyUSB0"], "like /dev/ttyUSB0"),
        (&["simulate", METER, "--pty", "--set", "frequency=1e99"], "frequency holds -3.4"),
        (&["simulate", "logarex/lk13", "--pty", "--break", "foreign"], "cannot be broken so: foreign"),
        (&["simulate", "bad.toml", "--pty"], "a profile is known by"),
        (&["simulate", METER, "--pty", "--set", "frequency"], "write it like --set frequency=49.2"),
        (&["simulate", METER, "--pty", "--set", "freqency=1"], "did you mean frequency?"),
        (&["simulate", METER, "--pty", "--break", "slient"], "is no fault of a device"),
        (&["simulate", METER, "--listen", "192.0.2.1:1"], "nobody can listen at 192.0.2.1:1"),
        (&["capture", "x"], "edge.toml: cannot be read"),
        (&["capture", "--port", "/dev/there-is-none", "--for", "1s"], "/dev/there-is-none cannot be used"),
        (&["replay", "none.capture", "--pty"], "none.capture cannot be read"),
        (&["replay", "picture.capture", "--check", METER], "this is no capture"),
        (&["sniff", "--port", "/dev/there-is-none"], "/dev/there-is-none cannot be used"),
    ] {
        let output = edge(args, dir.path());
        assert!(!output.status.success() && said(&output).contains(wanted), "{args:?}: {}", said(&output));
    }
}

#[test]
fn devices_of_several_languages_share_a_line() {
    let dir = tempfile::tempdir().unwrap();
    let args = [
        "simulate",
        "dlt645/three-phase@210401230645",
        "schneider/pm5350@7",
        "kamstrup/multical-601@5",
        "--pty",
        "dev",
        "--baud",
        "2400",
        "--set",
        "@7:frequency=49.5",
        "--set",
        "@210401230645:frequency=50.25",
        "--set",
        "@5:flow-temperature=71.5",
    ];
    let mut bus = Running::start(&args, dir.path());
    bus.says("dlt645/three-phase answers DL/T 645 at dev, address 210401230645");
    bus.says("schneider/pm5350 answers Modbus RTU at dev, address 7");
    bus.says("kamstrup/multical-601 answers M-Bus at dev, address 5");
    let port = dir.path().join("dev").display().to_string();
    let device = |name: &str, profile: &str, address: &str| {
        format!("[[line.device]]\nname = \"{name}\"\nprofile = \"{profile}\"\naddress = {address}\n")
    };
    let text = format!(
        "[gateway]\nname = \"t\"\ndata = \"data\"\n[[line]]\nname = \"l\"\nkind = \"serial\"\nport = \"{port}\"\n\
         baud = 2400\nparity = \"none\"\n{}{}{}",
        device("e", "dlt645/three-phase", "\"210401230645\""),
        device("m", "schneider/pm5350", "7"),
        device("h", "kamstrup/multical-601", "5"),
    );
    std::fs::write(dir.path().join("edge.toml"), text).unwrap();
    for (point, value) in [("e/frequency", "50.25"), ("m/frequency", "49.5"), ("h/flow-temperature", "71.5")]
    {
        let read = edge(&["read", point], dir.path());
        assert!(said(&read).contains(value), "{point}: {}", said(&read));
    }
    // The link that leads to it is a port, however it is named.
    let by_hand =
        ["read", "--line", "dev", "--baud", "2400", "--address", "7", "--from", "3109", "--count", "2"];
    let registers = edge(&by_hand, dir.path());
    assert!(said(&registers).contains("f32 49.5"), "{}", said(&registers));
}

/// A profile with registers and coils that may be written.
const WRITABLE: &str = "vendor = \"Acme\"\nmodel = \"W1\"\ntitle = { zh = \"表\", en = \"W1\" }\nsource = [\"made up\"]\n\
    [[point]]\nkey = \"a\"\ntitle = { zh = \"甲\", en = \"A\" }\ntable = \"holding\"\naddress = 10\ntype = \"u16\"\nunit = \"1\"\nwrite = { min = 0, max = 60000 }\n\
    [[point]]\nkey = \"b\"\ntitle = { zh = \"乙\", en = \"B\" }\ntable = \"holding\"\naddress = 11\ntype = \"u16\"\nunit = \"1\"\nwrite = { min = 0, max = 60000 }\n\
    [[point]]\nkey = \"fixed\"\ntitle = { zh = \"丙\", en = \"C\" }\ntable = \"holding\"\naddress = 12\ntype = \"u16\"\nunit = \"1\"\n\
    [[point]]\nkey = \"c0\"\ntitle = { zh = \"线圈零\", en = \"Coil 0\" }\ntable = \"coil\"\naddress = 0\nwrite = {}\n\
    [[point]]\nkey = \"c1\"\ntitle = { zh = \"线圈一\", en = \"Coil 1\" }\ntable = \"coil\"\naddress = 1\nwrite = {}\n";

#[tokio::test(flavor = "multi_thread")]
async fn each_function_that_writes_is_taken_from_a_master_that_we_did_not_write() {
    let dir = tempfile::tempdir().unwrap();
    std::fs::create_dir(dir.path().join("acme")).unwrap();
    std::fs::write(dir.path().join("acme/w1.toml"), WRITABLE).unwrap();
    let args = ["simulate", "acme/w1.toml@3", "acme/w1.toml@4", "--listen", "127.0.0.1:0"];
    let mut device = Running::start(&args, dir.path());
    let at = device.says("answers Modbus TCP at");
    let address = at.split(" at ").nth(1).unwrap().split(',').next().unwrap().parse().unwrap();
    let mut master = tcp::connect_slave(address, Slave(3)).await.unwrap();
    let read = async |master: &mut Context| registers(master, 10, 2).await.unwrap();
    master.write_single_register(10, 700).await.unwrap().unwrap();
    master.write_multiple_registers(11, &[800]).await.unwrap().unwrap();
    assert_eq!(read(&mut master).await, [700, 800]);
    // (700 AND F0F0) OR (000F AND NOT F0F0).
    master.masked_write_register(10, 0xF0F0, 0x000F).await.unwrap().unwrap();
    assert_eq!(read(&mut master).await, [0x00BF, 800]);
    let both = master.read_write_multiple_registers(10, 2, 10, &[5, 6]).await.unwrap().unwrap();
    assert_eq!(both, [5, 6]);
    master.write_single_coil(0, true).await.unwrap().unwrap();
    master.write_multiple_coils(0, &[false, true]).await.unwrap().unwrap();
    assert_eq!(master.read_coils(0, 2).await.unwrap().unwrap(), [false, true]);
    let refused = master.write_single_register(12, 1).await.unwrap().unwrap_err();
    assert_eq!(u8::from(refused), 2, "its profile does not allow it");
    master.set_slave(Slave(4));
    assert_ne!(read(&mut master).await, [5, 6], "the other device is its own");
    device.order("@3 values");
    assert_eq!(device.says("a  "), "a  5   A");
}

/// A gateway's file with one meter on a line.
fn meter_file(dir: &Path, line: &str, profile: &str, address: &str) {
    let text = format!(
        "[gateway]\nname = \"t\"\ndata = \"data\"\n[[line]]\nname = \"l\"\n{line}\n\
         [[line.device]]\nname = \"m\"\nprofile = \"{profile}\"\naddress = \"{address}\"\n"
    );
    std::fs::write(dir.join("edge.toml"), text).unwrap();
}

#[test]
fn meters_of_every_language_answer_over_tcp_and_on_a_line_and_break() {
    let dir = tempfile::tempdir().unwrap();
    for (profile, address, point, value, fault) in [
        ("dlt645/three-phase", "210401230645", "frequency", "49.25", "exception code=2"),
        ("cjt188/water-1f90", "78330011223344", "volume", "12.25", "wrong-crc"),
        ("kamstrup/multical-601", "5", "flow-temperature", "71.5", "exception code=8"),
        ("kamstrup/multical-601", "12345678-KAM-08-04", "flow-temperature", "71.5", "foreign"),
        ("logarex/lk13", "0013", "frequency", "49.3", "cut"),
    ] {
        let device = format!("{profile}@{address}");
        let set = format!("{point}={value}");
        let args =
            ["simulate", &device, "--listen", "127.0.0.1:0", "--pty", "dev", "--baud", "2400", "--set", &set];
        let mut meter = Running::start(&args, dir.path());
        let at = meter.says(" at 127.0.0.1:");
        let port = at.split("127.0.0.1:").nth(1).unwrap().split(',').next().unwrap().to_owned();
        meter.says("at dev");
        let tcp = format!("kind = \"tcp\"\nhost = \"127.0.0.1\"\nport = {port}\nframing = \"transparent\"");
        let serial = format!(
            "kind = \"serial\"\nport = \"{}\"\nbaud = 2400\nparity = \"none\"",
            dir.path().join("dev").display()
        );
        for line in [&tcp, &serial] {
            meter_file(dir.path(), line, profile, address);
            let read = edge(&["read", &format!("m/{point}"), "--json"], dir.path());
            let told = said(&read);
            let number: f64 = value.parse().unwrap();
            assert!(told.contains(&format!("\"value\":{number:?}")), "{device} on {line}: {told}");
        }
        let write = said(&edge(&["write", &format!("m/{point}"), "3", "--yes"], dir.path()));
        assert!(write.contains("is only read") && !write.contains("add write"), "{device}: {write}");
        meter_file(dir.path(), &tcp, profile, address);
        meter.order(&format!("break {fault}"));
        meter.says("broken now");
        let broken = edge(&["read", &format!("m/{point}"), "--json"], dir.path());
        assert!(!said(&broken).contains("\"good\""), "{device} with {fault}: {}", said(&broken));
    }
}

#[test]
fn meters_on_one_bus_are_found_by_a_scan() {
    let dir = tempfile::tempdir().unwrap();
    let args = [
        "simulate",
        "kamstrup/multical-601@5",
        "minol/minocal-c2@00000007-MIN-01-04",
        "landis-gyr/ultraheat-t230@00000107",
        "--listen",
        "127.0.0.1:0",
        "--turnaround",
        "1ms",
    ];
    let mut bus = Running::start(&args, dir.path());
    let at = bus.says(" at 127.0.0.1:");
    let line = format!("127.0.0.1:{}", at.split("127.0.0.1:").nth(1).unwrap().split(',').next().unwrap());
    let scan = edge(
        &[
            "scan",
            "--line",
            &line,
            "--framing",
            "rtu",
            "--mbus",
            "--addresses",
            "1-9",
            "--patience",
            "250ms",
            "--json",
        ],
        dir.path(),
    );
    let told = said(&scan);
    for address in ["\"5\"", "00000007-MIN-01-04", "00000107-STW-01-04"] {
        assert!(told.contains(address), "{address} in {told}");
    }
    assert!(told.contains("several meters answer to 0 at once"), "{told}");
}

#[test]
fn a_real_port_is_answered_at_as_a_pseudo_terminal_is() {
    let dir = tempfile::tempdir().unwrap();
    // The port that is simulated at is the end of another simulated line's terminal.
    let pair = nix::pty::openpty(None, None).unwrap();
    let mut raw = nix::sys::termios::tcgetattr(&pair.slave).unwrap();
    nix::sys::termios::cfmakeraw(&mut raw);
    nix::sys::termios::tcsetattr(&pair.slave, nix::sys::termios::SetArg::TCSANOW, &raw).unwrap();
    let path = nix::unistd::ttyname(&pair.slave).unwrap().display().to_string();
    let args = ["simulate", METER, "--port", &path, "--baud", "19200", "--framing", "ascii"];
    let mut device = Running::start(&args, dir.path());
    device.says("answers Modbus ASCII at");
    let mut master = std::fs::File::from(pair.master);
    // Unit 1, function 3, two registers from 3109; the sum by hand: 100 - (01 + 03 + 0C + 25 + 02) = C9.
    master.write_all(b":01030C250002C9\r\n").unwrap();
    let mut answer = String::new();
    BufReader::new(master).read_line(&mut answer).unwrap();
    assert!(answer.starts_with(":010304") && answer.len() == 19, "{answer:?}");
}
