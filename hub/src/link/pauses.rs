//! Lanes that wait because nothing of what came last could be used. Pure; whoever asks hands the time in. A gateway
//! whose batches are all set aside keeps them better itself; one is let through each hour, and as many as make a pause
//! after a start of the hub, so that what is mended goes on by itself.

use std::collections::HashMap;
use std::time::Duration;

use steward_shared::id::GatewayId;
use steward_shared::time::Timestamp;
use steward_shared::wire::message::Lane;

/// So many in a row.
const IN_A_ROW: u32 = 3;
const PAUSE: Duration = Duration::from_hours(1);

#[derive(Debug, Default)]
pub struct Pauses(HashMap<(GatewayId, Lane), Bad>);

#[derive(Clone, Copy, Debug)]
struct Bad {
    in_a_row: u32,
    last: Timestamp,
}

impl Pauses {
    /// What came could be used.
    pub fn good(&mut self, gateway: GatewayId, lane: Lane) {
        self.0.remove(&(gateway, lane));
    }

    /// It was set aside. True when the lane pauses now.
    pub fn bad(&mut self, gateway: GatewayId, lane: Lane, now: Timestamp) -> bool {
        let bad = self.0.entry((gateway, lane)).or_insert(Bad { in_a_row: 0, last: now });
        *bad = Bad { in_a_row: bad.in_a_row.saturating_add(1), last: now };
        bad.in_a_row >= IN_A_ROW
    }

    pub fn is_paused(&self, gateway: GatewayId, lane: Lane, now: Timestamp) -> bool {
        self.0.get(&(gateway, lane)).is_some_and(|b| b.in_a_row >= IN_A_ROW && now.since(b.last) < PAUSE)
    }
}

#[cfg(test)]
mod tests {
    use steward_shared::id::RandomIds;

    use super::*;

    #[test]
    fn three_in_a_row_pause_a_lane_and_one_is_let_through_each_hour() {
        let gateway = GatewayId::new(&RandomIds);
        let mut pauses = Pauses::default();
        assert!(!pauses.bad(gateway, Lane::Live, Timestamp(0)));
        assert!(!pauses.bad(gateway, Lane::Live, Timestamp(0)));
        assert!(!pauses.is_paused(gateway, Lane::Live, Timestamp(0)));
        assert!(pauses.bad(gateway, Lane::Live, Timestamp(0)));
        assert!(pauses.is_paused(gateway, Lane::Live, Timestamp(3_599_999)));
        assert!(!pauses.is_paused(gateway, Lane::Alarm, Timestamp(0)), "its other lanes go on");
        assert!(!pauses.is_paused(gateway, Lane::Live, Timestamp(3_600_000)));
        assert!(pauses.bad(gateway, Lane::Live, Timestamp(3_600_000)));
        assert!(pauses.is_paused(gateway, Lane::Live, Timestamp(3_600_001)));
    }

    #[test]
    fn a_good_one_between_them_begins_the_count_anew() {
        let gateway = GatewayId::new(&RandomIds);
        let mut pauses = Pauses::default();
        for _ in 0..10 {
            assert!(!pauses.bad(gateway, Lane::Live, Timestamp(0)));
            assert!(!pauses.bad(gateway, Lane::Live, Timestamp(0)));
            pauses.good(gateway, Lane::Live);
        }
    }
}
