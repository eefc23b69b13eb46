//! The owner of a BACnet network's UDP port: hands datagrams, questions and instants to the protocol's machine, and does
//! what it says. Born in the supervisor. It never waits for anybody: a send that would block is a datagram lost, as any
//! network may lose it, and a happening that nobody takes in time is dropped and counted.

use std::io;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::sync::Arc;
use std::time::Duration;

use steward_protocols::bacnet::client::{Client, LinkAddress, Settings};
use steward_shared::id::Ids;
use tokio::net::UdpSocket;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info};

use super::desk::{Desk, Happening, Served, now};
use super::handle::{Asked, Network};
use crate::line::Backoff;

/// The longest datagram is 1497 bytes by the standard, and devices exceed it.
const LONGEST: usize = 2048;
/// Datagrams that are taken before anything else is looked at again.
const AT_ONCE: usize = 64;
const TRY_AGAIN: Duration = Duration::from_secs(5);
/// From one telling that nothing can be sent to the next.
const TELL_AGAIN: Duration = Duration::from_mins(10);

/// Where the network is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Port {
    pub listen: SocketAddrV4,
}

pub struct UdpLine {
    port: Port,
    settings: Settings,
    ids: Arc<dyn Ids>,
    desk: Desk,
    /// When it was last told that nothing can be sent.
    told: Option<Instant>,
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
        let (desk, network, happened) = Desk::new();
        (Self { port, settings, ids, desk, told: None }, network, happened)
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
                        self.desk.tell(Happening::Up(address.to_string().into()));
                    }
                    match self.serve(&sockets, &cancel).await {
                        Ok(Served::Over) => return,
                        Ok(Served::Wanted(rest)) => {
                            drop(sockets);
                            let port = format!("UDP port {}", self.port.listen);
                            if !self.desk.rest(rest, &port, &cancel).await {
                                return;
                            }
                            continue;
                        }
                        Err(error) => error,
                    }
                }
                Err(error) => error,
            };
            let why = format!("UDP port {}: {why}", self.port.listen);
            if !self.desk.down_for_a_while(why, &mut backoff, self.ids.as_ref(), &cancel).await {
                return;
            }
        }
    }

    /// Until the port breaks (`Err`), somebody wants it, or there is nobody to serve.
    async fn serve(&mut self, sockets: &Sockets, cancel: &CancellationToken) -> io::Result<Served> {
        let mut client = Client::new(self.settings);
        client.poll(now());
        let mut buffer = [0; LONGEST];
        loop {
            self.desk.hand_on(&mut client);
            self.send_all(&mut client, &sockets.main).await;
            let deadline = client.deadline();
            tokio::select! {
                () = cancel.cancelled() => return Ok(Served::Over),
                // Readiness is asked for anew: nothing is lost with it.
                ready = sockets.readable() => {
                    ready?;
                    receive(&mut client, &sockets.main, &mut buffer)?;
                    if let Some(broadcasts) = &sockets.broadcasts {
                        receive(&mut client, broadcasts, &mut buffer)?;
                    }
                }
                // A receive that is dropped has taken nothing.
                asked = self.desk.asked() => match asked {
                    Some(Asked::Rest(closed, over)) => return Ok(Served::Wanted((closed, over))),
                    Some(asked) => self.desk.take(&mut client, asked),
                    None => return Ok(Served::Over),
                },
                () = sleep_until(deadline.map_or_else(Instant::now, Into::into)), if deadline.is_some() => {}
            }
            client.poll(now());
        }
    }

    async fn send_all(&mut self, client: &mut Client, socket: &UdpSocket) {
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
                self.tell_unsent(datagram.to, &error);
            }
        }
    }

    /// A device that cannot be reached is silent, and told so. Without broadcasts none is ever found, and what the system
    /// forbids stays forbidden: a person must act.
    fn tell_unsent(&mut self, to: LinkAddress, error: &io::Error) {
        let forbidden = error.kind() == io::ErrorKind::PermissionDenied;
        let is_broadcast = to == self.settings.broadcast && error.kind() != io::ErrorKind::WouldBlock;
        let lately = self.told.is_some_and(|at| at.elapsed() < TELL_AGAIN);
        if lately || !(forbidden || is_broadcast) {
            return;
        }
        self.told = Some(Instant::now());
        let way_out = if forbidden {
            "a firewall forbids it, or IPAddressAllow of the program's systemd unit"
        } else {
            "check the line's broadcast and the machine's network"
        };
        let what = if is_broadcast {
            format!("no device is looked for: broadcasts cannot be sent to {to}: {error}; {way_out}")
        } else {
            format!("questions cannot be sent to {to}: {error}; {way_out}")
        };
        self.desk.tell(Happening::Trouble(what.into()));
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
