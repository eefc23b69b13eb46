//! What a profile says, once it has been read and found in order.

use std::sync::Arc;
use std::time::Duration;

use super::bacnet::{Bacnet, BacnetPoint};
use super::cjt188::{self, Cjt188};
use super::decimal::Decimal;
use super::derived::Derived;
use super::dlt645::{self, Dlt645};
use super::iec62056::{self, Iec62056};
use super::mbus::{self, Mbus};
use super::modbus::{Modbus, Register};
use super::mqtt::{self, Mqtt};
use super::rules::Rules;
use super::write::Writable;
use crate::document::Spot;
use crate::wire::message::{Label, Names, PointKind};

/// One model of one vendor.
#[derive(Clone, Debug, PartialEq)]
pub struct Profile {
    /// `vendor/model`, as the file's path says.
    pub id: String,
    pub vendor: String,
    pub model: String,
    pub title: Names,
    /// Where its registers are published; each entry names a document or public repository.
    pub source: Vec<String>,
    pub language: Language,
    pub pace: Pace,
    /// In the order of the file, those that are reckoned of others behind them; keys are unique.
    pub points: Vec<PointDef>,
    pub frames: Vec<SampleFrame>,
}

impl Profile {
    pub fn point(&self, key: &str) -> Option<&PointDef> {
        self.points.iter().find(|p| p.key == key)
    }

    /// Whether a device is asked and understood by this profile as by the other; what people read may differ.
    pub fn reads_like(&self, other: &Self) -> bool {
        let Self { id: _, vendor: _, model: _, title: _, source: _, language, pace, points, frames: _ } =
            self;
        (language, pace) == (&other.language, &other.pace)
            && points.len() == other.points.len()
            && points.iter().zip(&other.points).all(|(a, b)| a.reads_like(b))
    }
}

/// What the device speaks, and what it bears.
#[derive(Clone, Debug, PartialEq)]
pub enum Language {
    Modbus(Modbus),
    Dlt645(Dlt645),
    Cjt188(Cjt188),
    Mbus(Mbus),
    Iec62056(Iec62056),
    Bacnet(Bacnet),
    /// Nothing is asked: the device tells.
    Mqtt(Mqtt),
}

impl Language {
    /// As people call it.
    pub const fn name(&self) -> &'static str {
        match self {
            Self::Modbus(_) => "Modbus",
            Self::Dlt645(_) => "DL/T 645",
            Self::Cjt188(_) => "CJ/T 188",
            Self::Mbus(_) => "M-Bus",
            Self::Iec62056(_) => "IEC 62056-21",
            Self::Bacnet(_) => "BACnet",
            Self::Mqtt(_) => "MQTT",
        }
    }
}

/// What time the device wants, whatever it speaks.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Pace {
    /// Silence between an answer and the next request to it, beyond the language's own. At most 1 s.
    pub pause: Duration,
    /// How long the device may take for its answer, where its documentation says so, 20 ms to 30 s. It lengthens
    /// the line's timeout and never shortens it: what lies between may add its own.
    pub timeout: Option<Duration>,
}

/// Where a point stands in its device, and how it is written there.
#[derive(Clone, Debug, PartialEq)]
pub enum Place {
    Modbus(Register),
    Bacnet(BacnetPoint),
    /// Nowhere: it is reckoned of other points.
    Derived(Derived),
    Dlt645(dlt645::Item),
    Cjt188(cjt188::Item),
    Mbus(mbus::Record),
    Iec62056(iec62056::DataSet),
    Mqtt(mqtt::Told),
}

/// How often a point is worth reading; the gateway's file gives the periods.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum PeriodClass {
    Fast,
    Normal,
    Slow,
    /// What hardly ever changes: serial numbers, versions.
    Static,
}

impl PeriodClass {
    pub const ALL: [Self; 4] = [Self::Fast, Self::Normal, Self::Slow, Self::Static];

    pub const fn word(self) -> &'static str {
        match self {
            Self::Fast => "fast",
            Self::Normal => "normal",
            Self::Slow => "slow",
            Self::Static => "static",
        }
    }
}

