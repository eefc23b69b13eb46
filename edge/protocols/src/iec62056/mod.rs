//! IEC 62056-21, the readout by characters that meters of electricity and heat give at their optical port: sign-on at
//! 300 baud, identification, change to the offered rate, one block of data sets with a check character. A meter shows by
//! its identification in which way it goes on: by mode C after an acknowledgement, by mode B on its own, by mode A at the
//! rate that it began with.
//!
//! Source: IEC 62056-21 (2002), clauses 5 and 6. Their figures are those of captures and independent programs, which
//! stand beside the golden frames in `frames/iec62056.txt`.

mod address;
mod device;
mod exchange;
mod frame;
mod plan;
mod readout;
mod sample;

pub use address::{Address, AddressFault};
pub use device::Meter;
pub use exchange::{Decoder, Dialect};
pub use frame::{Identification, Message, check_character, message_at};
pub(crate) use plan::bytes;
pub use plan::{Ask, plan};
pub use readout::{Sent, data_sets};
pub use sample::{read_sample, sample_answer};
