//! One lane of a session: batches come, are looked into and handed to their module; answers go back in their order,
//! each after the commit of what it answers. No lane waits for another.

use std::sync::Arc;
use std::time::Duration;

use steward_shared::id::GatewayId;
use steward_shared::time::Timestamp;
use steward_shared::wire::message::{Batch, Lane, LaneDown, LaneUp, Quarantined};
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;

use super::endpoint::Door;
use super::frames::{self, StreamError};
use super::road::{Incoming, Outgoing};
use crate::gateways::{Fate, Happening, PointMap, Position, Received};
use crate::telemetry::{Checked, IngestError, Opened, Receipt, check, is_in_time};

/// Batches of a lane that are handed on and not answered yet; then the stream's flow control stops the gateway.
const IN_FLIGHT: usize = 32;
/// A gateway sends a new catalogue beside the first batch that needs it: one may overtake the other by this.
const CATALOGUE_LAG: Duration = Duration::from_secs(20);
/// The hub asks for the catalogue in its welcome; without it no batch can be read.
const CATALOGUE_DEADLINE: Duration = Duration::from_mins(1);
/// A gateway tells its clock with its health, each ten seconds: a step of it is known after this.
const CLOCK_LAG: Duration = Duration::from_secs(20);
/// A lane that cannot go on is held for so long, so that the others get their say, before the session ends for it. A
/// gateway waits a minute for an answer.
const HOLD: Duration = if cfg!(test) { Duration::from_millis(100) } else { Duration::from_secs(45) };
/// Events that come at once, and how many a second after them: more is no plant's news but a fault.
const EVENTS: f64 = 1000.0;
const EVENTS_PER_S: f64 = 20.0;

