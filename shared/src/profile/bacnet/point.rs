//! What a profile for BACnet says: what the device bears, and which property of which object each point is. Values
//! tell their type themselves; the profile tells what is made of them.

use super::super::definition::Place;
use super::super::language::{Form, Placed};
use super::names::{ObjectType, PropertyId};
use crate::document::{Table as Fields, nearest};

/// Instance 4194303 stands for "none".
const MAX_INSTANCE: u32 = 4_194_302;

/// What a device that speaks BACnet bears.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Bacnet {
    /// Most properties in one request. Without it as many as its messages hold; it is asked for less once it says that
    /// this was too much.
    pub max_properties: Option<u16>,
    /// Whether each object's status flags are read with its value: a value that its device calls faulty or out of
    /// service is none.
    pub status: bool,
}

impl Default for Bacnet {
    fn default() -> Self {
        Self { max_properties: None, status: true }
    }
}

/// What is made of a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BacnetData {
    /// A real number, scaled.
    Real,
    /// A whole number, a code or a boolean.
    Whole,
    /// A boolean, or an enumeration of inactive and active.
    Flag,
    /// Bit `n` of a bit string, 0 the first.
    Bit {
        n: u8,
    },
    Text,
}

/// A property of an object of the device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct BacnetPoint {
    pub object: ObjectType,
    pub instance: u32,
    pub property: PropertyId,
    /// Of an array, this element.
    pub index: Option<u32>,
    pub data: BacnetData,
    /// The device is asked to tell of changes by itself, where it can.
    pub cov: bool,
}

impl BacnetPoint {
    /// Whether its object has status flags that say how far its value is to be trusted.
    pub const fn has_status(&self) -> bool {
        // Inputs, outputs and values: analog, binary, multi-state; accumulator, pulse converter; the value types of
        // 2008 on.
        matches!(self.object.0, 0..=5 | 13 | 14 | 19 | 23 | 24 | 39..=50)
            && matches!(self.property, PropertyId::PRESENT_VALUE)
    }
}

impl BacnetPoint {
    /// Whether it is something that can be written: the present value of an output or a value (clause 12; analog, binary
    /// and multi-state, and the value types of numbers).
    pub const fn is_commanded(&self) -> bool {
        matches!(self.object.0, 1 | 2 | 4 | 5 | 14 | 19 | 45 | 46 | 48)
            && matches!(self.property, PropertyId::PRESENT_VALUE)
            && self.index.is_none()
            && !matches!(self.data, BacnetData::Text | BacnetData::Bit { .. })
    }
}

impl BacnetData {
    const fn form(self) -> Form {
        match self {
            Self::Real => Form::Float { bits: 32 },
            Self::Whole => Form::Whole { bits: 32 },
            Self::Flag | Self::Bit { .. } => Form::Bit,
            Self::Text => Form::Text,
        }
    }

    /// What the standard makes of the property.
    const fn usual(object: ObjectType, property: PropertyId) -> Option<Self> {
        match property {
            PropertyId::PRESENT_VALUE => match object.0 {
                0..=2 | 12 | 24 | 46 => Some(Self::Real),
                3..=5 => Some(Self::Flag),
                13 | 14 | 19 | 23 | 45 | 48 => Some(Self::Whole),
                40 => Some(Self::Text),
                _ => None,
            },
            PropertyId::OBJECT_NAME | PropertyId::DESCRIPTION => Some(Self::Text),
            PropertyId::OUT_OF_SERVICE => Some(Self::Flag),
            PropertyId::RELIABILITY | PropertyId::EVENT_STATE | PropertyId::UNITS => Some(Self::Whole),
            _ => None,
        }
    }
}

const TYPES: [(&str, BacnetData); 5] = [
    ("real", BacnetData::Real),
    ("whole", BacnetData::Whole),
    ("flag", BacnetData::Flag),
    ("bit", BacnetData::Bit { n: 0 }),
    ("text", BacnetData::Text),
];

pub fn limits(fields: &Fields<'_>) -> Bacnet {
    let usual = Bacnet::default();
    let max_properties =
        if fields.has("max_properties") { fields.within("max_properties", 1..=500) } else { None };
    Bacnet { max_properties, status: fields.or("status", usual.status) }
}

/// A word of the standard, or its number as a text.
fn named<T>(
    fields: &Fields<'_>,
    key: &str,
    given: &str,
    of: impl Fn(&str) -> Option<T>,
    words: impl Iterator<Item = &'static str>,
) -> Option<T> {
    let found = of(given);
    if found.is_none() {
        let way_out = nearest(given, words).map_or_else(
            || format!("write the standard's word or number for the {key}"),
            |word| format!("did you mean \"{word}\"?"),
        );
        fields.fault(key, format!("\"{given}\" is no {key} of BACnet"), way_out);
    }
    found
}

