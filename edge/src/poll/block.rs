//! A question on its grid. The rounds hold one for each that they put again and again.

use std::collections::BTreeMap;
use std::ops::{Index, IndexMut};
use std::time::Duration;

use steward_protocols::question::Question;
use steward_shared::reading::Quality;
use steward_shared::time::Timestamp;

use super::grid::Grid;
use super::trial::TrialNo;

/// What is refused by itself so often in a row is left out of the questions for others.
const REFUSED_AFTER: u32 = 3;
/// And is asked at least this often.
const REST_MOST: Duration = Duration::from_mins(10);

/// A question on its grid, and how it fared.
#[derive(Debug, Clone)]
pub struct Scheduled {
    pub device: usize,
    pub question: Question,
    pub grid: Grid,
    /// Failed polls in a row; see `round::DEAD_AFTER`.
    pub failed: u8,
    /// So often in a row it was refused where it cannot be cut.
    pub refused: u32,
    /// Why its points were marked as without value, as long as that holds.
    pub marked: Option<Quality>,
    /// It is part of a trial.
    pub trial: Option<TrialNo>,
    /// One of its points raises alarms: it goes before the others.
    pub first: bool,
    /// It is under way.
    pub asked: bool,
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
            refused: 0,
            marked: None,
            trial: None,
            first: false,
            asked: false,
            catch_up: false,
        }
    }

    /// It was refused, and cannot be cut: it is asked after twice as long each time. True when it is to be left out of the
    /// questions for others from now on.
    pub fn rest(&mut self, now: Timestamp) -> bool {
        self.refused = self.refused.saturating_add(1);
        let pause = self.grid.period().saturating_mul(1 << self.refused.min(16));
        self.grid.rest(now.plus(pause.min(REST_MOST)));
        self.refused == REFUSED_AFTER
    }

    /// It is asked by itself, whatever the plan.
    pub fn rests(&self) -> bool {
        self.refused >= REFUSED_AFTER
    }

    /// It is answered; whether it was left out before.
    pub fn end_rest(&mut self) -> bool {
        let rested = self.rests();
        self.refused = 0;
        rested
    }

    /// Earliest first: in the order of deadlines every block gets its turn, however full the line is.
    pub fn deadline(&self) -> Timestamp {
        self.grid.next().plus(self.grid.period())
    }
}

/// A question's name among those of its line: never given to another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct BlockNo(u64);

/// The questions of a line. One that is under way stays until it is settled.
#[derive(Debug, Default)]
pub struct Blocks {
    all: BTreeMap<BlockNo, Scheduled>,
    next: u64,
}

impl Blocks {
    pub fn add(&mut self, scheduled: Scheduled) {
        self.all.insert(BlockNo(self.next), scheduled);
        self.next += 1;
    }

    pub fn remove(&mut self, no: BlockNo) {
        self.all.remove(&no);
    }

    pub fn retain(&mut self, stays: impl Fn(&Scheduled) -> bool) {
        self.all.retain(|_, scheduled| stays(scheduled));
    }

    /// In the order in which they came.
    pub fn iter(&self) -> impl Iterator<Item = (BlockNo, &Scheduled)> + Clone {
        self.all.iter().map(|(no, scheduled)| (*no, scheduled))
    }

    pub fn values(&self) -> impl Iterator<Item = &Scheduled> {
        self.all.values()
    }

    pub fn values_mut(&mut self) -> impl Iterator<Item = &mut Scheduled> {
        self.all.values_mut()
    }

    pub fn get_mut(&mut self, no: BlockNo) -> Option<&mut Scheduled> {
        self.all.get_mut(&no)
    }
}

const STAYS: &str = "a question stays until it is settled";

impl Index<BlockNo> for Blocks {
    type Output = Scheduled;

    fn index(&self, no: BlockNo) -> &Scheduled {
        self.all.get(&no).expect(STAYS)
    }
}

impl IndexMut<BlockNo> for Blocks {
    fn index_mut(&mut self, no: BlockNo) -> &mut Scheduled {
        self.all.get_mut(&no).expect(STAYS)
    }
}
