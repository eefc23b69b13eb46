//! A capture as a test: its answers, decoded through a profile, against the values that the capture states. So a fault
//! that was met in a plant room stays mended.

use std::collections::BTreeMap;

use steward_protocols::exchange::Progress;
use steward_protocols::modbus::device::{Asked, from_serial, from_tcp};
use steward_protocols::modbus::{Request, Response, ascii, decode, exchange, with_crc};
use steward_protocols::overheard::Tongue;
use steward_shared::profile::{Framing, Language, PointDef, Profile, Table};
use steward_shared::reading::{Quality, Value};

use super::exchanges::{Exchanged, exchanges};
use super::file::{Capture, What};
use super::meters;

/// What a profile makes of one answer.
#[derive(Clone, Debug, PartialEq)]
pub struct Decoded {
    pub key: String,
    pub value: Option<Value>,
    pub quality: Quality,
}

/// What came of a capture.
#[derive(Clone, Debug, PartialEq, Default)]
pub struct Checked {
    pub questions: usize,
    /// Questions to which nothing came, or nothing that can be believed: the file's line, and why.
    pub failed: Vec<(usize, String)>,
    /// The last reading of each point, in the profile's order.
    pub values: Vec<Decoded>,
    /// Statements that hold.
    pub held: usize,
    /// Statements that do not: the file's line, and what was read instead.
    pub broken: Vec<(usize, String)>,
}

/// A capture that tests nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum CheckFault {
    #[error("nothing is asked in {} in this capture", .0)]
    Empty(&'static str),
    #[error(
        "{0} does not go over lines that are captured; its profiles are tried by their sample frames alone: lint"
    )]
    Language(&'static str),
    #[error(
        "devices {} are asked in this capture; say by --address which of them the profile is for", .0.join(", ")
    )]
    Addresses(Vec<String>),
    #[error("device {} is not asked in this capture; those that are: {}", .address, .known.join(", "))]
    Address { address: String, known: Vec<String> },
}

/// A question of the profile's language: whom it is for, and what was read by it.
pub(super) struct Asking {
    pub(super) address: String,
    /// The file's line.
    pub(super) line: usize,
    /// Which of the capture's events were taken in when it was over.
    pub(super) events: usize,
    pub(super) read: Result<Vec<Decoded>, String>,
}

/// Decodes what the device of `address` answered (the only one that was asked, where none is given).
pub fn check(capture: &Capture, profile: &Profile, address: Option<&str>) -> Result<Checked, CheckFault> {
    let mut all = match &profile.language {
        Language::Modbus(_) => registers(capture, profile),
        language => {
            let tongue = Tongue::of(language).ok_or(CheckFault::Language(language.name()))?;
            meters::asked(capture, profile, tongue)
        }
    };
    let mut addresses: Vec<String> = Vec::new();
    for asking in &all {
        if !addresses.contains(&asking.address) {
            addresses.push(asking.address.clone());
        }
    }
    let address = match (address, addresses.as_slice()) {
        (_, []) => return Err(CheckFault::Empty(profile.language.name())),
        (None, [only]) => only.clone(),
        (None, _) => return Err(CheckFault::Addresses(addresses)),
        (Some(address), all) if all.iter().any(|known| known == address) => address.to_owned(),
        (Some(address), _) => {
            return Err(CheckFault::Address { address: address.to_owned(), known: addresses });
        }
    };
    let mut checked = Checked::default();
    let mut latest: BTreeMap<String, Decoded> = BTreeMap::new();
    // What is asked at once is answered in any order; a statement stands behind what was answered before it.
    all.sort_by_key(|asking| asking.events);
    let mut all = all.into_iter().filter(|asking| asking.address == address).peekable();
    for index in 0..=capture.events.len() {
        while let Some(asking) = all.next_if(|asking| asking.events <= index) {
            checked.questions += 1;
            match asking.read {
                Ok(read) => latest.extend(read.into_iter().map(|decoded| (decoded.key.clone(), decoded))),
                Err(why) => checked.failed.push((asking.line, why)),
            }
        }
        let Some(event) = capture.events.get(index) else { break };
        if let What::Stated { key, value } = &event.what {
            match holds(profile.point(key), latest.get(key), value.as_deref()) {
                None => checked.held += 1,
                Some(instead) => checked.broken.push((event.line, format!("{key}: {instead}"))),
            }
        }
    }
    checked.values = profile.points.iter().filter_map(|point| latest.remove(&point.key)).collect();
    Ok(checked)
}

