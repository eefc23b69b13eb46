//! Octets of any kind, at any time: nothing panics, nothing grows, and the line is served again afterwards.

use std::time::{Duration, Instant};

use proptest::prelude::*;
use steward_protocols::bacnet::mstp::{BROADCAST, Frame, FrameType, Node, Settings};

use super::bus::{BAUD, Bus};

/// Noise, whole frames of every type and address, and pieces of them.
fn octets() -> impl Strategy<Value = Vec<u8>> {
    let noise = prop::collection::vec(any::<u8>(), 0..64);
    let address = prop_oneof![Just(5_u8), Just(6), Just(BROADCAST), any::<u8>()];
    let data = prop_oneof![
        3 => prop::collection::vec(any::<u8>(), 0..40),
        1 => prop::collection::vec(any::<u8>(), 490..520),
        1 => prop::collection::vec(any::<u8>(), 1480..1498),
    ];
    let frame = (0_u8..40, address.clone(), address, data, any::<u16>(), any::<prop::sample::Index>());
    let frame = frame.prop_map(|(kind, destination, source, data, cut, flip)| {
        let mut octets = Frame { kind: FrameType::of(kind), destination, source, data }.encode();
        match cut % 5 {
            0 => octets.truncate(flip.index(octets.len())),
            1 => octets[flip.index(8)] ^= 1 << (cut % 8),
            _ => {}
        }
        octets
    });
    prop_oneof![noise, frame]
}

/// What an owner does, and what it sees of the machine's memory.
fn serve(node: &mut Node, now: Instant) -> usize {
    let mut seen = 0;
    node.poll(now);
    while let Some(npdu) = node.npdu() {
        seen += npdu.octets.len();
    }
    while node.event().is_some() {
        seen += 1;
    }
    if let Some(octets) = node.transmit(now) {
        seen += octets.len();
    }
    node.poll(now);
    seen
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 200, ..ProptestConfig::default() })]

    #[test]
    fn whatever_comes_is_borne(
        chunks in prop::collection::vec((octets(), 0_u64..60_000), 0..200),
        mac in 0_u8..=127,
        owner_is_slow in any::<bool>(),
    ) {
        let mut now = Bus::new(Vec::new()).now;
        let mut node = Node::new(Settings { queue: 8, ..Settings::new(mac % 8, BAUD) }, now);
        for (chunk, wait) in &chunks {
            let heard_before = node.counts();
            let _ = node.queue(6, vec![1, 4, 0, 0], now);
            node.received(chunk, now);
            // An owner that takes nothing in between loses messages, and no memory.
            if !owner_is_slow {
                let seen = serve(&mut node, now);
                prop_assert!(seen <= chunk.len() + 64 + 1600, "{seen} of {}", chunk.len());
            }
            prop_assert!(node.counts().frames >= heard_before.frames);
            prop_assert!(node.deadline() <= now + Duration::from_secs(3));
            now += Duration::from_micros(*wait);
            node.poll(now);
        }
        // Silence: it makes a token of its own and goes on.
        for _ in 0..2000 {
            serve(&mut node, now);
            now = now.max(node.deadline());
        }
        prop_assert!(node.counts().tokens > 0);
    }
}
