//! Whoever takes his time on purpose: a connection is closed by its deadline, and nobody else waits for it.

use std::time::Duration;

use steward_shared::id::{BufferId, RandomIds};
use steward_shared::wire::message::{ALPN, Lane, LaneDown};
use tokio::io::{AsyncReadExt as _, AsyncWriteExt as _};
use tokio::net::TcpStream;
use tokio::time::{Instant, sleep, timeout};

use super::super::frames::{FRAME_DEADLINE, PROMPT};
use super::super::road::code;
use super::edge::{Hub, body, closed};
use super::wire::{Way, over_both_roads};
use crate::kernel::db::testing::fresh_sqlite;

const LATE: Duration = Duration::from_secs(5);

#[tokio::test]
async fn fault_t8_handshakes_over_tcp_that_trickle_are_closed_and_keep_nobody_out() {
    let test = fresh_sqlite().await;
    let hub = Hub::on(&test).await.by(Way::Tcp);
    let papers = hub.enrolled("east").await;
    let begun = Instant::now();
    let trickling = (0..60).map(|i| {
        let address = hub.address;
        tokio::spawn(async move {
            let mut socket = TcpStream::connect(address).await.unwrap();
            // A record of a handshake (RFC 8446, 5.1) of five hundred bytes, one by one; some say nothing at all.
            let hello = [&[0x16, 3, 1, 1, 0xf4, 1][..], &[0; 499]].concat();
            let mut answer = [0; 64];
            let (mut from, mut to) = socket.split();
            let sending = async {
                for byte in hello.iter().take(if i % 2 == 0 { 500 } else { 0 }) {
                    if to.write_all(&[*byte]).await.is_err() {
                        break;
                    }
                    sleep(Duration::from_millis(300)).await;
                }
                std::future::pending::<()>().await;
            };
            tokio::select! {
                read = from.read(&mut answer) => drop(read),
                () = sending => {}
            }
        })
    });
    let trickling: Vec<_> = trickling.collect();
    let session = hub.session(&papers, BufferId::new(&RandomIds), 0).await;
    assert_eq!(session.lane(Lane::Live).await.ask(1, body(&[(0, 1.0)])).await, LaneDown::Ack(1));
    assert!(begun.elapsed() < PROMPT, "{:?}: it waited for them", begun.elapsed());
    for each in trickling {
        timeout(PROMPT + LATE, each).await.expect("closed by its deadline").unwrap();
    }
    assert!(session.connection.is_open());
}

async fn fault_t8_a_session_that_never_says_hello_is_closed(way: Way) {
    let test = fresh_sqlite().await;
    let hub = Hub::on(&test).await.by(way);
    let papers = hub.enrolled("east").await;
    let silent = hub.dial(ALPN, Some(&papers)).await.unwrap();
    let half = hub.dial(ALPN, Some(&papers)).await.unwrap();
    let (mut send, _recv) = half.open_bi().await.unwrap();
    send.write_all(&[0, 0]).await.unwrap();
    let session = hub.session(&papers, BufferId::new(&RandomIds), 0).await;
    for connection in [&silent, &half] {
        assert_eq!(timeout(PROMPT + LATE, closed(connection)).await.unwrap(), code::PROTOCOL);
    }
    assert!(session.connection.is_open());
}

async fn fault_t8_a_frame_that_trickles_ends_its_session_and_its_other_lanes_go_on_until_then(way: Way) {
    let test = fresh_sqlite().await;
    let hub = Hub::on(&test).await.by(way);
    let (east, west) = (hub.enrolled("east").await, hub.enrolled("west").await);
    let session = hub.session(&east, BufferId::new(&RandomIds), 0).await;
    let other = hub.session(&west, BufferId::new(&RandomIds), 0).await;
    let (mut slow, mut lane) = (session.lane(Lane::Live).await, session.lane(Lane::Backfill).await);
    let mut others = other.lane(Lane::Live).await;
    let begun = Instant::now();
    slow.send.write_all(&1000_u32.to_be_bytes()).await.unwrap();
    let mut seq = 0;
    let trickling = async {
        while slow.send.write_all(&[0]).await.is_ok() {
            sleep(Duration::from_millis(100)).await;
        }
    };
    let going_on = async {
        while begun.elapsed() + Duration::from_secs(1) < FRAME_DEADLINE {
            seq += 1;
            assert_eq!(lane.ask(seq, body(&[(seq as i64, 1.0)])).await, LaneDown::Ack(seq));
            sleep(Duration::from_millis(50)).await;
        }
    };
    tokio::join!(trickling, going_on);
    assert!(seq > 5, "{seq}");
    assert_eq!(closed(&session.connection).await, code::PROTOCOL);
    assert!(begun.elapsed() < FRAME_DEADLINE + LATE, "{:?}", begun.elapsed());
    assert_eq!(others.ask(1, body(&[(0, 1.0)])).await, LaneDown::Ack(1));
}

over_both_roads!(
    fault_t8_a_session_that_never_says_hello_is_closed,
    fault_t8_a_frame_that_trickles_ends_its_session_and_its_other_lanes_go_on_until_then,
);
