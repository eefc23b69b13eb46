//! From a profile's text to its definition. Every fault of the file is told; what comes out is sound:
//! addresses fit, keys are unique, labels and kinds agree, sample frames speak of points that exist.

use std::collections::BTreeSet;
use std::path::Path;
use std::sync::Arc;

use super::decimal::Decimal;
use super::definition::{Language, PeriodClass, PointDef, Profile, Role};
use super::derived_point::derived_point;
use super::language::{Form, Placed, language, place};
use super::rules::Rules;
use super::samples::frames;
use super::write::write;
use crate::document::{Document, Fault, FromNode, Kind, Node, Table as Fields, Wrong};
use crate::unit;
use crate::wire::catalogue::{MAX_LABELS, MAX_TEXT};
use crate::wire::message::{Label, Names, PointKind};

const KINDS: [(&str, PointKind); 5] = [
    ("gauge", PointKind::Gauge),
    ("counter", PointKind::Counter),
    ("flag", PointKind::Flag),
    ("enumeration", PointKind::Enumeration),
    ("text", PointKind::Text),
];
const CLASSES: [(&str, PeriodClass); 4] = [
    ("fast", PeriodClass::Fast),
    ("normal", PeriodClass::Normal),
    ("slow", PeriodClass::Slow),
    ("static", PeriodClass::Static),
];
const ROLES: [(&str, Role); 2] = [("ct-ratio", Role::CtRatio), ("clock", Role::Clock)];

impl Profile {
    /// Reads a profile. Its id is the last two parts of the file's name: `…/<vendor>/<model>.toml`.
    pub fn parse(file_name: &str, text: &str) -> Result<Self, Vec<Fault>> {
        let id = id_of(file_name)?;
        let document = Document::parse(file_name, text)?;
        document.read(|root| {
            let [vendor, model] = ["vendor", "model"]
                .map(|key| root.required::<String>(key).filter(|text| root.check_text(key, text, MAX_TEXT)));
            let title = names(root, "title");
            let source: Vec<String> = root.required("source").unwrap_or_default();
            if root.has("source") && source.iter().all(|s| s.trim().is_empty()) {
                root.fault(
                    "source",
                    "a profile without a source cannot be checked",
                    "name the document or repository",
                );
            }
            let (language, pace) = language(root);
            let (keys, points) = points(root, &language);
            let frames = frames(root, &language, &keys);
            let (vendor, model, title) = (vendor?, model?, title?);
            Some(Self { id, vendor, model, title, source, language, pace, points, frames })
        })
    }
}

fn id_of(file_name: &str) -> Result<String, Vec<Fault>> {
    let path = Path::new(file_name);
    let name = |part: Option<&std::ffi::OsStr>| {
        let part = part?.to_str()?;
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        (!part.is_empty() && part.chars().all(plain)).then(|| part.to_owned())
    };
    match (name(path.parent().and_then(Path::file_name)), name(path.file_stem())) {
        (Some(vendor), Some(model)) if vendor.len() + model.len() < MAX_TEXT => {
            Ok(format!("{vendor}/{model}"))
        }
        _ => Err(vec![Fault::of_file(
            file_name,
            "a profile is known by its folder and file name",
            "name it <vendor>/<model>.toml in lower case letters, digits and hyphens",
        )]),
    }
}

pub(super) fn names(fields: &Fields<'_>, key: &str) -> Option<Names> {
    both_languages(&fields.table(key)?, "name")
}

/// The texts `zh` and `en` of a table. `what` they are, for people.
fn both_languages(table: &Fields<'_>, what: &str) -> Option<Names> {
    let (zh, en) = (table.required::<String>("zh"), table.required::<String>("en"));
    for (language, text) in [("zh", &zh), ("en", &en)] {
        let Some(text) = text else { continue };
        if text.trim().is_empty() {
            let way_out = format!("every {what} exists in Chinese and English");
            table.fault(language, format!("the {what} is empty"), way_out);
        }
        table.check_text(language, text, MAX_TEXT);
    }
    Some(Names { zh: zh?, en: en? })
}

