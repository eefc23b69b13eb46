//! The hub's own certificate authority for gateways: made at the first start, kept in the data directory,
//! key readable by the hub alone. It signs the hub's leaf (which renews itself and whose key is never
//! stored) and the gateways' certificates, and the orders to gateways. A gateway's name comes from the hub, never from its request.

use std::fs;
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt};
use std::path::{Path, PathBuf};
use std::sync::{Arc, RwLock};
use std::time::Duration;

use rcgen::{
    BasicConstraints, CertificateParams, CertificateSigningRequestParams, CidrSubnet, DistinguishedName,
    DnType, ExtendedKeyUsagePurpose, GeneralSubtree, IsCa, Issuer, KeyPair, KeyUsagePurpose, NameConstraints,
    SanType, SerialNumber, SigningKey,
};
use rustls::pki_types::{CertificateDer, CertificateSigningRequestDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use steward_shared::id::{GatewayId, Ids};
use steward_shared::time::{Clock, Timestamp};
use steward_shared::wire::code::{Code, SECRET};
use steward_shared::wire::command::SignedOrder;
use steward_shared::wire::config::SignedConfig;
use steward_shared::wire::message::{GATEWAY_URI_PREFIX, HUB_SERVER_NAME};

const DAY: Duration = Duration::from_hours(24);
/// Ten years.
const CA_LIFE: Duration = Duration::from_hours(3653 * 24);
const SERVER_LIFE: Duration = Duration::from_hours(90 * 24);
/// How long a gateway's certificate is valid; the gateway renews it long before.
pub const GATEWAY_LIFE: Duration = Duration::from_hours(30 * 24);
/// Certificates begin this much before they are made, for peers whose clocks are behind.
const BACKDATED: Duration = DAY;
/// A request of a P-256 or Ed25519 key is some 300 bytes.
const MAX_REQUEST: usize = 8 << 10;
/// Before the instant of the enrolment, in milliseconds, in the second name of a gateway's certificate.
const ENROLLED_URI_PREFIX: &str = "urn:steward:enrolled:";
/// All names below which this CA may sign.
const REALM: &str = "steward.internal";

/// The epoch of Unix, to which rcgen's own type of instant is reckoned.
macro_rules! instant {
    ($t:expr) => {
        rcgen::date_time_ymd(1970, 1, 1) + since_1970($t)
    };
}

#[derive(Debug, thiserror::Error)]
pub enum CaError {
    #[error("{path}: cannot be read or written; check that the hub owns its data directory")]
    File { path: PathBuf, source: io::Error },
    #[error("{0}: others may read the key of the hub's CA; run chmod 600 on it")]
    Exposed(PathBuf),
    #[error("{0}: is no CA key or certificate of this hub; restore it from the backup")]
    Damaged(PathBuf),
    #[error("the request is no valid PKCS#10 request signed by its own key")]
    BadRequest,
    #[error("a certificate could not be made")]
    Making(#[from] rcgen::Error),
    #[error("the key of a certificate could not be used")]
    Using(#[from] rustls::Error),
}

/// A gateway's new certificate.
#[derive(Debug)]
pub struct Issued {
    pub certificate: CertificateDer<'static>,
    pub expires: Timestamp,
}

/// What a gateway's certificate says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Identity {
    pub gateway: GatewayId,
    /// The enrolment that it goes back to, by its instant.
    pub enrolled: Timestamp,
    pub expires: Timestamp,
}

impl Identity {
    /// Less than half of its life is left. A gateway asks for the next one in the last third, by a clock of its own.
    pub fn is_due(&self, now: Timestamp) -> bool {
        now.plus(GATEWAY_LIFE / 2) >= self.expires
    }
}

pub struct Ca {
    certificate: CertificateDer<'static>,
    issuer: Issuer<'static, KeyPair>,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn Ids>,
}

impl std::fmt::Debug for Ca {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Ca")
    }
}

impl Ca {
    /// Opens the CA in `dir`, or makes it. Blocks on the disk.
    pub fn open(dir: &Path, clock: Arc<dyn Clock>, ids: Arc<dyn Ids>) -> Result<Self, CaError> {
        let (key_file, certificate_file) = (dir.join("gateway-ca.key.pem"), dir.join("gateway-ca.der"));
        fs::create_dir_all(dir).map_err(|source| CaError::File { path: dir.into(), source })?;
        let key = match fs::read_to_string(&key_file) {
            Ok(pem) => {
                let mode = fs::metadata(&key_file).map_err(at(&key_file))?.mode();
                if mode & 0o077 != 0 {
                    return Err(CaError::Exposed(key_file));
                }
                KeyPair::from_pem(&pem).map_err(|_| CaError::Damaged(key_file.clone()))?
            }
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                let key = KeyPair::generate()?;
                write_whole(dir, &key_file, key.serialize_pem().as_bytes(), 0o600)?;
                key
            }
            Err(source) => return Err(CaError::File { path: key_file, source }),
        };
        let certificate = match fs::read(&certificate_file) {
            Ok(der) => CertificateDer::from(der),
            Err(e) if e.kind() == io::ErrorKind::NotFound => {
                let made = authority(clock.now(), ids.as_ref()).self_signed(&key)?.der().clone();
                write_whole(dir, &certificate_file, &made, 0o644)?;
                made
            }
            Err(source) => return Err(CaError::File { path: certificate_file, source }),
        };
        let own = x509_parser::parse_x509_certificate(&certificate)
            .is_ok_and(|(_, c)| c.public_key().subject_public_key.data.as_ref() == key.public_key_raw());
        if !own {
            return Err(CaError::Damaged(certificate_file));
        }
        let issuer =
            Issuer::from_ca_cert_der(&certificate, key).map_err(|_| CaError::Damaged(certificate_file))?;
        Ok(Self { certificate, issuer, clock, ids })
    }

    pub fn certificate(&self) -> &CertificateDer<'static> {
        &self.certificate
    }

    /// The code that carries this secret and names this CA.
    pub fn code(&self, secret: [u8; SECRET]) -> Code {
        Code { secret, ca: Code::fingerprint(&self.certificate) }
    }

    /// Signs the key of a gateway's request, by virtue of the enrolment of that instant. Whatever names the request holds
    /// are passed over.
    pub fn sign_gateway(
        &self,
        request: &[u8],
        gateway: GatewayId,
        enrolled: Timestamp,
    ) -> Result<Issued, CaError> {
        if request.len() > MAX_REQUEST {
            return Err(CaError::BadRequest);
        }
        // Checks the request's own signature as well.
        let request = CertificateSigningRequestParams::from_der(&CertificateSigningRequestDer::from(request))
            .map_err(|_| CaError::BadRequest)?;
        let now = self.clock.now();
        let mut params = self.leaf(&format!("gateway {gateway}"), now, GATEWAY_LIFE)?;
        let name = format!("{GATEWAY_URI_PREFIX}{gateway}").try_into()?;
        let by = format!("{ENROLLED_URI_PREFIX}{}", enrolled.as_millis()).try_into()?;
        params.subject_alt_names = vec![SanType::URI(name), SanType::URI(by)];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ClientAuth];
        let certificate = params.signed_by(&request.public_key, &self.issuer)?.der().clone();
        Ok(Issued { certificate, expires: now.plus(GATEWAY_LIFE) })
    }

    /// Signs an order to a gateway, over what [`SignedOrder::signed`] says: such a signature is good for nothing else.
    pub fn sign_order(&self, order: Vec<u8>) -> Result<SignedOrder, CaError> {
        let signature = self.issuer.key().sign(&SignedOrder::signed(&order))?;
        Ok(SignedOrder { order, signature })
    }

    /// Signs a configuration for a gateway, as [`Self::sign_order`] an order.
    pub fn sign_config(&self, config: Vec<u8>) -> Result<SignedConfig, CaError> {
        let signature = self.issuer.key().sign(&SignedConfig::signed(&config))?;
        Ok(SignedConfig { config, signature })
    }

    /// A leaf for the hub itself, with a fresh key.
    fn server(&self) -> Result<CertifiedKey, CaError> {
        let key = KeyPair::generate()?;
        let mut params = self.leaf("steward hub", self.clock.now(), SERVER_LIFE)?;
        params.subject_alt_names = vec![SanType::DnsName(HUB_SERVER_NAME.try_into()?)];
        params.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
        let leaf = params.signed_by(&key, &self.issuer)?.der().clone();
        let key = PrivateKeyDer::Pkcs8(PrivatePkcs8KeyDer::from(key.serialize_der()));
        let key = rustls::crypto::ring::sign::any_supported_type(&key)?;
        Ok(CertifiedKey::new(vec![leaf, self.certificate.clone()], key))
    }

    fn leaf(&self, name: &str, now: Timestamp, life: Duration) -> Result<CertificateParams, CaError> {
        let mut params = CertificateParams::new(Vec::new())?;
        params.distinguished_name = DistinguishedName::new();
        params.distinguished_name.push(DnType::CommonName, name);
        params.not_before = instant!(now.minus(BACKDATED));
        params.not_after = instant!(now.plus(life));
        params.key_usages = vec![KeyUsagePurpose::DigitalSignature];
        params.use_authority_key_identifier_extension = true;
        params.serial_number = Some(serial(self.ids.as_ref()));
        Ok(params)
    }
}

