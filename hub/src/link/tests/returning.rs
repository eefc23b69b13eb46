//! All gateways at once, after a hub that died is back.

use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use steward_shared::alarm::{Event, EventKind};
use steward_shared::id::{BufferId, EventId, RandomIds};
use steward_shared::time::Timestamp;
use steward_shared::wire::frame::to_cbor;
use steward_shared::wire::message::{Lane, LaneDown};
use tokio::time::Instant;

use super::super::endpoint::RETRY_FROM;
use super::edge::{Hub, Mortal, NOW, Papers, body};
use crate::kernel::db::testing::fresh_sqlite;

/// Enough that those who come last must show their address first.
const GATEWAYS: usize = RETRY_FROM + 44;
const ALL_BACK: Duration = Duration::from_mins(1);

async fn enrol_all(hub: &Hub) -> Vec<(Papers, BufferId)> {
    let mut all = Vec::new();
    for i in 0..GATEWAYS {
        if i % 5 == 0 {
            // More of one address in a minute are slowed down.
            hub.clock.advance(Duration::from_mins(1));
        }
        all.push((hub.enrolled(&format!("g{i}")).await, BufferId::new(&RandomIds)));
    }
    all
}

/// Connects, sends an alarm and then readings; gives when each was acknowledged, since all began.
async fn comes(hub: &Hub, papers: &Papers, buffer: BufferId, seq: u64, begun: Instant) -> [Duration; 2] {
    let session = hub.session(papers, buffer, seq - 1).await;
    let event = Event {
        id: EventId::new(&RandomIds),
        at: Timestamp(NOW),
        kind: EventKind::LineDown,
        active: true,
        line: Some("drives".into()),
        device: None,
        detail: String::new(),
        about: None,
    };
    let (mut alarms, mut live) = (session.lane(Lane::Alarm).await, session.lane(Lane::Live).await);
    let batch = body(&[(seq as i64, 1.0)]);
    live.send(seq, batch.0, batch.1).await;
    assert_eq!(alarms.ask(seq, (1, to_cbor(&event).unwrap())).await, LaneDown::Ack(seq));
    let alarmed = begun.elapsed();
    assert_eq!(live.answer().await, LaneDown::Ack(seq));
    [alarmed, begun.elapsed()]
}

async fn all_come(hub: &Hub, all: &[(Papers, BufferId)], seq: u64) {
    let begun = Instant::now();
    let took = join_all(all.iter().map(|(papers, buffer)| comes(hub, papers, *buffer, seq, begun))).await;
    let slowest = took.iter().flatten().max().unwrap();
    assert!(*slowest < ALL_BACK, "the last one was back after {slowest:?}");
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fault_n11_hundreds_of_gateways_that_come_at_once_to_a_hub_that_is_back_are_served_within_a_minute() {
    let test = fresh_sqlite().await;
    let mortal = Mortal::on(&test).await;
    let all = enrol_all(&mortal.hub).await;
    let now = mortal.hub.clock.clone();
    all_come(&mortal.hub, &all, 1).await;
    mortal.kill().await;
    let hub = Arc::new(Hub::on(&test).await);
    hub.clock.set(steward_shared::time::Clock::now(now.as_ref()));
    all_come(&hub, &all, 2).await;
    assert_eq!(hub.count("frame").await, 2 * GATEWAYS as i64);
    for (papers, _) in &all {
        assert_eq!(hub.events(papers.gateway, "line_down").await.len(), 2);
        assert!(hub.events(papers.gateway, "cloned_gateway").await.is_empty());
    }
}
