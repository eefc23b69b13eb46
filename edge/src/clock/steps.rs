//! Whether the wall clock jumped against the monotonic one. The health task looks as often as it reports.

use steward_shared::time::Timestamp;
use tokio::time::Instant;

/// A difference of two looks at both clocks that is no jitter.
const STEP_MS: i64 = 2_000;

#[derive(Debug)]
pub struct Steps {
    before: (Timestamp, Instant),
}

impl Steps {
    pub fn new(wall: Timestamp, mono: Instant) -> Self {
        Self { before: (wall, mono) }
    }

    /// By how much the wall clock jumped since the last look, if it did.
    pub fn look(&mut self, wall: Timestamp, mono: Instant) -> Option<i64> {
        let passed = wall.as_millis().saturating_sub(self.before.0.as_millis());
        let real = mono.saturating_duration_since(self.before.1).as_millis();
        self.before = (wall, mono);
        let step = passed.saturating_sub(i64::try_from(real).unwrap_or(i64::MAX));
        (step.abs() > STEP_MS).then_some(step)
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_jump_is_seen_once_and_time_that_passes_is_none() {
        let start = Instant::now();
        let at = |s: u64| start + Duration::from_secs(s);
        let mut steps = Steps::new(Timestamp(0), start);
        assert_eq!(steps.look(Timestamp(10_000), at(10)), None);
        assert_eq!(steps.look(Timestamp(1_760_000_000_000), at(20)), Some(1_759_999_980_000));
        assert_eq!(steps.look(Timestamp(1_760_000_010_000), at(30)), None);
        assert_eq!(steps.look(Timestamp(1_760_000_000_000), at(40)), Some(-20_000));
    }
}
