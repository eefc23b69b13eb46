//! BACnet/IP, layer by layer, and the client's machine with everything under way.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::{Arc, LazyLock};
use std::time::{Duration, Instant};

use steward_protocols::bacnet::apdu::{Apdu, error_of};
use steward_protocols::bacnet::bvlc::Bvlc;
use steward_protocols::bacnet::client::{Client, Foreign, Peer, Settings, Wanted};
use steward_protocols::bacnet::device::Device;
use steward_protocols::bacnet::mstp::{self, Frame, FrameType, Node, Receiver};
use steward_protocols::bacnet::npdu::{Body, Npdu};
use steward_protocols::bacnet::tag::Reader;
use steward_protocols::bacnet::{
    CovNotice, EventNotice, IAm, ObjectId, ObjectType, PropertyId, PropertyRef, Request, Value,
};
use steward_protocols::cost::Cost;
use steward_protocols::question::{Question, questions};
use steward_shared::profile::{Library, PointDef, Profile};
use steward_shared::reading::Value as Shown;

use crate::input::{Input, hex};

const ANNEX_F: &str = include_str!("../../frames/bacnet/annex-f.txt");
const BACPYPES3: &str = include_str!("../../frames/bacnet/bacpypes3.txt");

/// A datagram, down to the content of its service.
pub fn bvlc(data: &[u8]) {
    let Ok(frame) = Bvlc::decode(data) else { return };
    let again = frame.encode();
    assert_eq!(format!("{:?}", Bvlc::decode(&again)), format!("{:?}", Bvlc::decode(data)));
    if let Bvlc::Unicast(npdu_bytes)
    | Bvlc::Broadcast(npdu_bytes)
    | Bvlc::Forwarded { npdu: npdu_bytes, .. } = Bvlc::decode(data).expect("it was one")
    {
        npdu(npdu_bytes);
    }
}

pub fn npdu(data: &[u8]) {
    let Ok(read) = Npdu::decode(data) else { return };
    let again = read.encode();
    assert_eq!(format!("{:?}", Npdu::decode(&again)), format!("{:?}", Ok::<_, ()>(&read)));
    if let Body::Apdu(bytes) = read.body {
        apdu(bytes);
    }
}

/// A message, and its content as each service would read it.
pub fn apdu(data: &[u8]) {
    let Ok(read) = Apdu::decode(data) else { return };
    let shown = format!("{read:?}");
    let again = read.encode();
    assert_eq!(format!("{:?}", Apdu::decode(&again)), format!("{:?}", Apdu::decode(data)), "{shown}");
    for skipped in [2, 3, 4, 5, 6] {
        content(data.get(skipped..).unwrap_or_default());
    }
}

fn content(bytes: &[u8]) {
    let _ = (IAm::decode(bytes), CovNotice::decode(bytes), EventNotice::decode(bytes), error_of(bytes));
    let requests = [
        Request::ReadProperty(point(5)),
        Request::ReadPropertyMultiple(vec![point(5), point(6)]),
        Request::GetEventInformation { after: None },
        Request::WriteProperty { target: point(5), value: Value::Null, priority: None },
    ];
    for request in requests {
        let _ = (request.answer(Some(bytes)), request.answer(None));
    }
}

/// Values as they stand in an answer; what was read is written as it was.
pub fn value(data: &[u8]) {
    kept(data);
    let Ok(values) = Value::read_all(Reader::new(data)) else { return };
    assert!(values.len() <= data.len(), "more values than bytes");
    let mut written = Vec::new();
    for value in &values {
        value.put(&mut written);
        let _ = value.as_number();
    }
    let again = Value::read_all(Reader::new(&written)).expect("what we write can be read");
    assert_eq!(format!("{again:?}"), format!("{values:?}"));
    content(data);
}

/// An answer that was kept: to a question of a profile, by whatever is kept of it.
fn kept(data: &[u8]) {
    let points = &NORDIC.points;
    for question in &*KEPT {
        let values = question.values(points, data);
        assert!(values.len() <= points.len(), "{values:?}");
        for point in points {
            let parts = question.parts(point, data);
            let ranges = parts.into_iter().filter_map(|part| part.bytes).chain(question.bytes(point, data));
            ranges.for_each(|range| assert!(range.end <= data.len(), "{range:?}"));
        }
    }
}

fn point(instance: u32) -> PropertyRef {
    PropertyRef::new(ObjectId::new(ObjectType::ANALOG_INPUT, instance), PropertyId::PRESENT_VALUE)
}

fn beginning() -> Instant {
    #![allow(clippy::disallowed_methods, reason = "any instant serves as the beginning of virtual time")]
    Instant::now()
}

