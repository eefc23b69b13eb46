//! The owner of a BACnet network's UDP port: hands datagrams, questions and instants to the protocol's machine, and does
//! what it says. Born in the supervisor. It never waits for anybody: a send that would block is a datagram lost, as any
//! network may lose it, and a happening that nobody takes in time is dropped and counted.

use std::collections::HashMap;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::sync::Arc;
use std::time::Duration;

use steward_protocols::bacnet::client::{Client, Event, LinkAddress, Settings, Ticket};
use steward_shared::id::Ids;
use tokio::net::UdpSocket;
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use super::handle::{Asked, Network, NoAnswer};
use crate::line::Backoff;

/// The longest datagram is 1497 bytes by the standard, and devices exceed it.
const LONGEST: usize = 2048;
/// Datagrams that are taken before anything else is looked at again.
const AT_ONCE: usize = 64;
/// Questions that wait for the owner; then their askers wait.
const QUESTIONS: usize = 256;
/// Happenings that wait for the listener; then they are dropped.
const HAPPENINGS: usize = 4096;
const TRY_AGAIN: Duration = Duration::from_secs(5);

/// Where the network is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Port {
    pub listen: SocketAddrV4,
}

/// What has happened without being asked for.
#[derive(Clone, Debug, PartialEq)]
pub enum Happening {
    /// The port is open, at this address.
    Up(SocketAddr),
    /// The port cannot be used: nothing comes of anything until it is up.
    Down(Arc<str>),
    /// What the machine tells; never the end of a question.
    Event(Event),
    /// So many happenings were dropped before this one, because nobody took them.
    Missed(u64),
}

type Answers<T> = HashMap<Ticket, oneshot::Sender<Result<T, NoAnswer>>>;

pub struct UdpLine {
    port: Port,
    settings: Settings,
    ids: Arc<dyn Ids>,
    asked: mpsc::Receiver<Asked>,
    happenings: mpsc::Sender<Happening>,
    missed: u64,
    answers: Answers<steward_protocols::bacnet::Answer>,
    readings:
        Answers<Vec<(steward_protocols::bacnet::PropertyRef, steward_protocols::bacnet::client::Reading)>>,
}

/// The open port. A socket at an address of its own hears no broadcasts: those come to a second one.
struct Sockets {
    main: UdpSocket,
    broadcasts: Option<UdpSocket>,
}

impl Sockets {
    async fn open(listen: SocketAddrV4, broadcast: LinkAddress) -> io::Result<Self> {
        let main = UdpSocket::bind(listen).await?;
        main.set_broadcast(true)?;
        let LinkAddress::Ip(broadcast) = broadcast else { return Ok(Self { main, broadcasts: None }) };
        let apart = !listen.ip().is_unspecified()
            && !broadcast.ip().is_unspecified()
            && broadcast.ip() != listen.ip()
            && *broadcast.ip() != Ipv4Addr::BROADCAST;
        let broadcasts = if apart {
            let at = SocketAddrV4::new(*broadcast.ip(), listen.port());
            // Another program may hear them in our place: unicast works all the same.
            UdpSocket::bind(at)
                .await
                .inspect_err(|e| debug!(%at, error = %e, "broadcasts are not heard"))
                .ok()
        } else {
            None
        };
        Ok(Self { main, broadcasts })
    }

    async fn readable(&self) -> io::Result<()> {
        match &self.broadcasts {
            // Readiness stays until the socket was read empty: the one that is dropped loses nothing.
            Some(broadcasts) => tokio::select! {
                ready = self.main.readable() => ready,
                ready = broadcasts.readable() => ready,
            },
            None => self.main.readable().await,
        }
    }
}

impl UdpLine {
    /// The owner, the way to it, and what happens.
    pub fn new(
        port: Port,
        settings: Settings,
        ids: Arc<dyn Ids>,
    ) -> (Self, Network, mpsc::Receiver<Happening>) {
        let (send, asked) = mpsc::channel(QUESTIONS);
        let (happenings, happened) = mpsc::channel(HAPPENINGS);
        let line = Self {
            port,
            settings,
            ids,
            asked,
            happenings,
            missed: 0,
            answers: HashMap::new(),
            readings: HashMap::new(),
        };
        (line, Network { asked: send }, happened)
    }

    /// Serves the network until `cancel`, or until nobody can ask any more.
    pub async fn run(mut self, cancel: CancellationToken) {
        let mut backoff = Backoff::new(TRY_AGAIN);
        while !cancel.is_cancelled() {
            let why = match Sockets::open(self.port.listen, self.settings.broadcast).await {
                Ok(sockets) => {
                    backoff.succeeded();
                    if let Ok(address) = sockets.main.local_addr() {
                        info!(%address, "BACnet port is open");
                        self.tell(Happening::Up(address));
                    }
                    match self.serve(&sockets, &cancel).await {
                        Ok(()) => return,
                        Err(error) => error,
                    }
                }
                Err(error) => error,
            };
            let why: Arc<str> = format!("UDP port {}: {why}", self.port.listen).into();
            if backoff.failures() == 0 {
                warn!(%why, "the BACnet network cannot be used; it is tried again");
            }
            self.tell(Happening::Down(Arc::clone(&why)));
            self.fail_all(&why);
            let until = Instant::now() + backoff.failed(self.ids.as_ref());
            if !self.refuse_until(until, &why, &cancel).await {
                return;
            }
        }
    }

