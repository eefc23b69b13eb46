//! Whatever a line says, and in whatever order, nothing panics, grows or hangs.

#![allow(clippy::unwrap_used, reason = "a broken fixture ends the test")]

use std::time::{Duration, Instant};

use proptest::prelude::*;
use steward_protocols::character::{Character, Parity};
use steward_protocols::cost::Cost;
use steward_protocols::driver::{Driver, Step};
use steward_protocols::exchange::{Exchange, Progress};
use steward_protocols::line::{LineState, Settings};
use steward_protocols::modbus::{
    self, Block, Change, Level, Request, Response, Write, crc, decode, frame_gap, rtu, tcp,
};
use steward_protocols::question::{Split, questions};
use steward_protocols::{cjt188, dlt645};
use steward_shared::profile::dlt645::Version;
use steward_shared::profile::{
    DataType, Framing, Language, Library, Modbus, Order, Place, PointDef, Profile, Register, Table,
    cjt188 as cjt, dlt645 as dlt,
};

#[allow(clippy::disallowed_methods, reason = "any instant serves as the beginning of virtual time")]
fn beginning() -> Instant {
    Instant::now()
}

fn requests() -> impl Strategy<Value = Request> {
    let tables =
        prop_oneof![Just(Table::Coil), Just(Table::Discrete), Just(Table::Holding), Just(Table::Input)];
    (any::<u8>(), tables, any::<u16>(), 1_u16..=125)
        .prop_filter_map("the standard forbids it", |(u, t, a, c)| Request::new(u, t, a, c).ok())
}

/// Bytes that look like an answer for a while.
fn answers() -> impl Strategy<Value = (Request, Vec<u8>)> {
    (requests(), proptest::collection::vec(any::<u8>(), 0..1200), any::<bool>(), any::<u8>()).prop_map(
        |(request, noise, sealed, head)| {
            let mut bytes = noise;
            if head > 60 && bytes.len() >= 3 {
                bytes[0] = request.unit();
                bytes[1] = request.function() | (head & 0x80);
                bytes[2] = request.data_bytes() as u8;
            }
            if sealed {
                let sum = crc(&bytes);
                bytes.extend(sum.to_le_bytes());
            }
            (request, bytes)
        },
    )
}

fn profile() -> Profile {
    let text = include_str!("../../../device-profiles/apc/smart-ups.toml");
    Profile::parse("apc/smart-ups.toml", text).expect("the repository's own profile")
}

