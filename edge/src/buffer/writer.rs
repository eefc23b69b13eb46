//! The thread that owns both databases. It takes commands one by one, flushes when the interval or the count is
//! reached, and looks after space when it is idle. What fails is told in the stats and tried again at the next flush; a
//! database that turns out to be damaged is replaced. Only where that fails does the thread end: then the program does,
//! and is started anew.

mod events;
mod open;
mod space;
mod store;

use std::collections::{HashMap, VecDeque};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use steward_shared::alarm::Event;
use steward_shared::id::{BufferId, Ids, PointNo};
use steward_shared::reading::Reading;
use steward_shared::time::{Clock, Timestamp};
use steward_shared::wire::message::{Catalogue, Lane, LaneState, Watermark};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::Instant;

pub(super) use self::open::start;
use super::boot::Boot;
use super::catalogue::{self, Sealed};
use super::error::BufferError;
use super::settings::{BufferSettings, BufferState, BufferStats, Heads, StoredBatch};
use super::space::Ballast;
use super::store::{AlarmStore, Key, TelemetryStore};

type Result<T> = std::result::Result<T, BufferError>;
type Reply<T> = oneshot::Sender<Result<T>>;

/// How often quota and ballast are looked after.
const UPKEEP: Duration = Duration::from_mins(1);
/// How often what is past its retention leaves.
const TRIM: Duration = Duration::from_hours(1);

#[derive(Debug)]
pub(super) enum Command {
    Record(Vec<Reading>),
    NumberPoints(Vec<(String, String)>, Reply<Vec<PointNo>>),
    SetCatalogue(Catalogue, Reply<()>),
    Event(Event, Reply<bool>),
    OpenEvents(Reply<Vec<Key>>),
    Import(Lane, Vec<Reading>, Reply<()>),
    Flush(Reply<()>),
    LookAfter(Reply<()>),
    State(Reply<BufferState>),
    Catalogue(Reply<Catalogue>),
    Welcome(u32, Vec<Watermark>, Reply<()>),
    After(Lane, u64, Reply<Option<StoredBatch>>),
    Ack(Lane, u64, Reply<()>),
    Close(Reply<()>),
}

pub(super) struct Writer {
    dir: PathBuf,
    settings: BufferSettings,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn Ids>,
    boot: Boot,
    telemetry: TelemetryStore,
    alarms: AlarmStore,
    ballast: Ballast,
    id: BufferId,
    epoch: u32,
    /// In the order of `Lane::ALL`; `acked` runs ahead of what is on disk.
    lanes: [LaneState; 3],
    catalogue: Sealed,
    /// The lasting events that are open, as in `alarms.db`: a new one needs them again.
    open: HashMap<Key, Event>,
    /// Events of the buffer itself that wait to be stored.
    untold: VecDeque<Event>,
    /// Not before this is it tried again to store them.
    tell_at: Option<Instant>,
    pending: Vec<Reading>,
    flush_at: Option<Instant>,
    dropped: u64,
    /// Unacknowledged data is being dropped, and it has been told.
    dropping: bool,
    /// The disk is full: the ballast is released, and telemetry only takes the place of older telemetry.
    full: bool,
    last_error: Option<String>,
    /// A damaged database could not be replaced.
    broken: bool,
    heads: watch::Sender<Heads>,
    stats: watch::Sender<BufferStats>,
}

impl Writer {
    /// Until told to close, or until the last handle is gone.
    async fn run(mut self, mut commands: mpsc::Receiver<Command>) {
        let mut upkeep = tokio::time::interval(UPKEEP);
        let mut trim = tokio::time::interval(TRIM);
        let close = loop {
            let due = self.flush_at;
            let flush = async {
                match due {
                    Some(at) => tokio::time::sleep_until(at).await,
                    None => std::future::pending().await,
                }
            };
            // All of them only wait: what is lost by another's turn is waited for again.
            tokio::select! {
                command = commands.recv() => match command {
                    Some(Command::Close(reply)) => break Some(reply),
                    Some(command) => self.take(command),
                    None => break None,
                },
                () = flush => {
                    let _ = self.flush();
                }
                _ = upkeep.tick() => self.upkeep(),
                _ = trim.tick() => {
                    let _ = self.look_after();
                }
            }
            self.tell_untold();
            self.publish();
            if self.broken {
                tracing::error!("a damaged database could not be replaced; the buffer ends");
                return;
            }
        };
        let flushed = self.flush();
        let persisted = self.persist_acks();
        self.publish();
        drop(self);
        if let Some(reply) = close {
            let _ = reply.send(flushed.and(persisted));
        }
    }

