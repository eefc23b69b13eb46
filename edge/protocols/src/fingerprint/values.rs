//! What the values of a profile's points say for it. A frequency of 50 Hz where the profile has its frequency says much, a
//! refusal says much against it, a zero says nothing, and so does a value that any contents would have been.

use std::ops::RangeInclusive;

use steward_shared::profile::{DataType, PointDef, Profile};
use steward_shared::reading::{Quality, Value};
use steward_shared::wire::message::PointKind;

/// What the best of codes says: small numbers stand everywhere.
const CODE: f64 = 1.2;
/// A label behind which a number stands that is rare by itself.
const RARE_CODE: f64 = 2.5;
const SMALL: f64 = 9.0;
/// A register that holds 1 where it can hold 0 and 1 only.
const FLAG: f64 = 0.5;

/// What a point that read so says for its profile; below zero against it.
pub fn weight(profile: &Profile, point: &PointDef, value: Option<&Value>, quality: Quality) -> f64 {
    let number = match (value, quality) {
        (Some(Value::Text(text)), _) => return text_weight(profile, text),
        (Some(Value::Number(number)), _) => *number,
        // Zeros stand everywhere.
        (None, Quality::NoValue) if point.sentinels.is_empty() || point.sentinels.contains(&0) => return 0.0,
        (None, Quality::NoValue) => return 2.0,
        (None, Quality::Undecodable) => return -4.0,
        (None, Quality::Refused(code)) => return refusal_weight(code),
        (None, _) => return -2.0,
    };
    if number == 0.0 || is_small(point, number) {
        return 0.0;
    }
    // Bits of something else, read as a float.
    if !(1e-9..1e15).contains(&number.abs()) {
        return -5.0;
    }
    let within = |range: RangeInclusive<f64>, good: f64, bad: f64| {
        if range.contains(&number) { good.min(surprise(point, &[range])) } else { bad }
    };
    match (point.kind, point.unit.as_str()) {
        (PointKind::Enumeration | PointKind::Flag, _) => code_weight(point, number),
        (PointKind::Counter, _) => within(0.0..=1e9, 1.0, -4.0),
        (_, "Hz") => {
            let mains = [48.5..=51.5, 58.5..=61.5];
            if mains.iter().any(|near| near.contains(&number)) {
                surprise(point, &mains).min(6.0)
            } else {
                within(0.0..=400.0, 0.0, -5.0)
            }
        }
        (_, "V") => within(80.0..=500.0, 3.0, if (0.0..=1500.0).contains(&number) { 0.0 } else { -3.0 }),
        (_, "Cel") => within(-40.0..=150.0, 1.5, -4.0),
        (_, "%") => within(0.0..=100.0, 1.0, -4.0),
        (_, "A") => within(-1e4..=1e4, 0.5, -4.0),
        (_, "1") if point.key.contains("power-factor") => within(-1.0..=1.0, 2.0, -4.0),
        (_, "kW" | "kvar" | "kV.A" | "W" | "var" | "V.A") => within(-1e7..=1e7, 0.5, -4.0),
        _ => 0.0,
    }
}

/// A device that has no such function, address or length is none of the profile's; one that is busy or broken may be.
const fn refusal_weight(code: u8) -> f64 {
    match code {
        1..=3 => -3.0,
        _ => -0.5,
    }
}

/// A code that the profile names, or that it does not.
fn code_weight(point: &PointDef, number: f64) -> f64 {
    let is_known = point.labels.iter().any(|l| (l.code as f64 - number).abs() < 0.5);
    if !is_known && point.kind == PointKind::Enumeration {
        return -3.0;
    }
    let most = match point.kind {
        PointKind::Flag => FLAG,
        _ if number.abs() > SMALL => RARE_CODE,
        _ => CODE,
    };
    let codes: Vec<_> = match point.kind {
        PointKind::Flag => vec![1.0..=1.0],
        _ => point.labels.iter().map(|l| l.code as f64..=l.code as f64).collect(),
    };
    surprise(point, &codes).min(most)
}

/// How much it says that a value other than zero lies in one of these ranges: little where its registers could hardly hold
/// another. Half of what stands in registers of which nothing is known is taken for small numbers (each order of magnitude
/// as often as the next), half for any. Registers of floats, and other languages, hold anything.
fn surprise(point: &PointDef, ranges: &[RangeInclusive<f64>]) -> f64 {
    let Some((low, high)) = holds(point) else { return f64::INFINITY };
    let (scale, offset) = (point.scale.as_f64(), point.offset.as_f64());
    let raw = |value: f64| (value - offset) / scale;
    let mut share = 0.0;
    for range in ranges {
        let (a, b) = (raw(*range.start()), raw(*range.end()));
        let (from, to) = (a.min(b).max(low), a.max(b).min(high));
        if from > to {
            continue;
        }
        let zero = f64::from(u8::from((from..=to).contains(&0.0)));
        let any = ((to - from + 1.0 - zero) / (high - low)).min(1.0);
        let small = (orders(from.max(0.0), to) + orders((-to).max(0.0), -from))
            / (orders(0.0, high) + orders(0.0, -low));
        share += f64::midpoint(any, small);
    }
    if share <= 0.0 { 0.0 } else { (-share.ln()).max(0.0) }
}

