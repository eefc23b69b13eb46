//! What each property of a simulated device is (ASHRAE 135, clause 12): those that its objects must have, and those that
//! points of its profile are.

use std::collections::BTreeMap;

use steward_shared::profile::{BacnetData, PointDef, Profile, PropertyId};
use steward_shared::reading::Value as Shown;

use super::super::apdu::MAX_APDU;
use super::super::contents::{Kind, bits, units, value};
use super::super::object::{ObjectId, ServiceError};
use super::super::service::confirmed;
use super::super::value::{Bits, Value};
use super::objects::Object;

pub const UNKNOWN_OBJECT: ServiceError = ServiceError { class: 1, code: 31 };
pub const UNKNOWN_PROPERTY: ServiceError = ServiceError { class: 2, code: 32 };
const INVALID_ARRAY_INDEX: ServiceError = ServiceError { class: 2, code: 42 };
const NO_ARRAY: ServiceError = ServiceError { class: 2, code: 50 };

const APPLICATION_SOFTWARE_VERSION: u32 = 12;
const APDU_TIMEOUT: u32 = 11;
const COV_INCREMENT: u32 = 22;
const DEVICE_ADDRESS_BINDING: u32 = 30;
const FIRMWARE_REVISION: u32 = 44;
const MODEL_NAME: u32 = 70;
const APDU_RETRIES: u32 = 73;
const NUMBER_OF_STATES: u32 = 74;
const OBJECT_IDENTIFIER: u32 = 75;
const OBJECT_TYPE: u32 = 79;
const POLARITY: u32 = 84;
const OBJECT_TYPES_SUPPORTED: u32 = 96;
const SERVICES_SUPPORTED: u32 = PropertyId::SERVICES_SUPPORTED.0;
const PROTOCOL_VERSION: u32 = 98;
const RELINQUISH_DEFAULT: u32 = 104;
const STATE_TEXT: u32 = 110;
const SYSTEM_STATUS: u32 = 112;
const VENDOR_IDENTIFIER: u32 = 120;
const VENDOR_NAME: u32 = 121;
const PROTOCOL_REVISION: u32 = 139;
const DATABASE_REVISION: u32 = 155;
pub const PROPERTY_LIST: u32 = 371;

/// Stand for several properties in a request (clause 15.7.3.1).
pub const ALL: u32 = 8;
pub const REQUIRED: u32 = 105;
pub const OPTIONAL: u32 = 80;

/// What segmentation the device does: none.
pub const NO_SEGMENTATION: u32 = 3;
/// No vendor's own.
pub const VENDOR: u64 = 0;

/// What one property is.
#[derive(Clone, Debug, PartialEq)]
pub enum Content {
    One(Value),
    List(Vec<Value>),
    Array(Vec<Value>),
}

impl Content {
    /// All of it, or the element that was asked for.
    pub fn at(self, index: Option<u32>) -> Result<Vec<Value>, ServiceError> {
        match (self, index) {
            (Self::One(value), None) => Ok(vec![value]),
            (Self::List(values) | Self::Array(values), None) => Ok(values),
            (Self::Array(values), Some(0)) => Ok(vec![Value::Unsigned(values.len() as u64)]),
            (Self::Array(values), Some(index)) => {
                let at = usize::try_from(index - 1).ok();
                at.and_then(|at| values.into_iter().nth(at)).map(|v| vec![v]).ok_or(INVALID_ARRAY_INDEX)
            }
            (Self::One(_) | Self::List(_), Some(_)) => Err(NO_ARRAY),
        }
    }
}

/// The commands to each object that takes some, the most urgent first.
pub type Commands = BTreeMap<ObjectId, [Option<Value>; 16]>;

/// What the properties are made of.
pub struct View<'v> {
    pub profile: &'v Profile,
    pub instance: u32,
    pub objects: &'v [Object],
    pub show: &'v dyn Fn(&PointDef) -> Option<Shown>,
    pub commands: &'v Commands,
}

