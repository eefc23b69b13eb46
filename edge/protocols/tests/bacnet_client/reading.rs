//! Many properties of devices that cannot do everything.

use std::time::Duration;

use steward_protocols::bacnet::client::{Event, Failure, Settings, first};
use steward_protocols::bacnet::{ObjectId, PropertyId, PropertyRef, ServiceError, Value};

use super::device::{Device, host, input};
use super::world::{FAIR, World};

fn world(device: Device) -> World {
    let mut world = World::new(Settings::default(), vec![device], FAIR, 1);
    world.introduce();
    world
}

/// Reads so many inputs, and checks that each has its own value.
#[track_caller]
fn read_inputs(world: &mut World, count: u32) {
    let readings = world.read(host(1), (0..count).map(input).collect());
    assert_eq!(readings.len(), count as usize);
    for (i, (target, reading)) in readings.iter().enumerate() {
        assert_eq!((*target, first(reading)), (input(i as u32), Some(&Value::Real(i as f32))), "{reading:?}");
    }
}

#[test]
fn a_device_that_can_segment_is_asked_for_a_hundred_at_once() {
    let mut world = world(Device::new(1));
    read_inputs(&mut world, 300);
    assert_eq!(world.devices[0].asked, [100, 100, 100]);
}

#[test]
fn a_device_that_cannot_segment_is_asked_for_what_fits_its_messages() {
    for max_apdu in [128, 206, 480, 1024] {
        let mut device = Device::new(1);
        (device.segments, device.max_apdu) = (false, max_apdu);
        let mut world = world(device);
        read_inputs(&mut world, 200);
        let asked = &world.devices[0].asked;
        assert_eq!(asked.iter().sum::<usize>(), 200, "nothing was asked twice at {max_apdu}: {asked:?}");
        assert!(asked.iter().max() >= Some(&(usize::from(max_apdu) / 32)), "{asked:?}");
    }
}

#[test]
fn a_device_that_nobody_has_introduced_is_read_as_well() {
    let mut device = Device::new(1);
    (device.segments, device.max_apdu) = (false, 128);
    let mut world = World::new(Settings::default(), vec![device], FAIR, 1);
    read_inputs(&mut world, 100);
}

#[test]
fn a_device_that_finds_it_too_much_is_asked_for_less_and_that_is_remembered() {
    let mut device = Device::new(1);
    device.batch = 30;
    let mut world = world(device);
    read_inputs(&mut world, 100);
    world.devices[0].asked.clear();
    read_inputs(&mut world, 100);
    let asked = &world.devices[0].asked;
    assert!(asked.iter().all(|n| *n <= 30), "{asked:?}");
}

#[test]
fn a_device_that_reads_one_property_at_a_time_is_asked_so_from_then_on() {
    let mut device = Device::new(1);
    device.batch = 1;
    let mut world = world(device);
    read_inputs(&mut world, 50);
    let before = world.sent.len();
    read_inputs(&mut world, 50);
    assert_eq!(world.sent.len() - before, 50);
}

#[test]
fn a_device_that_says_nothing_to_long_requests_is_read_in_short_ones() {
    let mut device = Device::new(1);
    device.silent_above = 60;
    let mut world = world(device);
    read_inputs(&mut world, 20);
    let begun = world.now;
    read_inputs(&mut world, 100);
    assert!(world.now.duration_since(begun) < Duration::from_secs(13), "one silence is enough");
}

#[test]
fn a_device_that_comes_back_is_asked_for_as_much_as_before() {
    for count in [100, 300] {
        let mut world = world(Device::new(1));
        read_inputs(&mut world, count);
        world.devices[0].alive = false;
        for _ in 0..10 {
            let readings = world.read(host(1), (0..count).map(input).collect());
            assert!(readings.iter().all(|(_, r)| *r == Err(Failure::NoReply(4))));
        }
        world.devices[0].alive = true;
        world.devices[0].asked.clear();
        read_inputs(&mut world, count);
        assert_eq!(world.devices[0].asked, vec![100; count as usize / 100]);
    }
}

