//! Finds packets among the bytes of a connection. A message that is larger than allowed is not kept: its topic is told and
//! the rest goes by, so that whoever sends such harms nobody else. Never holds more than the largest packet.

use super::packet::{Malformed, Message, PUBLISH, Packet, read, split_publish};

#[derive(Debug)]
pub struct Inbox {
    /// Most bytes of a payload.
    limit: usize,
    bytes: Vec<u8>,
    /// Bytes of a packet that goes by.
    skip: usize,
}

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Incoming {
    Packet(Packet),
    /// A message of so many bytes, without them.
    TooLarge(Message, usize),
}

/// The longest topic and what stands around it.
const AROUND: usize = 65_535 + 4;

impl Inbox {
    pub fn new(limit: usize) -> Self {
        Self { limit, bytes: Vec::new(), skip: 0 }
    }

    /// How many bytes may be handed in before `next_packet` has been asked to the end.
    pub fn room(&self) -> usize {
        (self.limit + AROUND + 5).saturating_sub(self.bytes.len()).saturating_add(self.skip)
    }

    pub fn take(&mut self, bytes: &[u8]) {
        let gone = self.skip.min(bytes.len());
        self.skip -= gone;
        self.bytes.extend(bytes.get(gone..).unwrap_or_default());
    }

    /// The next packet that is whole.
    pub fn next_packet(&mut self) -> Result<Option<Incoming>, Malformed> {
        let Some((first, len, head)) = header(&self.bytes)? else { return Ok(None) };
        let whole = head + len;
        let flags = first & 0x0F;
        if len <= self.limit {
            let Some(body) = self.bytes.get(head..whole) else { return Ok(None) };
            let packet = read(first, body)?;
            self.bytes.drain(..whole);
            return Ok(Some(Incoming::Packet(packet)));
        }
        if first >> 4 != PUBLISH {
            return Err(Malformed("a packet without a message that is larger than any message may be"));
        }
        let body = self.bytes.get(head..).unwrap_or_default();
        let Some((message, payload)) = split_publish(flags, body)? else { return Ok(None) };
        if len.saturating_sub(payload) <= self.limit {
            // Its topic alone makes it so long.
            let Some(body) = self.bytes.get(head..whole) else { return Ok(None) };
            let packet = read(first, body)?;
            self.bytes.drain(..whole);
            return Ok(Some(Incoming::Packet(packet)));
        }
        let here = self.bytes.len().min(whole);
        self.bytes.drain(..here);
        self.skip = whole - here;
        Ok(Some(Incoming::TooLarge(message, len - payload)))
    }
}

/// The first byte, the length behind it, and where that ends (2.2.3).
fn header(bytes: &[u8]) -> Result<Option<(u8, usize, usize)>, Malformed> {
    let Some((first, rest)) = bytes.split_first() else { return Ok(None) };
    let mut len = 0;
    for (place, digit) in rest.iter().take(4).enumerate() {
        len |= usize::from(digit & 0x7F) << (7 * place);
        if digit & 0x80 == 0 {
            return Ok(Some((*first, len, place + 2)));
        }
    }
    if rest.len() < 4 { Ok(None) } else { Err(Malformed("a length of more than four bytes")) }
}
