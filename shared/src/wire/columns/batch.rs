//! A batch: readings of many points, sorted by point and instant, as a CBOR map with integer keys whose byte strings
//! are columns. Points polled together share their instants, so instants are kept as lists that points refer to.
//! The edge writes it, the hub reads it and keeps it; a field is only ever appended, and another meaning of a
//! field is another schema number.

use std::collections::HashMap;

use serde::{Deserialize, Serialize};

use super::error::{ColumnsError, MAX_READINGS};
use super::numbers::Form;
use super::{floats, integers, runs};
use crate::id::{BootId, PointNo};
use crate::reading::{Quality, Reading, Value};
use crate::time::Timestamp;
use crate::wire::frame::{from_cbor, to_cbor};
use crate::wire::message::bytes;

/// The schema that this program writes, and the newest that it reads.
const SCHEMA: u32 = 1;

const NUMBER: u8 = 0;
const ABSENT: u8 = 1;
const TEXT: u8 = 2;

/// When and in which run of the machine a batch was made, by both of its clocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Header {
    pub boot: BootId,
    /// Milliseconds since the machine started.
    pub mono_ms: u64,
    pub wall: Timestamp,
}

/// What a batch holds. The readings are sorted by point, then instant.
#[derive(Clone, Debug, PartialEq)]
pub struct Body {
    pub header: Header,
    pub readings: Vec<Reading>,
}

#[derive(Deserialize)]
struct Probe {
    schema: u32,
}

/// The order of the fields is their key.
#[derive(Serialize, Deserialize)]
struct Envelope {
    schema: u32,
    boot: BootId,
    mono_ms: u64,
    wall: Timestamp,
    readings: u32,
    points: u32,
    lists: u32,
    /// Numbers of the points, ascending.
    #[serde(with = "bytes")]
    numbers: Vec<u8>,
    /// Per point the list of instants that it has.
    #[serde(with = "bytes")]
    list_of: Vec<u8>,
    /// Per list its length.
    #[serde(with = "bytes")]
    lengths: Vec<u8>,
    /// The instants of all lists, in milliseconds since 1970.
    #[serde(with = "bytes")]
    instants: Vec<u8>,
    /// Per reading, in runs.
    #[serde(with = "bytes")]
    qualities: Vec<u8>,
    /// Per reading whether a number, nothing or a text was read, in runs.
    #[serde(with = "bytes")]
    presence: Vec<u8>,
    /// Per point with numbers how they are written.
    #[serde(with = "bytes")]
    forms: Vec<u8>,
    /// Per point with decimals the first of them.
    #[serde(with = "bytes")]
    firsts: Vec<u8>,
    /// The steps from each of the other decimals' predecessors.
    #[serde(with = "bytes")]
    steps: Vec<u8>,
    #[serde(with = "bytes")]
    singles: Vec<u8>,
    #[serde(with = "bytes")]
    doubles: Vec<u8>,
    #[serde(with = "bytes")]
    text_lengths: Vec<u8>,
    #[serde(with = "bytes")]
    texts: Vec<u8>,
}

/// The values of all points on their way into columns, or out of them.
#[derive(Default)]
struct Numbers {
    forms: Vec<i64>,
    firsts: Vec<i64>,
    steps: Vec<i64>,
    singles: Vec<f32>,
    doubles: Vec<f64>,
}

impl Numbers {
    fn push_point(&mut self, values: &[f64]) {
        if values.is_empty() {
            return;
        }
        let form = Form::of(values);
        self.forms.push(i64::from(form.code()));
        match form {
            Form::Float32 => self.singles.extend(values.iter().map(|v| *v as f32)),
            Form::Float64 => self.doubles.extend_from_slice(values),
            Form::Decimal(_) | Form::Single(_) => {
                let mut last = None;
                for i in values.iter().filter_map(|v| form.integer(*v)) {
                    match last {
                        None => self.firsts.push(i),
                        Some(before) => self.steps.push(i.wrapping_sub(before)),
                    }
                    last = Some(i);
                }
            }
        }
    }
}