/// The questions of Modbus.
fn registers(capture: &Capture, profile: &Profile) -> Vec<Asking> {
    let framing = capture.header.framing;
    let of = |exchanged: Exchanged| {
        let asked = asked(&exchanged.request, framing)?;
        let data = answer(asked, framing, &exchanged.answer(), &exchanged.request);
        Some(Asking {
            address: asked.unit.to_string(),
            line: exchanged.line,
            events: exchanged.events,
            read: data.map(|data| values(profile, asked, &data)),
        })
    };
    exchanges(capture).into_iter().filter_map(of).collect()
}

fn asked(request: &[u8], framing: Framing) -> Option<Asked> {
    match framing {
        Framing::Rtu => from_serial(request).flatten(),
        Framing::Ascii => {
            let mut bytes = ascii::bytes_of(request)?;
            bytes.pop().filter(|sum| *sum == ascii::lrc(&bytes))?;
            from_serial(&with_crc(bytes)).flatten()
        }
        Framing::Tcp => from_tcp(request),
    }
}

fn answer(asked: Asked, framing: Framing, answer: &[u8], request: &[u8]) -> Result<Vec<u8>, String> {
    let table = table(asked.function).ok_or_else(|| format!("function {} does not read", asked.function))?;
    let request_of =
        Request::new(asked.unit, table, asked.address, asked.count).map_err(|e| e.to_string())?;
    let mut decoder = exchange(request_of, framing);
    let number = request.first_chunk::<2>().map_or(0, |number| u16::from_be_bytes(*number));
    decoder.frame(number);
    match decoder.received(answer) {
        Progress::Reply(Ok(data)) => Ok(data),
        Progress::Reply(Err(refusal)) => Err(refusal.to_string()),
        Progress::Bad(fault) => Err(fault.to_string()),
        Progress::More | Progress::Next => {
            Err(decoder.verdict().map_or_else(|| "no reply".to_owned(), |fault| fault.to_string()))
        }
    }
}

fn table(function: u8) -> Option<Table> {
    [Table::Coil, Table::Discrete, Table::Holding, Table::Input]
        .into_iter()
        .find(|t| t.function() == function)
}

/// The values of the profile's points that lie in what was asked.
pub(crate) fn values(profile: &Profile, asked: Asked, data: &[u8]) -> Vec<Decoded> {
    let Some(table) = table(asked.function) else { return Vec::new() };
    let response = Response::of(table, asked.count, data);
    let end = u32::from(asked.address) + u32::from(asked.count);
    let value = |point: &PointDef| {
        let register = point.register()?;
        let offset = register.address.checked_sub(asked.address)?;
        if register.table != table || register.end() > end {
            return None;
        }
        let (value, quality) = decode(point, &response, usize::from(offset));
        Some(Decoded { key: point.key.clone(), value, quality })
    };
    profile.points.iter().filter_map(value).collect()
}

/// What is wrong with a statement. A number holds to half a unit of the last digit that was written: so much a display
/// leaves out.
fn holds(point: Option<&PointDef>, read: Option<&Decoded>, stated: Option<&str>) -> Option<String> {
    if point.is_none() {
        return Some("the profile has no such point".to_owned());
    }
    let Some(read) = read else { return Some("it was not read up to here".to_owned()) };
    let wanted = stated.unwrap_or("no value");
    match (&read.value, stated) {
        (None, None) if read.quality == Quality::NoValue => None,
        (Some(Value::Text(text)), Some(stated)) if text == stated => None,
        (Some(Value::Number(number)), Some(stated)) => match stated.parse::<f64>() {
            Ok(wanted) if (number - wanted).abs() <= half_a_digit(stated, wanted) => None,
            Ok(_) => Some(format!("{number} was read where {stated} is stated")),
            Err(_) => Some(format!("\"{stated}\" is no number")),
        },
        (Some(value), _) => Some(format!("{value:?} was read where {wanted} is stated")),
        (None, _) => Some(format!("it read as {} where {wanted} is stated", read.quality)),
    }
}

