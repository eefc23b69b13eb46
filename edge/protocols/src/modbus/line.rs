//! Pacing of one line: when a request may be sent, how long an answer is awaited, and what happens after an
//! error so that a late answer is never taken for the answer to the next request.
//!
//! | state | left when | to |
//! |---|---|---|
//! | idle | `begin` | pending |
//! | pending | silence kept and quarantine over | `Send` -> awaiting |
//! | pending | connection to be given up | `Reopen`, stays pending |
//! | pending | no silence for too long, or a second `Reopen` | done: `Babbling` |
//! | awaiting | whole answer | done: answer |
//! | awaiting | deadline, or the line fell quiet over something wrong | quarantine; done: failure |
//! | awaiting | line closed or opened anew | quarantine; idle |
//!
//! RTU has no numbers in its frames: only the quarantine tells a late answer from the answer, so it lasts at least
//! as long as the slowest device may take, and what comes outside of "awaiting" is thrown away and restarts the
//! silence. TCP frames need neither: any error, and any byte that nobody asked for, gives the connection up.

use std::time::{Duration, Instant};

use steward_shared::profile::Framing;
use steward_shared::reading::Quality;

use super::pdu::{Reply, ReplyFault, Request};
use super::rtu::{self, Progress};
use super::tcp;
use crate::driver::{Driver, Step};

/// The silence between frames, t3.5: 38.5 bit times up to 19200 baud, 1.75 ms above
/// (MODBUS over Serial Line V1.02, 2.5.1.1; characters are of eleven bits there, whatever the parity).
pub fn frame_gap(baud: u32) -> Duration {
    if baud > 19_200 {
        return Duration::from_micros(1750);
    }
    Duration::from_nanos(38_500_000_000 / u64::from(baud.max(1)))
}

/// How a line is paced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    pub framing: Framing,
    /// Silence before each request.
    pub gap: Duration,
    /// Time of one character on the wire; zero where there is no wire to wait for.
    pub character: Duration,
    /// From the end of the request to the first byte of the answer, at most.
    pub timeout: Duration,
    /// After an unanswered request: how much longer the slowest device may take. Nothing is asked before.
    pub quarantine: Duration,
    /// When something wrong has come and then nothing for so long, no more of it will come.
    pub settle: Duration,
    /// Whether the connection is given up after an error.
    pub reopen_after_error: bool,
}

impl Settings {
    /// A serial line. `character_bits` counts start, data, parity and stop bits: 10 for 8N1, 11 for 8E1.
    pub fn serial(baud: u32, character_bits: u32, timeout: Duration) -> Self {
        let nanos = u64::from(character_bits) * 1_000_000_000 / u64::from(baud.max(1));
        Self {
            framing: Framing::Rtu,
            gap: frame_gap(baud),
            character: Duration::from_nanos(nanos),
            timeout,
            quarantine: timeout.max(Duration::from_millis(500)),
            settle: Duration::from_millis(50),
            reopen_after_error: false,
        }
    }

    /// Modbus TCP.
    pub fn tcp(timeout: Duration) -> Self {
        Self {
            framing: Framing::Tcp,
            gap: Duration::ZERO,
            character: Duration::ZERO,
            timeout,
            quarantine: Duration::ZERO,
            settle: Duration::ZERO,
            reopen_after_error: true,
        }
    }

    /// RTU frames through a serial device server: the connection is given up like any, and the quarantine is
    /// kept as well, for the line behind the server does not know of connections.
    pub fn rtu_over_tcp(timeout: Duration) -> Self {
        Self {
            framing: Framing::Rtu,
            gap: Duration::from_millis(5),
            character: Duration::ZERO,
            timeout,
            quarantine: timeout.max(Duration::from_millis(500)),
            settle: Duration::from_millis(100),
            reopen_after_error: true,
        }
    }

    fn wire_time(&self, bytes: usize) -> Duration {
        self.character * u32::try_from(bytes).unwrap_or(u32::MAX)
    }
}

/// What a device said, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    pub reply: Reply,
    /// The end of the request on the wire.
    pub asked: Instant,
    /// The arrival of the answer's last byte.
    pub answered: Instant,
}

impl Answer {
    pub fn turnaround(&self) -> Duration {
        self.answered.saturating_duration_since(self.asked)
    }
}

/// Why there is no answer. A device that says no has answered: that is an [`Answer`].
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Failure {
    #[error("no reply within {} ms", .0.as_millis())]
    NoReply(Duration),
    #[error("the reply cannot be believed: {0}")]
    BadReply(ReplyFault),
    #[error("the line does not fall silent: something babbles on it")]
    Babbling,
}

impl Failure {
    pub const fn quality(self) -> Quality {
        match self {
            Self::NoReply(_) => Quality::NoReply,
            Self::BadReply(_) => Quality::BadReply,
            Self::Babbling => Quality::LineDown,
        }
    }
}

