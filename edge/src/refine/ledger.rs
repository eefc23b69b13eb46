//! One counter as an account: what the meter showed last, and what must be added to it for a total that goes on
//! through rollover, a new meter and another ratio. Pure. A sample counts at once only where it rises by no more than its
//! bound (`pace`); everything else is held back, and what held samples say by going on with one another is its verdict.
//!
//! | held | a value that | becomes |
//! |---|---|---|
//! | no | rises within the bound | counted |
//! | no | changes as the ratio did | counted, entry `Ratio` |
//! | no | does neither | held |
//! | yes | rises within the bound from the last counted one | counted: it was a glitch |
//! | yes | goes on from a held one that passed the modulus | counted, entry `RolledOver` |
//! | yes | is the third that rises as fast as the first jumped | counted: the load is greater |
//! | yes | is the third, and the clock was set back | counted: nobody knows the time of the rise |
//! | yes | goes on from the held ones, for long enough | counted, entry `Replaced` |
//! | yes | does not go on from the held ones | held, and the waiting begins anew |

use std::time::Duration;

use serde::{Deserialize, Serialize};
use steward_shared::profile::Rules;
use steward_shared::time::Timestamp;

use super::book::Counter;
use super::pace::{Bound, Pace};

/// So many held samples that go on with one another say something.
const SETTLE_SAMPLES: u32 = 3;
/// So many say it where nothing but a glitch speaks against it.
const ROLLOVER_SAMPLES: u32 = 2;
/// As many samples after the ratio changed may show it.
const RATIO_SAMPLES: u8 = 3;

type Sample = (Timestamp, f64);

#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Ledger {
    /// The total is what the meter shows and this.
    pub offset: f64,
    /// The newest counted sample.
    pub last: Option<Sample>,
    pub pace: Pace,
    /// Of the counted samples since the ratio was read: which two in a row differ by the greatest factor.
    jump: Option<(f64, f64)>,
    held: Option<Held>,
    /// The ratio became so many times what it was; so many samples may still show it.
    ratio: Option<(f64, u8)>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
struct Held {
    first: Sample,
    last: Sample,
    samples: u32,
}

/// What a counter's account says besides its samples: what it showed before and after, and why.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Entry {
    pub at: Timestamp,
    pub what: What,
    pub before: f64,
    pub after: f64,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    RolledOver,
    /// Another meter, or the same one set to another value; its next samples said so.
    Replaced,
    /// The same, and a person said so.
    Confirmed,
    /// The ratio of its current transformers.
    Ratio,
}

impl Entry {
    /// What is added to the shown value from then on, besides what was before.
    pub(super) fn added(&self, modulus: f64) -> f64 {
        match self.what {
            What::RolledOver => modulus,
            What::Replaced | What::Confirmed | What::Ratio => self.before - self.after,
        }
    }
}

impl What {
    pub const ALL: [Self; 4] = [Self::RolledOver, Self::Replaced, Self::Confirmed, Self::Ratio];

    pub const fn word(self) -> &'static str {
        match self {
            Self::RolledOver => "rolled_over",
            Self::Replaced => "replaced",
            Self::Confirmed => "confirmed",
            Self::Ratio => "ratio",
        }
    }
}

/// What became of a sample.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Taken {
    pub is_held: bool,
    pub entry: Option<Entry>,
}

/// Why a person's word cannot be entered.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize, thiserror::Error)]
#[serde(rename_all = "snake_case")]
pub enum ConfirmFault {
    #[error("there is no counter {0}; `steward-edge ledger` lists them")]
    Unknown(String),
    #[error("the counter has not been read yet")]
    NotRead,
    #[error(
        "the counter shows {shown} now, less than the start of {start}; give the value that the new meter began with"
    )]
    StartAbove { shown: f64, start: f64 },
    #[error("the counter did not jump; give --end, the last value of the old meter, as well")]
    EndMissing,
}

impl Ledger {
    /// One that was counted up to this sample, and never rose faster for long.
    pub fn from(last: Sample, offset: f64, pace: Pace) -> Self {
        Self { offset, last: Some(last), pace, ..Self::default() }
    }

    pub fn total(&self) -> Option<f64> {
        self.last.map(|(_, shown)| tidy(shown + self.offset))
    }

    /// The newest held value, and since when values are held.
    pub fn held(&self) -> Option<(f64, Timestamp)> {
        self.held.map(|held| (held.last.1, held.first.0))
    }

