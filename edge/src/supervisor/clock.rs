//! Whether the wall clock can be trusted, and when readings that were stamped by a wrong one are to be corrected. The
//! health task looks at it as often as it reports. Pure but for the look at the machine's own mark.
//!
//! The clock is trusted when the machine says that it is synchronised (systemd-timesyncd leaves
//! `/run/systemd/timesync/synchronized`), or when the hub's clock agreed with it in the greeting of the session that is
//! held. It is not trusted before either: a gateway without a battery begins somewhere in the past.

use std::path::Path;

use steward_shared::time::Timestamp;
use tokio::time::Instant;

/// A difference of two looks at both clocks that is no jitter.
const STEP_MS: i64 = 2_000;
/// systemd-timesyncd.service(8).
pub(super) const MARK: &str = "/run/systemd/timesync/synchronized";

pub(super) fn is_synchronised(mark: &Path) -> bool {
    mark.exists()
}

#[derive(Debug)]
pub(super) struct ClockWatch {
    before: (Timestamp, Instant),
    trusted: bool,
    due: bool,
}

impl ClockWatch {
    pub fn new(wall: Timestamp, mono: Instant) -> Self {
        Self { before: (wall, mono), trusted: false, due: false }
    }

    /// By how much the wall clock jumped since the last look, if it did.
    pub fn look(&mut self, wall: Timestamp, mono: Instant, trusted: bool) -> Option<i64> {
        let passed = wall.as_millis().saturating_sub(self.before.0.as_millis());
        let real = mono.saturating_duration_since(self.before.1).as_millis();
        self.before = (wall, mono);
        let step = passed.saturating_sub(i64::try_from(real).unwrap_or(i64::MAX));
        let stepped = step.abs() > STEP_MS;
        // Without a step there is nothing to correct, whoever vouches for the clock now.
        self.due |= stepped;
        self.trusted = trusted;
        stepped.then_some(step)
    }

    /// Whether what is stored is to be corrected now. It stays so until `done` is called.
    pub fn is_due(&self) -> bool {
        self.due && self.trusted
    }

    pub fn done(&mut self) {
        self.due = false;
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn a_jump_is_corrected_only_by_a_clock_that_is_trusted() {
        let start = Instant::now();
        let at = |s: u64| start + Duration::from_secs(s);
        let mut watch = ClockWatch::new(Timestamp(0), start);
        assert_eq!(watch.look(Timestamp(10_000), at(10), false), None);
        assert!(!watch.is_due());
        assert_eq!(watch.look(Timestamp(1_760_000_000_000), at(20), false), Some(1_759_999_980_000));
        assert!(!watch.is_due(), "nobody says that it is right now");
        assert_eq!(watch.look(Timestamp(1_760_000_010_000), at(30), true), None);
        assert!(watch.is_due());
        watch.done();
        assert_eq!(watch.look(Timestamp(1_760_000_020_000), at(40), true), None);
        assert!(!watch.is_due());
        assert!(watch.look(Timestamp(1_760_000_040_000), at(50), true).is_some());
        assert!(watch.is_due(), "a trusted clock that was set again");
    }

    #[test]
    fn the_machine_says_by_a_mark_that_it_is_synchronised() {
        let dir = tempfile::tempdir().unwrap();
        let mark = dir.path().join("synchronized");
        assert!(!is_synchronised(&mark));
        std::fs::write(&mark, "").unwrap();
        assert!(is_synchronised(&mark));
    }
}
