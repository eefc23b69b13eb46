//! A meter as it answers, for simulated ones: by its primary number or where it is selected, in as many telegrams as its
//! points need, the last once more where the frame count bit did not change. What would change a meter it does not know.

use std::ops::Deref;

use steward_shared::profile::mbus::{Function, Header, Record as Marks, RecordType, What};
use steward_shared::profile::measure::meter_unit;
use steward_shared::profile::{Language, PointDef, Profile};
use steward_shared::reading::Value;

use super::address::{Identity, Mask};
use super::frame::{ACK, FCB, Frame, REQ_UD2, RSP_UD, SELECTED, SND_NKE, SND_UD, frame_at, short_frame};
use super::plan::record_of;
use super::quantity::written;
use crate::scan::first_frame;

const SELECT: u8 = 0x52;
const RESPONSE: u8 = 0x72;
const MORE_FOLLOWS: u8 = 0x1F;
/// Whichever meter is there, and whichever is there without an answer.
const ANYBODY: [u8; 2] = [0xFE, 0xFF];
/// Bytes of records in one telegram.
const ROOM: usize = 234;

/// A meter by its profile (borrowed or shared), its primary number and what it is.
#[derive(Clone, Debug)]
pub struct Meter<P> {
    profile: P,
    number: u8,
    identity: Identity,
    selected: bool,
    /// The frame count bit of the last question, and which telegram answered it.
    last: Option<(u8, usize)>,
    access: u8,
}

/// One record: its marks and bytes, or a part of the status.
struct Written<'a> {
    marks: &'a Marks,
    vif: Vec<u8>,
    coding: u8,
    data: Vec<u8>,
}

impl<P: Deref<Target = Profile>> Meter<P> {
    /// None for a profile of another language.
    pub fn new(profile: P, number: u8, identity: Identity) -> Option<Self> {
        matches!(profile.language, Language::Mbus(_)).then_some(Self {
            profile,
            number,
            identity,
            selected: false,
            last: None,
            access: 0,
        })
    }

    /// What it says to the bytes of one request; nothing to what is not for it.
    pub fn answer(&mut self, heard: &[u8], value: impl FnMut(&PointDef) -> Option<Value>) -> Option<Vec<u8>> {
        if let Some((control, address)) = short_frame(heard) {
            if address != self.number
                && !ANYBODY.contains(&address)
                && !(address == SELECTED && self.selected)
            {
                return None;
            }
            let answer = match control & !FCB {
                SND_NKE => {
                    self.last = None;
                    self.selected &= address != SELECTED;
                    vec![ACK]
                }
                control if control == REQ_UD2 & !FCB | 0x10 || control == REQ_UD2 => {
                    self.telegram(control_bit(heard), value)?
                }
                _ => return None,
            };
            return (address != 0xFF).then_some(answer);
        }
        let frame = first_frame(heard, frame_at)?;
        let chosen = <[u8; 8]>::try_from(frame.data.as_slice()).ok()?;
        if frame.control & !FCB != SND_UD || frame.address != SELECTED || frame.information != SELECT {
            return None;
        }
        self.selected = Mask::exactly(Identity::from_wire(chosen)).means(self.identity);
        self.last = None;
        self.selected.then(|| vec![ACK])
    }

    fn telegram(&mut self, fcb: u8, value: impl FnMut(&PointDef) -> Option<Value>) -> Option<Vec<u8>> {
        let (status, parts) = self.parts(value);
        let index = match self.last {
            Some((last, index)) if last == fcb => index,
            Some((_, index)) => (index + 1) % parts.len(),
            None => 0,
        };
        if self.last.is_none_or(|(last, _)| last != fcb) {
            self.access = self.access.wrapping_add(1);
        }
        self.last = Some((fcb, index));
        let mut data = self.identity.wire().to_vec();
        data.extend([self.access, status, 0, 0]);
        data.extend(parts.get(index)?);
        Some(Frame { control: RSP_UD, address: self.number, information: RESPONSE, data }.bytes())
    }

