//! The tables of devices, points and the numbers that gateways give to points.

use std::collections::HashMap;

use serde::Deserialize;
use steward_shared::id::{BufferId, DeviceId, GatewayId, PointId, PointNo, SiteId};
use steward_shared::wire::message::{CatalogueDevice, CataloguePoint};

use super::super::model::kind_word;
use super::apply::DeviceFilter;
use crate::kernel::db::{Db, DbError, Tx, V};
use crate::params;

/// A device as it is stored.
#[derive(Clone, Debug, Deserialize)]
pub struct DeviceRow {
    pub id: DeviceId,
    pub gateway: GatewayId,
    pub key: String,
    pub title_zh: String,
    pub title_en: String,
    pub profile: String,
    pub vendor: String,
    pub model: String,
    pub place: String,
    pub line: String,
    pub address: String,
    pub in_use: bool,
    pub site: Option<SiteId>,
    pub silent: bool,
    /// How many points in use it has.
    pub points: i64,
}

/// A point as it is stored.
#[derive(Clone, Debug, Deserialize)]
pub struct PointRow {
    pub id: PointId,
    pub device: DeviceId,
    pub gateway: GatewayId,
    pub key: String,
    pub title_zh: String,
    pub title_en: String,
    pub unit: String,
    pub kind: String,
    /// JSON of the labels.
    pub labels: String,
    pub period_ms: i64,
    pub decimals: i64,
    pub modulus: Option<f64>,
    pub in_use: bool,
    /// JSON of how it may be written; none where it may not.
    pub writing: Option<String>,
    pub device_title_zh: String,
    pub device_title_en: String,
}

/// Rows of one statement. A catalogue has thousands, and a round trip for each would outlast the transaction where the
/// database is on another machine. A statement takes 32,766 parameters on SQLite, 65,535 on PostgreSQL.
const ROWS: usize = 500;

const DEVICE: &str =
    "select d.id, d.gateway, d.key, d.title_zh, d.title_en, d.profile, d.vendor, d.model, d.place, d.line, d.address,
  d.in_use, g.site, d.silent, (select count(*) from point p where p.device = d.id and p.in_use = 1) as points
  from device d join gateway g on g.id = d.gateway";
const POINT: &str =
    "select p.id, p.device, d.gateway, p.key, p.title_zh, p.title_en, p.unit, p.kind, p.labels,
  p.period_ms, p.decimals, p.modulus, p.in_use, p.writing, d.title_zh as device_title_zh, d.title_en as device_title_en
  from point p join device d on d.id = p.device";

/// In the order of gateway, key and id, after the given ones.
pub async fn devices(
    db: &Db,
    filter: &DeviceFilter,
    after: Option<(String, String, String)>,
    limit: usize,
) -> Result<Vec<DeviceRow>, DbError> {
    let (gateway, key, id) = after.unwrap_or_default();
    db.query(
        &format!(
            "{DEVICE} where (d.gateway, d.key, d.id) > ($1, $2, $3)
             and (cast($4 as text) is null or d.gateway = $4)
             and (cast($5 as text) is null or g.site in (
                  with recursive inside (id) as (
                    select s.id from sites s where s.id = $5
                    union select s.id from sites s join inside i on s.parent = i.id)
                  select id from inside))
             and (cast($6 as text) is null or lower(d.title_zh || ' ' || d.title_en || ' ' || d.key || ' ' || d.vendor
                  || ' ' || d.model || ' ' || d.place) like $6 escape '!')
             order by d.gateway, d.key, d.id limit $7"
        ),
        params![gateway, key, id, filter.gateway, filter.site, filter.pattern(), limit],
    )
    .await
}

pub async fn device(db: &Db, id: DeviceId) -> Result<Option<DeviceRow>, DbError> {
    db.one(&format!("{DEVICE} where d.id = $1"), params![id]).await
}

pub async fn points(
    db: &Db,
    filter: &DeviceFilter,
    after: Option<i64>,
    limit: usize,
) -> Result<Vec<PointRow>, DbError> {
    db.query(
        &format!(
            "{POINT} where p.id > $1
             and (cast($2 as text) is null or p.device = $2)
             and (cast($3 as text) is null or d.gateway = $3)
             and (cast($4 as text) is null or lower(p.title_zh || ' ' || p.title_en || ' ' || p.key || ' '
                  || d.title_zh || ' ' || d.title_en || ' ' || d.key) like $4 escape '!')
             order by p.id limit $5"
        ),
        params![after.unwrap_or(0), filter.device, filter.gateway, filter.pattern(), limit],
    )
    .await
}

pub async fn point(db: &Db, id: PointId) -> Result<Option<PointRow>, DbError> {
    db.one(&format!("{POINT} where p.id = $1"), params![id]).await
}

/// The same within a transaction.
pub async fn point_in(tx: &Tx, id: PointId) -> Result<Option<PointRow>, DbError> {
    tx.one(&format!("{POINT} where p.id = $1"), params![id]).await
}

pub async fn points_of_gateway(db: &Db, gateway: GatewayId) -> Result<Vec<PointRow>, DbError> {
    db.query(&format!("{POINT} where d.gateway = $1"), params![gateway]).await
}

pub async fn numbers(
    db: &Db,
    gateway: GatewayId,
    buffer: BufferId,
) -> Result<Vec<(PointNo, PointId)>, DbError> {
    db.query("select no, point from point_no where gateway = $1 and buffer = $2", params![gateway, buffer])
        .await
}

