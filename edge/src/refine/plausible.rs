//! Whether a number can be what its point was: within its limits, not faster than it can change, not the same for ever.
//! Pure. A jump is held against the last value that was believed, and the change that is allowed grows with the time
//! since: a value that stays where it jumped to is believed in the end, when the point could have come there.

use std::time::Duration;

use steward_shared::profile::Rules;
use steward_shared::reading::Quality;
use steward_shared::time::Timestamp;

const MINUTE: Duration = Duration::from_mins(1);

/// What is remembered of one point.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Judge {
    believed: Option<(Timestamp, f64)>,
    /// Since when the value is exactly this.
    same: Option<(Timestamp, f64)>,
}

/// Why a number is doubted.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) enum Doubt {
    OutOfRange,
    /// What it was before.
    TooFast {
        from: f64,
    },
    Stuck {
        since: Timestamp,
    },
}

impl Doubt {
    pub const fn quality(self) -> Quality {
        match self {
            Self::OutOfRange => Quality::OutOfRange,
            Self::TooFast { .. } => Quality::TooFast,
            Self::Stuck { .. } => Quality::Stuck,
        }
    }
}

impl Judge {
    /// `watches_rate`: not of a counter, whose jumps are its ledger's business.
    pub fn judge(&mut self, at: Timestamp, value: f64, rules: &Rules, watches_rate: bool) -> Option<Doubt> {
        let since = match self.same {
            Some((since, same)) if same.to_bits() == value.to_bits() && since <= at => since,
            _ => at,
        };
        self.same = Some((since, value));
        if !can_be(value, rules) {
            return Some(Doubt::OutOfRange);
        }
        if let Some((then, from)) = self.believed
            && let Some(rate) = rules.rate_per_min.filter(|_| watches_rate)
            && at >= then
        {
            let minutes = at.since(then).max(MINUTE).as_secs_f64() / 60.0;
            if (value - from).abs() > rate * minutes {
                return Some(Doubt::TooFast { from });
            }
        }
        self.believed = Some((at, value));
        rules.stuck_after.filter(|longest| at.since(since) >= *longest).map(|_| Doubt::Stuck { since })
    }
}

/// Whether a number lies within its limits.
pub(crate) fn can_be(value: f64, rules: &Rules) -> bool {
    rules.min.is_none_or(|min| value >= min) && rules.max.is_none_or(|max| value <= max)
}

/// How many times larger or smaller a value became, where that looks like a change of its unit: 10, 100, 1000.
pub(super) fn power_of_ten(from: f64, to: f64) -> Option<u32> {
    if from == 0.0 || to == 0.0 || from.is_sign_negative() != to.is_sign_negative() {
        return None;
    }
    let ratio = (to / from).abs();
    let larger = ratio.max(ratio.recip());
    [10_u32, 100, 1000].into_iter().find(|power| (larger / f64::from(*power) - 1.0).abs() < 0.1)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn judged(rules: &Rules, values: &[(i64, f64)]) -> Vec<Option<Quality>> {
        let mut judge = Judge::default();
        let doubt = |(s, v): &(i64, f64)| judge.judge(Timestamp(s * 1000), *v, rules, true);
        values.iter().map(doubt).map(|d| d.map(Doubt::quality)).collect()
    }

    #[test]
    fn what_lies_outside_of_the_limits_is_doubted_and_the_limits_themselves_are_not() {
        let rules = Rules { min: Some(45.0), max: Some(55.0), ..Rules::default() };
        let out = Some(Quality::OutOfRange);
        assert_eq!(
            judged(&rules, &[(0, 45.0), (1, 44.9), (2, 55.0), (3, 55.1), (4, 50.0)]),
            [None, out, None, out, None]
        );
    }

    #[test]
    fn a_jump_is_doubted_until_the_point_could_have_come_so_far() {
        let rules = Rules { rate_per_min: Some(50.0), ..Rules::default() };
        let steps: Vec<_> = (0..=40).map(|i| (i * 10, if i < 3 { 40.0 } else { 400.0 })).collect();
        let judged = judged(&rules, &steps);
        let doubted = judged.iter().filter(|q| **q == Some(Quality::TooFast)).count();
        // 360 in steps of 50 a minute take 432 s from second 20 on: all of the 38.
        assert_eq!(doubted, 38);
        assert_eq!(judged[2], None);
        let later = Rules { rate_per_min: Some(180.0), ..Rules::default() };
        let doubted = self::judged(&later, &steps).iter().filter(|q| q.is_some()).count();
        assert_eq!(doubted, 11, "the believed value is of second 20, and two minutes later it may be 400");
    }

    #[test]
    fn a_single_outlier_does_not_make_the_return_a_jump() {
        let rules = Rules { rate_per_min: Some(5.0), ..Rules::default() };
        let judged = judged(&rules, &[(0, 20.0), (10, 400.0), (20, 20.1)]);
        assert_eq!(judged, [None, Some(Quality::TooFast), None]);
    }

    #[test]
    fn a_value_that_never_moves_is_stuck_and_one_that_moves_a_little_is_not() {
        let rules = Rules { stuck_after: Some(Duration::from_secs(30)), ..Rules::default() };
        let still: Vec<_> = (0..6).map(|i| (i * 10, 21.5)).collect();
        let stuck = Some(Quality::Stuck);
        assert_eq!(judged(&rules, &still), [None, None, None, stuck, stuck, stuck]);
        let moves: Vec<_> = (0..6).map(|i| (i * 10, if i % 2 == 0 { 21.5 } else { 21.6 })).collect();
        assert!(judged(&rules, &moves).iter().all(Option::is_none));
    }

    #[test]
    fn a_step_by_ten_is_known_as_one() {
        assert_eq!(power_of_ten(41.0, 410.0), Some(10));
        assert_eq!(power_of_ten(410.0, 4.15), Some(100));
        assert_eq!(power_of_ten(1.0, 5.0), None);
        assert_eq!(power_of_ten(0.0, 5.0), None);
        assert_eq!(power_of_ten(-1.0, 10.0), None);
    }
}
