//! The loan of a line as its owner sees it, and where owners are found. The owner lends between two questions only.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

/// A tool that was forgotten does not keep a line for longer.
const LONGEST: Duration = Duration::from_mins(15);

/// Somebody wants the line.
#[derive(Debug)]
pub struct Loan {
    /// Told that the wire is closed, and for how long an answer to the owner's last question may still come.
    ready: oneshot::Sender<Duration>,
    /// Ends when the borrower is gone.
    over: oneshot::Receiver<()>,
}

impl Loan {
    /// The loan, what tells that the line is free, and what ends the loan when it is dropped.
    pub fn new() -> (Self, oneshot::Receiver<Duration>, oneshot::Sender<()>) {
        let (ready, is_ready) = oneshot::channel();
        let (end, over) = oneshot::channel();
        (Self { ready, over }, is_ready, end)
    }

    /// The wire is closed: hands it over and waits until it is given back. False when it was not in time.
    pub async fn hand_over(self, rest: Duration) -> bool {
        if self.ready.send(rest).is_err() {
            // The borrower has gone already.
            return true;
        }
        timeout(LONGEST, self.over).await.is_ok()
    }
}

/// The lines' owners by the names of their lines.
#[derive(Debug, Default)]
pub struct Doors(Mutex<BTreeMap<String, mpsc::Sender<Loan>>>);

impl Doors {
    /// A line's owner listens at its door. One loan may wait there, others behind it until their time is over.
    pub fn open(&self, line: &str) -> mpsc::Receiver<Loan> {
        let (door, loans) = mpsc::channel(1);
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(line.to_owned(), door);
        loans
    }

    pub fn find(&self, line: &str) -> Option<mpsc::Sender<Loan>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(line).cloned()
    }
}
