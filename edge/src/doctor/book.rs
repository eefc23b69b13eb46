//! What was seen of a line's questions, counted: per device, and for the line as a whole. Shown on the gateway's pages.

use std::time::Duration;

use serde::Serialize;

use super::watch::{Observed, Outcome};

/// The upper ends of the classes in which turnarounds are counted, milliseconds; the last class has none.
pub const TURNAROUNDS_MS: [u64; 10] = [2, 5, 10, 20, 50, 100, 200, 500, 1000, 2000];
/// The upper ends of the classes of answers by their length in bytes; the last class has none.
pub const LENGTHS: [usize; 3] = [16, 64, 128];
/// A pause inside an answer counts when it is longer: adapters gather bytes for 16 ms.
const PAUSE: Duration = Duration::from_millis(25);

#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Book {
    line: LineBook,
    devices: Vec<DeviceBook>,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct LineBook {
    pub asked: u64,
    /// Frames of ours that went out before the line had been silent for 3.5 characters. None should.
    pub early: u64,
    /// Bytes that nobody asked for.
    pub stray: u64,
}

#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize)]
pub struct DeviceBook {
    pub asked: u64,
    pub answered: u64,
    pub silent: u64,
    /// Damaged answers, and all that came, by the class of their length.
    pub damaged: [u64; 4],
    pub came: [u64; 4],
    /// Answers by the class of their turnaround.
    pub turnarounds: [u64; 11],
    /// Questions to which more came than one answer.
    pub twice: u64,
    /// Answers of somebody else, or to something else.
    pub foreign: u64,
    /// Answers with a pause inside.
    pub paused: u64,
    /// Answers that came after they had been given up.
    pub late: u64,
    /// Answers that began before the silence that separates frames.
    pub hasty: u64,
}

impl Book {
    pub fn new(devices: usize) -> Self {
        Self { line: LineBook::default(), devices: vec![DeviceBook::default(); devices] }
    }

    pub fn line(&self) -> &LineBook {
        &self.line
    }

    pub fn devices(&self) -> &[DeviceBook] {
        &self.devices
    }

    /// One question to `device`. What came before it belongs to whoever was asked before, `former`.
    pub fn note(&mut self, device: usize, former: Option<usize>, seen: Observed, outcome: Outcome) {
        self.line.asked += 1;
        self.line.early += u64::from(seen.early);
        self.line.stray += seen.stray;
        if let Some(former) = former.and_then(|former| self.devices.get_mut(former)) {
            former.twice += u64::from(seen.behind > 0);
            former.late += u64::from(seen.late > 0);
        }
        let Some(book) = self.devices.get_mut(device) else { return };
        let length = LENGTHS.iter().filter(|end| seen.wanted > **end).count();
        book.asked += 1;
        let came = matches!(outcome, Outcome::Answered | Outcome::Damaged);
        if let Some(all) = book.came.get_mut(length).filter(|_| came) {
            *all += 1;
        }
        match outcome {
            Outcome::Answered => book.answered += 1,
            Outcome::Silent => book.silent += 1,
            Outcome::Foreign => book.foreign += 1,
            Outcome::Twice => book.twice += 1,
            Outcome::Damaged => {
                if let Some(damaged) = book.damaged.get_mut(length) {
                    *damaged += 1;
                }
            }
        }
        book.paused += u64::from(seen.pause > PAUSE);
        book.hasty += u64::from(seen.hasty);
        if let Some(took) = seen.turnaround {
            let ms = took.as_millis();
            let class = TURNAROUNDS_MS.iter().filter(|end| ms >= u128::from(**end)).count();
            if let Some(answers) = book.turnarounds.get_mut(class) {
                *answers += 1;
            }
        }
    }
}

impl DeviceBook {
    pub fn damaged(&self) -> u64 {
        self.damaged.iter().sum()
    }
}
