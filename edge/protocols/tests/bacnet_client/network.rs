//! Who is where: devices, routers, a BBMD, and those that lie about it.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::Duration;

use steward_protocols::bacnet::apdu::Apdu;
use steward_protocols::bacnet::bvlc::Bvlc;
use steward_protocols::bacnet::client::{
    Client, Event, Failure, Foreign, LinkAddress, Peer, Settings, Standing,
};
use steward_protocols::bacnet::npdu::{Body, Npdu, Station};
use steward_protocols::bacnet::{Request, Value};

use super::device::{Device, MS, apdu_of, beginning, datagram, host, input};
use super::world::{FAIR, World};

const SECOND: Duration = Duration::from_secs(1);
/// That of `host(200)`.
const BBMD: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(10, 0, 0, 200), 47_808);

fn events(client: &mut Client) -> Vec<Event> {
    std::iter::from_fn(|| client.event()).collect()
}

fn datagrams(client: &mut Client) -> Vec<(LinkAddress, Vec<u8>)> {
    std::iter::from_fn(|| client.datagram()).map(|d| (d.to, d.bytes)).collect()
}

fn i_am(n: u8, instance: u32) -> Vec<u8> {
    let mut device = Device::new(n);
    device.instance = instance;
    device.i_am()
}

#[test]
fn fault_b10_a_second_device_of_one_number_is_told_and_moves_nothing() {
    let (mut client, now) = (Client::new(Settings::default()), beginning());
    client.received(host(1).address, &i_am(1, 77), now);
    for _ in 0..50 {
        client.received(host(2).address, &i_am(2, 77), now);
    }
    let conflict = Event::DeviceConflict { instance: 77, known: host(1), other: host(2) };
    let told = events(&mut client);
    assert_eq!(told.iter().filter(|e| **e == conflict).count(), 1, "{told:?}");
    assert_eq!(client.device(77).map(|d| d.peer), Some(host(1)));
    // A person says that it has moved.
    client.forget(77);
    client.received(host(2).address, &i_am(2, 77), now);
    assert_eq!(client.device(77).map(|d| d.peer), Some(host(2)));
}

#[test]
fn fault_b10_a_flood_of_introductions_is_bounded_and_the_wanted_are_heard() {
    let settings = Settings { max_devices: 2000, ..Settings::default() };
    let (mut client, mut now) = (Client::new(settings), beginning());
    client.want(4_000_000);
    let mut told = 0;
    // A thousand a second for ten seconds, each another device.
    for i in 0..10_000_u32 {
        now += MS;
        client.received(host((i % 200) as u8).address, &i_am((i % 200) as u8, i), now);
        told += events(&mut client).len();
    }
    assert!((500..=1600).contains(&told), "500 at once and 100 a second: {told}");
    assert_eq!(client.devices().iter().count(), told);
    assert_eq!(client.devices().dropped(), 10_000 - told as u64);
    client.received(host(9).address, &i_am(9, 4_000_000), now);
    assert!(
        matches!(events(&mut client).as_slice(), [Event::Device { introduction, .. }] if introduction.instance == 4_000_000)
    );
    // A known device is heard in any flood, and costs nobody anything.
    for _ in 0..1000 {
        client.received(host(9).address, &i_am(9, 4_000_000), now);
    }
    assert!(events(&mut client).is_empty() && datagrams(&mut client).is_empty());
}

fn says_router(router: Peer, body: Body<'_>) -> (LinkAddress, Vec<u8>) {
    let npdu = Npdu::message(body).encode();
    (router.address, Bvlc::Broadcast(&npdu).encode())
}

