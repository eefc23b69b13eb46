//! Two roads to one hub: which of them a gateway takes, and what it does when the network is not as it should be.

use steward_shared::wire::frame::from_cbor;
use tokio::time::{Instant, sleep};

use super::relay::Link;
use super::sessions::enrolled;
use super::wire::{Way, over_both_roads};
use super::*;
use crate::buffer::tests::noise;
use crate::uplink::{RoadKind, address};

const MINUTE: Duration = Duration::from_mins(1);

fn alarms(hub: &Hub) -> Vec<(EventKind, bool, String)> {
    let seen = hub.seen();
    let events = seen.stored.iter().filter(|b| b.lane == Lane::Alarm);
    let told = events.map(|b| from_cbor::<Event>(&b.body).unwrap());
    told.map(|e| (e.kind, e.active, e.detail)).collect()
}

#[tokio::test]
async fn fault_n6_where_udp_is_dropped_a_gateway_is_on_the_hub_over_tcp_within_three_seconds() {
    let hub = Hub::start();
    let dir = enrolled(&hub);
    let link = Link::to(hub.address).await;
    link.drop_udp(true);
    let begun = Instant::now();
    let mut g = Gateway::start_by(dir.path(), link.address).await;
    let state = g.state.wait_for(|s| s.connected).await.unwrap().clone();
    println!("on the hub over TCP after {:?}", begun.elapsed());
    assert!(begun.elapsed() < Duration::from_secs(3), "{:?}", begun.elapsed());
    assert_eq!(state.road, Some(RoadKind::Tcp));
    let (advice, port) = (state.advice().unwrap(), link.address.port());
    assert!(
        advice.en.contains("UDP seems to be blocked") && advice.en.ends_with(&format!("UDP port {port}"))
    );
    assert!(advice.zh.contains("UDP") && advice.zh.contains(&port.to_string()));
    g.event(EventKind::DeviceSilent, Some("chiller")).await;
    g.batch(0).await;
    eventually("both are at the hub", || (mark(&hub, Lane::Alarm), mark(&hub, Lane::Live)) == (1, 1)).await;
    // The road is remembered: the next time it is not even asked whether UDP comes through.
    let before = link.datagrams_sent();
    hub.hang_up();
    g.state.wait_for(|s| !s.connected).await.unwrap();
    let state = g.state.wait_for(|s| s.connected).await.unwrap().clone();
    assert_eq!((state.road, link.datagrams_sent()), (Some(RoadKind::Tcp), before));
    g.stop().await;
}

#[tokio::test]
async fn where_both_roads_are_open_a_gateway_takes_quic_and_needs_no_advice() {
    let hub = Hub::start();
    let dir = enrolled(&hub);
    let mut g = Gateway::start(dir.path(), &hub).await;
    let state = g.state.wait_for(|s| s.connected).await.unwrap().clone();
    assert_eq!((state.road, state.advice()), (Some(RoadKind::Quic), None));
    g.stop().await;
}

/// Batches and events at the hub, and how many came again.
fn kept(hub: &Hub) -> (usize, usize) {
    let seen = hub.seen();
    (seen.stored.len(), seen.again.len())
}

/// Lets virtual time pass, in steps in which real sockets can keep up.
async fn pass(time: Duration, step: Duration) {
    let mut left = time;
    while !left.is_zero() {
        tokio::time::advance(step.min(left)).await;
        left = left.saturating_sub(step);
        tokio::task::spawn_blocking(|| std::thread::sleep(Duration::from_millis(10))).await.unwrap();
    }
}

