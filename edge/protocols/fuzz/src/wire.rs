//! Messages between gateway and hub, as either side may be sent them, and bodies of readings in columns.

use std::fmt::Debug;

use serde::Serialize;
use serde::de::DeserializeOwned;
use steward_shared::reading::Value;
use steward_shared::wire::catalogue;
use steward_shared::wire::code::Code;
use steward_shared::wire::columns;
use steward_shared::wire::frame::{HEADER, from_cbor, length, to_cbor};
use steward_shared::wire::message::{
    Catalogue, ControlDown, ControlUp, Enrol, EnrolAnswer, Health, LaneDown, LaneUp, LiveSamples,
};

use crate::input::{Input, hex};

/// Which message; then a frame with its length.
pub fn message(data: &[u8]) {
    let mut input = Input(data);
    let which = input.byte();
    let Some((header, body)) = input.rest().split_first_chunk::<HEADER>() else { return };
    let Ok(length) = length(*header) else { return };
    let body = body.get(..length).unwrap_or(body);
    match which % 10 {
        0 => told::<ControlUp>(body),
        1 => told::<ControlDown>(body),
        2 => told::<LaneUp>(body),
        3 => told::<LaneDown>(body),
        4 => told::<Enrol>(body),
        5 => told::<EnrolAnswer>(body),
        6 => told::<LiveSamples>(body),
        7 => told::<Health>(body),
        8 => {
            if let Ok(told) = from_cbor::<Catalogue>(body) {
                let _ = catalogue::check(&told);
            }
        }
        _ => {
            if let Some(code) = std::str::from_utf8(body).ok().and_then(|text| text.parse::<Code>().ok()) {
                let written = code.to_string().parse::<Code>();
                assert!(written.is_ok_and(|again| again == code), "a code is written as it is read");
            }
        }
    }
}

/// What was read is written, read again, and written as before.
fn told<T: Serialize + DeserializeOwned + Debug>(body: &[u8]) {
    let Ok(message) = from_cbor::<T>(body) else { return };
    let Ok(written) = to_cbor(&message) else { return };
    let again: T = from_cbor(&written).expect("what we write can be read");
    assert_eq!(to_cbor(&again).expect("it was written before"), written, "{message:?}");
}

pub fn message_seeds() -> Vec<Vec<u8>> {
    let files: [(u8, &[u8]); 7] = [
        (0, include_bytes!("../../../../shared/tests/golden/messages_1_control_up.frames")),
        (1, include_bytes!("../../../../shared/tests/golden/messages_1_control_down.frames")),
        (2, include_bytes!("../../../../shared/tests/golden/messages_1_lane_up.frames")),
        (3, include_bytes!("../../../../shared/tests/golden/messages_1_lane_down.frames")),
        (4, include_bytes!("../../../../shared/tests/golden/messages_1_enrol.frames")),
        (5, include_bytes!("../../../../shared/tests/golden/messages_1_enrol_answer.frames")),
        (6, include_bytes!("../../../../shared/tests/golden/messages_1_live_samples.frames")),
    ];
    let mut seeds = Vec::new();
    for (which, mut rest) in files {
        while let Some((header, body)) = rest.split_first_chunk::<HEADER>() {
            let end = length(*header).expect("a golden frame").min(body.len());
            seeds.push([&[which], header.as_slice(), &body[..end]].concat());
            rest = &body[end..];
        }
    }
    seeds
}

/// A body of many points, and one of a single one.
pub fn columns(data: &[u8]) {
    let mut input = Input(data);
    if input.byte() & 1 == 0 {
        if let Ok(body) = columns::decode(input.rest()) {
            let again = columns::encode(&body.readings, &body.header).expect("what was read can be written");
            let again = columns::decode(&again).expect("what we write can be read");
            assert_eq!(again.readings.len(), body.readings.len());
        }
    } else if let Ok(samples) = columns::decode_series(input.rest()) {
        let again = columns::encode_series(&samples).expect("what was read can be written");
        assert_eq!(columns::decode_series(&again).expect("what we write can be read").len(), samples.len());
    }
}

pub fn columns_seeds() -> Vec<Vec<u8>> {
    let golden = include_bytes!("../../../../shared/tests/golden/columns_1_steward.cbor");
    let python = include_bytes!("../../../../shared/tests/golden/columns_1_python.cbor");
    let mut seeds: Vec<Vec<u8>> = [golden.as_slice(), python].map(|body| [&[0], body].concat()).into();
    if let Ok(body) = columns::decode(golden) {
        let samples: Vec<_> = body
            .readings
            .iter()
            .map(|r| (r.at.0, r.value.as_ref().and_then(Value::as_number), r.quality))
            .collect();
        seeds.extend(columns::encode_series(&samples).ok().map(|chunk| [&[1], chunk.as_slice()].concat()));
    }
    seeds.push(hex("01 00"));
    seeds
}
