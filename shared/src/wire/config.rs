//! A configuration from the hub, as it travels and as it is stored: signed by the hub's CA over its bytes as they are,
//! like an order ([`super::command`]), and good for nothing else. Both sides call this; nothing here applies anything.
//!
//! As with [`super::message`], fields are only ever appended.

use serde::{Deserialize, Serialize};

use super::message::bytes;
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
