//! Where a value that a device told comes from: its topic, its payload, the place in it and the rule; another profile tried
//! on what came, and readings made anew by a mended one.

use serde_json::{Value as Json, json};
use steward_shared::reading::Value;
use steward_shared::time::{Clock as _, SystemClock, Timestamp};
use steward_tests::eventually;
use steward_tests::programs::history;

use super::house::{DEVICES, House, LONG, wanted};

const BEGINNING: &str = "2001-01-01T00:00:00Z";

/// What the daemon has heard is written now.
fn written(house: &House) -> Json {
    serde_json::from_str(&house.tool(&["redecode", "--since", BEGINNING, "--json"])).unwrap()
}

#[track_caller]
fn has(told: &str, parts: &[&str]) {
    for part in parts {
        assert!(told.contains(part), "{part} is not in\n{told}");
    }
}

#[test]
fn a_value_is_explained_by_the_message_that_it_came_in() {
    if !wanted() {
        return;
    }
    let mut house = House::start("", DEVICES, "");
    house.talker.tell("tele/pump/SENSOR", "{\"ENERGY\":{\"Power\":1500,\"Voltage\":231}}");
    house.shows("pump", "active-power", 1.5);
    house.talker.tell("stat/pump/POWER", "ON");
    house.shows("pump", "relay", 1.0);
    assert_eq!(written(&house), json!({}));
    let told = house.tool(&["explain", "pump/active-power"]);
    has(
        &told,
        &[
            "1.5 kW",
            "told by  pump",
            "topic    tele/pump/SENSOR",
            "payload  {\"ENERGY\":{\"Power\":1500,\"Voltage\":231}}",
            "of it    /ENERGY/Power: 1500",
            "topic tele/{device}/SENSOR, path /ENERGY/Power, number, x 0.001 + 0",
            "tasmota/energy-plug",
        ],
    );
    has(&house.tool(&["explain", "pump/relay"]), &["1", "payload  ON", "OFF = 0, ON = 1"]);

    // Bytes that are no text, and a message that is longer than what is kept; it counts all the same.
    house.talker.ask(&json!({ "publish": "stat/pump/POWER", "hex": "FFFE00C0" }));
    house.shows_quality("pump", "relay", "undecodable");
    let long = format!("{{\"ENERGY\":{{\"Power\":2500,\"pad\":\"{}\"}}}}", "x".repeat(20_000));
    house.talker.tell("tele/pump/SENSOR", &long);
    house.shows("pump", "active-power", 2.5);
    written(&house);
    has(&house.tool(&["explain", "pump/relay"]), &["undecodable", "payload  FF FE 00 C0"]);
    let told = house.tool(&["explain", "pump/active-power"]);
    has(
        &told,
        &[
            &format!("payload  {} bytes came; what has more than 16384 is not kept", long.len()),
            "tele/pump/SENSOR",
        ],
    );
    assert!(!told.contains("xxx"), "{told}");
    let json: Json = serde_json::from_str(&house.tool(&["explain", "pump/active-power", "--json"])).unwrap();
    let too_long = json!({ "bytes": long.len(), "most": 16_384 });
    assert_eq!((&json["quality"], &json["parts"][0]["too_long"]), (&Json::Null, &too_long), "{json}");
    house.edge.stop().unwrap();
}

/// A temperature with the instant that the device says, and a door without one.
fn probe(scale: &str) -> String {
    format!(
        "vendor = \"Acme\"\nmodel = \"Probe\"\ntitle = {{ zh = \"探头\", en = \"Probe\" }}\nsource = [\"this test\"]\n\
         [mqtt]\npartial = true\n[[point]]\nkey = \"temperature\"\ntitle = {{ zh = \"温度\", en = \"Temperature\" }}\n\
         path = \"/t\"\ntime = \"/at\"\nscale = {scale}\nunit = \"Cel\"\nclass = \"slow\"\n[[point]]\nkey = \"door\"\n\
         title = {{ zh = \"门\", en = \"Door\" }}\npath = \"/door\"\ntype = \"flag\"\n"
    )
}

#[tokio::main]
async fn sent_anew(house: &House) -> Vec<(Timestamp, Value)> {
    let anew = history(&house.folder().join("edge")).await.unwrap();
    anew.into_iter().map(|reading| (reading.at, reading.value.unwrap())).collect()
}

#[test]
fn messages_are_read_again_by_a_mended_profile_at_the_instants_that_they_said() {
    if !wanted() {
        return;
    }
    let mut house = House::start("", DEVICES, "");
    house.edge.stop().unwrap();
    let write = |house: &House, folder: &str, scale: &str| {
        let path = house.folder().join(folder).join("acme");
        std::fs::create_dir_all(&path).unwrap();
        std::fs::write(path.join("probe.toml"), probe(scale)).unwrap();
        path.join("probe.toml").display().to_string()
    };
    write(&house, "profiles", "1");
    let text = std::fs::read_to_string(house.edge.config()).unwrap();
    let device = "[[line.device]]\nname = \"hall\"\nprofile = \"acme/probe\"\ntopic = \"hall\"\n";
    let more = format!("[profiles]\nfolders = [\"profiles\"]\n{text}\n{device}");
    std::fs::write(house.edge.config(), more).unwrap();
    house.edge.start().unwrap();
    house.until_up(2);

    let now = SystemClock.now().0;
    let [first, second] = [Timestamp(now - 90_000), Timestamp(now - 60_000)];
    for (at, value) in [(first, 200), (second, 210)] {
        house.talker.tell("hall", &format!("{{\"t\":{value},\"at\":{}}}", at.0));
        house.shows("hall", "temperature", f64::from(value));
    }
    house.talker.tell("hall", "{\"door\":true}");
    house.shows("hall", "door", 1.0);
    assert_eq!(written(&house), json!({}));
    let at = |at: i64| house.tool(&["explain", "hall/temperature", "--at", &Timestamp(at).to_string()]);
    has(&at(second.0), &["210 °C", "/t: 210", &format!("/at: {}", second.0), &second.to_string()]);
    has(&at(second.0 - 1), &["200 °C", &format!("/at: {}", first.0)]);
    has(&at(first.0 - 1), &["no answer of"]);

    // The newest message says nothing of the temperature: the one before does.
    let told = house.tool(&["preview", &write(&house, "tried", "0.1")]);
    has(&told, &["hall/temperature  210 °C  21 °C"]);
    assert!(!told.contains("door"), "{told}");
    house.edge.stop().unwrap();
    write(&house, "profiles", "0.1");
    house.edge.start().unwrap();
    house.until_up(3);
    eventually("they are read again", LONG, || (written(&house)["hall"] == 3).then_some(()));
    house.edge.stop().unwrap();
    let anew = sent_anew(&house);
    assert_eq!(anew.first(), Some(&(first, Value::Number(20.0))), "{anew:?}");
    assert_eq!(anew.get(1), Some(&(second, Value::Number(21.0))), "{anew:?}");
    assert!(anew.get(2).is_some_and(|(at, door)| at.0 >= now && *door == Value::Number(1.0)), "{anew:?}");
}
