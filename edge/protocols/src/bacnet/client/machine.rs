//! The client of one BACnet network, without I/O: datagrams and requests go in, datagrams, outcomes and events come
//! out. Its owner hands in each instant, sends what `datagram` gives, looks at `event`, and calls `poll` at the beginning
//! and at each `deadline`.
//! Nothing that comes from the network makes it panic, wait or grow beyond its settings.

use core::net::SocketAddrV4;
use std::collections::{HashMap, VecDeque};
use std::time::Instant;

use super::abilities::Abilities;
use super::devices::{Device, Devices, Heard};
use super::failure::Failure;
use super::reading::{Job, Piece, Reading};
use super::registration::{Registration, Standing};
use super::routers::{Claim, Routers};
use super::settings::{LinkAddress, Peer, Settings};
use super::subscriptions::{Due, Loss, Subscriptions, Wanted};
use super::transactions::{Datagram, Outcome, Transactions};
use crate::bacnet::apdu::{Apdu, abort, reject};
use crate::bacnet::bvlc::Bvlc;
use crate::bacnet::notice::{CovNotice, EventNotice, IAm, who_is};
use crate::bacnet::npdu::{Body, Npdu, Station};
use crate::bacnet::object::PropertyRef;
use crate::bacnet::service::{Answer, Request, confirmed, unconfirmed};
use crate::bacnet::tag::Fault;
use crate::bacnet::value::Value;

/// For how long a busy router is left alone (clause 6.6.4).
const ROUTER_PAUSE: std::time::Duration = std::time::Duration::from_secs(30);

/// The name of something that was asked, in the events about it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Ticket(pub u64);

/// What has happened.
#[derive(Clone, Debug, PartialEq)]
pub enum Event {
    /// The end of `ask`.
    Answered { ticket: Ticket, outcome: Result<Answer, Failure> },
    /// The end of `read`.
    Read { ticket: Ticket, readings: Vec<(PropertyRef, Reading)> },
    /// A device introduced itself for the first time, or otherwise than before.
    Device { peer: Peer, introduction: IAm },
    /// Somebody else claims the number of a known device, which stays where it is.
    DeviceConflict { instance: u32, known: Peer, other: Peer },
    /// A router leads to a network that was not known.
    Router { router: LinkAddress, network: u16 },
    /// Two routers lead to one network: the first is used.
    RouterConflict { network: u16, known: LinkAddress, other: LinkAddress },
    /// A value that was subscribed to.
    Changed { subscription: u32, notice: CovNotice },
    /// Notices of this subscription come (again).
    SubscriptionLive { subscription: u32 },
    /// Notices of this subscription are not to be relied on: ask for the values.
    SubscriptionLost { subscription: u32, loss: Loss },
    /// A device tells of an alarm or another event.
    Notice { peer: Peer, notice: Box<EventNotice> },
    /// What the BBMD makes of us.
    Registration(Standing),
}

/// What of the network's talk was not understood or not wanted, since the beginning.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Strays {
    /// Datagrams that are no BACnet, or damaged.
    pub malformed: u64,
    /// Answers that nobody waited for.
    pub unasked: u64,
}

#[derive(Debug)]
enum Owner {
    Ask(Ticket, Request),
    Read(Ticket, Piece),
    Subscription(u32),
    /// Whatever comes of it.
    Nobody,
}

#[derive(Debug)]
pub struct Client {
    settings: Settings,
    transactions: Transactions<Owner>,
    jobs: HashMap<Ticket, (Peer, Job)>,
    abilities: HashMap<Peer, Abilities>,
    devices: Devices,
    routers: Routers,
    subscriptions: Subscriptions,
    registration: Option<Registration>,
    out: VecDeque<Datagram>,
    events: VecDeque<Event>,
    strays: Strays,
    next: u64,
}

impl Client {
    pub fn new(settings: Settings) -> Self {
        Self {
            settings,
            transactions: Transactions::new(settings),
            jobs: HashMap::new(),
            abilities: HashMap::new(),
            devices: Devices::new(settings.max_devices, settings.strangers),
            routers: Routers::default(),
            subscriptions: Subscriptions::default(),
            registration: settings.foreign.map(|foreign| Registration::new(foreign, settings.timeout)),
            out: VecDeque::new(),
            events: VecDeque::new(),
            strays: Strays::default(),
            next: 0,
        }
    }

    pub const fn settings(&self) -> &Settings {
        &self.settings
    }

    pub const fn strays(&self) -> Strays {
        self.strays
    }

    pub const fn devices(&self) -> &Devices {
        &self.devices
    }

    pub fn device(&self, instance: u32) -> Option<&Device> {
        self.devices.get(instance)
    }

