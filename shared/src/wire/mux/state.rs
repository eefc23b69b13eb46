//! A connection of several streams. What comes is sorted to its stream, what goes is chosen anew for each load: answers
//! and grants first, then datagrams, then the streams by their priority. Nothing here waits; `link` hands out what does.

use std::collections::VecDeque;
use std::sync::Arc;
use std::task::{Context, Poll, Waker};

use super::closed::{Breach, Closed};
use super::piece::{HEADER, MAX_PIECE, Piece, STREAMS};
use super::stream::{INITIAL, Stream, wake};

/// Datagrams that wait to be sent; of more, the oldest give way.
const UNSENT_DATAGRAMS: usize = 16 << 10;
/// Datagrams that nobody has taken yet; of more, the oldest give way.
const UNREAD_DATAGRAMS: usize = 256 << 10;
/// The code of a close for a broken protocol, as the hub's.
const PROTOCOL: u32 = 2;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// Opens the streams.
    Gateway,
    Hub,
}

/// What a peer may use of this side's memory.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Trust {
    pub streams: usize,
    /// Bytes under way and unread, on each stream.
    pub window: u32,
}

impl Trust {
    /// As long as it is not known who it is: one stream, and what a small request takes.
    pub const STRANGER: Self = Self { streams: 1, window: INITIAL };
}

#[derive(Debug)]
pub struct State {
    side: Side,
    trust: Trust,
    streams: Vec<Stream>,
    /// How many of them the hub's side has taken.
    accepted: usize,
    /// The beginning of a piece.
    inbox: Vec<u8>,
    /// Pieces that came whole.
    heard: u64,
    ping_due: bool,
    pong_due: bool,
    unsent: Datagrams,
    unread: Datagrams,
    farewell: Option<(u32, Vec<u8>)>,
    closed: Option<Closed>,
    sender: Option<Waker>,
    accepter: Option<Waker>,
    listener: Option<Waker>,
    watchers: Vec<Waker>,
}

impl State {
    pub fn new(side: Side, trust: Trust) -> Self {
        Self {
            side,
            trust,
            streams: Vec::new(),
            accepted: 0,
            inbox: Vec::new(),
            heard: 0,
            ping_due: false,
            pong_due: false,
            unsent: Datagrams::new(UNSENT_DATAGRAMS),
            unread: Datagrams::new(UNREAD_DATAGRAMS),
            farewell: None,
            closed: None,
            sender: None,
            accepter: None,
            listener: None,
            watchers: Vec::new(),
        }
    }

    pub fn trust(&mut self, trust: Trust) {
        self.trust = trust;
        wake(&mut self.sender);
    }

    /// The next stream; none where all are in use or the connection is over.
    pub fn open(&mut self, priority: i32) -> Option<u8> {
        if self.side == Side::Hub || self.closed.is_some() || self.streams.len() >= STREAMS {
            return None;
        }
        let id = self.streams.len() as u8;
        self.streams.push(Stream::new(priority, false));
        Some(id)
    }

    /// The next stream that the gateway has opened.
    pub fn accept(&mut self, cx: &Context<'_>) -> Poll<Result<u8, Closed>> {
        if self.accepted < self.streams.len() {
            let id = self.accepted as u8;
            self.accepted += 1;
            return Poll::Ready(Ok(id));
        }
        if let Some(closed) = &self.closed {
            return Poll::Ready(Err(closed.clone()));
        }
        self.accepter = Some(cx.waker().clone());
        Poll::Pending
    }

    pub fn write(&mut self, id: u8, cx: &Context<'_>, bytes: &[u8]) -> Poll<Result<usize, Closed>> {
        let written = match (&self.closed, self.streams.get_mut(usize::from(id))) {
            (None, Some(stream)) => stream.write(cx, bytes),
            (closed, _) => return Poll::Ready(Err(closed.clone().unwrap_or(Closed::Here))),
        };
        if written.is_ready() {
            wake(&mut self.sender);
        }
        written.map(Ok)
    }

    pub fn drained(&mut self, id: u8, cx: &Context<'_>) -> Poll<Result<(), Closed>> {
        match (&self.closed, self.streams.get_mut(usize::from(id))) {
            (None, Some(stream)) => stream.drained(cx).map(Ok),
            (closed, _) => Poll::Ready(Err(closed.clone().unwrap_or(Closed::Here))),
        }
    }