fn authority(now: Timestamp, ids: &dyn Ids) -> CertificateParams {
    let mut params = CertificateParams::default();
    params.distinguished_name = DistinguishedName::new();
    params.distinguished_name.push(DnType::CommonName, "Steward hub gateway CA");
    params.not_before = instant!(now.minus(BACKDATED));
    params.not_after = instant!(now.plus(CA_LIFE));
    params.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    params.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    // Whoever steals this key can pose as a gateway of this hub, and as nothing else in the world.
    params.name_constraints = Some(NameConstraints {
        permitted_subtrees: vec![GeneralSubtree::DnsName(REALM.into())],
        excluded_subtrees: vec![
            GeneralSubtree::IpAddress(CidrSubnet::from_v4_prefix([0; 4], 0)),
            GeneralSubtree::IpAddress(CidrSubnet::from_v6_prefix([0; 16], 0)),
        ],
    });
    params.serial_number = Some(serial(ids));
    params
}

/// At most 20 bytes and positive (RFC 5280, 4.1.2.2).
fn serial(ids: &dyn Ids) -> SerialNumber {
    let mut bytes = *ids.new_uuid().as_bytes();
    if let Some(first) = bytes.first_mut() {
        *first = (*first & 0x7f) | 0x01;
    }
    SerialNumber::from_slice(&bytes)
}

