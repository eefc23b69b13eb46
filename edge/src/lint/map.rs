//! The address space of a profile, cell by cell. `picture` draws it.

use std::collections::BTreeMap;

use steward_protocols::cost::Cost;
use steward_protocols::question::{Question, questions};
use steward_shared::profile::{PeriodClass, Profile, Table};

/// One address.
#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Cell {
    /// The points that stand in it, by their keys.
    pub points: Vec<String>,
    /// Whether it is asked for, wanted or not.
    pub is_read: bool,
    /// What is known of the least known of its points.
    pub proof: Proof,
    /// Whether two of its points cannot both be right.
    pub contradicts: bool,
}

/// What the sample frames of a profile prove of a point.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Proof {
    #[default]
    None,
    /// Somebody made its frames from the same map: they prove the reading of it.
    Made,
    /// A device or its document gave the bytes.
    Seen,
}

impl Proof {
    pub fn of(profile: &Profile, key: &str) -> Self {
        let frames = profile.frames.iter().filter(|frame| frame.values.iter().any(|(known, _)| known == key));
        frames.map(|frame| if frame.made { Self::Made } else { Self::Seen }).max().unwrap_or_default()
    }
}

/// Addresses of one table that lie near each other.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Run {
    pub table: Table,
    pub address: u16,
    pub cells: Vec<Cell>,
}

#[derive(Clone, Debug, PartialEq, Eq, Default)]
pub struct Map {
    pub runs: Vec<Run>,
}

/// A hole that is wider than this is not drawn.
const APART: u32 = 16;

/// `cost` is that of the line: what is read over depends on it.
pub fn map(profile: &Profile, cost: &Cost) -> Map {
    let against = super::rules::contradictions(profile);
    let mut cells: BTreeMap<(Table, u32), Cell> = BTreeMap::new();
    for point in &profile.points {
        let Some(register) = point.register() else { continue };
        for address in u32::from(register.address)..register.end() {
            let cell = cells.entry((register.table, address)).or_default();
            cell.points.push(point.key.clone());
            cell.contradicts |= against.iter().any(|(a, b)| *a == point.key || *b == point.key);
        }
    }
    for cell in cells.values_mut() {
        cell.proof = cell.points.iter().map(|key| Proof::of(profile, key)).min().unwrap_or_default();
    }
    for (table, from, end) in blocks(profile, cost) {
        for address in from..end {
            cells.entry((table, address)).or_default().is_read = true;
        }
    }
    let mut runs: Vec<Run> = Vec::new();
    for ((table, address), cell) in cells {
        match runs.last_mut() {
            Some(run) if run.table == table && address - run.end() <= APART => {
                let hole = (address - run.end()) as usize;
                run.cells.extend(std::iter::repeat_n(Cell::default(), hole));
                run.cells.push(cell);
            }
            _ => runs.push(Run { table, address: address as u16, cells: vec![cell] }),
        }
    }
    Map { runs }
}

impl Run {
    /// The first address behind it.
    pub fn end(&self) -> u32 {
        u32::from(self.address) + self.cells.len() as u32
    }
}

/// What is asked for, class by class as the gateway does.
fn blocks(profile: &Profile, cost: &Cost) -> Vec<(Table, u32, u32)> {
    let of_class = |class: PeriodClass| {
        let wanted = profile.points.iter().enumerate().filter(move |(_, p)| p.class == class).map(|(i, _)| i);
        questions(profile, wanted, cost, &[])
    };
    let asked = PeriodClass::ALL.into_iter().flat_map(of_class);
    asked
        .filter_map(|question| match question {
            Question::Modbus(block) => {
                let from = u32::from(block.address);
                Some((block.table, from, from + u32::from(block.count)))
            }
            #[allow(unreachable_patterns, reason = "other languages have no registers")]
            _ => None,
        })
        .collect()
}
