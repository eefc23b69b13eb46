//! The tables of the fleet: gateways, codes, events, epochs and watermarks. Devices and points are in
//! `catalogue/store.rs`.

use serde::{Deserialize, Serialize};
use steward_shared::alarm::{Event, EventKind};
use steward_shared::id::{BufferId, DeviceId, GatewayId, SiteId};
use steward_shared::time::Timestamp;
use steward_shared::wire::message::Lane;

use super::model::{Enrolment, Epoch, EpochReason, Mark, Position};
use crate::kernel::db::{Blob, Db, DbError, Migration, Tx};
use crate::params;

pub const MIGRATIONS: &[Migration] = &[
    Migration { number: 1, name: "gateways", sql: include_str!("migrations/0001_gateways.sql") },
    Migration { number: 2, name: "places", sql: include_str!("migrations/0002_places.sql") },
    Migration { number: 3, name: "facts", sql: include_str!("migrations/0003_facts.sql") },
    Migration { number: 4, name: "commands", sql: include_str!("migrations/0004_commands.sql") },
    Migration { number: 5, name: "configs", sql: include_str!("migrations/0005_configs.sql") },
];

/// A gateway as it is stored.
#[derive(Clone, Debug, Deserialize)]
pub struct GatewayRow {
    pub id: GatewayId,
    pub name: String,
    pub site: Option<SiteId>,
    pub state: Enrolment,
    pub version: String,
    pub host: String,
    pub address: String,
    pub enrolled_at: Option<Timestamp>,
    pub certificate_expires: Option<Timestamp>,
    pub last_seen: Option<Timestamp>,
    pub silent: bool,
    /// JSON of the last `Health` that was stored.
    pub health: Option<String>,
    pub row_version: i64,
    pub devices: i64,
    pub points: i64,
}

impl GatewayRow {
    pub fn is_enrolled(&self) -> bool {
        self.state == Enrolment::Enrolled
    }
}

const GATEWAY: &str = "select g.id, g.name, g.site, g.state, g.version, g.host, g.address, g.enrolled_at,
  g.certificate_expires, g.last_seen, g.silent, g.health, g.row_version,
  (select count(*) from device d where d.gateway = g.id and d.in_use = 1) as devices,
  (select count(*) from point p join device d on d.id = p.device where d.gateway = g.id and p.in_use = 1) as points
  from gateway g";

pub async fn gateway(db: &Db, id: GatewayId) -> Result<Option<GatewayRow>, DbError> {
    db.one(&format!("{GATEWAY} where g.id = $1"), params![id]).await
}

/// In the order of name and id, after the given ones.
pub async fn gateways(
    db: &Db,
    after: Option<(String, String)>,
    limit: usize,
) -> Result<Vec<GatewayRow>, DbError> {
    let (name, id) = after.unwrap_or_default();
    db.query(
        &format!("{GATEWAY} where (g.name, g.id) > ($1, $2) order by g.name, g.id limit $3"),
        params![name, id, limit],
    )
    .await
}

/// Whether its certificates are in force.
pub async fn is_enrolled(tx: &Tx, id: GatewayId) -> Result<bool, DbError> {
    let state: Option<Enrolment> = tx.one("select state from gateway where id = $1", params![id]).await?;
    Ok(state == Some(Enrolment::Enrolled))
}

/// A device's name in its gateway's file.
pub async fn device_key(tx: &Tx, id: DeviceId) -> Result<String, DbError> {
    Ok(tx.one("select key from device where id = $1", params![id]).await?.unwrap_or_default())
}

pub async fn insert_gateway(
    tx: &Tx,
    id: GatewayId,
    name: &str,
    site: Option<SiteId>,
    now: Timestamp,
) -> Result<(), DbError> {
    tx.execute(
        "insert into gateway (id, name, site, state, version, host, address, created_at, silent, row_version)
         values ($1, $2, $3, $4, '', '', '', $5, 0, 1)",
        params![id, name, site, Enrolment::Pending.word(), now],
    )
    .await
    .map(drop)
}

/// Whether the row was still of this version.
pub async fn change_gateway(
    tx: &Tx,
    id: GatewayId,
    version: i64,
    name: &str,
    site: Option<SiteId>,
) -> Result<bool, DbError> {
    let changed = tx
        .execute(
            "update gateway set name = $3, site = $4, row_version = row_version + 1
             where id = $1 and row_version = $2",
            params![id, version, name, site],
        )
        .await?;
    Ok(changed == 1)
}

