//! Plant, edge and hub together, as a user has them: real programs, killed and cut off, and at the end every slot of the
//! poll grid is at the hub, once, with the value that the plant had.
#![allow(clippy::unwrap_used, reason = "a test says with a panic what broke")]

use std::sync::Arc;
use std::time::Duration;

use rustix::process::Resource;
use serde_json::Value;
use steward_edge::buffer::{Buffer, BufferSettings};
use steward_shared::id::RandomIds;
use steward_shared::reading;
use steward_shared::time::{Clock, SystemClock, Timestamp};
use steward_shared::wire::columns;
use steward_shared::wire::message::Lane;
use steward_tests::plant::fault::Fault;
use steward_tests::plant::house;
use steward_tests::plant::room::Gained;
use steward_tests::programs::{Durability, HubOptions, PlantOptions, Postgres, Weather};
use steward_tests::{House, eventually};

const LONG: Duration = Duration::from_mins(1);
const SECOND: i64 = 1000;

/// A point that is read each second, and the truth about it.
struct Watched {
    id: i64,
    truth: house::House,
}

const DEVICE: &str = "main-meter";
const POINT: &str = "active-power";

impl Watched {
    fn of(house: &House) -> Self {
        let truth = house::House::new(1, Arc::new(SystemClock), Gained::default()).unwrap();
        Self { id: house.known_point(DEVICE, POINT), truth }
    }

    /// Everything that the hub has of it: instants and values of good samples, by the table that people download.
    fn kept(&self, house: &House) -> Vec<(Timestamp, f64)> {
        let (hour, now) = (Duration::from_hours(1), SystemClock.now());
        let span = format!("from={}&to={}", now.minus(hour), now.plus(hour));
        let table =
            house.admin.get(&format!("/api/v1/series.csv?lang=en&points={}&{span}", self.id)).unwrap();
        assert_eq!(table.status, 200, "{}", table.text());
        let text = table.text();
        let mut rows =
            text.trim_start_matches('\u{feff}').lines().map(|row| row.split(',').collect::<Vec<_>>());
        let head = rows.next().expect("a table has a head");
        let column = |name: &str| head.iter().position(|h| *h == name).expect("the column is there");
        let [time, value, quality] = ["time", "value", "quality"].map(column);
        rows.filter(|row| row[quality] == "good")
            .map(|row| (row[time].parse().expect("an instant"), row[value].parse().expect("a number")))
            .collect()
    }

    fn last(&self, house: &House) -> Timestamp {
        self.kept(house).last().map_or(Timestamp(0), |(at, _)| *at)
    }

    /// Waits until the hub keeps a sample that is younger than `than`.
    fn kept_after(&self, house: &House, than: Timestamp) {
        eventually(&format!("a sample after {than}"), LONG, || (self.last(house) > than).then_some(()));
    }

    /// The value that the plant had when it was read. Its meters turn each whole second; a busy machine reads later.
    fn is_true(&self, at: Timestamp, value: f64) -> bool {
        let device = self.truth.device(DEVICE).unwrap();
        let point = device.profile.point(POINT).unwrap();
        let turn = at.floor_to(Duration::from_secs(1));
        (0..10).any(|late| {
            let scene = self.truth.scene_at(turn.plus(Duration::from_secs(late)));
            let told = self.truth.value(device, point, &scene).and_then(|v| v.as_number()).unwrap();
            (told - value).abs() < told.abs() * 1e-5
        })
    }

    /// The hub has all that the gateway has ever stored, with the same values, and the values are true. Stops the edge:
    /// what it keeps is read from its disk. (That a slot was polled at all depends on the machine, and is not asked.)
    fn assert_whole(&self, house: &mut House) {
        self.kept_after(house, Timestamp(polled(house).0 - SECOND));
        house.edge.stop().unwrap();
        let stored = eventually("the last batch is at the hub, or stays", LONG, || {
            let (stored, kept) = (stored(house), self.kept(house));
            (kept.len() <= stored.len() && !kept.is_empty()).then_some(stored)
        });
        let kept = self.kept(house);
        assert_eq!(kept[..], stored[..kept.len()], "the hub and the gateway's disk differ");
        assert!(stored.len() - kept.len() <= 3, "only what was polled last may still be on the gateway");
        self.assert_true(&kept);
    }

    fn assert_true(&self, kept: &[(Timestamp, f64)]) {
        for (at, value) in kept {
            assert!(self.is_true(*at, *value), "{value} at {at} is not what the plant had");
        }
    }
}

