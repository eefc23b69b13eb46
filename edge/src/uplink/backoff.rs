//! How long to wait before the next try: longer each time up to a cap, and never all gateways at once. Pure; the loop
//! says how the last try went and hands in a random number.

use std::time::Duration;

const FIRST: Duration = Duration::from_secs(1);
const CAP: Duration = Duration::from_secs(30);
/// When somebody must act first, asking more often only fills the hub's log.
const CAP_REFUSED: Duration = Duration::from_mins(2);
/// A session that lived this long was a good one; shorter ones do not begin the count anew, so that a flapping
/// line does not become a storm of handshakes.
const GOOD: Duration = Duration::from_secs(30);

#[derive(Debug, Default)]
pub(super) struct Backoff {
    tries: u32,
}

impl Backoff {
    /// The wait after a try whose session lived for `lived`; `random` is spread over the whole of u32.
    pub fn next(&mut self, lived: Duration, is_passing: bool, random: u32) -> Duration {
        if lived >= GOOD {
            self.tries = 0;
        }
        let cap = if is_passing { CAP } else { CAP_REFUSED };
        let most = FIRST.saturating_mul(1 << self.tries.min(16)).min(cap);
        self.tries = self.tries.saturating_add(1);
        most / 2 + (most / 2).mul_f64(f64::from(random) / f64::from(u32::MAX))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// The link is there for three seconds and away for three, for ten minutes; a try while it is away costs ten.
    #[test]
    fn fault_n5_a_flapping_line_is_no_storm_of_handshakes() {
        for random in [0, u32::MAX / 2, u32::MAX] {
            let mut backoff = Backoff::default();
            let (mut at, mut handshakes) = (Duration::ZERO, 0);
            while at < Duration::from_mins(10) {
                let is_up = at.as_secs() % 6 < 3;
                let lived = if is_up { Duration::from_secs(3 - at.as_secs() % 3) } else { Duration::ZERO };
                handshakes += 1;
                at += if is_up { lived } else { Duration::from_secs(10) };
                at += backoff.next(lived, true, random);
            }
            assert!(handshakes <= 45, "{handshakes} handshakes in ten minutes");
        }
    }

    #[test]
    fn gateways_that_lost_the_hub_together_do_not_come_back_together() {
        let (mut a, mut b) = (Backoff::default(), Backoff::default());
        let waits: Vec<_> = (0..8)
            .map(|_| (a.next(Duration::ZERO, true, 0), b.next(Duration::ZERO, true, u32::MAX)))
            .collect();
        assert!(waits.iter().all(|(a, b)| *b == 2 * *a));
        assert_eq!(waits.last().map(|w| w.1), Some(CAP));
    }

    #[test]
    fn after_a_good_session_the_first_wait_is_short_again() {
        let mut b = Backoff::default();
        for _ in 0..10 {
            b.next(Duration::ZERO, true, 0);
        }
        assert!(b.next(Duration::from_hours(1), true, u32::MAX) <= FIRST);
    }
}
