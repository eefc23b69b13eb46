//! What the tables of a device hold at one instant, filled through its profile, read as a device is read.

use std::collections::BTreeMap;

use steward_shared::profile::{PointDef, Profile, Table};
use steward_shared::reading::Value;

use super::answer::{Asked, Outcome};
use crate::modbus::{Change, EncodeFault, Request, encode_into};

/// A place in a table.
pub type Cell = (Table, u16);

#[derive(Debug, Default)]
pub struct Image(BTreeMap<Cell, u16>);

impl Image {
    /// Asks `value` for each point of the profile. A point without a value holds its sentinel, and zeros where
    /// it has none; a value that its registers cannot hold is the first fault that comes back.
    pub fn fill(
        profile: &Profile,
        mut value: impl FnMut(&PointDef) -> Option<Value>,
    ) -> (Self, Option<(String, EncodeFault)>) {
        let mut cells: BTreeMap<Cell, u16> = BTreeMap::new();
        let mut fault = None;
        for point in &profile.points {
            let Some(register) = point.register() else { continue };
            let places: Vec<_> = (0..register.data.width())
                .map(|i| (register.table, register.address.saturating_add(i)))
                .collect();
            let mut words: Vec<u16> =
                places.iter().map(|place| cells.get(place).copied().unwrap_or_default()).collect();
            let value = value(point);
            match encode_into(point, value.as_ref(), &mut words) {
                Ok(()) | Err(EncodeFault::NoSentinel) => {}
                Err(e) => fault = fault.or_else(|| Some((point.key.clone(), e))),
            }
            cells.extend(places.into_iter().zip(words));
        }
        (Self(cells), fault)
    }

    /// What the device says to a request; functions other than 1 to 4 are refused with exception 1.
    pub fn answer(&self, asked: Asked) -> Outcome {
        let table = [Table::Coil, Table::Discrete, Table::Holding, Table::Input]
            .into_iter()
            .find(|t| t.function() == asked.function);
        table.map_or(Outcome::Refused(1), |table| self.read(table, asked.address, asked.count))
    }

    /// Reads as a device does: all of it, or exception 2 where a register does not exist.
    pub fn read(&self, table: Table, address: u16, count: u16) -> Outcome {
        let most = if table.is_bits() { Request::MAX_BITS } else { Request::MAX_REGISTERS };
        if count == 0 || count > most {
            return Outcome::Refused(3);
        }
        let Some(last) = address.checked_add(count - 1) else { return Outcome::Refused(2) };
        let words: Vec<u16> = self.0.range((table, address)..=(table, last)).map(|(_, w)| *w).collect();
        if words.len() != usize::from(count) {
            Outcome::Refused(2)
        } else if table.is_bits() {
            Outcome::Bits(words.into_iter().map(|w| w & 1 == 1).collect())
        } else {
            Outcome::Registers(words)
        }
    }

    /// Puts contents into cells that are there.
    pub fn put(&mut self, contents: impl IntoIterator<Item = (Cell, u16)>) {
        for (cell, word) in contents {
            if let Some(held) = self.0.get_mut(&cell) {
                *held = word;
            }
        }
    }

    /// What the cells hold from `address` on; none where one is not there.
    pub fn words(&self, table: Table, address: u16, count: u16) -> Option<Vec<u16>> {
        (0..count).map(|i| self.0.get(&(table, address.checked_add(i)?)).copied()).collect()
    }

    /// What a change would put where; an exception code where the device does not take it: 2 where a cell is not there, or
    /// may not be written to.
    pub fn changed(&self, change: &Change, may: impl Fn(Cell) -> bool) -> Result<Vec<(Cell, u16)>, u8> {
        let held = |cell: Cell| self.0.get(&cell).copied().filter(|_| may(cell)).ok_or(2_u8);
        let row = |table: Table, address: u16, words: Vec<u16>| {
            (0_u16..)
                .zip(words)
                .map(|(i, word)| {
                    let cell = (table, address.checked_add(i).ok_or(2_u8)?);
                    held(cell).map(|_| (cell, word))
                })
                .collect()
        };
        match change {
            Change::Coil { address, on } => row(Table::Coil, *address, vec![u16::from(*on)]),
            Change::Coils { address, bits } => {
                row(Table::Coil, *address, bits.iter().map(|bit| u16::from(*bit)).collect())
            }
            Change::Register { address, value } => row(Table::Holding, *address, vec![*value]),
            Change::Registers { address, values } | Change::Exchange { address, values, .. } => {
                row(Table::Holding, *address, values.clone())
            }
            Change::Mask { address, and, or } => {
                let old = held((Table::Holding, *address))?;
                row(Table::Holding, *address, vec![old & and | or & !and])
            }
        }
    }
}
