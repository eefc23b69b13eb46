//! DL/T 645 and CJ/T 188 on frames that others made: whole, in pieces, damaged, in the middle of noise, beside an echo, from
//! somebody else. What is not the answer is never taken for it.

#![allow(clippy::unwrap_used, reason = "a broken fixture ends the test")]

use std::time::Duration;

use steward_protocols::exchange::{About, Exchange, Fault, Progress};
use steward_protocols::{cjt188, dlt645};
use steward_shared::profile::cjt188::ItemId as CjItem;
use steward_shared::profile::dlt645::{ItemId, Version};

/// One entry of a file of golden frames.
struct Golden {
    exchange: Box<dyn Fn() -> Box<dyn Exchange>>,
    number: u16,
    request: Vec<u8>,
    answer: Vec<u8>,
    /// The contents, or the error byte.
    wanted: Result<Vec<u8>, u8>,
}

fn bytes(text: &str) -> Vec<u8> {
    text.split_whitespace().map(|b| u8::from_str_radix(b, 16).unwrap()).collect()
}

fn wanted(text: &str, address: impl Fn(&str) -> Vec<u8>) -> Result<Vec<u8>, u8> {
    match text.split_once(' ').unwrap() {
        ("data", data) => Ok(bytes(data)),
        ("address", text) => Ok(address(text)),
        ("error", byte) => Err(bytes(byte)[0]),
        other => panic!("{other:?}"),
    }
}

/// The entries of a file: head, request, answer, result.
fn entries(file: &str) -> Vec<[String; 4]> {
    let lines: Vec<&str> = file.lines().filter(|l| !l.starts_with('#') && !l.trim().is_empty()).collect();
    assert!(lines.len().is_multiple_of(4), "an entry has four lines");
    let without_mark = |line: &str| line.trim_start_matches(['>', '<', '=']).trim().to_owned();
    lines.chunks(4).map(|c| std::array::from_fn(|i| without_mark(c[i]))).collect()
}

fn dlt645_frames() -> Vec<Golden> {
    let golden = |[head, request, answer, result]: [String; 4]| {
        let (year, address) = head.split_once(' ').unwrap();
        let version = if year == "1997" { Version::V1997 } else { Version::V2007 };
        let address: dlt645::Address = address.parse().unwrap();
        let request = bytes(&request);
        let data = request[10..request.len() - 2].iter().map(|b| b.wrapping_sub(0x33));
        let item = ItemId(data.rev().fold(0, |id, byte| id << 8 | u32::from(byte)));
        let ask = if request[8] == 0x13 {
            dlt645::Request::ReadAddress
        } else {
            dlt645::Request::Read { item, bytes: None }
        };
        let dialect = dlt645::Dialect { version, wake_up: 0 };
        Golden {
            exchange: Box::new(move || {
                Box::new(dlt645::Decoder::new(ask.clone(), address, dialect).unwrap())
            }),
            number: 0,
            request,
            answer: bytes(&answer),
            wanted: wanted(&result, |text| text.parse::<dlt645::Address>().unwrap().wire().to_vec()),
        }
    };
    entries(include_str!("../frames/dlt645.txt")).into_iter().map(golden).collect()
}

fn cjt188_frames() -> Vec<Golden> {
    let golden = |[head, request, answer, result]: [String; 4]| {
        let [order, meter, address] = <[&str; 3]>::try_from(head.split(' ').collect::<Vec<_>>()).unwrap();
        let address: cjt188::Address = address.parse().unwrap();
        let request = bytes(&request);
        let [first, second, number] = <[u8; 3]>::try_from(&request[11..14]).unwrap();
        let id = if order == "low" { [second, first] } else { [first, second] };
        let ask = if request[9] == 3 {
            cjt188::Request::ReadAddress
        } else {
            cjt188::Request::Read { item: CjItem(u16::from_be_bytes(id)), bytes: 22 }
        };
        let dialect = cjt188::Dialect { meter: bytes(meter)[0], low_byte_first: order == "low", wake_up: 0 };
        Golden {
            exchange: Box::new(move || Box::new(cjt188::Decoder::new(ask, address, dialect))),
            number: u16::from(number),
            request,
            answer: bytes(&answer),
            wanted: wanted(&result, |text| text.parse::<cjt188::Address>().unwrap().wire().to_vec()),
        }
    };
    entries(include_str!("../frames/cjt188.txt")).into_iter().map(golden).collect()
}

