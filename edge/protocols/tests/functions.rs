//! Every function in every framing, on frames that another program made: whole, byte by byte, after noise, behind its own
//! echo, damaged and cut short.

#![allow(clippy::unwrap_used, reason = "a broken fixture ends the test")]

use steward_protocols::exchange::{Exchange, Fault, Progress};
use steward_protocols::modbus::{Change, Identity, Level, Request, Write, ascii, exchange, identify};
use steward_shared::profile::{Framing, Table};

struct Golden {
    call: String,
    framing: Framing,
    request: Vec<u8>,
    answer: Vec<u8>,
}

impl Golden {
    fn exchange(&self) -> Box<dyn Exchange> {
        let write = |change| exchange(Write::new(17, change).unwrap(), self.framing);
        match self.call.as_str() {
            "read" => exchange(Request::new(17, Table::Holding, 0x6B, 3).unwrap(), self.framing),
            "coil" => write(Change::Coil { address: 172, on: true }),
            "register" => write(Change::Register { address: 1, value: 3 }),
            "coils" => {
                let bits = "1011001110".chars().map(|c| c == '1').collect();
                write(Change::Coils { address: 19, bits })
            }
            "registers" => write(Change::Registers { address: 1, values: vec![0x000A, 0x0102] }),
            "mask" => write(Change::Mask { address: 4, and: 0x00F2, or: 0x0025 }),
            "exchange" => write(Change::Exchange { from: 3, count: 6, address: 14, values: vec![0xFF; 3] }),
            _ => identify(17, Level::Basic, self.framing).unwrap(),
        }
    }

    fn contents(&self) -> Option<Vec<u8>> {
        Some(match self.call.as_str() {
            "read" => vec![0xAE, 0x41, 0x56, 0x52, 0x43, 0x40],
            "exchange" => vec![0, 0xFE, 0x0A, 0xCD, 0, 1, 0, 3, 0, 0x0D, 0, 0xFF],
            "identify" => {
                [b"\x83\x00\x16Company identification\x01\x0FProduct code XX\x02\x05".as_slice(), b"V2.11"]
                    .concat()
            }
            "refused" => return None,
            _ => Vec::new(),
        })
    }

    fn holds(&self, progress: &Progress, how: &str) {
        let (call, framing) = (&self.call, self.framing);
        match (progress, self.contents()) {
            (Progress::Reply(Ok(got)), Some(wanted)) => assert_eq!(*got, wanted, "{call} {framing:?} {how}"),
            (Progress::Reply(Err(refusal)), None) => assert!(refusal.text.contains("illegal function")),
            (other, _) => panic!("{call} {framing:?} {how}: {other:?}"),
        }
    }

    /// Most writes are answered by repeating them.
    fn repeats(&self) -> bool {
        self.request == self.answer
    }
}

fn golden() -> Vec<Golden> {
    let bytes = |hex: &str| hex.split_whitespace().map(|b| u8::from_str_radix(b, 16).unwrap()).collect();
    let mut all: Vec<Golden> = Vec::new();
    let mut call = "";
    for line in include_str!("../frames/modbus-functions.txt").lines() {
        let Some((head, rest)) = line.split_once(' ').filter(|(head, _)| *head != "#") else { continue };
        let (framing, frame) = match head.trim_end_matches(['<', '>']) {
            "call" => {
                call = rest;
                continue;
            }
            "rtu" => (Framing::Rtu, bytes(rest)),
            "tcp" => (Framing::Tcp, bytes(rest)),
            _ => (Framing::Ascii, format!("{rest}\r\n").into_bytes()),
        };
        if head.ends_with('>') {
            all.push(Golden { call: call.to_owned(), framing, request: frame, answer: Vec::new() });
        } else {
            all.last_mut().unwrap().answer = frame;
        }
    }
    assert_eq!(all.len(), 27);
    all
}

#[test]
fn functions_are_made_and_read_as_another_program_does() {
    for g in golden() {
        let mut exchange = g.exchange();
        assert_eq!(exchange.frame(1), g.request, "{} {:?}", g.call, g.framing);
        assert!(exchange.answer_len().unwrap() >= g.answer.len() || g.call == "refused", "{}", g.call);
        g.holds(&exchange.received(&g.answer), "whole");
    }
}

#[test]
fn an_answer_of_a_function_may_come_byte_by_byte() {
    for g in golden() {
        let mut exchange = g.exchange();
        exchange.frame(1);
        let (last, head) = g.answer.split_last().unwrap();
        for byte in head {
            assert_eq!(exchange.received(&[*byte]), Progress::More, "{} {:?}", g.call, g.framing);
        }
        g.holds(&exchange.received(&[*last]), "byte by byte");
    }
}

#[test]
fn a_serial_answer_is_found_behind_noise_and_behind_its_own_echo() {
    for g in golden().into_iter().filter(|g| g.framing != Framing::Tcp) {
        let mut exchange = g.exchange();
        exchange.frame(1);
        g.holds(&exchange.received(&[b"\xFF\x00".as_slice(), &g.answer].concat()), "after noise");
        let mut exchange = g.exchange();
        exchange.frame(1);
        g.holds(&exchange.received(&[g.request.clone(), g.answer.clone()].concat()), "behind its echo");
        if !g.repeats() {
            let mut exchange = g.exchange();
            exchange.frame(1);
            assert_eq!(exchange.received(&g.request), Progress::More, "an echo is no answer: {}", g.call);
            g.holds(&exchange.received(&g.answer), "after its echo");
        }
    }
}

