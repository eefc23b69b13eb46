//! What devices tell, and what they must not be able to do.

use serde_json::json;
use steward_shared::profile::{Library, SampleValue};
use steward_tests::eventually;

use super::house::{DEVICES, House, LONG, wanted};

#[test]
fn what_real_devices_have_told_arrives_with_its_values() {
    if !wanted() {
        return;
    }
    let mut house = House::start("", DEVICES, "");
    let library = Library::compiled_in().unwrap();
    for (name, profile, own) in [
        ("archive", "aqara/wsdcgq11lm", "zigbee2mqtt/archive"),
        ("incomer", "shelly/pro-3em", "shellypro3em"),
        ("pump", "tasmota/energy-plug", "pump"),
    ] {
        let profile = library.get(profile).unwrap();
        for sample in &profile.frames {
            let pattern = String::from_utf8(sample.request.clone()).unwrap();
            let of = profile.points.iter().filter_map(|p| p.told()).find(|t| t.topic.as_str() == pattern);
            house
                .talker
                .tell(&of.unwrap().topic.of(own), &String::from_utf8(sample.response.clone()).unwrap());
        }
        for (key, value) in profile.frames.iter().flat_map(|sample| &sample.values) {
            match value {
                SampleValue::Number(value) => house.shows(name, key, *value),
                SampleValue::Nothing => house.shows_quality(name, key, "no_value"),
                SampleValue::Text(text) => {
                    eventually("a text", LONG, || (house.point(name, key)["value"] == *text).then_some(()));
                }
            }
        }
    }
    let sheet = house.tool(&["sheet", "archive"]);
    assert!(
        sheet.contains("pass") && !sheet.contains("FAIL"),
        "nobody asks it, and it has told all: {sheet}"
    );
    eventually("the doctor knows that they tell by themselves", LONG, || {
        house.tool(&["doctor"]).contains("messages by themselves").then_some(())
    });
    house.edge.stop().unwrap();
}

#[test]
fn a_broker_that_is_unplugged_in_mid_stream_is_told_and_taken_up_again() {
    if !wanted() {
        return;
    }
    let mut house = House::start("", DEVICES, "");
    house.talker.tell("zigbee2mqtt/archive", "{\"temperature\":21.5}");
    house.shows("archive", "temperature", 21.5);
    house.broker.kill().unwrap();
    house.shows_quality("archive", "temperature", "line_down");
    eventually("the line is told down", LONG, || {
        let line = house.line();
        (line["up"] == false && line["last_error"].is_string()).then_some(())
    });
    house.broker.start().unwrap();
    eventually("the line is up again", LONG, || house.line()["up"].as_bool()?.then_some(()));
    eventually("values come again", LONG, || {
        house.talker.tell("zigbee2mqtt/archive", "{\"temperature\":22.5}");
        (house.point("archive", "temperature")["value"] == 22.5).then_some(())
    });
    house.edge.stop().unwrap();
}

#[test]
fn what_the_broker_has_kept_is_no_reading_but_a_state_is() {
    if !wanted() {
        return;
    }
    let mut house = House::start("", DEVICES, "");
    house.talker.tell_kept("zigbee2mqtt/archive", "{\"temperature\":60.0,\"humidity\":10}");
    house.shows("archive", "temperature", 60.0);
    house.talker.tell_kept("stat/pump/POWER", "ON");
    house.shows("pump", "relay", 1.0);
    // As a power cut: what was on its way is not waited for.
    house.edge.kill().unwrap();
    house.edge.start().unwrap();
    house.until_up(2);
    house.shows("pump", "relay", 1.0);
    assert!(
        house.point("archive", "temperature")["value"].is_null(),
        "{}",
        house.point("archive", "temperature")
    );
    house.talker.tell("zigbee2mqtt/archive", "{\"temperature\":20.5}");
    house.shows("archive", "temperature", 20.5);
    assert!(house.point("archive", "humidity")["value"].is_null());
    house.edge.stop().unwrap();
}

