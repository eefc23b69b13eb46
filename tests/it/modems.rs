//! The edge on devices that dial in: pymodbus behind a transparent modem that registers, says that it lives, breaks off in
//! the middle of an answer and comes back, and comes twice.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test says with a panic what broke")]

use std::io::Read;
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::time::Duration;

use serde_json::Value;
use steward_tests::programs::{Peer, free_tcp_port};
use steward_tests::{Edge, eventually};

const LONG: Duration = Duration::from_mins(1);

fn gateway_file(dir: &Path, http: SocketAddr, port: u16) -> std::path::PathBuf {
    let profiles = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers/profiles");
    let line = |name: &str, unit: u8| {
        format!(
            "[[line]]\nname = \"{name}\"\nkind = \"listen\"\nlisten = \"127.0.0.1:{port}\"\nregister = \"MODEM-{name}\"\n\
             heartbeat = \"ping\"\nallow = [\"127.0.0.0/8\"]\ntimeout = \"500ms\"\n\
             [[line.device]]\nname = \"at-{name}\"\nprofile = \"pymodbus/register\"\naddress = {unit}\n"
        )
    };
    let text = format!(
        "[gateway]\nname = \"modems\"\ndata = \"{}\"\n[http]\nlisten = \"{http}\"\n[profiles]\nfolders = [\"{}\"]\n{}{}",
        dir.join("edge").display(),
        profiles.display(),
        line("east", 7),
        line("west", 8),
    );
    let file = dir.join("edge.toml");
    std::fs::write(&file, text).unwrap();
    file
}

/// The value of a device's register, and when it was read.
fn read(edge: &Edge, device: &str) -> Option<(f64, String)> {
    let status = edge.status().ok()?;
    let value = status["values"].as_array()?.iter().find(|v| v["device"] == device)?.clone();
    (value["quality"] == "good")
        .then(|| Some((value["value"].as_f64()?, value["at"].as_str()?.to_owned())))?
}

fn line_health(edge: &Edge, line: &str) -> Option<Value> {
    let status = edge.status().ok()?;
    status["health"]["lines"].as_array()?.iter().find(|l| l["name"] == line).cloned()
}

/// Waits for a value that was read later than the last.
fn reads_on(edge: &Edge, device: &str, wanted: f64) {
    let before = read(edge, device).map_or(String::new(), |(_, at)| at);
    let (value, _) = eventually(&format!("{device} is read anew"), LONG, || {
        read(edge, device).filter(|(_, at)| *at > before)
    });
    assert!((value - wanted).abs() < f64::EPSILON, "{device}: {value} was read, {wanted} is right");
}

#[test]
fn modems_that_dial_in_are_polled_each_as_its_own_line_whatever_becomes_of_their_connections() {
    if !Peer::wanted("modems") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let (port, http) = (free_tcp_port().unwrap(), free_tcp_port().unwrap());
    let http = SocketAddr::from(([127, 0, 0, 1], http));
    let mut edge = Edge::new(&gateway_file(dir.path(), http, port), http);
    edge.start().unwrap();
    let mut modems = ["east", "west"].map(|name| {
        let folder = dir.path().join(name);
        std::fs::create_dir(&folder).unwrap();
        let unit = if name == "east" { "7" } else { "8" };
        Peer::start("modem.py", &folder, &[&port.to_string(), &format!("MODEM-{name}"), unit]).unwrap()
    });
    reads_on(&edge, "at-east", 40_007.0);
    reads_on(&edge, "at-west", 40_008.0);

    for _ in 0..3 {
        modems[0].tell("drop").unwrap();
        reads_on(&edge, "at-east", 40_007.0);
        reads_on(&edge, "at-west", 40_008.0);
    }
    modems[0].tell("twin").unwrap();
    eventually("the older connection gives way", LONG, || {
        edge.log().contains("a newer connection takes the place of the old").then_some(())
    });
    reads_on(&edge, "at-east", 40_007.0);

    let mut stranger = TcpStream::connect(("127.0.0.1", port)).unwrap();
    std::io::Write::write_all(&mut stranger, b"MODEM-north").unwrap();
    stranger.set_read_timeout(Some(LONG)).unwrap();
    assert!(matches!(stranger.read(&mut [0; 9]), Ok(0) | Err(_)), "it is hung up on");
    let strangers = eventually("it is counted", LONG, || {
        let health = line_health(&edge, "west")?;
        health["troubles"].as_array()?.iter().find(|t| t["what"] == "strangers").cloned()
    });
    assert_eq!(strangers["count"], 1);
    let metrics = edge.http().get("/metrics").unwrap().text();
    assert!(metrics.contains("steward_edge_line_turned_away_total{line=\"east\"} 1"), "{metrics}");
    assert!(metrics.contains("steward_edge_line_early_requests_total{line=\"east\"} 0"), "{metrics}");
    edge.stop().unwrap();
}
