//! The real edge on the simulated plant room, without a hub: what it shows is what the plant says, the serial
//! line's silence is kept, and a broken device is told as such.

use std::net::SocketAddr;
use std::time::Duration;

use serde_json::Value;
use steward_tests::plant::fault::Fault;
use steward_tests::programs::{PlantOptions, free_tcp_port};
use steward_tests::{Edge, Plant, eventually};
use tempfile::TempDir;

const LONG: Duration = Duration::from_mins(1);

fn start() -> anyhow::Result<(TempDir, Plant, Edge)> {
    let dir = TempDir::new()?;
    let http = SocketAddr::from(([127, 0, 0, 1], free_tcp_port()?));
    let options = PlantOptions { edge_http: http.to_string(), ..PlantOptions::default() };
    let plant = Plant::start(&dir.path().join("plant"), &options)?;
    let mut edge = Edge::new(&plant.file.edge_config, http);
    edge.start()?;
    Ok((dir, plant, edge))
}

fn value(edge: &Edge, device: &str, point: &str) -> Option<Value> {
    let status = edge.status().ok()?;
    status["values"].as_array()?.iter().find(|v| v["device"] == device && v["point"] == point).cloned()
}

fn is_good(value: &Value) -> bool {
    value["quality"] == "good"
}

/// A meter whose settlement day or clock is not set shows no value there.
fn is_as_it_is(value: &Value) -> bool {
    let not_set = ["volume-settled", "meter-date", "meter-time"];
    is_good(value) || not_set.iter().any(|p| value["point"] == *p) && value["quality"] == "no_value"
}

#[test]
fn the_edge_shows_every_point_of_the_room_as_the_plant_does_and_keeps_the_silence() {
    let (_dir, plant, mut edge) = start().unwrap();
    eventually("every point is good", LONG, || {
        let status = edge.status().ok()?;
        let values = status["values"].as_array()?;
        (values.len() > 200 && values.iter().all(is_as_it_is)).then_some(())
    });
    for (device, point, near) in [
        ("main-meter", "active-energy-import", 5.0),
        ("chiller-2", "entering-water-temperature", 0.5),
        ("chw-pump-1", "operating-hours", 0.5),
        ("meter-towers", "frequency", 0.1),
        ("make-up-water", "volume", 0.5),
        // Two meters of other languages on the controllers' line, one of them at another baud rate.
        ("meter-lighting", "active-energy-import", 0.5),
        ("meter-lighting", "voltage-b-n", 5.0),
        ("meter-lighting", "active-power", 1.0),
        ("make-up-check", "volume", 0.5),
    ] {
        let shown = value(&edge, device, point).unwrap()["value"].as_f64().unwrap();
        let told = plant.values().unwrap().values[device][point].as_f64().unwrap();
        assert!((shown - told).abs() < near, "{device} {point}: {shown} shown, {told} told");
    }
    let told = plant.told().unwrap();
    for (line, counts) in told.lines {
        assert!(counts.answers > 0, "{line} carried nothing");
        assert_eq!((counts.too_early, counts.collisions, counts.broken), (0, 0, 0), "{line}");
    }
    edge.stop().unwrap();
}

#[test]
fn fault_b11_a_silent_device_is_told_as_silent_and_its_neighbours_go_on() {
    let (_dir, plant, edge) = start().unwrap();
    eventually("the drive is polled", LONG, || {
        value(&edge, "chw-pump-1", "output-frequency").filter(is_good)
    });
    plant.break_at("chw-pump-1", Fault::Silent, None).unwrap();
    let silent = |wanted: bool| {
        let status = edge.status().ok()?;
        let devices = status["health"]["devices"].as_array()?;
        let device = devices.iter().find(|d| d["key"] == "chw-pump-1")?;
        (device["silent"] == wanted).then_some(())
    };
    eventually("the drive is told as silent", LONG, || silent(true));
    eventually("its values are not shown as good", LONG, || {
        value(&edge, "chw-pump-1", "output-frequency").filter(|v| !is_good(v))
    });
    eventually("its neighbour is good meanwhile", LONG, || {
        let neighbour = value(&edge, "chw-pump-2", "output-frequency").filter(is_good)?;
        silent(true).map(|()| neighbour)
    });
    plant.mend("chw-pump-1").unwrap();
    eventually("the drive answers again", LONG, || silent(false));
    eventually("its values are good again", LONG, || {
        value(&edge, "chw-pump-1", "output-frequency").filter(is_good)
    });
}

#[test]
fn fault_b4_a_meter_between_modbus_devices_is_told_as_damaged_or_silent_and_they_go_on() {
    let (_dir, plant, edge) = start().unwrap();
    let quality =
        |device: &str, point: &str| Some(value(&edge, device, point)?["quality"].as_str()?.to_owned());
    let is = |device: &str, point: &str, wanted: &str| (quality(device, point)? == wanted).then_some(());
    eventually("both meters are polled", LONG, || {
        is("meter-lighting", "voltage-a-n", "good").and(is("make-up-check", "volume", "good"))
    });
    plant.break_at("meter-lighting", Fault::WrongCrc { share: 1.0 }, None).unwrap();
    eventually("its damaged answers are not believed", LONG, || {
        is("meter-lighting", "voltage-a-n", "bad_reply")
    });
    let at = |device: &str| {
        value(&edge, device, "process-value").filter(is_good)?["at"].as_str().map(str::to_owned)
    };
    let before = at("ahu-wards");
    eventually("the controllers are read all the same", LONG, || {
        at("ahu-wards").filter(|now| before.as_ref() != Some(now))
    });
    plant.mend("meter-lighting").unwrap();
    eventually("it is good again", LONG, || is("meter-lighting", "voltage-a-n", "good"));
    plant.break_at("meter-lighting", Fault::Exception { code: 2 }, None).unwrap();
    eventually("what it refuses is told as refused", LONG, || is("meter-lighting", "frequency", "refused"));
    plant.mend("meter-lighting").unwrap();
    plant.break_at("make-up-check", Fault::Silent, None).unwrap();
    eventually("the other does not answer", LONG, || is("make-up-check", "volume", "no_reply"));
    plant.mend("make-up-check").unwrap();
    eventually("both are good again", LONG, || {
        is("meter-lighting", "voltage-a-n", "good").and(is("make-up-check", "volume", "good"))
    });
}
