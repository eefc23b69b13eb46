//! Why a connection is over. Whoever waits on it gets this; none of it is an error of ours.

use std::io;
use std::sync::Arc;

/// What a correct peer does not do.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum Breach {
    #[error("a piece of the unknown kind {0}")]
    Kind(u8),
    #[error("a piece of kind {0} with {1} bytes")]
    Length(u8, usize),
    #[error("a piece of stream {0}, which is not open")]
    Stream(u8),
    #[error("more than the receiver takes on stream {0}")]
    Flooded(u8),
    #[error("something after the end of stream {0}")]
    AfterEnd(u8),
}

#[derive(Clone, Debug, thiserror::Error)]
pub enum Closed {
    #[error("it was closed here")]
    Here,
    #[error("the peer closed it: {reason}")]
    Peer { code: u32, reason: String },
    #[error("the peer broke the protocol: {0}")]
    Breach(#[from] Breach),
    #[error("nothing came for too long")]
    Idle,
    #[error("the connection broke")]
    Lost(#[source] Arc<io::Error>),
}

impl From<Closed> for io::Error {
    fn from(closed: Closed) -> Self {
        Self::new(io::ErrorKind::NotConnected, closed)
    }
}
