//! Plausible values for the points of any profile: a function of seed, point and instant. Voltages stand near their
//! nominal, current and power follow one load, counters count what their unit says. Nothing that polls uses it.

use steward_shared::profile::{DataType, PointDef};
use steward_shared::reading::Value;
use steward_shared::wire::message::PointKind;

use super::noise::curve;

/// The course of one simulated device.
#[derive(Clone, Copy, Debug)]
pub struct Course {
    pub seed: u64,
}

/// Counters of a device that is new begin as after so long a service.
const SERVICE_S: f64 = 40.0 * 86_400.0;

impl Course {
    /// What a point shows `t` seconds after the device began.
    pub fn value(self, point: &PointDef, t: f64) -> Value {
        match point.kind {
            PointKind::Text => Value::Text(text(point)),
            PointKind::Flag => Value::Number(f64::from(u8::from(is_running(&point.key)))),
            PointKind::Enumeration => {
                let codes: Vec<i64> = point.labels.iter().map(|label| label.code).collect();
                let turn = f64::midpoint(self.swing(point, t / 300.0), 1.0) * codes.len() as f64;
                // The last code that is reached at the very end of the swing is the last of the list.
                let code = codes.get(turn as usize).or(codes.last()).copied().unwrap_or_default();
                Value::Number(code as f64)
            }
            PointKind::Counter => Value::Number(counted(point, rate(point) * (SERVICE_S + t))),
            PointKind::Gauge => Value::Number(self.gauge(point, t)),
        }
    }

    fn gauge(self, point: &PointDef, t: f64) -> f64 {
        let (middle, swing, follows_load) = usual(&point.unit, &point.key);
        let value = if follows_load { middle * self.load(t) } else { middle };
        let value = value + swing * self.swing(point, t / 60.0);
        match range(point) {
            Some((low, high)) if value < low || value > high => {
                // The nominal of another size of machine: within what the registers hold.
                let (low, high) = (low.max(-1e6), high.min(1e6));
                f64::midpoint(low, high) + (high - low) / 10.0 * self.swing(point, t / 60.0)
            }
            _ => value,
        }
    }

    /// The load of the machine, common to its points: 0.5 to 1.
    fn load(self, t: f64) -> f64 {
        0.75 + 0.25 * curve(self.seed, 0, t / 120.0)
    }

    fn swing(self, point: &PointDef, x: f64) -> f64 {
        let channel = point.key.bytes().fold(1, |h: u64, b| h.wrapping_mul(31).wrapping_add(b.into()));
        curve(self.seed, channel, x)
    }
}

/// What a counter shows that has counted so much: whole steps of its register, from zero again at its end.
pub fn counted(point: &PointDef, sum: f64) -> f64 {
    let sum = counter_end(point).map_or(sum, |end| sum.rem_euclid(end));
    let scale = point.scale.as_f64();
    match point.register().map(|r| r.data) {
        Some(DataType::F32 | DataType::F64) | None => sum,
        Some(_) if scale > 0.0 => point.scale.apply((sum / scale).floor() as i128, point.offset),
        Some(_) => sum,
    }
}

/// How much a counter counts in a second.
pub fn rate(point: &PointDef) -> f64 {
    match point.unit.as_str() {
        "W.h" | "V.A.h" | "var.h" => 12_000.0 / 3600.0,
        "kW.h" | "kV.A.h" => 12.0 / 3600.0,
        "kvar.h" => 4.0 / 3600.0,
        "MW.h" | "Mvar.h" => 0.012 / 3600.0,
        "GW.h" => 12e-6 / 3600.0,
        "m3" | "t" => 8.0 / 3600.0,
        "L" | "kg" => 8000.0 / 3600.0,
        "kJ" => 12.0,
        "MJ" => 0.012,
        "GJ" => 12e-6,
        "s" => 1.0,
        "min" => 1.0 / 60.0,
        "h" => 1.0 / 3600.0,
        "d" => 1.0 / 86_400.0,
        _ => 0.05,
    }
}

