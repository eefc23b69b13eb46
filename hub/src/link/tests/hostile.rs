//! Whoever sends to the gateways' port what no gateway sends: it comes to nothing, and gateways go on.

use std::net::{SocketAddr, UdpSocket};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use steward_shared::id::{BufferId, RandomIds};
use steward_shared::wire::message::{ALPN, Lane, LaneDown};
use tokio::time::Instant;

use super::super::endpoint::RETRY_FROM;
use super::edge::{Hub, body};
use super::first_packets::{Attempt, Said, Stranger, good_parameters, parameter};
use crate::kernel::db::testing::fresh_sqlite;

/// TRANSPORT_PARAMETER_ERROR (RFC 9000, 20.1).
const BAD_PARAMETERS: u64 = 0x08;
/// So many batches of a gateway get through a flood, and it lasts at least so long.
const BATCHES: u64 = 50;
const FLOOD: Duration = Duration::from_secs(3);
/// Fifty thousand datagrams a second at most.
const BURST: usize = 50;
const PAUSE: Duration = Duration::from_millis(1);
/// What the hub may grow by meanwhile, with all that this test has in the same process.
const GROWTH_KB: u64 = 64 << 10;

/// How many panics there were in this process since, in whatever task.
struct Panics(Arc<AtomicUsize>);

impl Panics {
    fn count() -> Self {
        let count = Arc::new(AtomicUsize::new(0));
        let (counted, before) = (count.clone(), std::panic::take_hook());
        std::panic::set_hook(Box::new(move |info| {
            counted.fetch_add(1, Ordering::SeqCst);
            before(info);
        }));
        Self(count)
    }

    fn so_far(&self) -> usize {
        self.0.load(Ordering::SeqCst)
    }
}

/// The same numbers each time.
struct Dice(u64);

impl Dice {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        self.0 >> 33
    }

    fn below(&mut self, n: usize) -> usize {
        (self.next() % n as u64) as usize
    }

    fn byte(&mut self) -> u8 {
        self.next() as u8
    }

    fn fill(&mut self, bytes: &mut [u8]) {
        for byte in bytes {
            *byte = self.byte();
        }
    }
}

