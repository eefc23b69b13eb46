//! Looks into a batch that was set aside: as far as it can be read, and where it cannot, why. Pages call it; nothing is
//! applied here.

use sha2::{Digest, Sha256};
use steward_shared::alarm::Event;
use steward_shared::id::{GatewayId, PointNo};
use steward_shared::reading::Value;
use steward_shared::time::Timestamp;
use steward_shared::wire::columns;
use steward_shared::wire::command::Report;
use steward_shared::wire::frame::from_cbor;
use steward_shared::wire::message::Lane;

use super::store::{self, AsideRow};
use crate::gateways::fleet::Fleet;
use crate::kernel::db::DbError;

/// Readings that are shown one by one.
const SAMPLES: usize = 200;
/// Bytes that are shown as they are.
const HEAD: usize = 256;

/// What is in a batch.
#[derive(Clone, Debug)]
pub struct Inside {
    pub row: AsideRow,
    /// Whether the bytes are those of which the gateway told the hash.
    pub is_intact: bool,
    pub content: Content,
    /// Its first bytes.
    pub head: Vec<u8>,
}

#[derive(Clone, Debug)]
pub enum Content {
    Readings {
        count: usize,
        first: Option<Timestamp>,
        last: Option<Timestamp>,
        samples: Vec<Sample>,
    },
    Event(Event),
    Report(Report),
    /// Why it cannot be read.
    Unreadable(String),
}

#[derive(Clone, Debug)]
pub struct Sample {
    pub at: Timestamp,
    pub no: u32,
    /// The keys of device and point, where the number is known.
    pub names: Option<(String, String)>,
    pub value: Option<Value>,
    pub quality: &'static str,
}

impl Fleet {
    /// The newest first, before the given one.
    pub async fn aside(
        &self,
        gateway: GatewayId,
        before: Option<i64>,
        limit: usize,
    ) -> Result<Vec<AsideRow>, DbError> {
        store::list(&self.db, gateway, before, limit).await
    }

    /// Its bytes, as they came.
    pub async fn aside_body(&self, gateway: GatewayId, id: i64) -> Result<Option<Vec<u8>>, DbError> {
        store::body(&self.db, gateway, id).await
    }

    /// None where there is no such batch.
    pub async fn look_into(&self, gateway: GatewayId, id: i64) -> Result<Option<Inside>, DbError> {
        let Some(row) = store::one(&self.db, gateway, id).await? else { return Ok(None) };
        let Some(body) = store::body(&self.db, gateway, id).await? else { return Ok(None) };
        let lane = Lane::from_code(row.lane);
        let read = tokio::task::spawn_blocking(move || {
            let hash = Sha256::digest(&body);
            let head = body.get(..HEAD).unwrap_or(&body).to_vec();
            (hash.to_vec(), content(lane, &body), head)
        });
        let Ok((hash, mut content, head)) = read.await else { return Err(DbError::Over) };
        if let Content::Readings { samples, .. } = &mut content {
            let names = store::names(&self.db, gateway, row.epoch).await?;
            for sample in samples {
                sample.names = names.get(&PointNo(sample.no)).cloned();
            }
        }
        Ok(Some(Inside { is_intact: hash == row.hash.0, content, head, row }))
    }
}

fn content(lane: Option<Lane>, body: &[u8]) -> Content {
    match lane {
        Some(Lane::Live | Lane::Backfill) => match columns::decode(body) {
            Ok(body) => readings(&body),
            Err(e) => Content::Unreadable(e.to_string()),
        },
        Some(Lane::Alarm) => {
            from_cbor(body).map_or_else(|e| Content::Unreadable(e.to_string()), Content::Event)
        }
        Some(Lane::Command) => {
            from_cbor(body).map_or_else(|e| Content::Unreadable(e.to_string()), Content::Report)
        }
        None => Content::Unreadable("this hub does not know its lane".into()),
    }
}

fn readings(body: &columns::Body) -> Content {
    let instants = body.readings.iter().map(|r| r.at);
    let samples = body.readings.iter().take(SAMPLES).map(|r| Sample {
        at: r.at,
        no: r.point.0,
        names: None,
        value: r.value.clone(),
        quality: r.quality.word(),
    });
    Content::Readings {
        count: body.readings.len(),
        first: instants.clone().min(),
        last: instants.max(),
        samples: samples.collect(),
    }
}
