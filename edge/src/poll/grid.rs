//! The poll grid: a period's slots are the multiples of the period since 1970, the same on every gateway, so
//! that readings of different devices stand under the same instants. The rounds ask it what is due.
//! A slot is never polled twice and never made up for: what could not be polled in its time is counted.

use std::time::Duration;

use steward_shared::time::Timestamp;

/// One period's walk along its slots.
#[derive(Debug, Clone)]
pub struct Grid {
    period: Duration,
    next: Timestamp,
}

impl Grid {
    /// The first slot is the present one: a fresh start shows values at once and not after a whole period.
    pub fn new(period: Duration, now: Timestamp) -> Self {
        Self { period, next: now.floor_to(period) }
    }

    pub fn period(&self) -> Duration {
        self.period
    }

    /// The next slot that has not been taken.
    pub fn next(&self) -> Timestamp {
        self.next
    }

    /// Takes the slot that is due, if one is: the present slot, and how many before it went by untaken.
    pub fn take(&mut self, now: Timestamp) -> Option<(Timestamp, u64)> {
        if now < self.next {
            return None;
        }
        let slot = now.floor_to(self.period);
        let period = self.period.as_millis().max(1);
        let missed = slot.since(self.next).as_millis() / period;
        self.next = slot.plus(self.period);
        Some((slot, u64::try_from(missed).unwrap_or(u64::MAX)))
    }

    /// Gives a slot back: it will be taken once more.
    pub fn retake(&mut self, slot: Timestamp) {
        self.next = slot;
    }

    /// Nothing is due before `until`, and nothing missed.
    pub fn rest(&mut self, until: Timestamp) {
        self.next = self.next.max(until.floor_to(self.period));
    }

    /// After the wall clock jumped: go on from where it stands now, and count nothing as missed. A slot that
    /// was taken before a small step is not taken again.
    pub fn realign(&mut self, now: Timestamp) {
        let slot = now.floor_to(self.period);
        let taken = self.next.minus(self.period);
        self.next = if slot == taken { self.next } else { slot };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TEN: Duration = Duration::from_secs(10);

    #[test]
    fn slots_are_multiples_of_the_period_since_1970() {
        let mut grid = Grid::new(TEN, Timestamp(1_000_123));
        assert_eq!(grid.take(Timestamp(1_000_123)), Some((Timestamp(1_000_000), 0)));
        assert_eq!(grid.take(Timestamp(1_009_999)), None);
        assert_eq!(grid.take(Timestamp(1_010_004)), Some((Timestamp(1_010_000), 0)));
    }

    #[test]
    fn missed_slots_are_counted_and_never_bunched() {
        let mut grid = Grid::new(TEN, Timestamp(1_000_000));
        grid.take(Timestamp(1_000_000));
        assert_eq!(grid.take(Timestamp(1_055_000)), Some((Timestamp(1_050_000), 4)));
        assert_eq!(grid.take(Timestamp(1_055_001)), None, "the four before are gone");
    }

    #[test]
    fn a_jump_of_the_clock_counts_no_slot_as_missed_and_stops_no_polling() {
        let mut grid = Grid::new(TEN, Timestamp(100_000_000));
        grid.take(Timestamp(100_000_000));
        grid.realign(Timestamp(1_000_000));
        assert_eq!(grid.take(Timestamp(1_000_000)), Some((Timestamp(1_000_000), 0)));
        grid.realign(Timestamp(1_003_000));
        assert_eq!(grid.take(Timestamp(1_003_000)), None, "this slot was taken");
    }
}
