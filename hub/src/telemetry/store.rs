//! The tables of readings: frames as they came, hours, rollups of hours and days, the latest of what is compacted.

use std::collections::HashMap;

use serde::Deserialize;
use steward_shared::id::{GatewayId, PointId};
use steward_shared::reading::{Quality, Value};
use steward_shared::time::Timestamp;
use steward_shared::wire::message::Lane;

use super::compact::Rewritten;
use super::model::{HOUR_MS, Sample};
use super::rollup::Rollup;
use crate::kernel::db::{Blob, Db, DbError, Migration, Tx, V};
use crate::params;

pub const MIGRATIONS: &[Migration] =
    &[Migration { number: 1, name: "telemetry", sql: include_str!("migrations/0001_telemetry.sql") }];

/// So many instants stand in one statement at most.
const IN_ONE: usize = 400;

pub struct NewFrame<'a> {
    pub gateway: GatewayId,
    pub epoch: u32,
    pub lane: Lane,
    pub t0: i64,
    pub t1: i64,
    pub n: usize,
    pub body: &'a [u8],
}

/// Its number.
pub async fn insert_frame(tx: &Tx, f: &NewFrame<'_>) -> Result<i64, DbError> {
    let id: Option<i64> = tx
        .one(
            "insert into frame (gateway, epoch, lane, t0, t1, n, data) values ($1, $2, $3, $4, $5, $6, $7)
             returning id",
            params![f.gateway, f.epoch, f.lane.code(), f.t0, f.t1, f.n, f.body],
        )
        .await?;
    Ok(id.unwrap_or_default())
}

/// A frame without its body.
#[derive(Clone, Copy, Debug, Deserialize)]
pub struct FrameHead {
    pub id: i64,
    pub gateway: GatewayId,
    pub epoch: u32,
    pub lane: i64,
    pub t1: i64,
    pub n: i64,
}

#[derive(Debug, Deserialize)]
pub struct Frame {
    pub id: i64,
    pub gateway: GatewayId,
    pub epoch: u32,
    pub data: Blob,
}

/// All of them, in the order in which they came.
pub async fn frame_heads(db: &Db) -> Result<Vec<FrameHead>, DbError> {
    db.query("select id, gateway, epoch, lane, t1, n from frame order by id", params![]).await
}

pub async fn frames(db: &Db, ids: &[i64]) -> Result<Vec<Frame>, DbError> {
    let mut all = Vec::with_capacity(ids.len());
    for some in ids.chunks(IN_ONE) {
        let sql = format!(
            "select id, gateway, epoch, data from frame where id in ({}) order by id",
            places(1, some.len())
        );
        all.extend(db.query::<Frame>(&sql, some.iter().map(|id| V::from(*id)).collect()).await?);
    }
    Ok(all)
}

pub async fn frame_body(tx: &Tx, id: i64) -> Result<Option<Vec<u8>>, DbError> {
    Ok(tx.one::<Blob>("select data from frame where id = $1", params![id]).await?.map(|b| b.0))
}

/// How many of them were still there.
pub async fn delete_frames(tx: &Tx, ids: &[i64]) -> Result<u64, DbError> {
    let mut gone = 0;
    for some in ids.chunks(IN_ONE) {
        let sql = format!("delete from frame where id in ({})", places(1, some.len()));
        gone += tx.execute(&sql, some.iter().map(|id| V::from(*id)).collect()).await?;
    }
    Ok(gone)
}

/// `$from, …` for a list; only placeholders, never values.
fn places(from: usize, n: usize) -> String {
    let mut out = String::with_capacity(n * 5);
    for i in from..from + n {
        if i > from {
            out.push_str(", ");
        }
        out.push('$');
        out.push_str(&i.to_string());
    }
    out
}

#[derive(Deserialize)]
struct RollupRow {
    t: i64,
    n: i64,
    min: f64,
    max: f64,
    sum: f64,
    first: f64,
    last: f64,
    inc: f64,
}

impl RollupRow {
    fn rollup(&self) -> Rollup {
        Rollup {
            n: self.n,
            min: self.min,
            max: self.max,
            sum: self.sum,
            first: self.first,
            last: self.last,
            inc: self.inc,
        }
    }
}

#[derive(Deserialize)]
struct BytesRow {
    t: i64,
    point: PointId,
    data: Blob,
}

