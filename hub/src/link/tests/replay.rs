//! Somebody on the way who has written down what a gateway sent, and sends it again.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use steward_shared::id::{BufferId, RandomIds};
use steward_shared::wire::message::{Lane, LaneDown};
use tokio::net::UdpSocket;
use tokio::time::timeout;

use super::edge::{Hub, body};
use crate::kernel::db::testing::fresh_sqlite;

/// Between a gateway and the hub.
struct Tap {
    address: SocketAddr,
    sent: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl Tap {
    async fn before(hub: SocketAddr) -> Self {
        let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let (address, sent) = (socket.local_addr().unwrap(), Arc::new(Mutex::new(Vec::new())));
        let heard = Arc::clone(&sent);
        tokio::spawn(async move {
            let (mut gateway, mut buffer) = (None, vec![0; 2048]);
            loop {
                let (n, from) = socket.recv_from(&mut buffer).await.unwrap();
                let to = if from == hub {
                    gateway.unwrap()
                } else {
                    gateway = Some(from);
                    heard.lock().unwrap_or_else(PoisonError::into_inner).push(buffer[..n].to_vec());
                    hub
                };
                socket.send_to(&buffer[..n], to).await.unwrap();
            }
        });
        Self { address, sent }
    }

    fn sent(&self) -> Vec<Vec<u8>> {
        self.sent.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

#[tokio::test]
async fn fault_t5_what_a_gateway_sent_has_no_effect_when_it_is_sent_again() {
    let test = fresh_sqlite().await;
    let mut hub = Hub::on(&test).await;
    let papers = hub.enrolled("east").await;
    let door = hub.address;
    let tap = Tap::before(door).await;
    hub.address = tap.address;
    let session = hub.session(&papers, BufferId::new(&RandomIds), 0).await;
    let mut lane = session.lane(Lane::Live).await;
    assert_eq!(lane.ask(1, body(&[(0, 1.0)])).await, LaneDown::Ack(1));

    let stranger = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    let written = tap.sent();
    assert!(written.len() > 3, "{}", written.len());
    again(&stranger, &written, door).await;
    assert_eq!(lane.ask(2, body(&[(10, 2.0)])).await, LaneDown::Ack(2), "the session goes on");

    session.connection.close();
    // Once the hub has forgotten the connection it answers the first packets as anybody's: with a handshake that only the
    // gateway's key could go on with.
    let mut answer = vec![0; 2048];
    let answered = timeout(Duration::from_secs(20), async {
        loop {
            again(&stranger, &written, door).await;
            if timeout(Duration::from_millis(250), stranger.recv_from(&mut answer)).await.is_ok() {
                break;
            }
        }
    });
    answered.await.expect("an answer");
    again(&stranger, &written, door).await;
    hub.address = door;
    let other = hub.enrolled("west").await;
    drop(hub.session(&other, BufferId::new(&RandomIds), 0).await);
    assert_eq!((hub.count("frame").await, hub.count("epoch").await), (2, 2));
    assert_eq!(hub.door.seats.arrivals(papers.gateway), 1, "nobody else has come as this gateway");
    assert!(hub.events(papers.gateway, "cloned_gateway").await.is_empty());
}

async fn again(from: &UdpSocket, datagrams: &[Vec<u8>], to: SocketAddr) {
    for datagram in datagrams {
        from.send_to(datagram, to).await.unwrap();
    }
}
