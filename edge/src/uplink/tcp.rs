//! The road over TCP: a socket with TLS, and on it a [`Link`], which gives streams and datagrams as QUIC does. `dial`
//! opens it and has it driven for as long as the connection lives; `road` hands out its streams.

use std::future::poll_fn;
use std::io;
use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use rustls_pki_types::ServerName;
use socket2::SockRef;
use steward_shared::wire::message::HUB_SERVER_NAME;
use steward_shared::wire::mux::{Closed, Link, Load, Reader, Writer};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf, split};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout, timeout_at};
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

/// A hub that says nothing whole for so long is gone; it is asked for a sign of life more often than that.
const IDLE: Duration = Duration::from_secs(30);
const KEEP_ALIVE: Duration = Duration::from_secs(15);
/// For the last words, each way.
const GOODBYE: Duration = Duration::from_secs(2);
/// Chosen bytes that the kernel holds and has not sent: what is urgent waits behind them.
const UNSENT: u32 = 16 << 10;
const PIECE: usize = 16 << 10;

/// Sets a socket up for small urgent things, as far as the system can: the link works without.
fn prepare(socket: &TcpStream) {
    let socket = SockRef::from(socket);
    let _ = socket.set_tcp_nodelay(true);
    #[cfg(target_os = "linux")]
    {
        let _ = socket.set_tcp_notsent_lowat(UNSENT);
        // After a break of the link the wait for the next try does not grow twice as long each time.
        let _ = socket.set_tcp_thin_linear_timeouts(true);
    }
}

/// A socket to the hub, with TLS on it.
pub(super) async fn connect(
    address: SocketAddr,
    tls: Arc<rustls::ClientConfig>,
) -> io::Result<TlsStream<TcpStream>> {
    let socket = TcpStream::connect(address).await?;
    prepare(&socket);
    let name = ServerName::try_from(HUB_SERVER_NAME).map_err(io::Error::other)?;
    TlsConnector::from(tls).connect(name, socket).await
}

/// Carries what the link says and hears until it is closed by either side, or the socket is gone.
pub(super) async fn drive<S: AsyncRead + AsyncWrite>(stream: S, link: &Link) {
    let (mut from, mut to) = split(stream);
    let hearing = async {
        let mut piece = vec![0; PIECE];
        let mut deadline = Instant::now() + IDLE;
        loop {
            let before = link.heard();
            match timeout_at(deadline, from.read(&mut piece)).await {
                Ok(Ok(n)) if n > 0 => link.receive(piece.get(..n).unwrap_or_default()),
                Ok(Ok(_)) => return link.lost(io::Error::from(io::ErrorKind::UnexpectedEof).into()),
                Ok(Err(e)) => return link.lost(e.into()),
                Err(_) => return link.lost(Closed::Idle),
            }
            // Bytes that never become a whole piece are no sign of life.
            if link.heard() != before {
                deadline = Instant::now() + IDLE;
            }
        }
    };
    let saying = async {
        loop {
            let (bytes, is_last) = match poll_fn(|cx| link.poll_send(cx)).await {
                Load::More(bytes) => (bytes, false),
                Load::Last(bytes) => (bytes, true),
            };
            let written = async {
                to.write_all(&bytes).await?;
                to.flush().await
            };
            if let Err(e) = written.await {
                return Some(e);
            }
            if is_last {
                // Whether the peer hears it makes no difference to us any more.
                let _ = to.shutdown().await;
                return None;
            }
        }
    };
    let asking = async {
        loop {
            sleep(KEEP_ALIVE).await;
            link.ping();
        }
    };
    let over = async {
        poll_fn(|cx| link.poll_closed(cx)).await;
        sleep(2 * GOODBYE).await;
    };
    tokio::pin!(hearing, saying);
    let both = async {
        // Each goes on a little after the other: our last word goes out, and what the peer still says is taken, or the
        // reset of a socket with unread bytes would overtake that word. What is lost by then nobody waits for.
        tokio::select! {
            broken = &mut saying => {
                // What the peer said last tells more of a broken socket than that it takes nothing.
                let _ = timeout(GOODBYE, &mut hearing).await;
                if let Some(e) = broken {
                    link.lost(e.into());
                }
            }
            () = &mut hearing => drop(timeout(GOODBYE, &mut saying).await),
        }
    };
    // A peer that takes nothing any more does not hold a connection that is over.
    tokio::select! {
        () = both => {}
        () = asking => {}
        () = over => {}
    }
}

/// The way out on a stream.
pub struct Out(pub Writer);

impl AsyncWrite for Out {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        self.0.poll_write(cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        self.0.finish();
        Poll::Ready(Ok(()))
    }
}

/// The way in on a stream.
pub struct In(pub Reader);

impl AsyncRead for In {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, into: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let n = std::task::ready!(self.0.poll_read(cx, into.initialize_unfilled()))?;
        into.advance(n);
        Poll::Ready(Ok(()))
    }
}
