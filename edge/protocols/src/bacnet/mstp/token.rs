//! What a master does with the token and without it (ASHRAE 135, clause 9.5.6). Called by the node for each frame and at
//! each deadline.
//!
//! | state | left when | to |
//! |---|---|---|
//! | idle | the token comes | use token |
//! | idle | a request comes | answer |
//! | idle | silence for T_no_token | no token |
//! | use token | something waits | wait for reply, or done with token (frame sent) |
//! | use token | nothing waits | done with token |
//! | wait for reply | reply, postponement, a damaged frame, T_reply_timeout | done with token |
//! | wait for reply | another frame for us | idle: there are two tokens, and ours is dropped |
//! | done with token | fewer frames than Nmax_info_frames | use token |
//! | done with token | nobody is known, or each 50th time | poll for master |
//! | done with token | alone | use token |
//! | done with token | else | pass token |
//! | pass token | octets | idle |
//! | pass token | T_usage_timeout, twice | poll for master: the successor is gone |
//! | no token | octets | idle |
//! | no token | our slot | poll for master: we make a new token |
//! | poll for master | a reply | pass token, to whom has replied |
//! | poll for master | T_usage_timeout | pass token; the next address; or use token: we are alone |
//! | answer | the answer is there, or T_reply_delay | idle (answer or postponement sent) |

use std::time::{Duration, Instant};

use super::frame::{BROADCAST, Frame, FrameType};
use super::node::{Event, Node, Sending};
use super::receiver::Heard;

/// So many tokens from one look for other masters to the next (Npoll).
pub const POLL_EACH: u32 = 50;
/// How often the token is offered again (Nretry_token).
const RETRIES: u8 = 1;
/// More octets than this are a sign of life (Nmin_octets).
const MIN_OCTETS: usize = 4;
/// A frame that the line leaves no silence for is given up: the line is somebody else's.
const STALE: Duration = Duration::from_millis(100);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum State {
    Idle,
    UseToken,
    WaitForReply { from: u8 },
    DoneWithToken,
    PassToken,
    NoToken,
    PollForMaster,
    Answer { to: u8, mark: u64 },
}

impl Node {
    /// When `poll` is to be called, at the latest.
    pub fn deadline(&self) -> Instant {
        let at = match &self.sending {
            Some(_) => self.may_drive(),
            None => self.quiet_since + self.until(),
        };
        self.receiver_deadline().map_or(at, |end| end.min(at))
    }

    /// The silence that ends the present state.
    fn until(&self) -> Duration {
        let settings = &self.settings;
        match self.state {
            State::Idle => settings.no_token,
            State::UseToken | State::DoneWithToken => Duration::ZERO,
            State::WaitForReply { .. } => settings.reply_timeout,
            State::PassToken | State::PollForMaster => settings.usage_timeout,
            State::Answer { .. } => settings.reply_delay,
            State::NoToken => {
                let (begin, end) = self.slot();
                // An owner that was late has missed it; it waits until all others have had theirs.
                if self.late >= end { self.all_slots() } else { begin }
            }
        }
    }

    /// Our time to make a token, as silence of the line.
    fn slot(&self) -> (Duration, Duration) {
        let begin = self.settings.no_token + self.settings.slot * u32::from(self.settings.mac);
        (begin, begin + self.settings.slot)
    }

    fn all_slots(&self) -> Duration {
        self.settings.no_token + self.settings.slot * (u32::from(self.settings.max_master) + 1)
    }

    fn send(&mut self, frame: Frame, then: State, now: Instant) {
        self.sending = Some(Sending { frame, then, since: now });
    }

    fn bare(&mut self, kind: FrameType, to: u8, then: State, now: Instant) {
        self.send(Frame::bare(kind, to, self.settings.mac), then, now);
    }

    fn pass_token(&mut self, now: Instant) {
        self.tries = 0;
        self.bare(FrameType::Token, self.successor, State::PassToken, now);
    }

    fn poll_for_master(&mut self, at: u8, now: Instant) {
        self.polled = at;
        self.tries = 0;
        self.bare(FrameType::PollForMaster, at, State::PollForMaster, now);
    }

