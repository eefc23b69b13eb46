//! Counters as ledgers: from a meter's registers to events, readings, and what a person sees and says at the terminal.

use std::path::Path;
use std::sync::Arc;

use steward_edge::buffer::{Buffer, BufferSettings, StoredCounter};
use steward_shared::alarm::EventKind;
use steward_shared::id::{PointNo, RandomIds};
use steward_shared::reading::{Quality, Reading, Value};
use steward_shared::time::{SystemClock, Timestamp};

use crate::house::{House, Meter};
use crate::program::program;

const SETTLES: &str = "settle_after = \"1s\"";

fn counter(rest: &str) -> String {
    format!(
        "[[point]]\nkey = \"energy\"\ntitle = {{ zh = \"电能\", en = \"Energy\" }}\ntable = \"holding\"\naddress = 0\n\
         type = \"u32\"\nscale = 0.1\nunit = \"kW.h\"\nkind = \"counter\"\nclass = \"fast\"\n{rest}\n"
    )
}

/// `steward-edge ledger …` of the daemon with this data folder.
async fn at_the_terminal(data: &Path, words: &str) -> Result<String, String> {
    let mut command = tokio::process::Command::from(program());
    command.arg("ledger").args(words.split_whitespace()).arg("--data").arg(data).env("LC_ALL", "C");
    let said = command.output().await.unwrap();
    let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap().trim_end().to_owned();
    if said.status.success() { Ok(text(said.stdout)) } else { Err(text(said.stderr)) }
}

fn numbers(readings: &[&Reading]) -> Vec<f64> {
    let number = |r: &&Reading| match r.value {
        Some(Value::Number(n)) if r.quality.is_good() => Some(n),
        _ => None,
    };
    let mut numbers: Vec<f64> = readings.iter().filter_map(number).collect();
    numbers.dedup_by(|a, b| a.to_bits() == b.to_bits());
    numbers
}

