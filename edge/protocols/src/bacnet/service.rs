//! What is asked of a device and what it answers (ASHRAE 135, clauses 13 to 16): the content of confirmed requests and
//! of their acknowledgements. Called by the client. An answer about something else than was asked is no answer.

use std::ops::Deref;

use steward_shared::profile::{ObjectType, PropertyId};

use super::object::{ObjectId, PropertyRef, ServiceError};
use super::tag::{Fault, Reader, put_closing, put_context, put_context_unsigned, put_opening, unsigned32};
use super::value::{Bits, Value};

/// Numbers of the services (clause 21, BACnetConfirmedServiceChoice and BACnetUnconfirmedServiceChoice).
pub mod confirmed {
    pub const COV_NOTIFICATION: u8 = 1;
    pub const EVENT_NOTIFICATION: u8 = 2;
    pub const SUBSCRIBE_COV: u8 = 5;
    pub const READ_PROPERTY: u8 = 12;
    pub const READ_PROPERTY_MULTIPLE: u8 = 14;
    pub const WRITE_PROPERTY: u8 = 15;
    pub const GET_EVENT_INFORMATION: u8 = 29;
}

pub mod unconfirmed {
    pub const I_AM: u8 = 0;
    pub const COV_NOTIFICATION: u8 = 2;
    pub const EVENT_NOTIFICATION: u8 = 3;
    pub const WHO_IS: u8 = 8;
}

/// Priority of a command, 1 (manual life safety) to 16 (lowest), clause 19.2.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Priority(u8);

impl Priority {
    pub fn new(priority: u8) -> Option<Self> {
        matches!(priority, 1..=16).then_some(Self(priority))
    }

    pub const fn number(self) -> u8 {
        self.0
    }
}

/// What is asked of a device.
#[derive(Clone, Debug, PartialEq)]
pub enum Request {
    ReadProperty(PropertyRef),
    /// Neighbours of one object are asked for together.
    ReadPropertyMultiple(Vec<PropertyRef>),
    /// `Value::Null` with a priority gives the command up.
    WriteProperty {
        target: PropertyRef,
        value: Value,
        priority: Option<Priority>,
    },
    /// Without a lifetime: the subscription is given up.
    SubscribeCov {
        process: u32,
        object: ObjectId,
        confirmed: bool,
        lifetime: Option<u32>,
    },
    /// The events that are active, behind the object that a former answer ended with.
    GetEventInformation {
        after: Option<ObjectId>,
    },
}

/// What a property was, or why the device would not tell.
#[derive(Clone, Debug, PartialEq)]
pub struct Property {
    pub target: PropertyRef,
    pub value: Result<Content, ServiceError>,
}

/// The values of a property, and the bytes that they came in.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Content {
    pub values: Vec<Value>,
    pub bytes: Vec<u8>,
}

impl Content {
    /// All that a reader has.
    pub fn read(reader: Reader<'_>) -> Result<Self, Fault> {
        Ok(Self { values: Value::read_all(reader)?, bytes: reader.rest().to_vec() })
    }
}

impl Deref for Content {
    type Target = [Value];

    fn deref(&self) -> &[Value] {
        &self.values
    }
}

/// An event that is active in a device (clause 13.12).
#[derive(Clone, Debug, PartialEq)]
pub struct EventSummary {
    pub object: ObjectId,
    /// 0 normal, 1 fault, 2 off-normal, 3 high limit, 4 low limit, others a vendor's own.
    pub state: u32,
    /// To off-normal, to fault, to normal.
    pub acknowledged: Bits,
    /// 0 alarm, 1 event.
    pub notify_type: u32,
}

#[derive(Clone, Debug, PartialEq)]
pub enum Answer {
    Done,
    Properties(Vec<Property>),
    Events { list: Vec<EventSummary>, more: bool },
}

fn put_object(out: &mut Vec<u8>, number: u8, object: ObjectId) {
    put_context(out, number, &object.bits().to_be_bytes());
}

fn put_reference(out: &mut Vec<u8>, number: u8, target: &PropertyRef) {
    put_context_unsigned(out, number, u64::from(target.property.0));
    if let Some(index) = target.index {
        put_context_unsigned(out, number + 1, u64::from(index));
    }
}

impl Request {
    pub const fn service(&self) -> u8 {
        match self {
            Self::ReadProperty(_) => confirmed::READ_PROPERTY,
            Self::ReadPropertyMultiple(_) => confirmed::READ_PROPERTY_MULTIPLE,
            Self::WriteProperty { .. } => confirmed::WRITE_PROPERTY,
            Self::SubscribeCov { .. } => confirmed::SUBSCRIBE_COV,
            Self::GetEventInformation { .. } => confirmed::GET_EVENT_INFORMATION,
        }
    }

    /// The service's number and its content.
    pub fn wire(&self) -> (u8, Vec<u8>) {
        (self.service(), self.encode())
    }

