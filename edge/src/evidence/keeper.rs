//! The thread that owns `raw.db`. Answers are gathered by whoever heard them, without waking it, and dropped when it does not
//! come by: evidence must never hold up a reading. They are written in one go every half minute, and sooner when many
//! have gathered; what is written together bears the instants of one clock.

use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, TrySendError, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use steward_shared::time::Clock;
use steward_shared::wire::columns::Header;
use tracing::warn;

use super::runs::{Heard, Run, Runs};
use super::settings::EvidenceSettings;
use super::store::Store;
use crate::buffer::{Buffer, Moved, SAME_MS, offset_of};

const PLACES: usize = 16;
const WRITE: Duration = Duration::from_secs(30);
/// A disk that hangs keeps nobody waiting for longer.
const DONE: Duration = Duration::from_secs(5);
/// Every so many writes what is too old leaves.
const TRIM_EVERY: u32 = 20;
/// As many answers are written at once, however short the time.
const MANY: usize = 4096;
/// More are not gathered while the disk does not take them.
const MOST: usize = 2 * MANY;

/// The way to the thread; it ends, with everything written, when the last of these is gone.
#[derive(Clone, Debug)]
pub struct Evidence(Option<Way>);

#[derive(Clone, Debug)]
struct Way {
    told: SyncSender<Told>,
    gathered: Arc<Mutex<Gathered>>,
    /// Says which clock an answer bears the instant of.
    buffer: Buffer,
}

#[derive(Debug)]
enum Told {
    /// Much has gathered.
    Write,
    /// The readings of a wrong clock were moved to this one.
    Moved(Vec<Moved>, Header, SyncSender<()>),
    /// Write now, and say when it is done.
    Flush(SyncSender<()>),
}

/// What was heard and is not written.
#[derive(Debug, Default)]
struct Gathered {
    runs: Runs,
    answers: usize,
    /// Which instants the runs bear.
    clock: Option<Header>,
    /// Those of clocks before it.
    over: Vec<(Vec<Run>, Header)>,
}

impl Gathered {
    /// Whether it is time to write.
    fn take(&mut self, heard: Heard, look: Header) -> bool {
        if self.answers >= MOST {
            return true;
        }
        let clock = *self.clock.get_or_insert(look);
        if (offset_of(&look) - offset_of(&clock)).abs() > SAME_MS {
            self.over.push((self.runs.close(), clock));
            self.clock = Some(look);
        }
        self.runs.take(heard);
        self.answers += 1;
        self.answers == MANY
    }

    fn all(mut self) -> Vec<(Vec<Run>, Header)> {
        self.over.extend(self.clock.map(|clock| (self.runs.close(), clock)));
        self.over
    }
}

fn gathered(gathered: &Mutex<Gathered>) -> MutexGuard<'_, Gathered> {
    // A panic elsewhere loses an answer at most.
    gathered.lock().unwrap_or_else(PoisonError::into_inner)
}

impl Evidence {
    /// Keeps nothing.
    pub const fn none() -> Self {
        Self(None)
    }

    pub fn start(folder: &Path, settings: EvidenceSettings, clock: Arc<dyn Clock>, buffer: Buffer) -> Self {
        if settings.keep.is_zero() {
            return Self::none();
        }
        let (told, orders) = sync_channel(PLACES);
        let gathered = Arc::new(Mutex::new(Gathered::default()));
        let (folder, waiting) = (folder.to_owned(), Arc::clone(&gathered));
        let begun = std::thread::Builder::new()
            .name("evidence".into())
            .spawn(move || keep(&folder, settings, clock.as_ref(), &waiting, &orders));
        if let Err(e) = begun {
            warn!(error = &e as &dyn std::error::Error, "raw answers are not kept");
            return Self::none();
        }
        Self(Some(Way { told, gathered, buffer }))
    }

    /// Never waits for the disk.
    pub fn heard(&self, heard: Heard) {
        if let Some(way) = &self.0
            && gathered(&way.gathered).take(heard, way.buffer.look())
        {
            // A thread that is busy comes by itself, and one that has given up never does.
            if let Err(TrySendError::Disconnected(_)) = way.told.try_send(Told::Write) {
                *gathered(&way.gathered) = Gathered::default();
            }
        }
    }

    /// The readings of a wrong clock were moved to the one that said this: so are the answers that they were made of.
    /// Blocks: not for the runtime's threads.
    pub fn moved(&self, moved: Vec<Moved>, right: Header) {
        self.wait_for(|done| Told::Moved(moved, right, done));
    }

    /// Waits until all that was heard is written. Blocks: not for the runtime's threads.
    pub fn flush(&self) {
        self.wait_for(Told::Flush);
    }

    fn wait_for(&self, told: impl FnOnce(SyncSender<()>) -> Told) {
        if let Some(way) = &self.0 {
            let (done, is_done) = sync_channel(1);
            if way.told.send(told(done)).is_ok() {
                let _ = is_done.recv_timeout(DONE);
            }
        }
    }
}

fn keep(
    folder: &Path,
    settings: EvidenceSettings,
    clock: &dyn Clock,
    waiting: &Mutex<Gathered>,
    orders: &Receiver<Told>,
) {
    let mut store = match Store::open(folder) {
        Ok(store) => store,
        Err(e) => return warn!(error = &e as &dyn std::error::Error, "raw answers are not kept"),
    };
    let (mut writes, mut failing, mut is_over) = (0_u32, false, false);
    while !is_over {
        let (mut moved, mut asked) = (None, None);
        match orders.recv_timeout(WRITE) {
            Ok(Told::Write) | Err(RecvTimeoutError::Timeout) => {}
            Ok(Told::Moved(what, right, done)) => (moved, asked) = (Some((what, right)), Some(done)),
            Ok(Told::Flush(done)) => asked = Some(done),
            Err(RecvTimeoutError::Disconnected) => is_over = true,
        }
        let all = std::mem::take(&mut *gathered(waiting)).all();
        let mut written = all.iter().try_for_each(|(runs, clock)| store.keep(runs, clock));
        if let Some((what, right)) = moved {
            written = written.and_then(|()| store.shift(&what, &right));
        }
        writes += 1;
        if written.is_ok() && (writes % TRIM_EVERY == 1 || is_over) {
            written = store.trim(clock.now().minus(settings.keep), settings.quota_bytes);
        }
        if let Err(e) = &written
            && !failing
        {
            warn!(error = e as &dyn std::error::Error, "raw answers could not be written; they are lost");
        }
        failing = written.is_err();
        if let Some(done) = asked {
            let _ = done.send(());
        }
    }
}
