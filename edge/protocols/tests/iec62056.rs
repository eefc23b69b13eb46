//! IEC 62056-21 on readouts of real meters: whole, in pieces, damaged, beside an echo; and the changes of rates that a line
//! makes for it, in virtual time.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a broken fixture ends the test")]
#![allow(clippy::disallowed_methods, reason = "any instant serves as the beginning of virtual time")]

use std::time::{Duration, Instant};

use steward_protocols::character::{Character, Parity};
use steward_protocols::driver::{Driver, Step};
use steward_protocols::exchange::{Exchange, Fault, Progress};
use steward_protocols::iec62056::{Decoder, Dialect, Meter, data_sets, plan};
use steward_protocols::line::{Failure, LineState, Settings};
use steward_shared::profile::{Language, PointDef, Profile};
use steward_shared::reading::Value;

const DIALECT: Dialect = Dialect { wake_up: 0, max_baud: 19_200, bytes: 4096 };

struct Golden {
    identification: Vec<u8>,
    data: String,
    /// STX to check character.
    block: Vec<u8>,
}

fn golden() -> Vec<Golden> {
    let mut all: Vec<Golden> = Vec::new();
    for line in
        include_str!("../frames/iec62056.txt").lines().filter(|l| !l.starts_with('#') && !l.is_empty())
    {
        if let Some(text) = line.strip_prefix("@ ") {
            let identification = format!("/{text}\r\n").into_bytes();
            all.push(Golden { identification, data: String::new(), block: Vec::new() });
            continue;
        }
        let last = all.last_mut().unwrap();
        match line.strip_prefix("= ") {
            Some(check) => {
                last.data.push_str("!\r\n");
                last.block =
                    [&[2], last.data.as_bytes(), &[3, u8::from_str_radix(check, 16).unwrap()]].concat();
            }
            None => last.data = format!("{}{line}\r\n", last.data),
        }
    }
    assert_eq!(all.len(), 3);
    all
}

impl Golden {
    /// A readout that waits for the data.
    fn asked(&self) -> Decoder {
        let mut exchange = Decoder::new("".parse().unwrap(), DIALECT);
        exchange.frame(0);
        if exchange.received(&self.identification) == Progress::Next {
            exchange.frame(0);
        }
        exchange
    }

    fn contents(&self) -> Vec<u8> {
        [&self.identification[1..], self.data.as_bytes()].concat()
    }
}

#[test]
fn golden_readouts_are_understood_at_once_and_byte_by_byte() {
    for golden in golden() {
        assert_eq!(golden.asked().received(&golden.block), Progress::Reply(Ok(golden.contents())));
        let mut exchange = golden.asked();
        let (last, before) = golden.block.split_last().unwrap();
        for byte in before {
            assert_eq!(exchange.received(&[*byte]), Progress::More);
        }
        assert_eq!(exchange.received(&[*last]), Progress::Reply(Ok(golden.contents())));
    }
}

#[test]
fn every_data_set_of_a_readout_is_told_apart() {
    let golden = golden();
    let sets = data_sets(&golden[0].data);
    let value = |code: &str, value: usize| {
        let set = sets.iter().find(|set| set.code == code && set.value == value)?;
        Some((set.text, set.unit.unwrap_or_default()))
    };
    // As the tests of the ultraheat package read them.
    assert_eq!(value("6.8", 1), Some(("0328.871", "GJ")));
    assert_eq!(value("6.26", 1), Some(("03329.67", "m3")));
    assert_eq!(value("6.8*01", 1), Some(("0314.658", "GJ")));
    assert_eq!(value("9.4", 1), Some(("098.5", "C")));
    assert_eq!(value("9.4", 2), Some(("096.1", "C")));
    assert_eq!(value("6.33", 1), Some(("000.744", "m3ph")));
    assert_eq!(value("9.36", 2), Some(("19:41:17", "")));
    assert_eq!(value("9.31", 1), Some(("0028849", "h")));
    assert_eq!(value("6.36.5", 1), Some(("", "")));
    assert_eq!(data_sets(&golden[1].data).len(), 22);
    assert_eq!(data_sets(&golden[2].data).len(), 24);
}

