//! A link between gateways and a hub, with what a network does to it: it is cut, it drops UDP or long datagrams, it gives
//! a gateway another port, it leads to another hub.

use std::collections::HashMap;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _, copy, copy_bidirectional};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::net::{TcpListener, TcpSocket, TcpStream, UdpSocket};
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

/// Passes on what comes at its address, by UDP and TCP.
pub struct Link {
    pub address: SocketAddr,
    way: Arc<Mutex<Way>>,
}

struct Way {
    hub: SocketAddr,
    is_cut: bool,
    drops_udp: bool,
    /// Bytes of the longest datagram that comes through.
    longest: usize,
    /// The sockets that stand for gateways towards the hub.
    backs: HashMap<SocketAddr, Arc<UdpSocket>>,
    streams: JoinSet<()>,
    /// Datagrams that gateways sent, come through or not.
    sent: usize,
    /// Of theirs, those that were too long.
    too_long: usize,
}

impl Link {
    pub async fn to(hub: SocketAddr) -> Self {
        Self::to_at(hub, None).await
    }

    /// With so many bytes a second at most that gateways send by TCP.
    pub async fn to_at(hub: SocketAddr, rate: Option<u32>) -> Self {
        let way = Arc::new(Mutex::new(Way {
            hub,
            is_cut: false,
            drops_udp: false,
            longest: usize::MAX,
            backs: HashMap::new(),
            streams: JoinSet::new(),
            sent: 0,
            too_long: 0,
        }));
        let (front, listener) = loop {
            let front = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
            let socket = TcpSocket::new_v4().unwrap();
            if rate.is_some() {
                // What has come and was not passed on yet is the queue of the slow link.
                socket.set_recv_buffer_size(16 << 10).unwrap();
            }
            if socket.bind(front.local_addr().unwrap()).is_ok()
                && let Ok(listener) = socket.listen(64)
            {
                break (Arc::new(front), listener);
            }
        };
        let link = Self { address: front.local_addr().unwrap(), way: way.clone() };
        tokio::spawn(pass_datagrams(front, way.clone()));
        tokio::spawn(pass_streams(listener, way, rate));
        link
    }

    fn way(&self) -> MutexGuard<'_, Way> {
        self.way.lock().unwrap()
    }

    /// Nothing comes through, by neither.
    pub fn cut(&self, is_cut: bool) {
        let mut way = self.way();
        way.is_cut = is_cut;
        if is_cut {
            way.streams.abort_all();
        }
    }

    pub fn drop_udp(&self, drops: bool) {
        self.way().drops_udp = drops;
    }

    pub fn drop_longer_than(&self, bytes: usize) {
        self.way().longest = bytes;
    }

    /// The hub sees every gateway at another port from now on, as after a NAT router has forgotten them; streams break.
    pub fn rebind(&self) {
        let mut way = self.way();
        way.backs.clear();
        way.streams.abort_all();
    }

    /// What begins from now on leads to another hub.
    pub fn lead_to(&self, hub: SocketAddr) {
        let mut way = self.way();
        way.hub = hub;
        way.backs.clear();
    }

    pub fn datagrams_too_long(&self) -> usize {
        self.way().too_long
    }

    pub fn datagrams_sent(&self) -> usize {
        self.way().sent
    }
}

async fn pass_datagrams(front: Arc<UdpSocket>, way: Arc<Mutex<Way>>) {
    let mut datagram = vec![0; 65536];
    while let Ok((n, from)) = front.recv_from(&mut datagram).await {
        let (back, hub) = {
            let mut way = way.lock().unwrap();
            way.sent += 1;
            way.too_long += usize::from(n > way.longest);
            if way.is_cut || way.drops_udp || n > way.longest {
                continue;
            }
            (way.backs.get(&from).cloned(), way.hub)
        };
        let back = if let Some(back) = back {
            back
        } else {
            let back = Arc::new(UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap());
            back.connect(hub).await.unwrap();
            way.lock().unwrap().backs.insert(from, back.clone());
            tokio::spawn(bring_back(back.clone(), front.clone(), from, way.clone()));
            back
        };
        let _ = back.send(&datagram[..n]).await;
    }
}

async fn bring_back(back: Arc<UdpSocket>, front: Arc<UdpSocket>, to: SocketAddr, way: Arc<Mutex<Way>>) {
    let mut datagram = vec![0; 65536];
    // An error is that nobody listens there: the next one may come through.
    loop {
        let Ok(n) = back.recv(&mut datagram).await else { continue };
        let comes_through = {
            let way = way.lock().unwrap();
            let is_his = way.backs.get(&to).is_some_and(|present| Arc::ptr_eq(present, &back));
            if !is_his {
                return;
            }
            !way.is_cut && !way.drops_udp && n <= way.longest
        };
        if comes_through {
            let _ = front.send_to(&datagram[..n], to).await;
        }
    }
}

async fn pass_streams(listener: TcpListener, way: Arc<Mutex<Way>>, rate: Option<u32>) {
    while let Ok((mut near, _)) = listener.accept().await {
        let mut guard = way.lock().unwrap();
        if guard.is_cut {
            continue;
        }
        let hub = guard.hub;
        guard.streams.spawn(async move {
            let Ok(mut far) = TcpStream::connect(hub).await else { return };
            match rate {
                None => drop(copy_bidirectional(&mut near, &mut far).await),
                Some(rate) => {
                    let (mut from, mut back) = near.split();
                    let (mut answers, mut to) = far.split();
                    tokio::join!(slowly(&mut from, &mut to, rate), async {
                        let _ = copy(&mut answers, &mut back).await;
                    });
                }
            }
        });
    }
}

async fn slowly(from: &mut ReadHalf<'_>, to: &mut WriteHalf<'_>, rate: u32) {
    let mut piece = [0; 1400];
    let mut free_at = Instant::now();
    while let Ok(n) = from.read(&mut piece).await
        && n > 0
        && to.write_all(&piece[..n]).await.is_ok()
    {
        free_at = free_at.max(Instant::now()) + Duration::from_secs_f64(n as f64 / f64::from(rate));
        sleep_until(free_at).await;
    }
}
