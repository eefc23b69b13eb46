//! Subscriptions to changes of value.

use std::time::Duration;

use steward_protocols::bacnet::apdu::Apdu;
use steward_protocols::bacnet::client::{Event, Failure, Loss, Settings, Wanted};
use steward_protocols::bacnet::tag::{put_closing, put_context, put_context_unsigned, put_opening};
use steward_protocols::bacnet::{ObjectId, Value};

use super::device::{Device, apdu_of, datagram, host, input};
use super::world::{FAIR, World};

const SECOND: Duration = Duration::from_secs(1);

fn notice(process: u32, object: ObjectId, value: f32) -> Vec<u8> {
    let mut out = Vec::new();
    put_context_unsigned(&mut out, 0, u64::from(process));
    put_context(&mut out, 1, &ObjectId::device(1001).bits().to_be_bytes());
    put_context(&mut out, 2, &object.bits().to_be_bytes());
    put_context_unsigned(&mut out, 3, 100);
    put_opening(&mut out, 4);
    put_context_unsigned(&mut out, 0, 85);
    put_opening(&mut out, 2);
    Value::Real(value).put(&mut out);
    put_closing(&mut out, 2);
    put_closing(&mut out, 4);
    out
}

fn subscribed(lifetime: u32) -> (World, u32) {
    let mut world = World::new(Settings::default(), vec![Device::new(1)], FAIR, 1);
    let wanted = Wanted { peer: host(1), object: input(1).object, confirmed: false, lifetime };
    let number = world.client.subscribe(wanted, world.now);
    world.collect();
    (world, number)
}

fn tells(world: &mut World, number: u32, value: f32) {
    let content = notice(number, input(1).object, value);
    world.says(0, &datagram(host(1), Apdu::Unconfirmed { service: 2, data: &content }));
    world.run(SECOND / 10, |_| false);
}

fn subscriptions_sent(world: &World) -> usize {
    let is_one = |bytes: &[u8]| {
        matches!(apdu_of(bytes).as_deref().map(Apdu::decode), Some(Ok(Apdu::Confirmed { service: 5, .. })))
    };
    world.sent.iter().filter(|(_, _, bytes)| is_one(bytes)).count()
}

#[test]
fn a_subscription_is_renewed_at_half_of_its_life() {
    let (mut world, number) = subscribed(300);
    for renewals in 1..=4 {
        tells(&mut world, number, 20.0);
        assert_eq!(subscriptions_sent(&world), renewals);
        world.run(148 * SECOND, |_| false);
        assert_eq!(subscriptions_sent(&world), renewals);
        world.run(2 * SECOND, |_| false);
    }
    assert!(!world.events.iter().any(|e| matches!(e, Event::SubscriptionLost { .. })));
    let live = world.events.iter().filter(|e| matches!(e, Event::SubscriptionLive { .. })).count();
    let changed = world.events.iter().filter(|e| matches!(e, Event::Changed { .. })).count();
    assert_eq!((live, changed), (1, 4));
}

#[test]
fn notices_that_do_not_come_are_told_and_so_is_their_return() {
    let (mut world, number) = subscribed(300);
    world.run(11 * SECOND, |_| false);
    let lost = Event::SubscriptionLost { subscription: number, loss: Loss::Silent };
    assert_eq!(world.events, std::slice::from_ref(&lost), "granted, and nothing came");
    tells(&mut world, number, 20.0);
    assert_eq!(world.events.get(1), Some(&Event::SubscriptionLive { subscription: number }));
    // The device starts anew and forgets: at the renewal it is asked again, and says nothing.
    world.events.clear();
    world.run(400 * SECOND, |_| false);
    assert_eq!(world.events, [lost]);
}

#[test]
fn a_device_that_falls_silent_is_asked_less_and_less() {
    let (mut world, number) = subscribed(300);
    world.devices[0].alive = false;
    world.run(Duration::from_hours(1), |_| false);
    let loss = Loss::NotGranted(Failure::NoReply(4));
    assert_eq!(world.events, [Event::SubscriptionLost { subscription: number, loss }], "told once");
    let tries = subscriptions_sent(&world) / 4;
    assert!((8..=13).contains(&tries), "{tries} tries in an hour");
}

#[test]
fn a_confirmed_notice_is_acknowledged_and_an_unknown_one_refused() {
    let (mut world, number) = subscribed(300);
    let says = |world: &mut World, number, object| {
        world.sent.clear();
        let content = notice(number, object, 1.0);
        let mut request = vec![0x02, 0x75, 33, 1];
        request.extend(content);
        let npdu = [vec![1, 4], request].concat();
        let bytes = steward_protocols::bacnet::bvlc::Bvlc::Unicast(&npdu).encode();
        world.client.received(host(1).address, &bytes, world.now);
        world.collect();
        apdu_of(&world.sent[0].2).unwrap()
    };
    assert_eq!(says(&mut world, number, input(1).object), [0x20, 33, 1]);
    assert_eq!(says(&mut world, number, input(2).object), [0x50, 33, 1, 0x91, 5, 0x91, 79]);
    assert_eq!(says(&mut world, number + 1, input(1).object), [0x50, 33, 1, 0x91, 5, 0x91, 79]);
}

#[test]
fn what_is_not_wanted_any_more_is_cancelled() {
    let (mut world, number) = subscribed(300);
    world.run(SECOND, |_| false);
    world.client.unsubscribe(number, world.now);
    world.collect();
    assert_eq!(subscriptions_sent(&world), 2);
    tells(&mut world, number, 1.0);
    world.run(Duration::from_mins(20), |_| false);
    assert_eq!(subscriptions_sent(&world), 2);
    assert!(!world.events.iter().any(|e| matches!(e, Event::Changed { .. })));
}
