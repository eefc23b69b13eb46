//! Readings of a wall clock that was wrong. Each batch says by both clocks when it was made; once the wall clock is to be
//! trusted (`crate::clock` decides that), the difference of the two says by how much the instants of this boot's batches
//! are off, whichever run of the program made them. A clock that nobody had vouched for for long, and that was set by no more
//! than clocks drift, went wrong bit by bit: then what is near to when it was right is moved less. What the hub may have stays as it is: the same sequence with another
//! content is a fork to it. What it has not, it says in its greeting.

use sha2::{Digest, Sha256};
use steward_shared::time::Timestamp;
use steward_shared::wire::columns::{self, Header};
use steward_shared::wire::message::Lane;

use super::{Result, Writer};
use crate::buffer::boot::{SAME_MS, is_same_clock, offset_of};
use crate::buffer::settings::{Correction, Moved};
use crate::buffer::store::Row;

/// Batches that are looked at in one turn: polling must not wait for long.
const TURN: usize = 100;

/// Quartz without a time server loses or gains 500 in a million at worst, and a bad one that is hot twice as much.
const MOST_DRIFT: f64 = 1e-3;
/// Instants are moved by whole steps of this: less than lies between two readings of a point.
const STEP_MS: f64 = 200.0;

/// For which clock the stored batches have been looked through, and up to where they are to be nevertheless.
#[derive(Debug)]
pub(super) struct Settled {
    offset: i64,
    but_to: u64,
    /// Of the pass that is under way: the shift of the clock that the last moved batch was of.
    shift: Option<i64>,
}

impl Settled {
    pub fn by(header: &Header) -> Self {
        Self { offset: offset_of(header), but_to: 0, shift: None }
    }
}

impl Writer {
    /// By how much the wall clock is ahead of the time since boot.
    pub(super) fn offset(&self) -> i64 {
        offset_of(&self.boot.header(self.clock.as_ref()))
    }

    /// The header of what is in memory: by the clock that its readings bear.
    pub(super) fn header(&self) -> Header {
        let header = self.boot.header(self.clock.as_ref());
        match self.pending_offset {
            Some(offset) => Header { wall: Timestamp(header.mono_ms as i64 + offset), ..header },
            None => header,
        }
    }

    /// What the last flush stored bears the instants of this clock.
    pub(super) fn stored_by(&mut self, header: &Header) {
        if !is_same_clock(offset_of(header), self.settled.offset) {
            self.settled.but_to = self.lane(Lane::Live).last;
        }
    }

    /// Whether everything that the hub has not got bears the instants of the present clock, as far as it could be done.
    pub(super) fn is_settled(&self) -> bool {
        is_same_clock(self.offset(), self.settled.offset) && self.settled.but_to <= self.sent
    }

    /// The hub has nothing behind this live batch: what had been handed over can be corrected again.
    pub(super) fn not_taken(&mut self, behind: u64) {
        self.settled.but_to = self.settled.but_to.max(self.sent);
        self.sent = behind;
    }

    /// Moves the instants of this boot's batches behind `after` to the clock that said this; some at a time. Answers what
    /// was done, and from where to go on. Costs nothing while the clock has not moved.
    pub(super) fn correct_clock(
        &mut self,
        right: &Header,
        vouched_ms: Option<i64>,
        after: u64,
    ) -> Result<Correction> {
        let (mut done, now) = (Correction::default(), offset_of(right));
        let mut shift_before = self.settled.shift.take().filter(|_| after > 0);
        let same = is_same_clock(now, self.settled.offset);
        let to = if same { self.settled.but_to } else { u64::MAX };
        if !same && after == 0 {
            // What the disk refuses is told there, and must not keep the rest from the hub.
            let _ = self.flush();
        }
        let drift = vouched_ms.and_then(|ms| Drift::new(ms, right.mono_ms as i64, now - self.settled.offset));
        // Behind that, what was sent of this run is counted.
        let mut seq = after.max(if same { self.sent } else { self.sent.min(self.of_before) });
        for _ in 0..TURN {
            let found = if seq < to { self.telemetry.after(Lane::Live, seq)? } else { None };
            let Some((found, row)) = found.filter(|(found, _)| *found <= to) else {
                // Small steps add up against the clock that was looked through for, and not against the last look.
                let offset = if same { self.settled.offset } else { now };
                self.settled = Settled { offset, but_to: 0, shift: None };
                return Ok(done);
            };
            seq = found;
            // One that is damaged is told when it is to be sent.
            let Ok(mut body) = columns::decode(&row.body) else { continue };
            let exact = now - offset_of(&body.header);
            if body.header.boot != self.boot.id() || exact.abs() <= SAME_MS || body.readings.is_empty() {
                continue;
            }
            if found <= self.sent {
                done.sent_before += u64::from(row.n);
                continue;
            }
            let of_drift =
                drift.filter(|_| is_same_clock(offset_of(&body.header), self.settled.offset)).map(|d| {
                    // It is of the clock as it is now, however little of the way it went wrong by then.
                    (d.part_of(exact, body.header.mono_ms as i64), exact)
                });
            let (shift, set) = of_drift.unwrap_or_else(|| {
                // What one clock stamped is moved by one shift: it stays as far apart as it was.
                let before = shift_before.filter(|before: &i64| (before - exact).abs() <= SAME_MS);
                let shift = before.unwrap_or(exact);
                (shift, shift)
            });
            let is_same_shift = shift_before.replace(shift) == Some(shift);
            let moved = |at: Timestamp| Timestamp(at.0.saturating_add(shift));
            for reading in &mut body.readings {
                reading.at = moved(reading.at);
            }
            body.header.wall = Timestamp(body.header.wall.0.saturating_add(set));
            let bytes = columns::encode(&body.readings, &body.header)?;
            let hash = Sha256::digest(&bytes).to_vec();
            let corrected = Row { t0: moved(row.t0), t1: moved(row.t1), n: row.n, hash, body: bytes };
            self.telemetry.correct(Lane::Live, found, &corrected)?;
            if !is_same_shift {
                done.moved.push(Moved { from: row.t0, shift_ms: shift, set_ms: set });
            }
            if shift != 0 {
                done.readings += u64::from(row.n);
                done.from = Some(done.from.map_or(corrected.t0, |from| from.min(corrected.t0)));
                done.to = done.to.max(Some(corrected.t1));
            }
        }
        self.settled.shift = shift_before;
        done.next = Some(seq);
        Ok(done)
    }
}

/// A clock that went wrong bit by bit, from when it was right to when it was set. In milliseconds since the boot.
#[derive(Clone, Copy, Debug)]
struct Drift {
    from: i64,
    to: i64,
}

impl Drift {
    /// None where clocks do not drift as far in this time: then somebody had set it wrong.
    fn new(from: i64, to: i64, set_ms: i64) -> Option<Self> {
        let most = (to - from) as f64 * MOST_DRIFT;
        (set_ms.unsigned_abs() as f64 <= most).then_some(Self { from, to })
    }

    /// How much of it had come about by then, in whole steps.
    fn part_of(self, set_ms: i64, at: i64) -> i64 {
        let part = (at - self.from) as f64 / (self.to - self.from).max(1) as f64;
        ((set_ms as f64 * part.clamp(0.0, 1.0) / STEP_MS).round() * STEP_MS) as i64
    }
}
