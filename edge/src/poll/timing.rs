//! How long a device takes for its answers, learned from them: what a question costs the planner, and how long it is
//! worth waiting for a device that may be dead. The line's owner tells each answer.

use std::time::Duration;

/// Each bucket of the histogram ends a quarter above the one before; the first at 1 ms, the last at about 80 s.
const BUCKETS: usize = 52;
const GROWTH: f64 = 1.25;
const FIRST_MS: f64 = 1.0;
/// Old answers count half as much when so many are in.
const MOST: u32 = 4000;
/// Nothing is concluded from fewer answers.
const ENOUGH: u32 = 20;
/// A device that may be dead is waited for so many times as long as its slowest answers took, and this at least.
const PATIENCE: u32 = 3;
const LEAST_WAIT: Duration = Duration::from_millis(60);
/// The mean follows an answer by this share.
const FOLLOW: f64 = 0.1;

/// One device's turnarounds.
#[derive(Debug, Clone)]
pub struct Timing {
    mean_ms: Option<f64>,
    counts: [u32; BUCKETS],
    total: u32,
}

impl Default for Timing {
    fn default() -> Self {
        Self { mean_ms: None, counts: [0; BUCKETS], total: 0 }
    }
}

impl Timing {
    /// `turnaround` is the device's own time, without that of the frames on the wire.
    pub fn answered(&mut self, turnaround: Duration) {
        let ms = turnaround.as_secs_f64() * 1000.0;
        self.mean_ms = Some(self.mean_ms.map_or(ms, |mean| mean + (ms - mean) * FOLLOW));
        let bucket = (ms / FIRST_MS).max(1.0).log(GROWTH).ceil();
        if let Some(count) = self.counts.get_mut((bucket as usize).min(BUCKETS - 1)) {
            *count += 1;
        }
        self.total += 1;
        if self.total >= MOST {
            self.counts.iter_mut().for_each(|count| *count /= 2);
            self.total = self.counts.iter().sum();
        }
    }

    /// What it usually takes, once that is known.
    pub fn usual(&self) -> Option<Duration> {
        let mean = self.mean_ms.filter(|_| self.total >= ENOUGH)?;
        Some(Duration::from_secs_f64(mean / 1000.0))
    }

    /// After this long an answer is not worth waiting for: 999 of 1000 came within a third of it.
    pub fn patience(&self) -> Option<Duration> {
        if self.total < ENOUGH {
            return None;
        }
        let rare = self.total.div_ceil(1000);
        let mut slower = 0;
        let last = self.counts.iter().rposition(|count| {
            slower += count;
            slower >= rare
        })?;
        let slowest = Duration::from_secs_f64(FIRST_MS * GROWTH.powi(last as i32) / 1000.0);
        Some((slowest * PATIENCE).max(LEAST_WAIT))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const MS: Duration = Duration::from_millis(1);

    #[test]
    fn nothing_is_concluded_from_a_few_answers() {
        let mut timing = Timing::default();
        (0..19).for_each(|_| timing.answered(20 * MS));
        assert_eq!((timing.usual(), timing.patience()), (None, None));
        timing.answered(20 * MS);
        assert_eq!(timing.usual(), Some(20 * MS));
    }

    #[test]
    fn a_device_is_waited_for_three_times_as_long_as_its_slowest_answers() {
        let mut timing = Timing::default();
        (0..999).for_each(|_| timing.answered(20 * MS));
        timing.answered(200 * MS);
        let patience = timing.patience().unwrap();
        assert!((600 * MS..750 * MS).contains(&patience), "the slowest of a thousand counts: {patience:?}");
        (0..4000).for_each(|_| timing.answered(20 * MS));
        let patience = timing.patience().unwrap();
        assert!((60 * MS..80 * MS).contains(&patience), "and is forgotten in time: {patience:?}");
    }

    #[test]
    fn a_fast_device_is_not_given_up_at_once() {
        let mut timing = Timing::default();
        (0..100).for_each(|_| timing.answered(Duration::ZERO));
        assert_eq!(timing.patience(), Some(LEAST_WAIT));
        timing.answered(Duration::from_hours(1));
        assert!(timing.patience().is_some());
    }

    #[test]
    fn the_mean_follows_a_device_that_became_slower() {
        let mut timing = Timing::default();
        (0..100).for_each(|_| timing.answered(5 * MS));
        (0..60).for_each(|_| timing.answered(50 * MS));
        let usual = timing.usual().unwrap();
        assert!((49 * MS..=50 * MS).contains(&usual), "{usual:?}");
    }
}
