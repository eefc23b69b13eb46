//! Which addresses are asked for together: in every table, within a device's limits, and in smaller parts where
//! a device refuses the whole.

#![allow(clippy::unwrap_used, reason = "a broken fixture ends the test")]

use std::time::Duration;

use proptest::prelude::*;
use steward_protocols::character::{Character, Parity};
use steward_protocols::cost::Cost;
use steward_protocols::modbus::{self, Block, Hole, frame_gap};
use steward_protocols::question::PointValue;
use steward_shared::document::listing;
use steward_shared::profile::{Modbus, Profile, Table};
use steward_shared::reading::{Quality, Value};

/// A profile of these points: table, address, and the rest as it stands in the file.
fn profile(points: &[(&str, u16, &str)]) -> Profile {
    let mut text = String::from(
        "vendor = \"Acme\"\nmodel = \"M1\"\ntitle = { zh = \"表\", en = \"Meter\" }\nsource = [\"this test\"]\n",
    );
    for (i, (table, address, rest)) in points.iter().enumerate() {
        let point = format!(
            "[[point]]\nkey = \"p{i}\"\ntitle = {{ zh = \"点\", en = \"Point\" }}\ntable = \"{table}\"\n\
             address = {address}\n{rest}\n"
        );
        text.push_str(&point);
    }
    Profile::parse("acme/m1.toml", &text).unwrap_or_else(|f| panic!("{}", listing(&f)))
}

/// A line of this rate and a device that takes this time, 8E1.
fn line(baud: u32, turnaround_ms: u64) -> Cost {
    let character = Character::new(baud, 8, Parity::Even, 1);
    Cost::serial(character, frame_gap(baud), Duration::from_millis(turnaround_ms))
}

/// Without reading over anything.
fn plan(profile: &Profile, limits: &Modbus) -> Vec<Block> {
    over(profile, &Modbus { max_gap: Some(0), ..limits.clone() }, &line(9600, 5), &[])
}

fn over(profile: &Profile, limits: &Modbus, cost: &Cost, holes: &[Hole]) -> Vec<Block> {
    modbus::plan(&profile.points, 0..profile.points.len(), limits, cost, holes)
}

fn spans(blocks: &[Block]) -> Vec<(Table, u16, u16)> {
    blocks.iter().map(|b| (b.table, b.address, b.count)).collect()
}

const U16: &str = "type = \"u16\"\nunit = \"1\"";
const U32: &str = "type = \"u32\"\nunit = \"1\"";

#[test]
fn each_table_is_asked_by_its_own_function() {
    let profile = profile(&[("coil", 0, ""), ("discrete", 1, ""), ("holding", 2, U16), ("input", 3, U16)]);
    let blocks = plan(&profile, &Modbus::default());
    let functions: Vec<_> = blocks.iter().map(|b| b.request(1).unwrap().function()).collect();
    assert_eq!(functions, [1, 2, 3, 4]);
}

#[test]
fn coils_and_discrete_inputs_are_grouped_within_the_limit_of_bits() {
    for (word, table) in [("coil", Table::Coil), ("discrete", Table::Discrete)] {
        let points: Vec<_> = [7, 0, 1, 2, 3, 4].into_iter().map(|address| (word, address, "")).collect();
        let profile = profile(&points);
        let usual = plan(&profile, &Modbus { max_registers: 1, ..Modbus::default() });
        assert_eq!(spans(&usual), [(table, 0, 5), (table, 7, 1)], "registers have another limit");
        let few = plan(&profile, &Modbus { max_bits: 2, ..Modbus::default() });
        assert_eq!(spans(&few), [(table, 0, 2), (table, 2, 2), (table, 4, 1), (table, 7, 1)]);
        let values = usual[0].values(&profile.points, &[0b0_1101]);
        let on =
            |point, on: f64| PointValue { point, value: Some(Value::Number(on)), quality: Quality::Good };
        assert_eq!(values, [on(1, 1.0), on(2, 0.0), on(3, 1.0), on(4, 1.0), on(5, 0.0)]);
    }
}

