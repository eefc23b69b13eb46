//! Commands from the hub, and what a gateway reports of them. An order is signed by the hub's CA over its bytes as they
//! are, so that one that is stored proves itself; the gateway verifies it with the CA's certificate that it was
//! enrolled with. Both sides call this; nothing here writes to a device.
//!
//! As with [`super::message`], fields and variants are only ever appended.

use serde::{Deserialize, Serialize};

use super::message::bytes;
use crate::id::{CommandId, GatewayId};
use crate::time::Timestamp;

/// In front of what is signed: a signature of the CA's key over an order is good for nothing else.
pub const CONTEXT: &[u8] = b"steward gateway order 1\0";
/// ASHRAE 135, clause 19.2: 1 to 6 are for life safety, critical equipment and minimum times.
pub const PRIORITIES: std::ops::RangeInclusive<u8> = 7..=16;
/// Clause 19.2: 8, manual operator.
pub const PRIORITY: u8 = 8;
/// A command is written within a day of its issue, or never.
pub const LONGEST_VALID_MS: i64 = 24 * 3_600_000;
/// Bytes of a reason, as the hub takes it.
pub const MAX_WHY: usize = 500;

/// An order as it travels and as it is stored.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignedOrder {
    /// An [`Order`] in CBOR.
    #[serde(with = "bytes")]
    pub order: Vec<u8>,
    /// ECDSA P-256 with SHA-256, ASN.1 DER, over [`SignedOrder::signed`].
    #[serde(with = "bytes")]
    pub signature: Vec<u8>,
}

impl SignedOrder {
    /// What the signature is over.
    pub fn signed(order: &[u8]) -> Vec<u8> {
        [CONTEXT, order].concat()
    }
}

#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub enum Order {
    Write(WriteOrder),
    Relinquish(RelinquishOrder),
}

impl Order {
    pub fn gateway(&self) -> GatewayId {
        match self {
            Self::Write(order) => order.gateway,
            Self::Relinquish(order) => order.gateway,
        }
    }

    /// The command that it is about.
    pub fn command(&self) -> CommandId {
        match self {
            Self::Write(order) => order.command,
            Self::Relinquish(order) => order.command,
        }
    }
}

/// A value for a point.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct WriteOrder {
    pub command: CommandId,
    pub gateway: GatewayId,
    /// The device's name in the gateway's file.
    pub device: String,
    /// The point's key in the profile.
    pub point: String,
    /// Who wants it, by the name that they log in with.
    pub by: String,
    /// Who agreed, where two persons are needed.
    pub approver: Option<String>,
    /// In their words: the work order.
    pub why: String,
    /// It is only written while the point shows this.
    pub expected: Option<f64>,
    pub value: f64,
    /// Of BACnet.
    pub priority: Option<u8>,
    pub issued: Timestamp,
    /// It is not written after this.
    pub not_after: Timestamp,
    /// Then what stood there before comes back.
    pub relinquish_at: Option<Timestamp>,
}

/// What a command has written is given up now.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct RelinquishOrder {
    pub command: CommandId,
    pub gateway: GatewayId,
    pub by: String,
    pub why: String,
    pub issued: Timestamp,
}

/// How far a command has come.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Stage {
    /// Kept by the gateway; it is being looked into.
    Received,
    /// It was not written, and will not be.
    Refused,
    /// Its time was over before it could be written.
    Expired,
    /// The device has taken it.
    Written,
    /// It was read back twice.
    Confirmed,
    /// It was written, and what is read back is not it.
    NotEffective,
    /// What stood there before stands there again, or somebody else has written since.
    Relinquished,
    /// It should be given up and could not be yet; the gateway goes on trying.
    NotRelinquished,
}

impl Stage {
    pub const ALL: [Self; 8] = [
        Self::Received,
        Self::Refused,
        Self::Expired,
        Self::Written,
        Self::Confirmed,
        Self::NotEffective,
        Self::Relinquished,
        Self::NotRelinquished,
    ];