#[tokio::test]
async fn fault_n6_a_session_over_tcp_looks_each_hour_whether_udp_comes_through_and_moves_over() {
    let hub = Hub::start();
    let dir = enrolled(&hub);
    let link = Link::to(hub.address).await;
    link.drop_udp(true);
    let mut g = Gateway::start_by(dir.path(), link.address).await;
    g.state.wait_for(|s| s.connected).await.unwrap();
    tokio::time::pause();
    // While a thread works for the runtime, time does not run ahead of the sockets by itself.
    let (done, wait) = std::sync::mpsc::channel::<()>();
    let held = tokio::task::spawn_blocking(move || wait.recv().is_ok());
    let step = Duration::from_secs(10);
    pass(MINUTE, step).await;
    let at_first = link.datagrams_sent();
    pass(58 * MINUTE, step).await;
    assert_eq!(link.datagrams_sent(), at_first, "not before the hour is over");
    pass(2 * MINUTE, step).await;
    let probed = link.datagrams_sent();
    assert!(probed > at_first, "it has looked");
    assert_eq!(g.state.borrow().road, Some(RoadKind::Tcp), "and goes on as it was");
    assert_eq!(hub.seen().hellos.len(), 1, "in the same session");
    link.drop_udp(false);
    pass(50 * MINUTE, step).await;
    assert_eq!(link.datagrams_sent(), probed);
    g.event(EventKind::DeviceSilent, Some("chiller")).await;
    pass(9 * MINUTE, step).await;
    pass(2 * MINUTE, Duration::from_secs(1)).await;
    done.send(()).unwrap();
    assert!(held.await.unwrap());
    tokio::time::resume();
    g.state.wait_for(|s| s.connected && s.road == Some(RoadKind::Quic)).await.unwrap();
    assert_eq!(hub.seen().hellos.len(), 2);
    assert!(
        hub.seen().goodbyes.iter().any(|g| g.contains("going on over QUIC")),
        "{:?}",
        hub.seen().goodbyes
    );
    g.event(EventKind::DeviceSilent, Some("pump")).await;
    eventually("both events, once each", || mark(&hub, Lane::Alarm) == 2).await;
    assert_eq!(kept(&hub), (2, 0));
    g.stop().await;
}

#[tokio::test]
async fn fault_n7_a_hub_given_by_name_is_found_though_no_name_server_answers() {
    let hub = Hub::start();
    let dir = enrolled(&hub);
    let port = hub.address.port();
    let buffer = || {
        let settings = BufferSettings::default();
        Buffer::open(dir.path(), settings, Arc::new(SystemClock), Arc::new(RandomIds)).unwrap()
    };
    let name = format!("localhost:{port}");
    let mut g = Gateway::start_at(dir.path(), &name, buffer(), Arc::new(SystemClock)).await;
    g.state.wait_for(|s| s.connected).await.unwrap();
    eventually("the address is kept", || address::recall(dir.path(), &name) == Some(hub.address)).await;
    g.stop().await;
    // A name that no server knows (RFC 6761, 6.4), with the address at which it was last.
    let name = format!("hub.invalid:{port}");
    address::keep(dir.path(), &name, hub.address);
    let begun = Instant::now();
    let mut g = Gateway::start_at(dir.path(), &name, buffer(), Arc::new(SystemClock)).await;
    g.state.wait_for(|s| s.connected).await.unwrap();
    assert!(begun.elapsed() < Duration::from_secs(5), "{:?}", begun.elapsed());
    g.stop().await;
}

#[tokio::test]
async fn fault_n7_without_a_name_server_and_without_a_former_address_it_is_said_and_local_life_goes_on() {
    let hub = Hub::start();
    let dir = enrolled(&hub);
    let settings = BufferSettings::default();
    let buffer = Buffer::open(dir.path(), settings, Arc::new(SystemClock), Arc::new(RandomIds)).unwrap();
    let mut g = Gateway::start_at(dir.path(), "hub.invalid:7443", buffer, Arc::new(SystemClock)).await;
    g.state.wait_for(|s| s.last_error.is_some()).await.unwrap();
    let words = g.state.borrow().last_error.clone().unwrap();
    assert!(words.contains("cannot be resolved") || words.contains("name resolution"), "{words}");
    g.event(EventKind::DeviceSilent, Some("chiller")).await;
    g.batch(0).await;
    assert_eq!(g.buffer.stats().unacked, 2);
    g.stop().await;
}

