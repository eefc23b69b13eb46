//! What a plant room tells: 250 points each ten seconds. 70 temperatures and 10 humidities in tenths, 8 pressures, 42
//! electrical quantities, 28 energy counters, 92 states. Everything follows from gateway and tick.

use std::time::Duration;

use steward_shared::id::PointNo;
use steward_shared::reading::{Quality, Reading, Value};
use steward_shared::time::Timestamp;
use steward_shared::wire::message::{Catalogue, CatalogueDevice, CataloguePoint, Names, PointKind};
use steward_tests::plant::noise::{chance, curve};

pub const POINTS: u32 = 250;
pub const PERIOD: Duration = Duration::from_secs(10);
const PER_DEVICE: u32 = 10;

/// All points at one tick of the poll grid.
pub fn tick(gateway: u64, begin: Timestamp, tick: u32) -> impl Iterator<Item = Reading> {
    let at = begin.plus(PERIOD * tick);
    (1..=POINTS).map(move |no| Reading {
        point: PointNo(no),
        at,
        value: Some(Value::Number(value(gateway, no, at))),
        quality: Quality::Good,
    })
}

fn value(gateway: u64, no: u32, at: Timestamp) -> f64 {
    let seed = gateway << 32 | u64::from(no);
    let seconds = at.0 / 1000;
    let noise = || chance(seed, 1, seconds);
    let wave = |period: i64| curve(seed, 2, at.0 as f64 / (period * 1000) as f64);
    // The double nearest to the decimal, as a register and its scale give it.
    let rounded = |value: f64, parts: f64| (value * parts).round() / parts;
    match no {
        1..=70 => rounded(22.0 + 4.0 * wave(3600), 10.0),
        71..=80 => rounded(50.0 + 10.0 * wave(1800), 10.0),
        81..=88 => rounded(350.0 + 20.0 * wave(600) + noise(), 10.0),
        89..=102 => rounded(80.0 + 20.0 * wave(900) + 2.0 * noise(), 100.0),
        103..=116 => rounded(230.0 + 2.0 * wave(600) + 0.4 * noise(), 10.0),
        117..=130 => rounded(0.93 + 0.03 * wave(1200) + 0.002 * noise(), 1000.0),
        // A load that wanders gives a counter that never falls.
        131..=158 => rounded(1000.0 * f64::from(no) + seconds as f64 % 1e7 * 0.01 + 0.5 * wave(1200), 100.0),
        _ => f64::from(u8::from(wave(1200) > 0.4)),
    }
}

pub fn catalogue() -> Catalogue {
    let names = |text: String| Names { zh: text.clone(), en: text };
    let device = |no: u32| format!("device-{}", (no - 1) / PER_DEVICE);
    let devices = (1..=POINTS).step_by(PER_DEVICE as usize).map(|no| CatalogueDevice {
        key: device(no),
        title: names(device(no)),
        profile: "bench/device".into(),
        vendor: "bench".into(),
        model: "device".into(),
        place: String::new(),
        line: "line".into(),
        address: "1".into(),
        in_use: true,
    });
    let points = (1..=POINTS).map(|no| CataloguePoint {
        no: PointNo(no),
        device: device(no),
        key: format!("point-{no}"),
        title: names(format!("point {no}")),
        unit: "1".into(),
        kind: if (131..=158).contains(&no) { PointKind::Counter } else { PointKind::Gauge },
        labels: vec![],
        period_ms: PERIOD.as_millis() as u64,
        decimals: 2,
        modulus: None,
        in_use: true,
        write: None,
    });
    Catalogue { devices: devices.collect(), points: points.collect() }
}
