//! What the rounds and the line's task say to each other: whose turn it is, how a question ended, and what follows from
//! that. A question that was handed out is always told the end of.

use std::time::Duration;

use steward_protocols::exchange::About;
use steward_protocols::question::{Hole, Question};
use steward_shared::reading::Quality;
use steward_shared::time::Timestamp;

use super::block::BlockNo;

/// What the task does next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Turn {
    Ask(Ask),
    /// Nothing to do for this long.
    Wait(Duration),
}

/// One question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ask {
    pub device: usize,
    pub question: Question,
    /// The slot that the answer's readings are stamped with; the present instant after a start, and where the
    /// points were marked as without value: what is read then is not as old as the slot.
    pub slot: Timestamp,
    pub(super) catch_up: bool,
    /// The device may be dead: it is not worth waiting longer for than it usually takes. Now and then it is all the
    /// same, for it may come back slower.
    pub is_probe: bool,
    pub(super) risk: Risk,
    /// When it was handed out.
    pub(super) begun: Duration,
    pub(super) which: BlockNo,
}

/// Whether a question may cost a whole timeout.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Risk {
    /// Its device answers.
    None,
    /// Its device or its block may be dead, and nobody waits for it.
    Doubtful,
    /// The same, out of the line's share for such.
    OnShare,
}

/// How a question ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Outcome {
    /// The device gave what was asked.
    Answered,
    /// The device said no.
    Refused { quality: Quality, about: About },
    /// No answer, or none that can be believed.
    Failed(Quality),
}

/// What follows from the end of a question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Follow {
    /// These points of the device have no value, for this reason.
    Mark {
        device: usize,
        points: Vec<usize>,
        quality: Quality,
    },
    Silent {
        device: usize,
    },
    AnswersAgain {
        device: usize,
    },
    /// The device refuses to be asked over this.
    Hole {
        device: usize,
        hole: Hole,
    },
}
