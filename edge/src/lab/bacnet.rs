//! A simulated device of BACnet/IP on a UDP port: hears what comes to its address and what is broadcast, and answers as
//! broken as its device is. Several may hear the broadcasts of one port.

use std::collections::VecDeque;
use std::io;
use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::sync::Arc;
use std::time::Duration;

use socket2::{Domain, Protocol, Socket, Type};
use steward_protocols::bacnet::client::{Datagram, LinkAddress};
use steward_protocols::bacnet::device::{Commanded, Device};
use steward_protocols::bacnet::{ServiceError, apdu::Apdu, bvlc::Bvlc, npdu::Body, npdu::Npdu};
use steward_protocols::modbus::device::Spoilt;
use steward_shared::profile::{PointDef, Profile};
use steward_shared::reading::Value;
use tokio::net::UdpSocket;
use tokio::time::{Instant, sleep_until};
use tokio_util::sync::CancellationToken;

use super::simulated::{Simulated, Turn};

/// The longest datagram is 1497 bytes by the standard, and some exceed it.
const LONGEST: usize = 2048;
/// How often it is looked whether a value has changed.
const LOOK: Duration = Duration::from_millis(500);
/// Answers that wait for their time, at most: those behind them are lost, as on a device without room.
const WAITING: usize = 1024;

/// What is behind a simulated device of BACnet/IP.
pub trait Behind: Send + Sync {
    fn profile(&self) -> Arc<Profile>;
    /// What is broken about the next answer; called once for each question.
    fn turn(&self) -> Turn;
    /// What a point shows when nobody commands it.
    fn show(&self, point: &PointDef) -> Option<Value>;
    /// What commands make of points from now on.
    fn commanded(&self, all: Commanded);
}

impl Behind for Simulated {
    fn profile(&self) -> Arc<Profile> {
        self.shared_profile()
    }

    fn turn(&self) -> Turn {
        Self::turn(self)
    }

    fn show(&self, point: &PointDef) -> Option<Value> {
        self.moves(point)
    }

    fn commanded(&self, all: Commanded) {
        Self::commanded(self, all);
    }
}

/// Opens the port. The future serves until cancelled.
pub fn serve_bacnet(
    behind: Arc<dyn Behind>,
    instance: u32,
    listen: SocketAddrV4,
    broadcast: Option<SocketAddrV4>,
    turnaround: Duration,
    stop: CancellationToken,
) -> io::Result<(SocketAddr, impl Future<Output = io::Result<()>> + use<>)> {
    let main = open(listen, false)?;
    let at = main.local_addr()?;
    let usual = listen.ip().is_loopback().then_some(Ipv4Addr::new(127, 255, 255, 255));
    let apart = broadcast.map(|at| *at.ip()).or(usual).filter(|_| !listen.ip().is_unspecified());
    // A socket at an address of its own hears no broadcasts.
    let broadcasts = apart.map(|ip| open(SocketAddrV4::new(ip, at.port()), true)).transpose()?;
    let device = Device::new(behind.profile(), instance);
    let port = Port { main, broadcasts, behind, device, turnaround, waiting: VecDeque::new() };
    Ok((at, port.serve(stop)))
}

fn open(at: SocketAddrV4, is_shared: bool) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP))?;
    if is_shared {
        // Whoever else hears the broadcasts of this port asks for the same.
        socket.set_reuse_port(true)?;
    }
    socket.set_nonblocking(true)?;
    socket.set_broadcast(true)?;
    socket.bind(&SocketAddr::V4(at).into())?;
    UdpSocket::from_std(socket.into())
}

struct Port {
    main: UdpSocket,
    broadcasts: Option<UdpSocket>,
    behind: Arc<dyn Behind>,
    device: Device<Arc<Profile>>,
    turnaround: Duration,
    /// By their times.
    waiting: VecDeque<(Instant, Datagram)>,
}