fn all() -> Vec<Golden> {
    dlt645_frames().into_iter().chain(cjt188_frames()).collect()
}

impl Golden {
    /// The request under way.
    fn asked(&self) -> Box<dyn Exchange> {
        let mut exchange = (self.exchange)();
        assert_eq!(exchange.frame(self.number), self.request);
        exchange
    }

    fn holds(&self, progress: &Progress) {
        match (progress, &self.wanted) {
            (Progress::Reply(Ok(got)), Ok(wanted)) => assert_eq!(got, wanted),
            (Progress::Reply(Err(refusal)), Err(byte)) => {
                assert!(refusal.to_string().starts_with(&format!("error {byte:02X}")), "{refusal}");
            }
            other => panic!("{other:?}"),
        }
    }

    /// The answer without the bytes before it.
    fn frame(&self) -> &[u8] {
        &self.answer[self.answer.iter().position(|b| *b == 0x68).unwrap()..]
    }
}

#[test]
fn golden_requests_are_ours_and_golden_answers_are_understood() {
    let (electricity, others) = (dlt645_frames(), cjt188_frames());
    assert!(electricity.len() >= 12 && others.len() >= 6);
    for golden in electricity.iter().chain(&others) {
        golden.holds(&golden.asked().received(&golden.answer));
    }
}

#[test]
fn an_answer_may_come_byte_by_byte() {
    for golden in all() {
        let mut exchange = golden.asked();
        let (last, before) = golden.answer.split_last().unwrap();
        for byte in before {
            assert_eq!(exchange.received(&[*byte]), Progress::More);
        }
        golden.holds(&exchange.received(&[*last]));
    }
}

#[test]
fn noise_an_echo_and_a_doubled_start_before_an_answer_do_no_harm() {
    for golden in all() {
        let frame = golden.frame().to_vec();
        for before in [
            vec![0xFF],
            vec![0x00, 0x68, 0x11],
            golden.request.clone(),
            vec![0x68],
            vec![0xFE; 8],
            bytes("68 68"),
        ] {
            let mut exchange = golden.asked();
            golden.holds(&exchange.received(&[before, frame.clone()].concat()));
        }
    }
}

#[test]
fn wake_up_bytes_and_an_echo_alone_are_not_held_as_the_beginning_of_an_answer() {
    for golden in all() {
        let mut exchange = golden.asked();
        assert_eq!(exchange.received(&[0xFE; 4]), Progress::More);
        assert_eq!(exchange.received(&golden.request), Progress::More);
        assert_eq!((exchange.held(), exchange.verdict()), (0, None), "the meter may still turn round");
        assert_eq!(exchange.longest_pause(), Duration::from_millis(500));
    }
}

#[test]
fn a_flipped_bit_anywhere_never_gives_contents() {
    for golden in all() {
        let frame = golden.frame();
        for at in 0..frame.len() {
            for bit in 0..8 {
                let mut broken = frame.to_vec();
                broken[at] ^= 1 << bit;
                let mut exchange = golden.asked();
                let progress = exchange.received(&broken);
                assert_eq!(progress, Progress::More, "byte {at} bit {bit} of {frame:02X?}");
                assert!(exchange.verdict().is_some());
            }
        }
    }
}

#[test]
fn a_damaged_answer_is_told_as_damaged_and_a_short_one_as_short() {
    for golden in all() {
        let frame = golden.frame();
        let mut sum = frame.to_vec();
        sum[frame.len() - 2] ^= 0x55;
        let mut exchange = golden.asked();
        exchange.received(&sum);
        assert_eq!(exchange.verdict(), Some(Fault::CheckSum));
        assert!(exchange.began_like_the_answer());
        let mut exchange = golden.asked();
        exchange.received(&frame[..frame.len() - 3]);
        assert_eq!(exchange.verdict(), Some(Fault::Short { bytes: frame.len() - 3 }));
    }
}

#[test]
fn two_answers_to_one_question_are_not_believed() {
    for golden in all() {
        let twice = [golden.answer.as_slice(), golden.frame()].concat();
        let mut exchange = golden.asked();
        assert!(matches!(exchange.received(&twice), Progress::Bad(Fault::Trailing { .. })));
    }
}

