//! The course of a text for a chart. Pure. Texts cannot be averaged and seldom change: of a run of the same words its
//! ends are shown, and of more runs than there is room for the newest.

use steward_shared::reading::{Quality, Value};
use steward_shared::time::Timestamp;

use super::gaps;
use super::model::{Sample, Shape};

/// A sample of a course, or the edge of a gap.
pub type Shown = (Timestamp, Option<Value>, Quality);

/// Samples as they come, in the order of time, held as runs of the same.
#[derive(Debug, Default)]
pub struct Runs {
    at: Vec<i64>,
    /// Where each begins in `at`.
    runs: Vec<(usize, Option<Value>, Quality)>,
}

impl Runs {
    pub fn push(&mut self, s: Sample) {
        let value = s.value.filter(|_| s.quality.is_good());
        if self.runs.last().is_none_or(|(_, v, q)| *v != value || *q != s.quality) {
            self.runs.push((self.at.len(), value, s.quality));
        }
        self.at.push(s.at.as_millis());
    }

    /// The newest `most` of the course, and from where on that is complete, if there was more.
    pub fn course(self, shape: &Shape, most: usize) -> (Vec<Shown>, Option<Timestamp>) {
        let spacing: Vec<i64> = self
            .at
            .iter()
            .zip(self.at.iter().skip(1))
            .map(|(a, b)| b - a)
            .chain(std::iter::once(0))
            .collect();
        let breaks = gaps::breaks(&self.at, &spacing, gaps::least(shape));
        let ends = self.runs.iter().skip(1).map(|(start, _, _)| *start).chain(std::iter::once(self.at.len()));
        let mut out: Vec<Shown> = Vec::new();
        let mut after_a_gap = false;
        for ((start, value, quality), end) in self.runs.iter().zip(ends) {
            for (i, (at, breaks)) in self.at.iter().zip(&breaks).enumerate().take(end).skip(*start) {
                if i == *start || i + 1 == end || *breaks || after_a_gap {
                    out.push((Timestamp(*at), value.clone(), *quality));
                }
                after_a_gap = *breaks;
                if *breaks && value.is_some() {
                    out.push((Timestamp(*at).plus(shape.period), None, Quality::Stale));
                }
            }
        }
        let surplus = out.len().saturating_sub(most);
        let complete_from = out.get(surplus).filter(|_| surplus > 0).map(|(at, _, _)| *at);
        out.drain(..surplus);
        (out, complete_from)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use steward_shared::id::PointId;
    use steward_shared::wire::message::PointKind;

    use super::super::rollup::Counting;
    use super::*;

    fn course(samples: &[(i64, &str)], most: usize) -> (Vec<(i64, Option<String>)>, Option<i64>) {
        let shape = Shape {
            point: PointId(1),
            kind: PointKind::Text,
            period: Duration::from_secs(10),
            counting: Counting::default(),
        };
        let mut runs = Runs::default();
        for (second, word) in samples {
            let at = Timestamp(second * 1000);
            runs.push(Sample { at, value: Some(Value::Text((*word).into())), quality: Quality::Good });
        }
        let (course, complete_from) = runs.course(&shape, most);
        let word = |v| match v {
            Some(Value::Text(t)) => Some(t),
            _ => None,
        };
        let course = course.into_iter().map(|(at, v, _)| (at.as_millis() / 1000, word(v))).collect();
        (course, complete_from.map(|t| t.as_millis() / 1000))
    }

    #[test]
    fn of_a_run_of_the_same_words_the_ends_are_shown() {
        let samples: Vec<(i64, &str)> =
            (0..1000).map(|i| (i * 10, if i < 400 { "auto" } else { "hand" })).collect();
        let word = |w: &str| Some(w.to_owned());
        let ends = vec![(0, word("auto")), (3990, word("auto")), (4000, word("hand")), (9990, word("hand"))];
        assert_eq!(course(&samples, 100), (ends.clone(), None));
        assert_eq!(course(&samples, 3), (ends[1..].to_vec(), Some(3990)));
        assert_eq!(course(&[], 3), (vec![], None));
    }

    #[test]
    fn a_gap_in_a_run_stays_one() {
        let seconds = (0..100).chain(200..300);
        let samples: Vec<(i64, &str)> = seconds.map(|i| (i * 10, "auto")).collect();
        let shown: Vec<i64> = course(&samples, 100).0.iter().map(|(t, _)| *t).collect();
        assert_eq!(shown, [0, 990, 1000, 2000, 2990]);
        assert_eq!(course(&samples, 100).0[2].1, None);
    }
}
