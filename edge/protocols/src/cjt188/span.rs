//! What a question for a data item is in words, for answers that are kept longer than the plan that asked for them.
//! `question` calls this.

use std::ops::Range;

use steward_shared::profile::PointDef;
use steward_shared::profile::cjt188::{Cjt188, ItemId};

use super::plan::{Ask, item_of, plan};

/// The item's number.
pub fn words(ask: &Ask) -> String {
    format!("item {}", ask.item)
}

/// The question of such words, with every point of the profile that its answer holds.
pub fn ask(words: &str, points: &[PointDef], limits: Cjt188) -> Option<Ask> {
    let item = ItemId(u16::from_str_radix(words.strip_prefix("item ")?, 16).ok()?);
    let stands_there = |p: &PointDef| item_of(p).is_some_and(|of| of.id == item);
    let wanted = points.iter().enumerate().filter(|(_, p)| stands_there(p)).map(|(i, _)| i);
    plan(points, wanted, &limits).into_iter().next()
}

/// Which bytes of the data behind the item's number and the request's a point is made of; not the byte of its unit.
pub fn bytes(point: &PointDef) -> Option<Range<usize>> {
    let item = item_of(point)?;
    Some(usize::from(item.field.at)..item.field.end())
}