#[test]
fn fault_b4_what_another_meter_says_or_this_one_says_late_is_let_pass() {
    let frames = dlt645_frames();
    let energy = &frames[0];
    let mut exchange = energy.asked();
    // Another meter's energy, and the same meter's voltage: late answers to questions before.
    assert_eq!(exchange.received(&frames[3].answer), Progress::More);
    assert_eq!((exchange.held(), exchange.verdict()), (0, Some(Fault::Device)));
    assert_eq!(exchange.received(&frames[1].answer), Progress::More);
    assert_eq!(exchange.verdict(), Some(Fault::Content));
    energy.holds(&exchange.received(&energy.answer));

    let water = &cjt188_frames()[0];
    let mut exchange = water.asked();
    let mut late = cjt188::Frame {
        meter: 0x10,
        address: "78330011223344".parse().unwrap(),
        control: 0x81,
        data: bytes("1F 90 01 00 77 66 55 2C"),
    };
    assert_eq!(exchange.received(&late.bytes()), Progress::More);
    assert_eq!(exchange.verdict(), Some(Fault::Transaction { wanted: 0, got: 1 }));
    late.address = "78330011223345".parse().unwrap();
    assert_eq!(exchange.received(&late.bytes()), Progress::More);
    assert_eq!(exchange.verdict(), Some(Fault::Device));
    water.holds(&exchange.received(&water.answer));
}

#[test]
fn a_refusal_about_missing_data_lets_a_block_be_asked_in_parts() {
    let frames = dlt645_frames();
    let refused = frames.iter().find(|g| g.wanted == Err(2)).unwrap();
    let Progress::Reply(Err(refusal)) = refused.asked().received(&refused.answer) else { panic!() };
    assert_eq!(refusal.about, About::Place);
    assert_eq!(refusal.to_string(), "error 02 (it has no such data)");
}

/// A frame by the rules of the standard as PyPI dlt645 3.2.0 states them: 33 is added to each byte of data, the sum is of all
/// before it.
fn from_meter(control: u8, data: &[u8]) -> Vec<u8> {
    let mut frame = bytes("68 61 01 00 00 00 00 68");
    frame.extend([control, data.len() as u8]);
    frame.extend(data.iter().map(|b| b.wrapping_add(0x33)));
    frame.push(frame.iter().fold(0_u8, |sum, b| sum.wrapping_add(*b)));
    frame.push(0x16);
    frame
}

fn reading(version: Version) -> dlt645::Decoder {
    let item = ItemId(if version == Version::V2007 { 0x0001_FF00 } else { 0x901F });
    let request = dlt645::Request::Read { item, bytes: None };
    let dialect = dlt645::Dialect { version, wake_up: 0 };
    dlt645::Decoder::new(request, "000000000161".parse().unwrap(), dialect).unwrap()
}

#[test]
fn what_follows_an_answer_is_asked_for_until_there_is_no_more() {
    let mut exchange = reading(Version::V2007);
    exchange.frame(0);
    let item = [0x00, 0xFF, 0x01, 0x00];
    let part = |contents: &[u8]| [item.as_slice(), contents].concat();
    assert_eq!(exchange.received(&from_meter(0xB1, &part(&[1, 2]))), Progress::Next);
    assert_eq!(exchange.frame(0), from_meter(0x12, &part(&[1])));
    // A frame of another number is not the one that is wanted.
    assert_eq!(exchange.received(&from_meter(0xB2, &part(&[9, 2]))), Progress::More);
    assert_eq!(exchange.received(&from_meter(0xB2, &part(&[3, 4, 1]))), Progress::Next);
    assert_eq!(exchange.frame(0), from_meter(0x12, &part(&[2])));
    assert_eq!(
        exchange.received(&from_meter(0x92, &part(&[5, 2]))),
        Progress::Reply(Ok(vec![1, 2, 3, 4, 5]))
    );

    let mut exchange = reading(Version::V1997);
    exchange.frame(0);
    assert_eq!(exchange.received(&from_meter(0xA1, &[0x1F, 0x90, 1, 2])), Progress::Next);
    assert_eq!(exchange.frame(0), from_meter(0x02, &[0x1F, 0x90]));
    assert_eq!(exchange.received(&from_meter(0x82, &[0x1F, 0x90, 3])), Progress::Reply(Ok(vec![1, 2, 3])));
}

