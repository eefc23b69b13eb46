//! A point's course between two instants, for a chart of some width: its samples, or min, max and mean of buckets.
//! Where there is nothing there is a gap, and a gap stays one.

use std::time::Duration;

use steward_shared::reading::Quality;
use steward_shared::time::Timestamp;
use steward_shared::wire::message::PointKind;

use super::chunk::{self, ChunkError};
use super::gaps;
use super::model::{
    DAY_MS, HOUR_MS, Level, QUARTER_MS, Sample, Shape, bucket_for, day_of, hour_of, level_of,
};
use super::readings::Readings;
use super::rollup::Rollup;
use super::store;
use super::walk::hours_between;
use super::words::{Runs, Shown};
use crate::gateways::PointRow;
use crate::kernel::db::DbError;

pub const MOST_POINTS: usize = 32;
pub const MOST_WIDTH: u32 = 4_000;
/// Ten years: what a question spans at most.
pub const MOST_SPAN: Duration = Duration::from_hours(24 * 3660);
/// Of a longer question a text is shown for its last month.
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
    Samples {
        samples: Vec<Shown>,
        /// Of a text only so much is shown: what was before is left out.
        left_out_before: Option<Timestamp>,
    },
    Buckets {
        bucket_ms: i64,
        buckets: Vec<(Timestamp, Option<Rollup>)>,
    },
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
            return self.words(point, &shape, span).await;
        }
        let bucket_ms = self.bucket_from(span.from, bucket_for(span.from, span.to, span.width));
        // Of samples those of the whole hours: how they are usually spaced is seen in narrow spans too.
        let (mut from, mut to) = (span.from, span.to);
        let mut few = None;
        if level_of(bucket_ms) == Some(Level::Raw) {
            (from, to) = (Timestamp(hour_of(from)), Timestamp(hour_of(to) + HOUR_MS - 1));
            few = Some(Vec::new());
        }
        let inside = |s: &Sample| s.at >= span.from && s.at <= span.to;
        let (mut walk, mut room) = (self.walk(point, from, to, bucket_ms), span.width as usize * 2);
        let mut buckets = Vec::new();
        while let Some(piece) = walk.next().await? {
            let more = piece.samples.iter().filter(|s| inside(s)).count();
            few = few.filter(|_| more <= room);
            room = room.saturating_sub(more);
            if let Some(few) = &mut few {
                few.extend(piece.samples);
            }
            buckets.extend(piece.buckets);
        }
        if let Some(samples) = few {
            let mut samples = with_gaps(samples, &shape);
            samples.retain(|(at, _, _)| *at >= span.from && *at <= span.to);
            return Ok(Course::Samples { samples, left_out_before: None });
        }
        let mut buckets = gapped(buckets, bucket_ms, &shape);
        buckets
            .retain(|(start, _)| start.as_millis() > span.from.as_millis() - bucket_ms && *start <= span.to);
        Ok(Course::Buckets { bucket_ms, buckets })
    }

    async fn words(&self, point: &PointRow, shape: &Shape, span: Span) -> Result<Course, SeriesError> {
        let begin = span.from.max(Timestamp(span.to.as_millis() - MOST_TEXT_MS));
        let (mut from, mut runs) = (begin.as_millis(), Runs::default());
        while from <= span.to.as_millis() {
            let to = (day_of(from) + DAY_MS - 1).min(span.to.as_millis());
            for sample in self.samples(point, Timestamp(from), Timestamp(to)).await? {
                runs.push(sample);
            }
            from = to + 1;
        }
        let (samples, complete_from) = runs.course(shape, span.width as usize * 2);
        let left_out_before = complete_from.or(Some(begin).filter(|b| *b > span.from));
        Ok(Course::Samples { samples, left_out_before })
    }

    /// The bucket with which a span that begins there can be answered: what is older than the samples are kept has
    /// quarters of an hour at the finest.
    pub fn bucket_from(&self, from: Timestamp, bucket_ms: i64) -> i64 {
        if from.as_millis() < self.raw_floor() { bucket_ms.max(QUARTER_MS) } else { bucket_ms }
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
}

