//! Batches into the store: checked and decoded by whoever received them, committed in groups by one task, answered
//! after the commit. What cannot ever be applied is kept aside in the same transaction that counts it.

use std::collections::HashMap;
use std::sync::atomic::Ordering;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use sha2::{Digest, Sha256};
use steward_shared::id::{PointId, PointNo};
use steward_shared::reading::{Quality, Value};
use steward_shared::time::Timestamp;
use steward_shared::wire::columns::{self, MAX_READINGS};
use steward_shared::wire::message::Lane;
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot};
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::model::Sample;
use super::readings::{COMPACT_JOB, FARTHEST_AHEAD, Readings};
use super::store::{self, NewFrame};
use super::tail::Held;
use crate::gateways::{EventRow, Fate, PointMap, Received, Standing};
use crate::kernel::db::{DbError, Tx};

/// SQLite: batches that come within this share one transaction and one sync of the disk.
const GROUP_WINDOW: Duration = Duration::from_millis(50);
/// Batches and bytes of one transaction.
const GROUP: usize = 256;
const GROUP_BYTES: usize = 16 << 20;
const PAUSES: [Duration; 3] = if cfg!(test) {
    [Duration::from_millis(1); 3]
} else {
    [Duration::from_millis(200), Duration::from_secs(1), Duration::from_secs(5)]
};
/// 1 while nothing can be stored.
const TAKES_NOTHING: &str = "steward_hub_store_takes_nothing";
/// 2000-01-01: no reading of this product is older.
const EARLIEST: Timestamp = Timestamp(946_684_800_000);

/// A sample that is older than this is nobody's news: what a gateway catches up on is not told to watchers.
const FRESH: Duration = Duration::from_mins(2);

/// A batch that was looked into.
#[derive(Debug)]
pub enum Checked {
    Readings(Vec<(PointId, Sample)>, Option<Left>),
    /// It speaks of a point that the catalogue does not have, or not yet.
    Unknown(PointNo),
    /// It holds a reading of an instant that no clock should show, unless the gateway's does.
    OutOfTime,
    /// It can never be applied, and why.
    Poison(String),
}

/// What of a batch is left out.
#[derive(Debug)]
pub struct Left {
    pub readings: usize,
    pub first: Timestamp,
    /// The batch without them.
    body: Vec<u8>,
}

/// Room in memory for what a batch unpacks to; free again when this is dropped.
pub type Room = OwnedSemaphorePermit;

/// A batch with what is in it, or why nothing is.
#[derive(Debug)]
pub struct Opened {
    pub batch: Received,
    pub readings: Result<Vec<(PointId, Sample)>, String>,
    pub left: Option<Left>,
    pub room: Room,
}

/// A batch on its way to the commit, and who waits for its fate.
pub struct Waiting {
    opened: Opened,
    answer: oneshot::Sender<Result<Fate, IngestError>>,
}

/// What a batch becomes, once it is known.
pub struct Receipt(oneshot::Receiver<Result<Fate, IngestError>>);

impl Receipt {
    pub async fn fate(self) -> Result<Fate, IngestError> {
        self.0.await.unwrap_or(Err(IngestError::Unavailable))
    }
}

#[derive(Debug, thiserror::Error, Clone, Copy, PartialEq, Eq)]
pub enum IngestError {
    /// The store does not take anything at present. Nothing is acknowledged.
    #[error("the store of readings takes nothing at present")]
    Unavailable,
}

/// Looks into a batch. Where the gateway's clock is known to agree with the hub's, readings of instants that no clock
/// should show are left out: it was wrong before. CPU work: not for the runtime's threads.
pub fn check(batch: &Received, count: u32, map: &PointMap, now: Timestamp, clocks_agree: bool) -> Checked {
    if Sha256::digest(&batch.body).as_slice() != batch.hash.as_slice() {
        return Checked::Poison("the body does not fit its hash".into());
    }
    let mut body = match columns::decode(&batch.body) {
        Ok(body) => body,
        Err(e) => return Checked::Poison(e.to_string()),
    };
    if body.readings.len() != count as usize {
        return Checked::Poison(format!("it announces {count} readings and holds {}", body.readings.len()));
    }
    let mut left = None;
    if let Some(wrong) = body.readings.iter().find(|r| !is_in_time(r.at, now)).map(|r| r.at) {
        if !clocks_agree {
            return Checked::OutOfTime;
        }
        let all = body.readings.len();
        body.readings.retain(|r| is_in_time(r.at, now));
        let readings = all - body.readings.len();
        match columns::encode(&body.readings, &body.header) {
            Ok(body) => left = Some(Left { readings, first: wrong, body }),
            Err(e) => return Checked::Poison(e.to_string()),
        }
    }
    let mut out = Vec::with_capacity(body.readings.len());
    for r in body.readings {
        let Some(point) = map.point(r.point) else { return Checked::Unknown(r.point) };
        out.push((point, sample_of(r.at, r.value, r.quality)));
    }
    Checked::Readings(out, left)
}