#[test]
fn routers_are_found_and_the_devices_behind_them_asked_through_them() {
    let (mut client, mut now) = (Client::new(Settings::default()), beginning());
    client.who_is_router(Some(2001));
    let asked = datagrams(&mut client);
    assert_eq!(asked[0].1, [0x81, 0x0B, 0, 9, 1, 0x80, 0, 0x07, 0xD1]);
    let (from, bytes) = says_router(host(5), Body::IAmRouter(vec![2001, 2002]));
    client.received(from, &bytes, now);
    assert_eq!(client.routers().to(2001), Some(host(5).address));
    assert_eq!(events(&mut client).len(), 2);
    let behind = |mac| Peer::behind(host(5).address, Station::new(2001, &[mac]).unwrap());
    for mac in 0..10 {
        for i in 0..5 {
            client.ask(behind(mac), Request::ReadProperty(input(i)), now);
        }
    }
    // Two at once through the router, and one to each device.
    let mut seen = Vec::new();
    for _ in 0..2000 {
        let sent = datagrams(&mut client);
        assert!(sent.len() <= 2);
        for (to, bytes) in sent {
            assert_eq!(to, host(5).address);
            let Ok(Bvlc::Unicast(npdu)) = Bvlc::decode(&bytes) else { panic!() };
            let npdu = Npdu::decode(npdu).unwrap();
            let station = npdu.destination.unwrap();
            let Body::Apdu(apdu) = npdu.body else { panic!() };
            let Ok(Apdu::Confirmed { invoke, service, data, .. }) = Apdu::decode(apdu) else { panic!() };
            let mut content = data.to_vec();
            content.extend([0x3E, 0x44, 0, 0, 0, 0, 0x3F]);
            let peer = Peer::behind(to, station);
            let answer = datagram(peer, Apdu::ComplexAck { invoke, segment: None, service, data: &content });
            seen.push((now, station.mac.bytes()[0]));
            client.received(to, &answer, now);
        }
        now += MS;
        client.poll(now);
    }
    let done = events(&mut client);
    assert_eq!(done.iter().filter(|e| matches!(e, Event::Answered { outcome: Ok(_), .. })).count(), 50);
    // The first was alone when it asked, and asked again before the others came.
    let early: std::collections::BTreeSet<u8> = seen.iter().take(11).map(|(_, mac)| *mac).collect();
    assert_eq!(early.len(), 10, "they take turns: {seen:?}");
    let gaps = seen.windows(2).map(|w| w[1].0.duration_since(w[0].0));
    assert!(gaps.min() >= Some(10 * MS), "the router is spared");
}

#[test]
fn fault_b10_a_router_loop_is_told_once_and_changes_nothing() {
    let (mut client, now) = (Client::new(Settings::default()), beginning());
    for _ in 0..100 {
        for n in [5, 6] {
            let (from, bytes) = says_router(host(n), Body::IAmRouter(vec![2001]));
            client.received(from, &bytes, now);
            // The same device comes round both ways.
            let far = Peer::behind(host(n).address, Station::new(2001, &[17]).unwrap());
            let mut device = Device::new(1);
            (device.peer, device.instance) = (far, 300);
            client.received(host(n).address, &device.i_am(), now);
        }
    }
    let told = events(&mut client);
    let conflict = Event::RouterConflict { network: 2001, known: host(5).address, other: host(6).address };
    assert_eq!(told.iter().filter(|e| **e == conflict).count(), 1);
    assert_eq!(told.iter().filter(|e| matches!(e, Event::DeviceConflict { .. })).count(), 1);
    assert_eq!(told.len(), 4, "{told:?}");
    assert_eq!(client.routers().to(2001), Some(host(5).address));
    assert_eq!(client.device(300).map(|d| d.peer.address), Some(host(5).address));
    assert!(datagrams(&mut client).is_empty(), "nothing is sent on");
}

#[test]
fn a_network_that_a_router_cannot_reach_fails_at_once() {
    let (mut client, now) = (Client::new(Settings::default()), beginning());
    let far = Peer::behind(host(5).address, Station::new(2001, &[17]).unwrap());
    for i in 0..3 {
        client.ask(far, Request::ReadProperty(input(i)), now);
    }
    let (from, bytes) = says_router(host(6), Body::Rejected { reason: 1, network: 2001 });
    client.received(from, &bytes, now);
    assert!(events(&mut client).is_empty(), "another router says so");
    let (from, bytes) = says_router(host(5), Body::Rejected { reason: 1, network: 2001 });
    client.received(from, &bytes, now);
    let failed = events(&mut client);
    let no_route = |e: &Event| {
        matches!(e, Event::Answered { outcome: Err(Failure::NoRoute { network: 2001, reason: 1 }), .. })
    };
    assert_eq!(failed.iter().filter(|e| no_route(e)).count(), 3);
}

fn foreign(ttl: u16) -> (Client, std::time::Instant) {
    let foreign = Some(Foreign { bbmd: BBMD, ttl });
    (Client::new(Settings { foreign, ..Settings::default() }), beginning())
}