    /// The status and the records of each telegram.
    fn parts(&self, mut value: impl FnMut(&PointDef) -> Option<Value>) -> (u8, Vec<Vec<u8>>) {
        let mut status = 0;
        let mut all: Vec<Written<'_>> = Vec::new();
        for point in &self.profile.points {
            let Some(marks) = record_of(point) else { continue };
            let value = value(point);
            if let What::Header(field) = marks.what {
                if field == Header::Status {
                    status |= bits(marks.data, value.as_ref()) as u8;
                }
                continue;
            }
            let Some(written) = write(point, marks, value.as_ref()) else { continue };
            let same = |other: &&mut Written<'_>| same_record(other.marks, marks);
            match all.iter_mut().find(same) {
                Some(first) => {
                    for (byte, more) in first.data.iter_mut().zip(&written.data) {
                        *byte |= more;
                    }
                }
                None => all.push(written),
            }
        }
        let mut parts = vec![Vec::new()];
        for written in all {
            let bytes = written.bytes();
            if parts.last().is_some_and(|part: &Vec<u8>| part.len() + bytes.len() > ROOM) {
                parts.push(Vec::new());
            }
            if let Some(part) = parts.last_mut() {
                part.extend(bytes);
            }
        }
        let last = parts.len() - 1;
        for part in parts.iter_mut().take(last) {
            part.push(MORE_FOLLOWS);
        }
        (status, parts)
    }
}

fn control_bit(heard: &[u8]) -> u8 {
    heard.get(1).map_or(0, |control| control & FCB)
}

fn same_record(a: &Marks, b: &Marks) -> bool {
    (&a.what, a.storage, a.tariff, a.subunit, a.function)
        == (&b.what, b.storage, b.tariff, b.subunit, b.function)
}

fn bits(data: RecordType, value: Option<&Value>) -> u64 {
    let Some(Value::Number(number)) = value else { return 0 };
    let number = *number as u64;
    match data {
        RecordType::Bit { n } => (number & 1) << n,
        RecordType::Bits { from, .. } => number << from,
        _ => number,
    }
}

fn write<'a>(point: &PointDef, marks: &'a Marks, value: Option<&Value>) -> Option<Written<'a>> {
    let made = |vif: Vec<u8>, (coding, data): (u8, Vec<u8>)| Written { marks, vif, coding, data };
    let (vif, factor) = match &marks.what {
        What::Header(_) => return None,
        What::Vif(vif) => (vif.clone(), None),
        What::Quantity { quantity, vife } => {
            let dated = quantity.dimension().is_none();
            let (vif, factor) = if dated {
                let time = *quantity == steward_shared::profile::mbus::Quantity::DateTime;
                (vec![if time { 0x6D } else { 0x6C }], None)
            } else {
                let (_, to) = meter_unit(&point.unit)?;
                let (vif, factor) = written(*quantity, to, point.decimals)?;
                (vif, Some(factor))
            };
            (extended(vif, vife), factor)
        }
    };
    let data = match (marks.data, value) {
        (RecordType::Bit { .. } | RecordType::Bits { .. }, value) => {
            (0x04, (bits(marks.data, value) as u32).to_le_bytes().to_vec())
        }
        (RecordType::Date, value) => date(vif.first() == Some(&0x6D), value),
        (RecordType::Digits, Some(Value::Text(text))) => (0x0C, bcd(text.parse().unwrap_or(0))),
        (RecordType::Text, Some(Value::Text(text))) => {
            let text: Vec<u8> = text.bytes().rev().take(64).collect();
            (0x0D, [&[text.len() as u8], text.as_slice()].concat())
        }
        (_, Some(Value::Number(number))) => {
            let raw = match factor {
                Some(factor) => (number * factor).round(),
                None => point.scale.solve(*number, point.offset)? as f64,
            };
            if (0.0..1e8).contains(&raw) { (0x0C, bcd(raw as u64)) } else { (0x06, six_bytes(raw as i64)) }
        }
        _ => (0x0C, vec![0xFF; 4]),
    };
    Some(made(vif, data))
}

/// Value information with further extensions behind it.
fn extended(mut vif: Vec<u8>, vife: &[u8]) -> Vec<u8> {
    vif.extend(vife);
    let last = vif.len().saturating_sub(1);
    for code in vif.iter_mut().take(last) {
        *code |= 0x80;
    }
    vif
}

