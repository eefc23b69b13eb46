//! Whatever a BACnet network says, nothing panics, hangs or grows without bound.

#![allow(clippy::unwrap_used, reason = "a broken fixture ends the test")]

use std::net::{Ipv4Addr, SocketAddrV4};
use std::sync::LazyLock;
use std::time::{Duration, Instant};

use proptest::prelude::*;
use steward_protocols::bacnet::apdu::{Apdu, error_of};
use steward_protocols::bacnet::bvlc::Bvlc;
use steward_protocols::bacnet::client::{Client, Event, Peer, Settings, Wanted};
use steward_protocols::bacnet::npdu::Npdu;
use steward_protocols::bacnet::tag::Reader;
use steward_protocols::bacnet::{
    CovNotice, EventNotice, IAm, ObjectId, ObjectType, PropertyId, PropertyRef, Request, Value,
};

const US: SocketAddrV4 = SocketAddrV4::new(Ipv4Addr::new(10, 0, 0, 9), 47_808);

#[allow(clippy::disallowed_methods, reason = "any instant serves as the beginning of virtual time")]
fn beginning() -> Instant {
    Instant::now()
}

fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.chars().filter_map(|c| c.to_digit(16)).map(|d| d as u8).collect();
    digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

/// Good frames, to be spoiled.
static FRAMES: LazyLock<Vec<Vec<u8>>> = LazyLock::new(|| {
    let files =
        [include_str!("../frames/bacnet/annex-f.txt"), include_str!("../frames/bacnet/bacpypes3.txt")];
    let lines = files.into_iter().flat_map(str::lines).filter(|line| !line.starts_with('#'));
    lines.filter_map(|line| line.split_once(' ')).map(|(_, bytes)| hex(bytes)).collect()
});

fn wrapped(apdu: &[u8]) -> Vec<u8> {
    let npdu = Npdu::to(None, false, apdu).encode();
    Bvlc::Unicast(&npdu).encode()
}

fn point(instance: u32) -> PropertyRef {
    PropertyRef::new(ObjectId::new(ObjectType::ANALOG_INPUT, instance), PropertyId::PRESENT_VALUE)
}

/// Every decoder that there is.
fn decode_all(bytes: &[u8]) {
    let _ = (Bvlc::decode(bytes), Npdu::decode(bytes), Apdu::decode(bytes), IAm::decode(bytes));
    let _ = (CovNotice::decode(bytes), EventNotice::decode(bytes), error_of(bytes));
    let _ = Value::read_all(Reader::new(bytes));
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

fn spoiled() -> impl Strategy<Value = Vec<u8>> {
    let changes = proptest::collection::vec((any::<usize>(), any::<u8>()), 0..4);
    (0..FRAMES.len(), 0..8_usize, changes, any::<bool>()).prop_map(|(which, from, changes, cut)| {
        let mut bytes = FRAMES[which].clone();
        bytes.drain(..from.min(bytes.len()));
        for (at, byte) in changes {
            let len = bytes.len().max(1);
            if let Some(place) = bytes.get_mut(at % len) {
                *place = byte;
            }
            if cut {
                bytes.truncate(at % (len + 1));
            }
        }
        bytes
    })
}

fn client_with_everything(now: Instant) -> (Client, Peer) {
    let mut client = Client::new(Settings::default());
    let peer = Peer::direct(US);
    client.poll(now);
    for i in 0..4 {
        client.ask(peer, Request::ReadProperty(point(i)), now);
    }
    client.read(peer, (0..300).map(point).collect(), now);
    let object = point(1).object;
    client.subscribe(Wanted { peer, object, confirmed: true, lifetime: 60 }, now);
    (client, peer)
}

/// What is held of a network that says anything at all.
fn assert_bounded(client: &mut Client) {
    let mut left = 0;
    while client.event().is_some() {
        left += 1;
    }
    while client.datagram().is_some() {
        left += 1;
    }
    assert!(left < 10_000, "{left} things at once");
    assert!(client.under_way() < 1000);
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(400))]

    #[test]
    fn decoders_take_any_bytes(bytes in proptest::collection::vec(any::<u8>(), 0..600)) {
        decode_all(&bytes);
    }

    #[test]
    fn decoders_take_good_frames_that_were_spoiled(bytes in spoiled()) {
        decode_all(&bytes);
    }

    #[test]
    fn what_was_read_is_written_as_it_was(bytes in proptest::collection::vec(any::<u8>(), 0..60)) {
        if let Ok(values) = Value::read_all(Reader::new(&bytes)) {
            let mut written = Vec::new();
            for value in &values {
                value.put(&mut written);
            }
            let again = Value::read_all(Reader::new(&written)).unwrap();
            prop_assert_eq!(format!("{again:?}"), format!("{values:?}"));
        }
    }

    #[test]
    fn a_client_takes_any_datagram_from_anybody(
        datagrams in proptest::collection::vec((spoiled(), any::<bool>(), 0_u8..12, 0_u64..4000), 1..40),
    ) {
        let mut now = beginning();
        let (mut client, peer) = client_with_everything(now);
        for (bytes, whole, host, ms) in datagrams {
            now += Duration::from_millis(ms);
            let from = SocketAddrV4::new(Ipv4Addr::new(10, 0, 0, host), 47_808);
            let bytes = if whole { bytes } else { wrapped(&bytes) };
            client.received(if host < 6 { peer.address } else { from.into() }, &bytes, now);
            client.poll(now);
            if let Some(deadline) = client.deadline() {
                prop_assert!(deadline > now, "a deadline in the past would spin");
            }
            assert_bounded(&mut client);
        }
    }

    #[test]
    fn a_client_takes_any_segments(
        segments in proptest::collection::vec((any::<u8>(), 1_u8..128, any::<bool>(), 0_u8..6, 0_usize..1500), 1..200),
    ) {
        use steward_protocols::bacnet::apdu::Segment;
        let mut now = beginning();
        let (mut client, peer) = client_with_everything(now);
        for (sequence, window, more, invoke, len) in segments {
            now += Duration::from_millis(3);
            let segment = Some(Segment { sequence: sequence % 4, window, more });
            let data = vec![0x21; len];
            let apdu = Apdu::ComplexAck { invoke, segment, service: 12, data: &data }.encode();
            client.received(peer.address, &wrapped(&apdu), now);
            assert_bounded(&mut client);
        }
    }
}

