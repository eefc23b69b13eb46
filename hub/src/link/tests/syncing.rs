//! Batches, watermarks, epochs; what is promised when somebody dies in between.

use std::time::Duration;

use steward_shared::alarm::{Event, EventKind};
use steward_shared::id::{BufferId, EventId, PointNo, RandomIds};
use steward_shared::reading::{Quality, Value};
use steward_shared::time::Timestamp;
use steward_shared::wire::frame::to_cbor;
use steward_shared::wire::message::{ControlDown, Lane, LaneDown, LiveSample, LiveSamples};

use super::super::endpoint::code;
use super::edge::{Hub, NOW, body, closed, eventually, hear, tables};
use crate::kernel::db::testing::{fresh_databases, fresh_sqlite};
use crate::telemetry::Sample;

fn sample(second: i64, v: f64) -> Sample {
    Sample { at: Timestamp(NOW + second * 1000), value: Some(Value::Number(v)), quality: Quality::Good }
}

#[tokio::test]
async fn fault_y1_a_batch_whose_ack_was_lost_is_sent_again_and_stored_once() {
    for test in fresh_databases().await {
        let hub = Hub::on(&test).await;
        let papers = hub.enrolled("east").await;
        let buffer = BufferId::new(&RandomIds);
        let first = body(&[(0, 1.0), (10, 2.0)]);
        let session = hub.session(&papers, buffer, 1).await;
        let mut lane = session.lane(Lane::Live).await;
        lane.send(1, first.0, first.1.clone()).await;
        // Committed; the ack is never read.
        eventually("the batch is committed", async || hub.count("frame").await == 1).await;
        session.connection.close(0_u32.into(), b"");
        drop((lane, session));

        let session = hub.session(&papers, buffer, 1).await;
        assert_eq!((session.welcome.as_ref().unwrap().epoch, session.mark(Lane::Live)), (1, 1));
        let mut lane = session.lane(Lane::Live).await;
        assert_eq!(lane.ask(1, first).await, LaneDown::Ack(1));
        assert_eq!(lane.ask(2, body(&[(20, 3.0)])).await, LaneDown::Ack(2));
        assert_eq!(hub.count("frame").await, 2);
        let point = hub.point(papers.gateway, "power").await;
        assert_eq!(hub.history(&point).await, [sample(0, 1.0), sample(10, 2.0), sample(20, 3.0)]);
    }
}

#[tokio::test]
async fn fault_y2_what_is_not_committed_is_not_acknowledged_and_is_sent_again() {
    for test in fresh_databases().await {
        tables(&test.db).await;
        let hub = Hub::start(test.db.clone(), test.dir.path(), false).await;
        let papers = hub.enrolled("east").await;
        let buffer = BufferId::new(&RandomIds);
        let batch = body(&[(0, 1.0)]);
        let session = hub.session(&papers, buffer, 1).await;
        let mut lane = session.lane(Lane::Live).await;
        lane.send(1, batch.0, batch.1.clone()).await;
        let mut header = [0];
        let answer =
            tokio::time::timeout(Duration::from_millis(300), lane.recv.read_exact(&mut header)).await;
        assert!(answer.is_err(), "nothing is answered before the commit");
        drop((lane, session, hub));

        let hub = Hub::start(test.db.clone(), test.dir.path(), true).await;
        assert_eq!(hub.count("frame").await, 0);
        let session = hub.session(&papers, buffer, 1).await;
        assert_eq!(session.mark(Lane::Live), 0);
        assert_eq!(session.lane(Lane::Live).await.ask(1, batch).await, LaneDown::Ack(1));
        assert_eq!(hub.count("frame").await, 1);
    }
}

#[tokio::test]
async fn fault_y5_a_gateway_with_an_empty_database_begins_an_epoch_and_history_stays() {
    for test in fresh_databases().await {
        let hub = Hub::on(&test).await;
        let papers = hub.enrolled("east").await;
        let session = hub.session(&papers, BufferId::new(&RandomIds), 0).await;
        assert_eq!(session.lane(Lane::Live).await.ask(1, body(&[(0, 1.0)])).await, LaneDown::Ack(1));
        let before = hub.point(papers.gateway, "power").await;
        session.connection.close(0_u32.into(), b"");
        drop(session);

        let session = hub.session(&papers, BufferId::new(&RandomIds), 0).await;
        assert_eq!((session.welcome.as_ref().unwrap().epoch, session.mark(Lane::Live)), (2, 0));
        assert_eq!(session.lane(Lane::Live).await.ask(1, body(&[(10, 2.0)])).await, LaneDown::Ack(1));
        let after = hub.point(papers.gateway, "power").await;
        assert_eq!(before.id, after.id);
        assert_eq!(hub.history(&after).await, [sample(0, 1.0), sample(10, 2.0)]);
        let began = hub.events(papers.gateway, "epoch_began").await;
        assert!(began[0].detail.contains("new_buffer"), "{}", began[0].detail);
    }
}

