//! Pacing of one line: when a frame may be sent, how long an answer is awaited, and what happens after an
//! error so that a late answer is never taken for the answer to the next question. Every language's exchanges go
//! through it.
//!
//! | state | left when | to |
//! |---|---|---|
//! | idle | `begin` | pending |
//! | pending | silence kept and quarantine over, port not as wanted | `Set`, stays pending |
//! | pending | silence kept and quarantine over | `Send` -> awaiting |
//! | pending | connection to be given up | `Reopen`, stays pending |
//! | pending | no silence for too long, or a second `Reopen` | done: `Babbling` |
//! | awaiting | frame over, port not as the answer wants it | `Set`, stays awaiting |
//! | awaiting | whole answer | done: answer |
//! | awaiting | whole answer, and the exchange goes on | pending |
//! | awaiting | deadline, or the line fell quiet over something wrong | quarantine; done: failure |
//! | awaiting | line closed or opened anew | quarantine; idle |
//!
//! Most languages have no numbers in their frames: only the quarantine tells a late answer from the answer, so it lasts
//! at least as long as the slowest device may take, and what comes outside of "awaiting" is thrown away and restarts
//! the silence. Modbus TCP needs neither: any error, and any byte that nobody asked for, gives the connection up.

use std::time::{Duration, Instant};

use steward_shared::reading::Quality;

use crate::character::Character;
use crate::driver::{Driver, Step};
use crate::exchange::{Exchange, Fault, Progress, Reply};

/// How a line is paced.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Settings {
    /// Silence before each frame.
    pub gap: Duration,
    /// How the port is set; none where there is no wire to wait for.
    pub character: Option<Character>,
    /// From the end of the request to the first byte of the answer, at most.
    pub timeout: Duration,
    /// After an unanswered request: how much longer the slowest device may take. Nothing is asked before.
    pub quarantine: Duration,
    /// When something wrong has come and then nothing for so long, no more of it will come. None where silence says
    /// nothing, as on TCP.
    pub settle: Option<Duration>,
    /// Whether the connection is given up after an error.
    pub reopen_after_error: bool,
    /// Whether the connection is given up over bytes that nobody asked for.
    pub reopen_after_stray: bool,
}

impl Settings {
    /// A serial line.
    pub fn serial(gap: Duration, character: Character, timeout: Duration) -> Self {
        Self {
            gap,
            character: Some(character),
            timeout,
            quarantine: timeout.max(Duration::from_millis(500)),
            settle: Some(Duration::from_millis(50)),
            reopen_after_error: false,
            reopen_after_stray: false,
        }
    }

    /// A connection whose frames bear numbers: Modbus TCP.
    pub fn numbered(timeout: Duration) -> Self {
        Self {
            gap: Duration::ZERO,
            character: None,
            timeout,
            quarantine: Duration::ZERO,
            settle: None,
            reopen_after_error: true,
            reopen_after_stray: true,
        }
    }

    /// Serial frames through a transparent device server: the connection is given up like any, and the quarantine is
    /// kept as well, for the line behind the server does not know of connections.
    pub fn transparent(timeout: Duration) -> Self {
        Self {
            gap: Duration::from_millis(5),
            character: None,
            timeout,
            quarantine: timeout.max(Duration::from_millis(500)),
            settle: Some(Duration::from_millis(100)),
            reopen_after_error: true,
            reopen_after_stray: false,
        }
    }

    /// A connection that the other end has made: it is kept after an error, for only the other end can make it anew. A
    /// late answer is waited out, as on a serial line.
    pub fn dialled_in(timeout: Duration) -> Self {
        Self { reopen_after_error: false, ..Self::transparent(timeout) }
    }
}

/// Time of so many characters on the wire, where there is one.
fn wire_time(character: Option<Character>, bytes: usize) -> Duration {
    character.map_or(Duration::ZERO, |c| c.wire_time(bytes))
}

