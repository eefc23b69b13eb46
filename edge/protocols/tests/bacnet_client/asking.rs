//! One request and its answer.

use std::time::Duration;

use proptest::prelude::*;
use steward_protocols::bacnet::apdu::{Apdu, Segment, abort};
use steward_protocols::bacnet::client::{Event, Failure, Settings};
use steward_protocols::bacnet::{Answer, ObjectId, PropertyId, PropertyRef, Request, Value};

use super::device::{Device, MS, apdu_of, datagram, host, input};
use super::world::{FAIR, Weather, World};

fn object_list(device: &Device) -> PropertyRef {
    PropertyRef::new(ObjectId::device(device.instance), PropertyId::OBJECT_LIST)
}

#[track_caller]
fn value(answer: &Result<Answer, Failure>) -> Value {
    let Ok(Answer::Properties(list)) = answer else { panic!("{answer:?}") };
    let Ok([value]) = list[0].value.as_deref() else { panic!("{list:?}") };
    value.clone()
}

fn world(devices: Vec<Device>) -> World {
    World::new(Settings::default(), devices, FAIR, 1)
}

#[test]
fn a_silent_device_is_asked_four_times_and_fails_after_twelve_seconds() {
    let mut world = world(vec![]);
    let begun = world.now;
    assert_eq!(world.ask(host(1), Request::ReadProperty(input(1))), Err(Failure::NoReply(4)));
    let times: Vec<u64> = world.sent.iter().map(|(at, ..)| at.duration_since(begun).as_secs()).collect();
    assert_eq!(times, [0, 3, 6, 9]);
    assert_eq!(world.now.duration_since(begun), Duration::from_secs(12));
    assert!(world.sent.iter().all(|(_, _, bytes)| *bytes == world.sent[0].2), "the same request each time");
}

#[test]
fn one_dead_device_holds_up_none_of_the_others() {
    let mut world = world(vec![Device::new(2)]);
    for i in 0..50 {
        world.client.ask(host(1), Request::ReadProperty(input(i)), world.now);
    }
    let begun = world.now;
    for i in 0..20 {
        assert_eq!(value(&world.ask(host(2), Request::ReadProperty(input(i)))), Value::Real(i as f32));
    }
    assert!(world.now.duration_since(begun) < 200 * MS);
}

#[test]
fn no_more_requests_are_under_way_than_a_device_bears() {
    let mut world = world(vec![]);
    for i in 0..30 {
        world.client.ask(host(1), Request::ReadProperty(input(i)), world.now);
    }
    world.collect();
    assert_eq!(world.sent.len(), Settings::default().in_flight);
}

#[test]
fn more_requests_than_are_kept_are_refused_at_once() {
    let settings = Settings { queue: 10, ..Settings::default() };
    let mut world = World::new(settings, vec![], FAIR, 1);
    for i in 0..15 {
        world.client.ask(host(1), Request::ReadProperty(input(i)), world.now);
    }
    world.collect();
    let busy =
        world.events.iter().filter(|e| matches!(e, Event::Answered { outcome: Err(Failure::Busy), .. }));
    assert_eq!(busy.count(), 1, "four under way, ten wait");
}

#[test]
fn a_request_does_not_wait_for_its_turn_for_ever() {
    let mut world = world(vec![]);
    for i in 0..100 {
        world.client.ask(host(1), Request::ReadProperty(input(i)), world.now);
    }
    let begun = world.now;
    world.run(Duration::from_mins(10), |w| w.client.under_way() == 0);
    assert_eq!(world.events.len(), 100);
    assert!(world.now.duration_since(begun) <= Duration::from_secs(72), "patience and four tries");
}

#[test]
fn a_late_answer_is_never_taken_for_the_answer_to_another_question() {
    let mut world = world(vec![]);
    let peer = host(1);
    world.ask(peer, Request::ReadProperty(input(7))).unwrap_err();
    let Ok(Apdu::Confirmed { invoke, .. }) = Apdu::decode(&apdu_of(&world.sent[0].2).unwrap()) else {
        panic!()
    };
    // A device that answers everything late: 260 further requests, and none may bear the invoke id that rests.
    world.sent.clear();
    world.devices.push(Device::new(1));
    for i in 0..260 {
        assert_eq!(value(&world.ask(peer, Request::ReadProperty(input(i)))), Value::Real(i as f32));
    }
    let used = |bytes: &Vec<u8>| match Apdu::decode(&apdu_of(bytes).unwrap()) {
        Ok(Apdu::Confirmed { invoke, .. }) => invoke,
        other => panic!("{other:?}"),
    };
    assert!(world.sent.iter().all(|(_, _, bytes)| used(bytes) != invoke));
    world.run(Duration::from_secs(30), |_| false);
    for i in 0..260 {
        world.ask(peer, Request::ReadProperty(input(i))).unwrap();
    }
    assert!(world.sent.iter().any(|(_, _, bytes)| used(bytes) == invoke), "rested enough");
}

