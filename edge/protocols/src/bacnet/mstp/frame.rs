//! A frame of MS/TP (ASHRAE 135, clause 9.3): preamble, type, two addresses, length and the header's CRC, then data with
//! theirs. Data that do not fit a common frame go in a long one, whose types are others (clause 9.3.2).

use super::{cobs, crc};

/// The address of all stations.
pub const BROADCAST: u8 = 255;
/// The most octets of data in a common frame.
pub const MAX_DATA: usize = 501;
/// The most octets of data in a long frame.
pub const MAX_LONG_DATA: usize = 1497;

pub const PREAMBLE: [u8; 2] = [0x55, 0xFF];
/// Octets of a header behind the preamble, its CRC among them.
pub const HEADER: usize = 6;
/// The longest that stands behind a header: long data, stuffed, and their CRC.
pub const LONGEST: usize = MAX_LONG_DATA + MAX_LONG_DATA / 254 + 1 + cobs::CRC_LEN;

const LONG_EXPECTING_REPLY: u8 = 32;
const LONG_NOT_EXPECTING_REPLY: u8 = 33;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FrameType {
    Token,
    PollForMaster,
    ReplyToPollForMaster,
    TestRequest,
    TestResponse,
    /// An NPDU whose sender waits for the answer before it passes the token on; in a common or in a long frame.
    DataExpectingReply,
    DataNotExpectingReply,
    ReplyPostponed,
    /// Reserved, or of a vendor.
    Other(u8),
}

impl FrameType {
    pub const fn of(code: u8) -> Self {
        match code {
            0 => Self::Token,
            1 => Self::PollForMaster,
            2 => Self::ReplyToPollForMaster,
            3 => Self::TestRequest,
            4 => Self::TestResponse,
            5 | LONG_EXPECTING_REPLY => Self::DataExpectingReply,
            6 | LONG_NOT_EXPECTING_REPLY => Self::DataNotExpectingReply,
            7 => Self::ReplyPostponed,
            other => Self::Other(other),
        }
    }

    const fn code(self, long: bool) -> u8 {
        match self {
            Self::Token => 0,
            Self::PollForMaster => 1,
            Self::ReplyToPollForMaster => 2,
            Self::TestRequest => 3,
            Self::TestResponse => 4,
            Self::DataExpectingReply if long => LONG_EXPECTING_REPLY,
            Self::DataExpectingReply => 5,
            Self::DataNotExpectingReply if long => LONG_NOT_EXPECTING_REPLY,
            Self::DataNotExpectingReply => 6,
            Self::ReplyPostponed => 7,
            Self::Other(code) => code,
        }
    }

    /// Whether the data of a type are stuffed (clause 9.3.1: 32 to 127).
    pub const fn is_long(code: u8) -> bool {
        matches!(code, 32..=127)
    }

    const fn carries_npdu(self) -> bool {
        matches!(self, Self::DataExpectingReply | Self::DataNotExpectingReply)
    }
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Frame {
    pub kind: FrameType,
    pub destination: u8,
    pub source: u8,
    pub data: Vec<u8>,
}

impl Frame {
    /// A frame without data.
    pub const fn bare(kind: FrameType, destination: u8, source: u8) -> Self {
        Self { kind, destination, source, data: Vec::new() }
    }

    /// Its octets on the wire. NPDUs above `MAX_DATA` go in a long frame; nobody hands in more than `MAX_LONG_DATA`.
    pub fn encode(&self) -> Vec<u8> {
        let long = self.kind.carries_npdu() && self.data.len() > MAX_DATA;
        let tail = match self.data.as_slice() {
            [] => Vec::new(),
            data if long => cobs::encode(data),
            data => [data, &crc::data(data).to_le_bytes()].concat(),
        };
        // A long frame's length is such that a station that knows nothing of them skips it whole.
        let [high, low] = (tail.len().saturating_sub(2) as u16).to_be_bytes();
        let header = [self.kind.code(long), self.destination, self.source, high, low];
        let check = [crc::header(&header)];
        [&PREAMBLE, header.as_slice(), &check, &tail].concat()
    }
}