/// Whether there is such a gateway.
pub async fn revoke(tx: &Tx, id: GatewayId) -> Result<bool, DbError> {
    let changed = tx
        .execute(
            "update gateway set state = $2, silent = 0, row_version = row_version + 1 where id = $1",
            params![id, Enrolment::Revoked.word()],
        )
        .await?;
    Ok(changed == 1)
}

/// Its version, and when it was enrolled.
pub async fn version(tx: &Tx, id: GatewayId) -> Result<Option<(i64, Option<Timestamp>)>, DbError> {
    tx.one("select row_version, enrolled_at from gateway where id = $1", params![id]).await
}

/// With its codes and events.
pub async fn delete_gateway(tx: &Tx, id: GatewayId) -> Result<(), DbError> {
    tx.execute("delete from enrolment_code where gateway = $1", params![id]).await?;
    tx.execute("delete from gateway_event where gateway = $1", params![id]).await?;
    tx.execute("delete from gateway where id = $1", params![id]).await.map(drop)
}

/// Those that expired before.
pub async fn forget_codes(db: &Db, before: Timestamp) -> Result<u64, DbError> {
    db.execute("delete from enrolment_code where expires_at < $1", params![before]).await
}

pub async fn insert_code(
    tx: &Tx,
    hash: &[u8],
    gateway: GatewayId,
    expires: Timestamp,
) -> Result<(), DbError> {
    tx.execute(
        "insert into enrolment_code (hash, gateway, expires_at) values ($1, $2, $3)",
        params![hash, gateway, expires],
    )
    .await
    .map(drop)
}

/// A gateway has one open code at a time.
pub async fn drop_open_codes(tx: &Tx, gateway: GatewayId) -> Result<(), DbError> {
    tx.execute("delete from enrolment_code where gateway = $1 and used_at is null", params![gateway])
        .await
        .map(drop)
}

#[derive(Debug, Deserialize)]
pub struct CodeRow {
    pub gateway: GatewayId,
    pub expires_at: Timestamp,
    pub used_at: Option<Timestamp>,
}

pub async fn code(tx: &Tx, hash: &[u8]) -> Result<Option<CodeRow>, DbError> {
    tx.one("select gateway, expires_at, used_at from enrolment_code where hash = $1", params![hash]).await
}

/// Whether it was still unused.
pub async fn use_code(tx: &Tx, hash: &[u8], now: Timestamp) -> Result<bool, DbError> {
    let changed = tx
        .execute(
            "update enrolment_code set used_at = $2 where hash = $1 and used_at is null",
            params![hash, now],
        )
        .await?;
    Ok(changed == 1)
}

pub struct Enrolled<'a> {
    pub gateway: GatewayId,
    pub at: Timestamp,
    pub version: &'a str,
    pub host: &'a str,
    pub address: &'a str,
}

/// The instant of this enrolment: later than that of the one before, whatever the clock shows.
pub async fn enrol(tx: &Tx, e: &Enrolled<'_>) -> Result<Option<Timestamp>, DbError> {
    tx.one(
        "update gateway set state = $2, enrolled_at = case when enrolled_at >= $3 then enrolled_at + 1 else $3 end,
         version = $4, host = $5, address = $6, silent = 0, row_version = row_version + 1
         where id = $1 returning enrolled_at",
        params![e.gateway, Enrolment::Enrolled.word(), e.at, e.version, e.host, e.address],
    )
    .await
}

/// Whether the gateway is enrolled and a certificate of this enrolment is let in.
pub async fn set_certificate_expires(
    tx: &Tx,
    id: GatewayId,
    enrolled: Timestamp,
    expires: Timestamp,
) -> Result<bool, DbError> {
    let changed = tx
        .execute(
            "update gateway set certificate_expires = $4 where id = $1 and state = $2 and enrolled_at <= $3",
            params![id, Enrolment::Enrolled.word(), enrolled, expires],
        )
        .await?;
    Ok(changed == 1)
}