/// The value at which a counter starts over: what its profile says, or one past what its registers hold. Counters of 64
/// bits do not live to see their own.
pub fn counter_end(point: &PointDef) -> Option<f64> {
    let raw = |raw: u128| point.scale.as_f64() * raw as f64;
    let by_type = match point.register()?.data {
        DataType::U16 => raw(1 << 16),
        DataType::I16 => raw(1 << 15),
        DataType::U32 => raw(1 << 32),
        DataType::I32 => raw(1 << 31),
        DataType::Bcd16 => raw(10_000),
        DataType::Bcd32 => raw(100_000_000),
        DataType::Bits { len, .. } => raw(1 << len),
        DataType::U64 | DataType::I64 | DataType::F32 | DataType::F64 => return point.modulus,
        DataType::Bit { .. } | DataType::Text { .. } => return None,
    };
    Some(point.modulus.map_or(by_type, |stated| stated.min(by_type)))
}

/// The values that the registers hold, least and most; none where that says nothing.
pub fn range(point: &PointDef) -> Option<(f64, f64)> {
    let (low, high) = match point.register()?.data {
        DataType::U16 => (0, i128::from(u16::MAX)),
        DataType::I16 => (i128::from(i16::MIN), i128::from(i16::MAX)),
        DataType::U32 => (0, i128::from(u32::MAX)),
        DataType::I32 => (i128::from(i32::MIN), i128::from(i32::MAX)),
        DataType::U64 => (0, i128::from(u64::MAX)),
        DataType::I64 => (i128::from(i64::MIN), i128::from(i64::MAX)),
        DataType::Bcd16 => (0, 9_999),
        DataType::Bcd32 => (0, 99_999_999),
        DataType::Bits { len, .. } => (0, (1 << len) - 1),
        DataType::Bit { .. } => (0, 1),
        DataType::F32 | DataType::F64 | DataType::Text { .. } => return None,
    };
    let [a, b] = [low, high].map(|raw| point.scale.apply(raw, point.offset));
    Some((a.min(b), a.max(b)))
}

fn text(point: &PointDef) -> String {
    let room = match point.register().map(|r| r.data) {
        Some(DataType::Text { registers }) => usize::from(registers) * 2,
        _ => 8,
    };
    "SIM ".chars().chain(point.key.chars()).take(room).collect()
}

fn is_running(key: &str) -> bool {
    key.split('-').any(|word| matches!(word, "running" | "run" | "on" | "online" | "enabled" | "ready"))
        && !key.contains("battery")
}

/// What is usual for a gauge of this unit, where that is known well.
pub fn usual_value(point: &PointDef) -> Option<f64> {
    let well_known = matches!(point.unit.as_str(), "V" | "A" | "Hz" | "Cel" | "%");
    well_known.then(|| usual(&point.unit, &point.key).0)
}

