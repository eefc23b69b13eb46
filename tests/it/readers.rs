//! What our simulated meters say, read by programs that we did not write: pyMeterBus and the PyPI package iec62056-21.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test says with a panic what broke")]

use serde_json::{Value as Json, json};
use steward_protocols::exchange::{Exchange, Progress};
use steward_protocols::{iec62056, mbus};
use steward_shared::profile::{Language, Library, PointDef, Profile};
use steward_shared::reading::Value;
use steward_tests::programs::Peer;

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02X}")).collect::<Vec<_>>().concat()
}

fn profile(id: &str) -> std::sync::Arc<Profile> {
    Library::compiled_in().unwrap().get(id).unwrap()
}

/// A value for each point, no two alike.
fn value(point: &PointDef) -> Value {
    let place = point.key.bytes().map(u32::from).sum::<u32>();
    match point.key.as_str() {
        "set-day" => Value::Text("2026-12-31".to_owned()),
        "meter-clock" => Value::Text("2026-11-28 07:05".to_owned()),
        _ if point.is_number() => {
            let tenths = f64::from(10_u32.pow(u32::from(point.decimals)));
            Value::Number(f64::from(place) / tenths)
        }
        _ => Value::Number(0.0),
    }
}

fn number(profile: &Profile, key: &str) -> f64 {
    value(profile.point(key).unwrap()).as_number().unwrap()
}

fn read(language: &str, frames: &[Vec<u8>]) -> Json {
    let dir = tempfile::tempdir().unwrap();
    let frames: Vec<String> = frames.iter().map(|frame| hex(frame)).collect();
    let args: Vec<&str> = std::iter::once(language).chain(frames.iter().map(String::as_str)).collect();
    Peer::start("readers.py", dir.path(), &args).unwrap().ready.clone()
}

#[test]
fn pymeterbus_reads_in_the_telegrams_of_a_simulated_meter_what_was_put_in() {
    if !Peer::wanted("pyMeterBus") {
        return;
    }
    let profile = profile("kamstrup/multical-601");
    let identity = mbus::Identity::from_wire([0x17, 0x58, 0x85, 0x06, 0x2D, 0x2C, 0x08, 0x04]);
    let mut meter = mbus::Meter::new(&*profile, 17, identity).unwrap();
    let Language::Mbus(limits) = &profile.language else { panic!() };
    let ask = mbus::plan(&profile.points, 0..profile.points.len(), limits).remove(0);
    let mut exchange = ask.exchange("06855817".parse().unwrap());
    let mut telegrams = Vec::new();
    loop {
        let said = meter.answer(&exchange.frame(0), |point| Some(value(point))).unwrap();
        if said.len() > 1 {
            telegrams.push(said.clone());
        }
        match exchange.received(&said) {
            Progress::Next => {}
            Progress::Reply(Ok(_)) => break,
            other => panic!("{other:?}"),
        }
    }
    let read = read("mbus", &telegrams);
    let telegrams = read.as_array().unwrap();
    assert!(telegrams.iter().all(|t| t["id"] == "06855817" && t["maker"] == "KAM"), "{read}");
    let records: Vec<&Json> = telegrams.iter().flat_map(|t| t["records"].as_array().unwrap()).collect();
    let found = |kind: &str, function: &str, storage: u64| {
        let of = |r: &&&Json| r["type"] == kind && r["function"] == function && r["storage"] == storage;
        records
            .iter()
            .find(of)
            .map_or_else(|| panic!("no {kind} in {read}"), |record| record["value"].clone())
    };
    let instant = "INSTANTANEOUS_VALUE";
    // In the units of pyMeterBus: Wh, m3, W, m3/h, degrees, seconds.
    for (kind, function, storage, key, size) in [
        ("ENERGY_WH", instant, 0, "energy", 1000.0),
        ("VOLUME", instant, 0, "volume", 1.0),
        ("POWER_W", instant, 0, "power", 1000.0),
        ("POWER_W", "MAXIMUM_VALUE", 0, "power-max", 1000.0),
        ("VOLUME_FLOW", instant, 0, "flow", 1.0),
        ("FLOW_TEMPERATURE", instant, 0, "flow-temperature", 1.0),
        ("RETURN_TEMPERATURE", instant, 0, "return-temperature", 1.0),
        ("TEMPERATURE_DIFFERENCE", instant, 0, "temperature-difference", 1.0),
        ("ON_TIME", instant, 0, "operating-hours", 3600.0),
        ("ENERGY_WH", instant, 1, "set-day-energy", 1000.0),
        ("VOLUME", instant, 1, "set-day-volume", 1.0),
    ] {
        let (got, wanted) = (found(kind, function, storage).as_f64().unwrap(), number(&profile, key) * size);
        assert!((got - wanted).abs() <= wanted.abs() * 1e-9, "{key}: {wanted} was put in, {got} is read");
    }
    assert_eq!(found("DATE", instant, 1), json!("2026-12-31"));
    assert_eq!(found("DATE_TIME_GENERAL", instant, 0), json!("2026-11-28T07:05"));
}

#[test]
fn the_package_iec62056_21_reads_in_the_readout_of_a_simulated_meter_what_was_put_in() {
    if !Peer::wanted("PyPI iec62056-21") {
        return;
    }
    let profile = profile("logarex/lk13");
    let mut meter = iec62056::Meter::new(&*profile, "".parse().unwrap()).unwrap();
    let value = |point: &PointDef| match point.key.as_str() {
        "meter-number" | "error-flags" => Some(Value::Text("00012345".to_owned())),
        _ => Some(value(point)),
    };
    meter.answer(b"/?!\r\n", value).unwrap();
    let block = meter.answer(b"\x06060\r\n", value).unwrap();
    let read = read("iec62056", &[block]);
    let sets = read.as_array().unwrap();
    let found = |address: &str| sets.iter().find(|set| set["address"] == address).unwrap();
    for (address, key, unit) in [
        ("1-0:1.8.0*255", "energy-import", "kWh"),
        ("1-0:16.7.0*255", "power", "W"),
        ("1-0:52.7.0*255", "voltage-l2", "V"),
        ("1-0:71.7.0*255", "current-l3", "A"),
        ("1-0:14.7.0*255", "frequency", "Hz"),
    ] {
        let set = found(address);
        let got: f64 = set["value"].as_str().unwrap().parse().unwrap();
        assert!((got - number(&profile, key)).abs() < 1e-9, "{key}: {set}");
        assert_eq!(set["unit"], unit);
    }
    assert_eq!(found("1-0:96.1.0*255")["value"], "00012345");
}
