//! Frames as others write them: our encoder must give the same octets, and our receiver what they mean, whole, octet by
//! octet, broken and cut.

use std::time::Duration;

use steward_protocols::bacnet::mstp::{Damage, Frame, FrameType, Heard, Receiver};

use super::bus::{ANSWER, Bus, REQUEST};

const FRAMES: &str = include_str!("../../frames/bacnet/mstp.txt");

fn golden(name: &str) -> Vec<u8> {
    let mut found = FRAMES.lines().filter_map(|l| l.split_once(' ')).filter(|(n, _)| *n == name);
    let (_, hex) = found.next().unwrap_or_else(|| panic!("no frame is called {name}"));
    let digits: Vec<u8> = hex.trim().chars().map(|c| c.to_digit(16).unwrap() as u8).collect();
    digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

fn frame(kind: FrameType, destination: u8, source: u8, data: &[u8]) -> Frame {
    Frame { kind, destination, source, data: data.to_vec() }
}

fn all() -> Vec<(&'static str, Frame)> {
    use FrameType::{
        DataExpectingReply, DataNotExpectingReply, PollForMaster, ReplyPostponed, ReplyToPollForMaster,
        TestRequest, TestResponse, Token,
    };
    let sevens: Vec<u8> = (0..600_u32).map(|i| (i * 7) as u8).collect();
    vec![
        ("token-5-to-16", frame(Token, 16, 5, &[])),
        ("token-7-to-0", frame(Token, 0, 7, &[])),
        ("poll-for-master", frame(PollForMaster, 3, 127, &[])),
        ("reply-to-poll", frame(ReplyToPollForMaster, 127, 3, &[])),
        ("test-request", frame(TestRequest, 4, 9, &[1, 0x22, 0x30])),
        ("test-response", frame(TestResponse, 9, 4, &[1, 0x22, 0x30])),
        ("data-expecting-reply", frame(DataExpectingReply, 17, 0, &REQUEST)),
        ("data-answer", frame(DataNotExpectingReply, 0, 17, &ANSWER)),
        ("data-broadcast", frame(DataNotExpectingReply, 255, 0, &[1, 0x20, 0xFF, 0xFF, 0, 0xFF, 0x10, 8])),
        ("reply-postponed", frame(ReplyPostponed, 0, 17, &[])),
        ("extended-expecting-600", frame(DataExpectingReply, 17, 0, &sevens)),
        ("extended-zeros-502", frame(DataNotExpectingReply, 0, 17, &[0; 502])),
    ]
}

fn heard(mac: u8, octets: &[u8]) -> Vec<Heard> {
    let now = Bus::new(Vec::new()).now;
    let mut receiver = Receiver::new(mac, Duration::from_millis(20));
    let mut heard: Vec<Heard> = octets.iter().filter_map(|octet| receiver.octet(*octet, now)).collect();
    heard.extend(receiver.silence(now + Duration::from_millis(20)));
    assert!(!receiver.is_within());
    heard
}

#[test]
fn frames_are_written_and_read_as_others_write_them() {
    for (name, frame) in all() {
        let octets = golden(name);
        assert_eq!(frame.encode(), octets, "{name}");
        let mac = frame.destination;
        assert_eq!(heard(mac, &octets), [Heard::Frame(frame.clone())], "{name}");
        // Behind noise, and two at once.
        let noisy = [&[0x00, 0x55, 0x55][..], &octets, &octets].concat();
        assert_eq!(heard(mac, &noisy), [Heard::Frame(frame.clone()), Heard::Frame(frame)], "{name}");
    }
}

#[test]
fn a_long_frame_is_stuffed_as_the_standard_shows() {
    let mut npdu = vec![0x01, 0x20, 0xFF, 0xFF, 0x00, 0xFF, 0x10, 0x07, 0x3D, 0xFE, 0x01, 0xEF, 0x00];
    npdu.extend((b'A'..=b'Z').flat_map(|letter| [letter; 19]));
    let octets = frame(FrameType::DataNotExpectingReply, 255, 1, &npdu).encode();
    assert_eq!(octets.len(), 522);
    assert!(octets.starts_with(&golden("annex-t-head")));
    assert!(octets.ends_with(&golden("annex-t-tail")));
    assert!(octets.iter().skip(1).all(|octet| *octet != 0x55), "no preamble can stand within");
}

#[test]
fn what_is_for_others_is_passed_over_with_its_data() {
    for (name, frame) in all().into_iter().filter(|(_, f)| f.destination != 255) {
        let source = frame.source;
        assert_eq!(heard(99, &golden(name)), [Heard::Elsewhere { source }], "{name}");
    }
    // A whole token within another's data is none.
    let hidden = frame(FrameType::DataNotExpectingReply, 3, 4, &golden("token-7-to-0")).encode();
    assert_eq!(heard(0, &hidden), [Heard::Elsewhere { source: 4 }]);
}

#[test]
fn a_broken_octet_breaks_its_frame_and_not_the_next() {
    let next = frame(FrameType::Token, 77, 78, &[]).encode();
    for (name, frame) in all() {
        let octets = golden(name);
        for at in 0..octets.len() {
            let mut broken = octets.clone();
            broken[at] ^= 0x10;
            let heard = heard(frame.destination, &[broken, next.clone()].concat());
            assert!(!heard.contains(&Heard::Frame(frame.clone())), "{name} at {at}: {heard:?}");
            assert!(heard.contains(&Heard::Elsewhere { source: 78 }), "{name} at {at}: {heard:?}");
        }
    }
}

#[test]
fn a_frame_that_breaks_off_is_given_up_after_a_silence() {
    for (name, frame) in all() {
        let octets = golden(name);
        for len in 0..octets.len() {
            let expected: &[Heard] = if len < 2 { &[] } else { &[Heard::Damaged(Damage::Cut)] };
            assert_eq!(heard(frame.destination, &octets[..len]), expected, "{name}, {len} octets of it");
        }
    }
}

#[test]
fn more_data_than_a_frame_may_have_are_passed_over() {
    let long = frame(FrameType::TestRequest, 4, 9, &[7; 502]).encode();
    let octets = [long, golden("test-request")].concat();
    let good = frame(FrameType::TestRequest, 4, 9, &[1, 0x22, 0x30]);
    assert_eq!(heard(4, &octets), [Heard::Damaged(Damage::TooLong), Heard::Frame(good)]);
}
