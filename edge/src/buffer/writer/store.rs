//! Batches in and out: the flush, history, reading with the hash verified.

use sha2::{Digest, Sha256};
use steward_shared::alarm::EventKind;
use steward_shared::reading::Reading;
use steward_shared::wire::columns::{self, Header};
use steward_shared::wire::frame::MAX_FRAME;
use steward_shared::wire::message::Lane;

use super::refused::Base;
use super::{Instant, Result, Writer};
use crate::buffer::error::BufferError;
use crate::buffer::settings::StoredBatch;
use crate::buffer::store::{Row, TelemetryStore};

/// Readings of one batch of history: 8 to 16 KiB, so that two in flight do not delay an alarm.
const IMPORT_READINGS: usize = 10_000;
/// Bytes of one batch's body: texts take many, and a frame has an end.
const MOST_BYTES: usize = MAX_FRAME / 4;
/// As many flushes are kept in memory while the disk refuses them; older readings are dropped.
const PATIENCE_FLUSHES: usize = 10;

impl Writer {
    pub(super) fn flush(&mut self) -> Result<()> {
        self.flush_at = None;
        if self.pending.is_empty() {
            return Ok(());
        }
        let mut readings = std::mem::take(&mut self.pending);
        let header = self.header();
        let rows = Self::rows(&readings, columns::MAX_READINGS, &header);
        let stored = rows.and_then(|rows| self.on_telemetry(|w| w.store(Lane::Live, &rows)));
        match &stored {
            Ok(()) => {
                self.last_error = None;
                self.stored_by(&header);
                // The next flush is about as large.
                readings.clear();
                self.pending = readings;
            }
            Err(BufferError::DiskFull) => {
                self.last_error = Some(BufferError::DiskFull.to_string());
                self.count_dropped(readings.len() as u64, "the disk is full");
            }
            Err(e) => {
                if self.last_error.is_none() {
                    tracing::error!(
                        error = e as &dyn std::error::Error,
                        "readings cannot be stored; trying again"
                    );
                }
                self.last_error = Some(e.to_string());
                self.keep(readings);
                self.flush_at = Some(Instant::now() + self.settings.flush);
            }
        }
        self.hold_quota();
        stored
    }

    /// What could not be written waits in memory, as much of it as there is room for.
    fn keep(&mut self, mut readings: Vec<Reading>) {
        let over = readings.len().saturating_sub(self.room());
        if over > 0 {
            readings.drain(..over);
            self.count_dropped(over as u64, "the disk refuses to write");
        }
        self.pending = readings;
    }

    /// While the disk refuses. Beyond one more flush the oldest go at once: the next flush may be ten minutes away.
    pub(super) fn bound_pending(&mut self) {
        if self.pending.len() > self.room() + self.settings.flush_readings {
            let readings = std::mem::take(&mut self.pending);
            self.keep(readings);
        }
    }

    fn room(&self) -> usize {
        self.settings.flush_readings.saturating_mul(PATIENCE_FLUSHES).max(1)
    }

    pub(super) fn import(&mut self, lane: Lane, readings: &[Reading]) -> Result<()> {
        let header = self.boot.header(self.clock.as_ref());
        let rows = Self::rows(readings, IMPORT_READINGS, &header)?;
        self.on_telemetry(|w| w.store(lane, &rows))?;
        self.hold_quota();
        Ok(())
    }

    fn rows(readings: &[Reading], most: usize, header: &Header) -> Result<Vec<Row>> {
        let mut rows = Vec::new();
        let mut chunks: Vec<_> = readings.chunks(most).rev().collect();
        while let Some(chunk) = chunks.pop() {
            let body = columns::encode(chunk, header)?;
            if body.len() > MOST_BYTES && chunk.len() > 1 {
                let (first, rest) = chunk.split_at(chunk.len() / 2);
                chunks.extend([rest, first]);
                continue;
            }
            let times = chunk.iter().map(|r| r.at);
            rows.push(Row {
                t0: times.clone().min().unwrap_or_default(),
                t1: times.max().unwrap_or_default(),
                n: chunk.len() as u32,
                hash: Sha256::digest(&body).to_vec(),
                body,
            });
        }
        Ok(rows)
    }

