//! Our client of MQTT on the bytes of a session between two programs of others, whole, byte by byte, and broken; and what it
//! makes of payloads.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a broken fixture ends the test")]

use std::time::{Duration, Instant};

use proptest::prelude::*;
use steward_protocols::mqtt::{
    Client, Connect, Event, Fault, Inbox, Incoming, Message, Options, Will, hear, word,
};
use steward_shared::profile::Profile;
use steward_shared::reading::{Quality, Value};
use steward_shared::time::Timestamp;

const SESSION: &str = include_str!("../frames/mqtt.txt");
const PATIENCE: Duration = Duration::from_secs(10);
const LIMIT: usize = 1024;

fn frame(name: &str) -> Vec<u8> {
    let line = SESSION.lines().find(|line| line.starts_with(&format!("{name} "))).unwrap();
    let bytes = line.split(['>', '<']).nth(1).unwrap();
    bytes.split_whitespace().map(|byte| u8::from_str_radix(byte, 16).unwrap()).collect()
}

#[allow(clippy::disallowed_methods, reason = "an instant to count from")]
fn now() -> Instant {
    Instant::now()
}

fn client(at: Instant) -> Client {
    let will = Will {
        topic: "a/status".to_owned(),
        payload: b"offline".to_vec(),
        at_least_once: true,
        retained: true,
    };
    let connect = Connect {
        client_id: "steward-1".to_owned(),
        user: Some("user".to_owned()),
        password: Some(b"pass".to_vec()),
        keep_alive: 30,
        will: Some(will),
    };
    Client::new(Options { connect, patience: PATIENCE, limit: LIMIT }, at)
}

fn sent(client: &mut Client, at: Instant) -> Vec<u8> {
    let bytes = client.outgoing().to_vec();
    client.wrote(bytes.len(), at);
    bytes
}

#[test]
fn a_session_of_others_is_spoken_byte_for_byte() {
    let at = now();
    let mut client = client(at);
    let hears = |client: &mut Client, name: &str| {
        let mut events = Vec::new();
        // Byte by byte: nothing may depend on how the bytes come.
        for byte in frame(name) {
            client.received(&[byte]);
            events.extend(client.event().unwrap());
        }
        events
    };
    assert_eq!(sent(&mut client, at), frame("connect"));
    assert_eq!(hears(&mut client, "connack"), [Event::Connected]);
    client.subscribe(vec!["a/b".to_owned(), "c/d".to_owned()]);
    assert_eq!(sent(&mut client, at), frame("subscribe"));
    assert_eq!(hears(&mut client, "suback"), [Event::Subscribed]);
    assert_eq!(client.publish("a/b", b"21.5".to_vec(), true, true), Some(2));
    assert_eq!((sent(&mut client, at), client.under_way()), (frame("publish"), 1));
    let message = Message {
        topic: "a/b".to_owned(),
        payload: b"21.5".to_vec(),
        retained: false,
        duplicate: false,
        id: Some(1),
    };
    assert_eq!(hears(&mut client, "message"), [Event::Message(message)]);
    assert_eq!(sent(&mut client, at), frame("acknowledge"));
    assert_eq!(hears(&mut client, "puback"), [Event::Acknowledged(2)]);
    assert_eq!(client.under_way(), 0);
    assert_eq!(client.publish("x", b"hello".to_vec(), false, false), None);
    assert_eq!(sent(&mut client, at), frame("plain"));
    assert_eq!(client.tick(at + Duration::from_secs(20)), Ok(()));
    assert_eq!(sent(&mut client, at), Vec::<u8>::new());
    let later = at + Duration::from_secs(23);
    client.tick(later).unwrap();
    assert_eq!(sent(&mut client, later), frame("pingreq"));
    assert_eq!(hears(&mut client, "pingresp"), []);
    assert_eq!(client.deadline(), Some(later + Duration::from_millis(22_500)));
    client.disconnect();
    assert_eq!(sent(&mut client, later), frame("disconnect"));
}

#[test]
fn a_broker_that_is_silent_or_says_no_ends_the_session() {
    let at = now();
    let mut silent = client(at);
    assert_eq!(silent.deadline(), Some(at + PATIENCE));
    assert_eq!(silent.tick(at + PATIENCE), Err(Fault::Silent(PATIENCE)));
    let mut refused = client(at);
    refused.received(&[0x20, 2, 0, 5]);
    assert_eq!(refused.event(), Err(Fault::Refused("this user may not connect")));
    let mut pinged = client(at);
    pinged.received(&frame("connack"));
    assert_eq!(pinged.event(), Ok(Some(Event::Connected)));
    let later = at + Duration::from_secs(30);
    pinged.tick(later).unwrap();
    assert_eq!(pinged.tick(later + PATIENCE), Err(Fault::Silent(PATIENCE)));
}