    pub fn take(&mut self, at: Timestamp, value: f64, counter: &Counter, rules: &Rules) -> Taken {
        let Some(last) = self.last else {
            self.count(at, value, counter);
            return Taken { is_held: false, entry: None };
        };
        if let Some((factor, left)) = self.ratio {
            self.ratio = left.checked_sub(1).filter(|left| *left > 0).map(|left| (factor, left));
            if is_factor(last.1, value, factor) {
                self.ratio = None;
                self.follow_ratio(last.1, value);
                self.stand(at, value);
                let entry = Some(Entry { at, what: What::Ratio, before: last.1, after: value });
                return Taken { is_held: false, entry };
            }
        }
        let bound = Bound::of(rules, counter, self.pace);
        if step(last, (at, value), counter, bound) == Some(Step::On) {
            self.count(at, value.max(last.1), counter);
            return Taken { is_held: false, entry: None };
        }
        self.hold(last, (at, value), counter, (bound, rules.settle_after))
    }

    fn hold(
        &mut self,
        last: Sample,
        now: Sample,
        counter: &Counter,
        (bound, settle_after): (Bound, Duration),
    ) -> Taken {
        let held = match self.held {
            Some(held) if held.goes_on(last, now, bound) => {
                Held { last: now, samples: held.samples + 1, ..held }
            }
            // Whether it is as fast as that its next sample says.
            Some(held) if now.1 >= held.last.1 => Held { first: held.last, last: now, samples: 2 },
            _ => Held { first: now, last: now, samples: 1 },
        };
        self.held = Some(held);
        let (shown, first) = (last.1, held.first.1);
        let entry = |what| Some(Entry { at: now.0, what, before: shown, after: first });
        let entry = match held.verdict(last, counter, bound) {
            Some(Step::On) => None,
            Some(Step::Over(modulus)) => {
                self.offset = tidy(self.offset + modulus);
                entry(What::RolledOver)
            }
            None if held.samples >= SETTLE_SAMPLES && now.0.since(held.first.0) >= settle_after => {
                self.offset = tidy(self.offset + shown - first);
                entry(What::Replaced)
            }
            None => return Taken { is_held: true, entry: None },
        };
        self.pace.learn(held.last.1 - first, held.last.0.since(held.first.0));
        if entry.is_none() {
            self.count(held.first.0, first, counter);
        }
        self.count(now.0, now.1, counter);
        Taken { is_held: false, entry }
    }

    /// The ratio is so many times what it was. A counter that shows primary values jumps by the same, before or after.
    pub fn ratio_changed(&mut self, at: Timestamp, factor: f64) -> Option<Entry> {
        let (_, shown) = self.last?;
        let jump = self.jump.take().filter(|(before, after)| is_factor(*before, *after, factor));
        let entry = |before, after| Some(Entry { at, what: What::Ratio, before, after });
        if let Some(held) = self.held.filter(|held| is_factor(shown, held.first.1, factor)) {
            self.follow_ratio(shown, held.first.1);
            self.stand(held.last.0, held.last.1);
            return entry(shown, held.first.1);
        }
        if let Some((before, after)) = jump {
            self.follow_ratio(before, after);
            return entry(before, after);
        }
        self.ratio = Some((factor, RATIO_SAMPLES));
        None
    }

    /// The ratio was read and is what it was: no jump until now was its doing.
    pub fn ratio_stays(&mut self) {
        self.jump = None;
    }

    /// A person says that the meter was replaced by one that began with `start`. `end`: what the old one showed last,
    /// where that is more than what was read of it.
    pub fn confirm(&mut self, at: Timestamp, start: f64, end: Option<f64>) -> Result<Entry, ConfirmFault> {
        let (then, shown) = self.last.ok_or(ConfirmFault::NotRead)?;
        let now = self.held.map_or((then, shown), |held| held.last);
        if start > now.1 {
            return Err(ConfirmFault::StartAbove { shown: now.1, start });
        }
        let before = match (end, self.held) {
            (Some(end), _) => end,
            (None, Some(_)) => shown,
            (None, None) => return Err(ConfirmFault::EndMissing),
        };
        self.offset = tidy(self.offset + before - start);
        self.stand(now.0, now.1);
        Ok(Entry { at, what: What::Confirmed, before, after: start })
    }

    fn follow_ratio(&mut self, before: f64, after: f64) {
        self.offset = tidy(self.offset + before - after);
        self.pace.scale(after / before);
    }