    fn store(&mut self, lane: Lane, rows: &[Row]) -> Result<()> {
        let bytes = rows.iter().map(|r| r.body.len() as u64 + 256).sum();
        if self.full {
            self.make_room(bytes)?;
        }
        match self.append(lane, rows) {
            Err(e) if e.is_disk_full() => {
                self.disk_is_full();
                self.make_room(bytes)?;
                self.append(lane, rows)
            }
            other => other,
        }
    }

    fn append(&mut self, lane: Lane, rows: &[Row]) -> Result<()> {
        let (now, epoch) = (self.clock.now(), self.epoch);
        let acked = [self.lane(Lane::Live), self.lane(Lane::Backfill)];
        let tx = self.telemetry.begin()?;
        let mut last = 0;
        for row in rows {
            last = TelemetryStore::append(&tx, lane, row, now)?;
        }
        // Epoch and acknowledgements that came meanwhile ride along: a commit of their own would cost a sync each.
        TelemetryStore::set_epoch(&tx, epoch)?;
        for l in acked {
            TelemetryStore::set_acked(&tx, l.lane, l.acked)?;
        }
        tx.commit()?;
        self.wrote(Base::Telemetry);
        if last > 0 {
            self.lane_mut(lane).last = last;
        }
        Ok(())
    }

    pub(super) fn persist_acks(&mut self) -> Result<()> {
        self.on_alarms(Self::keep_alarms_acked)?;
        self.on_telemetry(|w| w.append(Lane::Live, &[]))
    }

    /// The first item after `seq`, verified. What no longer matches its hash keeps its place with nothing in it: the
    /// rest must flow, and a gap would stop it. Nothing where only what bears the present clock's instants is wanted and
    /// the clock has moved.
    pub(super) fn after(&mut self, lane: Lane, seq: u64, only_settled: bool) -> Result<Option<StoredBatch>> {
        match lane {
            Lane::Alarm => self.on_alarms(|w| w.event_after(seq)),
            Lane::Command => self.on_alarms(|w| w.report_after(seq)),
            Lane::Backfill => self.on_telemetry(|w| w.batch_after(lane, seq)),
            Lane::Live => {
                if only_settled && !self.is_settled() {
                    return Ok(None);
                }
                let found = self.on_telemetry(|w| w.batch_after(lane, seq))?;
                self.sent = found.as_ref().map_or(self.sent, |batch| self.sent.max(batch.seq));
                Ok(found)
            }
        }
    }

    fn batch_after(&mut self, lane: Lane, seq: u64) -> Result<Option<StoredBatch>> {
        let found = self.telemetry.after(lane, seq)?;
        let Some((seq, row)) = found else { return Ok(None) };
        if Sha256::digest(&row.body).as_slice() == row.hash.as_slice() {
            return Ok(Some(StoredBatch { seq, count: row.n, hash: row.hash, body: row.body }));
        }
        let body = columns::encode(&[], &self.boot.header(self.clock.as_ref()))?;
        let hash = Sha256::digest(&body).to_vec();
        self.telemetry.replace(lane, seq, &hash, &body)?;
        let detail = format!(
            "batch {seq} of lane {} with {} readings from {} to {} no longer matches its hash; it is lost",
            lane.word(),
            row.n,
            row.t0,
            row.t1
        );
        self.tell(EventKind::BufferCorrupt, detail);
        Ok(Some(StoredBatch { seq, count: 0, hash, body }))
    }

    fn event_after(&mut self, seq: u64) -> Result<Option<StoredBatch>> {
        let Some(event) = self.alarms.after(Lane::Alarm, seq)? else { return Ok(None) };
        if Sha256::digest(&event.body).as_slice() == event.hash.as_slice() {
            return Ok(Some(event));
        }
        let detail = format!("event {} no longer matches its hash; it is lost", event.seq);
        let instead = self.own_event(EventKind::BufferCorrupt, detail);
        Ok(Some(self.alarms.replace(event.seq, &instead)?))
    }
}
