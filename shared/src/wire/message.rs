//! The messages of GW/1. A gateway opens one connection, by QUIC or by TLS over TCP ([`super::mux`]), and on it a
//! control stream and one stream a lane; what somebody watches right now goes by datagram.
//!
//! | stream | up | down |
//! |---|---|---|
//! | control | `ControlUp`: `Hello` first | `ControlDown`: `Welcome` or `Refused` first |
//! | lane | `LaneUp`: `Open` first, then `Batch` | `LaneDown` |
//! | enrolment (its own ALPN, no client certificate) | `Enrol` | `EnrolAnswer` |
//! | datagram | `LiveSamples` | - |
//!
//! A field's key on the wire is its place; a variant that holds something goes by its name, one that holds nothing
//! by its place. So fields and variants are only ever appended, and no variant is renamed.

use serde::{Deserialize, Serialize};

use super::command::SignedOrder;
use super::config::{CheckConfig, CheckedConfig, ConfigReport, SignedConfig};
use crate::id::{BootId, BufferId, GatewayId, PointNo};
use crate::reading::Quality;
use crate::time::Timestamp;

/// TLS application protocol of a gateway with its certificate.
pub const ALPN: &[u8] = b"steward-gw/1";
/// TLS application protocol of a gateway that has none yet.
pub const ALPN_ENROL: &[u8] = b"steward-enrol/1";
/// The name in the hub's certificate for gateways, whatever address it is reached at: its CA is private.
pub const HUB_SERVER_NAME: &str = "hub.steward.internal";
/// Before the gateway's id in the URI of its certificate's subject alternative name.
pub const GATEWAY_URI_PREFIX: &str = "urn:steward:gateway:";
pub const PROTOCOL: u32 = 1;

/// A sequence of its own with a watermark of its own: no lane waits for another.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Lane {
    /// Events: one item each, durable before anything else is done.
    Alarm,
    /// Telemetry as it is polled.
    Live,
    /// Telemetry from before: history that was imported.
    Backfill,
    /// Reports of commands: one item each, as durable as events.
    Command,
}

impl Lane {
    pub const ALL: [Self; 4] = [Self::Alarm, Self::Live, Self::Backfill, Self::Command];

    /// The lanes that every version knows. A side that does not know the others must not be told of them where it would
    /// have to read their names.
    pub const fn is_first(self) -> bool {
        !matches!(self, Self::Command)
    }

    pub const fn code(self) -> i64 {
        match self {
            Self::Alarm => 0,
            Self::Live => 1,
            Self::Backfill => 2,
            Self::Command => 3,
        }
    }

    /// None of a lane that only a newer program knows.
    pub fn from_code(code: i64) -> Option<Self> {
        Self::ALL.into_iter().find(|lane| lane.code() == code)
    }