/// What is usual for a unit: its middle, how far it swings by itself, and whether it follows the load.
fn usual(unit: &str, key: &str) -> (f64, f64, bool) {
    let has = |words: &[&str]| key.split(['-', '_']).any(|w| words.contains(&w));
    let one_phase = has(&["a", "b", "c", "l1", "l2", "l3", "phase", "phase1", "phase2", "phase3"]);
    let phases = if one_phase { 1.0 } else { 3.0 };
    // 230 V, 20 A at full load, power factor 0.92.
    let watts = 230.0 * 20.0 * phases;
    match unit {
        "V" if has(&["ab", "bc", "ca", "ll", "l12", "l23", "l31", "line"]) => (398.0, 3.0, false),
        "V" if has(&["cell"]) => (3.28, 0.02, false),
        "V" if has(&["battery", "dc"]) => (27.2, 0.3, false),
        "V" => (230.0, 2.5, false),
        "kV" => (10.1, 0.05, false),
        "mV" => (3280.0, 15.0, false),
        "A" if has(&["n", "neutral"]) => (1.2, 0.3, true),
        "A" => (20.0, 0.4, true),
        "mA" => (30.0, 5.0, false),
        "W" => (watts * 0.92, 60.0, true),
        "kW" => (watts * 0.92 / 1e3, 0.06, true),
        "var" => (watts * 0.39, 40.0, true),
        "kvar" => (watts * 0.39 / 1e3, 0.04, true),
        "V.A" => (watts, 60.0, true),
        "kV.A" => (watts / 1e3, 0.06, true),
        "Hz" if has(&["output", "drive", "motor"]) => (42.0, 2.0, false),
        "Hz" => (50.0, 0.03, false),
        "1" if key.contains("factor") || has(&["pf"]) => (0.92, 0.02, false),
        "Cel" if key.contains("supply") || key.contains("leaving") || key.contains("outlet") => {
            (7.0, 0.4, false)
        }
        "Cel" if key.contains("return") || key.contains("entering") || key.contains("inlet") => {
            (12.0, 0.5, false)
        }
        "Cel" => (24.0, 1.5, false),
        "K" => (5.0, 0.3, false),
        "%" if key.contains("thd") => (3.0, 0.4, false),
        "%" => (55.0, 12.0, false),
        "Pa" => (120.0, 15.0, false),
        "kPa" => (180.0, 10.0, false),
        "MPa" => (0.4, 0.02, false),
        "bar" => (3.2, 0.2, false),
        "m3/h" => (35.0, 3.0, true),
        "L/h" | "kg/h" => (2000.0, 150.0, true),
        "[ppm]" => (620.0, 60.0, false),
        "lx" => (400.0, 40.0, false),
        "deg" => (23.0, 1.0, false),
        _ => (10.0, 2.0, false),
    }
}

#[cfg(test)]
mod tests {
    use steward_protocols::modbus::encode;
    use steward_shared::profile::Library;

    use super::*;

    #[test]
    fn every_point_of_every_profile_has_a_value_that_its_registers_hold() {
        let course = Course { seed: 7 };
        for profile in Library::compiled_in().unwrap().iter() {
            for point in profile.points.iter().filter(|p| p.register().is_some()) {
                for t in [0.0, 17.3, 3600.0, 9e6] {
                    let value = course.value(point, t);
                    let fits = encode(point, Some(&value));
                    assert!(fits.is_ok(), "{} {}: {value:?} {fits:?}", profile.id, point.key);
                }
            }
        }
    }

    #[test]
    fn power_is_what_voltage_current_and_factor_make_of_it() {
        let library = Library::compiled_in().unwrap();
        let meter = library.get("schneider/pm5350").unwrap();
        let course = Course { seed: 3 };
        for t in 0..50 {
            let of = |key: &str| {
                let point = meter.point(key).unwrap_or_else(|| panic!("{key}"));
                course.value(point, f64::from(t) * 13.0).as_number().unwrap()
            };
            let (power, made) = (of("active-power"), 3.0 * 230.0 * of("current-a") * 0.92 / 1e3);
            assert!((power / made - 1.0).abs() < 0.06, "{power} kW, {made} kW");
        }
    }

    #[test]
    fn a_counter_counts_up_and_starts_over_at_its_end() {
        let library = Library::compiled_in().unwrap();
        let meter = library.get("schneider/pm5350").unwrap();
        let energy = meter.point("active-energy-import").unwrap();
        let course = Course { seed: 3 };
        let at = |t: f64| course.value(energy, t).as_number().unwrap();
        assert!((at(3600.0) - at(0.0) - 12.0).abs() < 0.01, "12 kW for an hour");
        assert_eq!(counter_end(energy), None, "64 bits");
        let all: Vec<_> = library.iter().flat_map(|profile| &profile.points).collect();
        let ends =
            all.iter().filter(|p| p.kind == PointKind::Counter).filter_map(|p| Some((*p, counter_end(p)?)));
        assert!(ends.clone().count() > 0);
        for (point, end) in ends {
            let step = point.scale.as_f64();
            assert!(counted(point, end - 2.0 * step) > 0.9 * end, "{}", point.key);
            assert!(counted(point, end + 1.5 * step) < 3.0 * step, "{}", point.key);
        }
    }
}
