//! The owner of what is remembered of the points between two readings. The recorder calls it with each block of a line;
//! it never waits and never fails: what it does not know passes as it came.

use std::collections::HashMap;
use std::sync::Arc;

use steward_shared::alarm::EventKind;
use steward_shared::id::PointNo;
use steward_shared::reading::{Reading, Value};

use super::book::{Book, Known};
use super::doubt::{Doubts, Run};
use super::keeper::Keeper;
use super::plausible::{Doubt, Judge, power_of_ten};
use crate::poll::Told;

/// What a block of readings became.
#[derive(Debug, Default, PartialEq)]
pub struct Refined {
    /// Every reading, with the quality that it deserves: for whoever looks now.
    pub seen: Vec<Reading>,
    /// Those of them that are kept.
    pub kept: Vec<Reading>,
    pub told: Vec<Told>,
}

/// What is remembered of one point.
#[derive(Debug, Default)]
struct Followed {
    judge: Judge,
    run: Run,
    keeper: Keeper,
}

#[derive(Debug, Default)]
pub struct Refinery {
    book: Arc<Book>,
    points: HashMap<PointNo, Followed>,
    doubts: Doubts,
}

impl Refinery {
    pub fn new(book: Arc<Book>) -> Self {
        Self { book, ..Self::default() }
    }

    /// Another configuration is in force. What is remembered of points that stay is kept.
    pub fn follow(&mut self, book: Arc<Book>) {
        self.points.retain(|no, _| book.points.contains_key(no));
        self.doubts.retain(|no| book.points.contains_key(no));
        self.book = book;
    }

    pub fn take(&mut self, readings: Vec<Reading>) -> Refined {
        let mut refined = Refined::default();
        let book = Arc::clone(&self.book);
        for reading in readings {
            match book.points.get(&reading.point) {
                Some(known) => self.refine(known, reading, &mut refined),
                None => refined.pass(reading, true),
            }
        }
        refined
    }

    fn refine(&mut self, known: &Known, mut reading: Reading, refined: &mut Refined) {
        let followed = self.points.entry(reading.point).or_default();
        if let (true, Some(Value::Number(value))) = (reading.quality.is_good(), &reading.value) {
            let (at, value) = (reading.at, *value);
            let doubt = followed.judge.judge(at, value, &known.rules, true);
            if let Some(doubt) = doubt {
                reading.quality = doubt.quality();
            }
            let told = self.doubts.note(&known.device, reading.point, &mut followed.run, doubt.is_some());
            if let Some(active) = told {
                let detail = match doubt {
                    Some(doubt) => why(known, value, doubt),
                    None => format!("the values of {} can be believed", known.device),
                };
                refined.tell(EventKind::Implausible, known, active, detail);
            }
        }
        let kept = followed.keeper.keeps(&reading, &known.rules, known.period);
        refined.pass(reading, kept);
    }
}

impl Refined {
    fn pass(&mut self, reading: Reading, kept: bool) {
        if kept {
            self.kept.push(reading.clone());
        }
        self.seen.push(reading);
    }

    fn tell(&mut self, kind: EventKind, known: &Known, active: bool, detail: String) {
        let (line, device) = (known.line.to_string(), Some(known.device.to_string()));
        self.told.push(Told::Alarm { kind, line, device, active, detail });
    }
}

/// In plain words, for the log and for whoever reads English.
fn why(known: &Known, value: f64, doubt: Doubt) -> String {
    let (name, shown) = (format!("{}/{}", known.device, known.key), known.shown(value));
    match doubt {
        Doubt::OutOfRange => {
            let limit = |limit: Option<f64>| limit.map_or("any".to_owned(), |limit| known.shown(limit));
            let (min, max) = (limit(known.rules.min), limit(known.rules.max));
            format!(
                "{name} shows {shown}, which it cannot be (least {min}, most {max}); are its profile and wiring right?"
            )
        }
        Doubt::TooFast { from } => {
            let hint = match power_of_ten(from, value) {
                Some(power) => format!("about {power} times apart: were its unit or its ratios changed?"),
                None => "it cannot change so fast; check the sensor and its profile".to_owned(),
            };
            format!("{name} jumped from {} to {shown}: {hint}", known.shown(from))
        }
        Doubt::Stuck { since } => {
            format!("{name} has been exactly {shown} since {since}; is it still measured?")
        }
    }
}