fn since_1970(t: Timestamp) -> Duration {
    Duration::from_secs(u64::try_from(t.as_millis().div_euclid(1000)).unwrap_or(0))
}

/// What the certificate of a gateway says, if it is one: exactly two names, the gateway's and the enrolment's URI. Its
/// signature and its dates are checked by the handshake, not here.
pub fn identity(certificate: &CertificateDer<'_>) -> Option<Identity> {
    use x509_parser::extensions::GeneralName;
    let (_, parsed) = x509_parser::parse_x509_certificate(certificate).ok()?;
    let names = parsed.subject_alternative_name().ok()??;
    let [GeneralName::URI(name), GeneralName::URI(by)] = names.value.general_names.as_slice() else {
        return None;
    };
    let gateway = name.strip_prefix(GATEWAY_URI_PREFIX)?.parse().ok()?;
    let enrolled = Timestamp(by.strip_prefix(ENROLLED_URI_PREFIX)?.parse().ok()?);
    let expires = Timestamp(parsed.validity().not_after.timestamp().checked_mul(1000)?);
    Some(Identity { gateway, enrolled, expires })
}

/// Hands rustls the hub's leaf, and makes the next one when two thirds of its life are over: nobody has to
/// restart a hub for its certificate.
pub struct ServerLeaf {
    ca: Arc<Ca>,
    current: RwLock<(Arc<CertifiedKey>, Timestamp)>,
}