fn half_a_digit(text: &str, number: f64) -> f64 {
    let (mantissa, power) = text.split_once(['e', 'E']).unwrap_or((text, "0"));
    let decimals = mantissa.split_once('.').map_or(0, |(_, digits)| digits.len());
    let digit = power.parse::<i32>().unwrap_or(0) - i32::try_from(decimals).unwrap_or(0);
    0.5 * 10_f64.powi(digit) * (1.0 + 1e-9) + number.abs() * 1e-12
}

#[cfg(test)]
mod tests {
    use steward_protocols::hex::hex;
    use steward_shared::profile::Library;

    use super::*;

    /// What a PM5350 answered, out of the profile's own sample frames, as they stand in its file.
    fn text(stated: &str) -> String {
        let profile = Library::compiled_in().unwrap().get("schneider/pm5350").unwrap();
        let sample = profile.frames.iter().find(|f| f.framing == Framing::Rtu).expect("a sample over RTU");
        format!(
            "# steward capture 1\n# framing = rtu\n# character = 19200 8N1\n0.0 > {}\n0.1 < {}\n{stated}",
            hex(&sample.request),
            hex(&sample.response)
        )
    }

    fn checked(stated: &str) -> Checked {
        let profile = Library::compiled_in().unwrap().get("schneider/pm5350").unwrap();
        check(&Capture::parse("a", &text(stated)).unwrap(), &profile, None).unwrap()
    }

    #[test]
    fn stated_values_hold_to_the_digits_that_were_written() {
        let read = checked("").values;
        let first = read.iter().find(|d| d.value.is_some()).expect("something was read");
        let number = first.value.as_ref().unwrap().as_number().unwrap();
        let states = |text: String| checked(&format!("= {} {text}\n", first.key));
        assert_eq!(states(format!("{number:.2}")).held, 1);
        assert_eq!(states(format!("{number:.0}")).held, 1);
        let off = states(format!("{:.1}", number + 0.2));
        assert_eq!((off.held, off.broken.len()), (0, 1), "{off:?}");
        assert_eq!(off.broken[0].0, 6, "the line of the statement");
        assert!(checked("= nonsense 1\n").broken[0].1.contains("no such point"));
    }

    #[test]
    fn whose_answers_are_meant_must_be_known() {
        let profile = Library::compiled_in().unwrap().get("schneider/pm5350").unwrap();
        let two = text("1.0 > 11 03 00 6B 00 03 76 87\n");
        let capture = Capture::parse("a", &two).unwrap();
        assert!(matches!(check(&capture, &profile, None), Err(CheckFault::Addresses(all)) if all.len() == 2));
        let silent = check(&capture, &profile, Some("17")).unwrap();
        assert_eq!((silent.questions, silent.failed.len()), (1, 1));
        assert_eq!(silent.failed[0].1, "no reply");
        let unasked = check(&capture, &profile, Some("99")).unwrap_err().to_string();
        assert!(unasked.contains("device 99 is not asked") && unasked.contains("17"), "{unasked}");
        let empty = Capture::parse("a", "# steward capture 1\n# framing = rtu\n").unwrap();
        assert_eq!(check(&empty, &profile, None), Err(CheckFault::Empty("Modbus")));
        let nobody_asks = Library::compiled_in().unwrap().get("flexit/nordic").unwrap();
        assert_eq!(check(&capture, &nobody_asks, None), Err(CheckFault::Language("BACnet")));
    }
}
