//! The numbers that a simulated device can show of a point, in each language as it encodes them. `simulated` refuses others
//! when somebody sets them: what is cut off, or shown as no value, would be looked for in the reader.

use steward_protocols::mbus::written;
use steward_shared::profile::mbus::{RecordType, What};
use steward_shared::profile::measure::meter_unit;
use steward_shared::profile::{BacnetData, DataType, Field, FieldType, Place, PointDef, iec62056};
use steward_shared::wire::message::PointKind;

use super::course::range;

/// What simulated meters of M-Bus write at most: whole numbers of six bytes.
const SIX_BYTES: f64 = ((1_u64 << 47) - 1) as f64;

/// Least and most; none where there is no bound but that of a number itself, or where it is none.
pub fn room(point: &PointDef) -> Option<(f64, f64)> {
    if point.kind == PointKind::Flag {
        return Some((0.0, 1.0));
    }
    match &point.place {
        Place::Modbus(register) => match register.data {
            DataType::F32 => Some(scaled(point, f64::from(f32::MIN), f64::from(f32::MAX))),
            _ => range(point),
        },
        Place::Dlt645(item) => field(point, item.field),
        Place::Cjt188(item) => field(point, item.field),
        Place::Mbus(record) => match (record.data, &record.what) {
            (RecordType::Bit { .. }, _) => Some((0.0, 1.0)),
            (RecordType::Bits { len, .. }, _) => Some((0.0, mask(len))),
            (RecordType::Number, What::Quantity { quantity, .. }) => {
                let (_, to) = meter_unit(&point.unit)?;
                let (_, factor) = written(*quantity, to, point.decimals)?;
                Some((-SIX_BYTES / factor, SIX_BYTES / factor))
            }
            (RecordType::Number, _) => Some(scaled(point, -SIX_BYTES, SIX_BYTES)),
            (RecordType::Digits | RecordType::Text | RecordType::Date, _) => None,
        },
        Place::Iec62056(set) => match set.data {
            iec62056::ValueType::Bit { .. } => Some((0.0, 1.0)),
            iec62056::ValueType::Bits { len, .. } => Some((0.0, mask(len))),
            iec62056::ValueType::Number | iec62056::ValueType::Text => None,
        },
        // A present value is REAL, of 32 bits.
        Place::Bacnet(point) if point.data == BacnetData::Text => None,
        Place::Bacnet(_) => Some((f64::from(f32::MIN), f64::from(f32::MAX))),
        Place::Derived(_) | Place::Mqtt(_) => None,
    }
}

fn field(point: &PointDef, field: Field) -> Option<(f64, f64)> {
    let bits = u32::from(field.bytes) * 8;
    match field.data {
        // The sign takes one bit of the highest digit.
        FieldType::Bcd { signed } => {
            let all = 10_f64.powi(i32::from(field.bytes) * 2);
            let most = if signed { all * 0.8 } else { all } - 1.0;
            Some(scaled(point, if signed { -most } else { 0.0 }, most))
        }
        FieldType::Binary => Some(scaled(point, 0.0, 2_f64.powi(bits.cast_signed()) - 1.0)),
        FieldType::Bit { .. } => Some((0.0, 1.0)),
        FieldType::Bits { len, .. } => Some(scaled(point, 0.0, mask(len))),
        FieldType::Digits | FieldType::Text => None,
    }
}

fn mask(len: u8) -> f64 {
    2_f64.powi(i32::from(len)) - 1.0
}

fn scaled(point: &PointDef, low: f64, high: f64) -> (f64, f64) {
    let [a, b] = [low, high].map(|raw| raw * point.scale.as_f64() + point.offset.as_f64());
    (a.min(b), a.max(b))
}