/// What a client that has asked nothing answers to a request that somebody puts to it.
fn refusal(apdu: &[u8]) -> Vec<u8> {
    let mut client = Client::new(Settings::default());
    let now = beginning();
    client.received(US, &wrapped(apdu), now);
    let answer = client.datagram().expect("a request is answered").bytes;
    assert!(client.datagram().is_none() && client.event().is_none());
    answer
}

/// github.com/bacnet-stack/bacnet-stack, issue 1304: WritePropertyMultiple whose priority claims more bytes than the
/// message has (the bytes of the dump, and the same with each length of the priority), and issue 1338:
/// AtomicReadFile by records with a record count of 2^32 - 1.
#[test]
fn fault_b2_the_published_crashers_are_rejected() {
    let priority = |tag: u8| {
        let mut apdu = hex("0244 0510 0C00800005 1E 0955 2E 4442860000 2F");
        apdu.push(tag);
        apdu
    };
    let dump = hex("0244 0510 000D4030301E0300");
    let read_file = hex("0244 0506 C402800001 1E 3100 25 04 FFFFFFFF 1F");
    let crashers = (0x38..=0x3F).map(priority).chain([dump, read_file]);
    for apdu in crashers {
        decode_all(&apdu);
        decode_all(&apdu[4..]);
        // Reject, unrecognized service, of invoke id 5.
        assert_eq!(refusal(&apdu), hex("810A0009 0100 60 05 09"), "{apdu:02X?}");
    }
}

/// A number of nine bytes and more stops other decoders of BACnet in Rust.
#[test]
fn fault_b2_numbers_longer_than_any_are_no_numbers() {
    for len in 9..=300_usize {
        for kind in [0x25, 0x35, 0x95] {
            let mut bytes = vec![kind];
            match len {
                0..254 => bytes.push(len as u8),
                _ => bytes.extend([254, (len >> 8) as u8, len as u8]),
            }
            bytes.extend(vec![0xFF; len]);
            let values = Value::read_all(Reader::new(&bytes)).unwrap();
            assert!(matches!(values.as_slice(), [Value::Opaque(..)]));
        }
    }
}

/// A notice with such a number is no notice; confirmed, it is rejected, and the client goes on.
#[test]
fn fault_b2_a_notice_that_cannot_be_read_is_rejected() {
    let content = hex("0D09FFFFFFFFFFFFFFFFFF 1C02000004 2C0000000A 3900 4E 4F");
    let apdu = [hex("0244 0501"), content].concat();
    assert_eq!(refusal(&apdu), hex("810A0009 0100 60 05 04"));
    let mut client = Client::new(Settings::default());
    client.received(US, &wrapped(&[hex("1002"), hex("0D09FF")].concat()), beginning());
    assert_eq!((client.strays().malformed, client.event()), (1, None::<Event>));
}
