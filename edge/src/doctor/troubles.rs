//! From counts to causes. Each rule wants enough cases to be no accident; its words are in the texts of the terminal and
//! of the hub's console, under the same name.

use steward_shared::wire::message::Trouble;

use super::book::{Book, DeviceBook};

/// What may be wrong. The word goes to the hub, which passes over words that it does not know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum What {
    /// More than one device answers to an address.
    TwoAnswers,
    /// Long answers are damaged more often than short ones.
    ErrorsGrow,
    /// Answers are damaged, whatever their length.
    Damaged,
    /// Answers come after they were given up.
    Late,
    /// Answers pause in their middle.
    Pauses,
    /// Answers begin sooner than the standard allows.
    Hasty,
    /// Somebody speaks without being asked.
    Babble,
    /// We spoke too early: a fault of this program or of its machine.
    OwnSilence,
    /// Somebody dialled in whom no line expects.
    Strangers,
    /// More is asked of the line than comes in time.
    Overloaded,
    /// Two devices or two routers of a network claim one number.
    NumberTwice,
}

impl What {
    pub const ALL: [Self; 11] = [
        Self::TwoAnswers,
        Self::ErrorsGrow,
        Self::Damaged,
        Self::Late,
        Self::Pauses,
        Self::Hasty,
        Self::Babble,
        Self::OwnSilence,
        Self::Strangers,
        Self::Overloaded,
        Self::NumberTwice,
    ];

    pub const fn word(self) -> &'static str {
        match self {
            Self::TwoAnswers => "two_answers",
            Self::ErrorsGrow => "errors_grow",
            Self::Damaged => "damaged",
            Self::Late => "late",
            Self::Pauses => "pauses",
            Self::Hasty => "hasty",
            Self::Babble => "babble",
            Self::OwnSilence => "own_silence",
            Self::Strangers => "strangers",
            Self::Overloaded => "overloaded",
            Self::NumberTwice => "number_twice",
        }
    }

    pub fn of(word: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|what| what.word() == word)
    }
}

/// Fewer cases are an accident.
const CASES: u64 = 3;
/// So many damaged answers show how they depend on the length.
const ENOUGH: u64 = 8;
/// Fewer bytes that nobody asked for are the noise of plugging something in.
const NOISE: u64 = 32;

/// What is wrong with the line, and with each of its devices by name.
pub fn troubles(book: &Book, names: &[&str]) -> Vec<Trouble> {
    let line = book.line();
    let mut found = Vec::new();
    let mut tell = |what: What, device: Option<&str>, count: u64, of: u64| {
        let device = device.map(str::to_owned);
        found.push(Trouble { what: what.word().to_owned(), device, count, of, ..Trouble::default() });
    };
    if line.early > 0 {
        tell(What::OwnSilence, None, line.early, line.asked);
    }
    if line.stray >= NOISE && line.stray >= line.asked / 10 {
        tell(What::Babble, None, line.stray, line.asked);
    }
    for (device, name) in book.devices().iter().zip(names) {
        let answers = device.answered + device.damaged();
        // Of a hundred questions at least one.
        let often = |count: u64| count >= CASES && count * 100 >= device.asked;
        if often(device.twice) {
            tell(What::TwoAnswers, Some(name), device.twice, device.asked);
        }
        if errors_grow(device) {
            tell(What::ErrorsGrow, Some(name), device.damaged(), answers);
        } else if often(device.damaged()) {
            tell(What::Damaged, Some(name), device.damaged(), answers);
        }
        if device.late >= CASES {
            tell(What::Late, Some(name), device.late, device.asked);
        }
        if often(device.paused) {
            tell(What::Pauses, Some(name), device.paused, answers);
        }
        if often(device.hasty) && device.hasty * 2 >= answers {
            tell(What::Hasty, Some(name), device.hasty, answers);
        }
    }
    found
}

