//! Batches that were set aside because they cannot be applied: `keep` sets them aside, `look` shows what is in them,
//! `discard` takes one away.

mod discard;
mod keep;
mod look;
mod store;
#[cfg(test)]
mod tests;

pub use look::{Content, Inside, Sample};
pub use store::AsideRow;
