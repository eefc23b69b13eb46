//! The engineer's tools that ask a device: `words` is what may be written, `place` the device that is meant, `reach` the
//! way to it beside a running daemon, `points` its values, `network` the same for BACnet, `registers` what stands in it
//! without a profile; then one file for each command, and `command` for what is written to a BACnet object.

mod command;
mod identify;
mod identify_asker;
mod identify_meter;
mod identify_network;
mod identify_registers;
mod known;
mod network;
mod orders;
mod place;
mod points;
mod reach;
mod read;
mod registers;
mod scan;
mod scan_meters;
mod scan_network;
mod shown;
mod words;
mod write;

pub use identify::identify;
pub use orders::{orders, with_minus};
pub use read::{read, watch};
pub use scan::scan;
pub use words::{IdentifyWords, OrdersWords, ReadWords, ScanWords, WatchWords, WriteWords};
pub use write::write;
