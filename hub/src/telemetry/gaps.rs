//! Where a course is broken. Pure. A pause is a gap when it is longer than three periods of the point, and than three
//! times the spacing that is usual around it: history that was imported may be coarser than what the point is read at
//! today, and is a line all the same.

use super::model::{STALE_PERIODS, Shape};

/// So many neighbours to either side tell what is usual.
const AROUND: usize = 8;

/// After which of them the course breaks off. `at` are the instants of samples or buckets in the order of time;
/// `spacing` says of each how far apart the samples lie there (the last one's is never asked for), and no pause
/// up to `least` is a gap.
pub fn breaks(at: &[i64], spacing: &[i64], least: i64) -> Vec<bool> {
    let pauses = at.iter().zip(at.iter().skip(1)).map(|(a, b)| b - a);
    let mut out: Vec<bool> = pauses
        .enumerate()
        .map(|(i, pause)| {
            pause > least && {
                let before = spacing.get(i.saturating_sub(AROUND)..i).and_then(median);
                let behind = spacing.len().saturating_sub(1).min(i + 1 + AROUND);
                let after = spacing.get(i + 1..behind).and_then(median);
                // The coarser side decides: where coarse history meets what is read now, one of its pauses lies between.
                let usual = before.max(after).unwrap_or(0);
                pause > usual.saturating_mul(i64::from(STALE_PERIODS))
            }
        })
        .collect();
    out.resize(at.len(), false);
    out
}

/// The lower one of two in the middle.
fn median(of: &[i64]) -> Option<i64> {
    let mut sorted = of.to_vec();
    sorted.sort_unstable();
    sorted.get(sorted.len().checked_sub(1)? / 2).copied()
}

/// No pause of the point up to this is a gap, in milliseconds.
pub fn least(shape: &Shape) -> i64 {
    i64::try_from(shape.gap().as_millis()).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Instants of samples with these pauses between them, in seconds; the places after which there is a gap.
    fn gaps(pauses: impl IntoIterator<Item = i64>, period: i64) -> Vec<usize> {
        let mut at = vec![0];
        for pause in pauses {
            at.push(at[at.len() - 1] + pause);
        }
        let spacing: Vec<i64> = at.windows(2).map(|w| w[1] - w[0]).chain([0]).collect();
        let found = breaks(&at, &spacing, 3 * period);
        assert_eq!(found.len(), at.len());
        found.iter().enumerate().filter(|(_, is_gap)| **is_gap).map(|(i, _)| i).collect()
    }

    fn run(n: usize, pause: i64) -> impl Iterator<Item = i64> {
        std::iter::repeat_n(pause, n)
    }

    #[test]
    fn five_minutes_without_samples_of_each_second_are_a_gap() {
        assert_eq!(gaps(run(600, 1).chain([300]).chain(run(600, 1)), 1), [600]);
        assert_eq!(gaps(run(3, 1).chain([300]).chain(run(2, 1)), 1), [3], "near the ends as well");
        assert_eq!(gaps([1, 300], 1), [1]);
        assert_eq!(gaps([300, 1], 1), [0]);
    }

    #[test]
    fn history_that_is_coarser_than_the_period_is_one_line() {
        assert!(gaps(run(287, 300), 5).is_empty());
        assert!(gaps([900, 900], 30).is_empty());
        let jitter = (0..200).map(|i| if i % 2 == 0 { 55 } else { 65 });
        assert!(gaps(jitter, 1).is_empty());
    }

    #[test]
    fn an_outage_in_coarse_history_is_a_gap() {
        assert_eq!(gaps(run(20, 300).chain([3600]).chain(run(20, 300)), 5), [20]);
    }

    #[test]
    fn where_coarse_history_meets_dense_samples_there_is_no_gap_unless_it_is_long() {
        assert!(gaps(run(20, 300).chain(run(200, 5)), 5).is_empty());
        assert!(gaps(run(200, 5).chain(run(20, 300)), 5).is_empty());
        assert!(gaps(run(20, 300).chain([700]).chain(run(200, 5)), 5).is_empty());
        assert_eq!(gaps(run(20, 300).chain([1000]).chain(run(200, 5)), 5), [20]);
    }

    #[test]
    fn a_short_pause_and_a_single_sample_are_no_gap() {
        assert!(gaps([10, 30, 10], 10).is_empty());
        assert!(gaps([], 10).is_empty());
        assert!(breaks(&[], &[], 0).is_empty());
    }
}