/// Datagrams from anybody, each with who sends it, how it is wrapped, how long after the one before, and its length.
pub fn client(data: &[u8]) {
    let mut input = Input(data);
    let bbmd = SocketAddrV4::new(Ipv4Addr::new(10, 0, 0, 3), 47_808);
    let foreign = (input.byte() & 1 == 1).then_some(Foreign { bbmd, ttl: 60 });
    let mut client = Client::new(Settings { foreign, ..Settings::default() });
    let mut now = beginning();
    let peer = Peer::direct(SocketAddrV4::new(Ipv4Addr::new(10, 0, 0, 9), 47_808));
    client.poll(now);
    for instance in 0..4 {
        client.ask(peer, Request::ReadProperty(point(instance)), now);
    }
    client.read(peer, (0..60).map(point).collect(), now);
    client.subscribe(Wanted { peer, object: point(1).object, confirmed: true, lifetime: 60 }, now);
    client.want(1001);
    let mut datagrams = 0;
    while !input.rest().is_empty() && datagrams < 64 {
        datagrams += 1;
        let (host, wrap, wait, len) = (input.byte(), input.byte(), input.byte(), input.word());
        let bytes = input.take(usize::from(len % 1500));
        now += Duration::from_millis(u64::from(wait) * 20);
        let from = SocketAddrV4::new(Ipv4Addr::new(10, 0, 0, host % 12), 47_808);
        let bytes = match wrap % 3 {
            0 => bytes.to_vec(),
            1 => Bvlc::Unicast(bytes).encode(),
            _ => Bvlc::Unicast(&Npdu::to(None, false, bytes).encode()).encode(),
        };
        client.received(from, &bytes, now);
        client.poll(now);
        assert!(client.deadline().is_none_or(|deadline| deadline > now), "a deadline in the past would spin");
        let mut left = 0;
        while client.event().is_some() || client.datagram().is_some() {
            left += 1;
        }
        assert!(left < 10_000 && client.under_way() < 1000, "{left} things at once");
    }
}

/// Octets of an MS/TP line to a receiver, a few at a time with silence between, and to a master on it.
pub fn mstp(data: &[u8]) {
    let mut input = Input(data);
    let settings = mstp::Settings::new(input.byte() % 128, 38_400);
    let mut now = beginning();
    let mut receiver = Receiver::new(settings.mac, Duration::from_millis(20));
    let mut node = Node::new(settings, now);
    let mut told = 0;
    while !input.rest().is_empty() {
        let (wait, len) = (input.byte(), input.byte());
        let octets = input.take(usize::from(len).max(1));
        now += Duration::from_millis(u64::from(wait % 64));
        told += usize::from(receiver.silence(now).is_some());
        told += octets.iter().filter(|octet| receiver.octet(**octet, now).is_some()).count();
        node.received(octets, now);
        let sent = node.transmit(now);
        assert!(sent.is_none_or(|sent| sent.len() <= 1600), "longer than any frame");
        while node.npdu().is_some() || node.event().is_some() {}
    }
    assert!(told <= data.len(), "more than one frame an octet");
}

/// Whole frames of every kind to station 5, and what of the golden files fits into them.
pub fn mstp_seeds() -> Vec<Vec<u8>> {
    let bare = [
        FrameType::Token,
        FrameType::PollForMaster,
        FrameType::ReplyToPollForMaster,
        FrameType::ReplyPostponed,
    ];
    let bare = bare.into_iter().map(|kind| Frame::bare(kind, 5, 9));
    let with_data = frames().flat_map(|(_, bytes)| {
        let kinds = [FrameType::DataExpectingReply, FrameType::DataNotExpectingReply];
        kinds.map(|kind| Frame { data: Npdu::to(None, false, &bytes).encode(), ..Frame::bare(kind, 5, 9) })
    });
    let seed = |frame: Frame| {
        let octets = frame.encode();
        let parts = octets.chunks(200).flat_map(|part| [&[1, part.len() as u8], part].concat());
        [5].into_iter().chain(parts).collect()
    };
    bare.chain(with_data).map(seed).collect()
}

/// The messages of the golden files, with their names.
fn frames() -> impl Iterator<Item = (&'static str, Vec<u8>)> {
    let lines = [ANNEX_F, BACPYPES3].into_iter().flat_map(str::lines).filter(|line| !line.starts_with('#'));
    lines.filter_map(|line| line.split_once(' ')).map(|(name, bytes)| (name, hex(bytes)))
}

fn datagram(apdu: &[u8]) -> Vec<u8> {
    Bvlc::Unicast(&Npdu::to(None, false, apdu).encode()).encode()
}

pub fn bvlc_seeds() -> Vec<Vec<u8>> {
    frames().map(|(name, bytes)| if name.starts_with("bvlc") { bytes } else { datagram(&bytes) }).collect()
}