/// What the edge itself shows as the last sample of the watched point.
fn polled(house: &House) -> Timestamp {
    let last = |status: Value| {
        let values = status["values"].as_array()?.clone();
        let value = values.into_iter().find(|v| v["device"] == DEVICE && v["point"] == POINT)?;
        value["at"].as_str()?.parse().ok()
    };
    house.edge.status().ok().and_then(last).unwrap_or(Timestamp(0))
}

/// All samples of the watched point that lie on the gateway's disk. Nothing else may have it open.
fn stored(house: &House) -> Vec<(Timestamp, f64)> {
    let dir = house.edge.config().with_file_name("edge");
    let runtime = tokio::runtime::Runtime::new().unwrap();
    runtime.block_on(async {
        let settings = BufferSettings::default();
        let buffer = Buffer::open(&dir, settings, Arc::new(SystemClock), Arc::new(RandomIds)).unwrap();
        let no = buffer.number_points(vec![(DEVICE.to_owned(), POINT.to_owned())]).await.unwrap()[0];
        let (mut seq, mut found) = (0, Vec::new());
        while let Some(batch) = buffer.after(Lane::Live, seq).await.unwrap() {
            seq = batch.seq;
            let readings = columns::decode(&batch.body).unwrap().readings;
            found.extend(readings.into_iter().filter(|r| r.point == no && r.quality.is_good()));
        }
        buffer.close().await.unwrap();
        found.iter().map(|r| (r.at, r.value.as_ref().and_then(reading::Value::as_number).unwrap())).collect()
    })
}

fn the_hub_stands_still(options: &HubOptions) {
    let mut house = House::start_with(options, &PlantOptions::default()).unwrap();
    let watched = Watched::of(&house);
    watched.kept_after(&house, Timestamp(0));
    house.hub.stop().unwrap();
    let stopped = polled(&house);
    // Several flushes, and the whole line polled on meanwhile.
    eventually("the edge polls on", LONG, || (polled(&house).0 > stopped.0 + 12 * SECOND).then_some(()));
    house.hub.start().unwrap();
    let started = polled(&house);
    house.admin = house.hub.admin().unwrap();
    watched.kept_after(&house, started);
    let kept = watched.kept(&house);
    assert!(kept[0].0 <= stopped, "what was there before is there");
    let meanwhile = kept.iter().filter(|(at, _)| *at > stopped && *at < started).count();
    assert!(meanwhile > 3, "what was polled meanwhile is there");
    watched.assert_whole(&mut house);
    assert_eq!(house.events("epoch_began").len(), 1, "the stream of batches is the same one");
    assert!(house.events("data_missing").is_empty());
    house.hub.stop().unwrap();
}

#[test]
fn a_hub_that_stood_still_has_no_gap_afterwards() {
    the_hub_stands_still(&HubOptions::default());
}

#[test]
fn a_hub_on_postgresql_that_stood_still_has_no_gap_afterwards() {
    if std::env::var_os("STEWARD_WITHOUT_POSTGRES").is_some() {
        println!("STEWARD_WITHOUT_POSTGRES is set: NOT tested on PostgreSQL");
        return;
    }
    let postgres = Postgres::start(Durability::None).unwrap();
    the_hub_stands_still(&HubOptions { database: Some(postgres.url.clone()) });
}

#[test]
fn fault_y1_fault_y2_a_hub_killed_at_any_moment_keeps_every_sample_once() {
    let mut house = House::start().unwrap();
    let watched = Watched::of(&house);
    watched.kept_after(&house, Timestamp(0));
    for round in 0..12_u64 {
        // A batch comes each second: each round is killed at another moment between two of them.
        std::thread::sleep(Duration::from_millis(300 + 83 * round));
        house.hub.kill().unwrap();
        house.hub.start().unwrap();
    }
    house.admin = house.hub.admin().unwrap();
    watched.kept_after(&house, polled(&house));
    watched.assert_whole(&mut house);
    let (all, different) = house.frames().unwrap();
    assert_eq!(all, different, "a batch was applied twice");
    assert!(house.events("data_missing").is_empty() && house.events("batch_forked").is_empty());
    assert_eq!(house.events("epoch_began").len(), 1);
}

