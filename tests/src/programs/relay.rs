//! UDP between edges and a hub, with whatever the line between them does: nothing comes through, it takes
//! its time, some is lost. One thread, no privileges; TCP on the same port is `relay_streams`.

use std::collections::HashMap;
use std::io;
use std::net::{SocketAddr, TcpListener, UdpSocket};
use std::os::fd::AsFd;
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use tokio::time::Instant;

use super::process::free_port;
use super::relay_streams;
use crate::plant::noise::chance;

/// What happens on the way.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Weather {
    /// Nothing comes through in this direction.
    pub up_cut: bool,
    pub down_cut: bool,
    /// No datagram comes through: a firewall that lets TCP pass.
    pub no_udp: bool,
    /// How long each takes.
    pub delay: Duration,
    /// Each takes up to so much longer, by chance: they overtake each other.
    pub jitter: Duration,
    /// Share that is lost, 0.0 to 1.0.
    pub loss: f64,
    /// Share that comes twice.
    pub doubled: f64,
    /// Bytes a second in each direction; 0 is without limit. What would wait longer than a second is lost.
    pub rate: u64,
    /// So many bytes wait at most before the line; 0 is without limit.
    pub queue: u64,
}

impl Weather {
    pub const CLEAR: Self = Self {
        up_cut: false,
        down_cut: false,
        no_udp: false,
        delay: Duration::ZERO,
        jitter: Duration::ZERO,
        loss: 0.0,
        doubled: 0.0,
        rate: 0,
        queue: 0,
    };
    pub const NO_UDP: Self = Self { no_udp: true, ..Self::CLEAR };
    pub const DOWN: Self = Self { up_cut: true, down_cut: true, ..Self::CLEAR };
}

/// A running relay: edges send to `address`, the hub is behind it.
#[derive(Debug)]
pub struct Relay {
    pub address: SocketAddr,
    shared: Arc<Shared>,
    threads: Vec<JoinHandle<()>>,
}

#[derive(Debug)]
pub struct Shared {
    weather: Mutex<Weather>,
    stop: AtomicBool,
    carried: AtomicU64,
    datagrams: AtomicU64,
    /// Bytes that came through by TCP, both ways.
    pub streamed: AtomicU64,
    /// Every edge gets a new port towards the hub: a rebinding of its address.
    rebind: AtomicBool,
}

impl Shared {
    pub fn is_stopped(&self) -> bool {
        self.stop.load(Ordering::SeqCst)
    }

    fn weather(&self) -> Weather {
        *self.weather.lock().unwrap_or_else(PoisonError::into_inner)
    }

    pub fn passes_streams(&self, up: bool) -> bool {
        let weather = self.weather();
        !(if up { weather.up_cut } else { weather.down_cut })
    }
}

impl Relay {
    pub fn to(hub: SocketAddr) -> io::Result<Self> {
        let address = SocketAddr::from(([127, 0, 0, 1], free_port()?));
        let (front, listener) = (UdpSocket::bind(address)?, TcpListener::bind(address)?);
        front.set_nonblocking(true)?;
        listener.set_nonblocking(true)?;
        let shared = Arc::new(Shared {
            weather: Mutex::new(Weather::CLEAR),
            stop: AtomicBool::new(false),
            carried: AtomicU64::new(0),
            datagrams: AtomicU64::new(0),
            streamed: AtomicU64::new(0),
            rebind: AtomicBool::new(false),
        });
        let mut way = Way {
            front,
            hub,
            edges: HashMap::new(),
            travelling: Vec::new(),
            free_at: [None; 2],
            seen: 0,
            shared: shared.clone(),
        };
        let streams = shared.clone();
        let threads = vec![
            std::thread::Builder::new().name("relay".into()).spawn(move || way.run())?,
            std::thread::Builder::new()
                .name("relay streams".into())
                .spawn(move || relay_streams::pass(&listener, hub, &streams))?,
        ];
        Ok(Self { address, shared, threads })
    }

    pub fn set(&self, weather: Weather) {
        *self.shared.weather.lock().unwrap_or_else(PoisonError::into_inner) = weather;
    }

    /// Bytes that came through, both ways.
    pub fn carried(&self) -> u64 {
        self.shared.carried.load(Ordering::Relaxed)
    }

    /// Bytes that came through by TCP, both ways.
    pub fn streamed(&self) -> u64 {
        self.shared.streamed.load(Ordering::Relaxed)
    }

    /// Datagrams that came through, both ways.
    pub fn datagrams(&self) -> u64 {
        self.shared.datagrams.load(Ordering::Relaxed)
    }

