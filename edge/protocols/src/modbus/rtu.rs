//! RTU frames: unit, PDU, check sum, and no mark where they begin or end (MODBUS over Serial Line V1.02, 2.5.1).
//! The end is known from the request's answer length. Bytes that do not belong to an answer are skipped, for
//! transceivers add some when they turn around; nothing is taken for an answer without unit, function, length
//! and check sum being right.

use super::crc::crc;
use super::pdu::Request;
use crate::exchange::{Exchange, Fault, Progress, Reply};

/// The longest frame there is.
pub const MAX_FRAME: usize = 256;
/// A frame and what may come before it.
const MAX_HELD: usize = 2 * MAX_FRAME;
/// As many stray bytes behind an answer are noise of the line's turn-around, not a second answer.
const TURNAROUND_NOISE: usize = 2;

/// The request's frame.
pub fn encode(request: &Request) -> Vec<u8> {
    let mut frame = Vec::with_capacity(8);
    frame.push(request.unit());
    frame.extend(request.pdu());
    let sum = crc(&frame);
    frame.extend(sum.to_le_bytes());
    frame
}

/// Bytes of the longest answer that the request can have.
pub const fn reply_len(request: &Request) -> usize {
    request.reply_len() + 3
}

/// Collects the answer to one request.
#[derive(Clone, Debug)]
pub struct Decoder {
    request: Request,
    /// The request's frame, which some transceivers hear themselves say.
    echo: Vec<u8>,
    held: Vec<u8>,
}

impl Decoder {
    pub fn new(request: Request) -> Self {
        Self { request, echo: encode(&request), held: Vec::new() }
    }

    /// The whole answer that begins at `at`, and where it ends.
    fn frame_at(&self, at: usize) -> Option<(Reply, usize)> {
        let from = self.held.get(at..)?;
        let [unit, function, ..] = from else { return None };
        if *unit != self.request.unit() {
            return None;
        }
        let len = match *function {
            f if f == self.request.function() => reply_len(&self.request),
            f if f == self.request.function() | 0x80 => 5,
            _ => return None,
        };
        let pdu = checked(from.get(..len)?)?;
        let reply = self.request.data(pdu).ok()?;
        Some((reply.map(<[u8]>::to_vec).map_err(Into::into), at + len))
    }

    fn foreign(&self) -> Option<Fault> {
        let pdu = checked(&self.held)?;
        let ([unit, ..], [function, ..]) = (self.held.as_slice(), pdu) else { return None };
        if *unit != self.request.unit() {
            return Some(Fault::Unit { wanted: self.request.unit(), got: *unit });
        }
        (function & 0x7F != self.request.function())
            .then_some(Fault::Function { wanted: self.request.function(), got: *function })
    }
}

impl Exchange for Decoder {
    fn frame(&mut self, _number: u16) -> Vec<u8> {
        self.echo.clone()
    }

    fn answer_len(&self) -> Option<usize> {
        Some(reply_len(&self.request))
    }

    fn received(&mut self, bytes: &[u8]) -> Progress {
        let room = MAX_HELD - self.held.len().min(MAX_HELD);
        let too_many = bytes.len() > room;
        self.held.extend(bytes.iter().take(room));
        // An echo can have the shape of an answer: 17 to 24 coils from address 768 on.
        if self.held.starts_with(&self.echo) {
            self.held.drain(..self.echo.len());
        }
        for at in 0..self.held.len() {
            let Some((reply, end)) = self.frame_at(at) else { continue };
            let trailing = self.held.len() - end + bytes.len().saturating_sub(room);
            return if trailing > TURNAROUND_NOISE {
                Progress::Bad(Fault::Trailing { bytes: trailing })
            } else {
                Progress::Reply(reply)
            };
        }
        if too_many {
            Progress::Bad(Fault::Noise { bytes: self.held.len() + bytes.len() - room })
        } else {
            Progress::More
        }
    }

    fn held(&self) -> usize {
        self.held.len()
    }

    fn skip_foreign(&mut self) -> bool {
        let is_foreign = self.foreign().is_some();
        if is_foreign {
            self.held.clear();
        }
        is_foreign
    }

    fn verdict(&self) -> Option<Fault> {
        if let Some(fault) = self.foreign() {
            return Some(fault);
        }
        if let Some(pdu) = checked(&self.held) {
            return self.request.data(pdu).err();
        }
        let [unit, rest @ ..] = self.held.as_slice() else { return None };
        let (wanted, bytes) = (self.request.function(), self.held.len());
        Some(match rest {
            [function, stated, ..] if *unit == self.request.unit() && *function == wanted => {
                if usize::from(*stated) != self.request.data_bytes() {
                    Fault::Length { wanted: self.request.data_bytes(), got: usize::from(*stated) }
                } else if bytes < reply_len(&self.request) {
                    Fault::Short { bytes }
                } else {
                    Fault::CheckSum
                }
            }
            [function, ..] if *unit == self.request.unit() && *function == wanted | 0x80 => {
                if bytes < 5 {
                    Fault::Short { bytes }
                } else {
                    Fault::CheckSum
                }
            }
            _ => Fault::Noise { bytes },
        })
    }

    fn began_like_the_answer(&self) -> bool {
        matches!(self.held.as_slice(), [unit, function, ..]
            if *unit == self.request.unit() && function & 0x7F == self.request.function())
            && matches!(self.verdict(), Some(Fault::CheckSum | Fault::Short { .. }))
    }
}

/// The PDU of a frame whose check sum is right.
fn checked(frame: &[u8]) -> Option<&[u8]> {
    let (body, sum) = frame.split_last_chunk::<2>()?;
    let pdu = body.get(1..).filter(|pdu| !pdu.is_empty())?;
    (crc(body) == u16::from_le_bytes(*sum)).then_some(pdu)
}
