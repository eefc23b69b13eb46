//! The edge's BACnet network in an internetwork that we did not write: bacpypes3's BBMDs between two IP networks, and its
//! routers to networks behind them.
#![allow(clippy::unwrap_used, reason = "a test says with a panic what broke")]

#[path = "bacnet/happenings.rs"]
mod happenings;

use std::net::{Ipv4Addr, SocketAddr, SocketAddrV4};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use steward_edge::line::bacnet::{Network, Port, UdpLine};
use steward_protocols::bacnet::client::{Event, Foreign, LinkAddress, Peer as At, Settings, Standing};
use steward_protocols::bacnet::npdu::Station;
use steward_protocols::bacnet::{ObjectId, ObjectType, PropertyId, PropertyRef, Value};
use steward_shared::id::RandomIds;
use steward_tests::programs::{Peer, free_tcp_port, free_udp_port};
use steward_tests::{Edge, eventually};
use tokio_util::sync::CancellationToken;

use happenings::Happenings;

const LONG: Duration = Duration::from_secs(30);

struct Bed {
    peer: Peer,
    _folder: tempfile::TempDir,
    port: u16,
    other: u16,
    network: Network,
    happened: Happenings,
    cancel: CancellationToken,
}

impl Drop for Bed {
    fn drop(&mut self) {
        self.cancel.cancel();
    }
}

fn at(host: u8, port: u16) -> SocketAddrV4 {
    SocketAddrV4::new(Ipv4Addr::new(127, 0, 0, host), port)
}

/// Our network on the first of the two, or a stranger there that has registered with its BBMD. Nothing where peers are
/// not wanted.
fn bed(foreign: bool) -> Option<Bed> {
    if !Peer::wanted("bacpypes3") {
        return None;
    }
    let folder = tempfile::tempdir().unwrap();
    let (port, other) = (free_udp_port().unwrap(), free_udp_port().unwrap());
    let peer = Peer::start("bacnet_sites.py", folder.path(), &[&port.to_string(), &other.to_string()]);
    let broadcast = SocketAddrV4::new(Ipv4Addr::new(127, 255, 255, 255), port).into();
    let bbmd = Foreign { bbmd: at(16, port), ttl: 30 };
    let settings = Settings { broadcast, foreign: foreign.then_some(bbmd), ..Settings::default() };
    // A broadcast of the first network is not heard here: the port is another.
    let listen = SocketAddrV4::new(Ipv4Addr::LOCALHOST, 0);
    let (line, network, happened) = UdpLine::new(Port { listen }, settings, Arc::new(RandomIds));
    let cancel = CancellationToken::new();
    tokio::spawn(line.run(cancel.clone()));
    Some(Bed {
        peer: peer.unwrap(),
        _folder: folder,
        port,
        other,
        network,
        happened: Happenings(happened),
        cancel,
    })
}

impl Bed {
    async fn input(&self, peer: At) -> Vec<Value> {
        let input = PropertyRef::new(ObjectId::new(ObjectType::ANALOG_INPUT, 1), PropertyId::PRESENT_VALUE);
        self.network.read(peer, vec![input]).await.unwrap().remove(0).1.unwrap().values
    }
}

const fn device_of(event: &Event, wanted: u32) -> Option<At> {
    match event {
        Event::Device { peer, introduction } if introduction.instance == wanted => Some(*peer),
        _ => None,
    }
}

#[tokio::test]
async fn a_foreign_device_is_told_what_a_station_behind_two_bbmds_says_to_all() {
    let Some(mut bed) = bed(true) else { return };
    bed.happened
        .first("the BBMD takes us", |event| {
            matches!(event, Event::Registration(Standing::Registered)).then_some(())
        })
        .await;
    // Its broadcast goes from its BBMD to ours and from there to us, and bears its own address all the way.
    bed.peer.tell("announce").unwrap();
    let found = bed.happened.first("the far device introduces itself", |event| device_of(&event, 1021)).await;
    assert_eq!(found, At::direct(at(18, bed.other)));
    assert_eq!(bed.input(found).await, [Value::Real(1021.0)]);
}