pub async fn set_seen(
    tx: &Tx,
    id: GatewayId,
    at: Timestamp,
    version: &str,
    address: &str,
    health: Option<String>,
) -> Result<(), DbError> {
    tx.execute(
        "update gateway set last_seen = $2, version = $3, address = $4, health = coalesce($5, health) where id = $1",
        params![id, at, version, address, health],
    )
    .await
    .map(drop)
}

pub async fn set_silent(tx: &Tx, id: GatewayId, silent: bool) -> Result<(), DbError> {
    tx.execute("update gateway set silent = $2 where id = $1", params![id, silent]).await.map(drop)
}

/// Those that are expected to be there, and whether they were called silent.
pub async fn enrolled(db: &Db) -> Result<Vec<(GatewayId, bool)>, DbError> {
    db.query("select id, silent from gateway where state = $1", params![Enrolment::Enrolled.word()]).await
}

/// Events.
#[derive(Clone, Debug, Deserialize, Serialize)]
pub struct EventRow {
    #[serde(serialize_with = "as_text")]
    pub id: i64,
    pub gateway: GatewayId,
    pub at: Timestamp,
    pub received_at: Timestamp,
    pub kind: String,
    pub active: bool,
    pub line: Option<String>,
    pub device: Option<String>,
    pub detail: String,
    /// A JSON object.
    #[serde(serialize_with = "as_json")]
    pub facts: String,
    pub security: bool,
}

/// Ids are texts outside.
#[allow(clippy::trivially_copy_pass_by_ref, reason = "serde hands a reference")]
fn as_text<S: serde::Serializer>(id: &i64, s: S) -> Result<S::Ok, S::Error> {
    s.collect_str(id)
}

fn as_json<S: serde::Serializer>(facts: &str, s: S) -> Result<S::Ok, S::Error> {
    serde_json::from_str::<serde_json::Value>(facts).unwrap_or_default().serialize(s)
}

/// An event of the hub's own about a gateway, or one that came from it.
pub struct NewEvent<'a> {
    pub event: String,
    pub gateway: GatewayId,
    pub at: Timestamp,
    pub received_at: Timestamp,
    pub kind: &'a str,
    pub active: bool,
    pub line: Option<&'a str>,
    pub device: Option<&'a str>,
    pub detail: &'a str,
    pub facts: &'a str,
    pub security: bool,
}

impl<'a> NewEvent<'a> {
    /// `facts`: those of the event, as a JSON object.
    pub fn from_gateway(
        gateway: GatewayId,
        event: &'a Event,
        facts: &'a str,
        received_at: Timestamp,
    ) -> Self {
        Self {
            event: event.id.to_string(),
            gateway,
            at: event.at,
            received_at,
            kind: event.kind.word(),
            active: event.active,
            line: event.line.as_deref(),
            device: event.device.as_deref(),
            detail: &event.detail,
            facts,
            security: event.kind == EventKind::HubUntrusted,
        }
    }
}

/// The event, or none if it was there already.
pub async fn insert_event(tx: &Tx, e: &NewEvent<'_>) -> Result<Option<EventRow>, DbError> {
    tx.one(
        "insert into gateway_event (event, gateway, at, received_at, kind, active, line, device, detail, facts,
             security)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) on conflict (gateway, event) do nothing
         returning id, gateway, at, received_at, kind, active, line, device, detail, facts, security",
        params![
            &e.event,
            e.gateway,
            e.at,
            e.received_at,
            e.kind,
            e.active,
            e.line,
            e.device,
            e.detail,
            e.facts,
            e.security
        ],
    )
    .await
}

/// The newest first, before the given one.
pub async fn events(
    db: &Db,
    gateway: GatewayId,
    before: Option<i64>,
    limit: usize,
) -> Result<Vec<EventRow>, DbError> {
    db.query(
        "select id, gateway, at, received_at, kind, active, line, device, detail, facts, security
         from gateway_event where gateway = $1 and id < $2 order by id desc limit $3",
        params![gateway, before.unwrap_or(i64::MAX), limit],
    )
    .await
}

/// Those with more events than so many, and how many.
pub async fn gateways_with_many_events(db: &Db, many: usize) -> Result<Vec<(GatewayId, i64)>, DbError> {
    db.query(
        "select gateway, count(*) as n from gateway_event group by gateway having count(*) > $1",
        params![many],
    )
    .await
}

