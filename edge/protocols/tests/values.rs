//! Registers become values: every type in every order, by hand-made registers (decoding is never tried against
//! our own encoder), then the encoder against the decoder.

#![allow(clippy::unwrap_used, reason = "a broken fixture ends the test")]

use steward_protocols::modbus::{EncodeFault, Response, decode, encode, encode_into};
use steward_shared::profile::{
    DataType, Decimal, Order, PeriodClass, Place, PointDef, Register, Rules, Table,
};
use steward_shared::reading::{Quality, Value};
use steward_shared::wire::message::{Names, PointKind};

fn point(data: DataType, order: Order) -> PointDef {
    PointDef {
        key: "p".into(),
        title: Names::default(),
        place: Place::Modbus(Register { table: Table::Holding, address: 0, data, order }),
        scale: Decimal::ONE,
        offset: Decimal::ZERO,
        unit: "1".into(),
        decimals: 0,
        kind: PointKind::Gauge,
        labels: Vec::new(),
        sentinels: Vec::new(),
        modulus: None,
        class: PeriodClass::Normal,
        alarm: false,
        rules: Rules::default().into(),
        role: None,
        write: None,
    }
}

fn read(point: &PointDef, registers: &[u16]) -> (Option<Value>, Quality) {
    decode(point, &Response::Registers(registers.to_vec()), 0)
}

fn number(data: DataType, order: Order, registers: &[u16]) -> f64 {
    match read(&point(data, order), registers) {
        (Some(Value::Number(n)), Quality::Good) => n,
        other => panic!("{data:?} {order:?} {registers:x?}: {other:?}"),
    }
}

#[track_caller]
fn same(got: f64, wanted: f64) {
    assert_eq!(got.to_bits(), wanted.to_bits(), "{got} is not {wanted}");
}

#[test]
fn whole_numbers_are_read_in_every_order() {
    same(number(DataType::U16, Order::ABCD, &[0x1234]), 4660.0);
    same(number(DataType::U16, Order::BADC, &[0x3412]), 4660.0);
    same(number(DataType::I16, Order::ABCD, &[0xFFFE]), -2.0);
    for (order, registers) in [
        (Order::ABCD, [0x1234, 0x5678]),
        (Order::CDAB, [0x5678, 0x1234]),
        (Order::BADC, [0x3412, 0x7856]),
        (Order::DCBA, [0x7856, 0x3412]),
    ] {
        same(number(DataType::U32, order, &registers), 305_419_896.0);
    }
    for (order, registers) in [
        (Order::ABCD, [0xFFFF, 0xFFFF, 0xFFFF, 0xFC18]),
        (Order::CDAB, [0xFC18, 0xFFFF, 0xFFFF, 0xFFFF]),
        (Order::BADC, [0xFFFF, 0xFFFF, 0xFFFF, 0x18FC]),
        (Order::DCBA, [0x18FC, 0xFFFF, 0xFFFF, 0xFFFF]),
    ] {
        same(number(DataType::I64, order, &registers), -1000.0);
    }
    same(number(DataType::I32, Order::ABCD, &[0xFFFF, 0xFFFF]), -1.0);
    same(number(DataType::U64, Order::ABCD, &[0, 1, 0, 0]), 4_294_967_296.0);
    same(number(DataType::U64, Order::ABCD, &[0xFFFF; 4]), 18_446_744_073_709_551_615.0);
}

#[test]
fn floats_are_read_in_every_order() {
    // 43 66 33 34, as the Eastron document prints 230.2; the float itself is this.
    for (order, registers) in [
        (Order::ABCD, [0x4366, 0x3334]),
        (Order::CDAB, [0x3334, 0x4366]),
        (Order::BADC, [0x6643, 0x3433]),
        (Order::DCBA, [0x3433, 0x6643]),
    ] {
        same(number(DataType::F32, order, &registers), 230.200_012_207_031_25);
    }
    // IEEE 754: 1.5 is 3FF8 0000 0000 0000.
    same(number(DataType::F64, Order::ABCD, &[0x3FF8, 0, 0, 0]), 1.5);
    same(number(DataType::F64, Order::CDAB, &[0, 0, 0, 0x3FF8]), 1.5);
    same(number(DataType::F64, Order::DCBA, &[0, 0, 0, 0xF83F]), 1.5);
}

#[test]
fn decimal_digits_are_read_and_a_digit_above_nine_is_no_value() {
    same(number(DataType::Bcd16, Order::ABCD, &[0x1234]), 1234.0);
    same(number(DataType::Bcd32, Order::ABCD, &[0x1234, 0x5678]), 12_345_678.0);
    same(number(DataType::Bcd32, Order::CDAB, &[0x5678, 0x1234]), 12_345_678.0);
    for registers in [[0x123A], [0xF000], [0xFFFF]] {
        let got = read(&point(DataType::Bcd16, Order::ABCD), &registers);
        assert_eq!(got, (None, Quality::Undecodable), "{registers:x?}");
    }
}

