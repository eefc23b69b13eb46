//! What is asked of a meter, and which of its records each point is. A meter sends all that it has, so that one readout
//! serves all points.

use std::ops::Range;

use steward_shared::profile::mbus::{Header, Mbus, Record as Wanted, RecordType, What};
use steward_shared::profile::measure::meter_unit;
use steward_shared::profile::{Place, PointDef};
use steward_shared::reading::{Quality, Value};

use super::address::Address;
use super::data::Data;
use super::exchange::{Decoder, Request};
use super::quantity::{Meaning, meaning, scaled, scaled_real};
use super::record::{HEADER, Record, records};
use crate::question::{PointValue, part};

/// One readout.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ask {
    pub telegrams: u8,
    /// Indices into the points that were handed to the planner.
    pub points: Vec<usize>,
}

/// Which record a point of a meter that speaks M-Bus is.
pub(super) fn record_of(point: &PointDef) -> Option<&Wanted> {
    match &point.place {
        Place::Mbus(record) => Some(record),
        _ => None,
    }
}

/// The wanted points (`wanted` are indices into `points`; all others are left out) in one question.
pub fn plan(points: &[PointDef], wanted: impl IntoIterator<Item = usize>, limits: &Mbus) -> Vec<Ask> {
    let points: Vec<usize> =
        wanted.into_iter().filter(|i| points.get(*i).and_then(record_of).is_some()).collect();
    if points.is_empty() { Vec::new() } else { vec![Ask { telegrams: limits.telegrams, points }] }
}

/// A record with what its value information means.
struct Understood<'a> {
    record: Record<'a>,
    meaning: Option<Meaning>,
}

impl Ask {
    pub const fn exchange(&self, address: Address) -> Decoder {
        Decoder::new(Request::Read { telegrams: self.telegrams }, address)
    }

    /// The values of its points in the header and records that a meter sent.
    pub fn values(&self, points: &[PointDef], contents: &[u8]) -> Vec<PointValue> {
        let Some((header, rest)) = contents.split_first_chunk::<HEADER>() else {
            let nothing = |i: &usize| PointValue { point: *i, value: None, quality: Quality::BadReply };
            return self.points.iter().map(nothing).collect();
        };
        let sent: Vec<Understood<'_>> = understood(rest).collect();
        let value = |i: &usize| {
            let point = points.get(*i)?;
            let wanted = record_of(point)?;
            let read = match wanted.what {
                What::Header(field) => of_header(point, wanted.data, field, header),
                _ => sent
                    .iter()
                    .find(|sent| sent.is(wanted))
                    .map_or(Err(Quality::NoValue), |sent| sent.value(point, wanted)),
            };
            let (value, quality) = match read {
                Ok(value) => (Some(value), Quality::Good),
                Err(quality) => (None, quality),
            };
            Some(PointValue { point: *i, value, quality })
        };
        self.points.iter().filter_map(value).collect()
    }
}

/// Which bytes of the header and records a point is made of: its record, whole.
pub fn bytes(point: &PointDef, contents: &[u8]) -> Option<Range<usize>> {
    let wanted = record_of(point)?;
    let rest = contents.get(HEADER..)?;
    match wanted.what {
        What::Header(Header::Identification) => Some(0..4),
        What::Header(Header::AccessNumber) => Some(8..9),
        What::Header(Header::Status) => Some(9..10),
        _ => {
            let sent = understood(rest).find(|sent| sent.is(wanted))?;
            part(contents, sent.record.bytes)
        }
    }
}

fn understood(records_sent: &[u8]) -> impl Iterator<Item = Understood<'_>> {
    records(records_sent).map(|record| Understood { meaning: meaning(&record.vif), record })
}

impl Understood<'_> {
    fn is(&self, wanted: &Wanted) -> bool {
        let record = &self.record;
        let marks = (record.storage, record.tariff, record.subunit, record.function);
        marks == (wanted.storage, wanted.tariff, wanted.subunit, wanted.function)
            && match (&wanted.what, &self.meaning) {
                (What::Quantity { quantity, vife }, Some(meaning)) => {
                    meaning.quantity == *quantity && meaning.vife == *vife
                }
                (What::Vif(vif), _) => record.vif == *vif,
                _ => false,
            }
    }

    fn value(&self, point: &PointDef, wanted: &Wanted) -> Result<Value, Quality> {
        if !matches!((wanted.data, &wanted.what), (RecordType::Number, What::Quantity { .. })) {
            return convert(point, wanted.data, self.record.data);
        }
        let meaning = self.meaning.as_ref().ok_or(Quality::Undecodable)?;
        let (Some((dimension, from)), Some((own, to))) = (meaning.unit, meter_unit(&point.unit)) else {
            return Err(Quality::Undecodable);
        };
        if dimension != own {
            return Err(Quality::Undecodable);
        }
        let number = match self.record.data {
            Data::Real(real) => scaled_real(f64::from(real), meaning.exponent, from, to),
            data => scaled(not_sentinel(point, data)?, meaning.exponent, from, to),
        };
        finite(number)
    }
}

fn finite(number: f64) -> Result<Value, Quality> {
    if number.is_finite() { Ok(Value::Number(number)) } else { Err(Quality::Undecodable) }
}

fn not_sentinel(point: &PointDef, data: Data<'_>) -> Result<i128, Quality> {
    let number = data.integer()?;
    let none = point.sentinels.iter().any(|none| i128::from(*none) == number);
    if none { Err(Quality::NoValue) } else { Ok(number) }
}

/// What has no unit of its own.
fn convert(point: &PointDef, data: RecordType, from: Data<'_>) -> Result<Value, Quality> {
    match data {
        RecordType::Number => match from {
            Data::Real(real) => finite(f64::from(real) * point.scale.as_f64() + point.offset.as_f64()),
            from => finite(point.scale.apply(not_sentinel(point, from)?, point.offset)),
        },
        RecordType::Bit { n } => Ok(Value::Number((from.bits()? >> n & 1) as f64)),
        RecordType::Bits { from: first, len } => {
            let mask = if len >= 64 { u64::MAX } else { (1 << len) - 1 };
            let raw = from.bits()? >> first & mask;
            Ok(Value::Number(point.scale.apply(i128::from(raw), point.offset)))
        }
        RecordType::Digits | RecordType::Text => from.text().map(Value::Text),
        RecordType::Date => from.date().map(Value::Text),
    }
}

fn of_header(
    point: &PointDef,
    data: RecordType,
    field: Header,
    header: &[u8; HEADER],
) -> Result<Value, Quality> {
    let [a, b, c, d, _, _, _, _, access, status, ..] = header;
    match field {
        Header::Identification => {
            let bytes = [*a, *b, *c, *d];
            convert(point, data, Data::Digits { bytes: &bytes, negative: false })
        }
        Header::AccessNumber | Header::Status => {
            // One byte without a sign.
            let byte = if field == Header::Status { *status } else { *access };
            convert(point, data, Data::Integer(&[byte, 0]))
        }
    }
}
