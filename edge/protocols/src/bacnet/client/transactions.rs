//! Confirmed requests under way (ASHRAE 135, clause 5.4.4), for all devices of a network at once. The client puts
//! requests in and takes datagrams and outcomes out. An answer reaches only the request that it belongs to: by peer,
//! invoke id and service; an invoke id whose answer may still come is not used again.
//!
//! | state | left when | to |
//! |---|---|---|
//! | queued | the device and its router have room | awaiting (datagram sent) |
//! | queued | patience is over | done: `Expired` |
//! | awaiting | it was not sent, and patience is over | done: `Expired`; the invoke id rests |
//! | awaiting | answer | done |
//! | awaiting | first segment | assembling |
//! | awaiting | timeout, tries left | awaiting (datagram sent again) |
//! | awaiting | timeout | done: `NoReply`; the invoke id rests |
//! | assembling | last segment | done |
//! | assembling | nothing for four segment times | done: `Stalled`; aborted, the invoke id rests |

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::time::{Duration, Instant};

use super::assembly::{Assembly, Verdict};
use super::failure::Failure;
use super::gate::Gate;
use super::settings::{LinkAddress, Peer, Settings};
use crate::bacnet::apdu::{Apdu, abort, error_of};
use crate::bacnet::bvlc::Bvlc;
use crate::bacnet::npdu::Npdu;

/// Bytes for the network.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Datagram {
    pub to: LinkAddress,
    pub bytes: Vec<u8>,
}

impl Datagram {
    /// A message for all stations of our network.
    pub fn broadcast(to: LinkAddress, npdu: Vec<u8>) -> Self {
        let bytes = match to {
            LinkAddress::Ip(_) => Bvlc::Broadcast(&npdu).encode(),
            LinkAddress::Mstp(_) => npdu,
        };
        Self { to, bytes }
    }

    /// A message for one station.
    pub fn unicast(peer: Peer, expecting_reply: bool, apdu: Apdu<'_>) -> Self {
        let apdu = apdu.encode();
        let npdu = Npdu::to(peer.station, expecting_reply, &apdu).encode();
        let bytes = match peer.address {
            LinkAddress::Ip(_) => Bvlc::Unicast(&npdu).encode(),
            // The frame is made by whoever owns the line.
            LinkAddress::Mstp(_) => npdu,
        };
        Self { to: peer.address, bytes }
    }
}

/// The content of the answer; `None` is a plain acknowledgement.
pub type Outcome = Result<Option<Vec<u8>>, Failure>;

/// The shortest time for which an invoke id rests whose answer may still come.
const REST: Duration = Duration::from_secs(10);
/// Bytes of a confirmed request before its content.
const REQUEST_HEADER: usize = 4;

#[derive(Debug)]
enum State {
    Queued,
    /// `sent`: it is on its way. On a line of MS/TP it first waits for the token, and the device's time has not begun.
    Awaiting {
        tries: u8,
        sent: bool,
    },
    Assembling(Assembly),
}

#[derive(Debug)]
struct Transaction<O> {
    owner: O,
    peer: Peer,
    service: u8,
    data: Vec<u8>,
    invoke: u8,
    state: State,
    due: Instant,
}

#[derive(Debug, Default)]
struct Line {
    queue: VecDeque<u64>,
    flying: BTreeMap<u8, u64>,
    /// Invoke ids that rest, and until when; the oldest first.
    resting: VecDeque<(u8, Instant)>,
    next: u8,
}

impl Line {
    fn free_invoke(&mut self, now: Instant) -> Option<u8> {
        while self.resting.front().is_some_and(|(_, until)| *until <= now) {
            self.resting.pop_front();
        }
        let free = (0..=u8::MAX)
            .map(|i| self.next.wrapping_add(i))
            .find(|id| !self.flying.contains_key(id) && self.resting.iter().all(|(r, _)| r != id))?;
        self.next = free.wrapping_add(1);
        Some(free)
    }
}