    pub const fn routers(&self) -> &Routers {
        &self.routers
    }

    /// What is known of a device's abilities.
    pub fn abilities(&self, peer: Peer) -> Abilities {
        self.abilities.get(&peer).copied().unwrap_or_default()
    }

    /// Requests that are queued or under way.
    pub fn under_way(&self) -> usize {
        self.transactions.len()
    }

    pub fn datagram(&mut self) -> Option<Datagram> {
        self.out.pop_front().or_else(|| self.transactions.datagram())
    }

    pub fn event(&mut self) -> Option<Event> {
        self.events.pop_front()
    }

    /// When `poll` is to be called, at the latest.
    pub fn deadline(&self) -> Option<Instant> {
        let registration = self.registration.as_ref().and_then(Registration::deadline);
        [self.transactions.deadline(), self.subscriptions.deadline(), registration]
            .into_iter()
            .flatten()
            .min()
    }

    fn ticket(&mut self) -> Ticket {
        self.next += 1;
        Ticket(self.next)
    }

    /// Puts one request to a device; its end is an `Answered` event.
    pub fn ask(&mut self, peer: Peer, request: Request, now: Instant) -> Ticket {
        let ticket = self.ticket();
        self.begin(peer, request.wire(), Owner::Ask(ticket, request), now);
        self.settle(now);
        ticket
    }

    /// Reads properties of a device as well as it can; its end is a `Read` event.
    pub fn read(&mut self, peer: Peer, targets: Vec<PropertyRef>, now: Instant) -> Ticket {
        let ticket = self.ticket();
        let job = Job::new(targets, &self.abilities(peer));
        self.jobs.insert(ticket, (peer, job));
        self.advance(ticket, now);
        self.settle(now);
        ticket
    }

    /// Subscribes to changes of an object's value until `unsubscribe`.
    pub fn subscribe(&mut self, wanted: Wanted, now: Instant) -> u32 {
        let subscription = self.subscriptions.add(wanted, now);
        self.poll(now);
        subscription
    }

    pub fn unsubscribe(&mut self, subscription: u32, now: Instant) {
        if let Some(wanted) = self.subscriptions.remove(subscription) {
            self.begin(wanted.peer, wanted.cancellation(subscription).wire(), Owner::Nobody, now);
            self.settle(now);
        }
    }

    /// Asks everybody, or the instances of a range, to introduce themselves.
    pub fn who_is(&mut self, range: Option<(u32, u32)>) {
        let content = who_is(range);
        let apdu = Apdu::Unconfirmed { service: unconfirmed::WHO_IS, data: &content }.encode();
        let npdu = Npdu::to(Some(Station::EVERYBODY), false, &apdu).encode();
        self.broadcast(npdu);
    }

    /// Asks one station to introduce itself.
    pub fn who_is_at(&mut self, peer: Peer) {
        let request = Apdu::Unconfirmed { service: unconfirmed::WHO_IS, data: &[] };
        self.out.push_back(Datagram::unicast(peer, false, request));
    }

    /// Asks which router leads to a network, or to which networks the routers lead.
    pub fn who_is_router(&mut self, network: Option<u16>) {
        self.broadcast(Npdu::message(Body::WhoIsRouter(network)).encode());
    }

    /// The I-Am of this device is heard whatever the crowd.
    pub fn want(&mut self, instance: u32) {
        self.devices.want(instance);
    }

    /// Gives up where a device is; the next that introduces itself under this number is it.
    pub fn forget(&mut self, instance: u32) {
        self.devices.forget(instance);
    }

    fn broadcast(&mut self, npdu: Vec<u8>) {
        let datagram = match &mut self.registration {
            Some(registration) => registration.broadcast(npdu),
            None => Some(Datagram::broadcast(self.settings.broadcast, npdu)),
        };
        self.out.extend(datagram);
    }

    fn begin(&mut self, peer: Peer, (service, data): (u8, Vec<u8>), owner: Owner, now: Instant) {
        let max_apdu = self.abilities(peer).max_apdu;
        self.transactions.begin(peer, service, data, max_apdu, owner, now);
    }

    /// Goes on with a job: asks for its next pieces, or tells its end.
    fn advance(&mut self, ticket: Ticket, now: Instant) {
        let Some((peer, job)) = self.jobs.get_mut(&ticket) else { return };
        let peer = *peer;
        let abilities = self.abilities.entry(peer).or_default();
        let routed = peer.station.is_some();
        let most = if routed { self.settings.in_flight_routed } else { self.settings.in_flight };
        let mut pieces = Vec::new();
        while let Some(piece) = job.next(most, abilities) {
            pieces.push(piece);
        }
        let over = pieces.is_empty() && job.is_over();
        for piece in pieces {
            self.begin(peer, piece.request.wire(), Owner::Read(ticket, piece), now);
        }
        if over && let Some((_, job)) = self.jobs.remove(&ticket) {
            self.events.push_back(Event::Read { ticket, readings: job.into_readings() });
        }
    }

