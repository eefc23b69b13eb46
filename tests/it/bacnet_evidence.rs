//! Where a value of a BACnet device comes from, at the engineer's terminal: the bytes are those that bacpypes3 puts on the
//! wire. Another profile is tried on them, and a mended one makes the readings of a wrong one anew.
#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test says with a panic what broke")]

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use serde_json::Value as Json;
use steward_shared::reading::{Reading, Value};
use steward_tests::programs::{Peer, free_tcp_port, free_udp_port, history, program};
use steward_tests::{Edge, eventually};
use tempfile::TempDir;

const LONG: Duration = Duration::from_secs(30);
const BEGINNING: &str = "2001-01-01T00:00:00Z";

struct House {
    edge: Edge,
    folder: TempDir,
    _peer: Peer,
}

/// The profile of the peer's plant, in which the second temperature is scaled so.
fn plant(scale: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers/profiles/bacpypes3/plant.toml");
    let text = std::fs::read_to_string(path).unwrap();
    let point = "key = \"t2\"\n";
    assert!(text.contains(point));
    text.replace(point, &format!("{point}scale = {scale}\nmax = 30.0\n"))
}

impl House {
    /// With a profile that makes ten times the value.
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let port = free_udp_port().unwrap();
        let peer = Peer::start("bacnet_device.py", folder.path(), &[&port.to_string()]).unwrap();
        let http = SocketAddr::from(([127, 0, 0, 1], free_tcp_port().unwrap()));
        let text = format!(
            "[gateway]\nname = \"bms\"\ndata = \"{}\"\n[http]\nlisten = \"{http}\"\n[buffer]\nflush = \"1s\"\n\
             [periods]\nnormal = \"500ms\"\nslow = \"2s\"\n[profiles]\nfolders = [\"profiles\"]\n\
             [[line]]\nname = \"bms\"\nkind = \"bacnet-ip\"\nlisten = \"127.0.0.1:0\"\n\
             broadcast = \"127.255.255.255:{port}\"\ntimeout = \"300ms\"\nretries = 1\n\
             [[line.device]]\nname = \"big\"\nprofile = \"bacpypes3/plant\"\ninstance = 1001\n",
            folder.path().join("data").display(),
        );
        let file = folder.path().join("edge.toml");
        std::fs::write(&file, text).unwrap();
        let mut house = Self { edge: Edge::new(&file, http), folder, _peer: peer };
        house.write("profiles", &plant("10"));
        house.edge.start().unwrap();
        house
    }

    fn write(&self, folder: &str, profile: &str) -> PathBuf {
        let folder = self.folder.path().join(folder).join("bacpypes3");
        std::fs::create_dir_all(&folder).unwrap();
        let path = folder.join("plant.toml");
        std::fs::write(&path, profile).unwrap();
        path
    }

    /// Waits until the point has been read, and has this value.
    fn shows(&self, point: &str, value: f64) {
        eventually(&format!("{point} is {value}"), LONG, || {
            let status = self.edge.status().ok()?;
            let found = status["values"].as_array()?.iter().find(|v| v["point"] == point)?.clone();
            (found["value"] == value).then_some(())
        });
    }

    fn said(&self, words: &[&str]) -> String {
        let mut command = Command::new(program("steward-edge", "steward-edge").unwrap());
        let out = command.args(words).current_dir(self.folder.path()).output().unwrap();
        let text = String::from_utf8_lossy(&[out.stdout, out.stderr].concat()).into_owned();
        assert!(out.status.success(), "{words:?}: {text}");
        text
    }

    fn json(&self, words: &[&str]) -> Json {
        serde_json::from_str(&self.said(&[words, &["--json"]].concat())).unwrap()
    }

    #[tokio::main]
    async fn sent_anew(&self) -> Vec<Reading> {
        history(&self.folder.path().join("data")).await.unwrap()
    }
}

#[test]
fn a_value_is_explained_by_the_bytes_that_the_device_sent_and_made_anew_by_a_mended_profile() {
    if !Peer::wanted("bacpypes3") {
        return;
    }
    let mut house = House::start();
    house.shows("t2", 10.0);
    eventually("a change was told", LONG, || {
        // What was heard last is written within half a minute; a request to make anew writes it now.
        assert_eq!(house.json(&["redecode", "--since", BEGINNING]), serde_json::json!({}));
        (house.json(&["explain", "big/t1"])["unasked"] == true).then_some(())
    });

    let told = house.said(&["explain", "big/t2", "--lang", "en"]);
    for part in [
        "10 °C",
        "good",
        "analog-input 2 present-value, real, x 10 + 0, max 30",
        "bacpypes3/plant",
        "asked    device 1001",
        "of it    analog-input 2 present-value: 44 3F 80 00 00 = REAL 1",
        "of it    analog-input 2 status-flags: 82 04 00 = BIT STRING 0000",
    ] {
        assert!(told.contains(part), "{part} is not in\n{told}");
    }
    let told = house.said(&["explain", "big/t1", "--lang", "zh"]);
    assert!(
        told.contains("设备上报  device 1001") && told.contains("analog-input 1 present-value: 44"),
        "{told}"
    );
    // Text in the code page that the device names, a bit that says that the value is none, and a refusal.
    let of = |point: &str| house.json(&["explain", &format!("big/{point}")]);
    let what = of("what");
    assert_eq!(what["parts"][0]["says"], "CharacterString 冷冻水供水温度");
    let by_hand = of("by-hand");
    assert_eq!((&by_hand["value"], &by_hand["quality"]), (&Json::Null, &"no_value".into()), "{by_hand}");
    assert_eq!(by_hand["parts"][1]["says"], "BIT STRING 0001");
    let missing = of("missing");
    assert_eq!((&missing["quality"], &missing["bytes"]), (&"refused".into(), &Json::Null), "{missing}");
    assert_eq!(missing["parts"][0]["says"], "object: unknown-object");

    let mended = plant("1");
    let told = house.said(&["preview", &house.write("tried", &mended).display().to_string(), "--lang", "en"]);
    assert!(told.contains("big/t2  10 °C  1 °C") && !told.contains("valve"), "only what differs: {told}");
    house.edge.stop().unwrap();
    house.write("profiles", &mended);
    house.edge.start().unwrap();
    house.shows("t2", 1.0);
    let counts = house.json(&["redecode", "--since", BEGINNING]);
    assert!(counts["big"].as_u64().unwrap() > 0, "{counts}");
    let then = house.json(&["explain", "big/t2"]);
    assert_eq!((&then["value"], &then["profile_changed"]), (&1.0.into(), &false.into()));
    house.edge.stop().unwrap();
    let anew = house.sent_anew();
    let is_one = |r: &&Reading| r.value == Some(Value::Number(1.0));
    assert!(anew.iter().filter(is_one).count() >= 2, "the second temperature, each time: {anew:?}");
    assert!(anew.iter().all(|r| r.value != Some(Value::Number(10.0))), "{anew:?}");
}
