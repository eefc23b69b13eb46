//! A frame: 68, the meter's type, address, control code, length, data, sum, 16. Who hears a line scans for frames, for
//! bytes FE come before them, and a transceiver may hear itself.

use super::address::Address;
use crate::scan::{At, Look};

const START: u8 = 0x68;
const END: u8 = 0x16;
/// Everything but the data.
pub(super) const AROUND: usize = 13;
/// The longest frame: the length is one byte.
pub const MAX_FRAME: usize = AROUND + 255;

pub(super) const FROM_METER: u8 = 0x80;
pub(super) const REFUSES: u8 = 0x40;
pub(super) const FUNCTION: u8 = 0x3F;

/// One frame without its envelope.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    pub meter: u8,
    pub address: Address,
    pub control: u8,
    /// At most 255 bytes.
    pub data: Vec<u8>,
}

impl Frame {
    /// The bytes on the wire, without what wakes the meter.
    pub fn bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(AROUND + self.data.len());
        bytes.extend([START, self.meter]);
        bytes.extend(self.address.wire());
        bytes.push(self.control);
        let data = self.data.get(..255).unwrap_or(&self.data);
        bytes.push(data.len() as u8);
        bytes.extend(data);
        bytes.push(sum(&bytes));
        bytes.push(END);
        bytes
    }
}

fn sum(bytes: &[u8]) -> u8 {
    bytes.iter().fold(0, |sum, byte| sum.wrapping_add(*byte))
}

/// How these frames look to whoever scans for them.
pub(super) const LOOK: Look<Frame> = Look { at: frame_at, head: 9, longest: MAX_FRAME };

/// What begins at the first of the bytes.
pub fn frame_at(bytes: &[u8]) -> At<Frame> {
    if bytes.first() != Some(&START) {
        return At::Nothing;
    }
    let [_, meter, a0, a1, a2, a3, a4, a5, a6, control, len, rest @ ..] = bytes else { return At::Begins };
    let len = usize::from(*len);
    let (Some(data), Some(tail)) = (rest.get(..len), rest.get(len..len + 2)) else { return At::Begins };
    let [stated, END] = *tail else { return At::Nothing };
    if bytes.get(..11 + len).map(sum) != Some(stated) {
        return At::Damaged;
    }
    let address = Address::new([*a0, *a1, *a2, *a3, *a4, *a5, *a6]);
    let frame = Frame { meter: *meter, address, control: *control, data: data.to_vec() };
    At::Frame(frame, AROUND + len)
}
