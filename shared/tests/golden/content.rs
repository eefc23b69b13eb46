//! What stands in the golden bodies of readings.

use steward_shared::id::{BootId, PointNo};
use steward_shared::reading::{Quality, Reading, Value};
use steward_shared::time::Timestamp;
use steward_shared::wire::columns::{Body, Header};

/// The same formulas as in `golden/columns.py`.
pub fn content() -> Body {
    let t0 = 1_760_000_000_000;
    let row =
        |point, at, value, quality| Reading { point: PointNo(point), at: Timestamp(at), value, quality };
    let number = |v: f64| Some(Value::Number(v));
    let mut readings = Vec::new();
    for i in 0..400_i32 {
        let at = t0 + i64::from(i) * 10_000;
        readings.push(row(7, at, number(f64::from((i * 37) % 113 - 50) / 10.0), Quality::Good));
        readings.push(row(9, at, number(f64::from(i) / 7.0), Quality::Good));
        readings.push(row(20, at, None, Quality::NoReply));
        readings.push(row(30, at, number(f64::from(i as f32 / 3.0)), Quality::Good));
    }
    readings.push(row(12, t0 + 5, Some(Value::Text("运行".into())), Quality::Good));
    readings.push(row(12, t0 + 4_000_005, Some(Value::Text("stop".into())), Quality::Good));
    readings.sort_by_key(|r| (r.point, r.at));
    let boot = BootId("00010203-0405-0607-0809-0a0b0c0d0e0f".parse().expect("a well-formed id"));
    Body { header: Header { boot, mono_ms: 86_400_123, wall: Timestamp(1_760_004_000_000) }, readings }
}
