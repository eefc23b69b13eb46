//! What is wrong with a line's load and what to do about it, in English: the log's and the refusal's words, which `check`
//! says too.

use super::load::{Load, ROOM};

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
        Some(match (&self.longest, self.late.len()) {
            (_, 0) => "it has no room for retries and silent devices".to_owned(),
            (None, late) => format!("{late} points would be late: {named}"),
            (Some(longest), late) => {
                let (device, point, took) = (&longest.device, &longest.point, longest.took_ms);
                format!(
                    "{late} points would be late: {named}; the question for {device}/{point} on takes {took} ms, in \
                     which nothing else is asked"
                )
            }
        })
    }

    /// What would do.
    pub fn way_out(&self) -> String {
        let longer = self.longer();
        let others = format!("make the periods {longer:.1} times as long, or move devices to another line");
        match (self.baud, self.own.is_empty()) {
            (None, _) => others,
            (Some(baud), true) => format!("{baud} baud would do, or {others}"),
            (Some(baud), false) => {
                format!("{baud} baud on {} would do, or {others}", named(&self.own, "and more"))
            }
        }
    }

    /// How many times as long the periods want to be, rounded up to tenths.
    pub fn longer(&self) -> f64 {
        (self.longer * 10.0).ceil() / 10.0
    }
}

/// The first few.
pub fn named(all: &[String], more: &str) -> String {
    let first = all.iter().take(NAMED).map(String::as_str).collect::<Vec<_>>().join(", ");
    if all.len() > NAMED { format!("{first} {more}") } else { first }
}