#[derive(Debug)]
pub struct Transactions<O> {
    settings: Settings,
    lines: HashMap<Peer, Line>,
    gates: BTreeMap<LinkAddress, Gate>,
    all: HashMap<u64, Transaction<O>>,
    timers: BTreeSet<(Instant, u64)>,
    next: u64,
    out: VecDeque<Datagram>,
    done: VecDeque<(O, Peer, Outcome)>,
}

impl<O> Transactions<O> {
    pub fn new(settings: Settings) -> Self {
        Self {
            settings,
            lines: HashMap::new(),
            gates: BTreeMap::new(),
            all: HashMap::new(),
            timers: BTreeSet::new(),
            next: 0,
            out: VecDeque::new(),
            done: VecDeque::new(),
        }
    }

    pub fn datagram(&mut self) -> Option<Datagram> {
        self.out.pop_front()
    }

    pub fn done(&mut self) -> Option<(O, Peer, Outcome)> {
        self.done.pop_front()
    }

    pub fn deadline(&self) -> Option<Instant> {
        let gates = self.gates.values().filter_map(Gate::deadline);
        self.timers.first().map(|(due, _)| *due).into_iter().chain(gates).min()
    }

    /// Requests that are queued or under way.
    pub fn len(&self) -> usize {
        self.all.len()
    }

    pub fn begin(&mut self, peer: Peer, service: u8, data: Vec<u8>, max_apdu: u16, owner: O, now: Instant) {
        let line = self.lines.entry(peer).or_default();
        let refused = if data.len() + REQUEST_HEADER > usize::from(max_apdu) {
            Some(Failure::TooLong(max_apdu))
        } else if line.queue.len() >= self.settings.queue {
            Some(Failure::Busy)
        } else {
            None
        };
        if let Some(failure) = refused {
            self.done.push_back((owner, peer, Err(failure)));
            return;
        }
        let id = self.next;
        self.next += 1;
        line.queue.push_back(id);
        let due = now + self.settings.patience;
        let transaction = Transaction { owner, peer, service, data, invoke: 0, state: State::Queued, due };
        self.all.insert(id, transaction);
        self.timers.insert((due, id));
        self.start(peer, now);
    }

    /// Sends what the device and its router have room for.
    fn start(&mut self, peer: Peer, now: Instant) {
        if peer.station.is_some() {
            self.gates.entry(peer.address).or_default().wait(peer);
            self.start_behind(peer.address, now);
            return;
        }
        while self.send_next(peer, now) {}
    }

    /// Devices behind one router take turns.
    fn start_behind(&mut self, router: LinkAddress, now: Instant) {
        let settings = self.settings;
        loop {
            let Some(gate) = self.gates.get_mut(&router) else { return };
            let Some(peer) = gate.next(settings.in_flight_router, now) else { return };
            if !self.send_next(peer, now) {
                continue;
            }
            let waits = self.lines.get(&peer).is_some_and(|line| !line.queue.is_empty());
            if let Some(gate) = self.gates.get_mut(&router) {
                gate.entered(now + settings.router_gap);
                if waits {
                    gate.wait(peer);
                }
            }
        }
    }

    /// Sends the next request of one device, if it has one and may.
    fn send_next(&mut self, peer: Peer, now: Instant) -> bool {
        let routed = peer.station.is_some();
        let most = if routed { self.settings.in_flight_routed } else { self.settings.in_flight };
        let Some(line) = self.lines.get_mut(&peer) else { return false };
        if line.flying.len() >= most.max(1) || line.queue.is_empty() {
            return false;
        }
        let Some(invoke) = line.free_invoke(now) else { return false };
        let Some(id) = line.queue.pop_front() else { return false };
        line.flying.insert(invoke, id);
        if let Some(transaction) = self.all.get_mut(&id) {
            transaction.invoke = invoke;
            transaction.state = State::Awaiting { tries: 1, sent: false };
        }
        self.transmit(id, now);
        true
    }

