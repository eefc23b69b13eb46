//! Values as devices send and take them (ASHRAE 135, clause 20.2). Decoding knows no schema: what stands under a
//! context tag is kept as it came, for whoever knows the property. A value that is malformed in itself (a real of
//! three bytes, text in no known character set) is kept as `Opaque`, so that its neighbours can still be read.

use std::fmt;

use super::object::ObjectId;
use super::tag::{
    BOOLEAN, Fault, Reader, Tag, put_application, put_boolean, put_closing, put_context, put_opening,
    shortest_signed, shortest_unsigned, signed, unsigned, unsigned32,
};
use super::text;

/// Constructed values within constructed values that are followed.
const MAX_DEPTH: usize = 8;

#[derive(Clone, Debug, PartialEq)]
pub enum Value {
    Null,
    Boolean(bool),
    Unsigned(u64),
    Signed(i64),
    Real(f32),
    Double(f64),
    Octets(Vec<u8>),
    Text(String),
    Bits(Bits),
    Enumerated(u32),
    Date(Date),
    Time(Time),
    Object(ObjectId),
    /// A primitive behind a context tag: only the property's definition tells its type.
    Tagged(u8, Vec<u8>),
    /// What stands between an opening and a closing tag.
    Group(u8, Vec<Value>),
    /// An application tag whose content is no value of its type.
    Opaque(u8, Vec<u8>),
}

/// A bit string; bit 0 comes first on the wire.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Bits {
    bytes: Vec<u8>,
    len: usize,
}

impl Bits {
    pub fn from_bools(bits: &[bool]) -> Self {
        let byte =
            |eight: &[bool]| eight.iter().enumerate().fold(0, |b, (i, bit)| b | u8::from(*bit) << (7 - i));
        Self { bytes: bits.chunks(8).map(byte).collect(), len: bits.len() }
    }

    pub fn get(&self, bit: usize) -> Option<bool> {
        let byte = self.bytes.get(bit / 8)?;
        (bit < self.len).then_some(byte >> (7 - bit % 8) & 1 == 1)
    }

    pub const fn len(&self) -> usize {
        self.len
    }

    pub const fn is_empty(&self) -> bool {
        self.len == 0
    }

    pub fn decode(content: &[u8]) -> Option<Self> {
        let (unused, bytes) = content.split_first()?;
        let len = (bytes.len() * 8).checked_sub(usize::from(*unused))?;
        (*unused < 8).then(|| Self { bytes: bytes.to_vec(), len })
    }
}

/// A date; what is not given is any (clause 20.2.12). Months 13 and 14 mean odd and even, day 32 the last.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Date {
    pub year: Option<u16>,
    pub month: Option<u8>,
    pub day: Option<u8>,
    /// 1 is Monday.
    pub weekday: Option<u8>,
}

/// A time of day; what is not given is any (clause 20.2.13).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Time {
    pub hour: Option<u8>,
    pub minute: Option<u8>,
    pub second: Option<u8>,
    pub hundredths: Option<u8>,
}

fn given(byte: u8) -> Option<u8> {
    (byte != 0xFF).then_some(byte)
}

impl Date {
    pub fn decode(content: &[u8]) -> Result<Self, Fault> {
        let [year, month, day, weekday] = content else { return Err(Fault::Length(content.len())) };
        let year = given(*year).map(|y| 1900 + u16::from(y));
        Ok(Self { year, month: given(*month), day: given(*day), weekday: given(*weekday) })
    }

    fn bytes(self) -> [u8; 4] {
        let year = self.year.map_or(0xFF, |y| y.saturating_sub(1900).min(254) as u8);
        [year, self.month.unwrap_or(0xFF), self.day.unwrap_or(0xFF), self.weekday.unwrap_or(0xFF)]
    }
}

