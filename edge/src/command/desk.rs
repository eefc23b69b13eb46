//! Where orders are taken: each is verified, known by its id, and becomes a course of its own. A known one is answered
//! with what is known of it; nothing is done for it a second time.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use rustls_pki_types::CertificateDer;
use steward_shared::id::{CommandId, GatewayId};
use steward_shared::wire::command::{Order, RelinquishOrder, Report, SignedOrder, Stage, WriteOrder, reason};
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tracing::{error, warn};

use super::check::{Refusal, check};
use super::course::Course;
use super::record::{Record, State};
use super::room::Room;
use super::verify::verified;
use crate::buffer::BufferError;
use crate::hold::Kept;

/// An order as it came, and who the hub is.
#[derive(Debug)]
pub struct Incoming {
    pub signed: SignedOrder,
    pub ca: CertificateDer<'static>,
    pub gateway: GatewayId,
}

/// Commands that are under way at once; more are refused.
const MOST: usize = 256;

struct Desk {
    room: Arc<Room>,
    courses: JoinSet<CommandId>,
    live: HashMap<CommandId, watch::Sender<bool>>,
}

/// Takes orders until `cancel`. A course that is broken off goes on after the next start.
pub async fn run(room: Arc<Room>, mut inbox: mpsc::Receiver<Incoming>, cancel: CancellationToken) {
    let mut desk = Desk { room, courses: JoinSet::new(), live: HashMap::new() };
    while let Err(e) = desk.resume().await {
        error!(
            error = &e as &(dyn std::error::Error + 'static),
            "open commands cannot be read; trying again"
        );
        tokio::select! {
            () = cancel.cancelled() => return,
            () = tokio::time::sleep(desk.room.pace.again) => {}
        }
    }
    loop {
        // Losing a branch is harmless: an order waits in the channel, an ended course in the set.
        tokio::select! {
            () = cancel.cancelled() => return,
            Some(incoming) = inbox.recv() => {
                if let Err(e) = desk.take(incoming).await {
                    let error = &e as &(dyn std::error::Error + 'static);
                    error!(error, "a command cannot be kept, and so is not carried out; the hub tells it again");
                }
            }
            Some(ended) = desk.courses.join_next() => {
                if let Ok(command) = ended {
                    desk.ended(command);
                }
            }
        }
    }
}

impl Desk {
    fn ended(&mut self, command: CommandId) {
        // It may have begun anew since.
        if self.live.get(&command).is_some_and(watch::Sender::is_closed) {
            self.live.remove(&command);
        }
    }

    /// What was under way when the program ended goes on from where it was.
    async fn resume(&mut self) -> Result<(), BufferError> {
        for row in self.room.buffer.open_commands().await? {
            match Record::read(&row) {
                Ok(record) if self.live.contains_key(&record.command) => {}
                Ok(record) => self.start(record, None),
                Err(e) => {
                    let error = &e as &(dyn std::error::Error + 'static);
                    error!(error, command = %row.id, "the record of a command cannot be read");
                }
            }
        }
        Ok(())
    }

    fn start(&mut self, record: Record, deadline: Option<Instant>) {
        let Some(order) = record.order.clone() else { return };
        let (tell, give_up) = watch::channel(record.give_up.is_some());
        let kept = (record.state != State::Received)
            .then(|| Kept::take_over(&self.room.data, &order.device, &order.point))
            .flatten()
            .filter(|kept| record.hold.as_ref() == Some(&kept.hold));
        if record.state != State::Holding && record.state != State::GivingUp {
            // Whoever was at work on the point still is.
            self.room.claim(&order);
        }
        let command = record.command;
        let course = Course { room: Arc::clone(&self.room), record, order, deadline, give_up, kept };
        self.live.insert(command, tell);
        self.courses.spawn(async move {
            course.run().await;
            command
        });
    }

    async fn take(&mut self, incoming: Incoming) -> Result<(), BufferError> {
        let order = verified(&incoming.signed, &incoming.ca).filter(|o| o.gateway() == incoming.gateway);
        match order {
            Some(Order::Write(order)) => self.write(order, incoming.signed).await,
            Some(Order::Relinquish(order)) => self.relinquish(order).await,
            None => {
                warn!("an order came that this gateway's hub has not signed for it; it is not carried out");
                Ok(())
            }
        }
    }

    async fn write(&mut self, order: WriteOrder, signed: SignedOrder) -> Result<(), BufferError> {
        if let Some(row) = self.room.buffer.command(order.command).await? {
            return self.room.repeat(&Record::read(&row)?).await;
        }
        let now = self.room.now();
        let mut record = Record::new(order.command, now);
        let valid = order.not_after.as_millis().saturating_sub(order.issued.as_millis());
        let deadline = Instant::now() + Duration::from_millis(u64::try_from(valid).unwrap_or_default());
        record.order = Some(order.clone());
        record.signed = Some(signed);
        let since = self.room.buffer.commands_since().await?;
        let checked = if self.live.len() < MOST {
            check(&order, &self.room.config(), now, since)
        } else {
            Err(Refusal::new(reason::TOO_OFTEN, "too many commands are under way at this gateway"))
        };
        if let Err(refusal) = checked {
            let reason = Some(refusal.reason.to_owned());
            let report = Report { reason, detail: refusal.detail, ..record.report(now, Stage::Refused) };
            return self.room.tell(&mut record, State::Over, report).await;
        }
        let report = record.report(now, Stage::Received);
        self.room.tell(&mut record, State::Received, report).await?;
        self.start(record, Some(deadline));
        Ok(())
    }

    /// One that is under way is told; one that stands is given up; one that never came is refused when it does.
    async fn relinquish(&mut self, order: RelinquishOrder) -> Result<(), BufferError> {
        let now = self.room.now();
        let found = self.room.buffer.command(order.command).await?;
        let Some(row) = found else {
            let mut record = Record::new(order.command, now);
            record.give_up = Some(order);
            let reason = Some(reason::CANCELLED.to_owned());
            let detail = "it was given up before it came".to_owned();
            let report = Report { reason, detail, ..record.report(now, Stage::Refused) };
            return self.room.tell(&mut record, State::Over, report).await;
        };
        if let Some(tell) = self.live.get(&order.command).filter(|tell| !tell.is_closed()) {
            tell.send_replace(true);
            return Ok(());
        }
        let mut record = Record::read(&row)?;
        if record.state != State::Stands {
            return self.room.repeat(&record).await;
        }
        record.give_up = Some(order);
        self.room.keep(&mut record, State::GivingUp).await?;
        self.start(record, None);
        Ok(())
    }
}
