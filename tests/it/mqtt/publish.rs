//! Readings told to others: as JSON, as Sparkplug B read by pysparkplug, and to a broker that is away.

use serde_json::{Value, json};
use steward_tests::eventually;
use steward_tests::programs::{Mosquitto, free_tcp_port};

use super::house::{DEVICES, House, LONG, Talker, wanted};

fn of<'m>(messages: &'m [Value], topic: &str) -> Vec<&'m Value> {
    messages.iter().filter(|m| m["topic"] == topic).collect()
}

#[test]
fn readings_are_told_as_json_and_whether_the_gateway_is_there() {
    if !wanted() {
        return;
    }
    let publish = "[[publish]]\nname = \"bms\"\nhost = \"127.0.0.1\"\nport = {port}\nformat = \"json\"\n\
                   topic = \"plant/{device}/{point}\"\nretained = true\n";
    let mut house = House::start("", DEVICES, publish);
    house.talker.tell("zigbee2mqtt/archive", "{\"temperature\":21.5}");
    let told = eventually("the reading is told", LONG, || {
        let heard = house.talker.heard();
        let told = of(&heard, "plant/archive/temperature").into_iter().filter(|m| m["retain"] == false);
        told.filter_map(|m| serde_json::from_str::<Value>(m["payload"].as_str()?).ok())
            .find(|m| m["value"] == 21.5)
    });
    assert_eq!((&told["unit"], &told["quality"]), (&json!("Cel"), &json!("good")));
    let at = house.point("archive", "temperature")["at"].clone();
    assert_eq!(told["time"], at, "it is the reading that the gateway has");
    house.talker.tell("zigbee2mqtt/archive", "{\"temperature\":\"broken\"}");
    eventually("no value is told as well", LONG, || {
        let heard = house.talker.heard();
        let last = of(&heard, "plant/archive/temperature").last()?["payload"].as_str()?.to_owned();
        (last.starts_with("{\"value\":null") && last.contains("undecodable")).then_some(())
    });
    let says = |house: &mut House, word: &str, times: usize| {
        eventually(&format!("the gateway is {word}"), LONG, || {
            let heard = house.talker.heard();
            let said = of(&heard, "steward/east/status").iter().filter(|m| m["payload"] == word).count();
            (said >= times).then_some(())
        });
    };
    says(&mut house, "online", 1);
    // As a power cut: the broker says it in the gateway's place.
    house.edge.kill().unwrap();
    says(&mut house, "offline", 1);
    house.edge.start().unwrap();
    says(&mut house, "online", 2);
    house.edge.stop().unwrap();
    says(&mut house, "offline", 2);
}

/// What pysparkplug reads, from the last birth of the node on.
fn since_birth(messages: &[Value]) -> &[Value] {
    let birth = messages.iter().rposition(|m| m["kind"] == "NBIRTH").unwrap_or(messages.len());
    &messages[birth..]
}

fn bd_seq(message: &Value) -> Option<i64> {
    message["metrics"].as_array()?.iter().find(|m| m["name"] == "bdSeq")?["value"].as_i64()
}

