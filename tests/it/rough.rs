//! Lines on which datagrams are lost, late, doubled and out of order, or which are thin; hubs whose database is held, or
//! that strangers ask without end. Real programs, and at the end everything is at the hub once.
#![allow(clippy::unwrap_used, reason = "a test says with a panic what broke")]

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use serde_json::json;
use steward_shared::wire::message::Lane;
use steward_tests::plant::fault::Fault;
use steward_tests::programs::{Http, HubOptions, Relay, Uplink, Weather};
use steward_tests::{House, Hub, eventually};
use tempfile::TempDir;

/// A device that was silent for a while is looked for now and then only.
const LONG: Duration = Duration::from_mins(2);

fn unacked(house: &House) -> Option<u64> {
    house.edge.status().ok()?["health"]["unacked"].as_u64()
}

/// The pump is silent and then not, each told once.
fn break_and_mend_the_pump(house: &House) {
    house.plant.break_at("chw-pump-1", Fault::Silent, None).unwrap();
    eventually("the alarm is at the hub", LONG, || (!house.events("device_silent").is_empty()).then_some(()));
    house.plant.mend_all().unwrap();
    eventually("its end is at the hub", LONG, || (house.events("device_silent").len() == 2).then_some(()));
}

/// Nothing is owed any more, nothing came twice, and nobody believes in a restored database.
fn assert_whole(house: &House) {
    eventually("all is at the hub", LONG, || (unacked(house) == Some(0)).then_some(()));
    let (all, different) = house.frames().unwrap();
    assert_eq!(all, different, "a batch was applied twice");
    assert_eq!(house.events("device_silent").len(), 2, "its beginning and its end, once each");
    for never in ["data_missing", "batch_forked", "batch_quarantined", "cloned_gateway"] {
        assert!(house.events(never).is_empty(), "{never}");
    }
    assert_eq!(house.events("epoch_began").len(), 1);
}

#[test]
fn fault_n3_on_a_line_that_loses_delays_doubles_and_reorders_alarms_come_and_all_is_there_once() {
    let house = House::start().unwrap();
    house.known_point("main-meter", "active-power");
    let (delay, jitter) = (Duration::from_millis(20), Duration::from_millis(300));
    house.relay.set(Weather { loss: 0.3, delay, jitter, doubled: 0.1, ..Weather::CLEAR });
    let before = house.frames().unwrap().0;
    break_and_mend_the_pump(&house);
    eventually("readings come through, too", LONG, || (house.frames().unwrap().0 > before + 3).then_some(()));
    house.relay.set(Weather::CLEAR);
    assert_whole(&house);
}

#[test]
fn fault_n4_where_acknowledgements_are_lost_nothing_is_forgotten_and_what_comes_again_is_known() {
    let house = House::start().unwrap();
    house.known_point("main-meter", "active-power");
    eventually("all so far is at the hub", LONG, || (unacked(&house) == Some(0)).then_some(()));
    let before = house.frames().unwrap().0;
    house.relay.set(Weather { down_cut: true, ..Weather::CLEAR });
    eventually("the hub gets what it cannot acknowledge", LONG, || {
        (house.frames().unwrap().0 > before).then_some(())
    });
    eventually("the gateway keeps it", LONG, || unacked(&house).filter(|n| *n > 0));
    house.plant.break_at("chw-pump-1", Fault::Silent, None).unwrap();
    eventually("the gateway gives the session up", LONG, || {
        house.edge.status().ok().filter(|s| s["hub"]["connected"] == false)
    });
    house.relay.set(Weather::CLEAR);
    eventually("the alarm is at the hub", LONG, || (!house.events("device_silent").is_empty()).then_some(()));
    house.plant.mend_all().unwrap();
    eventually("its end is at the hub", LONG, || (house.events("device_silent").len() == 2).then_some(()));
    assert_whole(&house);
}

