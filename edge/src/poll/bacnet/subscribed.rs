//! Which notice belongs to which point, and which points were told since: a poll that began before a notice came must
//! not put the older value behind the newer. Ages are told by the monotonic clock: a wall clock that is set back would
//! have every poll pass for older than the last notice until it has caught up.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use steward_shared::id::PointNo;
use tokio::time::Instant;

/// A device and one of its profile's points, by their indices.
pub type Place = (usize, usize);

#[derive(Debug, Default)]
pub struct Subscribed {
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    /// By the number of the subscription.
    places: BTreeMap<u32, Place>,
    told: BTreeMap<PointNo, Instant>,
}

impl Subscribed {
    fn inner(&self) -> MutexGuard<'_, Inner> {
        // Two maps of numbers: a panic elsewhere leaves them whole.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn add(&self, subscription: u32, place: Place) {
        self.inner().places.insert(subscription, place);
    }

    /// The port was opened anew: its former subscriptions are gone.
    pub fn clear(&self) {
        self.inner().places.clear();
    }

    pub fn place(&self, subscription: u32) -> Option<Place> {
        self.inner().places.get(&subscription).copied()
    }

    /// A notice of this point came now.
    pub fn told(&self, point: PointNo) {
        self.inner().told.insert(point, Instant::now());
    }

    /// Whether a notice of this point is younger than this.
    pub fn is_newer(&self, point: PointNo, than: Duration) -> bool {
        self.inner().told.get(&point).is_some_and(|at| at.elapsed() < than)
    }
}

#[cfg(test)]
mod tests {
    use steward_shared::time::{Clock, ManualClock, Timestamp};
    use tokio::time::advance;

    use super::*;

    const NOON: Timestamp = Timestamp(1_760_000_000_000);
    const POINT: PointNo = PointNo(1);

    #[tokio::test(start_paused = true)]
    async fn a_notice_is_newer_than_a_poll_whose_slot_was_before_it() {
        let subscribed = Subscribed::default();
        assert!(!subscribed.is_newer(POINT, Duration::from_hours(1)), "none has come");
        subscribed.told(POINT);
        advance(Duration::from_secs(10)).await;
        assert!(subscribed.is_newer(POINT, Duration::from_secs(11)));
        assert!(!subscribed.is_newer(POINT, Duration::from_secs(9)));
    }

    #[tokio::test(start_paused = true)]
    async fn a_clock_that_is_set_back_by_an_hour_suppresses_no_poll() {
        let (subscribed, clock) = (Subscribed::default(), ManualClock::at(NOON));
        subscribed.told(POINT);
        clock.set(NOON.minus(Duration::from_hours(1)));
        for _ in 0..3 {
            advance(Duration::from_mins(1)).await;
            let slot = clock.now();
            clock.advance(Duration::from_secs(2));
            assert!(!subscribed.is_newer(POINT, clock.now().since(slot)), "the poll of {slot}");
        }
    }
}
