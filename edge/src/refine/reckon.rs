//! What derived points become when the points that they are made of were read. Pure. A derived value bears the instant of
//! its newest input and waits for those that are due by then; it is as good as its worst input, and a reckoning without a
//! result is no value.

use std::collections::HashMap;

use steward_shared::id::PointNo;
use steward_shared::profile::Derived;
use steward_shared::reading::{Quality, Reading, Value};
use steward_shared::time::Timestamp;

use super::book::Book;

/// The newest reading of each point that others are reckoned of, and when each of those was reckoned last.
#[derive(Debug, Default)]
pub(super) struct Reckoner {
    newest: HashMap<PointNo, Reading>,
    done: HashMap<PointNo, Timestamp>,
}

impl Reckoner {
    pub fn forget_unknown(&mut self, book: &Book) {
        self.newest.retain(|no, _| book.derived.contains(*no));
        self.done.retain(|no, _| book.points.contains(*no));
    }

    /// Takes note of what was read; answers what can be reckoned of it. `total` of a counter, by its ledger.
    pub fn take(
        &mut self,
        book: &Book,
        seen: &[Reading],
        total: impl Fn(PointNo) -> Option<f64>,
    ) -> Vec<Reading> {
        let mut touched = Vec::new();
        for reading in seen {
            if let Some(derived) = book.derived.get(reading.point) {
                self.newest.insert(reading.point, reading.clone());
                touched
                    .extend(derived.iter().copied().filter(|no| !touched.contains(no)).collect::<Vec<_>>());
            }
        }
        touched.into_iter().filter_map(|no| self.reckon(book, no, &total)).collect()
    }

    fn reckon(
        &mut self,
        book: &Book,
        no: PointNo,
        total: &impl Fn(PointNo) -> Option<f64>,
    ) -> Option<Reading> {
        let (how, inputs) = book.points.get(no)?.derived.as_deref()?;
        let of_inputs = inputs.iter().map(|input| self.newest.get(input)).collect::<Option<Vec<_>>>()?;
        let at = of_inputs.iter().map(|reading| reading.at).max()?;
        let is_due = |reading: &&Reading| {
            book.points.get(reading.point).is_some_and(|known| reading.at.plus(known.period) <= at)
        };
        // The clock may have been set back: then the last time lies ahead, and is none.
        if of_inputs.iter().any(is_due) || self.done.get(&no) == Some(&at) {
            return None;
        }
        let bad = of_inputs.iter().find(|reading| !reading.quality.is_good());
        let value = match how {
            _ if bad.is_some() => None,
            Derived::Total(_) => inputs.first().and_then(|input| total(*input)),
            Derived::Expression(expression) => {
                let numbers: Option<Vec<f64>> =
                    of_inputs.iter().map(|reading| reading.value.as_ref()?.as_number()).collect();
                numbers.and_then(|numbers| expression.value(&numbers))
            }
        };
        let without = if value.is_some() { Quality::Good } else { Quality::NoValue };
        let quality = bad.map_or(without, |reading| reading.quality);
        self.done.insert(no, at);
        Some(Reading { point: no, at, value: value.map(Value::Number), quality })
    }
}