proptest! {
    #[test]
    fn decoders_take_any_bytes_in_any_pieces((request, bytes) in answers(), piece in 1_usize..40) {
        let mut rtu = rtu::Decoder::new(request);
        let mut tcp = tcp::Decoder::new(request, 1);
        let mut others = vec![modbus::exchange(request, Framing::Ascii)];
        for framing in [Framing::Rtu, Framing::Ascii, Framing::Tcp] {
            others.push(modbus::identify(17, Level::Basic, framing).expect("17 is a unit"));
            let change = Change::Register { address: request.address(), value: 1 };
            others.push(modbus::exchange(Write::new(request.unit(), change).expect("as good"), framing));
        }
        for part in bytes.chunks(piece) {
            for other in &mut others {
                let _ = (other.received(part), other.verdict(), other.began_like_the_answer(), other.skip_foreign());
                prop_assert!(other.held() <= 1026, "{other:?}");
            }
            let _ = (rtu.received(part), tcp.received(part));
            prop_assert!(rtu.held() <= 512 && tcp.held() <= 522, "{} {}", rtu.held(), tcp.held());
            let _ = (rtu.verdict(), rtu.began_like_the_answer(), tcp.verdict(), tcp.trailing());
        }
        let _ = rtu.skip_foreign();
    }

    #[test]
    fn an_accepted_answer_has_the_length_that_was_asked_for((request, bytes) in answers()) {
        if let Progress::Reply(Ok(data)) = rtu::Decoder::new(request).received(&bytes) {
            let response = Response::of(request.table(), request.count(), &data);
            let len = match response { Response::Bits(b) => b.len(), Response::Registers(r) => r.len() };
            prop_assert_eq!(len, usize::from(request.count()));
        }
    }

    #[test]
    fn any_registers_decode_or_say_why_not(words in proptest::collection::vec(any::<u16>(), 0..40), at in 0_usize..50) {
        for point in &profile().points {
            let (value, quality) = decode(point, &Response::Registers(words.clone()), at);
            prop_assert_eq!(value.is_some(), quality.is_good());
            if let Some(number) = value.and_then(|v| v.as_number()) {
                prop_assert!(number.is_finite());
            }
        }
    }

    #[test]
    fn a_line_survives_any_order_of_events(events in proptest::collection::vec((0_u8..7, 0_u64..2000, any::<u8>()), 0..200), kind in 0_u8..3) {
        let timeout = Duration::from_millis(200);
        let settings = match kind {
            0 => Settings::serial(frame_gap(9600), Character::new(9600, 8, Parity::Even, 1), timeout),
            1 => Settings::numbered(timeout),
            _ => Settings::transparent(timeout),
        };
        let mut line = LineState::new(settings);
        let mut now = beginning();
        for (event, ms, byte) in events {
            now += Duration::from_millis(ms);
            match event {
                0 => {
                    let request = Request::new(1, Table::Input, u16::from(byte), 2).unwrap();
                    let framing = if kind == 1 { Framing::Tcp } else { Framing::Rtu };
                    line.begin(modbus::exchange(request, framing), now);
                }
                1 => line.received(&[byte; 7], now),
                2 => line.opened(now),
                3 => line.sent(now),
                4 => line.hold(now, Duration::from_millis(ms)),
                5 => { line.closed(now); }
                _ => if let Step::WaitUntil(t) = line.poll(now) {
                    prop_assert!(t > now, "waiting until the past would spin");
                    prop_assert!(t < now + Duration::from_mins(1), "and nobody waits for ever");
                },
            }
        }
    }

    #[test]
    fn every_wanted_point_is_in_exactly_one_block(
        spots in proptest::collection::vec((0_u16..300, any::<bool>()), 1..60),
        most in 4_u16..=125,
        question in 0_u64..300,
    ) {
        let template = profile().points[8].clone();
        let points: Vec<PointDef> = spots
            .iter()
            .map(|(address, input)| {
                let table = if *input { Table::Input } else { Table::Holding };
                let register = Register { table, address: *address, data: DataType::U32, order: Order::ABCD };
                PointDef { place: Place::Modbus(register), ..template.clone() }
            })
            .collect();
        let limits = Modbus { max_registers: most, ..Modbus::default() };
        let cost = Cost { question: Duration::from_millis(question), byte: Duration::from_millis(1) };
        let blocks = modbus::plan(&points, 0..points.len(), &limits, &cost, &[]);
        let mut seen: Vec<usize> = blocks.iter().flat_map(|b| b.points.clone()).collect();
        seen.sort_unstable();
        prop_assert_eq!(seen, (0..points.len()).collect::<Vec<_>>());
        let inside = |block: &Block| {
            block.count <= most
                && block.points.iter().all(|i| {
                    let p = points[*i].register().unwrap();
                    p.table == block.table
                        && p.address >= block.address
                        && p.end() <= u32::from(block.address) + u32::from(block.count)
                })
        };
        prop_assert!(blocks.iter().all(inside));
        for block in &blocks {
            if let Some(Split { parts: halves, gap, .. }) = block.split(&points) {
                prop_assert!(halves.iter().all(inside));
                prop_assert_eq!(halves.iter().map(|h| h.points.len()).sum::<usize>(), block.points.len());
                let disjoint = halves[0].address + halves[0].count <= halves[1].address;
                prop_assert!(disjoint || halves[1].points.iter().all(|i| halves[1].count == points[*i].register().unwrap().data.width()));
                prop_assert!(halves.iter().all(|half| !half.points.is_empty()));
                prop_assert!(gap.is_none_or(|g| g.across.count <= block.count && g.across.points.is_empty()));
            }
            let data = vec![0; 2 * usize::from(block.count)];
            prop_assert_eq!(block.values(&points, &data).len(), block.points.len());
        }
    }

    #[test]
    fn a_damaged_profile_is_refused_or_read_but_never_panics(cut in 0_usize..4000, insert in ".{0,6}", drop in 0_usize..40) {
        let text = include_str!("../../../device-profiles/apc/smart-ups.toml");
        let at = text.char_indices().map(|(i, _)| i).nth(cut).unwrap_or(0);
        let (head, tail) = text.split_at(at);
        let tail: String = tail.chars().skip(drop).collect();
        if let Err(faults) = Profile::parse("apc/smart-ups.toml", &format!("{head}{insert}{tail}")) {
            prop_assert!(!faults.is_empty());
        }
    }
}

