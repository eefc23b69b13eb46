//! The owner of what is remembered of the points between two readings. The recorder calls it with each block of a line;
//! it never waits and never fails: what it does not know passes as it came.

use std::collections::HashMap;
use std::sync::Arc;

use steward_shared::alarm::{About, EventKind};
use steward_shared::id::PointNo;
use steward_shared::profile::Role;
use steward_shared::reading::{Quality, Reading, Value};
use steward_shared::time::Timestamp;

use super::accounts::{Account, Accounts};
use super::book::{Book, Counter, Known};
use super::clock::ahead;
use super::doubt::{Doubts, Run};
use super::keeper::Keeper;
use super::ledger::{ConfirmFault, Entry, What};
use super::plausible::{Judge, can_be};
use super::reckon::Reckoner;
use super::said::{self, Said};
use crate::buffer::StoredCounter;
use crate::poll::Told;

/// What a block of readings became.
#[derive(Debug, Default, PartialEq)]
pub struct Refined {
    /// Every reading, with the quality that it deserves: for whoever looks now.
    pub seen: Vec<Reading>,
    /// Those of them that are kept.
    pub kept: Vec<Reading>,
    pub told: Vec<Told>,
}

/// What is remembered of one point.
#[derive(Debug, Default)]
struct Followed {
    judge: Judge,
    run: Run,
    held: Run,
    drift: Run,
    keeper: Keeper,
}

/// A point of the book.
#[derive(Clone, Copy)]
struct Row<'b> {
    no: PointNo,
    place: usize,
    known: &'b Known,
}

impl<'b> Row<'b> {
    fn of(book: &'b Book, no: PointNo, near: usize) -> Option<Self> {
        let place = book.points.place(no, near)?;
        Some(Self { no, place, known: book.points.at(place)? })
    }
}

#[derive(Debug, Default)]
pub struct Refinery {
    book: Arc<Book>,
    /// One for each of the book's, in its order.
    points: Vec<Followed>,
    doubts: Doubts,
    /// Whose counters are held back.
    holds: Doubts,
    /// Whose clocks are off.
    drifts: Doubts,
    accounts: Accounts,
    reckoner: Reckoner,
}

impl Refinery {
    /// `counters`: where they stood when the program stopped.
    pub fn new(book: Arc<Book>, counters: Vec<StoredCounter>) -> Self {
        let points = book.points.iter().map(|_| Followed::default()).collect();
        Self { book, points, accounts: Accounts::new(counters), ..Self::default() }
    }

    /// Another configuration is in force. What is remembered of points that stay is kept.
    pub fn follow(&mut self, book: Arc<Book>) {
        let former = self.book.points.iter().map(|(no, _)| no).zip(std::mem::take(&mut self.points));
        let mut former: HashMap<PointNo, Followed> = former.collect();
        self.points = book.points.iter().map(|(no, _)| former.remove(&no).unwrap_or_default()).collect();
        self.doubts.retain(|no| book.points.contains(*no));
        self.holds.retain(|no| book.points.contains(*no));
        self.drifts.retain(|no| book.points.contains(*no));
        self.reckoner.forget_unknown(&book);
        self.book = book;
    }

    pub fn take(&mut self, readings: Vec<Reading>) -> Refined {
        let (seen, kept) = (Vec::with_capacity(readings.len()), Vec::with_capacity(readings.len()));
        let mut refined = Refined { seen, kept, told: Vec::new() };
        let book = Arc::clone(&self.book);
        let mut near = 0;
        for reading in readings {
            match Row::of(&book, reading.point, near) {
                Some(row) => {
                    near = row.place;
                    // A line marks all its points; what is reckoned follows from the marks of the others.
                    if row.known.derived.is_none() {
                        self.refine(row, reading, &mut refined);
                    }
                }
                None => refined.pass(reading, true),
            }
        }
        let accounts = &self.accounts;
        let reckoned = self.reckoner.take(&book, &refined.seen, |no| accounts.total(no));
        for reading in reckoned {
            if let Some(row) = Row::of(&book, reading.point, 0) {
                self.refine(row, reading, &mut refined);
            }
        }
        refined
    }

    /// The counters, or the one that people call so, by number.
    pub fn accounts(&self, of: Option<&str>) -> Result<Vec<(PointNo, Account)>, ConfirmFault> {
        let all = self.accounts.show(&self.book);
        let Some(of) = of else { return Ok(all) };
        let wanted = self.book.find(of).map(|(no, _)| no);
        let one: Vec<_> = all.into_iter().filter(|(no, _)| Some(*no) == wanted).collect();
        if one.is_empty() { Err(ConfirmFault::Unknown(of.to_owned())) } else { Ok(one) }
    }

