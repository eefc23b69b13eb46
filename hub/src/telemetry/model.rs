//! What the store of readings speaks of: samples, hours, days, and which level of them answers a question.
//! Pure. Hours and days are those of UTC: every zone's day is made of whole quarters of an hour of them.

use std::time::Duration;

use steward_shared::id::PointId;
use steward_shared::reading::{Quality, Value};
use steward_shared::time::Timestamp;
use steward_shared::wire::message::PointKind;

use super::rollup::Counting;

pub const QUARTER_MS: i64 = 900_000;
pub const HOUR_MS: i64 = 3_600_000;
pub const DAY_MS: i64 = 86_400_000;
/// A value that is older than this many periods of its point is stale.
pub const STALE_PERIODS: u32 = 3;

/// Samples are kept as they were read for so long; hours for the next; days with their quarters for ever.
pub const KEEP_RAW: Duration = Duration::from_hours(24 * 400);
pub const KEEP_HOURS: Duration = Duration::from_hours(24 * 366 * 3);

/// A sample that lies further ahead of the hub's clock than this is nobody's latest value.
pub const AHEAD: Duration = Duration::from_mins(1);

/// What a point was at an instant.
#[derive(Clone, Debug, PartialEq)]
pub struct Sample {
    pub at: Timestamp,
    pub value: Option<Value>,
    pub quality: Quality,
}

impl Sample {
    /// The number that may enter a rollup: of good quality and finite.
    pub fn counted(&self) -> Option<f64> {
        match &self.value {
            Some(Value::Number(n)) if self.quality.is_good() && n.is_finite() => Some(*n),
            _ => None,
        }
    }
}

/// What the store must know of a point.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Shape {
    pub point: PointId,
    pub kind: PointKind,
    pub period: Duration,
    pub counting: Counting,
}

impl Shape {
    /// Two samples further apart than this are the edges of a gap.
    pub fn gap(&self) -> Duration {
        self.period.saturating_mul(STALE_PERIODS).max(Duration::from_secs(1))
    }

    /// How old a value may be and still be shown as good, when samples are so long under way.
    pub fn fresh_for(&self, delivery: Duration) -> Duration {
        self.gap() + delivery
    }

    /// Whether a value of `at` is too old to be shown as good, or of a clock that is ahead.
    pub fn is_stale(&self, at: Timestamp, now: Timestamp, delivery: Duration) -> bool {
        now.since(at) > self.fresh_for(delivery) || at.since(now) > AHEAD
    }
}

pub fn hour_of(at: Timestamp) -> i64 {
    at.as_millis().div_euclid(HOUR_MS) * HOUR_MS
}

pub fn day_of(at: i64) -> i64 {
    at.div_euclid(DAY_MS) * DAY_MS
}

/// Which rows answer a question with buckets of this size.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Level {
    Raw,
    Quarter,
    Hour,
    Day,
}

/// The sizes of buckets that charts and exports use: round for people, and whole multiples of a level.
const BUCKETS_MS: &[i64] = &[
    1_000,
    2_000,
    5_000,
    10_000,
    20_000,
    30_000,
    60_000,
    120_000,
    300_000,
    QUARTER_MS,
    2 * QUARTER_MS,
    HOUR_MS,
    2 * HOUR_MS,
    4 * HOUR_MS,
    6 * HOUR_MS,
    12 * HOUR_MS,
    DAY_MS,
    2 * DAY_MS,
    5 * DAY_MS,
    10 * DAY_MS,
    30 * DAY_MS,
    90 * DAY_MS,
    365 * DAY_MS,
];

/// The smallest bucket with which `from..to` needs no more than `width` buckets.
pub fn bucket_for(from: Timestamp, to: Timestamp, width: u32) -> i64 {
    let span = to.as_millis().saturating_sub(from.as_millis()).max(1);
    let wanted = span / i64::from(width.max(1)) + i64::from(span % i64::from(width.max(1)) != 0);
    round_up(wanted)
}

/// The smallest of our buckets that is not smaller than this one.
pub fn round_up(bucket_ms: i64) -> i64 {
    BUCKETS_MS.iter().copied().find(|b| *b >= bucket_ms).unwrap_or(365 * DAY_MS)
}

/// The coarsest level whose rows still make up such a bucket; none if no level does.
pub fn level_of(bucket_ms: i64) -> Option<Level> {
    match bucket_ms {
        b if b <= 0 => None,
        b if b % DAY_MS == 0 => Some(Level::Day),
        b if b % HOUR_MS == 0 => Some(Level::Hour),
        b if b % QUARTER_MS == 0 => Some(Level::Quarter),
        _ => Some(Level::Raw),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_month_on_a_thousand_pixels_is_answered_from_hours_and_a_day_from_readings() {
        let to = Timestamp(DAY_MS * 20_000);
        let month = bucket_for(to.minus(Duration::from_hours(720)), to, 800);
        assert_eq!((month, level_of(month)), (HOUR_MS, Some(Level::Hour)));
        let week = bucket_for(to.minus(Duration::from_hours(168)), to, 800);
        assert_eq!((week, level_of(week)), (QUARTER_MS, Some(Level::Quarter)));
        let day = bucket_for(to.minus(Duration::from_hours(24)), to, 800);
        assert_eq!((day, level_of(day)), (120_000, Some(Level::Raw)));
        let decade = bucket_for(Timestamp(0), to, 100);
        assert_eq!(level_of(decade), Some(Level::Day));
    }

    #[test]
    fn no_question_gets_more_buckets_than_it_asked_for() {
        for span in [1, 999, 60_000, 3_600_000, 86_400_000, 31_536_000_000] {
            for width in [1, 7, 800, 4000] {
                let bucket = bucket_for(Timestamp(0), Timestamp(span), width);
                assert!(
                    span <= bucket * i64::from(width) || bucket == 365 * DAY_MS,
                    "{span} {width} {bucket}"
                );
            }
        }
    }

    #[test]
    fn a_value_is_stale_after_three_periods_and_the_time_that_it_is_under_way() {
        let shape = Shape {
            point: PointId(1),
            kind: PointKind::Gauge,
            period: Duration::from_secs(10),
            counting: Counting::default(),
        };
        let is_stale =
            |at, now, delivery| shape.is_stale(Timestamp(at), Timestamp(now), Duration::from_secs(delivery));
        assert!(!is_stale(0, 30_000, 0) && is_stale(0, 30_001, 0));
        assert!(!is_stale(0, 45_000, 15) && is_stale(0, 45_001, 15));
        assert!(!is_stale(60_000, 0, 15) && is_stale(60_001, 0, 15), "ahead of the clock");
    }

    #[test]
    fn a_bad_reading_never_counts() {
        let sample = |value, quality| Sample { at: Timestamp(0), value, quality };
        assert_eq!(sample(Some(Value::Number(1.0)), Quality::Good).counted(), Some(1.0));
        assert_eq!(sample(Some(Value::Number(1.0)), Quality::NoReply).counted(), None);
        assert_eq!(sample(Some(Value::Number(f64::NAN)), Quality::Good).counted(), None);
        assert_eq!(sample(Some(Value::Text("x".into())), Quality::Good).counted(), None);
        assert_eq!(sample(None, Quality::Good).counted(), None);
    }
}
