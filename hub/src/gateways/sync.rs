//! What the hub has of a gateway's lanes: epochs, watermarks and the alarm lane's events.
//! Every move of a watermark stands in the transaction that stores what it counts; nothing is answered before its
//! commit.

use sha2::{Digest, Sha256};
use steward_shared::alarm::{About, Event, EventKind};
use steward_shared::id::BufferId;
use steward_shared::time::Timestamp;
use steward_shared::wire::frame::from_cbor;
use steward_shared::wire::message::{Hello, Known, Lane, Watermark};

use super::catalogue::set_device_silent;
use super::fleet::Fleet;
use super::happening::{Happening, MissingWhy};
use super::model::{Epoch, Mark, Position, Standing, begins_epoch, missing, short};
use super::store::{self, EventRow, NewEvent};
use crate::kernel::db::{DbError, Tx};

/// Facts of one event.
const MAX_FACTS: usize = 8;

/// How a session begins.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Beginning {
    pub epoch: u32,
    pub buffer: BufferId,
    pub watermarks: Vec<Watermark>,
    /// What stands there.
    pub known: Vec<Known>,
    pub catalogue_wanted: bool,
}

/// A batch as the link hands it on.
#[derive(Clone, Debug)]
pub struct Received {
    pub at: Position,
    pub hash: Vec<u8>,
    pub body: Vec<u8>,
}

/// What became of a batch.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Fate {
    /// Durable, now or before.
    Stored,
    /// The hub has everything up to here and cannot apply what came.
    Gap(u64),
    /// Kept aside; counted as received.
    Quarantined(String),
}

impl Fleet {
    /// Gives the session its epoch, and tells what it needs of the gateway.
    pub async fn begin(&self, hello: &Hello) -> Result<Beginning, DbError> {
        let (gateway, now) = (hello.gateway, self.clock.now());
        let (beginning, events) = self
            .db
            .tx(async |tx| {
                let mut events = Vec::new();
                let known = store::epoch_of(&tx, gateway, hello.buffer).await?;
                let last = store::last_epoch(&tx, gateway).await?;
                let marks = match &known {
                    Some(e) => Some(store::marks(&tx, gateway, e.number).await?),
                    None => None,
                };
                let catalogue = known.as_ref().and_then(|e| e.catalogue.clone());
                let (epoch, has_begun) = match (begins_epoch(hello, marks.as_deref(), last > 0), known) {
                    (None, Some(epoch)) => (epoch, false),
                    (reason, _) => {
                        let reason = reason.unwrap_or(super::model::EpochReason::NewBuffer);
                        let epoch =
                            Epoch { number: last + 1, buffer: hello.buffer, catalogue: catalogue.clone() };
                        store::insert_epoch(&tx, gateway, &epoch, reason, now).await?;
                        let what = Happening::EpochBegan { epoch: epoch.number, reason };
                        events.push(self.note_in(&tx, gateway, &what).await?);
                        (epoch, true)
                    }
                };
                // What another epoch acknowledged is here already, under that epoch; unless this hub has forgotten it,
                // being restored from a copy.
                let may_be_known = has_begun && hello.epoch <= last;
                let (watermarks, known) =
                    self.marks_of(&tx, hello, &epoch, may_be_known, &mut events).await?;
                let catalogue_wanted = catalogue.as_deref() != Some(hello.catalogue.as_slice());
                let (epoch, buffer) = (epoch.number, hello.buffer);
                let beginning = Beginning { epoch, buffer, watermarks, known, catalogue_wanted };
                Ok::<_, DbError>((beginning, events))
            })
            .await?;
        for event in &events {
            self.tell_event(event.as_ref());
        }
        Ok(beginning)
    }

    /// The watermark of every lane; past what the gateway has not any more and this epoch never got. That is told,
    /// unless what the gateway calls acknowledged may be known.
    async fn marks_of(
        &self,
        tx: &Tx,
        hello: &Hello,
        epoch: &Epoch,
        may_be_known: bool,
        events: &mut Vec<Option<EventRow>>,
    ) -> Result<(Vec<Watermark>, Vec<Known>), DbError> {
        let (mut watermarks, mut all_known) = (Vec::with_capacity(Lane::ALL.len()), Vec::new());
        for lane in Lane::ALL {
            let at = Position { gateway: hello.gateway, epoch: epoch.number, lane, seq: 0 };
            let mut mark = store::mark(tx, &at).await?;
            let held = hello.all_lanes().find(|l| l.lane == lane);
            if !lane.is_first() && held.is_none() {
                // An older gateway would not understand its name.
                continue;
            }
            if let Some(held) = held
                && let Some((from, to)) = missing(mark.seq, held)
            {
                mark = Mark { seq: to, recent: Vec::new() };
                let was_acked = held.acked >= to;
                if !(was_acked && may_be_known) {
                    let why = if was_acked { MissingWhy::Forgotten } else { MissingWhy::Dropped };
                    let what = Happening::DataMissing { lane, from, to, why };
                    events.push(self.note_in(tx, hello.gateway, &what).await?);
                }
            }
            store::set_mark(tx, hello.gateway, epoch.number, lane, &mark).await?;
            watermarks.push(Watermark { lane, seq: mark.seq });
            all_known.extend(mark.newest().map(|hash| Known { lane, hash: hash.to_vec() }));
        }
        Ok((watermarks, all_known))
    }

