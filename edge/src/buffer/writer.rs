//! The thread that owns both databases. It takes commands one by one, flushes when the interval or the count is
//! reached, and looks after space when it is idle. What fails is told in the stats and tried again at the next flush; a
//! database that turns out to be damaged is replaced. Only where that fails does the thread end: then the program does,
//! and is started anew.

mod clock;
mod commands;
mod events;
mod open;
mod refused;
mod space;
mod store;

use std::collections::{HashMap, HashSet, VecDeque};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use steward_shared::alarm::Event;
use steward_shared::id::{BufferId, CommandId, Ids, PointNo};
use steward_shared::reading::Reading;
use steward_shared::time::{Clock, Timestamp};
use steward_shared::wire::columns::Header;
use steward_shared::wire::command::Report;
use steward_shared::wire::message::{Catalogue, Lane, LaneState, Watermark};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::Instant;

use self::clock::Settled;
pub(super) use self::open::start;
use self::refused::Refused;
use super::boot::{Boot, is_same_clock};
use super::catalogue::{self, Sealed};
use super::error::BufferError;
use super::settings::{
    BufferSettings, BufferState, BufferStats, CommandRow, Correction, Heads, StoredBatch, StoredCounter,
};
use super::space::Ballast;
use super::store::{AlarmStore, Key, TelemetryStore};
use crate::refine::Entry;

type Result<T> = std::result::Result<T, BufferError>;
type Reply<T> = oneshot::Sender<Result<T>>;

/// How often quota and ballast are looked after.
const UPKEEP: Duration = Duration::from_mins(1);
/// How often what is past its retention leaves.
const TRIM: Duration = Duration::from_hours(1);

