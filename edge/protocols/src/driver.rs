//! What every protocol looks like to the owner of a line: a machine that is told of bytes and instants, and
//! says what to do next. The owner does the I/O; the machine never waits, so that tests run in virtual time.
//!
//! ```text
//! begin(request) ; loop { match poll(now) {
//!     Send(bytes)   => write them, then sent(now)
//!     Set(port)     => set the port, then set(port, now)
//!     WaitUntil(t)  => read until t; received(bytes, now) for what comes
//!     Reopen        => close and open again, then opened(now)      (closed(now) when it breaks by itself)
//!     Done(outcome) => the request is over; the next may begin
//!     Idle          => nothing was asked
//! } }
//! ```

use std::time::Instant;

use crate::character::Character;

/// What the owner of the line does next.
#[derive(Clone, Debug, PartialEq)]
pub enum Step<A, F> {
    /// Write these bytes, then say `sent`.
    Send(Vec<u8>),
    /// Set the port so, then say `set`.
    Set(Character),
    /// Read until this instant, at the latest; then poll again.
    WaitUntil(Instant),
    /// Close the connection and open it again, then say `opened`: what may still come on it is not wanted.
    Reopen,
    /// The request is over.
    Done(Result<A, F>),
    /// Nothing to do. What is read meanwhile is to be handed in all the same.
    Idle,
}

/// A protocol on one line.
pub trait Driver: Send {
    type Request;
    /// What a device said, be it a value or a refusal.
    type Answer;
    /// Why there is nothing that can be believed.
    type Failure;

    /// Begins a request. Only one is under way at a time: a second `begin` gives the first up, as if it had failed.
    fn begin(&mut self, request: Self::Request, now: Instant);

    /// The bytes of the last `Send` were handed to the line.
    fn sent(&mut self, now: Instant);

    /// The port is set as the last `Set` wanted it.
    fn set(&mut self, character: Character, now: Instant);

    /// Bytes came from the line.
    fn received(&mut self, bytes: &[u8], now: Instant);

    /// The line was opened (again); nothing of before can arrive on it any more.
    fn opened(&mut self, now: Instant);

    /// The line was closed by its other end, and whether a question was on it: that will not be answered.
    fn closed(&mut self, now: Instant) -> bool;

    fn poll(&mut self, now: Instant) -> Step<Self::Answer, Self::Failure>;
}
