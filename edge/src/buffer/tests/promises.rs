use std::time::Duration;

use sha2::{Digest, Sha256};
use steward_shared::alarm::{Event, EventKind};
use steward_shared::id::EventId;
use steward_shared::wire::columns;
use steward_shared::wire::frame::from_cbor;
use steward_shared::wire::message::{Catalogue, Lane, Watermark};

use super::damage::catalogue_of;
use super::faults::applied;
use super::*;

#[tokio::test]
async fn a_flush_makes_one_batch_with_its_hash() {
    let dir = tempfile::tempdir().unwrap();
    let b = open(dir.path(), BufferSettings::default(), &clock());
    b.record(readings(0, 30)).await;
    b.record(readings(1, 30)).await;
    assert_eq!(b.after(Lane::Live, 0).await.unwrap(), None);
    assert_eq!(b.stats().pending, 60);
    b.flush().await.unwrap();
    let batch = b.after(Lane::Live, 0).await.unwrap().unwrap();
    assert_eq!((batch.seq, batch.count), (1, 60));
    assert_eq!(Sha256::digest(&batch.body).as_slice(), batch.hash);
    assert_eq!(columns::decode(&batch.body).unwrap().readings.len(), 60);
    assert_eq!((b.stats().pending, b.stats().unacked, b.stats().oldest_unacked), (0, 1, Some(NOON)));
}

#[tokio::test]
async fn readings_are_written_after_the_interval_or_when_there_are_many() {
    let dir = tempfile::tempdir().unwrap();
    let settings =
        BufferSettings { flush: Duration::from_millis(50), flush_readings: 100, ..BufferSettings::default() };
    let b = open(dir.path(), settings, &clock());
    let mut heads = b.heads();
    b.record(readings(0, 10)).await;
    heads.wait_for(|h| h.live == 1).await.unwrap();
    b.record(readings(1, 100)).await;
    heads.wait_for(|h| h.live == 2).await.unwrap();
}

#[tokio::test]
async fn only_what_is_acknowledged_and_past_its_retention_leaves() {
    let dir = tempfile::tempdir().unwrap();
    let clock = clock();
    let settings = BufferSettings { retention: Duration::from_hours(24), ..BufferSettings::default() };
    let b = open(dir.path(), settings.clone(), &clock);
    for i in 0..3 {
        b.record(readings(i, 10)).await;
        b.flush().await.unwrap();
    }
    b.ack(Lane::Live, 2).await.unwrap();
    assert_eq!(b.state().await.unwrap().lanes[1].first, 1, "the retention is not over");
    b.close().await.unwrap();
    clock.advance(Duration::from_hours(25));
    let b = open(dir.path(), settings, &clock);
    let lane = b.state().await.unwrap().lanes[1];
    assert_eq!((lane.first, lane.last, lane.acked), (3, 3, 2), "the third is not acknowledged");
}

#[tokio::test]
async fn sequences_go_on_after_everything_left() {
    let dir = tempfile::tempdir().unwrap();
    let clock = clock();
    let settings = BufferSettings { retention: Duration::ZERO, ..BufferSettings::default() };
    let b = open(dir.path(), settings.clone(), &clock);
    b.record(readings(0, 10)).await;
    b.flush().await.unwrap();
    b.ack(Lane::Live, 1).await.unwrap();
    b.close().await.unwrap();
    clock.advance(Duration::from_secs(1));
    let b = open(dir.path(), settings, &clock);
    let lane = b.state().await.unwrap().lanes[1];
    assert_eq!((lane.first, lane.last), (2, 1), "the lane is empty");
    b.record(readings(1, 10)).await;
    b.flush().await.unwrap();
    assert_eq!(b.after(Lane::Live, 0).await.unwrap().unwrap().seq, 2);
}

#[tokio::test]
async fn a_point_keeps_its_number_for_ever() {
    let dir = tempfile::tempdir().unwrap();
    let name = |d: &str, k: &str| (d.to_owned(), k.to_owned());
    let b = open(dir.path(), BufferSettings::default(), &clock());
    let one = b.number_points(vec![name("a", "x"), name("a", "y")]).await.unwrap();
    b.close().await.unwrap();
    let b = open(dir.path(), BufferSettings::default(), &clock());
    let two = b.number_points(vec![name("b", "x"), name("a", "y"), name("a", "x")]).await.unwrap();
    assert_eq!((two[1], two[2]), (one[1], one[0]));
    assert!(!one.contains(&two[0]));
}

