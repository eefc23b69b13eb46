//! Finding out over which addresses a device cannot be read. A question that it refuses is cut, over a gap where there is
//! one; where both parts are answered, the gap alone is asked for, and then the whole once more. What is refused then is a
//! hole, or the place of the cut is a seam: the plan is made anew around it, and what was cut on the way grows together
//! again. The rounds keep the trials of each device.
//!
//! | a trial | ends when | with |
//! |---|---|---|
//! | of two parts | one is refused | nothing: that part is cut further, by a trial of its own |
//! | of two parts | both are answered | the gap is asked for, and without one the whole |
//! | of the gap | refused | a hole |
//! | of the gap | answered | the whole is asked for |
//! | of the whole | refused | a seam: it takes no question that is so long, or none over this place |
//! | of the whole | answered | nothing: the device had been starting, and the whole is asked from now on |
//! | of any | not answered at all | nothing |

use steward_protocols::question::{Hole, Question, Split};

/// A trial's name among those of its device.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TrialNo(u32);

#[derive(Clone, Debug)]
struct Trial {
    no: TrialNo,
    stage: Stage,
    /// What it ends with, if it ends so.
    seam: Hole,
    across: Option<Question>,
    whole: Question,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Stage {
    /// So many parts are to be answered still.
    Parts(u8),
    Gap,
    Whole,
}

/// The trials of one device, and what came of them.
#[derive(Clone, Debug, Default)]
pub struct Trials {
    open: Vec<Trial>,
    next: u32,
    holes: Vec<Hole>,
    /// So many of the holes were told: the plan knows them.
    told: usize,
    /// Something that was cut can be asked for whole.
    mended: bool,
}

/// What follows from an answer to a trial's question.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    Nothing,
    /// Ask this, once.
    Ask(Question),
    /// All trials are over, and these holes were found, if any: the plan is to be made anew.
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
        self.mended = false;
    }

    /// A question was cut; `whole` is the same, for its own sake. `None` where nothing can be found out.
    pub fn begin(&mut self, whole: Option<Question>, split: &Split) -> Option<TrialNo> {
        let (seam, whole) = split.seam.zip(whole)?;
        let no = TrialNo(self.next);
        self.next = self.next.wrapping_add(1);
        let across = split.gap.as_ref().map(|gap| gap.across.clone());
        self.open.push(Trial { no, stage: Stage::Parts(2), seam, across, whole });
        Some(no)
    }

    pub fn answered(&mut self, no: TrialNo) -> Next {
        let Some(trial) = self.open.iter_mut().find(|t| t.no == no) else { return Next::Nothing };
        match (trial.stage, trial.across.take()) {
            (Stage::Parts(awaited @ 2..), across) => {
                (trial.stage, trial.across) = (Stage::Parts(awaited - 1), across);
                Next::Nothing
            }
            (Stage::Parts(_), Some(across)) => {
                trial.stage = Stage::Gap;
                Next::Ask(across)
            }
            (Stage::Parts(_) | Stage::Gap, _) => {
                trial.stage = Stage::Whole;
                Next::Ask(trial.whole.clone())
            }
            (Stage::Whole, _) => {
                self.mended = true;
                self.end(no, None)
            }
        }
    }

    /// The device refused a part, the gap or the whole.
    pub fn refused(&mut self, no: TrialNo) -> Next {
        let Some(trial) = self.open.iter().find(|t| t.no == no) else { return Next::Nothing };
        let hole = (!matches!(trial.stage, Stage::Parts(_))).then_some(trial.seam);
        self.end(no, hole)
    }

    /// The question was not answered at all.
    pub fn given_up(&mut self, no: TrialNo) -> Next {
        self.end(no, None)
    }

    fn end(&mut self, no: TrialNo, hole: Option<Hole>) -> Next {
        self.open.retain(|t| t.no != no);
        self.holes.extend(hole);
        if self.is_open() || !self.mended && self.told == self.holes.len() {
            return Next::Nothing;
        }
        let found = self.holes.iter().skip(self.told).copied().collect();
        (self.told, self.mended) = (self.holes.len(), false);
        Next::Over(found)
    }
}
