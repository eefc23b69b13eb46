//! A point's value as its property has it on the wire, for who commands it and for simulated devices, and the way back
//! for what is written to those. What the standard makes of
//! a present value is its object's type (ASHRAE 135, clause 12).

use steward_shared::profile::{BacnetData, BacnetPoint, ObjectType, PointDef, PropertyId};
use steward_shared::reading::Value as Shown;

use super::value::{Bits, Value};

/// The type of an object's present value.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Kind {
    Real,
    Double,
    Unsigned,
    Signed,
    Enumerated,
    Boolean,
    Text,
    Bits,
}

impl Kind {
    /// Of a point's property.
    pub const fn of(point: &BacnetPoint) -> Self {
        if matches!(point.property, PropertyId::PRESENT_VALUE) {
            match point.object.0 {
                0..=2 | 12 | 24 => return Self::Real,
                3..=5 => return Self::Enumerated,
                13 | 14 | 19 | 23 | 48 => return Self::Unsigned,
                39 => return Self::Bits,
                40 => return Self::Text,
                45 => return Self::Signed,
                46 => return Self::Double,
                _ => {}
            }
        }
        match (point.data, point.property) {
            (BacnetData::Real, _) => Self::Real,
            (BacnetData::Whole, PropertyId::EVENT_STATE | PropertyId::RELIABILITY | PropertyId::UNITS) => {
                Self::Enumerated
            }
            (BacnetData::Whole, _) => Self::Unsigned,
            (BacnetData::Flag, _) => Self::Boolean,
            (BacnetData::Bit { .. }, _) => Self::Bits,
            (BacnetData::Text, _) => Self::Text,
        }
    }

    /// What stands there where there is no value: its status says that it is none.
    fn nothing(self) -> Value {
        match self {
            Self::Real => Value::Real(0.0),
            Self::Double => Value::Double(0.0),
            Self::Unsigned => Value::Unsigned(0),
            Self::Signed => Value::Signed(0),
            Self::Enumerated => Value::Enumerated(0),
            Self::Boolean => Value::Boolean(false),
            Self::Text => Value::Text(String::new()),
            Self::Bits => Value::Bits(Bits::default()),
        }
    }
}

/// A value as the property has it.
pub fn value(def: &PointDef, kind: Kind, shown: Option<&Shown>) -> Value {
    let number = match shown {
        Some(Shown::Text(text)) if kind == Kind::Text => return Value::Text(text.clone()),
        None | Some(Shown::Text(_)) => return kind.nothing(),
        Some(Shown::Number(number)) => (number - def.offset.as_f64()) / def.scale.as_f64(),
    };
    match kind {
        Kind::Real => Value::Real(number as f32),
        Kind::Double => Value::Double(number),
        Kind::Unsigned => Value::Unsigned(number.max(0.0).round() as u64),
        Kind::Signed => Value::Signed(number.round() as i64),
        Kind::Enumerated => Value::Enumerated(number.max(0.0).round() as u32),
        Kind::Boolean => Value::Boolean(number != 0.0),
        Kind::Text => Value::Text(format!("{number}")),
        Kind::Bits => Value::Bits(Bits::from_bools(&[number != 0.0])),
    }
}

/// The value that makes the point's property show this; none where it has no such.
pub fn command(def: &PointDef, shown: &Shown) -> Option<Value> {
    let place = def.bacnet()?;
    matches!(shown, Shown::Number(_)).then(|| value(def, Kind::of(place), Some(shown)))
}

/// What the point's property is on a device whose point shows this.
pub fn held(def: &PointDef, shown: Option<&Shown>) -> Option<Value> {
    def.bacnet().map(|place| value(def, Kind::of(place), shown))
}

/// What of several points of one bit string is on.
pub fn bits<'p>(points: impl IntoIterator<Item = (&'p BacnetPoint, Option<Shown>)>) -> Value {
    let mut all: Vec<bool> = Vec::new();
    for (point, shown) in points {
        let BacnetData::Bit { n } = point.data else { continue };
        let n = usize::from(n);
        if all.len() <= n {
            all.resize(n + 1, false);
        }
        if let Some(bit) = all.get_mut(n) {
            *bit = matches!(shown, Some(Shown::Number(number)) if number != 0.0);
        }
    }
    Value::Bits(Bits::from_bools(&all))
}

/// Why a value is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unfit {
    Type,
    Range,
}

/// What a value that is written shows as; the type must be the property's own.
pub fn shown(def: &PointDef, kind: Kind, object: ObjectType, value: &Value) -> Result<Shown, Unfit> {
    let number = match (kind, value) {
        (Kind::Real, Value::Real(real)) => f64::from(*real),
        (Kind::Double, Value::Double(double)) => *double,
        (Kind::Unsigned, Value::Unsigned(number)) => *number as f64,
        (Kind::Signed, Value::Signed(number)) => *number as f64,
        (Kind::Enumerated, Value::Enumerated(code)) => f64::from(*code),
        _ => return Err(Unfit::Type),
    };
    let is_binary = matches!(object.0, 3..=5);
    let of_states = matches!(object.0, 13 | 14 | 19);
    let last = def.labels.iter().map(|label| label.code).max();
    let in_states = (1.0..=last.map_or(f64::MAX, |code| code as f64)).contains(&number);
    if !number.is_finite() || is_binary && number > 1.0 || of_states && !in_states {
        return Err(Unfit::Range);
    }
    let number = number * def.scale.as_f64() + def.offset.as_f64();
    match def.write.and_then(|write| write.range) {
        Some((min, max)) if !(min..=max).contains(&number) => Err(Unfit::Range),
        _ => Ok(Shown::Number(number)),
    }
}

/// BACnet's number for a unit (clause 21, BACnetEngineeringUnits); 95 is none.
pub fn units(code: &str) -> u32 {
    match code {
        "mA" => 2,
        "A" => 3,
        "V" => 5,
        "kV" => 6,
        "V.A" => 8,
        "kV.A" => 9,
        "var" => 11,
        "kvar" => 12,
        "kJ" => 17,
        "W.h" => 18,
        "kW.h" => 19,
        "Hz" => 27,
        "W" => 47,
        "kW" => 48,
        "MW" => 49,
        "Pa" => 53,
        "kPa" => 54,
        "bar" => 55,
        "Cel" => 62,
        "K" => 63,
        "d" => 70,
        "h" => 71,
        "min" => 72,
        "s" => 73,
        "m/s" => 74,
        "m3" => 80,
        "L" => 82,
        "m3/s" => 85,
        "L/s" => 87,
        "L/min" => 88,
        "deg" => 90,
        "[ppm]" | "ppm" => 96,
        "%" => 98,
        "/min" => 104,
        "mV" => 124,
        "MJ" => 126,
        "m3/h" => 135,
        "L/h" => 136,
        "MW.h" => 146,
        _ => 95,
    }
}
