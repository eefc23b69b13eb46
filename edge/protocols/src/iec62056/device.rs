//! A meter as it answers, for simulated ones: it says what it is, and sends its points after an acknowledgement. It reads
//! only; other options of the acknowledgement it does not know.

use std::ops::Deref;

use steward_shared::profile::iec62056::{Iec62056, ValueType};
use steward_shared::profile::{Language, PointDef, Profile};
use steward_shared::reading::Value;

use super::address::Address;
use super::frame::{ETX, STX, acknowledgement, check_character, sign_on};
use super::plan::set_of;

/// A meter by its profile (borrowed or shared) and its address.
#[derive(Clone, Debug)]
pub struct Meter<P> {
    profile: P,
    address: Address,
    /// The rate that it offers.
    code: u8,
    signed_on: bool,
}

impl<P: Deref<Target = Profile>> Meter<P> {
    /// None for a profile of another language.
    pub fn new(profile: P, address: Address) -> Option<Self> {
        let Language::Iec62056(Iec62056 { max_baud, .. }) = profile.language else { return None };
        let code = (0..=6_u8).rev().find(|steps| 300 << u32::from(*steps) <= max_baud).unwrap_or(0);
        Some(Self { profile, address, code: b'0' + code, signed_on: false })
    }

    /// What it says to the bytes of one message; nothing to what is not for it.
    pub fn answer(&mut self, heard: &[u8], value: impl FnMut(&PointDef) -> Option<Value>) -> Option<Vec<u8>> {
        let awake: Vec<u8> = heard.iter().copied().skip_while(|byte| *byte == 0).collect();
        let asked = std::mem::take(&mut self.signed_on);
        if asked && (awake == acknowledgement(self.code) || awake == acknowledgement(b'0')) {
            return Some(self.block(value));
        }
        let named = awake.strip_prefix(b"/?")?.strip_suffix(b"!\r\n")?;
        let named: Address = std::str::from_utf8(named).ok()?.parse().ok()?;
        if !named.means(&self.address) || awake != sign_on(&named, 0) {
            return None;
        }
        self.signed_on = true;
        let model: String = self.profile.model.chars().filter(char::is_ascii_alphanumeric).take(16).collect();
        Some(format!("/STW{}{model}\r\n", char::from(self.code)).into_bytes())
    }

    fn block(&self, mut value: impl FnMut(&PointDef) -> Option<Value>) -> Vec<u8> {
        let mut codes: Vec<&str> = Vec::new();
        let sets = self.profile.points.iter().filter_map(|p| set_of(p).map(|set| (p, set)));
        let sets: Vec<_> = sets.collect();
        for (_, set) in &sets {
            if !codes.contains(&set.code.as_str()) {
                codes.push(&set.code);
            }
        }
        let mut bytes = vec![STX];
        for code in codes {
            let own: Vec<_> = sets.iter().filter(|(_, set)| set.code == code).collect();
            let last = own.iter().map(|(_, set)| set.value).max().unwrap_or(1);
            bytes.extend(code.bytes());
            for place in 1..=last {
                let values = own.iter().filter(|(_, set)| set.value == place);
                let shown = values.map(|(point, set)| (*point, set.data, value(point)));
                bytes.extend(format!("({})", shown_as(&shown.collect::<Vec<_>>())).bytes());
            }
            bytes.extend(b"\r\n");
        }
        bytes.extend(b"!\r\n");
        bytes.push(ETX);
        bytes.push(check_character(bytes.get(1..).unwrap_or_default()));
        bytes
    }
}

/// One value, or the bits of several points in hexadecimal digits.
fn shown_as(values: &[(&PointDef, ValueType, Option<Value>)]) -> String {
    match values {
        [(_, ValueType::Text, Some(Value::Text(text)))] => text.clone(),
        [(point, ValueType::Number, Some(Value::Number(number)))] => {
            let unit = if point.unit == "1" { String::new() } else { format!("*{}", printed(&point.unit)) };
            let raw = (number - point.offset.as_f64()) / point.scale.as_f64();
            let number = if unit.is_empty() { raw } else { *number };
            format!("{number:.*}{unit}", usize::from(point.decimals))
        }
        [(_, ValueType::Bit { .. } | ValueType::Bits { .. }, _), ..] => {
            let all = values.iter().fold(0_u64, |all, (_, data, value)| {
                let number = if let Some(Value::Number(number)) = value { *number as u64 } else { 0 };
                all | match data {
                    ValueType::Bit { n } => (number & 1) << n,
                    ValueType::Bits { from, .. } => number << from,
                    _ => 0,
                }
            });
            format!("{all:08X}")
        }
        _ => String::new(),
    }
}

/// As meters write a unit.
fn printed(code: &str) -> String {
    match code {
        "Cel" => "C".to_owned(),
        "m3/h" => "m3ph".to_owned(),
        "min" => "m".to_owned(),
        code => code.replace('.', ""),
    }
}
