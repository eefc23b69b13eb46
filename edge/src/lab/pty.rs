//! A serial line on a pseudo-terminal or at a real port: one thread moves bytes between the terminal and the line of `far_end`, at
//! the pace of the wire. Whoever has set a pseudo-terminal to another rate is not understood, as on a wire; of parities it
//! keeps the odd one alone. The simulator keeps the far side open itself, so that whoever polls may come and go; the path
//! is a link that stays while the terminal behind it changes.

use std::fs;
use std::io;
use std::os::fd::{AsFd, OwnedFd};
use std::os::unix::fs::{OpenOptionsExt, symlink};
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
use rustix::termios::{ControlModes, OptionalActions, Termios};
use steward_protocols::character::{Character, Parity};
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
    #[error("the port {path} cannot be opened")]
    Port { path: PathBuf, source: io::Error },
    #[error("the link {path} cannot be made; remove what stands there")]
    Link { path: PathBuf, source: io::Error },
    #[error("the thread of the line cannot be started")]
    Thread(#[source] io::Error),
}

impl Serial {
    /// Opens a terminal behind the link `path` and answers on it until dropped, to whoever keeps the pace.
    pub fn open(path: &Path, pace: Pace, devices: Arc<dyn Station>) -> Result<Self, SerialError> {
        Self::start(path, None, Ear { pace, odd: None }, devices)
    }

    /// The same to whoever keeps the parity too, as far as a pseudo-terminal has one.
    pub fn open_as(
        path: &Path,
        character: Character,
        devices: Arc<dyn Station>,
    ) -> Result<Self, SerialError> {
        Self::start(path, None, Ear::of(character), devices)
    }

    /// Answers at a real serial port, which is set so, until dropped.
    pub fn on_port(
        path: &Path,
        character: Character,
        devices: Arc<dyn Station>,
    ) -> Result<Self, SerialError> {
        Self::start(path, Some(character), Ear::of(character), devices)
    }

    fn start(
        path: &Path,
        port: Option<Character>,
        ear: Ear,
        devices: Arc<dyn Station>,
    ) -> Result<Self, SerialError> {
        let orders = Arc::new(Orders::default());
        let counts = Arc::new(Mutex::new(Counts::default()));
        let mut pump = Pump {
            path: path.to_owned(),
            port,
            terminal: None,
            line: Line::new(ear.pace),
            ear,
            devices,
            orders: orders.clone(),
            counts: counts.clone(),
            opened: Instant::now(),
        };
        pump.terminal = Some(pump.open()?);
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

/// What the devices understand.
#[derive(Clone, Copy)]
struct Ear {
    pace: Pace,
    /// Whether the parity is odd; none where any will do. A pseudo-terminal drops the mark of a parity, and keeps the one
    /// that makes it odd: even and none look alike on it.
    odd: Option<bool>,
}

impl Ear {
    fn of(character: Character) -> Self {
        Self { pace: character.into(), odd: Some(character.parity == Parity::Odd) }
    }

    /// A rate that has no name of its own reads as none where the system is emulated: then it is taken as right.
    fn understands(self, settings: &Termios) -> bool {
        let baud = settings.output_speed();
        (baud == 0 || baud == self.pace.baud)
            && self.odd.is_none_or(|odd| odd == settings.control_modes.contains(ControlModes::PARODD))
    }
}

/// Both ends of a pseudo-terminal and the link to it, or the one end of a port that is ours.
struct Terminal {
    ours: OwnedFd,
    theirs: Option<OwnedFd>,
    link: Option<PathBuf>,
}

impl Terminal {
    fn pseudo(link: &Path) -> Result<Self, SerialError> {
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
        Ok(Self { ours: master.into(), theirs: Some(theirs), link: Some(link.to_owned()) })
    }

    fn port(path: &Path, character: Character) -> Result<Self, SerialError> {
        let broken = |source: io::Error| SerialError::Port { path: path.to_owned(), source };
        let mut options = fs::OpenOptions::new();
        let flags = (OFlag::O_NOCTTY | OFlag::O_NONBLOCK).bits();
        let file = options.read(true).write(true).custom_flags(flags).open(path).map_err(broken)?;
        let mut settings = rustix::termios::tcgetattr(&file).map_err(|e| broken(e.into()))?;
        settings.make_raw();
        let modes = &mut settings.control_modes;
        modes.insert(ControlModes::CREAD | ControlModes::CLOCAL);
        modes.remove(ControlModes::CSIZE);
        modes.insert(if character.data_bits == 7 { ControlModes::CS7 } else { ControlModes::CS8 });
        modes.set(ControlModes::PARENB, character.parity != Parity::None);
        modes.set(ControlModes::PARODD, character.parity == Parity::Odd);
        modes.set(ControlModes::CSTOPB, character.stop_bits == 2);
        settings.set_speed(character.baud).map_err(|e| broken(e.into()))?;
        rustix::termios::tcsetattr(&file, OptionalActions::Now, &settings).map_err(|e| broken(e.into()))?;
        Ok(Self { ours: file.into(), theirs: None, link: None })
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        if let Some(link) = &self.link {
            // The link may be gone with its folder already.
            let _ = fs::remove_file(link);
        }
    }
}

struct Pump {
    path: PathBuf,
    /// How a real port is set; none where the path is a link to a pseudo-terminal.
    port: Option<Character>,
    terminal: Option<Terminal>,
    line: Line,
    ear: Ear,
    devices: Arc<dyn Station>,
    orders: Arc<Orders>,
    counts: Arc<Mutex<Counts>>,
    opened: Instant,
}

impl Pump {
    fn open(&self) -> Result<Terminal, SerialError> {
        match self.port {
            Some(character) => Terminal::port(&self.path, character),
            None => Terminal::pseudo(&self.path),
        }
    }

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
        if let Some(theirs) = terminal.theirs.as_ref().filter(|_| self.devices.has_own_rates()) {
            // Whoever writes has set the port for whom it is meant, and changes it again for the answer.
            self.line.set_baud(rustix::termios::tcgetattr(theirs)?.output_speed());
        }
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
        if n == 0 {
            return Err(io::ErrorKind::UnexpectedEof.into());
        }
        let heard = buffer.get_mut(..n).unwrap_or_default();
        if let Some(theirs) = &terminal.theirs {
            let settings = rustix::termios::tcgetattr(theirs)?;
            if self.devices.has_own_rates() {
                self.line.set_baud(settings.output_speed());
            } else if !self.ear.understands(&settings) {
                // Characters whose stop bits are not where they should be.
                heard.fill(0);
            }
        }
        self.line.receive(self.opened.elapsed(), heard);
        Ok(())
    }

    /// Follows orders and tells what the line saw.
    fn look(&mut self) {
        *self.counts.lock().unwrap_or_else(PoisonError::into_inner) = self.line.counts();
        if self.orders.unplugged.load(Ordering::SeqCst) {
            self.terminal = None;
        } else if self.terminal.is_none() {
            match self.open() {
                Ok(terminal) => self.terminal = Some(terminal),
                Err(error) => tracing::warn!(line = %self.path.display(), %error, "no new terminal yet"),
            }
        }
        if let Some(theirs) = self.terminal.as_ref().and_then(|terminal| terminal.theirs.as_ref()) {
            // A reader that was killed leaves the terminal marked as taken; the mark dies only with the last
            // open end, which is ours.
            let _ = rustix::termios::ioctl_tiocnxcl(theirs);
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
