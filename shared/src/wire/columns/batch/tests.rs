//! Bodies read back bit for bit, hostile ones are refused, and the bytes per reading are held.

use proptest::prelude::*;

use super::*;
use crate::id::{Ids, RandomIds};

fn header() -> Header {
    Header { boot: BootId(RandomIds.new_uuid()), mono_ms: 86_400_123, wall: Timestamp(1_760_000_000_000) }
}

fn same(a: &Reading, b: &Reading) -> bool {
    let value = match (&a.value, &b.value) {
        (Some(Value::Number(x)), Some(Value::Number(y))) => x.to_bits() == y.to_bits(),
        (x, y) => x == y,
    };
    value && a.point == b.point && a.at == b.at && a.quality == b.quality
}

/// Sixty points as a plant room has them, polled together every ten seconds: 24 temperatures and pressures at 0.1,
/// 12 powers at 0.01, 8 energy counters at 0.01, 6 single-precision currents with noise, 10 flags.
fn plant(polls: i64) -> Vec<Reading> {
    let mut noise = 0x2545_f491_4f6c_dd1d_u64;
    let mut random = move || {
        noise ^= noise << 13;
        noise ^= noise >> 7;
        noise ^= noise << 17;
        (noise >> 11) as f64 / (1u64 << 53) as f64
    };
    let mut level: Vec<f64> = (0..60).map(|p| 200.0 + f64::from(p) * 13.0).collect();
    let mut out = Vec::new();
    for poll in 0..polls {
        for p in 0..60u32 {
            let now = &mut level[p as usize];
            let value = match p {
                0..24 => {
                    *now += (random() * 3.0).floor() - 1.0;
                    *now / 10.0
                }
                24..36 => {
                    *now += (random() * 41.0).floor() - 20.0;
                    *now / 100.0
                }
                36..44 => {
                    *now += (random() * 9.0).floor();
                    *now / 100.0
                }
                44..50 => f64::from((12.0 + random()) as f32),
                _ => f64::from(u8::from(random() > 0.99)),
            };
            out.push(Reading {
                point: PointNo(p + 1),
                at: Timestamp(1_760_000_000_000 + poll * 10_000),
                value: Some(Value::Number(value)),
                quality: if random() > 0.999 { Quality::NoReply } else { Quality::Good },
            });
        }
    }
    out
}

/// Prints the figures of `docs/src/engineers/flush-interval.md`:
/// `cargo test -p steward-shared bytes_per_reading -- --nocapture`.
#[test]
fn bytes_per_reading_stay_within_their_bounds() {
    for (name, polls, most) in [("10 s", 1, 5.5), ("60 s", 6, 2.2), ("1 h", 360, 0.95)] {
        let readings = plant(polls);
        let body = encode(&readings, &header()).unwrap();
        let each = body.len() as f64 / readings.len() as f64;
        println!("flush {name}: {} readings, {} bytes, {each:.2} bytes/reading", readings.len(), body.len());
        assert!(each < most, "flush {name}: {each:.2} bytes/reading");
        assert_eq!(decode(&body).unwrap().readings.len(), readings.len());
    }
}

#[test]
fn a_batch_comes_back_sorted_by_point_and_instant() {
    let r = |p, t, v| Reading { point: PointNo(p), at: Timestamp(t), value: v, quality: Quality::Good };
    let number = |v| Some(Value::Number(v));
    let readings = [
        r(7, 30, number(23.4)),
        r(3, 20, Some(Value::Text("运行".into()))),
        r(7, 10, None),
        r(3, 10, Some(Value::Text(String::new()))),
        r(7, 20, number(f64::NAN)),
    ];
    let h = header();
    let body = decode(&encode(&readings, &h).unwrap()).unwrap();
    assert_eq!(body.header, h);
    let order: Vec<_> = body.readings.iter().map(|r| (r.point.0, r.at.0)).collect();
    assert_eq!(order, [(3, 10), (3, 20), (7, 10), (7, 20), (7, 30)]);
    assert_eq!(body.readings[1].value, Some(Value::Text("运行".into())));
    assert!(matches!(body.readings[3].value, Some(Value::Number(v)) if v.is_nan()));
}

#[test]
fn too_many_readings_are_refused_on_both_sides() {
    let one = Reading { point: PointNo(1), at: Timestamp(0), value: None, quality: Quality::NoReply };
    assert!(matches!(encode(&vec![one; MAX_READINGS + 1], &header()), Err(ColumnsError::TooMany(_))));
}

#[test]
fn a_newer_schema_is_named_as_such() {
    // CBOR {0: 2}: a map that says schema 2 and nothing that this version knows.
    assert!(matches!(decode(&[0xa1, 0x00, 0x02]), Err(ColumnsError::UnknownSchema(2))));
}

#[test]
fn fault_h7_an_announced_count_that_is_not_there_is_refused() {
    let one = Reading { point: PointNo(1), at: Timestamp(0), value: None, quality: Quality::NoReply };
    let bytes = encode(&[one], &header()).unwrap();
    let e: Envelope = from_cbor(&bytes).unwrap();
    for n in [2, 200_000, u32::MAX] {
        let lying = Envelope {
            readings: n,
            schema: SCHEMA,
            boot: e.boot,
            wall: e.wall,
            ..from_cbor(&bytes).unwrap()
        };
        assert!(decode(&to_cbor(&lying).unwrap()).is_err());
    }
}

fn any_reading() -> impl Strategy<Value = Reading> {
    let value = prop_oneof![
        3 => any::<u64>().prop_map(|b| Some(Value::Number(f64::from_bits(b)))),
        3 => (-100_000i32..100_000).prop_map(|i| Some(Value::Number(f64::from(i) / 100.0))),
        1 => any::<f32>().prop_map(|v| Some(Value::Number(f64::from(v)))),
        1 => ".{0,12}".prop_map(|t| Some(Value::Text(t))),
        1 => Just(None),
    ];
    let at = prop_oneof![any::<i64>(), (0i64..20).prop_map(|i| i * 10_000)];
    (0u32..30, at, value, 0u8..0x20).prop_map(|(p, at, value, q)| Reading {
        point: PointNo(p),
        at: Timestamp(at),
        value,
        quality: Quality::from_code(q),
    })
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(128))]

    #[test]
    fn any_readings_read_back_bit_for_bit(readings in prop::collection::vec(any_reading(), 0..200)) {
        let back = decode(&encode(&readings, &header()).unwrap()).unwrap().readings;
        let mut sorted = readings;
        sorted.sort_by_key(|r| (r.point, r.at));
        prop_assert_eq!(back.len(), sorted.len());
        prop_assert!(back.iter().zip(&sorted).all(|(a, b)| same(a, b)));
    }

    #[test]
    fn fault_h7_damaged_bodies_are_answers_and_no_panic(
        flips in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
        cut in any::<prop::sample::Index>(),
        polls in 1i64..8,
    ) {
        let mut body = encode(&plant(polls), &header()).unwrap();
        let n = body.len();
        for (at, to) in flips {
            body[at.index(n)] = to;
        }
        let _ = decode(&body);
        let _ = decode(&body[..cut.index(n)]);
    }
}
