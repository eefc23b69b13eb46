//! M-Bus on telegrams of real meters that others collected and read: whole, in pieces, damaged, in several telegrams, from
//! somebody else, from several at once. And the search for secondary addresses, among simulated meters.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a broken fixture ends the test")]

use steward_protocols::exchange::{Exchange, Fault, Progress};
use steward_protocols::mbus::{
    Address, Data, Decoder, Frame, HEADER, Heard, Identity, Mask, Request, Search, frame_at, meaning,
    records, scaled, scaled_real, short,
};
use steward_protocols::scan::At;
use steward_shared::profile::measure::meter_unit;

fn bytes(text: &str) -> Vec<u8> {
    text.split_whitespace().map(|b| u8::from_str_radix(b, 16).unwrap()).collect()
}

/// What libmbus reads and nothing should: telegram, value, why.
const OF_LIBMBUS: [(&str, &str, &str); 11] = [
    ("landis+gyr_ultraheat_t230", "2027-01-01T00:00:00Z", "the day of every year, no date"),
    ("ACW_Itron-BM-plus-m", "2000-00-00", "no date is set"),
    ("siemens_water", "2000-00-00", "no date is set"),
    ("siemens_wfh21", "2000-00-00", "no date is set"),
    ("EFE_Engelmann-Elster-SensoStar-2", "0.000011", "per pulse (VIFE 28), no volume"),
    ("ELS_Elster-F96-Plus", "13131113.000000", "no decimal digits: the meter shows an error"),
    ("ELS_Elster-F96-Plus", "131.113000", "no decimal digits: the meter shows an error"),
    ("SEN_Pollustat", "11582321.000000", "how long a limit was exceeded (VIFE 50), no flow"),
    ("SEN_Pollustat", "756.000000", "how long a limit was exceeded (VIFE 58), no flow"),
    ("SEN_Pollustat", "-0.170722", "shown with fewer digits than it has"),
    ("SEN_Pollustat", "-0.045776", "shown with fewer digits than it has"),
];

struct Golden {
    name: String,
    telegram: Vec<u8>,
    /// Digits, maker and version as libmbus shows them.
    identity: String,
    records: Vec<Vec<String>>,
}

fn golden() -> Vec<Golden> {
    let mut all: Vec<Golden> = Vec::new();
    let mut name = String::new();
    for line in include_str!("../frames/mbus.txt").lines() {
        let (mark, rest) = line.split_once(' ').unwrap_or((line, ""));
        match mark {
            "#" => rest.clone_into(&mut name),
            "<" => all.push(Golden {
                name: name.clone(),
                telegram: bytes(rest),
                identity: String::new(),
                records: Vec::new(),
            }),
            "@" => rest.clone_into(&mut all.last_mut().unwrap().identity),
            "=" => {
                let words = rest.split_whitespace().map(str::to_owned).collect();
                all.last_mut().unwrap().records.push(words);
            }
            _ => assert!(line.is_empty(), "{line}"),
        }
    }
    all
}

impl Golden {
    fn frame(&self) -> Frame {
        match frame_at(&self.telegram) {
            At::Frame(frame, len) if len == self.telegram.len() => frame,
            other => panic!("{}: {other:?}", self.name),
        }
    }

    /// A readout of this meter, as far as its first telegram.
    fn asked(&self, telegrams: u8) -> Decoder {
        let mut exchange = Decoder::new(Request::Read { telegrams }, Address::Primary(self.frame().address));
        exchange.frame(0);
        assert_eq!(exchange.received(&[0xE5]), Progress::Next);
        exchange.frame(0);
        exchange
    }

    fn contents(&self) -> Vec<u8> {
        match self.asked(1).received(&self.telegram) {
            Progress::Reply(Ok(contents)) => contents,
            other => panic!("{}: {other:?}", self.name),
        }
    }

    fn identity(&self) -> Identity {
        Identity::from_wire(self.frame().data[..8].try_into().unwrap())
    }
}

/// What a record tells, as libmbus writes it: its marks, its quantity and unit, its value.
fn told(record: &steward_protocols::mbus::Record<'_>, wanted: &[String]) -> Option<(f64, String)> {
    let meaning = meaning(&record.vif)?;
    let marks = [
        format!("{:?}", record.function),
        record.storage.to_string(),
        record.tariff.to_string(),
        record.subunit.to_string(),
        format!("{:?}", meaning.quantity),
    ];
    if marks != wanted[..5] {
        return None;
    }
    let Some((_, from)) = meaning.unit else {
        return Some((0.0, record.data.date().unwrap_or_default()));
    };
    let to = meter_unit(&wanted[5]).unwrap().1;
    let value = match record.data {
        Data::Real(real) => scaled_real(f64::from(real), meaning.exponent, from, to),
        data => scaled(data.integer().ok()?, meaning.exponent, from, to),
    };
    Some((value, String::new()))
}