/// The keys of the measured points, and the points that are in order.
fn points(root: &Fields<'_>, language: &Language) -> (Vec<String>, Vec<PointDef>) {
    let (mut keys, mut points) = (Vec::new(), Vec::new());
    let mut seen = BTreeSet::new();
    let tables = root.tables("point");
    if tables.is_empty() {
        root.fault_here(
            "the profile has no points",
            "add [[point]] with key, title, table, address, type, unit",
        );
    }
    let mut add = |fields: &Fields<'_>, point: PointDef, points: &mut Vec<PointDef>| {
        if !seen.insert(point.key.clone()) {
            fields.fault(
                "key",
                format!("the key {} stands twice", point.key),
                "give each point a key of its own",
            );
        }
        points.push(point);
    };
    let (reckoned, measured): (Vec<_>, Vec<_>) =
        tables.into_iter().partition(|fields| fields.has("expression") || fields.has("total_of"));
    for fields in measured {
        let key = fields.required::<String>("key");
        keys.extend(key.clone());
        if let Some(point) = point(&fields, key, language) {
            add(&fields, point, &mut points);
        }
    }
    let count = points.len();
    for fields in reckoned {
        let made = derived_point(&fields, points.get(..count).unwrap_or_default());
        if let Some(point) = made {
            add(&fields, point, &mut points);
        }
    }
    (keys, points)
}

pub(super) fn checked_key(fields: &Fields<'_>, key: Option<String>) -> Option<String> {
    key.filter(|key| {
        let plain = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        let good = !key.is_empty() && key.chars().all(plain) && key.len() <= 64;
        if !good {
            fields.fault("key", format!("\"{key}\" is no key"), "use lower case letters, digits and hyphens");
        }
        good
    })
}

fn point(fields: &Fields<'_>, key: Option<String>, language: &Language) -> Option<PointDef> {
    let key = checked_key(fields, key);
    let title = names(fields, "title");
    let Placed { place, form } = place(fields, language);
    let scale = fields.or("scale", Decimal::ONE);
    if scale.is_zero() {
        fields.fault("scale", "a scale of 0 makes every value 0", "leave it out for 1");
    }
    let offset = fields.or("offset", Decimal::ZERO);
    let (text, bit) = (form == Some(Form::Text), form == Some(Form::Bit));
    let usual = if text {
        PointKind::Text
    } else if bit {
        PointKind::Flag
    } else {
        PointKind::Gauge
    };
    let given = fields.optional_word("kind", &KINDS);
    // Where it is not known, nothing is judged by it.
    let known = given.or(form.filter(|_| !fields.has("kind")).map(|_| usual));
    let kind = known.unwrap_or(usual);
    let unit = unit_code(fields, matches!(known, Some(PointKind::Gauge | PointKind::Counter)));
    let decimals = fields.within_or("decimals", 0..=9, usual_decimals(scale, form));
    let labels = labels(fields, known);
    let sentinels = sentinels(fields, form);
    let modulus = fields.optional::<f64>("modulus");
    let class = fields.word_or("class", &CLASSES, PeriodClass::Normal);
    let alarm = fields.or("alarm", false);
    let rules = Arc::new(Rules::read(fields, &Rules::default(), kind));
    if rules.max_age.is_some() && !matches!(language, Language::Mqtt(_)) {
        let way_out = "remove it: a device that is asked and does not answer is known at once";
        fields.fault("max_age", "only a value that comes by itself has a greatest age", way_out);
    }
    let role = fields.optional_word("role", &ROLES);
    let has_role = match role {
        Some(Role::CtRatio) => kind == PointKind::Gauge,
        Some(Role::Clock) => matches!(kind, PointKind::Gauge | PointKind::Text),
        None => true,
    };
    if !has_role {
        fields.fault("role", "a point of this kind has not this role", "remove it or the kind");
    }
    if role != Some(Role::Clock) && fields.has("utc_offset") {
        fields.fault("utc_offset", "only a clock has an offset", "add role = \"clock\" or remove it");
    }
    if role == Some(Role::Clock)
        && kind == PointKind::Gauge
        && unit.as_deref().is_some_and(|unit| unit != "s")
    {
        fields.fault("unit", "a clock that is a number is in seconds since 1970", "write unit = \"s\"");
    }
    let write = write(fields, kind, place.as_ref());

    if modulus.is_some_and(|m| m <= 0.0) {
        fields.fault("modulus", "a counter starts over above 0", "write the value at which it starts over");
    }
    if modulus.is_some() && known.is_some_and(|k| k != PointKind::Counter) {
        fields.fault("modulus", "only a counter starts over", "add kind = \"counter\" or remove modulus");
    }
    if form.is_some() && known.is_some_and(|k| text != (k == PointKind::Text)) {
        fields.fault("kind", "kind text and type string belong together", "change one of them");
    }
    let code = bit || matches!(kind, PointKind::Flag | PointKind::Enumeration);
    if (text || code) && (scale != Decimal::ONE || !offset.is_zero()) {
        fields.fault("scale", "texts, flags and codes are not scaled", "remove scale and offset");
    }
    if code && matches!(form, Some(Form::Float { .. })) {
        fields.fault("type", "flags and codes are whole numbers", "change type or kind");
    }
    Some(PointDef {
        key: key?,
        title: title?,
        place: place?,
        scale,
        offset,
        unit: unit?,
        decimals,
        kind,
        labels,
        sentinels,
        modulus,
        class,
        alarm,
        rules,
        role,
        write,
    })
}