/// Where the system gives no more memory, the programs end at once; what starts them again is systemd's unit.
#[test]
fn fault_h2_a_hub_that_gets_no_more_memory_ends_and_has_everything_once_when_it_is_back() {
    let mut house = House::start().unwrap();
    let watched = Watched::of(&house);
    watched.kept_after(&house, Timestamp(0));
    // What it has it keeps, and gets no more.
    house.hub.process().unwrap().limit(Resource::Data, Some(1)).unwrap();
    let long = serde_json::json!({ "name": "x".repeat(900_000) });
    eventually("the hub has ended", LONG, || {
        std::thread::scope(|scope| {
            for _ in 0..8 {
                scope.spawn(|| house.admin.post("/api/v1/gateways", &long).is_err());
            }
        });
        (!house.hub.runs()).then_some(())
    });
    house.hub.start().unwrap();
    assert!(house.hub.log().contains("memory allocation of"), "{}", house.hub.log());
    watched.kept_after(&house, polled(&house));
    watched.assert_whole(&mut house);
    let (all, different) = house.frames().unwrap();
    assert_eq!(all, different, "a batch was applied twice");
    assert!(house.events("data_missing").is_empty() && house.events("batch_forked").is_empty());
    assert_eq!(house.events("epoch_began").len(), 1);
}

#[test]
fn fault_y3_fault_s1_an_edge_killed_at_any_moment_sends_what_it_had_committed_once() {
    let mut house = House::start().unwrap();
    let watched = Watched::of(&house);
    watched.kept_after(&house, Timestamp(0));
    for round in 0..20_u64 {
        std::thread::sleep(Duration::from_millis(250 + 53 * round));
        // Older than two flushes: on the disk, whatever the kill takes.
        let committed = Timestamp(polled(&house).0 - 3 * SECOND);
        house.edge.kill().unwrap();
        house.edge.start().unwrap();
        eventually("what was committed is at the hub", LONG, || {
            (watched.last(&house) >= committed).then_some(())
        });
    }
    watched.assert_whole(&mut house);
    let (all, different) = house.frames().unwrap();
    assert_eq!(all, different, "a batch was applied twice");
    assert!(house.events("data_missing").is_empty() && house.events("batch_forked").is_empty());
    assert_eq!(house.events("epoch_began").len(), 1, "the buffer is the same one after each kill");
}

#[test]
fn fault_y5_an_edge_with_an_empty_buffer_goes_on_and_history_stays() {
    let mut house = House::start().unwrap();
    let watched = Watched::of(&house);
    watched.kept_after(&house, Timestamp(0));
    house.edge.stop().unwrap();
    let before = eventually("the last flush is at the hub", LONG, || {
        let kept = watched.kept(&house);
        (!kept.is_empty()).then_some(kept)
    });
    let data = house.edge.config().with_file_name("edge");
    for entry in std::fs::read_dir(&data).unwrap().flatten() {
        if entry.file_name().to_string_lossy().contains(".db") {
            std::fs::remove_file(entry.path()).unwrap();
        }
    }
    house.edge.start().unwrap();
    watched.kept_after(&house, before[before.len() - 1].0);
    assert_eq!(watched.id, house.known_point(DEVICE, POINT), "the point is the same one");
    let after = watched.kept(&house);
    assert_eq!(after[..before.len()], before[..], "history stays as it was");
    watched.assert_true(&after);
    assert_eq!(house.events("epoch_began").len(), 2);
}

#[test]
fn fault_n1_an_alarm_of_a_broken_link_is_at_the_hub_once_and_soon_after() {
    let mut house = House::start().unwrap();
    let watched = Watched::of(&house);
    watched.kept_after(&house, Timestamp(0));
    house.relay.set(Weather::DOWN);
    house.plant.break_at("chw-pump-1", Fault::Silent, None).unwrap();
    eventually("the edge knows that the pump is silent", LONG, || {
        let status = house.edge.status().ok()?;
        let devices = status["health"]["devices"].as_array()?.clone();
        let pump = devices.into_iter().find(|d| d["key"] == "chw-pump-1")?;
        (pump["silent"] == true).then_some(())
    });
    let at_hub = |house: &House| house.events("device_silent").len();
    assert_eq!(at_hub(&house), 0, "the link is cut");
    house.relay.set(Weather::CLEAR);
    eventually("the alarm is at the hub", Duration::from_secs(5), || (at_hub(&house) > 0).then_some(()));
    house.plant.mend_all().unwrap();
    eventually("its end is told", LONG, || {
        house.events("device_silent").iter().find(|e| e["active"] == false).cloned()
    });
    assert_eq!(at_hub(&house), 2, "its beginning and its end, once each");
    watched.assert_whole(&mut house);
}

