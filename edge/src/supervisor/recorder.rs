//! Takes what the lines tell: readings, refined, to whoever watches live and to the table of latest values, and those
//! that are kept to the buffer; alarms to the alarm lane, without waiting for it. One task, so that a slow disk holds up no wire: while this
//! waits, the channel to it fills, and only when that is full do lines poll later.

use std::sync::Arc;

use steward_shared::reading::Reading;
use steward_shared::time::Clock;
use tokio::sync::{Notify, broadcast, mpsc, watch};

use crate::alarm::Alarms;
use crate::buffer::Buffer;
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
    /// Called when a line or device changed its state: the next report is due then.
    pub changed: Arc<Notify>,
    /// What is known of the points; it is there before the first reading that it speaks of.
    pub book: watch::Receiver<Arc<Book>>,
}

impl Recorder {
    /// Ends when the last line has ended and everything that it told is handed over.
    pub async fn run(mut self) {
        let mut refinery = Refinery::new(Arc::clone(&self.book.borrow_and_update()));
        while let Some(told) = self.told.recv().await {
            if self.book.has_changed().unwrap_or(false) {
                refinery.follow(Arc::clone(&self.book.borrow_and_update()));
            }
            match told {
                Told::Readings(readings) => {
                    let Refined { seen, kept, told } = refinery.take(readings);
                    self.latest.take(&seen, self.clock.now());
                    if self.live.receiver_count() > 0 {
                        // An error says that the last watcher has just left.
                        let _ = self.live.send(Arc::from(seen.as_slice()));
                    }
                    if !kept.is_empty() {
                        self.buffer.record(kept).await;
                    }
                    for told in told {
                        self.tell(told);
                    }
                }
                alarm @ Told::Alarm { .. } => self.tell(alarm),
            }
        }
    }

    fn tell(&self, told: Told) {
        if let Told::Alarm { kind, line, device, active, detail } = told {
            self.changed.notify_one();
            self.alarms.tell(kind, Some(&line), device.as_deref(), active, detail);
        }
    }
}