/// Whether it may be an instant of a plant's history, or of its clock.
pub fn is_in_time(at: Timestamp, now: Timestamp) -> bool {
    (EARLIEST..=now.plus(FARTHEST_AHEAD)).contains(&at)
}

/// A number that is none cannot be shown or counted: it is no value. A text is without the NUL that PostgreSQL cannot
/// hold.
pub fn sample_of(at: Timestamp, value: Option<Value>, quality: Quality) -> Sample {
    match value {
        Some(Value::Number(n)) if !n.is_finite() => {
            let quality = if quality.is_good() { Quality::Undecodable } else { quality };
            Sample { at, value: None, quality }
        }
        Some(Value::Text(t)) if t.contains('\0') => {
            Sample { at, value: Some(Value::Text(t.replace('\0', ""))), quality }
        }
        value => Sample { at, value, quality },
    }
}

impl Readings {
    /// Waits for the room that so many readings take. What a batch unpacks to is bounded by it on all lanes and in the
    /// queue together, however small its bytes are.
    pub async fn room(&self, readings: u32) -> Result<Room, IngestError> {
        let wanted = readings.clamp(1, MAX_READINGS as u32);
        Arc::clone(&self.unpacked).acquire_many_owned(wanted).await.map_err(|_| IngestError::Unavailable)
    }

    /// Puts the batch into the queue of the group commit, waiting while that is full. Batches of one lane are
    /// committed in the order in which they were put. The receiver gives the batch's fate once it is durable.
    pub async fn ingest(&self, opened: Opened) -> Result<Receipt, IngestError> {
        let (answer, fate) = oneshot::channel();
        self.queue.send(Waiting { opened, answer }).await.map_err(|_| IngestError::Unavailable)?;
        Ok(Receipt(fate))
    }

    /// The one task that commits. Ends when the token is cancelled, with what waits committed.
    pub async fn commit_groups(self: Arc<Self>, stop: CancellationToken) {
        let taken = self.waiting.lock().unwrap_or_else(PoisonError::into_inner).take();
        let Some(mut waiting) = taken else { return };
        metrics::gauge!(TAKES_NOTHING).set(0.0);
        loop {
            // Losing either branch is harmless: recv is cancel safe, and cancellation is remembered.
            let first = tokio::select! {
                first = waiting.recv() => first,
                () = stop.cancelled() => {
                    waiting.close();
                    waiting.recv().await
                }
            };
            let Some(first) = first else { return };
            let group = self.gather(first, &mut waiting).await;
            self.commit(group).await;
        }
    }

    async fn gather(&self, first: Waiting, waiting: &mut mpsc::Receiver<Waiting>) -> Vec<Waiting> {
        let mut bytes = first.opened.batch.body.len();
        let mut group = vec![first];
        // PostgreSQL groups commits by itself; what gathered during the last one still goes together.
        let window = if self.db.is_postgres() { Duration::ZERO } else { GROUP_WINDOW };
        let until = Instant::now() + window;
        while group.len() < GROUP && bytes < GROUP_BYTES {
            let next = match waiting.try_recv() {
                Ok(next) => Some(next),
                Err(mpsc::error::TryRecvError::Disconnected) => None,
                Err(mpsc::error::TryRecvError::Empty) => {
                    tokio::time::timeout_at(until, waiting.recv()).await.ok().flatten()
                }
            };
            let Some(next) = next else { break };
            bytes += next.opened.batch.body.len();
            group.push(next);
        }
        group
    }

