//! The latest value of every point, with its instant and its quality. The lines' tasks write it, the status
//! page reads it. A value that has outlived three of its periods is never shown as good, and neither is one of
//! the future: the clock was set back since.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde::Serialize;
use steward_shared::id::PointNo;
use steward_shared::reading::{Quality, Reading, Value};
use steward_shared::time::Timestamp;

use crate::numbered::Numbered;

/// A good value is shown as such for this many periods of its point.
pub const AGE_PERIODS: u32 = 3;

/// What a row says about its point, apart from the value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Described {
    pub no: PointNo,
    pub device: Arc<str>,
    pub point: Arc<str>,
    pub unit: Arc<str>,
    pub period: Duration,
}

/// One row as it is shown.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Shown {
    pub no: PointNo,
    pub device: String,
    pub point: String,
    pub unit: String,
    #[serde(skip)]
    pub period: Duration,
    /// The slot of the poll; absent before the first.
    pub at: Option<Timestamp>,
    pub age_ms: Option<u64>,
    pub value: Option<Word>,
    /// As `Quality::word`; absent before the first poll.
    pub quality: Option<&'static str>,
}

/// A value as plain JSON.
#[derive(Debug, Clone, PartialEq, Serialize)]
#[serde(untagged)]
pub enum Word {
    Number(f64),
    Text(String),
}

#[derive(Debug)]
struct Row {
    described: Described,
    last: Option<Reading>,
}

/// One table for the whole gateway. Its lock is held for the copying of one block and never over an await.
#[derive(Debug, Default)]
pub struct Latest(Mutex<Numbered<Row>>);

impl Latest {
    /// The points that are polled now. Rows that stay keep their values, the others go.
    pub fn describe(&self, points: Vec<Described>) {
        let mut rows = self.rows();
        let mut former: HashMap<PointNo, Reading> =
            std::mem::take(&mut *rows).into_iter().filter_map(|(no, row)| Some((no, row.last?))).collect();
        let row = |described: Described| {
            let last = former.remove(&described.no);
            (described.no, Row { described, last })
        };
        *rows = points.into_iter().map(row).collect();
    }

    /// Takes readings over; an older one never replaces a newer, unless that is of the future by now.
    pub fn take(&self, readings: &[Reading], now: Timestamp) {
        let (mut rows, mut near) = (self.rows(), 0);
        for reading in readings {
            let Some(place) = rows.place(reading.point, near) else { continue };
            near = place;
            if let Some(row) = rows.at_mut(place)
                && row.last.as_ref().is_none_or(|last| last.at <= reading.at || last.at > now)
            {
                row.last = Some(reading.clone());
            }
        }
    }

    /// Every row as it may be shown at `now`.
    pub fn show(&self, now: Timestamp) -> Vec<Shown> {
        self.rows().iter().map(|(_, row)| row.show(now)).collect()
    }

    fn rows(&self) -> MutexGuard<'_, Numbered<Row>> {
        // Each change is one insertion: a panic elsewhere cannot leave a row half written.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Row {
    fn show(&self, now: Timestamp) -> Shown {
        let Described { no, device, point, unit, period } = self.described.clone();
        let last = self.last.as_ref();
        let age = last.map(|r| now.since(r.at));
        let quality = last.map(|r| match r.quality {
            Quality::Good if r.at > now || now.since(r.at) > period * AGE_PERIODS => Quality::Stale,
            q => q,
        });
        Shown {
            no,
            device: device.to_string(),
            point: point.to_string(),
            unit: unit.to_string(),
            period,
            at: last.map(|r| r.at),
            age_ms: age.map(|a| u64::try_from(a.as_millis()).unwrap_or(u64::MAX)),
            value: last.and_then(|r| r.value.clone()).map(|v| match v {
                Value::Number(n) => Word::Number(n),
                Value::Text(t) => Word::Text(t),
            }),
            quality: quality.map(Quality::word),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> Latest {
        let latest = Latest::default();
        latest.describe(vec![Described {
            no: PointNo(7),
            device: "meter".into(),
            point: "power".into(),
            unit: "kW".into(),
            period: Duration::from_secs(10),
        }]);
        latest
    }

    fn good(at: i64, value: f64) -> Reading {
        Reading {
            point: PointNo(7),
            at: Timestamp(at),
            value: Some(Value::Number(value)),
            quality: Quality::Good,
        }
    }

    #[test]
    fn a_value_older_than_three_periods_is_shown_as_stale() {
        let latest = table();
        latest.take(&[good(10_000, 4.5)], Timestamp(10_000));
        assert_eq!(latest.show(Timestamp(40_000))[0].quality, Some("good"));
        let late = &latest.show(Timestamp(40_001))[0];
        assert_eq!((late.quality, late.age_ms), (Some("stale"), Some(30_001)));
        assert_eq!(late.value, Some(Word::Number(4.5)));
    }

    #[test]
    fn a_late_reading_never_replaces_a_newer_one() {
        let latest = table();
        latest.take(&[good(20_000, 2.0)], Timestamp(20_000));
        latest.take(&[good(10_000, 1.0)], Timestamp(20_000));
        assert_eq!(latest.show(Timestamp(20_000))[0].value, Some(Word::Number(2.0)));
    }

    #[test]
    fn after_the_clock_was_set_back_the_old_value_is_stale_and_a_new_one_takes_its_place() {
        let latest = table();
        latest.take(&[good(1_000_000, 1.0)], Timestamp(1_000_000));
        let old = &latest.show(Timestamp(400_000))[0];
        assert_eq!((old.quality, old.at), (Some("stale"), Some(Timestamp(1_000_000))));
        latest.take(&[good(410_000, 2.0)], Timestamp(410_000));
        let new = &latest.show(Timestamp(411_000))[0];
        assert_eq!((new.quality, new.value.clone()), (Some("good"), Some(Word::Number(2.0))));
    }

    #[test]
    fn a_point_that_was_never_read_shows_no_quality_and_one_that_left_is_gone() {
        let latest = table();
        assert_eq!(latest.show(Timestamp(0))[0].quality, None);
        latest.describe(Vec::new());
        latest.take(&[good(1, 1.0)], Timestamp(1));
        assert!(latest.show(Timestamp(1)).is_empty());
    }
}