/// How long a request waits for silence beyond its time before the line counts as babbling.
const PATIENCE: Duration = Duration::from_secs(3);

#[derive(Debug)]
enum Phase {
    Idle,
    Pending { request: Request, since: Instant, reopened: bool },
    Awaiting { awaited: Awaited, asked: Instant, deadline: Instant },
    Done(Result<Answer, Failure>),
}

#[derive(Debug)]
enum Awaited {
    Rtu(rtu::Decoder),
    Tcp(tcp::Decoder),
}

/// The machine of one line. Born closed: it asks for `Reopen` before the first request unless `opened` was
/// said.
#[derive(Debug)]
pub struct LineState {
    settings: Settings,
    /// The line's own quarantine, which a slow device may exceed.
    usual_quarantine: Duration,
    phase: Phase,
    /// The last instant at which something was on the line.
    quiet_since: Option<Instant>,
    /// Nothing is sent before this instant.
    not_before: Option<Instant>,
    must_reopen: bool,
    transaction: u16,
    stray: u64,
    /// When the last quarantine ends, until there is an answer again.
    quarantined: Option<Instant>,
    late: bool,
}

impl LineState {
    pub fn new(settings: Settings) -> Self {
        Self {
            settings,
            usual_quarantine: settings.quarantine,
            phase: Phase::Idle,
            quiet_since: None,
            not_before: None,
            must_reopen: true,
            transaction: 0,
            stray: 0,
            quarantined: None,
            late: false,
        }
    }

    pub const fn settings(&self) -> &Settings {
        &self.settings
    }

    /// Bytes that came when nobody was asked, since the beginning.
    pub const fn stray_bytes(&self) -> u64 {
        self.stray
    }

    /// Whether something has ever come unasked after a quarantine. A device then answers later than timeout and
    /// quarantine together, and its next late answer may be taken for that to another question.
    pub const fn was_late(&self) -> bool {
        self.late
    }

    /// Keeps the line quiet for so long, counted from now: the pause that a device wants after its answer.
    pub fn hold(&mut self, now: Instant, pause: Duration) {
        self.not_before = self.not_before.max(Some(now + pause));
    }

    /// Waits for this timeout in the requests that follow: a device may be slower than its line's usual.
    pub fn set_timeout(&mut self, timeout: Duration) {
        self.settings.timeout = timeout;
        if !self.usual_quarantine.is_zero() {
            self.settings.quarantine = self.usual_quarantine.max(timeout);
        }
    }

    /// For how long from now nothing is asked.
    pub fn rest(&self, now: Instant) -> Duration {
        self.not_before.map_or(Duration::ZERO, |t| t.saturating_duration_since(now))
    }

    /// When the slowest device has answered a request, if it ever will.
    fn worst_answer(&self, asked: Instant) -> Instant {
        asked + self.settings.timeout + self.settings.quarantine
    }

    fn fail(&mut self, failure: Failure, quarantine_until: Instant) {
        if self.settings.reopen_after_error {
            self.must_reopen = true;
        }
        if !self.settings.quarantine.is_zero() {
            self.not_before = self.not_before.max(Some(quarantine_until));
            self.quarantined = Some(quarantine_until);
        }
        self.phase = Phase::Done(Err(failure));
    }

    /// The awaited answer is over with `progress`.
    fn finish(&mut self, progress: Progress, now: Instant) {
        let Phase::Awaiting { awaited, asked, .. } = &self.phase else { return };
        let asked = *asked;
        let worst = self.worst_answer(asked);
        match progress {
            Progress::More => {}
            Progress::Reply(reply) => {
                if let Awaited::Tcp(decoder) = awaited
                    && decoder.trailing() > 0
                {
                    self.must_reopen = true;
                }
                self.quarantined = None;
                self.phase = Phase::Done(Ok(Answer { reply, asked, answered: now }));
            }
            Progress::Bad(fault) => self.fail(Failure::BadReply(fault), worst),
        }
    }

    /// The line is quiet over what came, or the deadline has passed.
    fn give_up(&mut self, now: Instant, last: bool) {
        let Phase::Awaiting { asked, .. } = self.phase else { return };
        let worst = self.worst_answer(asked);
        let Phase::Awaiting { awaited, .. } = &mut self.phase else { return };
        let (fault, until) = match awaited {
            Awaited::Rtu(decoder) => {
                if !last && decoder.skip_foreign().is_some() {
                    return;
                }
                // A damaged answer is an answer: the device will not send another.
                let damaged = decoder.began_like_the_answer();
                (decoder.verdict(), if damaged && !last { now + self.settings.settle } else { worst })
            }
            Awaited::Tcp(decoder) => (decoder.verdict(), worst),
        };
        let failure = fault.map_or(Failure::NoReply(self.settings.timeout), Failure::BadReply);
        self.fail(failure, until);
    }
}

impl Driver for LineState {
    type Request = Request;
    type Answer = Answer;
    type Failure = Failure;

