//! Takes what the lines tell: readings, refined, to whoever watches live and to the table of latest values, and those
//! that are kept to the buffer; alarms to the alarm lane, without waiting for it. One task, so that a slow disk holds up no wire: while this
//! waits, the channel to it fills, and only when that is full do lines poll later.

use std::sync::Arc;
use std::time::Duration;

use steward_shared::reading::Reading;
use steward_shared::time::Clock;
use steward_shared::wire::columns::Header;
use tokio::sync::{Notify, broadcast, mpsc, watch};
use tokio::time::{Instant, interval_at, sleep_until};
use tracing::error;

use crate::alarm::Alarms;
use crate::buffer::{Buffer, is_same_clock, offset_of};
use crate::control::{Answer, Asked, Request};
use crate::poll::{Latest, Told};
use crate::refine::{Book, Refined, Refinery};

pub struct Recorder {
    pub told: mpsc::Receiver<Told>,
    pub buffer: Buffer,
    pub alarms: Alarms,
    pub latest: Arc<Latest>,
    pub clock: Arc<dyn Clock>,
    /// Lossy: a watcher that lags misses samples, and the batches have them all the same.
    pub live: broadcast::Sender<Arc<[Reading]>>,
    /// What is kept, for those that are told it besides the hub. Lossy as well.
    pub kept: broadcast::Sender<Arc<[Reading]>>,
    /// Called when a line or device changed its state: the next report is due then.
    pub changed: Arc<Notify>,
    /// What is known of the points; it is there before the first reading that it speaks of.
    pub book: watch::Receiver<Arc<Book>>,
    /// What people ask of the counters.
    pub asked: mpsc::Receiver<Asked>,
}

/// So long what is kept gathers for the buffer, whose thread is woken a few times a second then, and not for each answer.
const GATHER: Duration = Duration::from_millis(100);
/// As many are handed over sooner.
const MANY: usize = 1000;
/// How often it is stored where the counters stand, when nothing happens to them.
const KEEP: Duration = Duration::from_mins(15);

/// What is kept and not handed over, and the clock whose instants it bears.
#[derive(Default)]
struct Gathered {
    readings: Vec<Reading>,
    by: Option<(Header, Instant)>,
}

impl Gathered {
    async fn due(&self) {
        match self.by {
            Some((_, since)) => sleep_until(since + GATHER).await,
            None => std::future::pending().await,
        }
    }

    async fn hand_over(&mut self, buffer: &Buffer) {
        if let Some((look, _)) = self.by.take() {
            // As many come next.
            let room = Vec::with_capacity(self.readings.len());
            buffer.record_by(std::mem::replace(&mut self.readings, room), &look).await;
        }
    }

    async fn take(&mut self, readings: Vec<Reading>, buffer: &Buffer) {
        let look = buffer.look();
        if self.by.is_some_and(|(by, _)| !is_same_clock(offset_of(&look), offset_of(&by))) {
            self.hand_over(buffer).await;
        }
        self.by.get_or_insert_with(|| (look, Instant::now()));
        self.readings.extend(readings);
        if self.readings.len() >= MANY {
            self.hand_over(buffer).await;
        }
    }
}