#[test]
fn a_topic_that_the_broker_does_not_give_is_named() {
    let at = now();
    let mut client = client(at);
    client.received(&frame("connack"));
    client.event().unwrap();
    client.subscribe(vec!["a/b".to_owned(), "c/d".to_owned()]);
    client.received(&[0x90, 4, 0, 1, 1, 0x80]);
    assert_eq!(client.event(), Ok(Some(Event::Refused(vec!["c/d".to_owned()]))));
}

#[test]
fn what_breaks_the_rules_ends_the_session() {
    for bytes in [
        &[0x30, 3, 0, 1, b'a'][..],
        &[0x20, 2, 0, 0, 0x20, 2, 0, 0],
        &[0x20, 2, 0, 0, 0x34, 5, 0, 1, b'a', 0, 1],
        &[0x20, 2, 0, 0, 0x30, 3, 0, 1, b'#'],
        &[0x20, 2, 0, 0, 0x30, 4, 0, 2, 0xFF, 0xFE],
        &[0x20, 2, 0, 0, 0x32, 5, 0, 1, b'a', 0, 0],
        &[0x20, 2, 0, 0, 0x90, 3, 0, 9, 1],
        &[0x20, 2, 0, 0, 0x30, 0xFF, 0xFF, 0xFF, 0xFF, 1],
        &[0x20, 2, 0, 0, 0x82, 0],
        &[0x20, 2, 0, 0, 0x40, 0xFF, 0x7F],
    ] {
        let mut client = client(now());
        client.received(bytes);
        let mut last = Ok(None);
        for _ in 0..3 {
            last = client.event();
            if last.is_err() {
                break;
            }
        }
        assert!(matches!(last, Err(Fault::Malformed(_))), "{bytes:02X?}: {last:?}");
    }
}

#[test]
fn a_message_that_is_too_large_goes_by_and_the_next_one_is_heard() {
    let message = |payload: usize| {
        let body = [&[0, 3][..], b"big", &[0, 7], &vec![b'x'; payload]].concat();
        let mut packet = vec![0x32];
        let mut left = body.len();
        while left >= 128 {
            packet.push((left % 128) as u8 | 0x80);
            left /= 128;
        }
        packet.push(left as u8);
        [packet, body].concat()
    };
    for pieces in [1, 7, 100_000] {
        let mut inbox = Inbox::new(LIMIT);
        let bytes = [message(90_000), message(LIMIT), frame("message")].concat();
        let mut found = Vec::new();
        for piece in bytes.chunks(pieces) {
            assert!(inbox.room() > 0);
            inbox.take(piece);
            while let Some(incoming) = inbox.next_packet().unwrap() {
                found.push(incoming);
            }
        }
        assert!(matches!(&found[0], Incoming::TooLarge(m, 90_000) if m.topic == "big" && m.id == Some(7)));
        assert_eq!(found.len(), 3, "the largest that is allowed, and the one behind");
    }
}

proptest! {
    #[test]
    fn no_bytes_break_the_inbox(bytes in prop::collection::vec(any::<u8>(), 0..400), limit in 0_usize..200) {
        let mut inbox = Inbox::new(limit);
        inbox.take(&bytes);
        while let Ok(Some(_)) = inbox.next_packet() {}
    }

    #[test]
    fn no_payload_breaks_a_point(payload in prop::collection::vec(any::<u8>(), 0..200)) {
        let profile = sensor("");
        let _ = hear(&profile.points, &[0, 1, 2, 3], false, &payload);
    }
}

fn sensor(limits: &str) -> Profile {
    let point = |key: &str, rest: &str| {
        format!("[[point]]\nkey = \"{key}\"\ntitle = {{ zh = \"点\", en = \"P\" }}\n{rest}\n")
    };
    let text = format!(
        "vendor = \"A\"\nmodel = \"M\"\ntitle = {{ zh = \"表\", en = \"M\" }}\nsource = [\"s\"]\n[mqtt]\n{limits}\n{}{}{}{}",
        point("temperature", "path = \"/t\"\nunit = \"Cel\"\ntime = \"/at\"\nsentinels = [-999]"),
        point("power", "path = \"/p/0\"\nunit = \"kW\"\nscale = 0.001"),
        point("valve", "path = \"/valve\"\nkind = \"flag\"\nvalues = { OPEN = 1, CLOSED = 0 }"),
        point("name", "path = \"/name\"\ntype = \"text\""),
    );
    Profile::parse("a/m.toml", &text).unwrap()
}