    /// The hub sees every edge at another port from now on.
    pub fn rebind(&self) {
        self.shared.rebind.store(true, Ordering::SeqCst);
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.shared.stop.store(true, Ordering::SeqCst);
        for thread in self.threads.drain(..) {
            // A thread that panicked has said so already.
            let _ = thread.join();
        }
    }
}

struct Way {
    front: UdpSocket,
    hub: SocketAddr,
    /// Per edge the socket that stands for it towards the hub.
    edges: HashMap<SocketAddr, UdpSocket>,
    /// When it arrives, which edge, whether it goes up, the datagram.
    travelling: Vec<(Instant, SocketAddr, bool, Vec<u8>)>,
    /// When the line is free again, up and down.
    free_at: [Option<Instant>; 2],
    seen: i64,
    shared: Arc<Shared>,
}

impl Way {
    fn run(&mut self) {
        while !self.shared.is_stopped() {
            if self.shared.rebind.swap(false, Ordering::SeqCst) {
                self.edges.clear();
            }
            self.wait();
            self.take_in();
            self.deliver();
        }
    }

    fn wait(&self) {
        let now = Instant::now();
        let next = self.travelling.iter().map(|(at, ..)| at.saturating_duration_since(now)).min();
        let wait = next.unwrap_or(Duration::from_millis(50)).min(Duration::from_millis(50));
        let mut ready: Vec<PollFd<'_>> = std::iter::once(self.front.as_fd())
            .chain(self.edges.values().map(AsFd::as_fd))
            .map(|fd| PollFd::new(fd, PollFlags::POLLIN))
            .collect();
        let timeout = PollTimeout::try_from(wait + Duration::from_micros(999)).unwrap_or(PollTimeout::ZERO);
        // A failed wait only makes the next look come sooner.
        let _ = poll(&mut ready, timeout);
    }

    fn take_in(&mut self) {
        let mut buffer = vec![0; 65_536];
        let mut arrived = Vec::new();
        while let Ok((n, edge)) = self.front.recv_from(&mut buffer) {
            arrived.push((edge, true, buffer[..n].to_vec()));
        }
        for (edge, socket) in &self.edges {
            while let Ok(n) = socket.recv(&mut buffer) {
                arrived.push((*edge, false, buffer[..n].to_vec()));
            }
        }
        let weather = self.shared.weather();
        for (edge, up, datagram) in arrived {
            self.seen += 1;
            let cut = weather.no_udp || if up { weather.up_cut } else { weather.down_cut };
            let luck = |what| f64::midpoint(chance(1, what, self.seen), 1.0);
            let lost = luck(77) < weather.loss;
            if cut || lost {
                continue;
            }
            let now = Instant::now();
            let mut at = now;
            if weather.rate > 0 {
                let free = &mut self.free_at[usize::from(up)];
                let begins = free.map_or(now, |f| f.max(now));
                let wait = begins.saturating_duration_since(now);
                let is_full =
                    weather.queue > 0 && wait.as_secs_f64() * weather.rate as f64 > weather.queue as f64;
                if is_full || wait > Duration::from_secs(1) {
                    continue;
                }
                at = begins + Duration::from_secs_f64(datagram.len() as f64 / weather.rate as f64);
                *free = Some(at);
            }
            let late = |what| weather.delay + weather.jitter.mul_f64(luck(what));
            if luck(78) < weather.doubled {
                self.travelling.push((at + late(79), edge, up, datagram.clone()));
            }
            self.travelling.push((at + late(80), edge, up, datagram));
        }
    }

    fn deliver(&mut self) {
        let now = Instant::now();
        let (due, later) = std::mem::take(&mut self.travelling).into_iter().partition(|(at, ..)| *at <= now);
        self.travelling = later;
        let mut due: Vec<(Instant, SocketAddr, bool, Vec<u8>)> = due;
        due.sort_by_key(|(at, ..)| *at);
        for (_, edge, up, datagram) in due {
            let sent =
                if up { self.towards_hub(edge, &datagram) } else { self.front.send_to(&datagram, edge) };
            // A datagram that cannot be sent is lost, as on any line.
            if let Ok(n) = sent {
                self.shared.carried.fetch_add(n as u64, Ordering::Relaxed);
                self.shared.datagrams.fetch_add(1, Ordering::Relaxed);
            }
        }
    }

