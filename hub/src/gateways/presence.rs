//! Whether a gateway is there. Pure. A link that is lost for less than the off-delay changes nothing, so that a
//! flapping link neither blinks on pages nor pages people.
//!
//! | state | link up | link lost | off-delay over |
//! |---|---|---|---|
//! | there | there | lingering | - |
//! | lingering | there | lingering | silent |
//! | silent | there | silent | silent |
//!
//! What is worth telling is that it fell silent, and that it is so no more.

use std::time::Duration;

use steward_shared::time::Timestamp;

/// How long a gateway may be away before it is called silent. The end of a dead link is itself noticed only after
/// the idle time of QUIC.
pub const OFF_DELAY: Duration = Duration::from_secs(30);

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// By how many connections: more than one only while an older one is being replaced.
    There(u32),
    /// Away since then, not yet worth telling.
    Lingering(Timestamp),
    Silent,
}

impl Presence {
    #[must_use]
    pub fn link_up(self) -> Self {
        match self {
            Self::There(n) => Self::There(n + 1),
            Self::Lingering(_) | Self::Silent => Self::There(1),
        }
    }

    #[must_use]
    pub fn link_lost(self, now: Timestamp) -> Self {
        match self {
            Self::There(n) if n > 1 => Self::There(n - 1),
            Self::There(_) => Self::Lingering(now),
            away => away,
        }
    }

    #[must_use]
    pub fn tick(self, now: Timestamp) -> Self {
        match self {
            Self::Lingering(since) if now.since(since) >= OFF_DELAY => Self::Silent,
            as_before => as_before,
        }
    }

    pub fn is_silent(self) -> bool {
        self == Self::Silent
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Follows the presence and notes each change that is worth telling.
    struct Watcher {
        presence: Presence,
        now: i64,
        told: Vec<bool>,
    }

    impl Watcher {
        fn of(presence: Presence) -> Self {
            Self { presence, now: 0, told: Vec::new() }
        }

        fn see(&mut self, next: Presence) {
            if next.is_silent() != self.presence.is_silent() {
                self.told.push(next.is_silent());
            }
            self.presence = next;
        }

        fn pass(&mut self, seconds: i64) {
            for _ in 0..seconds {
                self.now += 1000;
                self.see(self.presence.tick(Timestamp(self.now)));
            }
        }
    }

    #[test]
    fn fault_n5_a_link_that_flaps_for_ten_minutes_is_told_at_most_once() {
        for (start, up_s, down_s) in
            [(Presence::There(1), 3, 3), (Presence::Silent, 3, 3), (Presence::There(1), 1, 29)]
        {
            let mut w = Watcher::of(start);
            while w.now < 600_000 {
                if w.presence != Presence::There(1) {
                    w.see(w.presence.link_up());
                }
                w.pass(up_s);
                w.see(w.presence.link_lost(Timestamp(w.now)));
                w.pass(down_s);
            }
            assert!(!w.told.contains(&true), "{:?}", w.told);
            assert!(w.told.len() <= 1, "{:?}", w.told);
        }
    }

    #[test]
    fn a_gateway_that_stays_away_is_told_once_and_its_return_once() {
        let mut w = Watcher::of(Presence::There(1).link_lost(Timestamp(0)));
        w.pass(300);
        assert_eq!(w.told, [true]);
        w.see(w.presence.link_up());
        assert_eq!((w.presence, w.told), (Presence::There(1), vec![true, false]));
    }

    #[test]
    fn the_end_of_a_replaced_connection_is_no_loss() {
        let two = Presence::There(1).link_up();
        assert_eq!(two.link_lost(Timestamp(1)), Presence::There(1));
    }
}
