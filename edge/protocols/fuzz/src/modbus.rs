//! Modbus: what a master hears in each framing, what points make of registers, what a simulated device and whoever
//! listens on a line make of it.

use std::fmt::Write as _;
use std::sync::LazyLock;
use std::time::Duration;

use steward_protocols::far_end::{Heard, Station};
use steward_protocols::modbus::device::{self, Image, OnTcp};
use steward_protocols::modbus::sniff::Sniffer;
use steward_protocols::modbus::{
    self, Change, Identity, Level, Request, Response, Write, ascii, decode, encode_into, with_crc,
};
use steward_protocols::question::PointValue;
use steward_shared::profile::{Framing, Language, Library, PointDef, Profile, Table};
use steward_shared::reading::Value;

use crate::input::{Input, assert_sound, golden, hear, hex};

const RTU: &str = include_str!("../../frames/modbus-rtu.txt");
const TCP: &str = include_str!("../../frames/modbus-tcp.txt");
const FUNCTIONS: &str = include_str!("../../frames/modbus-functions.txt");

/// In the first byte: the bytes get the check sum that belongs to them, which no fuzzer would guess.
const SEALED: u8 = 0x80;
const TABLES: [Table; 4] = [Table::Coil, Table::Discrete, Table::Holding, Table::Input];

pub fn rtu(data: &[u8]) {
    answer(data, Framing::Rtu);
}

pub fn ascii(data: &[u8]) {
    answer(data, Framing::Ascii);
}

pub fn tcp(data: &[u8]) {
    answer(data, Framing::Tcp);
}

/// Kind of the question, unit, function, address, count, number, bytes at once; then what the line says.
fn answer(data: &[u8], framing: Framing) {
    let mut input = Input(data);
    let (kind, unit, function) = (input.byte(), input.byte(), input.byte());
    let (address, count, number, piece) = (input.word(), input.word(), input.word(), input.byte());
    let bytes = if kind & SEALED == 0 { input.rest().to_vec() } else { sealed(input.rest(), framing) };
    let table = TABLES[usize::from(function.wrapping_sub(1) % 4)];
    if kind & !SEALED == 0 {
        let Ok(request) = Request::new(unit, table, address, count) else { return };
        let Some(Ok(contents)) = hear(modbus::exchange(request, framing).as_mut(), &bytes, piece, number)
        else {
            return;
        };
        let response = Response::of(table, count, &contents);
        let len = match &response {
            Response::Bits(bits) => bits.len(),
            Response::Registers(words) => words.len(),
        };
        assert_eq!(len, usize::from(count), "another length than was asked for");
        return;
    }
    let words = || vec![count; usize::from(count % 128)];
    let change = match function {
        5 => Change::Coil { address, on: count > 0 },
        15 => Change::Coils { address, bits: vec![true; usize::from(count % 2000)] },
        16 => Change::Registers { address, values: words() },
        22 => Change::Mask { address, and: count, or: number },
        23 => Change::Exchange { from: address, count: count % 130, address: number, values: words() },
        43 => {
            let level = [Level::Basic, Level::Regular, Level::Extended][usize::from(count % 3)];
            let Ok(mut exchange) = modbus::identify(unit, level, framing) else { return };
            if let Some(Ok(contents)) = hear(exchange.as_mut(), &bytes, piece, number) {
                let identity = Identity::of(&contents);
                let _ = (identity.object(0), identity.object(0xFF));
            }
            return;
        }
        _ => Change::Register { address, value: count },
    };
    if let Ok(write) = Write::new(unit, change) {
        hear(modbus::exchange(write, framing).as_mut(), &bytes, piece, number);
    }
}

fn sealed(body: &[u8], framing: Framing) -> Vec<u8> {
    match framing {
        Framing::Rtu => with_crc(body.to_vec()),
        Framing::Ascii => {
            let mut line = String::from(":");
            for byte in body.iter().chain([&ascii::lrc(body)]) {
                let _ = write!(line, "{byte:02X}");
            }
            [line.as_bytes(), b"\r\n"].concat()
        }
        Framing::Tcp => {
            let [high, low] = (body.len() as u16).to_be_bytes();
            [&[0, 0, 0, 0, high, low], body].concat()
        }
    }
}

