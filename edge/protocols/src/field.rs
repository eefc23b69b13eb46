//! From a meter's bytes to values and back: decimal digits, flags and texts, the lowest byte first. DL/T 645 and
//! CJ/T 188 decode by it; encoding serves simulated meters, and no test of decoding relies on it.

use steward_shared::profile::{Field, FieldType, PointDef};
use steward_shared::reading::{Quality, Value};
use steward_shared::wire::message::PointKind;

/// The value of `point` in the bytes of its data item. An item that does not reach so far gives `BadReply`; nothing but
/// FF is how meters say that they have no value.
pub fn decode(point: &PointDef, field: Field, item: &[u8]) -> (Option<Value>, Quality) {
    match item.get(usize::from(field.at)..field.end()) {
        Some(bytes) => value(point, field.data, bytes),
        None => (None, Quality::BadReply),
    }
}

fn value(point: &PointDef, data: FieldType, bytes: &[u8]) -> (Option<Value>, Quality) {
    let flags = matches!(data, FieldType::Bit { .. } | FieldType::Bits { .. });
    if !flags && bytes.iter().all(|b| *b == 0xFF) {
        return (None, Quality::NoValue);
    }
    let text = match data {
        FieldType::Digits => Some(digits(bytes)),
        FieldType::Text => Some(characters(bytes)),
        _ => None,
    };
    if let Some(text) = text {
        return match text {
            Some(text) => (Some(Value::Text(text)), Quality::Good),
            None => (None, Quality::Undecodable),
        };
    }
    let whole = bytes.iter().rev().fold(0_u64, |raw, byte| raw << 8 | u64::from(*byte));
    let raw = match data {
        FieldType::Bit { n } => whole >> n & 1,
        FieldType::Bits { from, len } => whole >> from & mask(len),
        _ => whole,
    };
    if point.sentinels.contains(&raw) {
        return (None, Quality::NoValue);
    }
    let number = match data {
        FieldType::Bcd { signed } => decimal(raw, bytes.len(), signed),
        _ => Some(i128::from(raw)),
    };
    let number = number.filter(|n| point.kind != PointKind::Flag || matches!(n, 0 | 1));
    match number.map(|n| point.scale.apply(n, point.offset)).filter(|n| n.is_finite()) {
        Some(number) => (Some(Value::Number(number)), Quality::Good),
        None => (None, Quality::Undecodable),
    }
}

const fn mask(len: u8) -> u64 {
    if len >= 64 { u64::MAX } else { (1 << len) - 1 }
}

/// Two digits a byte; none when one is above nine. The sign is the highest bit of the highest byte, and the rest of
/// that byte is a digit of 0 to 7 and one more (DL/T 645-2007, table A.1: signed quantities).
fn decimal(raw: u64, bytes: usize, signed: bool) -> Option<i128> {
    let sign = 1_u64 << (8 * bytes - 1).min(63);
    let negative = signed && raw & sign != 0;
    let raw = if negative { raw & !sign } else { raw };
    let number = (0..2 * bytes).rev().try_fold(0_i128, |number, i| {
        let digit = raw >> (4 * i) & 0xF;
        (digit <= 9).then_some(number * 10 + i128::from(digit))
    })?;
    Some(if negative { -number } else { number })
}

fn digits(bytes: &[u8]) -> Option<String> {
    let nibbles = bytes.iter().rev().flat_map(|b| [b >> 4, b & 0xF]);
    nibbles.map(|n| char::from_digit(u32::from(n), 10)).collect()
}

/// The last character comes first; what is not used is blank or NUL.
fn characters(bytes: &[u8]) -> Option<String> {
    let text: Vec<u8> = bytes.iter().rev().copied().filter(|b| *b != 0).collect();
    let text = String::from_utf8(text).ok()?;
    (text.is_ascii() && !text.chars().any(|c| c.is_ascii_control())).then(|| text.trim().to_owned())
}

