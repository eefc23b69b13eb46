//! [`Buffer`]: the handle that the other rooms hold. It owns nothing; each call is a message to the writer's thread
//! and waits for the answer, at most [`ANSWER`]. The channel holds [`PLACES`] messages; when it is full, callers wait,
//! and readings that find no place for [`PATIENCE`] are dropped and counted, because polling must go on.

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use steward_shared::alarm::{Event, EventKind};
use steward_shared::id::{BootId, CommandId, Ids, PointNo};
use steward_shared::reading::Reading;
use steward_shared::time::{Clock, Timestamp};
use steward_shared::wire::columns::Header;
use steward_shared::wire::command::Report;
use steward_shared::wire::message::{Catalogue, Lane, Watermark};
use tokio::sync::{mpsc, oneshot, watch};
use tokio::time::timeout;

use super::boot::{Boot, Machine, ThisMachine, offset_of};
use super::error::BufferError;
use super::settings::{
    BufferSettings, BufferState, BufferStats, CommandRow, Correction, Heads, StoredBatch, StoredCounter,
};
use super::writer::{self, Command};
use crate::refine::Entry;

const PLACES: usize = 64;
const ANSWER: Duration = Duration::from_secs(30);
const PATIENCE: Duration = Duration::from_secs(5);

#[derive(Clone, Debug)]
pub struct Buffer {
    commands: mpsc::Sender<Command>,
    heads: watch::Receiver<Heads>,
    stats: watch::Receiver<BufferStats>,
    /// Readings that found no place in the channel.
    refused: Arc<AtomicU64>,
    boot: Boot,
    clock: Arc<dyn Clock>,
}

type Result<T> = std::result::Result<T, BufferError>;
type Reply<T> = oneshot::Sender<Result<T>>;

impl Buffer {
    /// Opens or makes both databases in `dir` and starts the thread that owns them. A damaged database is moved aside and
    /// a new one begins. Blocks for as long as the files take to be checked.
    #[allow(clippy::needless_pass_by_value, reason = "its callers give them away: the buffer keeps them")]
    pub fn open(
        dir: &Path,
        settings: BufferSettings,
        clock: Arc<dyn Clock>,
        ids: Arc<dyn Ids>,
    ) -> Result<Self> {
        let machine = Arc::new(ThisMachine::read(ids.as_ref()));
        Self::open_on(machine, dir, &settings, clock, &ids)
    }

    /// The same on a machine that is handed in.
    pub fn open_on(
        machine: Arc<dyn Machine>,
        dir: &Path,
        settings: &BufferSettings,
        clock: Arc<dyn Clock>,
        ids: &Arc<dyn Ids>,
    ) -> Result<Self> {
        let boot = Boot(machine);
        let (commands, rx) = mpsc::channel(PLACES);
        let (heads, stats) = writer::start(dir, settings, &clock, ids, &boot, rx)?;
        Ok(Self { commands, heads, stats, refused: Arc::default(), boot, clock })
    }

    /// The number of each (device, point key): given once, kept for ever, never given to another.
    pub async fn number_points(&self, points: Vec<(String, String)>) -> Result<Vec<PointNo>> {
        self.ask(|reply| Command::NumberPoints(points, reply)).await
    }

    /// The present configuration. What was configured before stays in the catalogue as not in use.
    pub async fn set_catalogue(&self, present: Catalogue) -> Result<()> {
        self.ask(|reply| Command::SetCatalogue(present, reply)).await
    }

    /// Readings of now for the next batch of the live lane. They are in memory until the flush.
    pub async fn record(&self, readings: Vec<Reading>) {
        self.record_by(readings, &self.look()).await;
    }

    /// The same with readings that bear the instants of this look at the clocks.
    pub async fn record_by(&self, readings: Vec<Reading>, look: &Header) {
        let n = readings.len() as u64;
        let command = Command::Record(readings, offset_of(look));
        if !matches!(timeout(PATIENCE, self.commands.send(command)).await, Ok(Ok(()))) {
            self.refused.fetch_add(n, Ordering::Relaxed);
            tracing::warn!(readings = n, "the buffer takes no readings; the disk may be failing");
        }
    }

    /// An event, durable when this returns. A lasting one that is in this state already is not told again: answers whether
    /// it was news.
    pub async fn event(&self, event: Event) -> Result<bool> {
        self.ask(|reply| Command::Event(event, reply)).await
    }

    /// The lasting events that are open: kind, line, device, object of the device.
    pub async fn open_events(&self) -> Result<Vec<(EventKind, String, String, String)>> {
        self.ask(Command::OpenEvents).await
    }

    /// A command as it stands now and what is told of it, durable when this returns.
    pub async fn keep_command(&self, row: CommandRow, reports: Vec<Report>) -> Result<()> {
        self.ask(|reply| Command::KeepOrder(row, reports, reply)).await
    }

    pub async fn command(&self, id: CommandId) -> Result<Option<CommandRow>> {
        self.ask(|reply| Command::FindOrder(id, reply)).await
    }

    /// The commands about which something is still to be done, the oldest first.
    pub async fn open_commands(&self) -> Result<Vec<CommandRow>> {
        self.ask(Command::OpenOrders).await
    }

    /// The newest first.
    pub async fn newest_commands(&self, most: u32) -> Result<Vec<CommandRow>> {
        self.ask(|reply| Command::NewestOrders(most, reply)).await
    }

    /// Since when every command that came is known here.
    pub async fn commands_since(&self) -> Result<Timestamp> {
        self.ask(Command::OrdersSince).await
    }

