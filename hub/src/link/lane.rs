//! One lane of a session: batches come, are looked into and handed to their module; answers go back in their order,
//! each after the commit of what it answers. No lane waits for another.

use std::sync::Arc;
use std::time::Duration;

use quinn::{RecvStream, SendStream};
use steward_shared::id::GatewayId;
use steward_shared::wire::message::{Batch, Lane, LaneDown, LaneUp, Quarantined};
use tokio::sync::{mpsc, watch};

use super::endpoint::Door;
use super::frames::{self, StreamError};
use crate::gateways::{Fate, PointMap, Position, Received};
use crate::kernel::db::DbError;
use crate::telemetry::{Checked, IngestError, Opened, Receipt, check};

/// Batches of a lane that are handed on and not answered yet; then the stream's flow control stops the gateway.
const IN_FLIGHT: usize = 32;
/// A gateway sends a new catalogue beside the first batch that needs it: one may overtake the other by this.
const CATALOGUE_LAG: Duration = Duration::from_secs(20);
/// The hub asks for the catalogue in its welcome; without it no batch can be read.
const CATALOGUE_DEADLINE: Duration = Duration::from_mins(1);

#[derive(Debug, thiserror::Error)]
pub enum LaneError {
    #[error("a lane's stream ended")]
    Stream(#[from] StreamError),
    #[error("the gateway broke the protocol: {0}")]
    Breach(String),
    #[error("the database does not answer")]
    Db(#[from] DbError),
    #[error("the store takes nothing at present")]
    Unavailable,
}

impl From<IngestError> for LaneError {
    fn from(IngestError::Unavailable: IngestError) -> Self {
        Self::Unavailable
    }
}

/// What the lanes of a session share.
#[derive(Clone)]
pub struct Lanes {
    door: Arc<Door>,
    gateway: GatewayId,
    epoch: u32,
    map: watch::Receiver<Option<Arc<PointMap>>>,
}

/// An answer that is due, or will be.
enum Due {
    Now(LaneDown),
    After(u64, Receipt),
}

pub async fn serve(mut lanes: Lanes, send: SendStream, mut recv: RecvStream) -> Result<(), LaneError> {
    let lane = match frames::prompt::<LaneUp>(&mut recv).await? {
        LaneUp::Open(lane) => lane,
        LaneUp::Batch(_) => return Err(LaneError::Breach("a lane begins with its name".into())),
    };
    let (due, answers) = mpsc::channel(IN_FLIGHT);
    let reading = async {
        while let Some(message) = frames::next::<LaneUp>(&mut recv).await? {
            let LaneUp::Batch(batch) = message else {
                return Err(LaneError::Breach("a lane is named once".into()));
            };
            let answer = lanes.take(lane, batch).await?;
            if due.send(answer).await.is_err() {
                break;
            }
        }
        drop(due);
        Ok(())
    };
    tokio::try_join!(reading, answer(send, answers)).map(drop)
}

async fn answer(mut send: SendStream, mut answers: mpsc::Receiver<Due>) -> Result<(), LaneError> {
    while let Some(due) = answers.recv().await {
        let message = match due {
            Due::Now(message) => message,
            Due::After(seq, receipt) => said(seq, receipt.fate().await?),
        };
        frames::send(&mut send, &message).await?;
    }
    Ok(())
}

fn said(seq: u64, fate: Fate) -> LaneDown {
    match fate {
        Fate::Stored => LaneDown::Ack(seq),
        Fate::Gap(mark) => LaneDown::Nack(mark),
        Fate::Quarantined(reason) => LaneDown::Quarantined(Quarantined { seq, reason }),
    }
}

impl Lanes {
    pub fn new(
        door: &Arc<Door>,
        gateway: GatewayId,
        epoch: u32,
        map: watch::Receiver<Option<Arc<PointMap>>>,
    ) -> Self {
        Self { door: Arc::clone(door), gateway, epoch, map }
    }

    async fn take(&mut self, lane: Lane, batch: Batch) -> Result<Due, LaneError> {
        if batch.lane != lane || batch.epoch != self.epoch || batch.seq == 0 {
            let why = format!(
                "a batch of the {} lane, epoch {}, sequence {} on the {} lane of epoch {}",
                batch.lane.word(),
                batch.epoch,
                batch.seq,
                lane.word(),
                self.epoch
            );
            return Err(LaneError::Breach(why));
        }
        let at = Position { gateway: self.gateway, epoch: self.epoch, lane, seq: batch.seq };
        let received = Received { at, hash: batch.hash, body: batch.body };
        if lane == Lane::Alarm {
            return Ok(Due::Now(said(at.seq, self.door.fleet.receive_event(&received).await?)));
        }
        let opened = self.open(received, batch.count).await?;
        Ok(Due::After(at.seq, self.door.readings.ingest(opened).await?))
    }

    /// Decodes off the runtime's threads. A point that is not known yet is waited for.
    async fn open(&mut self, mut batch: Received, count: u32) -> Result<Opened, LaneError> {
        let mut map = self.catalogue().await?;
        loop {
            let now = self.door.clock.now();
            let work = tokio::task::spawn_blocking(move || {
                let checked = check(&batch, count, &map, now);
                (batch, checked)
            });
            let (back, checked) = work.await.map_err(|_| LaneError::Unavailable)?;
            batch = back;
            let readings = match checked {
                Checked::Readings(readings) => Ok(readings),
                Checked::Poison(reason) => Err(reason),
                Checked::Unknown(no) => match self.next_catalogue().await {
                    Some(next) => {
                        map = next;
                        continue;
                    }
                    None => Err(format!("it speaks of point {no:?}, which the catalogue does not have")),
                },
            };
            return Ok(Opened { batch, readings });
        }
    }

    async fn catalogue(&mut self) -> Result<Arc<PointMap>, LaneError> {
        let wanted = async {
            let map = self.map.wait_for(Option::is_some).await.ok()?;
            map.clone()
        };
        let map = tokio::time::timeout(CATALOGUE_DEADLINE, wanted).await.ok().flatten();
        map.ok_or_else(|| LaneError::Breach("batches without the catalogue that they refer to".into()))
    }

    async fn next_catalogue(&mut self) -> Option<Arc<PointMap>> {
        tokio::time::timeout(CATALOGUE_LAG, self.map.changed()).await.ok()?.ok()?;
        self.map.borrow_and_update().clone()
    }
}