/// Readings in any order as a body. At most [`MAX_READINGS`].
pub fn encode(readings: &[Reading], header: &Header) -> Result<Vec<u8>, ColumnsError> {
    if readings.len() > MAX_READINGS {
        return Err(ColumnsError::TooMany(readings.len()));
    }
    let mut sorted: Vec<&Reading> = readings.iter().collect();
    sorted.sort_by_key(|r| (r.point, r.at));

    let mut lists: HashMap<Vec<i64>, i64> = HashMap::new();
    let (mut points, mut list_of, mut lengths, mut instants) = (vec![], vec![], vec![], vec![]);
    let (mut text_lengths, mut texts) = (vec![], vec![]);
    let mut numbers = Numbers::default();
    let (mut times, mut values) = (vec![], vec![]);
    for of_point in sorted.chunk_by(|a, b| a.point == b.point) {
        points.extend(of_point.first().map(|r| i64::from(r.point.0)));
        times.clear();
        times.extend(of_point.iter().map(|r| r.at.0));
        let known = lists.get(times.as_slice()).copied();
        list_of.push(known.unwrap_or_else(|| {
            let next = lists.len() as i64;
            lengths.push(times.len() as i64);
            instants.extend_from_slice(&times);
            lists.insert(times.clone(), next);
            next
        }));
        values.clear();
        for r in of_point {
            match &r.value {
                Some(Value::Number(v)) => values.push(*v),
                Some(Value::Text(t)) => {
                    text_lengths.push(t.len() as i64);
                    texts.extend_from_slice(t.as_bytes());
                }
                None => {}
            }
        }
        numbers.push_point(&values);
    }
    let presence = sorted.iter().map(|r| match r.value {
        Some(Value::Number(_)) => NUMBER,
        None => ABSENT,
        Some(Value::Text(_)) => TEXT,
    });
    let envelope = Envelope {
        schema: SCHEMA,
        boot: header.boot,
        mono_ms: header.mono_ms,
        wall: header.wall,
        readings: sorted.len() as u32,
        points: points.len() as u32,
        lists: lengths.len() as u32,
        numbers: integers::encode(&points),
        list_of: integers::encode(&list_of),
        lengths: integers::encode(&lengths),
        instants: integers::encode(&instants),
        qualities: runs::encode(sorted.iter().map(|r| r.quality.code())),
        presence: runs::encode(presence),
        forms: integers::encode(&numbers.forms),
        firsts: integers::encode(&numbers.firsts),
        steps: integers::encode(&numbers.steps),
        singles: floats::encode(&numbers.singles),
        doubles: floats::encode(&numbers.doubles),
        text_lengths: integers::encode(&text_lengths),
        texts,
    };
    to_cbor(&envelope).map_err(ColumnsError::Envelope)
}

/// The inverse of [`encode`], for bytes that may come from anyone.
pub fn decode(body: &[u8]) -> Result<Body, ColumnsError> {
    let probe: Probe = from_cbor(body).map_err(ColumnsError::Envelope)?;
    if probe.schema != SCHEMA {
        return Err(ColumnsError::UnknownSchema(probe.schema));
    }
    let e: Envelope = from_cbor(body).map_err(ColumnsError::Envelope)?;
    let (n, n_points, n_lists) = (e.readings as usize, e.points as usize, e.lists as usize);
    if n > MAX_READINGS {
        return Err(ColumnsError::TooMany(n));
    }
    if n_points > n || n_lists > n_points {
        return Err(ColumnsError::Damaged("counts"));
    }
    let lists = lists(&e, n, n_lists).ok_or(ColumnsError::Damaged("instants"))?;
    let points = points(&e, n_points).ok_or(ColumnsError::Damaged("numbers"))?;
    let list_of = integers::decode(&e.list_of, n_points).ok_or(ColumnsError::Damaged("list_of"))?;
    let qualities = runs::decode(&e.qualities, n).ok_or(ColumnsError::Damaged("qualities"))?;
    let presence = runs::decode(&e.presence, n).ok_or(ColumnsError::Damaged("presence"))?;

    // First the layout, whose sums are checked; then the values, which it says how many there are of.
    let mut slots = Vec::with_capacity(n);
    for (point, list) in points.iter().zip(&list_of) {
        let times = usize::try_from(*list).ok().and_then(|i| lists.get(i));
        let times = times.ok_or(ColumnsError::Damaged("list_of"))?;
        if times.len() > n - slots.len() {
            return Err(ColumnsError::Damaged("list_of"));
        }
        slots.extend(times.iter().map(|t| (*point, *t)));
    }
    if slots.len() != n {
        return Err(ColumnsError::Damaged("list_of"));
    }
    let mut per_point = Vec::with_capacity(n_points);
    let mut kinds = presence.iter();
    for of_point in slots.chunk_by(|a, b| a.0 == b.0) {
        let numbers = kinds.by_ref().take(of_point.len()).filter(|k| **k == NUMBER).count();
        if numbers > 0 {
            per_point.push(numbers);
        }
    }
    let mut values = numbers(&e, &per_point).ok_or(ColumnsError::Damaged("values"))?.into_iter();
    let n_texts = presence.iter().copied().filter(|k| *k == TEXT).count();
    let mut texts = texts(&e, n_texts).ok_or(ColumnsError::Damaged("texts"))?.into_iter();

    let mut readings = Vec::with_capacity(n);
    for (((point, at), quality), kind) in slots.into_iter().zip(qualities).zip(presence) {
        let value = match kind {
            NUMBER => Some(Value::Number(values.next().ok_or(ColumnsError::Damaged("values"))?)),
            ABSENT => None,
            TEXT => Some(Value::Text(texts.next().ok_or(ColumnsError::Damaged("texts"))?)),
            _ => return Err(ColumnsError::Damaged("presence")),
        };
        readings.push(Reading { point, at: Timestamp(at), value, quality: Quality::from_code(quality) });
    }
    let header = Header { boot: e.boot, mono_ms: e.mono_ms, wall: e.wall };
    Ok(Body { header, readings })
}

