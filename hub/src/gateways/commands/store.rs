//! The tables `command` and `command_step`.

use serde::Deserialize;
use steward_shared::id::{CommandId, DeviceId, GatewayId, PointId, UserId};
use steward_shared::time::Timestamp;
use steward_shared::wire::command::{Report, SignedOrder};

use super::model::State;
use crate::kernel::db::{Blob, Db, DbError, Tx};
use crate::params;

/// A command with the point that it is for.
#[derive(Clone, Debug, Deserialize)]
pub struct CommandRow {
    pub id: CommandId,
    pub gateway: GatewayId,
    pub point: PointId,
    pub device: DeviceId,
    pub device_key: String,
    pub point_key: String,
    pub device_title_zh: String,
    pub device_title_en: String,
    pub point_title_zh: String,
    pub point_title_en: String,
    pub unit: String,
    pub decimals: i64,
    pub labels: String,
    pub requester: UserId,
    pub requester_login: String,
    pub approver: Option<UserId>,
    pub approver_login: Option<String>,
    pub why: String,
    pub value: f64,
    pub expected: Option<f64>,
    pub priority: Option<u8>,
    pub two_persons: bool,
    pub created_at: Timestamp,
    pub not_after: Timestamp,
    pub relinquish_at: Option<Timestamp>,
    pub state: State,
    pub reason: Option<String>,
    pub shown_before: Option<f64>,
    pub shown_now: Option<f64>,
    pub changed_at: Timestamp,
    /// It went out to its gateway at least once.
    pub sent: bool,
    pub last_report: u32,
    /// It is to be given up.
    pub is_given_up: bool,
}

/// One step of a command's story.
#[derive(Clone, Debug, Deserialize)]
pub struct StepRow {
    pub at: Timestamp,
    pub received_at: Timestamp,
    /// A state's word or an act's.
    pub what: String,
    /// A person's login; empty for the gateway and the hub itself.
    pub who: String,
    /// A JSON object.
    pub facts: String,
}

/// Which commands are asked for; nothing means all.
#[derive(Clone, Debug, Default)]
pub struct CommandFilter {
    pub gateway: Option<GatewayId>,
    pub device: Option<DeviceId>,
    pub point: Option<PointId>,
    pub state: Option<State>,
}

const COMMAND: &str = "select c.id, c.gateway, c.point, p.device, c.device_key, c.point_key,
  d.title_zh as device_title_zh, d.title_en as device_title_en, p.title_zh as point_title_zh,
  p.title_en as point_title_en, p.unit, p.decimals, p.labels, c.requester, c.requester_login, c.approver,
  c.approver_login, c.why, c.value, c.expected, c.priority, c.two_persons, c.created_at, c.not_after, c.relinquish_at,
  c.state, c.reason, c.shown_before, c.shown_now, c.changed_at, c.sent, c.last_report,
  case when c.give_up is null then 0 else 1 end as is_given_up
  from command c join point p on p.id = c.point join device d on d.id = p.device";

pub async fn command(tx: &Tx, id: CommandId) -> Result<Option<CommandRow>, DbError> {
    tx.one(&format!("{COMMAND} where c.id = $1"), params![id]).await
}

pub async fn find(db: &Db, id: CommandId) -> Result<Option<CommandRow>, DbError> {
    db.one(&format!("{COMMAND} where c.id = $1"), params![id]).await
}

/// The newest first, before the given one.
pub async fn commands(
    db: &Db,
    filter: &CommandFilter,
    before: Option<String>,
    limit: usize,
) -> Result<Vec<CommandRow>, DbError> {
    db.query(
        &format!(
            "{COMMAND} where (cast($1 as text) is null or c.id < $1) and (cast($2 as text) is null or c.gateway = $2)
             and (cast($3 as text) is null or p.device = $3) and (cast($4 as bigint) is null or c.point = $4)
             and (cast($5 as text) is null or c.state = $5) order by c.id desc limit $6"
        ),
        params![before, filter.gateway, filter.device, filter.point, filter.state.map(State::word), limit],
    )
    .await
}

pub async fn steps(db: &Db, id: CommandId) -> Result<Vec<StepRow>, DbError> {
    db.query(
        "select at, received_at, what, who, facts from command_step where command = $1 order by id",
        params![id],
    )
    .await
}

pub struct NewCommand<'a> {
    pub id: CommandId,
    pub gateway: GatewayId,
    pub point: PointId,
    pub device_key: &'a str,
    pub point_key: &'a str,
    pub requester: UserId,
    pub requester_login: &'a str,
    pub why: &'a str,
    pub value: f64,
    pub expected: Option<f64>,
    pub priority: Option<u8>,
    pub two_persons: bool,
    pub now: Timestamp,
    pub not_after: Timestamp,
    pub relinquish_at: Option<Timestamp>,
}