#[tokio::test]
async fn the_buffer_keeps_its_identity_and_epoch_and_a_new_file_begins_a_new_one() {
    let dir = tempfile::tempdir().unwrap();
    let b = open(dir.path(), BufferSettings::default(), &clock());
    b.welcome(4, vec![]).await.unwrap();
    let before = b.state().await.unwrap();
    b.close().await.unwrap();
    let b = open(dir.path(), BufferSettings::default(), &clock());
    let same = b.state().await.unwrap();
    assert_eq!((same.id, same.epoch), (before.id, 4));
    b.close().await.unwrap();
    std::fs::remove_file(dir.path().join("alarms.db")).unwrap();
    let b = open(dir.path(), BufferSettings::default(), &clock());
    let other = b.state().await.unwrap();
    assert_ne!(other.id, before.id);
    assert_eq!(other.epoch, 0);
}

#[tokio::test]
async fn fault_y6_a_hub_restored_from_its_backup_gets_again_what_is_kept() {
    let dir = tempfile::tempdir().unwrap();
    let b = open(dir.path(), BufferSettings::default(), &clock());
    for i in 0..5 {
        b.record(readings(i, 10)).await;
        b.flush().await.unwrap();
    }
    b.ack(Lane::Live, 5).await.unwrap();
    b.welcome(1, vec![Watermark { lane: Lane::Live, seq: 2 }]).await.unwrap();
    assert_eq!(b.state().await.unwrap().lanes[1].acked, 2);
    assert_eq!(b.stats().unacked, 3);
    assert_eq!(b.after(Lane::Live, 2).await.unwrap().unwrap().seq, 3);
}

#[tokio::test]
async fn long_history_becomes_several_batches() {
    let dir = tempfile::tempdir().unwrap();
    let b = open(dir.path(), BufferSettings::default(), &clock());
    let history: Vec<_> = (0..500).flat_map(|i| readings(i, 50)).collect();
    b.import(Lane::Backfill, history).await.unwrap();
    let lane = b.state().await.unwrap().lanes[2];
    assert_eq!((lane.lane, lane.first, lane.last), (Lane::Backfill, 1, 3));
}

#[tokio::test]
async fn over_the_quota_history_goes_before_live_telemetry_and_it_is_told_once() {
    let dir = tempfile::tempdir().unwrap();
    let settings = BufferSettings { quota_bytes: 600 << 10, ..BufferSettings::default() };
    let b = open(dir.path(), settings, &clock());
    b.import(Lane::Backfill, noise(1, 20_000)).await.unwrap();
    for i in 0..100 {
        b.record(noise(i + 2, 1000)).await;
        b.flush().await.unwrap();
    }
    let state = b.state().await.unwrap();
    assert_eq!(state.lanes[2].first, state.lanes[2].last + 1, "history is gone");
    assert!(state.lanes[1].first > 1, "then the oldest telemetry");
    assert_eq!(state.lanes[1].last, 100);
    assert!(b.stats().bytes <= 600 << 10, "{}", b.stats().bytes);
    let kept = state.lanes[1].last + 1 - state.lanes[1].first;
    assert_eq!(b.stats().dropped, 20_000 + (100 - kept) * 1000);
    let event: Event = from_cbor(&b.after(Lane::Alarm, 0).await.unwrap().unwrap().body).unwrap();
    assert_eq!(event.kind, EventKind::BufferDropped);
    assert_eq!(state.lanes[0].last, 1);
}

#[tokio::test]
async fn over_the_quota_acknowledged_batches_go_first_and_nothing_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let settings = BufferSettings { quota_bytes: 600 << 10, ..BufferSettings::default() };
    let b = open(dir.path(), settings, &clock());
    for i in 0..100 {
        b.record(noise(i, 1000)).await;
        b.flush().await.unwrap();
        b.ack(Lane::Live, i + 1).await.unwrap();
    }
    assert_eq!((b.stats().dropped, b.state().await.unwrap().lanes[0].last), (0, 0));
}

