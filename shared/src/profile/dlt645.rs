//! DL/T 645 in a profile: which of the two standards the meter keeps to, in which data items its points stand, and
//! which blocks of items it gives in one answer.

use std::fmt;

use super::definition::Place;
use super::field::{Field, field};
use super::language::Placed;
use crate::document::{FromNode, Node, Table as Fields, Wrong};

/// Most bytes of data in one answer, behind the item's number (DL/T 645-2007: L is at most 200 where data are read).
const MOST: u8 = 196;

/// What a meter that speaks DL/T 645 bears.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Dlt645 {
    pub version: Version,
    /// Bytes FE before each request, 0 to 4: they wake a meter's receiver.
    pub wake_up: u8,
    pub blocks: Vec<Block>,
}

/// The two standards. Frames look alike; functions, items and numbers differ.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Version {
    V1997,
    V2007,
}

impl Version {
    /// Bytes of an item's number.
    pub const fn item_bytes(self) -> usize {
        match self {
            Self::V1997 => 2,
            Self::V2007 => 4,
        }
    }
}

/// The number of a data item, the highest byte first: `00010000`; two bytes in the standard of 1997.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ItemId(pub u32);

/// Several items of one length that are given in one answer, one behind the other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Block {
    pub item: ItemId,
    /// Of each item.
    pub bytes: u8,
    pub holds: Vec<ItemId>,
}

/// Where a point stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Item {
    pub id: ItemId,
    pub field: Field,
}

pub(super) fn limits(fields: &Fields<'_>) -> Dlt645 {
    let version = fields.required::<u16>("version").and_then(|year| match year {
        1997 => Some(Version::V1997),
        2007 => Some(Version::V2007),
        _ => {
            fields.fault("version", format!("there is no DL/T 645-{year}"), "write 2007 or 1997");
            None
        }
    });
    let wake_up = fields.within_or("wake_up", 0..=4, 4);
    let blocks: Vec<Block> =
        fields.tables("block").iter().filter_map(|table| block(table, version)).collect();
    let mut seen = std::collections::BTreeSet::new();
    if let Some(twice) = blocks.iter().flat_map(|b| &b.holds).find(|id| !seen.insert(**id)) {
        let message = format!("the item {twice} stands in two places");
        fields.fault("block", message, "put each item into one block, once");
    }
    Dlt645 { version: version.unwrap_or(Version::V2007), wake_up, blocks }
}

fn block(fields: &Fields<'_>, version: Option<Version>) -> Option<Block> {
    let item = fields.required::<ItemText>("item");
    let bytes = fields.within("bytes", 1..=MOST);
    let holds = fields.required::<Vec<ItemText>>("holds");
    let item = item.filter(|item| check(fields, "item", item, version));
    let holds = holds.filter(|holds| holds.iter().all(|item| check(fields, "holds", item, version)));
    let (item, bytes, holds) = (item?, bytes?, holds?);
    if holds.len() < 2 || usize::from(bytes) * holds.len() > usize::from(MOST) {
        let message = format!("a block of {} items of {bytes} bytes is none", holds.len());
        fields.fault("holds", message, format!("name two items or more, of {MOST} bytes together at most"));
        return None;
    }
    Some(Block { item: item.id, bytes, holds: holds.into_iter().map(|h| h.id).collect() })
}

pub(super) fn place(fields: &Fields<'_>, limits: &Dlt645) -> Placed {
    let item = fields.required::<ItemText>("item");
    let item = item.filter(|item| check(fields, "item", item, Some(limits.version)));
    let field = field(fields, MOST);
    let form = field.map(Field::form);
    let (Some(item), Some(field)) = (item, field) else { return Placed { place: None, form } };
    let block = limits.blocks.iter().find(|block| block.holds.contains(&item.id));
    if let Some(block) = block.filter(|block| field.end() > usize::from(block.bytes)) {
        let message = format!("in the block {} this item has {} bytes", block.item, block.bytes);
        fields.fault("bytes", message, "correct one of them");
    }
    Placed { place: Some(Place::Dlt645(Item { id: item.id, field })), form }
}

/// An item's number in a file, and how many digits it was written with.
struct ItemText {
    id: ItemId,
    digits: usize,
}

fn check(fields: &Fields<'_>, key: &str, item: &ItemText, version: Option<Version>) -> bool {
    let Some(version) = version else { return true };
    let wanted = version.item_bytes() * 2;
    if item.digits != wanted {
        let message = format!("an item of this standard has {wanted} digits, this has {}", item.digits);
        let way_out = match version {
            Version::V1997 => "write it like \"9010\"",
            Version::V2007 => "write it like \"00010000\"",
        };
        fields.fault(key, message, way_out);
    }
    item.digits == wanted
}

impl FromNode for ItemText {
    const EXAMPLE: &'static str = "\"00010000\"";

    fn from_node(node: &Node) -> Result<Self, Wrong> {
        let text = String::from_node(node)?;
        let plain = matches!(text.len(), 4 | 8) && text.chars().all(|c| c.is_ascii_hexdigit());
        let id = u32::from_str_radix(&text, 16).ok().filter(|_| plain).map(ItemId);
        let wrong = || {
            Wrong::new(
                format!("\"{text}\" is no data item"),
                "write its number in hexadecimal, the highest byte first, like \"00010000\"",
            )
        };
        Ok(Self { id: id.ok_or_else(wrong)?, digits: text.len() })
    }
}

impl fmt::Display for ItemId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Those of 1997 begin with 9, A, B or C in two bytes, and no item of 2007 is so small and lacks its zeros.
        if (0x9000..=0xFFFF).contains(&self.0) {
            write!(f, "{:04X}", self.0)
        } else {
            write!(f, "{:08X}", self.0)
        }
    }
}

impl fmt::Debug for ItemId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
