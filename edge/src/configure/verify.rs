//! The hub's signature on a configuration: ECDSA P-256 by the key of the CA that signed this gateway's own certificate.

use rustls_pki_types::CertificateDer;
use steward_shared::id::GatewayId;
use steward_shared::wire::config::{MAX_TEXT, NewConfig, SignedConfig};
use steward_shared::wire::frame::from_cbor;
use webpki::ring::ECDSA_P256_SHA256;

/// The configuration, if the CA's key signed it for this gateway and it is of a size that is taken.
pub fn verified(signed: &SignedConfig, ca: &CertificateDer<'_>, gateway: GatewayId) -> Option<NewConfig> {
    let (_, certificate) = x509_parser::parse_x509_certificate(ca).ok()?;
    let key = certificate.public_key().subject_public_key.data.as_ref();
    let message = SignedConfig::signed(&signed.config);
    ECDSA_P256_SHA256.verify_signature(key, &message, &signed.signature).ok()?;
    let config: NewConfig = from_cbor(&signed.config).ok()?;
    (config.gateway == gateway && config.text.len() <= MAX_TEXT).then_some(config)
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair, SigningKey};
    use steward_shared::time::Timestamp;
    use steward_shared::wire::command::SignedOrder;
    use steward_shared::wire::frame::to_cbor;

    use super::*;

    #[test]
    fn a_forged_configuration_is_none() {
        let ca = || {
            let key = KeyPair::generate().unwrap();
            (CertificateParams::default().self_signed(&key).unwrap().der().clone(), key)
        };
        let ((ours, key), (theirs, _)) = (ca(), ca());
        let id = |n: u8| GatewayId(format!("00000000-0000-7000-8000-0000000000{n:02}").parse().unwrap());
        let config = |text: String| NewConfig {
            gateway: id(1),
            version: 7,
            base: "b".into(),
            text,
            by: "li".into(),
            why: "more often".into(),
            issued: Timestamp(0),
            first: None,
        };
        let bytes = |text: String| to_cbor(&config(text)).unwrap();
        let sign = |bytes: Vec<u8>| {
            let signature = key.sign(&SignedConfig::signed(&bytes)).unwrap();
            SignedConfig { config: bytes, signature }
        };
        let good = sign(bytes("text".into()));
        assert_eq!(verified(&good, &ours, id(1)), Some(config("text".into())));
        assert_eq!(verified(&good, &theirs, id(1)), None, "another hub's");
        assert_eq!(verified(&good, &ours, id(2)), None, "another gateway's");
        let changed = SignedConfig { config: bytes("texts".into()), ..good.clone() };
        assert_eq!(verified(&changed, &ours, id(1)), None, "changed on the way");
        let order = key.sign(&SignedOrder::signed(&good.config)).unwrap();
        assert_eq!(
            verified(&SignedConfig { signature: order, ..good }, &ours, id(1)),
            None,
            "signed as an order"
        );
        assert!(verified(&sign(bytes("x".repeat(MAX_TEXT))), &ours, id(1)).is_some());
        assert_eq!(verified(&sign(bytes("x".repeat(MAX_TEXT + 1))), &ours, id(1)), None, "too large");
    }
}
