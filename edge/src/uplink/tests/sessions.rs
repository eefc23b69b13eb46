use steward_shared::time::Timestamp;
use steward_shared::wire::columns;
use steward_shared::wire::message::{
    Catalogue, ControlDown, Hello, Known, LineHealth, Refusal, RefusalReason, Watch,
};

use super::wire::{Way, over_both_roads};
use super::*;
use crate::buffer::tests::{noise, zero};

pub(super) fn enrolled(hub: &Hub) -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    hub.identity(-1, 30).save(dir.path()).unwrap();
    dir
}

async fn what_the_hub_acknowledged_is_no_longer_owed(way: Way) {
    let hub = Hub::over(way);
    let dir = enrolled(&hub);
    let g = Gateway::start(dir.path(), &hub).await;
    g.event(EventKind::Started, None).await;
    g.batch(0).await;
    g.batch(1).await;
    g.buffer.import(Lane::Backfill, readings(-5000)).await.unwrap();
    eventually("all three lanes are at the hub", || {
        [Lane::Alarm, Lane::Live, Lane::Backfill].map(|l| mark(&hub, l)) == [1, 2, 1]
    })
    .await;
    eventually("nothing is owed", || g.buffer.stats().unacked == 0).await;
    let first = hub.seen().stored.iter().find(|b| b.lane == Lane::Live).cloned().unwrap();
    assert_eq!(columns::decode(&first.body).unwrap().readings, readings(0));
    g.stop().await;
}

async fn what_was_kept_while_the_hub_was_away_arrives_in_sequence(way: Way) {
    let hub = Hub::over(way);
    let dir = enrolled(&hub);
    let mut g = Gateway::start(dir.path(), &hub).await;
    g.state.wait_for(|s| s.connected).await.unwrap();
    hub.hang_up();
    g.state.wait_for(|s| !s.connected).await.unwrap();
    for i in 0..25 {
        g.batch(i).await;
    }
    eventually("everything arrived", || mark(&hub, Lane::Live) == 25).await;
    let seqs: Vec<u64> = hub.seen().stored.iter().map(|b| b.seq).collect();
    assert_eq!(seqs, (1..=25).collect::<Vec<_>>());
    g.stop().await;
}

#[tokio::test]
async fn fault_y4_a_buffer_that_was_restored_and_written_to_since_begins_anew_at_the_hub() {
    let hub = Hub::start();
    let dir = enrolled(&hub);
    let g = Gateway::start(dir.path(), &hub).await;
    g.batch(0).await;
    g.event(EventKind::Started, None).await;
    eventually("both are at the hub", || [Lane::Live, Lane::Alarm].map(|l| mark(&hub, l)) == [1, 1]).await;
    let before = hub.seen().epoch;
    let hash = |lane| hub.seen().stored.iter().find(|b| b.lane == lane).unwrap().hash[..8].to_vec();
    let known = |lane, hash| Known { lane, hash };
    hub.seen().known = vec![known(Lane::Live, hash(Lane::Live)), known(Lane::Alarm, hash(Lane::Alarm))];
    hub.hang_up();
    eventually("a session that goes on", || hub.seen().hellos.len() == 2).await;
    g.batch(1).await;
    eventually("the next batch", || mark(&hub, Lane::Live) == 2).await;
    assert_eq!(hub.seen().epoch, before, "what the hub has is what the gateway has");

    hub.seen().known = vec![known(Lane::Live, vec![7; 8])];
    hub.hang_up();
    eventually("all of it again, as of another buffer", || {
        let epoch = hub.seen().epoch;
        epoch == before + 1 && [Lane::Live, Lane::Alarm].map(|l| mark(&hub, l)) == [2, 1]
    })
    .await;
    g.stop().await;
}

#[tokio::test]
async fn what_was_dropped_before_it_could_be_sent_is_told_in_a_new_hello() {
    let hub = Hub::start();
    let dir = enrolled(&hub);
    let settings = BufferSettings { quota_bytes: 1, ..BufferSettings::default() };
    let mut g = Gateway::start_with(dir.path(), hub.address, settings).await;
    g.state.wait_for(|s| s.connected).await.unwrap();
    g.buffer.import(Lane::Backfill, readings(-5000)).await.unwrap();
    eventually("a hello that begins behind it", || {
        let seen = hub.seen();
        let held =
            |h: &Hello| h.lanes.iter().any(|l| l.lane == Lane::Backfill && (l.first, l.last) == (2, 1));
        seen.hellos.iter().any(held)
    })
    .await;
    g.stop().await;
}