    pub const fn word(self) -> &'static str {
        match self {
            Self::Alarm => "alarm",
            Self::Live => "live",
            Self::Backfill => "backfill",
            Self::Command => "command",
        }
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum ControlUp {
    Hello(Hello),
    Catalogue(Catalogue),
    Health(Health),
    /// A PKCS#10 request (DER) for the next certificate.
    Renew(Renew),
    /// Only to a hub whose welcome says that it knows of it.
    Config(ConfigReport),
    Checked(CheckedConfig),
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum ControlDown {
    Welcome(Welcome),
    Refused(Refusal),
    Watch(Watch),
    Certificate(Certificate),
    /// Sent only to a gateway whose hello has the lane of commands; again after each welcome until a report of it came.
    Command(SignedOrder),
    /// Both only to a gateway that has told its configuration; again after each welcome until it has taken it.
    Config(SignedConfig),
    Check(CheckConfig),
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum LaneUp {
    Open(Lane),
    Batch(Batch),
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum LaneDown {
    /// Everything up to and with this sequence is durable at the hub.
    Ack(u64),
    /// The hub has everything up to this sequence and cannot apply what came; send on from the next.
    Nack(u64),
    /// This sequence can never be applied: the hub keeps its bytes aside and counts it as received.
    Quarantined(Quarantined),
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Quarantined {
    pub seq: u64,
    pub reason: String,
}

/// What a gateway says first. Who it is stands in its certificate; `gateway` must only agree with it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Hello {
    pub protocol: u32,
    pub gateway: GatewayId,
    /// Version of the program.
    pub version: String,
    /// The life of the gateway's database; a new one begins a new epoch.
    pub buffer: BufferId,
    /// The epoch that the hub gave last, 0 before the first.
    pub epoch: u32,
    pub lanes: Vec<LaneState>,
    /// SHA-256 of the catalogue that the batches refer to.
    pub catalogue: Vec<u8>,
    pub boot: BootId,
    /// The gateway's wall clock now.
    pub now: Timestamp,
    /// Of the lanes that came after the first three; apart, so that a hub that does not know them passes them over.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub more_lanes: Vec<LaneState>,
}

impl Hello {
    /// What the gateway holds of all lanes.
    pub fn all_lanes(&self) -> impl Iterator<Item = &LaneState> {
        self.lanes.iter().chain(&self.more_lanes)
    }

    /// Whether it takes commands.
    pub fn takes_commands(&self) -> bool {
        self.all_lanes().any(|held| held.lane == Lane::Command)
    }
}

/// What a gateway holds of one lane: sequences `first..=last`, of which the hub acknowledged up to `acked`.
/// An empty lane has `first == last + 1`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct LaneState {
    pub lane: Lane,
    pub first: u64,
    pub last: u64,
    pub acked: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Welcome {
    pub epoch: u32,
    /// Per lane the sequence up to which the hub has everything; the gateway sends on from the next.
    pub watermarks: Vec<Watermark>,
    /// The hub lacks the catalogue of the hello.
    pub catalogue_wanted: bool,
    /// The hub's wall clock now.
    pub now: Timestamp,
    /// The hub wants to know the configuration in force.
    #[serde(default, skip_serializing_if = "is_not")]
    pub config_wanted: bool,
    /// What stands at the watermarks, where the hub remembers it. A gateway that has something else there was restored
    /// from a copy and wrote on since: it begins a new buffer.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub known: Vec<Known>,
}

/// The item at a lane's watermark, by the first bytes of its hash.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Known {
    pub lane: Lane,
    #[serde(with = "bytes")]
    pub hash: Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Watermark {
    pub lane: Lane,
    pub seq: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Refusal {
    pub reason: RefusalReason,
    pub detail: String,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum RefusalReason {
    /// The hub speaks no version of the protocol that the gateway speaks.
    Protocol,
    /// The certificate belongs to another gateway than the hello claims.
    IdentityMismatch,
    /// The hub does not know this gateway, or has revoked it.
    Unknown,
    /// Another connection with this identity is live.
    Duplicate,
}

/// For `for_ms` from now the hub wants samples of these points as datagrams. Replaces the wish before.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Watch {
    pub points: Vec<PointNo>,
    pub for_ms: u64,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Renew {
    #[serde(with = "bytes")]
    pub csr: Vec<u8>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Certificate {
    /// The new leaf, DER.
    #[serde(with = "bytes")]
    pub certificate: Vec<u8>,
}

/// One stored item of a lane: a body of readings ([`super::columns`]) or one event, and its hash.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Batch {
    pub lane: Lane,
    pub epoch: u32,
    pub seq: u64,
    /// Readings in the body; 1 for an event.
    pub count: u32,
    /// SHA-256 of `body`, made when it was stored and verified before it is sent.
    #[serde(with = "bytes")]
    pub hash: Vec<u8>,
    #[serde(with = "bytes")]
    pub body: Vec<u8>,
}

/// All devices and points that the gateway's batches may speak of, those of former configurations too.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Catalogue {
    pub devices: Vec<CatalogueDevice>,
    pub points: Vec<CataloguePoint>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CatalogueDevice {
    /// The device's name in the gateway's file: its identity.
    pub key: String,
    pub title: Names,
    /// `vendor/model` of the profile.
    pub profile: String,
    pub vendor: String,
    pub model: String,
    /// Where it stands, in the words of the gateway's file.
    pub place: String,
    pub line: String,
    pub address: String,
    /// False when the present configuration has it no more.
    pub in_use: bool,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct CataloguePoint {
    pub no: PointNo,
    /// Key of its device.
    pub device: String,
    /// The point's key in the profile.
    pub key: String,
    pub title: Names,
    /// UCUM code, `1` where there is none.
    pub unit: String,
    pub kind: PointKind,
    /// For an enumeration: code and label. For flags: 0 and 1.
    pub labels: Vec<Label>,
    /// The longest pause between two readings of it, as long as nothing is wrong: the period of polling, or the silence
    /// that its gateway may keep while it does not change.
    pub period_ms: u64,
    /// Digits after the decimal point that are worth showing.
    pub decimals: u8,
    /// For a counter: the value at which it starts over, if it does.
    pub modulus: Option<f64>,
    pub in_use: bool,
    /// How it may be written from the hub; none where it may not.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub write: Option<CatalogueWrite>,
}

/// What may be written into a point from the hub: as its profile and the gateway's file allow it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct CatalogueWrite {
    /// In the point's unit, where it is a number; flags and enumerations have their labels.
    pub min: Option<f64>,
    pub max: Option<f64>,
    /// The smallest difference that counts.
    pub step: f64,
    /// What is written must come back by itself.
    pub time_boxed: bool,
    pub two_persons: bool,
    /// The BACnet priority where nobody says another; none for other languages.
    pub priority: Option<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum PointKind {
    /// A measured quantity that goes up and down.
    Gauge,
    /// A total that only grows, apart from rollover and replacement.
    Counter,
    Flag,
    Enumeration,
    Text,
}

/// A name in both languages.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Names {
    pub zh: String,
    pub en: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Label {
    pub code: i64,
    pub names: Names,
}

/// How the gateway fares; sent every ten seconds and on change.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Health {
    pub at: Timestamp,
    pub uptime_s: u64,
    pub rss_bytes: u64,
    /// Share of one core used since the last report, 0.0 to the number of cores.
    pub cpu: f64,
    pub disk_free_bytes: u64,
    pub disk_total_bytes: u64,
    /// Bytes of the telemetry buffer on disk.
    pub buffer_bytes: u64,
    /// Batches and events not yet acknowledged.
    pub unacked: u64,
    pub oldest_unacked: Option<Timestamp>,
    /// Readings dropped for want of space since the database was made.
    pub dropped: u64,
    pub lines: Vec<LineHealth>,
    pub devices: Vec<DeviceHealth>,
    pub certificate_expires: Option<Timestamp>,
    /// What is wrong with the disk: `full`, `failing`. A hub shows one that it does not know as it is.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub storage: Option<String>,
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LineHealth {
    pub name: String,
    pub up: bool,
    /// Share of the time in which the line was busy since the last report, 0.0 to 1.0.
    pub busy: f64,
    pub requests: u64,
    pub errors: u64,
    pub last_error: Option<String>,
    /// Share of the time that went into questions which nobody answered: what dead devices cost. A gateway from before
    /// it was told leaves it out.
    #[serde(default, skip_serializing_if = "is_nothing")]
    pub wasted: f64,
    /// Share of its time that its questions take, by what is known of its devices; above 1.0 something is always late.
    #[serde(default, skip_serializing_if = "is_nothing")]
    pub planned: f64,
    /// What is wrong with its wires, as far as the bytes on it tell.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub troubles: Vec<Trouble>,
}

/// Something that is wrong with a line or a device on it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Trouble {
    /// A word: `two_answers`, `errors_grow`, `damaged`, `late`, `pauses`, `hasty`, `babble`, `own_silence`, `strangers`,
    /// `overloaded`. A hub shows one that it does not know as it is.
    pub what: String,
    /// The device's name in the gateway's file; none where it is the line's.
    pub device: Option<String>,
    /// How often, of how many.
    pub count: u64,
    pub of: u64,
    /// The first of the points that it is about, `device/point`.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub points: Vec<String>,
    /// The lowest rate that would mend it.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub baud: Option<u32>,
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde hands references")]
fn is_nothing(share: &f64) -> bool {
    *share == 0.0
}

#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde hands references")]
fn is_not(flag: &bool) -> bool {
    !*flag
}

#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct DeviceHealth {
    pub key: String,
    pub silent: bool,
    pub last_good: Option<Timestamp>,
    pub requests: u64,
    pub errors: u64,
    /// Median time from request to whole reply, of the last replies.
    pub turnaround_ms: Option<f64>,
    pub last_error: Option<String>,
}

/// Samples that somebody is looking at: no promise, no order, at most one datagram each.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LiveSamples {
    pub samples: Vec<LiveSample>,
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct LiveSample {
    pub no: PointNo,
    pub at: Timestamp,
    pub value: Option<crate::reading::Value>,
    pub quality: Quality,
}

/// Asks for the first certificate.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Enrol {
    /// The secret part of the one-time code.
    #[serde(with = "bytes")]
    pub code: Vec<u8>,
    /// PKCS#10, DER, signed by the gateway's own key.
    #[serde(with = "bytes")]
    pub csr: Vec<u8>,
    pub version: String,
    /// Name of the machine, for the person who enrols it.
    pub host: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum EnrolAnswer {
    Accepted(Enrolled),
    Refused(EnrolRefusal),
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Enrolled {
    pub gateway: GatewayId,
    #[serde(with = "bytes")]
    pub certificate: Vec<u8>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum EnrolRefusal {
    /// Never given, or used already.
    UnknownCode,
    Expired,
    /// The request is no valid PKCS#10, or not signed by its own key.
    BadRequest,
    /// Too many tries from this address.
    SlowDown,
}

/// Byte strings as CBOR byte strings: serde alone would write arrays of integers.
pub mod bytes {
    use serde::{Deserializer, Serializer, de};

    pub fn serialize<S: Serializer>(v: &[u8], s: S) -> Result<S::Ok, S::Error> {
        s.serialize_bytes(v)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<Vec<u8>, D::Error> {
        struct V;
        impl de::Visitor<'_> for V {
            type Value = Vec<u8>;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a byte string")
            }
            fn visit_bytes<E: de::Error>(self, v: &[u8]) -> Result<Vec<u8>, E> {
                Ok(v.to_vec())
            }
            fn visit_byte_buf<E: de::Error>(self, v: Vec<u8>) -> Result<Vec<u8>, E> {
                Ok(v)
            }
        }
        d.deserialize_byte_buf(V)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::frame::{from_cbor, to_cbor};

    #[test]
    fn a_batch_reads_back_and_its_body_is_a_byte_string() {
        let batch =
            Batch { lane: Lane::Live, epoch: 3, seq: 9, count: 2, hash: vec![7; 32], body: vec![1, 2, 3] };
        let bytes = to_cbor(&LaneUp::Batch(batch.clone())).unwrap();
        assert!(bytes.windows(4).any(|w| w == [0x43, 1, 2, 3]), "CBOR byte string of three");
        assert_eq!(from_cbor::<LaneUp>(&bytes).unwrap(), LaneUp::Batch(batch));
    }

    #[test]
    fn a_hostile_batch_is_an_error_and_no_panic() {
        for n in 0..64 {
            assert!(from_cbor::<LaneUp>(&vec![0xbf; n]).is_err(), "{n} maps that never end");
            assert!(from_cbor::<ControlUp>(&vec![0x5b; n]).is_err(), "{n} lengths of byte strings");
        }
    }
}
