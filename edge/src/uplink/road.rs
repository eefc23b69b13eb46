//! A connection to the hub, by whichever road it came about: QUIC, or TLS over TCP where UDP is blocked on the way. A
//! session works with this and cannot tell the two apart; `dial` makes it.

use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use quinn::{Connection, ConnectionError, Endpoint, RecvStream, SendStream, VarInt};
use rustls_pki_types::CertificateDer;
use steward_shared::wire::mux::Link;
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::task::JoinHandle;
use tokio::time::timeout;

use super::error::UplinkError;
use super::tcp::{In, Out};

/// How long the hub has to hear of the end.
const GOODBYE: Duration = Duration::from_secs(3);

/// By which road.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum RoadKind {
    Quic,
    /// UDP does not come through on the way.
    Tcp,
}

impl RoadKind {
    pub const fn word(self) -> &'static str {
        match self {
            Self::Quic => "quic",
            Self::Tcp => "tcp",
        }
    }

    pub(super) const fn other(self) -> Self {
        match self {
            Self::Quic => Self::Tcp,
            Self::Tcp => Self::Quic,
        }
    }
}

pub(super) enum Road {
    /// With the endpoint that it lives on.
    Quic(Connection, Endpoint),
    Tcp(OverTcp),
}

/// The connection, who drives its socket, and what the hub showed in the handshake.
pub(super) struct OverTcp {
    pub link: Link,
    pub driver: JoinHandle<()>,
    pub chain: Vec<CertificateDer<'static>>,
}

impl Drop for OverTcp {
    fn drop(&mut self) {
        // The driver says goodbye and ends.
        self.link.close(0, b"");
    }
}

impl Road {
    pub fn kind(&self) -> RoadKind {
        match self {
            Self::Quic(..) => RoadKind::Quic,
            Self::Tcp(_) => RoadKind::Tcp,
        }
    }

    /// A new stream; what has the highest priority goes first. Safe to drop while it waits.
    pub async fn open(&self, priority: i32) -> Result<(Outgoing, Incoming), UplinkError> {
        match self {
            Self::Quic(connection, _) => {
                let (send, recv) = connection.open_bi().await?;
                // It fails only for a stream that is over already; then writing fails too.
                let _ = send.set_priority(priority);
                Ok((Outgoing::Quic(send), Incoming::Quic(recv)))
            }
            Self::Tcp(tcp) => match tcp.link.open(priority) {
                Some((writer, reader)) => Ok((Outgoing::Tcp(Out(writer)), Incoming::Tcp(In(reader)))),
                None => Err(self.over().unwrap_or(UplinkError::Protocol("more streams than there are"))),
            },
        }
    }

    /// Bytes that a datagram may have; none where the hub takes none.
    pub fn datagram_room(&self) -> Option<usize> {
        match self {
            Self::Quic(connection, _) => connection.max_datagram_size(),
            Self::Tcp(_) => Some(Link::datagram_room()),
        }
    }

    /// Sends it if it can go; an error only where nothing can go any more.
    pub fn send_datagram(&self, bytes: Vec<u8>) -> Result<(), UplinkError> {
        match self {
            // Any other error (the path's limit shrank, the hub takes none) leaves the kept road.
            Self::Quic(connection, _) => match connection.send_datagram(bytes.into()) {
                Err(quinn::SendDatagramError::ConnectionLost(e)) => Err(e.into()),
                _ => Ok(()),
            },
            Self::Tcp(tcp) => {
                tcp.link.send_datagram(bytes);
                self.over().map_or(Ok(()), Err)
            }
        }
    }

    /// Why it is over, if it is.
    pub fn over(&self) -> Option<UplinkError> {
        match self {
            Self::Quic(connection, _) => connection.close_reason().map(Into::into),
            Self::Tcp(tcp) => tcp.link.closed().map(Into::into),
        }
    }

    /// What ended the connection says more than what it did to a stream.
    pub fn why(&self, ended: UplinkError) -> UplinkError {
        match ended {
            ended @ UplinkError::Refused(_) => ended,
            ended => self.over().unwrap_or(ended),
        }
    }

    /// Whether it ended because nothing came any more.
    pub fn fell_silent(&self) -> bool {
        match self {
            Self::Quic(connection, _) => matches!(connection.close_reason(), Some(ConnectionError::TimedOut)),
            Self::Tcp(_) => false,
        }
    }

    /// What the hub showed in the handshake.
    pub fn chain(&self) -> Vec<CertificateDer<'static>> {
        match self {
            Self::Quic(connection, _) => {
                let chain = connection.peer_identity().and_then(|chain| chain.downcast().ok());
                chain.map_or_else(Vec::new, |chain| *chain)
            }
            Self::Tcp(tcp) => tcp.chain.clone(),
        }
    }

    /// Ends it, and waits a little for the hub to hear of it.
    pub async fn close(mut self, reason: &str) {
        match &mut self {
            Self::Quic(connection, endpoint) => {
                connection.close(VarInt::from_u32(0), reason.as_bytes());
                let _ = timeout(GOODBYE, endpoint.wait_idle()).await;
            }
            Self::Tcp(tcp) => {
                tcp.link.close(0, reason.as_bytes());
                if timeout(GOODBYE, &mut tcp.driver).await.is_err() {
                    tcp.driver.abort();
                }
            }
        }
    }
}

/// The way out on a stream.
pub enum Outgoing {
    Quic(SendStream),
    Tcp(Out),
}

impl AsyncWrite for Outgoing {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        match self.get_mut() {
            Self::Quic(send) => AsyncWrite::poll_write(Pin::new(send), cx, bytes),
            Self::Tcp(out) => Pin::new(out).poll_write(cx, bytes),
        }
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Quic(send) => Pin::new(send).poll_shutdown(cx),
            Self::Tcp(out) => Pin::new(out).poll_shutdown(cx),
        }
    }
}

/// The way in on a stream.
pub enum Incoming {
    Quic(RecvStream),
    Tcp(In),
}

impl AsyncRead for Incoming {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        match self.get_mut() {
            Self::Quic(recv) => AsyncRead::poll_read(Pin::new(recv), cx, into),
            Self::Tcp(inn) => Pin::new(inn).poll_read(cx, into),
        }
    }
}