async fn fault_y3_an_edge_that_stops_before_it_records_the_ack_sends_the_same_again(way: Way) {
    let hub = Hub::over(way);
    let dir = enrolled(&hub);
    hub.seen().withhold_acks = true;
    let g = Gateway::start(dir.path(), &hub).await;
    for i in 0..3 {
        g.batch(i).await;
    }
    eventually("the hub has them", || mark(&hub, Lane::Live) == 3).await;
    g.stop().await;

    // A hub that cannot say what it has gets all of it again, and knows it by sequence and hash.
    hub.seen().withhold_acks = false;
    hub.seen().forgetful = true;
    let g = Gateway::start(dir.path(), &hub).await;
    assert_eq!(g.buffer.state().await.unwrap().lanes[1].acked, 0, "no ack was recorded");
    eventually("all three came again", || hub.seen().again.len() == 3).await;
    eventually("nothing is owed", || g.buffer.stats().unacked == 0).await;
    assert_eq!(hub.seen().again, [1, 2, 3].map(|seq| (Lane::Live, seq, true)));
    assert_eq!(hub.seen().stored.len(), 3, "each is kept once");
    g.stop().await;

    // One that can is not bothered.
    hub.seen().forgetful = false;
    let g = Gateway::start(dir.path(), &hub).await;
    g.batch(3).await;
    eventually("the fourth", || mark(&hub, Lane::Live) == 4).await;
    assert_eq!(hub.seen().again.len(), 3);
    g.stop().await;
}

async fn a_refused_batch_is_sent_again_from_there(way: Way) {
    let hub = Hub::over(way);
    let dir = enrolled(&hub);
    hub.seen().nack_once = Some((Lane::Live, 3));
    let g = Gateway::start(dir.path(), &hub).await;
    for i in 0..8 {
        g.batch(i).await;
    }
    eventually("all eight", || mark(&hub, Lane::Live) == 8).await;
    assert_eq!(hub.seen().handshakes, 1, "in the same session");
    g.stop().await;
}

async fn a_refusal_is_heeded_though_the_hub_said_nothing_of_what_came_behind_the_one_before(way: Way) {
    let hub = Hub::over(way);
    let dir = enrolled(&hub);
    (hub.seen().nack_once, hub.seen().deaf_behind) = (Some((Lane::Live, 3)), true);
    let buffer =
        Buffer::open(dir.path(), BufferSettings::default(), Arc::new(SystemClock), Arc::new(RandomIds));
    let buffer = buffer.unwrap();
    for i in 0..4 {
        buffer.record(readings(i)).await;
        buffer.flush().await.unwrap();
    }
    buffer.close().await.unwrap();
    // All four are under way at once: the fourth comes behind the refused one.
    let g = Gateway::start(dir.path(), &hub).await;
    eventually("all four", || g.buffer.stats().unacked == 0 && mark(&hub, Lane::Live) == 4).await;
    hub.seen().nack_once = Some((Lane::Live, 5));
    g.batch(4).await;
    eventually("the fifth", || mark(&hub, Lane::Live) == 5).await;
    assert_eq!(hub.seen().handshakes, 1, "in the same session");
    g.stop().await;
}

async fn fault_y8_what_was_dropped_in_the_middle_of_a_session_does_not_stop_the_rest(way: Way) {
    let hub = Hub::over(way);
    let dir = enrolled(&hub);
    hub.seen().nack_all = Some(Lane::Live);
    let settings = BufferSettings { quota_bytes: 600 << 10, ..BufferSettings::default() };
    let g = Gateway::start_with(dir.path(), hub.address, settings).await;
    g.batch(0).await;
    eventually("the hub cannot take it now", || hub.seen().nacks > 0).await;
    for i in 0..150 {
        g.buffer.record(noise(i, 1000)).await;
        g.buffer.flush().await.unwrap();
    }
    let first = g.buffer.state().await.unwrap().lanes[1].first;
    assert!(first > 1, "the oldest were dropped, the refused one too");
    hub.seen().nack_all = None;
    eventually("the hub has what is left", || mark(&hub, Lane::Live) == 151).await;
    eventually("nothing is owed", || g.buffer.stats().unacked == 0).await;
    let seqs: Vec<_> = hub.seen().stored.iter().filter(|b| b.lane == Lane::Live).map(|b| b.seq).collect();
    assert_eq!(seqs, (first..=151).collect::<Vec<_>>());
    assert!(hub.seen().hellos.len() >= 2, "only a new hello can say what is missing");
    g.stop().await;
}

async fn a_batch_that_the_hub_never_takes_ends_the_session_and_not_the_uplink(way: Way) {
    let hub = Hub::over(way);
    let dir = enrolled(&hub);
    hub.seen().nack_all = Some(Lane::Live);
    let mut g = Gateway::start(dir.path(), &hub).await;
    g.batch(0).await;
    let told = |s: &UplinkState| {
        s.last_error.as_ref().is_some_and(|e| e.contains("cannot take batch 1 of lane live"))
    };
    g.state.wait_for(told).await.unwrap();
    hub.seen().nack_all = None;
    g.event(EventKind::Started, None).await;
    eventually("the next session has both", || (mark(&hub, Lane::Live), mark(&hub, Lane::Alarm)) == (1, 1))
        .await;
    assert!(hub.seen().hellos.len() >= 2);
    g.stop().await;
}

