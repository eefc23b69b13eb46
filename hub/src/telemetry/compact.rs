//! Compaction: samples of frames into hour chunks and rollups. Pure. It rewrites an hour whole from what is there and
//! what came, and a day from its hours, so that the same samples give the same rows in whatever pieces and order they
//! came: late, repeated and imported data need no road of their own.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use steward_shared::id::PointId;

use super::chunk::{self, ChunkError};
use super::model::{DAY_MS, HOUR_MS, QUARTER_MS, Sample, day_of, hour_of};
use super::rollup::{Counting, Rollup};

/// What is already there of the hours and days in question.
#[derive(Clone, Debug, Default)]
pub struct Existing {
    /// Chunks by (hour, point).
    pub raw: HashMap<(i64, PointId), Vec<u8>>,
    /// Rollups of all hours of the days in question.
    pub hours: HashMap<(i64, PointId), Rollup>,
    /// Columns of quarters by (day, point).
    pub quarters: HashMap<(i64, PointId), Vec<u8>>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct HourChunk {
    pub hour: i64,
    pub point: PointId,
    pub n: usize,
    pub data: Vec<u8>,
}

#[derive(Clone, Debug, PartialEq)]
pub struct Day {
    pub start: i64,
    pub point: PointId,
    /// None when no sample of the day counts: there is no row then.
    pub rollup: Option<Rollup>,
    pub quarters: Vec<u8>,
}

/// The rows that take the place of the existing ones.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Rewritten {
    pub raw: Vec<HourChunk>,
    /// None: no sample of the hour counts.
    pub hours: Vec<(i64, PointId, Option<Rollup>)>,
    pub days: Vec<Day>,
    pub latest: BTreeMap<PointId, Sample>,
}

/// Which hours these samples fall into.
pub fn hours_of(samples: &[(PointId, Sample)]) -> BTreeSet<i64> {
    samples.iter().map(|(_, s)| hour_of(s.at)).collect()
}

/// `added` in the order in which it was said.
pub fn compact(
    added: Vec<(PointId, Sample)>,
    existing: &Existing,
    counting: impl Fn(PointId) -> Counting,
) -> Result<Rewritten, ChunkError> {
    let mut out = Rewritten::default();
    let mut by_hour: BTreeMap<(i64, PointId), Vec<Sample>> = BTreeMap::new();
    for (point, sample) in added {
        by_hour.entry((hour_of(sample.at), point)).or_default().push(sample);
    }
    let mut days: BTreeMap<(i64, PointId), Touched> = BTreeMap::new();
    for ((hour, point), samples) in by_hour {
        let held = existing.raw.get(&(hour, point)).map_or(Ok(Vec::new()), |c| chunk::decode(c))?;
        let merged = chunk::merge(held, samples);
        let counting = counting(point);
        let rollup = chunk::rollup(&merged, counting);
        let day = days.entry((day_of(hour), point)).or_default();
        day.hours.insert(hour, rollup);
        day.quarters.extend(chunk::buckets(&merged, QUARTER_MS, counting));
        out.hours.push((hour, point, rollup));
        if let Some(last) = merged.last() {
            // Hours come in the order of time.
            out.latest.insert(point, last.clone());
        }
        out.raw.push(HourChunk { hour, point, n: merged.len(), data: chunk::encode(&merged)? });
    }
    for ((day, point), touched) in days {
        out.days.push(touched.day(day, point, existing, counting(point))?);
    }
    Ok(out)
}

/// The hours of a day that were rewritten, and their quarters.
#[derive(Default)]
struct Touched {
    hours: BTreeMap<i64, Option<Rollup>>,
    quarters: BTreeMap<i64, Rollup>,
}