#[test]
fn a_value_that_is_told_no_more_counts_no_more_and_a_device_that_tells_nothing_is_silent() {
    if !wanted() {
        return;
    }
    let devices = "[[line.device]]\nname = \"archive\"\nprofile = \"aqara/wsdcgq11lm\"\ntopic = \"zigbee2mqtt/archive\"\n\
                   points = { temperature = { max_age = \"3s\" }, humidity = { max_age = \"3s\" }, pressure = { max_age = \"3s\" }, \
                   battery = { max_age = \"3s\" }, battery-voltage = { max_age = \"3s\" }, link-quality = { max_age = \"3s\" } }\n";
    let mut house = House::start("", devices, "");
    house.talker.tell("zigbee2mqtt/archive", "{\"temperature\":21.5,\"humidity\":40}");
    house.shows("archive", "humidity", 40.0);
    house.shows_quality("archive", "temperature", "no_reply");
    eventually("the device is silent", LONG, || house.device("archive")["silent"].as_bool()?.then_some(()));
    house.talker.tell("zigbee2mqtt/archive", "{\"temperature\":22.5}");
    house.shows("archive", "temperature", 22.5);
    eventually("the device tells", LONG, || (house.device("archive")["silent"] == false).then_some(()));
    // Whoever is said to be gone is gone at once; one word of it brings it back.
    house.talker.tell("zigbee2mqtt/archive/availability", "{\"state\":\"offline\"}");
    house.shows_quality("archive", "temperature", "no_reply");
    house.talker.tell("zigbee2mqtt/archive/availability", "{\"state\":\"online\"}");
    eventually("the device is back", LONG, || (house.device("archive")["silent"] == false).then_some(()));
    house.edge.stop().unwrap();
}

#[test]
fn one_devices_nonsense_is_told_and_harms_no_other() {
    if !wanted() {
        return;
    }
    let mut house = House::start("", DEVICES, "");
    for payload in ["", "{", "[1,2,3]", "{\"ENERGY\":7}", "\u{0}", "null"] {
        house.talker.tell("tele/pump/SENSOR", payload);
    }
    house.talker.ask(&json!({ "publish": "tele/pump/SENSOR", "hex": "FFFE00C0" }));
    house.talker.tell("stat/pump/POWER", "PERHAPS");
    house.shows_quality("pump", "relay", "undecodable");
    house.shows_quality("pump", "active-power", "undecodable");
    let told = "stat/pump/POWER: one of OFF, ON was wanted, and this came: PERHAPS";
    eventually("the fault is told", LONG, || (house.device("pump")["last_error"] == told).then_some(()));
    assert!(house.edge.log().contains("message not understood"), "{}", house.edge.log());
    // A message of two megabytes goes by; it is also what a broker has kept, so that it comes at each new start.
    let big = "x".repeat(2 << 20);
    house.talker.tell_kept("tele/pump/SENSOR", &big);
    eventually("the size is told", LONG, || {
        let told = house.device("pump")["last_error"].as_str()?.to_owned();
        told.contains("2097152 bytes came, and at most 262144 are taken").then_some(())
    });
    house.edge.kill().unwrap();
    house.edge.start().unwrap();
    house.until_up(2);
    // A flood of one device, while another tells as always.
    house.talker.ask(
        &json!({ "publish": "tele/pump/SENSOR", "payload": "{\"ENERGY\":{}}", "times": 20000, "qos": 0 }),
    );
    house.talker.tell("zigbee2mqtt/archive", "{\"temperature\":18.5}");
    house.shows("archive", "temperature", 18.5);
    assert!(!house.device("archive")["last_error"].is_string(), "{}", house.device("archive"));
    let status = house.status();
    let rss = status["health"]["rss_bytes"].as_u64().unwrap();
    assert!(rss < 300 << 20, "{rss} bytes");
    house.talker.tell("tele/pump/SENSOR", "{\"ENERGY\":{\"Power\":1500}}");
    house.shows("pump", "active-power", 1.5);
    house.edge.stop().unwrap();
}

#[test]
fn a_broker_that_wants_a_user_and_a_password_and_shows_a_certificate_is_used() {
    if !wanted() {
        return;
    }
    // The authorities, the certificate and the passwords are of the test.
    super::secure::a_broker_with_tls_and_passwords();
}
