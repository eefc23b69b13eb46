//! What the hospital asks of its plant: people by the hour and the weekday, cooling, fans, light, computers.
//! A pure function of seed and instant.

use super::machines::soft_excess;
use super::noise::{curve, ease};
use super::weather::{DAY_S, HOUR_S, UTC_OFFSET_S, weather};

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Demand {
    /// Share of the house that is in use, 0.0 to 1.0: wards never sleep, clinics do.
    pub occupancy: f64,
    /// Cooling load, kW of heat.
    pub cooling: f64,
    /// Fans of the air handlers, kW electric each.
    pub air: [f64; 2],
    /// What the UPS carries, kW electric.
    pub ups: f64,
    /// What it takes from the mains, kW electric.
    pub ups_input: f64,
    pub battery: Battery,
    /// Light and sockets of the plant room's board, kW electric.
    pub light: f64,
}

/// The battery of the UPS. Each Wednesday at three in the morning it carries the load for ten minutes, as a
/// test; then it is charged again.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Battery {
    pub testing: bool,
    /// 0 to 100 %.
    pub charge: f64,
}

const TEST_S: f64 = 600.0;
const RECHARGE_S: f64 = 3.0 * HOUR_S;
/// Charge that a test takes, %.
const TEST_TAKES: f64 = 14.0;
/// What charging takes from the mains at first, kW.
const CHARGING_KW: f64 = 9.0;

fn battery(local: f64) -> Battery {
    let day = (local / DAY_S).floor() as i64;
    let since = local.rem_euclid(DAY_S) - 3.0 * HOUR_S;
    // 1970-01-01 was a Thursday: 2 is Wednesday.
    let wednesday = (day + 3).rem_euclid(7) == 2;
    let missing = if !wednesday || since < 0.0 {
        0.0
    } else if since < TEST_S {
        since / TEST_S
    } else {
        (1.0 - (since - TEST_S) / RECHARGE_S).max(0.0)
    };
    Battery { testing: wednesday && (0.0..TEST_S).contains(&since), charge: 100.0 - TEST_TAKES * missing }
}

/// People in the house at local seconds `local`: a floor for the wards, clinics on working days.
fn occupancy(seed: u64, local: f64) -> f64 {
    let hour = local.rem_euclid(DAY_S) / HOUR_S;
    let day = (local / DAY_S).floor() as i64;
    // 1970-01-01 was a Thursday: 0 is Monday.
    let clinics = match (day + 3).rem_euclid(7) {
        5 => 0.55,
        6 => 0.30,
        _ => 1.0,
    };
    let open = ease((hour - 6.5) / 2.0) * (1.0 - ease((hour - 16.5) / 2.5));
    let lunch = 0.12 * ease((hour - 11.5) / 0.7) * (1.0 - ease((hour - 13.0) / 0.8));
    let evening = 0.15 * ease((hour - 16.0) / 2.0) * (1.0 - ease((hour - 20.0) / 2.0));
    (0.34 + clinics * (0.6 * open - lunch) + evening + 0.03 * curve(seed, 21, local / (0.7 * HOUR_S)))
        .clamp(0.2, 1.0)
}

/// What is asked for at `t` seconds since 1970 UTC.
pub fn demand(seed: u64, t: f64) -> Demand {
    let local = t + UTC_OFFSET_S;
    let people = occupancy(seed, local);
    // Walls and air remember: the load follows the weather by about an hour and a half.
    let lagged = weather(seed, t - 1.5 * HOUR_S);
    let hour = local.rem_euclid(DAY_S) / HOUR_S;
    let sun = ease((hour - 6.0) / 5.0) * (1.0 - ease((hour - 13.5) / 5.5));
    let warm = soft_excess(lagged.dry_bulb - 15.0, 2.0);
    let damp = soft_excess(lagged.wet_bulb - 16.0, 2.0);
    let cooling = 330.0
        + 330.0 * people
        + warm * (22.0 + 18.0 * people)
        + damp * (16.0 + 22.0 * people)
        + 90.0 * sun
        + 22.0 * curve(seed, 22, local / (0.4 * HOUR_S));
    let fan = |i: u64| 16.0 + 21.0 * people + 1.5 * curve(seed, 23 + i, local / HOUR_S);
    let battery = battery(local);
    let ups = 46.0 + 15.0 * people + 2.0 * curve(seed, 26, local / (0.5 * HOUR_S));
    let charging = CHARGING_KW * (100.0 - battery.charge) / TEST_TAKES;
    Demand {
        occupancy: people,
        cooling,
        air: [fan(0), fan(1)],
        ups,
        // The electronics keep some power for themselves.
        ups_input: if battery.testing { 1.5 } else { ups / 0.945 + charging },
        battery,
        light: 9.0 + 16.0 * people + 7.0 * (1.0 - sun) + curve(seed, 27, local / (0.8 * HOUR_S)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    // 2026-11-16, a Monday, 00:00 local.
    const MONDAY: f64 = 1_794_758_400.0;

    #[test]
    fn a_working_morning_is_busier_than_a_night_and_than_a_sunday() {
        let at = |day: f64, hour: f64| demand(1, MONDAY + day * DAY_S + hour * HOUR_S).occupancy;
        assert!(at(0.0, 10.0) > at(0.0, 3.0) + 0.4);
        assert!(at(0.0, 10.0) > at(6.0, 10.0) + 0.25);
    }

    #[test]
    fn the_battery_is_tested_each_wednesday_and_charged_again() {
        let at = |hours: f64| demand(1, MONDAY + 2.0 * DAY_S + hours * HOUR_S);
        assert!(at(3.1).battery.testing && at(3.1).ups_input < 2.0);
        assert!(at(3.2).battery.charge < 87.0 && at(3.2).ups_input > at(3.2).ups / 0.945 + 5.0);
        assert!((at(7.0).battery.charge - 100.0).abs() < 1e-9);
        assert!(!demand(1, MONDAY + 3.1 * HOUR_S).battery.testing);
    }

    #[test]
    fn the_load_stays_within_what_three_chillers_give() {
        let loads: Vec<f64> =
            (0..8760).map(|h| demand(3, 1_767_225_600.0 + f64::from(h) * HOUR_S).cooling).collect();
        let (least, most) = loads.iter().fold((f64::MAX, 0f64), |(a, b), &x| (a.min(x), b.max(x)));
        assert!(least > 300.0, "least {least}");
        assert!(most > 1800.0 && most < 2950.0, "most {most}");
    }
}
