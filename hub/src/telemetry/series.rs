//! A point's course between two instants, for a chart of some width: its samples, or min, max and mean of buckets.
//! The coarsest rows that still make up the buckets answer; hours that are not compacted yet are reckoned exactly from
//! their samples. Where there is nothing there is a gap, and a gap stays one.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use steward_shared::reading::{Quality, Value};
use steward_shared::time::Timestamp;
use steward_shared::wire::message::PointKind;

use super::chunk::{self, ChunkError};
use super::model::{
    DAY_MS, HOUR_MS, Level, QUARTER_MS, Sample, Shape, bucket_for, day_of, hour_of, level_of,
};
use super::readings::Readings;
use super::rollup::Rollup;
use super::store;
use crate::gateways::PointRow;
use crate::kernel::db::DbError;

pub const MOST_POINTS: usize = 32;
pub const MOST_WIDTH: u32 = 4_000;
/// Ten years: what a question spans at most.
pub const MOST_SPAN: Duration = Duration::from_hours(24 * 3660);
/// Texts and codes cannot be averaged: of a longer question they are shown for its last month.
const MOST_TEXT_MS: i64 = 31 * DAY_MS;

#[derive(Debug, thiserror::Error)]
pub enum SeriesError {
    #[error("the store of readings failed")]
    Db(#[from] DbError),
    #[error("a chunk of the store cannot be read")]
    Chunk(#[from] ChunkError),
    #[error("the work was stopped")]
    Stopped(#[from] tokio::task::JoinError),
}

/// What is asked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Span {
    pub from: Timestamp,
    pub to: Timestamp,
    /// Buckets, or samples, that the chart has room for.
    pub width: u32,
}

/// A point's course. `None` is the edge of a gap.
#[derive(Clone, Debug, PartialEq)]
pub enum Course {
    Samples(Vec<(Timestamp, Option<Value>, Quality)>),
    Buckets { bucket_ms: i64, buckets: Vec<(Timestamp, Option<Rollup>)> },
}

impl PointRow {
    pub fn shape(&self) -> Shape {
        Shape {
            point: self.id,
            kind: crate::gateways::kind_of(&self.kind),
            period: Duration::from_millis(u64::try_from(self.period_ms).unwrap_or(0)),
            counting: super::rollup::Counting { modulus: self.modulus },
        }
    }
}

impl Readings {
    /// The course of a point for a chart.
    pub async fn course(&self, point: &PointRow, span: Span) -> Result<Course, SeriesError> {
        let shape = point.shape();
        if shape.kind == PointKind::Text {
            let from = span.from.as_millis().max(span.to.as_millis() - MOST_TEXT_MS);
            let samples = self.samples(point, Timestamp(from), span.to).await?;
            return Ok(Course::Samples(with_gaps(samples, &shape)));
        }
        let bucket_ms = bucket_for(span.from, span.to, span.width);
        if level_of(bucket_ms) == Some(Level::Raw) {
            let samples = self.samples(point, span.from, span.to).await?;
            if samples.len() <= span.width as usize * 2 {
                return Ok(Course::Samples(with_gaps(samples, &shape)));
            }
            let buckets = chunk::buckets(&samples, bucket_ms, shape.counting);
            return Ok(Course::Buckets { bucket_ms, buckets: gapped(buckets, bucket_ms, &shape) });
        }
        let buckets = self.rollups(point, span.from, span.to, bucket_ms).await?;
        Ok(Course::Buckets { bucket_ms, buckets: gapped(buckets, bucket_ms, &shape) })
    }

    /// All samples in `from..=to`, in the order of time.
    pub async fn samples(
        &self,
        point: &PointRow,
        from: Timestamp,
        to: Timestamp,
    ) -> Result<Vec<Sample>, SeriesError> {
        // The tail first: what is compacted between the two reads is then seen twice and merged, never missed.
        let tail = self.tail().samples(point.gateway, point.id, from.as_millis(), to.as_millis());
        let chunks =
            store::chunks(&self.db, point.id, &hours_between(from.as_millis(), to.as_millis())).await?;
        let decoded = tokio::task::spawn_blocking(move || {
            let mut all = Vec::new();
            for c in &chunks {
                all.extend(chunk::decode(c)?);
            }
            all.retain(|s| s.at >= from && s.at <= to);
            Ok::<_, ChunkError>(chunk::merge(all, tail))
        });
        Ok(decoded.await??)
    }

    /// Rollups of the grid of `bucket_ms` (whole quarters of an hour), by the start of their bucket.
    pub async fn rollups(
        &self,
        point: &PointRow,
        from: Timestamp,
        to: Timestamp,
        bucket_ms: i64,
    ) -> Result<BTreeMap<i64, Rollup>, SeriesError> {
        let level = level_of(bucket_ms).unwrap_or(Level::Raw);
        let shape = point.shape();
        let first = from.as_millis().div_euclid(bucket_ms) * bucket_ms;
        let last = to.as_millis().div_euclid(bucket_ms) * bucket_ms + bucket_ms - 1;
        if level == Level::Raw {
            let samples = self.samples(point, Timestamp(first), Timestamp(last)).await?;
            return Ok(chunk::buckets(&samples, bucket_ms, shape.counting));
        }
        let tail = self.tail().samples(point.gateway, point.id, first, last);
        let fresh: BTreeSet<i64> = tail.iter().map(|s| hour_of(s.at)).collect();
        let mut parts = self.stored(point, level, first, last, &fresh).await?;
        let step = if level == Level::Quarter { QUARTER_MS } else { HOUR_MS };
        let hours: Vec<i64> = fresh.iter().copied().collect();
        let mut samples = Vec::new();
        for c in store::chunks(&self.db, point.id, &hours).await? {
            samples.extend(chunk::decode(&c)?);
        }
        parts.extend(chunk::buckets(&chunk::merge(samples, tail), step, shape.counting));
        let mut out: BTreeMap<i64, Rollup> = BTreeMap::new();
        for (start, part) in parts {
            let bucket = start.div_euclid(bucket_ms) * bucket_ms;
            out.entry(bucket).and_modify(|r| *r = r.then(&part, shape.counting)).or_insert(part);
        }
        Ok(out)
    }

    /// The rows of this level, without the hours that have samples in the tail.
    async fn stored(
        &self,
        point: &PointRow,
        level: Level,
        first: i64,
        last: i64,
        fresh: &BTreeSet<i64>,
    ) -> Result<BTreeMap<i64, Rollup>, SeriesError> {
        let mut parts = BTreeMap::new();
        let days: Vec<i64> = steps(day_of(first), last, DAY_MS);
        match level {
            Level::Raw | Level::Hour => {
                let mut hours = hours_between(first, last);
                hours.retain(|h| !fresh.contains(h));
                parts.extend(store::hours(&self.db, point.id, &hours).await?);
            }
            Level::Quarter => {
                for columns in store::quarters(&self.db, point.id, &days).await? {
                    parts.extend(chunk::decode_quarters(&columns)?);
                }
                parts.retain(|start, _| {
                    let hour = start.div_euclid(HOUR_MS) * HOUR_MS;
                    (first..=last).contains(start) && !fresh.contains(&hour)
                });
            }
            Level::Day => {
                let fresh_days: BTreeSet<i64> = fresh.iter().map(|h| day_of(*h)).collect();
                let whole: Vec<i64> = days.iter().copied().filter(|d| !fresh_days.contains(d)).collect();
                parts.extend(store::days(&self.db, point.id, &whole).await?);
                let mut hours: Vec<i64> =
                    fresh_days.iter().flat_map(|d| steps(*d, d + DAY_MS - 1, HOUR_MS)).collect();
                hours.retain(|h| !fresh.contains(h));
                parts.extend(store::hours(&self.db, point.id, &hours).await?);
            }
        }
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

/// A sample without a value is a gap; so is a silence of more than three periods, whose edge is put in.
fn with_gaps(samples: Vec<Sample>, shape: &Shape) -> Vec<(Timestamp, Option<Value>, Quality)> {
    let mut out: Vec<(Timestamp, Option<Value>, Quality)> = Vec::with_capacity(samples.len());
    for s in samples {
        if let Some((before, Some(_), _)) = out.last()
            && s.at.since(*before) > shape.gap()
        {
            out.push((before.plus(shape.period), None, Quality::Stale));
        }
        let value = s.value.filter(|_| s.quality.is_good());
        out.push((s.at, value, s.quality));
    }
    out
}

/// A run of empty buckets is one null at its beginning, if it is longer than the point's own pauses.
fn gapped(buckets: BTreeMap<i64, Rollup>, bucket_ms: i64, shape: &Shape) -> Vec<(Timestamp, Option<Rollup>)> {
    let pause = i64::try_from(shape.gap().as_millis()).unwrap_or(i64::MAX).max(bucket_ms);
    let mut out: Vec<(Timestamp, Option<Rollup>)> = Vec::with_capacity(buckets.len());
    for (start, rollup) in buckets {
        if let Some((before, Some(_))) = out.last()
            && start - before.as_millis() > pause
        {
            out.push((Timestamp(before.as_millis() + bucket_ms), None));
        }
        out.push((Timestamp(start), Some(rollup)));
    }
    out
}

#[cfg(test)]
mod tests {
    use steward_shared::id::PointId;

    use super::super::rollup::Counting;
    use super::*;

    fn shape() -> Shape {
        Shape {
            point: PointId(1),
            kind: PointKind::Gauge,
            period: Duration::from_secs(10),
            counting: Counting::default(),
        }
    }

    fn sample(second: i64, quality: Quality) -> Sample {
        Sample { at: Timestamp(second * 1000), value: Some(Value::Number(1.0)), quality }
    }

    #[test]
    fn a_silence_is_a_gap_and_a_late_sample_is_none() {
        let seconds = [0, 10, 30, 100, 110];
        let course = with_gaps(seconds.map(|s| sample(s, Quality::Good)).to_vec(), &shape());
        let nulls: Vec<i64> =
            course.iter().filter(|(_, v, _)| v.is_none()).map(|(t, _, _)| t.as_millis()).collect();
        assert_eq!(nulls, [40_000]);
    }

    #[test]
    fn a_bad_sample_is_a_gap_and_says_why() {
        let course = with_gaps(vec![sample(0, Quality::Good), sample(10, Quality::NoReply)], &shape());
        assert_eq!(course[1], (Timestamp(10_000), None, Quality::NoReply));
    }

    #[test]
    fn a_run_of_empty_buckets_is_one_null() {
        let buckets: BTreeMap<i64, Rollup> =
            [0, 60_000, 600_000].into_iter().map(|t| (t, Rollup::of(1.0))).collect();
        let course = gapped(buckets, 60_000, &shape());
        assert_eq!(course.len(), 4);
        assert_eq!(course[2], (Timestamp(120_000), None));
    }

    #[test]
    fn buckets_that_are_finer_than_the_point_have_no_holes() {
        let buckets: BTreeMap<i64, Rollup> = (0..5).map(|i| (i * 10_000, Rollup::of(1.0))).collect();
        assert!(gapped(buckets, 2_000, &shape()).iter().all(|(_, r)| r.is_some()));
    }
}
