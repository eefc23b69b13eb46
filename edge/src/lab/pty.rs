//! A serial line on a pseudo-terminal: one thread moves bytes between the terminal and the line of `far_end`, at
//! the pace of the wire. The simulator keeps the far side open itself, so that whoever polls may come and go; the path
//! is a link that stays while the terminal behind it changes.

use std::fs;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::symlink;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use nix::errno::Errno;
use nix::fcntl::OFlag;
use nix::poll::{PollFd, PollFlags, ppoll};
use nix::pty::{grantpt, posix_openpt, ptsname_r, unlockpt};
use nix::sys::stat::Mode;
use nix::sys::termios::{SetArg, cfmakeraw, tcgetattr, tcsetattr};
use nix::sys::time::TimeSpec;
use steward_protocols::far_end::{Counts, Line, Pace, Station};
use tokio::time::Instant;

use super::noise::mix;

/// How often the thread looks for orders while the line is quiet.
const LOOK: Duration = Duration::from_millis(50);

/// What may be done to a running line.
#[derive(Debug, Default)]
pub struct Orders {
    pub unplugged: AtomicBool,
    pub babbling: AtomicBool,
    stop: AtomicBool,
}

/// A running serial line.
#[derive(Debug)]
pub struct Serial {
    pub path: PathBuf,
    pub orders: Arc<Orders>,
    counts: Arc<Mutex<Counts>>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, thiserror::Error)]
