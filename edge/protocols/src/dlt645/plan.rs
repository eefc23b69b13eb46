//! Which data items are asked for: each by itself, or as a block where the profile knows one and two or more of its
//! items are wanted. A meter that refuses a block is asked for the items one by one.

use std::collections::BTreeMap;

use steward_shared::profile::dlt645::{Block, Dlt645, Item, ItemId};
use steward_shared::profile::{Place, PointDef};
use steward_shared::reading::Quality;

use super::address::Address;
use super::exchange::Decoder;
use super::request::{Dialect, Request, RequestFault};
use crate::field::decode;
use crate::question::{PointValue, Split};

/// Ends a block in the standard of 1997.
const BLOCK_END: u8 = 0xAA;

/// One question for an item or a block of items.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ask {
    pub dialect: Dialect,
    pub item: ItemId,
    /// Where the item is a block: what it holds.
    pub block: Option<Block>,
    /// Bytes that the points need.
    pub bytes: usize,
    /// Indices into the points that were handed to the planner.
    pub points: Vec<usize>,
}

/// Where a point stands in a meter that speaks DL/T 645.
pub(super) fn item_of(point: &PointDef) -> Option<&Item> {
    match &point.place {
        Place::Dlt645(item) => Some(item),
        _ => None,
    }
}

/// Groups the wanted points (`wanted` are indices into `points`; all others are left out).
pub fn plan(points: &[PointDef], wanted: impl IntoIterator<Item = usize>, limits: &Dlt645) -> Vec<Ask> {
    let mut items: BTreeMap<ItemId, Vec<usize>> = BTreeMap::new();
    for i in wanted {
        if let Some(item) = points.get(i).and_then(item_of) {
            items.entry(item.id).or_default().push(i);
        }
    }
    let dialect = Dialect::from(limits);
    let mut asks = Vec::new();
    for block in &limits.blocks {
        if block.holds.iter().filter(|id| items.contains_key(id)).count() < 2 {
            continue;
        }
        let points = block.holds.iter().filter_map(|id| items.remove(id)).flatten().collect();
        asks.push(whole(block, dialect, points));
    }
    asks.extend(items.into_iter().map(|(id, own)| single(points, id, dialect, own)));
    asks
}

pub(super) fn whole(block: &Block, dialect: Dialect, points: Vec<usize>) -> Ask {
    let bytes = usize::from(block.bytes) * block.holds.len();
    Ask { dialect, item: block.item, block: Some(block.clone()), bytes, points }
}

pub(super) fn single(points: &[PointDef], item: ItemId, dialect: Dialect, own: Vec<usize>) -> Ask {
    let ends = own.iter().filter_map(|i| Some(item_of(points.get(*i)?)?.field.end()));
    Ask { dialect, item, block: None, bytes: ends.max().unwrap_or(0), points: own }
}

impl Ask {
    pub fn exchange(&self, address: Address) -> Result<Decoder, RequestFault> {
        Decoder::new(Request::Read { item: self.item, bytes: Some(self.bytes) }, address, self.dialect)
    }

    /// The values of its points in the data behind the item's number. What a block lacks at its end the meter does not
    /// have: it has fewer tariffs, or phases.
    pub fn values(&self, points: &[PointDef], data: &[u8]) -> Vec<PointValue> {
        let value = |i: &usize| {
            let point = points.get(*i)?;
            let item = item_of(point)?;
            let (value, quality) = match self.part(item.id, data) {
                Ok(bytes) => decode(point, item.field, bytes),
                Err(quality) => (None, quality),
            };
            Some(PointValue { point: *i, value, quality })
        };
        self.points.iter().filter_map(value).collect()
    }

    /// The bytes of one item.
    fn part<'d>(&self, id: ItemId, data: &'d [u8]) -> Result<&'d [u8], Quality> {
        let Some(block) = &self.block else { return Ok(data) };
        let place = block.holds.iter().position(|held| *held == id).ok_or(Quality::BadReply)?;
        let each = usize::from(block.bytes);
        if let Some(bytes) = data.get(place * each..(place + 1) * each) {
            return Ok(bytes);
        }
        let without_end = data.strip_suffix(&[BLOCK_END]).unwrap_or(data);
        let ends_there = data.len().is_multiple_of(each) || without_end.len().is_multiple_of(each);
        Err(if ends_there { Quality::NoValue } else { Quality::BadReply })
    }

    /// The first item of a block, and the others. `None` for one item.
    pub fn split(&self, points: &[PointDef]) -> Option<Split<Self>> {
        let block = self.block.as_ref()?;
        let id = |i: &usize| points.get(*i).and_then(item_of).map(|item| item.id);
        let first = self.points.first().and_then(id)?;
        let (own, others): (Vec<usize>, Vec<usize>) =
            self.points.iter().copied().partition(|i| id(i) == Some(first));
        let next = others.first().and_then(id)?;
        let alone = others.iter().all(|i| id(i) == Some(next));
        let others = if alone {
            single(points, next, self.dialect, others)
        } else {
            whole(block, self.dialect, others)
        };
        let parts = [single(points, first, self.dialect, own), others];
        Some(Split { parts, gap: None, seam: None })
    }
}
