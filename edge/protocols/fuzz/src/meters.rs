//! Meters: DL/T 645, CJ/T 188, M-Bus and IEC 62056-21. The first byte says whether the rest is heard by whoever reads a
//! meter, is put to a simulated meter, or is the contents of an answer.

use std::sync::LazyLock;
use std::time::Duration;

use steward_protocols::cost::Cost;
use steward_protocols::question::{Address, Question, questions};
use steward_protocols::{cjt188, dlt645, iec62056, mbus};
use steward_shared::profile::{Framing, Language, Library, PointDef, Profile};
use steward_shared::reading::Value;

use crate::input::{Input, assert_sound, golden, hear, hex};

const DLT645: &str = include_str!("../../frames/dlt645.txt");
const CJT188: &str = include_str!("../../frames/cjt188.txt");
const MBUS: &str = include_str!("../../frames/mbus.txt");
const IEC62056: &str = include_str!("../../frames/iec62056.txt");

const HEARD: u8 = 0;
const PUT_TO_A_METER: u8 = 1;
const CONTENTS: u8 = 2;
/// Heard or put to a meter in an envelope whose check sum holds.
const SEALED: u8 = 0x80;

#[derive(Clone, Copy, PartialEq, Eq)]
enum Meter {
    Dlt645,
    Cjt188,
    Mbus,
    Iec62056,
}

static PROFILES: LazyLock<Vec<(Meter, Profile)>> = LazyLock::new(|| {
    let library = Library::compiled_in().expect("the repository's own profiles");
    let known = library.iter().filter_map(|profile| {
        let meter = match profile.language {
            Language::Dlt645(_) => Meter::Dlt645,
            Language::Cjt188(_) => Meter::Cjt188,
            Language::Mbus(_) => Meter::Mbus,
            Language::Iec62056(_) => Meter::Iec62056,
            Language::Modbus(_) | Language::Bacnet(_) | Language::Mqtt(_) => return None,
        };
        Some((meter, Profile::clone(profile)))
    });
    known.collect()
});

/// The profiles of a language, each with the questions that read all of it.
fn of(meter: Meter) -> Vec<(&'static Profile, &'static [Question])> {
    static QUESTIONS: LazyLock<Vec<Vec<Question>>> = LazyLock::new(|| {
        let cost = Cost::tcp(Duration::from_millis(5));
        PROFILES.iter().map(|(_, p)| questions(p, 0..p.points.len(), &cost, &[])).collect()
    });
    let all = PROFILES.iter().zip(QUESTIONS.iter());
    all.filter(|((of, _), _)| *of == meter).map(|((_, p), q)| (p, q.as_slice())).collect()
}

pub fn dlt645(data: &[u8]) {
    read(data, Meter::Dlt645);
}

pub fn cjt188(data: &[u8]) {
    read(data, Meter::Cjt188);
}

pub fn mbus(data: &[u8]) {
    read(data, Meter::Mbus);
}

pub fn iec62056(data: &[u8]) {
    read(data, Meter::Iec62056);
}

/// Way, profile, question, bytes at once, the meter's number; then bytes.
fn read(data: &[u8], meter: Meter) {
    let mut input = Input(data);
    let (way, profile, question, piece, number) =
        (input.byte(), input.byte(), input.byte(), input.byte(), input.byte());
    let profiles = of(meter);
    let (profile, questions) = profiles[usize::from(profile) % profiles.len()];
    let question = &questions[usize::from(question) % questions.len()];
    let bytes = if way & SEALED == 0 { input.rest().to_vec() } else { sealed(meter, input) };
    match way & !SEALED {
        PUT_TO_A_METER => put(meter, profile, number, &bytes),
        CONTENTS => values(question, profile, &bytes),
        _ => {
            let exchange = question.exchange(address(meter, number), Framing::Rtu);
            let mut exchange = exchange.expect("a question of the meter's language");
            if let Some(Ok(contents)) = hear(exchange.as_mut(), &bytes, piece, 0) {
                values(question, profile, &contents);
            }
        }
    }
}

fn values(question: &Question, profile: &Profile, contents: &[u8]) {
    let values = question.values(&profile.points, contents);
    assert_eq!(values.len(), question.points().len(), "each point has a value or a reason");
    assert_sound(&values);
    for point in &profile.points {
        if let Some(span) = question.bytes(point, contents) {
            assert!(span.start <= span.end, "{span:?}");
        }
    }
}

fn address(meter: Meter, number: u8) -> Address {
    match meter {
        Meter::Dlt645 => Address::Dlt645(dlt645::Address::ANYBODY),
        Meter::Cjt188 => Address::Cjt188(cjt188::Address::ANYBODY),
        // From 251 on no meter has such a number: then by what it is.
        Meter::Mbus if number > 250 => {
            let anybody = "FFFFFFFF".parse().expect("a secondary address with every digit open");
            Address::Mbus(mbus::Address::Secondary(anybody))
        }
        Meter::Mbus => Address::Mbus(mbus::Address::Primary(number)),
        Meter::Iec62056 => Address::Iec62056(iec62056::Address::ANYBODY),
    }
}

