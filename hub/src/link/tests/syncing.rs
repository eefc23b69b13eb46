//! Batches, watermarks, epochs; what is promised when somebody dies in between.

use std::collections::BTreeMap;
use std::time::Duration;

use quinn::TransportConfig;
use sha2::{Digest, Sha256};
use steward_shared::alarm::{About, Event, EventKind};
use steward_shared::id::{BufferId, EventId, PointNo, RandomIds};
use steward_shared::reading::{Quality, Value};
use steward_shared::time::Timestamp;
use steward_shared::wire::frame::{HEADER, to_cbor};
use steward_shared::wire::message::{
    ControlDown, ControlUp, Health, Known, Lane, LaneDown, LiveSample, LiveSamples,
};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};

use super::super::road::code;
use super::edge::{Hub, LaneStream, Mortal, NOW, body, body_of, catalogue, closed, hear, say};
use super::wire::{Way, over_both_roads};
use crate::kernel::db::DbError;
use crate::kernel::db::testing::{TestDb, fresh_databases, fresh_sqlite};
use crate::telemetry::Sample;
use crate::testing::eventually;

fn sample(second: i64, v: f64) -> Sample {
    Sample { at: Timestamp(NOW + second * 1000), value: Some(Value::Number(v)), quality: Quality::Good }
}

/// Of a gateway that takes so few bytes of an answer until it reads them.
fn narrow_link(window: u32) -> TransportConfig {
    let mut link = TransportConfig::default();
    link.stream_receive_window(window.into());
    link
}

/// Whether a whole answer has come. From a hub that is dead nothing more can.
async fn has_answer(lane: &mut LaneStream) -> bool {
    let mut answer = [0; HEADER + 1];
    tokio::time::timeout(Duration::from_millis(200), lane.recv.read_exact(&mut answer)).await.is_ok()
}

async fn count(test: &TestDb, table: &str) -> i64 {
    test.db.one::<i64>(&format!("select count(*) as n from {table}"), vec![]).await.unwrap().unwrap()
}

