//! What a gateway does with a value of a point before it keeps it: when a change is worth keeping, what cannot be true,
//! how a counter is followed. Keys of a point in its profile, and the same keys for one device in the gateway's file.
//! Without any of them a value is kept as it was read; a value that is doubted keeps its number and loses its quality.

use std::time::Duration;

use crate::document::Table as Fields;
use crate::wire::message::PointKind;

/// A counter that jumped is believed again after it has gone on sensibly for so long, where nothing else is said.
const SETTLE_AFTER: Duration = Duration::from_mins(10);
/// A demand of a quarter of an hour is not shifted by this.
const MAX_DRIFT: Duration = Duration::from_mins(1);
const LONGEST: Duration = Duration::from_hours(24 * 7);

#[derive(Clone, Debug, PartialEq)]
pub struct Rules {
    /// How often it is read, whatever its class; 100 ms to 7 d.
    pub period: Option<Duration>,
    /// Of a point whose device tells by itself: a value counts for so long. Zero: until the next one; `None`: three
    /// periods.
    pub max_age: Option<Duration>,
    /// The share of its last kept value, in percent, that a value must change by to be kept.
    pub deadband_percent: f64,
    /// The same in the point's own unit; of the two the larger counts.
    pub deadband: f64,
    /// A value is kept at least so often, however little it changes. `None`: every value is kept.
    pub max_silence: Option<Duration>,
    /// Values below or above cannot be true.
    pub min: Option<f64>,
    pub max: Option<f64>,
    /// A value cannot change by more than this within a minute, in the point's unit.
    pub rate_per_min: Option<f64>,
    /// A value that stays exactly the same for so long is not measured any more.
    pub stuck_after: Option<Duration>,
    /// Whether a counter's jumps are held back until it is known what they mean.
    pub ledger: bool,
    pub settle_after: Duration,
    /// How far a device's clock may be off.
    pub max_drift: Duration,
    /// What a device's clock shows more than UTC, in seconds. `None`: seconds since 1970 are UTC, and a text is not
    /// compared.
    pub utc_offset_s: Option<i32>,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            period: None,
            max_age: None,
            deadband_percent: 0.0,
            deadband: 0.0,
            max_silence: None,
            min: None,
            max: None,
            rate_per_min: None,
            stuck_after: None,
            ledger: true,
            settle_after: SETTLE_AFTER,
            max_drift: MAX_DRIFT,
            utc_offset_s: None,
        }
    }
}

impl Rules {
    /// The rules of a table's keys; one that is absent is taken from `above`, and a duration or rate of 0 takes away
    /// what stands there.
    pub fn read(fields: &Fields<'_>, above: &Self, kind: PointKind) -> Self {
        let duration = |key: &str, above: Option<Duration>| match fields.optional::<Duration>(key) {
            None => above,
            Some(Duration::ZERO) => None,
            Some(given) if given < Duration::from_secs(1) || given > LONGEST => {
                let way_out = "write one from \"1s\" to \"7d\", or \"0s\" for none";
                fields.fault(key, "this duration is out of range", way_out);
                above
            }
            given => given,
        };
        let positive = |key: &str, above: f64| match fields.optional::<f64>(key) {
            Some(given) if !given.is_finite() || given < 0.0 => {
                fields.fault(key, format!("{given} is out of range"), "write a number of 0 or more");
                above
            }
            given => given.unwrap_or(above),
        };
        let limit = |key: &str, above: Option<f64>| {
            let given = fields.optional::<f64>(key);
            if given.is_some_and(|limit| !limit.is_finite()) {
                fields.fault(key, "this is no limit", "write a number");
            }
            given.filter(|limit| limit.is_finite()).or(above)
        };
        let rate = positive("rate_per_min", above.rate_per_min.unwrap_or(0.0));
        let rules = Self {
            period: period(fields).or(above.period),
            max_age: max_age(fields).or(above.max_age),
            deadband_percent: positive("deadband_percent", above.deadband_percent),
            deadband: positive("deadband", above.deadband),
            max_silence: duration("max_silence", above.max_silence),
            min: limit("min", above.min),
            max: limit("max", above.max),
            rate_per_min: (rate > 0.0).then_some(rate),
            stuck_after: duration("stuck_after", above.stuck_after),
            ledger: fields.or("ledger", above.ledger),
            settle_after: duration("settle_after", Some(above.settle_after)).unwrap_or(SETTLE_AFTER),
            max_drift: duration("max_drift", Some(above.max_drift)).unwrap_or(MAX_DRIFT),
            utc_offset_s: utc_offset(fields).or(above.utc_offset_s),
        };
        rules.check(fields, kind);
        rules
    }

    fn check(&self, fields: &Fields<'_>, kind: PointKind) {
        if let (Some(min), Some(max)) = (self.min, self.max)
            && min >= max
        {
            fields.fault("max", format!("{max} is not above min, {min}"), "exchange them or correct one");
        }
        let no_deadband = self.deadband == 0.0 && self.deadband_percent == 0.0;
        if self.max_silence.is_none() && !no_deadband {
            let key = if self.deadband > 0.0 { "deadband" } else { "deadband_percent" };
            let message = "with a deadband alone nobody can tell a steady value from one that is not read";
            fields.fault(key, message, "add max_silence = \"5min\"");
        }
        let measured = matches!(kind, PointKind::Gauge | PointKind::Counter);
        let of_measured = ["deadband", "deadband_percent", "min", "max", "rate_per_min", "stuck_after"];
        for key in of_measured.into_iter().filter(|key| !measured && fields.has(key)) {
            fields.fault(key, "only gauges and counters have this", "remove it; max_silence fits every kind");
        }
        for key in ["ledger", "settle_after"] {
            if kind != PointKind::Counter && fields.has(key) {
                fields.fault(key, "only a counter has this", "remove it or add kind = \"counter\"");
            }
        }
    }

