//! A column of integers, in the shortest of three forms: runs of equal steps (a poll grid, numbers in sequence, a
//! value that stands still), steps as variable-length integers (few values), or pco (many).
//! Sums wrap, so that hostile steps cannot overflow.

use super::packed;
use super::varint::{self, Cursor};

const RUNS: u8 = 0;
const STEPS: u8 = 1;
const PACKED: u8 = 2;
/// Below this many bytes nothing shorter is looked for: pco's own header is as long.
const SHORT: usize = 12;
/// Above this many values steps are always longer than pco, and not tried.
const MANY: usize = 4096;

pub(super) fn encode(values: &[i64]) -> Vec<u8> {
    let mut best = runs(values);
    if best.len() <= SHORT {
        return best;
    }
    if values.len() <= MANY {
        let other = steps(values);
        if other.len() < best.len() {
            best = other;
        }
    }
    if let Some(other) = packed::encode(values)
        && other.len() + 1 < best.len()
    {
        best.clear();
        best.push(PACKED);
        best.extend_from_slice(&other);
    }
    best
}

/// Exactly `n` values, or nothing.
pub(super) fn decode(bytes: &[u8], n: usize) -> Option<Vec<i64>> {
    if n == 0 {
        return bytes.is_empty().then(Vec::new);
    }
    let mut c = Cursor(bytes);
    match c.byte()? {
        RUNS => {
            let mut out = Vec::with_capacity(n);
            let mut value = 0i64;
            while !c.is_done() {
                let step = c.signed()?;
                let count = usize::try_from(c.varint()?).ok()?;
                if count == 0 || count > n - out.len() {
                    return None;
                }
                for _ in 0..count {
                    value = value.wrapping_add(step);
                    out.push(value);
                }
            }
            (out.len() == n).then_some(out)
        }
        STEPS => {
            // Each step takes a byte at least: what is announced cannot exceed what is there.
            if n > c.0.len() {
                return None;
            }
            let mut out = Vec::with_capacity(n);
            let mut value = 0i64;
            for _ in 0..n {
                value = value.wrapping_add(c.signed()?);
                out.push(value);
            }
            c.is_done().then_some(out)
        }
        PACKED => packed::decode(c.0, n),
        _ => None,
    }
}

fn step_of(values: &[i64]) -> impl Iterator<Item = i64> {
    std::iter::once(0).chain(values.iter().copied()).zip(values).map(|(a, b)| b.wrapping_sub(a))
}

fn runs(values: &[i64]) -> Vec<u8> {
    let mut out = Vec::new();
    let mut steps = step_of(values).peekable();
    if steps.peek().is_some() {
        out.push(RUNS);
    }
    while let Some(step) = steps.next() {
        let mut count = 1;
        while steps.next_if_eq(&step).is_some() {
            count += 1;
        }
        varint::put_signed(&mut out, step);
        varint::put(&mut out, count);
    }
    out
}

fn steps(values: &[i64]) -> Vec<u8> {
    let mut out = vec![STEPS];
    for step in step_of(values) {
        varint::put_signed(&mut out, step);
    }
    out
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn a_poll_grid_of_any_length_is_a_few_bytes() {
        let grid: Vec<i64> = (0..8640).map(|i| 1_700_000_000_000 + i * 10_000).collect();
        let bytes = encode(&grid);
        assert!(bytes.len() <= 14, "{}", bytes.len());
        assert_eq!(decode(&bytes, grid.len()).unwrap(), grid);
    }

    #[test]
    fn nothing_is_nothing() {
        assert_eq!(encode(&[]), []);
        assert_eq!(decode(&[], 0).unwrap(), []);
        assert_eq!(decode(&[], 1), None);
    }

    proptest! {
        #[test]
        fn any_integers_read_back(v in prop::collection::vec(prop_oneof![any::<i64>(), -50i64..50], 0..600)) {
            let bytes = encode(&v);
            prop_assert_eq!(decode(&bytes, v.len()).unwrap(), v);
        }
    }
}