#[test]
fn a_block_is_cut_between_values_and_never_through_one() {
    let bits: Vec<String> = (0..10).map(|n| format!("type = \"bit\"\nbit = {n}")).collect();
    let mut points: Vec<_> = bits.iter().map(|bit| ("holding", 10, bit.as_str())).collect();
    points.push(("holding", 11, U16));
    let profile = profile(&points);
    let blocks = plan(&profile, &Modbus::default());
    assert_eq!(spans(&blocks), [(Table::Holding, 10, 2)]);
    let [left, right] = blocks[0].split(&profile.points).unwrap().parts;
    assert_eq!((left.address, left.count, left.points.len()), (10, 1, 10));
    assert_eq!((right.address, right.count, right.points.clone()), (11, 1, vec![10]));
    assert_eq!(left.split(&profile.points), None, "ten bits of one register are one question");
    assert_eq!(right.split(&profile.points), None);
}

#[test]
fn a_block_is_cut_as_near_to_its_middle_as_its_values_allow() {
    let cut = |points: &[(&str, u16, &str)]| {
        let profile = profile(points);
        let blocks = plan(&profile, &Modbus::default());
        assert_eq!(blocks.len(), 1);
        blocks[0].split(&profile.points).map(|split| split.parts.map(|b| (b.address, b.count)))
    };
    let four = [("input", 0, U16), ("input", 1, U16), ("input", 2, U16), ("input", 3, U16)];
    assert_eq!(cut(&four), Some([(0, 2), (2, 2)]));
    // A whole number over two registers of which the second is also read alone: each by itself.
    assert_eq!(cut(&[("input", 0, U32), ("input", 1, U16)]), Some([(1, 1), (0, 2)]));
    assert_eq!(cut(&[("input", 0, U32), ("input", 0, U32)]), None, "the same registers");
    assert_eq!(
        cut(&[("input", 0, U16), ("input", 1, U32), ("input", 2, U16), ("input", 2, U16)]),
        Some([(0, 1), (1, 2)])
    );
}

fn addresses(spots: &[u16]) -> Profile {
    let points: Vec<_> = spots.iter().map(|address| ("holding", *address, U16)).collect();
    profile(&points)
}

/// MODBUS over Serial Line V1.02: at t3.5 and 11 bits a character the overhead of a question is 20 characters and the
/// longer silence, so that ten registers are the most that are worth reading over, at any rate up to 19200 baud.
#[test]
fn a_gap_is_read_over_where_that_is_cheaper_than_to_ask_once_more() {
    let gap = |gap: u16, cost: Cost| over(&addresses(&[0, gap + 1]), &Modbus::default(), &cost, &[]).len();
    for baud in [1200, 9600, 19_200] {
        assert_eq!((gap(9, line(baud, 0)), gap(11, line(baud, 0))), (1, 2), "{baud}");
    }
    assert_eq!((gap(16, line(9600, 20)), gap(17, line(9600, 20))), (1, 2), "g* is 16.98 at 20 ms");
    assert_eq!((gap(25, line(19_200, 20)), gap(26, line(19_200, 20))), (1, 2), "and 25.7 at 19200");
    assert_eq!((gap(123, line(115_200, 50)), gap(124, line(115_200, 50))), (1, 2), "never beyond the limit");
}

#[test]
fn nothing_is_read_over_a_hole_or_a_gap_that_the_device_does_not_bear() {
    let profile = addresses(&[0, 4, 8, 12]);
    let spans = |limits: &Modbus, holes: &[Hole]| spans(&over(&profile, limits, &line(9600, 5), holes));
    let all = Modbus::default();
    let holding = |from, count| (Table::Holding, from, count);
    assert_eq!(spans(&all, &[]), [holding(0, 13)]);
    let hole = |from, to| Hole { table: Table::Holding, from, to };
    assert_eq!(spans(&all, &[hole(5, 8)]), [holding(0, 5), holding(8, 5)]);
    assert_eq!(spans(&all, &[hole(6, 7)]), [holding(0, 5), holding(8, 5)], "a part of the gap is enough");
    assert_eq!(spans(&all, &[Hole { table: Table::Input, from: 5, to: 8 }]), [holding(0, 13)]);
    assert_eq!(spans(&Modbus { max_gap: Some(2), ..all.clone() }, &[]).len(), 4);
    assert_eq!(spans(&Modbus { max_gap: Some(3), ..all }, &[]).len(), 1);
}

