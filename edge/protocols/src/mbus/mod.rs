//! M-Bus over its two wires: reading meters by primary or secondary address, in as many telegrams as they send, and
//! searching a line for secondary addresses. Whoever asks, asks for all that a meter sends; which of its records a point
//! is, the profile says by their marks.
//!
//! Sources: EN 13757-2 (link), EN 13757-3 (records), EN 13757-7 (headers, selection); "The M-Bus: A Documentation" of
//! the M-Bus User Group, revision 4.8. What value information means is looked up in the crate m-bus-application-layer;
//! its decoding of data is not used, for it panics on a variable length of E0 and loses what stands behind a record
//! that it does not know.

mod address;
mod data;
mod device;
mod exchange;
mod fixed;
mod frame;
mod plan;
mod quantity;
mod record;
mod sample;
mod search;

pub use address::{Address, AddressFault, Identity, Mask};
pub use data::Data;
pub use device::Meter;
pub use exchange::{Decoder, Request, announces_more};
pub use frame::{ACK, FCB, Frame, MAX_FRAME, REQ_UD2, frame_at, short, short_frame};
pub(crate) use plan::bytes;
pub use plan::{Ask, plan};
pub use quantity::{Meaning, meaning, scaled, scaled_real, written};
pub use record::{HEADER, Record, records};
pub use sample::{read_sample, sample_answer};
pub use search::{Heard, Search};
