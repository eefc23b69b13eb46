//! NPDUs that wait until this station has the token, in order, a bounded number of them.

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::frame::{BROADCAST, Frame, FrameType, MAX_LONG_DATA};

/// The bit of an NPDU's control octet that asks for an answer (clause 6.2.2).
const EXPECTING_REPLY: u8 = 0x04;

/// Why an NPDU is not sent.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    #[error("the message is longer than the {MAX_LONG_DATA} octets of a frame")]
    TooLong,
    #[error("too many messages wait for the token")]
    Full,
}

#[derive(Debug)]
struct Waiting {
    frame: Frame,
    since: Instant,
    number: u64,
}

#[derive(Debug)]
pub struct Queue {
    waiting: VecDeque<Waiting>,
    most: usize,
    patience: Duration,
    next: u64,
}

impl Queue {
    pub const fn new(most: usize, patience: Duration) -> Self {
        Self { waiting: VecDeque::new(), most, patience, next: 0 }
    }

    pub fn push(&mut self, from: u8, to: u8, npdu: Vec<u8>, now: Instant) -> Result<(), Refused> {
        if npdu.len() > MAX_LONG_DATA {
            return Err(Refused::TooLong);
        }
        if self.waiting.len() >= self.most {
            return Err(Refused::Full);
        }
        let asks = npdu.get(1).is_some_and(|control| control & EXPECTING_REPLY != 0);
        // Nobody waits for the answers of all.
        let kind = if asks && to != BROADCAST {
            FrameType::DataExpectingReply
        } else {
            FrameType::DataNotExpectingReply
        };
        let frame = Frame { kind, destination: to, source: from, data: npdu };
        self.waiting.push_back(Waiting { frame, since: now, number: self.next });
        self.next += 1;
        Ok(())
    }

    /// It could not be sent after all: it is the next.
    pub fn put_back(&mut self, frame: Frame, now: Instant) {
        self.waiting.push_front(Waiting { frame, since: now, number: self.next });
        self.next += 1;
    }

    /// The next, and how many before it have waited too long.
    pub fn next(&mut self, now: Instant) -> (Option<Frame>, u64) {
        let mut late = 0;
        while let Some(waiting) = self.waiting.pop_front() {
            if now.saturating_duration_since(waiting.since) <= self.patience {
                return (Some(waiting.frame), late);
            }
            late += 1;
        }
        (None, late)
    }

    /// What is put in from now on has at least this number.
    pub const fn mark(&self) -> u64 {
        self.next
    }

    /// The answer to somebody, put in since the mark.
    pub fn answer(&mut self, to: u8, mark: u64) -> Option<Frame> {
        let fits = |w: &Waiting| {
            w.number >= mark && w.frame.destination == to && w.frame.kind == FrameType::DataNotExpectingReply
        };
        let at = self.waiting.iter().position(fits)?;
        self.waiting.remove(at).map(|waiting| waiting.frame)
    }
}
