//! What happened in a world, in its order and at its time, as one hash: two runs of a seed must agree in it.

use std::net::SocketAddr;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Mutex, PoisonError};

use data_encoding::HEXLOWER;
use sha2::{Digest as _, Sha256};

#[derive(Debug, Default)]
pub struct Trace {
    /// Milliseconds since the world began.
    now: AtomicI64,
    told: Mutex<(Sha256Of, u64)>,
}

#[derive(Debug, Default)]
struct Sha256Of(Sha256);

impl Trace {
    pub fn now(&self) -> i64 {
        self.now.load(Ordering::SeqCst)
    }

    pub fn set(&self, now: i64) {
        self.now.store(now, Ordering::SeqCst);
    }

    pub fn datagram(&self, to: SocketAddr, length: usize) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        told.1 += 1;
        let words = format!("{} {to} {length}\n", self.now());
        if std::env::var("STEWARD_SIM_TELL").is_ok_and(|how| how == "all") {
            print!("{words}");
        }
        told.0.0.update(words);
    }

    /// Something that happened, with its moment.
    pub fn tell(&self, what: &str) {
        let mut told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        told.0.0.update(format!("{} {what}\n", self.now()));
        if std::env::var_os("STEWARD_SIM_TELL").is_some() {
            println!("{:>8} ms  {what}", self.now());
        }
    }

    pub fn datagrams(&self) -> u64 {
        self.told.lock().unwrap_or_else(PoisonError::into_inner).1
    }

    pub fn hash(&self) -> String {
        let told = self.told.lock().unwrap_or_else(PoisonError::into_inner);
        HEXLOWER.encode(&told.0.0.clone().finalize())
    }
}
