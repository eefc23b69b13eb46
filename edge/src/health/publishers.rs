//! How publishers fare, for the status page and the metrics. Each publisher's task writes its own gauge.

use std::sync::{Mutex, MutexGuard, PoisonError};

use serde::Serialize;
use steward_shared::time::Timestamp;

#[derive(Debug)]
pub struct PublishGauge(Mutex<PublishHealth>);

#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize)]
pub struct PublishHealth {
    pub name: String,
    pub connected: bool,
    pub since: Option<Timestamp>,
    /// Readings that wait.
    pub waiting: u64,
    /// Readings that were told.
    pub told: u64,
    /// Readings that gave way to newer ones and were never told.
    pub dropped: u64,
    pub last_error: Option<String>,
}

impl PublishGauge {
    pub fn new(name: &str) -> Self {
        Self(Mutex::new(PublishHealth { name: name.to_owned(), ..PublishHealth::default() }))
    }

    pub fn up(&self, at: Timestamp) {
        let mut inner = self.inner();
        (inner.connected, inner.since) = (true, Some(at));
    }

    pub fn down(&self, why: &str) {
        let mut inner = self.inner();
        (inner.connected, inner.since) = (false, None);
        inner.last_error = Some(why.to_owned());
    }

    pub fn waiting(&self, waiting: usize, dropped: u64) {
        let mut inner = self.inner();
        (inner.waiting, inner.dropped) = (waiting as u64, dropped);
    }

    pub fn told(&self, readings: u64) {
        self.inner().told += readings;
    }

    pub fn read(&self) -> PublishHealth {
        self.inner().clone()
    }

    fn inner(&self) -> MutexGuard<'_, PublishHealth> {
        // Numbers for people: a panic elsewhere leaves at worst one of them old.
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}