    fn count(&mut self, at: Timestamp, value: f64, counter: &Counter) {
        if let Some((_, shown)) = self.last.filter(|(_, shown)| *shown > 0.0)
            && self.jump.is_none_or(|(before, after)| value * before > after * shown)
        {
            self.jump = Some((shown, value));
        }
        self.pace.note(at, value + self.offset, counter);
        self.stand(at, value);
    }

    fn stand(&mut self, at: Timestamp, value: f64) {
        self.last = Some((at, value));
        self.held = None;
    }
}

impl Held {
    /// Whether a sample rises from these, no faster by far than they did.
    fn goes_on(&self, last: Sample, now: Sample, bound: Bound) -> bool {
        let seen = self.seen(bound).widened(self.first.1 - last.1, self.first.0.since(last.0));
        rise(self.last, now).is_some_and(|rise| seen.fits(rise, now.0.since(self.last.0)))
    }

    /// What these samples say of the first of them, if they say anything yet.
    fn verdict(&self, last: Sample, counter: &Counter, bound: Bound) -> Option<Step> {
        if let Some(step) = step(last, self.first, counter, bound) {
            return (self.samples >= ROLLOVER_SAMPLES).then_some(step);
        }
        if self.samples < SETTLE_SAMPLES {
            return None;
        }
        if self.first.0 < last.0 && rise(last, self.first).is_some() {
            return Some(Step::On);
        }
        step(last, self.first, counter, self.seen(bound))
    }