    /// A person says that the meter was replaced; what is to be told of it.
    pub fn confirm(
        &mut self,
        of: &str,
        at: Timestamp,
        start: f64,
        end: Option<f64>,
    ) -> Result<Vec<Told>, ConfirmFault> {
        let book = Arc::clone(&self.book);
        let found = book.find(of).filter(|(_, known)| known.counter.is_some());
        let (no, known) = found.ok_or_else(|| ConfirmFault::Unknown(of.to_owned()))?;
        let entry = self.accounts.confirm(no, at, start, end)?;
        let mut refined = Refined::default();
        refined.tell_entry(known, &entry);
        Ok(refined.told)
    }

    /// Whether something happened to a counter that must not be lost.
    pub fn has_entries(&self) -> bool {
        self.accounts.has_entries()
    }

    /// What of the counters is not stored yet.
    pub fn owed(&self) -> (Vec<StoredCounter>, Vec<(PointNo, Entry)>) {
        self.accounts.owed()
    }

    /// All that was owed is stored.
    pub fn settled(&mut self) {
        self.accounts.settled();
    }

    fn refine(&mut self, row: Row<'_>, mut reading: Reading, refined: &mut Refined) {
        let known = row.known;
        if known.role == Some(Role::Clock)
            && reading.quality.is_good()
            && let Some(ahead) =
                reading.value.as_ref().and_then(|value| ahead(value, reading.at, &known.rules))
        {
            self.compare_clock(row, ahead, refined);
        }
        if let (true, Some(Value::Number(value))) = (reading.quality.is_good(), &reading.value) {
            let (no, at, value) = (reading.point, reading.at, *value);
            // What it cannot be is no word about a counter or a ratio, and neither must remember it.
            let can_be = can_be(value, &known.rules);
            if known.role == Some(Role::CtRatio) && can_be {
                match self.accounts.ratio(no, at, value) {
                    Some(factor) => self.ratio_changed(known, at, factor, refined),
                    None => self.ratio_stays(known),
                }
            }
            let is_held = match &known.counter {
                Some(counter) if can_be => self.count(row, counter, (at, value), refined),
                _ => false,
            };
            if is_held {
                reading.value = None;
                reading.quality = Quality::HeldBack;
            } else {
                self.judge(row, &mut reading, value, refined);
            }
        }
        let kept = self.points[row.place].keeper.keeps(&reading, &known.rules, known.period);
        refined.pass(reading, kept);
    }

    fn judge(&mut self, row: Row<'_>, reading: &mut Reading, value: f64, refined: &mut Refined) {
        let (known, followed) = (row.known, &mut self.points[row.place]);
        let doubt = followed.judge.judge(reading.at, value, &known.rules, known.counter.is_none());
        if let Some(doubt) = doubt {
            reading.quality = doubt.quality();
        }
        let told = self.doubts.note(&known.device, reading.point, &mut followed.run, doubt.is_some());
        if let Some(active) = told {
            let said = match doubt {
                Some(doubt) => said::doubted(known, value, doubt),
                None => Said::over(format!("the values of {} can be believed", known.device)),
            };
            refined.tell(EventKind::Implausible, known, active, said);
        }
    }

    /// A device's clock against this gateway's, at the instant of the poll.
    fn compare_clock(&mut self, row: Row<'_>, ahead: f64, refined: &mut Refined) {
        let (known, followed) = (row.known, &mut self.points[row.place]);
        let is_off = ahead.abs() > known.rules.max_drift.as_secs_f64();
        if let Some(active) = self.drifts.note(&known.device, row.no, &mut followed.drift, is_off) {
            refined.tell(EventKind::DeviceClock, known, active, said::clock_is_off(known, ahead));
        }
    }

    /// Answers whether the value is held back.
    fn count(
        &mut self,
        row: Row<'_>,
        counter: &Counter,
        (at, value): (Timestamp, f64),
        refined: &mut Refined,
    ) -> bool {
        let Row { no, known, .. } = row;
        let shown = self.accounts.total(no);
        let taken = self.accounts.take(no, counter, &known.rules, (at, value));
        if let Some(entry) = &taken.entry {
            refined.tell_entry(known, entry);
        }
        let followed = &mut self.points[row.place];
        if let Some(active) = self.holds.note(&known.device, no, &mut followed.held, taken.is_held) {
            let said = if active {
                said::held(known, value, shown)
            } else {
                Said::over(format!("the counters of {} are counted", known.device))
            };
            refined.tell(EventKind::CounterHeld, known, active, said);
        }
        taken.is_held
    }