    /// Hands on what has come of requests, until nothing more comes of that.
    fn settle(&mut self, now: Instant) {
        while let Some((owner, peer, outcome)) = self.transactions.done() {
            match owner {
                Owner::Ask(ticket, request) => {
                    let outcome = understood(&request, outcome);
                    self.events.push_back(Event::Answered { ticket, outcome });
                }
                Owner::Read(ticket, piece) => {
                    let outcome = understood(&piece.request, outcome);
                    if let Some((_, job)) = self.jobs.get_mut(&ticket) {
                        job.answered(piece, outcome, self.abilities.entry(peer).or_default());
                    }
                    self.advance(ticket, now);
                }
                Owner::Subscription(subscription) => {
                    if let Some(loss) = self.subscriptions.asked(subscription, outcome.map(|_| ()), now) {
                        self.events.push_back(Event::SubscriptionLost { subscription, loss });
                    }
                }
                Owner::Nobody => {}
            }
        }
    }

    /// Does what is due.
    pub fn poll(&mut self, now: Instant) {
        self.transactions.poll(now);
        self.settle(now);
        while let Some(due) = self.subscriptions.poll(now) {
            match due {
                Due::Ask(subscription, wanted) => {
                    let request = wanted.request(subscription);
                    self.begin(wanted.peer, request.wire(), Owner::Subscription(subscription), now);
                    self.settle(now);
                }
                Due::Lost(subscription, loss) => {
                    self.events.push_back(Event::SubscriptionLost { subscription, loss });
                }
            }
        }
        if let Some(registration) = &mut self.registration {
            let (datagram, standing) = registration.poll(now);
            self.out.extend(datagram);
            self.events.extend(standing.map(Event::Registration));
        }
    }

    /// A request of ours to this station has left a line of MS/TP, where it had waited for the token.
    pub fn sent(&mut self, to: LinkAddress, now: Instant) {
        self.transactions.sent(to, now);
    }

    /// A datagram of BACnet/IP came, or from a line of MS/TP a message for us alone.
    pub fn received(&mut self, from: impl Into<LinkAddress>, datagram: &[u8], now: Instant) {
        let taken = match from.into() {
            LinkAddress::Ip(from) => self.take(from, datagram, now),
            from @ LinkAddress::Mstp(_) => self.npdu(from, datagram, false, now),
        };
        self.strays.malformed += u64::from(taken.is_err());
        self.settle(now);
    }

    /// From a line of MS/TP a message for all came.
    pub fn received_by_all(&mut self, from: LinkAddress, npdu: &[u8], now: Instant) {
        let taken = self.npdu(from, npdu, true, now);
        self.strays.malformed += u64::from(taken.is_err());
        self.settle(now);
    }

    fn take(&mut self, from: SocketAddrV4, datagram: &[u8], now: Instant) -> Result<(), Fault> {
        let (address, npdu, to_all) = match Bvlc::decode(datagram)? {
            Bvlc::Unicast(npdu) => (from, npdu, false),
            Bvlc::Broadcast(npdu) => (from, npdu, true),
            Bvlc::Forwarded { originator, npdu } => (originator, npdu, true),
            Bvlc::Result(code) => {
                self.result(from, code, now);
                return Ok(());
            }
            Bvlc::RegisterForeignDevice { .. } | Bvlc::DistributeBroadcast(_) | Bvlc::Other(_) => {
                return Ok(());
            }
        };
        self.npdu(address.into(), npdu, to_all, now)
    }

    fn npdu(&mut self, address: LinkAddress, npdu: &[u8], to_all: bool, now: Instant) -> Result<(), Fault> {
        let npdu = Npdu::decode(npdu)?;
        let peer = Peer { address, station: npdu.source };
        match npdu.body {
            // Not for us: for a network behind us, and we are no router.
            Body::Apdu(_) if npdu.destination.is_some_and(|d| d.network != u16::MAX) => Ok(()),
            Body::Apdu(apdu) => self.message(peer, Apdu::decode(apdu)?, to_all, now),
            Body::IAmRouter(networks) => {
                for network in networks {
                    self.router(address, network);
                }
                Ok(())
            }
            Body::Rejected { reason, network } => {
                self.transactions.unreachable(address, network, reason, now);
                Ok(())
            }
            Body::Busy { busy, .. } => {
                self.transactions.pause(address, busy.then(|| now + ROUTER_PAUSE));
                Ok(())
            }
            Body::WhoIsRouter(_) | Body::Other(_) => Ok(()),
        }
    }