    pub fn encode(&self) -> Vec<u8> {
        let mut out = Vec::new();
        match self {
            Self::ReadProperty(target) => {
                put_object(&mut out, 0, target.object);
                put_reference(&mut out, 1, target);
            }
            Self::ReadPropertyMultiple(targets) => {
                for object in targets.chunk_by(|a, b| a.object == b.object) {
                    let Some(first) = object.first() else { continue };
                    put_object(&mut out, 0, first.object);
                    put_opening(&mut out, 1);
                    for target in object {
                        put_reference(&mut out, 0, target);
                    }
                    put_closing(&mut out, 1);
                }
            }
            Self::WriteProperty { target, value, priority } => {
                put_object(&mut out, 0, target.object);
                put_reference(&mut out, 1, target);
                put_opening(&mut out, 3);
                value.put(&mut out);
                put_closing(&mut out, 3);
                if let Some(priority) = priority {
                    put_context(&mut out, 4, &[priority.0]);
                }
            }
            Self::SubscribeCov { process, object, confirmed, lifetime } => {
                put_context_unsigned(&mut out, 0, u64::from(*process));
                put_object(&mut out, 1, *object);
                if let Some(lifetime) = lifetime {
                    put_context(&mut out, 2, &[u8::from(*confirmed)]);
                    put_context_unsigned(&mut out, 3, u64::from(*lifetime));
                }
            }
            Self::GetEventInformation { after } => {
                if let Some(object) = after {
                    put_object(&mut out, 0, *object);
                }
            }
        }
        out
    }

    /// What the content of an acknowledgement says; `None` stands for one without content.
    pub fn answer(&self, content: Option<&[u8]>) -> Result<Answer, Fault> {
        match (self, content) {
            (Self::ReadProperty(target), Some(content)) => {
                let property = read_property(content)?;
                if !answers(target, &property.target) {
                    return Err(Fault::Tag(0));
                }
                Ok(Answer::Properties(vec![Property { target: *target, ..property }]))
            }
            (Self::ReadPropertyMultiple(_), Some(content)) => {
                read_property_multiple(content).map(Answer::Properties)
            }
            (Self::GetEventInformation { .. }, Some(content)) => event_information(content),
            (Self::WriteProperty { .. } | Self::SubscribeCov { .. }, None) => Ok(Answer::Done),
            _ => Err(Fault::Cut),
        }
    }
}

/// Whether a value is of what was asked for. Device 4194303 is whichever device hears it (clause 15.5.2).
pub fn answers(asked: &PropertyRef, told: &PropertyRef) -> bool {
    let whichever = asked.object == ObjectId::device(ObjectId::MAX_INSTANCE);
    let object = asked.object == told.object || whichever && told.object.kind == ObjectType::DEVICE;
    object && asked.property == told.property && asked.index == told.index
}

fn read_property(content: &[u8]) -> Result<Property, Fault> {
    let mut reader = Reader::new(content);
    let object = ObjectId::from_bytes(reader.context(0)?)?;
    let property = PropertyId(unsigned32(reader.context(1)?)?);
    let index = reader.optional(2)?.map(unsigned32).transpose()?;
    let value = Content::read(reader.enclosed(3)?)?;
    Ok(Property { target: PropertyRef { object, property, index }, value: Ok(value) })
}

fn read_property_multiple(content: &[u8]) -> Result<Vec<Property>, Fault> {
    let mut reader = Reader::new(content);
    let mut properties = Vec::new();
    while !reader.is_empty() {
        let object = ObjectId::from_bytes(reader.context(0)?)?;
        let mut results = reader.enclosed(1)?;
        while !results.is_empty() {
            let property = PropertyId(unsigned32(results.context(2)?)?);
            let index = results.optional(3)?.map(unsigned32).transpose()?;
            let value = if results.opens(5) {
                let mut error = results.enclosed(5)?;
                let class = unsigned32(error.application(9)?)?;
                Err(ServiceError { class, code: unsigned32(error.application(9)?)? })
            } else {
                Ok(Content::read(results.enclosed(4)?)?)
            };
            properties.push(Property { target: PropertyRef { object, property, index }, value });
        }
    }
    Ok(properties)
}

fn event_information(content: &[u8]) -> Result<Answer, Fault> {
    let mut reader = Reader::new(content);
    let mut summaries = reader.enclosed(0)?;
    let mut list = Vec::new();
    while !summaries.is_empty() {
        let object = ObjectId::from_bytes(summaries.context(0)?)?;
        let state = unsigned32(summaries.context(1)?)?;
        let acknowledged = Bits::decode(summaries.context(2)?).ok_or(Fault::Length(0))?;
        summaries.enclosed(3)?;
        let notify_type = unsigned32(summaries.context(4)?)?;
        summaries.context(5)?;
        summaries.enclosed(6)?;
        list.push(EventSummary { object, state, acknowledged, notify_type });
    }
    let more = super::tag::flag(reader.context(1)?)?;
    Ok(Answer::Events { list, more })
}