    fn seen(&self, bound: Bound) -> Bound {
        bound.widened(self.last.1 - self.first.1, self.last.0.since(self.first.0))
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Step {
    On,
    /// Past this modulus.
    Over(f64),
}

/// Whether a counter can have come from the one sample to the other.
fn step(from: Sample, to: Sample, counter: &Counter, bound: Bound) -> Option<Step> {
    let within = to.0.since(from.0);
    if let Some(rise) = rise(from, to) {
        return bound.fits(rise, within).then_some(Step::On);
    }
    let (from, to) = (from.1, to.1);
    let modulus = counter.modulus.filter(|modulus| from <= *modulus)?;
    bound.fits(to + (modulus - from), within).then_some(Step::Over(modulus))
}

/// How much it rose, unless it fell. A float of 32 bits may step down by its last digit.
fn rise(from: Sample, to: Sample) -> Option<f64> {
    let (from, to) = (from.1, to.1);
    (to >= from - from.abs() * f64::from(f32::EPSILON)).then_some(to - from)
}

/// Whether a value became so many times what it was, give or take what was counted meanwhile.
fn is_factor(from: f64, to: f64, factor: f64) -> bool {
    from != 0.0 && (to / from / factor - 1.0).abs() < 0.01
}

/// Sums of decimals, without the digits that only binary fractions add.
pub(super) fn tidy(sum: f64) -> f64 {
    (sum * 1e6).round() / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;

    const MODULUS: Option<f64> = Some(1000.0);
    const KWH: Counter = Counter { modulus: None, common: 1000.0 / 60.0, digit: 0.01 };

    fn rules(rate: Option<f64>) -> Rules {
        Rules { rate_per_min: rate, settle_after: Duration::from_secs(30), ..Rules::default() }
    }

    /// Samples ten seconds apart: totals (none while held) and the entries.
    fn run(
        ledger: &mut Ledger,
        values: &[f64],
        modulus: Option<f64>,
        rules: &Rules,
    ) -> (Vec<Option<f64>>, Vec<What>) {
        let (mut totals, mut entries) = (Vec::new(), Vec::new());
        let begin = ledger.last.map_or(0, |(at, _)| at.0 + 10_000);
        for (i, value) in values.iter().enumerate() {
            let at = Timestamp(begin + i as i64 * 10_000);
            let taken = ledger.take(at, *value, &Counter { modulus, ..KWH }, rules);
            totals.push(ledger.total().filter(|_| !taken.is_held));
            entries.extend(taken.entry.map(|e| e.what));
        }
        (totals, entries)
    }

    #[test]
    fn fault_b7_a_counter_that_rolls_over_goes_on_counting() {
        let mut ledger = Ledger::default();
        let (totals, entries) = run(&mut ledger, &[990.5, 999.5, 3.25, 4.0], MODULUS, &rules(None));
        assert_eq!(totals, [Some(990.5), Some(999.5), None, Some(1004.0)], "the next sample goes on from it");
        assert_eq!(entries, [What::RolledOver]);
        let mut slow = Ledger::default();
        let (_, entries) = run(&mut slow, &[600.0, 200.0, 300.0], MODULUS, &rules(Some(700.0)));
        assert_eq!(entries, [What::RolledOver], "with a rate, whatever could be counted meanwhile");
    }

    #[test]
    fn fault_b7_a_new_meter_is_held_until_its_samples_go_on_for_long_enough() {
        let mut ledger = Ledger::default();
        let values = [5000.0, 5001.0, 12.0, 12.5, 13.0, 13.5, 14.0];
        let (totals, entries) = run(&mut ledger, &values, None, &rules(None));
        assert_eq!(totals[2..], [None, None, None, Some(5002.5), Some(5003.0)]);
        assert_eq!(entries, [What::Replaced]);
        let mut busy = Ledger::default();
        let values = [5000.0, 12.0, 132.0, 252.0, 372.0, 492.0];
        let (totals, entries) = run(&mut busy, &values, None, &rules(None));
        assert_eq!(totals[3..], [None, Some(5360.0), Some(5480.0)], "with a load that none had before");
        assert_eq!(entries, [What::Replaced]);
    }

    #[test]
    fn fault_b7_a_glitch_is_never_counted() {
        let mut ledger = Ledger::default();
        let values = [5000.0, 5001.0, 0.0, 0.0, 5002.0, 9_999_999.0, 5003.0];
        let (totals, entries) = run(&mut ledger, &values, None, &rules(Some(600.0)));
        assert_eq!(totals[2..], [None, None, Some(5002.0), None, Some(5003.0)]);
        assert!(entries.is_empty());
    }

    #[test]
    fn fault_b7_samples_that_do_not_agree_settle_nothing() {
        let mut ledger = Ledger::default();
        let values = [5000.0, 40.0, 30.0, 20.0, 10.0, 5.0, 4.0, 3.0, 2.0];
        let (totals, entries) = run(&mut ledger, &values, None, &rules(None));
        assert!(totals[1..].iter().all(Option::is_none) && entries.is_empty(), "{totals:?}");
        let mut ledger = Ledger::default();
        let values = [5000.0, 12.0, 12.1, 12.2, 9_999_999.0, 12.3, 12.4, 12.5];
        let (totals, entries) = run(&mut ledger, &values, None, &rules(None));
        assert!(totals[1..].iter().all(Option::is_none) && entries.is_empty(), "{totals:?}");
    }

    #[test]
    fn fault_b7_a_person_settles_it_with_the_new_meters_start_and_the_old_ones_end() {
        let (mut ledger, rules) = (Ledger::default(), rules(None));
        run(&mut ledger, &[5000.0, 12.0], None, &rules);
        assert_eq!(ledger.held(), Some((12.0, Timestamp(10_000))));
        assert_eq!(
            ledger.confirm(Timestamp(20_000), 13.0, None),
            Err(ConfirmFault::StartAbove { shown: 12.0, start: 13.0 })
        );
        let entry = ledger.confirm(Timestamp(20_000), 10.0, Some(5003.5)).unwrap();
        assert_eq!((entry.what, entry.before, entry.after), (What::Confirmed, 5003.5, 10.0));
        assert_eq!(ledger.total(), Some(5005.5));
        assert_eq!(ledger.confirm(Timestamp(30_000), 0.0, None), Err(ConfirmFault::EndMissing));
        assert_eq!(Ledger::default().confirm(Timestamp(0), 0.0, None), Err(ConfirmFault::NotRead));
    }

    #[test]
    fn a_new_meter_that_shows_more_than_the_old_one_is_corrected_by_a_person() {
        let mut ledger = Ledger::default();
        run(&mut ledger, &[100.0, 101.0, 250.0, 251.0], None, &rules(None));
        ledger.confirm(Timestamp(50_000), 250.0, Some(101.0)).unwrap();
        assert_eq!(ledger.total(), Some(102.0));
    }

    #[test]
    fn another_ratio_is_an_entry_whichever_is_read_first() {
        let values = [1000.0, 1001.0];
        for counter_first in [true, false] {
            let mut ledger = Ledger::default();
            run(&mut ledger, &values, None, &rules(None));
            let mut entries = Vec::new();
            if counter_first {
                entries.extend(run(&mut ledger, &[2003.0], None, &rules(None)).1);
            }
            entries.extend(ledger.ratio_changed(Timestamp(25_000), 2.0).map(|e| e.what));
            entries.extend(run(&mut ledger, &[2003.0, 2004.0], None, &rules(None)).1);
            assert_eq!(entries, [What::Ratio], "{counter_first}");
            assert_eq!(ledger.total(), Some(1002.0));
        }
        let mut smaller = Ledger::default();
        run(&mut smaller, &[1000.0, 1001.0, 500.5], None, &rules(None));
        assert!(smaller.held().is_some());
        assert_eq!(smaller.ratio_changed(Timestamp(30_000), 0.5).map(|e| e.what), Some(What::Ratio));
        assert_eq!((smaller.total(), smaller.held()), (Some(1001.0), None));
    }

    #[test]
    fn a_counter_that_does_not_follow_the_ratio_goes_on_as_before() {
        let mut ledger = Ledger::default();
        run(&mut ledger, &[1000.0, 1001.0], None, &rules(None));
        assert_eq!(ledger.ratio_changed(Timestamp(20_000), 2.0), None);
        let (totals, entries) =
            run(&mut ledger, &[1002.0, 1003.0, 1004.0, 2008.0], None, &rules(Some(600.0)));
        assert_eq!((totals.last(), entries.len()), (Some(&None), 0), "too late to be the ratio: {totals:?}");
    }

    #[test]
    fn a_float_that_steps_down_by_its_last_digit_is_no_jump() {
        let mut ledger = Ledger::default();
        let (a, b) = (1_234_567.9_f32, 1_234_567.8_f32);
        let (totals, _) = run(&mut ledger, &[f64::from(a), f64::from(b)], None, &rules(None));
        assert_eq!(totals[0], totals[1]);
    }

    #[test]
    fn fault_b7_a_jump_that_no_meter_makes_is_never_counted_whatever_was_configured() {
        let mut ledger = Ledger::default();
        let values = [5000.0, 5001.0, 9_999_999.0, 5002.0, 5003.0];
        let (totals, entries) = run(&mut ledger, &values, None, &rules(None));
        assert_eq!(totals[2..], [None, Some(5002.0), Some(5003.0)]);
        assert!(entries.is_empty());
    }

    #[test]
    fn a_greater_load_is_counted_once_its_samples_rise_as_fast_as_the_first_step() {
        let mut ledger = Ledger::default();
        let values = [100.0, 100.1, 100.2, 220.0, 340.0, 460.0, 580.0];
        let (totals, entries) = run(&mut ledger, &values, None, &rules(None));
        assert_eq!(totals[3..], [None, None, Some(460.0), Some(580.0)]);
        assert!(entries.is_empty(), "it is the same meter");
    }

    #[test]
    fn fault_b7_a_zero_near_the_end_of_the_digits_is_no_rollover() {
        let mut ledger = Ledger::default();
        let (totals, entries) = run(&mut ledger, &[989.0, 990.0, 0.0, 991.0], MODULUS, &rules(None));
        assert_eq!(totals[2..], [None, Some(991.0)]);
        assert!(entries.is_empty());
    }

    #[test]
    fn another_ratio_is_found_behind_all_samples_that_came_before_it_was_read() {
        for values in [[1000.0, 2003.0, 2004.0, 2005.0], [10.0, 20.1, 20.2, 20.3]] {
            let mut ledger = Ledger::default();
            run(&mut ledger, &values, None, &rules(None));
            let entry = ledger.ratio_changed(Timestamp(45_000), 2.0);
            assert_eq!(entry.map(|e| e.what), Some(What::Ratio), "{values:?}");
            assert!((ledger.total().unwrap() - values[0]) < 4.0, "{:?}", ledger.total());
        }
    }

    #[test]
    fn what_was_counted_while_the_clock_was_behind_is_not_lost() {
        for rate in [Some(10.0), None] {
            let mut ledger = Ledger::from((Timestamp(3_600_000_000), 5000.0), 0.0, Pace::default());
            let mut rules = rules(rate);
            rules.settle_after = Duration::from_secs(20);
            let mut total = None;
            for (i, value) in [9000.0, 9000.1, 9000.2, 9000.3].into_iter().enumerate() {
                let taken = ledger.take(Timestamp(i as i64 * 10_000), value, &KWH, &rules);
                assert_eq!(taken.entry, None);
                total = ledger.total();
            }
            assert_eq!(total, Some(9000.3), "{rate:?}");
        }
    }
}