    /// Decides on a batch and, if it is new, moves the watermark. What it holds is stored by the caller in this same
    /// transaction.
    pub async fn advance(&self, tx: &Tx, batch: &Received) -> Result<Standing, DbError> {
        let mark = store::mark(tx, &batch.at).await?;
        let standing = mark.standing(batch.at.seq, &batch.hash);
        if standing == Standing::New {
            let after = mark.after(&batch.hash);
            store::set_mark(tx, batch.at.gateway, batch.at.epoch, batch.at.lane, &after).await?;
        }
        Ok(standing)
    }

    /// The sequence up to which the hub has everything of the lane.
    pub async fn watermark(&self, at: &Position) -> Result<u64, DbError> {
        self.db.tx(async |tx| Ok(store::mark(&tx, at).await?.seq)).await
    }

    /// After the commit of what gave these events.
    pub fn tell_events(&self, events: &[Option<EventRow>]) {
        for event in events {
            self.tell_event(event.as_ref());
        }
    }

    /// One item of the alarm lane: the event, once, and the watermark, in one transaction.
    pub async fn receive_event(&self, batch: &Received, count: u32) -> Result<Fate, DbError> {
        let now = self.clock.now();
        let event = event_of(batch, count);
        let gateway = batch.at.gateway;
        let (fate, told) = self
            .db
            .tx(async |tx| {
                Ok::<_, DbError>(match (self.advance(&tx, batch).await?, &event) {
                    (Standing::Gap(mark), _) => (Fate::Gap(mark), None),
                    (Standing::Duplicate, _) => (Fate::Stored, None),
                    (Standing::Fork, _) => {
                        let reason = "the sequence was received before with other content";
                        (Fate::Quarantined(reason.into()), self.quarantine(&tx, batch, reason, true).await?)
                    }
                    (Standing::New, Err(reason)) => {
                        let told = self.quarantine(&tx, batch, reason, false).await?;
                        (Fate::Quarantined(reason.clone()), told)
                    }
                    (Standing::New, Ok(event)) => {
                        let event = tidy(event);
                        if event.kind == EventKind::DeviceSilent
                            && let Some(device) = &event.device
                        {
                            set_device_silent(&tx, gateway, device, event.active).await?;
                        }
                        let facts = facts(&event);
                        let told = NewEvent::from_gateway(gateway, &event, &facts, now);
                        let told = store::insert_event(&tx, &told).await?;
                        (Fate::Stored, told)
                    }
                })
            })
            .await?;
        self.tell_event(told.as_ref());
        Ok(fate)
    }
}

/// The one event that an item of the alarm lane is, or why it is none.
fn event_of(batch: &Received, count: u32) -> Result<Event, String> {
    if Sha256::digest(&batch.body).as_slice() != batch.hash.as_slice() {
        return Err("the body does not fit its hash".into());
    }
    if count != 1 {
        return Err(format!("it announces {count} events and can hold one"));
    }
    from_cbor(&batch.body).map_err(|e| e.to_string())
}

/// What a page makes a sentence of, as a JSON object.
fn facts(event: &Event) -> String {
    let facts = event.about.as_ref().map(|about| &about.facts);
    facts.map_or_else(
        || "{}".to_owned(),
        |facts| serde_json::to_string(facts).expect("words by their names are JSON"),
    )
}

/// An event of bounded size, whatever the gateway put into it.
fn tidy(event: &Event) -> Event {
    let about = event.about.as_ref().map(|about| {
        let facts = about.facts.iter().take(MAX_FACTS).map(|(name, fact)| (short(name), short(fact)));
        About { object: short(&about.object), facts: facts.collect() }
    });
    Event {
        about,
        line: event.line.as_deref().map(short),
        device: event.device.as_deref().map(short),
        detail: short(&event.detail),
        // Far off instants would break calendars; what a broken clock says is kept within them.
        at: Timestamp(event.at.as_millis().clamp(0, 253_402_300_799_000)),
        ..event.clone()
    }
}