#[test]
fn messages_are_those_of_the_standard() {
    // IEC 62056-21, 6.3.1 and 6.3.3; the same in the tests of PyPI iec62056-21 0.0.2.
    let frames = |address: &str, dialect: Dialect, identification: &[u8]| {
        let mut exchange = Decoder::new(address.parse().unwrap(), dialect);
        let first = exchange.frame(0);
        let next = (exchange.received(identification) == Progress::Next).then(|| exchange.frame(0));
        (first, next, exchange.answer_character().map(|c| c.to_string()))
    };
    let (first, next, port) = frames("", DIALECT, b"/LGZ4ZMF100AC.M26\r\n");
    assert_eq!((first, next), (b"/?!\r\n".to_vec(), Some(b"\x06040\r\n".to_vec())));
    assert_eq!(port.as_deref(), Some("4800 7E1"));
    let (first, next, port) = frames("1234", DIALECT, b"/LUGCUH50\r\n");
    assert_eq!((first, next, port.as_deref()), (b"/?1234!\r\n".to_vec(), None, Some("2400 7E1")), "mode B");
    let slow = Dialect { max_baud: 2400, wake_up: 3, ..DIALECT };
    let (first, next, port) = frames("", slow, b"/LOG5LK123\r\n");
    assert_eq!((first, next), (b"\0\0\0/?!\r\n".to_vec(), Some(b"\x06000\r\n".to_vec())));
    assert_eq!(port.as_deref(), Some("300 7E1"));
    assert_eq!(frames("", DIALECT, b"/ABC METER\r\n").2, None, "mode A goes on as it began");
}

#[test]
fn an_echo_noise_and_parity_bits_do_no_harm() {
    for golden in golden() {
        let mut exchange = Decoder::new("".parse().unwrap(), DIALECT);
        let request = exchange.frame(0);
        assert_eq!(exchange.received(&request), Progress::More);
        assert_eq!((exchange.held(), exchange.verdict()), (0, None), "an echo alone is nothing");
        let with_parity = |bytes: &[u8]| {
            bytes.iter().map(|b| b | if b.count_ones() % 2 == 1 { 0x80 } else { 0 }).collect::<Vec<u8>>()
        };
        let came = [&[0, 0x7F][..], &with_parity(&golden.identification)].concat();
        if exchange.received(&came) == Progress::Next {
            let frame = exchange.frame(0);
            assert_eq!(exchange.received(&frame), Progress::More);
        }
        assert_eq!(exchange.received(&with_parity(&golden.block)), Progress::Reply(Ok(golden.contents())));
    }
}

#[test]
fn a_flipped_bit_in_the_data_never_gives_contents() {
    for golden in golden() {
        for at in 0..golden.block.len() {
            let mut broken = golden.block.clone();
            broken[at] ^= 1 << (at % 7);
            let mut exchange = golden.asked();
            let progress = exchange.received(&broken);
            assert!(!matches!(progress, Progress::Reply(_) | Progress::Next), "byte {at}");
            assert!(exchange.verdict().is_some() || matches!(progress, Progress::Bad(_)), "byte {at}");
        }
    }
}

#[test]
fn what_is_cut_short_is_told_and_what_never_ends_is_given_up() {
    let golden = &golden()[1];
    let mut exchange = golden.asked();
    exchange.received(&golden.block[..golden.block.len() - 3]);
    assert!(matches!(exchange.verdict(), Some(Fault::Short { .. })));
    let mut exchange = golden.asked();
    assert_eq!(exchange.received(&[2]), Progress::More);
    let mut sent = 0;
    while exchange.received(&[b'7'; 100]) == Progress::More {
        sent += 100;
        assert!(sent < 10_000 && exchange.held() <= 5000);
    }
    let twice = [golden.block.as_slice(), &golden.block].concat();
    assert!(matches!(golden.asked().received(&twice), Progress::Bad(Fault::Trailing { .. })));
}

