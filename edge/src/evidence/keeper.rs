//! The thread that owns `raw.db`. Answers are gathered by whoever heard them, without waking it, and dropped when it does not
//! come by: evidence must never hold up a reading. They are written in one go every half minute, and sooner when many
//! have gathered; each run bears the instants of one clock.

use std::path::Path;
use std::sync::mpsc::{Receiver, RecvTimeoutError, SyncSender, sync_channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use steward_shared::time::Clock;
use steward_shared::wire::columns::Header;
use tracing::warn;

use super::runs::{Heard, Run, Runs};
use super::settings::EvidenceSettings;
use super::store::Store;
use crate::buffer::{Buffer, Moved, is_same_clock, offset_of};

const PLACES: usize = 16;
const WRITE: Duration = Duration::from_secs(30);
/// A disk that hangs keeps nobody waiting for longer.
const DONE: Duration = Duration::from_secs(5);
/// Every so many writes what is too old leaves.
const TRIM_EVERY: u32 = 20;
/// As many answers, or so many bytes of them, are written at once, however short the time.
const MANY: usize = 1024;
const MANY_BYTES: usize = 512 << 10;
/// More are not gathered while the disk does not take them.
const MOST: usize = 2 * MANY;
const MOST_BYTES: usize = 2 * MANY_BYTES;

/// The way to the thread; it ends, with everything written, when the last of these is gone.
#[derive(Clone, Debug)]
pub struct Evidence(Option<Way>);

#[derive(Clone, Debug)]
struct Way {
    told: SyncSender<Told>,
    /// Gone with the thread.
    gathered: Weak<Mutex<Gathered>>,
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
    bytes: usize,
    /// The thread was told that many have gathered.
    told: bool,
    /// Which instants the runs bear.
    clock: Option<Header>,
    /// Those of clocks before it.
    over: Vec<(Vec<Run>, Header)>,
}

impl Gathered {
    /// Whether it is time to write: once in a gathering.
    fn take(&mut self, heard: Heard, look: Header) -> bool {
        if self.answers >= MOST || self.bytes >= MOST_BYTES {
            return false;
        }
        let clock = *self.clock.get_or_insert(look);
        if !is_same_clock(offset_of(&look), offset_of(&clock)) {
            self.over.push((self.runs.close(), clock));
            self.clock = Some(look);
        }
        self.bytes += self.runs.take(heard);
        self.answers += 1;
        let many = self.answers >= MANY || self.bytes >= MANY_BYTES;
        many && !std::mem::replace(&mut self.told, true)
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
        let (folder, way) = (folder.to_owned(), Way { told, gathered: Arc::downgrade(&gathered), buffer });
        let begun = std::thread::Builder::new()
            .name("evidence".into())
            .spawn(move || keep(&folder, settings, clock.as_ref(), &gathered, &orders));
        if let Err(e) = begun {
            warn!(error = &e as &dyn std::error::Error, "raw answers are not kept");
            return Self::none();
        }
        Self(Some(way))
    }

    /// Whether anything is kept: whoever would have to make something for that need not.
    pub(super) const fn is_kept(&self) -> bool {
        self.0.is_some()
    }

    /// Never waits for the disk.
    pub fn heard(&self, heard: Heard) {
        if let Some(way) = &self.0
            && let Some(waiting) = way.gathered.upgrade()
            && gathered(&waiting).take(heard, way.buffer.look())
        {
            // A thread that is busy comes by itself.
            let _ = way.told.try_send(Told::Write);
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
        let taken = std::mem::take(&mut *gathered(waiting));
        // Whoever hears an answer meanwhile does not wait for this.
        let mut written = Ok(());
        for (runs, clock) in taken.all() {
            written = store.keep(&runs, &clock).and(written);
        }
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

#[cfg(test)]
mod tests {
    use steward_shared::time::Timestamp;

    use super::*;

    fn clock(ahead: i64) -> Header {
        Header {
            boot: "00000000000000000000000000000001".parse().unwrap(),
            mono_ms: 0,
            wall: Timestamp(ahead),
        }
    }

    fn heard(at: i64, byte: u8) -> Heard {
        let (device, profile, asked) = ("m".into(), "p".into(), "rtu 1".into());
        Heard {
            device,
            profile,
            span: "holding 0 1".to_owned(),
            asked,
            at: Timestamp(at),
            contents: vec![byte],
        }
    }

    #[test]
    fn runs_bear_one_clock_each_and_come_back_in_the_order_of_the_clocks() {
        let mut gathered = Gathered::default();
        for (at, ahead) in [(0, 0), (10, 0), (20, 60_000), (30, 60_001), (40, 0)] {
            assert!(!gathered.take(heard(at, 7), clock(ahead)));
        }
        let all: Vec<(i64, Vec<i64>)> = gathered
            .all()
            .into_iter()
            .map(|(runs, clock)| (clock.wall.0, runs.iter().map(|run| run.count).collect()))
            .collect();
        assert_eq!(all, [(0, vec![2]), (60_000, vec![2]), (0, vec![1])]);
        assert!(Gathered::default().all().is_empty());
    }

    #[test]
    fn it_is_said_once_that_many_have_gathered_and_no_more_than_that_are_kept() {
        let mut gathered = Gathered::default();
        let told = (0..3 * MANY as i64).filter(|at| gathered.take(heard(*at, *at as u8), clock(0))).count();
        assert_eq!((told, gathered.answers), (1, MOST));
        assert_eq!(gathered.all().iter().map(|(runs, _)| runs.len()).sum::<usize>(), MOST);
    }

    #[test]
    fn long_answers_are_written_sooner_and_what_says_the_same_again_takes_no_room() {
        let long = |at: i64, byte: u8| Heard { contents: vec![byte; 16 << 10], ..heard(at, byte) };
        let mut gathered = Gathered::default();
        let told: Vec<i64> = (0..1000).filter(|at| gathered.take(long(*at, *at as u8), clock(0))).collect();
        assert_eq!(told, [(MANY_BYTES / ((16 << 10) + 13)) as i64]);
        assert!(gathered.bytes < MOST_BYTES + (17 << 10) && gathered.answers < 260, "{gathered:?}");
        let mut same = Gathered::default();
        assert!((0..1000).all(|at| !same.take(long(at, 1), clock(0))));
        assert_eq!((same.answers, same.all().len()), (1000, 1));
    }
}