    /// The counters of the same device follow the ratio, or go on as they did.
    fn ratio_changed(&mut self, ratio: &Known, at: Timestamp, factor: f64, refined: &mut Refined) {
        refined.tell(EventKind::RatioChanged, ratio, true, said::ratio(ratio, factor));
        let book = Arc::clone(&self.book);
        let same = |known: &Known| known.device == ratio.device && known.counter.is_some();
        for (no, known) in book.points.iter().filter(|(_, known)| same(known)) {
            if let Some(entry) = self.accounts.ratio_changed(no, at, factor) {
                refined.tell_entry(known, &entry);
            }
        }
    }

    fn ratio_stays(&mut self, ratio: &Known) {
        let numbers = self.book.devices.get(&*ratio.device).map(|(_, numbers)| numbers);
        for no in numbers.into_iter().flatten() {
            self.accounts.ratio_stays(*no);
        }
    }
}

impl Refined {
    fn pass(&mut self, reading: Reading, kept: bool) {
        if kept {
            self.kept.push(reading.clone());
        }
        self.seen.push(reading);
    }

    fn tell(&mut self, kind: EventKind, known: &Known, active: bool, Said { detail, facts }: Said) {
        let (line, device) = (known.line.to_string(), Some(known.device.to_string()));
        let about = About { facts, ..About::default() };
        self.told.push(Told::About { kind, line, device, active, detail, about });
    }

    fn tell_entry(&mut self, known: &Known, entry: &Entry) {
        let kind = match entry.what {
            What::RolledOver => EventKind::CounterRolledOver,
            What::Replaced | What::Confirmed => EventKind::MeterReplaced,
            What::Ratio => EventKind::RatioChanged,
        };
        self.tell(kind, known, true, said::entry(known, entry));
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use steward_shared::profile::Rules;

    use super::*;

    fn book(numbers: &[u32]) -> Arc<Book> {
        let rules = Rules { deadband: 10.0, max_silence: Some(Duration::from_hours(1)), ..Rules::default() };
        let known = |no: &u32| {
            let known = Known {
                line: "l".into(),
                device: "d".into(),
                key: format!("p{no}").into(),
                unit: "V",
                decimals: 1,
                period: Duration::from_secs(1),
                rules: Arc::new(rules.clone()),
                counter: None,
                role: None,
                derived: None,
            };
            (PointNo(*no), known)
        };
        Arc::new(Book { points: numbers.iter().map(known).collect(), ..Book::default() })
    }

    /// Numbers and values at one instant; the numbers of those that are kept.
    fn kept(refinery: &mut Refinery, at: i64, values: &[(u32, f64)]) -> Vec<u32> {
        let reading = |(no, value): &(u32, f64)| Reading {
            point: PointNo(*no),
            at: Timestamp(at),
            value: Some(Value::Number(*value)),
            quality: Quality::Good,
        };
        let refined = refinery.take(values.iter().map(reading).collect());
        assert_eq!(refined.seen.len(), values.len());
        refined.kept.iter().map(|reading| reading.point.0).collect()
    }

    #[test]
    fn what_is_remembered_stays_with_its_point_when_others_come_and_go() {
        let mut refinery = Refinery::new(book(&[3, 5, 9]), Vec::new());
        assert_eq!(kept(&mut refinery, 1000, &[(3, 0.0), (5, 100.0), (9, 500.0)]), [3, 5, 9]);
        assert!(kept(&mut refinery, 2000, &[(3, 1.0), (5, 101.0), (9, 501.0)]).is_empty());
        refinery.follow(book(&[2, 5, 9, 12]));
        let values = [(2, 100.0), (5, 102.0), (9, 502.0), (12, 500.0)];
        assert_eq!(kept(&mut refinery, 3000, &values), [2, 12], "only the new ones begin anew");
        refinery.follow(book(&[3, 5, 12]));
        assert_eq!(kept(&mut refinery, 4000, &[(3, 1.0), (5, 111.0), (12, 501.0)]), [3, 5]);
    }
}