#[tokio::test]
async fn a_foreign_device_asks_all_of_both_networks() {
    let Some(mut bed) = bed(true) else { return };
    bed.network.who_is(Some((1003, 1021))).await.unwrap();
    let what = "three devices of two networks introduce themselves";
    let three = bed.happened.gather(3, what, |event| match event {
        Event::Device { introduction, .. } => Some(introduction.instance),
        _ => None,
    });
    let mut found = three.await;
    found.sort_unstable();
    assert_eq!(found, [1003, 1004, 1021]);
}

#[tokio::test]
async fn routers_say_where_they_lead_and_a_device_behind_one_is_found_and_read() {
    let Some(mut bed) = bed(false) else { return };
    let (router, rival) = (LinkAddress::Ip(at(19, bed.port)), LinkAddress::Ip(at(20, bed.port)));
    bed.network.who_is_router(None).await.unwrap();
    let two = bed.happened.gather(2, "two routers", |event| match event {
        Event::Router { router, network } => Some((network, router)),
        _ => None,
    });
    let mut found = two.await;
    found.sort_unstable();
    assert_eq!(found, [(2001, router), (2002, rival)]);
    bed.network.who_is(Some((1030, 1030))).await.unwrap();
    let peer = bed.happened.first("the device behind it", |event| device_of(&event, 1030)).await;
    assert_eq!(peer, At::behind(at(19, bed.port), Station::new(2001, &[5]).unwrap()));
    assert_eq!(bed.input(peer).await, [Value::Real(1030.0)]);
    let nobody = At::behind(at(19, bed.port), Station::new(4711, &[5]).unwrap());
    let refused =
        bed.network.read(nobody, vec![PropertyRef::new(ObjectId::device(1), PropertyId::OBJECT_NAME)]);
    assert!(refused.await.unwrap()[0].1.is_err());
}

#[test]
fn the_gateway_tells_of_a_second_router_to_a_network_and_reads_the_device_behind_the_first() {
    if !Peer::wanted("bacpypes3") {
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let (port, other) = (free_udp_port().unwrap(), free_udp_port().unwrap());
    let mut peer =
        Peer::start("bacnet_sites.py", dir.path(), &[&port.to_string(), &other.to_string()]).unwrap();
    let http = SocketAddr::from(([127, 0, 0, 1], free_tcp_port().unwrap()));
    let profiles = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers/profiles");
    let text = format!(
        "[gateway]\nname = \"bms\"\ndata = \"{}\"\n[http]\nlisten = \"{http}\"\n[periods]\nnormal = \"1s\"\n\
         [profiles]\nfolders = [\"{}\"]\n[[line]]\nname = \"bms\"\nkind = \"bacnet-ip\"\nlisten = \"127.0.0.1:0\"\n\
         broadcast = \"127.255.255.255:{port}\"\nbbmd = \"127.0.0.16:{port}\"\nttl = \"30s\"\ntimeout = \"1s\"\nretries = 1\n\
         [[line.device]]\nname = \"behind\"\nprofile = \"bacpypes3/alarms\"\ninstance = 1030\n",
        dir.path().join("edge").display(),
        profiles.display(),
    );
    let file = dir.path().join("edge.toml");
    std::fs::write(&file, text).unwrap();
    let mut edge = Edge::new(&file, http);
    edge.start().unwrap();
    eventually("the device is read", LONG, || {
        let status = edge.status().ok()?;
        let values = status["values"].as_array()?.clone();
        values.iter().any(|v| v["value"] == 1030.0 && v["quality"] == "good").then_some(())
    });
    peer.tell("claim").unwrap();
    let line = eventually("the gateway shows it", LONG, || {
        let line = edge.status().ok()?["health"]["lines"].get(0)?.clone();
        (line["troubles"][0]["what"] == "number_twice").then_some(line)
    });
    assert!(line["last_error"].as_str().unwrap().contains("two routers lead to network 2001"), "{line}");
    edge.stop().unwrap();
}
