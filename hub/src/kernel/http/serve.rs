//! The web server: takes connections up to a bound, gives each request's head and each reader's pauses a deadline, and
//! lets what is under way finish when the program stops. Called by `app`.

use std::io::ErrorKind;
use std::net::SocketAddr;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::ConnectInfo;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt;

use super::progress::Progress;

/// What one connection may have read ahead, and the largest head of a request.
const READ_AHEAD: usize = 64 * 1024;
/// After an error of the socket on which connections come: of too many open files, for one.
const AGAIN: Duration = Duration::from_secs(1);

#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// Connections at once; who comes later waits for one to end. The unit's `LimitNOFILE` is larger.
    pub connections: usize,
    /// How long the head of a request may take; also how long a connection may lie idle between two.
    pub head: Duration,
    /// Who takes nothing of an answer for so long is left.
    pub taken_within: Duration,
}

impl Default for Limits {
    fn default() -> Self {
        Self { connections: 4096, head: Duration::from_secs(30), taken_within: Duration::from_mins(1) }
    }
}

/// Until the token is cancelled and the requests that are under way are answered.
pub async fn serve(listener: TcpListener, router: Router, limits: Limits, stopping: CancellationToken) {
    let room = Arc::new(Semaphore::new(limits.connections));
    let connections = TaskTracker::new();
    loop {
        let (stream, peer, permit) = tokio::select! {
            // Losing it is harmless: both waits in it are cancel safe.
            next = next(&listener, &room) => next,
            // Losing it is harmless: cancellation is remembered.
            () = stopping.cancelled() => break,
        };
        let (router, stopping) = (router.clone(), stopping.clone());
        connections.spawn(async move {
            answer(stream, peer, router, limits, stopping).await;
            drop(permit);
        });
    }
    drop(listener);
    connections.close();
    connections.wait().await;
}

/// The next connection, once there is room for it.
async fn next(
    listener: &TcpListener,
    room: &Arc<Semaphore>,
) -> (TcpStream, SocketAddr, OwnedSemaphorePermit) {
    let permit = Arc::clone(room).acquire_owned().await.expect("the semaphore is never closed");
    let mut is_told = false;
    loop {
        match listener.accept().await {
            Ok((stream, peer)) => return (stream, peer, permit),
            // It has gone away before it was taken.
            Err(e) if e.kind() == ErrorKind::ConnectionAborted => {}
            Err(e) => {
                if !std::mem::replace(&mut is_told, true) {
                    tracing::error!(
                        error = %e,
                        "no connection to the page can be taken; of too many open files LimitNOFILE is the limit"
                    );
                }
                sleep(AGAIN).await;
            }
        }
    }
}

async fn answer(
    stream: TcpStream,
    peer: SocketAddr,
    router: Router,
    limits: Limits,
    stopping: CancellationToken,
) {
    // Live values are small and must not wait for more of them.
    let _ = stream.set_nodelay(true);
    let service = service_fn(move |request: hyper::Request<hyper::body::Incoming>| {
        let mut request = request.map(Body::new);
        request.extensions_mut().insert(ConnectInfo(peer));
        router.clone().oneshot(request)
    });
    let mut connection = pin!(
        http1::Builder::new()
            .timer(TokioTimer::new())
            .header_read_timeout(limits.head)
            .max_buf_size(READ_AHEAD)
            .serve_connection(TokioIo::new(Progress::new(stream, limits.taken_within)), service)
    );
    let ended = tokio::select! {
        // Neither is lost: the connection is polled on below.
        ended = connection.as_mut() => ended,
        () = stopping.cancelled() => {
            connection.as_mut().graceful_shutdown();
            connection.await
        }
    };
    if let Err(e) = ended {
        tracing::debug!(error = %e, %peer, "a connection broke off");
    }
}

#[cfg(test)]
mod tests {
    use std::sync::atomic::{AtomicUsize, Ordering};

    use axum::routing::get;
    use tokio::io::{AsyncReadExt, AsyncWriteExt};

    use super::*;
    use crate::testing::eventually;

    const ASK: &[u8] = b"GET / HTTP/1.1\r\nhost: x\r\n\r\n";

