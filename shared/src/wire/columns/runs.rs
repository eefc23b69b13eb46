//! Run lengths of bytes, as pairs of value and count: qualities and what kind of value a reading has hardly
//! ever change, so that a column of them is a few bytes. Callers say how many they expect.

use super::varint::{self, Cursor};

pub(super) fn encode(values: impl IntoIterator<Item = u8>) -> Vec<u8> {
    let mut out = Vec::new();
    let mut run: Option<(u8, u64)> = None;
    for v in values {
        run = Some(match run {
            Some((last, n)) if last == v => (last, n + 1),
            Some((last, n)) => {
                out.push(last);
                varint::put(&mut out, n);
                (v, 1)
            }
            None => (v, 1),
        });
    }
    if let Some((last, n)) = run {
        out.push(last);
        varint::put(&mut out, n);
    }
    out
}

/// Exactly `n` bytes, or nothing.
pub(super) fn decode(bytes: &[u8], n: usize) -> Option<Vec<u8>> {
    let mut c = Cursor(bytes);
    let mut out = Vec::with_capacity(n);
    while !c.is_done() {
        let value = c.byte()?;
        let count = usize::try_from(c.varint()?).ok()?;
        if count == 0 || count > n - out.len() {
            return None;
        }
        out.resize(out.len() + count, value);
    }
    (out.len() == n).then_some(out)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn runs_read_back_and_a_wrong_sum_is_refused() {
        let values = [0, 0, 0, 5, 0, 0x12];
        let bytes = encode(values);
        assert_eq!(decode(&bytes, 6).unwrap(), values);
        assert_eq!(decode(&bytes, 5), None);
        assert_eq!(decode(&bytes, 7), None);
        assert_eq!(decode(&encode([]), 0).unwrap(), Vec::<u8>::new());
        assert_eq!(decode(&[0, 0xff, 0xff, 0xff, 0xff, 0x0f], 10), None, "a bomb");
    }
}