impl Recorder {
    /// Ends when the last line has ended and everything that it told is handed over.
    pub async fn run(mut self) {
        let counters = self.buffer.counters().await.unwrap_or_else(|e| {
            error!(
                error = &e as &(dyn std::error::Error + 'static),
                "where the counters stood is not known; totals begin with what the meters show"
            );
            Vec::new()
        });
        let mut refinery = Refinery::new(Arc::clone(&self.book.borrow_and_update()), counters);
        let mut keep = interval_at(Instant::now() + KEEP, KEEP);
        let mut asks = true;
        let mut gathered = Gathered::default();
        loop {
            // Nothing is lost with another's turn: both channels keep what was not received, and what is due stays so.
            let told = tokio::select! {
                told = self.told.recv() => told,
                asked = self.asked.recv(), if asks => {
                    match asked {
                        Some(Asked { request, reply }) => {
                            // Whoever asked may be gone.
                            let _ = reply.send(self.answer(&mut refinery, request).await);
                        }
                        None => asks = false,
                    }
                    continue;
                }
                _ = keep.tick() => {
                    self.keep(&mut refinery).await;
                    continue;
                }
                () = gathered.due() => {
                    gathered.hand_over(&self.buffer).await;
                    continue;
                }
            };
            let Some(told) = told else { break };
            if self.book.has_changed().unwrap_or(false) {
                refinery.follow(Arc::clone(&self.book.borrow_and_update()));
            }
            match told {
                Told::Readings(readings) => self.take(&mut refinery, &mut gathered, readings).await,
                told @ (Told::Alarm { .. } | Told::About { .. } | Told::Listed { .. }) => self.tell(told),
            }
        }
        gathered.hand_over(&self.buffer).await;
        self.keep(&mut refinery).await;
    }

    async fn take(&self, refinery: &mut Refinery, gathered: &mut Gathered, readings: Vec<Reading>) {
        let Refined { seen, kept, told } = refinery.take(readings);
        self.latest.take(&seen, self.clock.now());
        if self.live.receiver_count() > 0 {
            // An error says that the last watcher has just left.
            let _ = self.live.send(Arc::from(seen.as_slice()));
        }
        if !kept.is_empty() {
            if self.kept.receiver_count() > 0 {
                // As above.
                let _ = self.kept.send(Arc::from(kept.as_slice()));
            }
            gathered.take(kept, &self.buffer).await;
        }
        for told in told {
            self.tell(told);
        }
        if refinery.has_entries() {
            self.keep(refinery).await;
        }
    }

    /// Stores where the counters stand. What fails is offered again the next time.
    async fn keep(&self, refinery: &mut Refinery) -> bool {
        let (counters, entries) = refinery.owed();
        match self.buffer.keep_counters(counters, entries).await {
            Ok(()) => {
                refinery.settled();
                true
            }
            Err(e) => {
                let error = &e as &(dyn std::error::Error + 'static);
                error!(error, "where the counters stand is not stored; trying again");
                false
            }
        }
    }

    async fn answer(&self, refinery: &mut Refinery, request: Request) -> Answer {
        let of = match request {
            Request::Ledgers { of } => of,
            // The socket's own task does that.
            Request::Redecode { .. } | Request::Commands { .. } => {
                return Answer::Failed("this is not the ledgers' to answer".to_owned());
            }
            Request::Confirm { of, start, end } => {
                match refinery.confirm(&of, self.clock.now(), start, end) {
                    Ok(told) => told.into_iter().for_each(|told| self.tell(told)),
                    Err(fault) => return Answer::Refused(fault),
                }
                if !self.keep(refinery).await {
                    return Answer::Failed("it is in force and not stored yet; the disk fails".to_owned());
                }
                Some(of)
            }
        };
        let accounts = match refinery.accounts(of.as_deref()) {
            Ok(accounts) => accounts,
            Err(fault) => return Answer::Refused(fault),
        };
        let mut shown = Vec::with_capacity(accounts.len());
        for (no, mut account) in accounts {
            if of.is_some() {
                match self.buffer.counter_entries(no).await {
                    Ok(entries) => account.entries = entries,
                    Err(e) => return Answer::Failed(e.to_string()),
                }
            }
            shown.push(account);
        }
        Answer::Ledgers(shown)
    }

    fn tell(&self, told: Told) {
        match told {
            Told::Alarm { kind, line, device, active, detail } => {
                self.changed.notify_one();
                self.alarms.tell(kind, Some(&line), device.as_deref(), active, detail);
            }
            Told::About { kind, line, device, active, detail, about } => {
                self.changed.notify_one();
                self.alarms.tell_about(kind, (&line, device.as_deref()), active, detail, about);
            }
            Told::Listed { kind, line, device, objects } => {
                self.alarms.end_unlisted(kind, (&line, &device), &objects);
            }
            Told::Readings(_) => {}
        }
    }
}

#[cfg(test)]
mod tests {
    use steward_shared::id::{PointNo, RandomIds};
    use steward_shared::reading::{Quality, Value};
    use steward_shared::time::{ManualClock, Timestamp};
    use steward_shared::wire::columns::decode;
    use steward_shared::wire::message::Lane;

    use super::*;
    use crate::buffer::BufferSettings;

    const NOON: Timestamp = Timestamp(1_760_000_000_000);

    fn reading(at: Timestamp) -> Vec<Reading> {
        let value = Some(Value::Number(21.5));
        vec![Reading { point: PointNo(1), at, value, quality: Quality::Good }]
    }

    async fn stored(buffer: &Buffer) -> Vec<Vec<i64>> {
        buffer.flush().await.unwrap();
        let (mut all, mut seq) = (Vec::new(), 0);
        while let Some(batch) = buffer.after(Lane::Live, seq).await.unwrap() {
            seq = batch.seq;
            let body = decode(&batch.body).unwrap();
            let ahead = body.header.wall.0 - body.header.mono_ms as i64;
            // Each reading with the clock that its batch is of, to the minute.
            all.push(body.readings.iter().map(|r| (r.at.0 - ahead) / 60_000).collect());
        }
        all
    }

    #[tokio::test]
    async fn what_gathers_is_handed_over_when_it_is_due_or_many_and_bears_one_clock() {
        let dir = tempfile::tempdir().unwrap();
        let clock = Arc::new(ManualClock::at(NOON));
        let settings = BufferSettings::default();
        let buffer = Buffer::open(dir.path(), settings, clock.clone(), Arc::new(RandomIds)).unwrap();
        let since_boot = buffer.look().mono_ms as i64 / 60_000;
        let mut gathered = Gathered::default();
        gathered.take(reading(NOON), &buffer).await;
        assert_eq!(stored(&buffer).await, Vec::<Vec<i64>>::new(), "it gathers");
        gathered.due().await;
        gathered.hand_over(&buffer).await;
        assert_eq!(stored(&buffer).await.len(), 1);

        gathered.take(reading(NOON), &buffer).await;
        let later = NOON.plus(Duration::from_hours(1));
        clock.set(later);
        gathered.take(reading(later), &buffer).await;
        gathered.hand_over(&buffer).await;
        let of_both = stored(&buffer).await;
        assert_eq!(of_both.len(), 3, "a batch for each clock: {of_both:?}");
        for since in of_both.into_iter().flatten() {
            assert!((since - since_boot).abs() <= 1, "{since} is by the clock that its batch names");
        }

        let many: Vec<Reading> = (0..MANY).flat_map(|i| reading(Timestamp(later.0 + i as i64))).collect();
        gathered.take(many, &buffer).await;
        assert!(gathered.readings.is_empty(), "many do not wait");
    }
}
