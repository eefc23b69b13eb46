//! The way of a tool to a line: borrowed from the daemon where one runs, else opened by itself. Given back when it is
//! dropped. Within the daemon the way is the line's owner, who puts what is asked between two questions of its own.

use std::io;
use std::path::Path;
use std::time::Duration;

use steward_protocols::exchange::{Exchange, Reply};
use steward_shared::profile::{Framing, Language, Modbus, Pace};
use steward_shared::reading::Quality;
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep, timeout};

use super::borrow::{BorrowError, Borrowed, borrow};
use super::errand::{Class, Errand, ForErrand, What};
use super::loan::Door;
use crate::config::{DeviceConfig, LineConfig, WireConfig};
use crate::line::{Failure, Manner, Wire, dial_of};

/// For about three seconds.
const TRIES: u32 = 10;
const AGAIN: Duration = Duration::from_millis(300);

/// Whether somebody else has the port.
pub fn is_held(error: &io::Error) -> bool {
    let text = error.to_string();
    error.kind() == io::ErrorKind::ResourceBusy || text.contains("busy") || text.contains("exclusive lock")
}

pub struct Reach {
    by: By,
    pub framing: Framing,
    pub target: WireConfig,
}

/// How it asks.
enum By {
    /// Over a wire of its own, borrowed where a daemon has the line.
    Wire { wire: Box<Wire>, _borrowed: Option<Borrowed> },
    /// By orders to the line's owner, between two questions of polling: within the daemon itself.
    Door(Door),
}

/// The line's owner has other things to do too; an order that is not put by then is not put at all.
const PUT_WITHIN: Duration = Duration::from_secs(15);
/// What an order that was put may take on top.
const ANSWERED_WITHIN: Duration = Duration::from_secs(45);

impl Reach {
    /// A line of the gateway's file, whose daemon has its data in `data`.
    pub async fn by_file(data: &Path, line: &LineConfig) -> Result<Self, BorrowError> {
        let borrowed = borrow(data, &line.name).await?;
        let rest = borrowed.as_ref().map_or(Duration::ZERO, |b| b.rest);
        let by_hand = Self::by_hand(line);
        let by = match by_hand.by {
            By::Wire { wire, .. } => By::Wire { wire: Box::new(wire.owing(rest)), _borrowed: borrowed },
            by @ By::Door(_) => by,
        };
        Ok(Self { by, ..by_hand })
    }

    /// A line that is described in words: whoever else asks on it is not known.
    pub fn by_hand(line: &LineConfig) -> Self {
        let wire = Wire::new(dial_of(&line.wire), line, line.slowest()).owing(Duration::ZERO);
        Self {
            by: By::Wire { wire: Box::new(wire), _borrowed: None },
            framing: line.wire.framing(),
            target: line.wire.clone(),
        }
    }

    /// The same for asking one address after the other: whoever answers late answers under its own address, so that
    /// nothing is waited out.
    pub fn for_scan(line: &LineConfig) -> Self {
        let wire = Wire::without_quarantine(dial_of(&line.wire), line);
        Self { by: By::Wire { wire: Box::new(wire), _borrowed: None }, ..Self::by_hand(line) }
    }

    /// A line that this program polls: its owner puts what is asked here.
    pub fn by_door(door: Door, line: &LineConfig) -> Self {
        Self { by: By::Door(door), framing: line.wire.framing(), target: line.wire.clone() }
    }

    /// A wire of a test, to whoever is at its other end.
    #[cfg(test)]
    pub fn over(dial: std::sync::Arc<dyn crate::line::Dial>, line: &LineConfig) -> Self {
        let wire = Wire::new(dial, line, line.slowest());
        Self { by: By::Wire { wire: Box::new(wire), _borrowed: None }, ..Self::by_hand(line) }
    }

    pub async fn ask(
        &mut self,
        exchange: Box<dyn Exchange>,
        manner: Manner<'_>,
        patience: Option<Duration>,
    ) -> Result<Reply, Failure> {
        let By::Wire { wire, .. } = &mut self.by else {
            let message = "only a device of the line can be asked by its owner";
            return Err(Failure::Lost(io::Error::new(io::ErrorKind::Unsupported, message)));
        };
        open(wire).await?;
        wire.ask(exchange, manner, patience).await.map(|answer| answer.reply)
    }

    /// Asks a device of the line.
    pub async fn ask_device(
        &mut self,
        device: &DeviceConfig,
        exchange: Box<dyn Exchange>,
    ) -> Result<Reply, Failure> {
        match &self.by {
            By::Wire { .. } => self.ask(exchange, device.into(), None).await,
            By::Door(door) => order(door, device, exchange).await,
        }
    }

    /// Asks somebody of whom nothing is known, in the way of Modbus.
    pub async fn ask_unknown(
        &mut self,
        exchange: Box<dyn Exchange>,
        timeout: Option<Duration>,
        patience: Option<Duration>,
    ) -> Result<Reply, Failure> {
        let (language, pace) = (Language::Modbus(Modbus::default()), Pace { timeout, ..Pace::default() });
        let manner = Manner { language: &language, pace: &pace, character: None };
        self.ask(exchange, manner, patience).await
    }
}

/// Another tool may have the port for a moment: it is waited for.
async fn open(wire: &mut Wire) -> Result<(), Failure> {
    for _ in 0..TRIES {
        match wire.ready().await {
            Err(Failure::Lost(e)) if is_held(&e) => sleep(AGAIN).await,
            other => return other,
        }
    }
    wire.ready().await
}

async fn order(door: &Door, device: &DeviceConfig, exchange: Box<dyn Exchange>) -> Result<Reply, Failure> {
    let failed = |why: String| Failure::Device { quality: Quality::NoReply, why };
    let (tell, told) = oneshot::channel();
    let errand = Errand {
        device: device.name.clone(),
        what: What::Exchange(exchange),
        class: Class::Order,
        deadline: Instant::now() + PUT_WITHIN,
        answer: ForErrand(tell),
    };
    if door.errands.try_send(errand).is_err() {
        return Err(failed("the line's owner has too much to do, or has ended".to_owned()));
    }
    match timeout(PUT_WITHIN + ANSWERED_WITHIN, told).await {
        Ok(Ok(Ok(reply))) => Ok(reply),
        Ok(Ok(Err(failure))) => Err(failed(failure.to_string())),
        Ok(Err(_)) | Err(_) => Err(failed("the line's owner has ended or does not answer".to_owned())),
    }
}
