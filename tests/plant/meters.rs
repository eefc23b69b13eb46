//! Meters of the plant that are no Modbus devices: which of them a frame is for. What they say is the simulator's. The house
//! calls it with frames as they were heard.

use std::time::Duration;

use steward_protocols::question::Address;
use steward_protocols::scan::first_frame;
use steward_protocols::{cjt188, dlt645};

pub use steward_edge::lab::meters::{answer, is_whole, spoil};

/// How long a meter takes before it answers (DL/T 645: 20 to 500 ms).
pub const TURNAROUND: Duration = Duration::from_millis(40);

/// Whether a frame is for the meter of this address.
pub fn is_meant(own: Address, frame: &[u8]) -> bool {
    match own {
        Address::Dlt645(own) => first_frame(frame, dlt645::frame_at).is_some_and(|f| f.address.means(own)),
        Address::Cjt188(own) => first_frame(frame, cjt188::frame_at).is_some_and(|f| f.address.means(own)),
        _ => false,
    }
}
