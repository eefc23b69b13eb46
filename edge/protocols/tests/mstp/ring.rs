//! The token: made, passed, lost, made again; masters that come and go.

use std::time::Duration;

use steward_protocols::bacnet::mstp::{Event, FrameType, Settings};

use super::bus::{BAUD, Bus, Station};

const SECOND: Duration = Duration::from_secs(1);
/// Every address is looked at once before a lone master knows that it is alone.
const SETTLED: Duration = Duration::from_secs(8);

fn all_have_it(bus: &Bus, from: usize, macs: &[u8]) -> bool {
    let held = bus.tokens_since(from);
    macs.iter().all(|mac| held.get(mac).is_some_and(|times| *times >= 3))
}

/// So many tokens to each, within ten of each other: nobody is passed over.
#[track_caller]
fn shared_fairly(bus: &Bus, from: usize, macs: &[u8]) {
    let held = bus.tokens_since(from);
    assert!(held.keys().eq(macs), "{held:?}");
    let (least, most) = (held.values().min().unwrap(), held.values().max().unwrap());
    assert!(*least > 10 && most - least <= 2, "{held:?}");
}

#[test]
fn a_lone_master_makes_a_token_and_keeps_looking_for_others() {
    let mut bus = Bus::new(Vec::new());
    let ours = bus.ours(5);
    let at = bus.add(ours);
    assert!(bus.run(SETTLED, |bus| bus.events(0).contains(&Event::Joined { alone: true })));
    // T_no_token and five slots of silence, then the addresses behind it in turn, 35 ms for each.
    let (begun, first) = &bus.said[0];
    assert_eq!((first.kind, first.destination), (FrameType::PollForMaster, 6));
    assert!((550..=561).contains(&begun.as_millis()), "{begun:?}");
    let polled: Vec<u8> = bus.said.iter().map(|(_, f)| f.destination).take(127).collect();
    assert_eq!(polled, (6..=127).chain(0..5).collect::<Vec<_>>());
    let said = bus.said.len();
    bus.run(SECOND * 10, |_| false);
    assert!(bus.said.len() > said + 200, "it looks on");
    assert_eq!(bus.node(at).counts().lost, 0);
}

#[test]
fn two_and_three_masters_share_the_token() {
    for macs in [&[0, 1][..], &[3, 90], &[0, 64, 127], &[7, 8, 9]] {
        let mut bus = Bus::new(Vec::new());
        for mac in macs {
            let ours = bus.ours(*mac);
            bus.add(ours);
        }
        assert!(bus.run(SETTLED * 3, |bus| all_have_it(bus, 0, macs)), "{macs:?}");
        bus.run(SETTLED, |_| false);
        let from = bus.said.len();
        bus.run(SECOND * 4, |_| false);
        shared_fairly(&bus, from, macs);
        for at in 0..macs.len() {
            assert_eq!(bus.node(at).counts().lost, 0, "{macs:?}");
            assert_eq!(bus.node(at).counts().successors_lost, 0, "{macs:?}");
        }
        assert_eq!(bus.collisions, 0, "{macs:?}");
    }
}

#[test]
fn we_are_one_among_the_masters_of_another_stack() {
    for (ours, others) in [(0, &[1, 2][..]), (64, &[3, 100]), (127, &[0, 126]), (5, &[4])] {
        let mut bus = Bus::new(Vec::new());
        let node = bus.ours(ours);
        bus.add(node);
        for mac in others {
            let foreign = bus.foreign(*mac);
            bus.add(foreign);
        }
        let mut macs = [&[ours], others].concat();
        macs.sort_unstable();
        assert!(bus.run(SETTLED * 3, |bus| all_have_it(bus, 0, &macs)), "{macs:?}");
        bus.run(SETTLED, |_| false);
        let from = bus.said.len();
        bus.run(SECOND * 4, |_| false);
        shared_fairly(&bus, from, &macs);
        assert_eq!((bus.node(0).counts().lost, bus.collisions), (0, 0), "{macs:?}");
    }
}

#[test]
fn a_master_that_leaves_is_passed_over_and_found_when_it_comes_back() {
    for foreign in [false, true] {
        let mut bus = Bus::new(Vec::new());
        for mac in [2, 6] {
            let ours = bus.ours(mac);
            bus.add(ours);
        }
        let third = if foreign { bus.foreign(4) } else { bus.ours(4) };
        let at = bus.add(third);
        assert!(bus.run(SETTLED * 3, |bus| all_have_it(bus, 0, &[2, 4, 6])));
        bus.stations[at] = Station::Gone;
        let from = bus.said.len();
        bus.run(SETTLED, |_| false);
        assert!(bus.events(0).contains(&Event::SuccessorLost { mac: 4 }), "{:?}", bus.events(0));
        // Asked twice when it was gone, then no more.
        assert_eq!(bus.tokens_since(from).get(&4), Some(&2));
        assert!(all_have_it(&bus, from, &[2, 6]));
        assert_eq!(bus.node(0).successor(), Some(6));
        let back = if foreign { bus.foreign(4) } else { bus.ours(4) };
        bus.stations[at] = back;
        let from = bus.said.len();
        assert!(bus.run(SETTLED, |bus| all_have_it(bus, from, &[2, 4, 6])));
        assert_eq!(bus.node(0).successor(), Some(4));
    }
}

