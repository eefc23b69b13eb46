//! UDP as the simulated network carries it, for the real QUIC of both sides. What turmoil cannot do is done here: it
//! loses and doubles single datagrams. Each one that is sent goes into the trace.

use std::fmt;
use std::io::{self, IoSliceMut};
use std::net::{Ipv4Addr, SocketAddr};
use std::pin::Pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::task::{Context, Poll, ready};

use futures_util::FutureExt as _;
use futures_util::future::BoxFuture;
use quinn::udp::{RecvMeta, Transmit};
use quinn::{AsyncUdpSocket, Endpoint, EndpointConfig, TokioRuntime, UdpPoller};
use steward_edge::uplink::Network;
use turmoil::net::UdpSocket;

use crate::chance::Chance;
use crate::trace::Trace;

/// What becomes of datagrams, in a thousand.
#[derive(Clone, Copy, Debug, Default)]
pub struct Weather {
    pub lost: u64,
    pub doubled: u64,
}

/// What all sockets of a world share.
pub struct Air {
    chance: Chance,
    pub weather: Weather,
    trace: Arc<Trace>,
}

pub type SharedAir = Arc<Mutex<Air>>;

impl Air {
    pub fn new(seed: u64, trace: Arc<Trace>) -> SharedAir {
        Arc::new(Mutex::new(Self { chance: Chance::of(seed, 1), weather: Weather::default(), trace }))
    }

    /// How often the next datagram arrives.
    fn copies(&mut self) -> usize {
        let (lost, doubled) =
            (self.chance.permille(self.weather.lost), self.chance.permille(self.weather.doubled));
        if lost { 0 } else { 1 + usize::from(doubled) }
    }
}

/// A socket of the host that runs at present.
pub struct Socket {
    bound: Arc<UdpSocket>,
    air: SharedAir,
    /// Waits for a datagram; none while nobody has asked.
    waiting: Mutex<Option<BoxFuture<'static, io::Result<()>>>>,
}

impl fmt::Debug for Socket {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.bound.fmt(f)
    }
}

impl Socket {
    pub fn bind(port: u16, air: &SharedAir) -> io::Result<Arc<Self>> {
        let bound = UdpSocket::bind((Ipv4Addr::UNSPECIFIED, port)).now_or_never();
        let socket = bound.unwrap_or_else(|| Err(io::Error::other("binding waits")))?;
        Ok(Arc::new(Self { bound: Arc::new(socket), air: Arc::clone(air), waiting: Mutex::default() }))
    }
}

impl AsyncUdpSocket for Socket {
    fn create_io_poller(self: Arc<Self>) -> Pin<Box<dyn UdpPoller>> {
        Box::pin(Always)
    }

    fn try_send(&self, transmit: &Transmit) -> io::Result<()> {
        let copies = {
            let mut air = self.air.lock().unwrap_or_else(PoisonError::into_inner);
            air.trace.datagram(transmit.destination, transmit.contents.len());
            air.copies()
        };
        for _ in 0..copies {
            self.bound.try_send_to(transmit.contents, transmit.destination)?;
        }
        Ok(())
    }

    fn poll_recv(
        &self,
        cx: &mut Context<'_>,
        bufs: &mut [IoSliceMut<'_>],
        meta: &mut [RecvMeta],
    ) -> Poll<io::Result<usize>> {
        let mut waiting = self.waiting.lock().unwrap_or_else(PoisonError::into_inner);
        let (Some(buf), Some(meta)) = (bufs.first_mut(), meta.first_mut()) else {
            return Poll::Ready(Ok(0));
        };
        loop {
            let socket = Arc::clone(&self.bound);
            let readable = waiting.get_or_insert_with(|| Box::pin(async move { socket.readable().await }));
            let readable = ready!(readable.as_mut().poll(cx));
            *waiting = None;
            readable?;
            match self.bound.try_recv_from(buf) {
                Ok((len, addr)) => {
                    *meta = RecvMeta { addr, len, stride: len, ecn: None, dst_ip: None };
                    return Poll::Ready(Ok(1));
                }
                Err(e) if e.kind() == io::ErrorKind::WouldBlock => {}
                Err(e) => return Poll::Ready(Err(e)),
            }
        }
    }

    fn local_addr(&self) -> io::Result<SocketAddr> {
        self.bound.local_addr()
    }
}

/// The network never makes a sender wait: it loses.
#[derive(Debug)]
struct Always;

impl UdpPoller for Always {
    fn poll_writable(self: Pin<&mut Self>, _: &mut Context<'_>) -> Poll<io::Result<()>> {
        Poll::Ready(Ok(()))
    }
}

/// The gateway's way to the hub.
pub struct Simulated(pub SharedAir);

impl fmt::Debug for Simulated {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a simulated network")
    }
}

impl Network for Simulated {
    fn endpoint(&self, _: SocketAddr) -> io::Result<Endpoint> {
        let socket = Socket::bind(0, &self.0)?;
        Endpoint::new_with_abstract_socket(EndpointConfig::default(), None, socket, Arc::new(TokioRuntime))
    }

    fn has_tcp(&self) -> bool {
        false
    }
}
