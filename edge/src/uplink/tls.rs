//! Whom this gateway trusts and how it shows who it is. TLS 1.3 only. In a session the hub must show a certificate of the
//! CA that was pinned at enrolment; at enrolment itself, of the CA whose fingerprint the code carries. Signatures, names
//! and dates are checked by webpki in both cases; dates against the clock that is handed in.

use std::sync::Arc;
use std::time::Duration;

use quinn::crypto::rustls::QuicClientConfig;
use quinn::{IdleTimeout, TransportConfig, VarInt};
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::CryptoProvider;
use rustls::time_provider::TimeProvider;
use rustls::{CertificateError, DigitallySignedStruct, RootCertStore, SignatureScheme};
use rustls_pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer, ServerName, UnixTime};
use steward_shared::time::Clock;
use steward_shared::wire::code::Code;
use steward_shared::wire::message::{ALPN, ALPN_ENROL};

use super::error::IdentityError;
use super::identity::Identity;

/// Below the thirty seconds after which NAT routers forget a UDP flow.
const KEEP_ALIVE: Duration = Duration::from_secs(15);
const IDLE_MS: u32 = 30_000;
/// Datagrams that wait to be sent; older ones give way.
const DATAGRAMS: usize = 64 << 10;

/// The same trust for both roads.
pub(super) struct Configs {
    pub quic: quinn::ClientConfig,
    pub tls: Arc<rustls::ClientConfig>,
}

/// For a session: the identity's certificate, and the pinned CA.
pub(super) fn session(identity: &Identity, clock: &Arc<dyn Clock>) -> Result<Configs, IdentityError> {
    let provider = provider();
    let verifier = verifier(&identity.ca, &provider)?;
    let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(identity.key_der()));
    let mut tls = rustls::ClientConfig::builder_with_details(provider, Arc::new(HandedIn(clock.clone())))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(IdentityError::Tls)?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_client_auth_cert(vec![identity.certificate.clone()], key)
        .map_err(IdentityError::Tls)?;
    tls.alpn_protocols = vec![ALPN.to_vec()];
    configs(tls)
}

/// For an enrolment: no certificate yet, and the CA that the code names.
pub(super) fn enrolment(code: &Code, clock: &Arc<dyn Clock>) -> Result<Configs, IdentityError> {
    let provider = provider();
    let verifier = Arc::new(ByCode { code: code.clone(), provider: provider.clone() });
    let mut tls = rustls::ClientConfig::builder_with_details(provider, Arc::new(HandedIn(clock.clone())))
        .with_protocol_versions(&[&rustls::version::TLS13])
        .map_err(IdentityError::Tls)?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth();
    tls.alpn_protocols = vec![ALPN_ENROL.to_vec()];
    configs(tls)
}

fn configs(mut tls: rustls::ClientConfig) -> Result<Configs, IdentityError> {
    let unusable =
        |_| IdentityError::Tls(rustls::Error::General("the cipher suites lack AES-128-GCM".into()));
    // Every session shows its certificate anew, and nothing is said before the handshake is done.
    tls.resumption = rustls::client::Resumption::disabled();
    let crypto = QuicClientConfig::try_from(tls.clone()).map_err(unusable)?;
    let mut quic = quinn::ClientConfig::new(Arc::new(crypto));
    let mut transport = TransportConfig::default();
    transport
        .max_idle_timeout(Some(IdleTimeout::from(VarInt::from_u32(IDLE_MS))))
        .keep_alive_interval(Some(KEEP_ALIVE))
        .max_concurrent_bidi_streams(VarInt::from_u32(0))
        .max_concurrent_uni_streams(VarInt::from_u32(0))
        .datagram_send_buffer_size(DATAGRAMS);
    quic.transport_config(Arc::new(transport));
    Ok(Configs { quic, tls: Arc::new(tls) })
}

fn provider() -> Arc<CryptoProvider> {
    Arc::new(rustls::crypto::ring::default_provider())
}

fn verifier(
    ca: &CertificateDer<'static>,
    provider: &Arc<CryptoProvider>,
) -> Result<Arc<WebPkiServerVerifier>, IdentityError> {
    let mut roots = RootCertStore::empty();
    roots.add(ca.clone()).map_err(IdentityError::Tls)?;
    WebPkiServerVerifier::builder_with_provider(Arc::new(roots), provider.clone())
        .build()
        .map_err(|e| IdentityError::Tls(rustls::Error::General(e.to_string())))
}

/// The product's clock for rustls.
#[derive(Debug)]
struct HandedIn(Arc<dyn Clock>);

impl TimeProvider for HandedIn {
    fn current_time(&self) -> Option<UnixTime> {
        let ms = u64::try_from(self.0.now().as_millis()).ok()?;
        Some(UnixTime::since_unix_epoch(Duration::from_millis(ms)))
    }
}

/// Trusts the CA in the hub's chain that the code names, and a leaf that it signed.
#[derive(Debug)]
struct ByCode {
    code: Code,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for ByCode {
    fn verify_server_cert(
        &self,
        leaf: &CertificateDer<'_>,
        chain: &[CertificateDer<'_>],
        name: &ServerName<'_>,
        ocsp: &[u8],
        now: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        let unknown = || rustls::Error::InvalidCertificate(CertificateError::UnknownIssuer);
        let ca = chain.iter().find(|c| self.code.names_ca(c)).ok_or_else(unknown)?;
        let verifier = verifier(&ca.clone().into_owned(), &self.provider).map_err(|_| unknown())?;
        verifier.verify_server_cert(leaf, chain, name, ocsp, now)
    }

    fn verify_tls12_signature(
        &self,
        _: &[u8],
        _: &CertificateDer<'_>,
        _: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        Err(rustls::Error::General("only TLS 1.3 is spoken".into()))
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        rustls::crypto::verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}
