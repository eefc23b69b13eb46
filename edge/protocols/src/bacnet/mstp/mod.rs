//! BACnet over a serial line: MS/TP, master-slave/token-passing (ASHRAE 135, clause 9), as machines without I/O. `frame`
//! is what stands on the wire, with its checksums in `crc` and, for the long ones, its stuffing in `cobs`; `receiver`
//! finds frames in a stream of octets; `node` is a master among others, whose way with the token is in `token`.

mod cobs;
mod crc;
mod frame;
mod node;
mod queue;
mod receiver;
mod settings;
mod token;

pub use frame::{BROADCAST, Frame, FrameType, MAX_DATA, MAX_LONG_DATA};
pub use node::{Event, Node, Npdu};
pub use queue::Refused;
pub use receiver::{Damage, Heard, Receiver};
pub use settings::{Counts, Settings};
