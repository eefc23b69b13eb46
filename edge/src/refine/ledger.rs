//! One counter as an account: what the meter showed last, and what must be added to it for a total that goes on
//! through rollover, a new meter and another ratio. Pure. The sum of both changes only by an entry; a jump that no entry
//! explains is held back until the next samples or a person say what it was.
//!
//! | held | a value that | becomes |
//! |---|---|---|
//! | no | goes on | counted |
//! | no | passes the modulus | counted, entry `RolledOver` |
//! | no | changes as the ratio did | counted, entry `Ratio` |
//! | no | does none of it | held |
//! | yes | goes on from the last counted one | counted: it was a glitch |
//! | yes | goes on from the held ones, for long enough | counted, entry `Replaced` |
//! | yes | does neither | held, and the waiting begins anew |

use std::time::Duration;

use serde::{Deserialize, Serialize};
use steward_shared::profile::Rules;
use steward_shared::time::Timestamp;

/// A counter that goes on so often, and for so long as its rules want, is believed again.
const SETTLE_SAMPLES: u32 = 3;
/// As many samples after the ratio changed may show it.
const RATIO_SAMPLES: u8 = 3;
const MINUTE: Duration = Duration::from_mins(1);

type Sample = (Timestamp, f64);

#[derive(Clone, Debug, Default, PartialEq)]
pub(super) struct Ledger {
    /// The total is what the meter shows and this.
    pub offset: f64,
    /// The newest counted sample.
    pub last: Option<Sample>,
    before: Option<f64>,
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
    /// One that was counted up to this sample.
    pub fn from(last: Sample, offset: f64) -> Self {
        Self { offset, last: Some(last), ..Self::default() }
    }

    pub fn total(&self) -> Option<f64> {
        self.last.map(|(_, shown)| tidy(shown + self.offset))
    }

    /// The newest held value, and since when values are held.
    pub fn held(&self) -> Option<(f64, Timestamp)> {
        self.held.map(|held| (held.last.1, held.first.0))
    }

    pub fn take(&mut self, at: Timestamp, value: f64, modulus: Option<f64>, rules: &Rules) -> Taken {
        let Some(last) = self.last else {
            self.count(at, value);
            return Taken { is_held: false, entry: None };
        };
        if at < last.0 && self.held.is_none() {
            // The clock was set back, or an answer came late: what counts is what the meter shows.
            self.last = Some((at, last.1));
        }
        let entry = |what| Some(Entry { at, what, before: last.1, after: value });
        if let Some((factor, left)) = self.ratio {
            self.ratio = left.checked_sub(1).filter(|left| *left > 0).map(|left| (factor, left));
            if is_factor(last.1, value, factor) {
                self.ratio = None;
                self.go_on_from(last.1, at, value);
                return Taken { is_held: false, entry: entry(What::Ratio) };
            }
        }
        match step(last, (at, value), modulus, rules) {
            Some(Step::On) => {
                self.count(at, value.max(last.1));
                Taken { is_held: false, entry: None }
            }
            Some(Step::Over(modulus)) => {
                self.offset = tidy(self.offset + modulus);
                self.count(at, value);
                Taken { is_held: false, entry: entry(What::RolledOver) }
            }
            None => self.hold(last.1, at, value, modulus, rules),
        }
    }

    fn hold(&mut self, shown: f64, at: Timestamp, value: f64, modulus: Option<f64>, rules: &Rules) -> Taken {
        let goes_on = self.held.filter(|held| step(held.last, (at, value), modulus, rules) == Some(Step::On));
        let held = match goes_on {
            Some(held) => Held { last: (at, value), samples: held.samples + 1, ..held },
            None => Held { first: (at, value), last: (at, value), samples: 1 },
        };
        self.held = Some(held);
        if held.samples < SETTLE_SAMPLES || at.since(held.first.0) < rules.settle_after {
            return Taken { is_held: true, entry: None };
        }
        let start = held.first.1;
        self.offset = tidy(self.offset + shown - start);
        self.count(at, value);
        Taken { is_held: false, entry: Some(Entry { at, what: What::Replaced, before: shown, after: start }) }
    }

