//! What a request to a device wants (ASHRAE 135, clauses 13, 15 and 16). A request that is malformed is rejected, never
//! guessed at.

use steward_shared::profile::PropertyId;

use super::super::object::{ObjectId, PropertyRef};
use super::super::service::{Priority, confirmed};
use super::super::tag::{Fault, Reader, flag, unsigned32};
use super::super::value::Value;

#[derive(Clone, Debug, PartialEq)]
pub enum Asked {
    Read(PropertyRef),
    ReadMultiple(Vec<PropertyRef>),
    Write {
        target: PropertyRef,
        values: Vec<Value>,
        priority: Option<Priority>,
    },
    /// Without a lifetime and the rest: given up.
    Subscribe {
        process: u32,
        object: ObjectId,
        terms: Option<Terms>,
    },
}

/// How changes are to be told.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Terms {
    pub confirmed: bool,
    /// Seconds; 0 is for ever.
    pub lifetime: u32,
}

fn reference(reader: &mut Reader<'_>, object: ObjectId, number: u8) -> Result<PropertyRef, Fault> {
    let property = PropertyId(unsigned32(reader.context(number)?)?);
    let index = reader.optional(number + 1)?.map(unsigned32).transpose()?;
    Ok(PropertyRef { object, property, index })
}

/// None where the service is not known.
pub fn asked(service: u8, data: &[u8]) -> Option<Result<Asked, Fault>> {
    Some(match service {
        confirmed::READ_PROPERTY => read(data),
        confirmed::READ_PROPERTY_MULTIPLE => read_multiple(data),
        confirmed::WRITE_PROPERTY => write(data),
        confirmed::SUBSCRIBE_COV => subscribe(data),
        _ => return None,
    })
}

fn read(data: &[u8]) -> Result<Asked, Fault> {
    let mut reader = Reader::new(data);
    let object = ObjectId::from_bytes(reader.context(0)?)?;
    reference(&mut reader, object, 1).map(Asked::Read)
}

fn read_multiple(data: &[u8]) -> Result<Asked, Fault> {
    let mut reader = Reader::new(data);
    let mut targets = Vec::new();
    while !reader.is_empty() {
        let object = ObjectId::from_bytes(reader.context(0)?)?;
        let mut list = reader.enclosed(1)?;
        while !list.is_empty() {
            targets.push(reference(&mut list, object, 0)?);
        }
    }
    if targets.is_empty() { Err(Fault::Cut) } else { Ok(Asked::ReadMultiple(targets)) }
}

fn write(data: &[u8]) -> Result<Asked, Fault> {
    let mut reader = Reader::new(data);
    let object = ObjectId::from_bytes(reader.context(0)?)?;
    let target = reference(&mut reader, object, 1)?;
    let values = Value::read_all(reader.enclosed(3)?)?;
    let priority = reader.optional(4)?.map(unsigned32).transpose()?;
    let priority = match priority {
        None => None,
        Some(given) => {
            let given = u8::try_from(given).map_err(|_| Fault::Length(4))?;
            Some(Priority::new(given).ok_or(Fault::Reserved(given))?)
        }
    };
    Ok(Asked::Write { target, values, priority })
}

fn subscribe(data: &[u8]) -> Result<Asked, Fault> {
    let mut reader = Reader::new(data);
    let process = unsigned32(reader.context(0)?)?;
    let object = ObjectId::from_bytes(reader.context(1)?)?;
    let confirmed = reader.optional(2)?.map(flag).transpose()?;
    let lifetime = reader.optional(3)?.map(unsigned32).transpose()?;
    let terms = confirmed.map(|confirmed| Terms { confirmed, lifetime: lifetime.unwrap_or(0) });
    Ok(Asked::Subscribe { process, object, terms })
}

/// Whom a Who-Is means.
pub fn is_meant(data: &[u8], instance: u32) -> bool {
    let mut reader = Reader::new(data);
    if reader.is_empty() {
        return true;
    }
    let mut bound = |number| reader.context(number).and_then(unsigned32);
    matches!((bound(0), bound(1)), (Ok(low), Ok(high)) if (low..=high).contains(&instance))
}