#[test]
fn another_sparkplug_reads_births_data_and_deaths() {
    if !wanted() {
        return;
    }
    let publish = "[[publish]]\nname = \"scada\"\nhost = \"127.0.0.1\"\nport = {port}\nformat = \"sparkplug-b\"\n\
                   group = \"Hospital\"\nnode = \"plant\"\n";
    let mut house = House::start("", DEVICES, publish);
    let births = eventually("node and devices are born", LONG, || {
        let messages = house.talker.sparkplug();
        let born = since_birth(&messages).to_vec();
        (born.len() >= 4).then_some(born)
    });
    assert_eq!(births[0]["topic"], "spBv1.0/Hospital/NBIRTH/plant");
    let heads: Vec<_> =
        births[..4].iter().map(|b| (b["kind"].clone(), b["seq"].clone(), b["retain"].clone())).collect();
    let head = |kind: &str, seq: u8| (json!(kind), json!(seq), json!(false));
    assert_eq!(heads, [head("NBIRTH", 0), head("DBIRTH", 1), head("DBIRTH", 2), head("DBIRTH", 3)]);
    let first = bd_seq(&births[0]).unwrap();
    let rebirth = &births[0]["metrics"][1];
    assert_eq!((&rebirth["name"], &rebirth["value"]), (&json!("Node Control/Rebirth"), &json!(false)));
    let archive = births.iter().find(|b| b["device"] == "archive").unwrap();
    let temperature = &archive["metrics"][0];
    assert_eq!((&temperature["name"], &temperature["type"]), (&json!("temperature"), &json!("DOUBLE")));
    assert_eq!((&temperature["null"], &temperature["quality"]), (&json!(true), &json!(500)));
    let pump = births.iter().find(|b| b["device"] == "pump").unwrap();
    let relay = pump["metrics"].as_array().unwrap().iter().find(|m| m["name"] == "relay").unwrap();
    assert_eq!(relay["type"], "BOOLEAN");

    house.talker.tell("zigbee2mqtt/archive", "{\"temperature\":-3.25,\"humidity\":40}");
    house.talker.tell("stat/pump/POWER", "ON");
    let data = |house: &mut House, device: &str, name: &str, value: Value| {
        eventually(&format!("{device} {name} is told"), LONG, || {
            let messages = house.talker.sparkplug();
            let data =
                since_birth(&messages).iter().filter(|m| m["kind"] == "DDATA" && m["device"] == device);
            data.flat_map(|m| m["metrics"].as_array().unwrap())
                .find(|m| m["name"] == name && m["value"] == value)
                .cloned()
        })
    };
    let told = data(&mut house, "archive", "temperature", json!(-3.25));
    assert_eq!((&told["alias"], &told["quality"]), (&temperature["alias"], &json!(192)));
    data(&mut house, "pump", "relay", json!(true));
    let messages = house.talker.sparkplug();
    let seqs: Vec<_> = since_birth(&messages).iter().filter_map(|m| m["seq"].as_u64()).collect();
    assert!(
        seqs.iter().enumerate().all(|(i, seq)| *seq == i as u64 % 256),
        "no number is left out: {seqs:?}"
    );

    // Whoever came late wishes for a birth and is told all that is known.
    let before = messages.iter().filter(|m| m["kind"] == "NBIRTH").count();
    house.talker.ask(&json!({ "rebirth": ["Hospital", "plant"] }));
    eventually("all are born again", LONG, || {
        let messages = house.talker.sparkplug();
        let again = messages.iter().filter(|m| m["kind"] == "NBIRTH").count() > before;
        let born = since_birth(&messages);
        let archive = born.iter().find(|m| m["device"] == "archive" && m["kind"] == "DBIRTH")?;
        let is_known =
            archive["metrics"][0]["value"] == -3.25 && bd_seq(&born[0]) == Some(first) && born[0]["seq"] == 0;
        (again && is_known).then_some(())
    });
    // A device that is gone dies, and is born again.
    house.talker.tell("tele/pump/LWT", "Offline");
    eventually("the pump dies", LONG, || {
        let messages = house.talker.sparkplug();
        since_birth(&messages).iter().any(|m| m["kind"] == "DDEATH" && m["device"] == "pump").then_some(())
    });
    house.talker.tell("tele/pump/LWT", "Online");
    eventually("the pump is born", LONG, || {
        let messages = house.talker.sparkplug();
        let born = since_birth(&messages);
        let death = born.iter().rposition(|m| m["kind"] == "DDEATH")?;
        born[death..].iter().any(|m| m["kind"] == "DBIRTH" && m["device"] == "pump").then_some(())
    });
    // As a power cut: the broker tells the death of that birth, at QoS 1.
    house.edge.kill().unwrap();
    let death = eventually("the node dies", LONG, || {
        house.talker.sparkplug().into_iter().find(|m| m["kind"] == "NDEATH")
    });
    assert_eq!((death["topic"].as_str(), &death["qos"]), (Some("spBv1.0/Hospital/NDEATH/plant"), &json!(1)));
    assert_eq!(bd_seq(&death), Some(first));
    house.edge.start().unwrap();
    eventually("the next birth has the next number", LONG, || {
        let messages = house.talker.sparkplug();
        (bd_seq(since_birth(&messages).first()?) == Some(first + 1)).then_some(())
    });
    house.edge.stop().unwrap();
    let last = eventually("the node says goodbye", LONG, || {
        let deaths = house.talker.sparkplug().into_iter().filter(|m| m["kind"] == "NDEATH");
        let deaths: Vec<_> = deaths.collect();
        (deaths.len() == 2).then(|| deaths[1].clone())
    });
    assert_eq!(bd_seq(&last), Some(first + 1));
}

#[test]
fn a_broker_that_is_away_slows_nothing_and_is_told_what_has_waited() {
    if !wanted() {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let port = free_tcp_port().unwrap();
    let mut away = Mosquitto::new(&dir.path().join("away"), port, "").unwrap();
    let publish = format!(
        "[[publish]]\nname = \"bms\"\nhost = \"127.0.0.1\"\nport = {port}\nformat = \"json\"\nqueue = 100\n\
         [[publish]]\nname = \"scada\"\nhost = \"127.0.0.1\"\nport = {port}\nformat = \"sparkplug-b\"\nqueue = 100\n"
    );
    let mut house = House::start("", DEVICES, &publish);
    // Paced as a device may tell for ever: each of them arrives at the gateway.
    for i in 0..150 {
        house.talker.tell("zigbee2mqtt/archive", &format!("{{\"temperature\":{}}}", f64::from(i) / 10.0));
    }
    house.shows("archive", "temperature", 14.9);
    let state = |house: &House, name: &str| {
        let status = house.status();
        status["publish"].as_array().unwrap().iter().find(|p| p["name"] == name).unwrap().clone()
    };
    for name in ["bms", "scada"] {
        eventually("what waits is told, and what gave way", LONG, || {
            let state = state(&house, name);
            let is_told = state["waiting"] == 100 && state["dropped"].as_u64()? >= 50;
            (is_told && state["connected"] == false && state["last_error"].is_string()).then_some(())
        });
    }
    let metrics = house.edge.http().get("/metrics").unwrap().text();
    assert!(metrics.contains("steward_edge_publisher_connected{publisher=\"bms\"} 0"), "{metrics}");
    away.start().unwrap();
    let mut listener = Talker::start(&dir.path().join("listener"), port, None);
    for name in ["bms", "scada"] {
        eventually("the broker is used", LONG, || (state(&house, name)["connected"] == true).then_some(()));
    }
    // Whoever listens only now is told what comes; the queue was told to whoever listened.
    house.talker.tell("zigbee2mqtt/archive", "{\"temperature\":33.5}");
    eventually("readings come", LONG, || {
        let heard = listener.heard();
        let json = of(&heard, "steward/east/mqtt/archive/temperature");
        json.iter().any(|m| m["payload"].as_str().is_some_and(|p| p.contains("33.5"))).then_some(())
    });
    eventually("nothing waits", LONG, || (state(&house, "bms")["waiting"] == 0).then_some(()));
    assert!(state(&house, "bms")["told"].as_u64().unwrap() >= 100);
    house.edge.stop().unwrap();
}
