//! What the buffer is told, and what it tells about itself.

use std::time::Duration;

use steward_shared::id::{BufferId, CommandId, PointNo};
use steward_shared::time::Timestamp;
use steward_shared::wire::message::{Lane, LaneState};

#[derive(Clone, Debug)]
pub struct BufferSettings {
    /// Readings stay in memory for at most this long: the loss window of a power cut.
    pub flush: Duration,
    /// As many readings are written at once, however short the time.
    pub flush_readings: usize,
    /// What the hub has acknowledged is kept for this long, so that a hub restored from its backup can ask again.
    pub retention: Duration,
    /// Bytes that telemetry may take on disk.
    pub quota_bytes: u64,
    /// Bytes that events may take: years of them, unless something tells them without end.
    pub alarm_quota_bytes: u64,
}

impl Default for BufferSettings {
    fn default() -> Self {
        Self {
            flush: Duration::from_secs(10),
            flush_readings: 10_000,
            retention: Duration::from_hours(7 * 24),
            quota_bytes: 512 << 20,
            alarm_quota_bytes: 32 << 20,
        }
    }
}

/// The buffer's part of a gateway's health.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct BufferStats {
    /// Bytes that telemetry takes on disk.
    pub bytes: u64,
    /// Readings in memory, not on disk yet.
    pub pending: u64,
    /// Batches and events that the hub has not acknowledged.
    pub unacked: u64,
    /// When the oldest of them was stored.
    pub oldest_unacked: Option<Timestamp>,
    /// Readings dropped for want of space since the database was made.
    pub dropped: u64,
    /// The disk is full: telemetry only takes the place of older telemetry.
    pub is_full: bool,
    /// The disk refuses to write at all: what happens now is in the memory only.
    pub is_failing: bool,
    /// Why the last write failed, absent while writing works.
    pub last_error: Option<String>,
}

/// The newest sequence of each lane and the catalogue's hash: whoever sends waits for a change of this.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Heads {
    /// The buffer's identity; it changes when a damaged database was replaced.
    pub buffer: Option<BufferId>,
    pub alarm: u64,
    pub live: u64,
    pub backfill: u64,
    pub command: u64,
    pub catalogue: Vec<u8>,
}

impl Heads {
    pub fn of(&self, lane: Lane) -> u64 {
        match lane {
            Lane::Alarm => self.alarm,
            Lane::Live => self.live,
            Lane::Backfill => self.backfill,
            Lane::Command => self.command,
        }
    }
}

/// What a hello tells the hub of the buffer.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BufferState {
    pub id: BufferId,
    /// The epoch that the hub gave last, 0 before the first.
    pub epoch: u32,
    pub lanes: Vec<LaneState>,
    /// SHA-256 of the catalogue.
    pub catalogue: Vec<u8>,
}

/// Where a counter stands: what its meter showed at an instant, and what is added to that for the total.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct StoredCounter {
    pub point: PointNo,
    pub at: Timestamp,
    pub shown: f64,
    pub added: f64,
    /// The most that it has counted within a minute so far.
    pub pace: f64,
}

/// What was done to readings that bore the instants of a wrong clock.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Correction {
    /// As many were moved.
    pub readings: u64,
    /// The span that they are in now.
    pub from: Option<Timestamp>,
    pub to: Option<Timestamp>,
    /// As many had been handed to the uplink before, and stay.
    pub sent_before: u64,
    /// The same for whoever holds instants of that clock too, one for each clock that was wrong.
    pub moved: Vec<Moved>,
    /// There are more behind this sequence.
    pub next: Option<u64>,
}

/// What a clock stamped with this instant or later was moved by this.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Moved {
    pub from: Timestamp,
    pub shift_ms: i64,
    /// By how much the clock was set: more than that where it had drifted there bit by bit.
    pub set_ms: i64,
}

/// What is kept of a command from the hub.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CommandRow {
    pub id: CommandId,
    /// When it came.
    pub received: Timestamp,
    /// Nothing more is to be done about it.
    pub is_over: bool,
    /// What the room of commands wrote.
    pub record: Vec<u8>,
}

/// One stored item of a lane; its body matched its hash when it was read.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredBatch {
    pub seq: u64,
    pub count: u32,
    pub hash: Vec<u8>,
    pub body: Vec<u8>,
}
