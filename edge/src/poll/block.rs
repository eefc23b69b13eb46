//! A question on its grid. The rounds hold one for each that they put again and again.

use std::time::Duration;

use steward_protocols::question::Question;
use steward_shared::reading::Quality;
use steward_shared::time::Timestamp;

use super::grid::Grid;
use super::trial::TrialNo;

/// A question on its grid, and how it fared.
#[derive(Debug, Clone)]
pub struct Scheduled {
    pub device: usize,
    pub question: Question,
    pub grid: Grid,
    /// Failed polls in a row; see `round::DEAD_AFTER`.
    pub failed: u8,
    /// Why its points were marked as without value, as long as that holds.
    pub marked: Option<Quality>,
    /// It is part of a trial.
    pub trial: Option<TrialNo>,
    /// One of its points raises alarms: it goes before the others.
    pub first: bool,
    /// Its points have no value yet, or were marked as without one: the next answer bears its own instant,
    /// whatever the grid.
    pub catch_up: bool,
}

impl Scheduled {
    pub fn new(device: usize, question: Question, period: Duration, now: Timestamp) -> Self {
        Self {
            device,
            question,
            grid: Grid::new(period, now),
            failed: 0,
            marked: None,
            trial: None,
            first: false,
            catch_up: false,
        }
    }

    /// Earliest first: in the order of deadlines every block gets its turn, however full the line is.
    pub fn deadline(&self) -> Timestamp {
        self.grid.next().plus(self.grid.period())
    }
}
