//! Which addresses are asked for together: in every table, within a device's limits, and in smaller parts where
//! a device refuses the whole.

#![allow(clippy::unwrap_used, reason = "a broken fixture ends the test")]

use steward_protocols::modbus::{Block, contiguous};
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

fn plan(profile: &Profile, limits: &Modbus) -> Vec<Block> {
    contiguous(&profile.points, 0..profile.points.len(), limits)
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
    let [left, right] = blocks[0].halves(&profile.points).unwrap();
    assert_eq!((left.address, left.count, left.points.len()), (10, 1, 10));
    assert_eq!((right.address, right.count, right.points.clone()), (11, 1, vec![10]));
    assert_eq!(left.halves(&profile.points), None, "ten bits of one register are one question");
    assert_eq!(right.halves(&profile.points), None);
}

#[test]
fn a_block_is_cut_as_near_to_its_middle_as_its_values_allow() {
    let cut = |points: &[(&str, u16, &str)]| {
        let profile = profile(points);
        let blocks = plan(&profile, &Modbus::default());
        assert_eq!(blocks.len(), 1);
        blocks[0].halves(&profile.points).map(|halves| halves.map(|b| (b.address, b.count)))
    };
    let four = [("input", 0, U16), ("input", 1, U16), ("input", 2, U16), ("input", 3, U16)];
    assert_eq!(cut(&four), Some([(0, 2), (2, 2)]));
    // A whole number over two registers of which the second is also read alone.
    assert_eq!(cut(&[("input", 0, U32), ("input", 1, U16)]), None);
    assert_eq!(
        cut(&[("input", 0, U16), ("input", 1, U32), ("input", 2, U16), ("input", 2, U16)]),
        Some([(0, 1), (1, 2)])
    );
}
