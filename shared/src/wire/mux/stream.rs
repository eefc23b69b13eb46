//! One stream of a connection: what was written and has not left, what came and was not read. Neither grows without end:
//! a writer waits where too much is unsent, and a peer may send only what was granted to it.

use std::collections::VecDeque;
use std::task::{Context, Poll, Waker};

use super::closed::Breach;

/// What either side may send on a stream before anything was granted.
pub const INITIAL: u32 = 16 << 10;
/// Written and not sent yet; a writer waits beyond it.
const UNSENT: usize = 64 << 10;

/// Whether more may be written, and whether the peer knows.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    Open,
    Finished,
    Told,
}

#[derive(Debug)]
pub struct Stream {
    pub priority: i32,
    /// The peer has heard of it: nothing but its own data may tell it.
    is_known: bool,
    unsent: VecDeque<u8>,
    end: End,
    /// What the peer still takes.
    room: u32,
    writer: Option<Waker>,
    unread: VecDeque<u8>,
    /// The peer has nothing more to say.
    is_ended: bool,
    /// Nobody reads any more: what still comes is thrown away.
    is_deaf: bool,
    /// What the peer may still send.
    granted: u32,
    reader: Option<Waker>,
}

impl Stream {
    /// One that this side opens, or one that the peer has opened.
    pub fn new(priority: i32, is_known: bool) -> Self {
        Self {
            priority,
            is_known,
            unsent: VecDeque::new(),
            end: End::Open,
            room: INITIAL,
            writer: None,
            unread: VecDeque::new(),
            is_ended: false,
            is_deaf: false,
            granted: INITIAL,
            reader: None,
        }
    }

    pub fn write(&mut self, cx: &Context<'_>, bytes: &[u8]) -> Poll<usize> {
        let free = UNSENT.saturating_sub(self.unsent.len());
        if free == 0 {
            self.writer = Some(cx.waker().clone());
            return Poll::Pending;
        }
        let taken = bytes.get(..free).unwrap_or(bytes);
        self.unsent.extend(taken);
        Poll::Ready(taken.len())
    }

    /// Ready when all that was written has left.
    pub fn drained(&mut self, cx: &Context<'_>) -> Poll<()> {
        if self.unsent.is_empty() && self.end != End::Finished {
            return Poll::Ready(());
        }
        self.writer = Some(cx.waker().clone());
        Poll::Pending
    }

    pub fn finish(&mut self) {
        if self.end == End::Open {
            self.end = End::Finished;
        }
    }

    /// How many bytes can go now.
    pub fn can_send(&self) -> usize {
        self.unsent.len().min(self.room as usize)
    }

    /// Takes so many of them.
    pub fn send(&mut self, most: usize) -> Vec<u8> {
        let sent: Vec<u8> = self.unsent.drain(..self.can_send().min(most)).collect();
        self.room = self.room.saturating_sub(sent.len() as u32);
        self.is_known |= !sent.is_empty();
        wake(&mut self.writer);
        sent
    }

    /// Whether the peer is to be told now that nothing more comes; true once.
    pub fn end_is_due(&mut self) -> bool {
        let is_due = self.has_end_to_send();
        if is_due {
            (self.end, self.is_known) = (End::Told, true);
            wake(&mut self.writer);
        }
        is_due
    }

    pub fn has_end_to_send(&self) -> bool {
        self.end == End::Finished && self.unsent.is_empty()
    }

    pub fn more_room(&mut self, id: u8, more: u32) -> Result<(), Breach> {
        self.room = self.room.checked_add(more).ok_or(Breach::Flooded(id))?;
        Ok(())
    }

    pub fn receive(&mut self, id: u8, bytes: &[u8]) -> Result<(), Breach> {
        if self.is_ended {
            return Err(Breach::AfterEnd(id));
        }
        self.granted = self.granted.checked_sub(bytes.len() as u32).ok_or(Breach::Flooded(id))?;
        if !self.is_deaf {
            self.unread.extend(bytes);
            wake(&mut self.reader);
        }
        Ok(())
    }

    pub fn end(&mut self, id: u8) -> Result<(), Breach> {
        if self.is_ended {
            return Err(Breach::AfterEnd(id));
        }
        self.is_ended = true;
        wake(&mut self.reader);
        Ok(())
    }

    /// What came, or nothing at the end; pending where more may come.
    pub fn read(&mut self, cx: &Context<'_>, into: &mut [u8]) -> Poll<usize> {
        if self.unread.is_empty() && !self.is_ended {
            self.reader = Some(cx.waker().clone());
            return Poll::Pending;
        }
        let (first, _) = self.unread.as_slices();
        let n = first.len().min(into.len());
        into.iter_mut().zip(first).for_each(|(to, from)| *to = *from);
        self.unread.drain(..n);
        Poll::Ready(n)
    }

    pub fn deafen(&mut self) {
        self.is_deaf = true;
        self.unread.clear();
    }

    /// What the peer is to be granted, so that it may have `window` bytes under way and unread: nothing while it still
    /// has most of that.
    pub fn grant_due(&self, window: u32) -> Option<u32> {
        let held = self.granted.saturating_add(self.unread.len() as u32);
        let more = window.saturating_sub(held);
        (self.is_known && !self.is_ended && !self.is_deaf && more > 0 && more >= window / 2).then_some(more)
    }

    pub fn grant(&mut self, more: u32) {
        self.granted = self.granted.saturating_add(more);
    }

    pub fn wake(&mut self) {
        wake(&mut self.writer);
        wake(&mut self.reader);
    }
}

pub fn wake(waiting: &mut Option<Waker>) {
    if let Some(waker) = waiting.take() {
        waker.wake();
    }
}