impl View<'_> {
    /// The properties of an object, in their order; none where there is no such object.
    pub fn list(&self, id: ObjectId) -> Option<Vec<PropertyId>> {
        let numbers: Vec<u32> = if id == ObjectId::device(self.instance) {
            vec![
                APDU_TIMEOUT,
                APPLICATION_SOFTWARE_VERSION,
                PropertyId::DESCRIPTION.0,
                DEVICE_ADDRESS_BINDING,
                FIRMWARE_REVISION,
                PropertyId::MAX_APDU.0,
                MODEL_NAME,
                APDU_RETRIES,
                OBJECT_IDENTIFIER,
                PropertyId::OBJECT_LIST.0,
                PropertyId::OBJECT_NAME.0,
                OBJECT_TYPE,
                OBJECT_TYPES_SUPPORTED,
                SERVICES_SUPPORTED,
                PROTOCOL_VERSION,
                PropertyId::SEGMENTATION.0,
                SYSTEM_STATUS,
                VENDOR_IDENTIFIER,
                VENDOR_NAME,
                PROTOCOL_REVISION,
                DATABASE_REVISION,
                PROPERTY_LIST,
            ]
        } else {
            self.of_object(self.objects.iter().find(|object| object.id == id)?)
        };
        Some(numbers.into_iter().map(PropertyId).collect())
    }

    fn of_object(&self, object: &Object) -> Vec<u32> {
        let kind = object.id.kind.0;
        let mut all = vec![OBJECT_IDENTIFIER, PropertyId::OBJECT_NAME.0, OBJECT_TYPE];
        all.push(PropertyId::DESCRIPTION.0);
        if object.present(self.profile).is_some() {
            all.extend([
                PropertyId::PRESENT_VALUE.0,
                PropertyId::STATUS_FLAGS.0,
                PropertyId::EVENT_STATE.0,
                PropertyId::OUT_OF_SERVICE.0,
            ]);
            match kind {
                0..=2 => all.extend([PropertyId::UNITS.0, COV_INCREMENT]),
                23 | 24 | 45 | 46 | 48 => all.push(PropertyId::UNITS.0),
                3 | 4 => all.push(POLARITY),
                13 | 14 | 19 => all.extend([NUMBER_OF_STATES, STATE_TEXT]),
                _ => {}
            }
        }
        if object.is_commandable {
            all.extend([PropertyId::PRIORITY_ARRAY.0, RELINQUISH_DEFAULT]);
        }
        for (_, place) in object.of(self.profile) {
            if !all.contains(&place.property.0) {
                all.push(place.property.0);
            }
        }
        all.push(PROPERTY_LIST);
        all
    }

    /// The properties that a request's property stands for.
    pub fn meant(&self, id: ObjectId, property: PropertyId) -> Vec<PropertyId> {
        let Some(list) = self.list(id).filter(|_| [ALL, REQUIRED, OPTIONAL].contains(&property.0)) else {
            return vec![property];
        };
        let is_optional = |p: &PropertyId| matches!(p.0, 28 | COV_INCREMENT | STATE_TEXT);
        list.into_iter()
            // The list itself is never among them.
            .filter(|p| p.0 != PROPERTY_LIST)
            .filter(|p| match property.0 {
                REQUIRED => !is_optional(p),
                OPTIONAL => is_optional(p),
                _ => true,
            })
            .collect()
    }

    /// What a property is.
    pub fn read(
        &self,
        id: ObjectId,
        property: PropertyId,
        index: Option<u32>,
    ) -> Result<Vec<Value>, ServiceError> {
        if id == ObjectId::device(self.instance) {
            return self.of_device(property).ok_or(UNKNOWN_PROPERTY)?.at(index);
        }
        let object = self.objects.iter().find(|object| object.id == id).ok_or(UNKNOWN_OBJECT)?;
        if let Some(values) = self.of_points(object, property, index) {
            return Ok(values);
        }
        self.of_object_itself(object, property).ok_or(UNKNOWN_PROPERTY)?.at(index)
    }

    /// What the points of the profile say that the property is.
    fn of_points(&self, object: &Object, property: PropertyId, index: Option<u32>) -> Option<Vec<Value>> {
        let own: Vec<_> =
            object.of(self.profile).filter(|(_, p)| p.property == property && p.index == index).collect();
        let (def, place) = *own.first()?;
        if let BacnetData::Bit { .. } = place.data {
            return Some(vec![bits(own.iter().map(|(def, place)| (*place, (self.show)(def))))]);
        }
        if property == PropertyId::PRESENT_VALUE
            && index.is_none()
            && let Some(command) = self.command(object.id)
        {
            return Some(vec![command.clone()]);
        }
        Some(vec![value(def, Kind::of(place), (self.show)(def).as_ref())])
    }

    fn of_object_itself(&self, object: &Object, property: PropertyId) -> Option<Content> {
        let present = object.present(self.profile);
        let one = |value| Some(Content::One(value));
        match property.0 {
            OBJECT_IDENTIFIER => one(Value::Object(object.id)),
            77 => one(Value::Text(object.name(self.profile))),
            OBJECT_TYPE => one(Value::Enumerated(object.id.kind.0.into())),
            28 => {
                let def = present.map(|(def, _)| def).or_else(|| object.of(self.profile).next().map(|p| p.0));
                one(Value::Text(def?.title.en.clone()))
            }
            PROPERTY_LIST => Some(self.property_list(object.id)),
            _ => self.of_present(object, property),
        }
    }

    /// Properties that objects with a present value have.
    fn of_present(&self, object: &Object, property: PropertyId) -> Option<Content> {
        let (def, place) = object.present(self.profile)?;
        if !self.of_object(object).contains(&property.0) {
            return None;
        }
        Some(Content::One(match property.0 {
            111 => {
                // In alarm, fault, overridden, out of service.
                let is_faulty = (self.show)(def).is_none() && self.command(object.id).is_none();
                Value::Bits(Bits::from_bools(&[false, is_faulty, false, false]))
            }
            36 | POLARITY => Value::Enumerated(0),
            81 => Value::Boolean(false),
            117 => Value::Enumerated(units(&def.unit)),
            COV_INCREMENT => Value::Real(increment(def)),
            NUMBER_OF_STATES => Value::Unsigned(states(def).len() as u64),
            STATE_TEXT => return Some(Content::Array(states(def).into_iter().map(Value::Text).collect())),
            87 => {
                let all = self.commands.get(&object.id)?;
                let slots = all.iter().map(|command| command.clone().unwrap_or(Value::Null));
                return Some(Content::Array(slots.collect()));
            }
            RELINQUISH_DEFAULT => value(def, Kind::of(place), (self.show)(def).as_ref()),
            _ => return None,
        }))
    }

    /// The command that holds.
    fn command(&self, id: ObjectId) -> Option<&Value> {
        self.commands.get(&id)?.iter().flatten().next()
    }

    fn property_list(&self, id: ObjectId) -> Content {
        let listed = |p: &PropertyId| {
            ![OBJECT_IDENTIFIER, PropertyId::OBJECT_NAME.0, OBJECT_TYPE, PROPERTY_LIST].contains(&p.0)
        };
        let list = self.list(id).unwrap_or_default().into_iter().filter(listed);
        Content::Array(list.map(|p| Value::Enumerated(p.0)).collect())
    }

    fn of_device(&self, property: PropertyId) -> Option<Content> {
        let own = ObjectId::device(self.instance);
        let text = |text: &str| Value::Text(text.to_owned());
        Some(Content::One(match property.0 {
            OBJECT_IDENTIFIER => Value::Object(own),
            77 => Value::Text(format!("{} {}", self.profile.model, self.instance)),
            OBJECT_TYPE => Value::Enumerated(own.kind.0.into()),
            28 => text(&self.profile.title.en),
            SYSTEM_STATUS => Value::Enumerated(0),
            VENDOR_NAME => text(&self.profile.vendor),
            VENDOR_IDENTIFIER => Value::Unsigned(VENDOR),
            MODEL_NAME => text(&self.profile.model),
            FIRMWARE_REVISION | APPLICATION_SOFTWARE_VERSION => text(env!("CARGO_PKG_VERSION")),
            PROTOCOL_VERSION => Value::Unsigned(1),
            PROTOCOL_REVISION => Value::Unsigned(14),
            SERVICES_SUPPORTED => Value::Bits(services()),
            OBJECT_TYPES_SUPPORTED => {
                let mut all = vec![false; 60];
                for kind in self.objects.iter().map(|object| object.id.kind).chain([own.kind]) {
                    if let Some(bit) = all.get_mut(usize::from(kind.0)) {
                        *bit = true;
                    }
                }
                Value::Bits(Bits::from_bools(&all))
            }
            76 => {
                let all = [own].into_iter().chain(self.objects.iter().map(|object| object.id));
                return Some(Content::Array(all.map(Value::Object).collect()));
            }
            62 => Value::Unsigned(u64::from(MAX_APDU)),
            107 => Value::Enumerated(NO_SEGMENTATION),
            APDU_TIMEOUT => Value::Unsigned(3000),
            APDU_RETRIES => Value::Unsigned(3),
            DEVICE_ADDRESS_BINDING => return Some(Content::List(Vec::new())),
            DATABASE_REVISION => Value::Unsigned(1),
            PROPERTY_LIST => return Some(self.property_list(own)),
            _ => return None,
        }))
    }
}

