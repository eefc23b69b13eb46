//! The silence of 3.5 characters (MODBUS over Serial Line V1.02, 2.5.1.1), counted where the devices are: this file's own
//! far end of a pseudo-terminal takes the instants of bytes by a clock of its own and knows nothing of the daemon's.
//!
//! A gap is counted from before the answer was written until after the next request was read, so that a machine that is
//! slow makes it longer and never shorter. Where a request may have been written before the answer that it seems to
//! follow, nothing is counted.

#![allow(clippy::unwrap_used, reason = "a test says with a panic what broke")]

use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

use nix::fcntl::OFlag;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::pty::{grantpt, posix_openpt, ptsname_r, unlockpt};
use nix::sys::stat::Mode;
use nix::sys::termios::{SetArg, cfmakeraw, tcgetattr, tcsetattr};
use nix::time::{ClockId, clock_gettime};
use steward_edge::config::load;
use steward_edge::supervisor::{Setup, Supervisor};
use steward_protocols::modbus::with_crc;
use steward_shared::document::listing;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep};
use tokio_util::sync::CancellationToken;

/// Gaps that are counted on each line.
const ENOUGH: usize = 150;
const LONG: Duration = Duration::from_mins(5);
/// Unit, function, two numbers, check sum.
const REQUEST: usize = 8;
/// Unit, function, length, one register, check sum.
const ANSWER: usize = 7;

/// How the wire is set, and the silence on it by the standard: 3.5 characters, 1.75 ms above 19200 baud.
#[derive(Clone, Copy)]
struct Wire {
    character: Duration,
    silence: Duration,
}

/// 8E1: eleven bits.
const SLOW: Wire = Wire {
    character: Duration::from_nanos(11_000_000_000 / 9600),
    silence: Duration::from_nanos(38_500_000_000 / 9600),
};
/// 8N1: ten.
const FAST: Wire =
    Wire { character: Duration::from_nanos(10_000_000_000 / 115_200), silence: Duration::from_micros(1750) };

