//! Frames on a stream: four bytes of length, big-endian, then one CBOR item with structs as
//! integer-keyed maps. Both sides call this; nothing here allocates what a peer merely announces.

use serde::Serialize;
use serde::de::DeserializeOwned;

use super::depth::{MAX_DEPTH, is_too_deep};

/// The largest frame that either side accepts.
pub const MAX_FRAME: usize = 4 << 20;
/// Bytes of length in front of a frame.
pub const HEADER: usize = 4;

#[derive(Debug, thiserror::Error)]
pub enum FrameError {
    #[error("a frame of {0} bytes is over the limit of {MAX_FRAME}")]
    TooLarge(u64),
    #[error("a frame nests deeper than {MAX_DEPTH} levels")]
    TooDeep,
    #[error("a frame could not be read")]
    Undecodable(#[source] serde_cbor::Error),
    #[error("a message could not be written")]
    Unencodable(#[source] serde_cbor::Error),
}

/// A message as CBOR without the length: for datagrams and stored bodies.
pub fn to_cbor<T: Serialize>(message: &T) -> Result<Vec<u8>, FrameError> {
    let mut out = Vec::with_capacity(256);
    message
        .serialize(&mut serde_cbor::Serializer::new(serde_cbor::ser::IoWrite::new(&mut out)).packed_format())
        .map_err(FrameError::Unencodable)?;
    Ok(out)
}

/// The inverse of [`to_cbor`]. Fields that this version does not know are passed over.
pub fn from_cbor<T: DeserializeOwned>(bytes: &[u8]) -> Result<T, FrameError> {
    if is_too_deep(bytes) {
        return Err(FrameError::TooDeep);
    }
    serde_cbor::from_slice(bytes).map_err(FrameError::Undecodable)
}

/// A whole frame, ready for the stream.
pub fn encode<T: Serialize>(message: &T) -> Result<Vec<u8>, FrameError> {
    let body = to_cbor(message)?;
    let length = u32::try_from(body.len()).map_err(|_| FrameError::TooLarge(body.len() as u64))?;
    if body.len() > MAX_FRAME {
        return Err(FrameError::TooLarge(u64::from(length)));
    }
    let mut out = Vec::with_capacity(HEADER + body.len());
    out.extend_from_slice(&length.to_be_bytes());
    out.extend_from_slice(&body);
    Ok(out)
}

/// The length that a header announces, if this side accepts it.
pub fn length(header: [u8; HEADER]) -> Result<usize, FrameError> {
    let n = u32::from_be_bytes(header) as usize;
    if n > MAX_FRAME { Err(FrameError::TooLarge(n as u64)) } else { Ok(n) }
}

#[cfg(test)]
mod tests {
    use serde::Deserialize;

    use super::*;

    #[derive(Serialize, Deserialize, Debug, PartialEq)]
    struct Old {
        a: u32,
        b: Option<String>,
    }

    #[derive(Serialize, Deserialize, Debug, PartialEq)]
    struct New {
        a: u32,
        b: Option<String>,
        #[serde(default)]
        c: Vec<u8>,
    }

    #[test]
    fn a_struct_travels_as_a_map_with_integer_keys() {
        // RFC 8949: a2 = map of two, 00 => 18 2a (42), 01 => f6 (null).
        assert_eq!(to_cbor(&Old { a: 42, b: None }).unwrap(), [0xa2, 0x00, 0x18, 0x2a, 0x01, 0xf6]);
    }

    #[test]
    fn a_newer_field_is_passed_over_and_an_absent_one_is_defaulted() {
        let new = to_cbor(&New { a: 1, b: Some("x".into()), c: vec![1] }).unwrap();
        assert_eq!(from_cbor::<Old>(&new).unwrap(), Old { a: 1, b: Some("x".into()) });
        let old = to_cbor(&Old { a: 1, b: None }).unwrap();
        assert_eq!(from_cbor::<New>(&old).unwrap(), New { a: 1, b: None, c: vec![] });
    }

    #[test]
    fn an_announced_length_over_the_limit_is_refused_before_it_is_allocated() {
        assert!(matches!(length([0xff; 4]), Err(FrameError::TooLarge(0xffff_ffff))));
        assert_eq!(length([0, 0, 1, 0]).unwrap(), 256);
    }

    #[test]
    fn fault_h7_deep_nesting_is_refused() {
        let nested = |depth: usize| [vec![0x81; depth], vec![0x00]].concat();
        assert!(from_cbor::<serde_cbor::Value>(&nested(32)).is_ok());
        for depth in [33, 1_000_000] {
            let refused = from_cbor::<serde_cbor::Value>(&nested(depth));
            assert!(matches!(refused, Err(FrameError::TooDeep)), "{depth}");
        }
    }
}
