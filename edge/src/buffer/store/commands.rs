//! Commands in `alarms.db`: each with its record, and the reports that wait for the hub. A record and the report that
//! tells of it are one transaction: what is told was kept, and what was kept is told.

use rusqlite::{OptionalExtension, Row, TransactionBehavior, params};
use sha2::{Digest, Sha256};
use steward_shared::id::CommandId;
use steward_shared::time::Timestamp;
use steward_shared::wire::command::Report;
use steward_shared::wire::frame::to_cbor;
use steward_shared::wire::message::{Lane, LaneState};
use uuid::Uuid;

use super::alarms::{AlarmStore, Result};
use crate::buffer::{BufferError, CommandRow, StoredBatch};

const COMMANDS: i64 = Lane::Command.code();

impl AlarmStore {
    /// Keeps a command as it stands now, and what is to be told of it. Answers the last sequence of the lane.
    pub fn keep_command(
        &mut self,
        row: &CommandRow,
        reports: &[Report],
        now: Timestamp,
    ) -> std::result::Result<u64, BufferError> {
        let tx = self.db.transaction_with_behavior(TransactionBehavior::Immediate)?;
        tx.prepare_cached(
            "insert or replace into command(id, received, is_over, record) values (?1, ?2, ?3, ?4)",
        )?
        .execute(params![row.id.0.as_bytes(), row.received.0, row.is_over, row.record])?;
        for report in reports {
            let body = to_cbor(report)?;
            let hash = Sha256::digest(&body);
            let seq: i64 = tx.query_row(
                "update lane set last = last + 1 where lane = ?1 returning last",
                [COMMANDS],
                |r| r.get(0),
            )?;
            tx.prepare_cached("insert into report(seq, stored, hash, body) values (?1, ?2, ?3, ?4)")?
                .execute(params![seq, now.0, hash.as_slice(), body])?;
        }
        let last: i64 = tx.query_row("select last from lane where lane = ?1", [COMMANDS], |r| r.get(0))?;
        tx.commit()?;
        Ok(last as u64)
    }

    pub fn command(&self, id: CommandId) -> Result<Option<CommandRow>> {
        let sql = "select id, received, is_over, record from command where id = ?1";
        self.db.prepare_cached(sql)?.query_row([id.0.as_bytes()], command_row).optional()
    }

    /// Those about which something is still to be done, the oldest first.
    pub fn open_commands(&self) -> Result<Vec<CommandRow>> {
        let sql = "select id, received, is_over, record from command where is_over = 0 order by received, id";
        self.db.prepare_cached(sql)?.query_map([], command_row)?.collect()
    }

    /// The newest first.
    pub fn newest_commands(&self, most: u32) -> Result<Vec<CommandRow>> {
        let sql =
            "select id, received, is_over, record from command order by received desc, id desc limit ?1";
        self.db.prepare_cached(sql)?.query_map([most], command_row)?.collect()
    }

    pub fn command_lane(&self) -> Result<LaneState> {
        let sql = "select last, acked, (select min(seq) from report) from lane where lane = ?1";
        self.db.prepare_cached(sql)?.query_row([COMMANDS], |r| {
            let (last, acked, first): (i64, i64, Option<i64>) = (r.get(0)?, r.get(1)?, r.get(2)?);
            Ok(LaneState {
                lane: Lane::Command,
                first: first.unwrap_or(last + 1) as u64,
                last: last as u64,
                acked: acked as u64,
            })
        })
    }

    pub fn set_reports_acked(&self, acked: u64) -> Result<()> {
        self.db
            .prepare_cached("update lane set acked = ?2 where lane = ?1 and acked <> ?2")?
            .execute([COMMANDS, acked as i64])?;
        Ok(())
    }

    pub fn report_after(&self, seq: u64) -> Result<Option<StoredBatch>> {
        let sql = "select seq, hash, body from report where seq > ?1 order by seq limit 1";
        self.db
            .prepare_cached(sql)?
            .query_row([seq as i64], |r| {
                Ok(StoredBatch {
                    seq: r.get::<_, i64>(0)? as u64,
                    count: 1,
                    hash: r.get(1)?,
                    body: r.get(2)?,
                })
            })
            .optional()
    }

    pub fn report_stored_at(&self, seq: u64) -> Result<Option<Timestamp>> {
        let sql = "select stored from report where seq = ?1";
        self.db.prepare_cached(sql)?.query_row([seq as i64], |r| r.get(0).map(Timestamp)).optional()
    }

    /// Removes acknowledged reports that were stored before an instant, and commands that were over and came before
    /// `forget`, some at a time.
    pub fn trim_commands(&self, before: Timestamp, forget: Timestamp) -> Result<usize> {
        let reports = "delete from report where seq in (select seq from report where \
                       seq <= (select acked from lane where lane = ?1) and stored < ?2 order by seq limit 256)";
        let commands = "delete from command where id in \
                        (select id from command where is_over = 1 and received < ?1 limit 256)";
        let gone = self.db.prepare_cached(reports)?.execute(params![COMMANDS, before.0])?;
        Ok(gone + self.db.prepare_cached(commands)?.execute([forget.0])?)
    }
}

fn command_row(r: &Row<'_>) -> Result<CommandRow> {
    let id: [u8; 16] = r.get(0)?;
    Ok(CommandRow {
        id: CommandId(Uuid::from_bytes(id)),
        received: Timestamp(r.get(1)?),
        is_over: r.get(2)?,
        record: r.get(3)?,
    })
}
