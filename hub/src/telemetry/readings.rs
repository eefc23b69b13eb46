//! The telemetry module as the program holds it: the tail, the latest values, who watches what. One for the program,
//! in the context; `link` hands batches and live samples to it, routes read from it.

use std::collections::HashMap;
use std::sync::atomic::AtomicBool;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use serde_json::json;
use steward_shared::id::{GatewayId, PointId};
use steward_shared::reading::Value;
use steward_shared::time::Clock;
use steward_shared::wire::message::LiveSample;
use tokio::sync::{OwnedSemaphorePermit, Semaphore, mpsc, watch};

use super::ingest::{Waiting, sample_of};
use super::model::{KEEP_HOURS, KEEP_RAW, Sample, hour_of};
use super::store;
use super::tail::Tail;
use crate::gateways::{Fleet, PointMap};
use crate::kernel::ctx::Ctx;
use crate::kernel::db::{Db, DbError};
use crate::kernel::events::Bus;
use crate::kernel::jobs::Jobs;
use crate::kernel::workers::Workers;

/// Batches that wait for the group commit; a full queue makes the lanes wait, which makes the gateways wait.
const QUEUE: usize = 256;
/// Readings, some 50 bytes each, of batches on their way from the wire to the commit.
const UNPACKED: usize = 2_000_000;
/// A gateway gathers readings for so long where its file says nothing else.
const INTERVAL: Duration = Duration::from_secs(10);
const LONGEST_INTERVAL: Duration = Duration::from_mins(10);
/// From the end of an interval to the commit at the hub.
const TRAVEL: Duration = Duration::from_secs(5);
/// An hour is compacted this long after its end, so that what is on its way arrives first.
pub(super) const GRACE: Duration = Duration::from_mins(2);
/// A reading that lies further ahead than this can have no place in history.
pub(super) const FARTHEST_AHEAD: Duration = Duration::from_hours(24);
/// Tables that are written at once.
const EXPORTS: usize = 4;
pub const COMPACT_JOB: &str = "telemetry.compact";

pub struct Readings {
    pub(super) db: Db,
    pub(super) clock: Arc<dyn Clock>,
    pub(super) fleet: Arc<Fleet>,
    pub(super) live: Bus,
    pub(super) jobs: Jobs,
    pub(super) queue: mpsc::Sender<Waiting>,
    /// Taken by the one that commits.
    pub(super) waiting: Mutex<Option<mpsc::Receiver<Waiting>>>,
    tail: Mutex<Tail>,
    watched: Mutex<HashMap<PointId, u32>>,
    wishes: watch::Sender<u64>,
    exports: Arc<Semaphore>,
    /// Readings of batches that are unpacked and not committed yet.
    pub(super) unpacked: Arc<Semaphore>,
    pub(super) takes_nothing: AtomicBool,
    /// How long a gateway gathers readings before it sends them, as far as its batches tell.
    intervals: Mutex<HashMap<GatewayId, Duration>>,
    /// There are frames that the tail has no room for, and that was told.
    pub(super) is_overfull: AtomicBool,
}

/// The right to write a table, until it is dropped.
pub type Export = OwnedSemaphorePermit;

impl Readings {
    pub fn new(ctx: &Ctx, fleet: Arc<Fleet>) -> Self {
        let (queue, waiting) = mpsc::channel(QUEUE);
        Self {
            db: ctx.db.clone(),
            clock: ctx.clock.clone(),
            fleet,
            live: ctx.live.clone(),
            jobs: ctx.jobs.clone(),
            queue,
            waiting: Mutex::new(Some(waiting)),
            tail: Mutex::default(),
            watched: Mutex::default(),
            wishes: watch::channel(0).0,
            exports: Arc::new(Semaphore::new(EXPORTS)),
            unpacked: Arc::new(Semaphore::new(UNPACKED)),
            takes_nothing: AtomicBool::new(false),
            intervals: Mutex::default(),
            is_overfull: AtomicBool::new(false),
        }
    }

    pub(super) fn tail(&self) -> MutexGuard<'_, Tail> {
        self.tail.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Who unpacks batches.
    pub fn workers(&self) -> &Workers {
        self.db.workers()
    }

    /// Forgets what is older than the retention of samples and of hours. Days stay for ever.
    pub async fn forget(&self) -> Result<(), DbError> {
        let gone = store::forget(&self.db, self.raw_floor(), self.hours_floor()).await?;
        if gone > 0 {
            tracing::info!(rows = gone, "readings past their retention were removed");
        }
        Ok(())
    }

