//! A gateway's connection, by whichever road it came: QUIC, or TLS over TCP where UDP is blocked on the way. What is
//! above (session, lanes, enrolment, seats) works with this and cannot tell the two apart.

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use quinn::{Connection, RecvStream, SendStream, VarInt};
use steward_shared::wire::mux::{Link, STREAMS, Trust};
use tokio::io::{AsyncRead, AsyncWrite, AsyncWriteExt as _, ReadBuf};

use super::tcp::{In, Out};
use crate::gateways::RoadKind;

/// Why a connection is closed, for the peer.
pub mod code {
    pub const DONE: u32 = 0;
    pub const REFUSED: u32 = 1;
    pub const PROTOCOL: u32 = 2;
    /// Come again later.
    pub const BUSY: u32 = 3;
    pub const REVOKED: u32 = 4;
    pub const REPLACED: u32 = 5;
    /// The clocks differ by more than any reading may: the gateway keeps what it has until they agree.
    pub const CLOCK: u32 = 6;
    /// What came last could not be used: the gateway keeps the rest, and one is tried each hour.
    pub const PAUSED: u32 = 7;
}

/// Of QUIC, for all streams together.
const CONNECTION_WINDOW: u32 = 4 << 20;
/// Of TCP, for each of its few streams: the same together.
const WINDOW: u32 = CONNECTION_WINDOW / STREAMS as u32;
const LOOK: Duration = Duration::from_millis(25);

/// Clones are the same connection.
#[derive(Clone)]
pub enum Road {
    Quic(Connection),
    Tcp(Link, SocketAddr),
}

impl Road {
    pub fn kind(&self) -> RoadKind {
        match self {
            Self::Quic(_) => RoadKind::Quic,
            Self::Tcp(..) => RoadKind::Tcp,
        }
    }

    pub fn remote_address(&self) -> SocketAddr {
        match self {
            Self::Quic(connection) => connection.remote_address(),
            Self::Tcp(_, from) => *from,
        }
    }

    pub fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Quic(a), Self::Quic(b)) => a.stable_id() == b.stable_id(),
            (Self::Tcp(a, _), Self::Tcp(b, _)) => a.is_same(b),
            _ => false,
        }
    }

    /// The peer is known by its certificate: it gets what a session takes.
    pub fn trust(&self) {
        match self {
            Self::Quic(connection) => connection.set_receive_window(VarInt::from_u32(CONNECTION_WINDOW)),
            Self::Tcp(link, _) => link.trust(Trust { streams: STREAMS, window: WINDOW }),
        }
    }

    /// The next stream that the gateway opens; none when the connection is over. Safe to drop while it waits.
    pub async fn accept(&self) -> Option<(Outgoing, Incoming)> {
        match self {
            Self::Quic(connection) => {
                let (send, recv) = connection.accept_bi().await.ok()?;
                Some((Outgoing::Quic(send), Incoming::Quic(recv)))
            }
            Self::Tcp(link, _) => {
                let (writer, reader) = poll_fn(|cx| link.poll_accept(cx)).await.ok()?;
                Some((Outgoing::Tcp(Out(writer)), Incoming::Tcp(In(reader))))
            }
        }
    }

    /// The next datagram; none when the connection is over. Safe to drop while it waits.
    pub async fn datagram(&self) -> Option<Bytes> {
        match self {
            Self::Quic(connection) => connection.read_datagram().await.ok(),
            Self::Tcp(link, _) => poll_fn(|cx| link.poll_datagram(cx)).await.ok().map(Bytes::from),
        }
    }

    pub fn close(&self, code: u32, reason: &[u8]) {
        match self {
            Self::Quic(connection) => connection.close(VarInt::from_u32(code), reason),
            Self::Tcp(link, _) => link.close(code, reason),
        }
    }

    /// Why it is over, if it is.
    pub fn close_reason(&self) -> Option<String> {
        match self {
            Self::Quic(connection) => connection.close_reason().map(|r| r.to_string()),
            Self::Tcp(link, _) => link.closed().map(|c| c.to_string()),
        }
    }

    /// Whether the peer shows a sign of life within this time, when it is asked for one.
    pub async fn answers(&self, within: Duration) -> bool {
        let before = self.heard();
        match self {
            // A living peer acknowledges a datagram. An error is a dead connection, or a peer without datagrams; then
            // only its own packets tell.
            Self::Quic(connection) => drop(connection.send_datagram(Bytes::new())),
            Self::Tcp(link, _) => link.ping(),
        }
        let answered = tokio::time::timeout(within, async {
            while self.heard() == before && self.close_reason().is_none() {
                tokio::time::sleep(LOOK).await;
            }
            self.close_reason().is_none()
        });
        answered.await.unwrap_or(false)
    }

    fn heard(&self) -> u64 {
        match self {
            Self::Quic(connection) => connection.stats().udp_rx.datagrams,
            Self::Tcp(link, _) => link.heard(),
        }
    }
}

/// The way out on a stream.
pub enum Outgoing {
    Quic(SendStream),
    Tcp(Out),
}

impl Outgoing {
    /// Ends it, and waits until the peer has what was written, as far as this side can know.
    pub async fn end(&mut self) {
        // Whether it arrived makes no difference to us.
        if self.shutdown().await.is_ok() {
            match self {
                Self::Quic(send) => drop(send.stopped().await),
                Self::Tcp(out) => drop(poll_fn(|cx| out.0.poll_drained(cx)).await),
            }
        }
    }
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
