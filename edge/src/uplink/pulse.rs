//! While something waits for its acknowledgement, one tiny datagram a second (a list of no samples). QUIC doubles the wait
//! between its own probes, so that after a break of ten seconds the next one may come ten seconds after the link is back;
//! any packet that gets through shows at once what was lost (RFC 9002, 6.1). Alarms must not wait for that. TCP has its
//! own way, which more packets would only disturb (`tcp`).

use std::time::Duration;

use steward_shared::wire::frame::to_cbor;
use steward_shared::wire::message::LiveSamples;
use tokio::time::{MissedTickBehavior, interval};

use super::error::UplinkError;
use super::road::{Road, RoadKind};
use crate::buffer::Buffer;

const BEAT: Duration = Duration::from_secs(1);

pub(super) async fn beat(road: &Road, buffer: &Buffer) -> Result<(), UplinkError> {
    if road.kind() == RoadKind::Tcp {
        return std::future::pending().await;
    }
    let nothing = to_cbor(&LiveSamples { samples: Vec::new() })?;
    let mut beats = interval(BEAT);
    beats.set_missed_tick_behavior(MissedTickBehavior::Delay);
    loop {
        beats.tick().await;
        if buffer.stats().unacked == 0 {
            continue;
        }
        road.send_datagram(nothing.clone())?;
    }
}
