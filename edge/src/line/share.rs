//! One connection for several wires: each asks one question at a time, with deadlines and judgement of its own, and what
//! comes is handed to whoever asked (`protocols::modbus::share`). To a wire it is a stream like any. No task stands behind
//! it: whichever wire reads, reads for all of them.
//!
//! The connection is opened by the first wire that wants it, closed with the last, and given up for all when nothing comes
//! on it any more or what comes means nothing. A wire that gives its question up disturbs no other.

use std::collections::BTreeMap;
use std::io;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll, Wake, Waker, ready};

use steward_protocols::modbus::share::{Share, Slot};
use tokio::io::{AsyncRead, AsyncWrite, ReadBuf};

use super::dial::{Dial, Dialling, Stream};

/// Several frames at once.
const READ_AT_ONCE: usize = 2048;

/// The dial of a connection that is shared, and the connection.
pub struct Shared {
    dial: Arc<dyn Dial>,
    /// One at a time opens the connection.
    dialling: tokio::sync::Mutex<()>,
    line: Arc<Line>,
}

#[derive(Default)]
struct Line {
    state: Mutex<State>,
    /// Never locked while it is woken: whoever is woken may come back at once.
    waiting: Arc<Waiting>,
}

#[derive(Default)]
struct State {
    connection: Option<Connection>,
    /// What has come for each wire, also on a connection that is over.
    inboxes: BTreeMap<Slot, Vec<u8>>,
    opened: u64,
    slots: u64,
    /// Why the last connection ended.
    why: String,
    /// Bytes that nobody awaited, on the connections before.
    strange: u64,
    refused: bool,
}

struct Connection {
    no: u64,
    stream: Box<dyn Stream>,
    share: Share,
    /// How many wires use it.
    users: usize,
    /// What the connection has not taken yet.
    outbox: Vec<u8>,
}

/// The wires that wait for something to come.
#[derive(Default)]
struct Waiting(Mutex<BTreeMap<Slot, Waker>>);

impl Waiting {
    fn add(&self, slot: Slot, waker: &Waker) {
        self.lock().insert(slot, waker.clone());
    }

    fn remove(&self, slot: Slot) {
        self.lock().remove(&slot);
    }

    fn wake_all(&self) {
        let all = std::mem::take(&mut *self.lock());
        all.into_values().for_each(Waker::wake);
    }

    fn lock(&self) -> MutexGuard<'_, BTreeMap<Slot, Waker>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Wake for Waiting {
    fn wake(self: Arc<Self>) {
        self.wake_all();
    }
}

impl Line {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    /// The connection is over for everybody on it.
    fn end(&mut self, why: &str) {
        if let Some(gone) = self.connection.take() {
            self.strange += gone.share.strange();
            why.clone_into(&mut self.why);
        }
    }

    /// The same, by its other end. Where it was asked several things at once, that may have been why.
    fn ended_by_peer(&mut self, why: &str) {
        self.refused |= self.connection.as_ref().is_some_and(|c| c.share.asked() > 1);
        self.end(why);
    }

    fn of(&mut self, no: u64) -> io::Result<&mut Connection> {
        match &mut self.connection {
            Some(connection) if connection.no == no => Ok(connection),
            _ => Err(io::Error::new(io::ErrorKind::ConnectionReset, self.why.clone())),
        }
    }
}

impl Shared {
    pub fn new(dial: Arc<dyn Dial>) -> Self {
        Self { dial, dialling: tokio::sync::Mutex::default(), line: Arc::default() }
    }

    pub fn is_open(&self) -> bool {
        self.line.lock().connection.is_some()
    }

    /// Bytes of frames that nobody awaited, since the beginning.
    pub fn strange_bytes(&self) -> u64 {
        let state = self.line.lock();
        state.strange + state.connection.as_ref().map_or(0, |c| c.share.strange())
    }

    /// Whether the other end has closed the connection while it was asked several things at once; told once.
    pub fn was_refused(&self) -> bool {
        std::mem::take(&mut self.line.lock().refused)
    }

    /// Gives the connection up for everybody.
    pub fn give_up(&self, why: &str) {
        self.line.lock().end(why);
        self.line.waiting.wake_all();
    }
}

impl Dial for Shared {
    fn dial(&self) -> Dialling<'_> {
        Box::pin(async move {
            let one = self.dialling.lock().await;
            if !self.is_open() {
                let stream = self.dial.dial().await?;
                let mut state = self.line.lock();
                state.opened += 1;
                state.connection = Some(Connection {
                    no: state.opened,
                    stream,
                    share: Share::default(),
                    users: 0,
                    outbox: Vec::new(),
                });
            }
            drop(one);
            let mut state = self.line.lock();
            let slot = Slot(state.slots);
            state.slots += 1;
            let connection = state.opened;
            state.of(connection)?.users += 1;
            state.inboxes.insert(slot, Vec::new());
            Ok(Box::new(Part { line: Arc::clone(&self.line), connection, slot }) as Box<dyn Stream>)
        })
    }

    fn target(&self) -> String {
        self.dial.target()
    }
}