/// What a device said, and when.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    pub reply: Reply,
    /// The end of the request on the wire.
    pub asked: Instant,
    /// The arrival of the answer's last byte.
    pub answered: Instant,
    /// How long the answer's bytes were on the wire at least.
    pub on_wire: Duration,
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
    BadReply(Fault),
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
/// An adapter may still hold the last characters of a frame when it should be over; the port is not set otherwise before.
const DRAIN: Duration = Duration::from_millis(10);

#[derive(Debug)]
enum Phase {
    Idle,
    Pending { exchange: Box<dyn Exchange>, since: Instant, reopened: bool },
    Awaiting { exchange: Box<dyn Exchange>, asked: Instant, deadline: Instant },
    Done(Result<Answer, Failure>),
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
    /// How the port is set when it is opened, and how now.
    opens_as: Option<Character>,
    character: Option<Character>,
    number: u16,
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
            opens_as: settings.character,
            character: settings.character,
            number: 0,
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

    /// The requests that follow are for a device that is set so, and wants this silence.
    pub fn set_port(&mut self, character: Option<Character>, gap: Duration) {
        self.settings.character = character;
        self.settings.gap = gap;
    }

    /// In the requests that follow the device may take `timeout`, which may be more than its line's usual; but only
    /// `patience` of it is waited. A late answer is kept out all the same.
    pub fn set_timeout(&mut self, timeout: Duration, patience: Duration) {
        self.settings.timeout = patience;
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
        let Phase::Awaiting { exchange, asked, .. } = &self.phase else { return };
        let asked = *asked;
        match progress {
            Progress::More => {}
            Progress::Next => self.go_on(now),
            Progress::Reply(reply) => {
                self.must_reopen |= self.settings.reopen_after_stray && exchange.trailing() > 0;
                self.quarantined = None;
                let on_wire =
                    exchange.answer_len().map_or(Duration::ZERO, |len| wire_time(self.character, len));
                self.phase = Phase::Done(Ok(Answer { reply, asked, answered: now, on_wire }));
            }
            Progress::Bad(fault) => self.fail(Failure::BadReply(fault), self.worst_answer(asked)),
        }
    }

    /// The exchange wants another frame sent.
    fn go_on(&mut self, now: Instant) {
        match std::mem::replace(&mut self.phase, Phase::Idle) {
            Phase::Awaiting { exchange, .. } => {
                self.quarantined = None;
                self.phase = Phase::Pending { exchange, since: now, reopened: false };
            }
            other => self.phase = other,
        }
    }

    /// The line is quiet over what came, or the deadline has passed.
    fn give_up(&mut self, now: Instant, last: bool) {
        let Phase::Awaiting { exchange, asked, .. } = &mut self.phase else { return };
        if self.settings.settle.is_some() && !last && exchange.skip_foreign() {
            return;
        }
        // A damaged answer is an answer: the device will not send another.
        let damaged = !last && exchange.began_like_the_answer();
        let (fault, asked) = (exchange.verdict(), *asked);
        let until = match self.settings.settle {
            Some(settle) if damaged => now + settle,
            _ => self.worst_answer(asked),
        };
        let failure = fault.map_or(Failure::NoReply(self.settings.timeout), Failure::BadReply);
        self.fail(failure, until);
    }

    fn send(&mut self, mut exchange: Box<dyn Exchange>, now: Instant) -> Vec<u8> {
        self.number = self.number.wrapping_add(1);
        let frame = exchange.frame(self.number);
        let asked = now + wire_time(self.character, frame.len());
        self.quiet_since = Some(asked);
        let deadline = match exchange.answer_len() {
            Some(len) => asked + self.settings.timeout + wire_time(self.character, len),
            None => asked,
        };
        self.phase = Phase::Awaiting { exchange, asked, deadline };
        frame
    }

    fn send_pending(&mut self, now: Instant) -> Step<Answer, Failure> {
        match std::mem::replace(&mut self.phase, Phase::Idle) {
            Phase::Pending { exchange, .. } => Step::Send(self.send(exchange, now)),
            other => {
                self.phase = other;
                Step::Idle
            }
        }
    }
}

