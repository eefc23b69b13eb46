//! The job that compacts: frames of hours that are over become hour chunks and rollups. No gateway's frames stop those
//! of another. A frame that cannot be compacted whatever becomes of the database is found by halving, set aside with an
//! event, and the others go on.

use std::collections::{BTreeMap, HashMap, HashSet};
use std::sync::Arc;

use steward_shared::id::{GatewayId, PointId};
use steward_shared::wire::columns::ColumnsError;
use steward_shared::wire::message::Lane;

use super::chunk::{self, ChunkError};
use super::compact::{self, Added, Existing, Rewritten, compact};
use super::hold::{mapped, portion};
use super::model::{AHEAD, DAY_MS, QUARTER_MS, hour_of};
use super::readings::{GRACE, Readings};
use super::rollup::{Counting, Rollup};
use super::series::SeriesError;
use super::store::{self, FrameHead};
use super::walk::hours_between;
use crate::gateways::Happening;
use crate::kernel::db::DbError;
use crate::kernel::faults::chain;

/// Readings that are decoded at once.
const AT_ONCE: i64 = 300_000;
/// Hours of points of one transaction: a pause for the writers in between, however sparse the readings are.
const HOURS_AT_ONCE: usize = 10_000;

#[derive(Debug, thiserror::Error)]
pub enum CompactError {
    #[error("the store of readings failed")]
    Db(#[from] DbError),
    #[error("a chunk of the store cannot be read or written")]
    Chunk(#[from] ChunkError),
    #[error("a stored batch cannot be read")]
    Frame(#[from] ColumnsError),
    #[error("a stored batch is of an epoch that the hub does not know")]
    NoEpoch,
    #[error("another hub compacts the same frames; one database serves one hub")]
    Elsewhere,
    #[error("the work was stopped")]
    Stopped(#[from] tokio::task::JoinError),
    #[error("frames and memory could not be brought into line")]
    Hold(#[source] SeriesError),
    #[error("readings of {0} gateways could not be compacted and wait")]
    Waiting(usize),
}

impl CompactError {
    /// Whether it comes again for ever, with whatever state of the database.
    fn is_lasting(&self) -> bool {
        match self {
            Self::Db(e) => e.is_of_the_values(),
            Self::Chunk(_) | Self::Frame(_) | Self::NoEpoch => true,
            Self::Stopped(e) => e.is_panic(),
            Self::Elsewhere | Self::Hold(_) | Self::Waiting(_) => false,
        }
    }
}

type Countings = Arc<HashMap<PointId, Counting>>;

impl Readings {
    /// Compacts all hours that are over. Idempotent; the job does it each minute and when old data came.
    pub async fn compact(&self) -> Result<(), CompactError> {
        let before = hour_of(self.clock.now().minus(GRACE));
        let mut by_gateway: BTreeMap<GatewayId, Vec<FrameHead>> = BTreeMap::new();
        for head in store::frame_heads(&self.db).await?.into_iter().filter(|h| h.t1 < before) {
            by_gateway.entry(head.gateway).or_default().push(head);
        }
        let mut waiting = 0;
        for (gateway, heads) in by_gateway {
            if let Err(e) = self.compact_gateway(gateway, &heads).await {
                tracing::warn!(%gateway, error = %chain(&e), "a gateway's readings could not be compacted");
                waiting += 1;
            }
        }
        self.hold_what_is_there().await.map_err(CompactError::Hold)?;
        if waiting > 0 { Err(CompactError::Waiting(waiting)) } else { Ok(()) }
    }

    async fn compact_gateway(&self, gateway: GatewayId, heads: &[FrameHead]) -> Result<(), CompactError> {
        let points = self.fleet.points_of(gateway).await?;
        let counting: Countings =
            Arc::new(points.into_iter().map(|p| (p.id, Counting { modulus: p.modulus })).collect());
        // The first of them last: what was said later is compacted later.
        let mut portions = Vec::new();
        let mut rest = heads;
        while !rest.is_empty() {
            let (some, later) = portion(rest, AT_ONCE);
            portions.push(some);
            rest = later;
        }
        portions.reverse();
        while let Some(some) = portions.pop() {
            match (self.compact_some(gateway, some, &counting).await, some) {
                (Ok(()), _) => {}
                (Err(e), _) if !e.is_lasting() => return Err(e),
                (Err(e), [only]) => self.set_aside(only, &e).await?,
                (Err(_), some) => {
                    let (first, second) = some.split_at(some.len() / 2);
                    portions.extend([second, first]);
                }
            }
        }
        Ok(())
    }

    async fn compact_some(
        &self,
        gateway: GatewayId,
        heads: &[FrameHead],
        counting: &Countings,
    ) -> Result<(), CompactError> {
        let ids: Vec<i64> = heads.iter().map(|h| h.id).collect();
        let mut parts = self.opened(gateway, heads, &ids).await?;
        let (mut chunks, mut too_late) = (0, 0);
        // All but the last part may be written twice: the frames go with the last one.
        let last = parts.pop().unwrap_or_default();
        for part in parts {
            let new = self.rewritten(part, counting).await?;
            self.db.tx(async |tx| store::rewrite(&tx, &new, self.clock.now().plus(AHEAD)).await).await?;
            (chunks, too_late) = (chunks + new.raw.len(), too_late + new.too_late);
            self.take_all(new);
        }
        let new = self.rewritten(last, counting).await?;
        (chunks, too_late) = (chunks + new.raw.len(), too_late + new.too_late);
        let event = self
            .db
            .tx(async |tx| {
                // Whoever deletes the frames has the right to write what they become.
                if store::delete_frames(&tx, &ids).await? != ids.len() as u64 {
                    return Err(CompactError::Elsewhere);
                }
                store::rewrite(&tx, &new, self.clock.now().plus(AHEAD)).await?;
                if too_late == 0 {
                    return Ok(None);
                }
                let what = Happening::ReadingsTooLate { readings: too_late };
                Ok(self.fleet.note_in(&tx, gateway, &what).await?)
            })
            .await?;
        self.tail().remove(gateway, &ids);
        self.fleet.tell_events(&[event]);
        self.take_all(new);
        tracing::debug!(%gateway, frames = ids.len(), chunks, too_late, "compacted");
        Ok(())
    }

    /// What the frames hold, in parts for one transaction each.
    async fn opened(
        &self,
        gateway: GatewayId,
        heads: &[FrameHead],
        ids: &[i64],
    ) -> Result<Vec<Added>, CompactError> {
        let mut maps = HashMap::new();
        for epoch in heads.iter().map(|h| h.epoch).collect::<HashSet<_>>() {
            let map = self.fleet.point_map(gateway, epoch).await?.ok_or(CompactError::NoEpoch)?;
            maps.insert(epoch, map);
        }
        let frames = store::frames(&self.db, ids).await?;
        let opened = tokio::task::spawn_blocking(move || {
            let mut all = Vec::new();
            for f in frames {
                all.extend(mapped(&f.data.0, maps.get(&f.epoch).ok_or(CompactError::NoEpoch)?)?);
            }
            let mut parts = Vec::new();
            let mut rest = compact::by_hour(all);
            while let Some(next) = rest.keys().nth(HOURS_AT_ONCE).copied() {
                let later = rest.split_off(&next);
                parts.push(std::mem::replace(&mut rest, later));
            }
            parts.push(rest);
            Ok(parts)
        });
        opened.await?
    }

    async fn rewritten(&self, added: Added, counting: &Countings) -> Result<Rewritten, CompactError> {
        let hours: Vec<_> = added.keys().copied().collect();
        let days: Vec<_> = compact::days_of(&added).into_iter().collect();
        let raw = store::chunks_of(&self.db, &hours).await?;
        let quarters = self.quarters(&days, counting).await?;
        let (counting, floor) = (Arc::clone(counting), self.raw_floor());
        let made = tokio::task::spawn_blocking(move || {
            let existing = Existing { raw, quarters };
            compact(added, &existing, floor, |p| counting.get(&p).copied().unwrap_or_default())
        });
        Ok(made.await??)
    }

    /// The quarters of these days. Those of a day whose samples are there are made anew from them if they are damaged.
    async fn quarters(
        &self,
        days: &[(i64, PointId)],
        counting: &Countings,
    ) -> Result<HashMap<(i64, PointId), BTreeMap<i64, Rollup>>, CompactError> {
        let columns = store::quarters_of(&self.db, days).await?;
        let decoded = tokio::task::spawn_blocking(move || {
            columns.into_iter().map(|(day, c)| (day, chunk::decode_quarters(&c))).collect::<Vec<_>>()
        });
        let mut all = HashMap::new();
        for ((day, point), quarters) in decoded.await? {
            let quarters = match quarters {
                Ok(quarters) => quarters,
                Err(e) if day < self.raw_floor() => return Err(e.into()),
                Err(e) => {
                    tracing::error!(error = %e, %point, day, "a day's quarters of an hour are damaged and are made anew");
                    let chunks =
                        store::chunks(&self.db, point, &hours_between(day, day + DAY_MS - 1)).await?;
                    let counting = counting.get(&point).copied().unwrap_or_default();
                    let made = tokio::task::spawn_blocking(move || {
                        let mut samples = Vec::new();
                        for c in &chunks {
                            samples.extend(chunk::decode(c)?);
                        }
                        Ok::<_, ChunkError>(chunk::buckets(&samples, QUARTER_MS, counting))
                    });
                    made.await??
                }
            };
            all.insert((day, point), quarters);
        }
        Ok(all)
    }

    /// Frames that the tail had no room for may hold the latest values.
    fn take_all(&self, new: Rewritten) {
        let now = self.clock.now();
        let mut tail = self.tail();
        for (point, sample) in new.latest {
            tail.take_latest(point, &sample, now);
        }
    }

    async fn set_aside(&self, head: &FrameHead, why: &CompactError) -> Result<(), CompactError> {
        let reason = chain(why);
        tracing::error!(gateway = %head.gateway, frame = head.id, reason, "a stored batch is set aside");
        let event = self
            .db
            .tx(async |tx| {
                let Some(body) = store::frame_body(&tx, head.id).await? else { return Ok(None) };
                store::delete_frames(&tx, &[head.id]).await?;
                let lane = Lane::from_code(head.lane).unwrap_or(Lane::Live);
                self.fleet.set_aside(&tx, head.gateway, head.epoch, lane, &body, &reason).await
            })
            .await?;
        self.tail().remove(head.gateway, &[head.id]);
        self.fleet.tell_events(&[event]);
        Ok(())
    }
}
