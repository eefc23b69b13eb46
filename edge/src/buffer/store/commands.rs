//! Commands in `alarms.db`: each with its record, and the reports that wait for the hub. A record and the report that
//! tells of it are one transaction: what is told was kept, and what was kept is told.

use rusqlite::{OptionalExtension, Row, TransactionBehavior, params};
use steward_shared::id::CommandId;
use steward_shared::time::Timestamp;
use steward_shared::wire::command::Report;
use steward_shared::wire::frame::to_cbor;
use steward_shared::wire::message::Lane;
use uuid::Uuid;

use super::alarms::{AlarmStore, Result, add};
use crate::buffer::{BufferError, CommandRow};

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
            add(&tx, Lane::Command, &to_cbor(report)?, now)?;
        }
        let last: i64 =
            tx.query_row("select last from lane where lane = ?1", [Lane::Command.code()], |r| r.get(0))?;
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

    /// Removes commands that were over and came before an instant, some at a time.
    pub fn forget_commands(&self, before: Timestamp) -> Result<usize> {
        let sql = "delete from command where id in \
                   (select id from command where is_over = 1 and received < ?1 limit 256)";
        self.db.prepare_cached(sql)?.execute([before.0])
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