/// Orders of magnitude (of e) from one whole number to another, both among them; none below 1.
fn orders(from: f64, to: f64) -> f64 {
    if to < 1.0 { 0.0 } else { ((to + 1.0) / from.max(1.0)).ln().max(0.0) }
}

/// Whether each register of a quantity holds a number so small that it stands everywhere: a state, a count, a step.
fn is_small(point: &PointDef, number: f64) -> bool {
    let raw = ((number - point.offset.as_f64()) / point.scale.as_f64()).abs().round() as u64;
    let words = (0..4).map(|i| raw >> (16 * i) & 0xFFFF);
    point.is_number() && holds(point).is_some() && words.into_iter().all(|word| word as f64 <= SMALL)
}

/// Least and most that whole registers hold, before scaling.
fn holds(point: &PointDef) -> Option<(f64, f64)> {
    let power = |bits: i32| 2_f64.powi(bits);
    Some(match point.register()?.data {
        DataType::U16 => (0.0, power(16) - 1.0),
        DataType::I16 => (-power(15), power(15) - 1.0),
        DataType::U32 => (0.0, power(32) - 1.0),
        DataType::I32 => (-power(31), power(31) - 1.0),
        DataType::U64 => (0.0, power(64)),
        DataType::I64 => (-power(63), power(63)),
        DataType::Bcd16 => (0.0, 9_999.0),
        DataType::Bcd32 => (0.0, 99_999_999.0),
        DataType::Bit { .. } => (0.0, 1.0),
        DataType::Bits { len, .. } => (0.0, power(i32::from(len)) - 1.0),
        DataType::F32 | DataType::F64 | DataType::Text { .. } => return None,
    })
}

/// A text that names the vendor or the model is the device's own word.
fn text_weight(profile: &Profile, text: &str) -> f64 {
    if text.is_empty() {
        return 0.0;
    }
    let plain =
        |text: &str| text.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_lowercase();
    let text = plain(text);
    let names = |name: &str| {
        let name = plain(name);
        name.len() > 2 && text.contains(&name)
    };
    if names(&profile.model) {
        10.0
    } else if names(&profile.vendor) {
        5.0
    } else if text.len() > 2 {
        2.0
    } else {
        -2.0
    }
}

/// What a device says of itself (function 43/14) for a profile.
pub fn identity_weight(profile: &Profile, said: &str) -> f64 {
    text_weight(profile, said).max(0.0)
}

#[cfg(test)]
mod tests {
    use steward_shared::profile::Library;

    use super::*;

    /// What a number of a point of the library weighs.
    fn weighs(profile: &str, key: &str, number: f64) -> f64 {
        let profile = Library::compiled_in().unwrap().get(profile).unwrap();
        weight(&profile, profile.point(key).unwrap(), Some(&Value::Number(number)), Quality::Good)
    }

    #[test]
    fn a_mains_frequency_speaks_for_a_profile_and_a_refusal_against_it() {
        let number = |n| weighs("schneider/pm5350", "frequency", n);
        assert!(number(49.98) > 5.0 && number(0.0) == 0.0 && number(1e-40) < -4.0 && number(5e7) < -4.0);
        let profile = Library::compiled_in().unwrap().get("schneider/pm5350").unwrap();
        let refused =
            |code| weight(&profile, profile.point("frequency").unwrap(), None, Quality::Refused(code));
        assert!(refused(2) < -2.0 && refused(6) > -1.0, "one that is busy may have it");
        let text = |t: &str| text_weight(&profile, t);
        assert!(text("PM5350") > text("Schneider Electric") && text("Schneider Electric") > text("0123"));
    }

    #[test]
    fn what_any_contents_would_have_been_says_nothing() {
        // A bit is 0 or 1 in every device.
        assert!(weighs("carrier/30wi", "switched-on", 1.0).abs() < 1e-9);
        // Hundredths in 16 bits: whatever stands there is a turbidity.
        assert!(weighs("hach/surface-scatter-7-sc", "turbidity", 3.27).abs() < 1e-9);
        let temperature = |degrees| weighs("oem/xy-md02", "temperature", degrees);
        assert!(temperature(23.5) > 0.5 && temperature(0.7) == 0.0 && temperature(900.0) < -3.0);
    }

    #[test]
    fn a_code_with_a_label_speaks_for_a_profile_and_more_where_it_is_a_rare_one() {
        let unit = |code| weighs("hach/surface-scatter-7-sc", "displayed-unit", code);
        assert!(unit(42.0) > unit(7.0) && unit(7.0) > 0.5 && unit(3.0) < -2.0);
    }
}
