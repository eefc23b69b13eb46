//! What outlives both hosts of a world: the folders that their databases lie in, their clocks, what is true in the plant.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use steward_shared::id::{BootId, Ids};
use steward_shared::time::{ManualClock, Timestamp};
use tempfile::TempDir;
use uuid::Uuid;

use crate::chance::Chance;
use crate::ledger::Ledger;
use crate::network::{Air, SharedAir};
use crate::trace::Trace;

pub const PORT: u16 = 7443;
/// 2026-03-01T08:00:00Z
pub const BEGIN: Timestamp = Timestamp(1_772_352_000_000);
pub const DEVICES: [&str; 3] = ["chiller", "boiler", "pump"];

/// How a world differs from a plain one.
#[derive(Clone, Copy, Debug, Default)]
pub struct Nature {
    /// The gateway gives up what the hub has acknowledged as soon as it is asked to, not after a week.
    pub forgets: bool,
    /// The gateway's clock is set now and then; nobody but the hub vouches for it.
    pub clock_moves: bool,
    /// How seldom the gateway polls; about each second where it is zero.
    pub pause: Duration,
    /// A gateway that takes for acknowledged what is not.
    pub trims_early: bool,
}

/// How many of a thousand statements of the hub's database take more than a second, and how long at most.
#[derive(Clone, Copy, Debug, Default)]
pub struct Stalls {
    pub often: u64,
    pub most_ms: u64,
}

#[derive(Debug)]
pub struct Plant {
    /// Whether it goes on.
    pub runs: bool,
    pub silent: [bool; DEVICES.len()],
}

/// What the gateway says of itself, for as long as its program runs.
#[derive(Clone, Copy, Debug, Default)]
pub struct Said {
    pub connected: bool,
    pub unacked: u64,
    pub sessions: u64,
}

pub struct Earth {
    pub seed: u64,
    pub nature: Nature,
    pub trace: Arc<Trace>,
    pub air: SharedAir,
    pub hub_clock: Arc<ManualClock>,
    pub gateway_clock: Arc<ManualClock>,
    pub ids: Arc<dyn Ids>,
    pub hub: PathBuf,
    pub gateway: PathBuf,
    /// With which the gateway is enrolled.
    pub code: Mutex<Option<String>>,
    pub ledger: Mutex<Ledger>,
    pub plant: Mutex<Plant>,
    pub said: Mutex<Said>,
    /// The gateway's machine: which run, and since when.
    pub boot: Mutex<(BootId, i64)>,
    pub stalls: Mutex<Stalls>,
    /// By how much the gateway's clock is off.
    pub skew_ms: Mutex<i64>,
    root: TempDir,
}

impl Earth {
    pub fn new(seed: u64, nature: Nature) -> io::Result<Arc<Self>> {
        // Where syncs cost nothing: they are no concern here.
        let root = tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir())?;
        let trace = Arc::new(Trace::default());
        let ids = Arc::new(Counted::of(seed));
        let boot = BootId::new(ids.as_ref());
        let (hub, gateway) = (root.path().join("hub"), root.path().join("gateway"));
        fs::create_dir(&hub)?;
        fs::create_dir(&gateway)?;
        Ok(Arc::new(Self {
            seed,
            nature,
            air: Air::new(seed, Arc::clone(&trace)),
            trace,
            hub_clock: Arc::new(ManualClock::at(BEGIN)),
            gateway_clock: Arc::new(ManualClock::at(BEGIN)),
            ids,
            hub,
            gateway,
            code: Mutex::default(),
            ledger: Mutex::default(),
            plant: Mutex::new(Plant { runs: true, silent: [false; DEVICES.len()] }),
            said: Mutex::default(),
            boot: Mutex::new((boot, 0)),
            stalls: Mutex::default(),
            skew_ms: Mutex::default(),
            root,
        }))
    }

    /// It is so long since the world began.
    pub fn turn_to(&self, since: Duration) {
        let ms = since.as_millis() as i64;
        self.trace.set(ms);
        self.hub_clock.set(Timestamp(BEGIN.0 + ms));
        self.gateway_clock.set(Timestamp(BEGIN.0 + ms + *held(&self.skew_ms)));
    }

    /// A copy of what lies in a host's folder now.
    pub fn copy(&self, of: &Path, name: &str) -> io::Result<PathBuf> {
        let to = self.root.path().join(name);
        if to.exists() {
            fs::remove_dir_all(&to)?;
        }
        copy(of, &to)?;
        Ok(to)
    }
}

/// Puts a copy in the place of what is there.
pub fn restore(from: &Path, to: &Path) -> io::Result<()> {
    fs::remove_dir_all(to)?;
    copy(from, to)
}

/// A panic elsewhere is told there.
pub fn held<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

fn copy(from: &Path, to: &Path) -> io::Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from)? {
        let (path, target) = {
            let entry = entry?;
            (entry.path(), to.join(entry.file_name()))
        };
        if path.is_dir() {
            copy(&path, &target)?;
        } else {
            fs::copy(&path, &target)?;
        }
    }
    fs::set_permissions(to, fs::metadata(from)?.permissions())
}

/// Ids that are drawn from the seed.
#[derive(Debug)]
struct Counted {
    seed: u64,
    drawn: AtomicU64,
}

impl Counted {
    const fn of(seed: u64) -> Self {
        Self { seed, drawn: AtomicU64::new(0) }
    }
}

impl Ids for Counted {
    fn new_uuid(&self) -> Uuid {
        let n = self.drawn.fetch_add(1, Ordering::SeqCst);
        let low = Chance::of(self.seed, n + 1000).next();
        uuid::Builder::from_u128(u128::from(n) << 80 | u128::from(low))
            .with_version(uuid::Version::SortRand)
            .with_variant(uuid::Variant::RFC4122)
            .into_uuid()
    }
}