    /// Nobody is known to come after us: the first behind `mac` is looked for.
    fn find_successor(&mut self, behind: u8, now: Instant) {
        self.successor = self.settings.mac;
        let mut first = self.settings.next(behind);
        if first == self.settings.mac {
            first = self.settings.next(first);
        }
        self.poll_for_master(first, now);
    }

    /// What waits to be sent is given up: somebody else speaks. Data are kept for the next token.
    fn take_back(&mut self, now: Instant) {
        if let Some(Sending { frame, .. }) = self.sending.take()
            && matches!(frame.kind, FrameType::DataExpectingReply | FrameType::DataNotExpectingReply)
        {
            self.queue.put_back(frame, now);
        }
        self.state = State::Idle;
    }

    /// Octets of somebody else came: whoever was given the token uses it, or the line is not dead.
    pub(super) fn saw_octets(&mut self) {
        let waits = self.sending.is_none() && matches!(self.state, State::PassToken | State::NoToken);
        if waits && self.octets > MIN_OCTETS {
            self.state = State::Idle;
        }
    }

    /// A frame, or what is left of one.
    pub(super) fn turn(&mut self, heard: Heard, now: Instant) {
        let Heard::Frame(frame) = heard else {
            match self.state {
                State::WaitForReply { .. } if self.sending.is_none() => self.state = State::DoneWithToken,
                State::PollForMaster if self.sending.is_none() => self.no_master(now),
                _ => {}
            }
            return;
        };
        if self.sending.is_some() {
            // We were about to speak. A message is not lost for that; anything else finds us busy.
            if frame.kind == FrameType::DataNotExpectingReply {
                self.deliver(frame);
            }
            return;
        }
        match (self.state, frame.kind) {
            (
                State::WaitForReply { from },
                // An answer in segments expects that each is acknowledged.
                FrameType::DataNotExpectingReply | FrameType::DataExpectingReply,
            ) if frame.source == from && frame.destination != BROADCAST => {
                self.deliver(frame);
                self.state = State::DoneWithToken;
            }
            (State::WaitForReply { from }, FrameType::ReplyPostponed) if frame.source == from => {
                self.counts.postponed += 1;
                self.state = State::DoneWithToken;
            }
            (State::PollForMaster, FrameType::ReplyToPollForMaster)
                // Also one that was asked before and is late: there is a master.
                if frame.source != self.settings.mac && frame.destination == self.settings.mac =>
            {
                self.alone = false;
                self.successor = frame.source;
                self.polled = self.settings.mac;
                self.tokens = 0;
                self.pass_token(now);
            }
            _ => {
                self.state = State::Idle;
                self.idle(frame, now);
            }
        }
    }

    fn idle(&mut self, frame: Frame, now: Instant) {
        let to_us = frame.destination == self.settings.mac;
        match frame.kind {
            FrameType::Token if to_us && frame.source != self.settings.mac => {
                self.frames = 0;
                self.alone = false;
                self.has_token();
            }
            FrameType::PollForMaster if to_us => {
                self.bare(FrameType::ReplyToPollForMaster, frame.source, State::Idle, now);
            }
            FrameType::TestRequest if to_us => {
                let (to, source) = (frame.source, self.settings.mac);
                let frame =
                    Frame { kind: FrameType::TestResponse, destination: to, source, data: frame.data };
                self.send(frame, State::Idle, now);
            }
            FrameType::DataNotExpectingReply => self.deliver(frame),
            FrameType::DataExpectingReply => {
                if to_us {
                    self.state = State::Answer { to: frame.source, mark: self.queue.mark() };
                }
                self.deliver(frame);
            }
            _ => {}
        }
    }

    fn has_token(&mut self) {
        self.state = State::UseToken;
        self.counts.tokens += 1;
        if !std::mem::replace(&mut self.joined, true) {
            self.tell(Event::Joined { alone: self.alone });
        }
    }