#[test]
fn bits_and_bit_fields_are_cut_out_of_their_register() {
    same(number(DataType::Bit { n: 0 }, Order::ABCD, &[0x0001]), 1.0);
    same(number(DataType::Bit { n: 15 }, Order::ABCD, &[0x8000]), 1.0);
    same(number(DataType::Bit { n: 15 }, Order::ABCD, &[0x7FFF]), 0.0);
    same(number(DataType::Bit { n: 8 }, Order::BADC, &[0x0001]), 1.0);
    same(number(DataType::Bits { from: 4, len: 3 }, Order::ABCD, &[0b0101_0000]), 5.0);
    same(number(DataType::Bits { from: 0, len: 16 }, Order::ABCD, &[0xFFFF]), 65_535.0);
}

#[test]
fn a_flag_in_a_register_is_0_or_1_and_nothing_else() {
    let flag = PointDef { kind: PointKind::Flag, ..point(DataType::U16, Order::ABCD) };
    assert_eq!(read(&flag, &[1]), (Some(Value::Number(1.0)), Quality::Good));
    assert_eq!(read(&flag, &[2]), (None, Quality::Undecodable));
}

#[test]
fn coils_and_discrete_inputs_are_flags_in_their_place() {
    for table in [Table::Coil, Table::Discrete] {
        let place =
            Place::Modbus(Register { table, address: 0, data: DataType::Bit { n: 0 }, order: Order::ABCD });
        let p = PointDef { place, kind: PointKind::Flag, ..point(DataType::Bit { n: 0 }, Order::ABCD) };
        let response = Response::Bits(vec![false, true]);
        assert_eq!(decode(&p, &response, 0), (Some(Value::Number(0.0)), Quality::Good));
        assert_eq!(decode(&p, &response, 1), (Some(Value::Number(1.0)), Quality::Good));
        assert_eq!(decode(&p, &response, 2), (None, Quality::BadReply));
        assert_eq!(encode(&p, Some(&Value::Number(1.0))), Ok(vec![1]));
    }
}

#[test]
fn texts_end_at_nul_and_lose_their_blanks() {
    let text = |order, registers: &[u16]| read(&point(DataType::Text { registers: 3 }, order), registers);
    let good = |t: &str| (Some(Value::Text(t.to_owned())), Quality::Good);
    assert_eq!(text(Order::ABCD, &[0x4142, 0x4300, 0x4445]), good("ABC"));
    assert_eq!(text(Order::BADC, &[0x4241, 0x2043, 0x2020]), good("ABC"));
    assert_eq!(text(Order::ABCD, &[0x2020, 0, 0]), good(""));
    assert_eq!(text(Order::ABCD, &[0, 0, 0]), (None, Quality::NoValue), "nothing was ever put there");
    assert_eq!(text(Order::ABCD, &[0xFFFF, 0xFFFF, 0xFFFF]), (None, Quality::Undecodable));
    assert_eq!(text(Order::ABCD, &[0x4107, 0, 0]), (None, Quality::Undecodable), "a bell is no text");
}

#[test]
fn scale_and_offset_are_exact_decimals() {
    let mut p = point(DataType::I16, Order::ABCD);
    p.scale = "0.1".parse().unwrap();
    assert_eq!(read(&p, &[2301]), (Some(Value::Number(230.1)), Quality::Good));
    p.offset = "-40".parse().unwrap();
    assert_eq!(read(&p, &[653]), (Some(Value::Number(25.3)), Quality::Good));
    let mut p = point(DataType::U64, Order::ABCD);
    p.scale = "0.001".parse().unwrap();
    assert_eq!(read(&p, &[0, 0, 0x075B, 0xCD15]), (Some(Value::Number(123_456.789)), Quality::Good));
}

#[test]
fn fault_b6_nan_infinity_and_sentinels_are_no_values() {
    let mut float = point(DataType::F32, Order::CDAB);
    for registers in [[0x0000, 0x7FC0], [0x0000, 0x7F80], [0x0000, 0xFF80], [0xFFFF, 0xFFFF]] {
        assert_eq!(read(&float, &registers), (None, Quality::Undecodable), "{registers:x?}");
    }
    float.sentinels = vec![0xFFC0_0000];
    assert_eq!(read(&float, &[0x0000, 0xFFC0]), (None, Quality::NoValue));
    let mut whole = point(DataType::U32, Order::CDAB);
    whole.sentinels = vec![0xFFFF_FFFF, 0x8000_0000];
    assert_eq!(read(&whole, &[0xFFFF, 0xFFFF]), (None, Quality::NoValue));
    assert_eq!(read(&whole, &[0x0000, 0x8000]), (None, Quality::NoValue), "in the point's own order");
    let mut field = point(DataType::Bits { from: 8, len: 8 }, Order::ABCD);
    field.sentinels = vec![0xFF];
    assert_eq!(read(&field, &[0xFF00]), (None, Quality::NoValue));
    assert_eq!(read(&field, &[0x00FF]), (Some(Value::Number(0.0)), Quality::Good));
}