/// A value that its bytes cannot hold.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum FieldFault {
    #[error("{value} does not fit {bytes} bytes of {data:?} with its scale")]
    Range { value: f64, data: FieldType, bytes: u8 },
    #[error("a {got} cannot be put into {data:?}")]
    Kind { got: &'static str, data: FieldType },
    #[error("the item has {got} bytes, the value needs {wanted}")]
    Room { wanted: usize, got: usize },
}

/// A point of a simulated meter whose value does not fit.
#[derive(Clone, Debug, PartialEq)]
pub struct Misfit {
    /// Its key.
    pub point: String,
    pub fault: FieldFault,
}

/// Puts a value into the bytes of its item; a bit or bit field leaves the other bits alone. `None` is FF in all bytes,
/// and nothing at all for bits.
pub fn encode_into(
    point: &PointDef,
    field: Field,
    value: Option<&Value>,
    item: &mut [u8],
) -> Result<(), FieldFault> {
    let got = item.len();
    let Some(bytes) = item.get_mut(usize::from(field.at)..field.end()) else {
        return Err(FieldFault::Room { wanted: field.end(), got });
    };
    let data = field.data;
    let flags = matches!(data, FieldType::Bit { .. } | FieldType::Bits { .. });
    match (data, value) {
        (_, None) if flags => {}
        (_, None) => bytes.fill(0xFF),
        (FieldType::Digits | FieldType::Text, Some(Value::Number(_))) => {
            return Err(FieldFault::Kind { got: "number", data });
        }
        (FieldType::Digits, Some(Value::Text(text))) => put_digits(text, data, bytes)?,
        (FieldType::Text, Some(Value::Text(text))) => {
            let mut characters = text.bytes();
            for byte in bytes.iter_mut().rev() {
                *byte = characters.next().unwrap_or(0);
            }
        }
        (_, Some(Value::Text(_))) => return Err(FieldFault::Kind { got: "text", data }),
        (_, Some(Value::Number(number))) => put_number(point, field, *number, bytes)?,
    }
    Ok(())
}

fn put_digits(text: &str, data: FieldType, bytes: &mut [u8]) -> Result<(), FieldFault> {
    let mut digits = text.chars().rev().map(|c| c.to_digit(10).map(|d| d as u8));
    for byte in bytes {
        let mut next = || digits.next().unwrap_or(Some(0)).ok_or(FieldFault::Kind { got: "text", data });
        let (low, high) = (next()?, next()?);
        *byte = high << 4 | low;
    }
    Ok(())
}

fn put_number(point: &PointDef, field: Field, value: f64, bytes: &mut [u8]) -> Result<(), FieldFault> {
    let Field { bytes: width, data, .. } = field;
    let range = || FieldFault::Range { value, data, bytes: width };
    let raw = point.scale.solve(value, point.offset).ok_or_else(range)?;
    let all = u32::from(width) * 8;
    let whole = bytes.iter().rev().fold(0_u64, |raw, byte| raw << 8 | u64::from(*byte));
    let fits = |bits: u32| u64::try_from(raw).ok().filter(|r| bits >= 64 || r >> bits == 0).ok_or_else(range);
    let whole = match data {
        FieldType::Bit { n } => whole & !(1 << n) | fits(1)? << n,
        FieldType::Bits { from, len } => whole & !(mask(len) << from) | fits(u32::from(len))? << from,
        FieldType::Bcd { signed } => {
            // The sign takes one bit of the highest digit.
            let most = 10_u128.pow(u32::from(width) * 2) * if signed { 8 } else { 10 } / 10;
            if raw.unsigned_abs() >= most || raw < 0 && !signed {
                return Err(range());
            }
            let number = raw.unsigned_abs();
            let digits = (0..u32::from(width) * 2)
                .fold(0, |bits, i| bits | ((number / 10_u128.pow(i) % 10) as u64) << (4 * i));
            if raw < 0 { digits | 1 << (all - 1) } else { digits }
        }
        _ => fits(all)?,
    };
    for (i, byte) in bytes.iter_mut().enumerate() {
        *byte = (whole >> (8 * i.min(7))) as u8;
    }
    Ok(())
}
