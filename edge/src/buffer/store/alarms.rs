//! `alarms.db`: events, each durable before anything else is done, and which lasting ones are open. Commands from the hub
//! lie here too (`commands`): they are as dear.
//! A file of its own, so that the sync of an event does not force telemetry's pages out.

use rusqlite::{Connection, OptionalExtension, Row, Transaction, TransactionBehavior, params};
use sha2::{Digest, Sha256};
use steward_shared::alarm::{Event, EventKind};
use steward_shared::time::Timestamp;
use steward_shared::wire::frame::to_cbor;
use steward_shared::wire::message::{Lane, LaneState};

use crate::buffer::{BufferError, StoredBatch};

pub(in crate::buffer) const VERSION: i64 = 3;
pub(in crate::buffer) const SCHEMA: &str = "
create table if not exists meta(name text primary key, value) without rowid;
create table if not exists lane(lane integer primary key, last integer not null, acked integer not null);
insert or ignore into lane values (0, 0, 0);
create table if not exists event(
    seq integer primary key, stored integer not null, hash blob not null, body blob not null
);
create table if not exists open(
    kind text not null, line text not null, device text not null, since integer not null,
    primary key (kind, line, device)
) without rowid;
create table if not exists open_event(
    kind text not null, line text not null, device text not null, object text not null, since integer not null,
    primary key (kind, line, device, object)
) without rowid;
insert or ignore into open_event select kind, line, device, '', since from open;
drop table open;
insert or ignore into lane values (3, 0, 0);
create table if not exists report(
    seq integer primary key, stored integer not null, hash blob not null, body blob not null
);
create table if not exists command(
    id blob primary key, received integer not null, is_over integer not null, record blob not null
) without rowid;
create index if not exists command_received on command(received);
";

/// Kind, line, device and its object of a lasting event; empty where there is none.
pub(in crate::buffer) type Key = (EventKind, String, String, String);

pub(in crate::buffer) struct AlarmStore {
    pub(super) db: Connection,
}

pub(super) type Result<T> = rusqlite::Result<T>;

impl AlarmStore {
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

    /// Stores an event. A lasting one that is in this state already is not told again: then the answer is none.
    pub fn append(
        &mut self,
        event: &Event,
        stored: Timestamp,
    ) -> std::result::Result<Option<u64>, BufferError> {
        let tx = self.db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        if event.kind.lasts() {
            let line = event.line.as_deref().unwrap_or_default();
            let device = event.device.as_deref().unwrap_or_default();
            let key = [event.kind.word(), line, device, event.object()];
            let changed = if event.active {
                let [kind, line, device, object] = key;
                tx.prepare_cached("insert or ignore into open_event values (?1, ?2, ?3, ?4, ?5)")?
                    .execute(params![kind, line, device, object, event.at.0])?
            } else {
                let sql =
                    "delete from open_event where kind = ?1 and line = ?2 and device = ?3 and object = ?4";
                tx.prepare_cached(sql)?.execute(key)?
            };
            if changed == 0 {
                return Ok(None);
            }
        }
        let seq = add(&tx, Lane::Alarm, &to_cbor(event)?, stored)?;
        tx.commit()?;
        Ok(Some(seq))
    }

    /// The lasting events that are open, and since when.
    pub fn open_events(&self) -> Result<Vec<(Key, Timestamp)>> {
        let mut statement =
            self.db.prepare_cached("select kind, line, device, object, since from open_event")?;
        let rows = statement.query_map([], |r| {
            let text = |i| r.get::<_, String>(i);
            Ok((text(0)?, text(1)?, text(2)?, text(3)?, Timestamp(r.get(4)?)))
        })?;
        let mut out = Vec::new();
        for row in rows {
            let (kind, line, device, object, since) = row?;
            out.extend(
                EventKind::ALL
                    .into_iter()
                    .find(|k| k.lasts() && k.word() == kind)
                    .map(|kind| ((kind, line, device, object), since)),
            );
        }
        Ok(out)
    }

