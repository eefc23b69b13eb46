//! How many questions a line carries at once: as many as the gateway's file allows, until its other end shows that it
//! cannot. Pure; the line's task tells it what happens.
//!
//! A device that takes one question at a time shows it in one of three ways: it closes the connection while several are
//! under way, it says that it is busy, or it passes over all but one. Each of them makes it one at a time, for as long as
//! the line's task lives.

use std::collections::{BTreeMap, BTreeSet};

/// A question that was lost among others weighs so much, and one that was answered among others takes one off: more than
/// one lost of ten is no accident.
const LOST: u32 = 10;
const TOO_MANY: u32 = 3 * LOST;

/// A question's name while it is under way.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct FlightNo(u64);

#[derive(Debug)]
pub struct Window {
    limit: usize,
    next: u64,
    /// Those under way, and whether another was so at the same time.
    flights: BTreeMap<FlightNo, bool>,
    /// Devices of which a question was lost among others, and which have not answered since.
    lost: BTreeSet<usize>,
    weight: u32,
}

impl Window {
    pub fn new(limit: usize) -> Self {
        Self { limit, next: 0, flights: BTreeMap::new(), lost: BTreeSet::new(), weight: 0 }
    }

    pub fn limit(&self) -> usize {
        self.limit
    }

    pub fn put(&mut self) -> FlightNo {
        let no = FlightNo(self.next);
        self.next += 1;
        let others = !self.flights.is_empty();
        self.flights.values_mut().for_each(|accompanied| *accompanied = true);
        self.flights.insert(no, others);
        no
    }

    /// A question is over; whether others were under way at the same time.
    pub fn landed(&mut self, no: FlightNo) -> bool {
        self.flights.remove(&no).unwrap_or(false)
    }

    /// A device did not answer a question that others accompanied. Whether it is dead or was asked too much, its next
    /// answer will show.
    pub fn lost(&mut self, device: usize) {
        self.lost.insert(device);
    }

    /// A device answered. True when it is seen by that that several at once are too many.
    pub fn answered(&mut self, device: usize, accompanied: bool) -> bool {
        if self.lost.remove(&device) {
            self.weight += LOST;
        } else if accompanied {
            self.weight = self.weight.saturating_sub(1);
        }
        self.weight >= TOO_MANY && self.fall_back()
    }

    /// One at a time from now on. True the first time.
    pub fn fall_back(&mut self) -> bool {
        std::mem::replace(&mut self.limit, 1) > 1
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn whoever_was_under_way_together_knows_of_it() {
        let mut window = Window::new(4);
        let (first, second) = (window.put(), window.put());
        assert!(window.landed(first));
        assert!(window.landed(second), "also when the other is over already");
        let alone = window.put();
        assert!(!window.landed(alone));
    }

    #[test]
    fn a_device_that_passes_over_every_other_question_is_asked_one_at_a_time() {
        let mut window = Window::new(4);
        let fell = (0..3).position(|_| {
            window.lost(0);
            window.answered(0, false)
        });
        assert_eq!((fell, window.limit()), (Some(2), 1));
        assert!(!window.fall_back(), "it is told once");
    }

    #[test]
    fn a_dead_device_and_a_lost_question_now_and_then_take_no_place_away() {
        let mut window = Window::new(4);
        for _ in 0..50 {
            window.lost(0);
        }
        for n in 0..1000 {
            if n % 20 == 0 {
                window.lost(1);
            }
            assert!(!window.answered(1, true), "{n}");
        }
        assert_eq!(window.limit(), 4);
    }
}