#[test]
fn a_lost_token_is_made_again() {
    let mut bus = Bus::new(Vec::new());
    for mac in [1, 2] {
        let ours = bus.ours(mac);
        bus.add(ours);
    }
    assert!(bus.run(SETTLED * 3, |bus| all_have_it(bus, 0, &[1, 2])));
    // Who holds the token goes, and comes back without it; the other had just passed it on.
    let to_second =
        |bus: &Bus| bus.said.last().is_some_and(|(_, f)| f.kind == FrameType::Token && f.destination == 2);
    assert!(bus.run(SECOND, to_second));
    bus.run(Duration::from_millis(1), |_| false);
    let [first, second] = [bus.ours(1), bus.ours(2)];
    bus.stations[1] = second;
    bus.stations[0] = first;
    let begun = bus.now;
    let from = bus.said.len();
    assert!(bus.run(SETTLED, |bus| all_have_it(bus, from, &[1, 2])));
    assert!(bus.now - begun > Duration::from_millis(500));

    // A master that is shut out by noise: it hears half a second of nothing behind it, and says that the token was lost.
    let mut bus = Bus::new(Vec::new());
    let ours = bus.ours(1);
    bus.add(ours);
    let foreign = bus.foreign(2);
    bus.add(foreign);
    assert!(bus.run(SETTLED * 3, |bus| all_have_it(bus, 0, &[1, 2])));
    assert!(bus.run(SECOND, to_second));
    bus.run(Duration::from_millis(4), |bus| bus.said.last().is_some_and(|(_, f)| f.source == 2));
    bus.stations[1] = Station::Gone;
    bus.run(SETTLED, |_| false);
    let counts = bus.node(0).counts();
    assert!(counts.lost + counts.successors_lost >= 1, "{counts:?}");
    assert!(matches!(
        bus.events(0).last(),
        Some(Event::Joined { alone: true } | Event::SuccessorLost { mac: 2 })
    ));
}

#[test]
fn an_address_that_two_have_is_told() {
    let mut bus = Bus::new(Vec::new());
    for mac in [3, 8] {
        let ours = bus.ours(mac);
        bus.add(ours);
    }
    bus.run(SETTLED, |_| false);
    assert!((0..2).all(|at| !bus.events(at).contains(&Event::Duplicate)));
    let second = bus.ours(3);
    let at = bus.add(second);
    bus.run(SECOND, |_| false);
    assert!(bus.events(at).contains(&Event::Duplicate), "whoever comes second hears the first");
    assert!(bus.node(at).counts().duplicates > 0);
    assert!(!bus.events(1).contains(&Event::Duplicate));
}

#[test]
fn noise_costs_frames_and_never_the_line() {
    let mut bus = Bus::new(Vec::new());
    for mac in [1, 2] {
        let ours = bus.ours(mac);
        bus.add(ours);
    }
    let foreign = bus.foreign(3);
    bus.add(foreign);
    assert!(bus.run(SETTLED * 3, |bus| all_have_it(bus, 0, &[1, 2, 3])));
    bus.noise = Some(97);
    bus.run(SECOND * 20, |_| false);
    bus.noise = None;
    let damaged = bus.node(0).counts();
    assert!(damaged.bad_headers > 10, "{damaged:?}");
    // Whatever has come of it, the line finds back.
    let from = bus.said.len();
    assert!(bus.run(SETTLED * 2, |bus| all_have_it(bus, from, &[1, 2, 3])));
    // A burst from outside.
    for _ in 0..20 {
        bus.inject(&[0x55, 0xFF, 0x00, 0x13, 0xA7, 0x55]);
        bus.run(Duration::from_millis(7), |_| false);
    }
    let from = bus.said.len();
    assert!(bus.run(SETTLED * 2, |bus| all_have_it(bus, from, &[1, 2, 3])));
}

#[test]
fn an_adapter_that_hears_itself_is_borne_with() {
    let mut bus = Bus::new(Vec::new());
    bus.echoes = true;
    for mac in [1, 2, 30] {
        let ours = bus.ours(mac);
        bus.add(ours);
    }
    assert!(bus.run(SETTLED * 3, |bus| all_have_it(bus, 0, &[1, 2, 30])));
    bus.run(SETTLED, |_| false);
    let from = bus.said.len();
    bus.run(SECOND * 4, |_| false);
    shared_fairly(&bus, from, &[1, 2, 30]);
    for at in 0..3 {
        let counts = bus.node(at).counts();
        assert!(counts.echoes > 50 && counts.duplicates == 0, "{counts:?}");
    }
}

#[test]
fn one_behind_the_highest_address_that_others_look_at_is_never_asked() {
    let mut bus = Bus::new(Vec::new());
    for mac in [1, 2] {
        let ours = bus.ours_with(Settings { max_master: 20, ..Settings::new(mac, BAUD) });
        bus.add(ours);
    }
    bus.run(SETTLED, |_| false);
    let shut_out = bus.ours(30);
    let at = bus.add(shut_out);
    bus.run(SETTLED * 2, |_| false);
    assert!(bus.events(at).is_empty(), "it stays silent: {:?}", bus.events(at));
    assert!(bus.node(at).counts().frames > 100);
}