    /// The hour from which on samples are kept as they were read.
    pub(super) fn raw_floor(&self) -> i64 {
        hour_of(self.clock.now().minus(KEEP_RAW))
    }

    /// The hour from which on the rows of hours are kept.
    pub(super) fn hours_floor(&self) -> i64 {
        hour_of(self.clock.now().minus(KEEP_HOURS))
    }

    /// None when so many tables are being written that another one has to wait.
    pub fn export(&self) -> Option<Export> {
        Arc::clone(&self.exports).try_acquire_owned().ok()
    }

    /// Whether compaction could take it at once: nothing of it belongs to an hour that still goes on.
    pub(super) fn is_of_past_hours(&self, t1: i64) -> bool {
        t1 < hour_of(self.clock.now().minus(GRACE))
    }

    pub fn latest(&self, point: PointId) -> Option<Sample> {
        self.tail().latest(point).cloned()
    }

    /// Samples that somebody watches, as they are taken.
    pub fn take_live(&self, map: &PointMap, samples: Vec<LiveSample>) {
        for s in samples {
            let Some(point) = map.point(s.no) else { continue };
            let sample = sample_of(s.at, s.value, s.quality);
            if self.take(point, &sample) {
                self.tell_watchers(point, &sample);
            }
        }
    }

    /// As the point's latest sample, if it is; tells whether that was news.
    pub(super) fn take(&self, point: PointId, sample: &Sample) -> bool {
        self.tail().take_latest(point, sample, self.clock.now())
    }

    pub(super) fn tell_watchers(&self, point: PointId, sample: &Sample) {
        if self.watched().contains_key(&point) {
            self.live.tell("value", Some(point.0), &value_json(point, sample));
        }
    }

    pub(super) fn learn_interval(&self, gateway: GatewayId, span_ms: i64) {
        let span = Duration::from_millis(u64::try_from(span_ms).unwrap_or(0));
        let mut intervals = self.intervals.lock().unwrap_or_else(PoisonError::into_inner);
        intervals.insert(gateway, span.clamp(INTERVAL, LONGEST_INTERVAL));
    }

    /// How long a sample of this gateway may be under way: gathered there, sent, committed here.
    pub fn delivery(&self, gateway: GatewayId) -> Duration {
        let intervals = self.intervals.lock().unwrap_or_else(PoisonError::into_inner);
        intervals.get(&gateway).copied().unwrap_or(INTERVAL) + TRAVEL
    }

    fn watched(&self) -> MutexGuard<'_, HashMap<PointId, u32>> {
        self.watched.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Somebody watches these points until the guard is dropped.
    pub fn watch(self: &Arc<Self>, points: Vec<PointId>) -> Watching {
        {
            let mut watched = self.watched();
            for point in &points {
                *watched.entry(*point).or_insert(0) += 1;
            }
        }
        self.wishes.send_modify(|n| *n += 1);
        Watching { readings: Arc::clone(self), points }
    }

    /// Turns whenever what is watched changes.
    pub fn wishes(&self) -> watch::Receiver<u64> {
        self.wishes.subscribe()
    }

    /// Readings that are on their way to the commit.
    #[cfg(test)]
    pub fn unpacked_now(&self) -> usize {
        UNPACKED - self.unpacked.available_permits()
    }

    #[cfg(test)]
    pub fn takes_nothing(&self) -> bool {
        self.takes_nothing.load(std::sync::atomic::Ordering::Relaxed)
    }

    /// Those of a gateway's points that somebody watches.
    pub fn watched_of(&self, map: &PointMap) -> Vec<PointId> {
        self.watched().keys().copied().filter(|p| map.number(*p).is_some()).collect()
    }
}

/// Somebody looks at these points. The gateway sends their samples at once for as long as this lives.
pub struct Watching {
    readings: Arc<Readings>,
    points: Vec<PointId>,
}

impl Drop for Watching {
    fn drop(&mut self) {
        {
            let mut watched = self.readings.watched();
            for point in &self.points {
                if let Some(n) = watched.get_mut(point) {
                    *n -= 1;
                    if *n == 0 {
                        watched.remove(point);
                    }
                }
            }
        }
        self.readings.wishes.send_modify(|n| *n += 1);
    }
}

/// The event `value` of the live stream.
pub fn value_json(point: PointId, s: &Sample) -> serde_json::Value {
    let value = match &s.value {
        Some(Value::Number(n)) => json!(n),
        Some(Value::Text(t)) => json!(t),
        None => serde_json::Value::Null,
    };
    json!({ "point": point, "at": s.at, "value": value, "quality": s.quality.word() })
}