#[test]
fn fault_n6_where_udp_is_dropped_everything_goes_over_tcp_and_both_pages_say_so() {
    let mut house = House::start().unwrap();
    let watched = Watched::of(&house);
    watched.kept_after(&house, Timestamp(0));
    let gateway = |house: &House| {
        house.admin.get(&format!("/api/v1/gateways/{}", house.gateway)).unwrap().ok().unwrap()
    };
    assert_eq!((&gateway(&house)["road"], &gateway(&house)["blocked_port"]), (&"quic".into(), &Value::Null));
    // The firewall drops UDP from now on; the gateway's program starts anew behind it.
    house.relay.set(Weather::NO_UDP);
    house.edge.kill().unwrap();
    house.edge.start().unwrap();
    let begun = polled(&house);
    let status = eventually("the gateway is on the hub", Duration::from_secs(10), || {
        house.edge.status().ok().filter(|s| s["hub"]["connected"] == true)
    });
    let port = house.relay.address.port();
    assert_eq!(status["hub"]["road"], "tcp");
    assert!(status["hub"]["advice"]["en"].as_str().unwrap().ends_with(&format!("ask for UDP port {port}")));
    assert!(status["hub"]["advice"]["zh"].as_str().unwrap().contains(&format!("UDP 端口 {port}")));
    eventually("the hub's page says so", LONG, || (gateway(&house)["road"] == "tcp").then_some(()));
    assert_eq!(gateway(&house)["blocked_port"], house.hub.gateways.port());
    watched.kept_after(&house, begun);
    // A break of the line only holds things up.
    let before = house.relay.streamed();
    house.relay.set(Weather { no_udp: true, ..Weather::DOWN });
    std::thread::sleep(Duration::from_secs(3));
    house.relay.set(Weather::NO_UDP);
    watched.kept_after(&house, polled(&house));
    assert!(house.relay.streamed() > before);
    // UDP is let through, and a gateway that starts anew takes it.
    house.relay.set(Weather::CLEAR);
    house.edge.stop().unwrap();
    house.edge.start().unwrap();
    eventually("the session is over QUIC again", LONG, || (gateway(&house)["road"] == "quic").then_some(()));
    watched.kept_after(&house, polled(&house));
    watched.assert_whole(&mut house);
    let (all, different) = house.frames().unwrap();
    assert_eq!(all, different, "a batch was applied twice");
    assert!(house.events("cloned_gateway").is_empty() && house.events("data_missing").is_empty());
    assert_eq!(house.events("epoch_began").len(), 1);
}

#[test]
fn fault_n5_a_flapping_link_is_told_at_most_once_and_leaves_no_gap() {
    let mut house = House::start().unwrap();
    let watched = Watched::of(&house);
    watched.kept_after(&house, Timestamp(0));
    for _ in 0..4 {
        for weather in [Weather::DOWN, Weather::CLEAR] {
            house.relay.set(weather);
            // The flapping itself, not a wait for something to become true.
            std::thread::sleep(Duration::from_secs(3));
        }
    }
    watched.kept_after(&house, polled(&house));
    watched.assert_whole(&mut house);
    assert!(house.events("gateway_silent").len() <= 1);
    assert_eq!(house.events("epoch_began").len(), 1);
}

#[test]
fn what_somebody_watches_comes_at_once_and_does_not_wait_for_a_flush() {
    let plant = PlantOptions { flush: "10min".into(), ..PlantOptions::default() };
    let house = House::start_with(&HubOptions::default(), &plant).unwrap();
    let watched = Watched::of(&house);
    let mut stream = house.admin.events(&format!("/api/v1/live?points={}", watched.id)).unwrap();
    let mut seen: Vec<(Timestamp, f64)> = Vec::new();
    while seen.len() < 5 {
        let (name, data) = stream.next_event().unwrap().expect("the stream goes on");
        if name == "value" {
            assert_eq!(data["point"], watched.id);
            seen.push((data["at"].as_str().unwrap().parse().unwrap(), data["value"].as_f64().unwrap()));
        }
    }
    watched.assert_true(&seen);
    assert!(watched.kept(&house).is_empty(), "nothing was flushed yet: these came by the other road");
}