#[test]
fn a_refused_block_is_cut_over_a_gap_first_and_the_gap_can_be_tried_alone() {
    let profile = addresses(&[0, 1, 2, 9, 10, 11, 12, 13]);
    let blocks = over(&profile, &Modbus::default(), &line(9600, 20), &[]);
    assert_eq!(spans(&blocks), [(Table::Holding, 0, 14)]);
    let split = blocks[0].split(&profile.points).unwrap();
    assert_eq!(spans(&split.parts), [(Table::Holding, 0, 3), (Table::Holding, 9, 5)]);
    let gap = split.gap.unwrap();
    assert_eq!(gap.hole, Hole { table: Table::Holding, from: 3, to: 9 });
    assert_eq!((gap.across.address, gap.across.count, gap.across.points.len()), (2, 8, 0));
    let touching = split.parts[1].split(&profile.points).unwrap();
    assert_eq!((touching.parts[0].count, touching.gap), (2, None), "what touches is cut in the middle");
    assert_eq!((split.seam, touching.seam), (Some(gap.hole), Some(seam(11))));
}

fn seam(at: u16) -> Hole {
    Hole { table: Table::Holding, from: at, to: u32::from(at) }
}

#[test]
fn no_block_reaches_over_a_seam_where_registers_touch_or_between_them() {
    let (profile, cost) = (addresses(&[0, 1, 2, 3, 7, 8]), line(9600, 20));
    let cut = |at| spans(&over(&profile, &Modbus::default(), &cost, &[seam(at)]));
    for nowhere in [0, 9, 100] {
        assert_eq!(cut(nowhere), [(Table::Holding, 0, 9)], "{nowhere}");
    }
    assert_eq!(cut(2), [(Table::Holding, 0, 2), (Table::Holding, 2, 7)]);
    for in_the_gap in [4, 6, 7] {
        assert_eq!(cut(in_the_gap), [(Table::Holding, 0, 4), (Table::Holding, 7, 2)], "{in_the_gap}");
    }
}

/// What a plan costs, by the formula of the line.
fn total(spans: impl Iterator<Item = f64>, cost: &Cost) -> f64 {
    spans.map(|registers| cost.of(registers * 2.0).as_secs_f64()).sum()
}

proptest! {
    /// Every way to cut is tried: none is cheaper.
    #[test]
    fn no_plan_takes_less_line_time(
        spots in proptest::collection::btree_set(0_u16..120, 1..10),
        most in 4_u16..60,
        turnaround in 0_u64..60,
        baud in prop_oneof![Just(2400_u32), Just(9600), Just(19_200), Just(115_200)],
    ) {
        let spots: Vec<u16> = spots.into_iter().collect();
        let cost = line(baud, turnaround);
        let limits = Modbus { max_registers: most, ..Modbus::default() };
        let planned = over(&addresses(&spots), &limits, &cost, &[]);
        prop_assert!(planned.iter().all(|b| b.count <= most));
        let planned = total(planned.iter().map(|b| f64::from(b.count)), &cost);
        let mut least = f64::INFINITY;
        for cuts in 0..1_u32 << (spots.len() - 1) {
            let mut spans = Vec::new();
            let (mut first, mut last) = (spots[0], spots[0]);
            for (i, spot) in spots.iter().enumerate().skip(1) {
                if cuts >> (i - 1) & 1 == 1 {
                    spans.push(last + 1 - first);
                    first = *spot;
                }
                last = *spot;
            }
            spans.push(last + 1 - first);
            if spans.iter().all(|span| *span <= most) {
                least = least.min(total(spans.into_iter().map(f64::from), &cost));
            }
        }
        prop_assert!(planned <= least * (1.0 + 1e-9), "{planned} where {least} is possible");
    }
}
