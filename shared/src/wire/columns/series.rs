//! One point's samples as a chunk of the hub's store: schema, count, then instants, qualities, presence and values,
//! each with its length in front. An hour of a point on a poll grid is some hundred bytes, so there is no map.

use super::error::{ColumnsError, MAX_READINGS};
use super::numbers::Form;
use super::varint::{self, Cursor};
use super::{floats, integers, runs};
use crate::reading::Quality;

const SCHEMA: u8 = 1;

const NUMBER: u8 = 0;
const ABSENT: u8 = 1;

/// Instant in milliseconds since 1970, value if there was one, quality.
pub type Sample = (i64, Option<f64>, Quality);

/// Samples in their order as a chunk. At most [`MAX_READINGS`].
pub fn encode_series(samples: &[Sample]) -> Result<Vec<u8>, ColumnsError> {
    if samples.len() > MAX_READINGS {
        return Err(ColumnsError::TooMany(samples.len()));
    }
    let times: Vec<i64> = samples.iter().map(|s| s.0).collect();
    let values: Vec<f64> = samples.iter().filter_map(|s| s.1).collect();
    let form = Form::of(&values);
    let mut out = vec![SCHEMA];
    varint::put(&mut out, samples.len() as u64);
    column(&mut out, &integers::encode(&times));
    column(&mut out, &runs::encode(samples.iter().map(|s| s.2.code())));
    column(&mut out, &runs::encode(samples.iter().map(|s| if s.1.is_some() { NUMBER } else { ABSENT })));
    out.push(form.code());
    match form {
        Form::Float32 => {
            out.extend(floats::encode(&values.iter().map(|v| *v as f32).collect::<Vec<_>>()));
        }
        Form::Float64 => out.extend(floats::encode(&values)),
        Form::Decimal(_) | Form::Single(_) => {
            let integers: Vec<i64> = values.iter().filter_map(|v| form.integer(*v)).collect();
            out.extend(integers::encode(&integers));
        }
    }
    Ok(out)
}

/// The inverse of [`encode_series`], for bytes that may be damaged.
pub fn decode_series(chunk: &[u8]) -> Result<Vec<Sample>, ColumnsError> {
    let mut c = Cursor(chunk);
    match c.byte() {
        Some(SCHEMA) => {}
        Some(other) => return Err(ColumnsError::UnknownSchema(u32::from(other))),
        None => return Err(ColumnsError::Damaged("schema")),
    }
    let n = c.varint().ok_or(ColumnsError::Damaged("count"))?;
    let n = usize::try_from(n).unwrap_or(usize::MAX);
    if n > MAX_READINGS {
        return Err(ColumnsError::TooMany(n));
    }
    let times = part(&mut c).and_then(|b| integers::decode(b, n)).ok_or(ColumnsError::Damaged("instants"))?;
    let qualities =
        part(&mut c).and_then(|b| runs::decode(b, n)).ok_or(ColumnsError::Damaged("qualities"))?;
    let presence = part(&mut c).and_then(|b| runs::decode(b, n)).ok_or(ColumnsError::Damaged("presence"))?;
    if presence.iter().any(|p| *p > ABSENT) {
        return Err(ColumnsError::Damaged("presence"));
    }
    let n_values = presence.iter().copied().filter(|p| *p == NUMBER).count();
    let mut values = values(&mut c, n_values).ok_or(ColumnsError::Damaged("values"))?.into_iter();
    let rows = times.into_iter().zip(qualities).zip(presence);
    Ok(rows
        .map(|((at, quality), presence)| {
            let value = if presence == NUMBER { values.next() } else { None };
            (at, value, Quality::from_code(quality))
        })
        .collect())
}

fn column(out: &mut Vec<u8>, bytes: &[u8]) {
    varint::put(out, bytes.len() as u64);
    out.extend_from_slice(bytes);
}

fn part<'a>(c: &mut Cursor<'a>) -> Option<&'a [u8]> {
    let n = usize::try_from(c.varint()?).ok()?;
    c.take(n)
}

fn values(c: &mut Cursor, n: usize) -> Option<Vec<f64>> {
    let form = Form::from_code(i64::from(c.byte()?))?;
    Some(match form {
        Form::Float32 => floats::decode::<f32>(c.0, n)?.into_iter().map(f64::from).collect(),
        Form::Float64 => floats::decode::<f64>(c.0, n)?,
        Form::Decimal(_) | Form::Single(_) => {
            integers::decode(c.0, n)?.into_iter().map(|i| form.value(i)).collect()
        }
    })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn hour() -> Vec<Sample> {
        (0..360)
            .map(|i| {
                (1_760_000_000_000 + i * 10_000, Some(f64::from((i as i32 * 7) % 31) / 10.0), Quality::Good)
            })
            .collect()
    }

    #[test]
    fn an_hour_on_the_grid_takes_less_than_a_byte_a_sample() {
        let chunk = encode_series(&hour()).unwrap();
        assert!(chunk.len() < 360, "{}", chunk.len());
        assert_eq!(decode_series(&chunk).unwrap(), hour());
    }

    #[test]
    fn nothing_reads_back_as_nothing() {
        assert_eq!(decode_series(&encode_series(&[]).unwrap()).unwrap(), []);
    }

    #[test]
    fn a_newer_chunk_is_named_as_such() {
        assert!(matches!(decode_series(&[9, 0]), Err(ColumnsError::UnknownSchema(9))));
    }

    proptest! {
        #[test]
        fn any_samples_read_back_bit_for_bit(
            samples in prop::collection::vec((any::<i64>(), prop::option::of(any::<u64>().prop_map(f64::from_bits)), 0u8..=6), 0..300)
        ) {
            let samples: Vec<Sample> = samples.into_iter().map(|(t, v, q)| (t, v, Quality::from_code(q))).collect();
            let back = decode_series(&encode_series(&samples).unwrap()).unwrap();
            prop_assert_eq!(back.len(), samples.len());
            for (a, b) in back.iter().zip(&samples) {
                prop_assert_eq!((a.0, a.1.map(f64::to_bits), a.2), (b.0, b.1.map(f64::to_bits), b.2));
            }
        }

        #[test]
        fn damaged_chunks_are_answers_and_no_panic(at in 0usize..2000, to in any::<u8>(), cut in 0usize..2000) {
            let mut chunk = encode_series(&hour()).unwrap();
            let n = chunk.len();
            chunk[at % n] = to;
            let _ = decode_series(&chunk);
            let _ = decode_series(&chunk[..cut % n]);
        }
    }
}