impl Port {
    async fn serve(mut self, stop: CancellationToken) -> io::Result<()> {
        let (mut one, mut other) = ([0; LONGEST], [0; LONGEST]);
        let mut look = Instant::now() + LOOK;
        loop {
            let next = self.waiting.front().map_or(look, |(at, _)| look.min(*at));
            let came = {
                let broadcasts = self.broadcasts.as_ref();
                tokio::select! {
                    () = stop.cancelled() => return Ok(()),
                    // A receive that is dropped has taken nothing.
                    came = self.main.recv_from(&mut one) => Some((came, &one)),
                    came = hear(broadcasts, &mut other) => Some((came, &other)),
                    () = sleep_until(next) => None,
                }
            };
            match came {
                Some((Ok((len, SocketAddr::V4(from))), buffer)) => {
                    self.hear(from, buffer.get(..len).unwrap_or_default());
                }
                // A datagram of ours was refused somewhere.
                Some((Err(e), _)) if e.kind() == io::ErrorKind::ConnectionRefused => {}
                Some((Err(error), _)) => return Err(error),
                _ => {}
            }
            if look <= Instant::now() {
                look = Instant::now() + LOOK;
                self.tell();
            }
            self.send().await;
        }
    }

    fn hear(&mut self, from: SocketAddrV4, datagram: &[u8]) {
        let behind = Arc::clone(&self.behind);
        let show = |point: &PointDef| behind.show(point);
        // What asks nothing of the device is no turn of its.
        let turn = if wants_an_answer(datagram) { behind.turn() } else { Turn::default() };
        if turn.silent {
            return;
        }
        // A device that says no does so in the class "device".
        let refused = turn.refused.map(|code| ServiceError { class: 0, code: code.into() });
        let answers = self.device.received(from, datagram, Instant::now().into_std(), refused, &show);
        behind.commanded(self.device.commanded());
        let at = Instant::now() + self.turnaround + turn.late;
        for answer in answers {
            let answer = spoil(answer, turn.spoilt);
            if let Some(after) = turn.again {
                self.wait(at + after, answer.clone());
            }
            self.wait(at, answer);
        }
    }

    /// Tells who has subscribed.
    fn tell(&mut self) {
        let behind = Arc::clone(&self.behind);
        let notices = self.device.poll(Instant::now().into_std(), &|point: &PointDef| behind.show(point));
        for notice in notices {
            self.wait(Instant::now(), notice);
        }
    }

    fn wait(&mut self, at: Instant, datagram: Datagram) {
        if self.waiting.len() < WAITING {
            let behind = self.waiting.iter().take_while(|(other, _)| *other <= at).count();
            self.waiting.insert(behind, (at, datagram));
        }
    }

    async fn send(&mut self) {
        while let Some((_, datagram)) = self.waiting.pop_front_if(|(at, _)| *at <= Instant::now()) {
            // Of a line of MS/TP there is no station here.
            let LinkAddress::Ip(to) = datagram.to else { continue };
            if let Err(error) = self.main.send_to(&datagram.bytes, to).await {
                tracing::debug!(%to, %error, "datagram lost");
            }
        }
    }
}

async fn hear(socket: Option<&UdpSocket>, buffer: &mut [u8]) -> io::Result<(usize, SocketAddr)> {
    match socket {
        Some(socket) => socket.recv_from(buffer).await,
        None => std::future::pending().await,
    }
}

fn wants_an_answer(datagram: &[u8]) -> bool {
    let Ok(Bvlc::Unicast(npdu) | Bvlc::Broadcast(npdu) | Bvlc::Forwarded { npdu, .. }) =
        Bvlc::decode(datagram)
    else {
        return false;
    };
    let Ok(Npdu { body: Body::Apdu(apdu), .. }) = Npdu::decode(npdu) else { return false };
    matches!(Apdu::decode(apdu), Ok(Apdu::Confirmed { .. } | Apdu::Unconfirmed { .. }))
}

/// Spoils a datagram: cut at its end, or with another length in its head.
fn spoil(mut datagram: Datagram, how: Option<Spoilt>) -> Datagram {
    match how {
        Some(Spoilt::Short) => datagram.bytes.truncate(datagram.bytes.len().saturating_sub(3)),
        Some(Spoilt::Count) => {
            if let Some(length) = datagram.bytes.get_mut(3) {
                *length = length.wrapping_add(2);
            }
        }
        Some(Spoilt::CheckSum | Spoilt::Foreign) | None => {}
    }
    datagram
}