#[tokio::test]
async fn fault_n8_a_gateway_that_gets_another_port_in_mid_stream_goes_on_over_quic_and_sends_nothing_twice() {
    let hub = Hub::start();
    let dir = enrolled(&hub);
    let link = Link::to(hub.address).await;
    let mut g = Gateway::start_by(dir.path(), link.address).await;
    g.state.wait_for(|s| s.connected).await.unwrap();
    for i in 0..30 {
        g.batch(i).await;
        if i % 10 == 5 {
            link.rebind();
        }
        sleep(Duration::from_millis(20)).await;
    }
    eventually("all are at the hub", || mark(&hub, Lane::Live) == 30).await;
    eventually("nothing is owed", || g.buffer.stats().unacked == 0).await;
    assert_eq!(kept(&hub), (30, 0));
    assert_eq!(hub.seen().handshakes, 1, "in the same session");
    g.stop().await;
}

#[tokio::test]
async fn fault_n8_over_tcp_a_gateway_connects_anew_and_the_hub_keeps_everything_once() {
    let hub = Hub::over(Way::Tcp);
    let dir = enrolled(&hub);
    let link = Link::to(hub.address).await;
    let mut g = Gateway::start_by(dir.path(), link.address).await;
    g.state.wait_for(|s| s.connected).await.unwrap();
    for i in 0..10 {
        g.batch(i).await;
        if i == 5 {
            link.rebind();
        }
    }
    eventually("all are at the hub", || mark(&hub, Lane::Live) == 10).await;
    assert_eq!(hub.seen().stored.len(), 10);
    assert!(hub.seen().again.iter().all(|(_, _, is_same)| *is_same), "{:?}", hub.seen().again);
    g.stop().await;
}

#[tokio::test]
async fn fault_n9_a_path_of_the_smallest_mtu_that_says_nothing_of_it_carries_everything_without_a_stall() {
    let hub = Hub::over(Way::Quic);
    let dir = enrolled(&hub);
    let link = Link::to(hub.address).await;
    let mut g = Gateway::start_by(dir.path(), link.address).await;
    g.state.wait_for(|s| s.connected).await.unwrap();
    // The path is wide at first, so that larger packets are found to work; then it changes: 1280 bytes with the headers
    // of IPv6 and UDP (RFC 8200, 5).
    for i in 0..5 {
        g.buffer.record(noise(i, 1000)).await;
        g.buffer.flush().await.unwrap();
        sleep(Duration::from_millis(200)).await;
    }
    eventually("the first are at the hub", || mark(&hub, Lane::Live) == 5).await;
    link.drop_longer_than(1280 - 48);
    let mut longest = Duration::ZERO;
    for i in 5..25 {
        let begun = Instant::now();
        g.buffer.record(noise(i, 1000)).await;
        g.buffer.flush().await.unwrap();
        eventually("one more is at the hub", || mark(&hub, Lane::Live) > i).await;
        longest = longest.max(begun.elapsed());
    }
    println!("{} datagrams were too long; the longest wait was {longest:?}", link.datagrams_too_long());
    assert!(link.datagrams_too_long() > 0, "the path was wide before");
    assert!(longest < Duration::from_secs(5), "{longest:?}");
    assert_eq!(hub.seen().handshakes, 1);
    g.stop().await;
    // And one that begins there.
    let mut g = Gateway::start_by(dir.path(), link.address).await;
    g.state.wait_for(|s| s.connected).await.unwrap();
    g.batch(99).await;
    eventually("the next session too", || mark(&hub, Lane::Live) == 26).await;
    g.stop().await;
}

