//! What people decide about a command: agree to it, reject it, give it up.

use serde_json::json;
use steward_shared::id::CommandId;
use steward_shared::wire::command::{Order, RelinquishOrder};
use steward_shared::wire::frame::to_cbor;

use super::error::CommandError;
use super::model::{State, check_why};
use super::request::wanted;
use super::store::{self, CommandRow};
use crate::accounts;
use crate::gateways::acts::Actor;
use crate::gateways::fleet::Fleet;
use crate::kernel::audit::{self, Entry};
use crate::kernel::db::{DbError, Tx};

impl Fleet {
    /// By another person than the one who asked; both must still be allowed to command.
    pub async fn approve(&self, actor: &Actor<'_>, id: CommandId) -> Result<CommandRow, CommandError> {
        let done = self
            .db
            .tx(async |tx| {
                let row = store::command(&tx, id).await?.ok_or(CommandError::NoSuchCommand)?;
                if row.state != State::AwaitingApproval {
                    return Err(CommandError::WrongState(row.state.word()));
                }
                if row.requester == actor.caller.user {
                    return Err(CommandError::OwnRequest);
                }
                if row.not_after < self.clock.now() {
                    return Err(CommandError::WrongState(State::Expired.word()));
                }
                if !accounts::may_command(&tx, row.requester).await? {
                    return Err(CommandError::RequesterMayNot);
                }
                self.queue(&tx, &row, Some(actor)).await?;
                self.record_act(&tx, actor, "commands.approve", &row, "").await?;
                self.tell_others(&tx, &row).await?;
                store::command(&tx, id).await?.ok_or(CommandError::NoSuchCommand)
            })
            .await;
        if let Err(refused @ (CommandError::OwnRequest | CommandError::RequesterMayNot)) = &done {
            let entry = Entry::by(actor.caller, actor.origin, "commands.approve").on("command", id);
            audit::record_alone(&self.db, self.clock.now(), entry.refused(refused.to_string())).await?;
        }
        let row = done?;
        self.tell_command(&row);
        Ok(row)
    }

    pub async fn reject(
        &self,
        actor: &Actor<'_>,
        id: CommandId,
        why: &str,
    ) -> Result<CommandRow, CommandError> {
        check_why(why)?;
        let row = self
            .db
            .tx(async |tx| {
                let row = store::command(&tx, id).await?.ok_or(CommandError::NoSuchCommand)?;
                self.end(&tx, &row, State::AwaitingApproval, State::Rejected, (actor, why)).await
            })
            .await?;
        self.tell_command(&row);
        Ok(row)
    }

    /// Before it was sent it is cancelled; after that the gateway is told to give up what it has written.
    pub async fn cancel(
        &self,
        actor: &Actor<'_>,
        id: CommandId,
        why: &str,
    ) -> Result<CommandRow, CommandError> {
        check_why(why)?;
        let row = self
            .db
            .tx(async |tx| {
                let row = store::command(&tx, id).await?.ok_or(CommandError::NoSuchCommand)?;
                if row.state.is_over() {
                    return Err(CommandError::WrongState(row.state.word()));
                }
                if matches!(row.state, State::AwaitingApproval | State::Queued) && !row.sent {
                    return self.end(&tx, &row, row.state, State::Cancelled, (actor, why)).await;
                }
                if row.is_given_up {
                    return Ok(row);
                }
                let order = Order::Relinquish(RelinquishOrder {
                    command: row.id,
                    gateway: row.gateway,
                    by: actor.caller.login.clone(),
                    why: why.trim().to_owned(),
                    issued: self.clock.now(),
                });
                let signed = self.ca.sign_order(to_cbor(&order).expect("an order is texts and numbers"))?;
                store::give_up(&tx, id, &signed).await?;
                let now = self.clock.now();
                let facts = json!({ "why": why.trim() });
                store::step(&tx, id, (now, now), "give_up", &actor.caller.login, &facts).await?;
                self.record_act(&tx, actor, "commands.cancel", &row, why).await?;
                self.tell_others(&tx, &row).await?;
                store::command(&tx, id).await?.ok_or(CommandError::NoSuchCommand)
            })
            .await?;
        self.tell_command(&row);
        Ok(row)
    }

    async fn end(
        &self,
        tx: &Tx,
        row: &CommandRow,
        from: State,
        to: State,
        (actor, why): (&Actor<'_>, &str),
    ) -> Result<CommandRow, CommandError> {
        let now = self.clock.now();
        if !store::end(tx, row.id, from, to, now).await? {
            return Err(CommandError::WrongState(row.state.word()));
        }
        let facts = json!({ "why": why.trim() });
        store::step(tx, row.id, (now, now), to.word(), &actor.caller.login, &facts).await?;
        let action = if to == State::Rejected { "commands.reject" } else { "commands.cancel" };
        self.record_act(tx, actor, action, row, why).await?;
        self.tell_others(tx, row).await?;
        store::command(tx, row.id).await?.ok_or(CommandError::NoSuchCommand)
    }

    async fn record_act(
        &self,
        tx: &Tx,
        actor: &Actor<'_>,
        action: &str,
        row: &CommandRow,
        why: &str,
    ) -> Result<(), DbError> {
        let entry = Entry::by(actor.caller, actor.origin, action).on("command", row.id);
        let entry = entry.before(&json!({ "state": row.state })).after(&wanted(row));
        let reason = if why.is_empty() { row.why.clone() } else { why.trim().to_owned() };
        audit::record(tx, self.clock.now(), Entry { reason, ..entry }).await
    }
}
