//! Finds frames in a stream of octets (ASHRAE 135, clause 9.5.4, the Receive Frame machine). Whatever comes, it takes no
//! more memory than one frame and never fails: what is no frame is told and passed over.
//!
//! | state | left when | to |
//! |---|---|---|
//! | idle | 0x55 | preamble |
//! | preamble | 0xFF; anything but 0x55 | header; idle |
//! | header | its CRC is wrong | idle (the preamble of the next may stand within) |
//! | header | whole, no data | idle: a frame |
//! | header | whole, data | data, or skip where they are not for us or too long |
//! | data, skip | their last octet | idle: a frame, or a damage |
//! | any but idle | silence for T_frame_abort | idle: a damage, where there was more than a preamble |

use std::time::{Duration, Instant};

use super::frame::{BROADCAST, Frame, FrameType, HEADER, LONGEST, MAX_DATA, PREAMBLE};
use super::{cobs, crc};

/// What is wrong with a frame.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Damage {
    Header,
    Data,
    /// It has more data than any frame may have.
    TooLong,
    /// The line fell silent within it.
    Cut,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// For us or for all.
    Frame(Frame),
    /// For somebody else; what it carries was not looked at.
    Elsewhere {
        source: u8,
    },
    Damaged(Damage),
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum State {
    Idle,
    Preamble,
    Header,
    Data { left: usize },
    Skip { left: usize, damage: Option<Damage> },
}

#[derive(Debug)]
pub struct Receiver {
    mac: u8,
    abort: Duration,
    state: State,
    header: Vec<u8>,
    data: Vec<u8>,
    last: Option<Instant>,
}

impl Receiver {
    pub const fn new(mac: u8, abort: Duration) -> Self {
        Self { mac, abort, state: State::Idle, header: Vec::new(), data: Vec::new(), last: None }
    }

    /// Whether a frame has begun and is not over.
    pub fn is_within(&self) -> bool {
        self.state != State::Idle
    }

    /// When silence ends what has begun.
    pub fn deadline(&self) -> Option<Instant> {
        self.last.filter(|_| self.is_within()).map(|last| last + self.abort)
    }

    /// Gives up a frame that the line fell silent in.
    pub fn silence(&mut self, now: Instant) -> Option<Heard> {
        self.deadline().filter(|end| *end <= now)?;
        let more = self.state != State::Preamble;
        self.forget();
        more.then_some(Heard::Damaged(Damage::Cut))
    }

    /// Drops what has begun.
    pub fn forget(&mut self) {
        self.state = State::Idle;
        self.header.clear();
        self.data.clear();
    }

    /// One octet. A frame that had been cut before it is told first by `silence`.
    pub fn octet(&mut self, octet: u8, now: Instant) -> Option<Heard> {
        self.last = Some(now);
        match self.state {
            State::Idle => {
                if Some(&octet) == PREAMBLE.first() {
                    self.state = State::Preamble;
                }
                None
            }
            State::Preamble => {
                if Some(&octet) == PREAMBLE.last() {
                    self.header.clear();
                    self.state = State::Header;
                } else if Some(&octet) != PREAMBLE.first() {
                    self.state = State::Idle;
                }
                None
            }
            State::Header => {
                self.header.push(octet);
                if self.header.len() < HEADER { None } else { self.header_is_whole(now) }
            }
            State::Data { left } => {
                self.data.push(octet);
                if left > 1 {
                    self.state = State::Data { left: left - 1 };
                    return None;
                }
                Some(self.data_are_whole())
            }
            State::Skip { left, damage } => {
                if left > 1 {
                    self.state = State::Skip { left: left - 1, damage };
                    return None;
                }
                let source = self.header.get(2).copied().unwrap_or(BROADCAST);
                self.forget();
                Some(damage.map_or(Heard::Elsewhere { source }, Heard::Damaged))
            }
        }
    }

    fn header_is_whole(&mut self, now: Instant) -> Option<Heard> {
        let &[code, destination, source, high, low, check] = self.header.as_slice() else { return None };
        if crc::header(&[code, destination, source, high, low]) != check {
            // The frame behind a damaged one may have begun within what was taken for its header.
            let octets = std::mem::take(&mut self.header);
            self.forget();
            for octet in octets {
                self.octet(octet, now);
            }
            return Some(Heard::Damaged(Damage::Header));
        }
        let length = usize::from(u16::from_be_bytes([high, low]));
        let for_us = destination == self.mac || destination == BROADCAST;
        if length == 0 {
            let kind = FrameType::of(code);
            self.forget();
            let frame = Frame::bare(kind, destination, source);
            return Some(if for_us { Heard::Frame(frame) } else { Heard::Elsewhere { source } });
        }
        let left = length + 2;
        let most = if FrameType::is_long(code) { LONGEST } else { MAX_DATA + 2 };
        self.data.clear();
        self.state = match (for_us, left <= most) {
            (true, true) => State::Data { left },
            (true, false) => State::Skip { left, damage: Some(Damage::TooLong) },
            (false, _) => State::Skip { left, damage: None },
        };
        None
    }

    fn data_are_whole(&mut self) -> Heard {
        let octets = std::mem::take(&mut self.data);
        let header = std::mem::take(&mut self.header);
        self.forget();
        let &[code, destination, source, ..] = header.as_slice() else {
            return Heard::Damaged(Damage::Header);
        };
        let data = if FrameType::is_long(code) { cobs::decode(&octets) } else { common(octets) };
        let Some(data) = data else { return Heard::Damaged(Damage::Data) };
        Heard::Frame(Frame { kind: FrameType::of(code), destination, source, data })
    }
}

/// The data of a common frame, without their CRC; nothing where that is wrong.
fn common(mut octets: Vec<u8>) -> Option<Vec<u8>> {
    let (data, check) = octets.split_last_chunk::<2>()?;
    if crc::data(data) != u16::from_le_bytes(*check) {
        return None;
    }
    octets.truncate(octets.len() - 2);
    Some(octets)
}