pub async fn insert(tx: &Tx, c: &NewCommand<'_>) -> Result<(), DbError> {
    tx.execute(
        "insert into command (id, gateway, point, device_key, point_key, requester, requester_login, why, value,
         expected, priority, two_persons, created_at, not_after, relinquish_at, state, changed_at, sent, last_report)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, 'awaiting_approval', $13, 0, 0)",
        params![
            c.id,
            c.gateway,
            c.point,
            c.device_key,
            c.point_key,
            c.requester,
            c.requester_login,
            c.why,
            c.value,
            c.expected,
            c.priority,
            c.two_persons,
            c.now,
            c.not_after,
            c.relinquish_at
        ],
    )
    .await
    .map(drop)
}

/// Signed and ready to go; false where it is not awaited any more.
pub async fn queue(
    tx: &Tx,
    id: CommandId,
    approver: Option<(UserId, &str)>,
    signed: &SignedOrder,
    now: Timestamp,
) -> Result<bool, DbError> {
    let changed = tx
        .execute(
            "update command set state = 'queued', approver = $2, approver_login = $3, signed = $4, signature = $5,
             changed_at = $6 where id = $1 and state = 'awaiting_approval'",
            params![
                id,
                approver.map(|a| a.0),
                approver.map(|a| a.1),
                signed.order.as_slice(),
                signed.signature.as_slice(),
                now
            ],
        )
        .await?;
    Ok(changed == 1)
}

/// Ends what has not gone out; false where it is in another state by now.
pub async fn end(tx: &Tx, id: CommandId, from: State, to: State, now: Timestamp) -> Result<bool, DbError> {
    let changed = tx
        .execute(
            "update command set state = $3, changed_at = $4 where id = $1 and state = $2 and sent = 0",
            params![id, from.word(), to.word(), now],
        )
        .await?;
    Ok(changed == 1)
}

/// What a report makes of it.
pub async fn apply(tx: &Tx, report: &Report, state: State, now: Timestamp) -> Result<(), DbError> {
    tx.execute(
        "update command set state = $2, reason = $3, shown_before = coalesce($4, shown_before),
         shown_now = coalesce($5, shown_now), last_report = $6, changed_at = $7, sent = 1 where id = $1",
        params![
            report.command,
            state.word(),
            report.reason.as_deref(),
            report.before,
            report.now,
            report.no,
            now
        ],
    )
    .await
    .map(drop)
}

pub async fn give_up(tx: &Tx, id: CommandId, signed: &SignedOrder) -> Result<(), DbError> {
    tx.execute(
        "update command set give_up = $2, give_up_signature = $3 where id = $1",
        params![id, signed.order.as_slice(), signed.signature.as_slice()],
    )
    .await
    .map(drop)
}

/// True for the first time.
pub async fn set_sent(tx: &Tx, id: CommandId) -> Result<bool, DbError> {
    let changed = tx
        .execute("update command set sent = 1 where id = $1 and sent = 0 and state = 'queued'", params![id])
        .await?;
    Ok(changed == 1)
}

#[derive(Deserialize)]
pub struct OrderRow {
    pub id: CommandId,
    pub state: State,
    pub sent: bool,
    pub not_after: Timestamp,
    pub signed: Option<Blob>,
    pub signature: Option<Blob>,
    pub give_up: Option<Blob>,
    pub give_up_signature: Option<Blob>,
}

/// Those of a gateway about which it still has something to say.
pub async fn orders(db: &Db, gateway: GatewayId) -> Result<Vec<OrderRow>, DbError> {
    db.query(
        "select id, state, sent, not_after, signed, signature, give_up, give_up_signature from command
         where gateway = $1 and signed is not null and (state in ('queued', 'received', 'written')
           or (give_up is not null and state in ('confirmed', 'not_effective')))
         order by id",
        params![gateway],
    )
    .await
}

/// Those that nobody took in time.
pub async fn overdue(tx: &Tx, now: Timestamp) -> Result<Vec<CommandRow>, DbError> {
    tx.query(
        &format!(
            "{COMMAND} where c.state in ('awaiting_approval', 'queued') and c.sent = 0 and c.not_after < $1 limit 100"
        ),
        params![now],
    )
    .await
}

/// Whether there are any, without the turn to write.
pub async fn has_overdue(db: &Db, now: Timestamp) -> Result<bool, DbError> {
    let count: Option<i64> = db
        .one(
            "select count(*) as n from command where state in ('awaiting_approval', 'queued') and sent = 0
             and not_after < $1",
            params![now],
        )
        .await?;
    Ok(count.unwrap_or_default() > 0)
}

pub async fn step(
    tx: &Tx,
    command: CommandId,
    (at, received_at): (Timestamp, Timestamp),
    what: &str,
    who: &str,
    facts: &serde_json::Value,
) -> Result<(), DbError> {
    tx.execute(
        "insert into command_step (command, at, received_at, what, who, facts) values ($1, $2, $3, $4, $5, $6)",
        params![command, at, received_at, what, who, facts.to_string()],
    )
    .await
    .map(drop)
}
