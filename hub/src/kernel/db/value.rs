//! What goes into a statement and comes out of a row: five kinds of value that both databases know.
//! Instants are milliseconds, ids are text, flags are 0 and 1.

use serde::{Deserialize, Deserializer, de};
use steward_shared::id::{
    BootId, BufferId, CommandId, DeviceId, EventId, FileId, GatewayId, JobId, PointId, PointNo, SessionId,
    SiteId, UserId,
};
use steward_shared::time::Timestamp;

/// One value of a statement or a row.
#[derive(Clone, Debug, PartialEq)]
pub enum V {
    Null,
    Int(i64),
    Real(f64),
    Text(String),
    Blob(Vec<u8>),
}

/// Bytes in a row struct. A plain `Vec<u8>` works too, but is read byte by byte.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Blob(pub Vec<u8>);

impl<'de> Deserialize<'de> for Blob {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct Bytes;
        impl de::Visitor<'_> for Bytes {
            type Value = Blob;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("bytes")
            }
            fn visit_bytes<E: de::Error>(self, v: &[u8]) -> Result<Blob, E> {
                Ok(Blob(v.to_vec()))
            }
            fn visit_byte_buf<E: de::Error>(self, v: Vec<u8>) -> Result<Blob, E> {
                Ok(Blob(v))
            }
        }
        d.deserialize_byte_buf(Bytes)
    }
}

/// The parameters of a statement, in the order of `$1`, `$2`, …
#[macro_export]
macro_rules! params {
    ($($value:expr),* $(,)?) => { vec![$($crate::kernel::db::V::from($value)),*] };
}

impl From<&V> for V {
    fn from(v: &V) -> Self {
        v.clone()
    }
}

macro_rules! from_int {
    ($($t:ty),*) => {$(impl From<$t> for V {
        fn from(v: $t) -> Self {
            Self::Int(i64::from(v))
        }
    })*};
}
from_int!(i64, i32, i16, i8, u32, u16, u8, bool);

macro_rules! from_id {
    ($($t:ty),*) => {$(
        impl From<$t> for V {
            fn from(v: $t) -> Self {
                Self::Text(v.to_string())
            }
        }
        impl From<&$t> for V {
            fn from(v: &$t) -> Self {
                Self::Text(v.to_string())
            }
        }
    )*};
}
from_id!(GatewayId, DeviceId, SiteId, UserId, SessionId, EventId, JobId, FileId, BufferId, BootId, CommandId);

impl From<PointId> for V {
    fn from(v: PointId) -> Self {
        Self::Int(v.0)
    }
}

impl From<PointNo> for V {
    fn from(v: PointNo) -> Self {
        Self::Int(i64::from(v.0))
    }
}

impl From<Timestamp> for V {
    fn from(v: Timestamp) -> Self {
        Self::Int(v.as_millis())
    }
}

impl From<usize> for V {
    /// Counts and limits; a number past `i64::MAX` cannot be a count.
    fn from(v: usize) -> Self {
        Self::Int(i64::try_from(v).unwrap_or(i64::MAX))
    }
}

impl From<u64> for V {
    /// As a count: what is past `i64::MAX` stays there.
    fn from(v: u64) -> Self {
        Self::Int(i64::try_from(v).unwrap_or(i64::MAX))
    }
}

impl From<f64> for V {
    fn from(v: f64) -> Self {
        Self::Real(v)
    }
}

impl From<&str> for V {
    fn from(v: &str) -> Self {
        Self::Text(v.to_owned())
    }
}

impl From<String> for V {
    fn from(v: String) -> Self {
        Self::Text(v)
    }
}

impl From<&String> for V {
    fn from(v: &String) -> Self {
        Self::Text(v.clone())
    }
}

impl From<Vec<u8>> for V {
    fn from(v: Vec<u8>) -> Self {
        Self::Blob(v)
    }
}

impl From<&[u8]> for V {
    fn from(v: &[u8]) -> Self {
        Self::Blob(v.to_vec())
    }
}

impl<const N: usize> From<[u8; N]> for V {
    fn from(v: [u8; N]) -> Self {
        Self::Blob(v.to_vec())
    }
}

impl<const N: usize> From<&[u8; N]> for V {
    fn from(v: &[u8; N]) -> Self {
        Self::Blob(v.to_vec())
    }
}

impl From<Blob> for V {
    fn from(v: Blob) -> Self {
        Self::Blob(v.0)
    }
}

impl<T> From<Option<T>> for V
where
    V: From<T>,
{
    fn from(v: Option<T>) -> Self {
        v.map_or(Self::Null, Self::from)
    }
}