fn resident_kb() -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let line = status.lines().find_map(|l| l.strip_prefix("VmRSS:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

/// Goes on until it is told to stop; gives how many went out.
fn flood(to: SocketAddr, whole: &[u8], enough: &AtomicBool) -> usize {
    let socket = UdpSocket::bind("127.0.0.1:0").unwrap();
    socket.set_nonblocking(true).unwrap();
    let mut dice = Dice(6);
    let mut sent = 0;
    for kind in (0..5).cycle() {
        let mut datagram = whole.to_vec();
        match kind {
            // Bytes of no meaning.
            0 => {
                datagram.truncate(1 + dice.below(whole.len()));
                dice.fill(&mut datagram);
            }
            // Cut short.
            1 => datagram.truncate(1 + dice.below(whole.len() - 1)),
            // Broken somewhere, for a connection of its own.
            2 => {
                dice.fill(&mut datagram[6..14]);
                datagram[14 + dice.below(1186)] ^= 1 << dice.below(8);
            }
            // Of a version that nobody speaks.
            3 => dice.fill(&mut datagram[1..5]),
            // For a connection that there is not.
            _ => {
                dice.fill(&mut datagram);
                datagram[0] = 0x40;
            }
        }
        // Where the buffer is full the hub has more than it can take.
        sent += usize::from(socket.send_to(&datagram, to).is_ok());
        if sent % BURST == 0 {
            if enough.load(Ordering::SeqCst) {
                break;
            }
            std::thread::sleep(PAUSE);
        }
    }
    sent
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn fault_t6_a_flood_of_broken_first_packets_stops_no_sync_and_takes_no_memory() {
    let panics = Panics::count();
    let test = fresh_sqlite().await;
    let hub = Hub::on(&test).await;
    let (east, west) = (hub.enrolled("east").await, hub.enrolled("west").await);
    let session = hub.session(&east, BufferId::new(&RandomIds), 0).await;
    let mut lane = session.lane(Lane::Live).await;
    assert_eq!(lane.ask(1, body(&[(1, 1.0)])).await, LaneDown::Ack(1));
    let tls = Arc::new(hub.tls(ALPN, None));
    let whole = Attempt::new(6).hello(&tls, good_parameters().concat());
    let before = resident_kb();
    let address = hub.address;
    let (enough, begun) = (Arc::new(AtomicBool::new(false)), Instant::now());
    let until = enough.clone();
    let flooding = tokio::task::spawn_blocking(move || flood(address, &whole, &until));
    let mut seq = 1;
    while seq <= BATCHES || begun.elapsed() < FLOOD {
        seq += 1;
        assert_eq!(lane.ask(seq, body(&[(seq as i64, 1.0)])).await, LaneDown::Ack(seq));
    }
    enough.store(true, Ordering::SeqCst);
    let sent = flooding.await.unwrap();
    let grown = resident_kb().saturating_sub(before);
    assert!(grown < GROWTH_KB, "{grown} kB more after {sent} datagrams");
    let west = hub.session(&west, BufferId::new(&RandomIds), 0).await;
    assert_eq!(west.lane(Lane::Live).await.ask(1, body(&[(1, 1.0)])).await, LaneDown::Ack(1));
    assert!(session.connection.is_open());
    assert_eq!(panics.so_far(), 0);
}

#[tokio::test]
async fn fault_t6_of_many_half_open_connections_more_must_first_show_their_address_and_gateways_do() {
    let test = fresh_sqlite().await;
    let hub = Hub::on(&test).await;
    let (east, west) = (hub.enrolled("east").await, hub.enrolled("west").await);
    let session = hub.session(&east, BufferId::new(&RandomIds), 0).await;
    let tls = Arc::new(hub.tls(ALPN, None));
    let stranger = Stranger::to(hub.address).await;
    let mut said = Vec::new();
    for number in 0..RETRY_FROM as u64 + 40 {
        let attempt = Attempt::new(number);
        let hello = attempt.hello(&tls, good_parameters().concat());
        said.push(stranger.ask(&attempt, &hello).await);
    }
    let begun = said.iter().filter(|s| **s == Said::Hello).count();
    assert!(begun <= RETRY_FROM && begun > RETRY_FROM / 2, "{begun} handshakes were begun");
    assert!(said.iter().rev().take(20).all(|s| *s == Said::Retry), "{said:?}");
    let mut lane = session.lane(Lane::Live).await;
    assert_eq!(lane.ask(1, body(&[(1, 1.0)])).await, LaneDown::Ack(1));
    let west = hub.session(&west, BufferId::new(&RandomIds), 0).await;
    assert_eq!(west.lane(Lane::Live).await.ask(1, body(&[(1, 1.0)])).await, LaneDown::Ack(1));
}

#[tokio::test]
async fn fault_t7_invalid_transport_parameters_end_the_connection_and_nothing_else() {
    let panics = Panics::count();
    let test = fresh_sqlite().await;
    let hub = Hub::on(&test).await;
    let (east, west) = (hub.enrolled("east").await, hub.enrolled("west").await);
    let session = hub.session(&east, BufferId::new(&RandomIds), 0).await;
    let tls = Arc::new(hub.tls(ALPN, None));
    let stranger = Stranger::to(hub.address).await;
    let mut number = 0;
    let mut ask = async |parameters: Vec<u8>| {
        number += 1;
        let attempt = Attempt::new(number);
        let hello = attempt.hello(&tls, parameters);
        let said = stranger.ask(&attempt, &hello).await;
        if said == Said::Hello {
            stranger.send(&attempt.goodbye()).await;
        }
        said
    };
    assert_eq!(ask(good_parameters().concat()).await, Said::Hello, "what is made by hand is right");
    for (what, wrong) in wrong_parameters() {
        assert_eq!(ask(wrong).await, Said::Closed(BAD_PARAMETERS), "{what}");
    }
    let (mut dice, mut closed) = (Dice(7), 0);
    for _ in 0..600 {
        let mutated = mutate(good_parameters().concat(), &mut dice);
        match ask(mutated.clone()).await {
            Said::Hello => {}
            Said::Closed(_) => closed += 1,
            Said::Retry => panic!("handshakes that were ended count as open"),
        }
    }
    assert!(closed > 200, "only {closed} were closed");
    assert_eq!(session.lane(Lane::Live).await.ask(1, body(&[(1, 1.0)])).await, LaneDown::Ack(1));
    let west = hub.session(&west, BufferId::new(&RandomIds), 0).await;
    assert_eq!(west.lane(Lane::Live).await.ask(1, body(&[(1, 1.0)])).await, LaneDown::Ack(1));
    assert_eq!(panics.so_far(), 0);
}

/// Each of what RFC 9000, 7.3 and 18.2 have a server refuse.
fn wrong_parameters() -> Vec<(&'static str, Vec<u8>)> {
    let with = |more: Vec<u8>| [good_parameters().concat(), more].concat();
    let instead = |id: u8, value: &[u8]| {
        let others = good_parameters().into_iter().filter(|p| p[0] != id);
        others.chain([parameter(id, value)]).flatten().collect::<Vec<u8>>()
    };
    let without_source = good_parameters().into_iter().filter(|p| p[0] != 0x0f).flatten().collect();
    vec![
        ("an id of a connection that only servers may name", with(parameter(0x00, b"original"))),
        ("a token of a reset that only servers may give", with(parameter(0x02, &[7; 16]))),
        ("an address that only servers may prefer", with(parameter(0x0d, &[7; 49]))),
        ("a retry that only servers may make", with(parameter(0x10, b"retried!"))),
        ("datagrams of less than 1200 bytes", instead(0x03, &[0x44, 0xaf])),
        ("more streams than there are numbers", instead(0x08, &[0xff; 8])),
        ("a delay exponent above 20", instead(0x0a, &[21])),
        ("a delay of 2^14 ms", instead(0x0b, &[0x80, 0, 0x40, 0])),
        ("fewer than two ids of a connection", instead(0x0e, &[1])),
        ("another source than the packet's", instead(0x0f, b"another!")),
        ("no source", without_source),
        ("a parameter that comes twice", with(parameter(0x04, &[1]))),
        ("a value that is shorter than its length", instead(0x0b, &[25, 0])),
        ("a value that is longer than its length", with(vec![0x09, 1, 0x80])),
        ("a length beyond the end", with(vec![0x3f, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff])),
        ("a flag with a value", with(parameter(0x0c, &[1]))),
        ("half a parameter", with(vec![0x09])),
    ]
}

fn mutate(mut bytes: Vec<u8>, dice: &mut Dice) -> Vec<u8> {
    for _ in 0..=dice.below(4) {
        let at = dice.below(bytes.len());
        match dice.below(5) {
            0 => bytes[at] = dice.byte(),
            1 => bytes[at] ^= 1 << dice.below(8),
            2 => drop(bytes.drain(at..(at + 1 + dice.below(8)).min(bytes.len()))),
            3 => bytes.insert(at, dice.byte()),
            _ => {
                let piece = bytes[at..(at + 1 + dice.below(8)).min(bytes.len())].to_vec();
                bytes.splice(at..at, piece);
            }
        }
        if bytes.is_empty() {
            break;
        }
    }
    bytes
}
