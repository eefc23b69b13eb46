//! The thread that owns `raw.db`. Answers come by a bounded channel and are dropped when it is full: evidence must never
//! hold up a reading. They are written in one go every half minute, and sooner when the wall clock has jumped: what is
//! written together bears the instants of one clock.

use std::path::Path;
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::time::Duration;

use steward_shared::time::Clock;
use steward_shared::wire::columns::Header;
use tracing::warn;

use super::runs::{Heard, Runs};
use super::settings::EvidenceSettings;
use super::store::Store;
use crate::buffer::{Buffer, Moved, SAME_MS, offset_of};

const PLACES: usize = 1024;
const WRITE: Duration = Duration::from_secs(30);
/// A disk that hangs keeps nobody waiting for longer.
const DONE: Duration = Duration::from_secs(5);
/// Every so many writes what is too old leaves.
const TRIM_EVERY: u32 = 20;
/// As many runs are written at once, however short the time.
const MANY: usize = 4096;

/// The way to the thread; it ends, with everything written, when the last of these is gone.
#[derive(Clone, Debug)]
pub struct Evidence(Option<Way>);

#[derive(Clone, Debug)]
struct Way {
    told: SyncSender<Told>,
    /// Says which clock an answer bears the instant of.
    buffer: Buffer,
}

#[derive(Debug)]
enum Told {
    Heard(Heard, Header),
    /// The readings of a wrong clock were moved to this one.
    Moved(Vec<Moved>, Header, SyncSender<()>),
    /// Write now, and say when it is done.
    Flush(SyncSender<()>),
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
        let (told, heard) = sync_channel(PLACES);
        let folder = folder.to_owned();
        let begun = std::thread::Builder::new()
            .name("evidence".into())
            .spawn(move || keep(&folder, settings, clock.as_ref(), &heard));
        if let Err(e) = begun {
            warn!(error = &e as &dyn std::error::Error, "raw answers are not kept");
        }
        Self(Some(Way { told, buffer }))
    }

    /// Never waits.
    pub fn heard(&self, heard: Heard) {
        if let Some(way) = &self.0 {
            // A full channel or a thread that gave up: a reading is worth more than its evidence.
            let _ = way.told.try_send(Told::Heard(heard, way.buffer.look()));
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

fn keep(folder: &Path, settings: EvidenceSettings, clock: &dyn Clock, told: &Receiver<Told>) {
    let mut store = match Store::open(folder) {
        Ok(store) => store,
        Err(e) => return warn!(error = &e as &dyn std::error::Error, "raw answers are not kept"),
    };
    let (mut runs, mut writes, mut heard) = (Runs::default(), 0_u32, 0_usize);
    let (mut failing, mut stamped) = (false, None::<Header>);
    let mut next = tokio::time::Instant::now() + WRITE;
    loop {
        let wait = next.saturating_duration_since(tokio::time::Instant::now());
        let (mut next_heard, mut moved, mut asked, mut is_over) = (None, None, None, false);
        match told.recv_timeout(wait) {
            Ok(Told::Heard(one, look)) => {
                let clock = *stamped.get_or_insert(look);
                if (offset_of(&look) - offset_of(&clock)).abs() <= SAME_MS {
                    runs.take(one);
                    heard += 1;
                    if heard < MANY && !wait.is_zero() {
                        continue;
                    }
                } else {
                    next_heard = Some((one, look));
                }
            }
            Ok(Told::Moved(what, right, done)) => (moved, asked) = (Some((what, right)), Some(done)),
            Ok(Told::Flush(done)) => asked = Some(done),
            Err(RecvTimeoutError::Timeout) => {}
            Err(RecvTimeoutError::Disconnected) => is_over = true,
        }
        let mut written = match stamped.take() {
            Some(clock) => store.keep(&runs.close(), &clock),
            None => Ok(()),
        };
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
        if let Some(done) = asked.take() {
            let _ = done.send(());
        }
        if is_over {
            return;
        }
        heard = 0;
        if let Some((one, look)) = next_heard {
            stamped = Some(look);
            runs.take(one);
            heard = 1;
        }
        next = tokio::time::Instant::now() + WRITE;
    }
}
