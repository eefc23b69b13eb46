//! Objects and properties of BACnet by number and by the standard's word (ASHRAE 135, clause 21). The words are the
//! standard's enumerations in the spelling of bacpypes3, from where `objects.txt` and `properties.txt` come. A number
//! without a word is as good as one with.

use std::fmt;

const OBJECTS: &str = include_str!("objects.txt");
const PROPERTIES: &str = include_str!("properties.txt");

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

    /// The words that there are.
    pub fn words() -> impl Iterator<Item = &'static str> {
        entries(OBJECTS).map(|(_, word)| word)
    }

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
    pub const DESCRIPTION: Self = Self(28);
    pub const EVENT_STATE: Self = Self(36);
    pub const MAX_APDU: Self = Self(62);
    pub const OBJECT_LIST: Self = Self(76);
    pub const OBJECT_NAME: Self = Self(77);
    pub const OUT_OF_SERVICE: Self = Self(81);
    pub const PRESENT_VALUE: Self = Self(85);
    pub const PRIORITY_ARRAY: Self = Self(87);
    pub const RELIABILITY: Self = Self(103);
    pub const SEGMENTATION: Self = Self(107);
    pub const SERVICES_SUPPORTED: Self = Self(97);
    pub const STATUS_FLAGS: Self = Self(111);
    pub const UNITS: Self = Self(117);
    const MAX: u32 = 4_194_303;

    /// The words that there are.
    pub fn words() -> impl Iterator<Item = &'static str> {
        entries(PROPERTIES).map(|(_, word)| word)
    }

    /// By its word or its number.
    pub fn from_word(text: &str) -> Option<Self> {
        number(PROPERTIES, text).filter(|n| *n <= Self::MAX).map(Self)
    }
}

impl fmt::Display for PropertyId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        show(f, PROPERTIES, self.0)
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
    }

    #[test]
    fn no_word_stands_for_two_numbers() {
        for table in [OBJECTS, PROPERTIES] {
            assert!(table.lines().all(|line| line.split_once(' ').is_some()));
            for (number_, word_) in entries(table) {
                assert_eq!((number(table, word_), word(table, number_)), (Some(number_), Some(word_)));
            }
        }
    }
}
