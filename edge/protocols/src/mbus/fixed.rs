//! The fixed structure that old meters answer in: two counters and a code for the unit of each. It is written over into
//! the records that a newer meter would send, so that nothing behind knows of it.

use super::address::{Identity, Mask};
use super::record::HEADER;

/// The second counter is the first at a day in the past.
const SAME_BUT_HISTORIC: u8 = 0x3E;
/// Bits of the status byte.
const BINARY: u8 = 0x01;
const AT_A_FIXED_DATE: u8 = 0x02;
/// Ten times the unit, as an extension of value information.
const TIMES_TEN: u8 = 0x77;

/// The groups of unit codes ("The M-Bus: A Documentation", table of units of the fixed structure): the first code, how many
/// there are, each ten times the one before, value information of the first, and how far its own powers of ten reach.
const UNITS: [(u8, u8, u8, u8); 7] = [
    (0x02, 9, 0x03, 4), // Wh
    (0x0B, 9, 0x0B, 4), // kJ
    (0x14, 9, 0x2B, 4), // W
    (0x1D, 9, 0x33, 4), // kJ/h
    (0x26, 9, 0x10, 7), // mL
    (0x2F, 9, 0x38, 7), // mL/h
    (0x39, 1, 0x6E, 0), // units of a heat cost allocator
];

/// Header and records for the data of a telegram.
pub fn as_records(data: &[u8]) -> Option<([u8; HEADER], Vec<u8>)> {
    let [a, b, c, d, access, status, first, second, counters @ ..] = data else { return None };
    let (one, two) = (counters.get(..4)?, counters.get(4..8)?);
    let medium = (second >> 6) << 2 | first >> 6;
    let mut header = [0; HEADER];
    // Its maker and version such a meter does not say: they are as if left open.
    let open = Mask::OPEN.wire();
    let [.., low, high, version, _] = open;
    let identity = Identity::from_wire([*a, *b, *c, *d, low, high, version, medium]);
    for (byte, own) in header.iter_mut().zip(identity.wire().iter().chain([access, &(status & !3)])) {
        *byte = *own;
    }
    let coding = if status & BINARY == 0 { 0x0C } else { 0x04 };
    let storage = |past: bool| if past { 0x40 } else { 0 };
    let fixed_date = status & AT_A_FIXED_DATE != 0;
    let (unit, second_unit) = (first & 0x3F, second & 0x3F);
    let mut records = record(coding | storage(fixed_date), unit, one);
    records.extend(match second_unit {
        SAME_BUT_HISTORIC => record(coding | storage(true), unit, two),
        own => record(coding | storage(fixed_date), own, two),
    });
    Some((header, records))
}

/// Nothing for a unit that is no quantity.
fn record(dif: u8, unit: u8, counter: &[u8]) -> Vec<u8> {
    let group = UNITS.iter().find(|(first, count, ..)| (*first..first + count).contains(&unit));
    let Some((first, _, vif, own)) = group else { return Vec::new() };
    let power = unit - first;
    let beyond = power.saturating_sub(*own);
    let mut bytes = vec![dif, vif + power.min(*own)];
    bytes.extend((0..beyond).map(|_| TIMES_TEN));
    let last = bytes.len() - 1;
    for byte in bytes.iter_mut().take(last).skip(1) {
        *byte |= 0x80;
    }
    bytes.extend(counter);
    bytes
}
