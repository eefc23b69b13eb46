//! What a line that is no wire has to tell: readings, silent devices, a port that cannot be used. Into a bounded channel: when that is
//! full, whoever tells waits.

use std::collections::BTreeSet;
use std::sync::Arc;

use steward_shared::alarm::{About, EventKind};
use steward_shared::id::PointNo;
use steward_shared::reading::{Quality, Reading};
use steward_shared::time::Timestamp;
use tokio::sync::mpsc;
use tracing::debug;

use super::task::Told;
use crate::health::LineGauge;

pub struct Teller {
    pub line: String,
    /// What is opened, in words.
    pub target: String,
    /// What a silent device does, in words.
    pub silence: &'static str,
    pub devices: Vec<String>,
    /// Per device the numbers of its profile's points, in the profile's order.
    pub numbers: Vec<Vec<PointNo>>,
    pub gauge: Arc<LineGauge>,
    pub told: mpsc::Sender<Told>,
}

impl Teller {
    pub fn name(&self, device: usize) -> &str {
        self.devices.get(device).map_or("", String::as_str)
    }

    pub fn number(&self, device: usize, point: usize) -> Option<PointNo> {
        self.numbers.get(device)?.get(point).copied()
    }

    /// Nobody listens only while the program stops: then what is told is no longer wanted.
    async fn tell(&self, told: Told) {
        if self.told.send(told).await.is_err() {
            debug!(line = self.line, "nobody takes readings any more");
        }
    }

    pub async fn readings(&self, readings: Vec<Reading>) {
        if !readings.is_empty() {
            self.tell(Told::Readings(readings)).await;
        }
    }

    /// These points have no value, for this reason.
    pub async fn mark(&self, device: usize, points: &[usize], quality: Quality, at: Timestamp) {
        let mark =
            |point: &usize| Some(Reading { point: self.number(device, *point)?, at, value: None, quality });
        self.readings(points.iter().filter_map(mark).collect()).await;
    }

    pub async fn silent(&self, device: usize, active: bool) {
        self.gauge.silent(device, active);
        let (line, key) = (self.line.clone(), self.name(device).to_owned());
        let detail = if active {
            format!("{key} on {line} {}", self.silence)
        } else {
            format!("{key} on {line} answers")
        };
        let kind = EventKind::DeviceSilent;
        self.tell(Told::Alarm { kind, line, device: Some(key), active, detail }).await;
    }

    /// It works, or works again.
    pub async fn up(&self) {
        let detail = format!("{} works again", self.target);
        self.line_event(false, detail).await;
    }

    /// It cannot be used: no point has a value.
    pub async fn down(&self, why: &str, at: Timestamp) {
        let quality = Quality::LineDown;
        let marks = self.numbers.iter().flatten();
        let marks = marks.map(|point| Reading { point: *point, at, value: None, quality }).collect();
        self.readings(marks).await;
        self.line_event(true, format!("{} cannot be used: {why}", self.target)).await;
    }

    /// Something began, ended or happened that is told with facts.
    pub async fn about(
        &self,
        kind: EventKind,
        device: Option<usize>,
        active: bool,
        detail: String,
        about: About,
    ) {
        let (line, device) = (self.line.clone(), device.map(|device| self.name(device).to_owned()));
        self.tell(Told::About { kind, line, device, active, detail, about }).await;
    }

    /// The device has listed what it has to tell of this kind: what is open of other objects is over.
    pub async fn listed(&self, kind: EventKind, device: usize, objects: BTreeSet<String>) {
        let (line, device) = (self.line.clone(), self.name(device).to_owned());
        self.tell(Told::Listed { kind, line, device, objects }).await;
    }

    async fn line_event(&self, active: bool, detail: String) {
        let (kind, line) = (EventKind::LineDown, self.line.clone());
        self.tell(Told::Alarm { kind, line, device: None, active, detail }).await;
    }
}
