//! One wire: the bytes' way between the protocol's machine (`LineState`, which keeps the silence, the deadlines
//! and the quarantine) and the stream. The line's owner asks one question at a time. Every read and write
//! has a deadline; an answer that belongs to another question never gets through the machine.

use std::io;
use std::sync::Arc;
use std::time::{Duration, Instant};

use steward_protocols::driver::{Driver, Step};
use steward_protocols::exchange::{Exchange, Reply};
use steward_protocols::line::{self, LineState, Settings};
use steward_protocols::modbus::frame_gap;
use steward_shared::profile::Framing;
use steward_shared::reading::Quality;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{timeout, timeout_at};

use super::cost::{Manner, port_for};
use super::dial::{Dial, Stream};
use super::timer::Timer;
use crate::config::{LineConfig, WireConfig};
use crate::doctor::{Observed, Outcome, Watch};

/// A request is at most some hundred bytes: a wire that does not take them in this time is stuck.
const WRITE_DEADLINE: Duration = Duration::from_secs(5);
/// The longest frame of any framing fits twice.
const READ_AT_ONCE: usize = 600;
/// Between two characters of an ASCII frame so much time may pass (MODBUS over Serial Line V1.02, 2.5.2.1).
const ASCII_SETTLE: Duration = Duration::from_secs(1);

