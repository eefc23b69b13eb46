//! Several questions on one connection of Modbus TCP: each goes out under a number of its own, and the answer that bears
//! it goes back to whoever asked, in whatever order they come. Pure: the connection's owner hands bytes in and out.
//!
//! | a frame that comes | is |
//! |---|---|
//! | whole, with a number that is awaited | the asker's, under the number that it gave |
//! | whole, with another number | late, doubled or nobody's: counted and thrown away |
//! | no frame of Modbus TCP | the end of the connection: what follows means nothing |
//!
//! An answer is never handed to anybody but its asker, and never twice.

use super::tcp::{HEADER, MAX_LENGTH};
use crate::exchange::Fault;

/// Who asks on a connection: one question at a time each.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Slot(pub u64);

/// A whole frame for somebody.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ForSlot {
    pub slot: Slot,
    pub frame: Vec<u8>,
}

/// A question that is out.
#[derive(Clone, Copy, Debug)]
struct Awaited {
    number: u16,
    slot: Slot,
    /// The number that the asker gave.
    own: u16,
}

/// What is out on one connection, and what has come of a frame.
#[derive(Clone, Debug, Default)]
pub struct Share {
    last: u16,
    awaited: Vec<Awaited>,
    held: Vec<u8>,
    /// Questions that were given up since something was heard.
    lost: u32,
    strange: u64,
}

impl Share {
    /// Puts the connection's own number into a whole frame that `slot` sends. False where the bytes are no frame. What the
    /// slot asked before is not awaited any more.
    pub fn ask(&mut self, slot: Slot, frame: &mut [u8]) -> bool {
        let whole = frame.len() > HEADER;
        let Some([high, low]) = frame.first_chunk_mut::<2>().filter(|_| whole) else { return false };
        let own = u16::from_be_bytes([*high, *low]);
        self.awaited.retain(|a| a.slot != slot);
        // Never that of another question, and not soon that of one that was given up.
        self.last = self.last.wrapping_add(1);
        while self.awaited.iter().any(|a| a.number == self.last) {
            self.last = self.last.wrapping_add(1);
        }
        [*high, *low] = self.last.to_be_bytes();
        self.awaited.push(Awaited { number: self.last, slot, own });
        true
    }

    /// How many questions are out.
    pub fn asked(&self) -> usize {
        self.awaited.len()
    }

    /// Bytes of frames that nobody awaited, since the beginning.
    pub fn strange(&self) -> u64 {
        self.strange
    }

    /// Takes bytes as they come, and adds the frames that are whole and awaited to `found`. After a fault the connection
    /// is of no more use; what was found before it holds.
    pub fn received(&mut self, bytes: &[u8], found: &mut Vec<ForSlot>) -> Result<(), Fault> {
        self.lost = 0;
        self.held.extend(bytes);
        while let Some(header) = self.held.first_chunk::<HEADER>() {
            let [n0, n1, p0, p1, l0, l1, _] = *header;
            let protocol = u16::from_be_bytes([p0, p1]);
            if protocol != 0 {
                return Err(Fault::Protocol(protocol));
            }
            let length = u16::from_be_bytes([l0, l1]);
            if !(3..=MAX_LENGTH).contains(&length) {
                return Err(Fault::Length { wanted: usize::from(MAX_LENGTH), got: usize::from(length) });
            }
            let whole = HEADER - 1 + usize::from(length);
            if self.held.len() < whole {
                break;
            }
            let mut frame: Vec<u8> = self.held.drain(..whole).collect();
            let number = u16::from_be_bytes([n0, n1]);
            let Some(place) = self.awaited.iter().position(|a| a.number == number) else {
                self.strange += whole as u64;
                continue;
            };
            let asker = self.awaited.swap_remove(place);
            if let Some(own) = frame.first_chunk_mut::<2>() {
                *own = asker.own.to_be_bytes();
            }
            found.push(ForSlot { slot: asker.slot, frame });
        }
        Ok(())
    }

    /// The slot awaits nothing any more. True when the connection is of no more use: it broke off within this answer, or
    /// nothing at all has come while several questions were given up, and nobody else waits. One alone may be to a dead
    /// unit.
    pub fn forget(&mut self, slot: Slot) -> bool {
        let Some(place) = self.awaited.iter().position(|a| a.slot == slot) else { return false };
        let gone = self.awaited.swap_remove(place);
        let broke_off = match self.held.first_chunk::<2>() {
            Some(number) => u16::from_be_bytes(*number) == gone.number,
            None => !self.held.is_empty(),
        };
        self.lost = self.lost.saturating_add(1);
        broke_off || self.awaited.is_empty() && self.lost > 1
    }
}
