//! A column of floats: pco, or the bare bytes (little-endian) where there are too few for pco to win.

use pco::data_types::Number;

use super::packed;

const BARE: u8 = 0;
const PACKED: u8 = 1;

/// A float with its bytes.
pub(super) trait Float: Number + Default {
    const SIZE: usize;
    fn put(self, out: &mut Vec<u8>);
    fn get(bytes: &[u8]) -> Option<Self>;
}

impl Float for f32 {
    const SIZE: usize = 4;
    fn put(self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.to_le_bytes());
    }
    fn get(bytes: &[u8]) -> Option<Self> {
        Some(Self::from_le_bytes(bytes.try_into().ok()?))
    }
}

impl Float for f64 {
    const SIZE: usize = 8;
    fn put(self, out: &mut Vec<u8>) {
        out.extend_from_slice(&self.to_le_bytes());
    }
    fn get(bytes: &[u8]) -> Option<Self> {
        Some(Self::from_le_bytes(bytes.try_into().ok()?))
    }
}

pub(super) fn encode<T: Float>(values: &[T]) -> Vec<u8> {
    if values.is_empty() {
        return Vec::new();
    }
    let (form, body) = match packed::encode(values) {
        Some(p) if p.len() < values.len() * T::SIZE => (PACKED, p),
        _ => {
            let mut bare = Vec::with_capacity(values.len() * T::SIZE);
            for v in values {
                v.put(&mut bare);
            }
            (BARE, bare)
        }
    };
    let mut out = Vec::with_capacity(1 + body.len());
    out.push(form);
    out.extend_from_slice(&body);
    out
}

/// Exactly `n` values, or nothing.
pub(super) fn decode<T: Float>(bytes: &[u8], n: usize) -> Option<Vec<T>> {
    if n == 0 {
        return bytes.is_empty().then(Vec::new);
    }
    match bytes.split_first()? {
        (&BARE, body) if Some(body.len()) == n.checked_mul(T::SIZE) => {
            body.chunks_exact(T::SIZE).map(T::get).collect()
        }
        (&PACKED, body) => packed::decode(body, n),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    proptest! {
        #[test]
        fn any_floats_read_back_bit_for_bit(v in prop::collection::vec(any::<u64>(), 0..400)) {
            let doubles: Vec<f64> = v.iter().map(|b| f64::from_bits(*b)).collect();
            let back = decode::<f64>(&encode(&doubles), v.len()).unwrap();
            prop_assert!(back.iter().zip(&doubles).all(|(a, b)| a.to_bits() == b.to_bits()));
            let singles: Vec<f32> = v.iter().map(|b| f32::from_bits(*b as u32)).collect();
            let back = decode::<f32>(&encode(&singles), v.len()).unwrap();
            prop_assert!(back.iter().zip(&singles).all(|(a, b)| a.to_bits() == b.to_bits()));
        }
    }
}
