//! The loan of a line as its owner sees it, and where owners are found. The owner lends between two questions only.

use std::collections::BTreeMap;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use super::errand::Errand;
use crate::line::bacnet::Network;

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

/// Errands that may wait at a door; whoever comes then is told to come later.
const ERRANDS: usize = 8;

/// Where the owner of a line is found.
#[derive(Clone, Debug)]
pub struct Door {
    pub loans: mpsc::Sender<Loan>,
    pub errands: mpsc::Sender<Errand>,
    /// Asks the owner of a BACnet network for the way to it; other owners do not listen.
    networks: mpsc::Sender<oneshot::Sender<Network>>,
}

impl Door {
    /// The way to the network whose owner is behind this door.
    pub async fn network(&self) -> Option<Network> {
        let (tell, told) = oneshot::channel();
        self.networks.send(tell).await.ok()?;
        told.await.ok()
    }
}

/// Who comes through the door. One loan may wait there, others behind it until their time is over.
#[derive(Debug)]
pub struct Visits {
    pub loans: mpsc::Receiver<Loan>,
    pub errands: mpsc::Receiver<Errand>,
    /// Those who want the way to the network.
    pub networks: mpsc::Receiver<oneshot::Sender<Network>>,
}

impl Visits {
    /// Of a line at which nobody calls.
    pub fn none() -> Self {
        Self { loans: mpsc::channel(1).1, errands: mpsc::channel(1).1, networks: mpsc::channel(1).1 }
    }

    /// A door, and what comes through it.
    pub fn open() -> (Door, Self) {
        let (loan_door, loans) = mpsc::channel(1);
        let (errand_door, errands) = mpsc::channel(ERRANDS);
        let (network_door, networks) = mpsc::channel(1);
        let door = Door { loans: loan_door, errands: errand_door, networks: network_door };
        (door, Self { loans, errands, networks })
    }
}

/// The lines' owners by the names of their lines.
#[derive(Debug, Default)]
pub struct Doors(Mutex<BTreeMap<String, Door>>);

impl Doors {
    /// A line's owner listens at its door.
    pub fn open(&self, line: &str) -> Visits {
        let (door, visits) = Visits::open();
        self.0.lock().unwrap_or_else(PoisonError::into_inner).insert(line.to_owned(), door);
        visits
    }

    pub fn find(&self, line: &str) -> Option<Door> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(line).cloned()
    }
}
