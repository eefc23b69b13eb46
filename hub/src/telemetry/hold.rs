//! What the tail holds: made anew from the frames after a start, and brought into line with them at each compaction.
//! After a commit whose answer was lost, memory and store disagree until then. Frames of the hour that goes on come
//! first; what finds no room is read once it does.

use std::collections::hash_map::Entry;
use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::sync::atomic::Ordering;

use steward_shared::id::{GatewayId, PointId};
use steward_shared::wire::columns::{self, ColumnsError};

use super::ingest::sample_of;
use super::model::{Sample, hour_of};
use super::readings::Readings;
use super::series::SeriesError;
use super::store::{self, FrameHead};
use super::tail::{Held, READING};
use crate::gateways::PointMap;

/// Readings whose frames are read at once.
const AT_ONCE: i64 = 200_000;

impl Readings {
    /// After a start: the latest values, and what is not compacted yet.
    pub async fn rebuild(&self) -> Result<(), SeriesError> {
        let latest = store::latest(&self.db).await?;
        let now = self.clock.now();
        for (point, sample) in latest {
            self.tail().take_latest(point, &sample, now);
        }
        self.hold_what_is_there().await?;
        let readings = self.tail().readings();
        tracing::info!(readings, "readings that are not compacted yet are in memory");
        Ok(())
    }

    /// Lets go of frames that are not in the store any more, and reads those that are and are not held.
    pub(super) async fn hold_what_is_there(&self) -> Result<(), SeriesError> {
        // Before the question: what is committed meanwhile is not in its answer.
        let held = self.tail().held();
        let heads = store::frame_heads(&self.db).await?;
        let there: HashSet<(GatewayId, i64)> = heads.iter().map(|h| (h.gateway, h.id)).collect();
        for (gateway, frame) in held.difference(&there) {
            self.tail().remove(*gateway, &[*frame]);
        }
        let held = self.tail().held();
        let present = self.present();
        let missing = heads.into_iter().filter(|h| !held.contains(&(h.gateway, h.id)));
        let (now, past): (Vec<FrameHead>, Vec<FrameHead>) = missing.partition(|h| h.t1 >= present);
        let mut maps = HashMap::new();
        let mut all_held = true;
        for (heads, is_past) in [(now, false), (past, true)] {
            let mut rest = heads.as_slice();
            while !rest.is_empty() {
                let (some, later) = portion(rest, AT_ONCE);
                let n = usize::try_from(some.iter().map(|h| h.n).sum::<i64>()).unwrap_or(usize::MAX);
                let has_room = self.tail().has_room(n.saturating_mul(READING), is_past);
                if !has_room || !self.hold(some, &mut maps).await? {
                    all_held = false;
                    break;
                }
                rest = later;
            }
        }
        if all_held {
            self.is_overfull.store(false, Ordering::Relaxed);
        } else {
            self.tell_overfull();
        }
        Ok(())
    }

    /// False when there was no room for one of them.
    async fn hold(
        &self,
        heads: &[FrameHead],
        maps: &mut HashMap<(GatewayId, u32), Option<Arc<PointMap>>>,
    ) -> Result<bool, SeriesError> {
        let mut all_held = true;
        let ids: Vec<i64> = heads.iter().map(|h| h.id).collect();
        for h in heads {
            if let Entry::Vacant(e) = maps.entry((h.gateway, h.epoch)) {
                e.insert(self.fleet.point_map(h.gateway, h.epoch).await?);
            }
        }
        for frame in store::frames(&self.db, &ids).await? {
            let Some(Some(map)) = maps.get(&(frame.gateway, frame.epoch)).cloned() else { continue };
            let present = self.present();
            let opened = self.workers().run(move || {
                let readings = mapped(&frame.data.0, &map)?;
                let held = Held::of(&readings, present);
                Ok::<_, ColumnsError>((readings, held))
            });
            match opened.await? {
                Ok((readings, held)) => {
                    let now = self.clock.now();
                    let mut tail = self.tail();
                    all_held &= tail.add(frame.gateway, frame.id, held);
                    for (point, sample) in &readings {
                        tail.take_latest(*point, sample, now);
                    }
                }
                // Compaction sets it aside and tells.
                Err(e) => tracing::debug!(error = %e, frame = frame.id, "a stored frame is damaged"),
            }
        }
        Ok(all_held)
    }

    /// The beginning of the hour that goes on.
    pub(super) fn present(&self) -> i64 {
        hour_of(self.clock.now())
    }

    pub(super) fn tell_overfull(&self) {
        if !self.is_overfull.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                "more readings of past hours came than there is room for in memory; they are shown once they are compacted"
            );
        }
    }
}

/// The first of them that have so many readings together, one at least; and the others.
pub fn portion(heads: &[FrameHead], readings: i64) -> (&[FrameHead], &[FrameHead]) {
    let mut sum = 0;
    let fitting = heads
        .iter()
        .take_while(|h| {
            sum += h.n;
            sum <= readings
        })
        .count();
    heads.split_at(fitting.max(1).min(heads.len()))
}

/// A stored body as samples.
pub fn mapped(body: &[u8], map: &PointMap) -> Result<Vec<(PointId, Sample)>, ColumnsError> {
    let readings = columns::decode(body)?.readings;
    Ok(readings
        .into_iter()
        .filter_map(|r| Some((map.point(r.point)?, sample_of(r.at, r.value, r.quality))))
        .collect())
}
