//! Devices of several languages on one line: each hears every frame, and says nothing to those that are none of its
//! language. The command line joins them; a line asks them.

use std::sync::Arc;

use steward_protocols::far_end::{Heard, Station};

/// All that hang on a line.
pub struct Bus(pub Vec<Arc<dyn Station>>);

impl Bus {
    /// What was broken for all of them was broken; what one has understood was not.
    fn all(&self, hear: impl Fn(&dyn Station) -> Heard) -> Heard {
        let mut answers = Vec::new();
        let mut is_broken = true;
        for station in &self.0 {
            match hear(station.as_ref()) {
                Heard::Broken => {}
                Heard::Nobody => is_broken = false,
                Heard::Answered(some) => {
                    is_broken = false;
                    answers.extend(some);
                }
            }
        }
        answers.sort_by_key(|answer| answer.turnaround);
        match (answers.is_empty(), is_broken) {
            (false, _) => Heard::Answered(answers),
            (true, true) => Heard::Broken,
            (true, false) => Heard::Nobody,
        }
    }
}

impl Station for Bus {
    fn hear(&self, frame: &[u8]) -> Heard {
        self.all(|station| station.hear(frame))
    }

    fn has_own_rates(&self) -> bool {
        self.0.iter().any(|station| station.has_own_rates())
    }

    fn hear_at(&self, frame: &[u8], baud: u32) -> Heard {
        self.all(|station| station.hear_at(frame, baud))
    }
}