fn bcd(number: u64) -> Vec<u8> {
    (0..4).map(|i| number / 100_u64.pow(i) % 100).map(|pair| ((pair / 10) << 4 | (pair % 10)) as u8).collect()
}

fn six_bytes(number: i64) -> Vec<u8> {
    number.to_le_bytes().into_iter().take(6).collect()
}

/// `2026-05-31 14:05` as type F, `2026-05-31` as type G.
fn date(time: bool, value: Option<&Value>) -> (u8, Vec<u8>) {
    let text = if let Some(Value::Text(text)) = value { text.as_str() } else { "" };
    let parts: Vec<u16> = text.split(['-', ' ', ':']).filter_map(|part| part.parse().ok()).collect();
    let part = |i: usize| parts.get(i).copied();
    let (Some(year), Some(month), Some(day)) = (part(0), part(1), part(2)) else {
        return if time { (0x04, vec![0xFF; 4]) } else { (0x02, vec![0xFF; 2]) };
    };
    let year = year % 100;
    let (a, b) = ((day | (year & 7) << 5) as u8, (month | (year & 0x78) << 1) as u8);
    if !time {
        return (0x02, vec![a, b]);
    }
    let (hour, minute) = (part(3).unwrap_or(0) as u8, part(4).unwrap_or(0) as u8);
    (0x04, vec![minute, hour | 1 << 5, a, b])
}