#[derive(Debug, thiserror::Error)]
pub enum LaneError {
    #[error("a lane's stream ended")]
    Stream(#[from] StreamError),
    #[error("the gateway broke the protocol: {0}")]
    Breach(String),
    #[error("the store takes nothing at present")]
    Unavailable,
    #[error("{0}")]
    Clock(String),
    #[error("what came last was set aside; see the gateway's events")]
    Paused,
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
    /// By how many milliseconds the gateway's clock is ahead of the hub's.
    ahead: watch::Receiver<i64>,
    /// When a report that came after a reading out of time said that the clocks agree.
    agreed: Option<Instant>,
}

/// An answer that is due, or will be.
enum Due {
    Now(LaneDown),
    After(u64, Receipt),
}

pub async fn serve(mut lanes: Lanes, send: Outgoing, mut recv: Incoming) -> Result<(), LaneError> {
    let lane = match frames::prompt::<LaneUp>(&mut recv).await? {
        LaneUp::Open(lane) => lane,
        LaneUp::Batch(_) => return Err(LaneError::Breach("a lane begins with its name".into())),
    };
    let (due, answers) = mpsc::channel(IN_FLIGHT);
    let mut pace = Pace { left: EVENTS, at: Instant::now() };
    let reading = async {
        while let Some(message) = frames::next::<LaneUp>(&mut recv).await? {
            let LaneUp::Batch(batch) = message else {
                return Err(LaneError::Breach("a lane is named once".into()));
            };
            if matches!(lane, Lane::Alarm | Lane::Command) {
                pace.wait().await;
            }
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

async fn answer(mut send: Outgoing, mut answers: mpsc::Receiver<Due>) -> Result<(), LaneError> {
    while let Some(due) = answers.recv().await {
        let message = match due {
            Due::Now(message) => message,
            // The gateway offers it again, each time later; what was under way behind it is refused in the same way.
            Due::After(seq, receipt) => {
                receipt.fate().await.map_or(LaneDown::Nack(seq - 1), |fate| said(seq, fate))
            }
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
        ahead: watch::Receiver<i64>,
    ) -> Self {
        Self { door: Arc::clone(door), gateway, epoch, map, ahead, agreed: None }
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
        if self.door.is_paused(self.gateway, lane) {
            tokio::time::sleep(HOLD).await;
            return Err(LaneError::Paused);
        }
        if matches!(lane, Lane::Alarm | Lane::Command) {
            return Ok(Due::Now(self.one(&received, batch.count).await));
        }
        let opened = self.open(received, batch.count).await?;
        self.door.note_use(self.gateway, lane, opened.readings.is_ok()).await;
        if let Some(left) = &opened.left {
            let what =
                Happening::ReadingsOutOfTime { lane, readings: left.readings, first: left.first.to_string() };
            self.door.tell_once(self.gateway, &what).await;
        }
        Ok(Due::After(at.seq, self.door.readings.ingest(opened).await?))
    }

    /// An event, or a report of a command.
    async fn one(&self, received: &Received, count: u32) -> LaneDown {
        let (lane, seq) = (received.at.lane, received.at.seq);
        let fate = match lane {
            Lane::Command => self.door.fleet.receive_report(received, count).await,
            Lane::Alarm | Lane::Live | Lane::Backfill => self.door.fleet.receive_event(received, count).await,
        };
        match fate {
            Ok(fate) => {
                match &fate {
                    Fate::Stored => self.door.note_use(self.gateway, lane, true).await,
                    Fate::Quarantined(_) => self.door.note_use(self.gateway, lane, false).await,
                    Fate::Gap(_) => {}
                }
                said(seq, fate)
            }
            Err(e) => {
                tracing::warn!(gateway = %self.gateway, error = %e, lane = lane.word(), "an item of a lane could not be stored");
                LaneDown::Nack(seq - 1)
            }
        }
    }

    /// Decodes off the runtime's threads. A point that is not known yet is waited for.
    async fn open(&mut self, mut batch: Received, count: u32) -> Result<Opened, LaneError> {
        let mut map = self.catalogue().await?;
        loop {
            let room = self.door.readings.room(count).await?;
            let now = self.door.clock.now();
            let of = Arc::clone(&map);
            let clocks_agree = self.agreed.is_some_and(|at| at.elapsed() < CLOCK_LAG);
            let work = self.door.readings.workers().run(move || {
                let checked = check(&batch, count, &of, now, clocks_agree);
                (batch, checked)
            });
            let (back, checked) = work.await.map_err(|_| LaneError::Unavailable)?;
            batch = back;
            let reason = match checked {
                Checked::Readings(readings, left) => {
                    return Ok(Opened { batch, readings: Ok(readings), left, room });
                }
                Checked::Poison(reason) => {
                    return Ok(Opened { batch, readings: Err(reason), left: None, room });
                }
                // While something is waited for, others need the room.
                Checked::Unknown(no) => {
                    drop(room);
                    if let Some(next) = self.next_catalogue().await? {
                        map = next;
                        continue;
                    }
                    format!("it speaks of point {no:?}, which the catalogue does not have")
                }
                Checked::OutOfTime => {
                    drop(room);
                    self.agree(now).await?;
                    let _ = tokio::time::timeout(CLOCK_LAG, self.ahead.changed()).await;
                    self.agree(now).await?;
                    self.agreed = Some(Instant::now());
                    continue;
                }
            };
            let room = self.door.readings.room(1).await?;
            return Ok(Opened { batch, readings: Err(reason), left: None, room });
        }
    }

    /// An error when the gateway's clock is so wrong, or ours, that its readings have their place in history only once
    /// the clocks agree: the gateway keeps them until then.
    async fn agree(&mut self, now: Timestamp) -> Result<(), LaneError> {
        let ahead = *self.ahead.borrow_and_update();
        if is_in_time(Timestamp(now.as_millis().saturating_add(ahead)), now) {
            return Ok(());
        }
        tokio::time::sleep(HOLD).await;
        Err(LaneError::Clock(Happening::ClockDiffers { ahead_ms: ahead }.to_string()))
    }

    async fn catalogue(&mut self) -> Result<Arc<PointMap>, LaneError> {
        let wanted = async {
            let map = self.map.wait_for(Option::is_some).await.ok()?;
            map.clone()
        };
        let map = tokio::time::timeout(CATALOGUE_DEADLINE, wanted).await.ok().flatten();
        map.ok_or_else(|| LaneError::Breach("batches without the catalogue that they refer to".into()))
    }

    /// None when none is on its way. One that is being stored is waited for.
    async fn next_catalogue(&mut self) -> Result<Option<Arc<PointMap>>, LaneError> {
        match tokio::time::timeout(CATALOGUE_LAG, self.map.changed()).await {
            Ok(Ok(())) => self.catalogue().await.map(Some),
            _ => Ok(None),
        }
    }
}

/// How fast events may come.
struct Pace {
    left: f64,
    at: Instant,
}

impl Pace {
    async fn wait(&mut self) {
        self.refill();
        if self.left < 1.0 {
            tokio::time::sleep(Duration::from_secs_f64((1.0 - self.left) / EVENTS_PER_S)).await;
            self.refill();
        }
        self.left -= 1.0;
    }

    fn refill(&mut self) {
        let since = self.at.elapsed().as_secs_f64();
        self.left = EVENTS.min(self.left + since * EVENTS_PER_S);
        self.at = Instant::now();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_flood_of_events_is_slowed_down_and_a_plants_news_is_not() {
        let begun = Instant::now();
        let mut pace = Pace { left: EVENTS, at: begun };
        for _ in 0..1000 {
            pace.wait().await;
        }
        assert_eq!(begun.elapsed(), Duration::ZERO);
        for _ in 0..100 {
            pace.wait().await;
        }
        assert!((4..6).contains(&begun.elapsed().as_secs()), "{:?}", begun.elapsed());
    }
}
