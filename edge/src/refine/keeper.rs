//! Which readings of a point are kept: those that differ from the last kept one by more than the deadband, and one at
//! least in the longest silence. Pure. A reading of another quality is always kept, and so is one of an instant before
//! the last kept one: the clock was set back, and waiting for it to catch up would be a gap.

use std::time::Duration;

use steward_shared::profile::Rules;
use steward_shared::reading::{Reading, Value};

#[derive(Clone, Debug, Default)]
pub(super) struct Keeper {
    last: Option<Reading>,
}

impl Keeper {
    /// `period` of the point: what is not kept now is looked at again only then.
    pub fn keeps(&mut self, reading: &Reading, rules: &Rules, period: Duration) -> bool {
        let Some(silence) = rules.max_silence else { return true };
        let keeps = self.last.as_ref().is_none_or(|last| {
            last.quality != reading.quality
                || reading.at < last.at
                || reading.at.plus(period) > last.at.plus(silence)
                || differs(last.value.as_ref(), reading.value.as_ref(), rules)
        });
        if keeps {
            self.last = Some(reading.clone());
        }
        keeps
    }
}

fn differs(last: Option<&Value>, now: Option<&Value>, rules: &Rules) -> bool {
    match (last, now) {
        (Some(Value::Number(last)), Some(Value::Number(now))) => {
            let deadband = rules.deadband.max(last.abs() * rules.deadband_percent / 100.0);
            (now - last).abs() > deadband
        }
        (last, now) => last != now,
    }
}

#[cfg(test)]
mod tests {
    use steward_shared::id::PointNo;
    use steward_shared::reading::Quality;
    use steward_shared::time::Timestamp;

    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn kept(rules: &Rules, values: impl IntoIterator<Item = (i64, Option<f64>)>) -> Vec<i64> {
        let mut keeper = Keeper::default();
        let mut kept = Vec::new();
        for (second, value) in values {
            let reading = Reading {
                point: PointNo(1),
                at: Timestamp(second * 1000),
                value: value.map(Value::Number),
                quality: if value.is_some() { Quality::Good } else { Quality::NoReply },
            };
            if keeper.keeps(&reading, rules, SECOND) {
                kept.push(second);
            }
        }
        kept
    }

    fn rules(deadband: f64, percent: f64, silence: u64) -> Rules {
        Rules {
            deadband,
            deadband_percent: percent,
            max_silence: Some(Duration::from_secs(silence)),
            ..Rules::default()
        }
    }

    #[test]
    fn without_a_silence_every_reading_is_kept() {
        let all = (0..50).map(|s| (s, Some(1.0)));
        assert_eq!(kept(&Rules::default(), all).len(), 50);
    }

    #[test]
    fn a_change_beyond_the_deadband_is_kept_and_a_slow_drift_is_not_lost() {
        let values = [(0, 20.0), (1, 20.5), (2, 20.6), (3, 20.2), (4, 19.0), (5, 19.5)];
        assert_eq!(kept(&rules(0.5, 0.0, 600), values.map(|(s, v)| (s, Some(v)))), [0, 2, 4]);
        let drift = (0..100).map(|s| (s, Some(20.0 + s as f64 * 0.25)));
        assert_eq!(kept(&rules(0.5, 0.0, 600), drift).len(), 34, "one of three: 0.75 is more than 0.5");
    }

    #[test]
    fn a_share_of_the_value_is_a_deadband_and_the_larger_of_two_counts() {
        let values = [(0, 200.0), (1, 201.9), (2, 202.1), (3, -202.1)];
        assert_eq!(kept(&rules(0.0, 1.0, 600), values.map(|(s, v)| (s, Some(v)))), [0, 2, 3]);
        assert_eq!(kept(&rules(3.0, 1.0, 600), values.map(|(s, v)| (s, Some(v)))), [0, 3]);
    }

    #[test]
    fn a_steady_value_is_kept_at_least_in_each_silence() {
        let steady = (0..=60).map(|s| (s, Some(5.0)));
        let kept = kept(&rules(0.0, 0.0, 15), steady);
        assert_eq!(kept, [0, 15, 30, 45, 60]);
    }

    #[test]
    fn a_lost_value_and_its_return_are_kept_at_once() {
        let values = [(0, Some(5.0)), (1, Some(5.0)), (2, None), (3, None), (4, Some(5.0)), (5, Some(5.0))];
        assert_eq!(kept(&rules(1.0, 0.0, 600), values), [0, 2, 4]);
    }

    #[test]
    fn after_the_clock_was_set_back_readings_are_kept_again() {
        let values =
            [(10_000, Some(5.0)), (10_001, Some(5.0)), (100, Some(5.0)), (101, Some(5.0)), (110, Some(5.0))];
        assert_eq!(kept(&rules(1.0, 0.0, 10), values), [10_000, 100, 110]);
    }
}
