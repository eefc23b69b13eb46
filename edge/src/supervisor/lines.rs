//! The lines' tasks: which run, with what configuration. A new configuration is compared line by line; what
//! is polled as before keeps running untouched, with its connection, its schedule and its memory of silent devices. Of a
//! line on the same wire the devices that did not change stay silent.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use steward_shared::id::{Ids, PointNo};
use steward_shared::time::Clock;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tracing::{error, info};

use crate::config::{DeviceConfig, LineConfig, WireConfig};
use crate::evidence::Evidence;
use crate::health::LineGauge;
use crate::lend::Doors;
use crate::line::{Dial, Gates};
use crate::poll::{LineTask, Told, load, tell};

/// A line stops between two awaits: this passes only when the machine itself is stuck.
const STOP_DEADLINE: Duration = Duration::from_secs(5);

/// How wires are opened; tests hand in their own.
pub type DialOf = Arc<dyn Fn(&WireConfig) -> Arc<dyn Dial> + Send + Sync>;

struct Running {
    config: LineConfig,
    numbers: Vec<Vec<PointNo>>,
    gauge: Arc<LineGauge>,
    cancel: CancellationToken,
    task: JoinHandle<()>,
}

/// What a line was, and how it fared.
struct Stopped {
    config: LineConfig,
    gauge: Arc<LineGauge>,
}

impl Stopped {
    /// Whether the device was silent here, and whatever may be the reason has not changed.
    fn was_silent(&self, now: &LineConfig, device: &DeviceConfig) -> bool {
        let same_line = (&self.config.wire, self.config.timeout) == (&now.wire, now.timeout);
        same_line
            && self.config.devices.iter().any(|d| d.polls_like(device))
            && self.gauge.is_silent(&device.name)
    }
}

pub struct Lines {
    running: BTreeMap<String, Running>,
    pub dial: DialOf,
    /// Where the modems of lines dial in.
    gates: Gates,
    pub told: mpsc::Sender<Told>,
    pub evidence: Evidence,
    pub clock: Arc<dyn Clock>,
    pub ids: Arc<dyn Ids>,
    /// Where tools find the owners of lines.
    pub doors: Arc<Doors>,
}

/// What a new configuration did to the lines.
#[derive(Debug, Default, PartialEq, Eq)]
pub struct Changes {
    pub started: Vec<String>,
    pub stopped: Vec<String>,
    pub kept: Vec<String>,
}

impl Changes {
    pub fn told(&self) -> String {
        let list = |names: &[String]| if names.is_empty() { "none".to_owned() } else { names.join(", ") };
        format!(
            "lines started: {}; stopped: {}; untouched: {}",
            list(&self.started),
            list(&self.stopped),
            list(&self.kept)
        )
    }
}

impl Lines {
    pub fn new(
        dial: DialOf,
        told: mpsc::Sender<Told>,
        evidence: Evidence,
        clock: Arc<dyn Clock>,
        ids: Arc<dyn Ids>,
    ) -> Self {
        Self {
            running: BTreeMap::new(),
            dial,
            gates: Gates::default(),
            told,
            evidence,
            clock,
            ids,
            doors: Arc::default(),
        }
    }

    /// Stops what is gone or changed, then starts what is new or changed: two lines may have swapped ports.
    pub async fn apply(&mut self, wanted: Vec<(LineConfig, Vec<Vec<PointNo>>)>) -> Changes {
        let mut changes = Changes::default();
        let same = |running: &Running| {
            wanted
                .iter()
                .any(|(config, numbers)| running.config.polls_like(config) && running.numbers == *numbers)
        };
        let gone: Vec<_> =
            self.running.iter().filter(|(_, r)| !same(r)).map(|(name, _)| name.clone()).collect();
        // All at once, so that one that is stuck holds up none.
        for running in gone.iter().filter_map(|name| self.running.get(name)) {
            running.cancel.cancel();
        }
        let mut stopped = Vec::with_capacity(gone.len());
        for name in &gone {
            if let Some(running) = self.running.remove(name) {
                stopped.push(running.stop(name).await);
                self.gates.leave(name).await;
            }
        }
        for (config, numbers) in wanted {
            let name = config.name.clone();
            if self.running.contains_key(&name) {
                changes.kept.push(name);
            } else {
                self.start(config, numbers, &stopped);
                changes.started.push(name);
            }
        }
        changes.stopped = gone.into_iter().filter(|name| !changes.started.contains(name)).collect();
        changes
    }

    pub async fn stop_all(&mut self) {
        // All at once, so that one that is stuck holds up none.
        for running in self.running.values() {
            running.cancel.cancel();
        }
        for (name, running) in std::mem::take(&mut self.running) {
            running.stop(&name).await;
            self.gates.leave(&name).await;
        }
    }

    pub fn gauges(&self) -> Vec<Arc<LineGauge>> {
        self.running.values().map(|r| Arc::clone(&r.gauge)).collect()
    }

    /// A line's task ends only when it is told to. One that ended by itself had a fault of ours: it is
    /// started anew, because the meters behind it still count. Answers whether there was one.
    pub async fn revive(&mut self) -> bool {
        let dead: Vec<_> =
            self.running.iter().filter(|(_, r)| r.task.is_finished()).map(|(name, _)| name.clone()).collect();
        for name in &dead {
            if let Some(running) = self.running.remove(name) {
                let end = running.task.await;
                let why = end.err().map_or_else(|| "it ended".to_owned(), |e| e.to_string());
                error!(line = name, why, "the line's task broke; it is started again");
                let before = Stopped { config: running.config.clone(), gauge: running.gauge };
                self.start(running.config, running.numbers, &[before]);
            }
        }
        !dead.is_empty()
    }

    /// `before`: whoever may have had the wire. A line may have changed its name, and two may have swapped ports.
    fn start(&mut self, config: LineConfig, numbers: Vec<Vec<PointNo>>, before: &[Stopped]) {
        let devices = config.devices.iter().map(|d| d.name.clone());
        let gauge = Arc::new(LineGauge::new(&config.name, devices));
        let cancel = CancellationToken::new();
        let line = LineTask {
            config: config.clone(),
            numbers: numbers.clone(),
            slowest_before: before.iter().map(|b| b.config.slowest()).max().unwrap_or_default(),
            silent_before: config
                .devices
                .iter()
                .map(|d| before.iter().any(|b| b.was_silent(&config, d)))
                .collect(),
            dial: match &config.wire {
                WireConfig::Listen(listen) => self.gates.enter(&config.name, listen, &gauge),
                wire => (self.dial)(wire),
            },
            gauge: Arc::clone(&gauge),
            told: self.told.clone(),
            evidence: self.evidence.clone(),
            clock: Arc::clone(&self.clock),
            ids: Arc::clone(&self.ids),
            visits: self.doors.open(&config.name),
        };
        info!(line = config.name, target = line.dial.target(), devices = config.devices.len(), "line starts");
        tell(&load(&config), &config.name, &gauge);
        let task = tokio::spawn(line.run(cancel.clone()));
        self.running.insert(config.name.clone(), Running { config, numbers, gauge, cancel, task });
    }
}

impl Running {
    async fn stop(mut self, name: &str) -> Stopped {
        self.cancel.cancel();
        if timeout(STOP_DEADLINE, &mut self.task).await.is_err() {
            error!(line = name, "the line's task does not stop; it is abandoned");
            self.task.abort();
        }
        Stopped { config: self.config, gauge: self.gauge }
    }
}

#[cfg(test)]
#[path = "lines_tests.rs"]
mod tests;
