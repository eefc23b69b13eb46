//! Who vouches for the wall clock, and how long is waited for somebody who does. Pure but for the look at the machine's
//! own mark.

use std::path::Path;
use std::time::{Duration, UNIX_EPOCH};

use steward_shared::time::{Clock as _, SystemClock, Timestamp};
use tokio::time::Instant;

/// Clocks that differ by no more agree.
const AGREE_MS: i64 = 5_000;
/// As long nothing is sent by a clock that nobody vouches for.
const PATIENCE: Duration = Duration::from_mins(10);
/// systemd-timesyncd touches its mark at each word of a time server, each half hour at most. Without one a clock drifts, by
/// four seconds at worst in this time.
const MARK_HOLDS: Duration = Duration::from_hours(2);
/// systemd-timesyncd.service(8).
const MARK: &str = "/run/systemd/timesync/synchronized";

/// Whether the machine says that a time server has looked at its clock lately.
pub fn is_synchronised() -> bool {
    let touched = Path::new(MARK).metadata().and_then(|mark| mark.modified()).ok();
    let touched = touched.and_then(|at| at.duration_since(UNIX_EPOCH).ok());
    touched.is_some_and(|since_1970| is_fresh(Timestamp(0).plus(since_1970), SystemClock.now()))
}

fn is_fresh(touched: Timestamp, now: Timestamp) -> bool {
    now.since(touched) <= MARK_HOLDS
}

/// What may be done with stored readings now.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Verdict {
    Trusted,
    /// It is waited for somebody who vouches.
    Doubted,
    /// It has been waited long enough: what there is goes as it is.
    GivenUp,
}

#[derive(Debug, Default)]
pub(super) struct Trust {
    /// What the hub's clock said in the last greeting, and when.
    hub: Option<(Timestamp, Instant)>,
    doubted: Option<Instant>,
    /// When somebody last looked at a clock by which everything was right.
    vouched: Option<Instant>,
    /// By how much that clock was ahead of the time since boot.
    offset: Option<i64>,
}

impl Trust {
    pub fn greeted(&mut self, hub: Timestamp, mono: Instant) {
        self.hub = Some((hub, mono));
    }

    /// By how many milliseconds the wall clock is ahead of the hub's.
    pub fn ahead_of_hub(&self, wall: Timestamp, mono: Instant) -> Option<i64> {
        let (hub, at) = self.hub?;
        let now = hub.plus(mono.saturating_duration_since(at));
        Some(wall.as_millis().saturating_sub(now.as_millis()))
    }

    pub fn is_trusted(&self, synchronised: bool, wall: Timestamp, mono: Instant) -> bool {
        synchronised || self.ahead_of_hub(wall, mono).is_some_and(|ahead| ahead.abs() <= AGREE_MS)
    }

    /// Everything bears the right instants now: the machine's word is of this moment, the hub's of its greeting.
    pub fn settled(&mut self, synchronised: bool, offset: i64, mono: Instant) {
        self.offset = Some(offset);
        let of_hub = self.hub.map(|(_, at)| at);
        self.vouched = self.vouched.max(if synchronised { Some(mono) } else { of_hub });
    }

    /// Whether the clock was set away from the hub's: then its time server does not tell the truth, or the hub's does not,
    /// and what is right by the one that was there before stays. `offset` is the clock's now.
    pub fn is_set_away(&self, offset: i64, wall: Timestamp, mono: Instant) -> bool {
        let Some((ahead, before)) = self.ahead_of_hub(wall, mono).zip(self.offset) else { return false };
        let ahead_before = ahead.saturating_sub(offset.saturating_sub(before));
        ahead.abs() > AGREE_MS && ahead.abs() > ahead_before.abs().saturating_add(AGREE_MS)
    }

    /// For how long nobody has looked at the clock that was right; none where nobody ever has.
    pub fn since_vouched(&self, mono: Instant) -> Option<Duration> {
        self.vouched.map(|at| mono.saturating_duration_since(at))
    }

