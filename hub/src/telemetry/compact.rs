//! Compaction: samples of frames into hour chunks and rollups. Pure. It rewrites an hour whole from what is there and
//! what came, and a day from its quarters of an hour, so that the same samples give the same rows in whatever pieces and
//! order they came: late, repeated and imported data need no road of their own. An hour whose samples are forgotten
//! already is never rewritten: what is left of it is worth more than what comes late.

use std::collections::{BTreeMap, BTreeSet, HashMap};

use steward_shared::id::PointId;

use super::chunk::{self, ChunkError};
use super::model::{HOUR_MS, QUARTER_MS, Sample, day_of, hour_of};
use super::rollup::{Counting, Rollup};

/// An hour of a point.
pub type HourOf = (i64, PointId);

/// Samples by the hour that they belong to, each in the order in which they were said.
pub type Added = BTreeMap<HourOf, Vec<Sample>>;

/// What is already there of the hours and days in question.
#[derive(Clone, Debug, Default)]
pub struct Existing {
    /// Chunks by (hour, point).
    pub raw: HashMap<HourOf, Vec<u8>>,
    /// Quarters by (day, point).
    pub quarters: HashMap<(i64, PointId), BTreeMap<i64, Rollup>>,
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
    /// Samples that came after those of their hour were forgotten, and are left out.
    pub too_late: usize,
}

/// `samples` in the order in which they were said.
pub fn by_hour(samples: Vec<(PointId, Sample)>) -> Added {
    let mut out = Added::new();
    for (point, sample) in samples {
        out.entry((hour_of(sample.at), point)).or_default().push(sample);
    }
    out
}

/// The days that these hours belong to.
pub fn days_of(added: &Added) -> BTreeSet<(i64, PointId)> {
    added.keys().map(|(hour, point)| (day_of(*hour), *point)).collect()
}

/// Hours before `raw_floor` may have lost their samples.
pub fn compact(
    added: Added,
    existing: &Existing,
    raw_floor: i64,
    counting: impl Fn(PointId) -> Counting,
) -> Result<Rewritten, ChunkError> {
    let mut out = Rewritten::default();
    let mut days: BTreeMap<(i64, PointId), BTreeMap<i64, Rollup>> = BTreeMap::new();
    for ((hour, point), samples) in added {
        let day = (day_of(hour), point);
        let held = existing.raw.get(&(hour, point));
        if held.is_none()
            && hour < raw_floor
            && existing.quarters.get(&day).is_some_and(|q| counted_in(q, hour))
        {
            out.too_late += samples.len();
            continue;
        }
        let held = held.map_or(Ok(Vec::new()), |c| chunk::decode(c))?;
        let merged = chunk::merge(held, samples);
        let counting = counting(point);
        let quarters =
            days.entry(day).or_insert_with(|| existing.quarters.get(&day).cloned().unwrap_or_default());
        quarters.retain(|start, _| !is_in(hour, *start));
        quarters.extend(chunk::buckets(&merged, QUARTER_MS, counting));
        out.hours.push((hour, point, chunk::rollup(&merged, counting)));
        if let Some(last) = merged.last() {
            // Hours come in the order of time.
            out.latest.insert(point, last.clone());
        }
        out.raw.push(HourChunk { hour, point, n: merged.len(), data: chunk::encode(&merged)? });
    }
    for ((start, point), quarters) in days {
        let rollup = Rollup::join(quarters.values(), counting(point));
        out.days.push(Day { start, point, rollup, quarters: chunk::encode_quarters(&quarters)? });
    }
    Ok(out)
}

fn counted_in(quarters: &BTreeMap<i64, Rollup>, hour: i64) -> bool {
    quarters.keys().any(|start| is_in(hour, *start))
}

fn is_in(hour: i64, quarter: i64) -> bool {
    (hour..hour + HOUR_MS).contains(&quarter)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use steward_shared::reading::{Quality, Value};
    use steward_shared::time::Timestamp;

    use super::super::model::DAY_MS;
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
            self.take_after(added, counting, i64::MIN);
        }

        fn take_after(&mut self, added: Vec<(PointId, Sample)>, counting: Counting, floor: i64) -> usize {
            let quarters =
                |(k, (_, q)): (&(i64, PointId), &(Rollup, Vec<u8>))| (*k, chunk::decode_quarters(q).unwrap());
            let existing = Existing {
                raw: self.raw.clone().into_iter().collect(),
                quarters: self.days.iter().map(quarters).collect(),
            };
            let new = compact(by_hour(added), &existing, floor, |_| counting).unwrap();
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
            new.too_late
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

    fn good(at: i64, n: f64) -> (PointId, Sample) {
        let value = Some(Value::Number(n));
        (PointId(1), Sample { at: Timestamp(at), value, quality: Quality::Good })
    }

    #[test]
    fn a_sample_that_comes_after_those_of_its_hour_are_forgotten_destroys_nothing() {
        let mut tables = Tables::default();
        let day: Vec<_> = (0..12).map(|hour| good(hour * HOUR_MS, hour as f64)).collect();
        tables.take(day, Counting::default());
        // What forgetting leaves of this day.
        tables.raw.clear();
        let before = tables.clone();
        let floor = 2 * DAY_MS;
        assert_eq!(
            tables.take_after(vec![good(60_000, 99.0), good(HOUR_MS, 99.0)], Counting::default(), floor),
            2
        );
        assert_eq!(tables, before);
        tables.hours.clear();
        let before = tables.clone();
        assert_eq!(tables.take_after(vec![good(60_000, 99.0)], Counting::default(), floor), 1);
        assert_eq!(tables, before, "neither when the hours are gone too");
    }

    #[test]
    fn old_history_may_be_imported_where_there_was_none_and_the_rest_of_its_day_stays() {
        let mut tables = Tables::default();
        tables.take((0..12).map(|hour| good(hour * HOUR_MS, 1.0)).collect(), Counting::default());
        (tables.raw, tables.hours) = Default::default();
        let late = vec![good(12 * HOUR_MS, 5.0), good(13 * HOUR_MS, 7.0)];
        assert_eq!(tables.take_after(late, Counting::default(), 2 * DAY_MS), 0);
        let (day, _) = tables.days[&(0, PointId(1))];
        assert_eq!((day.n, day.min, day.max, day.last), (14, 1.0, 7.0, 7.0));
    }
}
