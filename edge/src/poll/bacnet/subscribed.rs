//! Which notice belongs to which point, and which points were told since: a poll that began before a notice came must
//! not put the older value behind the newer.

use std::collections::BTreeMap;
use std::sync::{Mutex, MutexGuard, PoisonError};

use steward_shared::id::PointNo;
use steward_shared::time::Timestamp;

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
    told: BTreeMap<PointNo, Timestamp>,
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

    pub fn told(&self, point: PointNo, at: Timestamp) {
        self.inner().told.insert(point, at);
    }

    /// Whether a notice of this point has come since.
    pub fn is_newer(&self, point: PointNo, than: Timestamp) -> bool {
        self.inner().told.get(&point).is_some_and(|at| *at > than)
    }
}
