//! Takes what the lines tell: readings to the buffer, to whoever watches live, and to the table of latest
//! values; alarms to the alarm lane, without waiting for it. One task, so that a slow disk holds up no wire: while this
//! waits, the channel to it fills, and only when that is full do lines poll later.

use std::sync::Arc;

use steward_shared::reading::Reading;
use steward_shared::time::Clock;
use tokio::sync::{Notify, broadcast, mpsc};

use crate::alarm::Alarms;
use crate::buffer::Buffer;
use crate::poll::{Latest, Told};

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
}

impl Recorder {
    /// Ends when the last line has ended and everything that it told is handed over.
    pub async fn run(mut self) {
        while let Some(told) = self.told.recv().await {
            match told {
                Told::Readings(readings) => {
                    self.latest.take(&readings, self.clock.now());
                    if self.live.receiver_count() > 0 {
                        // An error says that the last watcher has just left.
                        let _ = self.live.send(Arc::from(readings.as_slice()));
                    }
                    self.buffer.record(readings).await;
                }
                Told::Alarm { kind, line, device, active, detail } => {
                    self.changed.notify_one();
                    self.alarms.tell(kind, Some(&line), device.as_deref(), active, detail);
                }
            }
        }
    }
}
