//! Rollups of a grid in the order of time, a piece at a time: charts and tables of any span need the memory of one
//! piece. The coarsest rows that still make up the buckets answer; hours that are not compacted yet are reckoned
//! exactly from their samples, so that the answer does not change by compaction.

use std::collections::{BTreeMap, BTreeSet};

use steward_shared::time::Timestamp;

use super::chunk::{self, ChunkError};
use super::model::{DAY_MS, HOUR_MS, Level, QUARTER_MS, Sample, day_of, hour_of, level_of};
use super::readings::Readings;
use super::rollup::{Counting, Rollup};
use super::series::SeriesError;
use super::store;
use crate::gateways::PointRow;

/// Days of one piece: a day of samples, some thousands of rows.
const fn days_of_piece(level: Level) -> i64 {
    match level {
        Level::Raw => 1,
        Level::Quarter => 31,
        Level::Hour => 122,
        Level::Day => 3660,
    }
}

/// What comes next: buckets that are complete, and of the level of samples also what they were made of.
#[derive(Debug, Default)]
pub struct Piece {
    pub buckets: Vec<(i64, Rollup)>,
    pub samples: Vec<Sample>,
}

/// On its way from bucket to bucket.
pub struct Walk<'a> {
    readings: &'a Readings,
    point: &'a PointRow,
    counting: Counting,
    level: Level,
    bucket_ms: i64,
    next: i64,
    last: i64,
    /// The bucket that the next piece may add to.
    open: Option<(i64, Rollup)>,
}

impl Readings {
    /// Over the whole buckets that `from..=to` touches.
    pub fn walk<'a>(
        &'a self,
        point: &'a PointRow,
        from: Timestamp,
        to: Timestamp,
        bucket_ms: i64,
    ) -> Walk<'a> {
        let start = |t: Timestamp| t.as_millis().div_euclid(bucket_ms) * bucket_ms;
        Walk {
            readings: self,
            point,
            counting: point.shape().counting,
            level: level_of(bucket_ms).unwrap_or(Level::Raw),
            bucket_ms,
            next: start(from),
            last: start(to) + bucket_ms - 1,
            open: None,
        }
    }
}

impl Walk<'_> {
    /// The next piece, which may be an empty one; none after the last.
    pub async fn next(&mut self) -> Result<Option<Piece>, SeriesError> {
        if self.next > self.last {
            return Ok(self.open.take().map(|b| Piece { buckets: vec![b], samples: Vec::new() }));
        }
        let end = day_of(self.next) + days_of_piece(self.level) * DAY_MS - 1;
        let (first, last) = (self.next, end.min(self.last));
        self.next = last + 1;
        let (parts, samples) = match self.level {
            Level::Raw => {
                let samples = self.readings.samples(self.point, Timestamp(first), Timestamp(last)).await?;
                (chunk::buckets(&samples, self.bucket_ms, self.counting), samples)
            }
            level => (self.parts(level, first, last).await?, Vec::new()),
        };
        let mut buckets = Vec::with_capacity(parts.len());
        for (start, part) in parts {
            let bucket = start.div_euclid(self.bucket_ms) * self.bucket_ms;
            self.open = Some(match self.open.take() {
                Some((open, r)) if open == bucket => (open, r.then(&part, self.counting)),
                before => {
                    buckets.extend(before);
                    (bucket, part)
                }
            });
        }
        Ok(Some(Piece { buckets, samples }))
    }

    /// Rollups that make up the buckets of this level: stored ones, and those of hours that have samples in the tail.
    async fn parts(&self, level: Level, first: i64, last: i64) -> Result<BTreeMap<i64, Rollup>, SeriesError> {
        let (readings, point, counting) = (self.readings, self.point, self.counting);
        let mut tail = readings.tail().samples(point.gateway, point.id, first, last);
        // What came too late for its hour to be made again is not counted.
        let floor = readings.raw_floor();
        tail.retain(|s| s.at.as_millis() >= floor);
        let fresh: BTreeSet<i64> = tail.iter().map(|s| hour_of(s.at)).collect();
        let hours: Vec<i64> = fresh.iter().copied().collect();
        let chunks = store::chunks(&readings.db, point.id, &hours).await?;
        let mut parts = self.stored(level, first, last, &fresh).await?;
        let step = if level == Level::Quarter { QUARTER_MS } else { HOUR_MS };
        let made = tokio::task::spawn_blocking(move || {
            let mut samples = Vec::new();
            for c in &chunks {
                samples.extend(chunk::decode(c)?);
            }
            Ok::<_, ChunkError>(chunk::buckets(&chunk::merge(samples, tail), step, counting))
        });
        // An hour is reckoned whole, and the span may begin or end within it.
        parts.extend(made.await??.into_iter().filter(|(t, _)| (first..=last).contains(t)));
        Ok(parts)
    }

    /// The rows of this level, without the hours that have samples in the tail.
    async fn stored(
        &self,
        level: Level,
        first: i64,
        last: i64,
        fresh: &BTreeSet<i64>,
    ) -> Result<BTreeMap<i64, Rollup>, SeriesError> {
        let (db, point) = (&self.readings.db, self.point.id);
        let mut parts = BTreeMap::new();
        let mut in_quarters: Vec<(i64, i64)> = Vec::new();
        match level {
            Level::Raw | Level::Quarter => in_quarters.push((first, last)),
            Level::Hour => {
                // Older hours are gone, their quarters stay with the days.
                let floor = self.readings.hours_floor();
                let mut hours = hours_between(first.max(floor), last);
                hours.retain(|h| !fresh.contains(h));
                parts.extend(store::hours(db, point, &hours).await?);
                if first < floor {
                    in_quarters.push((first, last.min(floor - 1)));
                }
            }
            Level::Day => {
                let fresh_days: BTreeSet<i64> = fresh.iter().map(|h| day_of(*h)).collect();
                let mut days = steps(day_of(first), last, DAY_MS);
                days.retain(|d| !fresh_days.contains(d));
                parts.extend(store::days(db, point, &days).await?);
                in_quarters.extend(fresh_days.iter().map(|d| (*d, d + DAY_MS - 1)));
            }
        }
        let days: BTreeSet<i64> =
            in_quarters.iter().flat_map(|(from, to)| steps(day_of(*from), *to, DAY_MS)).collect();
        let columns = store::quarters(db, point, &days.into_iter().collect::<Vec<_>>()).await?;
        let quarters = tokio::task::spawn_blocking(move || {
            let mut all = BTreeMap::new();
            for c in &columns {
                all.extend(chunk::decode_quarters(c)?);
            }
            Ok::<_, ChunkError>(all)
        });
        let wanted = |t: &i64| in_quarters.iter().any(|(from, to)| (from..=to).contains(&t));
        let is_fresh = |t: &i64| fresh.contains(&hour_of(Timestamp(*t)));
        parts.extend(quarters.await??.into_iter().filter(|(t, _)| wanted(t) && !is_fresh(t)));
        Ok(parts)
    }
}

/// The starts of the hours that `from..=to` touches.
pub fn hours_between(from: i64, to: i64) -> Vec<i64> {
    steps(hour_of(Timestamp(from)), to, HOUR_MS)
}

fn steps(first: i64, last: i64, step: i64) -> Vec<i64> {
    std::iter::successors(Some(first), |t| t.checked_add(step)).take_while(|t| *t <= last).collect()
}