/// Keeps the newest so many of a gateway.
pub async fn trim_events(db: &Db, gateway: GatewayId, kept: usize) -> Result<u64, DbError> {
    db.execute(
        "delete from gateway_event where gateway = $1 and id <=
         (select o.id from gateway_event o where o.gateway = $1 order by o.id desc limit 1 offset $2)",
        params![gateway, kept],
    )
    .await
}

/// Epochs and watermarks.
#[derive(Deserialize)]
struct EpochRow {
    epoch: i64,
    buffer: BufferId,
    catalogue: Option<Blob>,
}

impl From<EpochRow> for Epoch {
    fn from(r: EpochRow) -> Self {
        Self {
            number: u32::try_from(r.epoch).unwrap_or(u32::MAX),
            buffer: r.buffer,
            catalogue: r.catalogue.map(|b| b.0),
        }
    }
}

/// The last epoch of this buffer.
pub async fn epoch_of(tx: &Tx, gateway: GatewayId, buffer: BufferId) -> Result<Option<Epoch>, DbError> {
    let row: Option<EpochRow> = tx
        .one(
            "select epoch, buffer, catalogue from epoch where gateway = $1 and buffer = $2
             order by epoch desc limit 1",
            params![gateway, buffer],
        )
        .await?;
    Ok(row.map(Epoch::from))
}

/// The highest number given so far, 0 before the first.
pub async fn last_epoch(tx: &Tx, gateway: GatewayId) -> Result<u32, DbError> {
    let last: Option<Option<i64>> =
        tx.one("select max(epoch) as epoch from epoch where gateway = $1", params![gateway]).await?;
    Ok(u32::try_from(last.flatten().unwrap_or(0)).unwrap_or(u32::MAX))
}

pub async fn insert_epoch(
    tx: &Tx,
    gateway: GatewayId,
    epoch: &Epoch,
    reason: EpochReason,
    now: Timestamp,
) -> Result<(), DbError> {
    tx.execute(
        "insert into epoch (gateway, epoch, buffer, reason, began_at, catalogue) values ($1, $2, $3, $4, $5, $6)",
        params![gateway, epoch.number, epoch.buffer, reason.word(), now, epoch.catalogue.clone()],
    )
    .await
    .map(drop)
}

pub async fn set_catalogue(
    tx: &Tx,
    gateway: GatewayId,
    buffer: BufferId,
    hash: &[u8],
) -> Result<(), DbError> {
    tx.execute(
        "update epoch set catalogue = $3 where gateway = $1 and buffer = $2",
        params![gateway, buffer, hash],
    )
    .await
    .map(drop)
}

#[derive(Deserialize)]
struct MarkRow {
    lane: i64,
    seq: i64,
    recent: Blob,
}

pub async fn marks(tx: &Tx, gateway: GatewayId, epoch: u32) -> Result<Vec<(Lane, u64)>, DbError> {
    let rows: Vec<MarkRow> = tx
        .query(
            "select lane, seq, recent from watermark where gateway = $1 and epoch = $2",
            params![gateway, epoch],
        )
        .await?;
    Ok(rows.iter().filter_map(|r| Some((Lane::from_code(r.lane)?, u64::try_from(r.seq).ok()?))).collect())
}

pub async fn mark(tx: &Tx, at: &Position) -> Result<Mark, DbError> {
    let row: Option<MarkRow> = tx
        .one(
            "select lane, seq, recent from watermark where gateway = $1 and epoch = $2 and lane = $3",
            params![at.gateway, at.epoch, at.lane.code()],
        )
        .await?;
    Ok(row
        .map_or_else(Mark::default, |r| Mark { seq: u64::try_from(r.seq).unwrap_or(0), recent: r.recent.0 }))
}

pub async fn set_mark(
    tx: &Tx,
    gateway: GatewayId,
    epoch: u32,
    lane: Lane,
    mark: &Mark,
) -> Result<(), DbError> {
    let seq = i64::try_from(mark.seq).unwrap_or(i64::MAX);
    tx.execute(
        "insert into watermark (gateway, epoch, lane, seq, recent) values ($1, $2, $3, $4, $5)
         on conflict (gateway, epoch, lane) do update set seq = excluded.seq, recent = excluded.recent",
        params![gateway, epoch, lane.code(), seq, mark.recent.as_slice()],
    )
    .await
    .map(drop)
}
