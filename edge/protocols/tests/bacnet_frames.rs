//! BACnet as others write it: the examples of the standard's Annex F, and what bacpypes3 makes. Our encoder must give
//! the same bytes, and our decoder what they mean.

#![allow(clippy::unwrap_used, reason = "a broken fixture ends the test")]

use std::net::{Ipv4Addr, SocketAddrV4};

use steward_protocols::bacnet::apdu::{Apdu, Segment, error_of};
use steward_protocols::bacnet::bvlc::Bvlc;
use steward_protocols::bacnet::npdu::{Body, Npdu, Station};
use steward_protocols::bacnet::{
    Answer, Bits, Content, CovNotice, EventNotice, IAm, ObjectId, ObjectType, Priority, Property, PropertyId,
    PropertyRef, Request, Segmentation, ServiceError, Stamp, Value, who_is,
};

const ANNEX_F: &str = include_str!("../frames/bacnet/annex-f.txt");
const BACPYPES3: &str = include_str!("../frames/bacnet/bacpypes3.txt");

fn frame(name: &str) -> Vec<u8> {
    let all = ANNEX_F.lines().chain(BACPYPES3.lines());
    let mut found = all.filter_map(|line| line.split_once(' ')).filter(|(n, _)| *n == name);
    let (_, hex) = found.next().unwrap_or_else(|| panic!("no frame is called {name}"));
    assert!(found.next().is_none(), "two frames are called {name}");
    let digits: Vec<u8> = hex.trim().chars().map(|c| c.to_digit(16).unwrap() as u8).collect();
    digits.chunks(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

fn object(kind: ObjectType, instance: u32) -> ObjectId {
    ObjectId::new(kind, instance)
}

fn value_of(kind: ObjectType, instance: u32) -> PropertyRef {
    PropertyRef::new(object(kind, instance), PropertyId::PRESENT_VALUE)
}

fn input(instance: u32) -> PropertyRef {
    value_of(ObjectType::ANALOG_INPUT, instance)
}

/// The content of a confirmed request of the standard: it begins behind flags, sizes and invoke id, which are of the
/// example's device.
#[track_caller]
fn asks(request: &Request, name: &str) {
    let frame = frame(name);
    let Ok(Apdu::Confirmed { segment: None, service, data, .. }) = Apdu::decode(&frame) else {
        panic!("{name} is no request");
    };
    assert_eq!((service, data), (request.service(), request.encode().as_slice()), "{name}");
}

#[track_caller]
fn answered(request: &Request, name: &str) -> Answer {
    let frame = frame(name);
    let content = match Apdu::decode(&frame).unwrap() {
        Apdu::ComplexAck { segment: None, service, data, .. } if service == request.service() => Some(data),
        Apdu::SimpleAck { service, .. } if service == request.service() => None,
        other => panic!("{name}: {other:?}"),
    };
    request.answer(content).unwrap()
}

#[test]
fn reading_is_written_and_read_as_in_the_standard() {
    let one = Request::ReadProperty(input(5));
    asks(&one, "read-property-request");
    let value = Ok(Content { values: vec![Value::Real(72.3)], bytes: vec![0x44, 0x42, 0x90, 0x99, 0x9A] });
    assert_eq!(
        answered(&one, "read-property-ack"),
        Answer::Properties(vec![Property { target: input(5), value: value.clone() }])
    );
    let reliability = PropertyRef { property: PropertyId::RELIABILITY, ..input(16) };
    let two = Request::ReadPropertyMultiple(vec![input(16), reliability]);
    asks(&two, "read-property-multiple-request-1");
    let normal = Content { values: vec![Value::Enumerated(0)], bytes: vec![0x91, 0] };
    let list =
        vec![Property { target: input(16), value }, Property { target: reliability, value: Ok(normal) }];
    assert_eq!(answered(&two, "read-property-multiple-ack-1"), Answer::Properties(list));
    let three = Request::ReadPropertyMultiple(vec![input(33), input(50), input(35)]);
    asks(&three, "read-property-multiple-request-2");
    let Answer::Properties(list) = answered(&three, "read-property-multiple-ack-2") else { panic!() };
    assert_eq!(list[0].value.as_deref(), Ok([Value::Real(42.3)].as_slice()));
    assert_eq!(list[1].value, Err(ServiceError { class: 1, code: 31 }));
    assert_eq!(list[2].value.as_deref(), Ok([Value::Real(435.7)].as_slice()));
}

#[test]
fn an_answer_about_something_else_is_no_answer() {
    let bytes = frame("read-property-ack");
    let Ok(Apdu::ComplexAck { data, .. }) = Apdu::decode(&bytes) else { panic!() };
    assert!(Request::ReadProperty(input(6)).answer(Some(data)).is_err());
    assert!(Request::ReadProperty(input(5).at(1)).answer(Some(data)).is_err());
    assert!(Request::ReadProperty(input(5)).answer(None).is_err());
}

#[test]
fn writing_is_written_as_in_the_standard() {
    let target = value_of(ObjectType::ANALOG_VALUE, 1);
    let write = Request::WriteProperty { target, value: Value::Real(180.0), priority: None };
    asks(&write, "write-property-request");
    assert_eq!(answered(&write, "write-property-ack"), Answer::Done);
    let target = value_of(ObjectType::ANALOG_OUTPUT, 1);
    let with = |value, priority| Request::WriteProperty { target, value, priority }.encode();
    assert_eq!(with(Value::Real(77.5), Priority::new(8)), frame("write-priority-8"));
    assert_eq!(with(Value::Null, Priority::new(8)), frame("write-relinquish"));
    let vendor = PropertyRef { property: PropertyId(5021), ..target };
    let write = Request::WriteProperty { target: vendor, value: Value::Real(1.0), priority: None };
    assert_eq!(write.encode(), frame("write-vendor-property"));
    assert_eq!((Priority::new(0), Priority::new(17)), (None, None));
}

#[test]
fn elements_of_arrays_are_asked_for_by_their_number() {
    let list = PropertyRef::new(ObjectId::device(1001), PropertyId::OBJECT_LIST);
    assert_eq!(Request::ReadProperty(list.at(600)).encode(), frame("read-element-600"));
}

#[test]
fn subscriptions_are_written_as_in_the_standard() {
    let subscribe =
        |object, confirmed, lifetime| Request::SubscribeCov { process: 18, object, confirmed, lifetime };
    let forever = subscribe(input(10).object, true, Some(0));
    asks(&forever, "subscribe-cov-request");
    assert_eq!(answered(&forever, "subscribe-cov-ack"), Answer::Done);
    let valve = object(ObjectType::ANALOG_OUTPUT, 1);
    assert_eq!(subscribe(valve, false, Some(300)).encode(), frame("subscribe-300"));
    assert_eq!(subscribe(valve, false, None).encode(), frame("unsubscribe"));
}

#[test]
fn changes_of_value_are_read_as_in_the_standard() {
    for name in ["cov-confirmed", "cov-unconfirmed"] {
        let bytes = frame(name);
        let content = match Apdu::decode(&bytes).unwrap() {
            Apdu::Confirmed { service: 1, data, .. } | Apdu::Unconfirmed { service: 2, data } => data,
            other => panic!("{other:?}"),
        };
        let notice = CovNotice::decode(content).unwrap();
        assert_eq!((notice.process, notice.device, notice.remaining), (18, 4, 0));
        assert_eq!(notice.object, input(10).object);
        assert_eq!(notice.values[0].value.as_deref(), Ok([Value::Real(65.0)].as_slice()));
        let normal =
            Content { values: vec![Value::Bits(Bits::from_bools(&[false; 4]))], bytes: vec![0x82, 4, 0] };
        assert_eq!(notice.values[1].value, Ok(normal));
    }
}

#[test]
fn events_are_read_as_in_the_standard() {
    for (name, device) in [("event-confirmed", 4), ("event-unconfirmed", 9)] {
        let bytes = frame(name);
        let content = match Apdu::decode(&bytes).unwrap() {
            Apdu::Confirmed { service: 2, data, .. } | Apdu::Unconfirmed { service: 3, data } => data,
            other => panic!("{other:?}"),
        };
        let notice = EventNotice::decode(content).unwrap();
        assert_eq!((notice.process, notice.device, notice.object), (1, device, input(2).object));
        assert_eq!((notice.stamp.clone(), notice.class, notice.priority), (Stamp::Sequence(16), 4, 100));
        assert_eq!((notice.event_type, notice.notify_type, notice.ack_required), (5, 0, true));
        assert_eq!((notice.from, notice.to, notice.text), (Some(0), 3, None));
    }
}

#[test]
fn active_events_are_read_as_in_the_standard() {
    let request = Request::GetEventInformation { after: None };
    asks(&request, "event-information-request");
    let Answer::Events { list, more } = answered(&request, "event-information-ack") else { panic!() };
    let found: Vec<_> =
        list.iter().map(|e| (e.object, e.state, e.acknowledged.get(0), e.notify_type)).collect();
    assert_eq!(found, [(input(2).object, 3, Some(false), 0), (input(3).object, 0, Some(true), 0)]);
    assert!(!more);
}

#[test]
fn who_is_there_is_asked_and_told_as_in_the_standard() {
    for (range, name) in [(Some((3, 3)), "who-is-3"), (None, "who-is-all")] {
        let content = who_is(range);
        assert_eq!(Apdu::Unconfirmed { service: 8, data: &content }.encode(), frame(name));
    }
    let told = [
        ("i-am-3", 3, 1024, Segmentation::None, 99),
        ("i-am-1", 1, 480, Segmentation::Transmit, 99),
        ("i-am-2", 2, 206, Segmentation::Receive, 33),
        ("i-am-4", 4, 128, Segmentation::Both, 66),
    ];
    for (name, instance, max_apdu, segmentation, vendor) in told {
        let bytes = frame(name);
        let Ok(Apdu::Unconfirmed { service: 0, data }) = Apdu::decode(&bytes) else { panic!() };
        assert_eq!(IAm::decode(data), Ok(IAm { instance, max_apdu, segmentation, vendor }));
    }
}

#[test]
fn errors_are_read_as_in_the_standard() {
    let bytes = frame("error");
    let Ok(Apdu::Error { invoke: 88, service: 11, data }) = Apdu::decode(&bytes) else { panic!() };
    assert_eq!(error_of(data), Ok(ServiceError { class: 1, code: 23 }));
    // Class and code of the vendor's own, behind the opening tag of a service's own error.
    let own = [0x0E, 0x92, 0x01, 0x2C, 0x92, 0x10, 0x00, 0x0F, 0x19, 0x01];
    assert_eq!(error_of(&own), Ok(ServiceError { class: 300, code: 4096 }));
}

#[test]
fn frames_of_bacnet_ip_are_those_of_bacpypes3() {
    let npdu: &[u8] = &[1, 0, 0x10, 8];
    let originator = SocketAddrV4::new(Ipv4Addr::new(10, 77, 2, 10), 47_808);
    let frames = [
        ("bvlc-result-ok", Bvlc::Result(0)),
        ("bvlc-result-refused", Bvlc::Result(0x30)),
        ("bvlc-register", Bvlc::RegisterForeignDevice { ttl: 300 }),
        ("bvlc-forwarded", Bvlc::Forwarded { originator, npdu }),
        ("bvlc-distribute", Bvlc::DistributeBroadcast(npdu)),
        ("bvlc-unicast", Bvlc::Unicast(npdu)),
        ("bvlc-broadcast", Bvlc::Broadcast(npdu)),
    ];
    for (name, bvlc) in frames {
        let bytes = frame(name);
        assert_eq!(bvlc.encode(), bytes, "{name}");
        assert_eq!(Bvlc::decode(&bytes), Ok(bvlc), "{name}");
        assert!(Bvlc::decode(&bytes[..bytes.len() - 1]).is_err(), "{name} cut short");
        assert!(Bvlc::decode(&[bytes, vec![0]].concat()).is_err(), "{name} with a byte too many");
    }
}

#[test]
fn headers_of_the_network_layer_are_those_of_bacpypes3() {
    let apdu: &[u8] = &[0x10, 8];
    let station = Station::new(2001, &[17]);
    let far = Station::new(2001, &[0x0A, 0x4D, 2, 0x0A, 0xBA, 0xC0]);
    let message = |body| Npdu::message(body);
    let frames = [
        ("npdu-global", Npdu::to(Some(Station::EVERYBODY), false, apdu)),
        ("npdu-network", Npdu::to(Some(Station::all_of(2001)), false, apdu)),
        ("npdu-station", Npdu::to(station, true, apdu)),
        ("npdu-source", Npdu { source: station, ..Npdu::to(None, false, apdu) }),
        ("npdu-both", Npdu { source: far, ..Npdu::to(Some(Station::EVERYBODY), false, apdu) }),
        ("who-is-router", message(Body::WhoIsRouter(None))),
        ("who-is-router-2001", message(Body::WhoIsRouter(Some(2001)))),
        ("i-am-router", message(Body::IAmRouter(vec![2001, 2002]))),
        ("reject-network", message(Body::Rejected { reason: 1, network: 2001 })),
        ("router-busy", message(Body::Busy { busy: true, networks: vec![2001] })),
    ];
    for (name, npdu) in frames {
        let bytes = frame(name);
        assert_eq!(npdu.encode(), bytes, "{name}");
        assert_eq!(Npdu::decode(&bytes), Ok(npdu), "{name}");
    }
}

#[test]
fn messages_about_segments_are_those_of_bacpypes3() {
    let segment = Some(Segment { sequence: 3, window: 16, more: true });
    let ack = |negative| Apdu::SegmentAck { negative, server: false, invoke: 7, sequence: 3, window: 16 };
    let frames = [
        ("apdu-segment", Apdu::ComplexAck { invoke: 7, segment, service: 12, data: &[0xAA, 0xBB] }),
        ("apdu-segment-ack", ack(false)),
        ("apdu-segment-nak", ack(true)),
        ("apdu-abort", Apdu::Abort { server: true, invoke: 7, reason: 4 }),
        ("apdu-our-abort", Apdu::Abort { server: false, invoke: 7, reason: 10 }),
        ("apdu-reject", Apdu::Reject { invoke: 7, reason: 9 }),
    ];
    for (name, apdu) in frames {
        let bytes = frame(name);
        assert_eq!(apdu.encode(), bytes, "{name}");
        assert_eq!(Apdu::decode(&bytes), Ok(apdu), "{name}");
    }
}