#[test]
fn a_meter_that_never_ends_its_answer_is_given_up() {
    let mut exchange = reading(Version::V2007);
    exchange.frame(0);
    let long = [&[0x00, 0xFF, 0x01, 0x00][..], &[7; 190]].concat();
    assert_eq!(exchange.received(&from_meter(0xB1, &long)), Progress::Next);
    for number in 1..=u8::MAX {
        exchange.frame(0);
        match exchange.received(&from_meter(0xB2, &[long.as_slice(), &[number]].concat())) {
            Progress::Next => {}
            Progress::Bad(Fault::Noise { .. }) => return,
            other => panic!("{other:?}"),
        }
    }
    panic!("it was asked for more and more");
}

/// The request frames of what changes meters, each by its own standard.
#[test]
fn writing_the_clock_and_freezing_are_sent_as_the_standard_says() {
    use dlt645::{Address, Decoder, Dialect, Instant, Request, RequestFault};
    let address: Address = "000000000161".parse().unwrap();
    let make = |request: Request, version| {
        Decoder::new(request, address, Dialect { version, wake_up: 0 })
            .map(|mut d| (d.frame(0), d.answer_len()))
    };
    let contents = bytes("02 18 09 26");
    let (password, operator) = ([0x02, 0x56, 0x34, 0x12], [1, 0, 0, 0]);
    let write = |item| Request::Write { item: ItemId(item), password, operator, data: contents.clone() };
    let (frame, answer) = make(write(0x0400_0101), Version::V2007).unwrap();
    assert_eq!(frame, from_meter(0x14, &bytes("01 01 00 04 02 56 34 12 01 00 00 00 02 18 09 26")));
    assert!(answer.is_some());
    let (frame, _) = make(write(0xC010), Version::V1997).unwrap();
    assert_eq!(frame, from_meter(0x04, &bytes("10 C0 02 56 34 12 02 18 09 26")));

    let time = Instant { year: 26, month: 9, day: 18, hour: 14, minute: 30, second: 5 };
    let (frame, answer) = make(Request::Time(time), Version::V2007).unwrap();
    assert_eq!(frame[..10], bytes("68 99 99 99 99 99 99 68 08 06"));
    let data: Vec<u8> = frame[10..16].iter().map(|b| b.wrapping_sub(0x33)).collect();
    assert_eq!(data, bytes("05 30 14 18 09 26"));
    assert_eq!(answer, None, "nobody answers to a broadcast");

    let at_once = Request::Freeze { month: None, day: None, hour: None, minute: None };
    let (frame, answer) = make(at_once.clone(), Version::V2007).unwrap();
    assert_eq!(frame, from_meter(0x16, &[0x99; 4]));
    assert!(answer.is_some());
    assert_eq!(make(at_once, Version::V1997), Err(RequestFault::NotIn1997));
    assert_eq!(make(Request::ReadAddress, Version::V1997), Err(RequestFault::NotIn1997));
    let never = Request::Time(Instant { month: 13, ..time });
    assert_eq!(make(never, Version::V2007), Err(RequestFault::Instant));
    let long = Request::Write { item: ItemId(0), password, operator, data: vec![0; 39] };
    assert_eq!(make(long, Version::V2007), Err(RequestFault::Length { bytes: 51 }));
}

#[test]
fn a_written_value_is_acknowledged_or_refused_in_plain_words() {
    let request = dlt645::Request::Write {
        item: ItemId(0x0400_0101),
        password: [2, 0, 0, 0],
        operator: [0; 4],
        data: vec![2, 0x18, 9, 0x26],
    };
    let dialect = dlt645::Dialect { version: Version::V2007, wake_up: 0 };
    let address = "000000000161".parse().unwrap();
    let mut exchange = dlt645::Decoder::new(request, address, dialect).unwrap();
    exchange.frame(0);
    assert_eq!(exchange.received(&from_meter(0x94, &[])), Progress::Reply(Ok(Vec::new())));
    exchange.frame(0);
    let Progress::Reply(Err(refusal)) = exchange.received(&from_meter(0xD4, &[4])) else { panic!() };
    assert!(refusal.to_string().contains("the password is wrong or the right is missing"), "{refusal}");
}
