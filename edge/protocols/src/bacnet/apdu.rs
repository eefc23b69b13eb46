//! The application layer's eight kinds of message (ASHRAE 135, clause 20.1): headers only, the services' content is
//! in `service`. Called by the client for each message that comes or goes.

use super::object::ServiceError;
use super::tag::{Fault, Reader, unsigned32};

/// The longest APDU that fits BACnet/IP.
pub const MAX_APDU: u16 = 1476;
/// The longest answer that whoever asks can take: what each code means (clause 20.1.2.5).
const TAKEN: [u16; 6] = [50, 128, 206, 480, 1024, MAX_APDU];
/// More than 64 segments are taken (clause 20.1.2.4).
const ANY_SEGMENTS: u8 = 7 << 4;

const SEGMENTED: u8 = 0x08;
const MORE: u8 = 0x04;
const SEGMENTED_RESPONSE: u8 = 0x02;
const NEGATIVE: u8 = 0x02;
const SERVER: u8 = 0x01;

/// Where a segment stands in its message.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Segment {
    pub sequence: u8,
    pub window: u8,
    pub more: bool,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Apdu<'a> {
    /// A request that wants an answer. Ours are never segmented.
    Confirmed {
        invoke: u8,
        segment: Option<Segment>,
        /// The longest message that the sender takes, in bytes.
        takes: u16,
        service: u8,
        data: &'a [u8],
    },
    Unconfirmed {
        service: u8,
        data: &'a [u8],
    },
    SimpleAck {
        invoke: u8,
        service: u8,
    },
    ComplexAck {
        invoke: u8,
        segment: Option<Segment>,
        service: u8,
        data: &'a [u8],
    },
    SegmentAck {
        negative: bool,
        server: bool,
        invoke: u8,
        sequence: u8,
        window: u8,
    },
    Error {
        invoke: u8,
        service: u8,
        data: &'a [u8],
    },
    Reject {
        invoke: u8,
        reason: u8,
    },
    Abort {
        server: bool,
        invoke: u8,
        reason: u8,
    },
}

fn segment(reader: &mut Reader<'_>, head: u8) -> Result<Option<Segment>, Fault> {
    if head & SEGMENTED == 0 {
        return Ok(None);
    }
    let (sequence, window) = (reader.byte()?, reader.byte()?);
    if !matches!(window, 1..=127) {
        return Err(Fault::Reserved(window));
    }
    Ok(Some(Segment { sequence, window, more: head & MORE != 0 }))
}

impl<'a> Apdu<'a> {
    pub fn decode(bytes: &'a [u8]) -> Result<Self, Fault> {
        let mut reader = Reader::new(bytes);
        let head = reader.byte()?;
        Ok(match head >> 4 {
            0 => {
                let code = usize::from(reader.byte()? & 0x0F);
                let takes = TAKEN.get(code).copied().unwrap_or(MAX_APDU);
                let invoke = reader.byte()?;
                let segment = segment(&mut reader, head)?;
                Self::Confirmed { invoke, segment, takes, service: reader.byte()?, data: reader.rest() }
            }
            1 => Self::Unconfirmed { service: reader.byte()?, data: reader.rest() },
            2 => Self::SimpleAck { invoke: reader.byte()?, service: reader.byte()? },
            3 => {
                let invoke = reader.byte()?;
                let segment = segment(&mut reader, head)?;
                Self::ComplexAck { invoke, segment, service: reader.byte()?, data: reader.rest() }
            }
            4 => Self::SegmentAck {
                negative: head & NEGATIVE != 0,
                server: head & SERVER != 0,
                invoke: reader.byte()?,
                sequence: reader.byte()?,
                window: reader.byte()?,
            },
            5 => Self::Error { invoke: reader.byte()?, service: reader.byte()?, data: reader.rest() },
            6 => Self::Reject { invoke: reader.byte()?, reason: reader.byte()? },
            7 => Self::Abort { server: head & SERVER != 0, invoke: reader.byte()?, reason: reader.byte()? },
            _ => return Err(Fault::Reserved(head)),
        })
    }