    /// An answer that nobody waits for any more is not an error: the caller's deadline is over.
    fn take(&mut self, command: Command) {
        match command {
            Command::Record(readings) => self.record(readings),
            Command::NumberPoints(points, reply) => {
                let _ = reply.send(self.number_points(&points));
            }
            Command::SetCatalogue(present, reply) => {
                let _ = reply.send(self.set_catalogue(present));
            }
            Command::Event(event, reply) => {
                let _ = reply.send(self.event(&event));
            }
            Command::OpenEvents(reply) => {
                let _ = reply.send(Ok(self.open.keys().cloned().collect()));
            }
            Command::Import(lane, readings, reply) => {
                let _ = reply.send(self.import(lane, &readings));
            }
            Command::Flush(reply) => {
                let _ = reply.send(self.flush());
            }
            Command::LookAfter(reply) => {
                let _ = reply.send(self.look_after());
            }
            Command::State(reply) => {
                let _ = reply.send(Ok(self.state()));
            }
            Command::Catalogue(reply) => {
                let _ = reply.send(self.catalogue.read().map_err(Into::into));
            }
            Command::Welcome(epoch, watermarks, reply) => {
                let _ = reply.send(self.welcome(epoch, &watermarks));
            }
            Command::After(lane, seq, reply) => {
                let _ = reply.send(self.after(lane, seq));
            }
            Command::Ack(lane, seq, reply) => {
                self.ack(lane, seq);
                let _ = reply.send(Ok(()));
            }
            Command::Close(reply) => {
                let _ = reply.send(Err(BufferError::Closed));
            }
        }
    }

    fn look_after(&mut self) -> Result<()> {
        self.upkeep();
        self.trim().inspect_err(|e| {
            tracing::warn!(
                error = e as &dyn std::error::Error,
                "old telemetry cannot be removed; trying again"
            );
        })
    }

    fn record(&mut self, readings: Vec<Reading>) {
        if self.pending.is_empty() {
            self.flush_at = Some(Instant::now() + self.settings.flush);
        }
        self.pending.extend(readings);
        // A failed flush keeps what is pending; the next one comes by its time, not with each reading.
        if self.pending.len() >= self.settings.flush_readings && self.last_error.is_none() {
            let _ = self.flush();
        }
    }

    fn number_points(&mut self, points: &[(String, String)]) -> Result<Vec<PointNo>> {
        self.on_telemetry(|w| Ok(w.telemetry.number_points(points)?))
    }

    fn set_catalogue(&mut self, present: Catalogue) -> Result<()> {
        let merged = catalogue::merge(present, self.catalogue.read()?);
        let sealed = Sealed::of(&merged)?;
        if sealed.hash != self.catalogue.hash {
            self.on_telemetry(|w| Ok(w.telemetry.set_catalogue(&sealed.bytes, &merged.points)?))?;
            self.catalogue = sealed;
        }
        Ok(())
    }

    fn state(&self) -> BufferState {
        BufferState {
            id: self.id,
            epoch: self.epoch,
            lanes: self.lanes.to_vec(),
            catalogue: self.catalogue.hash.clone(),
        }
    }

    fn welcome(&mut self, epoch: u32, watermarks: &[Watermark]) -> Result<()> {
        if epoch != self.epoch {
            self.on_telemetry(|w| Ok(w.telemetry.set_meta("epoch", epoch)?))?;
            self.epoch = epoch;
        }
        for w in watermarks {
            let lane = self.lane_mut(w.lane);
            lane.acked = w.seq.min(lane.last);
        }
        self.persist_acks()
    }

    fn ack(&mut self, lane: Lane, seq: u64) {
        let lane = self.lane_mut(lane);
        lane.acked = lane.acked.max(seq.min(lane.last));
        if self.lanes.iter().all(|l| l.acked == l.last) {
            self.dropping = false;
        }
    }

    fn lane_mut(&mut self, lane: Lane) -> &mut LaneState {
        let [alarm, live, backfill] = &mut self.lanes;
        match lane {
            Lane::Alarm => alarm,
            Lane::Live => live,
            Lane::Backfill => backfill,
        }
    }

    fn lane(&self, lane: Lane) -> LaneState {
        let [alarm, live, backfill] = self.lanes;
        match lane {
            Lane::Alarm => alarm,
            Lane::Live => live,
            Lane::Backfill => backfill,
        }
    }

    fn publish(&self) {
        let [alarm, live, backfill] = self.lanes.map(|l| l.last);
        let catalogue = self.catalogue.hash.clone();
        let heads = Heads { buffer: Some(self.id), alarm, live, backfill, catalogue };
        self.heads.send_if_modified(|h| {
            let changed = *h != heads;
            if changed {
                *h = heads;
            }
            changed
        });
        let stats = BufferStats {
            bytes: self.telemetry.bytes_used().unwrap_or_default(),
            pending: self.pending.len() as u64,
            unacked: self.lanes.iter().map(|l| (l.last + 1).saturating_sub(l.first.max(l.acked + 1))).sum(),
            oldest_unacked: self.oldest_unacked(),
            dropped: self.dropped,
            last_error: self.last_error.clone(),
        };
        self.stats.send_replace(stats);
    }

    fn oldest_unacked(&self) -> Option<Timestamp> {
        let stored = self.lanes.iter().map(|l| {
            let seq = l.first.max(l.acked + 1);
            match l.lane {
                Lane::Alarm => self.alarms.stored_at(seq),
                lane => self.telemetry.stored_at(lane, seq),
            }
        });
        stored.filter_map(|r| r.ok().flatten()).min()
    }
}
