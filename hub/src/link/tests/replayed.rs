//! What somebody has recorded of a gateway's connection, sent once more.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::{Arc, Mutex};

use quinn::Endpoint;
use quinn::crypto::rustls::QuicClientConfig;
use steward_shared::id::{BufferId, RandomIds};
use steward_shared::wire::message::{ALPN, HUB_SERVER_NAME, Lane, LaneDown};
use tokio::net::UdpSocket;

use super::edge::{Hub, Papers, Session, body};
use super::first_packets::Stranger;
use super::wire::Connection;
use crate::kernel::db::testing::fresh_sqlite;
use crate::testing::eventually;

/// Between one gateway and a hub; keeps what the gateway sends.
struct Tap {
    address: SocketAddr,
    heard: Arc<Mutex<Vec<Vec<u8>>>>,
}

impl Tap {
    async fn before(hub: SocketAddr) -> Self {
        let front = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        let back = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
        back.connect(hub).await.unwrap();
        let (address, heard) = (front.local_addr().unwrap(), Arc::new(Mutex::new(Vec::new())));
        let kept = heard.clone();
        tokio::spawn(async move {
            let (mut up, mut down) = (vec![0; 2048], vec![0; 2048]);
            let mut gateway = address;
            loop {
                // Losing either is harmless: they are safe to drop while they wait.
                tokio::select! {
                    Ok((n, from)) = front.recv_from(&mut up) => {
                        gateway = from;
                        kept.lock().unwrap().push(up[..n].to_vec());
                        let _ = back.send(&up[..n]).await;
                    }
                    Ok(n) = back.recv(&mut down) => drop(front.send_to(&down[..n], gateway).await),
                }
            }
        });
        Self { address, heard }
    }

    fn taken(&self) -> Vec<Vec<u8>> {
        std::mem::take(&mut *self.heard.lock().unwrap())
    }
}

/// All of this at once: what a batch or a session that was begun leaves.
async fn traces(hub: &Hub, papers: &Papers) -> (u64, i64, usize) {
    let events = hub.fleet.events(papers.gateway, None, 200).await.unwrap();
    (hub.door.seats.arrivals(papers.gateway), hub.count("frame").await, events.len())
}

#[tokio::test]
async fn fault_t5_a_first_flight_that_is_sent_again_from_elsewhere_has_no_effect() {
    let test = fresh_sqlite().await;
    let hub = Hub::on(&test).await;
    let (east, west) = (hub.enrolled("east").await, hub.enrolled("west").await);
    let tap = Tap::before(hub.address).await;
    let mut tls = hub.tls(ALPN, Some(&east));
    tls.enable_early_data = true;
    let config = quinn::ClientConfig::new(Arc::new(QuicClientConfig::try_from(tls).unwrap()));
    let endpoint = Endpoint::client(SocketAddr::from((Ipv4Addr::LOCALHOST, 0))).unwrap();
    let dial = || endpoint.connect_with(config.clone(), tap.address, HUB_SERVER_NAME).unwrap();
    let buffer = BufferId::new(&RandomIds);

    // In the first connection the hub could give what the next one may begin with early data with.
    let mut session = Session::on(Connection::Quic(dial().await.unwrap())).await;
    session.welcome = Some(session.hello(east.gateway, buffer, 0).await);
    assert_eq!(session.lane(Lane::Live).await.ask(1, body(&[(1, 1.0)])).await, LaneDown::Ack(1));
    session.connection.close();
    drop(session);
    endpoint.wait_idle().await;

    tap.taken();
    let Err(connecting) = dial().into_0rtt() else { panic!("the hub would take early data") };
    let mut session = Session::on(Connection::Quic(connecting.await.unwrap())).await;
    session.welcome = Some(session.hello(east.gateway, buffer, 1).await);
    let mut lane = session.lane(Lane::Live).await;
    assert_eq!(lane.ask(2, body(&[(2, 1.0)])).await, LaneDown::Ack(2));
    let flight = tap.taken();
    let before = traces(&hub, &east).await;

    let stranger = Stranger::to(hub.address).await;
    for datagram in &flight {
        stranger.send(datagram).await;
    }
    assert_eq!(lane.ask(3, body(&[(3, 1.0)])).await, LaneDown::Ack(3), "the real one goes on");
    let (arrivals, frames, events) = before;
    assert_eq!(traces(&hub, &east).await, (arrivals, frames + 1, events));
    session.connection.close();
    drop((session, lane));
    endpoint.wait_idle().await;
    let before = traces(&hub, &east).await;

    // Once the hub has forgotten the connection it begins a handshake, of which the rest of the flight is of no use.
    let stranger = Stranger::to(hub.address).await;
    eventually("the hub takes it for a new one", async || {
        for datagram in &flight {
            stranger.send(datagram).await;
        }
        stranger.has_heard().await
    })
    .await;
    let other = hub.session(&west, BufferId::new(&RandomIds), 0).await;
    assert_eq!(other.lane(Lane::Live).await.ask(1, body(&[(1, 1.0)])).await, LaneDown::Ack(1));
    let (arrivals, frames, events) = before;
    assert_eq!(traces(&hub, &east).await, (arrivals, frames + 1, events), "the one frame is the other's");
}
