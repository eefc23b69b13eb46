//! Which language a profile is written for, and how its points are read from the file in that language. Each language
//! has a table of its own (`[modbus]`), and a file without any speaks Modbus.

use std::ops::RangeInclusive;
use std::time::Duration;

use super::bacnet;
use super::definition::{Language, Pace, Place};
use super::modbus::{self, Modbus};
use super::{cjt188, dlt645, iec62056, mbus, mqtt};
use crate::document::Table as Fields;

/// The tables that name a language.
const TABLES: [&str; 7] = ["modbus", "bacnet", "dlt645", "cjt188", "mbus", "iec62056", "mqtt"];

/// A meter may take 500 ms until it begins to answer (DL/T 645-2007: the delay Td), and is asked through slow adapters.
const DLT645_TIMEOUT: Duration = Duration::from_millis(700);
/// Meters that run on a battery wake up first.
const CJT188_TIMEOUT: Duration = Duration::from_secs(1);
/// 330 bit times and 50 ms (EN 13757-2): 190 ms at 2400 baud, and the way through a level converter. At 300 baud the
/// line's own timeout is raised.
const MBUS_TIMEOUT: Duration = Duration::from_millis(500);
/// A meter may take 1500 ms until it answers (IEC 62056-21, the reaction time), and is asked through slow adapters.
const IEC62056_TIMEOUT: Duration = Duration::from_millis(1700);

/// What a point's keys gave: nothing where they have faults, which are told.
pub(super) struct Placed {
    pub place: Option<Place>,
    pub form: Option<Form>,
}

/// What a value is made of, before it is scaled.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    Bit,
    Whole { bits: u32 },
    Float { bits: u32 },
    Text,
}

pub(super) fn language(root: &Fields<'_>) -> (Language, Pace) {
    let named: Vec<&str> = TABLES.into_iter().filter(|table| root.has(table)).collect();
    if let [first, second, ..] = named.as_slice() {
        let message = format!("a profile speaks one language, and this one names {first} too");
        root.fault(second, message, "remove one of the two tables");
    }
    let Some(name) = named.first() else {
        return (Language::Modbus(Modbus::default()), Pace::default());
    };
    let Some(fields) = root.optional_table(name) else {
        return (Language::Modbus(Modbus::default()), Pace::default());
    };
    let (language, usual) = match *name {
        "bacnet" => (Language::Bacnet(bacnet::limits(&fields)), None),
        "dlt645" => (Language::Dlt645(dlt645::limits(&fields)), Some(DLT645_TIMEOUT)),
        "cjt188" => (Language::Cjt188(cjt188::limits(&fields)), Some(CJT188_TIMEOUT)),
        "mbus" => (Language::Mbus(mbus::limits(&fields)), Some(MBUS_TIMEOUT)),
        "iec62056" => (Language::Iec62056(iec62056::limits(&fields)), Some(IEC62056_TIMEOUT)),
        "mqtt" => return (Language::Mqtt(mqtt::limits(&fields)), Pace::default()),
        _ => (Language::Modbus(modbus::limits(&fields)), None),
    };
    let pace = Pace {
        pause: duration_within(&fields, "pause", Duration::ZERO..=Duration::from_secs(1)).unwrap_or_default(),
        timeout: duration_within(&fields, "timeout", Duration::from_millis(20)..=Duration::from_secs(30))
            .or(usual),
    };
    (language, pace)
}

pub(super) fn place(fields: &Fields<'_>, language: &Language) -> Placed {
    match language {
        Language::Modbus(limits) => modbus::place(fields, limits),
        Language::Dlt645(limits) => dlt645::place(fields, limits),
        Language::Cjt188(_) => cjt188::place(fields),
        Language::Mbus(_) => mbus::place(fields),
        Language::Iec62056(_) => iec62056::place(fields),
        Language::Bacnet(_) => bacnet::place(fields),
        Language::Mqtt(_) => mqtt::place(fields),
    }
}

/// A device that wants more than this stops its line for all others.
fn duration_within(fields: &Fields<'_>, key: &str, range: RangeInclusive<Duration>) -> Option<Duration> {
    let given = fields.optional::<Duration>(key)?;
    if range.contains(&given) {
        return Some(given);
    }
    let (least, most) = (range.start().as_millis(), range.end().as_millis());
    fields.fault(
        key,
        "this duration is out of range",
        format!("write one from \"{least}ms\" to \"{most}ms\""),
    );
    None
}
