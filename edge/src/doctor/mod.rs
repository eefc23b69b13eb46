//! What is wrong with a line's wires, as far as the bytes on it tell: kept up while the line is polled, told in plain
//! words. `watch` sees the bytes of one question pass, `book` counts what it saw, `troubles` draws conclusions. All of it
//! is pure: the owner of the line hands bytes and instants in.

mod book;
mod troubles;
mod watch;

pub use book::{Book, DeviceBook, LineBook, TURNAROUNDS_MS};
pub use troubles::{What, troubles};
pub use watch::{Observed, Outcome, Watch};