    fn towards_hub(&mut self, edge: SocketAddr, datagram: &[u8]) -> io::Result<usize> {
        if !self.edges.contains_key(&edge) {
            let socket = UdpSocket::bind("127.0.0.1:0")?;
            socket.connect(self.hub)?;
            socket.set_nonblocking(true)?;
            self.edges.insert(edge, socket);
        }
        self.edges.get(&edge).map_or(Ok(0), |socket| socket.send(datagram))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair() -> (UdpSocket, UdpSocket, Relay) {
        let hub = UdpSocket::bind("127.0.0.1:0").unwrap();
        let relay = Relay::to(hub.local_addr().unwrap()).unwrap();
        let edge = UdpSocket::bind("127.0.0.1:0").unwrap();
        edge.connect(relay.address).unwrap();
        for socket in [&hub, &edge] {
            socket.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        }
        (edge, hub, relay)
    }

    #[test]
    fn datagrams_go_both_ways() {
        let (edge, hub, relay) = pair();
        let mut buffer = [0; 64];
        edge.send(b"up").unwrap();
        let (n, from) = hub.recv_from(&mut buffer).unwrap();
        assert_eq!(&buffer[..n], b"up");
        hub.send_to(b"down", from).unwrap();
        let n = edge.recv(&mut buffer).unwrap();
        assert_eq!(&buffer[..n], b"down");
        crate::eventually("both are counted", Duration::from_secs(10), || {
            ((relay.carried(), relay.datagrams()) == (6, 2)).then_some(())
        });
    }

    #[test]
    fn a_cut_line_carries_nothing_and_a_slow_one_takes_its_time() {
        let (edge, hub, relay) = pair();
        let mut buffer = [0; 64];
        relay.set(Weather::DOWN);
        edge.send(b"lost").unwrap();
        hub.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
        assert!(hub.recv_from(&mut buffer).is_err());
        relay.set(Weather { delay: Duration::from_millis(120), ..Weather::CLEAR });
        hub.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let sent = Instant::now();
        edge.send(b"late").unwrap();
        let (n, first) = hub.recv_from(&mut buffer).unwrap();
        assert_eq!(&buffer[..n], b"late");
        assert!(sent.elapsed() >= Duration::from_millis(120));
        relay.rebind();
        relay.set(Weather::CLEAR);
        crate::eventually("another port", Duration::from_secs(10), || {
            edge.send(b"again").ok()?;
            let (_, from) = hub.recv_from(&mut buffer).ok()?;
            (from != first).then_some(())
        });
    }

    #[test]
    fn on_a_rough_line_datagrams_are_lost_doubled_and_overtake_each_other() {
        let (edge, hub, relay) = pair();
        let jitter = Duration::from_millis(50);
        relay.set(Weather { loss: 0.3, doubled: 0.2, jitter, ..Weather::CLEAR });
        for n in 0..200_u8 {
            edge.send(&[n]).unwrap();
        }
        hub.set_read_timeout(Some(Duration::from_millis(500))).unwrap();
        let mut buffer = [0; 8];
        let mut came = Vec::new();
        while hub.recv_from(&mut buffer).is_ok() {
            came.push(buffer[0]);
        }
        let different: std::collections::BTreeSet<_> = came.iter().copied().collect();
        assert!((100..180).contains(&different.len()), "{} of 200 came", different.len());
        assert!(came.len() > different.len() + 10, "some came twice");
        assert!(!came.is_sorted(), "none has overtaken another");
    }

    #[test]
    fn streams_pass_where_datagrams_do_not_and_a_cut_only_holds_them_up() {
        use std::io::{Read as _, Write as _};

        let hub = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let relay = Relay::to(hub.local_addr().unwrap()).unwrap();
        relay.set(Weather::NO_UDP);
        let mut edge = std::net::TcpStream::connect(relay.address).unwrap();
        let (mut far, _) = hub.accept().unwrap();
        let mut buffer = [0; 4];
        edge.write_all(b"up").unwrap();
        far.read_exact(&mut buffer[..2]).unwrap();
        far.write_all(b"down").unwrap();
        edge.read_exact(&mut buffer).unwrap();
        assert_eq!(&buffer, b"down");
        relay.set(Weather::DOWN);
        edge.write_all(b"late").unwrap();
        far.set_read_timeout(Some(Duration::from_millis(200))).unwrap();
        // What was read from the stream before the cut is through already.
        let _ = far.read_exact(&mut buffer);
        relay.set(Weather::CLEAR);
        drop(edge);
        far.set_read_timeout(Some(Duration::from_secs(10))).unwrap();
        let mut rest = Vec::new();
        far.read_to_end(&mut rest).unwrap();
        assert!(relay.streamed() >= 6);
    }
}