fn put(meter: Meter, profile: &Profile, number: u8, bytes: &[u8]) {
    let value = |point: &PointDef| Some(Value::Number(f64::from(point.decimals)));
    let said = match meter {
        Meter::Dlt645 => {
            let own = dlt645::Address::new([0x61, 1, 0, 0, 0, 0]);
            dlt645::Meter::new(profile, own).and_then(|meter| meter.answer(bytes, value))
        }
        Meter::Cjt188 => {
            let own = cjt188::Address::new([0x44, 0x33, 0x22, 0x11, 0, 0x33, 0x78]);
            cjt188::Meter::new(profile, own).and_then(|meter| meter.answer(bytes, value))
        }
        Meter::Mbus => {
            let identity = mbus::Identity::from_wire([0x78, 0x56, 0x34, 0x12, 0x24, 0x40, 1, 4]);
            let meter = mbus::Meter::new(profile, number, identity);
            // A meter remembers what it was asked before: twice, so that it may.
            meter.and_then(|mut meter| meter.answer(bytes, value).or_else(|| meter.answer(bytes, value)))
        }
        Meter::Iec62056 => {
            let meter = iec62056::Meter::new(profile, iec62056::Address::ANYBODY);
            meter.and_then(|mut meter| meter.answer(bytes, value))
        }
    };
    assert!(said.is_none_or(|said| !said.is_empty()), "nothing is not said with no bytes");
}

/// The bytes as the contents of one frame.
fn sealed(meter: Meter, mut input: Input<'_>) -> Vec<u8> {
    match meter {
        Meter::Dlt645 => {
            let address = dlt645::Address::new([0x61, 1, 0, 0, 0, 0]);
            dlt645::Frame { address, control: input.byte(), data: input.rest().to_vec() }.bytes()
        }
        Meter::Cjt188 => {
            let address = cjt188::Address::new([0x44, 0x33, 0x22, 0x11, 0, 0x33, 0x78]);
            let (meter, control) = (input.byte(), input.byte());
            cjt188::Frame { meter, address, control, data: input.rest().to_vec() }.bytes()
        }
        Meter::Mbus => {
            let (control, address, information) = (input.byte(), input.byte(), input.byte());
            let frame = mbus::Frame { control, address, information, data: input.rest().to_vec() };
            // An acknowledgement before it, as to a meter that is reset first.
            [&[0xE5], frame.bytes().as_slice()].concat()
        }
        Meter::Iec62056 => {
            let checked = [input.rest(), b"!\r\n\x03"].concat();
            let check = iec62056::check_character(&checked);
            [b"/LGZ4ZMF\r\n\x02", checked.as_slice(), &[check]].concat()
        }
    }
}

fn seed(way: u8, profile: usize, question: usize, number: u8, bytes: &[u8]) -> Vec<u8> {
    [&[way, profile as u8, question as u8, 255, number], bytes].concat()
}

/// The sample frames of the profiles, heard and put to a meter, and the contents of golden answers.
fn seeds(meter: Meter, contents: &[Vec<u8>]) -> Vec<Vec<u8>> {
    let mut seeds = Vec::new();
    for (which, (profile, questions)) in of(meter).into_iter().enumerate() {
        for frame in &profile.frames {
            for question in 0..questions.len().min(4) {
                let before: &[u8] = if meter == Meter::Mbus { &[0xE5] } else { &[] };
                let number = frame.response.get(5).copied().unwrap_or(0);
                seeds.push(seed(HEARD, which, question, number, &[before, &frame.response].concat()));
            }
            let number = frame.request.get(2).copied().unwrap_or(1);
            seeds.push(seed(PUT_TO_A_METER, which, 0, number, &frame.request));
        }
        let golden = contents.iter().skip(which).step_by(of(meter).len());
        seeds.extend(golden.map(|contents| seed(CONTENTS, which, which, 0, contents)));
    }
    seeds
}

fn answers(frames: &'static str) -> Vec<Vec<u8>> {
    golden(frames, ">", "<").map(|(_, answer)| hex(answer)).collect()
}

fn heard(answers: &[Vec<u8>]) -> impl Iterator<Item = Vec<u8>> {
    answers.iter().enumerate().map(|(i, answer)| seed(HEARD, i % 7, i % 5, 1, answer))
}

pub fn dlt645_seeds() -> Vec<Vec<u8>> {
    let answers = answers(DLT645);
    seeds(Meter::Dlt645, &[]).into_iter().chain(heard(&answers)).collect()
}

pub fn cjt188_seeds() -> Vec<Vec<u8>> {
    let answers = answers(CJT188);
    seeds(Meter::Cjt188, &[]).into_iter().chain(heard(&answers)).collect()
}

pub fn mbus_seeds() -> Vec<Vec<u8>> {
    let telegrams: Vec<Vec<u8>> = MBUS.lines().filter_map(|line| line.strip_prefix('<')).map(hex).collect();
    let records: Vec<_> =
        telegrams.iter().filter_map(|t| t.get(7..t.len() - 2)).map(<[u8]>::to_vec).collect();
    let heard = telegrams.iter().enumerate().map(|(i, telegram)| {
        let number = telegram.get(5).copied().unwrap_or(0);
        seed(HEARD, i % 4, 0, number, &[&[0xE5], telegram.as_slice()].concat())
    });
    let heard: Vec<_> = heard.collect();
    seeds(Meter::Mbus, &records).into_iter().chain(heard).collect()
}

pub fn iec62056_seeds() -> Vec<Vec<u8>> {
    let mut readouts = Vec::new();
    for part in IEC62056.split("\n@ ").skip(1) {
        let (identification, rest) = part.split_once('\n').unwrap_or((part, ""));
        let sets: Vec<&str> = rest.lines().take_while(|line| !line.starts_with('=')).collect();
        let sets = sets.join("\r\n");
        readouts.push(format!("/{identification}\r\n{sets}\r\n").into_bytes());
    }
    let sealed = readouts.iter().map(|readout| seed(HEARD | SEALED, 0, 0, 0, readout));
    let sealed: Vec<_> = sealed.collect();
    seeds(Meter::Iec62056, &readouts).into_iter().chain(sealed).collect()
}