    fn transmit(&mut self, id: u64, now: Instant) {
        let Settings { max_apdu, timeout, patience, .. } = self.settings;
        let Some(t) = self.all.get_mut(&id) else { return };
        let waits_for_token = matches!(t.peer.address, LinkAddress::Mstp(_));
        if let State::Awaiting { sent, .. } = &mut t.state {
            *sent = !waits_for_token;
        }
        let (invoke, service, data) = (t.invoke, t.service, t.data.as_slice());
        let request = Apdu::Confirmed { invoke, segment: None, takes: max_apdu, service, data };
        self.out.push_back(Datagram::unicast(t.peer, true, request));
        self.rearm(id, now + if waits_for_token { patience } else { timeout });
    }

    /// A request to this station has gone out on the line just now: the time of whoever is asked there begins.
    pub fn sent(&mut self, to: LinkAddress, now: Instant) {
        let there = self.lines.iter().filter(|(peer, _)| peer.address == to);
        let flying: Vec<u64> = there.flat_map(|(_, line)| line.flying.values().copied()).collect();
        for id in flying {
            let Some(transaction) = self.all.get_mut(&id) else { continue };
            if let State::Awaiting { sent: sent @ false, .. } = &mut transaction.state {
                *sent = true;
                self.rearm(id, now + self.settings.timeout);
            }
        }
    }

    fn rearm(&mut self, id: u64, due: Instant) {
        if let Some(transaction) = self.all.get_mut(&id) {
            self.timers.remove(&(transaction.due, id));
            transaction.due = due;
            self.timers.insert((due, id));
        }
    }

    /// `rest`: an answer to this invoke id may still come.
    fn finish(&mut self, id: u64, outcome: Outcome, rest: bool, now: Instant) {
        let Some(transaction) = self.all.remove(&id) else { return };
        self.timers.remove(&(transaction.due, id));
        let peer = transaction.peer;
        if let Some(line) = self.lines.get_mut(&peer) {
            if matches!(transaction.state, State::Queued) {
                line.queue.retain(|waiting| *waiting != id);
            } else {
                line.flying.remove(&transaction.invoke);
                if let Some(gate) = self.gates.get_mut(&peer.address).filter(|_| peer.station.is_some()) {
                    gate.left();
                }
                if rest {
                    let tries = u32::from(self.settings.retries) + 1;
                    let until = now + (self.settings.timeout * tries).max(REST);
                    line.resting.push_back((transaction.invoke, until));
                }
            }
        }
        self.done.push_back((transaction.owner, peer, outcome));
        self.start(peer, now);
    }

    /// A message from a device. Answers whether anybody was waiting for it.
    pub fn received(&mut self, peer: Peer, apdu: Apdu<'_>, now: Instant) -> bool {
        let (invoke, service) = match apdu {
            Apdu::SimpleAck { invoke, service }
            | Apdu::ComplexAck { invoke, service, .. }
            | Apdu::Error { invoke, service, .. } => (invoke, Some(service)),
            Apdu::Reject { invoke, .. } | Apdu::Abort { server: true, invoke, .. } => (invoke, None),
            _ => return false,
        };
        let Some(id) = self.lines.get(&peer).and_then(|line| line.flying.get(&invoke)).copied() else {
            return false;
        };
        let Some(transaction) = self.all.get(&id) else { return false };
        if service.is_some_and(|service| service != transaction.service) {
            return false;
        }
        // Each repetition of a request may be answered too.
        let again = matches!(transaction.state, State::Awaiting { tries, .. } if tries > 1);
        match apdu {
            Apdu::ComplexAck { segment: Some(segment), data, .. } => {
                self.segment(id, segment, data, now);
                return true;
            }
            Apdu::ComplexAck { data, .. } => self.finish(id, Ok(Some(data.to_vec())), again, now),
            Apdu::SimpleAck { .. } => self.finish(id, Ok(None), again, now),
            Apdu::Error { data, .. } => {
                let failure = error_of(data).map_or_else(Failure::BadReply, Failure::Refused);
                self.finish(id, Err(failure), again, now);
            }
            Apdu::Reject { reason, .. } => self.finish(id, Err(Failure::Rejected(reason)), again, now),
            Apdu::Abort { reason, .. } => self.finish(id, Err(Failure::Aborted(reason)), again, now),
            _ => return false,
        }
        true
    }

