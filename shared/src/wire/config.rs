//! A configuration from the hub, as it travels and as it is stored: signed by the hub's CA over its bytes as they are,
//! like an order ([`super::command`]), and good for nothing else; and what a gateway says of the one that it runs. Both
//! sides call this; nothing here applies anything.
//!
//! As with [`super::message`], fields are only ever appended.

use serde::{Deserialize, Serialize};

use super::message::{Names, bytes};
use crate::id::GatewayId;
use crate::time::Timestamp;

/// In front of what is signed: a signature over a configuration is none over an order or a certificate.
pub const CONTEXT: &[u8] = b"steward gateway configuration 1\0";
/// Bytes of a configuration's text; a frame holds it many times over.
pub const MAX_TEXT: usize = 256 << 10;

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SignedConfig {
    /// A [`NewConfig`] in CBOR.
    #[serde(with = "bytes")]
    pub config: Vec<u8>,
    /// ECDSA P-256 with SHA-256, ASN.1 DER, over [`SignedConfig::signed`].
    #[serde(with = "bytes")]
    pub signature: Vec<u8>,
}

impl SignedConfig {
    /// What the signature is over.
    pub fn signed(config: &[u8]) -> Vec<u8> {
        [CONTEXT, config].concat()
    }
}

/// What a gateway is to run.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct NewConfig {
    pub gateway: GatewayId,
    /// Only grows; a gateway takes none that is not newer than the last that it took.
    pub version: u64,
    /// SHA-256 of the text that it was made from, in hexadecimal: another one in force by now is not overwritten.
    pub base: String,
    pub text: String,
    /// Who wants it, by the name that they log in with.
    pub by: String,
    pub why: String,
    pub issued: Timestamp,
    /// The line on which it is tried first; the others follow when that does well.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub first: Option<String>,
}

/// What a gateway runs, and what became of the last configuration from the hub: said after each welcome and whenever it
/// changes. Each replaces the one before.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfigReport {
    /// The file on site lets the hub configure this gateway.
    pub is_open: bool,
    /// What is in force; none where it is longer than [`MAX_TEXT`].
    pub text: Option<String>,
    /// SHA-256 of the text in force, in hexadecimal.
    pub digest: String,
    /// The hub's version that is in force; none for the file on site.
    pub version: Option<u64>,
    /// The last version that it took, whatever became of it.
    pub taken: u64,
    /// What became of the last one.
    pub outcome: Option<ConfigOutcome>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfigOutcome {
    pub version: u64,
    pub at: Timestamp,
    pub stage: ConfigStage,
    /// A word of [`reason`].
    pub reason: Option<String>,
    /// Plain words, for the log.
    pub detail: String,
    pub faults: Vec<ConfigFault>,
}

#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum ConfigStage {
    /// It was never in force.
    Refused,
    /// It is in force, and goes back by itself unless it proves itself.
    Trying,
    Kept,
    /// It was in force, and what was before is again.
    TakenBack,
}

impl ConfigStage {
    pub const ALL: [Self; 4] = [Self::Refused, Self::Trying, Self::Kept, Self::TakenBack];

    pub const fn word(self) -> &'static str {
        match self {
            Self::Refused => "refused",
            Self::Trying => "trying",
            Self::Kept => "kept",
            Self::TakenBack => "taken_back",
        }
    }
}

/// Why a configuration is not in force. Words are stable: pages translate them.
pub mod reason {
    /// The file on site does not let the hub configure the gateway.
    pub const NOT_ALLOWED: &str = "not_allowed";
    /// It was made for another configuration than the one that was in force.
    pub const OTHER_BASE: &str = "other_base";
    /// It is tried on one line first.
    pub const FIRST_LINE: &str = "first_line";
    /// Its text has faults.
    pub const FAULTS: &str = "faults";
    /// It could not be stored or taken over.
    pub const NOT_STORED: &str = "not_stored";
    /// The hub was not reached with it in time.
    pub const HUB_NOT_REACHED: &str = "hub_not_reached";
    /// Devices that answered before do not, or give less than half of what they gave.
    pub const DEVICES_WORSE: &str = "devices_worse";
    /// The program did not live long with it, again and again.
    pub const ENDED_PROGRAM: &str = "ended_program";
    /// Said by the hub itself: the gateway does not know it any more, and will not say what became of it.
    pub const FORGOTTEN: &str = "forgotten";
    /// The file on site was changed, and wins.
    pub const CHANGED_ON_SITE: &str = "changed_on_site";
}

/// What is wrong with a text, where, and what to do.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ConfigFault {
    /// From 1; 0 where the whole text is meant, or a profile.
    pub line: u32,
    pub column: u32,
    /// `line[0].port`
    pub path: String,
    pub message: Names,
    pub way_out: Names,
}

/// Have a text checked by the gateway itself; nothing is applied, and so nothing is signed.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckConfig {
    pub id: u64,
    pub text: String,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct CheckedConfig {
    pub id: u64,
    /// None where it would be taken.
    pub faults: Vec<ConfigFault>,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::command::{self, SignedOrder};
    use crate::wire::frame::from_cbor;

    #[test]
    fn what_is_signed_as_a_configuration_is_no_order_and_no_certificate() {
        let signed = SignedConfig::signed(&[0x80]);
        assert!(signed.starts_with(b"steward gateway configuration 1\0") && signed.ends_with(&[0x80]));
        assert_ne!(signed, SignedOrder::signed(&[0x80]));
        assert!(!CONTEXT.starts_with(command::CONTEXT) && !command::CONTEXT.starts_with(CONTEXT));
        assert_ne!(signed.first(), Some(&0x30), "a certificate begins with a SEQUENCE");
    }

    #[test]
    fn a_hostile_configuration_is_an_error_and_no_panic() {
        for n in 0..64 {
            assert!(from_cbor::<NewConfig>(&vec![0xbf; n]).is_err());
            assert!(from_cbor::<SignedConfig>(&vec![0x5b; n]).is_err());
        }
    }
}