impl std::fmt::Debug for ServerLeaf {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("ServerLeaf")
    }
}

impl ServerLeaf {
    pub fn new(ca: Arc<Ca>) -> Result<Self, CaError> {
        let current = RwLock::new((Arc::new(ca.server()?), ca.clock.now()));
        Ok(Self { ca, current })
    }

    fn key(&self) -> Arc<CertifiedKey> {
        let now = self.ca.clock.now();
        let (key, made) = {
            let held = self.current.read().unwrap_or_else(std::sync::PoisonError::into_inner);
            (held.0.clone(), held.1)
        };
        if now.since(made) < SERVER_LIFE * 2 / 3 {
            return key;
        }
        match self.ca.server() {
            Ok(fresh) => {
                let fresh = Arc::new(fresh);
                *self.current.write().unwrap_or_else(std::sync::PoisonError::into_inner) =
                    (fresh.clone(), now);
                fresh
            }
            Err(e) => {
                tracing::error!(error = %e, "the hub's certificate for gateways could not be renewed");
                key
            }
        }
    }
}

impl ResolvesServerCert for ServerLeaf {
    fn resolve(&self, _hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(self.key())
    }
}

fn at(path: &Path) -> impl FnOnce(io::Error) -> CaError + '_ {
    move |source| CaError::File { path: path.into(), source }
}

