//! Somebody wants a value written: checked against what the gateway says of the point, kept, and signed at once unless a
//! second person has to agree.

use std::time::Duration;

use serde_json::json;
use steward_shared::id::{CommandId, PointId};
use steward_shared::time::Timestamp;
use steward_shared::wire::command::{Order, WriteOrder};
use steward_shared::wire::frame::to_cbor;
use steward_shared::wire::message::{CatalogueWrite, Label};

use super::error::CommandError;
use super::model::{State, check_priority, check_value, check_why};
use super::store::{self, CommandRow, NewCommand};
use crate::gateways::acts::Actor;
use crate::gateways::catalogue::{PointRow, point_in};
use crate::gateways::fleet::Fleet;
use crate::gateways::store as fleet_store;
use crate::kernel::audit::{self, Entry};
use crate::kernel::db::Tx;
use crate::kernel::outbox;

/// The topic of the outbox: a command is in another state.
pub const CHANGED: &str = "gateways.command_changed";
/// A command that nobody says more of is valid for so long.
const VALID: Duration = Duration::from_mins(10);
const LEAST: Duration = Duration::from_secs(30);
const MOST: Duration = Duration::from_hours(24);
const LONGEST: Duration = Duration::from_hours(31 * 24);

/// What is wanted.
#[derive(Clone, Debug)]
pub struct Wish {
    pub point: PointId,
    pub value: f64,
    pub why: String,
    pub expected: Option<f64>,
    pub priority: Option<u8>,
    pub valid: Option<Duration>,
    pub relinquish_at: Option<Timestamp>,
}

impl Fleet {
    pub async fn command(&self, actor: &Actor<'_>, wish: &Wish) -> Result<CommandRow, CommandError> {
        check_why(&wish.why)?;
        let valid = wish.valid.unwrap_or(VALID);
        if !(LEAST..=MOST).contains(&valid) {
            let detail = "a command is valid for 30 seconds to a day".to_owned();
            return Err(CommandError::Field { pointer: "/valid_for_s", code: "out_of_range", detail });
        }
        let id = CommandId::new(self.ids.as_ref());
        let row = self
            .db
            .tx(async |tx| {
                let now = self.clock.now();
                let point = point_in(&tx, wish.point).await?.ok_or(CommandError::NoSuchPoint)?;
                if !fleet_store::is_enrolled(&tx, point.gateway).await? {
                    return Err(CommandError::NotEnrolled);
                }
                let write = writing(&point).ok_or(CommandError::NotWritable)?;
                check_value(&write, &codes(&point), wish.value)?;
                let priority = check_priority(&write, wish.priority)?;
                check_end(&write, wish.relinquish_at, now)?;
                let device_key = fleet_store::device_key(&tx, point.device).await?;
                let new = NewCommand {
                    id,
                    gateway: point.gateway,
                    point: point.id,
                    device_key: &device_key,
                    point_key: &point.key,
                    requester: actor.caller.user,
                    requester_login: &actor.caller.login,
                    why: wish.why.trim(),
                    value: wish.value,
                    expected: wish.expected,
                    priority,
                    two_persons: write.two_persons,
                    now,
                    not_after: now.plus(valid),
                    relinquish_at: wish.relinquish_at,
                };
                store::insert(&tx, &new).await?;
                let facts = json!({ "why": new.why, "value": new.value });
                store::step(&tx, id, (now, now), "requested", &actor.caller.login, &facts).await?;
                let row = store::command(&tx, id).await?.ok_or(CommandError::NoSuchCommand)?;
                let entry = Entry::by(actor.caller, actor.origin, "commands.request").on("command", id);
                let entry = entry.before(&json!({ "value": wish.expected })).after(&wanted(&row));
                audit::record(&tx, now, Entry { reason: row.why.clone(), ..entry }).await?;
                if !write.two_persons {
                    self.queue(&tx, &row, None).await?;
                }
                self.tell_others(&tx, &row).await?;
                store::command(&tx, id).await?.ok_or(CommandError::NoSuchCommand)
            })
            .await?;
        self.tell_command(&row);
        Ok(row)
    }

    /// Signs it, and puts it where its gateway's session finds it.
    pub(super) async fn queue(
        &self,
        tx: &Tx,
        row: &CommandRow,
        approver: Option<&Actor<'_>>,
    ) -> Result<(), CommandError> {
        let now = self.clock.now();
        let order = Order::Write(WriteOrder {
            command: row.id,
            gateway: row.gateway,
            device: row.device_key.clone(),
            point: row.point_key.clone(),
            by: row.requester_login.clone(),
            approver: approver.map(|a| a.caller.login.clone()),
            why: row.why.clone(),
            expected: row.expected,
            value: row.value,
            priority: row.priority,
            issued: now,
            not_after: row.not_after,
            relinquish_at: row.relinquish_at,
        });
        let signed = self.ca.sign_order(to_cbor(&order).expect("an order is texts and numbers"))?;
        let by = approver.map(|a| (a.caller.user, a.caller.login.as_str()));
        if !store::queue(tx, row.id, by, &signed, now).await? {
            return Err(CommandError::WrongState(row.state.word()));
        }
        let who = by.map_or("", |(_, login)| login);
        Ok(store::step(tx, row.id, (now, now), State::Queued.word(), who, &json!({})).await?)
    }

    /// Upper modules hear of it after the commit.
    pub(super) async fn tell_others(&self, tx: &Tx, row: &CommandRow) -> Result<(), CommandError> {
        let body = json!({ "command": row.id, "gateway": row.gateway });
        Ok(outbox::put(tx, self.clock.now(), CHANGED, &body).await?)
    }

    /// After the commit: pages that are open, and the gateway's session.
    pub(super) fn tell_command(&self, row: &CommandRow) {
        let body = json!({ "id": row.id, "gateway": row.gateway, "state": row.state });
        self.live.tell("command", None, &body);
        self.orders.ring(row.gateway);
    }
}

/// What the audit trail says of it.
pub(super) fn wanted(row: &CommandRow) -> serde_json::Value {
    json!({
        "gateway": row.gateway,
        "device": row.device_key,
        "point": row.point_key,
        "value": row.value,
        "priority": row.priority,
        "not_after": row.not_after,
        "relinquish_at": row.relinquish_at,
        "requester": row.requester_login,
        "approver": row.approver_login,
    })
}

fn writing(point: &PointRow) -> Option<CatalogueWrite> {
    let writing = point.writing.as_deref().filter(|_| point.in_use)?;
    serde_json::from_str(writing).ok()
}

fn codes(point: &PointRow) -> Vec<i64> {
    let labels: Vec<Label> = serde_json::from_str(&point.labels).unwrap_or_default();
    labels.into_iter().map(|label| label.code).collect()
}

fn check_end(write: &CatalogueWrite, until: Option<Timestamp>, now: Timestamp) -> Result<(), CommandError> {
    let wrong = |code, detail: &str| {
        Err(CommandError::Field { pointer: "/relinquish_at", code, detail: detail.to_owned() })
    };
    match until {
        None if write.time_boxed => {
            wrong("required", "what is written here must come back by itself; say when")
        }
        Some(until) if until <= now || until > now.plus(LONGEST) => {
            wrong("out_of_range", "it comes back later than now and within a month")
        }
        _ => Ok(()),
    }
}