#[test]
fn what_libmbus_reads_in_telegrams_of_real_meters_is_read_here_too() {
    let (mut tried, mut faults) = (0, Vec::new());
    for golden in golden() {
        let identity = golden.identity().to_string();
        let parts: Vec<_> = identity.split('-').collect();
        let version = u8::from_str_radix(parts[2], 16).unwrap();
        if golden.identity.split(' ').count() == 3 {
            assert_eq!(golden.identity, format!("{} {} {version}", parts[0], parts[1]), "{}", golden.name);
        }
        let contents = golden.contents();
        let read: Vec<_> = records(&contents[HEADER..]).collect();
        for wanted in &golden.records {
            tried += 1;
            let value = wanted.last().unwrap();
            let agrees = |(number, text): (f64, String)| match value.parse::<f64>() {
                Ok(wanted) => (number - wanted).abs() <= wanted.abs() * 1e-6 + 1e-6,
                // libmbus shows seconds that type F does not have.
                Err(_) => !text.is_empty() && value.starts_with(&text.replace(' ', "T")),
            };
            if OF_LIBMBUS.iter().any(|(name, what, _)| *name == golden.name && *what == value) {
                continue;
            }
            let got: Vec<_> = read.iter().filter_map(|record| told(record, wanted)).collect();
            if !got.iter().cloned().any(agrees) {
                faults.push(format!("{}: {wanted:?} is read as {got:?}", golden.name));
            }
        }
    }
    assert!(faults.is_empty(), "{tried} tried, {} differ:\n{}", faults.len(), faults.join("\n"));
    assert!(tried >= 300, "{tried}");
}

#[test]
fn an_answer_may_come_byte_by_byte_and_behind_an_echo_or_noise() {
    for golden in golden() {
        let whole = golden.contents();
        let (last, before) = golden.telegram.split_last().unwrap();
        let mut exchange = golden.asked(1);
        for byte in before {
            assert_eq!(exchange.received(&[*byte]), Progress::More, "{}", golden.name);
        }
        assert_eq!(exchange.received(&[*last]), Progress::Reply(Ok(whole.clone())));
        let echo = short(0x7B, golden.frame().address);
        for noise in [vec![0x00], vec![0xFF, 0x68], echo] {
            let mut exchange = golden.asked(1);
            let came = [noise, golden.telegram.clone()].concat();
            assert_eq!(exchange.received(&came), Progress::Reply(Ok(whole.clone())), "{}", golden.name);
        }
    }
}

#[test]
fn a_flipped_bit_anywhere_never_gives_contents() {
    for golden in golden() {
        for at in 0..golden.telegram.len() {
            let mut broken = golden.telegram.clone();
            broken[at] ^= 1 << (at % 8);
            let mut exchange = golden.asked(1);
            let progress = exchange.received(&broken);
            assert_eq!(progress, Progress::More, "{} byte {at}", golden.name);
            assert!(exchange.verdict().is_some());
        }
    }
}

#[test]
fn a_damaged_answer_is_told_as_damaged_and_a_short_one_as_short() {
    let golden = &golden()[0];
    let mut damaged = golden.telegram.clone();
    damaged[20] ^= 0x10;
    let mut exchange = golden.asked(1);
    exchange.received(&damaged);
    assert_eq!(exchange.verdict(), Some(Fault::CheckSum));
    assert!(exchange.began_like_the_answer());
    let short = golden.telegram.len() - 3;
    let mut exchange = golden.asked(1);
    exchange.received(&golden.telegram[..short]);
    assert_eq!(exchange.verdict(), Some(Fault::Short { bytes: short }));
}

#[test]
fn fault_b4_what_another_meter_says_is_let_pass() {
    let golden = golden();
    let own = golden.iter().find(|g| g.name.contains("multical_601")).unwrap();
    let other = golden.iter().find(|g| g.frame().address != own.frame().address).unwrap();
    let mut exchange = own.asked(1);
    assert_eq!(exchange.received(&other.telegram), Progress::More);
    let (wanted, got) = (own.frame().address, other.frame().address);
    assert_eq!(exchange.verdict(), Some(Fault::Unit { wanted, got }));
    assert_eq!(exchange.received(&own.telegram), Progress::Reply(Ok(own.contents())));
}