    pub fn encode(self) -> Vec<u8> {
        let mut out = Vec::with_capacity(8);
        let with_segment = |out: &mut Vec<u8>, segment: Option<Segment>| {
            if let Some(segment) = segment {
                out.extend([segment.sequence, segment.window]);
            }
        };
        let flags = |segment: Option<Segment>| match segment {
            Some(Segment { more: true, .. }) => SEGMENTED | MORE,
            Some(_) => SEGMENTED,
            None => 0,
        };
        match self {
            Self::Confirmed { invoke, segment, takes, service, data } => {
                let code = TAKEN.iter().rposition(|size| *size <= takes).unwrap_or(0) as u8;
                out.extend([flags(segment) | SEGMENTED_RESPONSE, ANY_SEGMENTS | code, invoke]);
                with_segment(&mut out, segment);
                out.push(service);
                out.extend(data);
            }
            Self::Unconfirmed { service, data } => {
                out.extend([1 << 4, service]);
                out.extend(data);
            }
            Self::SimpleAck { invoke, service } => out.extend([2 << 4, invoke, service]),
            Self::ComplexAck { invoke, segment, service, data } => {
                out.extend([3 << 4 | flags(segment), invoke]);
                with_segment(&mut out, segment);
                out.push(service);
                out.extend(data);
            }
            Self::SegmentAck { negative, server, invoke, sequence, window } => {
                let flags = if negative { NEGATIVE } else { 0 } | if server { SERVER } else { 0 };
                out.extend([4 << 4 | flags, invoke, sequence, window]);
            }
            Self::Error { invoke, service, data } => {
                out.extend([5 << 4, invoke, service]);
                out.extend(data);
            }
            Self::Reject { invoke, reason } => out.extend([6 << 4, invoke, reason]),
            Self::Abort { server, invoke, reason } => {
                out.extend([7 << 4 | if server { SERVER } else { 0 }, invoke, reason]);
            }
        }
        out
    }
}

/// The class and code of an error: plain (clause 21, Error), or first among others where a service has an error type of
/// its own (ChangeList-Error and its like put it into tag 0).
pub fn error_of(data: &[u8]) -> Result<ServiceError, Fault> {
    let mut reader = Reader::new(data);
    if reader.opens(0) {
        reader = reader.enclosed(0)?;
    }
    let class = unsigned32(reader.application(9)?)?;
    let code = unsigned32(reader.application(9)?)?;
    Ok(ServiceError { class, code })
}

/// Why a message was aborted (clause 21, BACnetAbortReason).
pub mod abort {
    pub const BUFFER_OVERFLOW: u8 = 1;
    pub const INVALID_IN_THIS_STATE: u8 = 2;
    pub const SEGMENTATION_NOT_SUPPORTED: u8 = 4;
    pub const TSM_TIMEOUT: u8 = 10;
    pub const APDU_TOO_LONG: u8 = 11;

    pub const fn word(reason: u8) -> &'static str {
        match reason {
            0 => "other",
            BUFFER_OVERFLOW => "buffer overflow",
            INVALID_IN_THIS_STATE => "invalid in this state",
            3 => "preempted by a task of higher priority",
            SEGMENTATION_NOT_SUPPORTED => "segmentation is not supported",
            5 => "security error",
            6 => "insufficient security",
            7 => "window size out of range",
            8 => "application exceeded reply time",
            9 => "out of resources",
            TSM_TIMEOUT => "timeout between segments",
            APDU_TOO_LONG => "message too long",
            _ => "of the vendor's own",
        }
    }
}

/// Why a request was rejected (clause 21, BACnetRejectReason).
pub mod reject {
    pub const BUFFER_OVERFLOW: u8 = 1;
    pub const TOO_MANY_ARGUMENTS: u8 = 7;
    pub const UNRECOGNIZED_SERVICE: u8 = 9;

    pub const fn word(reason: u8) -> &'static str {
        match reason {
            0 => "other",
            BUFFER_OVERFLOW => "buffer overflow",
            2 => "inconsistent parameters",
            3 => "invalid data type of a parameter",
            4 => "invalid tag",
            5 => "a parameter is missing",
            6 => "a parameter is out of range",
            TOO_MANY_ARGUMENTS => "too many arguments",
            8 => "undefined enumeration",
            UNRECOGNIZED_SERVICE => "the service is not known",
            _ => "of the vendor's own",
        }
    }
}
