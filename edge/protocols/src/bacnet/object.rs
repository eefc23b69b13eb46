//! Objects and their properties by number and by the standard's word (ASHRAE 135, clause 21). The words are the
//! standard's enumerations in the spelling of its XML and of bacpypes3, from where the tables in `words/` come. Called
//! by the codec, by profiles and wherever one of them is shown. A number without a word is as good as one with.

use std::fmt;

use super::tag::Fault;

const OBJECTS: &str = include_str!("words/objects.txt");
const PROPERTIES: &str = include_str!("words/properties.txt");
const ERROR_CLASSES: &str = include_str!("words/error_classes.txt");
const ERROR_CODES: &str = include_str!("words/error_codes.txt");

/// Each line is a number and its word.
fn entries(table: &'static str) -> impl Iterator<Item = (u32, &'static str)> {
    table.lines().filter_map(|line| {
        let (number, word) = line.split_once(' ')?;
        Some((number.parse().ok()?, word))
    })
}

fn word(table: &'static str, wanted: u32) -> Option<&'static str> {
    entries(table).find(|(number, _)| *number == wanted).map(|(_, word)| word)
}

fn number(table: &'static str, wanted: &str) -> Option<u32> {
    entries(table).find(|(_, word)| *word == wanted).map(|(number, _)| number).or_else(|| wanted.parse().ok())
}

fn show(f: &mut fmt::Formatter<'_>, table: &'static str, number: u32) -> fmt::Result {
    match word(table, number) {
        Some(word) => f.write_str(word),
        None => write!(f, "{number}"),
    }
}

/// What an object is: 0 to 127 are the standard's, 128 to 1023 a vendor's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectType(pub u16);

impl ObjectType {
    pub const ANALOG_INPUT: Self = Self(0);
    pub const ANALOG_OUTPUT: Self = Self(1);
    pub const ANALOG_VALUE: Self = Self(2);
    pub const BINARY_INPUT: Self = Self(3);
    pub const DEVICE: Self = Self(8);
    const MAX: u32 = 1023;

    /// By its word or its number.
    pub fn from_word(text: &str) -> Option<Self> {
        number(OBJECTS, text).filter(|n| *n <= Self::MAX).map(|n| Self(n as u16))
    }
}

impl fmt::Display for ObjectType {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        show(f, OBJECTS, u32::from(self.0))
    }
}

/// A property's number: up to 511 the standard's, most above a vendor's own.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PropertyId(pub u32);

impl PropertyId {
    pub const MAX_APDU: Self = Self(62);
    pub const OBJECT_LIST: Self = Self(76);
    pub const OBJECT_NAME: Self = Self(77);
    pub const OUT_OF_SERVICE: Self = Self(81);
    pub const PRESENT_VALUE: Self = Self(85);
    pub const PRIORITY_ARRAY: Self = Self(87);
    pub const RELIABILITY: Self = Self(103);
    pub const SEGMENTATION: Self = Self(107);
    pub const STATUS_FLAGS: Self = Self(111);
    pub const UNITS: Self = Self(117);
    const MAX: u32 = 4_194_303;

    /// By its word or its number.
    pub fn from_word(text: &str) -> Option<Self> {
        number(PROPERTIES, text).filter(|n| *n <= Self::MAX).map(Self)
    }

    /// What an answer takes for its value, in bytes with its tags: a guess that is right for nearly all.
    pub const fn usual_size(self) -> usize {
        match self {
            Self::OBJECT_NAME | Self(28) => 40,
            Self::OBJECT_LIST => 1024,
            Self::PRIORITY_ARRAY => 32,
            _ => 12,
        }
    }
}

impl fmt::Display for PropertyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        show(f, PROPERTIES, self.0)
    }
}

/// An object of a device: its type and its instance number (clause 20.2.14).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectId {
    pub kind: ObjectType,
    /// At most `MAX_INSTANCE`.
    pub instance: u32,
}

impl ObjectId {
    /// Also stands for "whichever" where a device is meant.
    pub const MAX_INSTANCE: u32 = 0x3F_FFFF;

    pub const fn new(kind: ObjectType, instance: u32) -> Self {
        Self { kind, instance: instance & Self::MAX_INSTANCE }
    }

    pub const fn device(instance: u32) -> Self {
        Self::new(ObjectType::DEVICE, instance)
    }

    pub const fn bits(self) -> u32 {
        (self.kind.0 as u32) << 22 | self.instance
    }

    pub const fn from_bits(bits: u32) -> Self {
        Self { kind: ObjectType((bits >> 22) as u16), instance: bits & Self::MAX_INSTANCE }
    }

    pub fn from_bytes(bytes: &[u8]) -> Result<Self, Fault> {
        let bytes = bytes.try_into().map_err(|_| Fault::Length(bytes.len()))?;
        Ok(Self::from_bits(u32::from_be_bytes(bytes)))
    }
}

impl fmt::Display for ObjectId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind, self.instance)
    }
}

/// One property of one object, and where it is an array, one element of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PropertyRef {
    pub object: ObjectId,
    pub property: PropertyId,
    pub index: Option<u32>,
}

impl PropertyRef {
    pub const fn new(object: ObjectId, property: PropertyId) -> Self {
        Self { object, property, index: None }
    }

    #[must_use]
    pub const fn at(self, index: u32) -> Self {
        Self { index: Some(index), ..self }
    }
}

impl fmt::Display for PropertyRef {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.object, self.property)?;
        self.index.map_or(Ok(()), |index| write!(f, "[{index}]"))
    }
}

/// Why a device says no (clause 18).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct ServiceError {
    pub class: u32,
    pub code: u32,
}

impl ServiceError {
    /// The device cannot send so much at once, and says so in an error instead of an abort.
    pub const fn is_too_long(self) -> bool {
        // abort-buffer-overflow, abort-segmentation-not-supported, reject-buffer-overflow,
        // reject-too-many-arguments, message-too-long, abort-apdu-too-long
        matches!(self.code, 51 | 54 | 59 | 65 | 113 | 123)
    }
}

impl fmt::Display for ServiceError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        show(f, ERROR_CLASSES, self.class)?;
        f.write_str(": ")?;
        show(f, ERROR_CODES, self.code)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn words_and_numbers_name_the_same() {
        assert_eq!(ObjectType::from_word("analog-input"), Some(ObjectType::ANALOG_INPUT));
        assert_eq!(ObjectType::from_word("612"), Some(ObjectType(612)));
        assert_eq!(ObjectType::from_word("1024"), None);
        assert_eq!(PropertyId::from_word("present-value"), Some(PropertyId::PRESENT_VALUE));
        assert_eq!(PropertyId::from_word("presentvalue"), None);
        assert_eq!(PropertyId(4_000).to_string(), "4000");
        let element = PropertyRef::new(ObjectId::device(7), PropertyId::OBJECT_LIST).at(3);
        assert_eq!(element.to_string(), "device 7 object-list[3]");
        assert_eq!(ServiceError { class: 1, code: 31 }.to_string(), "object: unknown-object");
    }

    #[test]
    fn no_word_stands_for_two_numbers() {
        for table in [OBJECTS, PROPERTIES, ERROR_CLASSES, ERROR_CODES] {
            assert!(table.lines().all(|line| line.split_once(' ').is_some()));
            for (number_, word_) in entries(table) {
                assert_eq!((number(table, word_), word(table, number_)), (Some(number_), Some(word_)));
            }
        }
    }
}
