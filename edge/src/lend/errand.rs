//! Single questions and orders to a device, beside polling: what a person or the hub wants now. They are handed to the
//! line's owner through its door; `poll` says when they are put.

use steward_protocols::exchange::{Exchange, Reply};
use tokio::sync::oneshot;
use tokio::time::Instant;

/// What goes first.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Class {
    /// Something is to change.
    Order,
    /// Somebody wants to know.
    Question,
}

/// What is put to the device.
#[derive(Debug)]
pub enum What {
    /// A part of its profile, in the words of the evidence: `holding 0 2`.
    Span(String),
    Exchange(Box<dyn Exchange>),
}

/// One question or order.
#[derive(Debug)]
pub struct Errand {
    /// The device's name in the gateway's file.
    pub device: String,
    pub what: What,
    pub class: Class,
    /// It is not put after this instant.
    pub deadline: Instant,
    pub answer: ForErrand,
}

/// Where its end is told.
#[derive(Debug)]
pub struct ForErrand(pub oneshot::Sender<Result<Reply, ErrandFailure>>);

impl ForErrand {
    /// Nobody may wait for it any more.
    pub fn end(self, with: Result<Reply, ErrandFailure>) {
        let _ = self.0.send(with);
    }
}

/// Why an errand came to nothing.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ErrandFailure {
    #[error("there is no such device on the line")]
    NoSuchDevice,
    #[error("its profile has no such part")]
    NoSuchPart,
    /// It was not put.
    #[error("the line did not become free in time")]
    TooLate,
    #[error("{0}")]
    Failed(String),
}