#[test]
fn a_meter_is_selected_by_what_it_is_and_must_be_the_one_that_answers() {
    let golden = golden();
    let own = golden.iter().find(|g| g.name.contains("multical_601")).unwrap();
    let mask: Mask = "06855817-KAM-08-04".parse().unwrap();
    let mut exchange = Decoder::new(Request::Read { telegrams: 1 }, Address::Secondary(mask));
    // libmbus, mbus_frame_select_secondary_pack: 53 FD 52, then the eight bytes of the address.
    assert_eq!(exchange.frame(0), bytes("68 0B 0B 68 53 FD 52 17 58 85 06 2D 2C 08 04 01 16"));
    assert_eq!(exchange.received(&[0xE5]), Progress::Next);
    assert_eq!(exchange.frame(0), bytes("10 7B FD 78 16"));
    let mut late = exchange.clone();
    assert_eq!(exchange.received(&own.telegram), Progress::Reply(Ok(own.contents())));
    assert_eq!(late.received(&golden[0].telegram), Progress::More);
    assert_eq!(late.verdict(), Some(Fault::Device));
}

#[test]
fn what_is_no_acknowledgement_is_several_at_once() {
    let ask = || {
        let mut exchange = Decoder::new(Request::Identify, Address::Secondary(Mask::OPEN));
        let frame = exchange.frame(0);
        (exchange, frame)
    };
    let (mut exchange, frame) = ask();
    assert_eq!((exchange.received(&frame), exchange.held()), (Progress::More, 0), "an echo");
    assert_eq!(exchange.verdict(), None);
    assert_eq!(exchange.received(&[0xE5]), Progress::Next);
    let (mut exchange, _) = ask();
    assert_eq!(exchange.received(&[0x00, 0xE5]), Progress::Next, "a spike before it");
    let (mut exchange, _) = ask();
    assert_eq!(exchange.received(&[0xA5, 0xC1]), Progress::More);
    assert_eq!(exchange.verdict(), Some(Fault::Collision));
    let (mut exchange, _) = ask();
    assert_eq!(exchange.received(&[0xA5; 40]), Progress::Bad(Fault::Collision));
}

/// A telegram by the rules of EN 13757-2: length twice, sum over all behind the head.
fn telegram(address: u8, information: u8, data: &[u8]) -> Vec<u8> {
    let len = data.len() as u8 + 3;
    let mut telegram = vec![0x68, len, len, 0x68, 0x08, address, information];
    telegram.extend(data);
    telegram.push(telegram[4..].iter().fold(0, |sum: u8, byte| sum.wrapping_add(*byte)));
    telegram.push(0x16);
    telegram
}

#[test]
fn telegrams_are_read_until_none_follows_each_by_the_other_frame_count_bit() {
    let header = bytes("78 56 34 12 2D 2C 01 04 05 00 00 00");
    let with = |records: &str| telegram(5, 0x72, &[header.clone(), bytes(records)].concat());
    let mut exchange = Decoder::new(Request::Read { telegrams: 3 }, Address::Primary(5));
    assert_eq!(exchange.frame(0), bytes("10 40 05 45 16"));
    assert_eq!(exchange.received(&[0xE5]), Progress::Next);
    assert_eq!(exchange.frame(0), bytes("10 7B 05 80 16"));
    assert_eq!(exchange.received(&with("01 13 07 1F")), Progress::Next);
    assert_eq!(exchange.frame(0), bytes("10 5B 05 60 16"));
    assert_eq!(exchange.received(&with("2F 01 14 08 1F AA")), Progress::Next);
    assert_eq!(exchange.frame(0), bytes("10 7B 05 80 16"));
    // A third that says that there is a fourth is the last that is read.
    let contents = [header.clone(), bytes("01 13 07 2F 01 14 08 01 15 09")].concat();
    assert_eq!(exchange.received(&with("01 15 09 1F")), Progress::Reply(Ok(contents)));
    let mut exchange = Decoder::new(Request::Read { telegrams: 9 }, Address::Primary(5));
    for frames in [&[0xE5][..], &with("01 13 07 1F")] {
        exchange.frame(0);
        assert_eq!(exchange.received(frames), Progress::Next);
    }
    exchange.frame(0);
    let last = with("01 14 08 0F FF FF");
    let contents = [header, bytes("01 13 07 01 14 08")].concat();
    assert_eq!(
        exchange.received(&last),
        Progress::Reply(Ok(contents)),
        "what is the maker's own is left out"
    );
}

#[test]
fn a_refusal_is_told_in_plain_words() {
    let asked = || {
        let mut exchange = Decoder::new(Request::Read { telegrams: 1 }, Address::Primary(5));
        exchange.frame(0);
        exchange.received(&[0xE5]);
        exchange.frame(0);
        exchange
    };
    let Progress::Reply(Err(refusal)) = asked().received(&telegram(5, 0x70, &[8])) else { panic!() };
    assert!(refusal.to_string().contains("it is busy"), "{refusal}");
    let other = telegram(5, 0x76, &bytes("78 56 34 12 2D 2C 01 04 05 00 00 00"));
    let Progress::Reply(Err(refusal)) = asked().received(&other) else { panic!() };
    assert!(refusal.to_string().contains("CI 76"), "{refusal}");
}