    async fn started(
        router: Router,
        limits: Limits,
    ) -> (SocketAddr, CancellationToken, tokio::task::JoinHandle<()>) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let (address, stop) = (listener.local_addr().unwrap(), CancellationToken::new());
        (address, stop.clone(), tokio::spawn(serve(listener, router, limits, stop)))
    }

    async fn answer_of(stream: &mut TcpStream) -> String {
        let mut all = vec![0; 1000];
        let n = stream.read(&mut all).await.unwrap();
        String::from_utf8_lossy(&all[..n]).into_owned()
    }

    #[tokio::test(start_paused = true)]
    async fn a_head_that_never_ends_and_an_idle_connection_are_cut() {
        let (address, ..) =
            started(Router::new().route("/", get(|| async { "hello" })), Limits::default()).await;
        let mut slow = TcpStream::connect(address).await.unwrap();
        slow.write_all(b"GET / HTTP/1.1\r\nhost:").await.unwrap();
        let mut rest = Vec::new();
        slow.read_to_end(&mut rest).await.unwrap();
        assert!(rest.is_empty() || rest.starts_with(b"HTTP/1.1 408"), "{rest:?}");

        let mut idle = TcpStream::connect(address).await.unwrap();
        idle.write_all(ASK).await.unwrap();
        assert!(answer_of(&mut idle).await.ends_with("hello"));
        assert_eq!(idle.read_to_end(&mut rest).await.unwrap(), 0);
    }

    #[tokio::test(start_paused = true)]
    async fn who_asks_for_much_and_takes_nothing_is_left_and_makes_room() {
        let endless = get(|| async {
            let piece = || Ok::<_, std::io::Error>(axum::body::Bytes::from(vec![b' '; 64 * 1024]));
            Body::from_stream(futures_util::stream::repeat_with(piece))
        });
        let router = Router::new().route("/", get(|| async { "hello" })).route("/endless", endless);
        let (address, ..) = started(router, Limits { connections: 1, ..Limits::default() }).await;
        let mut stalled = TcpStream::connect(address).await.unwrap();
        stalled.write_all(b"GET /endless HTTP/1.1\r\nhost: x\r\n\r\n").await.unwrap();
        let mut next = TcpStream::connect(address).await.unwrap();
        next.write_all(ASK).await.unwrap();
        assert!(answer_of(&mut next).await.ends_with("hello"));
        assert!(answer_of(&mut stalled).await.starts_with("HTTP/1.1 200"));
    }

    #[tokio::test]
    async fn no_more_connections_than_there_is_room_for_are_served_at_once() {
        static INSIDE: AtomicUsize = AtomicUsize::new(0);
        static MOST: AtomicUsize = AtomicUsize::new(0);
        let go = Arc::new(Semaphore::new(0));
        let gate = Arc::clone(&go);
        let router = Router::new().route(
            "/",
            get(move || async move {
                MOST.fetch_max(INSIDE.fetch_add(1, Ordering::SeqCst) + 1, Ordering::SeqCst);
                gate.acquire().await.unwrap().forget();
                INSIDE.fetch_sub(1, Ordering::SeqCst);
                "done"
            }),
        );
        let (address, ..) = started(router, Limits { connections: 2, ..Limits::default() }).await;
        let crowd: Vec<_> = (0..10)
            .map(|_| {
                tokio::spawn(async move {
                    let mut stream = TcpStream::connect(address).await.unwrap();
                    stream.write_all(ASK).await.unwrap();
                    assert!(answer_of(&mut stream).await.ends_with("done"));
                })
            })
            .collect();
        eventually("two inside", async || INSIDE.load(Ordering::SeqCst) == 2).await;
        go.add_permits(crowd.len());
        for one in crowd {
            one.await.unwrap();
        }
        assert_eq!(MOST.load(Ordering::SeqCst), 2);
    }

    #[tokio::test]
    async fn what_is_under_way_is_answered_before_the_end() {
        let (inside, go) = (Arc::new(Semaphore::new(0)), Arc::new(Semaphore::new(0)));
        let (told, gate) = (Arc::clone(&inside), Arc::clone(&go));
        let router = Router::new().route(
            "/",
            get(move || async move {
                told.add_permits(1);
                gate.acquire().await.unwrap().forget();
                "done"
            }),
        );
        let (address, stop, serving) = started(router, Limits::default()).await;
        let mut stream = TcpStream::connect(address).await.unwrap();
        stream.write_all(ASK).await.unwrap();
        inside.acquire().await.unwrap().forget();
        stop.cancel();
        eventually("nobody new is taken", async || std::net::TcpStream::connect(address).is_err()).await;
        go.add_permits(1);
        assert!(answer_of(&mut stream).await.ends_with("done"));
        serving.await.unwrap();
    }
}