/// A meter at the end of an optical head: it hears what is sent at its rate of the moment.
fn read_out(golden: &Golden, serial: bool) -> (Vec<String>, Result<Vec<u8>, Failure>, Duration) {
    let usual = Character::new(9600, 8, Parity::None, 1);
    let gap = Duration::from_millis(200);
    let timeout = Duration::from_millis(1700);
    let settings =
        if serial { Settings::serial(gap, usual, timeout) } else { Settings::transparent(timeout) };
    let start = Instant::now();
    let mut now = start;
    let mut line = LineState::new(settings);
    line.opened(now);
    line.begin(Box::new(Decoder::new("".parse().unwrap(), DIALECT)), now);
    let mut ports = Vec::new();
    let mut port = usual;
    // What the meter will say, and when its first character is over.
    let mut says: Vec<u8> = Vec::new();
    let mut at = now;
    for _ in 0..100_000 {
        match line.poll(now) {
            Step::Set(character) => {
                port = character;
                ports.push(character.to_string());
                line.set(character, now);
            }
            Step::Send(frame) => {
                let characters = u32::try_from(frame.len()).unwrap();
                let wire = port.time() * characters;
                line.sent(now);
                let is_sign_on = frame.starts_with(b"/?");
                says = if is_sign_on { golden.identification.clone() } else { golden.block.clone() };
                if is_sign_on && golden.identification[4] == b'C' {
                    says.extend(&golden.block);
                }
                at = now + wire + Duration::from_millis(300);
            }
            Step::WaitUntil(until) => {
                if !says.is_empty() && at <= until {
                    now = at;
                    // One character, at the rate that the port has now: the meter's is the same by then.
                    let byte = says.remove(0);
                    let after = if byte == b'\n' && says.first() == Some(&2) { 300 } else { 0 };
                    line.received(&[byte], now);
                    at = now + port.time() + Duration::from_millis(after);
                } else {
                    now = until;
                }
            }
            Step::Done(outcome) => {
                let outcome = outcome.map(|answer| answer.reply.unwrap());
                return (ports, outcome, now - start);
            }
            Step::Reopen => line.opened(now),
            Step::Idle => panic!("nothing is under way"),
        }
    }
    panic!("it is never over");
}

#[test]
fn the_port_follows_the_rates_of_a_readout() {
    let golden = golden();
    let (ports, outcome, took) = read_out(&golden[1], true);
    assert_eq!(outcome, Ok(golden[1].contents()));
    assert_eq!(ports, ["300 7E1", "4800 7E1"]);
    assert!(took < Duration::from_secs(5), "{took:?}");
    let (ports, outcome, took) = read_out(&golden[0], true);
    assert_eq!(outcome, Ok(golden[0].contents()));
    assert_eq!(ports, ["300 7E1", "2400 7E1"], "mode B changes without an acknowledgement");
    assert!(took < Duration::from_secs(10), "{took:?}");
}

#[test]
fn a_readout_behind_a_converter_may_take_longer_than_the_timeout() {
    let (ports, outcome, _) = read_out(&golden()[0], false);
    assert_eq!(outcome, Ok(golden()[0].contents()));
    assert!(ports.is_empty(), "{ports:?}");
}

