//! CJ/T 188, the language of water, heat and gas meters in China: reading data items and the meter's address. Whatever
//! meters of one standard do in different ways (the order of an item's bytes, what stands where, in which unit) the
//! profile says.
//!
//! Sources: CJ/T 188-2004 and -2018, transmission of household meters. Their figures are those of independent programs
//! and captures, which stand beside the golden frames in `frames/cjt188.txt`.

mod address;
mod device;
mod exchange;
mod frame;
mod plan;
mod request;
mod sample;
pub(crate) mod span;
mod unit;

pub use address::Address;
pub use device::Meter;
pub use exchange::Decoder;
pub use frame::{Frame, MAX_FRAME, frame_at};
pub use plan::{Ask, plan};
pub use request::{Dialect, Request};
pub use sample::{read_sample, sample_answer};
pub use unit::Unit;
