//! The road over TCP: a socket with TLS, and on it a [`Link`], which gives streams and datagrams as QUIC does. The door
//! prepares the socket and drives the link for as long as the connection lives; `road` hands out its streams.

use std::future::poll_fn;
use std::io;
use std::pin::Pin;
use std::task::{Context, Poll};
use std::time::Duration;

use socket2::SockRef;
use steward_shared::wire::mux::{Closed, Link, Load, Reader, Writer};
use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWrite, AsyncWriteExt as _, ReadBuf, split};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout, timeout_at};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

/// A peer that says nothing whole for so long is gone. Gateways say something each fifteen seconds.
pub const IDLE: Duration = Duration::from_secs(30);
/// For the last words, each way.
const GOODBYE: Duration = Duration::from_secs(2);
/// Chosen bytes that the kernel holds and has not sent: what is urgent waits behind them.
const UNSENT: u32 = 16 << 10;
const PIECE: usize = 16 << 10;

/// Sets a socket up for small urgent things, as far as the system can: the link works without.
pub fn prepare(socket: &TcpStream) {
    let socket = SockRef::from(socket);
    let _ = socket.set_tcp_nodelay(true);
    #[cfg(target_os = "linux")]
    {
        let _ = socket.set_tcp_notsent_lowat(UNSENT);
        // After a break of the link the wait for the next try does not grow twice as long each time.
        let _ = socket.set_tcp_thin_linear_timeouts(true);
    }
}

/// The handshake. A peer that is refused hears why: our alert would be lost with a socket that has unread bytes.
pub async fn accept(tls: &TlsAcceptor, socket: TcpStream) -> io::Result<TlsStream<TcpStream>> {
    match tls.accept(socket).into_fallible().await {
        Ok(stream) => Ok(stream),
        Err((e, mut socket)) => {
            // What it still says is of no interest, and whether it hears the end neither.
            let _ = socket.shutdown().await;
            let mut piece = vec![0; PIECE];
            let _ =
                timeout(GOODBYE, async { while socket.read(&mut piece).await.is_ok_and(|n| n > 0) {} }).await;
            Err(e)
        }
    }
}

/// Carries what the link says and hears until it is closed by either side, or the socket is gone.
pub async fn drive<S: AsyncRead + AsyncWrite>(stream: S, link: &Link) {
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

#[cfg(test)]
mod tests {
    use steward_shared::wire::mux::{STREAMS, Side, Trust};
    use tokio::io::duplex;

    use super::*;

    const FULL: Trust = Trust { streams: STREAMS, window: 64 << 10 };

    #[tokio::test(start_paused = true)]
    async fn fault_t8_bytes_that_never_become_a_piece_are_no_sign_of_life() {
        let (ours, mut theirs) = duplex(1024);
        let link = Link::new(Side::Hub, FULL);
        let begun = Instant::now();
        let trickling = async {
            // A piece of eight kilobytes is announced, and comes byte by byte.
            let _ = theirs.write_all(&[0, 0, 0x20, 0]).await;
            while theirs.write_all(&[0]).await.is_ok() {
                sleep(Duration::from_secs(1)).await;
            }
        };
        tokio::join!(drive(ours, &link), trickling);
        assert!(matches!(link.closed(), Some(Closed::Idle)), "{:?}", link.closed());
        assert!(begun.elapsed() < IDLE + 3 * GOODBYE, "{:?}", begun.elapsed());
    }

    #[tokio::test(start_paused = true)]
    async fn the_last_word_goes_out_though_the_peer_still_talks() {
        let (ours, theirs) = duplex(64 << 10);
        let (link, peer) = (Link::new(Side::Hub, FULL), Link::new(Side::Gateway, FULL));
        let (writer, _reader) = peer.open(0).unwrap();
        let talking = async {
            let mut out = Out(writer);
            while out.write_all(&[1; 1000]).await.is_ok() {}
        };
        let closing = async {
            sleep(Duration::from_millis(10)).await;
            link.close(7, b"a lane is paused");
        };
        tokio::join!(drive(ours, &link), drive(theirs, &peer), talking, closing);
        assert!(
            matches!(peer.closed(), Some(Closed::Peer { code: 7, reason }) if reason == "a lane is paused"),
            "{:?}",
            peer.closed()
        );
    }

    #[tokio::test(start_paused = true)]
    async fn a_peer_that_takes_nothing_holds_no_connection_that_is_over() {
        let (ours, _theirs) = duplex(1024);
        let link = Link::new(Side::Gateway, FULL);
        let (writer, _reader) = link.open(0).unwrap();
        let begun = Instant::now();
        let writing = async {
            let mut out = Out(writer);
            let _ = out.write_all(&[1; 10_000]).await;
            link.close(0, b"");
        };
        tokio::join!(drive(ours, &link), writing);
        assert!(begun.elapsed() <= 3 * GOODBYE, "{:?}", begun.elapsed());
    }
}