/// From which change on somebody is told: ten steps of the last digit that is shown.
pub fn increment(def: &PointDef) -> f32 {
    10_f32.powi(1 - i32::from(def.decimals))
}

/// The words of a multi-state object, from 1 on.
fn states(def: &PointDef) -> Vec<String> {
    let last = def.labels.iter().map(|label| label.code).max().unwrap_or(1).clamp(1, 254);
    let word = |code: i64| {
        let label = def.labels.iter().find(|label| label.code == code);
        label.map_or_else(|| code.to_string(), |label| label.names.en.clone())
    };
    (1..=last).map(word).collect()
}

/// What it takes and says, by the bits of BACnetServicesSupported (clause 21).
fn services() -> Bits {
    const I_AM: usize = 26;
    const UNCONFIRMED_COV: usize = 28;
    const WHO_IS: usize = 34;
    let mut all = [false; 41];
    let known = [
        confirmed::COV_NOTIFICATION,
        confirmed::SUBSCRIBE_COV,
        confirmed::READ_PROPERTY,
        confirmed::READ_PROPERTY_MULTIPLE,
        confirmed::WRITE_PROPERTY,
    ];
    for bit in known.map(usize::from).into_iter().chain([I_AM, UNCONFIRMED_COV, WHO_IS]) {
        if let Some(bit) = all.get_mut(bit) {
            *bit = true;
        }
    }
    Bits::from_bools(&all)
}