/// Telegrams of the libmbus project, manual_frame2 and sen_pollusonic_2, and what libmbus reads in them: 1 l and 135 l in
/// the past, 6531 kWh and 69 l.
#[test]
fn meters_of_the_fixed_structure_are_read_like_others() {
    for (frame, wanted) in [
        (
            "68 13 13 68 08 05 73 78 56 34 12 0A 00 E9 7E 01 00 00 00 35 01 00 00 3C 16",
            ["12345678-FFFF-FF-07", "0 Volume 0.001", "1 Volume 0.135"],
        ),
        (
            "68 13 13 68 08 01 73 93 92 91 90 10 00 05 69 31 65 00 00 69 00 00 00 3F 16",
            ["90919293-FFFF-FF-04", "0 Energy 23511600000", "0 Volume 0.069"],
        ),
    ] {
        let frame = bytes(frame);
        let ask = |address: Address| {
            let mut exchange = Decoder::new(Request::Read { telegrams: 4 }, address);
            exchange.frame(0);
            exchange.received(&[0xE5]);
            exchange.frame(0);
            exchange.received(&frame)
        };
        let Progress::Reply(Ok(contents)) = ask(Address::Primary(frame[5])) else { panic!() };
        let identity = Identity::from_wire(contents[..8].try_into().unwrap());
        assert_eq!(
            ask(Address::Secondary(wanted[0][..8].parse().unwrap())),
            Progress::Reply(Ok(contents.clone()))
        );
        let mut read = vec![identity.to_string()];
        for record in records(&contents[HEADER..]) {
            let meaning = meaning(&record.vif).unwrap();
            let number = record.data.integer().unwrap();
            let (_, from) = meaning.unit.unwrap();
            let to = if from == 1_000_000 { from } else { 1 };
            read.push(format!(
                "{} {:?} {}",
                record.storage,
                meaning.quantity,
                scaled(number, meaning.exponent, from, to)
            ));
        }
        assert_eq!(read, wanted);
    }
}

/// Meters on a line: what they answer at once runs together.
fn identified(meters: &[Identity], mask: Mask) -> Heard {
    let own: Vec<_> = meters.iter().filter(|meter| mask.means(**meter)).collect();
    match own.as_slice() {
        [] => Heard::Nobody,
        [meter] => Heard::One(**meter),
        _ => Heard::Several,
    }
}

#[test]
fn a_search_finds_every_meter_of_a_line() {
    let meters: Vec<Identity> = golden().iter().map(Golden::identity).collect();
    let distinct: std::collections::BTreeSet<u32> = meters.iter().map(|meter| meter.number).collect();
    let mut search = Search::new(Mask::OPEN);
    let mut asked = 0;
    while let Some(mask) = search.next() {
        search.heard(identified(&meters, mask));
        asked += 1;
    }
    let same: usize = search.undecided().len();
    assert_eq!(search.found().len() + same, distinct.len(), "meters of one number are told as undecided");
    assert!(asked < 60 * distinct.len(), "{asked} questions for {} meters", distinct.len());
}

mod hostile {
    use proptest::prelude::*;
    use steward_protocols::mbus::{Ask, frame_at};

    use super::*;

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2000))]

        #[test]
        fn whatever_bytes_come_as_records_nothing_panics(
            which in 0..30_usize,
            changes in proptest::collection::vec((any::<proptest::sample::Index>(), any::<u8>()), 0..6),
            noise in proptest::collection::vec(any::<u8>(), 0..80),
        ) {
            let all = golden();
            let mut contents = all[which % all.len()].contents();
            for (at, byte) in changes {
                let at = at.index(contents.len());
                contents[at] = byte;
            }
            for bytes in [contents, noise] {
                for record in records(&bytes) {
                    let _ = meaning(&record.vif);
                    let _ = (record.data.integer(), record.data.bits(), record.data.text(), record.data.date());
                }
                let _ = Ask { telegrams: 1, points: vec![0] }.values(&[], &bytes);
            }
        }

        #[test]
        fn whatever_bytes_come_on_the_line_it_neither_panics_nor_holds_much(
            noise in proptest::collection::vec(any::<u8>(), 0..1000),
            chunk in 1..40_usize,
        ) {
            let _ = frame_at(&noise);
            for mut exchange in [
                Decoder::new(Request::Identify, Address::Primary(5)),
                golden()[0].asked(4),
            ] {
                exchange.frame(0);
                for part in noise.chunks(chunk) {
                    let progress = exchange.received(part);
                    prop_assert!(exchange.held() <= 1024);
                    if progress == Progress::Next {
                        exchange.frame(0);
                    } else if progress != Progress::More {
                        break;
                    }
                }
                let _ = (exchange.verdict(), exchange.began_like_the_answer());
            }
        }
    }
}