    fn begin(&mut self, request: Request, now: Instant) {
        // The former request was given up from outside: its answer may still come.
        if let Phase::Awaiting { asked, .. } = self.phase {
            self.fail(Failure::NoReply(self.settings.timeout), self.worst_answer(asked));
        }
        self.phase = Phase::Pending { request, since: now, reopened: false };
    }

    fn sent(&mut self, now: Instant) {
        // Writing into the port's buffer is sooner over than the wire is.
        let Phase::Awaiting { asked, deadline, .. } = &mut self.phase else { return };
        let end = now.max(*asked);
        *deadline += end - *asked;
        *asked = end;
        self.quiet_since = Some(end);
    }

    fn received(&mut self, bytes: &[u8], now: Instant) {
        if bytes.is_empty() {
            return;
        }
        self.quiet_since = self.quiet_since.max(Some(now));
        let progress = match &mut self.phase {
            Phase::Awaiting { awaited: Awaited::Rtu(decoder), .. } => decoder.push(bytes),
            Phase::Awaiting { awaited: Awaited::Tcp(decoder), .. } => decoder.push(bytes),
            Phase::Idle | Phase::Pending { .. } | Phase::Done(_) => {
                self.stray += bytes.len() as u64;
                // Before a question, what came may have lain there unread for long.
                let listening = matches!(self.phase, Phase::Idle);
                self.late |= listening && self.quarantined.is_some_and(|end| now > end);
                self.must_reopen |= self.settings.framing == Framing::Tcp;
                return;
            }
        };
        self.finish(progress, now);
    }

    fn opened(&mut self, now: Instant) {
        self.closed(now);
        self.must_reopen = false;
        self.quiet_since = Some(now);
        if let Phase::Pending { reopened, .. } = &mut self.phase {
            *reopened = true;
        }
    }

    fn closed(&mut self, _now: Instant) -> bool {
        self.must_reopen = true;
        let Phase::Awaiting { asked, .. } = self.phase else { return false };
        // A serial line behind the connection may still carry the answer.
        self.fail(Failure::NoReply(self.settings.timeout), self.worst_answer(asked));
        self.phase = Phase::Idle;
        true
    }

    fn poll(&mut self, now: Instant) -> Step<Answer, Failure> {
        match &self.phase {
            Phase::Idle => Step::Idle,
            Phase::Done(_) => {
                let Phase::Done(outcome) = std::mem::replace(&mut self.phase, Phase::Idle) else {
                    return Step::Idle;
                };
                Step::Done(outcome)
            }
            Phase::Pending { reopened: true, .. } if self.must_reopen => {
                self.fail(Failure::Babbling, now);
                self.poll(now)
            }
            Phase::Pending { .. } if self.must_reopen => Step::Reopen,
            Phase::Pending { request, since, .. } => {
                let (request, since) = (*request, *since);
                let silent_from = self.quiet_since.unwrap_or(since) + self.settings.gap;
                let ready = self.not_before.map_or(silent_from, |t| t.max(silent_from));
                if now >= ready {
                    return Step::Send(self.send(request, now));
                }
                let patience = self.not_before.map_or(since, |t| t.max(since)) + PATIENCE;
                if now >= patience {
                    self.fail(Failure::Babbling, now);
                    return self.poll(now);
                }
                Step::WaitUntil(ready.min(patience))
            }
            Phase::Awaiting { awaited, deadline, .. } => {
                let deadline = *deadline;
                if now >= deadline {
                    self.give_up(now, true);
                    return self.poll(now);
                }
                // Something has come that is no whole answer: when the line falls quiet, it never will be.
                if let (Awaited::Rtu(decoder), Some(quiet)) = (awaited, self.quiet_since)
                    && decoder.held() > 0
                {
                    let settled = quiet + self.settings.settle;
                    if now >= settled {
                        self.give_up(now, false);
                        return self.poll(now);
                    }
                    return Step::WaitUntil(settled.min(deadline));
                }
                Step::WaitUntil(deadline)
            }
        }
    }
}

impl LineState {
    fn send(&mut self, request: Request, now: Instant) -> Vec<u8> {
        let (frame, awaited) = match self.settings.framing {
            Framing::Rtu => (rtu::encode(&request), Awaited::Rtu(rtu::Decoder::new(request))),
            Framing::Tcp => {
                self.transaction = self.transaction.wrapping_add(1);
                let decoder = tcp::Decoder::new(request, self.transaction);
                (tcp::encode(&request, self.transaction), Awaited::Tcp(decoder))
            }
        };
        let asked = now + self.settings.wire_time(frame.len());
        let answer = self.settings.wire_time(rtu::reply_len(&request));
        let deadline = asked + self.settings.timeout + answer;
        self.quiet_since = Some(asked);
        self.phase = Phase::Awaiting { awaited, asked, deadline };
        frame
    }
}