/// A mobile network delivers an answer in pieces, now and then with so much time between them.
const MODEM_SETTLE: Duration = Duration::from_millis(500);

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum Failure {
    /// The wire itself could not be opened, or broke before the question was sent. It is closed.
    #[error("the line is lost")]
    Lost(#[source] io::Error),
    /// The wire was closed after the question was sent. Some gateways do that for a device that is silent.
    #[error("the line was closed over the question")]
    HungUp(#[source] io::Error),
    #[error("something babbles on the line, nobody else gets a word in")]
    Babbling,
    /// The device, or what stands for it: no answer, or none that can be believed.
    #[error("{why}")]
    Device { quality: Quality, why: String },
}

/// An answer, and how long the device took for it.
#[derive(Debug)]
pub struct Answer {
    pub reply: Reply,
    pub turnaround: Duration,
    /// Of which the answer was on the wire at least so long.
    pub on_wire: Duration,
}

pub struct Wire {
    dial: Arc<dyn Dial>,
    stream: Option<Box<dyn Stream>>,
    state: LineState,
    config: WireConfig,
    /// What a device may take for its answer unless its profile says more.
    usual: Duration,
    /// For how long after the first opening an answer may come to a question that somebody else put: the owner
    /// before, or the program before it was started again.
    owed: Duration,
    /// The same after somebody else has had the wire in between.
    owed_after_others: Duration,
    /// On a port; made when it is first wanted.
    timer: Option<Timer>,
    watch: Watch,
    /// What the watch saw of the last question.
    seen: Option<(Observed, Outcome)>,
}

impl Wire {
    /// `slowest` is the longest that any device may take for its answer, and any that was asked before.
    pub fn new(dial: Arc<dyn Dial>, config: &LineConfig, slowest: Duration) -> Self {
        let settings = settings(config);
        let owed = if settings.quarantine.is_zero() {
            // A new connection, and numbers in the frames.
            Duration::ZERO
        } else {
            slowest + settings.quarantine.max(slowest)
        };
        let state = LineState::new(settings);
        let owed_after_others = owed;
        let (wire, usual) = (config.wire.clone(), config.timeout);
        let watch = Watch::default();
        Self {
            dial,
            stream: None,
            state,
            config: wire,
            usual,
            owed,
            owed_after_others,
            timer: None,
            watch,
            seen: None,
        }
    }

    /// A wire on which a late answer is known by its own address, for one that asks each address once.
    pub fn without_quarantine(dial: Arc<dyn Dial>, config: &LineConfig) -> Self {
        let wire = Self::new(dial, config, Duration::ZERO);
        let settings = Settings { quarantine: Duration::ZERO, ..settings(config) };
        Self {
            state: LineState::new(settings),
            owed: Duration::ZERO,
            owed_after_others: Duration::ZERO,
            ..wire
        }
    }

    /// The same wire, of which it is known for how long it owes an answer to others.
    #[must_use]
    pub fn owing(self, rest: Duration) -> Self {
        Self { owed: rest, ..self }
    }

    /// Closes the wire for somebody else, and says for how long an answer may still come on it.
    pub fn lend(&mut self) -> Duration {
        let rest = if self.owed_after_others.is_zero() { Duration::ZERO } else { self.rest() };
        self.close();
        self.owed = self.owed_after_others;
        rest
    }

    /// Line time that a question costs which nobody answers.
    pub fn worst_cost(&self) -> Duration {
        let settings = self.state.settings();
        settings.timeout + settings.quarantine
    }

    /// For how long the line rests from now, so that what is late is not taken for what comes next.
    pub fn rest(&self) -> Duration {
        self.state.rest(now())
    }

    /// Bytes that came when nobody was asked, since the beginning.
    pub fn stray_bytes(&self) -> u64 {
        self.state.stray_bytes()
    }

    /// Whether a device was ever heard to answer later than the line waits for it; see `LineState`.
    pub fn was_late(&self) -> bool {
        self.state.was_late()
    }

    /// What was seen on the wire of the last question; once.
    pub fn seen(&mut self) -> Option<(Observed, Outcome)> {
        self.seen.take()
    }

    pub fn is_open(&self) -> bool {
        self.stream.is_some()
    }

    async fn open(&mut self) -> io::Result<()> {
        self.stream = None;
        self.stream = Some(self.dial.dial().await?);
        self.state.opened(now());
        self.watch.opened();
        self.state.hold(now(), std::mem::take(&mut self.owed));
        Ok(())
    }

    /// Opens the wire, where it is not open.
    pub async fn ready(&mut self) -> Result<(), Failure> {
        if self.is_open() { Ok(()) } else { self.open().await.map_err(Failure::Lost) }
    }

    /// Whether an answer was awaited on it.
    pub fn close(&mut self) -> bool {
        self.stream = None;
        self.state.closed(now())
    }

    /// Puts one question and waits for what becomes of it, at most the device's timeout (or `patience`, where that is
    /// less) and the time of the frames on the wire, after whatever rest the line is owed.
    pub async fn ask(
        &mut self,
        exchange: Box<dyn Exchange>,
        manner: Manner<'_>,
        patience: Option<Duration>,
    ) -> Result<Answer, Failure> {
        let (character, gap) = port_for(&self.config, manner);
        self.state.set_port(character, gap);
        let timeout = manner.pace.timeout.unwrap_or(self.usual).max(self.usual);
        self.state.set_timeout(timeout, patience.unwrap_or(timeout).min(timeout));
        if !self.is_open() {
            self.open().await.map_err(Failure::Lost)?;
        }
        let wanted = exchange.answer_len().unwrap_or_default();
        self.state.begin(exchange, now());
        // The owner may have been held up: what came meanwhile is no answer to what is asked now.
        if self.take_waiting().await.is_err() {
            self.open().await.map_err(|e| self.lost(e))?;
        }
        loop {
            match self.state.poll(now()) {
                Step::Send(bytes) => {
                    let (character, gap) = (self.state.settings().character, self.state.settings().gap);
                    self.watch.asked(bytes.len(), wanted, character, gap, now());
                    self.write(&bytes).await.map_err(|e| self.lost(e))?;
                    let now = now();
                    self.state.sent(now);
                    self.watch.sent(now);
                }
                Step::Set(character) => {
                    let stream = self.stream.as_mut().ok_or(io::ErrorKind::NotConnected);
                    let set = stream.map_err(io::Error::from).and_then(|stream| stream.set(character));
                    set.map_err(|e| self.lost(e))?;
                    self.state.set(character, now());
                }
                Step::WaitUntil(until) => {
                    if let Err(e) = self.read_until(until).await {
                        let asked = self.close();
                        return Err(if asked { Failure::HungUp(e) } else { Failure::Lost(e) });
                    }
                }
                Step::Reopen => self.open().await.map_err(|e| self.lost(e))?,
                Step::Done(Ok(answer)) => {
                    self.seen = Some(self.watch.over(Ok(()), now()));
                    self.state.hold(now(), manner.pace.pause);
                    let turnaround = answer.turnaround();
                    return Ok(Answer { reply: answer.reply, turnaround, on_wire: answer.on_wire });
                }
                Step::Done(Err(line::Failure::Babbling)) => {
                    self.close();
                    return Err(Failure::Babbling);
                }
                Step::Done(Err(failure)) => {
                    let fault = match failure {
                        line::Failure::BadReply(fault) => Some(fault),
                        line::Failure::NoReply(_) | line::Failure::Babbling => None,
                    };
                    self.seen = Some(self.watch.over(Err(fault), now()));
                    return Err(Failure::Device { quality: failure.quality(), why: failure.to_string() });
                }
                Step::Idle => return Err(self.lost(io::Error::other("the question was forgotten"))),
            }
        }
    }

    /// Takes what comes while nobody was asked (so that it is never taken for an answer), until the wire is
    /// lost. Modbus TCP says nothing unasked: whatever comes there is an error. May be dropped at any time: a
    /// read that is dropped has taken nothing.
    pub async fn listen(&mut self) -> io::Error {
        loop {
            match self.read().await {
                Err(e) => return e,
                Ok(()) if self.state.settings().reopen_after_stray => {
                    return io::Error::new(io::ErrorKind::InvalidData, "it speaks without being asked");
                }
                Ok(()) => {}
            }
        }
    }

    /// Takes what lies on the wire already, and waits for nothing.
    async fn take_waiting(&mut self) -> io::Result<()> {
        tokio::select! {
            biased;
            read = self.read() => read,
            // A read that is dropped has taken nothing.
            () = std::future::ready(()) => Ok(()),
        }
    }

    /// Reads what comes, until this instant at the latest.
    async fn read_until(&mut self, until: Instant) -> io::Result<()> {
        let fine = self.stream.as_ref().is_some_and(|s| s.is_port());
        let timer = self.timer.take().or_else(|| fine.then(Timer::new)?.ok());
        let Some(timer) = timer.filter(|_| fine) else {
            return timeout_at(until.into(), self.read()).await.unwrap_or(Ok(()));
        };
        // Whichever is dropped has taken nothing.
        let read = tokio::select! {
            biased;
            read = self.read() => read,
            waited = timer.wait(until, now()) => waited,
        };
        self.timer = Some(timer);
        read
    }

    async fn read(&mut self) -> io::Result<()> {
        let stream = self.stream.as_mut().ok_or(io::ErrorKind::NotConnected)?;
        let mut bytes = [0; READ_AT_ONCE];
        let n = stream.read(&mut bytes).await?;
        if n == 0 {
            return Err(io::Error::new(io::ErrorKind::UnexpectedEof, "closed by its other end"));
        }
        // One instant for both: whoever is held up between two would seem to speak too early.
        let now = now();
        self.state.received(bytes.get(..n).unwrap_or_default(), now);
        self.watch.heard(n, now);
        Ok(())
    }

    async fn write(&mut self, bytes: &[u8]) -> io::Result<()> {
        let stream = self.stream.as_mut().ok_or(io::ErrorKind::NotConnected)?;
        match timeout(WRITE_DEADLINE, stream.write_all(bytes)).await {
            Ok(written) => written,
            Err(_) => Err(io::Error::new(io::ErrorKind::TimedOut, "it takes no bytes")),
        }
    }

    fn lost(&mut self, why: io::Error) -> Failure {
        self.close();
        Failure::Lost(why)
    }
}

/// The machine's clock: tokio's, so that tests can hold it still.
fn now() -> Instant {
    tokio::time::Instant::now().into_std()
}

fn settings(config: &LineConfig) -> Settings {
    match &config.wire {
        WireConfig::Tcp { framing: Framing::Tcp, .. }
        | WireConfig::Bacnet(_)
        | WireConfig::Mstp(_)
        | WireConfig::Mqtt(_) => Settings::numbered(config.timeout),
        WireConfig::Listen(listen) => Settings {
            settle: Some(if listen.framing == Framing::Ascii { ASCII_SETTLE } else { MODEM_SETTLE }),
            ..Settings::dialled_in(config.timeout)
        },
        WireConfig::Tcp { framing: Framing::Rtu, .. } => Settings::transparent(config.timeout),
        WireConfig::Tcp { framing: Framing::Ascii, .. } => {
            Settings { settle: Some(ASCII_SETTLE), ..Settings::transparent(config.timeout) }
        }
        WireConfig::Serial(serial) => {
            let gap = serial.gap.unwrap_or_else(|| frame_gap(serial.character.baud));
            let usual = Settings::serial(gap, serial.character, config.timeout);
            match serial.framing {
                Framing::Ascii => Settings { settle: Some(ASCII_SETTLE), ..usual },
                Framing::Rtu | Framing::Tcp => usual,
            }
        }
    }
}
