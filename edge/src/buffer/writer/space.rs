//! What goes when it is time or when space runs out: retention, quota, a full disk and the ballast.

use std::time::Duration;

use steward_shared::alarm::EventKind;
use steward_shared::time::Timestamp;
use steward_shared::wire::message::Lane;

use super::{Result, Writer};
use crate::buffer::error::BufferError;
use crate::buffer::store::TelemetryStore;

/// How long a command that is over is known: far longer than any may be valid, so that none is done twice.
const COMMANDS_KEPT: Duration = Duration::from_hours(400 * 24);
/// Batches dropped in one transaction.
const STEP: u32 = 32;
/// Free space inside the file that is kept rather than given back to the disk.
const KEEP_FREE: u64 = 4 << 20;

impl Writer {
    /// What is due each minute: quota and ballast.
    pub(super) fn upkeep(&mut self) {
        match self.ballast.restore() {
            Ok(true) => {
                if self.full {
                    tracing::info!("the disk has room again");
                    self.full = false;
                }
            }
            Ok(false) => {
                if !self.full {
                    self.full = true;
                    tracing::warn!(
                        "the disk is nearly full; telemetry only takes the place of older telemetry"
                    );
                }
            }
            Err(e) => tracing::warn!(
                error = &e as &dyn std::error::Error,
                "the ballast cannot be made; trying again"
            ),
        }
        self.hold_quota();
        if let Err(e) = self.on_alarms(Self::hold_alarm_quota) {
            tracing::warn!(error = &e as &dyn std::error::Error, "the quota of the events cannot be held");
        }
    }

    /// What is due each hour: what is acknowledged and past its retention leaves. Not oftener, because each time costs
    /// the flash a commit.
    pub(super) fn trim(&mut self) -> Result<()> {
        let before = self.clock.now().minus(self.settings.retention);
        self.on_alarms(|w| w.trim_alarms(before))?;
        self.on_telemetry(|w| w.trim_telemetry(before))?;
        self.look_at_lanes()
    }

    fn trim_alarms(&mut self, before: Timestamp) -> Result<()> {
        self.keep_alarms_acked()?;
        for lane in [Lane::Alarm, Lane::Command] {
            while self.alarms.trim(lane, before)? > 0 {}
        }
        let forget = self.clock.now().minus(COMMANDS_KEPT);
        while self.alarms.forget_commands(forget)? > 0 {}
        Ok(())
    }

    /// How far the hub has the lanes that lie in `alarms.db`.
    pub(super) fn keep_alarms_acked(&mut self) -> Result<()> {
        for lane in [Lane::Alarm, Lane::Command] {
            self.alarms.set_acked(lane, self.lane(lane).acked)?;
        }
        Ok(())
    }

    fn trim_telemetry(&mut self, before: Timestamp) -> Result<()> {
        let lanes = [self.lane(Lane::Live), self.lane(Lane::Backfill)];
        loop {
            let tx = self.telemetry.begin()?;
            let mut gone = 0;
            for l in lanes {
                TelemetryStore::set_acked(&tx, l.lane, l.acked)?;
                gone += TelemetryStore::trim(&tx, l.lane, l.acked, before)?;
            }
            tx.commit()?;
            if gone == 0 {
                break;
            }
        }
        if self.telemetry.bytes_free()? > KEEP_FREE {
            self.telemetry.shrink()?;
        }
        Ok(())
    }

    /// The oldest events go first; on their lane, that is acknowledged ones before others.
    fn hold_alarm_quota(&mut self) -> Result<()> {
        while self.alarms.bytes_used()? > self.settings.alarm_quota_bytes {
            let Some(gone) = self.alarms.drop_oldest()? else { break };
            self.lane_mut(Lane::Alarm).first = gone + 1;
            if gone > self.lane(Lane::Alarm).acked && !self.dropping {
                self.dropping = true;
                self.tell(EventKind::BufferDropped, "too many events: the oldest are dropped".to_owned());
            }
        }
        Ok(())
    }

    pub(super) fn hold_quota(&mut self) {
        let over = |w: &mut Self| -> Result<bool> {
            Ok(w.telemetry.bytes_used()? > w.settings.quota_bytes && w.drop_some("the quota is reached")?)
        };
        loop {
            match self.on_telemetry(over) {
                Ok(true) => {}
                Ok(false) => break,
                Err(e) => {
                    tracing::warn!(
                        error = &e as &dyn std::error::Error,
                        "the quota of the buffer cannot be held"
                    );
                    break;
                }
            }
        }
    }

    /// Gives the ballast up, so that alarms have room, and telemetry from now on only takes older telemetry's place.
    pub(super) fn disk_is_full(&mut self) {
        if !self.full {
            tracing::error!(
                "the disk is full; free some space or move the data folder. telemetry is dropped, oldest first"
            );
        }
        self.full = true;
        if let Err(e) = self.ballast.release() {
            tracing::error!(error = &e as &dyn std::error::Error, "the ballast could not be released");
        }
    }

    /// Does `work`; where the disk is full, once more in the room that the ballast took.
    pub(super) fn with_ballast<T>(&mut self, mut work: impl FnMut(&mut Self) -> Result<T>) -> Result<T> {
        match work(self) {
            Err(e) if e.is_disk_full() => {
                self.disk_is_full();
                work(self)
            }
            other => other,
        }
    }

    /// Frees pages inside the file for `bytes`, twice over: the write needs some for its indexes.
    pub(super) fn make_room(&mut self, bytes: u64) -> Result<()> {
        while self.telemetry.bytes_free()? < 2 * bytes + (64 << 10) {
            if !self.drop_some("the disk is full")? {
                return Err(BufferError::DiskFull);
            }
            self.telemetry.checkpoint()?;
        }
        Ok(())
    }

    /// Drops the oldest batches: acknowledged ones, else history, else live telemetry. False when none is left.
    fn drop_some(&mut self, why: &str) -> Result<bool> {
        for lane in [Lane::Backfill, Lane::Live] {
            if self.telemetry.drop_acked(lane, self.lane(lane).acked, STEP)? > 0 {
                self.look_at_lanes()?;
                return Ok(true);
            }
        }
        for lane in [Lane::Backfill, Lane::Live] {
            let (batches, readings) = self.telemetry.drop_oldest(lane, STEP)?;
            if batches > 0 {
                self.look_at_lanes()?;
                self.count_dropped(readings, why);
                return Ok(true);
            }
        }
        Ok(false)
    }

    pub(super) fn count_dropped(&mut self, readings: u64, why: &str) {
        self.dropped += readings;
        // Told once until the hub has everything again: on a full disk each flush would tell it anew.
        if !self.dropping {
            self.dropping = true;
            self.tell(EventKind::BufferDropped, format!("{why}: telemetry is dropped, oldest first"));
        }
        if let Err(e) = self.telemetry.set_meta("dropped", self.dropped as i64) {
            tracing::warn!(
                error = &e as &dyn std::error::Error,
                "the count of dropped readings is not stored"
            );
        }
    }

    /// After rows went: what each lane still holds.
    fn look_at_lanes(&mut self) -> Result<()> {
        for lane in [Lane::Alarm, Lane::Command] {
            self.lane_mut(lane).first = self.alarms.lane(lane)?.first;
        }
        for lane in [Lane::Live, Lane::Backfill] {
            self.lane_mut(lane).first = self.telemetry.lane(lane)?.first;
        }
        Ok(())
    }
}