/// What a point is for the gateway itself, besides a value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Role {
    /// The ratio of the current transformers: when it changes, counters of primary values change with it.
    CtRatio,
    /// The device's own clock, in seconds since 1970 or as a text of its digits.
    Clock,
}

/// One point of a model.
#[derive(Clone, Debug, PartialEq)]
pub struct PointDef {
    /// Lower case words joined by hyphens; its identity in the profile.
    pub key: String,
    pub title: Names,
    pub place: Place,
    /// value = raw * scale + offset, both exact.
    pub scale: Decimal,
    pub offset: Decimal,
    /// UCUM code, `1` where there is none.
    pub unit: String,
    /// Digits after the decimal point that are worth showing.
    pub decimals: u8,
    pub kind: PointKind,
    pub labels: Vec<Label>,
    /// Raw contents (as unsigned bits of the type's width, before scaling) that mean "no value".
    pub sentinels: Vec<u64>,
    /// The value, scaled, at which a counter starts over.
    pub modulus: Option<f64>,
    pub class: PeriodClass,
    /// It tells of something that somebody must hear of at once: it is read before the others.
    pub alarm: bool,
    /// What is done with a value before it is kept; shared with all devices for which the site says nothing else.
    pub rules: Arc<Rules>,
    pub role: Option<Role>,
    /// What may be written into it; nothing where it is absent.
    pub write: Option<Writable>,
}

impl PointDef {
    fn reads_like(&self, other: &Self) -> bool {
        let Self {
            key,
            title: _,
            place,
            scale,
            offset,
            unit: _,
            decimals: _,
            kind,
            labels: _,
            sentinels,
            modulus: _,
            class,
            alarm,
            rules: _,
            role: _,
            write: _,
        } = self;
        (key, place, scale, offset) == (&other.key, &other.place, &other.scale, &other.offset)
            && (kind, sentinels, class, alarm) == (&other.kind, &other.sentinels, &other.class, &other.alarm)
    }

    /// Where its values come from, of a device that tells by MQTT.
    pub const fn told(&self) -> Option<&mqtt::Told> {
        match &self.place {
            Place::Mqtt(told) => Some(told),
            _ => None,
        }
    }

    /// Where it stands in a device that speaks Modbus.
    pub const fn register(&self) -> Option<&Register> {
        match &self.place {
            Place::Modbus(register) => Some(register),
            _ => None,
        }
    }

    /// Which property it is in a device that speaks BACnet.
    pub const fn bacnet(&self) -> Option<&BacnetPoint> {
        match &self.place {
            Place::Bacnet(point) => Some(point),
            _ => None,
        }
    }

    /// How it is reckoned, where it is not measured.
    pub const fn derived(&self) -> Option<&Derived> {
        match &self.place {
            Place::Derived(derived) => Some(derived),
            _ => None,
        }
    }

    /// Whether its values are quantities.
    pub const fn is_number(&self) -> bool {
        matches!(self.kind, PointKind::Gauge | PointKind::Counter)
    }
}

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Framing {
    Rtu,
    Ascii,
    Tcp,
}

/// A request and its answer as they stand on the wire, and what must be read from them.
#[derive(Clone, Debug)]
pub struct SampleFrame {
    /// Where the bytes come from: a document, or the independent program that made them.
    pub source: String,
    /// Whether somebody made its contents from the map, so that it proves how the map is read and not the map.
    pub made: bool,
    /// Of Modbus; the other languages have one each.
    pub framing: Framing,
    pub request: Vec<u8>,
    pub response: Vec<u8>,
    pub values: Vec<(String, SampleValue)>,
    /// Where it begins in the profile's file.
    pub spot: Spot,
}

/// Where a frame stands is no part of what it says: a line that is added above it changes no profile.
impl PartialEq for SampleFrame {
    fn eq(&self, other: &Self) -> bool {
        let Self { source, made, framing, request, response, values, spot: _ } = self;
        (source, made, framing, request, response, values)
            == (&other.source, &other.made, &other.framing, &other.request, &other.response, &other.values)
    }
}

/// What a point of a sample frame must give.
#[derive(Clone, Debug, PartialEq)]
pub enum SampleValue {
    Number(f64),
    Text(String),
    /// The device says that it has no value.
    Nothing,
}
