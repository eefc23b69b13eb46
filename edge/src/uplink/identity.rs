//! Who this gateway is: its key (made here, never sent), its certificate, the hub's CA, its id. Four files in
//! `identity/`, written together: a new identity takes the old one's place whole, or not at all.

use std::fs::{self, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{MetadataExt, OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use rcgen::{CertificateParams, DnType, KeyPair, PKCS_ECDSA_P256_SHA256};
use rustls_pki_types::CertificateDer;
use steward_shared::id::GatewayId;
use steward_shared::time::Timestamp;
use steward_shared::wire::message::GATEWAY_URI_PREFIX;
use x509_parser::extensions::GeneralName;

use super::error::IdentityError;
use crate::owner::hand_over;

const KEY: &str = "key.pem";
const CERTIFICATE: &str = "cert.der";
const CA: &str = "ca.der";
const GATEWAY: &str = "gateway";

type Result<T> = std::result::Result<T, IdentityError>;

/// A complete identity. The key stays out of logs.
pub struct Identity {
    pub gateway: GatewayId,
    pub certificate: CertificateDer<'static>,
    pub ca: CertificateDer<'static>,
    pub begins: Timestamp,
    pub expires: Timestamp,
    key: KeyPair,
}

impl std::fmt::Debug for Identity {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Identity")
            .field("gateway", &self.gateway)
            .field("expires", &self.expires)
            .finish_non_exhaustive()
    }
}

/// A fresh key (P-256).
pub(super) fn new_key() -> Result<KeyPair> {
    KeyPair::generate_for(&PKCS_ECDSA_P256_SHA256).map_err(IdentityError::Making)
}

/// A certificate request (PKCS#10, DER) for this key. The hub gives the name, whatever stands here.
pub(super) fn request(key: &KeyPair) -> Result<Vec<u8>> {
    let mut params = CertificateParams::new(Vec::new()).map_err(IdentityError::Making)?;
    params.distinguished_name.push(DnType::CommonName, "steward gateway");
    let request = params.serialize_request(key).map_err(IdentityError::Making)?;
    Ok(request.der().to_vec())
}

/// What tells one identity on the disk from another, without reading it.
pub(super) type Mark = (u64, i64, i64);

/// None where there is no identity, or none that this user may look at.
pub(super) fn mark(state_dir: &Path) -> Option<Mark> {
    let file = fs::metadata(folder(state_dir).join(CERTIFICATE)).ok()?;
    Some((file.ino(), file.mtime(), file.mtime_nsec()))
}

/// Makes the folder of the next identity with its key. Whoever asks the hub for a certificate does this first: what
/// cannot be kept is not asked for.
pub(super) fn prepare(state_dir: &Path, key: &KeyPair) -> Result<()> {
    let next = next_folder(state_dir);
    let write = || -> io::Result<()> {
        fs::create_dir_all(state_dir)?;
        remove(&next)?;
        let owner = fs::metadata(state_dir)?;
        fs::create_dir(&next)?;
        fs::set_permissions(&next, fs::Permissions::from_mode(0o700))?;
        hand_over(&next, &owner)?;
        put(&next.join(KEY), key.serialize_pem().as_bytes(), 0o600, &owner)
    };
    write().map_err(|e| IdentityError::File(next.clone(), e))
}

impl Identity {
    /// Puts together what the hub answered; refuses a certificate that is not for this key and this gateway.
    pub fn new(
        gateway: GatewayId,
        key: KeyPair,
        certificate: CertificateDer<'static>,
        ca: CertificateDer<'static>,
    ) -> Result<Self> {
        let (begins, expires) =
            check(&certificate, gateway, &key).ok_or(IdentityError::ForeignCertificate)?;
        Ok(Self { gateway, certificate, ca, begins, expires, key })
    }

    /// The identity in the data folder, or none: then this gateway is not enrolled.
    pub fn load(state_dir: &Path) -> Result<Option<Self>> {
        let dir = folder(state_dir);
        let next = next_folder(state_dir);
        // The power failed between the two renames of a change: the new one is whole, and goes on.
        if !dir.exists() && next.join(CERTIFICATE).exists() {
            fs::rename(&next, &dir).map_err(|e| IdentityError::File(dir.clone(), e))?;
        }
        let Some(pem) = read(&dir.join(KEY))? else { return Ok(None) };
        let mode = fs::metadata(dir.join(KEY)).map_err(|e| IdentityError::File(dir.join(KEY), e))?;
        if mode.permissions().mode() & 0o077 != 0 {
            return Err(IdentityError::Exposed(dir.join(KEY)));
        }
        let damaged = |name: &str| IdentityError::Damaged(dir.join(name));
        let pem = String::from_utf8(pem).map_err(|_| damaged(KEY))?;
        let key = KeyPair::from_pem(&pem).map_err(|_| damaged(KEY))?;
        let certificate = read(&dir.join(CERTIFICATE))?.ok_or_else(|| damaged(CERTIFICATE))?;
        let ca = read(&dir.join(CA))?.ok_or_else(|| damaged(CA))?;
        let gateway = read(&dir.join(GATEWAY))?.ok_or_else(|| damaged(GATEWAY))?;
        let gateway = std::str::from_utf8(&gateway).ok().and_then(|t| t.trim().parse().ok());
        let gateway = gateway.ok_or_else(|| damaged(GATEWAY))?;
        Self::new(gateway, key, CertificateDer::from(certificate), CertificateDer::from(ca))
            .map(Some)
            .map_err(|_| damaged(CERTIFICATE))
    }

    /// Writes the identity in the place of any former one.
    pub fn save(&self, state_dir: &Path) -> Result<()> {
        prepare(state_dir, &self.key)?;
        let (dir, next, old) = (folder(state_dir), next_folder(state_dir), state_dir.join("identity.old"));
        let write = || -> io::Result<()> {
            let owner = fs::metadata(state_dir)?;
            put(&next.join(CA), &self.ca, 0o644, &owner)?;
            put(&next.join(GATEWAY), format!("{}\n", self.gateway).as_bytes(), 0o644, &owner)?;
            put(&next.join(CERTIFICATE), &self.certificate, 0o644, &owner)?;
            fs::File::open(&next)?.sync_all()?;
            remove(&old)?;
            if dir.exists() {
                fs::rename(&dir, &old)?;
            }
            fs::rename(&next, &dir)?;
            fs::File::open(state_dir)?.sync_all()?;
            remove(&old)
        };
        write().map_err(|e| IdentityError::File(dir.clone(), e))
    }

    /// A request for the next certificate of the same key.
    pub fn renewal_request(&self) -> Result<Vec<u8>> {
        request(&self.key)
    }

    /// The same gateway and key with its next certificate.
    pub fn renewed(&self, certificate: CertificateDer<'static>) -> Result<Self> {
        let key = KeyPair::from_pem(&self.key.serialize_pem()).map_err(IdentityError::Making)?;
        Self::new(self.gateway, key, certificate, self.ca.clone())
    }

    /// Less than a third of the certificate's life is left.
    pub fn is_due(&self, now: Timestamp) -> bool {
        let life = self.expires.since(self.begins);
        now.plus(life / 3) >= self.expires
    }

    pub(super) fn key_der(&self) -> Vec<u8> {
        self.key.serialize_der()
    }
}

/// From when to when the certificate holds, if it is this gateway's and this key's.
fn check(certificate: &[u8], gateway: GatewayId, key: &KeyPair) -> Option<(Timestamp, Timestamp)> {
    let (_, parsed) = x509_parser::parse_x509_certificate(certificate).ok()?;
    if parsed.public_key().subject_public_key.data.as_ref() != key.public_key_raw() {
        return None;
    }
    let names = parsed.subject_alternative_name().ok()??;
    let wanted = format!("{GATEWAY_URI_PREFIX}{gateway}");
    if !names.value.general_names.iter().any(|n| matches!(n, GeneralName::URI(uri) if *uri == wanted)) {
        return None;
    }
    let validity = parsed.validity();
    let ms = |seconds: i64| Some(Timestamp(seconds.checked_mul(1000)?));
    Some((ms(validity.not_before.timestamp())?, ms(validity.not_after.timestamp())?))
}

fn folder(state_dir: &Path) -> PathBuf {
    state_dir.join("identity")
}

fn next_folder(state_dir: &Path) -> PathBuf {
    state_dir.join("identity.next")
}

fn read(path: &Path) -> Result<Option<Vec<u8>>> {
    match fs::read(path) {
        Ok(bytes) => Ok(Some(bytes)),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(e) => Err(IdentityError::File(path.to_owned(), e)),
    }
}

fn put(path: &Path, bytes: &[u8], mode: u32, owner: &fs::Metadata) -> io::Result<()> {
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(path)?;
    hand_over(path, owner)?;
    file.write_all(bytes)?;
    file.sync_all()
}

fn remove(dir: &Path) -> io::Result<()> {
    match fs::remove_dir_all(dir) {
        Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
        _ => Ok(()),
    }
}