    fn result(&mut self, from: SocketAddrV4, code: u16, now: Instant) {
        let Some(registration) = &mut self.registration else { return };
        if registration.foreign().bbmd != from {
            return;
        }
        let (datagrams, standing) = registration.result(code, now);
        self.out.extend(datagrams);
        self.events.extend(standing.map(Event::Registration));
    }

    fn router(&mut self, router: LinkAddress, network: u16) {
        match self.routers.heard(router, network) {
            Claim::Known => {}
            Claim::New => self.events.push_back(Event::Router { router, network }),
            Claim::Conflict { known } => {
                self.events.push_back(Event::RouterConflict { network, known, other: router });
            }
        }
    }

    fn message(&mut self, peer: Peer, apdu: Apdu<'_>, to_all: bool, now: Instant) -> Result<(), Fault> {
        match apdu {
            Apdu::Unconfirmed { service: unconfirmed::I_AM, data } => {
                self.introduced(peer, IAm::decode(data)?, now);
            }
            Apdu::Unconfirmed { service: unconfirmed::COV_NOTIFICATION, data } => {
                self.changed(peer, CovNotice::decode(data)?);
            }
            Apdu::Unconfirmed { service: unconfirmed::EVENT_NOTIFICATION, data } => {
                let notice = Box::new(EventNotice::decode(data)?);
                self.events.push_back(Event::Notice { peer, notice });
            }
            Apdu::Unconfirmed { .. } => {}
            // A request to everybody wants no answer from each.
            Apdu::Confirmed { .. } if to_all => {}
            Apdu::Confirmed { invoke, segment, service, data, .. } => {
                let answer = self.requested(peer, invoke, segment.is_some(), service, data);
                self.out.push_back(answer);
            }
            answer => {
                if !self.transactions.received(peer, answer, now) {
                    self.strays.unasked += 1;
                }
            }
        }
        Ok(())
    }

    /// A device wants something of us: to acknowledge a notice. Anything else we do not do.
    fn requested(&mut self, peer: Peer, invoke: u8, segmented: bool, service: u8, data: &[u8]) -> Datagram {
        // class services, code unknown-subscription
        const UNKNOWN_SUBSCRIPTION: [u8; 4] = [0x91, 5, 0x91, 79];
        let ack = Apdu::SimpleAck { invoke, service };
        let malformed = Apdu::Reject { invoke, reason: 4 };
        let answer = match service {
            _ if segmented => Apdu::Abort { server: true, invoke, reason: abort::SEGMENTATION_NOT_SUPPORTED },
            confirmed::COV_NOTIFICATION => match CovNotice::decode(data) {
                Ok(notice) => {
                    let known = self.changed(peer, notice);
                    if known { ack } else { Apdu::Error { invoke, service, data: &UNKNOWN_SUBSCRIPTION } }
                }
                Err(_) => malformed,
            },
            confirmed::EVENT_NOTIFICATION => match EventNotice::decode(data) {
                Ok(notice) => {
                    self.events.push_back(Event::Notice { peer, notice: Box::new(notice) });
                    ack
                }
                Err(_) => malformed,
            },
            _ => Apdu::Reject { invoke, reason: reject::UNRECOGNIZED_SERVICE },
        };
        Datagram::unicast(peer, false, answer)
    }

    fn introduced(&mut self, peer: Peer, introduction: IAm, now: Instant) {
        match self.devices.heard(peer, introduction, now) {
            Heard::Device => {
                let max_apdu = introduction.max_apdu.min(self.settings.max_apdu);
                self.abilities.entry(peer).or_default().introduced(&IAm { max_apdu, ..introduction });
                self.events.push_back(Event::Device { peer, introduction });
            }
            Heard::Conflict { known } => {
                let instance = introduction.instance;
                self.events.push_back(Event::DeviceConflict { instance, known, other: peer });
            }
            Heard::Nothing | Heard::Dropped => {}
        }
    }

    /// Whether somebody has subscribed to it.
    fn changed(&mut self, peer: Peer, notice: CovNotice) -> bool {
        let Some(first) = self.subscriptions.heard(peer, &notice) else { return false };
        let subscription = notice.process;
        if first {
            self.events.push_back(Event::SubscriptionLive { subscription });
        }
        self.events.push_back(Event::Changed { subscription, notice });
        true
    }
}

fn understood(request: &Request, outcome: Outcome) -> Result<Answer, Failure> {
    request.answer(outcome?.as_deref()).map_err(Failure::BadReply)
}

/// The first value of a property that has one.
pub fn first(reading: &Reading) -> Option<&Value> {
    reading.as_ref().ok()?.first()
}
