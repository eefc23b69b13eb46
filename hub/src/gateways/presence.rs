//! Whether a gateway is there. Pure. A link that is lost for less than the off-delay changes nothing, so that a
//! flapping link neither blinks on pages nor pages people.
//!
//! | state | link up | link lost | off-delay over |
//! |---|---|---|---|
//! | there | there | lingering | - |
//! | lingering | there | lingering | silent: tell |
//! | silent | there: tell | silent | silent |

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

/// What is worth telling.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Change {
    Back,
    FellSilent,
}

impl Presence {
    #[must_use]
    pub fn link_up(self) -> (Self, Option<Change>) {
        match self {
            Self::There(n) => (Self::There(n + 1), None),
            Self::Lingering(_) => (Self::There(1), None),
            Self::Silent => (Self::There(1), Some(Change::Back)),
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
    pub fn tick(self, now: Timestamp) -> (Self, Option<Change>) {
        match self {
            Self::Lingering(since) if now.since(since) >= OFF_DELAY => {
                (Self::Silent, Some(Change::FellSilent))
            }
            as_before => (as_before, None),
        }
    }

    pub fn is_online(self) -> bool {
        !matches!(self, Self::Silent)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fault_n5_a_link_that_flaps_for_ten_minutes_is_told_at_most_once() {
        for (start, up_s, down_s) in
            [(Presence::There(1), 3, 3), (Presence::Silent, 3, 3), (Presence::There(1), 1, 29)]
        {
            let (mut presence, mut told, mut now) = (start, Vec::new(), 0_i64);
            let mut tick = |presence: &mut Presence, seconds: i64, told: &mut Vec<Change>| {
                for _ in 0..seconds {
                    now += 1000;
                    let (next, change) = presence.tick(Timestamp(now));
                    *presence = next;
                    told.extend(change);
                }
                Timestamp(now)
            };
            let mut elapsed = 0;
            while elapsed < 600 {
                if presence != Presence::There(1) {
                    let (next, change) = presence.link_up();
                    presence = next;
                    told.extend(change);
                }
                let at = tick(&mut presence, up_s, &mut told);
                presence = presence.link_lost(at);
                tick(&mut presence, down_s, &mut told);
                elapsed += up_s + down_s;
            }
            assert!(!told.contains(&Change::FellSilent), "{told:?}");
            assert!(told.len() <= 1, "{told:?}");
        }
    }

    #[test]
    fn a_gateway_that_stays_away_is_told_once_and_its_return_once() {
        let mut presence = Presence::There(1).link_lost(Timestamp(0));
        let mut told = Vec::new();
        for s in 1..=300 {
            let (next, change) = presence.tick(Timestamp(s * 1000));
            presence = next;
            told.extend(change);
        }
        assert_eq!(told, [Change::FellSilent]);
        let (presence, change) = presence.link_up();
        assert_eq!((presence, change), (Presence::There(1), Some(Change::Back)));
    }

    #[test]
    fn the_end_of_a_replaced_connection_is_no_loss() {
        let (two, _) = Presence::There(1).link_up();
        assert_eq!(two.link_lost(Timestamp(1)), Presence::There(1));
    }
}