impl Time {
    pub fn decode(content: &[u8]) -> Result<Self, Fault> {
        let [hour, minute, second, hundredths] = content else { return Err(Fault::Length(content.len())) };
        Ok(Self {
            hour: given(*hour),
            minute: given(*minute),
            second: given(*second),
            hundredths: given(*hundredths),
        })
    }

    fn bytes(self) -> [u8; 4] {
        [self.hour, self.minute, self.second, self.hundredths].map(|part| part.unwrap_or(0xFF))
    }
}

impl Value {
    /// As a number, where it is one: booleans are 0 and 1, enumerations their code. Neither NaN nor infinity is one.
    pub fn as_number(&self) -> Option<f64> {
        let number = match self {
            Self::Boolean(b) => f64::from(u8::from(*b)),
            Self::Unsigned(n) => *n as f64,
            Self::Signed(n) => *n as f64,
            Self::Real(n) => f64::from(*n),
            Self::Double(n) => *n,
            Self::Enumerated(n) => f64::from(*n),
            _ => return None,
        };
        number.is_finite().then_some(number)
    }

    /// Its type, in the standard's word (clause 20.2).
    pub const fn kind(&self) -> &'static str {
        match self {
            Self::Null => "NULL",
            Self::Boolean(_) => "BOOLEAN",
            Self::Unsigned(_) => "Unsigned",
            Self::Signed(_) => "INTEGER",
            Self::Real(_) => "REAL",
            Self::Double(_) => "Double",
            Self::Octets(_) => "OCTET STRING",
            Self::Text(_) => "CharacterString",
            Self::Bits(_) => "BIT STRING",
            Self::Enumerated(_) => "ENUMERATED",
            Self::Date(_) => "Date",
            Self::Time(_) => "Time",
            Self::Object(_) => "BACnetObjectIdentifier",
            Self::Tagged(..) | Self::Group(..) | Self::Opaque(..) => "ABSTRACT-SYNTAX",
        }
    }

    /// One value, with what stands within it.
    pub fn read(reader: &mut Reader<'_>) -> Result<Self, Fault> {
        Self::read_at(reader, 0)
    }

    /// Values up to the end of the bytes.
    pub fn read_all(mut reader: Reader<'_>) -> Result<Vec<Self>, Fault> {
        Self::read_list(&mut reader, 0)
    }

    fn read_list(reader: &mut Reader<'_>, depth: usize) -> Result<Vec<Self>, Fault> {
        let mut values = Vec::new();
        while !reader.is_empty() {
            values.push(Self::read_at(reader, depth)?);
        }
        Ok(values)
    }

    fn read_at(reader: &mut Reader<'_>, depth: usize) -> Result<Self, Fault> {
        match reader.peek()? {
            Tag::Opening(number) if depth < MAX_DEPTH => {
                let mut inside = reader.enclosed(number)?;
                Ok(Self::Group(number, Self::read_list(&mut inside, depth + 1)?))
            }
            Tag::Opening(_) | Tag::Closing(_) => Err(Fault::Nesting),
            tag @ Tag::Context { number, .. } => {
                reader.tag()?;
                Ok(Self::Tagged(number, reader.take(tag.content())?.to_vec()))
            }
            Tag::Application { kind: BOOLEAN, len } => {
                reader.tag()?;
                Ok(Self::Boolean(len != 0))
            }
            tag @ Tag::Application { kind, .. } => {
                reader.tag()?;
                let content = reader.take(tag.content())?;
                Ok(Self::primitive(kind, content).unwrap_or_else(|| Self::Opaque(kind, content.to_vec())))
            }
        }
    }

    fn primitive(kind: u8, content: &[u8]) -> Option<Self> {
        Some(match kind {
            0 if content.is_empty() => Self::Null,
            2 => Self::Unsigned(unsigned(content).ok()?),
            3 => Self::Signed(signed(content).ok()?),
            4 => Self::Real(f32::from_be_bytes(content.try_into().ok()?)),
            5 => Self::Double(f64::from_be_bytes(content.try_into().ok()?)),
            6 => Self::Octets(content.to_vec()),
            7 => Self::Text(text::decode(content)?),
            8 => Self::Bits(Bits::decode(content)?),
            9 => Self::Enumerated(unsigned32(content).ok()?),
            10 => Self::Date(Date::decode(content).ok()?),
            11 => Self::Time(Time::decode(content).ok()?),
            12 => Self::Object(ObjectId::from_bytes(content).ok()?),
            _ => return None,
        })
    }

    pub fn put(&self, out: &mut Vec<u8>) {
        match self {
            Self::Null => put_application(out, 0, &[]),
            Self::Boolean(value) => put_boolean(out, *value),
            Self::Unsigned(n) => put_application(out, 2, shortest_unsigned(&n.to_be_bytes())),
            Self::Signed(n) => put_application(out, 3, shortest_signed(&n.to_be_bytes())),
            Self::Real(n) => put_application(out, 4, &n.to_be_bytes()),
            Self::Double(n) => put_application(out, 5, &n.to_be_bytes()),
            Self::Octets(bytes) => put_application(out, 6, bytes),
            Self::Text(text) => put_application(out, 7, &text::encode(text)),
            Self::Bits(bits) => {
                let unused = (bits.bytes.len() * 8 - bits.len) as u8;
                put_application(out, 8, &[&[unused], bits.bytes.as_slice()].concat());
            }
            Self::Enumerated(n) => put_application(out, 9, shortest_unsigned(&u64::from(*n).to_be_bytes())),
            Self::Date(date) => put_application(out, 10, &date.bytes()),
            Self::Time(time) => put_application(out, 11, &time.bytes()),
            Self::Object(id) => put_application(out, 12, &id.bits().to_be_bytes()),
            Self::Tagged(number, bytes) => put_context(out, *number, bytes),
            Self::Group(number, values) => {
                put_opening(out, *number);
                for value in values {
                    value.put(out);
                }
                put_closing(out, *number);
            }
            Self::Opaque(kind, bytes) => put_application(out, *kind, bytes),
        }
    }
}