impl Driver for LineState {
    type Request = Box<dyn Exchange>;
    type Answer = Answer;
    type Failure = Failure;

    fn begin(&mut self, exchange: Box<dyn Exchange>, now: Instant) {
        // The former request was given up from outside: its answer may still come.
        if let Phase::Awaiting { asked, .. } = self.phase {
            self.fail(Failure::NoReply(self.settings.timeout), self.worst_answer(asked));
        }
        self.phase = Phase::Pending { exchange, since: now, reopened: false };
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
        let (character, settings) = (self.character, self.settings);
        let progress = match &mut self.phase {
            Phase::Awaiting { exchange, asked, deadline } => {
                let progress = exchange.received(bytes);
                // By what came, the answer may be longer than was known.
                let whole =
                    exchange.answer_len().map(|len| *asked + settings.timeout + wire_time(character, len));
                // And where the wire behind a connection is not known, what goes on coming is waited for.
                let unknown = settings.settle.filter(|_| character.is_none() && exchange.held() > 0);
                let going_on = unknown.map(|settle| now + settle.max(exchange.longest_pause()));
                *deadline = whole.into_iter().chain(going_on).fold(*deadline, Instant::max);
                progress
            }
            Phase::Idle | Phase::Pending { .. } | Phase::Done(_) => {
                self.stray += bytes.len() as u64;
                // Before a question, what came may have lain there unread for long.
                let listening = matches!(self.phase, Phase::Idle);
                self.late |= listening && self.quarantined.is_some_and(|end| now > end);
                self.must_reopen |= self.settings.reopen_after_stray;
                return;
            }
        };
        self.finish(progress, now);
    }

    fn set(&mut self, character: Character, now: Instant) {
        self.character = Some(character);
        // What came while the port was set otherwise was noise.
        self.quiet_since = self.quiet_since.max(Some(now));
        if let Phase::Awaiting { exchange, deadline, .. } = &mut self.phase {
            // The answer begins now, at its own rate.
            let len = exchange.answer_len().unwrap_or_default();
            *deadline = now + self.settings.timeout + wire_time(self.character, len);
        }
    }

    fn opened(&mut self, now: Instant) {
        self.closed(now);
        self.must_reopen = false;
        self.character = self.opens_as;
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
            Phase::Pending { exchange, since, .. } => {
                let since = *since;
                let wanted = exchange.character().or(self.settings.character);
                let silent_from = self.quiet_since.unwrap_or(since) + self.settings.gap;
                let ready = self.not_before.map_or(silent_from, |t| t.max(silent_from));
                if now >= ready {
                    if let Some(wanted) = wanted.filter(|w| self.character.is_some_and(|c| c != *w)) {
                        return Step::Set(wanted);
                    }
                    return self.send_pending(now);
                }
                let patience = self.not_before.map_or(since, |t| t.max(since)) + PATIENCE;
                if now >= patience {
                    self.fail(Failure::Babbling, now);
                    return self.poll(now);
                }
                Step::WaitUntil(ready.min(patience))
            }
            Phase::Awaiting { exchange, asked, deadline } => {
                let (asked, deadline) = (*asked, *deadline);
                if now >= deadline {
                    if exchange.answer_len().is_none() {
                        self.phase = Phase::Idle;
                        let (reply, on_wire) = (Ok(Vec::new()), Duration::ZERO);
                        return Step::Done(Ok(Answer { reply, asked, answered: asked, on_wire }));
                    }
                    self.give_up(now, true);
                    return self.poll(now);
                }
                if let Some(wanted) = exchange.answer_character()
                    && self.character.is_some_and(|character| character != wanted)
                {
                    let over = asked + DRAIN;
                    return if now < over { Step::WaitUntil(over) } else { Step::Set(wanted) };
                }
                // Something has come that is no whole answer: when the line falls quiet, it never will be.
                if let (Some(settle), Some(quiet)) = (self.settings.settle, self.quiet_since)
                    && exchange.held() > 0
                {
                    let settled = quiet + settle.max(exchange.longest_pause());
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