    /// The ratio is so many times what it was. A counter that shows primary values jumps by the same, before or after.
    pub fn ratio_changed(&mut self, at: Timestamp, factor: f64) -> Option<Entry> {
        let (then, shown) = self.last?;
        let entry = |before, after| Some(Entry { at, what: What::Ratio, before, after });
        if let Some(held) = self.held.filter(|held| is_factor(shown, held.first.1, factor)) {
            self.go_on_from(shown, held.last.0, held.first.1);
            self.count(held.last.0, held.last.1);
            return entry(shown, held.first.1);
        }
        if let Some(before) = self.before.filter(|before| is_factor(*before, shown, factor)) {
            self.go_on_from(before, then, shown);
            return entry(before, shown);
        }
        self.ratio = Some((factor, RATIO_SAMPLES));
        None
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
        self.count(now.0, now.1);
        Ok(Entry { at, what: What::Confirmed, before, after: start })
    }

    fn go_on_from(&mut self, before: f64, at: Timestamp, value: f64) {
        self.offset = tidy(self.offset + before - value);
        self.count(at, value);
    }

    fn count(&mut self, at: Timestamp, value: f64) {
        self.before = self.last.map(|(_, shown)| shown);
        self.last = Some((at, value));
        self.held = None;
    }
}

#[derive(Clone, Copy, Debug, PartialEq)]
enum Step {
    On,
    /// Past this modulus.
    Over(f64),
}

/// Whether a counter can have come from the one sample to the other.
fn step(from: Sample, to: Sample, modulus: Option<f64>, rules: &Rules) -> Option<Step> {
    let minutes = to.0.since(from.0).max(MINUTE).as_secs_f64() / 60.0;
    let most = rules.rate_per_min.map(|rate| rate * minutes);
    let fits = |increment: f64| most.is_none_or(|most| increment <= most);
    let (from, to) = (from.1, to.1);
    // A float of 32 bits may step down by its last digit.
    if to >= from - from.abs() * f64::from(f32::EPSILON) {
        return fits(to - from).then_some(Step::On);
    }
    let modulus = modulus.filter(|modulus| from <= *modulus)?;
    let passes = match most {
        Some(_) => fits(to + (modulus - from)),
        None => from - to > modulus / 2.0,
    };
    passes.then_some(Step::Over(modulus))
}

/// Whether a value became so many times what it was, give or take what was counted meanwhile.
fn is_factor(from: f64, to: f64, factor: f64) -> bool {
    from != 0.0 && (to / from / factor - 1.0).abs() < 0.01
}

/// Sums of decimals, without the digits that only binary fractions add.
fn tidy(sum: f64) -> f64 {
    (sum * 1e6).round() / 1e6
}

#[cfg(test)]
mod tests {
    use super::*;

    const MODULUS: Option<f64> = Some(1000.0);

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
            let taken = ledger.take(Timestamp(begin + i as i64 * 10_000), *value, modulus, rules);
            totals.push(ledger.total().filter(|_| !taken.is_held));
            entries.extend(taken.entry.map(|e| e.what));
        }
        (totals, entries)
    }

    #[test]
    fn fault_b7_a_counter_that_rolls_over_goes_on_counting() {
        let mut ledger = Ledger::default();
        let (totals, entries) = run(&mut ledger, &[990.5, 999.5, 3.25, 4.0], MODULUS, &rules(None));
        assert_eq!(totals, [Some(990.5), Some(999.5), Some(1003.25), Some(1004.0)]);
        assert_eq!(entries, [What::RolledOver]);
        let mut slow = Ledger::default();
        let (_, entries) = run(&mut slow, &[600.0, 200.0], MODULUS, &rules(Some(700.0)));
        assert_eq!(entries, [What::RolledOver], "with a rate, whatever could be counted meanwhile");
    }

    #[test]
    fn fault_b7_a_new_meter_is_held_until_its_samples_go_on_for_long_enough() {
        let mut ledger = Ledger::default();
        let values = [5000.0, 5001.0, 12.0, 12.5, 13.0, 13.5, 14.0];
        let (totals, entries) = run(&mut ledger, &values, None, &rules(None));
        assert_eq!(totals[2..], [None, None, None, Some(5002.5), Some(5003.0)]);
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
}