/// As many as the scale has behind its point; whole numbers have none, floats two.
fn usual_decimals(scale: Decimal, form: Option<Form>) -> u8 {
    if matches!(form, Some(Form::Float { .. })) { 2 } else { scale.decimals() }
}

pub(super) fn unit_code(fields: &Fields<'_>, wanted: bool) -> Option<String> {
    let given = if wanted { fields.required::<String>("unit")? } else { fields.or("unit", "1".to_owned()) };
    if unit::unit(&given).is_none() {
        let way_out = match unit::meant(&given) {
            Some(code) => format!("write \"{code}\""),
            None => {
                "units are UCUM codes (the Unified Code for Units of Measure) like \"Cel\", \"kW.h\", \"m3/h\", \"%\", \"1\""
                    .to_owned()
            }
        };
        fields.fault("unit", format!("\"{given}\" is not a unit that is known here"), way_out);
        return None;
    }
    Some(given)
}

fn labels(fields: &Fields<'_>, kind: Option<PointKind>) -> Vec<Label> {
    let mut seen = BTreeSet::new();
    let mut labels = Vec::new();
    for table in fields.tables("labels") {
        let code = table.required::<i64>("code");
        let names = both_languages(&table, "label");
        let (Some(code), Some(names)) = (code, names) else { continue };
        if !seen.insert(code) {
            table.fault("code", format!("the code {code} stands twice"), "give each code one label");
        }
        if kind == Some(PointKind::Flag) && !matches!(code, 0 | 1) {
            table.fault("code", "a flag is 0 or 1", "use kind = \"enumeration\" for more");
        }
        labels.push(Label { code, names });
    }
    if labels.len() > MAX_LABELS {
        let message = format!("{} labels are too many", labels.len());
        fields.fault("labels", message, format!("a point has at most {MAX_LABELS}; keep those that matter"));
    }
    match kind {
        Some(PointKind::Enumeration) if labels.is_empty() => {
            fields.fault(
                "labels",
                "an enumeration has labels",
                "add labels = [{ code = 0, zh = \"…\", en = \"…\" }]",
            );
        }
        Some(PointKind::Gauge | PointKind::Counter | PointKind::Text) if !labels.is_empty() => {
            fields.fault("labels", "only flags and enumerations have labels", "set kind or remove them");
        }
        _ => {}
    }
    labels
}

/// A raw content: a whole number, or a text in hexadecimal where TOML's integers do not reach.
struct Raw(i128);

impl FromNode for Raw {
    const EXAMPLE: &'static str = "0x7FFF";

    fn from_node(node: &Node) -> Result<Self, Wrong> {
        let wrong =
            || Wrong::new("a raw content is wanted here", "write it like 0x7FFF or \"0xFFFFFFFFFFFFFFFF\"");
        match &node.kind {
            Kind::Integer(i) => Ok(Self(i128::from(*i))),
            Kind::Text(text) => text
                .strip_prefix("0x")
                .and_then(|hex| u64::from_str_radix(hex, 16).ok())
                .map(|raw| Self(i128::from(raw)))
                .ok_or_else(wrong),
            _ => Err(wrong()),
        }
    }
}

