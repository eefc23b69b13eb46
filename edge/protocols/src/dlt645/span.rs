//! What a question for a data item is in words, for answers that are kept longer than the plan that asked for them.
//! `question` calls this.

use std::ops::Range;

use steward_shared::profile::PointDef;
use steward_shared::profile::dlt645::{Dlt645, ItemId};

use super::plan::{Ask, item_of, single, whole};
use super::request::Dialect;

/// The item's number.
pub fn words(ask: &Ask) -> String {
    format!("item {}", ask.item)
}

/// The question of such words, with every point of the profile that its answer holds.
pub fn ask(words: &str, points: &[PointDef], limits: &Dlt645) -> Option<Ask> {
    let item = ItemId(u32::from_str_radix(words.strip_prefix("item ")?, 16).ok()?);
    let of = |wanted: &[ItemId]| -> Vec<usize> {
        let stands_there = |p: &PointDef| item_of(p).is_some_and(|item| wanted.contains(&item.id));
        points.iter().enumerate().filter(|(_, p)| stands_there(p)).map(|(i, _)| i).collect()
    };
    let dialect = Dialect::from(limits);
    Some(match limits.blocks.iter().find(|block| block.item == item) {
        Some(block) => whole(block, dialect, of(&block.holds)),
        None => single(points, item, dialect, of(&[item])),
    })
}

/// Which bytes of the data behind the item's number a point is made of.
pub fn bytes(ask: &Ask, point: &PointDef) -> Option<Range<usize>> {
    let item = item_of(point)?;
    let begin = match &ask.block {
        Some(block) => block.holds.iter().position(|held| *held == item.id)? * usize::from(block.bytes),
        None => 0,
    };
    Some(begin + usize::from(item.field.at)..begin + item.field.end())
}