    async fn commit(&self, group: Vec<Waiting>) {
        let mut tries = PAUSES.iter();
        let fates = loop {
            match self.store(&group).await {
                Ok(fates) => break fates,
                Err(e) => {
                    tracing::warn!(error = %e, batches = group.len(), "readings could not be stored");
                    // It may be committed all the same: memory is brought into line with the store.
                    self.jobs.nudge(COMPACT_JOB);
                    let Some(pause) = tries.next() else {
                        self.tell_whether_it_takes(false);
                        for w in group {
                            drop(w.answer.send(Err(IngestError::Unavailable)));
                        }
                        return;
                    };
                    tokio::time::sleep(*pause).await;
                }
            }
        };
        self.tell_whether_it_takes(true);
        let (fates, events) = fates;
        self.fleet.tell_events(&events);
        let mut old_data = false;
        let mut news: HashMap<PointId, Sample> = HashMap::new();
        for (w, (fate, frame)) in group.into_iter().zip(fates) {
            if let (Some(frame), Ok(readings)) = (frame, &w.opened.readings) {
                let (gateway, lane) = (w.opened.batch.at.gateway, w.opened.batch.at.lane);
                let held = Held::of(readings, self.present());
                if lane == Lane::Live {
                    self.learn_interval(gateway, held.span_ms());
                }
                old_data |= self.is_of_past_hours(held.t1());
                if !self.tail().add(gateway, frame, held) {
                    self.tell_overfull();
                }
                for (point, sample) in readings {
                    if self.take(*point, sample) {
                        news.insert(*point, sample.clone());
                    }
                }
                metrics::counter!("steward_hub_readings_stored_total").increment(readings.len() as u64);
            }
            // Whoever waited may be gone: the gateway sends it again and gets its ack then.
            drop(w.answer.send(Ok(fate)));
        }
        let now = self.clock.now();
        for (point, sample) in news.into_iter().filter(|(_, s)| now.since(s.at) <= FRESH) {
            self.tell_watchers(point, &sample);
        }
        metrics::gauge!("steward_hub_readings_uncompacted").set(self.tail().readings() as f64);
        if old_data {
            self.jobs.nudge(COMPACT_JOB);
        }
    }

    /// Once each time that it changes: somebody must make room on the disk, or start the database.
    fn tell_whether_it_takes(&self, takes: bool) {
        if self.takes_nothing.swap(!takes, Ordering::Relaxed) != takes {
            return;
        }
        metrics::gauge!(TAKES_NOTHING).set(if takes { 0.0 } else { 1.0 });
        if takes {
            tracing::info!("the store of readings takes readings again");
        } else {
            tracing::error!(
                "the store of readings takes nothing; gateways keep what they have. Is the disk full, is the database there?"
            );
        }
    }

    /// All of the group in one transaction: dedupe, data, watermark. The fates in the order of the group, with the
    /// number of the frame where one was made.
    async fn store(
        &self,
        group: &[Waiting],
    ) -> Result<(Vec<(Fate, Option<i64>)>, Vec<Option<EventRow>>), DbError> {
        self.db
            .tx(async |tx| {
                let (mut fates, mut events) = (Vec::with_capacity(group.len()), Vec::new());
                for w in group {
                    fates.push(self.store_one(&tx, &w.opened, &mut events).await?);
                }
                Ok((fates, events))
            })
            .await
    }

    async fn store_one(
        &self,
        tx: &Tx,
        opened: &Opened,
        events: &mut Vec<Option<EventRow>>,
    ) -> Result<(Fate, Option<i64>), DbError> {
        let batch = &opened.batch;
        Ok(match (self.fleet.advance(tx, batch).await?, &opened.readings) {
            (Standing::Gap(mark), _) => (Fate::Gap(mark), None),
            (Standing::Duplicate, _) => (Fate::Stored, None),
            (Standing::Fork, _) => {
                let reason = "the sequence was received before with other content";
                events.push(self.fleet.quarantine(tx, batch, reason, true).await?);
                (Fate::Quarantined(reason.into()), None)
            }
            (Standing::New, Err(reason)) => {
                events.push(self.fleet.quarantine(tx, batch, reason, false).await?);
                (Fate::Quarantined(reason.clone()), None)
            }
            (Standing::New, Ok(readings)) => {
                if let Some(left) = &opened.left {
                    let what =
                        format!("{} readings, the first of {}, are left out", left.readings, left.first);
                    self.fleet.keep_aside(tx, batch, &what).await?;
                }
                if readings.is_empty() {
                    return Ok((Fate::Stored, None));
                }
                let instants = readings.iter().map(|(_, s)| s.at.as_millis());
                let frame = NewFrame {
                    gateway: batch.at.gateway,
                    epoch: batch.at.epoch,
                    lane: batch.at.lane,
                    t0: instants.clone().min().unwrap_or_default(),
                    t1: instants.max().unwrap_or_default(),
                    n: readings.len(),
                    body: opened.left.as_ref().map_or(&batch.body, |left| &left.body),
                };
                (Fate::Stored, Some(store::insert_frame(tx, &frame).await?))
            }
        })
    }
}
