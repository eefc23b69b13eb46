//! The share of a line that may be wasted on questions that will likely find no answer: probes of silent
//! devices, questions to doubted ones, and blocks that never come. A token bucket of line time. The rounds ask before such a question
//! and pay afterwards, so a dead device cannot slow the living beyond the share.

use std::time::Duration;

/// One tenth of the line's time.
pub const SHARE: f64 = 0.10;

/// `now` is time since the line's owner started, from the monotonic clock.
#[derive(Debug, Clone)]
pub struct Budget {
    /// Seconds of line time in hand; negative after a question cost more than expected.
    seconds: f64,
    most: f64,
    share: f64,
    at: Duration,
}

impl Budget {
    /// `cost` is what one question without answer costs: the bucket holds four of them, enough to find out that a device
    /// is silent, and starts full.
    pub fn new(cost: Duration, now: Duration) -> Self {
        Self::of(SHARE, cost, now)
    }

    /// The same with another share of the line's time.
    pub fn of(share: f64, cost: Duration, now: Duration) -> Self {
        let most = cost.as_secs_f64() * 4.0;
        Self { seconds: most, most, share, at: now }
    }

    /// How long until a question that may cost `cost` can be asked; zero when it may be asked now.
    pub fn wait(&mut self, cost: Duration, now: Duration) -> Duration {
        self.refill(now);
        let want = cost.as_secs_f64().min(self.most);
        Duration::from_secs_f64(((want - self.seconds) / self.share).max(0.0))
    }

    pub fn pay(&mut self, cost: Duration, now: Duration) {
        self.refill(now);
        self.seconds -= cost.as_secs_f64();
    }

    fn refill(&mut self, now: Duration) {
        let passed = now.saturating_sub(self.at).as_secs_f64();
        self.at = now;
        self.seconds = (self.seconds + passed * self.share).min(self.most);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn over_an_hour_the_share_is_never_exceeded() {
        let cost = Duration::from_millis(700);
        let mut budget = Budget::new(cost, Duration::ZERO);
        let (mut now, mut spent) = (Duration::ZERO, Duration::ZERO);
        while now < Duration::from_hours(1) {
            let wait = budget.wait(cost, now);
            now += wait;
            now += cost;
            spent += cost;
            budget.pay(cost, now);
        }
        let share = spent.as_secs_f64() / now.as_secs_f64();
        assert!(share <= SHARE + 0.001, "{share}");
        assert!(share >= SHARE - 0.01, "the share is there to be used: {share}");
    }
}
