//! At which addresses a device answers, and where its registers end. One that refuses nearly all that is asked for and
//! has all registers of a profile looks like it, whatever stands in them; one that answers everywhere says nothing by that.

use std::collections::{BTreeMap, BTreeSet};

use steward_shared::profile::{Profile, Register, Table};

/// Addresses that are not further apart are had or refused together: they are one piece of evidence.
const TOGETHER: u32 = 8;
/// What a stretch of a profile's addresses says at most.
const STRETCH: f64 = 2.5;
/// What an end says that stands where the profile has it, and what says that the device goes on there: a profile need not
/// have all that its device has.
const END: f64 = 1.5;
const GOES_ON: f64 = -0.25;
/// What stretches and ends together say at most.
const MOST: f64 = 5.5;
const LEAST: f64 = -1.0;
/// What it says that the device has no address but the profile's: of two models of one family that is the right one which
/// has them all. With it, addresses alone make no profile sure.
const ALL: f64 = 1.0;
/// So many addresses beside a profile's are asked for.
const RIM: usize = 8;

type Cell = (Table, u16);

/// The addresses that a profile names.
#[derive(Clone, Debug)]
pub struct Area(BTreeSet<Cell>);

impl Area {
    pub fn of(profile: &Profile) -> Self {
        let cells = |register: &Register| {
            let table = register.table;
            (u32::from(register.address)..register.end())
                .filter_map(move |at| Some((table, u16::try_from(at).ok()?)))
        };
        Self(profile.points.iter().filter_map(|p| p.register()).flat_map(cells).collect())
    }

    /// Its addresses next to one that is none of them.
    fn next_to(&self, cell: Cell) -> impl Iterator<Item = Cell> {
        let is_outside = !self.0.contains(&cell);
        let next = [-1, 1].into_iter().filter_map(move |step| beside(cell, step));
        next.filter(move |next| is_outside && self.0.contains(next))
    }

    /// The addresses just before and behind its stretches: the widest stretches first.
    pub fn rim(&self) -> Vec<Cell> {
        let mut ends: Vec<(u32, Cell, Cell)> = Vec::new();
        for cell in &self.0 {
            match ends.last_mut() {
                Some((length, _, last)) if beside(*last, 1) == Some(*cell) => {
                    (*length, *last) = (*length + 1, *cell);
                }
                _ => ends.push((1, *cell, *cell)),
            }
        }
        ends.sort_by_key(|(length, ..)| std::cmp::Reverse(*length));
        let mut rim: Vec<Cell> = Vec::new();
        for (_, first, last) in ends {
            for cell in [beside(first, -1), beside(last, 1)].into_iter().flatten() {
                if !rim.contains(&cell) && rim.len() < RIM {
                    rim.push(cell);
                }
            }
        }
        rim
    }
}

fn beside((table, address): Cell, step: i32) -> Option<Cell> {
    Some((table, u16::try_from(i32::from(address) + step).ok()?))
}

/// What a device said to each address that it was asked for.
#[derive(Clone, Debug, Default)]
pub struct Places(BTreeMap<Cell, bool>);

impl Places {
    /// It answered with as many registers, or refused the address.
    pub fn heard(&mut self, table: Table, address: u16, width: u16, there: bool) {
        if !there {
            self.0.entry((table, address)).or_insert(false);
            return;
        }
        for at in (0..width).filter_map(|i| address.checked_add(i)) {
            self.0.insert((table, at), true);
        }
    }

    pub fn knows(&self, cell: Cell) -> bool {
        self.0.contains_key(&cell)
    }

    /// What the answers at a profile's addresses say for it, and the refusals beside them.
    pub fn weight(&self, area: &Area) -> f64 {
        let (own, others) = self.stretches(area);
        // How likely an address is had by whatever device this is: one that was never asked elsewhere has every other.
        let usual = (others.iter().sum::<f64>() + 1.0) / (others.len() as f64 + 2.0);
        let stretch = (-usual.ln()).min(STRETCH);
        let had: f64 = own.iter().map(|share| share * stretch).sum();
        (had + self.ends(area)).clamp(LEAST, MOST) + ALL * self.covered(area)
    }