fn functions(sent: &[(LinkAddress, Vec<u8>)]) -> Vec<u8> {
    sent.iter().map(|(_, bytes)| bytes[1]).collect()
}

fn result(code: u16) -> Vec<u8> {
    Bvlc::Result(code).encode()
}

#[test]
fn a_foreign_device_registers_and_renews_at_half_of_its_life() {
    let (mut client, mut now) = foreign(60);
    client.who_is(None);
    client.poll(now);
    let sent = datagrams(&mut client);
    assert_eq!(sent, [(host(200).address, vec![0x81, 5, 0, 6, 0, 60])], "what is broadcast waits for it");
    // Somebody else's success is none.
    client.received(host(3).address, &result(0), now);
    assert!(datagrams(&mut client).is_empty());
    client.received(host(200).address, &result(0), now);
    assert_eq!(events(&mut client), [Event::Registration(Standing::Registered)]);
    assert_eq!(functions(&datagrams(&mut client)), [9]);
    for _ in 0..5 {
        assert_eq!(client.deadline(), Some(now + 30 * SECOND));
        now += 30 * SECOND;
        client.poll(now);
        assert_eq!(functions(&datagrams(&mut client)), [5]);
        client.received(host(200).address, &result(0), now);
    }
    assert!(events(&mut client).is_empty());
}

#[test]
fn a_bbmd_that_refuses_or_forgets_is_asked_again() {
    let (mut client, mut now) = foreign(600);
    client.poll(now);
    client.received(host(200).address, &result(0x30), now);
    assert_eq!(events(&mut client), [Event::Registration(Standing::Refused)]);
    datagrams(&mut client);
    now += 30 * SECOND;
    client.poll(now);
    assert_eq!(functions(&datagrams(&mut client)), [5]);
    client.received(host(200).address, &result(0), now);
    assert_eq!(events(&mut client), [Event::Registration(Standing::Registered)]);
    // The BBMD has started anew: it refuses to distribute for us.
    client.who_is(None);
    assert_eq!(functions(&datagrams(&mut client)), [9]);
    client.received(host(200).address, &result(0x60), now);
    client.poll(now);
    assert_eq!(functions(&datagrams(&mut client)), [5]);
}

#[test]
fn a_bbmd_that_says_nothing_is_told_and_asked_now_and_then() {
    let (mut client, mut now) = foreign(60);
    let mut sent = 0;
    for _ in 0..600 {
        client.poll(now);
        sent += datagrams(&mut client).len();
        now += SECOND;
    }
    assert_eq!(events(&mut client), [Event::Registration(Standing::Silent)]);
    assert!((40..=52).contains(&sent), "three tries each 39 seconds: {sent}");
}

#[test]
fn a_device_that_a_bbmd_forwards_is_at_its_own_address() {
    let (mut client, now) = foreign(60);
    let bytes = i_am(1, 42);
    let Ok(Bvlc::Unicast(npdu)) = Bvlc::decode(&bytes) else { panic!() };
    let originator = SocketAddrV4::new(Ipv4Addr::new(10, 77, 2, 10), 47_808);
    client.received(host(200).address, &Bvlc::Forwarded { originator, npdu }.encode(), now);
    assert_eq!(client.device(42).map(|d| d.peer), Some(Peer::direct(originator)));
}

#[test]
fn a_request_to_everybody_is_answered_by_nobody() {
    let (mut client, now) = (Client::new(Settings::default()), beginning());
    let request = Apdu::Confirmed { invoke: 1, segment: None, takes: 1476, service: 15, data: &[] }.encode();
    let npdu = Npdu::to(None, true, &request).encode();
    client.received(host(1).address, &Bvlc::Broadcast(&npdu).encode(), now);
    assert!(datagrams(&mut client).is_empty());
    client.received(host(1).address, &Bvlc::Unicast(&npdu).encode(), now);
    let sent = datagrams(&mut client);
    assert_eq!(apdu_of(&sent[0].1), Some(vec![0x60, 1, 9]));
}

#[test]
fn values_are_written_through_the_same_door() {
    let mut world = World::new(Settings::default(), vec![Device::new(1)], FAIR, 1);
    let write = Request::WriteProperty { target: input(1), value: Value::Real(3.0), priority: None };
    assert!(world.ask(host(1), write).is_ok());
}
