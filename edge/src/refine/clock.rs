//! What a device's own clock says, against an instant of this gateway. Pure. A clock says no more than its digits: a
//! date alone is right all day, and minutes are right for one. Meters keep local time, and which that is only the
//! profile or the gateway's file knows (`utc_offset`); without it nothing is said of a text.
//!
//! | text | from |
//! |---|---|
//! | `20150511220131` | CJ/T 188: year to second |
//! | `150511220131` | year of two digits to second |
//! | `15051101` | DL/T 645, 04000101: year, month, day, day of the week |
//! | `220131` | DL/T 645, 04000102: hour, minute, second |
//! | `2015-05-11 22:01`, `2015-05-11 22:01:31` | M-Bus |

use steward_shared::profile::Rules;
use steward_shared::reading::Value;
use steward_shared::time::Timestamp;

const DAY: f64 = 86_400.0;

/// How many seconds the clock is ahead, 0 where it may be right, negative where it is behind.
pub(super) fn ahead(value: &Value, at: Timestamp, rules: &Rules) -> Option<f64> {
    let now = at.as_millis() as f64 / 1000.0;
    match value {
        Value::Number(seconds) => Some(seconds - now - f64::from(rules.utc_offset_s.unwrap_or_default())),
        Value::Text(text) => {
            let local = now + f64::from(rules.utc_offset_s?);
            let (from, lasts) = match said(text)? {
                Said::Instant(from, lasts) => (from, lasts),
                // Of the days that it may mean, the one that is nearest.
                Said::TimeOfDay(seconds) => {
                    let day = ((local - seconds) / DAY).round();
                    (seconds + day * DAY, 1.0)
                }
            };
            let (early, late) = (from - local, from + lasts - local);
            Some(if early > 0.0 { early } else { late.min(0.0) })
        }
    }
}

enum Said {
    /// Seconds since 1970 in its own zone, and for how long it says the same.
    Instant(f64, f64),
    TimeOfDay(f64),
}

fn said(text: &str) -> Option<Said> {
    let digits: String = text.chars().filter(char::is_ascii_digit).collect();
    let is_plain = digits.len() == text.len();
    let part = |range: std::ops::Range<usize>| digits.get(range).unwrap_or_default();
    let instant = |date: String, time: &str, lasts: f64| {
        let time = format!("{time:0<6}");
        let (h, m, s) = (time.get(..2)?, time.get(2..4)?, time.get(4..)?);
        let at: Timestamp = format!("{date}T{h}:{m}:{s}Z").parse().ok()?;
        Some(Said::Instant(at.as_millis() as f64 / 1000.0, lasts))
    };
    let long = || format!("{}-{}-{}", part(0..4), part(4..6), part(6..8));
    let short = || format!("20{}-{}-{}", part(0..2), part(2..4), part(4..6));
    match (digits.len(), is_plain) {
        (14, _) => instant(long(), part(8..14), 1.0),
        (12, false) => instant(long(), part(8..12), 60.0),
        (12, true) => instant(short(), part(6..12), 1.0),
        (8, true) => instant(short(), "", DAY),
        (6, true) => {
            let (h, m, s): (u32, u32, u32) =
                (part(0..2).parse().ok()?, part(2..4).parse().ok()?, part(4..6).parse().ok()?);
            (h < 24 && m < 60 && s < 60).then(|| Said::TimeOfDay(f64::from(h * 3600 + m * 60 + s)))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// At 23:59:30 of 11 May 2015 in China.
    fn ahead_of(text: &str) -> Option<f64> {
        let at: Timestamp = "2015-05-11T15:59:30.500Z".parse().unwrap();
        let rules = Rules { utc_offset_s: Some(8 * 3600), ..Rules::default() };
        ahead(&Value::Text(text.to_owned()), at, &rules)
    }

    #[test]
    fn a_clock_is_as_exact_as_its_digits() {
        assert_eq!(ahead_of("20150511235930"), Some(0.0));
        assert_eq!(ahead_of("20150512000030"), Some(59.5));
        assert_eq!(ahead_of("150511235900"), Some(-29.5));
        assert_eq!(ahead_of("2015-05-11 23:59"), Some(0.0), "it says so for a minute");
        assert_eq!(ahead_of("2015-05-11 23:57"), Some(-90.5));
        assert_eq!(ahead_of("2015-05-11 23:58:30"), Some(-59.5));
    }

    #[test]
    fn a_date_and_a_time_of_day_are_compared_each_by_itself() {
        assert_eq!(ahead_of("15051101"), Some(0.0));
        assert_eq!(ahead_of("15051202"), Some(29.5), "its midnight came before ours");
        assert_eq!(ahead_of("15051000"), Some(-DAY + 29.5));
        assert_eq!(ahead_of("235930"), Some(0.0));
        assert_eq!(ahead_of("000010"), Some(39.5), "past its own midnight");
        assert_eq!(ahead_of("125930"), Some(-11.0 * 3600.0 + 0.5));
    }

    #[test]
    fn what_is_no_time_says_nothing() {
        for text in ["", "20151311235930", "246000", "235960", "FF", "2015-02-30 10:00", "1505110", "年月日"]
        {
            assert_eq!(ahead_of(text), None, "{text}");
        }
    }

    #[test]
    fn a_text_without_a_zone_says_nothing_and_seconds_are_utc() {
        let at = Timestamp(1_000_000);
        let value = Value::Text("20150511235930".to_owned());
        assert_eq!(ahead(&value, at, &Rules::default()), None);
        assert_eq!(ahead(&Value::Number(1095.0), at, &Rules::default()), Some(95.0));
    }
}