#[tokio::test]
async fn over_a_slow_tcp_link_an_alarm_waits_for_little_of_the_history() {
    let hub = Hub::over(Way::Tcp);
    let dir = enrolled(&hub);
    let link = Link::to_at(hub.address, Some(250_000)).await;
    let mut g = Gateway::start_by(dir.path(), link.address).await;
    g.state.wait_for(|s| s.connected).await.unwrap();
    for i in 0..60 {
        g.buffer.import(Lane::Backfill, noise(i, 8000)).await.unwrap();
    }
    eventually("history is under way", || mark(&hub, Lane::Backfill) > 2).await;
    let mut waits = Vec::new();
    for i in 1..=15 {
        let begun = Instant::now();
        g.event(EventKind::DeviceSilent, Some(&format!("chiller {i}"))).await;
        eventually("the alarm is at the hub", || mark(&hub, Lane::Alarm) == i).await;
        waits.push(begun.elapsed());
        sleep(Duration::from_millis(70)).await;
    }
    assert!(mark(&hub, Lane::Backfill) < 60, "the history was still under way");
    waits.sort();
    println!("an alarm behind history at 2 Mbit/s over TCP: median {:?}, longest {:?}", waits[7], waits[14]);
    assert!(waits[14] < Duration::from_secs(1), "{waits:?}");
    g.stop().await;
}

async fn fault_n12_who_answers_in_the_hubs_place_is_refused_and_told_and_nothing_is_lost(way: Way) {
    let (hub, impostor) = (Hub::start(), Hub::over(way));
    let dir = enrolled(&hub);
    let link = Link::to(impostor.address).await;
    let mut g = Gateway::start_by(dir.path(), link.address).await;
    let words = |s: &UplinkState| {
        s.last_error
            .as_ref()
            .is_some_and(|e| e.contains("is not the hub") && e.contains("readings are still polled"))
    };
    tokio::time::timeout(Duration::from_secs(20), g.state.wait_for(words)).await.unwrap().unwrap();
    g.batch(0).await;
    eventually("it is told, and kept with the readings", || g.buffer.stats().unacked == 2).await;
    assert!(impostor.seen().hellos.is_empty());
    link.lead_to(hub.address);
    eventually("the right hub has it all", || (mark(&hub, Lane::Live), mark(&hub, Lane::Alarm)) == (1, 2))
        .await;
    let told = alarms(&hub);
    assert_eq!(
        told.iter().map(|(kind, active, _)| (*kind, *active)).collect::<Vec<_>>(),
        [(EventKind::HubUntrusted, true), (EventKind::HubUntrusted, false),]
    );
    assert!(told[0].2.contains("looks into TLS"), "{}", told[0].2);
    g.stop().await;
}

#[tokio::test]
async fn fault_n12_something_on_the_way_that_speaks_no_tls_at_all_is_refused_and_told_too() {
    let hub = Hub::start();
    let dir = enrolled(&hub);
    let portal = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = portal.local_addr().unwrap();
    tokio::spawn(async move {
        use tokio::io::AsyncWriteExt as _;
        while let Ok((mut socket, _)) = portal.accept().await {
            let page = b"HTTP/1.1 302 Found\r\nLocation: http://portal.example/login\r\n\r\n";
            let _ = socket.write_all(page).await;
            let _ = socket.shutdown().await;
            tokio::time::sleep(Duration::from_millis(200)).await;
        }
    });
    let link = Link::to(address).await;
    link.drop_udp(true);
    let mut g = Gateway::start_by(dir.path(), link.address).await;
    let words = |s: &UplinkState| s.last_error.as_ref().is_some_and(|e| e.contains("is not the hub"));
    tokio::time::timeout(Duration::from_secs(20), g.state.wait_for(words)).await.unwrap().unwrap();
    eventually("it is told", || g.buffer.stats().unacked == 1).await;
    g.stop().await;
}

over_both_roads!(fault_n12_who_answers_in_the_hubs_place_is_refused_and_told_and_nothing_is_lost);
