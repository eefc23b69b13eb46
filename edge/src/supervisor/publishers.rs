//! The publishers' tasks: which run, with what configuration. One that is configured as before keeps running, with its
//! session and its queue; what the points are called it sees by itself.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;

use steward_shared::id::{Ids, PointNo};
use steward_shared::reading::Reading;
use steward_shared::time::Clock;
use tokio::sync::{broadcast, watch};
use tracing::{error, info};

use super::run::Stoppable;
use crate::config::{Config, PublishConfig};
use crate::health::{LineGauge, PublishGauge};
use crate::publish::{Directory, NamedDevice, NamedPoint, PublishTask};

pub struct Publishers {
    running: BTreeMap<String, Running>,
    pub gauges: watch::Sender<Vec<Arc<PublishGauge>>>,
    pub kept: broadcast::Sender<Arc<[Reading]>>,
    pub directory: watch::Sender<Arc<Directory>>,
    pub lines: watch::Receiver<Vec<Arc<LineGauge>>>,
    pub data: PathBuf,
    pub clock: Arc<dyn Clock>,
    pub ids: Arc<dyn Ids>,
}

struct Running {
    config: PublishConfig,
    /// A node of Sparkplug may bear the gateway's name.
    gateway: String,
    gauge: Arc<PublishGauge>,
    task: Stoppable,
}

impl Publishers {
    pub fn new(
        kept: broadcast::Sender<Arc<[Reading]>>,
        lines: watch::Receiver<Vec<Arc<LineGauge>>>,
        data: PathBuf,
        clock: Arc<dyn Clock>,
        ids: Arc<dyn Ids>,
    ) -> Self {
        let directory = watch::Sender::new(Arc::default());
        Self {
            running: BTreeMap::new(),
            gauges: watch::Sender::default(),
            kept,
            directory,
            lines,
            data,
            clock,
            ids,
        }
    }

    pub async fn apply(&mut self, config: &Config, numbers: &[Vec<Vec<PointNo>>]) {
        let directory = Arc::new(directory(config, numbers));
        let same = |name: &str, running: &Running| {
            running.gateway == config.name
                && config.publish.iter().any(|p| p.name == name && *p == running.config)
        };
        let gone: Vec<_> =
            self.running.iter().filter(|(name, r)| !same(name, r)).map(|(name, _)| name.clone()).collect();
        for name in gone {
            if let Some(running) = self.running.remove(&name) {
                running.task.stop("publisher").await;
            }
        }
        // The points of a configuration that is in force already wake nobody.
        self.directory.send_if_modified(|known| {
            let differs = **known != *directory;
            if differs {
                known.clone_from(&directory);
            }
            differs
        });
        for publish in &config.publish {
            if !self.running.contains_key(&publish.name) {
                self.start(publish.clone(), config.name.clone());
            }
        }
        self.show();
    }

    /// A publisher's task ends only when it is told to. One that ended by itself had a fault of ours: it is started anew.
    pub fn revive(&mut self) {
        let dead: Vec<_> =
            self.running.iter().filter(|(_, r)| r.task.is_finished()).map(|(name, _)| name.clone()).collect();
        for running in dead.iter().filter_map(|name| self.running.remove(name)).collect::<Vec<_>>() {
            error!(publisher = running.config.name, "the publisher's task broke; it is started again");
            self.start(running.config, running.gateway);
            self.show();
        }
    }

    fn start(&mut self, config: PublishConfig, gateway: String) {
        let gauge = Arc::new(PublishGauge::new(&config.name));
        let task = PublishTask {
            config: config.clone(),
            kept: self.kept.subscribe(),
            directory: self.directory.subscribe(),
            lines: self.lines.clone(),
            gauge: Arc::clone(&gauge),
            data: self.data.clone(),
            clock: Arc::clone(&self.clock),
            ids: Arc::clone(&self.ids),
        };
        info!(publisher = config.name, host = config.broker.host, "publisher starts");
        let task = Stoppable::spawn(|cancel| task.run(cancel));
        self.running.insert(config.name.clone(), Running { config, gateway, gauge, task });
    }

    fn show(&self) {
        self.gauges.send_replace(self.running.values().map(|r| Arc::clone(&r.gauge)).collect());
    }

    pub async fn stop_all(self) {
        for running in self.running.into_values() {
            running.task.stop("publisher").await;
        }
    }
}

fn directory(config: &Config, numbers: &[Vec<Vec<PointNo>>]) -> Directory {
    let mut devices = Vec::new();
    // Nobody asks for the names where nothing is published.
    if config.publish.is_empty() {
        return Directory::new(config.name.clone(), devices);
    }
    for (line, numbers) in config.lines.iter().zip(numbers) {
        for (device, numbers) in line.devices.iter().zip(numbers) {
            let point = |(point, no): (&steward_shared::profile::PointDef, &PointNo)| NamedPoint {
                no: *no,
                key: point.key.clone(),
                unit: point.unit.clone(),
                kind: point.kind,
            };
            devices.push(NamedDevice {
                line: line.name.clone(),
                device: device.name.clone(),
                place: device.place.clone(),
                points: device.profile.points.iter().zip(numbers).map(point).collect(),
            });
        }
    }
    Directory::new(config.name.clone(), devices)
}