#[test]
fn a_response_that_does_not_reach_the_point_is_a_bad_reply() {
    let p = point(DataType::U32, Order::ABCD);
    assert_eq!(read(&p, &[1]), (None, Quality::BadReply));
    assert_eq!(decode(&p, &Response::Registers(vec![0; 4]), 3), (None, Quality::BadReply));
    assert_eq!(decode(&p, &Response::Registers(vec![0; 4]), usize::MAX), (None, Quality::BadReply));
    assert_eq!(decode(&p, &Response::Bits(vec![true]), 1), (None, Quality::BadReply));
    assert_eq!(decode(&p, &Response::Bits(vec![true]), 0), (Some(Value::Number(1.0)), Quality::Good));
}

#[test]
fn what_is_encoded_decodes_to_itself() {
    let orders = [Order::ABCD, Order::CDAB, Order::BADC, Order::DCBA];
    let cases = [
        (DataType::U16, 6553.5),
        (DataType::I16, -12.3),
        (DataType::U32, 429_496_729.5),
        (DataType::I32, -4000.1),
        (DataType::U64, 123_456_789_012.3),
        (DataType::I64, -123_456_789_012.3),
        (DataType::F32, 12.5),
        (DataType::F64, -1.25),
        (DataType::Bcd16, 999.9),
        (DataType::Bcd32, 1_234_567.8),
        (DataType::Bits { from: 3, len: 5 }, 3.1),
    ];
    for order in orders {
        for (data, value) in cases {
            let mut p = point(data, order);
            p.scale = "0.1".parse().unwrap();
            let registers = encode(&p, Some(&Value::Number(value))).unwrap();
            let (Some(Value::Number(got)), Quality::Good) = read(&p, &registers) else { panic!("{data:?}") };
            assert!((got - value).abs() < 1e-6, "{data:?} {order:?}: {got} is not {value}");
        }
        let text = point(DataType::Text { registers: 4 }, order);
        let value = Value::Text("PM5350".into());
        assert_eq!(read(&text, &encode(&text, Some(&value)).unwrap()), (Some(value), Quality::Good));
    }
}

#[test]
fn encoding_a_bit_leaves_the_others_alone() {
    let mut register = [0xFFFF];
    encode_into(&point(DataType::Bit { n: 3 }, Order::ABCD), Some(&Value::Number(0.0)), &mut register)
        .unwrap();
    assert_eq!(register, [0xFFF7]);
    encode_into(&point(DataType::Bit { n: 3 }, Order::BADC), Some(&Value::Number(0.0)), &mut register)
        .unwrap();
    assert_eq!(register, [0xF7F7]);
    let field = point(DataType::Bits { from: 8, len: 4 }, Order::ABCD);
    encode_into(&field, Some(&Value::Number(2.0)), &mut register).unwrap();
    assert_eq!(register, [0xF2F7]);
}

#[test]
fn what_does_not_fit_is_refused() {
    let range = |data, value| encode(&point(data, Order::ABCD), Some(&Value::Number(value)));
    assert!(matches!(range(DataType::U16, 65_536.0), Err(EncodeFault::Range { .. })));
    assert!(matches!(range(DataType::U16, -1.0), Err(EncodeFault::Range { .. })));
    assert!(matches!(range(DataType::Bcd16, 10_000.0), Err(EncodeFault::Range { .. })));
    assert!(matches!(range(DataType::Bit { n: 1 }, 2.0), Err(EncodeFault::Range { .. })));
    assert!(matches!(range(DataType::U16, f64::NAN), Err(EncodeFault::Range { .. })));
    let mut p = point(DataType::U16, Order::ABCD);
    assert_eq!(encode(&p, None), Err(EncodeFault::NoSentinel));
    p.sentinels = vec![0x7FFF];
    assert_eq!(encode(&p, None), Ok(vec![0x7FFF]));
    assert!(matches!(encode(&p, Some(&Value::Text("x".into()))), Err(EncodeFault::Kind { .. })));
    assert!(matches!(encode_into(&p, None, &mut [0, 0]), Err(EncodeFault::Room { .. })));
}