pub fn rtu_seeds() -> Vec<Vec<u8>> {
    let of_functions = golden(FUNCTIONS, "rtu>", "rtu<");
    let frames = golden(RTU, ">", "<").chain(of_functions);
    let golden = frames.map(|(request, answer)| seed(&hex(request), 0, hex(answer)));
    golden.chain(of_profiles(Framing::Rtu)).collect()
}

pub fn ascii_seeds() -> Vec<Vec<u8>> {
    let line = |text: &str| format!("{text}\r\n").into_bytes();
    let frames = golden(FUNCTIONS, "ascii>", "ascii<");
    let golden = frames.map(|(request, answer)| seed(&hex(request), 0, line(answer)));
    golden.chain(of_profiles(Framing::Ascii)).collect()
}

pub fn tcp_seeds() -> Vec<Vec<u8>> {
    let frames = golden(TCP, ">", "<").chain(golden(FUNCTIONS, "tcp>", "tcp<"));
    let golden = frames.map(|(request, answer)| of_tcp(&hex(request), hex(answer)));
    golden.chain(of_profiles(Framing::Tcp)).collect()
}

fn of_tcp(request: &[u8], answer: Vec<u8>) -> Vec<u8> {
    let mut input = Input(request);
    let number = input.word();
    input.take(4);
    seed(input.rest(), number, answer)
}

/// The form that `answer` takes: from a request that begins with its unit.
fn seed(request: &[u8], number: u16, answer: Vec<u8>) -> Vec<u8> {
    let mut input = Input(request);
    let (unit, function, address, count) = (input.byte(), input.byte(), input.word(), input.word());
    let kind = u8::from(!(1..=4).contains(&function));
    let mut seed = vec![kind, unit, function];
    for word in [address, count, number] {
        seed.extend(word.to_be_bytes());
    }
    seed.push(255);
    seed.extend(answer);
    seed
}

fn of_profiles(framing: Framing) -> Vec<Vec<u8>> {
    let frames = PROFILES.iter().flat_map(|profile| &profile.frames).filter(|frame| frame.framing == framing);
    frames
        .map(|frame| match framing {
            Framing::Rtu => seed(&frame.request, 0, frame.response.clone()),
            Framing::Ascii => {
                seed(&ascii::bytes_of(&frame.request).unwrap_or_default(), 0, frame.response.clone())
            }
            Framing::Tcp => of_tcp(&frame.request, frame.response.clone()),
        })
        .collect()
}

static PROFILES: LazyLock<Vec<Profile>> = LazyLock::new(|| {
    let library = Library::compiled_in().expect("the repository's own profiles");
    let speaks = |profile: &&std::sync::Arc<Profile>| matches!(profile.language, Language::Modbus(_));
    library.iter().filter(speaks).map(|profile| Profile::clone(profile)).collect()
});

/// Points of every type, order and scale that a profile has.
static POINTS: LazyLock<Vec<PointDef>> = LazyLock::new(|| {
    let mut points: Vec<PointDef> = Vec::new();
    for point in PROFILES.iter().flat_map(|profile| &profile.points) {
        let Some(register) = point.register() else { continue };
        let same = |other: &PointDef| {
            let seen = other.register().map(|other| (other.table, other.data, other.order));
            seen == Some((register.table, register.data, register.order))
                && other.sentinels.is_empty() == point.sentinels.is_empty()
        };
        if !points.iter().any(same) {
            points.push(point.clone());
        }
    }
    points
});

