//! Points of one device that are read together, and what their properties make of them: BACnet's side of a question.
//! Polling cuts a device's points by period; the client cuts what is asked by what the device bears.

use steward_shared::profile::{Bacnet, BacnetData, BacnetPoint, PointDef, PropertyId};
use steward_shared::reading::{Quality, Value as Shown};

use super::client::{Failure, Reading};
use super::object::{ObjectId, PropertyRef};
use super::value::Value;
use crate::question::PointValue;

/// More points than this in one question would make one slow device's slot wait for all of them.
const MOST: usize = 500;
/// Bytes that a point's property takes in an answer, roughly.
const POINT: f64 = 20.0;

/// Bits of status flags (clause 21, BACnetStatusFlags): the value is not to be believed, or not measured.
const FAULT: usize = 1;
const OUT_OF_SERVICE: usize = 3;

/// Some points of a device and the properties that tell of them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Batch {
    /// Indices into the profile's points.
    pub points: Vec<usize>,
    /// Each point's property, and where it is wanted the status flags of its object behind it.
    pub targets: Vec<PropertyRef>,
    /// Nobody asked: the device told of a change.
    pub told: bool,
}

/// The wanted points in as few questions as may be.
pub fn batches(points: &[PointDef], wanted: impl IntoIterator<Item = usize>, limits: &Bacnet) -> Vec<Batch> {
    let most = limits.max_properties.map_or(MOST, usize::from).max(1);
    let wanted: Vec<usize> =
        wanted.into_iter().filter(|i| points.get(*i).is_some_and(|p| p.bacnet().is_some())).collect();
    wanted.chunks(most).map(|some| Batch::of(points, some.to_vec(), limits)).collect()
}

/// The property that a point is.
pub const fn target(point: &BacnetPoint) -> PropertyRef {
    let object = ObjectId::new(point.object, point.instance);
    PropertyRef { object, property: point.property, index: point.index }
}

/// The status flags of a point's object.
pub const fn status(point: &BacnetPoint) -> PropertyRef {
    PropertyRef::new(ObjectId::new(point.object, point.instance), PropertyId::STATUS_FLAGS)
}

impl Batch {
    pub fn contents_len(&self) -> f64 {
        self.points.len() as f64 * POINT
    }

    /// The wanted points, to be asked for.
    pub fn of(points: &[PointDef], wanted: Vec<usize>, limits: &Bacnet) -> Self {
        let mut targets = Vec::with_capacity(wanted.len() * 2);
        for point in wanted.iter().filter_map(|i| points.get(*i)?.bacnet()) {
            targets.push(target(point));
            if limits.status && point.has_status() {
                targets.push(status(point));
            }
        }
        targets.shrink_to_fit();
        Self { points: wanted, targets, told: false }
    }

    /// What a device tells of one point by itself, with the status of its object where that is told too.
    pub fn notice(point: usize, place: &BacnetPoint, with_status: bool) -> Self {
        let targets = [target(place)].into_iter().chain(with_status.then(|| status(place))).collect();
        Self { points: vec![point], targets, told: true }
    }

    /// What came of each point.
    pub fn values(&self, points: &[PointDef], readings: &[(PropertyRef, Reading)]) -> Vec<PointValue> {
        let mut rest = readings;
        let mut next = |wanted: PropertyRef| {
            // In the order of the questions: what is behind was taken already.
            let is_it = |(target, _): &(PropertyRef, Reading)| *target == wanted;
            if let Some(at) = rest.iter().position(is_it)
                && let Some((found, behind)) = rest.split_at_checked(at + 1)
            {
                rest = behind;
                return found.last().map(|(_, reading)| reading);
            }
            // Several points of one property, where it was asked for once.
            readings.iter().find(|told| is_it(told)).map(|(_, reading)| reading)
        };
        let of = |index: &usize| {
            let (def, point) = points.get(*index).and_then(|def| Some((def, def.bacnet()?)))?;
            let reading = next(target(point))?;
            let flags = if point.has_status() { next(status(point)) } else { None };
            let (value, quality) = value_of(def, point.data, reading, flags);
            Some(PointValue { point: *index, value, quality })
        };
        self.points.iter().filter_map(of).collect()
    }
}

/// A point's value in what a device said of its property, and of the status of its object. Flags that cannot be read
/// say nothing against it.
pub fn value_of(
    def: &PointDef,
    data: BacnetData,
    reading: &Reading,
    flags: Option<&Reading>,
) -> (Option<Shown>, Quality) {
    let values = match reading {
        Ok(values) => values,
        Err(failure) => return (None, failure.quality()),
    };
    let flag = |bit| {
        let Some(Ok(flags)) = flags else { return false };
        matches!(flags.first(), Some(Value::Bits(bits)) if bits.get(bit) == Some(true))
    };
    if flag(FAULT) || flag(OUT_OF_SERVICE) {
        return (None, Quality::NoValue);
    }
    let [value] = values.values.as_slice() else { return (None, Quality::Undecodable) };
    decode(def, data, value)
}

fn decode(def: &PointDef, data: BacnetData, value: &Value) -> (Option<Shown>, Quality) {
    // The standard's way to say that there is none.
    if *value == Value::Null {
        return (None, Quality::NoValue);
    }
    let found = match (data, value) {
        (BacnetData::Text, Value::Text(text)) => {
            return (Some(Shown::Text(text.trim_end().to_owned())), Quality::Good);
        }
        (BacnetData::Bit { n }, Value::Bits(bits)) => {
            bits.get(usize::from(n)).map(|bit| f64::from(u8::from(bit)))
        }
        (BacnetData::Text | BacnetData::Bit { .. }, _) => None,
        (BacnetData::Flag, value) => value.as_number().filter(|n| [0.0, 1.0].contains(n)),
        (BacnetData::Whole, value) => value.as_number().filter(|n| n.fract() == 0.0),
        (BacnetData::Real, value) => value.as_number(),
    };
    let Some(number) = found else { return (None, Quality::Undecodable) };
    let raw = match value {
        Value::Real(real) => u64::from(real.to_bits()),
        _ => number as i64 as u64,
    };
    if def.sentinels.contains(&raw) {
        return (None, Quality::NoValue);
    }
    (Some(Shown::Number(scaled(def, number))), Quality::Good)
}

/// A factor of one leaves a number as its device sent it.
fn scaled(def: &PointDef, number: f64) -> f64 {
    let (scale, offset) = (def.scale.as_f64(), def.offset.as_f64());
    number * scale + offset
}

impl Failure {
    /// Whether a reading of many properties says that the device was not there.
    pub const fn is_absence(self) -> bool {
        matches!(self, Self::NoReply(_) | Self::NoRoute { .. } | Self::Expired | Self::Busy)
    }
}
