//! `telemetry.db`: batches of the live and backfill lanes, the numbers of points, where counters stand, the catalogue
//! and the epoch.
//! One function one question. Sequences are never given twice, even when all batches are gone.

use rusqlite::{Connection, OptionalExtension, Transaction, TransactionBehavior, params};
use steward_shared::id::PointNo;
use steward_shared::time::Timestamp;
use steward_shared::wire::message::{CataloguePoint, Lane, LaneState};

use super::open::write_back;
use crate::buffer::StoredCounter;
use crate::refine::{Entry, What};

pub(in crate::buffer) const VERSION: i64 = 3;
pub(in crate::buffer) const SCHEMA: &str = "
create table if not exists meta(name text primary key, value) without rowid;
create table if not exists lane(lane integer primary key, last integer not null, acked integer not null);
insert or ignore into lane values (1, 0, 0), (2, 0, 0);
create table if not exists batch(
    lane integer not null, seq integer not null,
    t0 integer not null, t1 integer not null, stored integer not null,
    n integer not null, hash blob not null, body blob not null,
    primary key (lane, seq)
);
create table if not exists point(
    no integer primary key autoincrement, device text not null, key text not null, unique (device, key)
);
create table if not exists counter(
    point integer primary key, at integer not null, shown text not null, added text not null
);
create table if not exists counter_pace(point integer primary key, per_min text not null);
create table if not exists counter_entry(
    id integer primary key, point integer not null, at integer not null, what text not null,
    before text not null, after text not null
);
create index if not exists counter_entry_point on counter_entry(point, id);
";

/// A batch on its way into the table.
pub(in crate::buffer) struct Row {
    pub t0: Timestamp,
    pub t1: Timestamp,
    pub n: u32,
    pub hash: Vec<u8>,
    pub body: Vec<u8>,
}

pub(in crate::buffer) struct TelemetryStore {
    db: Connection,
}

type Result<T> = rusqlite::Result<T>;

impl TelemetryStore {
    pub fn new(db: Connection) -> Self {
        Self { db }
    }

    #[cfg(test)]
    pub fn connection(&self) -> &Connection {
        &self.db
    }

    pub fn meta<T: rusqlite::types::FromSql>(&self, name: &str) -> Result<Option<T>> {
        self.db.query_row("select value from meta where name = ?1", [name], |r| r.get(0)).optional()
    }

    pub fn set_meta(&self, name: &str, value: impl rusqlite::ToSql) -> Result<()> {
        self.db.execute("insert or replace into meta values (?1, ?2)", params![name, value])?;
        Ok(())
    }

