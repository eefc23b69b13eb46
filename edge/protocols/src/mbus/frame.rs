//! Frames of the link (EN 13757-2, format class FT 1.2): the single byte E5, the short frame of five bytes, and the long
//! one with its length twice.

use crate::scan::{At, Look};

/// All is well, and nothing more.
pub const ACK: u8 = 0xE5;
const SHORT: u8 = 0x10;
const LONG: u8 = 0x68;
const END: u8 = 0x16;
/// The longest frame: the length is one byte and counts from the control field to the last byte of data.
pub const MAX_FRAME: usize = 255 + 6;

/// Control fields of the master.
pub const SND_NKE: u8 = 0x40;
pub const SND_UD: u8 = 0x53;
pub const REQ_UD2: u8 = 0x5B;
/// The frame count bit, which changes from one question to the next.
pub const FCB: u8 = 0x20;
/// Control field of an answer; a meter may set ACD and DFC.
pub const RSP_UD: u8 = 0x08;
pub const ACD_DFC: u8 = 0x30;

/// The address of whichever meter is selected.
pub const SELECTED: u8 = 0xFD;

/// A long frame without its envelope.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    pub control: u8,
    pub address: u8,
    pub information: u8,
    /// At most 252 bytes.
    pub data: Vec<u8>,
}

impl Frame {
    pub fn bytes(&self) -> Vec<u8> {
        let data = self.data.get(..252).unwrap_or(&self.data);
        let len = data.len() as u8 + 3;
        let mut bytes = vec![LONG, len, len, LONG, self.control, self.address, self.information];
        bytes.extend(data);
        let sum = sum(bytes.get(4..).unwrap_or_default());
        bytes.extend([sum, END]);
        bytes
    }
}

/// A short frame.
pub fn short(control: u8, address: u8) -> Vec<u8> {
    vec![SHORT, control, address, control.wrapping_add(address), END]
}

/// The control field and address of a short frame that these bytes are.
pub fn short_frame(bytes: &[u8]) -> Option<(u8, u8)> {
    match *bytes {
        [SHORT, control, address, sum, END] if control.wrapping_add(address) == sum => {
            Some((control, address))
        }
        _ => None,
    }
}

fn sum(bytes: &[u8]) -> u8 {
    bytes.iter().fold(0, |sum, byte| sum.wrapping_add(*byte))
}

pub(super) const LOOK: Look<Frame> = Look { at: frame_at, head: 4, longest: MAX_FRAME };

/// What begins at the first of the bytes.
pub fn frame_at(bytes: &[u8]) -> At<Frame> {
    if bytes.first() != Some(&LONG) {
        return At::Nothing;
    }
    let [_, len, again, start, rest @ ..] = bytes else { return At::Begins };
    if len != again || *start != LONG || *len < 3 {
        return At::Nothing;
    }
    let len = usize::from(*len);
    let (Some(body), Some(tail)) = (rest.get(..len), rest.get(len..len + 2)) else { return At::Begins };
    let [stated, END] = *tail else { return At::Nothing };
    if sum(body) != stated {
        return At::Damaged;
    }
    let [control, address, information, data @ ..] = body else { return At::Nothing };
    let frame =
        Frame { control: *control, address: *address, information: *information, data: data.to_vec() };
    At::Frame(frame, len + 6)
}