#[tokio::test]
async fn fault_y1_a_hub_that_dies_between_commit_and_ack_gets_the_batch_again_and_stores_it_once() {
    for test in fresh_databases().await {
        let mortal = Mortal::on(&test).await;
        let papers = mortal.hub.enrolled("east").await;
        let buffer = BufferId::new(&RandomIds);
        let first = body(&[(0, 1.0), (10, 2.0)]);
        // The ack does not fit what the gateway takes, so that it stays at the hub.
        let session = mortal.hub.session_over(&papers, buffer, 1, narrow_link(HEADER as u32)).await;
        let mut lane = session.lane(Lane::Live).await;
        lane.send(1, first.0, first.1.clone()).await;
        eventually("the batch is committed", async || count(&test, "frame").await == 1).await;
        mortal.kill().await;
        assert!(!has_answer(&mut lane).await, "no ack came");
        drop((lane, session));

        let hub = Hub::on(&test).await;
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
async fn fault_y2_a_hub_that_dies_between_receive_and_commit_has_acknowledged_nothing_and_gets_it_again() {
    for test in fresh_databases().await {
        let mortal = Mortal::on(&test).await;
        let papers = mortal.hub.enrolled("east").await;
        let buffer = BufferId::new(&RandomIds);
        let batch = body(&[(0, 1.0)]);
        let session = mortal.hub.session(&papers, buffer, 1).await;
        let mut lane = session.lane(Lane::Live).await;
        eventually("the catalogue is stored", async || count(&test, "point").await == 2).await;
        // Another writer is in the way, so that nothing can be committed.
        let (let_go, gone) = tokio::sync::watch::channel(false);
        let (db, (there, is_there)) = (test.db.clone(), tokio::sync::watch::channel(false));
        let in_the_way = tokio::spawn(async move {
            db.tx(async |tx| {
                if tx.is_postgres() {
                    tx.execute("lock table frame in exclusive mode", vec![]).await?;
                }
                there.send_replace(true);
                let _ = gone.clone().wait_for(|gone| *gone).await;
                Ok::<_, DbError>(())
            })
            .await
        });
        is_there.clone().wait_for(|there| *there).await.unwrap();
        lane.send(1, batch.0, batch.1.clone()).await;
        let readings = mortal.hub.readings.clone();
        eventually("the batch is received", async || readings.unpacked_now() > 0).await;
        drop(readings);
        mortal.kill().await;
        let_go.send_replace(true);
        in_the_way.await.unwrap().unwrap();
        assert!(!has_answer(&mut lane).await, "nothing is answered before the commit");
        assert_eq!(count(&test, "frame").await, 0);
        drop((lane, session));

        let hub = Hub::on(&test).await;
        let session = hub.session(&papers, buffer, 1).await;
        assert_eq!(session.mark(Lane::Live), 0);
        assert_eq!(session.lane(Lane::Live).await.ask(1, batch).await, LaneDown::Ack(1));
        assert_eq!(hub.count("frame").await, 1);
    }
}

async fn fault_y5_a_gateway_with_an_empty_database_begins_an_epoch_and_history_stays(way: Way) {
    for test in fresh_databases().await {
        let hub = Hub::on(&test).await.by(way);
        let papers = hub.enrolled("east").await;
        let session = hub.session(&papers, BufferId::new(&RandomIds), 0).await;
        assert_eq!(session.lane(Lane::Live).await.ask(1, body(&[(0, 1.0)])).await, LaneDown::Ack(1));
        let before = hub.point(papers.gateway, "power").await;
        session.connection.close();
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

async fn fault_y4_a_restored_database_begins_an_epoch_and_overwrites_nothing(way: Way) {
    let test = fresh_sqlite().await;
    let hub = Hub::on(&test).await.by(way);
    let papers = hub.enrolled("east").await;
    let buffer = BufferId::new(&RandomIds);
    let session = hub.session(&papers, buffer, 0).await;
    let mut lane = session.lane(Lane::Live).await;
    let mut newest = Vec::new();
    for seq in 1..=3 {
        let (count, bytes) = body(&[(seq as i64, seq as f64)]);
        newest = Sha256::digest(&bytes).to_vec();
        assert_eq!(lane.ask(seq, (count, bytes)).await, LaneDown::Ack(seq));
    }
    session.connection.close();
    // One that wrote on since it was restored learns what the hub has in the place of what it wrote.
    let session = hub.session(&papers, buffer, 5).await;
    let welcome = session.welcome.as_ref().unwrap();
    let known = Known { lane: Lane::Live, hash: newest[..8].to_vec() };
    assert_eq!((welcome.epoch, session.mark(Lane::Live), &welcome.known), (1, 3, &vec![known]));
    session.connection.close();
    let session = hub.session(&papers, buffer, 1).await;
    assert_eq!((session.welcome.as_ref().unwrap().epoch, session.mark(Lane::Live)), (2, 0));
    assert_eq!(session.lane(Lane::Live).await.ask(1, body(&[(9, 9.0)])).await, LaneDown::Ack(1));
    let point = hub.point(papers.gateway, "power").await;
    assert_eq!(hub.history(&point).await, [sample(1, 1.0), sample(2, 2.0), sample(3, 3.0), sample(9, 9.0)]);
}

async fn fault_y8_a_gap_is_answered_with_the_watermark_and_nothing_is_applied(way: Way) {
    let test = fresh_sqlite().await;
    let hub = Hub::on(&test).await.by(way);
    let papers = hub.enrolled("east").await;
    let session = hub.session(&papers, BufferId::new(&RandomIds), 0).await;
    let mut lane = session.lane(Lane::Live).await;
    assert_eq!(lane.ask(1, body(&[(0, 1.0)])).await, LaneDown::Ack(1));
    assert_eq!(lane.ask(3, body(&[(20, 3.0)])).await, LaneDown::Nack(1));
    assert_eq!(hub.count("frame").await, 1);
    assert_eq!(lane.ask(2, body(&[(10, 2.0)])).await, LaneDown::Ack(2));
    assert_eq!(lane.ask(3, body(&[(20, 3.0)])).await, LaneDown::Ack(3));
}

async fn fault_y9_a_poisoned_batch_is_kept_aside_and_what_follows_goes_on(way: Way) {
    let test = fresh_sqlite().await;
    let hub = Hub::on(&test).await.by(way);
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

async fn fault_y7_one_sequence_with_two_contents_is_a_security_event(way: Way) {
    let test = fresh_sqlite().await;
    let hub = Hub::on(&test).await.by(way);
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

async fn an_event_is_kept_once(way: Way) {
    for test in fresh_databases().await {
        let hub = Hub::on(&test).await.by(way);
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
            about: None,
        };
        let item = (1, to_cbor(&event).unwrap());
        let mut lane = session.lane(Lane::Alarm).await;
        assert_eq!(lane.ask(1, item.clone()).await, LaneDown::Ack(1));
        assert_eq!(lane.ask(1, item.clone()).await, LaneDown::Ack(1));
        assert_eq!(lane.ask(2, item).await, LaneDown::Ack(2));
        assert_eq!(hub.events(papers.gateway, "device_silent").await.len(), 1);
    }
}

async fn the_facts_of_a_gateways_event_are_kept_within_bounds(way: Way) {
    for test in fresh_databases().await {
        let hub = Hub::on(&test).await.by(way);
        let papers = hub.enrolled("east").await;
        let session = hub.session(&papers, BufferId::new(&RandomIds), 0).await;
        let mut facts: BTreeMap<String, String> =
            [("object", "supply (analog-input 1)"), ("state", "high-limit"), ("text", "too\nhot")]
                .map(|(name, fact)| (name.to_owned(), fact.to_owned()))
                .into();
        facts.extend((0..100).map(|i| (format!("x{i}"), "y".repeat(10_000))));
        let event = Event {
            id: EventId::new(&RandomIds),
            at: Timestamp(NOW),
            kind: EventKind::DeviceAlarm,
            active: true,
            line: Some("bms".into()),
            device: Some("ahu".into()),
            detail: "ahu supply (analog-input 1): high-limit: too hot".into(),
            about: Some(About { object: "analog-input 1".into(), facts }),
        };
        let mut lane = session.lane(Lane::Alarm).await;
        assert_eq!(lane.ask(1, (1, to_cbor(&event).unwrap())).await, LaneDown::Ack(1));
        let kept = hub.events(papers.gateway, "device_alarm").await;
        let facts: serde_json::Value = serde_json::from_str(&kept[0].facts).unwrap();
        assert_eq!((&facts["state"], &facts["text"]), (&"high-limit".into(), &"toohot".into()));
        assert_eq!(facts.as_object().unwrap().len(), 8);
        assert!(kept[0].facts.len() < 8 * 1024);
    }
}

async fn fault_t9_fault_h7_a_frame_of_four_gigabytes_ends_the_session_and_not_the_hub(way: Way) {
    let test = fresh_sqlite().await;
    let hub = Hub::on(&test).await.by(way);
    let papers = hub.enrolled("east").await;
    let buffer = BufferId::new(&RandomIds);
    let mut session = hub.session(&papers, buffer, 0).await;
    session.send.write_all(&[0xff; 64]).await.unwrap();
    assert_eq!(closed(&session.connection).await, code::PROTOCOL);
    let session = hub.session(&papers, buffer, 0).await;
    let mut lane = session.lane(Lane::Live).await;
    // An announced megabyte of nested arrays.
    let mut nested = (1_u32 << 20).to_be_bytes().to_vec();
    nested.resize(4 + (1 << 20), 0x81);
    lane.send.write_all(&nested).await.unwrap();
    assert_eq!(closed(&session.connection).await, code::PROTOCOL);
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

async fn what_is_watched_comes_by_datagram_at_once(way: Way) {
    let test = fresh_sqlite().await;
    let hub = Hub::on(&test).await.by(way);
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
    session.connection.send_datagram(to_cbor(&LiveSamples { samples: vec![live] }).unwrap());
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

async fn an_item_of_the_alarm_lane_that_is_no_single_event_is_set_aside(way: Way) {
    let test = fresh_sqlite().await;
    let hub = Hub::on(&test).await.by(way);
    let papers = hub.enrolled("east").await;
    let session = hub.session(&papers, BufferId::new(&RandomIds), 0).await;
    let mut lane = session.lane(Lane::Alarm).await;
    let event = Event {
        id: EventId::new(&RandomIds),
        at: Timestamp(NOW),
        kind: EventKind::Started,
        active: true,
        line: None,
        device: None,
        detail: String::new(),
        about: None,
    };
    let item = to_cbor(&event).unwrap();
    assert!(matches!(lane.ask(1, (2, item.clone())).await, LaneDown::Quarantined(_)), "a wrong count");
    lane.send_hashed(2, 1, item.clone(), vec![7; 32]).await;
    assert!(matches!(lane.answer().await, LaneDown::Quarantined(_)), "a wrong hash");
    assert_eq!(lane.ask(3, (1, item)).await, LaneDown::Ack(3));
    assert_eq!(hub.events(papers.gateway, "started").await.len(), 1);
}

async fn fault_y9_a_lane_whose_batches_are_all_set_aside_pauses_and_the_others_go_on(way: Way) {
    let test = fresh_sqlite().await;
    let hub = Hub::on(&test).await.by(way);
    let papers = hub.enrolled("east").await;
    let buffer = BufferId::new(&RandomIds);
    let session = hub.session(&papers, buffer, 0).await;
    let mut lane = session.lane(Lane::Live).await;
    for seq in 1..=3 {
        assert!(matches!(lane.ask(seq, (1, vec![0xff; 40])).await, LaneDown::Quarantined(_)));
    }
    let mut other = session.lane(Lane::Backfill).await;
    lane.send(4, 1, vec![0xff; 40]).await;
    assert_eq!(other.ask(1, body(&[(0, 1.0)])).await, LaneDown::Ack(1));
    assert_eq!(closed(&session.connection).await, code::PAUSED);
    assert_eq!(
        (hub.count("quarantine").await, hub.events(papers.gateway, "lane_paused").await.len()),
        (3, 1)
    );
    // After an hour one is let through; it is a good one, and all goes on.
    hub.clock.advance(Duration::from_hours(1));
    let session = hub.session(&papers, buffer, 9).await;
    assert_eq!(session.mark(Lane::Live), 3);
    let mut lane = session.lane(Lane::Live).await;
    for seq in 4..=6 {
        assert_eq!(lane.ask(seq, body(&[(seq as i64, 1.0)])).await, LaneDown::Ack(seq));
    }
}

async fn fault_c3_fault_c6_where_clocks_differ_by_days_the_gateway_keeps_its_readings_until_they_agree(
    way: Way,
) {
    let test = fresh_sqlite().await;
    let hub = Hub::on(&test).await.by(way);
    // Here it is the hub's clock that is wrong.
    hub.clock.set(Timestamp(NOW - 3 * 86_400_000));
    let papers = hub.enrolled("east").await;
    let buffer = BufferId::new(&RandomIds);
    let batch = body(&[(0, 1.0)]);
    for _ in 0..2 {
        let session = hub.session(&papers, buffer, 1).await;
        session.lane(Lane::Live).await.send(1, batch.0, batch.1.clone()).await;
        assert_eq!(closed(&session.connection).await, code::CLOCK);
    }
    assert_eq!((hub.count("quarantine").await, hub.count("frame").await), (0, 0));
    let told = hub.events(papers.gateway, "clock_differs").await;
    assert_eq!(told.len(), 1);
    assert!(told[0].detail.contains("72 h 0 min 0 s ahead"), "{}", told[0].detail);
    hub.clock.set(Timestamp(NOW));
    let session = hub.session(&papers, buffer, 1).await;
    assert_eq!(session.mark(Lane::Live), 0);
    assert_eq!(session.lane(Lane::Live).await.ask(1, batch).await, LaneDown::Ack(1));
}

async fn fault_c3_what_a_clock_said_that_is_right_again_is_left_out_and_holds_nothing_up(way: Way) {
    for test in fresh_databases().await {
        let hub = Hub::on(&test).await.by(way);
        let papers = hub.enrolled("east").await;
        let mut session = hub.session(&papers, BufferId::new(&RandomIds), 1).await;
        let mut lane = session.lane(Lane::Live).await;
        // Its clock was three days ahead, and before that in 1970, for a while; the last ones are of the change.
        let wrong = |seq: i64| if seq % 2 == 0 { 3 * 86_400 + seq } else { seq - NOW / 1000 };
        for seq in 1..=60_i64 {
            let (count, body) =
                if seq < 50 { body(&[(wrong(seq), 1.0)]) } else { body(&[(seq, 2.0), (wrong(seq), 1.0)]) };
            lane.send(seq as u64, count, body).await;
        }
        // Its health says each time that its clock agrees with the hub's.
        let health = ControlUp::Health(Health { at: Timestamp(NOW), ..Health::default() });
        for seq in 1..=60 {
            let mut answer = std::pin::pin!(lane.answer());
            let answer = loop {
                say(&mut session.send, &health).await;
                if let Ok(answer) = tokio::time::timeout(Duration::from_millis(50), &mut answer).await {
                    break answer;
                }
            };
            assert_eq!(answer, LaneDown::Ack(seq));
        }
        assert_eq!(lane.ask(61, body(&[(61, 2.0)])).await, LaneDown::Ack(61));
        assert!(hub.events(papers.gateway, "lane_paused").await.is_empty());
        let told = hub.events(papers.gateway, "readings_out_of_time").await;
        assert_eq!(told.len(), 1, "once an hour");
        assert!(
            told[0].detail.contains("1 readings of one batch, the first of 1970-01-01"),
            "{}",
            told[0].detail
        );
        assert_eq!(hub.count("quarantine").await, 60, "they are kept as they came");
        // What is stored is without them, for the next hub program too.
        let point = hub.point(papers.gateway, "power").await;
        let good: Vec<Sample> = (50..=61).map(|second| sample(second, 2.0)).collect();
        for hub in [&hub, &Hub::start(test.db.clone(), test.dir.path()).await.by(way)] {
            let all = hub.readings.samples(&point, Timestamp(0), Timestamp(NOW + 7 * 86_400_000)).await;
            assert_eq!(all.unwrap(), good);
        }
    }
}

async fn fault_c3_a_reading_of_an_hour_ahead_is_kept_and_is_nobodys_latest_value(way: Way) {
    let test = fresh_sqlite().await;
    let hub = Hub::on(&test).await.by(way);
    let papers = hub.enrolled("east").await;
    let session = hub.session(&papers, BufferId::new(&RandomIds), 1).await;
    let batch = body(&[(0, 1.0), (3600, 99.0)]);
    assert_eq!(session.lane(Lane::Live).await.ask(1, batch).await, LaneDown::Ack(1));
    let point = hub.point(papers.gateway, "power").await;
    assert_eq!(hub.readings.latest(point.id), Some(sample(0, 1.0)));
    assert_eq!(hub.history(&point).await.len(), 2);
}

async fn a_catalogue_that_comes_after_the_batch_that_needs_it_is_waited_for(way: Way) {
    let test = fresh_sqlite().await;
    let hub = Hub::on(&test).await.by(way);
    let papers = hub.enrolled("east").await;
    let mut session = hub.session(&papers, BufferId::new(&RandomIds), 0).await;
    let mut lane = session.lane(Lane::Live).await;
    assert_eq!(lane.ask(1, body(&[(0, 1.0)])).await, LaneDown::Ack(1));
    let new = body_of(7, &[(10, 2.0)]);
    lane.send(2, new.0, new.1).await;
    let mut more = catalogue();
    let (mut seventh, key) = (more.points[0].clone(), "reserve".to_owned());
    (seventh.no, seventh.key) = (PointNo(7), key.clone());
    more.points.push(seventh);
    say(&mut session.send, &ControlUp::Catalogue(more)).await;
    assert_eq!(lane.answer().await, LaneDown::Ack(2));
    let point = hub.point(papers.gateway, &key).await;
    assert_eq!(hub.history(&point).await, [sample(10, 2.0)]);
}

async fn while_the_store_takes_nothing_a_lane_is_asked_to_offer_again_and_the_session_lives(way: Way) {
    for test in fresh_databases().await {
        let hub = Hub::on(&test).await.by(way);
        let papers = hub.enrolled("east").await;
        let session = hub.session(&papers, BufferId::new(&RandomIds), 0).await;
        let (mut live, mut alarms) = (session.lane(Lane::Live).await, session.lane(Lane::Alarm).await);
        assert_eq!(live.ask(1, body(&[(0, 1.0)])).await, LaneDown::Ack(1));
        let event = Event {
            id: EventId::new(&RandomIds),
            at: Timestamp(NOW),
            kind: EventKind::Started,
            active: true,
            line: None,
            device: None,
            detail: String::new(),
            about: None,
        };
        let event = (1, to_cbor(&event).unwrap());
        // Both lanes need the watermarks.
        test.db.execute("alter table watermark rename column seq to away", vec![]).await.unwrap();
        assert_eq!(live.ask(2, body(&[(10, 2.0)])).await, LaneDown::Nack(1));
        assert_eq!(alarms.ask(1, event.clone()).await, LaneDown::Nack(0));
        test.db.execute("alter table watermark rename column away to seq", vec![]).await.unwrap();
        assert_eq!(live.ask(2, body(&[(10, 2.0)])).await, LaneDown::Ack(2));
        assert_eq!(alarms.ask(1, event).await, LaneDown::Ack(1));
        assert!(session.connection.is_open());
        assert_eq!(hub.count("frame").await, 2);
    }
}

over_both_roads!(
    fault_y5_a_gateway_with_an_empty_database_begins_an_epoch_and_history_stays,
    fault_y4_a_restored_database_begins_an_epoch_and_overwrites_nothing,
    fault_y8_a_gap_is_answered_with_the_watermark_and_nothing_is_applied,
    fault_y9_a_poisoned_batch_is_kept_aside_and_what_follows_goes_on,
    fault_y7_one_sequence_with_two_contents_is_a_security_event,
    an_event_is_kept_once,
    the_facts_of_a_gateways_event_are_kept_within_bounds,
    fault_t9_fault_h7_a_frame_of_four_gigabytes_ends_the_session_and_not_the_hub,
    what_is_watched_comes_by_datagram_at_once,
    an_item_of_the_alarm_lane_that_is_no_single_event_is_set_aside,
    fault_y9_a_lane_whose_batches_are_all_set_aside_pauses_and_the_others_go_on,
    fault_c3_fault_c6_where_clocks_differ_by_days_the_gateway_keeps_its_readings_until_they_agree,
    fault_c3_what_a_clock_said_that_is_right_again_is_left_out_and_holds_nothing_up,
    fault_c3_a_reading_of_an_hour_ahead_is_kept_and_is_nobodys_latest_value,
    a_catalogue_that_comes_after_the_batch_that_needs_it_is_waited_for,
    while_the_store_takes_nothing_a_lane_is_asked_to_offer_again_and_the_session_lives,
);