impl Written<'_> {
    /// Data information with as many extensions as the marks need, value information, data.
    fn bytes(&self) -> Vec<u8> {
        let function = match self.marks.function {
            Function::Instantaneous => 0,
            Function::Maximum => 1,
            Function::Minimum => 2,
            Function::Error => 3,
        };
        let (mut storage, mut tariff, mut subunit) =
            (self.marks.storage, self.marks.tariff, self.marks.subunit);
        let mut dib = vec![self.coding | function << 4 | ((storage & 1) as u8) << 6];
        storage >>= 1;
        while storage > 0 || tariff > 0 || subunit > 0 {
            if let Some(before) = dib.last_mut() {
                *before |= 0x80;
            }
            dib.push((storage & 0xF) as u8 | ((tariff & 3) as u8) << 4 | ((subunit & 1) as u8) << 6);
            (storage, tariff, subunit) = (storage >> 4, tariff >> 2, subunit >> 1);
        }
        [dib.as_slice(), &self.vif, &self.data].concat()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::exchange::{Exchange, Progress};
    use crate::mbus::{Address, Decoder, Heard, Request, Search, plan};

    fn profile(points: &str) -> Profile {
        let text = format!(
            "vendor = \"A\"\nmodel = \"M\"\ntitle = {{ zh = \"表\", en = \"M\" }}\nsource = [\"s\"]\n[mbus]\n{points}"
        );
        Profile::parse("a/m.toml", &text).unwrap_or_else(|faults| panic!("{faults:?}"))
    }

    fn point(key: &str, rest: &str) -> String {
        format!("[[point]]\nkey = \"{key}\"\ntitle = {{ zh = \"点\", en = \"P\" }}\n{rest}\n")
    }

    /// Asks as a line would, until the exchange is over.
    fn read(
        meters: &mut [Meter<&Profile>],
        mut exchange: Decoder,
        value: &dyn Fn(&PointDef) -> Option<Value>,
    ) -> Progress {
        for number in 0..200 {
            let frame = exchange.frame(number);
            let answers: Vec<_> = meters.iter_mut().filter_map(|meter| meter.answer(&frame, value)).collect();
            let heard = match answers.as_slice() {
                [] => return Progress::More,
                // Who acknowledge at once say the same; other answers spoil each other.
                [first, rest @ ..] if rest.iter().all(|other| other == first) => first.clone(),
                _ => vec![0x5A; 60],
            };
            match exchange.received(&heard) {
                Progress::Next => {}
                other => return other,
            }
        }
        panic!("it is never over");
    }

    #[test]
    fn a_simulated_meter_is_read_in_several_telegrams() {
        let points: Vec<String> = (0..60)
            .map(|i| {
                point(
                    &format!("e{i}"),
                    &format!("quantity = \"energy\"\nstorage = {i}\nunit = \"kW.h\"\ndecimals = 1"),
                )
            })
            .collect();
        let profile = profile(&points.concat());
        let identity = Identity { number: 0x1234_5678, maker: 0x2C2D, version: 1, medium: 4 };
        let value = |point: &PointDef| Some(Value::Number(point.key[1..].parse::<f64>().unwrap() * 1000.5));
        let Language::Mbus(limits) = &profile.language else { panic!() };
        let ask = plan(&profile.points, 0..60, limits).remove(0);
        for address in ["5", "12345678", "1234FFFF-KAM-01"] {
            let mut meters = [Meter::new(&profile, 5, identity).unwrap()];
            let exchange = ask.exchange(address.parse().unwrap());
            let Progress::Reply(Ok(contents)) = read(&mut meters, exchange, &value) else { panic!() };
            for read in ask.values(&profile.points, &contents) {
                assert_eq!(read.value, value(&profile.points[read.point]), "{address} {}", read.point);
            }
        }
        let mut meters = [Meter::new(&profile, 5, identity).unwrap()];
        let nobody = ask.exchange("6".parse().unwrap());
        assert_eq!(read(&mut meters, nobody, &value), Progress::More);
    }

    #[test]
    fn a_meter_repeats_its_answer_while_the_frame_count_bit_stays() {
        let profile = profile(&point("energy", "quantity = \"energy\"\nunit = \"kW.h\""));
        let identity = Identity { number: 0x1234_5678, maker: 0x2C2D, version: 1, medium: 4 };
        let mut meter = Meter::new(&profile, 5, identity).unwrap();
        let mut ask = |frame: &[u8]| meter.answer(frame, |_| Some(Value::Number(7.0)));
        assert_eq!(ask(&[0x10, 0x40, 5, 0x45, 0x16]), Some(vec![0xE5]));
        let (first, other) = ([0x10, 0x7B, 5, 0x80, 0x16], [0x10, 0x5B, 5, 0x60, 0x16]);
        let answer = ask(&first).unwrap();
        assert_eq!(ask(&first), Some(answer.clone()));
        assert_ne!(ask(&other), Some(answer), "its access number went on");
        assert_eq!(ask(&[0x10, 0x7B, 6, 0x81, 0x16]), None);
        assert_eq!(ask(&[0x10, 0x7B, 0xFD, 0x78, 0x16]), None, "it is not selected");
    }

    #[test]
    fn a_search_on_a_line_of_simulated_meters_finds_them() {
        let profile = profile(&point("energy", "quantity = \"energy\"\nunit = \"kW.h\""));
        let numbers = [0x1234_5678, 0x1234_5679, 0x1300_0000, 0x9999_9999, 0x0000_0000];
        let identities: Vec<Identity> = numbers
            .iter()
            .map(|number| Identity { number: *number, maker: 0x2C2D, version: 1, medium: 4 })
            .collect();
        let mut meters: Vec<Meter<&Profile>> =
            identities.iter().map(|identity| Meter::new(&profile, 0, *identity).unwrap()).collect();
        let mut search = Search::new(Mask::OPEN);
        let mut asked = 0;
        while let Some(mask) = search.next() {
            asked += 1;
            let exchange = Decoder::new(Request::Identify, Address::Secondary(mask));
            search.heard(match read(&mut meters, exchange, &|_| Some(Value::Number(1.0))) {
                Progress::Reply(Ok(contents)) => {
                    Heard::One(Identity::from_wire(contents[..8].try_into().unwrap()))
                }
                Progress::More if meters.iter().all(|meter| !meter.selected) => Heard::Nobody,
                _ => Heard::Several,
            });
        }
        let mut found = search.found().to_vec();
        found.sort();
        let mut wanted = identities;
        wanted.sort();
        assert_eq!((found, search.undecided()), (wanted, &[][..]));
        assert!(asked <= 101, "{asked}");
    }
}
