//! What the buffer promises, each as a test on real files.

mod clock;
mod commands;
mod damage;
mod faults;
mod promises;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use steward_shared::id::{PointNo, RandomIds};
use steward_shared::reading::{Quality, Reading, Value};
use steward_shared::time::{Clock, ManualClock, SystemClock, Timestamp};

pub(crate) use self::damage::zero;
use super::{Buffer, BufferSettings};

const NOON: Timestamp = Timestamp(1_760_000_000_000);

pub(super) fn clock() -> Arc<ManualClock> {
    Arc::new(ManualClock::at(NOON))
}

fn open(dir: &Path, settings: BufferSettings, clock: &Arc<ManualClock>) -> Buffer {
    Buffer::open(dir, settings, clock.clone(), Arc::new(RandomIds)).unwrap()
}

/// The machine's clock, set wrong by so many milliseconds.
#[derive(Debug, Default)]
pub(crate) struct Skewed(AtomicI64);

impl Skewed {
    pub fn by(ms: i64) -> Arc<Self> {
        Arc::new(Self(AtomicI64::new(ms)))
    }

    pub fn set(&self, ms: i64) {
        self.0.store(ms, Ordering::SeqCst);
    }
}

impl Clock for Skewed {
    fn now(&self) -> Timestamp {
        Timestamp(SystemClock.now().0 + self.0.load(Ordering::SeqCst))
    }
}

pub(super) fn readings(from: i64, n: u32) -> Vec<Reading> {
    let one = |i: u32| Reading {
        point: PointNo(i + 1),
        at: Timestamp(NOON.0 + from * 10_000),
        value: Some(Value::Number(f64::from(i) / 10.0)),
        quality: Quality::Good,
    };
    (0..n).map(one).collect()
}

/// Readings that no codec makes small.
pub(crate) fn noise(seed: u64, n: u32) -> Vec<Reading> {
    let mut state = seed.wrapping_mul(0x9e37_79b9_7f4a_7c15) | 1;
    let mut random = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    readings(0, n)
        .into_iter()
        .map(|r| Reading { value: Some(Value::Number(f64::from_bits(random() >> 2))), ..r })
        .collect()
}
