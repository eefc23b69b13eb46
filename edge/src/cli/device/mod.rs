//! The engineer's tools that ask a device: `words` is what may be written, `place` the device that is meant, `reach` the
//! way to it beside a running daemon, `points` its values, `registers` what stands in it without a profile; then one
//! file for each command.

mod identify;
mod orders;
mod place;
mod points;
mod reach;
mod read;
mod registers;
mod scan;
mod shown;
mod words;
mod write;

pub use identify::identify;
pub use orders::orders;
pub use read::{read, watch};
pub use scan::scan;
pub use words::{IdentifyWords, OrdersWords, ReadWords, ScanWords, WatchWords, WriteWords};
pub use write::write;
