//! How much a counter may rise between two samples. Pure. Who knows it says `rate_per_min`. Otherwise a counter may do
//! what meters of its unit commonly do, and several times what it has done itself; both grow with the time between. What
//! is beyond is not forbidden but held by the ledger until the next samples show whether the counter is that fast.

use std::time::Duration;

use steward_shared::profile::Rules;
use steward_shared::time::Timestamp;

use super::book::Counter;

/// So many times its greatest pace so far a counter may run at once.
const GENEROUS: f64 = 10.0;
/// A counter moves in steps of its last digit, whatever the time.
const DIGITS: f64 = 2.0;
const MINUTE: Duration = Duration::from_mins(1);

/// What meters of buildings commonly count in an hour: 1 MW, 100 m3, 100 t, and an hour of each hour.
const COMMON: &[(&str, f64)] = &[
    ("W.h", 1e6),
    ("kW.h", 1e3),
    ("MW.h", 1.0),
    ("GW.h", 1e-3),
    ("V.A.h", 1e6),
    ("kV.A.h", 1e3),
    ("var.h", 1e6),
    ("kvar.h", 1e3),
    ("Mvar.h", 1.0),
    ("A.h", 1e3),
    ("J", 3.6e9),
    ("kJ", 3.6e6),
    ("MJ", 3.6e3),
    ("GJ", 3.6),
    ("[Btu]", 3.412e6),
    ("m3", 1e2),
    ("L", 1e5),
    ("mL", 1e8),
    ("t", 1e2),
    ("kg", 1e5),
    ("g", 1e8),
    ("ms", 3.6e6),
    ("s", 3.6e3),
    ("min", 60.0),
    ("h", 1.0),
    ("d", 1.0 / 24.0),
];
/// Of a unit without one: pulses, starts, trips.
const COMMON_OTHERWISE: f64 = 6e3;

/// What a counter of this unit may rise by within a minute before anything is known of it.
pub(super) fn common(unit: &str) -> f64 {
    COMMON.iter().find(|(code, _)| *code == unit).map_or(COMMON_OTHERWISE, |(_, per_hour)| *per_hour) / 60.0
}

/// The greatest pace that a counter kept up for a minute.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Pace {
    pub per_min: f64,
    mark: Option<(Timestamp, f64)>,
}

impl Pace {
    pub const fn of(per_min: f64) -> Self {
        Self { per_min, mark: None }
    }

    /// The total at an instant. A window of less than a minute says little: a last digit may have turned in it.
    pub fn note(&mut self, at: Timestamp, total: f64, counter: &Counter) {
        match self.mark {
            Some((then, before)) if at >= then => {
                let since = at.since(then);
                if since >= MINUTE {
                    self.learn(total - before - counter.digit, since);
                    self.mark = Some((at, total));
                }
            }
            _ => self.mark = Some((at, total)),
        }
    }

    /// It was seen to rise by so much in such a time.
    pub fn learn(&mut self, rise: f64, within: Duration) {
        self.per_min = self.per_min.max(rise / minutes(within.max(MINUTE)));
    }

    pub fn scale(&mut self, factor: f64) {
        self.per_min *= factor;
        self.mark = None;
    }
}

/// The most that a counter may rise by.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Bound {
    per_min: f64,
    step: f64,
    /// Whether somebody said so.
    is_given: bool,
}

impl Bound {
    pub fn of(rules: &Rules, counter: &Counter, pace: Pace) -> Self {
        match rules.rate_per_min {
            Some(per_min) => Self { per_min, step: 0.0, is_given: true },
            None => Self {
                per_min: counter.common + GENEROUS * pace.per_min,
                step: DIGITS * counter.digit,
                is_given: false,
            },
        }
    }

    /// As it is once the counter is seen to rise by so much in such a time. A word that was given stands.
    pub fn widened(self, rise: f64, within: Duration) -> Self {
        if self.is_given {
            return self;
        }
        let seen = GENEROUS * rise / minutes(within.max(MINUTE));
        Self { per_min: self.per_min.max(seen), ..self }
    }

    pub fn fits(&self, rise: f64, within: Duration) -> bool {
        rise <= self.per_min * minutes(within.max(MINUTE)) + self.step
    }
}

fn minutes(duration: Duration) -> f64 {
    duration.as_secs_f64() / 60.0
}

#[cfg(test)]
mod tests {
    use steward_shared::unit;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);
    const KWH: Counter = Counter { modulus: None, common: 1000.0 / 60.0, digit: 0.01 };

    #[test]
    fn every_unit_of_the_table_is_one() {
        let unknown: Vec<_> = COMMON.iter().filter(|(code, _)| unit::unit(code).is_none()).collect();
        assert!(unknown.is_empty(), "{unknown:?}");
        assert!((common("GJ") - 0.06).abs() < 1e-9);
        assert!((common("1") - 100.0).abs() < 1e-9);
    }

    #[test]
    fn a_pace_is_what_was_kept_up_for_a_minute() {
        let mut pace = Pace::default();
        for second in 0..=120 {
            pace.note(Timestamp(second * 1000), 50.0 + second as f64, &KWH);
        }
        assert!((59.0..=60.0).contains(&pace.per_min), "{pace:?}");
        for second in 121..=600 {
            pace.note(Timestamp(second * 1000), 170.0, &KWH);
        }
        assert!(pace.per_min > 59.0, "the greatest so far");
    }

    #[test]
    fn a_digit_that_turns_is_no_pace() {
        let coarse = Counter { digit: 1.0, ..KWH };
        let mut pace = Pace::default();
        pace.note(Timestamp(0), 10.0, &coarse);
        pace.note(Timestamp(60_000), 11.0, &coarse);
        assert!(pace.per_min.abs() < 1e-9);
        let bound = Bound::of(&Rules::default(), &Counter { common: 0.0, ..coarse }, pace);
        assert!(bound.fits(2.0, SECOND) && !bound.fits(2.1, SECOND));
    }

    #[test]
    fn a_bound_that_was_given_is_not_widened() {
        let rules = Rules { rate_per_min: Some(5.0), ..Rules::default() };
        let given = Bound::of(&rules, &KWH, Pace::of(100.0));
        assert_eq!(given.widened(1000.0, SECOND), given);
        assert!(given.fits(10.0, 2 * MINUTE) && !given.fits(10.1, 2 * MINUTE));
        let learned = Bound::of(&Rules::default(), &KWH, Pace::of(100.0));
        assert!(learned.fits(1000.0, SECOND) && !learned.fits(1100.0, SECOND));
        assert!(learned.widened(110.0, SECOND).fits(1100.0, SECOND));
    }
}
