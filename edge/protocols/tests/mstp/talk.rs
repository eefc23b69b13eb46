//! Messages: requests and answers with masters of another stack and with slaves, answers that come late, requests to us.

use std::time::Duration;

use steward_protocols::bacnet::mstp::{Event, Frame, FrameType, Refused, Settings};

use super::bus::{ANSWER, BAUD, Bus, REQUEST, Station};

const SECOND: Duration = Duration::from_secs(1);
const SETTLED: Duration = Duration::from_secs(8);

const WHO_IS: [u8; 8] = [1, 0x20, 0xFF, 0xFF, 0, 0xFF, 0x10, 8];

fn answers(bus: &Bus, at: usize) -> usize {
    bus.npdus(at).iter().filter(|n| n.octets == ANSWER).count()
}

#[test]
fn a_slave_is_read_by_a_lone_master() {
    let mut bus = Bus::new(vec![Bus::slave(128), Bus::slave(254)]);
    let ours = bus.ours(0);
    let at = bus.add(ours);
    for to in [128, 254, 128] {
        bus.queue(at, to, &REQUEST);
    }
    assert!(bus.run(SETTLED, |bus| answers(bus, at) == 3), "{:?}", bus.npdus(at));
    let sources: Vec<u8> = bus.npdus(at).iter().map(|n| n.source).collect();
    assert_eq!(sources, [128, 254, 128]);
    assert_eq!(bus.node(at).counts().unanswered, 0);
    // From then on each takes its own time and no more: 25 octets, a turnaround, the slave's five milliseconds, 31 octets.
    let begun = bus.now;
    for _ in 0..50 {
        bus.queue(at, 128, &REQUEST);
    }
    assert!(bus.run(SECOND * 3, |bus| answers(bus, at) == 53));
    assert!(bus.now - begun < Duration::from_millis(1700), "{:?}", bus.now - begun);
}

#[test]
fn masters_of_another_stack_answer_at_once() {
    let mut bus = Bus::new(Vec::new());
    let ours = bus.ours(10);
    let at = bus.add(ours);
    for mac in [11, 40] {
        let foreign = bus.foreign(mac);
        bus.add(foreign);
    }
    bus.run(SETTLED * 2, |_| false);
    for _ in 0..20 {
        bus.queue(at, 11, &REQUEST);
        bus.queue(at, 40, &REQUEST);
    }
    bus.queue(at, 255, &WHO_IS);
    assert!(bus.run(SECOND * 5, |bus| answers(bus, at) == 40));
    bus.run(SECOND, |_| false);
    for other in [1, 2] {
        let heard = &bus.foreign_at(other).heard;
        assert_eq!(heard.iter().filter(|npdu| **npdu == REQUEST).count(), 20);
        assert_eq!(heard.iter().filter(|npdu| **npdu == WHO_IS).count(), 1);
    }
    let sent = bus.events(at).iter().filter(|e| matches!(e, Event::Sent { to: 11 | 40 })).count();
    assert_eq!(sent, 40);
    // No more under one token than was agreed.
    let mut under_one = 0;
    for (_, frame) in &bus.said {
        match frame.kind {
            FrameType::Token => under_one = 0,
            FrameType::DataExpectingReply if frame.source == 10 => under_one += 1,
            _ => {}
        }
        assert!(under_one <= 5);
    }
}

#[test]
fn an_answer_that_is_postponed_comes_under_the_others_token() {
    let mut bus = Bus::new(Vec::new());
    let ours = bus.ours(10);
    let at = bus.add(ours);
    let foreign = bus.foreign(11);
    let other = bus.add(foreign);
    bus.foreign_at(other).postpones = true;
    bus.run(SETTLED * 2, |_| false);
    bus.queue(at, 11, &REQUEST);
    assert!(bus.run(SECOND, |bus| bus.said.iter().any(|(_, f)| f.kind == FrameType::ReplyPostponed)));
    bus.run(Duration::from_millis(5), |_| false);
    assert_eq!((answers(&bus, at), bus.node(at).counts().postponed), (0, 1));
    bus.answer_late(other);
    assert!(bus.run(SECOND, |bus| answers(bus, at) == 1));
}