pub enum SerialError {
    #[error("no pseudo-terminal can be opened; is /dev/pts mounted")]
    Terminal(#[source] io::Error),
    #[error("the link {path} cannot be made; remove what stands there")]
    Link { path: PathBuf, source: io::Error },
    #[error("the thread of the line cannot be started")]
    Thread(#[source] io::Error),
}

impl Serial {
    /// Opens a terminal behind the link `path` and answers on it until dropped.
    pub fn open(path: &Path, pace: Pace, devices: Arc<dyn Station>) -> Result<Self, SerialError> {
        let orders = Arc::new(Orders::default());
        let counts = Arc::new(Mutex::new(Counts::default()));
        let terminal = Terminal::open(path)?;
        let mut pump = Pump {
            path: path.to_owned(),
            terminal: Some(terminal),
            line: Line::new(pace),
            devices,
            orders: orders.clone(),
            counts: counts.clone(),
            opened: Instant::now(),
        };
        let thread = std::thread::Builder::new()
            .name(format!("line {}", path.display()))
            .spawn(move || pump.run())
            .map_err(SerialError::Thread)?;
        Ok(Self { path: path.to_owned(), orders, counts, thread: Some(thread) })
    }

    pub fn counts(&self) -> Counts {
        *self.counts.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Serial {
    fn drop(&mut self) {
        self.orders.stop.store(true, Ordering::SeqCst);
        if let Some(thread) = self.thread.take() {
            // A thread that panicked has said so already.
            let _ = thread.join();
        }
    }
}

/// Both ends of a pseudo-terminal, and the link to it.
struct Terminal {
    ours: OwnedFd,
    theirs: OwnedFd,
    link: PathBuf,
}

impl Terminal {
    fn open(link: &Path) -> Result<Self, SerialError> {
        let terminal = |e: Errno| SerialError::Terminal(e.into());
        // A program that is started meanwhile must not hold its ends open: the port would never be gone.
        let flags = OFlag::O_RDWR | OFlag::O_NOCTTY | OFlag::O_CLOEXEC;
        let master = posix_openpt(flags).map_err(terminal)?;
        grantpt(&master).map_err(terminal)?;
        unlockpt(&master).map_err(terminal)?;
        let name = PathBuf::from(ptsname_r(&master).map_err(terminal)?);
        let theirs = nix::fcntl::open(&name, flags, Mode::empty()).map_err(terminal)?;
        let mut settings = tcgetattr(&theirs).map_err(terminal)?;
        cfmakeraw(&mut settings);
        tcsetattr(&theirs, SetArg::TCSANOW, &settings).map_err(terminal)?;
        let broken = |source| SerialError::Link { path: link.to_owned(), source };
        if link.is_symlink() {
            fs::remove_file(link).map_err(broken)?;
        }
        symlink(&name, link).map_err(broken)?;
        Ok(Self { ours: master.into(), theirs, link: link.to_owned() })
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        // The link may be gone with its folder already.
        let _ = fs::remove_file(&self.link);
    }
}

struct Pump {
    path: PathBuf,
    terminal: Option<Terminal>,
    line: Line,
    devices: Arc<dyn Station>,
    orders: Arc<Orders>,
    counts: Arc<Mutex<Counts>>,
    opened: Instant,
}

impl Pump {
    fn run(&mut self) {
        let mut looked = Instant::now();
        while !self.orders.stop.load(Ordering::SeqCst) {
            if let Err(error) = self.turn() {
                tracing::warn!(line = %self.path.display(), %error, "the terminal failed; opening another");
                self.terminal = None;
                std::thread::sleep(LOOK);
            }
            if looked.elapsed() > LOOK {
                looked = Instant::now();
                self.look();
            }
        }
    }

    /// One wait, at most `LOOK` long, and what came of it.
    fn turn(&mut self) -> io::Result<()> {
        let now = self.opened.elapsed();
        let Some(terminal) = &self.terminal else {
            std::thread::sleep(LOOK);
            return Ok(());
        };
        let (devices, baud) = (&self.devices, self.line.baud());
        let bytes = self.line.advance(now, |frame| devices.hear_at(frame, baud));
        if !bytes.is_empty() {
            write(terminal, &bytes)?;
        }
        let now = self.opened.elapsed();
        let wait = self.line.next(now).map_or(LOOK, |at| at.saturating_sub(now)).min(LOOK);
        let mut ready = [PollFd::new(terminal.ours.as_fd(), PollFlags::POLLIN)];
        match ppoll(&mut ready, Some(TimeSpec::from_duration(wait)), None) {
            Ok(0) | Err(Errno::EINTR) => return Ok(()),
            Ok(_) => {}
            Err(error) => return Err(error.into()),
        }
        let mut buffer = [0; 1024];
        let n = nix::unistd::read(&terminal.ours, &mut buffer)?;
        if self.devices.has_own_rates() {
            // Whoever wrote has set the port for whom it was meant.
            self.line.set_baud(rustix::termios::tcgetattr(&terminal.theirs)?.output_speed());
        }
        self.line.receive(self.opened.elapsed(), buffer.get(..n).unwrap_or_default());
        Ok(())
    }

    /// Follows orders and tells what the line saw.
    fn look(&mut self) {
        *self.counts.lock().unwrap_or_else(PoisonError::into_inner) = self.line.counts();
        if self.orders.unplugged.load(Ordering::SeqCst) {
            self.terminal = None;
        } else if self.terminal.is_none() {
            match Terminal::open(&self.path) {
                Ok(terminal) => self.terminal = Some(terminal),
                Err(error) => tracing::warn!(line = %self.path.display(), %error, "no new terminal yet"),
            }
        }
        if let Some(terminal) = &self.terminal {
            // A reader that was killed leaves the terminal marked as taken; the mark dies only with the last
            // open end, which is ours.
            let _ = rustix::termios::ioctl_tiocnxcl(&terminal.theirs);
        }
        if self.orders.babbling.load(Ordering::SeqCst) {
            let now = self.opened.elapsed();
            let noise = (0..7u64).map(|i| mix(now.as_nanos() as u64 ^ i) as u8).collect();
            self.line.babble(now, noise);
        }
    }
}

/// Writes to the terminal; what its buffer cannot take is lost, as on a wire that nobody reads.
fn write(terminal: &Terminal, bytes: &[u8]) -> io::Result<()> {
    let mut ready = [PollFd::new(terminal.ours.as_fd(), PollFlags::POLLOUT)];
    if ppoll(&mut ready, Some(TimeSpec::from_duration(Duration::ZERO)), None)? > 0 {
        nix::unistd::write(&terminal.ours, bytes)?;
    }
    Ok(())
}