impl fmt::Display for Value {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hex =
            |f: &mut fmt::Formatter<'_>, bytes: &[u8]| bytes.iter().try_for_each(|b| write!(f, "{b:02X}"));
        match self {
            Self::Null => f.write_str("null"),
            Self::Boolean(value) => write!(f, "{value}"),
            Self::Unsigned(n) => write!(f, "{n}"),
            Self::Signed(n) => write!(f, "{n}"),
            Self::Real(n) => write!(f, "{n}"),
            Self::Double(n) => write!(f, "{n}"),
            Self::Octets(bytes) | Self::Tagged(_, bytes) | Self::Opaque(_, bytes) => hex(f, bytes),
            Self::Text(text) => f.write_str(text),
            Self::Bits(bits) => {
                (0..bits.len).try_for_each(|i| write!(f, "{}", u8::from(bits.get(i) == Some(true))))
            }
            Self::Enumerated(n) => write!(f, "{n}"),
            Self::Date(date) => write!(f, "{date}"),
            Self::Time(time) => write!(f, "{time}"),
            Self::Object(id) => write!(f, "{id}"),
            Self::Group(_, values) => {
                f.write_str("{")?;
                for (i, value) in values.iter().enumerate() {
                    write!(f, "{}{value}", if i == 0 { "" } else { ", " })?;
                }
                f.write_str("}")
            }
        }
    }
}

/// `*` stands for any.
fn two(f: &mut fmt::Formatter<'_>, part: Option<u8>, before: &str) -> fmt::Result {
    match part {
        Some(part) => write!(f, "{before}{part:02}"),
        None => write!(f, "{before}*"),
    }
}

impl fmt::Display for Date {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.year {
            Some(year) => write!(f, "{year:04}")?,
            None => f.write_str("*")?,
        }
        two(f, self.month, "-")?;
        two(f, self.day, "-")
    }
}