#[tokio::test]
async fn fault_y4_a_restored_database_begins_an_epoch_and_overwrites_nothing() {
    let test = fresh_sqlite().await;
    let hub = Hub::on(&test).await;
    let papers = hub.enrolled("east").await;
    let buffer = BufferId::new(&RandomIds);
    let session = hub.session(&papers, buffer, 0).await;
    let mut lane = session.lane(Lane::Live).await;
    for seq in 1..=3 {
        assert_eq!(lane.ask(seq, body(&[(seq as i64, seq as f64)])).await, LaneDown::Ack(seq));
    }
    session.connection.close(0_u32.into(), b"");
    let session = hub.session(&papers, buffer, 1).await;
    assert_eq!((session.welcome.as_ref().unwrap().epoch, session.mark(Lane::Live)), (2, 0));
    assert_eq!(session.lane(Lane::Live).await.ask(1, body(&[(9, 9.0)])).await, LaneDown::Ack(1));
    let point = hub.point(papers.gateway, "power").await;
    assert_eq!(hub.history(&point).await, [sample(1, 1.0), sample(2, 2.0), sample(3, 3.0), sample(9, 9.0)]);
}

#[tokio::test]
async fn a_gap_is_answered_with_the_watermark_and_nothing_is_applied() {
    let test = fresh_sqlite().await;
    let hub = Hub::on(&test).await;
    let papers = hub.enrolled("east").await;
    let session = hub.session(&papers, BufferId::new(&RandomIds), 0).await;
    let mut lane = session.lane(Lane::Live).await;
    assert_eq!(lane.ask(1, body(&[(0, 1.0)])).await, LaneDown::Ack(1));
    assert_eq!(lane.ask(3, body(&[(20, 3.0)])).await, LaneDown::Nack(1));
    assert_eq!(hub.count("frame").await, 1);
    assert_eq!(lane.ask(2, body(&[(10, 2.0)])).await, LaneDown::Ack(2));
    assert_eq!(lane.ask(3, body(&[(20, 3.0)])).await, LaneDown::Ack(3));
}

#[tokio::test]
async fn a_poisoned_batch_is_kept_aside_and_what_follows_goes_on() {
    let test = fresh_sqlite().await;
    let hub = Hub::on(&test).await;
    let papers = hub.enrolled("east").await;
    let session = hub.session(&papers, BufferId::new(&RandomIds), 0).await;
    let mut lane = session.lane(Lane::Live).await;
    let LaneDown::Quarantined(q) = lane.ask(1, (1, vec![0xff; 40])).await else { panic!("not quarantined") };
    assert_eq!(q.seq, 1);
    let counted = body(&[(0, 1.0)]);
    assert!(matches!(lane.ask(2, (7, counted.1)).await, LaneDown::Quarantined(_)), "a wrong count");
    assert_eq!(lane.ask(3, body(&[(0, 1.0)])).await, LaneDown::Ack(3));
    assert_eq!((hub.count("quarantine").await, hub.count("frame").await), (2, 1));
    assert_eq!(hub.events(papers.gateway, "batch_quarantined").await.len(), 2);
}

#[tokio::test]
async fn one_sequence_with_two_contents_is_a_security_event() {
    let test = fresh_sqlite().await;
    let hub = Hub::on(&test).await;
    let papers = hub.enrolled("east").await;
    let session = hub.session(&papers, BufferId::new(&RandomIds), 0).await;
    let mut lane = session.lane(Lane::Live).await;
    assert_eq!(lane.ask(1, body(&[(0, 1.0)])).await, LaneDown::Ack(1));
    assert!(matches!(lane.ask(1, body(&[(0, 2.0)])).await, LaneDown::Quarantined(_)));
    let point = hub.point(papers.gateway, "power").await;
    assert_eq!(hub.history(&point).await, [sample(0, 1.0)]);
    let told = hub.events(papers.gateway, "batch_forked").await;
    assert_eq!((told.len(), told[0].security), (1, true));
}

