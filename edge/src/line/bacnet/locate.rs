//! Where a device of a network is: asked for by its number, or at a written address where it must say first who it is.
//! Polling and the engineer's tools call it.

use std::time::Duration;

use steward_protocols::bacnet::client::{Failure, Peer};
use steward_protocols::bacnet::{ObjectId, PropertyId, PropertyRef};
use steward_protocols::question::Node;
use steward_shared::reading::Quality;
use tokio::time::{sleep, timeout};

use super::handle::{Network, NoAnswer};

/// How often it is looked whether a device has introduced itself.
const LOOK: Duration = Duration::from_millis(50);

/// Why it is not known where a device is.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum NotFound {
    #[error("device {0} does not introduce itself")]
    Absent(u32),
    #[error("{peer} is not device {instance}: {failure}")]
    Another { peer: Peer, instance: u32, failure: Failure },
    #[error(transparent)]
    NoAnswer(#[from] NoAnswer),
}

impl NotFound {
    /// What that makes of a value; none where the network was not asked.
    pub const fn quality(&self) -> Option<Quality> {
        match self {
            Self::Absent(_) => Some(Quality::NoReply),
            Self::Another { .. } => Some(Quality::BadReply),
            Self::NoAnswer(NoAnswer::Device(failure)) => Some(failure.quality()),
            Self::NoAnswer(NoAnswer::Down(_) | NoAnswer::Ended) => None,
        }
    }
}

/// Where it is; it may take `patience` to introduce itself.
pub async fn locate(network: &Network, node: Node, patience: Duration) -> Result<Peer, NotFound> {
    match node.at {
        Some(peer) => identify(network, peer, node.instance).await,
        None => find(network, node.instance, patience).await,
    }
}

/// Asks the network for the device by its number, as long as a device may take to answer.
async fn find(network: &Network, instance: u32, patience: Duration) -> Result<Peer, NotFound> {
    if let Some((peer, _)) = network.find(instance).await? {
        return Ok(peer);
    }
    network.who_is(Some((instance, instance))).await?;
    let looking = async {
        loop {
            sleep(LOOK).await;
            if let Some((peer, _)) = network.find(instance).await? {
                return Ok(peer);
            }
        }
    };
    timeout(patience, looking).await.unwrap_or(Err(NotFound::Absent(instance)))
}

/// Whether the device at a written address is the one that is meant: each answers to its own number only.
async fn identify(network: &Network, peer: Peer, instance: u32) -> Result<Peer, NotFound> {
    // What it can do it tells by the way.
    network.who_is_at(peer).await?;
    let name = PropertyRef::new(ObjectId::device(instance), PropertyId::OBJECT_NAME);
    let readings = network.read(peer, vec![name]).await?;
    match readings.into_iter().next().map(|(_, reading)| reading) {
        Some(Err(failure @ Failure::Refused(_))) => Err(NotFound::Another { peer, instance, failure }),
        Some(Err(failure)) if failure.is_absence() => Err(NoAnswer::Device(failure).into()),
        _ => Ok(peer),
    }
}
