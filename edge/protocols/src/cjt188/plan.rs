//! Which data items are asked for, and what their bytes mean. A value beside which its unit stands is brought to the
//! unit of its point.

use std::collections::BTreeMap;

use steward_shared::profile::cjt188::{Cjt188, Item, ItemId, meter_unit};
use steward_shared::profile::{Place, PointDef};
use steward_shared::reading::{Quality, Value};

use super::address::Address;
use super::exchange::Decoder;
use super::request::{Dialect, Request};
use super::unit::Unit;
use crate::field::decode;
use crate::question::PointValue;

/// One question for a data item.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ask {
    pub dialect: Dialect,
    pub item: ItemId,
    /// Bytes that the points need.
    pub bytes: usize,
    /// Indices into the points that were handed to the planner.
    pub points: Vec<usize>,
}

/// Where a point stands in a meter that speaks CJ/T 188.
pub(super) fn item_of(point: &PointDef) -> Option<&Item> {
    match &point.place {
        Place::Cjt188(item) => Some(item),
        _ => None,
    }
}

pub(super) fn end(item: &Item) -> usize {
    item.field.end().max(item.unit_at.map_or(0, |at| usize::from(at) + 1))
}

/// Groups the wanted points (`wanted` are indices into `points`; all others are left out).
pub fn plan(points: &[PointDef], wanted: impl IntoIterator<Item = usize>, limits: &Cjt188) -> Vec<Ask> {
    let mut items: BTreeMap<ItemId, Vec<usize>> = BTreeMap::new();
    for i in wanted {
        if let Some(item) = points.get(i).and_then(item_of) {
            items.entry(item.id).or_default().push(i);
        }
    }
    let ask = |(item, own): (ItemId, Vec<usize>)| {
        let ends = own.iter().filter_map(|i| points.get(*i).and_then(item_of)).map(end);
        let bytes = ends.max().unwrap_or(0);
        Ask { dialect: Dialect::from(limits), item, bytes, points: own }
    };
    items.into_iter().map(ask).collect()
}

impl Ask {
    pub fn exchange(&self, address: Address) -> Decoder {
        Decoder::new(Request::Read { item: self.item, bytes: self.bytes }, address, self.dialect)
    }

    /// The values of its points in the data behind the item's number and the request's.
    pub fn values(&self, points: &[PointDef], data: &[u8]) -> Vec<PointValue> {
        let value = |i: &usize| {
            let point = points.get(*i)?;
            let (value, quality) = read(point, item_of(point)?, data);
            Some(PointValue { point: *i, value, quality })
        };
        self.points.iter().filter_map(value).collect()
    }
}

fn read(point: &PointDef, item: &Item, data: &[u8]) -> (Option<Value>, Quality) {
    let (value, quality) = decode(point, item.field, data);
    let (Some(Value::Number(number)), Some(at)) = (&value, item.unit_at) else { return (value, quality) };
    let Some(code) = data.get(usize::from(at)) else { return (None, Quality::BadReply) };
    match (Unit::of(*code), meter_unit(&point.unit)) {
        (Some(unit), Some((quantity, size))) if unit.quantity == quantity => {
            let number = convert(*number, unit.size, size);
            if number.is_finite() {
                (Some(Value::Number(number)), quality)
            } else {
                (None, Quality::Undecodable)
            }
        }
        // It counts something else than the profile thinks, or nobody knows what.
        _ => (None, Quality::Undecodable),
    }
}

/// `number` units of the size `from` in units of the size `to`. A power of ten moves the point and nothing else.
fn convert(number: f64, from: u64, to: u64) -> f64 {
    let tens = |ratio: u64| (0..19).find(|k| 10_u64.pow(*k) == ratio);
    let whole = |a: u64, b: u64| if a.is_multiple_of(b) { tens(a / b) } else { None };
    let moved = match (whole(from, to), whole(to, from)) {
        (Some(up), _) => format!("{number}e{up}").parse(),
        (_, Some(down)) => format!("{number}e-{down}").parse(),
        _ => Ok(number * from as f64 / to as f64),
    };
    moved.unwrap_or(f64::NAN)
}