#[tokio::test]
async fn an_event_is_kept_once() {
    for test in fresh_databases().await {
        let hub = Hub::on(&test).await;
        let papers = hub.enrolled("east").await;
        let session = hub.session(&papers, BufferId::new(&RandomIds), 0).await;
        let event = Event {
            id: EventId::new(&RandomIds),
            at: Timestamp(NOW),
            kind: EventKind::DeviceSilent,
            active: true,
            line: Some("tcp".into()),
            device: Some("meter".into()),
            detail: "three polls without an answer".into(),
        };
        let item = (1, to_cbor(&event).unwrap());
        let mut lane = session.lane(Lane::Alarm).await;
        assert_eq!(lane.ask(1, item.clone()).await, LaneDown::Ack(1));
        assert_eq!(lane.ask(1, item.clone()).await, LaneDown::Ack(1));
        assert_eq!(lane.ask(2, item).await, LaneDown::Ack(2));
        assert_eq!(hub.events(papers.gateway, "device_silent").await.len(), 1);
    }
}

#[tokio::test]
async fn fault_t9_fault_h7_a_frame_of_four_gigabytes_ends_the_session_and_not_the_hub() {
    let test = fresh_sqlite().await;
    let hub = Hub::on(&test).await;
    let papers = hub.enrolled("east").await;
    let buffer = BufferId::new(&RandomIds);
    let mut session = hub.session(&papers, buffer, 0).await;
    session.send.write_all(&[0xff; 64]).await.unwrap();
    assert_eq!(closed(&session.connection).await, code::PROTOCOL.into_inner());
    let session = hub.session(&papers, buffer, 0).await;
    let mut lane = session.lane(Lane::Live).await;
    // An announced megabyte of nested arrays.
    let mut nested = (1_u32 << 20).to_be_bytes().to_vec();
    nested.resize(4 + (1 << 20), 0x81);
    lane.send.write_all(&nested).await.unwrap();
    assert_eq!(closed(&session.connection).await, code::PROTOCOL.into_inner());
    let session = hub.session(&papers, buffer, 0).await;
    assert_eq!(session.lane(Lane::Live).await.ask(1, body(&[(0, 1.0)])).await, LaneDown::Ack(1));
}

#[tokio::test]
async fn fault_t9_more_streams_than_allowed_are_never_opened() {
    let test = fresh_sqlite().await;
    let hub = Hub::on(&test).await;
    let papers = hub.enrolled("east").await;
    let session = hub.session(&papers, BufferId::new(&RandomIds), 0).await;
    let mut open = Vec::new();
    let opening = async {
        loop {
            open.push(session.connection.open_bi().await.unwrap());
        }
    };
    assert!(tokio::time::timeout(Duration::from_millis(300), opening).await.is_err());
    assert!(open.len() < 8, "{}", open.len());
}

#[tokio::test]
async fn what_is_watched_comes_by_datagram_at_once() {
    let test = fresh_sqlite().await;
    let hub = Hub::on(&test).await;
    let papers = hub.enrolled("east").await;
    let mut session = hub.session(&papers, BufferId::new(&RandomIds), 0).await;
    assert_eq!(session.lane(Lane::Live).await.ask(1, body(&[(0, 1.0)])).await, LaneDown::Ack(1));
    let point = hub.point(papers.gateway, "power").await;
    let mut bus = hub.ctx.live.watch();
    let watching = hub.readings.watch(vec![point.id]);
    let Some(ControlDown::Watch(wish)) = hear(&mut session.recv).await else { panic!("no wish") };
    assert_eq!(wish.points, [PointNo(1)]);
    let live = LiveSample {
        no: PointNo(1),
        at: Timestamp(NOW + 1000),
        value: Some(Value::Number(7.5)),
        quality: Quality::Good,
    };
    session.connection.send_datagram(to_cbor(&LiveSamples { samples: vec![live] }).unwrap().into()).unwrap();
    let told = tokio::time::timeout(Duration::from_secs(5), async {
        loop {
            let live = bus.recv().await.unwrap();
            if live.name == "value" {
                return live;
            }
        }
    });
    let told = told.await.expect("the sample within five seconds");
    assert_eq!(told.point, Some(point.id.0));
    assert!(told.json.contains("7.5"), "{}", told.json);
    assert_eq!(hub.readings.latest(point.id).unwrap(), sample(1, 7.5));
    drop(watching);
    let Some(ControlDown::Watch(wish)) = hear(&mut session.recv).await else { panic!("no end of the wish") };
    assert!(wish.points.is_empty());
}
