//! Polling: `round` decides whose turn it is on a line (pure), `grid` gives the slots, `block` what one
//! question asks for, `budget` what may be wasted on the silent; `latest` shows what was read last.

mod block;
mod budget;
mod grid;
mod latest;
mod round;

pub use block::{Block, Span};
pub use latest::{Described, Latest, Shown, Word};
pub use round::{Ask, Follow, Outcome, Rounds, Turn};
