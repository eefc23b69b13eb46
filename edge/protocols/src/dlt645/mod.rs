//! DL/T 645, the language of electricity meters in China, in both its editions: reading data items and what follows
//! them, the meter's address, writing, the clock and freezing for all.
//!
//! Sources: DL/T 645-2007 and DL/T 645-1997, multi-function watt-hour meter communication protocol. Their figures are
//! those of independent programs and captures, which stand beside the golden frames in `frames/dlt645.txt`.

mod address;
mod device;
mod exchange;
mod frame;
mod plan;
mod refusal;
mod request;
mod sample;
pub(crate) mod span;

pub use address::Address;
pub use device::Meter;
pub use exchange::Decoder;
pub use frame::{Frame, MAX_FRAME, frame_at};
pub use plan::{Ask, plan};
pub use refusal::refusal;
pub use request::{Dialect, Instant, Request, RequestFault};
pub use sample::{read_sample, sample_answer};
