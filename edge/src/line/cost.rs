//! What questions cost on a wire, by what the gateway's file says of it. The planner and the line's load stand on it.

use std::time::Duration;

use steward_protocols::character::{Character, Parity};
use steward_protocols::cost::Cost;
use steward_protocols::modbus::frame_gap;
use steward_shared::profile::Framing;

use crate::config::WireConfig;

/// What a device takes until more is known of it.
const USUAL_SERIAL: Duration = Duration::from_millis(20);
const USUAL_TCP: Duration = Duration::from_millis(5);
/// The line behind a transparent converter is taken for one of this kind: how fast it is, nobody tells.
const BEHIND: Character = Character::new(9600, 8, Parity::Even, 1);

/// A question to a device that takes `turnaround`, where that is known.
pub fn cost(wire: &WireConfig, turnaround: Option<Duration>) -> Cost {
    match wire {
        WireConfig::Serial(serial) => {
            let gap = serial.gap.unwrap_or_else(|| frame_gap(serial.character.baud));
            let cost = Cost::serial(serial.character, gap, turnaround.unwrap_or(USUAL_SERIAL));
            match serial.framing {
                // Two characters a byte, and the frames' own are as many again.
                Framing::Ascii => {
                    Cost { question: cost.question + serial.character.time() * 16, byte: cost.byte * 2 }
                }
                Framing::Rtu | Framing::Tcp => cost,
            }
        }
        WireConfig::Tcp { framing: Framing::Tcp, .. } => Cost::tcp(turnaround.unwrap_or(USUAL_TCP)),
        // The time of its answers on the line behind is in their turnaround.
        WireConfig::Tcp { framing: Framing::Rtu | Framing::Ascii, .. } => {
            Cost::serial(BEHIND, frame_gap(BEHIND.baud), USUAL_SERIAL)
        }
    }
}