    /// The longest pause between two readings that are kept, of a point that is read so often.
    pub fn pause(&self, period: Duration) -> Duration {
        self.max_silence.map_or(period, |silence| silence.max(period))
    }
}

fn period(fields: &Fields<'_>) -> Option<Duration> {
    let given = fields.optional::<Duration>("period")?;
    let fits = (Duration::from_millis(100)..=LONGEST).contains(&given);
    if !fits {
        fields.fault("period", "this duration is out of range", "write one from \"100ms\" to \"7d\"");
    }
    fits.then_some(given)
}

fn utc_offset(fields: &Fields<'_>) -> Option<i32> {
    let given = fields.optional::<String>("utc_offset")?;
    let seconds = || {
        let (sign, rest) = match given.split_at_checked(1)? {
            ("+", rest) => (1, rest),
            ("-", rest) => (-1, rest),
            _ => return None,
        };
        let (hours, minutes) = rest.split_once(':').filter(|(h, m)| h.len() == 2 && m.len() == 2)?;
        let (hours, minutes): (u8, u8) = (hours.parse().ok()?, minutes.parse().ok()?);
        (hours <= 14 && minutes < 60).then(|| sign * (i32::from(hours) * 3600 + i32::from(minutes) * 60))
    };
    let seconds = seconds();
    if seconds.is_none() {
        let message = format!("\"{given}\" is no offset from UTC");
        fields.fault("utc_offset", message, "write it like \"+08:00\"");
    }
    seconds
}

fn max_age(fields: &Fields<'_>) -> Option<Duration> {
    let given = fields.optional::<Duration>("max_age")?;
    let fits = given.is_zero() || (Duration::from_secs(1)..=LONGEST).contains(&given);
    if !fits {
        let way_out = "write one from \"1s\" to \"7d\", or \"0s\" where a value counts until the next one";
        fields.fault("max_age", "this duration is out of range", way_out);
    }
    fits.then_some(given)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::profile::Profile;

    fn parsed(kind: &str, rest: &str) -> Result<Rules, Vec<String>> {
        let unit = if rest.contains("clock") { "s" } else { "kW" };
        let text = format!(
            "vendor = \"A\"\nmodel = \"M\"\ntitle = {{ zh = \"表\", en = \"M\" }}\nsource = [\"s\"]\n[[point]]\nkey = \"p\"\n\
             title = {{ zh = \"点\", en = \"P\" }}\ntable = \"holding\"\naddress = 0\ntype = \"u16\"\nunit = \"{unit}\"\n\
             kind = \"{kind}\"\n{rest}"
        );
        Profile::parse("a/m.toml", &text)
            .map(|profile| Rules::clone(&profile.points[0].rules))
            .map_err(|faults| faults.iter().map(ToString::to_string).collect())
    }

    #[test]
    fn without_a_key_nothing_is_done() {
        assert_eq!(parsed("gauge", ""), Ok(Rules::default()));
        assert_eq!(Rules::default().pause(Duration::from_secs(10)), Duration::from_secs(10));
    }

    #[test]
    fn the_keys_of_a_point_are_its_rules() {
        let text = "deadband = 0.5\ndeadband_percent = 2\nmax_silence = \"5min\"\nmin = -5\nmax = 630.0\n\
                    rate_per_min = 200\nstuck_after = \"6h\"";
        let rules = parsed("gauge", text).unwrap();
        assert_eq!((rules.min, rules.max, rules.rate_per_min), (Some(-5.0), Some(630.0), Some(200.0)));
        assert_eq!(rules.pause(Duration::from_secs(10)), Duration::from_mins(5));
        assert_eq!(rules.pause(Duration::from_hours(1)), Duration::from_hours(1));
        assert_eq!(rules.stuck_after, Some(Duration::from_hours(6)));
    }

    #[test]
    fn an_offset_from_utc_is_read_to_the_minute() {
        let offset = |text: &str| {
            let rest = format!("role = \"clock\"\nutc_offset = \"{text}\"");
            parsed("gauge", &rest).map(|rules| rules.utc_offset_s)
        };
        assert_eq!(offset("+08:00"), Ok(Some(28_800)));
        assert_eq!(offset("-03:30"), Ok(Some(-12_600)));
        for wrong in ["", "8", "+8:00", "08:00", "+25:00", "+08:60"] {
            assert!(offset(wrong).unwrap_err()[0].contains("\"+08:00\""), "{wrong}");
        }
        assert!(parsed("gauge", "utc_offset = \"+08:00\"").unwrap_err()[0].contains("role = \"clock\""));
    }

    #[test]
    fn rules_that_contradict_themselves_or_the_kind_are_told_with_the_way_out() {
        let told = |kind: &str, rest: &str| {
            let told = parsed(kind, rest).unwrap_err();
            assert_eq!(told.len(), 1, "{told:?}");
            told[0].clone()
        };
        assert!(told("gauge", "deadband = 1").contains("add max_silence = \"5min\""));
        assert!(told("gauge", "min = 5\nmax = 5").contains("not above min"));
        assert!(told("gauge", "deadband = -1\nmax_silence = \"5min\"").contains("0 or more"));
        assert!(told("gauge", "max_silence = \"8d\"").contains("\"7d\""));
        assert!(told("flag", "min = 0").contains("only gauges and counters"));
        assert!(told("gauge", "ledger = false").contains("only a counter"));
        assert!(parsed("flag", "max_silence = \"1h\"").is_ok());
    }
}
