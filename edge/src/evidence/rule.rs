//! How what a device said becomes a value, in one line, in the words of the profile's keys: from where, as what, scaled how,
//! and what of it cannot be true. Pure.

use steward_protocols::hex::hex;
use steward_shared::profile::iec62056::{DataSet, ValueType};
use steward_shared::profile::mbus::{Function, Header, Record, RecordType, What};
use steward_shared::profile::mqtt::{JsonType, Pointer, Told};
use steward_shared::profile::{BacnetData, BacnetPoint, Derived, Field, FieldType, Place, PointDef, Rules};

/// `rules` are those of the gateway's file for this device.
pub(super) fn rule(point: &PointDef, rules: &Rules) -> String {
    let read = match &point.place {
        Place::Derived(Derived::Expression(expression)) => expression.text.clone(),
        Place::Derived(Derived::Total(of)) => format!("total_of {of}"),
        Place::Modbus(r) => {
            let words = if r.order.low_word_first { "low word first" } else { "high word first" };
            let bytes = if r.order.low_byte_first { "low byte first" } else { "high byte first" };
            scaled(&format!("{} {} {:?}, {words}, {bytes}", r.table.word(), r.address, r.data), point)
        }
        Place::Bacnet(place) => scaled(&property(place), point),
        Place::Mqtt(told) => scaled(&message(told), point),
        Place::Dlt645(item) => scaled(&format!("item {}, {}", item.id, field(item.field)), point),
        Place::Cjt188(item) => {
            let unit = item.unit_at.map(|at| format!(", unit_at {at}")).unwrap_or_default();
            scaled(&format!("item {}, {}{unit}", item.id, field(item.field)), point)
        }
        Place::Mbus(wanted) => scaled(&record(wanted), point),
        Place::Iec62056(DataSet { code, value, data }) => {
            let data = match data {
                ValueType::Number => "number".to_owned(),
                ValueType::Bit { n } => format!("bit {n}"),
                ValueType::Bits { from, len } => format!("bits {from} + {len}"),
                ValueType::Text => "string".to_owned(),
            };
            scaled(&format!("obis {code}, value {value}, {data}"), point)
        }
    };
    format!("{read}{}", limits(point, rules))
}

fn scaled(read: &str, point: &PointDef) -> String {
    format!("{read}, x {} + {}", point.scale, point.offset)
}

/// Where a value stands in a meter's item, and how it is written there.
fn field(field: Field) -> String {
    let data = match field.data {
        FieldType::Bcd { signed: false } => "bcd".to_owned(),
        FieldType::Bcd { signed: true } => "bcd, signed".to_owned(),
        FieldType::Binary => "binary".to_owned(),
        FieldType::Bit { n } => format!("bit {n}"),
        FieldType::Bits { from, len } => format!("bits {from} + {len}"),
        FieldType::Digits => "digits".to_owned(),
        FieldType::Text => "string".to_owned(),
    };
    format!("at {}, bytes {}, {data}", field.at, field.bytes)
}

fn record(record: &Record) -> String {
    let Record { what, storage, tariff, subunit, function, data } = record;
    let what = match what {
        What::Quantity { quantity, vife } if vife.is_empty() => format!("quantity {}", quantity.word()),
        What::Quantity { quantity, vife } => format!("quantity {}, vife {}", quantity.word(), hex(vife)),
        What::Vif(bytes) => format!("vif {}", hex(bytes)),
        What::Header(Header::Identification) => "header identification".to_owned(),
        What::Header(Header::AccessNumber) => "header access-number".to_owned(),
        What::Header(Header::Status) => "header status".to_owned(),
    };
    let numbers = [("storage", *storage), ("tariff", *tariff), ("subunit", *subunit)];
    let which: Vec<String> =
        numbers.iter().filter(|(_, n)| *n > 0).map(|(key, n)| format!(", {key} {n}")).collect();
    let function = match function {
        Function::Instantaneous => "",
        Function::Maximum => ", maximum",
        Function::Minimum => ", minimum",
        Function::Error => ", error",
    };
    let data = match data {
        RecordType::Number => "number".to_owned(),
        RecordType::Bit { n } => format!("bit {n}"),
        RecordType::Bits { from, len } => format!("bits {from} + {len}"),
        RecordType::Digits => "digits".to_owned(),
        RecordType::Text => "string".to_owned(),
        RecordType::Date => "date".to_owned(),
    };
    format!("{what}{}{function}, {data}", which.concat())
}

