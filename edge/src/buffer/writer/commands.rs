//! Commands from the hub: their records, and the lane of their reports.

use sha2::{Digest, Sha256};
use steward_shared::alarm::EventKind;
use steward_shared::time::Timestamp;
use steward_shared::wire::command::Report;
use steward_shared::wire::message::Lane;

use super::refused::Base;
use super::{Result, Writer};
use crate::buffer::settings::{CommandRow, StoredBatch};

/// Where the record of commands begins: what was issued before may have been done before.
const SINCE: &str = "commands_since";

impl Writer {
    pub(super) fn keep_command(&mut self, row: &CommandRow, reports: &[Report]) -> Result<()> {
        let last = self.on_alarms(|w| w.append_command(row, reports));
        self.event_error = last.as_ref().err().map(ToString::to_string);
        let last = last?;
        self.wrote(Base::Alarms);
        let lane = self.lane_mut(Lane::Command);
        if last > lane.last && lane.first > lane.last {
            lane.first = lane.last + 1;
        }
        lane.last = last;
        Ok(())
    }

    fn append_command(&mut self, row: &CommandRow, reports: &[Report]) -> Result<u64> {
        let now = self.clock.now();
        self.with_ballast(|w| w.alarms.keep_command(row, reports, now))
    }

    /// Since when every command that came is known here.
    pub(super) fn commands_since(&mut self) -> Result<Timestamp> {
        self.on_alarms(|w| {
            let since = w.alarms.meta::<i64>(SINCE)?;
            Ok(Timestamp(since.unwrap_or(i64::MAX)))
        })
    }

    /// A database without a record of commands begins one: whatever was issued before is not written any more.
    pub(super) fn begin_record(&mut self) -> Result<()> {
        if self.alarms.meta::<i64>(SINCE)?.is_none() {
            self.alarms.set_meta(SINCE, self.clock.now().0)?;
        }
        Ok(())
    }

    pub(super) fn report_after(&mut self, seq: u64) -> Result<Option<StoredBatch>> {
        let Some(report) = self.alarms.after(Lane::Command, seq)? else { return Ok(None) };
        if Sha256::digest(&report.body).as_slice() != report.hash.as_slice() {
            // The hub sets it aside, and the command is asked for again at the next welcome.
            let detail = format!("report {} of a command no longer matches its hash; it is lost", report.seq);
            self.tell(EventKind::BufferCorrupt, detail);
            let hash = Sha256::digest([]).to_vec();
            return Ok(Some(StoredBatch { body: Vec::new(), hash, ..report }));
        }
        Ok(Some(report))
    }
}