impl Touched {
    fn day(
        self,
        day: i64,
        point: PointId,
        existing: &Existing,
        counting: Counting,
    ) -> Result<Day, ChunkError> {
        let hours: Vec<Rollup> = (0..DAY_MS / HOUR_MS)
            .filter_map(|i| {
                let hour = day + i * HOUR_MS;
                match self.hours.get(&hour) {
                    Some(rewritten) => *rewritten,
                    None => existing.hours.get(&(hour, point)).copied(),
                }
            })
            .collect();
        let mut quarters = match existing.quarters.get(&(day, point)) {
            Some(columns) => chunk::decode_quarters(columns)?,
            None => BTreeMap::new(),
        };
        quarters.retain(|start, _| !self.hours.contains_key(&(start.div_euclid(HOUR_MS) * HOUR_MS)));
        quarters.extend(self.quarters);
        let quarters = chunk::encode_quarters(&quarters)?;
        Ok(Day { start: day, point, rollup: Rollup::join(&hours, counting), quarters })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use steward_shared::reading::{Quality, Value};
    use steward_shared::time::Timestamp;

    use super::*;

    /// The store as tables in memory.
    #[derive(Clone, Debug, Default, PartialEq)]
    struct Tables {
        raw: BTreeMap<(i64, PointId), Vec<u8>>,
        hours: BTreeMap<(i64, PointId), Rollup>,
        days: BTreeMap<(i64, PointId), (Rollup, Vec<u8>)>,
    }

    impl Tables {
        fn take(&mut self, added: Vec<(PointId, Sample)>, counting: Counting) {
            let existing = Existing {
                raw: self.raw.clone().into_iter().collect(),
                hours: self.hours.clone().into_iter().collect(),
                quarters: self.days.iter().map(|(k, (_, q))| (*k, q.clone())).collect(),
            };
            let new = compact(added, &existing, |_| counting).unwrap();
            self.raw.extend(new.raw.into_iter().map(|c| ((c.hour, c.point), c.data)));
            for (t, p, r) in new.hours {
                match r {
                    Some(r) => drop(self.hours.insert((t, p), r)),
                    None => drop(self.hours.remove(&(t, p))),
                }
            }
            for d in new.days {
                match d.rollup {
                    Some(r) => drop(self.days.insert((d.start, d.point), (r, d.quarters))),
                    None => drop(self.days.remove(&(d.start, d.point))),
                }
            }
        }
    }

    /// Whole numbers, so that sums are exact in any order; three days, two points.
    fn sample() -> impl Strategy<Value = (PointId, Sample)> {
        let quality = prop_oneof![6 => Just(Quality::Good), 1 => Just(Quality::NoReply)];
        (1_i64..3, 0_i64..3 * 1440, 0_i32..1000, quality).prop_map(|(point, minute, value, quality)| {
            let value = quality.is_good().then(|| Value::Number(f64::from(value)));
            (PointId(point), Sample { at: Timestamp(minute * 60_000), value, quality })
        })
    }

    fn last_words(samples: &[(PointId, Sample)]) -> BTreeMap<(PointId, Timestamp), Sample> {
        samples.iter().map(|(p, s)| ((*p, s.at), s.clone())).collect()
    }

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(64))]

        #[test]
        fn any_split_gives_the_same_rows_as_one_pass_and_as_a_naive_computation(
            samples in prop::collection::vec(sample(), 1..300),
            cuts in prop::collection::vec(1_usize..60, 1..10),
        ) {
            let counting = Counting { modulus: Some(1000.0) };
            let mut whole = Tables::default();
            whole.take(samples.clone(), counting);
            let mut pieces = Tables::default();
            let mut rest = samples.as_slice();
            for n in cuts.iter().copied().cycle() {
                if rest.is_empty() { break; }
                let (piece, after) = rest.split_at(n.min(rest.len()));
                pieces.take(piece.to_vec(), counting);
                rest = after;
            }
            prop_assert_eq!(&pieces, &whole);
            // Once more with everything: nothing changes.
            pieces.take(last_words(&samples).into_iter().map(|((p, _), s)| (p, s)).collect(), counting);
            prop_assert_eq!(&pieces, &whole);

            let kept = last_words(&samples);
            for point in [PointId(1), PointId(2)] {
                for day in 0..3 {
                    let of_day = kept.iter()
                        .filter(|((p, at), _)| *p == point && day_of(at.as_millis()) == day * DAY_MS)
                        .filter_map(|(_, s)| s.counted());
                    let naive = Rollup::over(of_day, counting);
                    let stored = whole.days.get(&(day * DAY_MS, point)).map(|(r, _)| *r);
                    prop_assert_eq!(stored, naive);
                }
            }
            let counted: usize = whole.raw.values().map(|c| chunk::decode(c).unwrap().len()).sum();
            prop_assert_eq!(counted, kept.len());
        }

        #[test]
        fn the_order_of_batches_does_not_matter_where_they_do_not_contradict(
            samples in prop::collection::vec(sample(), 1..200), turn in 0_usize..200,
        ) {
            let one_word: Vec<_> = last_words(&samples).into_iter().map(|((p, _), s)| (p, s)).collect();
            let mut turned = one_word.clone();
            turned.rotate_left(turn % one_word.len());
            let (mut a, mut b) = (Tables::default(), Tables::default());
            a.take(one_word, Counting::default());
            for piece in turned.chunks(7) {
                b.take(piece.to_vec(), Counting::default());
            }
            prop_assert_eq!(a, b);
        }
    }

    #[test]
    fn an_hour_whose_only_good_sample_is_taken_back_loses_its_rollup() {
        let mut tables = Tables::default();
        let at = Timestamp(0);
        let good = Sample { at, value: Some(Value::Number(1.0)), quality: Quality::Good };
        tables.take(vec![(PointId(1), good)], Counting::default());
        assert_eq!((tables.hours.len(), tables.days.len()), (1, 1));
        let bad = Sample { at, value: None, quality: Quality::BadReply };
        tables.take(vec![(PointId(1), bad)], Counting::default());
        assert_eq!((tables.hours.len(), tables.days.len(), tables.raw.len()), (0, 0, 1));
    }
}