#[test]
fn a_damaged_answer_is_never_taken() {
    for g in golden() {
        for at in 0..g.answer.len() {
            let mut damaged = g.answer.clone();
            damaged[at] ^= 0x01;
            let mut exchange = g.exchange();
            exchange.frame(1);
            let progress = exchange.received(&damaged);
            // TCP has no check sum of its own: what is in the data cannot be seen.
            if g.framing != Framing::Tcp {
                assert!(!matches!(progress, Progress::Reply(_)), "{} {:?} at {at}", g.call, g.framing);
            }
        }
        for cut in 1..g.answer.len() {
            let mut exchange = g.exchange();
            exchange.frame(1);
            assert_eq!(exchange.received(&g.answer[..cut]), Progress::More, "{} {:?}", g.call, g.framing);
            assert!(exchange.verdict().is_some(), "{} {:?} cut at {cut}", g.call, g.framing);
        }
    }
}

#[test]
fn a_foreign_ascii_frame_is_waited_out_and_a_second_answer_is_not_taken() {
    let request = Request::new(17, Table::Holding, 0x6B, 3).unwrap();
    let mut decoder = ascii::Decoder::new(request);
    // The same answer from unit 18.
    assert_eq!(decoder.received(b":120306AE4156524340CB\r\n"), Progress::More);
    assert_eq!(decoder.verdict(), Some(Fault::Unit { wanted: 17, got: 18 }));
    assert!(matches!(decoder.received(b":110306AE4156524340CC\r\n"), Progress::Reply(Ok(_))));
    let twice = [b":110306AE4156524340CC\r\n".as_slice(), b":110306AE4156524340CC\r\n"].concat();
    assert!(matches!(ascii::Decoder::new(request).received(&twice), Progress::Bad(Fault::Trailing { .. })));
    let mut decoder = ascii::Decoder::new(request);
    assert_eq!(decoder.received(b":1103:110306AE41565243"), Progress::More, "begun anew");
    assert!(matches!(decoder.received(b"40CC\r\n"), Progress::Reply(Ok(_))));
    assert!(matches!(
        ascii::Decoder::new(request).received(b":11G3\r\n"),
        Progress::Bad(Fault::Noise { .. })
    ));
    let mut decoder = ascii::Decoder::new(request);
    let flood = decoder.received(&[b'0'; 5000]);
    assert!(matches!(flood, Progress::Bad(Fault::Noise { .. })) && decoder.held() <= 1026);
}

/// PDUs of pymodbus 3.16.1 for objects of 120, 120 and 60 bytes: the second frame holds the third.
fn frames_of_a_long_identity() -> [Vec<u8>; 2] {
    let object = |id: u8, byte: u8, len: u8| [vec![id, len], vec![byte; usize::from(len)]].concat();
    let first = [vec![0x2B, 0x0E, 1, 0x83, 0xFF, 2, 2], object(0, b'A', 120), object(1, b'B', 120)].concat();
    let second = [vec![0x2B, 0x0E, 1, 0x83, 0, 0, 1], object(2, b'C', 60)].concat();
    let framed = |number: u8, pdu: &[u8]| [&[0, number, 0, 0, 0, pdu.len() as u8 + 1, 17], pdu].concat();
    [framed(1, &first), framed(2, &second)]
}

#[test]
fn an_identity_that_does_not_fit_one_frame_is_asked_for_to_its_end() {
    let [first, second] = frames_of_a_long_identity();
    let mut exchange = identify(17, Level::Basic, Framing::Tcp).unwrap();
    assert_eq!(exchange.frame(1), [0, 1, 0, 0, 0, 5, 17, 0x2B, 0x0E, 1, 0]);
    assert_eq!(exchange.received(&first), Progress::Next);
    assert_eq!(exchange.frame(2), [0, 2, 0, 0, 0, 5, 17, 0x2B, 0x0E, 1, 2]);
    let Progress::Reply(Ok(contents)) = exchange.received(&second) else { panic!() };
    let identity = Identity::of(&contents);
    assert_eq!(identity.objects.len(), 3);
    assert_eq!(identity.object(0), Some("A".repeat(120).as_str()));
    assert_eq!(identity.object(2), Some("C".repeat(60).as_str()));
    assert_eq!((Identity::name(0), Identity::name(200)), (Some("VendorName"), None));
}

#[test]
fn an_identity_without_end_is_given_up() {
    let [first, _] = frames_of_a_long_identity();
    let mut exchange = identify(17, Level::Basic, Framing::Tcp).unwrap();
    exchange.frame(1);
    assert_eq!(exchange.received(&first), Progress::Next);
    exchange.frame(1);
    assert_eq!(exchange.received(&first), Progress::Bad(Fault::Content), "object 2 again and again");
}
