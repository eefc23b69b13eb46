//! Sees what passes on a line between two questions: how long it was silent before we spoke, when the answer began, where
//! it paused, what came behind it. The wire tells it of each byte; it decides nothing.
//!
//! Instants are those at which the port handed bytes over. An adapter that gathers bytes makes answers seem later and in
//! one piece; so a pause counts only where it is longer than adapters gather.

use std::time::{Duration, Instant};

use steward_protocols::character::Character;
use steward_protocols::exchange::Fault;

/// Bytes so soon behind an answer belong to a second answer.
const BEHIND: Duration = Duration::from_millis(150);
/// As many bytes behind an answer are noise of the line's turn-around.
const NOISE: u64 = 2;
/// The fewest bytes that an answer of any kind has.
const LEAST_ANSWER: usize = 5;

/// How a question ended, as far as the bytes tell.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Outcome {
    Answered,
    Silent,
    /// The check sum did not hold, or the answer broke off.
    Damaged,
    /// Whole and about something else, or by somebody else.
    Foreign,
    /// More came than one answer has.
    Twice,
}

/// One question, seen from the wire.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Observed {
    /// The most bytes that the answer could have.
    pub wanted: usize,
    /// Whether we spoke before the line had been silent for as long as it must.
    pub early: bool,
    /// From the end of the request to the answer's first byte.
    pub turnaround: Option<Duration>,
    /// Whether that was sooner than the silence that separates frames.
    pub hasty: bool,
    /// The longest pause inside the answer.
    pub pause: Duration,
    /// Bytes that came shortly behind the answer before this question.
    pub behind: u64,
    /// Bytes that came long after a question that had been given up: a late answer.
    pub late: u64,
    /// Bytes that nobody asked for.
    pub stray: u64,
}

/// What was the last to happen on the line.
#[derive(Clone, Copy, Debug, Default)]
enum Last {
    #[default]
    Nothing,
    Asked,
    Answered(Instant),
    GivenUp,
}

#[derive(Debug, Default)]
pub struct Watch {
    character: Duration,
    last: Last,
    /// When the line was last known to carry something.
    busy_until: Option<Instant>,
    asked_until: Option<Instant>,
    /// Silence that must be kept before a frame, and that separates two.
    needed: Duration,
    /// Whether the answer to the present frame has begun.
    began: bool,
    now: Observed,
}

impl Watch {
    /// The line is open anew: what was before says nothing of it.
    pub fn opened(&mut self) {
        self.busy_until = None;
        self.last = Last::Nothing;
    }

    /// A frame goes out that wants at most `wanted` bytes for an answer. None for `character` where no wire is waited for.
    pub fn asked(
        &mut self,
        frame: usize,
        wanted: usize,
        character: Option<Character>,
        needed: Duration,
        now: Instant,
    ) {
        self.character = character.map_or(Duration::ZERO, |c| c.time());
        self.needed = needed;
        self.now.wanted = self.now.wanted.max(wanted);
        self.now.early |= character.is_some()
            && self.busy_until.is_some_and(|busy| now.saturating_duration_since(busy) < needed);
        let until = now + self.character * u32::try_from(frame).unwrap_or(u32::MAX);
        (self.busy_until, self.asked_until) = (Some(until), Some(until));
        (self.last, self.began) = (Last::Asked, false);
    }

    /// The frame has been handed to the port, later than it would take on the wire.
    pub fn sent(&mut self, now: Instant) {
        let until = self.asked_until.max(Some(now));
        (self.busy_until, self.asked_until) = (until, until);
    }

    pub fn heard(&mut self, bytes: usize, now: Instant) {
        let count = bytes as u64;
        match self.last {
            Last::Asked => {
                let wire = self.character * u32::try_from(bytes).unwrap_or(u32::MAX);
                let first = now.checked_sub(wire).unwrap_or(now);
                if !std::mem::replace(&mut self.began, true) {
                    let took = first.saturating_duration_since(self.asked_until.unwrap_or(first));
                    self.now.turnaround = self.now.turnaround.or(Some(took));
                    // The port's own grain is no fault of the device.
                    self.now.hasty |= !self.character.is_zero() && took + self.character < self.needed;
                } else if let Some(busy) = self.busy_until {
                    self.now.pause = self.now.pause.max(first.saturating_duration_since(busy));
                }
            }
            Last::Answered(at) if now.saturating_duration_since(at) <= BEHIND => self.now.behind += count,
            Last::GivenUp => self.now.late += count,
            Last::Answered(_) | Last::Nothing => self.now.stray += count,
        }
        self.busy_until = self.busy_until.max(Some(now));
    }