#[test]
fn answers_from_elsewhere_or_to_another_service_are_not_believed() {
    let mut world = world(vec![]);
    let peer = host(1);
    world.client.ask(peer, Request::ReadProperty(input(1)), world.now);
    world.collect();
    let Ok(Apdu::Confirmed { invoke, .. }) = Apdu::decode(&apdu_of(&world.sent[0].2).unwrap()) else {
        panic!()
    };
    let ack = |service| datagram(peer, Apdu::SimpleAck { invoke, service });
    world.client.received(host(2).address, &ack(12), world.now);
    world.client.received(peer.address, &ack(15), world.now);
    let other = datagram(peer, Apdu::SimpleAck { invoke: invoke.wrapping_add(1), service: 12 });
    world.client.received(peer.address, &other, world.now);
    world.collect();
    assert!(world.events.is_empty());
    assert_eq!(world.client.strays().unasked, 3);
}

#[test]
fn a_request_that_the_device_cannot_take_is_not_sent() {
    let mut device = Device::new(1);
    device.max_apdu = 50;
    let mut world = world(vec![device]);
    world.introduce();
    let text = Value::Text("a name that is far too long for fifty bytes in one message".into());
    let write = Request::WriteProperty { target: input(1), value: text, priority: None };
    assert_eq!(world.ask(host(1), write), Err(Failure::TooLong(50)));
    assert!(world.sent.is_empty());
}

#[test]
fn an_answer_of_more_than_256_segments_is_put_together() {
    let mut device = Device::new(1);
    (device.max_apdu, device.objects) = (50, 4000);
    let list = object_list(&device);
    let mut world = world(vec![device]);
    let answer = world.ask(host(1), Request::ReadProperty(list));
    let Ok(Answer::Properties(found)) = answer else { panic!("{answer:?}") };
    assert_eq!(found[0].value.as_ref().unwrap().len(), 4000);
    // One acknowledgement for the first segment, then one a window.
    let segments = (4000 * 5 + 20_usize).div_ceil(45);
    assert!(world.sent.len() <= 2 + segments.div_ceil(4), "{} for {segments}", world.sent.len());
}

#[test]
fn fault_b10_an_answer_that_breaks_off_is_aborted_and_told() {
    let mut world = world(vec![]);
    let (peer, begun) = (host(1), world.now);
    world.client.ask(peer, Request::ReadProperty(input(1)), world.now);
    world.collect();
    let Ok(Apdu::Confirmed { invoke, .. }) = Apdu::decode(&apdu_of(&world.sent[0].2).unwrap()) else {
        panic!()
    };
    let segment = Some(Segment { sequence: 0, window: 4, more: true });
    let first = datagram(peer, Apdu::ComplexAck { invoke, segment, service: 12, data: &[1, 2, 3] });
    world.client.received(peer.address, &first, world.now);
    world.run(Duration::from_mins(1), |w| !w.events.is_empty());
    assert!(matches!(world.events[0], Event::Answered { outcome: Err(Failure::Stalled), .. }));
    assert_eq!(world.now.duration_since(begun), Duration::from_secs(8));
    let end = apdu_of(&world.sent.last().unwrap().2).unwrap();
    assert_eq!(Apdu::decode(&end), Ok(Apdu::Abort { server: false, invoke, reason: abort::TSM_TIMEOUT }));
}

#[test]
fn fault_b10_an_answer_without_end_is_given_up() {
    let settings = Settings { max_answer: 5000, ..Settings::default() };
    let mut device = Device::new(1);
    device.objects = 4000;
    let list = object_list(&device);
    let mut world = World::new(settings, vec![device], FAIR, 1);
    assert_eq!(world.ask(host(1), Request::ReadProperty(list)), Err(Failure::TooMuch(5000)));
    let end = apdu_of(&world.sent.last().unwrap().2).unwrap();
    assert!(matches!(Apdu::decode(&end), Ok(Apdu::Abort { reason: abort::BUFFER_OVERFLOW, .. })));
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    /// Whatever the network does to it, an answer in segments comes whole and right, or not at all.
    #[test]
    fn loss_duplicates_and_reordering_spoil_no_answer(
        seed in any::<u64>(), loss in 0_u32..150, double in 0_u32..150, delay in 1_u32..60, window in 1_u8..32,
        max_apdu in prop_oneof![Just(50_u16), Just(206), Just(480), Just(1476)],
    ) {
        let mut device = Device::new(1);
        (device.max_apdu, device.window) = (max_apdu, window);
        let list = object_list(&device);
        let mut world = World::new(Settings::default(), vec![device], Weather { loss, double, delay }, seed);
        let answer = world.ask(host(1), Request::ReadProperty(list));
        match answer {
            Ok(Answer::Properties(found)) => {
                let values = found[0].value.as_ref().unwrap();
                let wanted: Vec<Value> = (0..600).map(|i| Value::Object(input(i).object)).collect();
                prop_assert_eq!(&values.values, &wanted);
            }
            Err(Failure::NoReply(_) | Failure::Stalled) => prop_assert!(loss > 0),
            other => prop_assert!(false, "{:?}", other),
        }
    }

    /// Short questions, in any weather: each gets its own answer or none.
    #[test]
    fn every_question_gets_its_own_answer(
        seed in any::<u64>(), loss in 0_u32..300, double in 0_u32..300, delay in 1_u32..4000,
    ) {
        let mut world = World::new(Settings::default(), vec![Device::new(1)], Weather { loss, double, delay }, seed);
        for i in 0..60 {
            match world.ask(host(1), Request::ReadProperty(input(i))) {
                Err(Failure::NoReply(4)) => prop_assert!(loss > 0 || delay > 1000),
                answer => prop_assert_eq!(value(&answer), Value::Real(i as f32)),
            }
        }
    }
}