fn said(profile: &Profile, point: usize, payload: &str) -> (Option<Value>, Quality, Option<i64>, String) {
    let mut heard = hear(&profile.points, &[point], false, payload.as_bytes());
    let heard = heard.remove(0);
    (heard.value, heard.quality, heard.at.map(Timestamp::as_millis), heard.fault.unwrap_or_default())
}

#[test]
fn values_are_what_the_profile_says_of_them() {
    let profile = sensor("");
    let value = |point, payload| said(&profile, point, payload).0;
    assert_eq!(value(0, "{\"t\": 21.5}"), Some(Value::Number(21.5)));
    assert_eq!(value(0, "{\"t\": \"21.5\"}"), Some(Value::Number(21.5)));
    assert_eq!(value(1, "{\"p\": [1500]}"), Some(Value::Number(1.5)));
    assert_eq!(value(2, "{\"valve\": \"OPEN\"}"), Some(Value::Number(1.0)));
    assert_eq!(value(3, "{\"name\": \"阀门\"}"), Some(Value::Text("阀门".to_owned())));
    assert_eq!(said(&profile, 0, "{\"t\": null}").1, Quality::NoValue);
    assert_eq!(said(&profile, 0, "{\"t\": -999}").1, Quality::NoValue);
}

#[test]
fn an_instant_is_of_rfc_3339_or_seconds_or_milliseconds() {
    let profile = sensor("");
    let at = |instant: &str| said(&profile, 0, &format!("{{\"t\": 1, \"at\": {instant}}}"));
    assert_eq!(at("\"2024-05-01T08:00:00+08:00\"").2, Some(1_714_521_600_000));
    assert_eq!(at("1714521600").2, Some(1_714_521_600_000));
    assert_eq!(at("1714521600.25").2, Some(1_714_521_600_250));
    assert_eq!(at("1714521600250").2, Some(1_714_521_600_250));
    assert_eq!(at("\"1714521600\"").2, Some(1_714_521_600_000));
    assert_eq!((at("null").0, at("null").2), (Some(Value::Number(1.0)), None));
    // Without an offset it is nobody knows whose.
    let local = at("\"2024-05-01T08:00:00\"");
    assert_eq!((local.0, local.1), (None, Quality::Undecodable));
    assert!(local.3.contains("an instant was wanted at /at"), "{}", local.3);
}

#[test]
fn a_payload_that_is_none_is_told_with_what_came_and_what_was_wanted() {
    let profile = sensor("");
    let fault = |point, payload: &str| {
        let (value, quality, _, fault) = said(&profile, point, payload);
        assert_eq!((value, quality), (None, Quality::Undecodable), "{payload}");
        fault
    };
    assert!(fault(0, "{\"t\": 21.5").contains("JSON was wanted"));
    assert!(fault(0, "{\"temp\": 21.5}").contains("nothing stands at /t: {\"temp\": 21.5}"));
    assert!(fault(0, "{\"t\": {}}").contains("one value was wanted at /t"));
    assert!(
        fault(0, "{\"t\": \"warm\"}").contains("a number was wanted at /t, and this came: {\"t\": \"warm\"}")
    );
    assert!(fault(0, "{\"t\": true}").contains("a number was wanted"));
    assert!(fault(0, "{\"t\": 1e999}").contains("JSON was wanted"));
    assert!(fault(2, "{\"valve\": \"AJAR\"}").contains("one of CLOSED, OPEN was wanted"));
    assert!(fault(3, &format!("{{\"name\": \"{}\"}}", "x".repeat(257))).contains("at most 256 bytes"));
    assert!(fault(0, &"[".repeat(100_000)).contains("…"), "not all of it is shown");
    assert!(!fault(0, "\u{1b}[2J").contains('\u{1b}'), "nothing spoils a terminal");
    let partial = sensor("partial = true");
    assert_eq!(hear(&partial.points, &[0], true, b"{\"p\": [1]}"), []);
}

#[test]
fn the_word_of_an_availability_is_the_payload_or_stands_in_it() {
    let state = Profile::parse(
        "a/m.toml",
        "vendor = \"A\"\nmodel = \"M\"\ntitle = { zh = \"表\", en = \"M\" }\nsource = [\"s\"]\n[mqtt]\n\
         availability = { topic = \"a\", path = \"/state\" }\n[[point]]\nkey = \"p\"\ntitle = { zh = \"点\", en = \"P\" }\n\
         unit = \"1\"",
    )
    .unwrap();
    let steward_shared::profile::Language::Mqtt(limits) = state.language else { panic!("MQTT") };
    let path = limits.availability.unwrap().path;
    assert_eq!(word(None, b"online\n").as_deref(), Some("online"));
    assert_eq!(word(path.as_ref(), b"{\"state\":\"offline\"}").as_deref(), Some("offline"));
    assert_eq!(word(path.as_ref(), b"offline"), None);
}
