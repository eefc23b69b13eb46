//! The health task: a report every ten seconds and when a line or device changes its state, to the uplink and the pages. It also sees when
//! the wall clock jumps against the monotonic one, says so, and has stored readings corrected once the clock is right.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use steward_shared::alarm::EventKind;
use steward_shared::time::Clock;
use steward_shared::wire::message::Health;
use tokio::sync::{Notify, watch};
use tokio::time::{Instant, sleep, timeout};
use tokio_util::sync::CancellationToken;
use tracing::warn;

use crate::alarm::Alarms;
use crate::buffer::{Buffer, BufferStats};
use crate::clock::{Steps, Timekeeper};
use crate::health::{LineGauge, Look, Machine, Reporter};

const EVERY: Duration = Duration::from_secs(10);
/// Two reports are at least so far apart, however much happens.
const APART: Duration = Duration::from_secs(1);
/// A disk that does not say within this time how full it is has figures of zero.
const LOOK_DEADLINE: Duration = Duration::from_secs(2);

pub struct HealthTask {
    pub data: PathBuf,
    pub buffer: Buffer,
    pub alarms: Alarms,
    pub lines: watch::Receiver<Vec<Arc<LineGauge>>>,
    pub report: watch::Sender<Health>,
    pub changed: Arc<Notify>,
    pub clock: Arc<dyn Clock>,
    pub timekeeper: Timekeeper,
    /// Uptime counts from here.
    pub started: Instant,
}

impl HealthTask {
    pub async fn run(self, cancel: CancellationToken) {
        let machine = Arc::new(Machine::new(&self.data));
        let mut reporter = Reporter::default();
        let mut steps = Steps::new(self.clock.now(), Instant::now());
        loop {
            let look = look(&machine).await;
            let lines = self.lines.borrow().clone();
            let stats = self.buffer.stats();
            if let Some(why) = &stats.last_error {
                warn!(why, "the buffer could not write");
            }
            let health = Health {
                buffer_bytes: stats.bytes,
                unacked: stats.unacked,
                oldest_unacked: stats.oldest_unacked,
                dropped: stats.dropped,
                storage: storage(&stats),
                ..reporter.report(look, &lines, self.clock.now(), self.started.elapsed())
            };
            self.report.send_replace(health);
            let due = async {
                sleep(APART).await;
                // A call that comes before somebody waits is kept: none is lost.
                let _ = timeout(EVERY.saturating_sub(APART), self.changed.notified()).await;
            };
            tokio::select! {
                () = cancel.cancelled() => return,
                () = due => {}
            }
            self.look_at_clock(&mut steps).await;
        }
    }

    async fn look_at_clock(&self, steps: &mut Steps) {
        if let Some(step) = steps.look(self.clock.now(), Instant::now()) {
            warn!(step_ms = step, "the wall clock jumped");
            let detail = format!("the wall clock jumped by {:.1} s", step as f64 / 1000.0);
            self.alarms.tell(EventKind::ClockStep, None, None, true, detail);
        }
        if let Err(e) = self.timekeeper.settle().await {
            warn!(
                error = &e as &(dyn std::error::Error + 'static),
                "readings of a wrong clock are not corrected yet; trying again"
            );
        }
    }
}

/// What is wrong with the disk, in a word.
fn storage(stats: &BufferStats) -> Option<String> {
    let word = match stats {
        BufferStats { is_failing: true, .. } => "failing",
        BufferStats { is_full: true, .. } => "full",
        _ => return None,
    };
    Some(word.to_owned())
}

async fn look(machine: &Arc<Machine>) -> Look {
    let machine = Arc::clone(machine);
    let looked = timeout(LOOK_DEADLINE, tokio::task::spawn_blocking(move || machine.look())).await;
    looked.ok().and_then(Result::ok).unwrap_or_default()
}
