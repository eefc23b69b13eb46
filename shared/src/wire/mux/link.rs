//! Handles on a connection, shared by its tasks: whoever drives the socket, and whoever reads and writes streams. No lock
//! is held while anybody waits.

use std::io;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};

use super::closed::Closed;
use super::piece::MAX_PIECE;
use super::state::{Side, State, Trust};

/// A connection. Clones are the same one.
#[derive(Clone, Debug)]
pub struct Link(Arc<Mutex<State>>);

/// What goes to the socket next.
#[derive(Debug)]
pub enum Load {
    More(Vec<u8>),
    /// The farewell, empty where the peer needs none: the connection is over.
    Last(Vec<u8>),
}

impl Link {
    pub fn new(side: Side, trust: Trust) -> Self {
        Self(Arc::new(Mutex::new(State::new(side, trust))))
    }

    fn state(&self) -> MutexGuard<'_, State> {
        // Queues of bytes: a panic elsewhere leaves them whole.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn is_same(&self, other: &Self) -> bool {
        Arc::ptr_eq(&self.0, &other.0)
    }

    /// It is known now who the peer is.
    pub fn trust(&self, trust: Trust) {
        self.state().trust(trust);
    }

    /// A new stream, of the gateway's side. What has the highest priority goes first. None where all are in use or the
    /// connection is over.
    pub fn open(&self, priority: i32) -> Option<(Writer, Reader)> {
        let id = self.state().open(priority)?;
        Some(self.halves(id))
    }

    /// The next stream that the gateway has opened.
    pub fn poll_accept(&self, cx: &Context<'_>) -> Poll<Result<(Writer, Reader), Closed>> {
        let accepted = self.state().accept(cx);
        accepted.map(|id| id.map(|id| self.halves(id)))
    }

    fn halves(&self, id: u8) -> (Writer, Reader) {
        (Writer { link: self.clone(), id }, Reader { link: self.clone(), id })
    }

    /// Bytes that a datagram may have.
    pub const fn datagram_room() -> usize {
        MAX_PIECE
    }

    /// Sends it when there is nothing in the way; of many that wait, only the newest go. One that is too long is left out.
    pub fn send_datagram(&self, bytes: Vec<u8>) {
        self.state().send_datagram(bytes);
    }

    pub fn poll_datagram(&self, cx: &Context<'_>) -> Poll<Result<Vec<u8>, Closed>> {
        self.state().datagram(cx)
    }

    /// Asks the peer for a sign of life; [`Link::heard`] counts what comes.
    pub fn ping(&self) {
        self.state().ping();
    }

    /// How many whole pieces have come. Bytes alone are no sign of life.
    pub fn heard(&self) -> u64 {
        self.state().heard()
    }

    /// Ends the connection and tells the peer why.
    pub fn close(&self, code: u32, reason: &[u8]) {
        self.state().close(code, reason);
    }

    /// Why it is over, if it is.
    pub fn closed(&self) -> Option<Closed> {
        self.state().is_closed().cloned()
    }

    pub fn poll_closed(&self, cx: &Context<'_>) -> Poll<Closed> {
        self.state().until_closed(cx)
    }

    /// For whoever drives the socket: what came from it.
    pub fn receive(&self, bytes: &[u8]) {
        self.state().receive(bytes);
    }

    /// For whoever drives the socket: it is gone, or nothing came for too long.
    pub fn lost(&self, why: Closed) {
        self.state().end(why);
    }

    /// For whoever drives the socket: what goes to it. Asked again only when the last load is gone, so that what is
    /// urgent is not behind what was chosen before.
    pub fn poll_send(&self, cx: &Context<'_>) -> Poll<Load> {
        let mut state = self.state();
        match state.send() {
            (load, true) => Poll::Ready(Load::Last(load)),
            (load, false) if load.is_empty() => {
                state.wait_to_send(cx);
                Poll::Pending
            }
            (load, false) => Poll::Ready(Load::More(load)),
        }
    }
}

/// The way out on a stream; finished when this is dropped.
#[derive(Debug)]
pub struct Writer {
    link: Link,
    id: u8,
}

impl Writer {
    pub fn poll_write(&self, cx: &Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.link.state().write(self.id, cx, bytes).map_err(Into::into)
    }

    /// Ready when all that was written has left this side.
    pub fn poll_drained(&self, cx: &Context<'_>) -> Poll<io::Result<()>> {
        self.link.state().drained(self.id, cx).map_err(Into::into)
    }

    /// Nothing more comes after what was written.
    pub fn finish(&self) {
        self.link.state().finish(self.id);
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        self.finish();
    }
}

/// The way in on a stream. What comes after it is dropped is thrown away.
#[derive(Debug)]
pub struct Reader {
    link: Link,
    id: u8,
}

impl Reader {
    /// Nothing at the end of the stream.
    pub fn poll_read(&self, cx: &Context<'_>, into: &mut [u8]) -> Poll<io::Result<usize>> {
        self.link.state().read(self.id, cx, into).map_err(Into::into)
    }
}

impl Drop for Reader {
    fn drop(&mut self) {
        self.link.state().deafen(self.id);
    }
}
