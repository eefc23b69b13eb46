//! The ledgers of all counters, and what of them is not stored yet. Pure. A ledger is stored when an entry was made, and
//! otherwise seldom: what the meter counted since is found again from what it shows.

use std::collections::{HashMap, HashSet};

use serde::{Deserialize, Serialize};
use steward_shared::id::PointNo;
use steward_shared::profile::Rules;
use steward_shared::time::Timestamp;

use super::book::{Book, Counter, Known};
use super::ledger::{ConfirmFault, Entry, Ledger, Taken, tidy};
use super::pace::Pace;
use crate::buffer::StoredCounter;

/// One counter, for people.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Account {
    pub device: String,
    pub point: String,
    pub unit: String,
    pub decimals: u8,
    /// What the meter showed when it was counted last.
    pub shown: Option<f64>,
    pub at: Option<Timestamp>,
    /// What goes on through rollover and replacement.
    pub total: Option<f64>,
    /// What it shows instead, while that is held back.
    pub held: Option<f64>,
    pub held_since: Option<Timestamp>,
    /// Where one counter was asked for.
    pub entries: Vec<Entry>,
}

impl Account {
    /// What was added to the shown value at an instant, where the entries were asked for. `modulus` of the counter.
    pub fn added_at(&self, at: Timestamp, modulus: Option<f64>) -> Option<f64> {
        let now = self.total? - self.shown?;
        let later = self.entries.iter().filter(|entry| entry.at > at);
        let added: f64 = later.map(|entry| entry.added(modulus.unwrap_or_default())).sum();
        Some(tidy(now - added))
    }
}

#[derive(Debug, Default)]
pub(super) struct Accounts {
    ledgers: HashMap<PointNo, Ledger>,
    /// The newest of each ratio.
    ratios: HashMap<PointNo, (Timestamp, f64)>,
    changed: HashSet<PointNo>,
    entries: Vec<(PointNo, Entry)>,
}

impl Accounts {
    /// With where they stood when the program stopped. What is a ratio is not known here: each is told apart when its
    /// first value comes.
    pub fn new(stored: Vec<StoredCounter>) -> Self {
        let mut accounts = Self::default();
        for s in stored {
            accounts.ledgers.insert(s.point, Ledger::from((s.at, s.shown), s.added, Pace::of(s.pace)));
            accounts.ratios.insert(s.point, (s.at, s.shown));
        }
        accounts
    }

    pub fn take(
        &mut self,
        no: PointNo,
        counter: &Counter,
        rules: &Rules,
        (at, value): (Timestamp, f64),
    ) -> Taken {
        let taken = self.ledgers.entry(no).or_default().take(at, value, counter, rules);
        self.note(no, taken.entry);
        taken
    }

    /// The value of a ratio came. Answers by how much it changed, if it did.
    pub fn ratio(&mut self, no: PointNo, at: Timestamp, value: f64) -> Option<f64> {
        let former = self.ratios.insert(no, (at, value)).map(|(_, former)| former);
        // What was stored of it looks like a counter's.
        self.ledgers.remove(&no);
        if former != Some(value) {
            self.changed.insert(no);
        }
        former.map(|former| value / former).filter(|factor| factor.is_finite() && (factor - 1.0).abs() > 1e-6)
    }

    pub fn ratio_changed(&mut self, no: PointNo, at: Timestamp, factor: f64) -> Option<Entry> {
        let entry = self.ledgers.get_mut(&no)?.ratio_changed(at, factor);
        self.note(no, entry);
        entry
    }

    pub fn ratio_stays(&mut self, no: PointNo) {
        if let Some(ledger) = self.ledgers.get_mut(&no) {
            ledger.ratio_stays();
        }
    }

    pub fn confirm(
        &mut self,
        no: PointNo,
        at: Timestamp,
        start: f64,
        end: Option<f64>,
    ) -> Result<Entry, ConfirmFault> {
        let entry = self.ledgers.get_mut(&no).ok_or(ConfirmFault::NotRead)?.confirm(at, start, end)?;
        self.note(no, Some(entry));
        Ok(entry)
    }

    fn note(&mut self, no: PointNo, entry: Option<Entry>) {
        self.changed.insert(no);
        self.entries.extend(entry.map(|entry| (no, entry)));
    }

    /// Whether something happened that must not be lost.
    pub fn has_entries(&self) -> bool {
        !self.entries.is_empty()
    }

    /// What is not stored yet.
    pub fn owed(&self) -> (Vec<StoredCounter>, Vec<(PointNo, Entry)>) {
        let stored = |no: &PointNo| match (self.ledgers.get(no), self.ratios.get(no)) {
            (Some(Ledger { last: Some((at, shown)), offset, pace, .. }), _) => {
                Some(StoredCounter { point: *no, at: *at, shown: *shown, added: *offset, pace: pace.per_min })
            }
            (_, Some((at, shown))) => {
                Some(StoredCounter { point: *no, at: *at, shown: *shown, added: 0.0, pace: 0.0 })
            }
            _ => None,
        };
        (self.changed.iter().filter_map(stored).collect(), self.entries.clone())
    }

    /// All that was owed is stored.
    pub fn settled(&mut self) {
        self.changed.clear();
        self.entries.clear();
    }

    pub fn total(&self, no: PointNo) -> Option<f64> {
        self.ledgers.get(&no)?.total()
    }

    /// Those of the book, by device and point.
    pub fn show(&self, book: &Book) -> Vec<(PointNo, Account)> {
        let mut shown: Vec<_> = book
            .points
            .iter()
            .filter(|(_, known)| known.counter.is_some())
            .map(|(no, known)| (no, self.account(no, known)))
            .collect();
        shown.sort_by(|(_, a), (_, b)| (&a.device, &a.point).cmp(&(&b.device, &b.point)));
        shown
    }

    fn account(&self, no: PointNo, known: &Known) -> Account {
        let ledger = self.ledgers.get(&no);
        let last = ledger.and_then(|ledger| ledger.last);
        let held = ledger.and_then(Ledger::held);
        Account {
            device: known.device.to_string(),
            point: known.key.to_string(),
            unit: known.unit.to_owned(),
            decimals: known.decimals,
            shown: last.map(|(_, shown)| shown),
            at: last.map(|(at, _)| at),
            total: ledger.and_then(Ledger::total),
            held: held.map(|(value, _)| value),
            held_since: held.map(|(_, since)| since),
            entries: Vec::new(),
        }
    }
}