/// Which point, at which offset; then registers.
pub fn values(data: &[u8]) {
    let mut input = Input(data);
    let (which, offset) = (usize::from(input.byte()) % POINTS.len(), usize::from(input.byte()));
    let point = &POINTS[which];
    let words: Vec<u16> =
        input.rest().chunks_exact(2).map(|pair| u16::from_be_bytes([pair[0], pair[1]])).collect();
    let bits = words.iter().map(|word| word & 1 == 1).collect();
    for response in [Response::Registers(words.clone()), Response::Bits(bits)] {
        let (value, quality) = decode(point, &response, offset);
        assert_sound(&[PointValue { point: which, value: value.clone(), quality }]);
        if let (Some(value), Response::Registers(_)) = (value, &response)
            && let Some(old) = words.get(offset..)
        {
            let mut written = old.to_vec();
            // What was read need not be what may be written, but writing it stays within its registers.
            let _ = encode_into(point, Some(&value), &mut written);
            assert_eq!(written.len(), old.len());
        }
    }
}

pub fn values_seeds() -> Vec<Vec<u8>> {
    let seed = |which: usize| {
        let words = [0x4366_u16, 0x3334, 0xFFFF, 0x7FC0, 0x8000, 0x0001];
        let bytes = words.into_iter().flat_map(u16::to_be_bytes);
        [which as u8, 0].into_iter().chain(bytes).collect()
    };
    (0..POINTS.len().min(256)).map(seed).collect()
}

/// What a simulated device hears, over a serial line and over TCP; the first byte says which profile it has.
pub fn device(data: &[u8]) {
    let mut input = Input(data);
    let (which, sealed) = (usize::from(input.byte()), input.byte() & 1 == 1);
    let profile = &PROFILES[which % PROFILES.len()];
    let (image, _) = Image::fill(profile, |_| Some(Value::Number(1.0)));
    let frame = if sealed { with_crc(input.rest().to_vec()) } else { input.rest().to_vec() };
    let station = OnTcp { devices: Filled(image), turnaround: Duration::ZERO };
    if let Heard::Answered(answers) = device::to_serial(&frame, Duration::ZERO, &station.devices) {
        assert!(answers.iter().all(|answer| answer.bytes.len() <= 256), "longer than a frame may be");
    }
    let mut held = input.rest().to_vec();
    while let Ok(Some(frame)) = device::tcp_frame(&mut held) {
        if let Heard::Answered(answers) = station.hear(&frame) {
            assert!(answers.iter().all(|answer| answer.bytes.len() <= 260), "longer than a frame may be");
        }
    }
}

struct Filled(Image);

impl device::Answers for Filled {
    fn answer(&self, asked: device::Asked) -> device::Reply {
        device::Reply::of(self.0.answer(asked))
    }

    fn change(&self, _unit: u8, change: &Change) -> device::Reply {
        let refused = self.0.changed(change, |_| true).err();
        device::Reply::of(refused.map_or(device::Outcome::Done, device::Outcome::Refused))
    }
}

pub fn device_seeds() -> Vec<Vec<u8>> {
    let of_profiles = PROFILES.iter().enumerate().flat_map(|(which, profile)| {
        profile.frames.iter().map(move |frame| [&[which as u8, 0], frame.request.as_slice()].concat())
    });
    let golden = [golden(RTU, ">", "<"), golden(TCP, ">", "<")].into_iter().flatten();
    let golden = golden.map(|(request, _)| [vec![0, 0], hex(request)].concat());
    of_profiles.chain(golden).collect()
}

/// What passes on a line on which somebody else asks.
pub fn sniffer(data: &[u8]) {
    let mut input = Input(data);
    let piece = usize::from(input.byte()).max(1);
    let mut sniffer = Sniffer::new(Duration::from_micros(1146));
    let (mut now, mut told) = (Duration::ZERO, 0);
    for part in input.rest().chunks(piece) {
        now += Duration::from_millis(u64::from(part[0]));
        told += sniffer.received(part, now).iter().map(|seen| seen.bytes.len()).sum::<usize>();
    }
    told += sniffer.quiet().iter().map(|seen| seen.bytes.len()).sum::<usize>();
    assert_eq!(told, input.rest().len(), "every byte is told of once");
}

pub fn sniffer_seeds() -> Vec<Vec<u8>> {
    golden(RTU, ">", "<").map(|(request, answer)| [vec![9], hex(request), hex(answer)].concat()).collect()
}
