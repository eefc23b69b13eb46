//! What questions cost on a wire, by what the gateway's file says of it. The planner and the line's load stand on it.

use std::time::Duration;

use steward_protocols::character::{Character, Parity};
use steward_protocols::cost::Cost;
use steward_protocols::question::frame_gap;
use steward_shared::profile::{Framing, Language, Pace, Profile};

use crate::config::{DeviceConfig, WireConfig};

/// What a device takes until more is known of it.
const USUAL_SERIAL: Duration = Duration::from_millis(20);
const USUAL_TCP: Duration = Duration::from_millis(5);
/// Silence before a frame to a transparent converter, at least.
const TRANSPARENT_GAP: Duration = Duration::from_millis(5);
/// The line behind a transparent converter is taken for one of this kind: how fast it is, nobody tells.
const BEHIND: Character = Character::new(9600, 8, Parity::Even, 1);

/// How many bytes more the frames of meters have of their own than those of Modbus RTU: what wakes the receivers, and
/// longer heads.
const METER_FRAMES: u32 = 30;

/// Characters of a sign-on, an identification and an acknowledgement of IEC 62056-21, which go at 300 baud.
const SIGN_ON: u32 = 32;
/// The rate that most meters offer for their data.
const OFFERED: u32 = 9600;

/// How somebody wants to be asked.
#[derive(Clone, Copy, Debug)]
pub struct Manner<'a> {
    pub language: &'a Language,
    pub pace: &'a Pace,
    /// How the port is set, where otherwise than for the others.
    pub character: Option<Character>,
}

impl<'a> From<&'a DeviceConfig> for Manner<'a> {
    fn from(device: &'a DeviceConfig) -> Self {
        Self { character: device.character, ..Self::from(&*device.profile) }
    }
}

impl<'a> From<&'a Profile> for Manner<'a> {
    fn from(profile: &'a Profile) -> Self {
        Self { language: &profile.language, pace: &profile.pace, character: None }
    }
}

/// How the port is set for a device, and the silence that is kept before it is asked.
pub fn port_for(wire: &WireConfig, manner: Manner<'_>) -> (Option<Character>, Duration) {
    match wire {
        WireConfig::Serial(serial) => {
            let character = manner.character.unwrap_or(serial.character);
            (Some(character), serial.gap.unwrap_or_else(|| frame_gap(manner.language, character.baud)))
        }
        WireConfig::Tcp { framing: Framing::Tcp, .. }
        | WireConfig::Bacnet(_)
        | WireConfig::Mstp(_)
        | WireConfig::Mqtt(_) => (None, Duration::ZERO),
        WireConfig::Listen(_) | WireConfig::Tcp { .. } => {
            (None, TRANSPARENT_GAP.max(frame_gap(manner.language, BEHIND.baud)))
        }
    }
}

/// A question to a device that takes `turnaround`, where that is known.
pub fn cost<'a>(wire: &WireConfig, manner: impl Into<Manner<'a>>, turnaround: Option<Duration>) -> Cost {
    let manner = manner.into();
    let (character, gap) = port_for(wire, manner);
    match wire {
        WireConfig::Serial(serial) => {
            let character = character.unwrap_or(serial.character);
            let cost = Cost::serial(character, gap, turnaround.unwrap_or(USUAL_SERIAL));
            match (manner.language, serial.framing) {
                (Language::Dlt645(_) | Language::Cjt188(_), _) => {
                    Cost { question: cost.question + character.time() * METER_FRAMES, ..cost }
                }
                // The meter is reset or selected first, which is a question of its own.
                (Language::Mbus(_), _) => Cost { question: cost.question * 2, ..cost },
                (Language::Iec62056(limits), _) => {
                    let at = |baud| Character::new(baud, 7, Parity::Even, 1).time();
                    let first = at(300) * (SIGN_ON + u32::from(limits.wake_up));
                    Cost { question: first + cost.question * 2, byte: at(limits.max_baud.min(OFFERED)) }
                }
                // Two characters a byte, and the frames' own are as many again.
                (Language::Modbus(_), Framing::Ascii) => {
                    Cost { question: cost.question + character.time() * 16, byte: cost.byte * 2 }
                }
                (Language::Modbus(_), Framing::Rtu | Framing::Tcp)
                | (Language::Bacnet(_) | Language::Mqtt(_), _) => cost,
            }
        }
        WireConfig::Tcp { framing: Framing::Tcp, .. }
        | WireConfig::Bacnet(_)
        | WireConfig::Mstp(_)
        | WireConfig::Mqtt(_) => Cost::tcp(turnaround.unwrap_or(USUAL_TCP)),
        // The time of its answers on the line behind is in their turnaround.
        WireConfig::Listen(_) | WireConfig::Tcp { framing: Framing::Rtu | Framing::Ascii, .. } => {
            Cost::serial(BEHIND, gap, USUAL_SERIAL)
        }
    }
}
