//! Where a command to a BACnet object stands: a slot of its priority array (ASHRAE 135, clause 19.2), or the present value
//! of an object that has none. The tool that writes and the way back share it.

use steward_protocols::bacnet::client::{Failure, Peer, Reading, first};
use steward_protocols::bacnet::{
    Answer, Content, ObjectId, Priority, PropertyId, PropertyRef, Request, ServiceError, Value, command,
    value_of,
};
use steward_shared::profile::PointDef;
use steward_shared::reading::Value as Shown;

use crate::line::bacnet::{Network, NoAnswer};

/// What a device says that has no such property.
const UNKNOWN_PROPERTY: u32 = 32;
/// Reals are of seven digits; what is scaled may lose the last.
const NEAR: f64 = 1e-6;

pub struct Slot<'n> {
    network: &'n Network,
    peer: Peer,
    object: ObjectId,
    /// None where the object has no priority array.
    pub priority: Option<Priority>,
}

impl<'n> Slot<'n> {
    /// The slot of this priority, where the object has such.
    pub async fn find(
        network: &'n Network,
        peer: Peer,
        object: ObjectId,
        priority: Priority,
    ) -> Result<Self, NoAnswer> {
        let mut slot = Self { network, peer, object, priority: Some(priority) };
        let array = PropertyRef::new(object, PropertyId::PRIORITY_ARRAY).at(priority.number().into());
        if let Err(Failure::Refused(ServiceError { code: UNKNOWN_PROPERTY, .. })) = slot.read(array).await? {
            slot.priority = None;
        }
        Ok(slot)
    }

    async fn read(&self, target: PropertyRef) -> Result<Reading, NoAnswer> {
        let readings = self.network.read(self.peer, vec![target]).await?;
        Ok(readings.into_iter().next().map_or(Ok(Content::default()), |(_, reading)| reading))
    }

    async fn one(&self, target: PropertyRef) -> Result<Value, NoAnswer> {
        let reading = self.read(target).await?;
        first(&reading)
            .cloned()
            .map_or_else(|| Err(reading.err().map_or(NoAnswer::Ended, NoAnswer::Device)), Ok)
    }

    /// The value that holds.
    pub async fn present(&self) -> Result<Value, NoAnswer> {
        self.one(PropertyRef::new(self.object, PropertyId::PRESENT_VALUE)).await
    }

    /// What stands in the slot; none where it is given up. Without an array it is the present value.
    pub async fn content(&self) -> Result<Option<Value>, NoAnswer> {
        let Some(priority) = self.priority else { return self.present().await.map(Some) };
        let array = PropertyRef::new(self.object, PropertyId::PRIORITY_ARRAY);
        let value = self.one(array.at(priority.number().into())).await?;
        Ok((value != Value::Null).then_some(value))
    }

    /// What stands in all of them, the first priority first; nothing where the object has none.
    pub async fn all(&self) -> Result<Vec<Option<Value>>, NoAnswer> {
        if self.priority.is_none() {
            return Ok(Vec::new());
        }
        let array = self.read(PropertyRef::new(self.object, PropertyId::PRIORITY_ARRAY)).await?;
        let values = array.map(|content| content.values).unwrap_or_default();
        Ok(values.into_iter().map(|value| (value != Value::Null).then_some(value)).collect())
    }

    /// The request that puts a value there, or gives it up.
    pub fn request(&self, value: Option<Value>) -> Request {
        Request::WriteProperty {
            target: PropertyRef::new(self.object, PropertyId::PRESENT_VALUE),
            value: value.unwrap_or(Value::Null),
            priority: self.priority,
        }
    }

    pub async fn put(&self, value: Option<Value>) -> Result<(), NoAnswer> {
        match self.network.ask(self.peer, self.request(value)).await? {
            Answer::Done => Ok(()),
            _ => Err(NoAnswer::Ended),
        }
    }
}

/// A value of the slot as the point shows it.
pub fn shown(def: &PointDef, value: &Value) -> Option<f64> {
    let place = def.bacnet()?;
    let content = Content { values: vec![value.clone()], bytes: Vec::new() };
    value_of(def, place.data, &Ok(content), None).0?.as_number()
}

/// Whether two are the same value, as far as a real holds it.
pub fn is_same(a: Option<f64>, b: Option<f64>) -> bool {
    match (a, b) {
        (None, None) => true,
        (Some(a), Some(b)) => (a - b).abs() <= NEAR * a.abs().max(b.abs()).max(1e-3),
        _ => false,
    }
}

/// The value that makes the point show this.
pub fn commanding(def: &PointDef, number: f64) -> Option<Value> {
    command(def, &Shown::Number(number))
}
