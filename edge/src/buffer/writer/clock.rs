//! Readings of a wall clock that was wrong. Each batch says by both clocks when it was made; once the wall clock is to be
//! trusted, the difference of the two says by how much the batch's instants are off. What was handed to the uplink stays
//! as it is: the hub may have it, and the same sequence with another content is a fork to it.

use sha2::{Digest, Sha256};
use steward_shared::time::Timestamp;
use steward_shared::wire::columns::{self, Header};
use steward_shared::wire::message::Lane;

use super::{Result, Writer};
use crate::buffer::settings::Correction;
use crate::buffer::store::Row;

/// Two looks at the clocks that differ by less are of the same clock.
const SAME_MS: i64 = 3_000;
/// Batches that are looked at in one turn: polling must not wait for long.
const TURN: usize = 100;

impl Writer {
    /// By how much the wall clock is ahead of the time since boot.
    pub(super) fn offset(&self) -> i64 {
        offset_of(&self.boot.header(self.clock.now()))
    }

    /// Whether readings that come now are of another clock than those in memory.
    pub(super) fn clock_moved(&self) -> bool {
        self.pending_offset.is_some_and(|of| (self.offset() - of).abs() > SAME_MS)
    }

    /// The header of what is in memory: by the clock that its readings bear.
    pub(super) fn header(&self) -> Header {
        let header = self.boot.header(self.clock.now());
        match self.pending_offset {
            Some(offset) => Header { wall: Timestamp(header.mono_ms as i64 + offset), ..header },
            None => header,
        }
    }

    /// Moves the instants of this program's batches behind `after` to the present clock; some at a time. Answers what was
    /// done, and from where to go on.
    pub(super) fn correct_clock(&mut self, after: u64) -> Result<Correction> {
        self.flush()?;
        let now = self.boot.header(self.clock.now());
        let mut done = Correction { next: None, ..Correction::default() };
        let mut seq = after.max(self.of_before);
        for _ in 0..TURN {
            let Some((found, row)) = self.telemetry.after(Lane::Live, seq)? else { return Ok(done) };
            seq = found;
            // One that is damaged is told when it is to be sent.
            let Ok(mut body) = columns::decode(&row.body) else { continue };
            let shift = offset_of(&now) - offset_of(&body.header);
            if body.header.boot != now.boot || shift.abs() <= SAME_MS || body.readings.is_empty() {
                continue;
            }
            if found <= self.sent {
                done.sent_before += u64::from(row.n);
                continue;
            }
            for reading in &mut body.readings {
                reading.at = Timestamp(reading.at.0.saturating_add(shift));
            }
            body.header.wall = Timestamp(body.header.wall.0.saturating_add(shift));
            let bytes = columns::encode(&body.readings, &body.header)?;
            let moved = |at: Timestamp| Timestamp(at.0.saturating_add(shift));
            let hash = Sha256::digest(&bytes).to_vec();
            let corrected = Row { t0: moved(row.t0), t1: moved(row.t1), n: row.n, hash, body: bytes };
            self.telemetry.correct(Lane::Live, found, &corrected)?;
            done.readings += u64::from(row.n);
            done.shift_ms = shift;
            done.from = Some(done.from.map_or(corrected.t0, |from| from.min(corrected.t0)));
            done.to = done.to.max(Some(corrected.t1));
        }
        done.next = Some(seq);
        Ok(done)
    }
}

fn offset_of(header: &Header) -> i64 {
    header.wall.0.saturating_sub(i64::try_from(header.mono_ms).unwrap_or(i64::MAX))
}
