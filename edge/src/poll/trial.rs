//! Finding out over which addresses a device cannot be read. A question that it refuses is cut over a gap; where both
//! parts are answered, the gap alone is asked for once more, and when that is refused it is a hole: the plan is made
//! anew around it, and what was cut on the way grows together again. The rounds keep the trials of each device.
//!
//! | a trial | ends when | with |
//! |---|---|---|
//! | of two parts | one is refused | nothing: that part is cut further, by a trial of its own |
//! | of two parts | both are answered | the gap is asked for |
//! | of the gap | refused | a hole |
//! | of the gap | answered, or not at all | nothing: the device had been starting |

use steward_protocols::question::{Gap, Hole, Question};

/// A trial's name among those of its device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TrialNo(u32);

#[derive(Clone, Debug)]
struct Trial {
    no: TrialNo,
    gap: Gap,
    /// Parts whose answers are wanted still.
    awaited: u8,
}

/// The trials of one device, and what came of them.
#[derive(Clone, Debug, Default)]
pub struct Trials {
    open: Vec<Trial>,
    next: u32,
    holes: Vec<Hole>,
    /// So many of the holes were told: the plan knows them.
    told: usize,
}

/// What follows from an answer to a trial's question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    Nothing,
    /// Ask this, once.
    Across(Question),
    /// All trials are over, and these holes were found: the plan is to be made anew.
    Over(Vec<Hole>),
}

impl Trials {
    pub fn holes(&self) -> &[Hole] {
        &self.holes
    }

    pub fn is_open(&self) -> bool {
        !self.open.is_empty()
    }

    /// What was found stays; what is under way is forgotten.
    pub fn forget(&mut self) {
        self.open.clear();
    }

    /// A question was cut over this gap.
    pub fn begin(&mut self, gap: Gap) -> TrialNo {
        let no = TrialNo(self.next);
        self.next = self.next.wrapping_add(1);
        self.open.push(Trial { no, gap, awaited: 2 });
        no
    }

    pub fn answered(&mut self, no: TrialNo) -> Next {
        let Some(trial) = self.open.iter_mut().find(|t| t.no == no) else { return Next::Nothing };
        match trial.awaited {
            0 => self.end(no, None),
            1 => {
                trial.awaited = 0;
                Next::Across(trial.gap.across.clone())
            }
            _ => {
                trial.awaited -= 1;
                Next::Nothing
            }
        }
    }

    /// The device refused a part, or the gap itself.
    pub fn refused(&mut self, no: TrialNo) -> Next {
        let Some(trial) = self.open.iter().find(|t| t.no == no) else { return Next::Nothing };
        let hole = (trial.awaited == 0).then_some(trial.gap.hole);
        self.end(no, hole)
    }

    /// The question was not answered at all.
    pub fn given_up(&mut self, no: TrialNo) -> Next {
        self.end(no, None)
    }

    fn end(&mut self, no: TrialNo, hole: Option<Hole>) -> Next {
        self.open.retain(|t| t.no != no);
        self.holes.extend(hole);
        if self.is_open() || self.told == self.holes.len() {
            return Next::Nothing;
        }
        let found = self.holes.iter().skip(self.told).copied().collect();
        self.told = self.holes.len();
        Next::Over(found)
    }
}