fn property(place: &BacnetPoint) -> String {
    let BacnetPoint { object, instance, property, index, data, cov } = place;
    let element = index.map(|index| format!("[{index}]")).unwrap_or_default();
    let data = match data {
        BacnetData::Real => "real".to_owned(),
        BacnetData::Whole => "whole".to_owned(),
        BacnetData::Flag => "flag".to_owned(),
        BacnetData::Bit { n } => format!("bit {n}"),
        BacnetData::Text => "text".to_owned(),
    };
    let cov = if *cov { ", cov" } else { "" };
    format!("{object} {instance} {property}{element}, {data}{cov}")
}

fn message(told: &Told) -> String {
    let Told { topic, path, time, data, values, retained } = told;
    let place = |key: &str, path: &Option<Pointer>| {
        path.as_ref().map(|path| format!(", {key} {}", path.as_str())).unwrap_or_default()
    };
    let data = match data {
        JsonType::Number => "number",
        JsonType::Whole => "whole",
        JsonType::Flag => "flag",
        JsonType::Text => "text",
    };
    let words: Vec<String> = values.iter().map(|(word, code)| format!(", {word} = {code}")).collect();
    let retained = if *retained { ", retained" } else { "" };
    let topic = match topic.as_str() {
        "" => "{device}",
        topic => topic,
    };
    format!("topic {topic}{}{}, {data}{}{retained}", place("path", path), place("time", time), words.concat())
}

/// What means "no value", and what cannot be true.
fn limits(point: &PointDef, rules: &Rules) -> String {
    let mut out = String::new();
    let raw: Vec<String> = point.sentinels.iter().map(|raw| format!("{raw:#X}")).collect();
    if !raw.is_empty() {
        out = format!(", sentinels {}", raw.join(" "));
    }
    let numbers = [("min", rules.min), ("max", rules.max), ("rate_per_min", rules.rate_per_min)];
    for (key, number) in numbers {
        out.extend(number.map(|number| format!(", {key} {number}")));
    }
    out.extend(rules.stuck_after.map(|longest| format!(", stuck_after {longest:?}")));
    out
}

#[cfg(test)]
mod tests {
    use steward_shared::profile::{Library, Profile};

    use super::*;

    #[test]
    fn a_rule_is_said_in_the_words_of_the_profile() {
        let library = Library::compiled_in().unwrap();
        let of = |profile: &str, key: &str| {
            let profile = library.get(profile).unwrap();
            let point = profile.point(key).unwrap();
            rule(point, &point.rules)
        };
        assert_eq!(
            of("tasmota/energy-plug", "active-power"),
            "topic tele/{device}/SENSOR, path /ENERGY/Power, number, x 0.001 + 0"
        );
        assert_eq!(
            of("tasmota/energy-plug", "relay"),
            "topic stat/{device}/POWER, whole, OFF = 0, ON = 1, retained, x 1 + 0"
        );
        for (profile, key, told) in [
            ("dlt645/three-phase", "active-energy-import", "item 00010000, at 0, bytes 4, bcd, x 0.01 + 0"),
            ("cjt188/water-1f90", "volume", "item 901F, at 0, bytes 4, bcd, unit_at 4, x 0.01 + 0"),
            ("kamstrup/multical-601", "energy", "quantity energy, number, x 1 + 0"),
            ("logarex/lk13", "energy-import", "obis 1-0:1.8.0*255, value 1, number, x 1 + 0"),
        ] {
            assert_eq!(of(profile, key), told);
        }
        let text = "vendor = \"A\"\nmodel = \"M\"\ntitle = { zh = \"表\", en = \"M\" }\nsource = [\"s\"]\n[bacnet]\n\
                    [[point]]\nkey = \"a\"\ntitle = { zh = \"点\", en = \"P\" }\nobject = \"analog-input\"\ninstance = 3\n\
                    unit = \"Cel\"\ncov = true\nscale = 0.1\nmin = -40.0\nmax = 80.0\nstuck_after = \"2h\"\n";
        let profile = Profile::parse("a/m.toml", text).unwrap();
        let point = profile.point("a").unwrap();
        let told = "analog-input 3 present-value, real, cov, x 0.1 + 0, min -40, max 80, stuck_after 7200s";
        assert_eq!(rule(point, &point.rules), told);
    }
}
