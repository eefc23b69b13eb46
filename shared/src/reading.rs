//! A reading: what a point was at an instant, and how far that may be trusted.
//! A value without its quality and its instant never leaves this product.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::id::PointNo;
use crate::time::Timestamp;

/// What was read. Flags are 0 and 1, enumerations are their code: the point's definition says how to show them.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Value {
    Number(f64),
    Text(String),
}

impl Value {
    pub fn as_number(&self) -> Option<f64> {
        match self {
            Self::Number(n) => Some(*n),
            Self::Text(_) => None,
        }
    }
}

/// How far a reading may be trusted, and if not, why.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Quality {
    Good,
    /// Older than its point allows: set by whoever shows it, never stored.
    Stale,
    /// The device says itself that it has no value (a sentinel of its register map).
    NoValue,
    /// The bytes came, but they are no value of this type (a BCD digit above nine, NaN, infinity).
    Undecodable,
    /// The device did not answer.
    NoReply,
    /// An answer came that cannot be believed: check sum, length, address or function.
    BadReply,
    /// The line itself is down: port missing, connection refused.
    LineDown,
    /// The value came, and lies outside of what the point can be.
    OutOfRange,
    /// The value came, and changed faster than the point can.
    TooFast,
    /// The value came, and has been exactly the same for too long to be measured.
    Stuck,
    /// A counter jumped, and what it means is not known yet: the value is kept back.
    HeldBack,
    /// The device answered with a Modbus exception (MODBUS Application Protocol V1.1b3, clause 7).
    Refused(u8),
}

impl Quality {
    pub const fn is_good(self) -> bool {
        matches!(self, Self::Good)
    }

    /// One byte for wire and store: 0 to 10 as listed, 0x10 plus the exception code for a refusal.
    pub const fn code(self) -> u8 {
        match self {
            Self::Good => 0,
            Self::Stale => 1,
            Self::NoValue => 2,
            Self::Undecodable => 3,
            Self::NoReply => 4,
            Self::BadReply => 5,
            Self::LineDown => 6,
            Self::OutOfRange => 7,
            Self::TooFast => 8,
            Self::Stuck => 9,
            Self::HeldBack => 10,
            Self::Refused(e) => 0x10 | (e & 0x0f),
        }
    }

    /// The quality of a code; an unknown code is of no good quality, whatever a newer peer meant by it.
    pub const fn from_code(code: u8) -> Self {
        match code {
            0 => Self::Good,
            1 => Self::Stale,
            2 => Self::NoValue,
            4 => Self::NoReply,
            5 => Self::BadReply,
            6 => Self::LineDown,
            7 => Self::OutOfRange,
            8 => Self::TooFast,
            9 => Self::Stuck,
            10 => Self::HeldBack,
            0x10..=0x1f => Self::Refused(code & 0x0f),
            _ => Self::Undecodable,
        }
    }

    /// The word that the API and the logs use.
    pub const fn word(self) -> &'static str {
        match self {
            Self::Good => "good",
            Self::Stale => "stale",
            Self::NoValue => "no_value",
            Self::Undecodable => "undecodable",
            Self::NoReply => "no_reply",
            Self::BadReply => "bad_reply",
            Self::LineDown => "line_down",
            Self::OutOfRange => "out_of_range",
            Self::TooFast => "too_fast",
            Self::Stuck => "stuck",
            Self::HeldBack => "held_back",
            Self::Refused(_) => "refused",
        }
    }
}

impl fmt::Display for Quality {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Refused(e) => write!(f, "refused (exception {e})"),
            q => f.write_str(q.word()),
        }
    }
}

impl Serialize for Quality {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.serialize_u8(self.code())
    }
}

impl<'de> Deserialize<'de> for Quality {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        u8::deserialize(d).map(Self::from_code)
    }
}

/// One reading of one point. `value` is absent when there is none to show; `quality` then says why.
#[derive(Clone, Debug, PartialEq)]
pub struct Reading {
    pub point: PointNo,
    /// The instant of the poll on its grid.
    pub at: Timestamp,
    pub value: Option<Value>,
    pub quality: Quality,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_quality_comes_back_from_its_code() {
        for code in 0..=0x1f {
            let q = Quality::from_code(code);
            if q != Quality::Undecodable {
                assert_eq!(q.code(), code);
            }
        }
        assert_eq!(Quality::from_code(200), Quality::Undecodable);
    }
}
