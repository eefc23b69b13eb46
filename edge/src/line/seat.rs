//! The place of a line whose other end dials in: the newest connection that said it was the line's modem. The gate brings
//! connections, the line's owner takes them like any wire that it dials. A line has one connection: a newer one takes the
//! place of the old, because a modem that lost its network does not say good-bye.

use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::task::{Context, Poll};
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::time::timeout;
use tokio_util::sync::{CancellationToken, WaitForCancellationFutureOwned};

use super::dial::{Dial, Dialling, Stream};

/// The owner waits so long for a connection before it says that there is none.
const PATIENCE: Duration = Duration::from_secs(5);
/// Shorter ones are not looked for behind an answer: a check sum may be the same by chance.
const NO_CHANCE: usize = 4;

/// A connection whose other end has said who it is.
pub struct Caller {
    stream: TcpStream,
    /// What is to be passed over: heartbeats, and the registration said again.
    ignored: Vec<Vec<u8>>,
    /// What came and is not judged yet, or not taken.
    held: Vec<u8>,
    /// Whether what is held is judged.
    is_judged: bool,
    /// Whether an answer has begun since the last question.
    began: bool,
    replaced: Pin<Box<WaitForCancellationFutureOwned>>,
    _alive: Arc<()>,
}

/// Where the newest connection waits for the line's owner.
#[derive(Default)]
pub struct Seat {
    state: Mutex<State>,
    came: Notify,
    /// What a dial is told when there is nobody.
    pub described: String,
}

#[derive(Default)]
struct State {
    waiting: Option<Caller>,
    /// What ends the newest connection, and whether it is still in use.
    newest: Option<(CancellationToken, Weak<()>)>,
    /// Why nobody can come.
    fault: Option<String>,
}

impl Seat {
    pub fn new(described: String) -> Self {
        Self { described, ..Self::default() }
    }

    /// A connection has come; `held` are bytes that followed its registration. True when another had to give way.
    pub fn come(&self, stream: TcpStream, ignored: Vec<Vec<u8>>, held: Vec<u8>) -> bool {
        let (token, alive) = (CancellationToken::new(), Arc::new(()));
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let former = state.newest.replace((token.clone(), Arc::downgrade(&alive)));
        let gave_way = former.is_some_and(|(former, alive)| {
            former.cancel();
            alive.strong_count() > 0
        });
        let replaced = Box::pin(token.cancelled_owned());
        let (is_judged, began) = (false, false);
        state.waiting = Some(Caller { stream, ignored, held, is_judged, began, replaced, _alive: alive });
        drop(state);
        self.came.notify_one();
        gave_way
    }

    /// Nobody can come, for this reason; or somebody can again.
    pub fn is_closed(&self, fault: Option<String>) {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).fault = fault;
    }

    fn take(&self) -> Option<Caller> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).waiting.take()
    }

    fn nobody(&self) -> io::Error {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        let why =
            state.fault.clone().unwrap_or_else(|| format!("nobody has dialled in on {}", self.described));
        io::Error::new(io::ErrorKind::TimedOut, why)
    }
}

impl Dial for Seat {
    fn dial(&self) -> Dialling<'_> {
        Box::pin(async move {
            let come = async {
                loop {
                    if let Some(caller) = self.take() {
                        return caller;
                    }
                    self.came.notified().await;
                }
            };
            let caller = timeout(PATIENCE, come).await.map_err(|_| self.nobody())?;
            Ok(Box::new(caller) as Box<dyn Stream>)
        })
    }

    fn target(&self) -> String {
        self.described.clone()
    }
}

impl Stream for Caller {}

impl Caller {
    /// Takes out of what is held whatever is to be passed over. False when more must come before that can be said.
    fn judge(&mut self) -> bool {
        while !self.began {
            let Some(len) = self.ignored.iter().find(|i| self.begins_with(i)).map(Vec::len) else { break };
            self.held.drain(..len);
        }
        let may_become = |i: &Vec<u8>| i.len() > self.held.len() && i.starts_with(&self.held);
        if !self.began && !self.held.is_empty() && self.ignored.iter().any(may_become) {
            return false;
        }
        while let Some(len) =
            self.ignored.iter().find(|i| i.len() >= NO_CHANCE && self.held.ends_with(i)).map(Vec::len)
        {
            self.held.truncate(self.held.len() - len);
        }
        self.began |= !self.held.is_empty();
        true
    }

    /// One byte is a heartbeat only where nothing follows: it may be the beginning of an answer.
    fn begins_with(&self, ignored: &[u8]) -> bool {
        match ignored {
            [] => false,
            [one] => self.held.iter().all(|byte| byte == one) && !self.held.is_empty(),
            more => self.held.starts_with(more),
        }
    }
}