#[test]
fn what_a_device_was_silent_to_is_tried_again_now_and_then() {
    let mut device = Device::new(1);
    device.silent_above = 60;
    let mut world = world(device);
    read_inputs(&mut world, 20);
    // Four long requests are under way at once, and none is answered.
    read_inputs(&mut world, 400);
    let (mut long, polls) = (Vec::new(), 2000);
    for poll in 0..polls {
        world.devices[0].asked.clear();
        read_inputs(&mut world, 100);
        if world.devices[0].asked.iter().any(|n| *n > 60) {
            long.push(poll);
        }
    }
    assert!((3..=8).contains(&long.len()), "ever more seldom: {long:?}");
    // Another controller takes its place.
    world.devices[0].silent_above = usize::MAX;
    (world.devices[0].max_apdu, world.devices[0].asked) = (1400, Vec::new());
    world.introduce();
    read_inputs(&mut world, 100);
    assert_eq!(world.devices[0].asked, [100]);
}

#[test]
fn a_device_that_was_away_for_a_moment_is_read_in_long_requests_again() {
    let mut world = world(Device::new(1));
    read_inputs(&mut world, 100);
    let ticket = world.client.read(host(1), (0..100).map(input).collect(), world.now);
    world.devices[0].alive = false;
    world.collect();
    world.run(Duration::from_secs(13), |_| false);
    world.devices[0].alive = true;
    let ended = |e: &Event| matches!(e, Event::Read { ticket: t, .. } if *t == ticket);
    assert!(world.run(Duration::from_mins(1), |w| w.events.iter().any(ended)));
    world.devices[0].asked.clear();
    for _ in 0..100 {
        read_inputs(&mut world, 100);
    }
    assert_eq!(world.devices[0].asked.last(), Some(&100));
}

#[test]
fn what_one_property_is_refused_costs_no_other() {
    let mut world = world(Device::new(1));
    let unknown = PropertyRef { property: PropertyId(1234), ..input(1) };
    let readings = world.read(host(1), vec![input(1), unknown, input(9999), input(2)]);
    let refused = |class, code| Err(Failure::Refused(ServiceError { class, code }));
    assert_eq!(first(&readings[0].1), Some(&Value::Real(1.0)));
    assert_eq!(readings[1].1, refused(2, 32));
    assert_eq!(readings[2].1, refused(1, 31));
    assert_eq!(first(&readings[3].1), Some(&Value::Real(2.0)));
}

#[test]
fn an_array_that_a_device_cannot_send_is_read_element_by_element() {
    for batch in [1000, 1] {
        let mut device = Device::new(1);
        (device.segments, device.max_apdu, device.batch) = (false, 480, batch);
        let list = PropertyRef::new(ObjectId::device(device.instance), PropertyId::OBJECT_LIST);
        let mut world = world(device);
        let readings = world.read(host(1), vec![input(3), list, input(4)]);
        let wanted: Vec<Value> = (0..600).map(|i| Value::Object(input(i).object)).collect();
        assert_eq!(readings[1].1.as_deref(), Ok(wanted.as_slice()));
        let mut bytes = Vec::new();
        for value in &wanted {
            value.put(&mut bytes);
        }
        assert_eq!(readings[1].1.as_ref().map(|content| &content.bytes), Ok(&bytes));
        assert_eq!(first(&readings[0].1), Some(&Value::Real(3.0)));
        assert_eq!(first(&readings[2].1), Some(&Value::Real(4.0)));
    }
}

#[test]
fn a_dead_device_costs_the_time_of_one_request() {
    let mut device = Device::new(1);
    device.alive = false;
    let mut world = world(device);
    let begun = world.now;
    let readings = world.read(host(1), (0..500).map(input).collect());
    assert!(readings.iter().all(|(_, r)| *r == Err(Failure::NoReply(4))));
    assert_eq!(world.now.duration_since(begun), Duration::from_secs(12));
}

#[test]
fn nothing_is_read_without_asking() {
    let mut world = world(Device::new(1));
    assert!(world.read(host(1), vec![]).is_empty());
    assert!(world.sent.is_empty());
}