/// Bytes that look like a meter's frame for a while, of either language.
fn meters_bytes() -> impl Strategy<Value = Vec<u8>> {
    let part = prop_oneof![
        proptest::collection::vec(any::<u8>(), 0..80),
        Just(vec![0xFE; 4]),
        Just(vec![0x68]),
        (any::<u8>(), proptest::collection::vec(any::<u8>(), 0..=255)).prop_map(|(control, data)| {
            let address = dlt645::Address::new([0x61, 1, 0, 0, 0, 0]);
            dlt645::Frame { address, control, data }.bytes()
        }),
        (any::<u8>(), proptest::collection::vec(any::<u8>(), 0..=255)).prop_map(|(control, data)| {
            let address = cjt188::Address::new([0x44, 0x33, 0x22, 0x11, 0, 0x33, 0x78]);
            cjt188::Frame { meter: 0x10, address, control, data }.bytes()
        }),
    ];
    proptest::collection::vec(part, 0..6).prop_map(|parts| parts.concat())
}

fn meter_profiles() -> Vec<Profile> {
    let library = Library::compiled_in().unwrap();
    let of_meters =
        |p: &&std::sync::Arc<Profile>| !matches!(p.language, Language::Modbus(_) | Language::Bacnet(_));
    library.iter().filter(of_meters).map(|p| Profile::clone(p)).collect()
}

proptest! {
    #[test]
    fn meters_may_say_whatever_they_like_in_any_pieces(bytes in meters_bytes(), piece in 1_usize..60, v1997 in any::<bool>()) {
        let version = if v1997 { Version::V1997 } else { Version::V2007 };
        let dialect = dlt645::Dialect { version, wake_up: 4 };
        let read = dlt645::Request::Read { item: dlt::ItemId(0x0001_0000), bytes: None };
        for request in [read, dlt645::Request::ReadAddress] {
            let Ok(mut exchange) = dlt645::Decoder::new(request, dlt645::Address::ANYBODY, dialect) else { continue };
            exchange.frame(0);
            for part in bytes.chunks(piece) {
                if exchange.received(part) == Progress::Next {
                    exchange.frame(0);
                }
                let _ = (exchange.verdict(), exchange.began_like_the_answer(), exchange.trailing());
                prop_assert!(exchange.held() <= 2 * dlt645::MAX_FRAME);
            }
        }
        let dialect = cjt188::Dialect { meter: 0xAA, low_byte_first: v1997, wake_up: 4 };
        let read = cjt188::Request::Read { item: cjt::ItemId(0x901F), bytes: 40 };
        for request in [read, cjt188::Request::ReadAddress] {
            let mut exchange = cjt188::Decoder::new(request, cjt188::Address::ANYBODY, dialect);
            exchange.frame(0);
            for part in bytes.chunks(piece) {
                let _ = (exchange.received(part), exchange.verdict(), exchange.began_like_the_answer());
                prop_assert!(exchange.held() <= 2 * cjt188::MAX_FRAME);
            }
        }
    }

    #[test]
    fn simulated_meters_bear_any_request(bytes in meters_bytes()) {
        static PROFILES: std::sync::OnceLock<Vec<Profile>> = std::sync::OnceLock::new();
        for profile in PROFILES.get_or_init(meter_profiles) {
            if let Some(meter) = dlt645::Meter::new(profile, dlt645::Address::new([0x61, 1, 0, 0, 0, 0])) {
                let _ = meter.answer(&bytes, |_| None);
            }
            let address = cjt188::Address::new([0x44, 0x33, 0x22, 0x11, 0, 0x33, 0x78]);
            if let Some(meter) = cjt188::Meter::new(profile, address) {
                let _ = meter.answer(&bytes, |_| None);
            }
        }
    }

    #[test]
    fn any_contents_give_every_point_of_a_meter_one_value_or_a_reason(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        static PROFILES: std::sync::OnceLock<Vec<Profile>> = std::sync::OnceLock::new();
        let cost = Cost::tcp(Duration::from_millis(5));
        for profile in PROFILES.get_or_init(meter_profiles) {
            for question in questions(profile, 0..profile.points.len(), &cost, &[]) {
                let values = question.values(&profile.points, &bytes);
                prop_assert_eq!(values.len(), question.points().len());
                prop_assert!(values.iter().all(|v| v.value.is_some() == v.quality.is_good()));
            }
        }
    }
}