async fn fault_y6_a_hub_that_went_back_to_its_backup_gets_again_what_it_lacks(way: Way) {
    let hub = Hub::over(way);
    let dir = enrolled(&hub);
    let g = Gateway::start(dir.path(), &hub).await;
    for i in 0..5 {
        g.batch(i).await;
    }
    eventually("five", || g.buffer.stats().unacked == 0 && mark(&hub, Lane::Live) == 5).await;
    {
        let mut seen = hub.seen();
        seen.marks.insert(Lane::Live, 2);
        seen.stored.retain(|b| b.seq <= 2);
        seen.epoch = 2;
    }
    hub.hang_up();
    eventually("three to five came again", || mark(&hub, Lane::Live) == 5).await;
    assert_eq!(g.buffer.state().await.unwrap().epoch, 2);
    g.stop().await;
}

async fn fault_t1_an_expired_certificate_is_refused_and_local_life_goes_on(way: Way) {
    let hub = Hub::over(way);
    let dir = tempfile::tempdir().unwrap();
    hub.identity(-60, -30).save(dir.path()).unwrap();
    let mut g = Gateway::start(dir.path(), &hub).await;
    let words = |s: &UplinkState| {
        s.last_error.as_ref().is_some_and(|e| e.contains("expired") && e.contains("enrolled anew"))
    };
    g.state.wait_for(words).await.unwrap();
    assert!(hub.seen().hellos.is_empty());
    g.batch(0).await;
    eventually("what is polled is kept", || g.buffer.stats().unacked == 1).await;
    g.stop().await;
}

async fn a_refusal_stands_in_the_state_with_its_way_out(way: Way) {
    let hub = Hub::over(way);
    let dir = enrolled(&hub);
    hub.seen().refuse = Some(Refusal { reason: RefusalReason::Duplicate, detail: "10.0.0.7".into() });
    let mut g = Gateway::start(dir.path(), &hub).await;
    let words = |s: &UplinkState| {
        s.last_error.as_ref().is_some_and(|e| e.contains("another machine") && e.contains("10.0.0.7"))
    };
    g.state.wait_for(words).await.unwrap();
    g.stop().await;
}

async fn fault_n5_a_hub_that_hangs_up_at_once_is_asked_less_and_less(way: Way) {
    let hub = Hub::over(way);
    let dir = enrolled(&hub);
    hub.seen().hang_up = true;
    let g = Gateway::start(dir.path(), &hub).await;
    // The first waits are at least half a second, one and two.
    let before = tokio::time::Instant::now();
    eventually("the fourth handshake", || hub.seen().handshakes >= 4).await;
    assert!(before.elapsed() >= Duration::from_millis(3500), "{:?}", before.elapsed());
    g.stop().await;
}

async fn a_watched_point_comes_by_datagram_until_the_wish_is_over(way: Way) {
    let hub = Hub::over(way);
    let dir = enrolled(&hub);
    let g = Gateway::start(dir.path(), &hub).await;
    let sample = |at: i64| -> Arc<[Reading]> {
        let r = |no| Reading {
            point: PointNo(no),
            at: Timestamp(at),
            value: Some(Value::Number(1.5)),
            quality: Quality::Good,
        };
        vec![r(1), r(2), r(3)].into()
    };
    eventually("a session", || hub.seen().control.is_some()).await;
    let _ = g.live.send(sample(1));
    hub.say(ControlDown::Watch(Watch { points: vec![PointNo(2)], for_ms: 60_000 })).await;
    eventually("a sample of what is watched", || {
        let _ = g.live.send(sample(2));
        !hub.seen().live.is_empty()
    })
    .await;
    assert!(hub.seen().live.iter().all(|s| s.no == PointNo(2) && s.at == Timestamp(2)));
    hub.say(ControlDown::Watch(Watch { points: vec![PointNo(3)], for_ms: 300 })).await;
    eventually("the next wish replaces the one before", || {
        let _ = g.live.send(sample(3));
        hub.seen().live.iter().any(|s| s.no == PointNo(3))
    })
    .await;
    // Quiet for twenty samples in a row.
    let (mut before, mut quiet) = (0, 0);
    eventually("the wish is over", || {
        let _ = g.live.send(sample(4));
        let now = hub.seen().live.len();
        quiet = if now == before { quiet + 1 } else { 0 };
        before = now;
        quiet >= 20
    })
    .await;
    g.stop().await;
}

