//! A master of MS/TP (ASHRAE 135, clause 9.5), without I/O: its owner hands in octets and instants, writes what
//! `transmit` gives, takes what `npdu` and `event` give, and calls `poll` at each `deadline`. What has arrived on the port
//! is handed in before anything is asked of it: it believes that the line was silent until then.
//! Nothing that comes from the line makes it panic or grow beyond its settings.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::frame::{BROADCAST, Frame, FrameType};
use super::queue::{Queue, Refused};
use super::receiver::{Damage, Heard, Receiver};
use super::settings::{Counts, Settings};
use super::token::State;

/// NPDUs and events that wait for the owner, who takes them each time: no more than a read can bring.
const MOST: usize = 256;

/// A message of the network layer that came, and from whom.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Npdu {
    pub source: u8,
    pub to_all: bool,
    pub octets: Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Event {
    /// This station has the token, for the first time or after it was lost: it may speak. `alone`: no other master is there.
    Joined { alone: bool },
    /// Nobody has used the token for half a second.
    TokenLost,
    /// This station held the token and there was silence behind it: whom it passed it to is gone.
    SuccessorLost { mac: u8 },
    /// Somebody else speaks under our address.
    Duplicate,
    /// A request has gone out on the wire; its answer may be waited for from now on.
    Sent { to: u8 },
}

/// A frame that waits for the line to be silent, and what comes after it.
#[derive(Debug)]
pub(super) struct Sending {
    pub frame: Frame,
    pub then: State,
    /// Since when it could have gone.
    pub since: Instant,
}

/// What was sent last, as an adapter that hears itself gives it back.
#[derive(Debug)]
struct Echo {
    octets: Vec<u8>,
    matched: usize,
}

#[derive(Debug)]
pub struct Node {
    pub(super) settings: Settings,
    pub(super) state: State,
    pub(super) queue: Queue,
    pub(super) sending: Option<Sending>,
    /// The line has been silent since: the last octet that came, or the end of ours. May lie ahead.
    pub(super) quiet_since: Instant,
    /// Octets since somebody was given the token, or since the line was taken for dead (EventCount).
    pub(super) octets: usize,
    /// Who is given the token (NS); ourselves while nobody is known.
    pub(super) successor: u8,
    /// Who was last looked for (PS).
    pub(super) polled: u8,
    /// Tokens since masters were last looked for (TokenCount).
    pub(super) tokens: u32,
    /// Frames with data under this token (FrameCount).
    pub(super) frames: u8,
    pub(super) tries: u8,
    /// The silence at which our slot for a new token was found missed; zero where it was not.
    pub(super) late: Duration,
    pub(super) alone: bool,
    pub(super) joined: bool,
    pub(super) counts: Counts,
    receiver: Receiver,
    echo: Option<Echo>,
    npdus: VecDeque<Npdu>,
    events: VecDeque<Event>,
}

impl Node {
    pub fn new(settings: Settings, now: Instant) -> Self {
        Self {
            state: State::Idle,
            queue: Queue::new(settings.queue, settings.patience),
            sending: None,
            quiet_since: now,
            octets: 0,
            successor: settings.mac,
            polled: settings.mac,
            // Masters are looked for under the first token.
            tokens: super::token::POLL_EACH,
            frames: 0,
            tries: 0,
            late: Duration::ZERO,
            alone: false,
            joined: false,
            counts: Counts::default(),
            receiver: Receiver::new(settings.mac, settings.frame_abort()),
            echo: None,
            npdus: VecDeque::new(),
            events: VecDeque::new(),
            settings,
        }
    }

    pub const fn settings(&self) -> &Settings {
        &self.settings
    }

    pub const fn counts(&self) -> Counts {
        self.counts
    }

    /// Whom the token is passed to, if anybody.
    pub fn successor(&self) -> Option<u8> {
        (self.successor != self.settings.mac).then_some(self.successor)
    }

    /// An NPDU for one station or, to 255, for all. Whether an answer is waited for stands in its control octet.
    pub fn queue(&mut self, to: u8, npdu: Vec<u8>, now: Instant) -> Result<(), Refused> {
        let queued = self.queue.push(self.settings.mac, to, npdu, now);
        self.counts.unsent += u64::from(queued.is_err());
        queued
    }

    pub fn npdu(&mut self) -> Option<Npdu> {
        self.npdus.pop_front()
    }

    pub fn event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// Octets for the line, now. They are taken to go out at once and at the line's rate.
    pub fn transmit(&mut self, now: Instant) -> Option<Vec<u8>> {
        if now < self.may_drive() {
            return None;
        }
        let Sending { frame, then, .. } = self.sending.take()?;
        let octets = frame.encode();
        if frame.kind == FrameType::DataExpectingReply {
            self.tell(Event::Sent { to: frame.destination });
        }
        self.receiver.forget();
        self.quiet_since = now + self.settings.octets(octets.len());
        self.octets = 0;
        self.state = then;
        self.echo = Some(Echo { octets: octets.clone(), matched: 0 });
        Some(octets)
    }

    pub(super) fn may_drive(&self) -> Instant {
        self.quiet_since + self.settings.turnaround()
    }

    /// Octets came from the line.
    pub fn received(&mut self, octets: &[u8], now: Instant) {
        if let Some(heard) = self.receiver.silence(now) {
            self.heard(heard, now);
        }
        for octet in octets {
            self.octet(*octet, now);
        }
        self.quiet_since = self.quiet_since.max(now);
        self.poll(now);
    }

    fn octet(&mut self, octet: u8, now: Instant) {
        let Some(mut echo) = self.echo.take() else { return self.foreign(octet, now) };
        if echo.octets.get(echo.matched) == Some(&octet) {
            echo.matched += 1;
            if echo.matched == echo.octets.len() {
                self.counts.echoes += 1;
            } else {
                self.echo = Some(echo);
            }
            return;
        }
        // It only began like ours: every frame does.
        for matched in echo.octets.into_iter().take(echo.matched) {
            self.foreign(matched, now);
        }
        self.foreign(octet, now);
    }

    /// An octet of somebody else.
    fn foreign(&mut self, octet: u8, now: Instant) {
        self.octets += 1;
        self.saw_octets();
        if let Some(heard) = self.receiver.octet(octet, now) {
            self.heard(heard, now);
        }
    }

    pub(super) fn silence(&mut self, now: Instant) -> Option<Heard> {
        self.receiver.silence(now)
    }

    pub(super) fn receiver_deadline(&self) -> Option<Instant> {
        self.receiver.deadline()
    }

    pub(super) fn heard(&mut self, heard: Heard, now: Instant) {
        match &heard {
            Heard::Damaged(Damage::Header) => self.counts.bad_headers += 1,
            Heard::Damaged(Damage::Data | Damage::TooLong) => self.counts.bad_data += 1,
            Heard::Damaged(Damage::Cut) => self.counts.cut += 1,
            Heard::Frame(Frame { source, .. }) | Heard::Elsewhere { source } => {
                self.counts.frames += 1;
                if *source == self.settings.mac {
                    self.counts.duplicates += 1;
                    self.tell(Event::Duplicate);
                }
            }
        }
        self.turn(heard, now);
    }

    pub(super) fn tell(&mut self, event: Event) {
        if self.events.len() < MOST {
            self.events.push_back(event);
        }
    }

    /// Hands an NPDU up.
    pub(super) fn deliver(&mut self, frame: Frame) {
        if self.npdus.len() >= MOST {
            self.counts.untaken += 1;
            return;
        }
        let to_all = frame.destination == BROADCAST;
        self.npdus.push_back(Npdu { source: frame.source, to_all, octets: frame.data });
    }
}