    /// Of one of the lanes that lie here: events, and the reports of commands.
    pub fn lane(&self, lane: Lane) -> Result<LaneState> {
        let sql = format!(
            "select last, acked, (select min(seq) from {}) from lane where lane = {}",
            table(lane),
            lane.code()
        );
        self.db.prepare_cached(&sql)?.query_row([], |r| {
            let (last, acked, first): (i64, i64, Option<i64>) = (r.get(0)?, r.get(1)?, r.get(2)?);
            let first = first.unwrap_or(last + 1) as u64;
            Ok(LaneState { lane, first, last: last as u64, acked: acked as u64 })
        })
    }

    pub fn set_acked(&self, lane: Lane, acked: u64) -> Result<()> {
        self.db
            .prepare_cached("update lane set acked = ?2 where lane = ?1 and acked <> ?2")?
            .execute([lane.code(), acked as i64])?;
        Ok(())
    }

    pub fn after(&self, lane: Lane, seq: u64) -> Result<Option<StoredBatch>> {
        let sql = format!("select seq, hash, body from {} where seq > ?1 order by seq limit 1", table(lane));
        let found = |r: &Row<'_>| {
            let seq = r.get::<_, i64>(0)? as u64;
            Ok(StoredBatch { seq, count: 1, hash: r.get(1)?, body: r.get(2)? })
        };
        self.db.prepare_cached(&sql)?.query_row([seq as i64], found).optional()
    }

    /// An event whose bytes are lost gives its place to the one that says so.
    pub fn replace(&self, seq: u64, event: &Event) -> std::result::Result<StoredBatch, BufferError> {
        let body = to_cbor(event)?;
        let hash = Sha256::digest(&body).to_vec();
        self.db.execute(
            "update event set hash = ?2, body = ?3 where seq = ?1",
            params![seq as i64, hash, body],
        )?;
        Ok(StoredBatch { seq, count: 1, hash, body })
    }

    /// When an item of a lane was stored.
    pub fn stored_at(&self, lane: Lane, seq: u64) -> Result<Option<Timestamp>> {
        let sql = format!("select stored from {} where seq = ?1", table(lane));
        self.db.prepare_cached(&sql)?.query_row([seq as i64], |r| r.get(0).map(Timestamp)).optional()
    }

    /// Removes the oldest events, acknowledged or not, some at a time; answers up to which sequence.
    pub fn drop_oldest(&self) -> Result<Option<u64>> {
        let sql =
            "delete from event where seq in (select seq from event order by seq limit 256) returning seq";
        let mut statement = self.db.prepare_cached(sql)?;
        let gone: Vec<i64> = statement.query_map([], |r| r.get(0))?.collect::<Result<_>>()?;
        Ok(gone.into_iter().max().map(|seq| seq as u64))
    }

    /// Bytes that the content takes, without pages that wait to be used again.
    pub fn bytes_used(&self) -> Result<u64> {
        let pragma = |name: &str| self.db.pragma_query_value(None, name, |r| r.get::<_, i64>(0));
        let pages = pragma("page_count")? - pragma("freelist_count")?;
        Ok((pages * pragma("page_size")?) as u64)
    }

    /// Removes acknowledged items of a lane that were stored before an instant, some at a time.
    pub fn trim(&self, lane: Lane, before: Timestamp) -> Result<usize> {
        let items = table(lane);
        let sql = format!(
            "delete from {items} where seq in (select seq from {items} where \
             seq <= (select acked from lane where lane = {}) and stored < ?1 order by seq limit 256)",
            lane.code()
        );
        self.db.prepare_cached(&sql)?.execute([before.0])
    }
}

/// Where the items of a lane lie.
const fn table(lane: Lane) -> &'static str {
    if matches!(lane, Lane::Command) { "report" } else { "event" }
}

/// Puts an item at the end of a lane.
pub(super) fn add(tx: &Transaction<'_>, lane: Lane, body: &[u8], stored: Timestamp) -> Result<u64> {
    let seq: i64 = tx
        .prepare_cached("update lane set last = last + 1 where lane = ?1 returning last")?
        .query_row([lane.code()], |r| r.get(0))?;
    let sql = format!("insert into {}(seq, stored, hash, body) values (?1, ?2, ?3, ?4)", table(lane));
    tx.prepare_cached(&sql)?.execute(params![seq, stored.0, Sha256::digest(body).as_slice(), body])?;
    Ok(seq as u64)
}