#[tokio::test(flavor = "multi_thread")]
async fn fault_b7_a_rollover_is_counted_and_told_and_its_total_survives_a_restart() {
    let meter = Meter::start();
    meter.set_wide(0, 9990);
    let mut house = House::start(&meter, &counter("modulus = 1000.0"), "").await;
    house.until_quality("energy", "good").await;
    meter.set_wide(0, 12);
    house.until_number("energy", 1.2).await;
    let list = at_the_terminal(&house.data(), "--lang en").await.unwrap();
    assert!(list.contains("meter/energy  1.2 kWh  1001.2 kWh") && list.ends_with("counted"), "{list}");
    let left = house.stop().await;
    assert_eq!(left.told(EventKind::CounterRolledOver), [true]);
    assert!(left.told(EventKind::CounterHeld).iter().all(|held| !held), "nothing was held back");
    meter.set_wide(0, 15);
    house.start_again().await;
    house.until_number("energy", 1.5).await;
    let shown = at_the_terminal(&house.data(), "list meter/energy --json").await.unwrap();
    let shown: serde_json::Value = serde_json::from_str(&shown).unwrap();
    assert_eq!(
        (&shown[0]["total"], &shown[0]["entries"][0]["what"]),
        (&1001.5.into(), &"rolled_over".into())
    );
    house.stop().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn fault_b7_a_new_meter_is_held_back_told_and_settled_by_its_own_values() {
    let meter = Meter::start();
    meter.set_wide(0, 50_010);
    let mut house = House::start(&meter, &counter(SETTLES), "").await;
    house.until_quality("energy", "good").await;
    house.polls(3).await;
    meter.set_wide(0, 120);
    house.until_quality("energy", "held_back").await;
    assert_eq!(house.shown("energy").value, None, "what may be wrong is not shown as a value");
    house.until_number("energy", 12.0).await;
    house.polls(4).await;
    let list = at_the_terminal(&house.data(), "list meter/energy --lang zh").await.unwrap();
    assert!(list.contains("换表（由后续读数判定）") && list.contains("5001.0 kWh"), "{list}");
    let left = house.stop().await;
    assert_eq!(left.told(EventKind::MeterReplaced), [true]);
    let held = left.told(EventKind::CounterHeld);
    assert!(held.ends_with(&[true, false]), "{held:?}");
    assert_eq!(numbers(&left.of("energy")), [5001.0, 12.0]);
    let held_back = left.of("energy").into_iter().filter(|r| r.quality == Quality::HeldBack);
    assert!(held_back.into_iter().all(|r| r.value.is_none()));
}

#[tokio::test(flavor = "multi_thread")]
async fn fault_b7_a_person_settles_a_new_meter_at_once_with_its_start() {
    let meter = Meter::start();
    meter.set_wide(0, 50_010);
    let mut house = House::start(&meter, &counter(""), "").await;
    house.until_quality("energy", "good").await;
    meter.set_wide(0, 120);
    house.until_quality("energy", "held_back").await;
    let wrong =
        at_the_terminal(&house.data(), "confirm meter/enregy --start 10 --lang en").await.unwrap_err();
    assert!(wrong.contains("there is no counter meter/enregy"), "{wrong}");
    let wrong =
        at_the_terminal(&house.data(), "confirm meter/energy --start 13 --lang zh").await.unwrap_err();
    assert!(wrong.contains("小于起始值 13"), "{wrong}");
    let done =
        at_the_terminal(&house.data(), "confirm meter/energy --start 10 --end 5003 --lang en").await.unwrap();
    assert!(done.contains("5005.0 kWh") && done.contains("replaced, as a person said"), "{done}");
    house.until_number("energy", 12.0).await;
    let left = house.stop().await;
    assert_eq!(left.told(EventKind::MeterReplaced), [true]);
    let nobody = at_the_terminal(&house.data(), "--lang en").await.unwrap_err();
    assert!(nobody.contains("no steward-edge answers at"), "{nobody}");
}

#[tokio::test(flavor = "multi_thread")]
async fn fault_b7_an_impossible_jump_never_becomes_consumption() {
    let meter = Meter::start();
    meter.set_wide(0, 50_010);
    let mut house = House::start(&meter, &counter("rate_per_min = 10"), "").await;
    house.until_quality("energy", "good").await;
    house.polls(2).await;
    meter.set_wide(0, 0x7FFF_0000);
    house.until_quality("energy", "held_back").await;
    meter.set_wide(0, 50_011);
    house.until_number("energy", 5001.1).await;
    let left = house.stop().await;
    assert_eq!(numbers(&left.of("energy")), [5001.0, 5001.1]);
    assert!(left.told(EventKind::MeterReplaced).is_empty());
}

#[tokio::test(flavor = "multi_thread")]
async fn fault_b7_a_jump_is_held_back_without_any_rule_and_its_return_is_counted() {
    let meter = Meter::start();
    meter.set_wide(0, 50_010);
    let mut house = House::start(&meter, &counter(""), "").await;
    house.until_quality("energy", "good").await;
    house.polls(2).await;
    meter.set_wide(0, 99_999_990);
    house.until_quality("energy", "held_back").await;
    meter.set_wide(0, 50_020);
    house.until_number("energy", 5002.0).await;
    let list = at_the_terminal(&house.data(), "list meter/energy --json").await.unwrap();
    let list: serde_json::Value = serde_json::from_str(&list).unwrap();
    assert_eq!((&list[0]["total"], &list[0]["entries"]), (&5002.0.into(), &serde_json::json!([])));
    let left = house.stop().await;
    assert_eq!(numbers(&left.of("energy")), [5001.0, 5002.0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_counter_cannot_be_is_not_counted() {
    let meter = Meter::start();
    meter.set_wide(0, 50_010);
    let mut house = House::start(&meter, &counter("max = 5005"), "").await;
    house.until_quality("energy", "good").await;
    meter.set_wide(0, 50_100);
    house.until_quality("energy", "out_of_range").await;
    house.polls(3).await;
    meter.set_wide(0, 50_011);
    house.until_number("energy", 5001.1).await;
    let left = house.stop().await;
    assert!(left.of("energy").iter().all(|r| r.quality != Quality::HeldBack));
    assert_eq!(numbers(&left.of("energy")), [5001.0, 5001.1]);
}

#[tokio::test(flavor = "multi_thread")]
async fn another_ratio_of_the_transformers_is_told_and_counts_nothing() {
    let ratio = "[[point]]\nkey = \"ct-ratio\"\ntitle = { zh = \"变比\", en = \"CT ratio\" }\ntable = \"holding\"\n\
                 address = 10\ntype = \"u16\"\nunit = \"1\"\nclass = \"fast\"\nrole = \"ct-ratio\"\n";
    let meter = Meter::start();
    meter.set_wide(0, 50_010);
    meter.set_wide(9, 40);
    let mut house = House::start(&meter, &format!("{}{ratio}", counter("")), "").await;
    house.until_quality("ct-ratio", "good").await;
    house.polls(3).await;
    meter.set_wide(9, 20);
    meter.set_wide(0, 25_005);
    house.until_number("energy", 2500.5).await;
    let list = at_the_terminal(&house.data(), "list meter/energy --lang en").await.unwrap();
    assert!(list.contains("5001.0 kWh") && list.contains("ratio changed"), "{list}");
    let left = house.stop().await;
    assert_eq!(left.told(EventKind::RatioChanged), [true, true], "of the ratio and of the counter");
}

#[tokio::test]
async fn where_a_counter_stands_and_how_fast_it_was_lasts_and_an_older_database_is_taken_over() {
    let folder = tempfile::tempdir().unwrap();
    let open = || {
        let (clock, ids) = (Arc::new(SystemClock), Arc::new(RandomIds));
        Buffer::open(folder.path(), BufferSettings::default(), clock, ids).unwrap()
    };
    let counter = StoredCounter {
        point: PointNo(7),
        at: Timestamp(1_700_000_000_000),
        shown: 5001.1,
        added: 1000.0,
        pace: 12.75,
    };
    let buffer = open();
    buffer.keep_counters(vec![counter], Vec::new()).await.unwrap();
    buffer.close().await.unwrap();
    let buffer = open();
    assert_eq!(buffer.counters().await.unwrap(), [counter]);
    buffer.close().await.unwrap();
    let older = rusqlite::Connection::open(folder.path().join("telemetry.db")).unwrap();
    older.execute_batch("drop table counter_pace; pragma user_version = 2;").unwrap();
    drop(older);
    let buffer = open();
    assert_eq!(buffer.counters().await.unwrap(), [StoredCounter { pace: 0.0, ..counter }]);
    buffer.close().await.unwrap();
}
