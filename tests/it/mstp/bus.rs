//! A line of RS-485 made of pseudo-terminals: what one writes all others hear, at the pace of the wire. What a terminal
//! cannot do: two that speak at once do not spoil each other's octets here, they only come one after another, and there
//! are no levels, no stop bits and no driver to be switched.

use std::collections::VecDeque;
use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::fd::OwnedFd;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::thread::JoinHandle;
use std::time::Duration;

use nix::fcntl::{FcntlArg, OFlag, fcntl};
use nix::pty::openpty;
use nix::sys::termios::{SetArg, cfmakeraw, tcgetattr, tcsetattr};
use nix::unistd::ttyname;
use tokio::time::Instant;

pub const BAUD: u32 = 38_400;
/// How finely octets are carried.
const TICK: Duration = Duration::from_millis(1);

struct Port {
    bus: File,
    /// Kept open, so that whoever is on the line may come and go.
    _line: OwnedFd,
    path: PathBuf,
}

pub struct Bus {
    ports: Vec<PathBuf>,
    stop: Arc<AtomicBool>,
    carried: Arc<AtomicU64>,
    spoiled: Arc<AtomicU64>,
    thread: Option<JoinHandle<()>>,
}

impl Port {
    fn open() -> Self {
        let pair = openpty(None, None).unwrap();
        let mut raw = tcgetattr(&pair.slave).unwrap();
        cfmakeraw(&mut raw);
        tcsetattr(&pair.slave, SetArg::TCSANOW, &raw).unwrap();
        let path = ttyname(&pair.slave).unwrap();
        fcntl(&pair.master, FcntlArg::F_SETFL(OFlag::O_NONBLOCK)).unwrap();
        Self { bus: File::from(pair.master), _line: pair.slave, path }
    }
}

impl Bus {
    pub fn new(ports: usize) -> Self {
        let ports: Vec<Port> = (0..ports).map(|_| Port::open()).collect();
        let paths = ports.iter().map(|p| p.path.clone()).collect();
        let stop = Arc::new(AtomicBool::new(false));
        let (carried, spoiled) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
        let thread = {
            let (stop, carried, spoiled) = (Arc::clone(&stop), Arc::clone(&carried), Arc::clone(&spoiled));
            std::thread::spawn(move || carry(ports, &stop, &carried, &spoiled))
        };
        Self { ports: paths, stop, carried, spoiled, thread: Some(thread) }
    }

    pub fn port(&self, n: usize) -> &Path {
        &self.ports[n]
    }

    /// Octets, and how often somebody began while another still spoke.
    pub fn counts(&self) -> (u64, u64) {
        (self.carried.load(Ordering::Relaxed), self.spoiled.load(Ordering::Relaxed))
    }
}

impl Drop for Bus {
    fn drop(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        if let Some(thread) = self.thread.take() {
            thread.join().unwrap();
        }
    }
}

fn carry(mut ports: Vec<Port>, stop: &AtomicBool, carried: &AtomicU64, spoiled: &AtomicU64) {
    let each = Duration::from_secs(10) / BAUD;
    // Octets on the wire: when they have arrived, and from whom.
    let mut wire: VecDeque<(Instant, usize, u8)> = VecDeque::new();
    let mut free = Instant::now();
    let mut chunk = [0; 2048];
    while !stop.load(Ordering::Relaxed) {
        for (from, port) in ports.iter_mut().enumerate() {
            let Ok(len) = port.bus.read(&mut chunk) else { continue };
            carried.fetch_add(len as u64, Ordering::Relaxed);
            if wire.back().is_some_and(|(_, other, _)| *other != from) {
                spoiled.fetch_add(1, Ordering::Relaxed);
            }
            free = free.max(Instant::now());
            for octet in &chunk[..len] {
                free += each;
                wire.push_back((free, from, *octet));
            }
        }
        let now = Instant::now();
        let arrived = wire.iter().take_while(|(at, _, _)| *at <= now).count();
        let octets: Vec<_> = wire.drain(..arrived).collect();
        for (to, port) in ports.iter_mut().enumerate() {
            let heard: Vec<u8> =
                octets.iter().filter(|(_, from, _)| *from != to).map(|(_, _, octet)| *octet).collect();
            // Nobody reads there: then the terminal is full, and what comes is lost as on a wire.
            let _ = port.bus.write(&heard);
        }
        std::thread::sleep(TICK);
    }
}