    /// History for a lane, durable when this returns; a long one becomes several batches in one transaction.
    pub async fn import(&self, lane: Lane, readings: Vec<Reading>) -> Result<()> {
        self.ask(|reply| Command::Import(lane, readings, reply)).await
    }

    /// What both clocks say now.
    pub fn look(&self) -> Header {
        self.boot.header(self.clock.as_ref())
    }

    /// Moves the instants of readings that were stamped by a wrong clock to the one that said this, which must be right. Costs
    /// nothing where the clock has not moved since this was called last. `vouched_ms` after the boot it was known to be right
    /// before: from there it may have drifted.
    pub async fn correct_clock(&self, right: Header, vouched_ms: Option<i64>) -> Result<Correction> {
        let mut all = Correction::default();
        let mut after = 0;
        loop {
            let some = self.ask(|reply| Command::CorrectClock(right, vouched_ms, after, reply)).await?;
            all.readings += some.readings;
            all.sent_before += some.sent_before;
            all.from = all.from.into_iter().chain(some.from).min();
            all.to = all.to.max(some.to);
            all.moved.extend(some.moved);
            match some.next {
                Some(next) => after = next,
                None => return Ok(all),
            }
        }
    }

    /// Where the counters stand, as it was kept last.
    pub async fn counters(&self) -> Result<Vec<StoredCounter>> {
        self.ask(Command::Counters).await
    }

    /// What happened to a counter besides counting, the oldest first.
    pub async fn counter_entries(&self, point: PointNo) -> Result<Vec<Entry>> {
        self.ask(|reply| Command::CounterEntries(point, reply)).await
    }

    /// Where counters stand and what happened to them, durable when this returns.
    pub async fn keep_counters(
        &self,
        counters: Vec<StoredCounter>,
        entries: Vec<(PointNo, Entry)>,
    ) -> Result<()> {
        self.ask(|reply| Command::KeepCounters(counters, entries, reply)).await
    }

    /// Writes what is in memory now.
    pub async fn flush(&self) -> Result<()> {
        self.ask(Command::Flush).await
    }

    /// Looks after retention, quota and ballast now; the buffer does so by itself each minute.
    pub async fn look_after(&self) -> Result<()> {
        self.ask(Command::LookAfter).await
    }

    pub fn stats(&self) -> BufferStats {
        let mut stats = self.stats.borrow().clone();
        stats.dropped += self.refused.load(Ordering::Relaxed);
        stats
    }

    /// Flushes, closes both databases and ends the thread. Calls after this answer that the buffer is closed.
    pub async fn close(&self) -> Result<()> {
        self.ask(Command::Close).await
    }

    /// Whether the thread that owns the databases has ended; it does so by itself only when it cannot do its work any
    /// more. Nothing is kept from then on.
    pub fn is_closed(&self) -> bool {
        self.commands.is_closed()
    }

    /// Changes when there is something new to send.
    pub fn heads(&self) -> watch::Receiver<Heads> {
        self.heads.clone()
    }

    /// What a hello says of this buffer.
    pub async fn state(&self) -> Result<BufferState> {
        self.ask(Command::State).await
    }

    /// The first sequence of the lane that is not dropped; the next one's where none is stored.
    pub async fn first(&self, lane: Lane) -> Result<u64> {
        let state = self.state().await?;
        Ok(state.lanes.iter().find(|l| l.lane == lane).map_or(1, |l| l.first))
    }

    /// The catalogue that belongs to the hash of [`Buffer::state`].
    pub async fn catalogue(&self) -> Result<Catalogue> {
        self.ask(Command::Catalogue).await
    }

    /// What the hub said in its welcome: its epoch, and per lane how far it has everything. May go backwards.
    pub async fn welcome(&self, epoch: u32, watermarks: Vec<Watermark>) -> Result<()> {
        self.ask(|reply| Command::Welcome(epoch, watermarks, reply)).await
    }

    /// Gives the buffer another identity: the hub takes everything in it for new.
    pub async fn begin_anew(&self) -> Result<()> {
        self.ask(Command::BeginAnew).await
    }

    /// The first stored item of a lane after a sequence, its hash verified. One that no longer matches is replaced by an
    /// empty one, and an event tells so.
    pub async fn after(&self, lane: Lane, seq: u64) -> Result<Option<StoredBatch>> {
        self.ask(|reply| Command::After(lane, seq, false, reply)).await
    }

    /// The same, but nothing when the clock has moved since [`Buffer::correct_clock`].
    pub async fn settled_after(&self, lane: Lane, seq: u64) -> Result<Option<StoredBatch>> {
        self.ask(|reply| Command::After(lane, seq, true, reply)).await
    }

    /// The hub has everything of the lane up to this sequence. Kept in memory until the next flush: if it is lost, the
    /// hub is sent again what it has, and knows it.
    pub async fn ack(&self, lane: Lane, seq: u64) -> Result<()> {
        self.ask(|reply| Command::Ack(lane, seq, reply)).await
    }

    /// Does something with the disk that blocks for a moment; none where that panicked.
    pub async fn aside<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> Option<T> {
        let (tell, mut told) = oneshot::channel();
        self.boot.0.aside(Box::new(move || drop(tell.send(work())))).await;
        told.try_recv().ok()
    }

    pub fn boot(&self) -> BootId {
        self.boot.id()
    }

    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    async fn ask<T>(&self, command: impl FnOnce(Reply<T>) -> Command) -> Result<T> {
        let (reply, answer) = oneshot::channel();
        let asked = async {
            self.commands.send(command(reply)).await.map_err(|_| BufferError::Closed)?;
            answer.await.map_err(|_| BufferError::Closed)?
        };
        timeout(ANSWER, asked).await.map_err(|_| BufferError::Slow)?
    }
}