    /// Does what is due.
    pub fn poll(&mut self, now: Instant) {
        if let Some(heard) = self.silence(now) {
            self.heard(heard, now);
        }
        loop {
            if let Some(sending) = &self.sending {
                if now.saturating_duration_since(sending.since) > STALE && now < self.may_drive() {
                    self.take_back(now);
                    continue;
                }
                return;
            }
            let quiet = now.saturating_duration_since(self.quiet_since);
            let over = quiet >= self.until();
            match self.state {
                State::UseToken => self.use_token(now),
                State::DoneWithToken => self.done_with_token(now),
                State::Answer { to, mark } => {
                    if let Some(answer) = self.queue.answer(to, mark) {
                        self.send(answer, State::Idle, now);
                    } else if over {
                        self.bare(FrameType::ReplyPostponed, to, State::Idle, now);
                    } else {
                        return;
                    }
                }
                State::Idle
                | State::NoToken
                | State::WaitForReply { .. }
                | State::PassToken
                | State::PollForMaster
                    if !over =>
                {
                    return;
                }
                State::Idle => self.lost_token(),
                State::NoToken => self.make_token(quiet, now),
                State::WaitForReply { .. } => {
                    self.counts.unanswered += 1;
                    // It has taken so long that the others come next, whatever we have still to say.
                    self.frames = self.settings.max_info_frames;
                    self.state = State::DoneWithToken;
                }
                State::PassToken => self.not_taken(now),
                State::PollForMaster => self.no_master(now),
            }
        }
    }

    fn use_token(&mut self, now: Instant) {
        let (next, late) = self.queue.next(now);
        self.counts.unsent += late;
        let Some(frame) = next else {
            self.frames = self.settings.max_info_frames;
            self.state = State::DoneWithToken;
            return;
        };
        self.frames = self.frames.saturating_add(1);
        let then = match frame.kind {
            FrameType::DataExpectingReply => State::WaitForReply { from: frame.destination },
            _ => State::DoneWithToken,
        };
        self.send(frame, then, now);
    }

    fn done_with_token(&mut self, now: Instant) {
        let mac = self.settings.mac;
        if self.frames < self.settings.max_info_frames {
            self.state = State::UseToken;
        } else if !self.alone && self.successor == mac {
            self.poll_for_master(self.settings.next(mac), now);
        } else if self.tokens < POLL_EACH - 1 {
            self.tokens += 1;
            if self.alone && self.successor != self.settings.next(mac) {
                self.frames = 0;
                self.state = State::UseToken;
            } else {
                self.pass_token(now);
            }
        } else if self.settings.next(self.polled) != self.successor {
            self.poll_for_master(self.settings.next(self.polled), now);
        } else if self.alone {
            self.tokens = 1;
            self.find_successor(self.successor, now);
        } else {
            self.polled = mac;
            self.tokens = 1;
            self.pass_token(now);
        }
    }

    fn lost_token(&mut self) {
        self.octets = 0;
        self.late = Duration::ZERO;
        self.state = State::NoToken;
        // The silence before anybody has spoken is the beginning, no loss.
        if std::mem::replace(&mut self.joined, false) {
            self.counts.lost += 1;
            self.tell(Event::TokenLost);
        }
    }

    fn make_token(&mut self, quiet: Duration, now: Instant) {
        let (_, end) = self.slot();
        if quiet >= end && quiet < self.all_slots() {
            self.late = quiet;
            return;
        }
        self.tokens = 0;
        self.find_successor(self.settings.mac, now);
    }

    /// Whom the token was passed to says nothing.
    fn not_taken(&mut self, now: Instant) {
        if self.tries < RETRIES {
            self.tries += 1;
            self.bare(FrameType::Token, self.successor, State::PassToken, now);
            return;
        }
        self.counts.successors_lost += 1;
        self.tell(Event::SuccessorLost { mac: self.successor });
        self.tokens = 0;
        self.find_successor(self.successor, now);
    }

    /// Nobody is at the address that was looked at.
    fn no_master(&mut self, now: Instant) {
        if self.alone {
            self.frames = 0;
            self.has_token();
        } else if self.successor != self.settings.mac {
            self.pass_token(now);
        } else if self.settings.next(self.polled) == self.settings.mac {
            self.alone = true;
            self.frames = 0;
            self.has_token();
        } else {
            self.poll_for_master(self.settings.next(self.polled), now);
        }
    }
}