    pub fn begin(&mut self) -> Result<Transaction<'_>> {
        self.db.transaction_with_behavior(TransactionBehavior::Immediate)
    }

    /// The next sequence of the lane, taken by this batch.
    pub fn append(tx: &Transaction<'_>, lane: Lane, row: &Row, stored: Timestamp) -> Result<u64> {
        let seq: i64 = tx
            .prepare_cached("update lane set last = last + 1 where lane = ?1 returning last")?
            .query_row([lane.code()], |r| r.get(0))?;
        tx.prepare_cached("insert into batch(lane, seq, t0, t1, stored, n, hash, body) values (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8)")?
            .execute(params![lane.code(), seq, row.t0.0, row.t1.0, stored.0, row.n, row.hash, row.body])?;
        Ok(seq as u64)
    }

    pub fn lane(&self, lane: Lane) -> Result<LaneState> {
        let sql = "select last, acked, (select min(seq) from batch b where b.lane = l.lane) from lane l where lane = ?1";
        self.db.prepare_cached(sql)?.query_row([lane.code()], |r| {
            let (last, acked, first): (i64, i64, Option<i64>) = (r.get(0)?, r.get(1)?, r.get(2)?);
            Ok(LaneState {
                lane,
                first: first.unwrap_or(last + 1) as u64,
                last: last as u64,
                acked: acked as u64,
            })
        })
    }

    pub fn set_epoch(tx: &Transaction<'_>, epoch: u32) -> Result<()> {
        tx.prepare_cached(
            "insert into meta values ('epoch', ?1) on conflict (name) do update set value = excluded.value \
             where value <> excluded.value",
        )?
        .execute([epoch])?;
        Ok(())
    }

    pub fn set_acked(tx: &Transaction<'_>, lane: Lane, acked: u64) -> Result<()> {
        tx.prepare_cached("update lane set acked = ?2 where lane = ?1 and acked <> ?2")?
            .execute(params![lane.code(), acked as i64])?;
        Ok(())
    }

    /// The first batch after a sequence: its sequence and the row.
    pub fn after(&self, lane: Lane, seq: u64) -> Result<Option<(u64, Row)>> {
        let sql =
            "select seq, t0, t1, n, hash, body from batch where lane = ?1 and seq > ?2 order by seq limit 1";
        self.db
            .prepare_cached(sql)?
            .query_row(params![lane.code(), seq as i64], |r| {
                let row = Row {
                    t0: Timestamp(r.get(1)?),
                    t1: Timestamp(r.get(2)?),
                    n: r.get(3)?,
                    hash: r.get(4)?,
                    body: r.get(5)?,
                };
                Ok((r.get::<_, i64>(0)? as u64, row))
            })
            .optional()
    }

    /// A batch whose body is lost keeps its place, with an empty body instead.
    pub fn replace(&self, lane: Lane, seq: u64, hash: &[u8], body: &[u8]) -> Result<()> {
        self.db.execute(
            "update batch set n = 0, hash = ?3, body = ?4 where lane = ?1 and seq = ?2",
            params![lane.code(), seq as i64, hash, body],
        )?;
        Ok(())
    }

    /// Another content for a batch, with its hash.
    pub fn correct(&self, lane: Lane, seq: u64, row: &Row) -> Result<()> {
        let sql = "update batch set t0 = ?3, t1 = ?4, hash = ?5, body = ?6 where lane = ?1 and seq = ?2";
        self.db.prepare_cached(sql)?.execute(params![
            lane.code(),
            seq as i64,
            row.t0.0,
            row.t1.0,
            row.hash,
            row.body
        ])?;
        Ok(())
    }

    /// When a batch was stored.
    pub fn stored_at(&self, lane: Lane, seq: u64) -> Result<Option<Timestamp>> {
        let sql = "select stored from batch where lane = ?1 and seq = ?2";
        self.db
            .prepare_cached(sql)?
            .query_row(params![lane.code(), seq as i64], |r| r.get(0).map(Timestamp))
            .optional()
    }

    /// Removes a lane's oldest batches while they are acknowledged and were stored before an instant; some at a time,
    /// and always in sequence, whatever the clock did meanwhile.
    pub fn trim(tx: &Transaction<'_>, lane: Lane, acked: u64, before: Timestamp) -> Result<usize> {
        let sql = "delete from batch where lane = ?1 and seq = (select min(seq) from batch where lane = ?1) \
                   and seq <= ?2 and stored < ?3";
        let mut statement = tx.prepare_cached(sql)?;
        let mut gone = 0;
        while gone < 256 && statement.execute(params![lane.code(), acked as i64, before.0])? > 0 {
            gone += 1;
        }
        Ok(gone)
    }

    /// Removes a lane's oldest acknowledged batches.
    pub fn drop_acked(&self, lane: Lane, acked: u64, limit: u32) -> Result<usize> {
        let sql = "delete from batch where lane = ?1 and seq in \
                   (select seq from batch where lane = ?1 and seq <= ?2 order by seq limit ?3)";
        self.db.prepare_cached(sql)?.execute(params![lane.code(), acked as i64, limit])
    }

    /// Removes the oldest batches of a lane, acknowledged or not; answers how many batches and readings went.
    pub fn drop_oldest(&self, lane: Lane, limit: u32) -> Result<(usize, u64)> {
        let sql = "delete from batch where lane = ?1 and seq in \
                   (select seq from batch where lane = ?1 order by seq limit ?2) returning n";
        let mut statement = self.db.prepare_cached(sql)?;
        let counts: Vec<i64> =
            statement.query_map(params![lane.code(), limit], |r| r.get(0))?.collect::<Result<_>>()?;
        Ok((counts.len(), counts.iter().sum::<i64>() as u64))
    }

    /// Bytes that the content takes: pages in use, without those that wait to be used again.
    pub fn bytes_used(&self) -> Result<u64> {
        Ok((self.pragma("page_count")? - self.pragma("freelist_count")?) * self.pragma("page_size")?)
    }

    /// Bytes that wait in the file to be used again.
    pub fn bytes_free(&self) -> Result<u64> {
        Ok(self.pragma("freelist_count")? * self.pragma("page_size")?)
    }

    /// Gives free pages and the write-ahead log back to the disk.
    pub fn shrink(&self) -> Result<()> {
        self.db.execute_batch("pragma incremental_vacuum")?;
        self.checkpoint()
    }

    pub fn checkpoint(&self) -> Result<()> {
        write_back(&self.db)
    }

    /// The number of each (device, key), given now where there was none.
    pub fn number_points(&mut self, points: &[(String, String)]) -> Result<Vec<PointNo>> {
        let tx = self.begin()?;
        let mut out = Vec::with_capacity(points.len());
        {
            let mut find = tx.prepare_cached("select no from point where device = ?1 and key = ?2")?;
            let mut add = tx.prepare_cached("insert into point(device, key) values (?1, ?2) returning no")?;
            for (device, key) in points {
                let known: Option<u32> = find.query_row([device, key], |r| r.get(0)).optional()?;
                let no = match known {
                    Some(no) => no,
                    None => add.query_row([device, key], |r| r.get(0))?,
                };
                out.push(PointNo(no));
            }
        }
        tx.commit()?;
        Ok(out)
    }

    /// The catalogue, and in the same transaction the numbers that it speaks of: in a database that took a damaged one's
    /// place they are not there, and must not go to other points.
    pub fn set_catalogue(&mut self, bytes: &[u8], points: &[CataloguePoint]) -> Result<()> {
        let tx = self.begin()?;
        tx.execute("insert or replace into meta values ('catalogue', ?1)", [bytes])?;
        {
            let mut keep =
                tx.prepare_cached("insert or ignore into point(no, device, key) values (?1, ?2, ?3)")?;
            for p in points {
                keep.execute(params![p.no.0, p.device, p.key])?;
            }
        }
        tx.commit()
    }

    /// Where each counter stands.
    pub fn counters(&self) -> Result<Vec<StoredCounter>> {
        let mut statement = self.db.prepare_cached(
            "select c.point, c.at, c.shown, c.added, coalesce(p.per_min, '0')
             from counter c left join counter_pace p on p.point = c.point",
        )?;
        let rows = statement.query_map([], |r| {
            Ok(StoredCounter {
                point: PointNo(r.get(0)?),
                at: Timestamp(r.get(1)?),
                shown: decimal(r, 2)?,
                added: decimal(r, 3)?,
                pace: decimal(r, 4)?,
            })
        })?;
        rows.collect()
    }

    /// A counter's entries, the oldest first.
    pub fn counter_entries(&self, point: PointNo) -> Result<Vec<Entry>> {
        let sql = "select at, what, before, after from counter_entry where point = ?1 order by id";
        let mut statement = self.db.prepare_cached(sql)?;
        let rows = statement.query_map([point.0], |r| {
            let word: String = r.get(1)?;
            let what = What::ALL.into_iter().find(|what| what.word() == word);
            Ok(what.map(|what| (r.get(0), what, decimal(r, 2), decimal(r, 3))))
        })?;
        let mut entries = Vec::new();
        for row in rows {
            if let Some((at, what, before, after)) = row? {
                entries.push(Entry { at: Timestamp(at?), what, before: before?, after: after? });
            }
        }
        Ok(entries)
    }

    /// Counters and entries of them, all or none. A number is stored by its shortest text, which is exact.
    pub fn keep_counters(&mut self, counters: &[StoredCounter], entries: &[(PointNo, Entry)]) -> Result<()> {
        let tx = self.begin()?;
        for c in counters {
            tx.prepare_cached(
                "insert or replace into counter(point, at, shown, added) values (?1, ?2, ?3, ?4)",
            )?
            .execute(params![c.point.0, c.at.0, c.shown.to_string(), c.added.to_string()])?;
            tx.prepare_cached("insert or replace into counter_pace(point, per_min) values (?1, ?2)")?
                .execute(params![c.point.0, c.pace.to_string()])?;
        }
        for (point, e) in entries {
            let sql = "insert into counter_entry(point, at, what, before, after) values (?1, ?2, ?3, ?4, ?5)";
            tx.prepare_cached(sql)?.execute(params![
                point.0,
                e.at.0,
                e.what.word(),
                e.before.to_string(),
                e.after.to_string()
            ])?;
        }
        tx.commit()
    }

    fn pragma(&self, name: &str) -> Result<u64> {
        self.db.pragma_query_value(None, name, |r| r.get::<_, i64>(0)).map(|v| v as u64)
    }
}

/// A number that was stored as its text.
fn decimal(row: &rusqlite::Row<'_>, column: usize) -> Result<f64> {
    let text: String = row.get(column)?;
    text.parse().map_err(|e| {
        rusqlite::Error::FromSqlConversionFailure(column, rusqlite::types::Type::Text, Box::new(e))
    })
}