    pub fn finish(&mut self, id: u8) {
        if let Some(stream) = self.streams.get_mut(usize::from(id)) {
            stream.finish();
            wake(&mut self.sender);
        }
    }

    /// What came before the end of the connection can still be read after it.
    pub fn read(&mut self, id: u8, cx: &Context<'_>, into: &mut [u8]) -> Poll<Result<usize, Closed>> {
        let Some(stream) = self.streams.get_mut(usize::from(id)) else {
            return Poll::Ready(Err(Closed::Here));
        };
        match (stream.read(cx, into), &self.closed) {
            (Poll::Ready(n), _) => {
                if stream.grant_due(self.trust.window).is_some() {
                    wake(&mut self.sender);
                }
                Poll::Ready(Ok(n))
            }
            (Poll::Pending, Some(closed)) => Poll::Ready(Err(closed.clone())),
            (Poll::Pending, None) => Poll::Pending,
        }
    }

    pub fn deafen(&mut self, id: u8) {
        if let Some(stream) = self.streams.get_mut(usize::from(id)) {
            stream.deafen();
        }
    }

    pub fn send_datagram(&mut self, bytes: Vec<u8>) {
        if self.closed.is_none() && (1..=MAX_PIECE).contains(&bytes.len()) {
            self.unsent.push(bytes);
            wake(&mut self.sender);
        }
    }

    pub fn datagram(&mut self, cx: &Context<'_>) -> Poll<Result<Vec<u8>, Closed>> {
        if let Some(bytes) = self.unread.pop() {
            return Poll::Ready(Ok(bytes));
        }
        if let Some(closed) = &self.closed {
            return Poll::Ready(Err(closed.clone()));
        }
        self.listener = Some(cx.waker().clone());
        Poll::Pending
    }

    /// Asks the peer for a sign of life.
    pub fn ping(&mut self) {
        self.ping_due = true;
        wake(&mut self.sender);
    }

    pub fn heard(&self) -> u64 {
        self.heard
    }

    pub fn is_closed(&self) -> Option<&Closed> {
        self.closed.as_ref()
    }

    /// Pending while the connection lives.
    pub fn until_closed(&mut self, cx: &Context<'_>) -> Poll<Closed> {
        if let Some(closed) = &self.closed {
            return Poll::Ready(closed.clone());
        }
        self.watchers.retain(|w| !w.will_wake(cx.waker()));
        self.watchers.push(cx.waker().clone());
        Poll::Pending
    }

    /// Ends it and tells the peer why, after what has left already. The first word holds.
    pub fn close(&mut self, code: u32, reason: &[u8]) {
        if self.closed.is_none() {
            self.farewell = Some((code, reason.to_vec()));
            self.end(Closed::Here);
        }
    }

    /// Ends it without a word: there is nobody to say it to.
    pub fn end(&mut self, closed: Closed) {
        if self.closed.is_some() {
            return;
        }
        self.closed = Some(closed);
        self.streams.iter_mut().for_each(Stream::wake);
        for waiting in [&mut self.sender, &mut self.accepter, &mut self.listener] {
            wake(waiting);
        }
        self.watchers.drain(..).for_each(Waker::wake);
    }

    /// What came from the peer, in any pieces. A breach ends the connection, and the peer is told.
    pub fn receive(&mut self, bytes: &[u8]) {
        if self.closed.is_some() {
            return;
        }
        self.inbox.extend_from_slice(bytes);
        let inbox = std::mem::take(&mut self.inbox);
        let mut rest = inbox.as_slice();
        let breach = loop {
            match Piece::read(rest) {
                Ok(Some((piece, length))) => {
                    self.heard += 1;
                    if let Err(breach) = self.take(piece) {
                        break Some(breach);
                    }
                    rest = rest.get(length..).unwrap_or_default();
                }
                Ok(None) => break None,
                Err(breach) => break Some(breach),
            }
        };
        self.inbox = rest.to_vec();
        if let Some(breach) = breach {
            self.farewell = Some((PROTOCOL, breach.to_string().into_bytes()));
            self.end(Closed::Breach(breach));
        }
        wake(&mut self.sender);
    }