/// One wire's part in a connection.
struct Part {
    line: Arc<Line>,
    connection: u64,
    slot: Slot,
}

impl Stream for Part {}

impl Connection {
    /// Hands on what it would not take before.
    fn flush(&mut self, cx: &mut Context<'_>) -> Poll<io::Result<()>> {
        while !self.outbox.is_empty() {
            let taken = ready!(Pin::new(&mut self.stream).poll_write(cx, &self.outbox))?;
            if taken == 0 {
                return Poll::Ready(Err(io::ErrorKind::WriteZero.into()));
            }
            self.outbox.drain(..taken);
        }
        Poll::Ready(Ok(()))
    }

    /// Reads once for everybody. An error is the end of the connection, and whether it came from its other end.
    fn read(
        &mut self,
        cx: &mut Context<'_>,
        inboxes: &mut BTreeMap<Slot, Vec<u8>>,
    ) -> Poll<Result<(), (bool, String)>> {
        let mut room = [0; READ_AT_ONCE];
        let mut read = ReadBuf::new(&mut room);
        if let Err(e) = ready!(Pin::new(&mut self.stream).poll_read(cx, &mut read)) {
            return Poll::Ready(Err((true, e.to_string())));
        }
        if read.filled().is_empty() {
            return Poll::Ready(Err((true, "closed by its other end".to_owned())));
        }
        let mut found = Vec::new();
        let heard = self.share.received(read.filled(), &mut found);
        for answer in found {
            if let Some(inbox) = inboxes.get_mut(&answer.slot) {
                inbox.extend(answer.frame);
            }
        }
        Poll::Ready(heard.map_err(|fault| (false, fault.to_string())))
    }
}

impl AsyncRead for Part {
    fn poll_read(self: Pin<&mut Self>, cx: &mut Context<'_>, buf: &mut ReadBuf<'_>) -> Poll<io::Result<()>> {
        let waker = Waker::from(Arc::clone(&self.line.waiting));
        let mut for_all = Context::from_waker(&waker);
        let mut state = self.line.lock();
        loop {
            if let Some(inbox) = state.inboxes.get_mut(&self.slot).filter(|inbox| !inbox.is_empty()) {
                let fits = inbox.len().min(buf.remaining());
                buf.put_slice(inbox.drain(..fits).as_slice());
                return Poll::Ready(Ok(()));
            }
            let State { connection, inboxes, why, .. } = &mut *state;
            let Some(connection) = connection.as_mut().filter(|c| c.no == self.connection) else {
                return Poll::Ready(Err(io::Error::new(io::ErrorKind::ConnectionReset, why.clone())));
            };
            self.line.waiting.add(self.slot, cx.waker());
            let flushed = connection.flush(&mut for_all);
            let read = match flushed {
                Poll::Ready(Err(e)) => Poll::Ready(Err((true, e.to_string()))),
                Poll::Ready(Ok(())) | Poll::Pending => connection.read(&mut for_all, inboxes),
            };
            match read {
                Poll::Pending => return Poll::Pending,
                Poll::Ready(Ok(())) => {}
                Poll::Ready(Err((true, why))) => state.ended_by_peer(&why),
                Poll::Ready(Err((false, why))) => state.end(&why),
            }
            // What came may be for others, and so may the end.
            self.line.waiting.wake_all();
        }
    }
}

impl AsyncWrite for Part {
    /// Takes a whole frame at once.
    fn poll_write(self: Pin<&mut Self>, _: &mut Context<'_>, frame: &[u8]) -> Poll<io::Result<usize>> {
        let waker = Waker::from(Arc::clone(&self.line.waiting));
        let mut for_all = Context::from_waker(&waker);
        let mut state = self.line.lock();
        let connection = state.of(self.connection)?;
        let mut own = frame.to_vec();
        if !connection.share.ask(self.slot, &mut own) {
            return Poll::Ready(Err(io::Error::new(io::ErrorKind::InvalidInput, "this is no whole frame")));
        }
        connection.outbox.extend(own);
        // What does not go out now goes out when something is read, or with the next frame.
        if let Poll::Ready(Err(e)) = connection.flush(&mut for_all) {
            state.ended_by_peer(&e.to_string());
            drop(state);
            self.line.waiting.wake_all();
            return Poll::Ready(Err(e));
        }
        Poll::Ready(Ok(frame.len()))
    }

    fn poll_flush(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }

    fn poll_shutdown(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

impl Drop for Part {
    fn drop(&mut self) {
        self.line.waiting.remove(self.slot);
        let mut state = self.line.lock();
        state.inboxes.remove(&self.slot);
        let Ok(connection) = state.of(self.connection) else { return };
        connection.users = connection.users.saturating_sub(1);
        if connection.share.forget(self.slot) || connection.users == 0 {
            state.end("nothing comes on it any more");
            drop(state);
            self.line.waiting.wake_all();
        }
    }
}