fn points(e: &Envelope, n: usize) -> Option<Vec<PointNo>> {
    let numbers = integers::decode(&e.numbers, n)?;
    if !numbers.is_sorted_by(|a, b| a < b) {
        return None;
    }
    numbers.into_iter().map(|v| u32::try_from(v).ok().map(PointNo)).collect()
}

fn lists(e: &Envelope, readings: usize, n: usize) -> Option<Vec<Vec<i64>>> {
    let lengths = integers::decode(&e.lengths, n)?;
    let mut total = 0usize;
    for length in &lengths {
        total = total.checked_add(usize::try_from(*length).ok().filter(|l| *l > 0)?)?;
        if total > readings {
            return None;
        }
    }
    let all = integers::decode(&e.instants, total)?;
    let mut rest = all.as_slice();
    let mut out = Vec::with_capacity(n);
    for length in lengths {
        let (list, after) = rest.split_at_checked(usize::try_from(length).ok()?)?;
        out.push(list.to_vec());
        rest = after;
    }
    Some(out)
}

/// The numbers of all points one after another; `counts` says how many each point has.
fn numbers(e: &Envelope, counts: &[usize]) -> Option<Vec<f64>> {
    let forms: Vec<Form> =
        integers::decode(&e.forms, counts.len())?.into_iter().map(Form::from_code).collect::<Option<_>>()?;
    let (mut decimals, mut steps, mut singles, mut doubles) = (0, 0, 0, 0);
    for (form, n) in forms.iter().zip(counts) {
        match form {
            Form::Float32 => singles += n,
            Form::Float64 => doubles += n,
            Form::Decimal(_) | Form::Single(_) => {
                decimals += 1;
                steps += n.checked_sub(1)?;
            }
        }
    }
    let mut firsts = integers::decode(&e.firsts, decimals)?.into_iter();
    let mut steps = integers::decode(&e.steps, steps)?.into_iter();
    let mut singles = floats::decode::<f32>(&e.singles, singles)?.into_iter();
    let mut doubles = floats::decode::<f64>(&e.doubles, doubles)?.into_iter();
    let mut out = Vec::with_capacity(counts.iter().sum());
    for (form, n) in forms.into_iter().zip(counts) {
        match form {
            Form::Float32 => out.extend(singles.by_ref().take(*n).map(f64::from)),
            Form::Float64 => out.extend(doubles.by_ref().take(*n)),
            Form::Decimal(_) | Form::Single(_) => {
                let mut i = firsts.next()?;
                out.push(form.value(i));
                for step in steps.by_ref().take(n - 1) {
                    i = i.wrapping_add(step);
                    out.push(form.value(i));
                }
            }
        }
    }
    Some(out)
}

fn texts(e: &Envelope, n: usize) -> Option<Vec<String>> {
    let lengths = integers::decode(&e.text_lengths, n)?;
    let mut rest = e.texts.as_slice();
    let mut out = Vec::with_capacity(n);
    for length in lengths {
        let (text, after) = rest.split_at_checked(usize::try_from(length).ok()?)?;
        out.push(std::str::from_utf8(text).ok()?.to_owned());
        rest = after;
    }
    rest.is_empty().then_some(out)
}

#[cfg(test)]
mod tests;
