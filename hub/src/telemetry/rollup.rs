//! What stands for many readings of one point: count, extremes, sum, ends, and how much a counter moved.
//! Pure. Readings of bad quality and without a number never enter. Two neighbouring rollups combine to the
//! one that all their readings would have given, so that every level is made of the level below. Every field is
//! finite: a database and JSON know no other numbers.

use serde::{Deserialize, Serialize};

/// A rollup of at least one reading.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct Rollup {
    pub n: i64,
    pub min: f64,
    pub max: f64,
    pub sum: f64,
    pub first: f64,
    pub last: f64,
    /// Sum of the increments from reading to reading; a counter that starts over goes on counting.
    pub inc: f64,
}

/// How a point moves from one value to the next.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Counting {
    /// The value at which the counter starts over, if it does.
    pub modulus: Option<f64>,
}

impl Counting {
    /// The increment between two readings in a row: what was added; a step down is a rollover when it is
    /// larger than half the register, and otherwise (a new meter, a reset) nothing that can be counted.
    pub fn step(self, from: f64, to: f64) -> f64 {
        if to >= from {
            return finite(to - from);
        }
        match self.modulus {
            Some(m) if from - to > m / 2.0 && from <= m => finite(to + (m - from)),
            _ => 0.0,
        }
    }
}

impl Rollup {
    pub fn of(value: f64) -> Self {
        Self { n: 1, min: value, max: value, sum: value, first: value, last: value, inc: 0.0 }
    }

    /// Of values in the order of their instants; none of no values.
    pub fn over(values: impl IntoIterator<Item = f64>, counting: Counting) -> Option<Self> {
        values.into_iter().fold(None, |so_far: Option<Self>, v| {
            Some(match so_far {
                None => Self::of(v),
                Some(r) => r.then(&Self::of(v), counting),
            })
        })
    }

    /// This one and the one after it.
    #[must_use]
    pub fn then(&self, later: &Self, counting: Counting) -> Self {
        Self {
            n: self.n + later.n,
            min: self.min.min(later.min),
            max: self.max.max(later.max),
            sum: finite(self.sum + later.sum),
            first: self.first,
            last: later.last,
            inc: finite(self.inc + counting.step(self.last, later.first) + later.inc),
        }
    }

    /// All of them, in the order of time; none of none.
    pub fn join<'a>(parts: impl IntoIterator<Item = &'a Self>, counting: Counting) -> Option<Self> {
        parts.into_iter().fold(None, |so_far: Option<Self>, r| {
            Some(match so_far {
                None => *r,
                Some(before) => before.then(r, counting),
            })
        })
    }

    pub fn mean(&self) -> f64 {
        self.sum / self.n as f64
    }
}

/// What lies beyond the largest number is the largest number.
fn finite(n: f64) -> f64 {
    n.clamp(f64::MIN, f64::MAX)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    /// Written down as the definition says, without folding.
    fn naive(values: &[f64], modulus: Option<f64>) -> Option<Rollup> {
        let (first, last) = (*values.first()?, *values.last()?);
        let mut inc = 0.0;
        for pair in values.windows(2) {
            let step = pair[1] - pair[0];
            if step >= 0.0 {
                inc += step;
            } else if let Some(m) = modulus
                && -step > m / 2.0
            {
                inc += step + m;
            }
        }
        Some(Rollup {
            n: values.len() as i64,
            min: values.iter().copied().fold(f64::INFINITY, f64::min),
            max: values.iter().copied().fold(f64::NEG_INFINITY, f64::max),
            sum: values.iter().sum(),
            first,
            last,
            inc,
        })
    }

    proptest! {
        /// Whole numbers, so that sums are exact in any order.
        #[test]
        fn rollups_of_any_pieces_join_to_the_naive_computation(
            values in prop::collection::vec(0_i32..1000, 1..200), cuts in prop::collection::vec(1_usize..20, 1..50),
            wraps: bool,
        ) {
            let values: Vec<f64> = values.into_iter().map(f64::from).collect();
            let counting = Counting { modulus: wraps.then_some(1000.0) };
            let mut pieces = Vec::new();
            let mut rest = values.as_slice();
            for n in cuts.iter().copied().cycle() {
                if rest.is_empty() {
                    break;
                }
                let (piece, after) = rest.split_at(n.min(rest.len()));
                pieces.extend(Rollup::over(piece.iter().copied(), counting));
                rest = after;
            }
            prop_assert_eq!(Rollup::join(&pieces, counting), naive(&values, counting.modulus));
            prop_assert_eq!(Rollup::over(values.iter().copied(), counting), naive(&values, counting.modulus));
        }
    }

    #[test]
    fn a_counter_that_starts_over_goes_on_counting() {
        let register = Counting { modulus: Some(1_000_000.0) };
        let r = Rollup::over([999_990.0, 999_999.0, 5.0, 10.0], register).unwrap();
        assert!((r.inc - 20.0).abs() < 1e-9, "{r:?}");
    }

    #[test]
    fn a_replaced_meter_does_not_count_its_step_down() {
        let r = Rollup::over([5000.0, 5010.0, 0.0, 4.0], Counting { modulus: Some(1_000_000.0) }).unwrap();
        assert!((r.inc - 14.0).abs() < 1e-9, "{r:?}");
        let r = Rollup::over([5000.0, 5010.0, 0.0, 4.0], Counting::default()).unwrap();
        assert!((r.inc - 14.0).abs() < 1e-9, "{r:?}");
    }

    #[test]
    fn the_largest_numbers_that_a_meter_can_say_stay_numbers() {
        let most = f64::MAX;
        for values in [[most, most, most], [-most, most, -most], [-most, -most, most]] {
            for modulus in [None, Some(most), Some(1000.0)] {
                let r = Rollup::over(values, Counting { modulus }).unwrap();
                let twice = r.then(&r, Counting { modulus });
                for n in [r, twice]
                    .into_iter()
                    .flat_map(|r| [r.min, r.max, r.sum, r.first, r.last, r.inc, r.mean()])
                {
                    assert!(n.is_finite(), "{values:?} {modulus:?} {r:?}");
                }
            }
        }
    }
}