/// The history is at the hub up to there.
async fn reached(uplink: &Uplink, batches: u64, hub: &Hub) {
    let begun = tokio::time::Instant::now();
    while uplink.acked(Lane::Backfill).await.unwrap() < batches {
        let state = uplink.buffer.state().await.unwrap().lanes;
        assert!(begun.elapsed() < LONG, "not at {batches}: {state:?}\n{}", hub.log());
        tokio::time::sleep(Duration::from_millis(5)).await;
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fault_n2_fault_n10_on_a_thin_line_alarms_do_not_wait_for_the_history_and_all_of_it_arrives() {
    let dir = TempDir::new().unwrap();
    let (hub, relay, code) = tokio::task::block_in_place(|| {
        let mut hub = Hub::new(&dir.path().join("hub"), &HubOptions::default()).unwrap();
        hub.start().unwrap();
        let relay = Relay::to(hub.gateways).unwrap();
        let admin = hub.admin().unwrap();
        let (_, code) = hub.add_gateway(&admin, "thin").unwrap();
        (hub, relay, code)
    });
    let mut uplink = Uplink::start(&dir.path().join("edge"), relay.address, &code, 100).await.unwrap();
    uplink.connected().await.unwrap();
    // 2 Mbit/s, 40 ms there and back, and a queue in which half a second of it can wait.
    let delay = Duration::from_millis(20);
    relay.set(Weather { rate: 250_000, queue: 128 << 10, delay, ..Weather::CLEAR });
    uplink.import(72).await.unwrap();
    let batches = uplink.last(Lane::Backfill).await.unwrap();
    reached(&uplink, 3, &hub).await;
    let mut waits = Vec::new();
    while uplink.acked(Lane::Backfill).await.unwrap() + 5 < batches {
        waits.push(uplink.alarm().await.unwrap());
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
    waits.sort();
    println!(
        "{} alarms behind history: median {:?}, longest {:?}",
        waits.len(),
        waits[waits.len() / 2],
        waits[waits.len() - 1]
    );
    assert!(waits.len() >= 10, "the history was soon over: {} alarms", waits.len());
    // Behind a full queue it would be more than half a second.
    assert!(waits[waits.len() / 2] < Duration::from_millis(300), "{waits:?}");
    reached(&uplink, batches, &hub).await;
    uplink.stop().await.unwrap();
    drop(hub);
}

#[test]
fn fault_h1_a_hub_whose_database_is_held_acknowledges_nothing_and_loses_nothing() {
    let mut house = House::start().unwrap();
    house.known_point("main-meter", "active-power");
    let db = rusqlite::Connection::open(house.hub.dir().join("steward.db")).unwrap();
    db.busy_timeout(Duration::from_secs(10)).unwrap();
    db.execute_batch("begin immediate").unwrap();
    house.plant.break_at("chw-pump-1", Fault::Silent, None).unwrap();
    eventually("the gateway keeps what it cannot hand over", LONG, || unacked(&house).filter(|n| *n > 1));
    eventually("the alarm waits, too", LONG, || {
        let devices = house.edge.status().ok()?["health"]["devices"].as_array()?.clone();
        devices.into_iter().find(|d| d["key"] == "chw-pump-1" && d["silent"] == true)
    });
    assert!(house.hub.runs() && house.events("device_silent").is_empty());
    // As long as the fault lasts.
    std::thread::sleep(Duration::from_secs(10));
    assert!(house.hub.runs(), "{}", house.hub.log());
    db.execute_batch("rollback").unwrap();
    eventually("the alarm is at the hub", LONG, || (!house.events("device_silent").is_empty()).then_some(()));
    house.plant.mend_all().unwrap();
    eventually("its end is at the hub", LONG, || (house.events("device_silent").len() == 2).then_some(()));
    assert_whole(&house);
}

#[test]
fn fault_h8_a_flood_of_log_ins_lets_nobody_in_and_alarms_go_on() {
    let mut house = House::start().unwrap();
    house.known_point("main-meter", "active-power");
    let (stop, tried) = (Arc::new(AtomicBool::new(false)), Arc::new(AtomicUsize::new(0)));
    let flood: Vec<_> = (0..8)
        .map(|n| {
            let (http, stop, tried) = (Http::new(house.hub.http), stop.clone(), tried.clone());
            std::thread::spawn(move || {
                while !stop.load(Ordering::Relaxed) {
                    let who = json!({ "user": format!("nobody-{}", n % 4), "password": "a guess of many" });
                    // A connection that the hub does not take is an answer, too.
                    if let Ok(answer) = http.post("/api/v1/session", &who) {
                        assert!(
                            matches!(answer.status, 401 | 429 | 503),
                            "{}: {}",
                            answer.status,
                            answer.text()
                        );
                        tried.fetch_add(1, Ordering::Relaxed);
                    }
                }
            })
        })
        .collect();
    eventually("the flood is there", LONG, || (tried.load(Ordering::Relaxed) > 200).then_some(()));
    break_and_mend_the_pump(&house);
    stop.store(true, Ordering::Relaxed);
    for thread in flood {
        thread.join().unwrap();
    }
    println!("{} guesses meanwhile", tried.load(Ordering::Relaxed));
    assert!(house.hub.runs(), "{}", house.hub.log());
    assert_whole(&house);
}
