//! What is wrong with a line's load and what to do about it, in English: the log's and the refusal's words, which `check`
//! says too. Whoever watches the line is told by its gauge, and the hub by that.

use std::time::Duration;

use steward_shared::wire::message::Trouble;
use tracing::{info, warn};

use super::load::{Load, ROOM, measured};
use super::task::LineTask;
use super::timing::Timing;
use crate::doctor::What;
use crate::health::LineGauge;

/// The report of health comes each ten seconds.
const EVERY: Duration = Duration::from_secs(5);
/// A line is judged anew when its share has changed by so much of itself, and by so much of the line's time.
const OTHERWISE: f64 = 0.05;
const AT_LEAST: f64 = 0.005;
/// So many late points are named.
const NAMED: usize = 6;

impl Load {
    /// Everything comes in time, and something may fail.
    pub fn has_room(&self) -> bool {
        self.usual <= ROOM && self.late.is_empty()
    }

    /// What is wrong; nothing where it has room.
    pub fn trouble(&self) -> Option<String> {
        if self.has_room() {
            return None;
        }
        let named = named(&self.late, "and more");
        let would_be = if self.late.len() == 1 { "point would be late" } else { "points would be late" };
        Some(match (&self.longest, self.late.len()) {
            (_, 0) => "it has no room for retries and silent devices".to_owned(),
            (None, late) => format!("{late} {would_be}: {named}"),
            (Some(longest), late) => {
                let (device, point, took) = (&longest.device, &longest.point, longest.took_ms);
                format!(
                    "{late} {would_be}: {named}; the question for {device}/{point} on takes {took} ms, in \
                     which nothing else is asked"
                )
            }
        })
    }

    /// What would do.
    pub fn way_out(&self) -> String {
        let longer = self.longer();
        match (self.baud, self.own.is_empty()) {
            (None, _) => {
                format!("make the periods {longer:.1} times as long, or move devices to another line")
            }
            (Some(baud), true) => {
                format!("{baud} baud would do, or make the periods {longer:.1} times as long")
            }
            (Some(baud), false) => {
                let own = named(&self.own, "and more");
                format!("{baud} baud on {own} would do, or make the periods {longer:.1} times as long")
            }
        }
    }

    /// How many times as long the periods want to be, rounded up to tenths.
    pub fn longer(&self) -> f64 {
        (self.longer * 10.0).ceil() / 10.0
    }

    /// For the hub, where points are late.
    fn for_the_hub(&self) -> Option<Trouble> {
        (!self.late.is_empty()).then(|| Trouble {
            what: What::Overloaded.word().to_owned(),
            device: None,
            count: self.late.len() as u64,
            of: self.points as u64,
            points: self.late.iter().take(NAMED).cloned().collect(),
            baud: self.baud,
        })
    }
}

/// The first few.
pub fn named(all: &[String], more: &str) -> String {
    let first = all.iter().take(NAMED).map(String::as_str).collect::<Vec<_>>().join(", ");
    if all.len() > NAMED { format!("{first} {more}") } else { first }
}

/// Tells whoever watches the line whether it can carry what is asked of it, and the log when that has changed.
pub fn tell(load: &Load, line: &str, gauge: &LineGauge) {
    let was_late = gauge.overloaded(load.for_the_hub());
    match (was_late, load.late.is_empty()) {
        (false, false) => warn!(
            line,
            "the line is asked for {:.0} % of its time; {}; {}",
            load.usual * 100.0,
            load.trouble().unwrap_or_default(),
            load.way_out()
        ),
        (true, true) => info!(line, "the line has time for all that is asked of it"),
        _ => {}
    }
}

/// Judges a line anew as its devices become known.
#[derive(Debug, Default)]
pub struct Judge {
    due: Duration,
    /// The share by which it was judged last.
    by: Option<f64>,
}

impl Judge {
    /// Now and then: a share is the sum over every question of the line, and a load takes a plan of everything.
    pub fn look(&mut self, mono: Duration, share: impl FnOnce() -> f64, line: &LineTask, timings: &[Timing]) {
        if mono < self.due {
            return;
        }
        self.due = mono + EVERY;
        let share = share();
        line.gauge.planned(share);
        if self.by.is_none_or(|by| (share - by).abs() > (by * OTHERWISE).max(AT_LEAST)) {
            self.by = Some(share);
            let turnarounds: Vec<_> = timings.iter().map(Timing::usual).collect();
            tell(&measured(&line.config, &turnarounds), &line.config.name, &line.gauge);
        }
    }
}
