//! What a question costs in line time. The planner weighs by it whether to read over a gap or to ask once more.

use std::time::Duration;

use crate::character::Character;

/// The time of one question and its answer: a fixed part, and one for each byte of contents.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Cost {
    pub question: Duration,
    pub byte: Duration,
}

/// Bytes of a Modbus RTU question and its answer without contents (serial line guide V1.02: 8 and 5).
const RTU_OVERHEAD: u32 = 13;
/// What a byte costs where no wire is waited for: the way through a device server or a switch.
const TCP_BYTE: Duration = Duration::from_micros(10);

impl Cost {
    /// On a serial line: the frames' own bytes, the device's `turnaround` (never shorter than the silence that frames
    /// are told apart by) and the silence before the next question.
    pub fn serial(character: Character, gap: Duration, turnaround: Duration) -> Self {
        let question = character.time() * RTU_OVERHEAD + turnaround.max(gap) + gap;
        Self { question, byte: character.time() }
    }

    /// Over TCP, where the answer's way and the device's own time are one.
    pub const fn tcp(turnaround: Duration) -> Self {
        Self { question: turnaround, byte: TCP_BYTE }
    }

    /// So many bytes of contents in one question.
    pub fn of(&self, bytes: f64) -> Duration {
        self.question + self.byte.mul_f64(bytes)
    }
}