#[test]
fn a_request_to_us_is_answered_at_once_or_postponed() {
    let mut bus = Bus::new(Vec::new());
    let ours = bus.ours(10);
    let at = bus.add(ours);
    let foreign = bus.foreign(11);
    let other = bus.add(foreign);
    bus.run(SETTLED * 2, |_| false);
    bus.foreign_asks(other, 10, &REQUEST);
    assert!(bus.run(SECOND, |bus| bus.npdus(at).len() == 1));
    bus.run(SECOND, |_| false);
    assert_eq!(bus.foreign_at(other).heard, [ANSWER.to_vec()]);

    let Station::Ours { answers, .. } = &mut bus.stations[at] else { panic!("ours") };
    *answers = false;
    bus.foreign_asks(other, 10, &REQUEST);
    let postponed = |bus: &Bus| {
        bus.said.last().is_some_and(|(_, f)| f.kind == FrameType::ReplyPostponed && f.source == 10)
    };
    assert!(bus.run(SECOND, postponed));
    // What is ready later goes under our own token.
    bus.queue(at, 11, &ANSWER);
    bus.run(SECOND, |_| false);
    assert_eq!(bus.foreign_at(other).heard.len(), 2);
}

#[test]
fn a_station_that_is_not_there_costs_its_reply_time_and_nobody_else_theirs() {
    let mut bus = Bus::new(vec![Bus::slave(130)]);
    let ours = bus.ours(0);
    let at = bus.add(ours);
    bus.run(SETTLED, |_| false);
    let begun = bus.now;
    for to in [99, 130, 99, 130, 99, 130] {
        bus.queue(at, to, &REQUEST);
    }
    assert!(bus.run(SECOND * 5, |bus| answers(bus, at) == 3));
    assert_eq!(bus.node(at).counts().unanswered, 3);
    assert!(bus.now - begun < Duration::from_millis(1500), "{:?}", bus.now - begun);
}

#[test]
fn a_test_request_is_given_back() {
    let mut bus = Bus::new(Vec::new());
    let ours = bus.ours(4);
    bus.add(ours);
    let request =
        Frame { kind: FrameType::TestRequest, destination: 4, source: 9, data: vec![1, 0x22, 0x30] };
    bus.inject(&request.encode());
    bus.run(Duration::from_millis(50), |_| false);
    let (_, answer) = bus.said.last().unwrap();
    assert_eq!((answer.kind, answer.destination), (FrameType::TestResponse, 9));
    assert_eq!(answer.data, request.data);
}

#[test]
fn too_many_messages_are_refused_and_old_ones_are_not_sent() {
    let mut bus = Bus::new(Vec::new());
    let settings = Settings { queue: 3, patience: SECOND, ..Settings::new(1, BAUD) };
    let ours = bus.ours_with(settings);
    let at = bus.add(ours);
    let now = bus.now;
    for _ in 0..3 {
        bus.queue(at, 9, &REQUEST);
    }
    assert_eq!(bus.node(at).queue(9, REQUEST.to_vec(), now), Err(Refused::Full));
    assert_eq!(bus.node(at).queue(9, vec![0; 1498], now), Err(Refused::TooLong));
    // Alone it must first look at each address, which takes longer than they wait.
    bus.run(SETTLED, |_| false);
    assert_eq!(bus.node(at).counts().unsent, 5);
    assert!(bus.said.iter().all(|(_, f)| f.kind == FrameType::PollForMaster));
}

#[test]
fn a_message_too_long_for_a_common_frame_goes_in_a_long_one() {
    let mut bus = Bus::new(Vec::new());
    for mac in [1, 2] {
        let ours = bus.ours(mac);
        bus.add(ours);
    }
    let long: Vec<u8> = [1, 0].into_iter().chain((0..1495_u32).map(|i| (i % 251) as u8)).collect();
    bus.queue(0, 2, &long);
    assert!(bus.run(SETTLED * 2, |bus| !bus.npdus(1).is_empty()));
    assert_eq!(bus.npdus(1)[0].octets, long);
    assert_eq!(bus.node(1).counts().cut, 0);
}
