//! What devices say without being asked: who they are, values that changed, events (ASHRAE 135, clauses 13 and 16.10).
//! Called by the client for unconfirmed messages and for confirmed requests to us.

use steward_shared::profile::{ObjectType, PropertyId};

use super::object::{ObjectId, PropertyRef};
use super::service::{Content, Property};
use super::tag::{Fault, Reader, put_context_unsigned, unsigned, unsigned32};
use super::value::{Date, Time};

/// Whether a device can cut messages into segments (clause 21, BACnetSegmentation).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Segmentation {
    Both,
    Transmit,
    Receive,
    None,
}

impl Segmentation {
    pub const fn from_code(code: u32) -> Self {
        match code {
            0 => Self::Both,
            1 => Self::Transmit,
            2 => Self::Receive,
            _ => Self::None,
        }
    }

    pub const fn can_send(self) -> bool {
        matches!(self, Self::Both | Self::Transmit)
    }
}

/// A device's answer to Who-Is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct IAm {
    pub instance: u32,
    /// The longest message that the device takes.
    pub max_apdu: u16,
    pub segmentation: Segmentation,
    pub vendor: u16,
}

impl IAm {
    pub fn decode(content: &[u8]) -> Result<Self, Fault> {
        let mut reader = Reader::new(content);
        let object = ObjectId::from_bytes(reader.application(12)?)?;
        if object.kind != ObjectType::DEVICE || object.instance == ObjectId::MAX_INSTANCE {
            return Err(Fault::Tag(12));
        }
        let max_apdu = unsigned(reader.application(2)?)?.min(u64::from(u16::MAX)) as u16;
        let segmentation = Segmentation::from_code(unsigned32(reader.application(9)?)?);
        let vendor = unsigned(reader.application(2)?)?.min(u64::from(u16::MAX)) as u16;
        Ok(Self { instance: object.instance, max_apdu, segmentation, vendor })
    }
}

/// The content of Who-Is: everybody, or the instances of a range.
pub fn who_is(range: Option<(u32, u32)>) -> Vec<u8> {
    let mut out = Vec::new();
    if let Some((low, high)) = range {
        put_context_unsigned(&mut out, 0, u64::from(low));
        put_context_unsigned(&mut out, 1, u64::from(high));
    }
    out
}

/// A value that changed (clause 13.1).
#[derive(Clone, Debug, PartialEq)]
pub struct CovNotice {
    pub process: u32,
    pub device: u32,
    pub object: ObjectId,
    /// Seconds for which the subscription still lives.
    pub remaining: u32,
    pub values: Vec<Property>,
}

impl CovNotice {
    pub fn decode(content: &[u8]) -> Result<Self, Fault> {
        let mut reader = Reader::new(content);
        let process = unsigned32(reader.context(0)?)?;
        let device = ObjectId::from_bytes(reader.context(1)?)?.instance;
        let object = ObjectId::from_bytes(reader.context(2)?)?;
        let remaining = unsigned32(reader.context(3)?)?;
        let mut list = reader.enclosed(4)?;
        let mut values = Vec::new();
        while !list.is_empty() {
            let property = PropertyId(unsigned32(list.context(0)?)?);
            let index = list.optional(1)?.map(unsigned32).transpose()?;
            let value = Ok(Content::read(list.enclosed(2)?)?);
            list.optional(3)?;
            values.push(Property { target: PropertyRef { object, property, index }, value });
        }
        Ok(Self { process, device, object, remaining, values })
    }
}

/// When a device says that something happened (clause 21, BACnetTimeStamp).
#[derive(Clone, Debug, PartialEq)]
pub enum Stamp {
    Time(Time),
    /// A number that only ever grows.
    Sequence(u64),
    DateTime(Date, Time),
}

impl Stamp {
    fn decode(mut reader: Reader<'_>) -> Result<Self, Fault> {
        if let Some(content) = reader.optional(0)? {
            return Ok(Self::Time(Time::decode(content)?));
        }
        if let Some(content) = reader.optional(1)? {
            return Ok(Self::Sequence(unsigned(content)?));
        }
        let mut both = reader.enclosed(2)?;
        Ok(Self::DateTime(Date::decode(both.application(10)?)?, Time::decode(both.application(11)?)?))
    }
}

/// What an object is in, by its number (clause 21, BACnetEventState); a vendor's own have no word.
pub const fn event_state(state: u32) -> &'static str {
    match state {
        0 => "normal",
        1 => "fault",
        2 => "off-normal",
        3 => "high-limit",
        4 => "low-limit",
        5 => "life-safety-alarm",
        _ => "other",
    }
}

/// A device tells of an event: an alarm came, went, or was acknowledged (clause 13.8).
#[derive(Clone, Debug, PartialEq)]
pub struct EventNotice {
    pub process: u32,
    pub device: u32,
    pub object: ObjectId,
    pub stamp: Stamp,
    pub class: u32,
    /// 0 is the most urgent, 255 the least.
    pub priority: u8,
    /// Which algorithm found it (clause 21, BACnetEventType).
    pub event_type: u32,
    pub text: Option<String>,
    /// 0 alarm, 1 event, 2 acknowledgement.
    pub notify_type: u32,
    pub ack_required: bool,
    /// 0 normal, 1 fault, 2 off-normal, 3 high limit, 4 low limit; nothing in an acknowledgement.
    pub from: Option<u32>,
    pub to: u32,
}

impl EventNotice {
    pub fn decode(content: &[u8]) -> Result<Self, Fault> {
        let mut reader = Reader::new(content);
        let process = unsigned32(reader.context(0)?)?;
        let device = ObjectId::from_bytes(reader.context(1)?)?.instance;
        let object = ObjectId::from_bytes(reader.context(2)?)?;
        let stamp = Stamp::decode(reader.enclosed(3)?)?;
        let class = unsigned32(reader.context(4)?)?;
        let priority = reader.context(5)?;
        let priority = u8::try_from(unsigned(priority)?).map_err(|_| Fault::Length(priority.len()))?;
        let event_type = unsigned32(reader.context(6)?)?;
        let text = reader.optional(7)?.and_then(super::text::decode);
        let notify_type = unsigned32(reader.context(8)?)?;
        let ack_required = reader.optional(9)?.map(super::tag::flag).transpose()?.unwrap_or(false);
        let from = reader.optional(10)?.map(unsigned32).transpose()?;
        let to = unsigned32(reader.context(11)?)?;
        // Tag 12 has the values of the algorithm, each algorithm its own: they are in the object's properties too.
        Ok(Self {
            process,
            device,
            object,
            stamp,
            class,
            priority,
            event_type,
            text,
            notify_type,
            ack_required,
            from,
            to,
        })
    }
}
