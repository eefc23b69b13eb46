//! What is kept of a command: the order as the hub signed it, how far it has come, what is to be given up. It is written
//! before what it announces is done.

use serde::{Deserialize, Serialize};
use steward_shared::id::CommandId;
use steward_shared::time::Timestamp;
use steward_shared::wire::command::{RelinquishOrder, Report, SignedOrder, Stage, WriteOrder};
use steward_shared::wire::frame::{from_cbor, to_cbor};

use crate::buffer::{Buffer, BufferError, CommandRow};
use crate::hold::Hold;

/// How far a command has come here.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub enum State {
    Received,
    /// About to write, or written without an answer: it is never written again.
    Begun,
    Written,
    /// It stands until its time is over, or until somebody gives it up.
    Holding,
    GivingUp,
    /// It stands for good; it can still be given up.
    Stands,
    Over,
}

impl State {
    pub const fn is_over(self) -> bool {
        matches!(self, Self::Stands | Self::Over)
    }
}

/// Fields are only ever appended.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Record {
    pub command: CommandId,
    pub received: Timestamp,
    pub state: State,
    /// None of one that was given up before it came.
    pub order: Option<WriteOrder>,
    /// It proves itself.
    pub signed: Option<SignedOrder>,
    pub give_up: Option<RelinquishOrder>,
    /// What stood there and what was written.
    pub hold: Option<Hold>,
    pub written: Option<Timestamp>,
    /// What the point showed before.
    pub before: Option<f64>,
    pub last: Option<Report>,
}

impl Record {
    pub fn new(command: CommandId, received: Timestamp) -> Self {
        Self {
            command,
            received,
            state: State::Received,
            order: None,
            signed: None,
            give_up: None,
            hold: None,
            written: None,
            before: None,
            last: None,
        }
    }

    pub fn read(row: &CommandRow) -> Result<Self, BufferError> {
        Ok(from_cbor(&row.record)?)
    }

    pub fn row(&self) -> Result<CommandRow, BufferError> {
        Ok(CommandRow {
            id: self.command,
            received: self.received,
            is_over: self.state.is_over(),
            record: to_cbor(self)?,
        })
    }

    /// The next report.
    pub fn report(&self, at: Timestamp, stage: Stage) -> Report {
        let no = self.last.as_ref().map_or(0, |last| last.no) + 1;
        Report {
            command: self.command,
            no,
            at,
            stage,
            reason: None,
            before: self.before,
            now: None,
            slots: Vec::new(),
            detail: String::new(),
        }
    }
}

/// A command as a person at the gateway is told of it.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Account {
    pub command: CommandId,
    pub received: Timestamp,
    /// `device/point`; absent of one that was given up before it came.
    pub point: Option<String>,
    pub value: Option<f64>,
    pub by: String,
    pub approver: Option<String>,
    pub why: String,
    pub not_after: Option<Timestamp>,
    pub relinquish_at: Option<Timestamp>,
    /// A word of the last report's stage.
    pub stage: String,
    pub at: Timestamp,
    pub reason: Option<String>,
    pub before: Option<f64>,
    pub now: Option<f64>,
    pub detail: String,
}

/// The newest so many, the newest first.
pub async fn accounts(buffer: &Buffer, most: u32) -> Result<Vec<Account>, BufferError> {
    let rows = buffer.newest_commands(most).await?;
    rows.iter().map(|row| Record::read(row).map(Account::from)).collect()
}

impl From<Record> for Account {
    fn from(record: Record) -> Self {
        let (order, last) = (record.order, record.last);
        let by = order.as_ref().map(|o| o.by.clone()).or(record.give_up.map(|g| g.by));
        Self {
            command: record.command,
            received: record.received,
            point: order.as_ref().map(|o| format!("{}/{}", o.device, o.point)),
            value: order.as_ref().map(|o| o.value),
            by: by.unwrap_or_default(),
            approver: order.as_ref().and_then(|o| o.approver.clone()),
            why: order.as_ref().map(|o| o.why.clone()).unwrap_or_default(),
            not_after: order.as_ref().map(|o| o.not_after),
            relinquish_at: order.as_ref().and_then(|o| o.relinquish_at),
            stage: last.as_ref().map_or(Stage::Received, |l| l.stage).word().to_owned(),
            at: last.as_ref().map_or(record.received, |l| l.at),
            reason: last.as_ref().and_then(|l| l.reason.clone()),
            before: record.before,
            now: last.as_ref().and_then(|l| l.now),
            detail: last.map(|l| l.detail).unwrap_or_default(),
        }
    }
}
