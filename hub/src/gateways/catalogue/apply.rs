//! A gateway's catalogue into devices and points. What a gateway says is bounded and checked before anything is
//! written; what it names no more goes out of use and keeps its history.

use std::collections::HashMap;
use std::sync::Arc;

use sha2::{Digest, Sha256};
use steward_shared::id::{BufferId, DeviceId, GatewayId, PointId, PointNo, SiteId};
use steward_shared::wire::catalogue::{CatalogueFault, check};
use steward_shared::wire::frame::to_cbor;
use steward_shared::wire::message::{Catalogue, CataloguePoint};

use super::super::fleet::Fleet;
use super::super::store as fleet_store;
use super::store::{self, DeviceRow, PointRow};
use crate::kernel::db::DbError;

#[derive(Debug, thiserror::Error)]
pub enum CatalogueError {
    #[error(transparent)]
    Fault(#[from] CatalogueFault),
    #[error("the catalogue could not be stored")]
    Db(#[from] DbError),
}

/// What the numbers of one buffer mean.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct PointMap {
    points: HashMap<PointNo, PointId>,
    numbers: HashMap<PointId, PointNo>,
}

impl PointMap {
    pub fn of(pairs: impl IntoIterator<Item = (PointNo, PointId)>) -> Self {
        let points: HashMap<_, _> = pairs.into_iter().collect();
        let numbers = points.iter().map(|(no, id)| (*id, *no)).collect();
        Self { points, numbers }
    }

    pub fn point(&self, no: PointNo) -> Option<PointId> {
        self.points.get(&no).copied()
    }

    pub fn number(&self, point: PointId) -> Option<PointNo> {
        self.numbers.get(&point).copied()
    }

    pub fn points(&self) -> impl Iterator<Item = PointId> {
        self.numbers.keys().copied()
    }
}

/// Which devices or points are asked for; nothing means all.
#[derive(Clone, Debug, Default)]
pub struct DeviceFilter {
    pub gateway: Option<GatewayId>,
    pub site: Option<SiteId>,
    pub device: Option<DeviceId>,
    /// Words that occur in titles, keys or places.
    pub text: Option<String>,
}

impl DeviceFilter {
    /// For `like … escape '!'`.
    pub(super) fn pattern(&self) -> Option<String> {
        let text = self.text.as_deref().map(str::trim).filter(|t| !t.is_empty())?;
        let escaped = text.to_lowercase().replace('!', "!!").replace('%', "!%").replace('_', "!_");
        Some(format!("%{escaped}%"))
    }
}

impl Fleet {
    /// Keeps the catalogue as the present one of this buffer, and gives what its numbers mean.
    pub async fn apply_catalogue(
        &self,
        gateway: GatewayId,
        buffer: BufferId,
        catalogue: &Catalogue,
    ) -> Result<Arc<PointMap>, CatalogueError> {
        check(catalogue)?;
        let hash = to_cbor(catalogue).map(|b| Sha256::digest(b).to_vec());
        let hash = hash.map_err(|e| CatalogueFault::Field(e.to_string()))?;
        let numbers: Vec<(PointNo, PointId)> = self
            .db
            .tx(async |tx| {
                store::retire_all(&tx, gateway).await?;
                let with_ids: Vec<_> =
                    catalogue.devices.iter().map(|d| (DeviceId::new(self.ids.as_ref()), d)).collect();
                let devices = store::upsert_devices(&tx, gateway, &with_ids).await?;
                let points: Vec<_> =
                    catalogue.points.iter().filter_map(|p| Some((*devices.get(&p.device)?, p))).collect();
                let ids = store::upsert_points(&tx, &points).await?;
                let number = |(device, p): &(DeviceId, &CataloguePoint)| {
                    Some((p.no, *ids.get(&(*device, p.key.clone()))?))
                };
                let numbers: Vec<(PointNo, PointId)> = points.iter().filter_map(number).collect();
                store::upsert_numbers(&tx, gateway, buffer, &numbers).await?;
                fleet_store::set_catalogue(&tx, gateway, buffer, &hash).await?;
                Ok::<_, DbError>(numbers)
            })
            .await?;
        tracing::info!(%gateway, devices = catalogue.devices.len(), points = numbers.len(), "catalogue stored");
        self.live.tell("catalogue", None, &serde_json::json!({ "gateway": gateway }));
        self.point_map_of(gateway, buffer).await.map_err(CatalogueError::from)
    }

    /// What the numbers of this buffer mean, as far as the hub knows.
    pub async fn point_map_of(&self, gateway: GatewayId, buffer: BufferId) -> Result<Arc<PointMap>, DbError> {
        Ok(Arc::new(PointMap::of(store::numbers(&self.db, gateway, buffer).await?)))
    }

    /// What the numbers of this epoch's batches mean; none if there never was such an epoch.
    pub async fn point_map(&self, gateway: GatewayId, epoch: u32) -> Result<Option<Arc<PointMap>>, DbError> {
        match store::buffer_of(&self.db, gateway, epoch).await? {
            Some(buffer) => self.point_map_of(gateway, buffer).await.map(Some),
            None => Ok(None),
        }
    }

    pub async fn points_of(&self, gateway: GatewayId) -> Result<Vec<PointRow>, DbError> {
        store::points_of_gateway(&self.db, gateway).await
    }

    /// In the order of gateway, key and id, after the given ones.
    pub async fn devices(
        &self,
        filter: &DeviceFilter,
        after: Option<(String, String, String)>,
        limit: usize,
    ) -> Result<Vec<DeviceRow>, DbError> {
        store::devices(&self.db, filter, after, limit).await
    }

    pub async fn device(&self, id: DeviceId) -> Result<Option<DeviceRow>, DbError> {
        store::device(&self.db, id).await
    }

    /// In the order of their number, after the given one.
    pub async fn points(
        &self,
        filter: &DeviceFilter,
        after: Option<i64>,
        limit: usize,
    ) -> Result<Vec<PointRow>, DbError> {
        store::points(&self.db, filter, after, limit).await
    }

    pub async fn point(&self, id: PointId) -> Result<Option<PointRow>, DbError> {
        store::point(&self.db, id).await
    }
}
