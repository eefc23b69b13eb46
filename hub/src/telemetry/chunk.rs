//! One hour of one point as bytes, and one day's quarters of an hour as bytes. Pure. A chunk is always rewritten
//! whole: what is already there, what came since, the last word wins.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use steward_shared::reading::{Quality, Value};
use steward_shared::time::Timestamp;
use steward_shared::wire::columns::{self, ColumnsError};
use steward_shared::wire::frame::{FrameError, from_cbor, to_cbor};
use steward_shared::wire::message::bytes;

use super::model::{QUARTER_MS, Sample};
use super::rollup::{Counting, Rollup};

/// Numbers only: a series of `shared/wire/columns`.
const NUMBERS: u8 = 1;
/// Texts among them: CBOR of [`Texts`].
const TEXTS: u8 = 2;

#[derive(Debug, thiserror::Error)]
pub enum ChunkError {
    #[error("a chunk of the store is damaged")]
    Columns(#[from] ColumnsError),
    #[error("a chunk of the store is damaged")]
    Texts(#[from] FrameError),
    #[error("a chunk of the store has the unknown kind {0:?}; a newer program wrote it")]
    Kind(Option<u8>),
    #[error("a chunk of the store is damaged: its texts do not fit its samples")]
    Misfit,
}

/// A series in which the samples at `places` are texts.
#[derive(Serialize, Deserialize)]
struct Texts {
    #[serde(with = "bytes")]
    series: Vec<u8>,
    places: Vec<u32>,
    words: Vec<String>,
}

/// Samples in the order of their instants as a chunk.
pub fn encode(samples: &[Sample]) -> Result<Vec<u8>, ChunkError> {
    let rows: Vec<columns::Sample> = samples
        .iter()
        .map(|s| (s.at.as_millis(), s.value.as_ref().and_then(Value::as_number), s.quality))
        .collect();
    let series = columns::encode_series(&rows)?;
    let (places, texts): (Vec<u32>, Vec<String>) = samples
        .iter()
        .zip(0..)
        .filter_map(|(s, place)| match &s.value {
            Some(Value::Text(text)) => Some((place, text.clone())),
            _ => None,
        })
        .unzip();
    let (kind, body) = if texts.is_empty() {
        (NUMBERS, series)
    } else {
        (TEXTS, to_cbor(&Texts { series, places, words: texts })?)
    };
    let mut out = Vec::with_capacity(body.len() + 1);
    out.push(kind);
    out.extend(body);
    Ok(out)
}

/// The inverse of [`encode`].
pub fn decode(chunk: &[u8]) -> Result<Vec<Sample>, ChunkError> {
    match chunk.split_first() {
        Some((&NUMBERS, series)) => samples(series),
        Some((&TEXTS, body)) => {
            let body: Texts = from_cbor(body)?;
            let mut all = samples(&body.series)?;
            if body.places.len() != body.words.len() {
                return Err(ChunkError::Misfit);
            }
            for (place, text) in body.places.into_iter().zip(body.words) {
                all.get_mut(place as usize).ok_or(ChunkError::Misfit)?.value = Some(Value::Text(text));
            }
            Ok(all)
        }
        kind => Err(ChunkError::Kind(kind.map(|(k, _)| *k))),
    }
}

fn samples(series: &[u8]) -> Result<Vec<Sample>, ChunkError> {
    let rows = columns::decode_series(series)?;
    Ok(rows
        .into_iter()
        .map(|(at, value, quality)| Sample { at: Timestamp(at), value: value.map(Value::Number), quality })
        .collect())
}

/// Both in the order of time; of two samples of one instant the later one said counts.
pub fn merge(held: Vec<Sample>, said_later: Vec<Sample>) -> Vec<Sample> {
    let mut all = held;
    all.extend(said_later);
    // Stable: samples of one instant stay in the order in which they were said.
    all.sort_by_key(|s| s.at);
    let mut out: Vec<Sample> = Vec::with_capacity(all.len());
    for s in all {
        match out.last_mut() {
            Some(last) if last.at == s.at => *last = s,
            _ => out.push(s),
        }
    }
    out
}

/// Of the samples that count.
pub fn rollup(samples: &[Sample], counting: Counting) -> Option<Rollup> {
    Rollup::over(samples.iter().filter_map(Sample::counted), counting)
}

/// Rollups of the grid of `bucket_ms`, by the start of their bucket. Empty buckets are absent.
pub fn buckets(samples: &[Sample], bucket_ms: i64, counting: Counting) -> BTreeMap<i64, Rollup> {
    let mut out: BTreeMap<i64, Rollup> = BTreeMap::new();
    for s in samples {
        let Some(v) = s.counted() else { continue };
        let start = s.at.as_millis().div_euclid(bucket_ms) * bucket_ms;
        out.entry(start)
            .and_modify(|r| *r = r.then(&Rollup::of(v), counting))
            .or_insert_with(|| Rollup::of(v));
    }
    out
}

/// A day's quarters of an hour, by their start, as seven columns.
pub fn encode_quarters(quarters: &BTreeMap<i64, Rollup>) -> Result<Vec<u8>, ChunkError> {
    let mut body: Vec<Bytes> = Vec::with_capacity(COLUMNS.len());
    for column in COLUMNS {
        let rows: Vec<columns::Sample> = quarters
            .iter()
            .map(|(start, r)| (start / QUARTER_MS, Some((column.get)(r)), Quality::Good))
            .collect();
        body.push(Bytes(columns::encode_series(&rows)?));
    }
    Ok(to_cbor(&body)?)
}

/// The inverse of [`encode_quarters`].
pub fn decode_quarters(chunk: &[u8]) -> Result<BTreeMap<i64, Rollup>, ChunkError> {
    let body: Vec<Bytes> = from_cbor(chunk)?;
    if body.len() != COLUMNS.len() {
        return Err(ChunkError::Misfit);
    }
    let mut out = BTreeMap::new();
    for (column, bytes) in COLUMNS.iter().zip(body) {
        for (slot, value, _) in columns::decode_series(&bytes.0)? {
            let start = slot.checked_mul(QUARTER_MS).ok_or(ChunkError::Misfit)?;
            let r = out.entry(start).or_insert_with(|| Rollup::of(0.0));
            (column.set)(r, value.ok_or(ChunkError::Misfit)?);
        }
    }
    Ok(out)
}

struct Column {
    get: fn(&Rollup) -> f64,
    set: fn(&mut Rollup, f64),
}

/// The order of the columns in the stored bytes.
const COLUMNS: [Column; 7] = [
    Column { get: |r| r.n as f64, set: |r, v| r.n = v as i64 },
    Column { get: |r| r.min, set: |r, v| r.min = v },
    Column { get: |r| r.max, set: |r, v| r.max = v },
    Column { get: |r| r.sum, set: |r, v| r.sum = v },
    Column { get: |r| r.first, set: |r, v| r.first = v },
    Column { get: |r| r.last, set: |r, v| r.last = v },
    Column { get: |r| r.inc, set: |r, v| r.inc = v },
];

/// A byte string as an element of a sequence.
#[derive(Serialize, Deserialize)]
#[serde(transparent)]
struct Bytes(#[serde(with = "bytes")] Vec<u8>);

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn sample() -> impl Strategy<Value = Sample> {
        let value = prop_oneof![
            8 => (-1000_i32..1000).prop_map(|n| Some(Value::Number(f64::from(n) / 10.0))),
            1 => "[a-z]{0,8}".prop_map(|t| Some(Value::Text(t))),
            1 => Just(None),
        ];
        let quality = prop_oneof![4 => Just(Quality::Good), 1 => Just(Quality::NoReply)];
        (0_i64..3600, value, quality).prop_map(|(s, value, quality)| Sample {
            at: Timestamp(s * 1000),
            value,
            quality,
        })
    }

    proptest! {
        #[test]
        fn a_chunk_reads_back_with_its_texts(samples in prop::collection::vec(sample(), 0..100)) {
            let samples = merge(Vec::new(), samples);
            prop_assert_eq!(decode(&encode(&samples).unwrap()).unwrap(), samples);
        }

        #[test]
        fn merging_is_the_same_in_one_go_and_in_pieces(
            samples in prop::collection::vec(sample(), 0..100), cut in 0_usize..100,
        ) {
            let whole = merge(Vec::new(), samples.clone());
            let (a, b) = samples.split_at(cut.min(samples.len()));
            let pieces = merge(merge(Vec::new(), a.to_vec()), b.to_vec());
            prop_assert_eq!(&pieces, &whole);
            prop_assert_eq!(merge(whole.clone(), whole.clone()), whole);
        }

        #[test]
        fn damaged_chunks_are_answers_and_no_panic(bytes in prop::collection::vec(any::<u8>(), 0..200)) {
            let _ = decode(&bytes);
            let _ = decode_quarters(&bytes);
        }
    }

    #[test]
    fn quarters_read_back() {
        let samples: Vec<Sample> = (0..360)
            .map(|i| Sample {
                at: Timestamp(i * 10_000),
                value: Some(Value::Number(i as f64 / 10.0)),
                quality: Quality::Good,
            })
            .collect();
        let quarters = buckets(&samples, QUARTER_MS, Counting::default());
        assert_eq!(quarters.len(), 4);
        assert_eq!(decode_quarters(&encode_quarters(&quarters).unwrap()).unwrap(), quarters);
        let joined = Rollup::join(quarters.values(), Counting::default()).unwrap();
        let whole = rollup(&samples, Counting::default()).unwrap();
        assert_eq!((joined.n, joined.min, joined.max), (whole.n, whole.min, whole.max));
        assert!((joined.inc - whole.inc).abs() < 1e-9);
    }

    #[test]
    fn the_later_word_wins_and_a_bad_one_can_be_it() {
        let at = Timestamp(5);
        let good = Sample { at, value: Some(Value::Number(1.0)), quality: Quality::Good };
        let bad = Sample { at, value: None, quality: Quality::NoReply };
        assert_eq!(merge(vec![good], vec![bad.clone()]), [bad]);
    }
}
