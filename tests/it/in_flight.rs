//! The edge with several questions under way, on a device whose frames pymodbus makes: how many answers a second that gives,
//! and that a dead unit behind the connection takes nothing from the others.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test says with a panic what broke")]

use std::net::SocketAddr;
use std::path::Path;
use std::time::Duration;

use steward_tests::programs::{Peer, free_tcp_port};
use steward_tests::{Edge, eventually};
use tokio::time::Instant;

const LONG: Duration = Duration::from_mins(1);
const MEASURED: Duration = Duration::from_secs(10);

fn gateway_file(dir: &Path, http: SocketAddr, port: u16, in_flight: u8) -> std::path::PathBuf {
    let profiles = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers/profiles");
    let mut text = format!(
        "[gateway]\nname = \"busy\"\ndata = \"{}\"\n[http]\nlisten = \"{http}\"\n[profiles]\nfolders = [\"{}\"]\n\
         [[line]]\nname = \"busy\"\nkind = \"tcp\"\nhost = \"127.0.0.1\"\nport = {port}\nin_flight = {in_flight}\n",
        dir.join("edge").display(),
        profiles.display(),
    );
    // Thirty questions each second to each: more than even four at once can carry. Unit 9 is dead.
    for unit in 1..=9 {
        let device =
            format!("[[line.device]]\nname = \"u{unit}\"\nprofile = \"pymodbus/busy\"\naddress = {unit}\n");
        text.push_str(&device);
    }
    let file = dir.join("edge.toml");
    std::fs::write(&file, text).unwrap();
    file
}

/// A figure of the line.
fn figure(edge: &Edge, name: &str) -> Option<u64> {
    let text = edge.http().get("/metrics").ok()?.text();
    let line = text.lines().find(|l| l.starts_with(&format!("{name}{{line=\"busy\"}}")))?;
    line.rsplit(' ').next()?.parse().ok()
}

/// Answers a second of a full line.
fn rate(in_flight: u8) -> f64 {
    let dir = tempfile::tempdir().unwrap();
    let (port, http) = (free_tcp_port().unwrap(), free_tcp_port().unwrap());
    let http = SocketAddr::from(([127, 0, 0, 1], http));
    let _peer = Peer::start("busy.py", dir.path(), &[&port.to_string()]).unwrap();
    let mut edge = Edge::new(&gateway_file(dir.path(), http, port, in_flight), http);
    edge.start().unwrap();
    let requests = |edge: &Edge| figure(edge, "steward_edge_line_requests_total");
    eventually("the line is polled, and the dead unit is known", LONG, || {
        let status = edge.status().ok()?;
        let devices = status["health"]["devices"].as_array()?.clone();
        devices.iter().any(|d| d["key"] == "u9" && d["silent"] == true).then_some(())
    });
    let first = eventually("the figures are told", LONG, || requests(&edge));
    let begun = Instant::now();
    let last = eventually("some time passes", LONG, || {
        requests(&edge).filter(|n| begun.elapsed() >= MEASURED && *n > first)
    });
    let per_second = (last - first) as f64 / begun.elapsed().as_secs_f64();
    let status = edge.status().unwrap();
    for value in status["values"].as_array().unwrap().iter().filter(|v| v["quality"] == "good") {
        let unit: f64 = value["device"].as_str().unwrap()[1..].parse().unwrap();
        let register: f64 = value["point"].as_str().unwrap()[1..].parse().unwrap();
        assert_eq!(value["value"].as_f64(), Some(256.0 * unit + register), "{value}");
    }
    let line = &status["health"]["lines"][0];
    assert_eq!(line["up"], true, "{line}");
    let log = edge.log();
    assert!(!log.contains("one question at a time from now on"), "{log}");
    edge.stop().unwrap();
    per_second
}

#[test]
fn four_questions_under_way_bring_more_than_three_times_the_answers() {
    if !Peer::wanted("a device that takes many questions") {
        return;
    }
    let (one, four) = (rate(1), rate(4));
    println!("a device with 20 ms turnaround: {one:.1} questions/s with 1 in flight, {four:.1} with 4");
    assert!(one < 51.0, "one question at a time takes 20 ms: {one:.1}");
    assert!(four > 3.0 * one, "{one:.1} a second with one, {four:.1} with four");
}
