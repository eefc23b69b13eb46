//! What is asked of a meter, and which value of its readout each point is. A meter sends all that it has, so that one
//! readout serves all points.

use std::ops::Range;

use steward_shared::profile::iec62056::{DataSet, Iec62056, ValueType};
use steward_shared::profile::measure::meter_unit;
use steward_shared::profile::{Decimal, Place, PointDef};
use steward_shared::reading::{Quality, Value};

use super::address::Address;
use super::exchange::{Decoder, Dialect};
use super::frame::END;
use super::readout::{Sent, data_sets};
use crate::mbus::scaled;
use crate::question::{PointValue, part};

/// One readout.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ask {
    pub dialect: Dialect,
    /// Indices into the points that were handed to the planner.
    pub points: Vec<usize>,
}

/// How meters write units, and their UCUM codes where those differ. Case says nothing.
const UNITS: [(&str, &str); 17] = [
    ("wh", "W.h"),
    ("kwh", "kW.h"),
    ("mwh", "MW.h"),
    ("varh", "var.h"),
    ("kvarh", "kvar.h"),
    ("vah", "V.A.h"),
    ("kvah", "kV.A.h"),
    ("va", "V.A"),
    ("kva", "kV.A"),
    ("kvar", "kvar"),
    ("var", "var"),
    ("m3ph", "m3/h"),
    ("m^3", "m3"),
    ("l", "L"),
    ("l/h", "L/h"),
    ("c", "Cel"),
    ("m", "min"),
];

/// Where a point stands in a meter that is read by IEC 62056-21.
pub(super) fn set_of(point: &PointDef) -> Option<&DataSet> {
    match &point.place {
        Place::Iec62056(set) => Some(set),
        _ => None,
    }
}

/// The wanted points (`wanted` are indices into `points`; all others are left out) in one question.
pub fn plan(points: &[PointDef], wanted: impl IntoIterator<Item = usize>, limits: &Iec62056) -> Vec<Ask> {
    let points: Vec<usize> =
        wanted.into_iter().filter(|i| points.get(*i).and_then(set_of).is_some()).collect();
    if points.is_empty() { Vec::new() } else { vec![Ask { dialect: Dialect::from(limits), points }] }
}

impl Ask {
    pub const fn exchange(&self, address: Address) -> Decoder {
        Decoder::new(address, self.dialect)
    }

    /// The values of its points in the identification and data that a meter sent.
    pub fn values(&self, points: &[PointDef], contents: &[u8]) -> Vec<PointValue> {
        let text = String::from_utf8_lossy(contents);
        let sent = sent(&text);
        let value = |i: &usize| {
            let point = points.get(*i)?;
            let wanted = set_of(point)?;
            let (value, quality) = match own(&sent, wanted).map(|sent| value(point, wanted.data, *sent)) {
                Some(Ok(value)) => (Some(value), Quality::Good),
                Some(Err(quality)) => (None, quality),
                None => (None, Quality::NoValue),
            };
            Some(PointValue { point: *i, value, quality })
        };
        self.points.iter().filter_map(value).collect()
    }
}

/// What stands behind the identification.
fn sent(contents: &str) -> Vec<Sent<'_>> {
    let end = std::str::from_utf8(END).unwrap_or_default();
    contents.split_once(end).map(|(_, data)| data_sets(data)).unwrap_or_default()
}

fn own<'a, 'b>(sent: &'b [Sent<'a>], wanted: &DataSet) -> Option<&'b Sent<'a>> {
    sent.iter().find(|sent| sent.code == wanted.code && sent.value == usize::from(wanted.value))
}

/// Which characters of the identification and data a point is made of.
pub fn bytes(point: &PointDef, contents: &[u8]) -> Option<Range<usize>> {
    let sent = sent(std::str::from_utf8(contents).ok()?);
    part(contents, own(&sent, set_of(point)?)?.text.as_bytes())
}

fn value(point: &PointDef, data: ValueType, sent: Sent<'_>) -> Result<Value, Quality> {
    if sent.text.is_empty() {
        return Err(Quality::NoValue);
    }
    match data {
        ValueType::Text => Ok(Value::Text(sent.text.to_owned())),
        ValueType::Number => number(point, sent).map(Value::Number),
        ValueType::Bit { n } => Ok(Value::Number((bits(sent.text)? >> n & 1) as f64)),
        ValueType::Bits { from, len } => {
            let mask = if len >= 64 { u64::MAX } else { (1 << len) - 1 };
            let raw = bits(sent.text)? >> from & mask;
            Ok(Value::Number(point.scale.apply(i128::from(raw), point.offset)))
        }
    }
}

fn bits(text: &str) -> Result<u64, Quality> {
    u64::from_str_radix(text, 16).map_err(|_| Quality::Undecodable)
}

fn number(point: &PointDef, sent: Sent<'_>) -> Result<f64, Quality> {
    let (digits, exponent) = decimal(sent.text).ok_or(Quality::Undecodable)?;
    let Some(unit) = sent.unit else {
        let plain = scaled(digits, exponent, 1, 1);
        return Ok(if (point.scale, point.offset) == (Decimal::ONE, Decimal::ZERO) {
            plain
        } else {
            plain * point.scale.as_f64() + point.offset.as_f64()
        });
    };
    let lower = unit.to_ascii_lowercase();
    let code = UNITS.iter().find(|(printed, _)| *printed == lower).map_or(unit, |(_, code)| *code);
    if code == point.unit {
        return Ok(scaled(digits, exponent, 1, 1));
    }
    match (meter_unit(code), meter_unit(&point.unit)) {
        (Some((dimension, from)), Some((own, to))) if dimension == own => {
            Ok(scaled(digits, exponent, from, to))
        }
        // It counts something else than the profile thinks, or nobody knows what.
        _ => Err(Quality::Undecodable),
    }
}

/// Digits without their point, and the power of ten that they are of.
fn decimal(text: &str) -> Option<(i128, i16)> {
    let (negative, text) = match text.strip_prefix(['-', '+']) {
        Some(rest) => (text.starts_with('-'), rest.trim_start()),
        None => (false, text),
    };
    let (whole, fraction) = text.split_once('.').unwrap_or((text, ""));
    let digits = format!("{whole}{fraction}");
    if digits.is_empty() || digits.len() > 18 || !digits.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let number: i128 = digits.parse().ok()?;
    Some((if negative { -number } else { number }, -(fraction.len() as i16)))
}
