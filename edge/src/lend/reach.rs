//! The way of a tool to a line: borrowed from the daemon where one runs, else opened by itself. Given back when it is
//! dropped.

use std::io;
use std::path::Path;
use std::time::Duration;

use steward_protocols::exchange::{Exchange, Reply};
use steward_shared::profile::{Framing, Language, Modbus, Pace};
use tokio::time::sleep;

use super::borrow::{BorrowError, Borrowed, borrow};
use crate::config::{LineConfig, WireConfig};
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
    wire: Wire,
    pub framing: Framing,
    pub target: WireConfig,
    _borrowed: Option<Borrowed>,
}

impl Reach {
    /// A line of the gateway's file, whose daemon has its data in `data`.
    pub async fn by_file(data: &Path, line: &LineConfig) -> Result<Self, BorrowError> {
        let borrowed = borrow(data, &line.name).await?;
        let rest = borrowed.as_ref().map_or(Duration::ZERO, |b| b.rest);
        let by_hand = Self::by_hand(line);
        Ok(Self { wire: by_hand.wire.owing(rest), _borrowed: borrowed, ..by_hand })
    }

    /// A line that is described in words: whoever else asks on it is not known.
    pub fn by_hand(line: &LineConfig) -> Self {
        let wire = Wire::new(dial_of(&line.wire), line, line.slowest()).owing(Duration::ZERO);
        Self { wire, framing: line.wire.framing(), target: line.wire.clone(), _borrowed: None }
    }

    /// The same for asking one address after the other: whoever answers late answers under its own address, so that
    /// nothing is waited out.
    pub fn for_scan(line: &LineConfig) -> Self {
        let wire = Wire::without_quarantine(dial_of(&line.wire), line);
        Self { wire, ..Self::by_hand(line) }
    }

    /// A wire of a test, to whoever is at its other end.
    #[cfg(test)]
    pub fn over(dial: std::sync::Arc<dyn crate::line::Dial>, line: &LineConfig) -> Self {
        Self { wire: Wire::new(dial, line, line.slowest()), ..Self::by_hand(line) }
    }

    pub async fn ask(
        &mut self,
        exchange: Box<dyn Exchange>,
        manner: Manner<'_>,
        patience: Option<Duration>,
    ) -> Result<Reply, Failure> {
        self.open().await?;
        self.wire.ask(exchange, manner, patience).await.map(|answer| answer.reply)
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

    /// Another tool may have the port for a moment: it is waited for.
    async fn open(&mut self) -> Result<(), Failure> {
        for _ in 0..TRIES {
            match self.wire.ready().await {
                Err(Failure::Lost(e)) if is_held(&e) => sleep(AGAIN).await,
                other => return other,
            }
        }
        self.wire.ready().await
    }
}
