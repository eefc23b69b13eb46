//! The weather outside: a southern Chinese city, hot and damp in summer, mild in winter. Season, day, fronts
//! that last some days, clouds that last an hour. A pure function of seed and instant.

use std::f64::consts::TAU;

use super::noise::curve;

pub const HOUR_S: f64 = 3600.0;
pub const DAY_S: f64 = 86_400.0;
/// The building's local time runs eight hours ahead of UTC.
pub const UTC_OFFSET_S: f64 = 8.0 * HOUR_S;

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Weather {
    /// Dry-bulb temperature, °C.
    pub dry_bulb: f64,
    /// Relative humidity, 0 to 100 %.
    pub humidity: f64,
    /// Wet-bulb temperature, °C: what a cooling tower can reach at best.
    pub wet_bulb: f64,
}

/// The weather at `t` seconds since 1970 UTC.
pub fn weather(seed: u64, t: f64) -> Weather {
    let local = t + UTC_OFFSET_S;
    let year = (local / DAY_S / 365.2425).fract();
    let hour = local.rem_euclid(DAY_S) / HOUR_S;
    // Coldest around 20 January, hottest around 22 July; warmest hour three in the afternoon.
    let season = -((year - 0.055) * TAU).cos();
    let day = ((hour - 15.0) / 24.0 * TAU).cos();
    let front = curve(seed, 11, local / (3.7 * DAY_S)) + 0.5 * curve(seed, 12, local / (1.4 * DAY_S));
    let cloud = curve(seed, 13, local / (1.3 * HOUR_S));
    let swing = 3.6 - 0.8 * season - 1.2 * curve(seed, 14, local / DAY_S);
    let dry_bulb = 22.6 + 7.4 * season + swing * day + 2.2 * front + 0.5 * cloud;
    let humidity = (74.0 + 6.0 * season - 12.0 * day - 7.0 * front
        + 3.0 * curve(seed, 15, local / (2.0 * HOUR_S)))
    .clamp(28.0, 98.0);
    Weather { dry_bulb, humidity, wet_bulb: wet_bulb(dry_bulb, humidity) }
}

/// Wet-bulb temperature from temperature and humidity near sea level (Stull, J. Appl. Meteorol. Climatol. 50,
/// 2011, equation 1; holds from 5 to 99 % and -20 to 50 °C).
pub fn wet_bulb(t: f64, rh: f64) -> f64 {
    t * (0.151_977 * (rh + 8.313_659).sqrt()).atan() + (t + rh).atan() - (rh - 1.676_331).atan()
        + 0.003_918_38 * rh.powf(1.5) * (0.023_101 * rh).atan()
        - 4.686_035
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_wet_bulb_agrees_with_the_example_of_its_source() {
        // Stull 2011, section 3: 20 °C and 50 % give 13.7 °C.
        assert!((wet_bulb(20.0, 50.0) - 13.7).abs() < 0.05);
    }

    #[test]
    fn a_year_has_seasons_and_a_day_has_an_afternoon() {
        // 2026-07-20 and 2026-01-20, 00:00 UTC.
        let mean = |from: f64| {
            (0..240).map(|h| weather(1, from + f64::from(h) * HOUR_S).dry_bulb).sum::<f64>() / 240.0
        };
        let (july, january) = (mean(1_784_505_600.0), mean(1_768_867_200.0));
        assert!(july > 27.0 && july < 33.0, "july {july}");
        assert!(january > 11.0 && january < 19.0, "january {january}");
        // Three in the afternoon and five in the morning, local.
        let day = 1_784_505_600.0;
        assert!(weather(1, day + 7.0 * HOUR_S).dry_bulb > weather(1, day + 21.0 * HOUR_S).dry_bulb + 2.0);
    }

    #[test]
    fn the_wet_bulb_never_lies_above_the_dry_bulb() {
        for h in 0..8760 {
            let w = weather(42, 1_767_225_600.0 + f64::from(h) * HOUR_S);
            assert!(w.wet_bulb <= w.dry_bulb + 0.2, "{w:?}");
        }
    }
}
