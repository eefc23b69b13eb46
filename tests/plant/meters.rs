//! Meters that are no Modbus devices: what they say on a serial line in DL/T 645 and CJ/T 188, and how a broken one spoils
//! it. The house calls it with frames as they were heard.

use std::time::Duration;

use steward_protocols::modbus::device::Spoilt;
use steward_protocols::question::Address;
use steward_protocols::scan::first_frame;
use steward_protocols::{cjt188, dlt645};
use steward_shared::profile::{PointDef, Profile};
use steward_shared::reading::Value;

/// How long a meter takes before it answers (DL/T 645: 20 to 500 ms).
pub const TURNAROUND: Duration = Duration::from_millis(40);

/// Whether it is a frame of one of these languages.
pub fn is_whole(frame: &[u8]) -> bool {
    first_frame(frame, dlt645::frame_at).is_some() || first_frame(frame, cjt188::frame_at).is_some()
}

/// Whether a frame is for the meter of this address.
pub fn is_meant(own: Address, frame: &[u8]) -> bool {
    match own {
        Address::Dlt645(own) => first_frame(frame, dlt645::frame_at).is_some_and(|f| f.address.means(own)),
        Address::Cjt188(own) => first_frame(frame, cjt188::frame_at).is_some_and(|f| f.address.means(own)),
        _ => false,
    }
}

/// What a meter says; where it is broken so, its refusal.
pub fn answer(
    profile: &Profile,
    own: Address,
    frame: &[u8],
    refused: Option<u8>,
    show: impl FnMut(&PointDef) -> Option<Value>,
) -> Option<Vec<u8>> {
    match (own, refused) {
        (Address::Dlt645(own), None) => dlt645::Meter::new(profile, own)?.answer(frame, show),
        (Address::Cjt188(own), None) => cjt188::Meter::new(profile, own)?.answer(frame, show),
        (Address::Dlt645(address), Some(code)) => {
            let asked = first_frame(frame, dlt645::frame_at)?;
            Some(dlt645::Frame { address, control: asked.control | 0xC0, data: vec![code] }.bytes())
        }
        (Address::Cjt188(address), Some(code)) => {
            let asked = first_frame(frame, cjt188::frame_at)?;
            let data = vec![asked.data.last().copied().unwrap_or_default(), code, 0];
            Some(cjt188::Frame { address, control: asked.control | 0xC0, data, ..asked }.bytes())
        }
        _ => None,
    }
}

/// Spoils an answer in one way.
pub fn spoil(mut bytes: Vec<u8>, how: Option<Spoilt>) -> Vec<u8> {
    let start = bytes.iter().position(|b| *b == 0x68).unwrap_or(0);
    let last = bytes.len().saturating_sub(2);
    let length = start + if bytes.get(start + 7) == Some(&0x68) { 9 } else { 10 };
    let mut raise = |at: usize| {
        // The sum is of all bytes before it: it holds again.
        for place in [at, last] {
            if let Some(byte) = bytes.get_mut(place) {
                *byte = byte.wrapping_add(1);
            }
        }
    };
    match how {
        None => {}
        // A byte of the address that both languages have.
        Some(Spoilt::Foreign) => raise(start + 3),
        // The length: in the tenth byte of one language and the eleventh of the other; then the end is missed.
        Some(Spoilt::Count) => raise(length),
        Some(Spoilt::CheckSum) => raise(last),
        Some(Spoilt::Short) => bytes.truncate(bytes.len().saturating_sub(3)),
    }
    bytes
}
