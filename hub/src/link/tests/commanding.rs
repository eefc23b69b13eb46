//! Gateways that know commands, and those of before.

use steward_shared::id::{BootId, BufferId, RandomIds};
use steward_shared::wire::message::{ControlDown, ControlUp, Hello, Lane, LaneState, PROTOCOL, Watermark};

use super::edge::{Hub, Session, hear, say};
use crate::kernel::db::testing::fresh_sqlite;

#[tokio::test]
async fn fault_h5_a_gateway_of_before_commands_is_not_told_of_a_lane_that_it_could_not_read() {
    let test = fresh_sqlite().await;
    let hub = Hub::on(&test).await;
    for (name, more) in
        [("old", vec![]), ("new", vec![LaneState { lane: Lane::Command, first: 1, last: 0, acked: 0 }])]
    {
        let papers = hub.enrolled(name).await;
        let mut session = Session::dial(&hub, &papers).await;
        let first = Lane::ALL.into_iter().filter(|lane| lane.is_first());
        let hello = Hello {
            protocol: PROTOCOL,
            gateway: papers.gateway,
            version: "0.1.0".into(),
            buffer: BufferId::new(&RandomIds),
            epoch: 0,
            lanes: first.map(|lane| LaneState { lane, first: 1, last: 0, acked: 0 }).collect(),
            catalogue: vec![],
            boot: BootId::new(&RandomIds),
            now: session.now,
            more_lanes: more.clone(),
        };
        say(&mut session.send, &ControlUp::Hello(hello)).await;
        let Some(ControlDown::Welcome(welcome)) = hear(&mut session.recv).await else { panic!("no welcome") };
        let told = welcome.watermarks.contains(&Watermark { lane: Lane::Command, seq: 0 });
        assert_eq!((told, welcome.watermarks.len()), (!more.is_empty(), 3 + more.len()), "{name}");
    }
}
