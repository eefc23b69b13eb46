//! How others speak on a BACnet network: a handle that is cloned freely. Each question waits for its own answer; its end
//! is bounded by the network's timeouts and tries, and by the time that it may wait for its turn.

use std::sync::Arc;

use steward_protocols::bacnet::client::{Failure, Peer, Reading, Wanted};
use steward_protocols::bacnet::{Answer, IAm, PropertyRef, Request};
use tokio::sync::{mpsc, oneshot};

/// Why there is no answer.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NoAnswer {
    /// The port is not open.
    #[error("the network cannot be used: {0}")]
    Down(Arc<str>),
    #[error(transparent)]
    Device(#[from] Failure),
    /// The network's task has ended: the program stops, or its configuration has changed.
    #[error("the network's task has ended")]
    Ended,
}

/// One question to the network's owner.
#[derive(Debug)]
pub enum Asked {
    Ask(Peer, Request, oneshot::Sender<Result<Answer, NoAnswer>>),
    Read(Peer, Vec<PropertyRef>, oneshot::Sender<Result<Vec<(PropertyRef, Reading)>, NoAnswer>>),
    Subscribe(Wanted, oneshot::Sender<u32>),
    Unsubscribe(u32),
    WhoIs(Option<(u32, u32)>),
    WhoIsAt(Peer),
    WhoIsRouter(Option<u16>),
    Want(u32),
    Forget(u32),
    Find(u32, oneshot::Sender<Option<(Peer, IAm)>>),
    /// Closes the port, says so, and opens it again when the other end is gone.
    Rest(oneshot::Sender<()>, oneshot::Receiver<()>),
}

/// The port of a network stays closed as long as this lives.
#[derive(Debug)]
pub struct Resting {
    _over: oneshot::Sender<()>,
}

/// The way to a network's owner. When it has too much to do, questions wait here.
#[derive(Clone, Debug)]
pub struct Network {
    pub(super) asked: mpsc::Sender<Asked>,
}

impl Network {
    /// The way to an owner that a test plays.
    #[cfg(test)]
    pub fn to(asked: mpsc::Sender<Asked>) -> Self {
        Self { asked }
    }

    async fn say(&self, asked: Asked) -> Result<(), NoAnswer> {
        self.asked.send(asked).await.map_err(|_| NoAnswer::Ended)
    }

    /// Has the port closed for somebody else.
    pub async fn rest(&self) -> Result<Resting, NoAnswer> {
        let (closed, is_closed) = oneshot::channel();
        let (end, over) = oneshot::channel();
        self.say(Asked::Rest(closed, over)).await?;
        is_closed.await.map_err(|_| NoAnswer::Ended)?;
        Ok(Resting { _over: end })
    }

    /// Puts one request to a device.
    pub async fn ask(&self, peer: Peer, request: Request) -> Result<Answer, NoAnswer> {
        let (answer, answered) = oneshot::channel();
        self.say(Asked::Ask(peer, request, answer)).await?;
        answered.await.map_err(|_| NoAnswer::Ended)?
    }

    /// Reads properties of a device, in as few requests as it bears. Each property has its own outcome; they come in the
    /// order in which they were asked for.
    pub async fn read(
        &self,
        peer: Peer,
        targets: Vec<PropertyRef>,
    ) -> Result<Vec<(PropertyRef, Reading)>, NoAnswer> {
        let (answer, answered) = oneshot::channel();
        self.say(Asked::Read(peer, targets, answer)).await?;
        answered.await.map_err(|_| NoAnswer::Ended)?
    }

    /// Subscribes to an object until `unsubscribe`; what comes of it are happenings with the number that is given here.
    pub async fn subscribe(&self, wanted: Wanted) -> Result<u32, NoAnswer> {
        let (answer, answered) = oneshot::channel();
        self.say(Asked::Subscribe(wanted, answer)).await?;
        answered.await.map_err(|_| NoAnswer::Ended)
    }

    pub async fn unsubscribe(&self, subscription: u32) -> Result<(), NoAnswer> {
        self.say(Asked::Unsubscribe(subscription)).await
    }

    /// Asks everybody, or the instances of a range, to introduce themselves; who does is a happening.
    pub async fn who_is(&self, range: Option<(u32, u32)>) -> Result<(), NoAnswer> {
        self.say(Asked::WhoIs(range)).await
    }

    /// Asks the station at this address to introduce itself.
    pub async fn who_is_at(&self, peer: Peer) -> Result<(), NoAnswer> {
        self.say(Asked::WhoIsAt(peer)).await
    }

    /// Asks which routers there are, or which leads to this network.
    pub async fn who_is_router(&self, network: Option<u16>) -> Result<(), NoAnswer> {
        self.say(Asked::WhoIsRouter(network)).await
    }

    /// This device is to be heard however many introduce themselves.
    pub async fn want(&self, instance: u32) -> Result<(), NoAnswer> {
        self.say(Asked::Want(instance)).await
    }

    /// Gives up where a device is: a person has moved it.
    pub async fn forget(&self, instance: u32) -> Result<(), NoAnswer> {
        self.say(Asked::Forget(instance)).await
    }

    /// Where a device is, if it has introduced itself.
    pub async fn find(&self, instance: u32) -> Result<Option<(Peer, IAm)>, NoAnswer> {
        let (answer, answered) = oneshot::channel();
        self.say(Asked::Find(instance, answer)).await?;
        answered.await.map_err(|_| NoAnswer::Ended)
    }
}