/// A file that is there whole or not at all, after a power cut too.
fn write_whole(dir: &Path, path: &Path, content: &[u8], mode: u32) -> Result<(), CaError> {
    let part = path.with_extension("part");
    let write = || -> io::Result<()> {
        let mut file =
            fs::OpenOptions::new().write(true).create(true).truncate(true).mode(mode).open(&part)?;
        file.write_all(content)?;
        file.sync_all()?;
        fs::rename(&part, path)?;
        fs::File::open(dir)?.sync_all()
    };
    write().map_err(at(path))
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use rustls::client::danger::ServerCertVerifier;
    use rustls::pki_types::{ServerName, UnixTime};
    use steward_shared::id::RandomIds;
    use steward_shared::time::ManualClock;

    use super::*;

    fn clock() -> Arc<ManualClock> {
        Arc::new(ManualClock::at("2026-03-01T08:00:00Z".parse().unwrap()))
    }

    fn unix(t: Timestamp) -> UnixTime {
        UnixTime::since_unix_epoch(since_1970(t))
    }

    fn roots(ca: &Ca) -> Arc<rustls::RootCertStore> {
        let mut roots = rustls::RootCertStore::empty();
        roots.add(ca.certificate().clone()).unwrap();
        Arc::new(roots)
    }

    fn request(name: &str) -> Vec<u8> {
        let key = KeyPair::generate().unwrap();
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.subject_alt_names = vec![SanType::URI(name.try_into().unwrap())];
        params.serialize_request(&key).unwrap().der().to_vec()
    }

    #[test]
    fn a_ca_is_made_once_and_its_key_is_for_the_hub_alone() {
        let dir = tempfile::tempdir().unwrap();
        let ca = Ca::open(dir.path(), clock(), Arc::new(RandomIds)).unwrap();
        let key = dir.path().join("gateway-ca.key.pem");
        assert_eq!(fs::metadata(&key).unwrap().mode() & 0o777, 0o600);
        let again = Ca::open(dir.path(), clock(), Arc::new(RandomIds)).unwrap();
        assert_eq!(ca.certificate(), again.certificate());
        fs::set_permissions(&key, fs::Permissions::from_mode(0o644)).unwrap();
        let refused = Ca::open(dir.path(), clock(), Arc::new(RandomIds)).unwrap_err();
        assert!(refused.to_string().contains("chmod 600"), "{refused}");
    }

    #[test]
    fn a_ca_signs_certificates_and_no_further_cas_and_only_below_its_realm() {
        let dir = tempfile::tempdir().unwrap();
        let ca = Ca::open(dir.path(), clock(), Arc::new(RandomIds)).unwrap();
        let (_, c) = x509_parser::parse_x509_certificate(ca.certificate()).unwrap();
        let basic = c.basic_constraints().unwrap().unwrap();
        assert!(basic.critical && basic.value.ca && basic.value.path_len_constraint == Some(0));
        let usage = c.key_usage().unwrap().unwrap();
        assert!(usage.value.key_cert_sign() && !usage.value.digital_signature());
        assert!(c.name_constraints().unwrap().unwrap().value.permitted_subtrees.is_some());
    }

    #[test]
    fn the_hub_names_the_gateway_whatever_its_request_says() {
        let dir = tempfile::tempdir().unwrap();
        let clock = clock();
        let ca = Ca::open(dir.path(), clock.clone(), Arc::new(RandomIds)).unwrap();
        let (mine, other) = (GatewayId::new(&RandomIds), GatewayId::new(&RandomIds));
        let by = Timestamp(1_234);
        let issued = ca.sign_gateway(&request(&format!("{GATEWAY_URI_PREFIX}{other}")), mine, by).unwrap();
        let identity = identity(&issued.certificate).unwrap();
        assert_eq!((identity.gateway, identity.enrolled), (mine, by));
        assert_eq!(identity.expires, clock.now().plus(GATEWAY_LIFE));
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let verifier = rustls::server::WebPkiClientVerifier::builder_with_provider(roots(&ca), provider)
            .build()
            .unwrap();
        verifier.verify_client_cert(&issued.certificate, &[], unix(clock.now())).unwrap();
        let late = clock.now().plus(GATEWAY_LIFE + DAY);
        assert!(verifier.verify_client_cert(&issued.certificate, &[], unix(late)).is_err());
    }

    #[test]
    fn a_request_that_its_key_did_not_sign_is_refused() {
        let dir = tempfile::tempdir().unwrap();
        let ca = Ca::open(dir.path(), clock(), Arc::new(RandomIds)).unwrap();
        let (gateway, by) = (GatewayId::new(&RandomIds), Timestamp(0));
        let mut forged = request("urn:x");
        let last = forged.len() - 1;
        forged[last] ^= 1;
        assert!(matches!(ca.sign_gateway(&forged, gateway, by), Err(CaError::BadRequest)));
        assert!(matches!(ca.sign_gateway(b"", gateway, by), Err(CaError::BadRequest)));
        assert!(matches!(ca.sign_gateway(&vec![0x30; 1 << 20], gateway, by), Err(CaError::BadRequest)));
    }

    #[test]
    fn the_hubs_leaf_is_trusted_by_its_ca_and_renews_itself() {
        let dir = tempfile::tempdir().unwrap();
        let clock = clock();
        let ca = Arc::new(Ca::open(dir.path(), clock.clone(), Arc::new(RandomIds)).unwrap());
        let leaf = ServerLeaf::new(ca.clone()).unwrap();
        let provider = Arc::new(rustls::crypto::ring::default_provider());
        let verifier = rustls::client::WebPkiServerVerifier::builder_with_provider(roots(&ca), provider)
            .build()
            .unwrap();
        let name = ServerName::try_from(HUB_SERVER_NAME).unwrap();
        let first = leaf.key();
        assert_eq!(first.cert.len(), 2);
        verifier.verify_server_cert(&first.cert[0], &first.cert[1..], &name, &[], unix(clock.now())).unwrap();
        clock.advance(DAY * 59);
        assert_eq!(leaf.key().cert, first.cert);
        clock.advance(DAY * 2);
        let second = leaf.key();
        assert_ne!(second.cert[0], first.cert[0]);
        let later = unix(clock.now().plus(DAY * 80));
        verifier.verify_server_cert(&second.cert[0], &second.cert[1..], &name, &[], later).unwrap();
    }
}