#[test]
fn a_meter_that_says_nothing_is_given_up_soon() {
    let usual = Character::new(9600, 8, Parity::None, 1);
    let settings = Settings::serial(Duration::from_millis(200), usual, Duration::from_millis(1700));
    let start = Instant::now();
    let mut now = start;
    let mut line = LineState::new(settings);
    line.opened(now);
    line.begin(Box::new(Decoder::new("".parse().unwrap(), DIALECT)), now);
    loop {
        match line.poll(now) {
            Step::Set(character) => line.set(character, now),
            Step::Send(_) => line.sent(now),
            Step::WaitUntil(until) => now = until,
            Step::Done(outcome) => {
                assert_eq!(outcome, Err(Failure::NoReply(Duration::from_millis(1700))));
                break;
            }
            step => panic!("{step:?}"),
        }
    }
    assert!(now - start < Duration::from_secs(4), "{:?}", now - start);
}

#[test]
fn a_simulated_meter_is_read() {
    let text = "vendor = \"A\"\nmodel = \"M 1\"\ntitle = { zh = \"表\", en = \"M\" }\nsource = [\"s\"]\n[iec62056]\nmax_baud = 9600\n\
        [[point]]\nkey = \"energy\"\ntitle = { zh = \"点\", en = \"P\" }\nobis = \"1.8.0\"\nunit = \"kW.h\"\ndecimals = 3\n\
        [[point]]\nkey = \"flow\"\ntitle = { zh = \"点\", en = \"P\" }\nobis = \"9.4\"\nunit = \"Cel\"\ndecimals = 1\n\
        [[point]]\nkey = \"return\"\ntitle = { zh = \"点\", en = \"P\" }\nobis = \"9.4\"\nvalue = 2\nunit = \"Cel\"\ndecimals = 1\n\
        [[point]]\nkey = \"fault\"\ntitle = { zh = \"点\", en = \"P\" }\nobis = \"F.F\"\ntype = \"bit\"\nbit = 9\n\
        [[point]]\nkey = \"number\"\ntitle = { zh = \"点\", en = \"P\" }\nobis = \"0.0\"\ntype = \"string\"\n";
    let profile = Profile::parse("a/m.toml", text).unwrap_or_else(|faults| panic!("{faults:?}"));
    let value = |point: &PointDef| {
        Some(match point.key.as_str() {
            "energy" => Value::Number(1234.567),
            "flow" => Value::Number(98.5),
            "return" => Value::Number(-3.5),
            "fault" => Value::Number(1.0),
            _ => Value::Text("12345678".to_owned()),
        })
    };
    let Language::Iec62056(limits) = &profile.language else { panic!() };
    let ask = plan(&profile.points, 0..profile.points.len(), limits).remove(0);
    let mut meter = Meter::new(&profile, "0042".parse().unwrap()).unwrap();
    let mut exchange = ask.exchange("42".parse().unwrap());
    let identification = meter.answer(&exchange.frame(0), value).unwrap();
    assert_eq!(identification, b"/STW5M1\r\n");
    assert_eq!(exchange.received(&identification), Progress::Next);
    let data = meter.answer(&exchange.frame(0), value).unwrap();
    let Progress::Reply(Ok(contents)) = exchange.received(&data) else { panic!() };
    for read in ask.values(&profile.points, &contents) {
        assert_eq!(read.value, value(&profile.points[read.point]), "{}", profile.points[read.point].key);
    }
    assert_eq!(meter.answer(b"\x06050\r\n", value), None, "nobody signed on");
    assert_eq!(meter.answer(b"/?43!\r\n", value), None);
}

mod hostile {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn whatever_comes_it_neither_panics_nor_holds_much(
            noise in proptest::collection::vec(any::<u8>(), 0..3000),
            chunk in 1..100_usize,
        ) {
            let _ = data_sets(&String::from_utf8_lossy(&noise));
            for mut exchange in [golden()[1].asked(), Decoder::new("".parse().unwrap(), DIALECT)] {
                for part in noise.chunks(chunk) {
                    match exchange.received(part) {
                        Progress::More => prop_assert!(exchange.held() < 6000),
                        Progress::Next => {
                            exchange.frame(0);
                        }
                        _ => break,
                    }
                }
                let _ = (exchange.verdict(), exchange.began_like_the_answer());
            }
        }
    }
}
