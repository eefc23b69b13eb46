//! Objects of a device and their properties, as requests name them (ASHRAE 135, clause 21), and the errors that a device
//! gives. Called by the codec and wherever one of them is shown.

use std::fmt;

use steward_shared::profile::{ObjectType, PropertyId};

use super::tag::Fault;

const ERROR_CLASSES: &str = include_str!("words/error_classes.txt");
const ERROR_CODES: &str = include_str!("words/error_codes.txt");

/// The standard's word for a number, or the number: each line of a table is a number and its word.
fn show(f: &mut fmt::Formatter<'_>, table: &'static str, number: u32) -> fmt::Result {
    let mut entries = table.lines().filter_map(|line| line.split_once(' '));
    match entries.find(|(n, _)| n.parse() == Ok(number)) {
        Some((_, word)) => f.write_str(word),
        None => write!(f, "{number}"),
    }
}

/// What an answer takes for a property's value, in bytes with its tags: a guess that is right for nearly all.
pub const fn usual_size(property: PropertyId) -> usize {
    match property {
        PropertyId::OBJECT_NAME | PropertyId::DESCRIPTION => 40,
        PropertyId::OBJECT_LIST => 1024,
        PropertyId::PRIORITY_ARRAY => 32,
        _ => 12,
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
    fn what_is_asked_and_refused_is_shown_in_the_words_of_the_standard() {
        let element = PropertyRef::new(ObjectId::device(7), PropertyId::OBJECT_LIST).at(3);
        assert_eq!(element.to_string(), "device 7 object-list[3]");
        assert_eq!(ServiceError { class: 1, code: 31 }.to_string(), "object: unknown-object");
        assert_eq!(ServiceError { class: 300, code: 4096 }.to_string(), "300: 4096");
    }
}