/// Chunks or columns by the start of their hour or day and their point.
pub type Blobs = HashMap<(i64, PointId), Vec<u8>>;

/// The chunks of these hours.
pub async fn chunks_of(db: &Db, hours: &[(i64, PointId)]) -> Result<Blobs, DbError> {
    let of = |pairs| {
        format!(
            "with wanted (t, point) as (values {pairs})
             select r.t, r.point, r.data from wanted w join raw r on r.t = w.t and r.point = w.point"
        )
    };
    blobs(db, hours, of).await
}

/// The columns of quarters of these days.
pub async fn quarters_of(db: &Db, days: &[(i64, PointId)]) -> Result<Blobs, DbError> {
    let of = |pairs| {
        format!(
            "with wanted (t, point) as (values {pairs})
             select d.t, d.point, d.quarters as data from wanted w join day d on d.t = w.t and d.point = w.point"
        )
    };
    blobs(db, days, of).await
}

async fn blobs(db: &Db, pairs: &[(i64, PointId)], sql: impl Fn(String) -> String) -> Result<Blobs, DbError> {
    let mut all = HashMap::with_capacity(pairs.len());
    for some in pairs.chunks(IN_ONE / 2) {
        let places: Vec<String> = (0..some.len())
            .map(|i| format!("(cast(${} as bigint), cast(${} as bigint))", 2 * i + 1, 2 * i + 2))
            .collect();
        let values = some.iter().flat_map(|(t, point)| [V::from(*t), V::from(*point)]).collect();
        let rows: Vec<BytesRow> = db.query(&sql(places.join(", ")), values).await?;
        all.extend(rows.into_iter().map(|r| ((r.t, r.point), r.data.0)));
    }
    Ok(all)
}

/// Puts the rewritten rows in the place of the former ones. What lies after `not_after` is nobody's latest value.
pub async fn rewrite(tx: &Tx, new: &Rewritten, not_after: Timestamp) -> Result<(), DbError> {
    tx.execute_many(
        "insert into raw (t, point, n, data) values ($1, $2, $3, $4)
         on conflict (t, point) do update set n = excluded.n, data = excluded.data",
        new.raw.iter().map(|c| params![c.hour, c.point, c.n, c.data.as_slice()]).collect(),
    )
    .await?;
    let of = |t: i64, point: PointId, r: &Rollup| {
        params![t, point, r.n, r.min, r.max, r.sum, r.first, r.last, r.inc]
    };
    tx.execute_many(
        "insert into hour (t, point, n, min, max, sum, first, last, inc)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9)
         on conflict (t, point) do update set n = excluded.n, min = excluded.min, max = excluded.max,
         sum = excluded.sum, first = excluded.first, last = excluded.last, inc = excluded.inc",
        new.hours.iter().filter_map(|(t, p, r)| Some(of(*t, *p, r.as_ref()?))).collect(),
    )
    .await?;
    tx.execute_many(
        "delete from hour where t = $1 and point = $2",
        new.hours.iter().filter(|(_, _, r)| r.is_none()).map(|(t, p, _)| params![*t, *p]).collect(),
    )
    .await?;
    tx.execute_many(
        "insert into day (t, point, n, min, max, sum, first, last, inc, quarters)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)
         on conflict (t, point) do update set n = excluded.n, min = excluded.min, max = excluded.max,
         sum = excluded.sum, first = excluded.first, last = excluded.last, inc = excluded.inc,
         quarters = excluded.quarters",
        new.days
            .iter()
            .filter_map(|d| {
                let mut row = of(d.start, d.point, d.rollup.as_ref()?);
                row.push(V::from(d.quarters.as_slice()));
                Some(row)
            })
            .collect(),
    )
    .await?;
    tx.execute_many(
        "delete from day where t = $1 and point = $2",
        new.days.iter().filter(|d| d.rollup.is_none()).map(|d| params![d.start, d.point]).collect(),
    )
    .await?;
    tx.execute_many(
        "insert into latest (point, at, value, words, quality) values ($1, $2, $3, $4, $5)
         on conflict (point) do update set at = excluded.at, value = excluded.value, words = excluded.words,
         quality = excluded.quality where excluded.at >= latest.at or latest.at > $6",
        new.latest
            .iter()
            .filter(|(_, s)| s.at <= not_after)
            .map(|(point, s)| {
                let (number, words) = match &s.value {
                    Some(Value::Number(n)) => (Some(*n), None),
                    Some(Value::Text(t)) => (None, Some(t.as_str())),
                    None => (None, None),
                };
                params![*point, s.at, number, words, s.quality.code(), not_after]
            })
            .collect(),
    )
    .await
    .map(drop)
}

