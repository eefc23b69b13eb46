//! What the owner of a line tells: readings, marks for what has no value, and that a device or the whole line is silent or
//! back. Nothing is decided here.

use steward_protocols::question::PointValue;
use steward_shared::alarm::EventKind;
use steward_shared::reading::{Quality, Reading};
use tracing::{debug, info, warn};

use super::super::task::Told;
use super::super::turn::{Ask, Follow};
use super::asking::Owner;
use crate::line::Wire;

impl Owner {
    pub(super) async fn tell_values(&self, ask: &Ask, contents: Vec<u8>) {
        let profile = &self.task.config.devices[ask.device].profile;
        let numbers = &self.task.numbers[ask.device];
        let values = ask.question.values(&profile.points, &contents);
        let reading = |v: PointValue| {
            let point = *numbers.get(v.point)?;
            Some(Reading { point, at: ask.slot, value: v.value, quality: v.quality })
        };
        self.tell(Told::Readings(values.into_iter().filter_map(reading).collect())).await;
        self.witnesses.heard(ask.device, ask.slot, || (ask.question.words(), contents));
    }

    /// Bytes that nobody asked for are counted; the dangerous kind is warned of, once.
    pub(super) fn tell_stray(&mut self) {
        let strange = self.shared.as_ref().map_or(0, |shared| shared.strange_bytes());
        self.task.gauge.stray(self.wires.iter().map(Wire::stray_bytes).sum::<u64>() + strange);
        if self.wires.iter().any(Wire::was_late) && !std::mem::replace(&mut self.warned_of_late, true) {
            warn!(
                line = self.task.config.name,
                "a device answered after the line had waited for it; give the line or its profile a longer timeout"
            );
        }
    }

    pub(super) async fn follow(&mut self, ask: &Ask, follow: Follow) {
        let line = self.task.config.name.clone();
        match follow {
            Follow::Mark { device, points, quality } => {
                let numbers = &self.task.numbers[device];
                let marks = points.iter().filter_map(|p| numbers.get(*p)).map(|no| Reading {
                    point: *no,
                    at: ask.slot,
                    value: None,
                    quality,
                });
                let marks = marks.collect();
                self.tell(Told::Readings(marks)).await;
            }
            Follow::Silent { device } => {
                warn!(
                    line,
                    device = self.name(device),
                    "device does not answer; it is looked for now and then"
                );
                self.tell_silent(device, true).await;
            }
            Follow::Hole { device, hole } => {
                let (table, last) = (hole.table.word(), hole.to.saturating_sub(1));
                info!(
                    line,
                    device = self.name(device),
                    table,
                    from = hole.from,
                    to = last,
                    "the device refuses to be asked over these addresses; they are left out from now on"
                );
            }
            Follow::AnswersAgain { device } => {
                info!(line, device = self.name(device), "device answers again");
                self.tell_silent(device, false).await;
            }
        }
    }

    pub(super) async fn tell_silent(&mut self, device: usize, active: bool) {
        self.task.gauge.silent(device, active);
        let (line, key) = (self.task.config.name.clone(), self.name(device));
        let detail = if active {
            format!("{key} on {line} has not answered for three polls")
        } else {
            format!("{key} on {line} answers")
        };
        let kind = EventKind::DeviceSilent;
        self.tell(Told::Alarm { kind, line, device: Some(key), active, detail }).await;
    }

    pub(super) async fn tell_down(&mut self, why: &str) {
        let target = self.task.dial.target();
        let line = self.task.config.name.clone();
        warn!(line, target, why, "line is down");
        let at = self.task.clock.now();
        let marks = self.task.numbers.iter().flatten().map(|no| Reading {
            point: *no,
            at,
            value: None,
            quality: Quality::LineDown,
        });
        let marks = marks.collect();
        self.tell(Told::Readings(marks)).await;
        let detail = format!("{target} cannot be used: {why}");
        self.tell(Told::Alarm { kind: EventKind::LineDown, line, device: None, active: true, detail }).await;
    }

    /// Nobody listens only while the program stops: then what is told is no longer wanted.
    pub(super) async fn tell(&self, told: Told) {
        if self.task.told.send(told).await.is_err() {
            debug!(line = self.task.config.name, "nobody takes readings any more");
        }
    }

    pub(super) fn name(&self, device: usize) -> String {
        self.task.config.devices[device].name.clone()
    }
}
