//! A frame: 68, address, 68, control code, length, data, sum, 16. The data are sent with 33 added to each byte; here
//! they are as they are meant. Who hears a line scans for frames, for bytes FE come before them, a 68 may come twice,
//! and a transceiver may hear itself.

use super::address::Address;
use crate::scan::{At, Look};

const START: u8 = 0x68;
const END: u8 = 0x16;
const SHIFT: u8 = 0x33;
/// Everything but the data.
pub(super) const AROUND: usize = 12;
/// The longest frame: the length is one byte.
pub const MAX_FRAME: usize = AROUND + 255;

/// One frame without its envelope.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    pub address: Address,
    pub control: u8,
    /// At most 255 bytes.
    pub data: Vec<u8>,
}

/// What control codes say besides the function.
pub(super) const FROM_METER: u8 = 0x80;
pub(super) const REFUSES: u8 = 0x40;
pub(super) const MORE: u8 = 0x20;
pub(super) const FUNCTION: u8 = 0x1F;

impl Frame {
    /// The bytes on the wire, without what wakes the meter.
    pub fn bytes(&self) -> Vec<u8> {
        let mut bytes = Vec::with_capacity(AROUND + self.data.len());
        bytes.push(START);
        bytes.extend(self.address.wire());
        bytes.push(START);
        bytes.push(self.control);
        let data = self.data.get(..255).unwrap_or(&self.data);
        bytes.push(data.len() as u8);
        bytes.extend(data.iter().map(|byte| byte.wrapping_add(SHIFT)));
        bytes.push(sum(&bytes));
        bytes.push(END);
        bytes
    }
}

fn sum(bytes: &[u8]) -> u8 {
    bytes.iter().fold(0, |sum, byte| sum.wrapping_add(*byte))
}

/// How these frames look to whoever scans for them.
pub(super) const LOOK: Look<Frame> = Look { at: frame_at, head: 8, longest: MAX_FRAME };

/// What begins at the first of the bytes.
pub fn frame_at(bytes: &[u8]) -> At<Frame> {
    let starts = |i: usize| bytes.get(i).is_none_or(|byte| *byte == START);
    if bytes.is_empty() || !starts(0) || !starts(7) {
        return At::Nothing;
    }
    let [_, a0, a1, a2, a3, a4, a5, _, control, len, rest @ ..] = bytes else { return At::Begins };
    let len = usize::from(*len);
    let (Some(data), Some(tail)) = (rest.get(..len), rest.get(len..len + 2)) else { return At::Begins };
    let [stated, END] = *tail else { return At::Nothing };
    if bytes.get(..10 + len).map(sum) != Some(stated) {
        return At::Damaged;
    }
    let data = data.iter().map(|byte| byte.wrapping_sub(SHIFT)).collect();
    let address = Address::new([*a0, *a1, *a2, *a3, *a4, *a5]);
    At::Frame(Frame { address, control: *control, data }, AROUND + len)
}