pub async fn buffer_of(db: &Db, gateway: GatewayId, epoch: u32) -> Result<Option<BufferId>, DbError> {
    db.one("select buffer from epoch where gateway = $1 and epoch = $2", params![gateway, epoch]).await
}

/// What the new catalogue does not name is out of use; its history stays.
pub async fn retire_all(tx: &Tx, gateway: GatewayId) -> Result<(), DbError> {
    tx.execute("update device set in_use = 0 where gateway = $1", params![gateway]).await?;
    tx.execute(
        "update point set in_use = 0 where device in (select id from device where gateway = $1)",
        params![gateway],
    )
    .await
    .map(drop)
}

/// The ids of the devices by their key; a new one gets its fresh id.
pub async fn upsert_devices(
    tx: &Tx,
    gateway: GatewayId,
    devices: &[(DeviceId, &CatalogueDevice)],
) -> Result<HashMap<String, DeviceId>, DbError> {
    let mut ids = HashMap::with_capacity(devices.len());
    for some in devices.chunks(ROWS) {
        let rows = some.iter().map(|(fresh, d)| {
            params![
                *fresh,
                gateway,
                &d.key,
                &d.title.zh,
                &d.title.en,
                &d.profile,
                &d.vendor,
                &d.model,
                &d.place,
                &d.line,
                &d.address,
                d.in_use,
                false
            ]
        });
        let (values, params) = values(rows);
        let stored: Vec<(String, DeviceId)> = tx
            .query(
                &format!(
                    "insert into device (id, gateway, key, title_zh, title_en, profile, vendor, model, place, line,
                     address, in_use, silent) values {values}
                     on conflict (gateway, key) do update set title_zh = excluded.title_zh,
                     title_en = excluded.title_en, profile = excluded.profile, vendor = excluded.vendor,
                     model = excluded.model, place = excluded.place, line = excluded.line,
                     address = excluded.address, in_use = excluded.in_use returning key, id"
                ),
                params,
            )
            .await?;
        ids.extend(stored);
    }
    Ok(ids)
}

/// The ids of the points by their device and key.
pub async fn upsert_points(
    tx: &Tx,
    points: &[(DeviceId, &CataloguePoint)],
) -> Result<HashMap<(DeviceId, String), PointId>, DbError> {
    let mut ids = HashMap::with_capacity(points.len());
    for some in points.chunks(ROWS) {
        let rows = some.iter().map(|(device, p)| {
            let labels = serde_json::to_string(&p.labels).unwrap_or_else(|_| "[]".into());
            let period = i64::try_from(p.period_ms).unwrap_or(i64::MAX);
            params![
                *device,
                &p.key,
                &p.title.zh,
                &p.title.en,
                &p.unit,
                kind_word(p.kind),
                labels,
                period,
                p.decimals,
                p.modulus,
                p.in_use,
                p.write.and_then(|w| serde_json::to_string(&w).ok())
            ]
        });
        let (values, params) = values(rows);
        let stored: Vec<(DeviceId, String, PointId)> = tx
            .query(
                &format!(
                    "insert into point (device, key, title_zh, title_en, unit, kind, labels, period_ms, decimals,
                     modulus, in_use, writing) values {values}
                     on conflict (device, key) do update set title_zh = excluded.title_zh,
                     title_en = excluded.title_en, unit = excluded.unit, kind = excluded.kind,
                     labels = excluded.labels, period_ms = excluded.period_ms, decimals = excluded.decimals,
                     modulus = excluded.modulus, in_use = excluded.in_use, writing = excluded.writing
                     returning device, key, id"
                ),
                params,
            )
            .await?;
        ids.extend(stored.into_iter().map(|(device, key, id)| ((device, key), id)));
    }
    Ok(ids)
}

/// `($1, $2), ($3, $4)` and what goes into it.
fn values(rows: impl Iterator<Item = Vec<V>>) -> (String, Vec<V>) {
    let (mut texts, mut params) = (Vec::new(), Vec::new());
    for row in rows {
        let from = params.len() + 1;
        params.extend(row);
        let places: Vec<String> = (from..=params.len()).map(|n| format!("${n}")).collect();
        texts.push(format!("({})", places.join(", ")));
    }
    (texts.join(", "), params)
}

pub async fn upsert_numbers(
    tx: &Tx,
    gateway: GatewayId,
    buffer: BufferId,
    numbers: &[(PointNo, PointId)],
) -> Result<(), DbError> {
    tx.execute_many(
        "insert into point_no (gateway, buffer, no, point) values ($1, $2, $3, $4)
         on conflict (gateway, buffer, no) do update set point = excluded.point",
        numbers.iter().map(|(no, point)| params![gateway, buffer, *no, *point]).collect(),
    )
    .await
    .map(drop)
}

/// The same of many.
pub async fn set_devices_silent(
    tx: &Tx,
    gateway: GatewayId,
    devices: &[(String, bool)],
) -> Result<(), DbError> {
    tx.execute_many(
        "update device set silent = $3 where gateway = $1 and key = $2 and silent <> $3",
        devices.iter().map(|(key, silent)| params![gateway, key, *silent]).collect(),
    )
    .await
    .map(drop)
}

pub async fn set_device_silent(tx: &Tx, gateway: GatewayId, key: &str, silent: bool) -> Result<(), DbError> {
    tx.execute(
        "update device set silent = $3 where gateway = $1 and key = $2 and silent <> $3",
        params![gateway, key, silent],
    )
    .await
    .map(drop)
}
