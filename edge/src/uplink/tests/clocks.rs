//! Readings of a clock that is set only after they were stored, and a hub that is the only one who vouches for it.

use steward_shared::wire::columns;
use steward_shared::wire::frame::from_cbor;

use super::sessions::enrolled;
use super::*;
use crate::buffer::tests::Skewed;

const HOURS: i64 = 2 * 3_600_000;

fn open(dir: &Path, clock: &Arc<Skewed>) -> Buffer {
    Buffer::open(dir, BufferSettings::default(), clock.clone(), Arc::new(RandomIds)).unwrap()
}

/// Stores a batch of one reading, stamped by this clock.
async fn store(buffer: &Buffer, clock: &Skewed) {
    let one = readings(0).into_iter().take(1).map(|r| Reading { at: clock.now(), ..r }).collect();
    buffer.record(one).await;
    buffer.flush().await.unwrap();
}

/// By how much the readings at the hub are off the machine's clock, which is the hub's too: the worst.
fn off(hub: &Hub) -> i64 {
    let (seen, now) = (hub.seen(), SystemClock.now().0);
    let live = seen.stored.iter().filter(|b| b.lane == Lane::Live);
    let readings = live.flat_map(|b| columns::decode(&b.body).unwrap().readings);
    readings.map(|r| (r.at.0 - now).abs()).max().unwrap()
}

fn told(hub: &Hub) -> Vec<EventKind> {
    let seen = hub.seen();
    let events = seen.stored.iter().filter(|b| b.lane == Lane::Alarm);
    events.map(|b| from_cbor::<Event>(&b.body).unwrap().kind).collect()
}

#[tokio::test]
async fn fault_c1_what_was_stored_before_the_clock_was_set_is_corrected_before_the_hub_gets_it() {
    let hub = Hub::start();
    let dir = enrolled(&hub);
    let clock = Skewed::by(-HOURS);
    let buffer = open(dir.path(), &clock);
    for _ in 0..10 {
        store(&buffer, &clock).await;
    }
    clock.set(0);
    let g = Gateway::start_of(dir.path(), hub.address, buffer, clock).await;
    eventually("everything arrived", || mark(&hub, Lane::Live) == 10).await;
    assert!(off(&hub) < HOURS / 2, "{} ms", off(&hub));
    eventually("it is told", || told(&hub) == [EventKind::ClockCorrected]).await;
    g.stop().await;
}

#[tokio::test]
async fn what_an_earlier_run_of_the_program_stored_is_corrected_too() {
    let hub = Hub::start();
    let dir = enrolled(&hub);
    let clock = Skewed::by(-HOURS);
    let buffer = open(dir.path(), &clock);
    store(&buffer, &clock).await;
    buffer.close().await.unwrap();
    clock.set(0);
    let buffer = open(dir.path(), &clock);
    let g = Gateway::start_of(dir.path(), hub.address, buffer, clock).await;
    eventually("it arrived", || mark(&hub, Lane::Live) == 1).await;
    assert!(off(&hub) < HOURS / 2, "{} ms", off(&hub));
    g.stop().await;
}

#[tokio::test]
async fn fault_c1_batches_wait_for_the_right_time_and_events_do_not() {
    let hub = Hub::start();
    let dir = enrolled(&hub);
    let clock = Skewed::by(-HOURS);
    let buffer = open(dir.path(), &clock);
    store(&buffer, &clock).await;
    let g = Gateway::start_of(dir.path(), hub.address, buffer, clock.clone()).await;
    eventually("a session", || hub.seen().control.is_some()).await;
    g.event(EventKind::DeviceSilent, Some("chiller")).await;
    eventually("the event", || mark(&hub, Lane::Alarm) == 1).await;
    store(&g.buffer, &clock).await;
    eventually("a second session, which begins no new patience", || {
        if hub.seen().hellos.len() == 1 {
            hub.hang_up();
        }
        hub.seen().hellos.len() == 2
    })
    .await;
    assert_eq!(mark(&hub, Lane::Live), 0, "nobody vouches for the clock");
    clock.set(0);
    eventually("both batches", || mark(&hub, Lane::Live) == 2).await;
    assert!(off(&hub) < HOURS / 2, "{} ms", off(&hub));
    g.stop().await;
}

#[tokio::test]
async fn fault_c2_a_clock_that_is_set_in_the_middle_of_a_session_corrects_what_is_stored_and_goes_next() {
    let hub = Hub::start();
    let dir = enrolled(&hub);
    let clock = Skewed::by(0);
    let buffer = open(dir.path(), &clock);
    store(&buffer, &clock).await;
    let g = Gateway::start_of(dir.path(), hub.address, buffer, clock.clone()).await;
    eventually("the first", || mark(&hub, Lane::Live) == 1).await;
    clock.set(-HOURS);
    store(&g.buffer, &clock).await;
    store(&g.buffer, &clock).await;
    clock.set(0);
    eventually("the others", || mark(&hub, Lane::Live) == 3).await;
    assert!(off(&hub) < HOURS / 2, "{} ms", off(&hub));
    g.stop().await;
}
