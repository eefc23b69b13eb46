//! MQTT: packets as a server may send them, and what points make of what devices tell.

use std::sync::LazyLock;

use steward_protocols::mqtt::{Inbox, Incoming, Manner, excerpt, hear, words};
use steward_protocols::question::Question;
use steward_shared::profile::{Language, Library, Profile};
use steward_shared::reading::Value;
use steward_shared::time::Timestamp;

use crate::input::Input;

/// Most bytes of a message; a longer one goes by.
const LIMIT: usize = 256;

static PROFILES: LazyLock<Vec<Profile>> = LazyLock::new(|| {
    let library = Library::compiled_in().expect("the repository's own profiles");
    let speaks = |profile: &&std::sync::Arc<Profile>| matches!(profile.language, Language::Mqtt(_));
    library.iter().filter(speaks).map(|profile| Profile::clone(profile)).collect()
});

/// Bytes at once; then what comes on the connection.
pub fn packets(data: &[u8]) {
    let mut input = Input(data);
    let piece = usize::from(input.byte()).max(1);
    let mut inbox = Inbox::new(LIMIT);
    for part in input.rest().chunks(piece) {
        inbox.take(part.get(..inbox.room()).unwrap_or(part));
        loop {
            match inbox.next_packet() {
                Ok(Some(Incoming::TooLarge(message, bytes))) => {
                    assert!(message.payload.is_empty() && bytes > LIMIT, "{bytes} bytes are not too many");
                }
                Ok(Some(Incoming::Packet(packet))) => assert!(!format!("{packet:?}").is_empty()),
                Ok(None) => break,
                Err(malformed) => {
                    assert!(!malformed.to_string().is_empty());
                    return;
                }
            }
        }
    }
}

/// Which profile, whether a message may lack points; then a payload.
pub fn payload(data: &[u8]) {
    let mut input = Input(data);
    let (which, partial) = (usize::from(input.byte()), input.byte() & 1 == 1);
    let Some(profile) = PROFILES.get(which % PROFILES.len().max(1)) else { return };
    let wanted: Vec<usize> = (0..profile.points.len()).collect();
    for heard in hear(&profile.points, &wanted, partial, input.rest()) {
        assert_eq!(heard.value.is_some(), heard.quality.is_good(), "{heard:?}");
        let number = heard.value.as_ref().and_then(Value::as_number);
        assert!(number.is_none_or(f64::is_finite), "{heard:?}");
    }
    assert!(excerpt(input.rest()).len() < 1000, "an excerpt is short");
    kept(profile, input.rest());
}

/// The same payload out of what is kept, under the topic of one of the profile's points.
fn kept(profile: &Profile, payload: &[u8]) {
    let Some(point) = profile.points.get(payload.len() % profile.points.len().max(1)) else { return };
    let Some(told) = point.told() else { return };
    for manner in [Manner::Told, Manner::Retained, Manner::TooLong] {
        let words = words(manner, &told.topic.of("own"), "own");
        let question = Question::of(profile, &words).expect("its own words");
        for (value, at) in question.values_at(&profile.points, payload, Timestamp(1_760_000_000_000)) {
            assert!(question.points().contains(&value.point), "{value:?} at {at:?}");
        }
        assert!(question.parts(point, payload).len() <= 2, "a value and its instant");
    }
}

/// Packets in the form of MQTT 3.1.1: CONNACK, SUBACK, PUBLISH of QoS 0 and 1, PUBACK, PINGRESP.
pub fn packets_seeds() -> Vec<Vec<u8>> {
    let publish = [&[0x30, 9, 0, 3], b"a/b".as_slice(), b"21.5"].concat();
    let confirmed = [&[0x32, 11, 0, 3], b"a/b".as_slice(), &[0, 7], b"21.5"].concat();
    let mut seeds: Vec<Vec<u8>> = vec![
        vec![0x20, 2, 0, 0],
        vec![0x90, 4, 0, 1, 1, 0x80],
        publish,
        confirmed,
        vec![0x40, 2, 0, 7],
        vec![0xD0, 0],
    ];
    seeds.push(seeds.concat());
    seeds.into_iter().map(|seed| [&[3], seed.as_slice()].concat()).collect()
}

pub fn payload_seeds() -> Vec<Vec<u8>> {
    let frames = PROFILES.iter().enumerate().flat_map(|(which, profile)| {
        profile.frames.iter().map(move |frame| [&[which as u8, 1], frame.response.as_slice()].concat())
    });
    frames.chain([b"\0\0{\"temperature\":21.5,\"at\":\"2026-11-28T07:05:00Z\"}".to_vec()]).collect()
}