pub fn npdu_seeds() -> Vec<Vec<u8>> {
    frames()
        .map(|(_, bytes)| bytes)
        .flat_map(|bytes| [Npdu::to(None, true, &bytes).encode(), bytes])
        .collect()
}

pub fn apdu_seeds() -> Vec<Vec<u8>> {
    frames().map(|(_, bytes)| bytes).chain(crashers()).collect()
}

pub fn value_seeds() -> Vec<Vec<u8>> {
    let of_acks = frames().flat_map(|(_, bytes)| [bytes.get(3..).unwrap_or_default().to_vec(), bytes]);
    of_acks.chain(crashers()).chain(contents()).collect()
}

/// What is kept of answers: values and errors as they stand in acknowledgements, and what is not kept.
fn contents() -> Vec<Vec<u8>> {
    let all = ["4E44422933334F", "4E8204004F", "5E9101911F5F", "6E6F", "6E230111706F"].map(hex);
    [all.concat()].into_iter().chain(all.iter().map(|one| one.repeat(20))).collect()
}

pub fn client_seeds() -> Vec<Vec<u8>> {
    let one = |(name, bytes): (&str, Vec<u8>)| {
        let wrap = match name.split('-').next() {
            Some("bvlc") => 0,
            Some("npdu" | "who" | "i" | "reject" | "router")
                if name.contains("router") || name.starts_with("npdu") =>
            {
                1
            }
            _ => 2,
        };
        let head = [9, wrap, 10, (bytes.len() >> 8) as u8, bytes.len() as u8];
        [&head, bytes.as_slice()].concat()
    };
    let singles: Vec<Vec<u8>> = frames().map(one).collect();
    let all = singles.concat();
    singles
        .iter()
        .map(|seed| [&[1], seed.as_slice()].concat())
        .chain([[&[0], all.as_slice()].concat()])
        .collect()
}

/// What a simulated device hears, one datagram after the other: its length, then its bytes. The lowest bit of the first byte
/// says whether only messages are given, in their wrapping; the others are seconds between two.
pub fn device(data: &[u8]) {
    let mut input = Input(data);
    let how = input.byte();
    let mut device = Device::new(Arc::clone(&NORDIC), 1001);
    let show = |point: &PointDef| Some(Shown::Number(f64::from(point.decimals)));
    let (mut now, from) = (beginning(), SocketAddrV4::new(Ipv4Addr::LOCALHOST, 47809));
    while !input.rest().is_empty() {
        let len = usize::from(input.word());
        let bytes = input.take(len);
        let bytes = if how & 1 == 1 { datagram(bytes) } else { bytes.to_vec() };
        let said = device.received(from, &bytes, now, None, &show);
        let told = device.poll(now, &show);
        for datagram in said.iter().chain(&told) {
            assert!(Bvlc::decode(&datagram.bytes).is_ok(), "it says what is no BACnet: {datagram:?}");
        }
        for (key, _) in device.commanded() {
            assert!(NORDIC.point(&key).is_some(), "{key} was commanded and is no point");
        }
        now += Duration::from_secs(u64::from(how >> 1));
    }
}

/// The frames of the annex and of others, and what is asked of the device that the profile's frames are of.
pub fn device_seeds() -> Vec<Vec<u8>> {
    let one = |how: u8, bytes: &[u8]| [&[how], (bytes.len() as u16).to_be_bytes().as_slice(), bytes].concat();
    let messages = frames().map(|(_, bytes)| one(1, &bytes));
    let asked = NORDIC.frames.iter().map(|frame| one(0, &frame.request));
    messages.chain(crashers().iter().map(|bytes| one(1, bytes))).chain(asked).collect()
}

/// What the device is asked, as it is known by its words.
static KEPT: LazyLock<Vec<Question>> = LazyLock::new(|| {
    let asked = questions(&NORDIC, 0..NORDIC.points.len(), &Cost::tcp(Duration::from_millis(5)), &[]);
    asked.iter().map(|one| Question::of(&NORDIC, &one.words()).expect("its own words")).collect()
});

static NORDIC: LazyLock<Arc<Profile>> = LazyLock::new(|| {
    let library = Library::compiled_in().expect("the repository's own profiles");
    library.get("flexit/nordic").expect("a device of BACnet")
});

/// Published frames that stopped other programs: see the tests of the protocol crate.
fn crashers() -> Vec<Vec<u8>> {
    [
        "0244 0510 0C00800005 1E 0955 2E 4442860000 2F 3F",
        "0244 0510 000D4030301E0300",
        "0244 0506 C402800001 1E 3100 25 04 FFFFFFFF 1F",
        "259FFF",
    ]
    .map(hex)
    .into()
}
