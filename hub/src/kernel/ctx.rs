//! What a handler, a job or a task is given: the database, the clock, ids, the live bus, the jobs' bells, the
//! settings, and what modules have put there for themselves. Cheap to clone.

use std::any::{Any, TypeId, type_name};
use std::collections::HashMap;
use std::sync::{Arc, PoisonError, RwLock};

use steward_shared::id::Ids;
use steward_shared::time::{Clock, Timestamp};
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::db::Db;
use super::events::Bus;
use super::jobs::Jobs;
use super::settings::Settings;

#[derive(Clone)]
pub struct Ctx {
    pub db: Db,
    pub clock: Arc<dyn Clock>,
    pub ids: Arc<dyn Ids>,
    pub live: Bus,
    pub jobs: Jobs,
    pub settings: Arc<Settings>,
    pub started_at: Timestamp,
    /// Cancelled when the program is to stop.
    pub stopping: CancellationToken,
    /// Work that goes on when whoever asked for it has gone; the program waits for it when it stops.
    pub under_way: TaskTracker,
    parts: Arc<RwLock<HashMap<TypeId, Arc<dyn Any + Send + Sync>>>>,
}

impl Ctx {
    pub fn new(db: Db, clock: Arc<dyn Clock>, ids: Arc<dyn Ids>, settings: Settings) -> Self {
        Self {
            started_at: clock.now(),
            db,
            clock,
            ids,
            live: Bus::default(),
            jobs: Jobs::default(),
            settings: Arc::new(settings),
            stopping: CancellationToken::new(),
            under_way: TaskTracker::new(),
            parts: Arc::default(),
        }
    }

    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// Keeps a module's own part for later; called from the module's `setup`.
    pub fn put<T: Any + Send + Sync>(&self, part: Arc<T>) {
        self.parts.write().unwrap_or_else(PoisonError::into_inner).insert(TypeId::of::<T>(), part);
    }

    /// The part that a module has put here.
    ///
    /// # Panics
    /// When the module's `setup` did not put it: a fault of the program that the first test shows.
    pub fn part<T: Any + Send + Sync>(&self) -> Arc<T> {
        self.find_part()
            .unwrap_or_else(|| panic!("no module has put a {} into the context", type_name::<T>()))
    }

    pub fn find_part<T: Any + Send + Sync>(&self) -> Option<Arc<T>> {
        let parts = self.parts.read().unwrap_or_else(PoisonError::into_inner);
        parts.get(&TypeId::of::<T>()).cloned().and_then(|p| p.downcast().ok())
    }
}