/// Whether long answers are damaged at least twice as often, byte for byte no more, as the short ones of the same device.
fn errors_grow(device: &DeviceBook) -> bool {
    let share = |class: usize| {
        let (damaged, came) = (device.damaged.get(class)?, device.came.get(class)?);
        (*came >= ENOUGH).then(|| *damaged as f64 / *came as f64)
    };
    let classes: Vec<f64> = (0..4).filter_map(share).collect();
    let (Some(shortest), Some(longest)) = (classes.first(), classes.last()) else { return false };
    classes.len() > 1 && device.damaged() >= ENOUGH && *longest >= 0.02 && *longest >= 2.0 * shortest
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::doctor::{Observed, Outcome};

    fn book(questions: u32, outcome: impl Fn(u32) -> (usize, Observed, Outcome)) -> Book {
        let mut book = Book::new(1);
        for n in 0..questions {
            let (wanted, seen, outcome) = outcome(n);
            book.note(0, (n > 0).then_some(0), Observed { wanted, ..seen }, outcome);
        }
        book
    }

    fn words(book: &Book) -> Vec<String> {
        troubles(book, &["meter"]).into_iter().map(|t| t.what).collect()
    }

    #[test]
    fn a_healthy_line_has_no_troubles() {
        let turnaround = Some(Duration::from_millis(9));
        let healthy = book(1000, |n| {
            let outcome = if n % 300 == 7 { Outcome::Damaged } else { Outcome::Answered };
            (60, Observed { turnaround, ..Observed::default() }, outcome)
        });
        assert!(words(&healthy).is_empty(), "{healthy:?}");
        assert_eq!(healthy.devices()[0].turnarounds[2], 1000, "nine milliseconds are in the third class");
    }

    #[test]
    fn each_trouble_is_drawn_from_its_own_cases() {
        let seen = Observed::default();
        let twice = book(100, |n| (9, seen, if n % 10 == 0 { Outcome::Twice } else { Outcome::Answered }));
        assert_eq!(words(&twice), ["two_answers"]);
        let behind =
            book(100, |n| (9, Observed { behind: u64::from(n % 9 == 0) * 9, ..seen }, Outcome::Answered));
        assert_eq!(words(&behind), ["two_answers"]);
        let even = book(200, |n| (9, seen, if n % 20 == 0 { Outcome::Damaged } else { Outcome::Answered }));
        assert_eq!(words(&even), ["damaged"]);
        let grows = book(400, |n| {
            let long = n % 2 == 0;
            let damaged = if long { n % 20 == 0 } else { n % 101 == 1 };
            (if long { 255 } else { 9 }, seen, if damaged { Outcome::Damaged } else { Outcome::Answered })
        });
        assert_eq!(words(&grows), ["errors_grow"]);
        let late = book(100, |n| (9, Observed { late: u64::from(n % 30 == 1) * 9, ..seen }, Outcome::Silent));
        assert_eq!(words(&late), ["late"]);
        let pauses = book(100, |n| {
            let pause = Duration::from_millis(if n % 5 == 0 { 60 } else { 3 });
            (9, Observed { pause, ..seen }, Outcome::Answered)
        });
        assert_eq!(words(&pauses), ["pauses"]);
        let hasty = book(100, |_| (9, Observed { hasty: true, ..seen }, Outcome::Answered));
        assert_eq!(words(&hasty), ["hasty"]);
        let babble = book(100, |_| (9, Observed { stray: 3, ..seen }, Outcome::Answered));
        assert_eq!(words(&babble), ["babble"]);
        let ours = book(100, |n| (9, Observed { early: n == 50, ..seen }, Outcome::Answered));
        assert_eq!(words(&ours), ["own_silence"], "one is too many");
    }

    #[test]
    fn every_trouble_has_a_word_of_its_own() {
        for what in What::ALL {
            assert_eq!(What::of(what.word()), Some(what));
        }
        assert_eq!(What::of("of-a-later-gateway"), None);
    }
}
