//! The table of batches that were set aside.

use std::collections::HashMap;

use serde::Deserialize;
use steward_shared::id::{GatewayId, PointNo};
use steward_shared::time::Timestamp;

use crate::gateways::model::Position;
use crate::kernel::db::{Blob, Db, DbError, Tx};
use crate::params;

/// A batch that was set aside, without its bytes.
#[derive(Clone, Debug, Deserialize)]
pub struct AsideRow {
    pub id: i64,
    pub epoch: i64,
    /// By its code.
    pub lane: i64,
    /// 0 of a batch that was stored before.
    pub seq: i64,
    pub received_at: Timestamp,
    pub reason: String,
    /// What the gateway says the SHA-256 is.
    pub hash: Blob,
    pub bytes: i64,
}

pub async fn insert(
    tx: &Tx,
    at: &Position,
    reason: &str,
    hash: &[u8],
    body: &[u8],
    now: Timestamp,
) -> Result<(), DbError> {
    let seq = i64::try_from(at.seq).unwrap_or(i64::MAX);
    tx.execute(
        "insert into quarantine (gateway, epoch, lane, seq, received_at, reason, hash, data)
         values ($1, $2, $3, $4, $5, $6, $7, $8)",
        params![at.gateway, at.epoch, at.lane.code(), seq, now, reason, hash, body],
    )
    .await
    .map(drop)
}

/// Keeps the newest so many of a gateway.
pub async fn trim(tx: &Tx, gateway: GatewayId, kept: usize) -> Result<(), DbError> {
    tx.execute(
        "delete from quarantine where gateway = $1 and id <=
         (select o.id from quarantine o where o.gateway = $1 order by o.id desc limit 1 offset $2)",
        params![gateway, kept],
    )
    .await
    .map(drop)
}

/// The newest first, before the given one.
pub async fn list(
    db: &Db,
    gateway: GatewayId,
    before: Option<i64>,
    limit: usize,
) -> Result<Vec<AsideRow>, DbError> {
    db.query(
        "select id, epoch, lane, seq, received_at, reason, hash, length(data) as bytes
         from quarantine where gateway = $1 and id < $2 order by id desc limit $3",
        params![gateway, before.unwrap_or(i64::MAX), limit],
    )
    .await
}

pub async fn one(db: &Db, gateway: GatewayId, id: i64) -> Result<Option<AsideRow>, DbError> {
    db.one(
        "select id, epoch, lane, seq, received_at, reason, hash, length(data) as bytes
         from quarantine where gateway = $1 and id = $2",
        params![gateway, id],
    )
    .await
}

pub async fn body(db: &Db, gateway: GatewayId, id: i64) -> Result<Option<Vec<u8>>, DbError> {
    let body =
        db.one::<Blob>("select data from quarantine where gateway = $1 and id = $2", params![gateway, id]);
    Ok(body.await?.map(|Blob(bytes)| bytes))
}

/// False where there is none.
pub async fn delete(tx: &Tx, gateway: GatewayId, id: i64) -> Result<bool, DbError> {
    let gone =
        tx.execute("delete from quarantine where gateway = $1 and id = $2", params![gateway, id]).await?;
    Ok(gone == 1)
}

/// The keys of device and point of each number that the gateway's database of that epoch gave.
pub async fn names(
    db: &Db,
    gateway: GatewayId,
    epoch: i64,
) -> Result<HashMap<PointNo, (String, String)>, DbError> {
    let rows = db
        .query::<(i64, String, String)>(
            "select n.no, d.key as device, p.key as point from epoch e
             join point_no n on n.gateway = e.gateway and n.buffer = e.buffer
             join point p on p.id = n.point join device d on d.id = p.device
             where e.gateway = $1 and e.epoch = $2",
            params![gateway, epoch],
        )
        .await?;
    let number = |no| u32::try_from(no).ok().map(PointNo);
    Ok(rows.into_iter().filter_map(|(no, device, point)| Some((number(no)?, (device, point)))).collect())
}
