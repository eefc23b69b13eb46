//! IEC 62056-21 in a profile: how a meter is woken and how fast it is read, and in which data set of its readout each
//! point stands. A data set says its unit itself, which is brought to the point's.

use super::definition::Place;
use super::field::bits;
use super::language::{Form, Placed};
use crate::document::Table as Fields;

/// What a meter that is read by IEC 62056-21 bears.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Iec62056 {
    /// Characters NUL before each request, 0 to 255: they wake a meter that runs on a battery.
    pub wake_up: u8,
    /// No faster than this, whatever the meter offers: 300 to 19200.
    pub max_baud: u32,
    /// Most bytes of a readout, 64 to 65535.
    pub bytes: u16,
}

/// Where a point stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DataSet {
    /// The code in front of the brackets, as the meter sends it: `1.8.0`, `1-0:1.8.0*255`, `6.26*01`.
    pub code: String,
    /// Which of the values behind it, the first is 1: those of several brackets, and those that & parts, count on.
    pub value: u8,
    pub data: ValueType,
}

/// What a value's characters are made into.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum ValueType {
    Number,
    /// Bit `n` of hexadecimal digits, 0 the lowest.
    Bit {
        n: u8,
    },
    /// `len` bits from bit `from` of hexadecimal digits, as an unsigned number.
    Bits {
        from: u8,
        len: u8,
    },
    Text,
}

/// The rates of mode C (IEC 62056-21, 6.3.14).
const RATES: [u32; 7] = [300, 600, 1200, 2400, 4800, 9600, 19_200];
/// Most characters of a code that a file may name.
const LONGEST_CODE: usize = 32;

pub(super) fn limits(fields: &Fields<'_>) -> Iec62056 {
    let max_baud = fields.or("max_baud", 19_200_u32);
    if !RATES.contains(&max_baud) {
        let known = RATES.map(|rate| rate.to_string()).join(", ");
        let way_out = format!("take one of {known}");
        fields.fault("max_baud", format!("a meter is not read at {max_baud} baud"), way_out);
    }
    Iec62056 {
        wake_up: fields.within_or("wake_up", 0..=255, 0),
        max_baud,
        bytes: fields.within_or("bytes", 64..=65_535, 4096),
    }
}

#[derive(Clone, Copy)]
enum TypeWord {
    Number,
    Bit,
    Bits,
    Text,
}

pub(super) fn place(fields: &Fields<'_>) -> Placed {
    let code = fields.required::<String>("obis").filter(|code| {
        let plain = |c: char| c.is_ascii_graphic() && !matches!(c, '(' | ')' | '!' | '/');
        let good = !code.is_empty() && code.len() <= LONGEST_CODE && code.chars().all(plain);
        if !good {
            let way_out = "write it as the meter sends it, like \"1.8.0\" or \"1-0:1.8.0*255\"";
            fields.fault("obis", format!("\"{code}\" is no code of a data set"), way_out);
        }
        good
    });
    let value = fields.within_or("value", 1..=64, 1_u8);
    let data = data(fields);
    let form = data.map(|data| match data {
        ValueType::Number => Form::Whole { bits: 64 },
        ValueType::Bit { .. } => Form::Bit,
        ValueType::Bits { len, .. } => Form::Whole { bits: u32::from(len) },
        ValueType::Text => Form::Text,
    });
    let (Some(code), Some(data)) = (code, data) else { return Placed { place: None, form } };
    Placed { place: Some(Place::Iec62056(DataSet { code, value, data })), form }
}

fn data(fields: &Fields<'_>) -> Option<ValueType> {
    let types = [
        ("number", TypeWord::Number),
        ("bit", TypeWord::Bit),
        ("bits", TypeWord::Bits),
        ("string", TypeWord::Text),
    ];
    Some(match fields.word_or("type", &types, TypeWord::Number) {
        TypeWord::Number => ValueType::Number,
        TypeWord::Text => ValueType::Text,
        TypeWord::Bit => ValueType::Bit { n: fields.within("bit", 0..=63)? },
        TypeWord::Bits => {
            let (from, len) = bits(fields)?;
            ValueType::Bits { from, len }
        }
    })
}