    /// Whether something may be sent. The first doubt begins the patience, a new session does not begin it anew.
    pub fn ask(&mut self, synchronised: bool, wall: Timestamp, mono: Instant) -> Verdict {
        if self.is_trusted(synchronised, wall, mono) {
            self.doubted = None;
            return Verdict::Trusted;
        }
        let since = *self.doubted.get_or_insert(mono);
        if mono.saturating_duration_since(since) < PATIENCE { Verdict::Doubted } else { Verdict::GivenUp }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const NOON: Timestamp = Timestamp(1_760_000_000_000);

    fn later(s: u64) -> Timestamp {
        NOON.plus(Duration::from_secs(s))
    }

    #[test]
    fn a_clock_is_trusted_when_the_machine_or_the_hub_vouches_for_it() {
        let (mut trust, start) = (Trust::default(), Instant::now());
        assert!(!trust.is_trusted(false, NOON, start), "nobody has said anything");
        assert!(trust.is_trusted(true, NOON, start));
        trust.greeted(NOON, start);
        assert!(trust.is_trusted(false, later(3), start));
        assert!(!trust.is_trusted(false, later(8), start));
        assert!(trust.is_trusted(true, later(8), start), "a synchronised machine knows better");
    }

    #[test]
    fn the_hubs_time_goes_on_after_the_greeting() {
        let (mut trust, start) = (Trust::default(), Instant::now());
        trust.greeted(NOON, start);
        let hour = start + Duration::from_hours(1);
        assert!(trust.is_trusted(false, later(3600), hour), "both went on");
        assert!(!trust.is_trusted(false, later(60), hour), "it was set back");
        assert_eq!(trust.ahead_of_hub(later(60), hour), Some(-3_540_000));
    }

    #[test]
    fn fault_c4_a_word_of_days_ago_does_not_vouch_for_a_clock_that_drifts_since() {
        assert!(is_fresh(NOON, later(3600)) && is_fresh(later(30), NOON));
        assert!(!is_fresh(NOON, later(3 * 3600)));
        let (mut trust, start) = (Trust::default(), Instant::now());
        let at = |s: u64| start + Duration::from_secs(s);
        assert_eq!(trust.since_vouched(start), None);
        trust.settled(true, 0, start);
        trust.settled(false, 0, at(60));
        assert_eq!(trust.since_vouched(at(60)), Some(Duration::from_mins(1)));
        trust.greeted(NOON, at(100));
        trust.settled(false, 0, at(7 * 86_400));
        assert_eq!(
            trust.since_vouched(at(160)),
            Some(Duration::from_mins(1)),
            "the hub has said nothing since"
        );
    }

    #[test]
    fn fault_c7_a_clock_that_its_time_server_sets_away_from_the_hubs_is_not_followed() {
        const HOUR: i64 = 3_600_000;
        let (mut trust, start) = (Trust::default(), Instant::now());
        let away = |trust: &Trust, ms: i64| trust.is_set_away(ms, Timestamp(NOON.0 + ms), start);
        assert!(!away(&trust, HOUR), "nobody contradicts");
        trust.greeted(NOON, start);
        assert!(!away(&trust, HOUR), "and nothing is known of before");
        trust.settled(true, 0, start);
        assert!(away(&trust, HOUR) && away(&trust, -HOUR));
        assert!(!away(&trust, 4_000) && !away(&trust, 0));
        // The hub's clock is off by an hour, and the gateway's was by years: it comes nearer.
        trust.settled(false, -50_000 * HOUR, start);
        assert!(!away(&trust, -HOUR) && !away(&trust, HOUR));
    }

    #[test]
    fn it_is_waited_for_ten_minutes_whatever_sessions_begin_meanwhile() {
        let (mut trust, start) = (Trust::default(), Instant::now());
        let at = |s: u64| start + Duration::from_secs(s);
        trust.greeted(later(7200), start);
        assert_eq!(trust.ask(false, NOON, start), Verdict::Doubted);
        trust.greeted(later(7200 + 300), at(300));
        assert_eq!(trust.ask(false, later(599), at(599)), Verdict::Doubted);
        assert_eq!(trust.ask(false, later(600), at(600)), Verdict::GivenUp);
        assert_eq!(trust.ask(false, later(7200 + 601), at(601)), Verdict::Trusted, "it was set");
        assert_eq!(trust.ask(false, later(602), at(602)), Verdict::Doubted, "and set back");
    }
}