/// github.com/debevv/nanoMODBUS, issue 120: function 20 with two sub-requests whose records together do not fit into an
/// answer; and issue 118: a length of 255 in the header. Neither the device nor whoever listens takes harm, and a master
/// does not take it for an answer.
#[test]
fn fault_b3_the_published_file_record_frame_is_rejected() {
    use steward_protocols::far_end::{Heard, Station};
    use steward_protocols::modbus::device::{
        Answers, Asked, Image, NoFrame, OnTcp, Reply, tcp_frame, to_serial,
    };
    use steward_protocols::modbus::sniff::{Sniffer, What};

    struct Device(Image);
    impl Answers for Device {
        fn answer(&self, asked: Asked) -> Reply {
            Reply::of(self.0.answer(asked))
        }
    }

    let sub_request = [6, 0, 1, 0, 0, 0, 124];
    let pdu = [[0x14, 14].as_slice(), &sub_request, &sub_request].concat();
    let on_tcp = [&[0, 1, 0, 0, 0, 17, 1], pdu.as_slice()].concat();
    let on_serial = modbus::with_crc([&[1], pdu.as_slice()].concat());
    assert_eq!(on_tcp.len(), 23);
    let image = || Image::fill(&profile(), |_| None).0;

    let mut held = on_tcp.clone();
    let frame = tcp_frame(&mut held).unwrap().unwrap();
    assert!(held.is_empty());
    let station = OnTcp { devices: Device(image()), turnaround: Duration::ZERO };
    let Heard::Answered(answers) = station.hear(&frame) else { panic!("it says nothing") };
    assert_eq!(answers[0].bytes, [0, 1, 0, 0, 0, 3, 1, 0x94, 1], "an illegal function");
    let heard = to_serial(&on_serial, Duration::ZERO, &station.devices);
    let Heard::Answered(answers) = heard else { panic!("it says nothing") };
    assert_eq!(answers[0].bytes, modbus::with_crc(vec![1, 0x94, 1]));
    assert_eq!(tcp_frame(&mut [&[0, 1, 0, 0, 0, 255], [0; 300].as_slice()].concat()), Err(NoFrame));

    let request = Request::new(1, Table::Holding, 0, 7).unwrap();
    for (framing, bytes) in [(Framing::Tcp, &on_tcp), (Framing::Rtu, &on_serial)] {
        let mut exchange = modbus::exchange(request, framing);
        exchange.frame(1);
        assert!(!matches!(exchange.received(bytes), Progress::Reply(_)), "{framing:?}");
    }
    let mut sniffer = Sniffer::new(Duration::from_millis(1));
    let mut seen = sniffer.received(&on_serial, Duration::from_secs(1));
    seen.extend(sniffer.quiet());
    assert!(seen.iter().all(|seen| matches!(seen.what, What::Other { .. } | What::Broken)), "{seen:?}");
}
