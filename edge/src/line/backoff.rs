//! When to try again: doubling from a quarter of a second up to a cap, with jitter, so that twenty lines
//! behind one switch do not all knock in the same instant. The line's owner calls it.

use std::time::Duration;

use steward_shared::id::Ids;

const FIRST: Duration = Duration::from_millis(250);

#[derive(Debug, Clone)]
pub struct Backoff {
    cap: Duration,
    failures: u32,
}

impl Backoff {
    pub fn new(cap: Duration) -> Self {
        Self { cap, failures: 0 }
    }

    /// Failures in a row so far.
    pub fn failures(&self) -> u32 {
        self.failures
    }

    pub fn succeeded(&mut self) {
        self.failures = 0;
    }

    /// Counts one more failure and says how long to wait: between half and all of the doubled step, never
    /// beyond the cap. The chance comes out of a fresh id.
    pub fn failed(&mut self, ids: &dyn Ids) -> Duration {
        let step = FIRST.saturating_mul(1 << self.failures.min(16)).min(self.cap);
        self.failures = self.failures.saturating_add(1);
        let chance = f64::from((ids.new_uuid().as_u128() & 0xffff) as u32) / 65_536.0;
        step.mul_f64(0.5 + chance / 2.0)
    }
}

#[cfg(test)]
mod tests {
    use steward_shared::id::RandomIds;

    use super::*;

    #[test]
    fn waits_grow_to_the_cap_and_start_over_after_success() {
        let mut backoff = Backoff::new(Duration::from_secs(5));
        let waits: Vec<_> = (0..12).map(|_| backoff.failed(&RandomIds)).collect();
        assert!(waits[0] >= FIRST / 2 && waits[0] <= FIRST, "{waits:?}");
        assert!(waits.iter().all(|w| *w <= Duration::from_secs(5)), "{waits:?}");
        assert!(waits[11] >= Duration::from_millis(2500), "{waits:?}");
        backoff.succeeded();
        assert!(backoff.failed(&RandomIds) <= FIRST);
    }
}
