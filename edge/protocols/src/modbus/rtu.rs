//! RTU frames: unit, PDU, check sum, and no mark where they begin or end (MODBUS over Serial Line V1.02, 2.5.1).
//! The end is known from the request's answer length. Bytes that do not belong to an answer are skipped, for
//! transceivers add some when they turn around; nothing is taken for an answer without unit, function, length
//! and check sum being right.

use super::call::Call;
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
pub fn encode(call: &impl Call) -> Vec<u8> {
    let mut frame = Vec::with_capacity(8);
    frame.push(call.unit());
    frame.extend(call.pdu());
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
pub struct Decoder<C> {
    call: C,
    /// The request's frame, which some transceivers hear themselves say.
    echo: Vec<u8>,
    held: Vec<u8>,
}

impl<C: Call> Decoder<C> {
    pub fn new(call: C) -> Self {
        let echo = encode(&call);
        Self { call, echo, held: Vec::new() }
    }

    /// The whole answer that begins at `at`, and where it ends.
    fn frame_at(&self, at: usize) -> Option<(Reply, usize)> {
        let from = self.held.get(at..)?;
        let [unit, begun @ ..] = from else { return None };
        if *unit != self.call.unit() {
            return None;
        }
        let len = match *begun.first()? {
            f if f == self.call.function() => 3 + self.call.answer_len(begun)?,
            f if f == self.call.function() | 0x80 => 5,
            _ => return None,
        };
        let pdu = checked(from.get(..len)?)?;
        let reply = self.call.reply(pdu).ok()?;
        Some((reply.map_err(Into::into), at + len))
    }

    /// Whether what is held begins with the request and is the answer all the same. Only when it came twice, the first
    /// was an echo.
    fn is_the_answer(&self) -> bool {
        let rest = self.held.get(self.echo.len()..).unwrap_or_default();
        self.call.is_repeated() && !rest.starts_with(&self.echo)
    }

    fn foreign(&self) -> Option<Fault> {
        let pdu = checked(&self.held)?;
        let ([unit, ..], [function, ..]) = (self.held.as_slice(), pdu) else { return None };
        if *unit != self.call.unit() {
            return Some(Fault::Unit { wanted: self.call.unit(), got: *unit });
        }
        (function & 0x7F != self.call.function())
            .then_some(Fault::Function { wanted: self.call.function(), got: *function })
    }
}

impl<C: Call> Exchange for Decoder<C> {
    fn frame(&mut self, _number: u16) -> Vec<u8> {
        self.echo.clone()
    }

    fn answer_len(&self) -> Option<usize> {
        Some(3 + self.call.longest())
    }

    fn received(&mut self, bytes: &[u8]) -> Progress {
        let room = MAX_HELD - self.held.len().min(MAX_HELD);
        let too_many = bytes.len() > room;
        self.held.extend(bytes.iter().take(room));
        // An echo can have the shape of an answer: 17 to 24 coils from address 768 on.
        if self.held.starts_with(&self.echo) && !self.is_the_answer() {
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
            return self.call.reply(pdu).err();
        }
        let [unit, begun @ ..] = self.held.as_slice() else { return None };
        let (wanted, bytes) = (self.call.function(), self.held.len());
        let function = begun.first().filter(|_| *unit == self.call.unit());
        Some(match function {
            // A byte alone says nothing yet.
            Some(function) if *function == wanted && begun.len() > 1 => {
                let whole = self.call.answer_len(begun).map(|len| len + 3);
                match self.call.misfit(begun) {
                    Some(fault) => fault,
                    None if whole.is_none_or(|whole| bytes < whole) => Fault::Short { bytes },
                    None => Fault::CheckSum,
                }
            }
            Some(function) if *function == wanted | 0x80 && bytes < 5 => Fault::Short { bytes },
            Some(function) if *function == wanted | 0x80 => Fault::CheckSum,
            _ => Fault::Noise { bytes },
        })
    }

    fn began_like_the_answer(&self) -> bool {
        matches!(self.held.as_slice(), [unit, function, ..]
            if *unit == self.call.unit() && function & 0x7F == self.call.function())
            && matches!(self.verdict(), Some(Fault::CheckSum | Fault::Short { .. }))
    }
}

/// The PDU of a frame whose check sum is right.
fn checked(frame: &[u8]) -> Option<&[u8]> {
    let (body, sum) = frame.split_last_chunk::<2>()?;
    let pdu = body.get(1..).filter(|pdu| !pdu.is_empty())?;
    (crc(body) == u16::from_le_bytes(*sum)).then_some(pdu)
}