#[derive(Deserialize)]
struct LatestRow {
    point: PointId,
    at: Timestamp,
    value: Option<f64>,
    words: Option<String>,
    quality: u8,
}

pub async fn latest(db: &Db) -> Result<HashMap<PointId, Sample>, DbError> {
    let rows: Vec<LatestRow> =
        db.query("select point, at, value, words, quality from latest", params![]).await?;
    Ok(rows
        .into_iter()
        .map(|r| {
            let value = r.words.map(Value::Text).or(r.value.map(Value::Number));
            (r.point, Sample { at: r.at, value, quality: Quality::from_code(r.quality) })
        })
        .collect())
}

/// The chunks of these hours, in the order of time.
pub async fn chunks(db: &Db, point: PointId, hours: &[i64]) -> Result<Vec<Vec<u8>>, DbError> {
    let mut all = Vec::with_capacity(hours.len());
    for some in hours.chunks(IN_ONE) {
        let sql =
            format!("select data from raw where point = $1 and t in ({}) order by t", places(2, some.len()));
        all.extend(db.query::<Blob>(&sql, listed(point, some)).await?.into_iter().map(|b| b.0));
    }
    Ok(all)
}

/// Rollups of these hours, by their start.
pub async fn hours(db: &Db, point: PointId, hours: &[i64]) -> Result<Vec<(i64, Rollup)>, DbError> {
    let mut all = Vec::with_capacity(hours.len());
    for some in hours.chunks(IN_ONE) {
        let sql = format!(
            "select t, n, min, max, sum, first, last, inc from hour where point = $1 and t in ({}) order by t",
            places(2, some.len())
        );
        all.extend(db.query::<RollupRow>(&sql, listed(point, some)).await?.iter().map(|r| (r.t, r.rollup())));
    }
    Ok(all)
}

/// Rollups of these days, by their start.
pub async fn days(db: &Db, point: PointId, days: &[i64]) -> Result<Vec<(i64, Rollup)>, DbError> {
    let mut all = Vec::with_capacity(days.len());
    for some in days.chunks(IN_ONE) {
        let sql = format!(
            "select t, n, min, max, sum, first, last, inc from day where point = $1 and t in ({}) order by t",
            places(2, some.len())
        );
        all.extend(db.query::<RollupRow>(&sql, listed(point, some)).await?.iter().map(|r| (r.t, r.rollup())));
    }
    Ok(all)
}

/// The columns of quarters of these days, in the order of time.
pub async fn quarters(db: &Db, point: PointId, days: &[i64]) -> Result<Vec<Vec<u8>>, DbError> {
    let mut all = Vec::with_capacity(days.len());
    for some in days.chunks(IN_ONE) {
        let sql = format!(
            "select quarters from day where point = $1 and t in ({}) order by t",
            places(2, some.len())
        );
        all.extend(db.query::<Blob>(&sql, listed(point, some)).await?.into_iter().map(|b| b.0));
    }
    Ok(all)
}

fn listed(point: PointId, instants: &[i64]) -> Vec<V> {
    std::iter::once(V::from(point)).chain(instants.iter().map(|t| V::from(*t))).collect()
}

/// Removes what is older, an hour of it at a time so that nobody waits long for the turn to write; how many rows
/// that were.
pub async fn forget(db: &Db, raw_before: i64, hours_before: i64) -> Result<u64, DbError> {
    let mut gone = 0;
    for (oldest, delete, before) in [
        ("select min(t) as t from raw", "delete from raw where t < $1", raw_before),
        ("select min(t) as t from hour", "delete from hour where t < $1", hours_before),
    ] {
        while let Some(t) = db.one::<Option<i64>>(oldest, params![]).await?.flatten()
            && t < before
        {
            gone += db.execute(delete, params![before.min(t + HOUR_MS)]).await?;
        }
    }
    Ok(gone)
}
