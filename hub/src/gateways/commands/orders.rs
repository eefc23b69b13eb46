//! What goes out to a gateway: its session asks when it begins and whenever the bell rings. An order goes out again in
//! every session until the gateway has said that it has it; the gateway knows it by its id.

use std::collections::HashMap;
use std::sync::{Mutex, PoisonError};

use serde_json::json;
use steward_shared::id::{CommandId, GatewayId};
use steward_shared::wire::command::SignedOrder;
use tokio::sync::watch;

use super::model::State;
use super::store::{self, CommandFilter, CommandRow, OrderRow, StepRow};
use crate::gateways::fleet::Fleet;
use crate::kernel::db::{Blob, DbError};

/// A bell for each gateway.
#[derive(Default)]
pub struct Orders(Mutex<HashMap<GatewayId, watch::Sender<u64>>>);

impl Orders {
    pub fn listen(&self, gateway: GatewayId) -> watch::Receiver<u64> {
        let mut bells = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        bells.entry(gateway).or_default().subscribe()
    }

    pub fn ring(&self, gateway: GatewayId) {
        let bells = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(bell) = bells.get(&gateway) {
            bell.send_modify(|rung| *rung += 1);
        }
    }
}

/// One order that a gateway is to have.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct DueOrder {
    pub command: CommandId,
    pub gives_up: bool,
    pub signed: SignedOrder,
}

impl Fleet {
    /// Rings when there may be something for the gateway.
    pub fn orders(&self, gateway: GatewayId) -> watch::Receiver<u64> {
        self.orders.listen(gateway)
    }

    /// What the gateway is to have, the oldest first. What was never sent and is over by now is not among it.
    pub async fn due_orders(&self, gateway: GatewayId) -> Result<Vec<DueOrder>, DbError> {
        let now = self.clock.now();
        let mut due = Vec::new();
        for row in store::orders(&self.db, gateway).await? {
            let is_write = match row.state {
                State::Queued => row.sent || row.not_after >= now,
                State::Received | State::Written => true,
                _ => false,
            };
            let OrderRow { id: command, signed, signature, give_up, give_up_signature, .. } = row;
            if is_write {
                due.extend(order(command, false, signed, signature));
            }
            due.extend(order(command, true, give_up, give_up_signature));
        }
        Ok(due)
    }

    /// The newest first, before the given one.
    pub async fn commands(
        &self,
        filter: &CommandFilter,
        before: Option<String>,
        limit: usize,
    ) -> Result<Vec<CommandRow>, DbError> {
        store::commands(&self.db, filter, before, limit).await
    }

    pub async fn command_story(&self, id: CommandId) -> Result<Option<(CommandRow, Vec<StepRow>)>, DbError> {
        match store::find(&self.db, id).await? {
            Some(row) => Ok(Some((row, store::steps(&self.db, id).await?))),
            None => Ok(None),
        }
    }

    /// Before it goes out for the first time: from then on only the gateway can end it.
    pub async fn sending(&self, order: &DueOrder) -> Result<bool, DbError> {
        if order.gives_up {
            return Ok(true);
        }
        self.db
            .tx(async |tx| {
                let row = store::command(&tx, order.command).await?;
                if row.is_none_or(|row| row.state.is_over()) {
                    return Ok(false);
                }
                if store::set_sent(&tx, order.command).await? {
                    let now = self.clock.now();
                    store::step(&tx, order.command, (now, now), "sent", "", &json!({})).await?;
                }
                Ok(true)
            })
            .await
    }
}

fn order(
    command: CommandId,
    gives_up: bool,
    order: Option<Blob>,
    signature: Option<Blob>,
) -> Option<DueOrder> {
    let signed = SignedOrder { order: order?.0, signature: signature?.0 };
    Some(DueOrder { command, gives_up, signed })
}