    pub const fn word(self) -> &'static str {
        match self {
            Self::Received => "received",
            Self::Refused => "refused",
            Self::Expired => "expired",
            Self::Written => "written",
            Self::Confirmed => "confirmed",
            Self::NotEffective => "not_effective",
            Self::Relinquished => "relinquished",
            Self::NotRelinquished => "not_relinquished",
        }
    }
}

/// Why a command was refused or has no effect, and how it was given up. Words are stable: pages translate them. A side
/// that does not know one shows it as it is.
pub mod reason {
    pub const NO_SUCH_POINT: &str = "no_such_point";
    /// Its profile does not let it be written.
    pub const NOT_WRITABLE: &str = "not_writable";
    /// The gateway's file does not allow it from the hub.
    pub const NOT_ALLOWED: &str = "not_allowed";
    pub const OUT_OF_RANGE: &str = "out_of_range";
    /// A BACnet priority that is not for commands.
    pub const BAD_PRIORITY: &str = "bad_priority";
    pub const NEEDS_TWO_PERSONS: &str = "needs_two_persons";
    pub const NEEDS_TIME_BOX: &str = "needs_time_box";
    /// Its times contradict each other, or it is valid for too long.
    pub const BAD_TIMES: &str = "bad_times";
    /// The gateway's clock is behind the instant of its issue.
    pub const CLOCK: &str = "clock";
    /// It is from before the gateway's record of commands begins.
    pub const BEFORE_RECORD: &str = "before_record";
    /// The point shows something else than was expected.
    pub const UNEXPECTED_VALUE: &str = "unexpected_value";
    /// Another command or a person at the gateway holds the point.
    pub const HELD: &str = "held";
    pub const TOO_OFTEN: &str = "too_often";
    /// It was given up before it was written.
    pub const CANCELLED: &str = "cancelled";
    /// The device or its line does not answer.
    pub const NO_ANSWER: &str = "no_answer";
    /// The device says no.
    pub const DEVICE_REFUSED: &str = "device_refused";
    /// The device took it and shows something else.
    pub const IGNORED: &str = "ignored";
    /// A higher priority commands the object.
    pub const OVERRIDDEN: &str = "overridden";
    /// The gateway stopped between "about to write" and "written"; it is not written again.
    pub const INTERRUPTED: &str = "interrupted";
    /// Its own record or hold cannot be stored.
    pub const NOT_STORED: &str = "not_stored";
    /// What stood there before stands there again.
    pub const RESTORED: &str = "restored";
    /// Somebody else has written since; it is left so.
    pub const CHANGED_SINCE: &str = "changed_since";
}

/// What a gateway says of a command: one item of [`super::message::Lane::Command`].
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Report {
    pub command: CommandId,
    /// Counts the reports of this command, from 1; the same again is the same report.
    pub no: u32,
    pub at: Timestamp,
    pub stage: Stage,
    /// A word of [`reason`].
    #[serde(default)]
    pub reason: Option<String>,
    /// What the point showed before.
    #[serde(default)]
    pub before: Option<f64>,
    /// What it shows now.
    #[serde(default)]
    pub now: Option<f64>,
    /// The priority array of a BACnet object, 1 to 16; empty where there is none.
    #[serde(default)]
    pub slots: Vec<Option<f64>>,
    /// Plain words, for the log.
    #[serde(default)]
    pub detail: String,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::frame::from_cbor;

    #[test]
    fn what_is_signed_begins_with_what_it_is_for() {
        let signed = SignedOrder::signed(&[0x80]);
        assert!(signed.starts_with(b"steward gateway order 1\0") && signed.ends_with(&[0x80]));
        // A certificate begins with a SEQUENCE: no order can be taken for one.
        assert_ne!(signed.first(), Some(&0x30));
    }

    #[test]
    fn a_hostile_order_is_an_error_and_no_panic() {
        for n in 0..64 {
            assert!(from_cbor::<Order>(&vec![0xbf; n]).is_err());
            assert!(from_cbor::<Report>(&vec![0x5b; n]).is_err());
        }
    }
}