impl fmt::Display for Time {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        two(f, self.hour, "")?;
        two(f, self.minute, ":")?;
        two(f, self.second, ":")?;
        two(f, self.hundredths, ".")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(bytes: &[u8]) -> Result<Vec<Value>, Fault> {
        Value::read_all(Reader::new(bytes))
    }

    #[test]
    fn the_examples_of_clause_20_2_are_read_and_written() {
        // ASHRAE 135, clauses 20.2.2 to 20.2.14, as they are repeated in bacpypes3's tests of its primitive data.
        let date = Date { year: Some(1991), month: Some(1), day: Some(24), weekday: Some(4) };
        let time = Time { hour: Some(17), minute: Some(35), second: Some(45), hundredths: Some(17) };
        let cases: [(&[u8], Value); 12] = [
            (&[0x00], Value::Null),
            (&[0x10], Value::Boolean(false)),
            (&[0x21, 0x48], Value::Unsigned(72)),
            (&[0x31, 0x48], Value::Signed(72)),
            (&[0x44, 0x42, 0x90, 0, 0], Value::Real(72.0)),
            (&[0x55, 0x08, 0x40, 0x52, 0, 0, 0, 0, 0, 0], Value::Double(72.0)),
            (&[0x63, 0x12, 0x34, 0xFF], Value::Octets(vec![0x12, 0x34, 0xFF])),
            (b"\x75\x19\x00This is a BACnet string!", Value::Text("This is a BACnet string!".into())),
            (&[0x82, 0x03, 0xA8], Value::Bits(Bits::from_bools(&[true, false, true, false, true]))),
            (&[0xA4, 0x5B, 0x01, 0x18, 0x04], Value::Date(date)),
            (&[0xB4, 0x11, 0x23, 0x2D, 0x11], Value::Time(time)),
            (
                &[0xC4, 0x00, 0xC0, 0x00, 0x0F],
                Value::Object(ObjectId::new(super::super::ObjectType::BINARY_INPUT, 15)),
            ),
        ];
        for (bytes, value) in cases {
            assert_eq!(read(bytes), Ok(vec![value.clone()]), "{bytes:02X?}");
            let mut written = Vec::new();
            value.put(&mut written);
            assert_eq!(written, bytes);
        }
    }

    #[test]
    fn a_malformed_value_leaves_its_neighbours_readable() {
        let bytes = [0x43, 1, 2, 3, 0x25, 9, 0, 0, 0, 0, 0, 0, 0, 0, 1, 0x82, 9, 0, 0x71, 7, 0x91, 3];
        let values = read(&bytes).unwrap();
        assert!(values.iter().take(4).all(|v| matches!(v, Value::Opaque(..))), "{values:?}");
        assert_eq!(values.last(), Some(&Value::Enumerated(3)));
    }

    #[test]
    fn neither_nan_nor_infinity_is_a_number() {
        assert_eq!(Value::Real(f32::NAN).as_number(), None);
        assert_eq!(Value::Double(f64::INFINITY).as_number(), None);
        assert_eq!(Value::Boolean(true).as_number(), Some(1.0));
        assert_eq!(Value::Text("1".into()).as_number(), None);
    }

    #[test]
    fn depth_is_bounded() {
        let deep: Vec<u8> = [vec![0x0E; 12], vec![0x0F; 12]].concat();
        assert_eq!(read(&deep), Err(Fault::Nesting));
        assert_eq!(read(&[0x0E, 0x0F]), Ok(vec![Value::Group(0, vec![])]));
    }

    #[test]
    fn values_are_shown_as_people_write_them() {
        let date = Date { year: None, month: Some(2), day: None, weekday: None };
        assert_eq!(Value::Date(date).to_string(), "*-02-*");
        assert_eq!(Value::Bits(Bits::from_bools(&[true, false])).to_string(), "10");
        assert_eq!(Value::Group(1, vec![Value::Unsigned(1), Value::Null]).to_string(), "{1, null}");
    }
}
