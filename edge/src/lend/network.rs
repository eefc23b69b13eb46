//! The way of a tool to a BACnet network: its port is borrowed from the daemon where one runs, for devices introduce
//! themselves to that port; else it is opened by the tool alone. Given back when it is dropped.

use std::path::Path;
use std::sync::Arc;

use steward_shared::id::RandomIds;
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::borrow::{BorrowError, Borrowed, borrow};
use crate::config::LineConfig;
use crate::line::bacnet::{Happening, Network, open};
use crate::line::dial_of;

/// A network that is open for a tool.
#[derive(Debug)]
pub struct NetworkReach {
    pub network: Network,
    pub happened: mpsc::Receiver<Happening>,
    cancel: CancellationToken,
    task: JoinHandle<()>,
    borrowed: Option<Borrowed>,
}

impl NetworkReach {
    /// A line of the gateway's file, whose daemon has its data in `data`; nothing where it is no network.
    pub async fn by_file(data: &Path, line: &LineConfig) -> Result<Option<Self>, BorrowError> {
        if !line.wire.is_bacnet() {
            return Ok(None);
        }
        let borrowed = borrow(data, &line.name).await?;
        Ok(Self::by_hand(line).map(|reach| Self { borrowed, ..reach }))
    }

    /// A network that is described in words; nothing where the line is none.
    pub fn by_hand(line: &LineConfig) -> Option<Self> {
        let cancel = CancellationToken::new();
        let (owner, network, happened) = open(line, &dial_of(&line.wire), Arc::new(RandomIds), &cancel)?;
        let task = tokio::spawn(owner);
        Some(Self { network, happened, cancel, task, borrowed: None })
    }

    /// Waits until the port is open; else why it is not.
    pub async fn up(&mut self) -> Result<(), Arc<str>> {
        loop {
            match self.happened.recv().await {
                Some(Happening::Up(_)) => return Ok(()),
                Some(Happening::Down(why)) => return Err(why),
                Some(_) => {}
                None => return Err("the network's task has ended".into()),
            }
        }
    }

    /// Closes the port before it is given back: the daemon opens it at once.
    pub async fn give_back(self) {
        self.cancel.cancel();
        // A task that panicked has said so already.
        let _ = self.task.await;
        drop(self.borrowed);
    }
}