    /// The question is over: what was seen of it, and how it ended. `fault` is what was wrong with the answer, none where
    /// nothing came.
    pub fn over(&mut self, answer: Result<(), Option<Fault>>, now: Instant) -> (Observed, Outcome) {
        let outcome = match answer {
            Ok(()) => Outcome::Answered,
            Err(None) => Outcome::Silent,
            Err(Some(Fault::Trailing { bytes })) if bytes >= LEAST_ANSWER => Outcome::Twice,
            Err(Some(Fault::Noise { bytes })) if bytes > self.now.wanted + LEAST_ANSWER => Outcome::Twice,
            Err(Some(Fault::CheckSum | Fault::Short { .. } | Fault::Noise { .. } | Fault::Length { .. })) => {
                Outcome::Damaged
            }
            Err(Some(_)) => Outcome::Foreign,
        };
        self.last = match outcome {
            Outcome::Answered | Outcome::Twice => Last::Answered(now),
            Outcome::Silent => Last::GivenUp,
            // A damaged answer was the answer: what follows it belongs to nobody.
            Outcome::Damaged | Outcome::Foreign => Last::Nothing,
        };
        let mut seen = std::mem::take(&mut self.now);
        if seen.behind <= NOISE {
            seen.behind = 0;
        }
        (seen, outcome)
    }
}

#[cfg(test)]
mod tests {
    use steward_protocols::character::Parity;

    use super::*;

    const PORT: Character = Character::new(9600, 8, Parity::None, 1);
    const GAP: Duration = Duration::from_micros(4010);
    const MS: Duration = Duration::from_millis(1);

    fn start() -> Instant {
        tokio::time::Instant::now().into_std()
    }

    #[test]
    fn turnaround_and_pause_are_what_passed_on_the_wire() {
        let (mut watch, t) = (Watch::default(), start());
        watch.asked(8, 9, Some(PORT), GAP, t);
        let end = t + PORT.time() * 8;
        watch.heard(4, end + MS * 12 + PORT.time() * 4);
        watch.heard(5, end + MS * 12 + PORT.time() * 9 + MS * 30);
        let (seen, outcome) = watch.over(Ok(()), end + MS * 60);
        assert_eq!(outcome, Outcome::Answered);
        assert_eq!((seen.turnaround, seen.pause, seen.early), (Some(MS * 12), MS * 30, false));
        assert!(!seen.hasty);
    }

    #[test]
    fn who_speaks_before_the_silence_is_over_is_told_apart() {
        let (mut watch, t) = (Watch::default(), start());
        watch.asked(8, 9, Some(PORT), GAP, t);
        watch.heard(9, t + MS * 30);
        watch.over(Ok(()), t + MS * 30);
        watch.asked(8, 9, Some(PORT), GAP, t + MS * 33);
        assert!(watch.over(Err(None), t + MS * 500).0.early, "three milliseconds are no four");
        watch.asked(8, 9, Some(PORT), GAP, t + MS * 600);
        watch.heard(9, t + MS * 600 + PORT.time() * 17);
        let (seen, _) = watch.over(Ok(()), t + MS * 700);
        assert!(!seen.early && seen.hasty, "the device answered at once");
    }

    #[test]
    fn bytes_without_a_question_are_a_second_answer_a_late_one_or_nobodys() {
        let (mut watch, t) = (Watch::default(), start());
        watch.heard(7, t);
        watch.asked(8, 9, Some(PORT), GAP, t + MS * 100);
        assert_eq!(watch.over(Ok(()), t + MS * 130).0.stray, 7);
        watch.heard(9, t + MS * 140);
        watch.asked(8, 9, Some(PORT), GAP, t + MS * 400);
        assert_eq!(watch.over(Err(None), t + MS * 900).0.behind, 9);
        watch.heard(9, t + MS * 1300);
        watch.asked(8, 9, Some(PORT), GAP, t + MS * 1500);
        let (seen, outcome) = watch.over(Err(Some(Fault::Trailing { bytes: 9 })), t + MS * 1600);
        assert_eq!((seen.late, outcome), (9, Outcome::Twice));
    }
}