#[derive(Debug)]
pub(super) enum Command {
    /// By how much the wall clock whose instants they bear was ahead of the time since boot.
    Record(Vec<Reading>, i64),
    NumberPoints(Vec<(String, String)>, Reply<Vec<PointNo>>),
    SetCatalogue(Catalogue, Reply<()>),
    Event(Event, Reply<bool>),
    OpenEvents(Reply<Vec<Key>>),
    KeepOrder(CommandRow, Vec<Report>, Reply<()>),
    FindOrder(CommandId, Reply<Option<CommandRow>>),
    OpenOrders(Reply<Vec<CommandRow>>),
    NewestOrders(u32, Reply<Vec<CommandRow>>),
    OrdersSince(Reply<Timestamp>),
    Import(Lane, Vec<Reading>, Reply<()>),
    Counters(Reply<Vec<StoredCounter>>),
    CounterEntries(PointNo, Reply<Vec<Entry>>),
    CorrectClock(Header, Option<i64>, u64, Reply<Correction>),
    KeepCounters(Vec<StoredCounter>, Vec<(PointNo, Entry)>, Reply<()>),
    Flush(Reply<()>),
    LookAfter(Reply<()>),
    State(Reply<BufferState>),
    Catalogue(Reply<Catalogue>),
    Welcome(u32, Vec<Watermark>, Reply<()>),
    BeginAnew(Reply<()>),
    /// The last says whether only a batch of the present clock will do.
    After(Lane, u64, bool, Reply<Option<StoredBatch>>),
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
    lanes: [LaneState; 4],
    catalogue: Sealed,
    /// The lasting events that are open, as in `alarms.db`: a new one needs them again.
    open: HashMap<Key, Event>,
    /// Events of the buffer itself that wait to be stored.
    untold: VecDeque<Event>,
    /// Not before this is it tried again to store them.
    tell_at: Option<Instant>,
    pending: Vec<Reading>,
    /// By how much the wall clock was ahead of the time since boot when they came.
    pending_offset: Option<i64>,
    /// The last live batch that the hub may have: all of before this run of the program, until the hub says how far it
    /// has everything, and what was handed to the uplink since.
    sent: u64,
    /// The last live batch of before this run of the program.
    of_before: u64,
    settled: Settled,
    flush_at: Option<Instant>,
    dropped: u64,
    /// Unacknowledged data is being dropped, and it has been told.
    dropping: bool,
    /// The disk is full: the ballast is released, and telemetry only takes the place of older telemetry.
    full: bool,
    refused: Refused,
    last_error: Option<String>,
    event_error: Option<String>,
    /// For which lanes `bytes` and `oldest_unacked` were asked for last.
    measured: Option<[LaneState; 4]>,
    bytes: u64,
    oldest_unacked: Option<Timestamp>,
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
        drop(self);
        // Whoever closed it finds it closed.
        drop(commands);
        if let Some(reply) = close {
            let _ = reply.send(flushed.and(persisted));
        }
    }

    fn take(&mut self, command: Command) {
        match command {
            Command::Record(readings, offset) => self.record(readings, offset),
            Command::NumberPoints(points, reply) => {
                let numbers = self.number_points(&points);
                self.answer(reply, numbers);
            }
            Command::SetCatalogue(present, reply) => {
                let set = self.set_catalogue(&present);
                self.answer(reply, set);
            }
            Command::Event(event, reply) => {
                let news = self.event(&event);
                self.answer(reply, news);
            }
            Command::OpenEvents(reply) => {
                let open = self.open.keys().cloned().collect();
                self.answer(reply, Ok(open));
            }
            Command::KeepOrder(row, reports, reply) => {
                let kept = self.keep_command(&row, &reports);
                self.answer(reply, kept);
            }
            Command::FindOrder(id, reply) => {
                let found = self.on_alarms(|w| Ok(w.alarms.command(id)?));
                self.answer(reply, found);
            }
            Command::OpenOrders(reply) => {
                let open = self.on_alarms(|w| Ok(w.alarms.open_commands()?));
                self.answer(reply, open);
            }
            Command::NewestOrders(most, reply) => {
                let newest = self.on_alarms(|w| Ok(w.alarms.newest_commands(most)?));
                self.answer(reply, newest);
            }
            Command::OrdersSince(reply) => {
                let since = self.commands_since();
                self.answer(reply, since);
            }
            Command::Import(lane, readings, reply) => {
                let imported = self.import(lane, &readings);
                self.answer(reply, imported);
            }
            Command::Counters(reply) => {
                let counters = self.on_telemetry(|w| Ok(w.telemetry.counters()?));
                self.answer(reply, counters);
            }
            Command::CounterEntries(point, reply) => {
                let entries = self.on_telemetry(|w| Ok(w.telemetry.counter_entries(point)?));
                self.answer(reply, entries);
            }
            Command::KeepCounters(counters, entries, reply) => {
                let kept = self.on_telemetry(|w| Ok(w.telemetry.keep_counters(&counters, &entries)?));
                self.answer(reply, kept);
            }
            Command::CorrectClock(right, vouched_ms, after, reply) => {
                let done = self.on_telemetry(|w| w.correct_clock(&right, vouched_ms, after));
                self.answer(reply, done);
            }
            Command::Flush(reply) => {
                let flushed = self.flush();
                self.answer(reply, flushed);
            }
            Command::LookAfter(reply) => {
                let looked = self.look_after();
                self.answer(reply, looked);
            }
            Command::State(reply) => {
                let state = self.state();
                self.answer(reply, Ok(state));
            }
            Command::Catalogue(reply) => {
                let catalogue = self.catalogue.read().map_err(Into::into);
                self.answer(reply, catalogue);
            }
            Command::Welcome(epoch, watermarks, reply) => {
                self.welcome(epoch, &watermarks);
                self.answer(reply, Ok(()));
            }
            Command::BeginAnew(reply) => {
                let begun = self.on_telemetry(Self::begin_life);
                self.answer(reply, begun);
            }
            Command::After(lane, seq, only_settled, reply) => {
                let found = self.after(lane, seq, only_settled);
                self.answer(reply, found);
            }
            Command::Ack(lane, seq, reply) => {
                self.ack(lane, seq);
                self.answer(reply, Ok(()));
            }
            Command::Close(reply) => self.answer(reply, Err(BufferError::Closed)),
        }
    }

    /// What the call did is to be seen when it returns. An answer that nobody waits for any more is not an error: the
    /// caller's deadline is over.
    fn answer<T>(&mut self, reply: Reply<T>, done: Result<T>) {
        self.tell_untold();
        self.publish();
        let _ = reply.send(done);
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

    fn record(&mut self, readings: Vec<Reading>, offset: i64) {
        if self.pending_offset.is_some_and(|of| !is_same_clock(offset, of)) {
            // One batch bears the instants of one clock. What the disk refuses now keeps its instants for good.
            let _ = self.flush();
            self.pending_offset = Some(offset);
        }
        if self.pending.is_empty() {
            self.pending_offset = Some(offset);
            self.flush_at = Some(Instant::now() + self.settings.flush);
        }
        self.pending.extend(readings);
        // A failed flush keeps what is pending; the next one comes by its time, not with each reading.
        if self.last_error.is_some() {
            self.bound_pending();
        } else if self.pending.len() >= self.settings.flush_readings {
            let _ = self.flush();
        }
    }

    fn number_points(&mut self, points: &[(String, String)]) -> Result<Vec<PointNo>> {
        self.on_telemetry(|w| Ok(w.telemetry.number_points(points)?))
    }

    fn set_catalogue(&mut self, present: &Catalogue) -> Result<()> {
        let former = self.catalogue.read()?;
        let (merged, sealed) = catalogue::merge(present, &former)?;
        let kept: HashSet<_> = merged.points.iter().map(|p| p.no).collect();
        if former.points.iter().any(|p| !kept.contains(&p.no)) {
            tracing::warn!(
                "not all former points fit into the catalogue any more; the hub forgets the oldest"
            );
        }
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

    /// A disk that takes nothing now must not keep the gateway off its hub: what the hub has got may be dropped there.
    fn welcome(&mut self, epoch: u32, watermarks: &[Watermark]) {
        self.epoch = epoch;
        for w in watermarks {
            let lane = self.lane_mut(w.lane);
            lane.acked = w.seq.min(lane.last);
        }
        self.not_taken(self.lane(Lane::Live).acked);
        if let Err(e) = self.persist_acks() {
            tracing::warn!(
                error = &e as &dyn std::error::Error,
                "what the hub has is not stored yet; it is stored with the next batch"
            );
        }
    }

    fn ack(&mut self, lane: Lane, seq: u64) {
        let lane = self.lane_mut(lane);
        lane.acked = lane.acked.max(seq.min(lane.last));
        if self.lanes.iter().all(|l| l.acked == l.last) {
            self.dropping = false;
        }
    }

    fn lane_mut(&mut self, lane: Lane) -> &mut LaneState {
        let [alarm, live, backfill, command] = &mut self.lanes;
        match lane {
            Lane::Alarm => alarm,
            Lane::Live => live,
            Lane::Backfill => backfill,
            Lane::Command => command,
        }
    }

    fn lane(&self, lane: Lane) -> LaneState {
        let [alarm, live, backfill, command] = self.lanes;
        match lane {
            Lane::Alarm => alarm,
            Lane::Live => live,
            Lane::Backfill => backfill,
            Lane::Command => command,
        }
    }

    fn publish(&mut self) {
        let [alarm, live, backfill, command] = self.lanes.map(|l| l.last);
        let is_news = self.heads.send_if_modified(|h| {
            let is_same = (h.buffer, h.alarm, h.live, h.backfill, h.command)
                == (Some(self.id), alarm, live, backfill, command);
            if is_same && h.catalogue == self.catalogue.hash {
                return false;
            }
            let catalogue = self.catalogue.hash.clone();
            *h = Heads { buffer: Some(self.id), alarm, live, backfill, command, catalogue };
            true
        });
        // The databases are asked only when something changed in them.
        if is_news || self.measured != Some(self.lanes) {
            self.measured = Some(self.lanes);
            self.bytes = self.telemetry.bytes_used().unwrap_or_default();
            self.oldest_unacked = self.find_oldest_unacked();
        }
        let stats = BufferStats {
            bytes: self.bytes,
            pending: self.pending.len() as u64,
            unacked: self.lanes.iter().map(|l| (l.last + 1).saturating_sub(l.first.max(l.acked + 1))).sum(),
            oldest_unacked: self.oldest_unacked,
            dropped: self.dropped,
            is_full: self.full,
            is_failing: self.refused.is_any(),
            last_error: self.last_error.clone().or(self.event_error.clone()),
        };
        self.stats.send_if_modified(|s| {
            let is_changed = *s != stats;
            *s = stats;
            is_changed
        });
    }

    fn find_oldest_unacked(&self) -> Option<Timestamp> {
        let stored = self.lanes.iter().map(|l| {
            let seq = l.first.max(l.acked + 1);
            match l.lane {
                Lane::Alarm | Lane::Command => self.alarms.stored_at(l.lane, seq),
                lane => self.telemetry.stored_at(lane, seq),
            }
        });
        stored.filter_map(|r| r.ok().flatten()).min()
    }
}

#[cfg(test)]
mod tests;
