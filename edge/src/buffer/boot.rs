//! The machine below the buffer: which run of it this is, how long it runs, and where work that blocks may be done. The run's id comes from systemd (`STEWARD_BOOT_ID`, because
//! the unit's sandbox hides the kernel's file) or from that file; where neither can be read, a run of the program stands
//! for a run of the machine. The time is CLOCK_BOOTTIME: it never goes back, and a suspended machine keeps counting. A simulation hands in a machine of its own.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::BoxFuture;
use nix::time::{ClockId, clock_gettime};
use steward_shared::id::{BootId, Ids};
use steward_shared::time::{Clock, Timestamp};
use steward_shared::wire::columns::Header;
use tokio::time::Instant;

/// `Environment=STEWARD_BOOT_ID=%b` in the unit.
const VARIABLE: &str = "STEWARD_BOOT_ID";
const FILE: &str = "/proc/sys/kernel/random/boot_id";
#[cfg(target_os = "linux")]
const SINCE_BOOT: ClockId = ClockId::CLOCK_BOOTTIME;
#[cfg(not(target_os = "linux"))]
const SINCE_BOOT: ClockId = ClockId::CLOCK_MONOTONIC;
/// Two looks are of one moment when no more than this lies between them.
const AT_ONCE: Duration = Duration::from_millis(20);
/// As often it is tried; a machine that is so busy is believed as it is.
const LOOKS: u32 = 5;

/// Two looks at both clocks whose offsets differ by less are of the same wall clock.
pub(crate) const SAME_MS: i64 = 3_000;

/// Whether two looks were at the same wall clock, by how much it was ahead of the time since boot at each.
pub(crate) fn is_same_clock(a: i64, b: i64) -> bool {
    (a - b).abs() <= SAME_MS
}

/// By how much the wall clock is ahead of the time since boot.
pub(crate) fn offset_of(header: &Header) -> i64 {
    header.wall.0.saturating_sub(i64::try_from(header.mono_ms).unwrap_or(i64::MAX))
}

/// A machine that a gateway's program runs on.
pub trait Machine: Send + Sync + fmt::Debug {
    /// Which of its runs this is.
    fn boot(&self) -> BootId;

    /// How long it runs.
    fn since_boot(&self) -> Duration;

    /// Does the buffer's work until it is over: where it may block.
    fn work(&self, work: BoxFuture<'static, ()>) -> io::Result<()>;

    /// Does something that blocks for a moment, apart from whoever waits for it.
    fn aside(&self, work: Box<dyn FnOnce() + Send>) -> BoxFuture<'static, ()>;
}

/// The machine that the program runs on.
#[derive(Clone, Copy, Debug)]
pub(crate) struct ThisMachine {
    id: BootId,
    opened: Instant,
}

impl ThisMachine {
    pub fn read(ids: &dyn Ids) -> Self {
        Self::of(std::env::var(VARIABLE).ok(), std::fs::read_to_string(FILE).ok(), ids)
    }

    fn of(variable: Option<String>, file: Option<String>, ids: &dyn Ids) -> Self {
        let id = [variable, file].into_iter().flatten().find_map(|text| text.trim().parse().ok());
        Self { id: id.unwrap_or_else(|| BootId::new(ids)), opened: Instant::now() }
    }
}

impl Machine for ThisMachine {
    fn boot(&self) -> BootId {
        self.id
    }

    fn since_boot(&self) -> Duration {
        clock_gettime(SINCE_BOOT).map_or_else(|_| self.opened.elapsed(), Duration::from)
    }

    fn work(&self, work: BoxFuture<'static, ()>) -> io::Result<()> {
        // Its own runtime, for its timers only: SQLite blocks, and must not do so on the program's threads.
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build()?;
        std::thread::Builder::new().name("buffer".into()).spawn(move || runtime.block_on(work)).map(drop)
    }

    fn aside(&self, work: Box<dyn FnOnce() + Send>) -> BoxFuture<'static, ()> {
        let done = tokio::task::spawn_blocking(work);
        Box::pin(async move { drop(done.await) })
    }
}

/// What is asked of a machine about its present run.
#[derive(Clone, Debug)]
pub(crate) struct Boot(pub Arc<dyn Machine>);

impl Boot {
    pub fn id(&self) -> BootId {
        self.0.boot()
    }

    /// What both clocks say at one moment: a look that was interrupted is taken again.
    pub fn header(&self, clock: &dyn Clock) -> Header {
        let mut looked = self.0.since_boot();
        for _ in 0..LOOKS {
            let (wall, after) = (clock.now(), self.0.since_boot());
            if after.saturating_sub(looked) <= AT_ONCE {
                return self.with(after, wall);
            }
            looked = after;
        }
        self.with(self.0.since_boot(), clock.now())
    }

    fn with(&self, since: Duration, wall: Timestamp) -> Header {
        Header { boot: self.id(), mono_ms: since.as_millis() as u64, wall }
    }
}

#[cfg(test)]
mod tests {
    use steward_shared::id::RandomIds;
    use steward_shared::time::ManualClock;

    use super::*;

    fn boot(machine: ThisMachine) -> Boot {
        Boot(Arc::new(machine))
    }

    #[test]
    fn two_looks_in_one_run_of_the_machine_agree() {
        let (a, b) = (boot(ThisMachine::read(&RandomIds)), boot(ThisMachine::read(&RandomIds)));
        if cfg!(target_os = "linux") {
            assert_eq!(a.id(), b.id());
        }
        assert!(a.header(&ManualClock::at(Timestamp(9))).mono_ms > 0);
    }

    #[test]
    fn systemd_names_the_run_where_the_kernels_file_is_hidden() {
        let kernel = "0e1f9a52-6d8f-4e62-8a05-57b3b7f2a1c3";
        let systemd = kernel.replace('-', "");
        let by_file = ThisMachine::of(None, Some(format!("{kernel}\n")), &RandomIds).boot();
        assert_eq!(by_file.to_string(), kernel);
        assert_eq!(ThisMachine::of(Some(systemd), None, &RandomIds).boot(), by_file);
        assert_eq!(
            ThisMachine::of(Some("%b".to_owned()), Some(kernel.to_owned()), &RandomIds).boot(),
            by_file
        );
    }

    #[test]
    fn the_time_since_boot_does_not_go_back_with_the_wall_clock() {
        let boot = boot(ThisMachine::of(None, None, &RandomIds));
        let clock = ManualClock::at(Timestamp(1_760_000_000_000));
        let before = boot.header(&clock).mono_ms;
        clock.set(Timestamp(0));
        assert!(boot.header(&clock).mono_ms >= before);
    }
}
