//! Ids are types. New ones come from `Ids`, which is handed in like the clock; nothing else draws them.

use std::fmt;
use std::str::FromStr;

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};
use uuid::Uuid;

/// A text that is not an id of this kind.
#[derive(Debug, thiserror::Error, PartialEq, Eq)]
#[error("{0:?} is not an id; ids look like 01963c1e-7a5c-7b3e-8f52-0c6d2f9a1b7e")]
pub struct NotAnId(pub String);

/// Where new ids come from.
pub trait Ids: Send + Sync + fmt::Debug {
    fn new_uuid(&self) -> Uuid;
}

/// Time-ordered random ids (UUID version 7, RFC 9562).
#[derive(Debug, Clone, Copy, Default)]
pub struct RandomIds;

impl Ids for RandomIds {
    #[allow(clippy::disallowed_methods, reason = "the one place that draws ids")]
    fn new_uuid(&self) -> Uuid {
        Uuid::now_v7()
    }
}

macro_rules! uuid_id {
    ($($(#[$doc:meta])* $name:ident;)*) => {$(
        $(#[$doc])*
        #[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(pub Uuid);

        impl $name {
            pub fn new(ids: &dyn Ids) -> Self {
                Self(ids.new_uuid())
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl FromStr for $name {
            type Err = NotAnId;
            fn from_str(s: &str) -> Result<Self, NotAnId> {
                Uuid::parse_str(s).map(Self).map_err(|_| NotAnId(s.chars().take(64).collect()))
            }
        }

        impl Serialize for $name {
            fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
                if s.is_human_readable() { s.collect_str(&self.0) } else { s.serialize_bytes(self.0.as_bytes()) }
            }
        }

        impl<'de> Deserialize<'de> for $name {
            fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                struct V;
                impl de::Visitor<'_> for V {
                    type Value = $name;
                    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                        f.write_str("an id (UUID)")
                    }
                    fn visit_str<E: de::Error>(self, v: &str) -> Result<$name, E> {
                        v.parse().map_err(E::custom)
                    }
                    fn visit_bytes<E: de::Error>(self, v: &[u8]) -> Result<$name, E> {
                        Uuid::from_slice(v).map($name).map_err(E::custom)
                    }
                }
                d.deserialize_any(V)
            }
        }
    )*};
}

uuid_id! {
    /// A gateway: one steward-edge. It stands in the gateway's certificate.
    GatewayId;
    /// A device behind a gateway.
    DeviceId;
    /// A place: campus, building, floor or room.
    SiteId;
    /// A person who may log in.
    UserId;
    /// A log-in that is still open.
    SessionId;
    /// One alarm or event.
    EventId;
    /// A value that somebody wants written into a point.
    CommandId;
    /// A background job.
    JobId;
    /// A stored file.
    FileId;
    /// One life of an edge's database: a new file, a new id.
    BufferId;
    /// One run of the machine between two starts.
    BootId;
}

/// A point in the hub's store: small, because it stands in every row of telemetry.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PointId(pub i64);

/// A point's number at its own gateway: given once, never given again. The wire carries these.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(transparent)]
pub struct PointNo(pub u32);

impl fmt::Debug for PointId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "p{}", self.0)
    }
}

impl fmt::Display for PointId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

impl fmt::Debug for PointNo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "#{}", self.0)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_id_is_text_for_people_and_bytes_on_the_wire() {
        let id = GatewayId::new(&RandomIds);
        let bytes = serde_cbor::to_vec(&id).unwrap();
        assert_eq!(bytes.len(), 17);
        assert_eq!(serde_cbor::from_slice::<GatewayId>(&bytes).unwrap(), id);
        assert_eq!(id.to_string().parse::<GatewayId>().unwrap(), id);
    }

    #[test]
    fn a_text_that_is_no_id_is_refused_with_an_example() {
        assert!("7".parse::<SiteId>().unwrap_err().to_string().contains("ids look like"));
    }
}