    /// The share of what the device has that is the profile's.
    fn covered(&self, area: &Area) -> f64 {
        let had = self.0.iter().filter(|(_, there)| **there);
        let own = had.clone().filter(|(cell, _)| area.0.contains(*cell)).count();
        own as f64 / had.count().max(1) as f64
    }

    /// What is known of the addresses next to those that the device has of the profile.
    fn ends(&self, area: &Area) -> f64 {
        let is_end = |cell: Cell| area.next_to(cell).any(|own| self.0.get(&own) == Some(&true));
        let ends = self.0.iter().filter(|(cell, _)| is_end(**cell));
        ends.map(|(_, there)| if *there { GOES_ON } else { END }).sum()
    }

    /// The share of addresses that is had in each stretch that was asked for: of the profile's, and of all others.
    fn stretches(&self, area: &Area) -> (Vec<f64>, Vec<f64>) {
        let (mut own, mut others) = (Vec::new(), Vec::new());
        for (shares, is_own) in [(&mut own, true), (&mut others, false)] {
            let mut last: Option<Cell> = None;
            let mut counts: Vec<(u32, u32)> = Vec::new();
            for (cell, there) in self.0.iter().filter(|(cell, _)| area.0.contains(*cell) == is_own) {
                let goes_on = last.is_some_and(|(table, address)| {
                    table == cell.0 && u32::from(cell.1) - u32::from(address) <= TOGETHER
                });
                if !goes_on {
                    counts.push((0, 0));
                }
                if let Some((had, all)) = counts.last_mut() {
                    *had += u32::from(*there);
                    *all += 1;
                }
                last = Some(*cell);
            }
            shares.extend(counts.iter().map(|(had, all)| f64::from(*had) / f64::from(*all)));
        }
        (own, others)
    }
}

#[cfg(test)]
mod tests {
    use steward_shared::profile::Library;

    use super::*;

    fn area(profile: &str) -> Area {
        Area::of(&Library::compiled_in().unwrap().get(profile).unwrap())
    }

    fn asked(there: impl Fn(Cell) -> bool) -> Places {
        let mut places = Places::default();
        // Of others, far from each other; then what the profile has: coils 512 to 518, discrete inputs 544 to 551.
        for address in (0..4000).step_by(100) {
            places.heard(Table::Holding, address, 1, there((Table::Holding, address)));
        }
        for (table, address) in [(Table::Coil, 512), (Table::Coil, 518), (Table::Discrete, 544)] {
            places.heard(table, address, 1, there((table, address)));
        }
        places
    }

    #[test]
    fn who_answers_at_the_profiles_addresses_alone_is_likely_and_not_sure() {
        let own = area("carrier/30wi");
        let mut places = asked(|(table, _)| table.is_bits());
        let before = places.weight(&own);
        assert!(before > 4.0, "{before}");
        for cell in own.rim() {
            assert!(!places.knows(cell));
            places.heard(cell.0, cell.1, 1, false);
        }
        let after = places.weight(&own);
        assert!(after > before && after < 8.0, "{after}");
        assert_eq!(super::super::strength(after), super::super::Strength::Weak);
    }

    #[test]
    fn who_answers_everywhere_says_nothing_by_it() {
        let weight = asked(|_| true).weight(&area("carrier/30wi"));
        assert!(weight.abs() < 0.5, "{weight}");
    }

    #[test]
    fn the_rim_is_just_outside() {
        let rim = area("carrier/30wi").rim();
        let beside = [(Table::Discrete, 543), (Table::Discrete, 552), (Table::Coil, 511), (Table::Coil, 519)];
        assert_eq!(rim, beside);
    }
}