fn sentinels(fields: &Fields<'_>, form: Option<Form>) -> Vec<u64> {
    let Some(given) = fields.optional::<Vec<Raw>>("sentinels") else { return Vec::new() };
    let bits = match form {
        Some(Form::Whole { bits } | Form::Float { bits }) => bits,
        Some(Form::Bit | Form::Text) => {
            fields.fault("sentinels", "texts and single bits have no sentinel", "remove it");
            return Vec::new();
        }
        None => return Vec::new(),
    };
    let span = 1_i128 << bits;
    let mut raws = Vec::new();
    for Raw(raw) in given {
        if raw >= span || raw < -(span / 2) {
            fields.fault(
                "sentinels",
                format!("{raw} does not fit {bits} bits"),
                "write the register's content",
            );
        } else {
            // A negative number stands for its two's complement.
            raws.push((raw & (span - 1)) as u64);
        }
    }
    raws
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::document::listing;
    use crate::profile::{DataType, Modbus, Order};

    const GOOD: &str = r#"
vendor = "Acme"
model = "M1"
title = { zh = "电表", en = "Meter" }
source = ["Acme M1 manual, table 3"]
[modbus]
max_registers = 60
pause = "20ms"
[[point]]
key = "energy"
title = { zh = "电能", en = "Energy" }
table = "holding"
address = 10
type = "u32"
order = "cdab"
scale = 0.01
unit = "kW.h"
kind = "counter"
modulus = 42949672.96
sentinels = [0xFFFFFFFF, -1]
class = "slow"
[[point]]
key = "running"
title = { zh = "运行", en = "Running" }
table = "coil"
address = 0
[[frame]]
source = "made by hand"
framing = "rtu"
request = "01 03 00 0A 00 02 E4 09"
response = "01 03 04 00 00 00 00 FA 33"
values = { energy = 0.0 }
"#;

    fn faults(text: &str) -> Vec<String> {
        Profile::parse("acme/m1.toml", text).unwrap_err().iter().map(ToString::to_string).collect()
    }

    #[test]
    fn a_good_profile_says_what_its_file_says() {
        let profile =
            Profile::parse("somewhere/acme/m1.toml", GOOD).unwrap_or_else(|f| panic!("{}", listing(&f)));
        assert_eq!(profile.id, "acme/m1");
        assert_eq!(profile.language, Language::Modbus(Modbus { max_registers: 60, ..Modbus::default() }));
        assert_eq!(profile.pace.pause.as_millis(), 20);
        let energy = profile.point("energy").unwrap();
        let register = energy.register().unwrap();
        assert_eq!((register.address, register.data, register.order), (10, DataType::U32, Order::CDAB));
        assert_eq!((energy.decimals, energy.kind, energy.class), (2, PointKind::Counter, PeriodClass::Slow));
        assert_eq!(energy.sentinels, [0xFFFF_FFFF, 0xFFFF_FFFF]);
        assert_eq!(profile.point("running").unwrap().kind, PointKind::Flag);
        assert_eq!(profile.frames[0].request.len(), 8);
    }

    #[test]
    fn every_fault_of_a_profile_is_told_at_once_with_its_place_and_the_way_out() {
        let text = GOOD
            .replace("unit = \"kW.h\"", "unit = \"kWh\"")
            .replace("type = \"u32\"", "type = \"uint32\"")
            .replace("address = 0\n", "adress = 0\n")
            .replace("energy = 0.0", "enregy = 0.0")
            .replace("max_registers = 60", "max_registers = 126")
            .replace("E4 09", "E4 9");
        let told = faults(&text);
        let expect = [
            "acme/m1.toml:7:17: modbus.max_registers: 126 is out of range; write a value from 1 to 125",
            "acme/m1.toml:14:8: point[0].type: \"uint32\" is not known here; write \"u16\" or",
            "acme/m1.toml:17:8: point[0].unit: \"kWh\" is not a unit that is known here; write \"kW.h\"",
            "acme/m1.toml:22:1: point[1].address: this key is missing; add address = 1",
            "acme/m1.toml:26:1: point[1].adress: this key is not known; did you mean address?",
            "acme/m1.toml:30:11: frame[0].request: \"9\" is no byte",
            "acme/m1.toml:32:21: frame[0].values.enregy: there is no measured point enregy",
        ];
        assert_eq!(told.len(), expect.len(), "{}", told.join("\n"));
        for (told, expect) in told.iter().zip(expect) {
            assert!(told.starts_with(expect), "{told}\nbut wanted\n{expect}");
        }
    }

    #[test]
    fn a_profile_that_only_moved_in_its_file_is_the_same_profile() {
        let profile = |text: &str| Profile::parse("acme/m1.toml", text).unwrap();
        assert_eq!(profile(GOOD), profile(&format!("# one line more\n{GOOD}")));
        assert_ne!(profile(GOOD), profile(&GOOD.replace("energy = 0.0", "energy = 0.5")));
    }

    #[test]
    fn a_fault_brings_no_others_that_only_follow_from_it() {
        let told = faults(&GOOD.replace("address = 10\n", "address = -1\n"));
        assert!(
            told.len() == 1 && told[0].contains("out of range"),
            "its sample frame is in order: {told:?}"
        );
        let told = faults(&GOOD.replace("type = \"u32\"", "type = \"bist\"\nfrom = 3\nlen = 2"));
        assert!(told.len() == 1 && told[0].contains("did you mean \"bit\"?"), "{told:?}");
        let told = faults(&GOOD.replace("table = \"coil\"", "table = \"coils\""));
        assert!(told.len() == 1 && told[0].contains("did you mean \"coil\"?"), "{told:?}");
        let told = faults(&GOOD.replace("kind = \"counter\"", "kind = \"countre\""));
        assert!(told.len() == 1 && told[0].contains("did you mean \"counter\"?"), "{told:?}");
    }

    #[test]
    fn codes_are_whole_unscaled_and_named_in_both_languages() {
        let flag =
            |rest: &str| faults(&GOOD.replace("table = \"coil\"", &format!("table = \"holding\"\n{rest}")));
        let told = flag("type = \"u16\"\nkind = \"flag\"\nscale = 0.1");
        assert!(told.len() == 1 && told[0].contains("codes are not scaled"), "{told:?}");
        let told = flag("type = \"f32\"\nkind = \"flag\"");
        assert!(told.len() == 1 && told[0].contains("whole numbers"), "{told:?}");
        let told =
            flag("type = \"u16\"\nkind = \"enumeration\"\nlabels = [{ code = 1, zh = \"\", en = \"on\" }]");
        assert!(told.len() == 1 && told[0].contains("labels[0].zh: the label is empty"), "{told:?}");
    }

    #[test]
    fn what_the_hub_would_refuse_is_told_where_it_stands() {
        let (fits, long) = ("字".repeat(85), "字".repeat(86));
        for (text, place) in
            [("Acme", "vendor"), ("M1", "model"), ("Meter", "title.en"), ("运行", "point[1].title.zh")]
        {
            let with = |new: &str| GOOD.replace(&format!("\"{text}\""), &format!("\"{new}\""));
            assert!(Profile::parse("acme/m1.toml", &with(&fits)).is_ok(), "{place}");
            let told = faults(&with(&long));
            assert!(
                told.len() == 1 && told[0].contains(&format!("{place}: this text has 258 bytes")),
                "{told:?}"
            );
            let told = faults(&with("a\\u0000b"));
            assert!(told.len() == 1 && told[0].contains("character of code 0"), "{told:?}");
        }
        let labels = |count: usize, en: &str| {
            let label = |code| format!("{{ code = {code}, zh = \"开\", en = \"{en}\" }}");
            let labels: Vec<_> = (0..count).map(label).collect();
            let rest = format!("type = \"u16\"\nkind = \"enumeration\"\nlabels = [{}]", labels.join(", "));
            GOOD.replace("table = \"coil\"", &format!("table = \"holding\"\n{rest}"))
        };
        assert!(Profile::parse("acme/m1.toml", &labels(256, &fits)).is_ok());
        let told = faults(&labels(257, "on"));
        assert!(told.len() == 1 && told[0].contains("point[1].labels: 257 labels are too many"), "{told:?}");
        let told = faults(&labels(1, &long));
        assert!(told.len() == 1 && told[0].contains("labels[0].en: this text has 258 bytes"), "{told:?}");
        let folder = "a".repeat(254);
        assert!(Profile::parse(&format!("{folder}/m.toml"), GOOD).is_ok());
        assert!(Profile::parse(&format!("{folder}/m1.toml"), GOOD).is_err());
    }

    #[test]
    fn a_device_cannot_stop_its_line_by_a_pause_or_timeout() {
        for (key, good, bad) in
            [("pause", "1s", "1.1s"), ("pause", "0ms", "200000000000d"), ("timeout", "30s", "1h")]
        {
            let with = |value: &str| GOOD.replace("pause = \"20ms\"", &format!("{key} = \"{value}\""));
            assert!(Profile::parse("acme/m1.toml", &with(good)).is_ok(), "{key} {good}");
            let told = faults(&with(bad));
            assert!(told.len() == 1 && told[0].contains("out of range; write one from"), "{told:?}");
        }
    }

    #[test]
    fn what_contradicts_itself_is_refused() {
        let told = faults(&GOOD.replace("kind = \"counter\"", "kind = \"gauge\""));
        assert!(told[0].contains("only a counter starts over"), "{told:?}");
        let told = faults(&GOOD.replace("key = \"running\"", "key = \"energy\""));
        assert!(told[0].contains("stands twice"), "{told:?}");
        let told = faults(&GOOD.replace("address = 10", "address = 65535"));
        assert!(told[0].contains("past address 65535"), "{told:?}");
        let told = faults(&GOOD.replace("0xFFFFFFFF, -1", "0x1FFFFFFFF"));
        assert!(told[0].contains("does not fit 32 bits"), "{told:?}");
    }

    #[test]
    fn a_profile_is_named_by_its_folder_and_file() {
        assert!(
            Profile::parse("m1.toml", GOOD).unwrap_err()[0].to_string().contains("<vendor>/<model>.toml")
        );
        assert!(Profile::parse("Acme/M1.toml", GOOD).is_err());
    }
}