    fn take(&mut self, piece: Piece<'_>) -> Result<(), Breach> {
        match piece {
            Piece::Data(id, bytes) => self.of_peer(id)?.receive(id, bytes)?,
            Piece::End(id) => self.of_peer(id)?.end(id)?,
            Piece::Room(id, more) => {
                let stream = self.streams.get_mut(usize::from(id));
                stream.ok_or(Breach::Stream(id))?.more_room(id, more)?;
            }
            Piece::Ping => self.pong_due = true,
            Piece::Pong => {}
            Piece::Datagram(bytes) => {
                self.unread.push(bytes.to_vec());
                wake(&mut self.listener);
            }
            Piece::Close(code, reason) => {
                let reason = String::from_utf8_lossy(reason).into_owned();
                self.end(Closed::Peer { code, reason });
            }
        }
        Ok(())
    }

    /// A stream that the peer sends on: at the hub's side it is opened by that, and with it those before it, which were
    /// less urgent (as RFC 9000, 3.2).
    fn of_peer(&mut self, id: u8) -> Result<&mut Stream, Breach> {
        let place = usize::from(id);
        let may_open = self.side == Side::Hub && place < self.trust.streams.min(STREAMS);
        if place >= self.streams.len() && may_open {
            self.streams.resize_with(place + 1, || Stream::new(0, true));
            wake(&mut self.accepter);
        }
        self.streams.get_mut(place).ok_or(Breach::Stream(id))
    }

    /// What goes next, the most urgent first: nothing where there is nothing to say. `last` after the farewell.
    pub fn send(&mut self) -> (Vec<u8>, bool) {
        let mut out = Vec::new();
        if self.closed.is_some() {
            if let Some((code, reason)) = self.farewell.take() {
                Piece::Close(code, &reason).write(&mut out);
            }
            return (out, true);
        }
        if std::mem::take(&mut self.ping_due) {
            Piece::Ping.write(&mut out);
        }
        if std::mem::take(&mut self.pong_due) {
            Piece::Pong.write(&mut out);
        }
        for (id, stream) in (0..).zip(&mut self.streams) {
            if let Some(more) = stream.grant_due(self.trust.window) {
                stream.grant(more);
                Piece::Room(id, more).write(&mut out);
            }
        }
        while out.len() < MAX_PIECE
            && let Some(bytes) = self.unsent.pop()
        {
            Piece::Datagram(&bytes).write(&mut out);
        }
        while out.len() + HEADER < MAX_PIECE
            && let Some((id, stream)) = self.most_urgent()
        {
            let bytes = stream.send(MAX_PIECE - HEADER);
            if !bytes.is_empty() {
                Piece::Data(id, &bytes).write(&mut out);
            }
            if stream.end_is_due() {
                Piece::End(id).write(&mut out);
            }
        }
        (out, false)
    }

    fn most_urgent(&mut self) -> Option<(u8, &mut Stream)> {
        let all = (0..).zip(&mut self.streams);
        all.filter(|(_, s)| s.can_send() > 0 || s.has_end_to_send()).max_by_key(|(_, s)| s.priority)
    }

    pub fn wait_to_send(&mut self, cx: &Context<'_>) {
        self.sender = Some(cx.waker().clone());
    }
}

/// A peer that has gone leaves nothing that waits for it.
impl From<std::io::Error> for Closed {
    fn from(e: std::io::Error) -> Self {
        Self::Lost(Arc::new(e))
    }
}

/// Small messages without a promise, of which only the newest are of interest.
#[derive(Debug)]
struct Datagrams {
    held: VecDeque<Vec<u8>>,
    bytes: usize,
    most: usize,
}

impl Datagrams {
    fn new(most: usize) -> Self {
        Self { held: VecDeque::new(), bytes: 0, most }
    }

    fn push(&mut self, datagram: Vec<u8>) {
        self.bytes += datagram.len();
        self.held.push_back(datagram);
        while self.bytes > self.most {
            self.pop();
        }
    }

    fn pop(&mut self) -> Option<Vec<u8>> {
        let first = self.held.pop_front()?;
        self.bytes -= first.len();
        Some(first)
    }
}
