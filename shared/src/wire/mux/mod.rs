//! Several streams in one connection that knows only one: what QUIC gives by itself, for the road over TCP. Pure: bytes
//! in, bytes out, wakers of whoever waits; each side brings its own socket, its TLS and its clock.
//!
//! | file | what it holds |
//! |---|---|
//! | `piece` | what travels: kind, stream, length, payload |
//! | `stream` | one stream's two directions and how much each may hold |
//! | `state` | a connection: what comes is sorted, what goes is chosen, the most urgent first |
//! | `link` | handles on it, which tasks share |
//! | `closed` | why a connection is over |
//!
//! A piece is at most eight kilobytes, so that an alarm waits for one piece of history and not for all of it. Only the
//! gateway opens streams. A receiver says how much more it takes; whoever sends more breaks the protocol.

mod closed;

mod link;
mod piece;
mod state;
mod stream;
#[cfg(test)]
mod tests;

pub use closed::{Breach, Closed};
pub use link::{Link, Load, Reader, Writer};
pub use piece::{MAX_PIECE, STREAMS};
pub use state::{Side, Trust};