    /// While the port is closed everybody is told so at once. Answers whether there is anybody left.
    async fn refuse_until(&mut self, until: Instant, why: &Arc<str>, cancel: &CancellationToken) -> bool {
        loop {
            let asked = tokio::select! {
                () = cancel.cancelled() => return false,
                () = sleep_until(until) => return true,
                // A receive that is dropped has taken nothing.
                asked = self.asked.recv() => asked,
            };
            let down = || NoAnswer::Down(Arc::clone(why));
            // Whoever does not wait for it any more is as well served.
            match asked {
                None => return false,
                Some(Asked::Ask(_, _, answer)) => drop(answer.send(Err(down()))),
                Some(Asked::Read(_, _, answer)) => drop(answer.send(Err(down()))),
                Some(_) => {}
            }
        }
    }

    fn fail_all(&mut self, why: &Arc<str>) {
        for (_, answer) in self.answers.drain() {
            let _ = answer.send(Err(NoAnswer::Down(Arc::clone(why))));
        }
        for (_, answer) in self.readings.drain() {
            let _ = answer.send(Err(NoAnswer::Down(Arc::clone(why))));
        }
    }

    /// Until the port breaks (`Err`), or there is nobody to serve.
    async fn serve(&mut self, sockets: &Sockets, cancel: &CancellationToken) -> io::Result<()> {
        let mut client = Client::new(self.settings);
        client.poll(now());
        let mut buffer = [0; LONGEST];
        loop {
            self.hand_on(&mut client);
            send_all(&mut client, &sockets.main).await;
            let deadline = client.deadline();
            tokio::select! {
                () = cancel.cancelled() => return Ok(()),
                // Readiness is asked for anew: nothing is lost with it.
                ready = sockets.readable() => {
                    ready?;
                    receive(&mut client, &sockets.main, &mut buffer)?;
                    if let Some(broadcasts) = &sockets.broadcasts {
                        receive(&mut client, broadcasts, &mut buffer)?;
                    }
                }
                // A receive that is dropped has taken nothing.
                asked = self.asked.recv() => match asked {
                    Some(asked) => self.take(&mut client, asked),
                    None => return Ok(()),
                },
                () = sleep_until(deadline.map_or_else(Instant::now, Into::into)), if deadline.is_some() => {}
            }
            client.poll(now());
        }
    }

    fn take(&mut self, client: &mut Client, asked: Asked) {
        match asked {
            Asked::Ask(peer, request, answer) => {
                let ticket = client.ask(peer, request, now());
                self.answers.insert(ticket, answer);
            }
            Asked::Read(peer, targets, answer) => {
                let ticket = client.read(peer, targets, now());
                self.readings.insert(ticket, answer);
            }
            Asked::Subscribe(wanted, answer) => {
                let subscription = client.subscribe(wanted, now());
                // Its asker is gone: nobody would end it.
                if answer.send(subscription).is_err() {
                    client.unsubscribe(subscription, now());
                }
            }
            Asked::Unsubscribe(subscription) => client.unsubscribe(subscription, now()),
            Asked::WhoIs(range) => client.who_is(range),
            Asked::WhoIsAt(peer) => client.who_is_at(peer),
            Asked::WhoIsRouter(network) => client.who_is_router(network),
            Asked::Want(instance) => client.want(instance),
            Asked::Forget(instance) => client.forget(instance),
            Asked::Find(instance, answer) => {
                let found = client.device(instance).map(|d| (d.peer, d.introduction));
                let _ = answer.send(found);
            }
        }
    }

    fn hand_on(&mut self, client: &mut Client) {
        while let Some(event) = client.event() {
            match event {
                // Whoever does not wait for it any more is as well served.
                Event::Answered { ticket, outcome } => {
                    if let Some(answer) = self.answers.remove(&ticket) {
                        let _ = answer.send(outcome.map_err(NoAnswer::Device));
                    }
                }
                Event::Read { ticket, readings } => {
                    if let Some(answer) = self.readings.remove(&ticket) {
                        let _ = answer.send(Ok(readings));
                    }
                }
                event => self.tell(Happening::Event(event)),
            }
        }
    }

    fn tell(&mut self, happening: Happening) {
        if self.missed > 0 && self.happenings.try_send(Happening::Missed(self.missed)).is_ok() {
            self.missed = 0;
        }
        if self.missed > 0 || self.happenings.try_send(happening).is_err() {
            self.missed += 1;
        }
    }
}

/// The machine's clock: tokio's, so that tests can hold it still.
fn now() -> std::time::Instant {
    Instant::now().into_std()
}

async fn send_all(client: &mut Client, socket: &UdpSocket) {
    while let Some(datagram) = client.datagram() {
        // Of a line of MS/TP there is no station here.
        let LinkAddress::Ip(to) = datagram.to else { continue };
        let to = SocketAddr::V4(to);
        let mut sent = socket.try_send_to(&datagram.bytes, to);
        if sent.as_ref().is_err_and(|e| e.kind() == io::ErrorKind::WouldBlock) {
            // The card is busy; a moment is as long as anybody waits for it.
            let ready = tokio::time::timeout(Duration::from_millis(100), socket.writable()).await;
            if ready.is_ok() {
                sent = socket.try_send_to(&datagram.bytes, to);
            }
        }
        if let Err(error) = sent {
            debug!(%to, %error, "datagram lost");
        }
    }
}

/// Takes what lies on the socket, a bounded number of datagrams.
fn receive(client: &mut Client, socket: &UdpSocket, buffer: &mut [u8; LONGEST]) -> io::Result<()> {
    for _ in 0..AT_ONCE {
        match socket.try_recv_from(buffer) {
            Ok((len, SocketAddr::V4(from))) => {
                client.received(from, buffer.get(..len).unwrap_or_default(), now());
            }
            Ok(_) => {}
            Err(error) if error.kind() == io::ErrorKind::WouldBlock => break,
            // A datagram of ours was refused somewhere: its request will go without an answer.
            Err(error) if error.kind() == io::ErrorKind::ConnectionRefused => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