impl AsyncRead for Caller {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let caller = self.get_mut();
        if caller.replaced.as_mut().poll(cx).is_ready() {
            let why = "a newer connection of the same modem has taken its place";
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::ConnectionAborted, why)));
        }
        loop {
            if !caller.is_judged && !caller.held.is_empty() {
                caller.is_judged = caller.judge();
            }
            if caller.is_judged && !caller.held.is_empty() {
                let fits = caller.held.len().min(buf.remaining());
                buf.put_slice(caller.held.drain(..fits).as_slice());
                return Poll::Ready(Ok(()));
            }
            let mut room = [0; 600];
            let mut read = ReadBuf::new(&mut room);
            std::task::ready!(Pin::new(&mut caller.stream).poll_read(cx, &mut read))?;
            if read.filled().is_empty() {
                return Poll::Ready(Ok(()));
            }
            caller.held.extend_from_slice(read.filled());
            caller.is_judged = false;
        }
    }
}

impl AsyncWrite for Caller {
    fn poll_write(self: Pin<&mut Self>, cx: &mut Context<'_>, bytes: &[u8]) -> Poll<io::Result<usize>> {
        let caller = self.get_mut();
        caller.began = false;
        Pin::new(&mut caller.stream).poll_write(cx, bytes)
    }

    fn poll_flush(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_flush(cx)
    }

    fn poll_shutdown(self: Pin<&mut Self>, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        Pin::new(&mut self.get_mut().stream).poll_shutdown(cx)
    }
}

#[cfg(test)]
mod tests {
    use tokio::io::{AsyncReadExt, AsyncWriteExt};
    use tokio::net::TcpListener;

    use super::*;

    async fn pair() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let near = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        (near, listener.accept().await.unwrap().0)
    }

    /// What the owner reads of what a modem says, each in a segment of its own, with these heartbeats.
    async fn heard(ignored: &[&[u8]], said: &[&[u8]]) -> Vec<u8> {
        let (mut modem, ours) = pair().await;
        let seat = Seat::default();
        seat.come(ours, ignored.iter().map(|i| i.to_vec()).collect(), Vec::new());
        let mut wire = seat.dial().await.unwrap();
        let mut all = Vec::new();
        for part in said {
            modem.write_all(part).await.unwrap();
            let mut some = [0; 600];
            // Nothing is heard of what is passed over.
            if let Ok(Ok(n)) = timeout(Duration::from_millis(60), wire.read(&mut some)).await {
                all.extend_from_slice(&some[..n]);
            }
        }
        all
    }

    const ANSWER: &[u8] = &[1, 3, 2, 0, 5, 0x78, 0x47];

    #[tokio::test]
    async fn heartbeats_are_passed_over_wherever_they_stand_and_answers_are_not() {
        let ping: &[u8] = b"ping";
        assert_eq!(heard(&[ping], &[ping, ping, ANSWER, ping]).await, ANSWER);
        assert_eq!(heard(&[ping], &[&[ping, ping, ANSWER, ping].concat()]).await, ANSWER);
        assert_eq!(heard(&[ping], &[b"pi", b"ng", ANSWER]).await, ANSWER, "cut in two");
        assert_eq!(heard(&[ping], &[b"pi", ANSWER]).await, [b"pi", ANSWER].concat(), "it was none");
        assert_eq!(heard(&[ping, b"EAST"], &[b"EASTping", ANSWER]).await, ANSWER, "it registers again");
        assert_eq!(heard(&[&[1]], &[&[1], &[1, 1], ANSWER]).await, ANSWER, "one byte is no answer");
        assert_eq!(heard(&[&[0x78, 0x47]], &[ANSWER]).await, ANSWER, "a check sum is no heartbeat");
        assert_eq!(heard(&[], &[ANSWER, ping]).await, [ANSWER, ping].concat());
    }

    #[tokio::test]
    async fn a_newer_connection_takes_the_place_of_the_old() {
        let seat = Seat::new("0.0.0.0:5020".to_owned());
        let (_first, ours) = pair().await;
        assert!(!seat.come(ours, Vec::new(), Vec::new()));
        let mut old = seat.dial().await.unwrap();
        let (mut second, ours) = pair().await;
        assert!(seat.come(ours, Vec::new(), b"x".to_vec()), "the first was still in use");
        let error = old.read(&mut [0; 9]).await.unwrap_err();
        assert!(error.to_string().contains("newer connection"), "{error}");
        drop(old);
        let mut new = seat.dial().await.unwrap();
        second.write_all(b"y").await.unwrap();
        let mut both = [0; 2];
        new.read_exact(&mut both).await.unwrap();
        assert_eq!(&both, b"xy", "what followed the registration comes first");
        drop(new);
        let (_third, ours) = pair().await;
        assert!(!seat.come(ours, Vec::new(), Vec::new()), "nobody had to give way");
    }

    #[tokio::test(start_paused = true)]
    async fn where_nobody_dials_in_that_is_what_is_told() {
        let seat = Seat::new("0.0.0.0:5020 as EAST".to_owned());
        let error = seat.dial().await.err().unwrap();
        assert_eq!(error.to_string(), "nobody has dialled in on 0.0.0.0:5020 as EAST");
        seat.is_closed(Some("the port is taken".to_owned()));
        assert_eq!(seat.dial().await.err().unwrap().to_string(), "the port is taken");
    }
}