async fn the_catalogue_goes_when_it_is_wanted_and_when_it_changes(way: Way) {
    let hub = Hub::over(way);
    let dir = enrolled(&hub);
    hub.seen().catalogue_wanted = true;
    let g = Gateway::start(dir.path(), &hub).await;
    eventually("the catalogue that was wanted", || hub.seen().catalogues.len() == 1).await;
    g.buffer.set_catalogue(one_meter()).await.unwrap();
    eventually("the changed one", || hub.seen().catalogues.last().is_some_and(|c| c.devices.len() == 1))
        .await;
    g.stop().await;
}

fn one_meter() -> Catalogue {
    let device = steward_shared::wire::message::CatalogueDevice {
        key: "meter".into(),
        title: steward_shared::wire::message::Names::default(),
        profile: "a/b".into(),
        vendor: "a".into(),
        model: "b".into(),
        place: String::new(),
        line: "l".into(),
        address: "1".into(),
        in_use: true,
    };
    Catalogue { devices: vec![device], points: vec![] }
}

async fn fault_s11_a_database_damaged_in_use_begins_a_new_life_with_the_catalogue_of_before(way: Way) {
    let hub = Hub::over(way);
    let dir = enrolled(&hub);
    let g = Gateway::start(dir.path(), &hub).await;
    g.buffer.set_catalogue(one_meter()).await.unwrap();
    // More than SQLite keeps in memory.
    for i in 0..400 {
        g.buffer.record(noise(i, 1000)).await;
        g.buffer.flush().await.unwrap();
    }
    eventually("everything arrived", || mark(&hub, Lane::Live) == 400).await;
    zero(dir.path(), "telemetry.db");
    g.buffer.after(Lane::Live, 0).await.unwrap();
    g.batch(1).await;
    eventually("a second life", || hub.seen().hellos.len() == 2).await;
    eventually("its first batch", || mark(&hub, Lane::Live) == 1).await;
    let (buffers, catalogues, stored) = {
        let seen = hub.seen();
        let buffers: Vec<_> = seen.hellos.iter().map(|h| h.buffer).collect();
        (buffers, seen.catalogues.clone(), seen.stored.clone())
    };
    assert_ne!(buffers[0], buffers[1]);
    assert_eq!(catalogues.last(), Some(&one_meter()), "what its numbers mean is said again");
    let batch = stored.iter().find(|b| b.lane == Lane::Live).unwrap();
    assert_eq!(columns::decode(&batch.body).unwrap().readings, readings(1));
    g.stop().await;
}

async fn health_goes_at_once_when_a_line_changes_sides(way: Way) {
    let hub = Hub::over(way);
    let dir = enrolled(&hub);
    let g = Gateway::start(dir.path(), &hub).await;
    eventually("a first report", || !hub.seen().health.is_empty()).await;
    let line = LineHealth { name: "l".into(), up: false, ..LineHealth::default() };
    g.health.send_modify(|h| h.lines = vec![line]);
    eventually("the line is down", || hub.seen().health.last().is_some_and(|h| h.lines.len() == 1)).await;
    assert!(hub.seen().health.last().unwrap().certificate_expires.is_some());
    g.stop().await;
}

async fn a_gateway_that_stops_says_so(way: Way) {
    let hub = Hub::over(way);
    let dir = enrolled(&hub);
    let mut g = Gateway::start(dir.path(), &hub).await;
    g.state.wait_for(|s| s.connected).await.unwrap();
    g.stop().await;
    eventually("a goodbye", || hub.seen().goodbyes.iter().any(|g| g.contains("program stops"))).await;
}

over_both_roads!(
    what_the_hub_acknowledged_is_no_longer_owed,
    what_was_kept_while_the_hub_was_away_arrives_in_sequence,
    fault_y3_an_edge_that_stops_before_it_records_the_ack_sends_the_same_again,
    a_refused_batch_is_sent_again_from_there,
    a_refusal_is_heeded_though_the_hub_said_nothing_of_what_came_behind_the_one_before,
    fault_y8_what_was_dropped_in_the_middle_of_a_session_does_not_stop_the_rest,
    a_batch_that_the_hub_never_takes_ends_the_session_and_not_the_uplink,
    fault_y6_a_hub_that_went_back_to_its_backup_gets_again_what_it_lacks,
    fault_t1_an_expired_certificate_is_refused_and_local_life_goes_on,
    a_refusal_stands_in_the_state_with_its_way_out,
    fault_n5_a_hub_that_hangs_up_at_once_is_asked_less_and_less,
    a_watched_point_comes_by_datagram_until_the_wish_is_over,
    the_catalogue_goes_when_it_is_wanted_and_when_it_changes,
    fault_s11_a_database_damaged_in_use_begins_a_new_life_with_the_catalogue_of_before,
    health_goes_at_once_when_a_line_changes_sides,
    a_gateway_that_stops_says_so,
);