#[tokio::test]
async fn events_without_end_do_not_fill_the_disk_and_it_is_told_once() {
    let dir = tempfile::tempdir().unwrap();
    let settings = BufferSettings { alarm_quota_bytes: 1 << 20, ..BufferSettings::default() };
    let b = open(dir.path(), settings, &clock());
    for i in 0..600 {
        b.event(Event { detail: "x".repeat(4000), ..applied(i) }).await.unwrap();
    }
    b.look_after().await.unwrap();
    let lane = b.state().await.unwrap().lanes[0];
    assert_eq!((lane.first, lane.last), (513, 601), "the oldest went, in steps");
    b.look_after().await.unwrap();
    assert_eq!(b.state().await.unwrap().lanes[0].last, 601);
    let last: Event = from_cbor(&b.after(Lane::Alarm, 600).await.unwrap().unwrap().body).unwrap();
    assert_eq!(last.kind, EventKind::BufferDropped);
}

#[tokio::test]
async fn acknowledged_events_past_their_retention_all_leave() {
    let dir = tempfile::tempdir().unwrap();
    let clock = clock();
    let settings = BufferSettings { retention: Duration::from_hours(1), ..BufferSettings::default() };
    let b = open(dir.path(), settings, &clock);
    for i in 0..600 {
        b.event(applied(i)).await.unwrap();
    }
    b.ack(Lane::Alarm, 599).await.unwrap();
    clock.advance(Duration::from_hours(2));
    b.look_after().await.unwrap();
    assert_eq!(b.state().await.unwrap().lanes[0].first, 600);
}

#[tokio::test]
async fn the_catalogue_keeps_its_hash_until_it_changes() {
    let dir = tempfile::tempdir().unwrap();
    let b = open(dir.path(), BufferSettings::default(), &clock());
    b.set_catalogue(Catalogue::default()).await.unwrap();
    let empty = b.state().await.unwrap().catalogue;
    b.set_catalogue(Catalogue::default()).await.unwrap();
    assert_eq!(b.state().await.unwrap().catalogue, empty);
    assert_eq!(b.catalogue().await.unwrap(), Catalogue::default());
}

#[tokio::test]
async fn the_oldest_devices_give_way_before_the_catalogue_grows_beyond_a_message() {
    let dir = tempfile::tempdir().unwrap();
    let b = open(dir.path(), BufferSettings::default(), &clock());
    let large = |device: &str, no| {
        let mut catalogue = catalogue_of(&[(device, "x", PointNo(no))]);
        catalogue.devices[0].place = "x".repeat(3 << 20);
        catalogue
    };
    b.set_catalogue(large("one", 1)).await.unwrap();
    b.set_catalogue(catalogue_of(&[("two", "x", PointNo(2))])).await.unwrap();
    assert_eq!(b.catalogue().await.unwrap().devices.len(), 2);
    b.set_catalogue(large("three", 3)).await.unwrap();
    let known = b.catalogue().await.unwrap();
    let devices: Vec<_> = known.devices.iter().map(|d| (d.key.as_str(), d.in_use)).collect();
    assert_eq!(devices, [("three", true), ("two", false)]);
}

#[tokio::test]
async fn a_second_program_on_the_same_folder_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let b = open(dir.path(), BufferSettings::default(), &clock());
    let e = Buffer::open(dir.path(), BufferSettings::default(), clock(), Arc::new(RandomIds)).unwrap_err();
    assert!(e.to_string().contains("held by another"), "{e}");
    b.close().await.unwrap();
}

#[tokio::test]
async fn an_event_is_on_disk_when_the_call_returns() {
    let dir = tempfile::tempdir().unwrap();
    let b = open(dir.path(), BufferSettings::default(), &clock());
    let event = Event {
        id: EventId::new(&RandomIds),
        at: NOON,
        kind: EventKind::Started,
        active: true,
        line: None,
        device: None,
        detail: String::new(),
        about: None,
    };
    b.event(event.clone()).await.unwrap();
    assert_eq!(from_cbor::<Event>(&b.after(Lane::Alarm, 0).await.unwrap().unwrap().body).unwrap(), event);
}