pub fn place(fields: &Fields<'_>) -> Placed {
    let object = fields.required::<String>("object");
    let object = object.and_then(|o| named(fields, "object", &o, ObjectType::from_word, ObjectType::words()));
    let instance = fields.within("instance", 0..=MAX_INSTANCE);
    let property = fields.or("property", "present-value".to_owned());
    let property = named(fields, "property", &property, PropertyId::from_word, PropertyId::words());
    let index = fields.optional::<u32>("index");
    let cov = fields.or("cov", false);
    if cov && property.is_some_and(|p| p != PropertyId::PRESENT_VALUE) {
        fields.fault("cov", "devices tell of changes of the present value only", "remove it");
    }
    let data = data(fields, object, property);
    let form = data.map(BacnetData::form);
    let place = (|| {
        let (object, instance, property, data) = (object?, instance?, property?, data?);
        Some(Place::Bacnet(BacnetPoint { object, instance, property, index, data, cov }))
    })();
    Placed { place, form }
}

fn data(fields: &Fields<'_>, object: Option<ObjectType>, property: Option<PropertyId>) -> Option<BacnetData> {
    let usual = object.zip(property).and_then(|(o, p)| BacnetData::usual(o, p));
    let given = if fields.has("type") {
        fields.word("type", &TYPES)
    } else if object.is_some() && property.is_some() && usual.is_none() {
        fields.fault_here(
            "nobody knows what this property is",
            "add type = \"real\", \"whole\", \"flag\", \"bit\" or \"text\"",
        );
        None
    } else {
        usual
    };
    match given {
        Some(BacnetData::Bit { .. }) => Some(BacnetData::Bit { n: fields.within("bit", 0..=63)? }),
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::listing;
    use crate::profile::{Language, Profile};
    use crate::wire::message::PointKind;

    fn read(head: &str, points: &str) -> Result<Profile, String> {
        let text = format!(
            "vendor = \"Acme\"\nmodel = \"A1\"\ntitle = {{ zh = \"机组\", en = \"Unit\" }}\nsource = [\"a list\"]\n\
             [bacnet]\n{head}\n{points}"
        );
        Profile::parse("acme/a1.toml", &text).map_err(|faults| listing(&faults))
    }

    fn point(keys: &str) -> String {
        format!("[[point]]\nkey = \"p\"\ntitle = {{ zh = \"点\", en = \"Point\" }}\n{keys}\n")
    }

    fn one(keys: &str) -> (BacnetPoint, PointKind) {
        let profile = read("", &point(keys)).unwrap_or_else(|told| panic!("{told}"));
        (*profile.points[0].bacnet().expect("a point of BACnet"), profile.points[0].kind)
    }

    #[test]
    fn a_point_says_which_property_it_is_and_what_is_made_of_it() {
        let (real, kind) = one("object = \"analog-input\"\ninstance = 4\nunit = \"Cel\"\ncov = true");
        assert_eq!(
            (real.object, real.instance, real.property),
            (ObjectType::ANALOG_INPUT, 4, PropertyId::PRESENT_VALUE)
        );
        assert_eq!(
            (real.data, real.cov, real.has_status(), kind),
            (BacnetData::Real, true, true, PointKind::Gauge)
        );
        let (flag, kind) = one("object = \"binary-value\"\ninstance = 1");
        assert_eq!((flag.data, kind), (BacnetData::Flag, PointKind::Flag));
        let (text, kind) = one("object = \"analog-input\"\ninstance = 1\nproperty = \"description\"");
        assert_eq!((text.data, text.has_status(), kind), (BacnetData::Text, false, PointKind::Text));
        let bit =
            "object = \"analog-input\"\ninstance = 1\nproperty = \"status-flags\"\ntype = \"bit\"\nbit = 1";
        assert_eq!(one(bit).0.data, BacnetData::Bit { n: 1 });
        let vendor =
            "object = \"300\"\ninstance = 1\nproperty = \"5021\"\ntype = \"real\"\nunit = \"1\"\nindex = 2";
        let (vendor, _) = one(vendor);
        assert_eq!((vendor.object.0, vendor.property.0, vendor.index), (300, 5021, Some(2)));
    }

    #[test]
    fn the_head_says_what_the_device_bears() {
        let profile =
            read("max_properties = 20\nstatus = false", &point("object = \"binary-input\"\ninstance = 1"));
        let limits = Bacnet { max_properties: Some(20), status: false };
        assert_eq!(profile.unwrap().language, Language::Bacnet(limits));
    }

    #[test]
    fn what_nobody_knows_is_told_with_the_way_out() {
        let told = |keys: &str| read("", &point(keys)).unwrap_err();
        assert!(
            told("object = \"analog-inputs\"\ninstance = 1\nunit = \"1\"")
                .contains("did you mean \"analog-input\"?")
        );
        let unknown = "object = \"file\"\ninstance = 1\nunit = \"1\"";
        assert!(told(unknown).contains("nobody knows what this property is"), "{}", told(unknown));
        assert!(
            told("object = \"device\"\ninstance = 4194303\ntype = \"real\"\nunit = \"1\"")
                .contains("instance")
        );
        let cov = "object = \"analog-input\"\ninstance = 1\nproperty = \"description\"\ncov = true";
        assert!(told(cov).contains("changes of the present value only"));
        assert!(told("table = \"holding\"\naddress = 1\ntype = \"u16\"\nunit = \"1\"").contains("object"));
    }
}
