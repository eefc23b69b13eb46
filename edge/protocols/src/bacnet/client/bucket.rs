//! A bucket of tokens: so many at once, so many a second. Called before work is done that strangers can ask for.

use std::time::{Duration, Instant};

#[derive(Clone, Copy, Debug)]
pub struct Bucket {
    most: u32,
    per_second: u32,
    left: u32,
    /// Since when tokens have been coming back that are not counted in `left`.
    since: Option<Instant>,
}

impl Bucket {
    pub const fn new(most: u32, per_second: u32) -> Self {
        Self { most, per_second, left: most, since: None }
    }

    pub fn take(&mut self, now: Instant) -> bool {
        self.refill(now);
        let taken = self.left > 0;
        self.left = self.left.saturating_sub(1);
        taken
    }

    fn refill(&mut self, now: Instant) {
        let since = *self.since.get_or_insert(now);
        let each = Duration::from_secs(1) / self.per_second.max(1);
        let back = now.saturating_duration_since(since).as_nanos() / each.as_nanos().max(1);
        if back >= u128::from(self.most - self.left) {
            self.left = self.most;
            self.since = Some(now);
        } else {
            self.left += back as u32;
            self.since = Some(since + each * back as u32);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    #[allow(clippy::disallowed_methods, reason = "any instant serves as the beginning of virtual time")]
    fn what_was_taken_comes_back_in_time() {
        let start = Instant::now();
        let mut bucket = Bucket::new(3, 10);
        let taken = (0..5).filter(|_| bucket.take(start)).count();
        assert_eq!(taken, 3);
        assert!(!bucket.take(start + Duration::from_millis(99)));
        assert!(bucket.take(start + Duration::from_millis(100)));
        assert!(!bucket.take(start + Duration::from_millis(150)));
        assert_eq!((0..9).filter(|_| bucket.take(start + Duration::from_mins(1))).count(), 3);
    }
}