    fn segment(&mut self, id: u64, segment: crate::bacnet::apdu::Segment, data: &[u8], now: Instant) {
        let Settings { window, max_answer, .. } = self.settings;
        let Some(transaction) = self.all.get_mut(&id) else { return };
        let (peer, invoke) = (transaction.peer, transaction.invoke);
        let verdict = match &mut transaction.state {
            State::Assembling(assembly) => assembly.push(segment, data),
            State::Awaiting { .. } => {
                let Some((assembly, verdict)) = Assembly::begin(segment, data, window, max_answer) else {
                    return;
                };
                transaction.state = State::Assembling(assembly);
                verdict
            }
            State::Queued => return,
        };
        let State::Assembling(assembly) = &mut transaction.state else { return };
        let window = assembly.window();
        let ack = |negative, sequence| Apdu::SegmentAck { negative, server: false, invoke, sequence, window };
        match verdict {
            Verdict::Nothing => {}
            Verdict::Ack(sequence) => self.say(peer, ack(false, sequence)),
            Verdict::Nak(sequence) => self.say(peer, ack(true, sequence)),
            Verdict::Complete(sequence) => {
                let State::Assembling(assembly) =
                    std::mem::replace(&mut transaction.state, State::Awaiting { tries: 1, sent: true })
                else {
                    return;
                };
                self.say(peer, ack(false, sequence));
                // The device repeats its last window if this acknowledgement is lost.
                self.finish(id, Ok(Some(assembly.into_bytes())), true, now);
                return;
            }
            Verdict::TooMuch => {
                self.say(peer, Apdu::Abort { server: false, invoke, reason: abort::BUFFER_OVERFLOW });
                self.finish(id, Err(Failure::TooMuch(max_answer)), true, now);
                return;
            }
        }
        self.rearm(id, now + self.settings.segment_timeout * 4);
    }

    fn say(&mut self, peer: Peer, apdu: Apdu<'_>) {
        self.out.push_back(Datagram::unicast(peer, false, apdu));
    }

    /// What is due.
    pub fn poll(&mut self, now: Instant) {
        while let Some((due, id)) = self.timers.first().copied()
            && due <= now
        {
            self.overdue(id, now);
        }
        let routers: Vec<LinkAddress> = self
            .gates
            .iter()
            .filter(|(_, gate)| gate.deadline().is_some())
            .map(|(router, _)| *router)
            .collect();
        for router in routers {
            self.start_behind(router, now);
        }
    }

    fn overdue(&mut self, id: u64, now: Instant) {
        let most = self.settings.retries.saturating_add(1);
        let Some(transaction) = self.all.get_mut(&id) else { return };
        match &mut transaction.state {
            State::Queued => self.finish(id, Err(Failure::Expired), false, now),
            State::Awaiting { sent: false, .. } => self.finish(id, Err(Failure::Expired), true, now),
            State::Awaiting { tries, .. } if *tries < most => {
                *tries += 1;
                self.transmit(id, now);
            }
            State::Awaiting { tries, .. } => {
                let tries = *tries;
                self.finish(id, Err(Failure::NoReply(tries)), true, now);
            }
            State::Assembling(_) => {
                let (peer, invoke) = (transaction.peer, transaction.invoke);
                self.say(peer, Apdu::Abort { server: false, invoke, reason: abort::TSM_TIMEOUT });
                self.finish(id, Err(Failure::Stalled), true, now);
            }
        }
    }

    /// A router cannot pass anything on to a network: nobody there will answer.
    pub fn unreachable(&mut self, router: LinkAddress, network: u16, reason: u8, now: Instant) {
        let there =
            |peer: &Peer| peer.address == router && peer.station.is_some_and(|s| s.network == network);
        let lost: Vec<u64> = self.all.iter().filter(|(_, t)| there(&t.peer)).map(|(id, _)| *id).collect();
        for id in lost {
            self.finish(id, Err(Failure::NoRoute { network, reason }), true, now);
        }
    }

    /// A router asks for a pause, or ends it.
    pub fn pause(&mut self, router: LinkAddress, until: Option<Instant>) {
        if let Some(gate) = self.gates.get_mut(&router) {
            gate.pause(until);
        }
    }
}