/// Devices 1, 2, … that answer for one register; the end of the answer is there when the wire could have carried both.
struct FarEnd {
    port: PathBuf,
    gaps: Arc<Mutex<Vec<Duration>>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl FarEnd {
    fn start(wire: Wire) -> Self {
        let flags = OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_CLOEXEC;
        let ours = posix_openpt(flags).unwrap();
        grantpt(&ours).unwrap();
        unlockpt(&ours).unwrap();
        let port = PathBuf::from(ptsname_r(&ours).unwrap());
        // Held open, so that the daemon may come and go.
        let theirs = nix::fcntl::open(&port, flags, Mode::empty()).unwrap();
        let mut settings = tcgetattr(&theirs).unwrap();
        cfmakeraw(&mut settings);
        tcsetattr(&theirs, SetArg::TCSANOW, &settings).unwrap();
        let (gaps, stop) = (Arc::<Mutex<Vec<Duration>>>::default(), Arc::<AtomicBool>::default());
        let (seen, told) = (Arc::clone(&gaps), Arc::clone(&stop));
        let thread = std::thread::spawn(move || {
            let _open = theirs;
            answer(&OwnedFd::from(ours), wire, &seen, &told);
        });
        Self { port, gaps, stop, thread: Some(thread) }
    }

    fn count(&self) -> usize {
        self.gaps.lock().unwrap().len()
    }

    fn shortest(&self) -> Duration {
        self.gaps.lock().unwrap().iter().min().copied().unwrap()
    }
}

impl Drop for FarEnd {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

fn now() -> Duration {
    Duration::from(clock_gettime(ClockId::CLOCK_MONOTONIC).unwrap())
}

fn has_bytes(terminal: &OwnedFd, wait_ms: u16) -> bool {
    let mut ready = [PollFd::new(terminal.as_fd(), PollFlags::POLLIN)];
    poll(&mut ready, PollTimeout::from(wait_ms)).is_ok_and(|n| n > 0)
}

fn answer(terminal: &OwnedFd, wire: Wire, gaps: &Mutex<Vec<Duration>>, stop: &AtomicBool) {
    let (mut frame, mut begun, mut answered) = (Vec::new(), Duration::ZERO, None);
    while !stop.load(Ordering::SeqCst) {
        if !has_bytes(terminal, 100) {
            continue;
        }
        let mut bytes = [0; 256];
        let n = nix::unistd::read(terminal, &mut bytes).unwrap();
        if frame.is_empty() {
            begun = now();
        }
        frame.extend_from_slice(&bytes[..n]);
        if frame.len() < REQUEST {
            continue;
        }
        let request = std::mem::take(&mut frame);
        let before: Option<Duration> = answered.take();
        if request.len() > REQUEST {
            // We were away for so long that the question was put again: whose answer would it be?
            continue;
        }
        gaps.lock().unwrap().extend(before.map(|before| begun.saturating_sub(before)));
        // A master that knows how long both take must not have any of that time left.
        let due = begun + wire.character * (REQUEST + ANSWER) as u32 + wire.silence;
        std::thread::sleep(due.saturating_sub(now()));
        let said = now();
        if has_bytes(terminal, 0) {
            continue;
        }
        let register = with_crc(vec![request[0], request[1], 2, 0, 42]);
        assert_eq!(nix::unistd::write(terminal, &register).unwrap(), register.len());
        // What lies there already may have been written before the answer.
        answered = (!has_bytes(terminal, 0)).then_some(said);
    }
}

const PROFILE: &str = "vendor = \"Acme\"\nmodel = \"M1\"\ntitle = { zh = \"电表\", en = \"Meter\" }\nsource = [\"this test\"]\n\
    [[point]]\nkey = \"power\"\ntitle = { zh = \"功率\", en = \"Power\" }\nunit = \"W\"\n\
    table = \"holding\"\naddress = 0\ntype = \"u16\"\nclass = \"fast\"\n";

fn line(name: &str, end: &FarEnd, settings: &str, units: u8) -> String {
    let device = |unit: u8| {
        format!("[[line.device]]\nname = \"{name}-{unit}\"\nprofile = \"acme/m1\"\naddress = {unit}\n")
    };
    let devices: String = (1..=units).map(device).collect();
    format!(
        "[[line]]\nname = \"{name}\"\nkind = \"serial\"\nport = \"{}\"\n{settings}\n{devices}",
        end.port.display()
    )
}

async fn daemon(folder: &Path, lines: &str) -> Supervisor {
    std::fs::create_dir_all(folder.join("profiles/acme")).unwrap();
    std::fs::write(folder.join("profiles/acme/m1.toml"), PROFILE).unwrap();
    let file = format!(
        "[gateway]\nname = \"t\"\ndata = \"data\"\n[periods]\nfast = \"100ms\"\n[profiles]\nfolders = [\"profiles\"]\n\
         [http]\nlisten = \"127.0.0.1:0\"\n{lines}"
    );
    let path = folder.join("edge.toml");
    std::fs::write(&path, file).unwrap();
    let config = load(&path).unwrap_or_else(|f| panic!("{}", listing(&f)));
    Supervisor::start(Setup::of(path), config).await.unwrap()
}

#[tokio::test]
async fn the_far_end_sees_three_and_a_half_characters_of_silence_before_each_request() {
    let (slow, fast) = (FarEnd::start(SLOW), FarEnd::start(FAST));
    let lines = line("slow", &slow, "baud = 9600\nparity = \"even\"\nstop_bits = 1", 3)
        + &line("fast", &fast, "baud = 115200\nparity = \"none\"\nstop_bits = 1", 3);
    let folder = tempfile::tempdir().unwrap();
    let supervisor = daemon(folder.path(), &lines).await;
    let stop = CancellationToken::new();
    let (_reload, reloads) = mpsc::channel(1);
    let task = tokio::spawn(supervisor.run(stop.clone(), reloads));
    let deadline = Instant::now() + LONG;
    while slow.count() < ENOUGH || fast.count() < ENOUGH {
        assert!(Instant::now() < deadline, "{} and {} gaps", slow.count(), fast.count());
        sleep(Duration::from_millis(100)).await;
    }
    stop.cancel();
    task.await.unwrap().unwrap();
    println!("the shortest gaps: {:?} at 9600 baud, {:?} at 115200", slow.shortest(), fast.shortest());
    assert!(slow.shortest() >= SLOW.silence, "{:?}", slow.shortest());
    assert!(fast.shortest() >= FAST.silence, "{:?}", fast.shortest());
}
