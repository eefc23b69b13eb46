//! argon2id (RFC 9106, OWASP's 19 MiB, 2 passes), off the runtime's threads and only a few at once: each takes
//! memory and a core, and a crowd of wrong log-ins must not take the hub down.

use std::sync::{Arc, LazyLock};
use std::time::Duration;

use argon2::password_hash::phc::PasswordHash;
use argon2::{Algorithm, Argon2, Params, PasswordHasher, PasswordVerifier, Version};
use tokio::sync::Semaphore;

use super::model::Refusal;

pub const MEMORY_KIB: u32 = 19 * 1024;
pub const PASSES: u32 = 2;
const AT_ONCE: usize = 4;
const PATIENCE: Duration = Duration::from_secs(10);

static TURNS: LazyLock<Arc<Semaphore>> = LazyLock::new(|| Arc::new(Semaphore::new(AT_ONCE)));

/// A hash that no password has, of the same cost: verified where there is no user.
static NOBODY: LazyLock<String> = LazyLock::new(|| hash_now(&hex(&draw())));

pub struct Checked {
    pub right: bool,
    /// A new hash, where the stored one is weaker than today's.
    pub renewed: Option<String>,
}

pub async fn hash(password: String) -> Result<String, Refusal> {
    on_a_thread(move || hash_now(&password)).await
}

/// With no stored hash it takes as long and is wrong.
pub async fn check(password: String, stored: Option<String>) -> Result<Checked, Refusal> {
    on_a_thread(move || {
        let exists = stored.is_some();
        let stored = stored.unwrap_or_else(|| NOBODY.clone());
        let right = match PasswordHash::new(&stored) {
            Ok(parsed) => ours().verify_password(password.as_bytes(), &parsed).is_ok() && exists,
            Err(e) => {
                tracing::error!(error = %e, "a stored password hash is broken; set a new password");
                false
            }
        };
        let renewed = (right && is_weaker(&stored)).then(|| hash_now(&password));
        Checked { right, renewed }
    })
    .await
}

/// A random password for somebody who forgot theirs.
pub fn random() -> String {
    data_encoding::BASE32_NOPAD.encode(&draw()[..15]).to_lowercase()
}

/// 256 random bits.
///
/// # Panics
/// When the system has no randomness: nothing safe can be done then.
pub fn draw() -> [u8; 32] {
    let mut bytes = [0; 32];
    getrandom::fill(&mut bytes).expect("the system gives random bytes");
    bytes
}

fn hex(bytes: &[u8]) -> String {
    data_encoding::HEXLOWER.encode(bytes)
}

fn ours() -> Argon2<'static> {
    let params = Params::new(MEMORY_KIB, PASSES, 1, None).expect("the parameters are in range");
    Argon2::new(Algorithm::Argon2id, Version::V0x13, params)
}

fn hash_now(password: &str) -> String {
    ours()
        .hash_password(password.as_bytes())
        .expect("the parameters are in range and there is randomness")
        .to_string()
}

fn is_weaker(stored: &str) -> bool {
    let number = |name: &str| {
        let at = stored.find(name)? + name.len();
        stored.get(at..)?.split([',', '$']).next()?.parse::<u32>().ok()
    };
    !stored.starts_with("$argon2id$") || number("m=") < Some(MEMORY_KIB) || number("t=") < Some(PASSES)
}

async fn on_a_thread<T: Send + 'static>(work: impl FnOnce() -> T + Send + 'static) -> Result<T, Refusal> {
    let turn = tokio::time::timeout(PATIENCE, Arc::clone(&TURNS).acquire_owned())
        .await
        .map_err(|_| Refusal::Busy)?;
    let turn = turn.expect("the semaphore is never closed");
    tokio::task::spawn_blocking(move || {
        let done = work();
        drop(turn);
        done
    })
    .await
    .map_err(|_| Refusal::Busy)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn control_2_a_password_is_kept_as_argon2id_and_a_weak_hash_is_renewed() {
        let stored = hash("pumpe-und-kessel-7".into()).await.unwrap();
        assert!(stored.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{stored}");
        assert!(check("pumpe-und-kessel-7".into(), Some(stored.clone())).await.unwrap().right);
        assert!(!check("pumpe-und-kessel-8".into(), Some(stored)).await.unwrap().right);
        let weak = Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::new(8192, 1, 1, None).unwrap());
        let weak = weak.hash_password(b"pumpe-und-kessel-7").unwrap().to_string();
        let checked = check("pumpe-und-kessel-7".into(), Some(weak)).await.unwrap();
        assert!(checked.renewed.unwrap().contains("m=19456,t=2"));
        assert!(!check("anything-at-all".into(), None).await.unwrap().right);
    }
}
