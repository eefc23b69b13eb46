//! CJ/T 188 in a profile: what kind of meter it is, how it writes the number of a data item, and in which bytes of
//! which item its points stand. Meters of one standard differ in all of these: nothing of it is guessed.

use std::fmt;

use super::definition::Place;
use super::field::{Field, field};
use super::language::Placed;
use crate::document::{FromNode, Node, Table as Fields, Wrong};

/// Most bytes of data behind the item's number and the serial number: the length is one byte and counts three more.
const MOST: u8 = 252;

/// What a meter that speaks CJ/T 188 is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Cjt188 {
    /// The meter's type as it stands in the frames.
    pub meter: u8,
    /// Whether the low byte of an item's number comes first (`1F 90`), or the high one (`90 1F`).
    pub low_byte_first: bool,
    /// Bytes FE before each request, 0 to 20.
    pub wake_up: u8,
}

/// Where a point stands.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Item {
    pub id: ItemId,
    pub field: Field,
    /// The byte that says the value's unit: what the meter counts in is brought to the point's unit by it. Without it
    /// the meter counts in the point's unit.
    pub unit_at: Option<u8>,
}

/// The number of a data item: `901F`.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ItemId(pub u16);

/// The types of meters (CJ/T 188-2004, table 1; heat and cold in one since 2018).
const METERS: [(&str, u8); 9] = [
    ("cold-water", 0x10),
    ("hot-water", 0x11),
    ("drinking-water", 0x12),
    ("reclaimed-water", 0x13),
    ("heat", 0x20),
    ("cooling", 0x21),
    ("heat-and-cooling", 0x22),
    ("gas", 0x30),
    ("custom", 0x40),
];

const ORDERS: [(&str, bool); 2] = [("low-byte-first", true), ("high-byte-first", false)];

pub(super) fn limits(fields: &Fields<'_>) -> Cjt188 {
    Cjt188 {
        meter: fields.word("meter", &METERS).unwrap_or_default(),
        low_byte_first: fields.word("item_order", &ORDERS).unwrap_or_default(),
        wake_up: fields.within_or("wake_up", 0..=20, 4),
    }
}

pub(super) fn place(fields: &Fields<'_>) -> Placed {
    let id = fields.required::<ItemId>("item");
    let field = field(fields, MOST);
    let unit_at = fields.optional::<u8>("unit_at");
    let form = field.map(Field::form);
    let (Some(id), Some(field)) = (id, field) else { return Placed { place: None, form } };
    if unit_at.is_some_and(|at| at >= MOST || (usize::from(field.at)..field.end()).contains(&usize::from(at)))
    {
        fields.fault("unit_at", "the unit stands in a byte of its own", "count it from 0 like at");
    }
    if unit_at.is_some() {
        let unit = fields.optional::<String>("unit").unwrap_or_default();
        if meter_unit(&unit).is_none() {
            let known = UNITS.map(|(code, ..)| code).join(", ");
            let message = format!("a meter's unit cannot be brought to \"{unit}\"");
            fields.fault("unit_at", message, format!("take one of {known}, or remove the key"));
        }
    }
    Placed { place: Some(Place::Cjt188(Item { id, field, unit_at })), form }
}

/// What a unit measures.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Quantity {
    Energy,
    Power,
    Volume,
    Flow,
}

/// Units that a meter's value can be brought to, each in parts of the smallest of its quantity: J, J/h, L, L/h.
const UNITS: [(&str, Quantity, u64); 14] = [
    ("J", Quantity::Energy, 1),
    ("kJ", Quantity::Energy, 1_000),
    ("MJ", Quantity::Energy, 1_000_000),
    ("GJ", Quantity::Energy, 1_000_000_000),
    ("W.h", Quantity::Energy, 3_600),
    ("kW.h", Quantity::Energy, 3_600_000),
    ("MW.h", Quantity::Energy, 3_600_000_000),
    ("W", Quantity::Power, 3_600),
    ("kW", Quantity::Power, 3_600_000),
    ("MW", Quantity::Power, 3_600_000_000),
    ("L", Quantity::Volume, 1),
    ("m3", Quantity::Volume, 1_000),
    ("L/h", Quantity::Flow, 1),
    ("m3/h", Quantity::Flow, 1_000),
];

/// A point's unit by its UCUM code, as a quantity and its size in the smallest unit of that quantity.
pub fn meter_unit(code: &str) -> Option<(Quantity, u64)> {
    UNITS.iter().find(|(known, ..)| *known == code).map(|(_, quantity, size)| (*quantity, *size))
}

impl FromNode for ItemId {
    const EXAMPLE: &'static str = "\"901F\"";

    fn from_node(node: &Node) -> Result<Self, Wrong> {
        let text = String::from_node(node)?;
        let plain = text.len() == 4 && text.chars().all(|c| c.is_ascii_hexdigit());
        u16::from_str_radix(&text, 16).ok().filter(|_| plain).map(Self).ok_or_else(|| {
            Wrong::new(format!("\"{text}\" is no data item"), "write four hexadecimal digits, like \"901F\"")
        })
    }
}

impl fmt::Display for ItemId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04X}", self.0)
    }
}

impl fmt::Debug for ItemId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}
