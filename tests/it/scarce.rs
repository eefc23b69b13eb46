//! What a machine may run out of while the real programs run, and what starts them again where they end of it.
#![allow(clippy::unwrap_used, reason = "a test says with a panic what broke")]

use std::path::Path;
use std::time::Duration;

use rustix::process::Resource;
use steward_tests::plant::fault::Fault;
use steward_tests::{House, eventually};

const LONG: Duration = Duration::from_mins(1);
/// Those that are open stay; there is no number for another one.
const NO_MORE: Option<u64> = Some(3);

fn frames_after(house: &House, more: i64) {
    let before = house.frames().unwrap().0;
    eventually("batches go on", LONG, || (house.frames().unwrap().0 >= before + more).then_some(()));
}

#[test]
fn fault_s15_without_a_file_descriptor_left_both_go_on_and_say_it() {
    let mut house = House::start().unwrap();
    house.known_point("main-meter", "active-power");
    let limit = |house: &House, hub, edge| {
        house.hub.process().unwrap().limit(Resource::Nofile, hub).unwrap();
        house.edge.process().unwrap().limit(Resource::Nofile, edge).unwrap();
    };
    frames_after(&house, 1);
    limit(&house, NO_MORE, NO_MORE);
    frames_after(&house, 5);
    // Somebody wants a page of each.
    let pages = [house.hub.http, house.edge.http].map(|at| std::net::TcpStream::connect(at).unwrap());
    let says = |log: String| log.to_lowercase().contains("too many open files").then_some(());
    eventually("the hub's log says it", LONG, || says(house.hub.log()));
    eventually("the gateway's log says it", LONG, || says(house.edge.log()));
    drop(pages);
    frames_after(&house, 5);

    limit(&house, None, NO_MORE);
    // A line that breaks cannot be opened again.
    house.plant.break_at("drives", Fault::Unplugged, Some(Duration::from_millis(500))).unwrap();
    let down = |active: bool| {
        let told = house.events("line_down").into_iter();
        told.filter(|e| e["line"] == "drives" && e["active"] == active)
            .map(|e| e["detail"].to_string())
            .next()
    };
    let why = eventually("the hub is told that the line is down", LONG, || down(true));
    assert!(why.to_lowercase().contains("too many open files"), "{why}");
    frames_after(&house, 5);
    limit(&house, None, None);
    eventually("the line is up again", LONG, || down(false));
    house.edge.status().unwrap();
    assert!(house.hub.runs() && house.edge.runs());
}

#[test]
fn fault_h2_fault_h6_systemd_starts_both_again_soon_and_always() {
    for (unit, watchdog) in [("steward-hub.service", "2min"), ("steward-edge.service", "3min")] {
        let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../systemd").join(unit);
        let text = std::fs::read_to_string(path).unwrap();
        let says = |line: &str| assert!(text.lines().any(|l| l == line), "{unit} does not say {line}");
        says("Restart=always");
        says("RestartSec=2");
        says("StartLimitIntervalSec=0");
        says("Type=notify");
        says(&format!("WatchdogSec={watchdog}"));
    }
}
