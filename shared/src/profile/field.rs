//! How a meter's answer holds a value: so many bytes behind so many others, the lowest byte first. DL/T 645 and
//! CJ/T 188 write all of theirs so.

use super::language::Form;
use crate::document::Table as Fields;

/// Where a value stands among the bytes of its data item, and how it is written there.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Field {
    /// Bytes of the item before it.
    pub at: u8,
    pub bytes: u8,
    pub data: FieldType,
}

/// How bytes become a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum FieldType {
    /// Two decimal digits a byte. Where it is signed, the highest bit is the sign of the number under it.
    Bcd { signed: bool },
    /// A whole number of two's powers.
    Binary,
    /// Bit `n`, 0 the lowest of the first byte.
    Bit { n: u8 },
    /// `len` bits from bit `from`, as an unsigned number.
    Bits { from: u8, len: u8 },
    /// Decimal digits as a text, the highest first: numbers of meters.
    Digits,
    /// Characters, the last one first on the wire.
    Text,
}

impl Field {
    /// The first byte behind it.
    pub const fn end(self) -> usize {
        self.at as usize + self.bytes as usize
    }

    pub(super) const fn form(self) -> Form {
        match self.data {
            FieldType::Bcd { .. } | FieldType::Binary => Form::Whole { bits: self.bytes as u32 * 8 },
            FieldType::Bit { .. } => Form::Bit,
            FieldType::Bits { len, .. } => Form::Whole { bits: len as u32 },
            FieldType::Digits | FieldType::Text => Form::Text,
        }
    }
}

#[derive(Clone, Copy)]
enum TypeWord {
    Bcd,
    Binary,
    Bit,
    Bits,
    Digits,
    Text,
}

const TYPES: [(&str, TypeWord); 6] = [
    ("bcd", TypeWord::Bcd),
    ("binary", TypeWord::Binary),
    ("bit", TypeWord::Bit),
    ("bits", TypeWord::Bits),
    ("digits", TypeWord::Digits),
    ("string", TypeWord::Text),
];

/// Reads `from` and `len` of a field of 64 bits.
pub(super) fn bits(fields: &Fields<'_>) -> Option<(u8, u8)> {
    let (from, len) = (fields.within("from", 0..=63_u8), fields.within("len", 1..=64_u8));
    let (from, len) = (from?, len?);
    if from + len > 64 {
        fields.fault("len", "the bits reach past 64", "from + len is at most 64");
        return None;
    }
    Some((from, len))
}

/// Reads `at`, `bytes`, `type` and what belongs to the type. `most` bytes has an item.
pub(super) fn field(fields: &Fields<'_>, most: u8) -> Option<Field> {
    let at = fields.within_or("at", 0..=most - 1, 0_u8);
    let bytes = fields.within("bytes", 1..=most);
    let word = fields.word_or("type", &TYPES, TypeWord::Bcd);
    let signed = matches!(word, TypeWord::Bcd) && fields.or("signed", false);
    let (bit, from, len) = match word {
        TypeWord::Bit => (fields.within::<u8>("bit", 0..=63), None, None),
        TypeWord::Bits => (None, fields.within("from", 0..=63_u8), fields.within("len", 1..=64_u8)),
        _ => (None, None, None),
    };
    let bytes = bytes?;
    if u16::from(at) + u16::from(bytes) > u16::from(most) {
        let message = format!("the value reaches past the {most} bytes that an item has");
        fields.fault("at", message, "at counts bytes from 0 behind the item's number");
        return None;
    }
    if bytes > 8 && !matches!(word, TypeWord::Digits | TypeWord::Text) {
        fields.fault("bytes", "a number has at most 8 bytes", "write type = \"digits\" for longer ones");
        return None;
    }
    let reaches = |key: &str, end: u8| {
        let fits = end <= bytes * 8;
        if !fits {
            fields.fault(key, format!("{bytes} bytes do not reach so far"), "bits count from 0");
        }
        fits
    };
    let data = match word {
        TypeWord::Bcd => FieldType::Bcd { signed },
        TypeWord::Binary => FieldType::Binary,
        TypeWord::Digits => FieldType::Digits,
        TypeWord::Text => FieldType::Text,
        TypeWord::Bit => bit.filter(|n| reaches("bit", n + 1)).map(|n| FieldType::Bit { n })?,
        TypeWord::Bits => {
            let (from, len) = (from?, len?);
            if !reaches("len", from + len) {
                return None;
            }
            FieldType::Bits { from, len }
        }
    };
    Some(Field { at, bytes, data })
}