/// A sample without a value is a gap; so is a silence that is longer than what is usual, whose edge is put in.
fn with_gaps(samples: Vec<Sample>, shape: &Shape) -> Vec<Shown> {
    let at: Vec<i64> = samples.iter().map(|s| s.at.as_millis()).collect();
    let spacing: Vec<i64> =
        at.iter().zip(at.iter().skip(1)).map(|(a, b)| b - a).chain(std::iter::once(0)).collect();
    let mut out: Vec<Shown> = Vec::with_capacity(samples.len());
    for (s, breaks) in samples.into_iter().zip(gaps::breaks(&at, &spacing, gaps::least(shape))) {
        let value = s.value.filter(|_| s.quality.is_good());
        let edge = (breaks && value.is_some()).then(|| s.at.plus(shape.period));
        out.push((s.at, value, s.quality));
        out.extend(edge.map(|at| (at, None, Quality::Stale)));
    }
    out
}

/// A run of empty buckets is one null at its beginning, if it is longer than what is usual around it.
fn gapped(buckets: Vec<(i64, Rollup)>, bucket_ms: i64, shape: &Shape) -> Vec<(Timestamp, Option<Rollup>)> {
    let at: Vec<i64> = buckets.iter().map(|(start, _)| *start).collect();
    let spacing: Vec<i64> = buckets
        .iter()
        .zip(at.iter().skip(1))
        .map(|((start, r), next)| (next - start) / r.n.max(1))
        .chain(std::iter::once(0))
        .collect();
    let mut out: Vec<(Timestamp, Option<Rollup>)> = Vec::with_capacity(buckets.len());
    let breaks = gaps::breaks(&at, &spacing, gaps::least(shape).max(bucket_ms));
    for ((start, rollup), breaks) in buckets.into_iter().zip(breaks) {
        out.push((Timestamp(start), Some(rollup)));
        if breaks {
            out.push((Timestamp(start + bucket_ms), None));
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use steward_shared::id::PointId;
    use steward_shared::reading::Value;

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

    /// A bucket of a minute of samples each ten seconds.
    fn six() -> Rollup {
        Rollup { n: 6, ..Rollup::of(1.0) }
    }

    fn nulls(course: &[(Timestamp, Option<Rollup>)]) -> Vec<i64> {
        course.iter().filter(|(_, r)| r.is_none()).map(|(t, _)| t.as_millis() / 1000).collect()
    }

    #[test]
    fn a_run_of_empty_buckets_is_one_null() {
        let buckets = [0, 60_000, 600_000].map(|t| (t, six())).to_vec();
        assert_eq!(nulls(&gapped(buckets, 60_000, &shape())), [120]);
    }

    #[test]
    fn a_day_of_readings_each_five_minutes_is_one_line_and_an_outage_in_it_a_gap() {
        let every_second = Shape { period: Duration::from_secs(1), ..shape() };
        let day = |minutes: &[i64]| -> Vec<(i64, Rollup)> {
            minutes.iter().map(|m| (m * 60_000 / 120_000 * 120_000, Rollup::of(1.0))).collect()
        };
        let whole: Vec<i64> = (0..288).map(|i| i * 5).collect();
        assert!(nulls(&gapped(day(&whole), 120_000, &every_second)).is_empty());
        let broken: Vec<i64> = whole.into_iter().filter(|m| !(600..700).contains(m)).collect();
        assert_eq!(nulls(&gapped(day(&broken), 120_000, &every_second)), [594 * 60 + 120]);
    }

    #[test]
    fn five_minutes_without_samples_of_each_second_are_a_gap_in_buckets_of_two_minutes() {
        let every_second = Shape { period: Duration::from_secs(1), ..shape() };
        let full = Rollup { n: 120, ..Rollup::of(1.0) };
        let buckets = (0..100).filter(|i| !(50..52).contains(i)).map(|i| (i * 120_000, full)).collect();
        assert_eq!(nulls(&gapped(buckets, 120_000, &every_second)), [50 * 120]);
    }

    #[test]
    fn where_coarse_history_meets_what_is_read_now_there_is_no_gap_in_buckets() {
        let every_second = Shape { period: Duration::from_secs(1), ..shape() };
        let coarse = (0..50).map(|i| (i * 300_000 / 120_000 * 120_000, Rollup::of(1.0)));
        let dense = (126..200).map(|i| (i * 120_000, Rollup { n: 120, ..Rollup::of(1.0) }));
        assert!(nulls(&gapped(coarse.chain(dense).collect(), 120_000, &every_second)).is_empty());
    }

    #[test]
    fn buckets_that_are_finer_than_the_point_have_no_holes() {
        let buckets = (0..5).map(|i| (i * 10_000, Rollup::of(1.0))).collect();
        assert!(gapped(buckets, 2_000, &shape()).iter().all(|(_, r)| r.is_some()));
    }
}
