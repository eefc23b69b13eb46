//! [`Timekeeper`]: has readings of a wrong clock corrected as soon as the clock is trusted, and says when batches may be
//! sent. The uplink tells it the hub's time and asks it before each batch; the health task calls it with each look.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use steward_shared::alarm::{Event, EventKind};
use steward_shared::id::{EventId, Ids};
use steward_shared::time::{Clock, Timestamp};
use steward_shared::wire::columns::Header;
use steward_shared::wire::message::Lane;
use tokio::time::{Instant, sleep};
use tracing::{info, warn};

use super::trust::{Trust, Verdict};
use crate::buffer::{Buffer, BufferError, Correction, StoredBatch, offset_of};
use crate::evidence::Evidence;

/// How often it is looked whether somebody vouches for the clock now.
const LOOK: Duration = Duration::from_millis(500);

/// A cheap handle; clones share what the hub said.
#[derive(Clone, Debug)]
pub struct Timekeeper {
    buffer: Buffer,
    evidence: Evidence,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn Ids>,
    synchronised: fn() -> bool,
    trust: Arc<Mutex<Trust>>,
}

impl Timekeeper {
    /// `synchronised` is the machine's word on its clock.
    pub fn new(
        buffer: Buffer,
        evidence: Evidence,
        clock: Arc<dyn Clock>,
        ids: Arc<dyn Ids>,
        synchronised: fn() -> bool,
    ) -> Self {
        Self { buffer, evidence, clock, ids, synchronised, trust: Arc::default() }
    }

    pub fn clock(&self) -> &Arc<dyn Clock> {
        &self.clock
    }

    /// The hub's clock says this, now.
    pub fn greeted(&self, hub: Timestamp) {
        let (wall, mono) = (self.clock.now(), Instant::now());
        let (ahead, is_trusted) = {
            let mut trust = self.trust();
            trust.greeted(hub, mono);
            (trust.ahead_of_hub(wall, mono), trust.is_trusted(false, wall, mono))
        };
        if !is_trusted {
            warn!(
                difference_ms = ahead,
                "this gateway's clock and the hub's differ; check its time synchronisation"
            );
        }
    }

    /// Corrects what a wrong clock has stamped, if the clock is trusted now. Costs nothing while it has not jumped.
    pub async fn settle(&self) -> Result<(), BufferError> {
        let look = self.buffer.look();
        let synchronised = self.is_synchronised(look);
        let is_trusted = self.trust().is_trusted(synchronised, look.wall, Instant::now());
        if is_trusted { self.correct(look, synchronised).await } else { Ok(()) }
    }

    /// The live batch behind `seq`, when it may be sent: what is stored is corrected, or nobody has vouched for the clock
    /// for long. Nothing when there is none, or when the clock jumped just now: then this is to be called again.
    pub async fn next_batch(&self, seq: u64) -> Result<Option<StoredBatch>, BufferError> {
        let mut waited = false;
        loop {
            let look = self.buffer.look();
            let synchronised = self.is_synchronised(look);
            let verdict = self.trust().ask(synchronised, look.wall, Instant::now());
            match verdict {
                Verdict::Trusted => {
                    return match self.correct(look, synchronised).await {
                        Ok(()) => self.buffer.settled_after(Lane::Live, seq).await,
                        Err(e @ (BufferError::Closed | BufferError::Slow)) => Err(e),
                        Err(e) => {
                            // A disk that takes no correction must not keep the gateway off its hub.
                            warn!(
                                error = &e as &(dyn std::error::Error + 'static),
                                "readings of a wrong clock cannot be corrected; they are sent as they are"
                            );
                            self.buffer.after(Lane::Live, seq).await
                        }
                    };
                }
                Verdict::GivenUp => {
                    if waited {
                        warn!(
                            "nobody vouches for the clock; readings are sent with the instants that it gave"
                        );
                    }
                    return self.buffer.after(Lane::Live, seq).await;
                }
                Verdict::Doubted => {
                    if !std::mem::replace(&mut waited, true) {
                        warn!("the clock is wrong; readings wait for it to be set, for ten minutes at most");
                    }
                    sleep(LOOK).await;
                }
            }
        }
    }

    /// By the machine's word, unless it leads away from the hub.
    fn is_synchronised(&self, look: Header) -> bool {
        (self.synchronised)() && !self.trust().is_set_away(offset_of(&look), look.wall, Instant::now())
    }

    /// To the clock as it was looked at: by now it may be another.
    async fn correct(&self, right: Header, synchronised: bool) -> Result<(), BufferError> {
        let (mono, since) = (Instant::now(), self.trust().since_vouched(Instant::now()));
        let vouched_ms = since.map(|since| right.mono_ms as i64 - since.as_millis() as i64);
        let done = self.buffer.correct_clock(right, vouched_ms).await?;
        self.trust().settled(synchronised, offset_of(&right), mono);
        if !done.moved.is_empty() {
            let (evidence, moved) = (self.evidence.clone(), done.moved.clone());
            if self.buffer.aside(move || evidence.moved(moved, right)).await.is_none() {
                warn!("raw answers of a wrong clock keep its instants");
            }
        }
        let Some(detail) = corrected(&done) else { return Ok(()) };
        info!("{detail}");
        let (id, at) = (EventId::new(self.ids.as_ref()), self.clock.now());
        let kind = EventKind::ClockCorrected;
        self.buffer
            .event(Event { id, at, kind, active: true, line: None, device: None, detail, about: None })
            .await?;
        Ok(())
    }

    fn trust(&self) -> MutexGuard<'_, Trust> {
        // Two instants: a panic elsewhere leaves them whole.
        self.trust.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// In plain words, where anything was done or could not be.
fn corrected(done: &Correction) -> Option<String> {
    let sent = format!("{} had been sent before and bear the former clock's instants", done.sent_before);
    let moved = done.from.zip(done.to).map(|(from, to)| {
        let seconds = done.moved.last().map_or(0.0, |moved| moved.shift_ms as f64 / 1000.0);
        let drifted = if done.moved.iter().any(|m| m.shift_ms != m.set_ms) { "up to " } else { "" };
        format!("{} readings were moved by {drifted}{seconds:.1} s, to {from} to {to}", done.readings)
    });
    match (moved, done.sent_before) {
        (None, 0) => None,
        (None, _) => Some(sent),
        (Some(moved), 0) => Some(moved),
        (Some(moved), _) => Some(format!("{moved}; {sent}")),
    }
}
