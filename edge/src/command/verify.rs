//! The hub's signature on an order: ECDSA P-256 by the key of the CA that signed this gateway's own certificate.

use rustls_pki_types::CertificateDer;
use steward_shared::wire::command::{Order, SignedOrder};
use steward_shared::wire::frame::from_cbor;
use webpki::ring::ECDSA_P256_SHA256;

/// The order, if the CA's key signed it.
pub fn verified(signed: &SignedOrder, ca: &CertificateDer<'_>) -> Option<Order> {
    let (_, certificate) = x509_parser::parse_x509_certificate(ca).ok()?;
    let key = certificate.public_key().subject_public_key.data.as_ref();
    let message = SignedOrder::signed(&signed.order);
    ECDSA_P256_SHA256.verify_signature(key, &message, &signed.signature).ok()?;
    from_cbor(&signed.order).ok()
}
