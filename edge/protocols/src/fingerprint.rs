//! How well a device looks like a profile: a few of the profile's points are read, and what comes is weighed. A frequency
//! of 50 Hz where the profile has its frequency says much, a refusal says much against it, a zero says little. Pure: the
//! engineer's tool asks, and hands in what came.

use steward_shared::profile::{PointDef, Profile};
use steward_shared::reading::{Quality, Value};
use steward_shared::wire::message::PointKind;

/// As many points of a profile are read.
const PROBES: usize = 12;
/// What "none of the profiles" weighs: a few plausible values prove nothing.
const NOBODY: f64 = 4.0;

/// What one point says.
#[derive(Clone, Debug, PartialEq)]
pub struct Evidence {
    /// Index into the profile's points.
    pub point: usize,
    pub weight: f64,
    pub value: Option<Value>,
}

/// A profile and all that speaks for it.
#[derive(Clone, Debug, PartialEq)]
pub struct Match {
    pub profile: usize,
    pub score: f64,
    /// 0 to 1, among all profiles and none of them.
    pub likelihood: f64,
}

/// The points that tell a device apart, the most telling first: those in registers.
pub fn probes(profile: &Profile) -> Vec<usize> {
    probes_where(profile, |point| point.register().is_some())
}

/// The same among the points that can be asked for.
pub fn probes_where(profile: &Profile, may: impl Fn(&PointDef) -> bool) -> Vec<usize> {
    let mut all: Vec<usize> = (0..profile.points.len()).collect();
    all.retain(|i| profile.points.get(*i).is_some_and(&may));
    let telling = |point: &PointDef| match (point.kind, point.unit.as_str()) {
        (_, "Hz") => 0,
        (PointKind::Text, _) => 1,
        (PointKind::Gauge, "V") => 2,
        (PointKind::Counter, _) => 3,
        (PointKind::Gauge, "Cel") => 4,
        (PointKind::Enumeration, _) => 5,
        _ if !point.sentinels.is_empty() => 5,
        (PointKind::Gauge, _) => 6,
        (PointKind::Flag, _) => 7,
    };
    all.sort_by_key(|i| profile.points.get(*i).map(telling));
    // No more than a third of one kind: three voltages say little more than one.
    let mut taken: Vec<usize> = Vec::new();
    for i in &all {
        let kind = profile.points.get(*i).map(telling);
        let alike = taken.iter().filter(|t| profile.points.get(**t).map(telling) == kind).count();
        if alike < PROBES / 3 && taken.len() < PROBES {
            taken.push(*i);
        }
    }
    taken
}

/// What a point that read so says for its profile; below zero against it.
pub fn weight(profile: &Profile, point: &PointDef, value: Option<&Value>, quality: Quality) -> f64 {
    let number = match (value, quality) {
        (Some(Value::Text(text)), _) => return text_weight(profile, text),
        (Some(Value::Number(number)), _) => *number,
        (None, Quality::NoValue) => return if point.sentinels.is_empty() { 0.0 } else { 2.0 },
        (None, Quality::Undecodable) => return -4.0,
        (None, Quality::Refused(_)) => return -3.0,
        (None, _) => return -2.0,
    };
    if number == 0.0 {
        return 0.0;
    }
    // Bits of something else, read as a float.
    if !(1e-9..1e15).contains(&number.abs()) {
        return -5.0;
    }
    let within = |range: std::ops::RangeInclusive<f64>, good: f64, bad: f64| {
        if range.contains(&number) { good } else { bad }
    };
    match (point.kind, point.unit.as_str()) {
        (PointKind::Enumeration | PointKind::Flag, _) => {
            let known = point.labels.iter().any(|l| (l.code as f64 - number).abs() < 0.5);
            if known || point.kind == PointKind::Flag { 0.5 } else { -3.0 }
        }
        (PointKind::Counter, _) => within(0.0..=1e9, 1.0, -4.0),
        (_, "Hz") => {
            let near_mains = (number - 50.0).abs() < 1.5 || (number - 60.0).abs() < 1.5;
            if near_mains { 6.0 } else { within(0.0..=400.0, 0.0, -5.0) }
        }
        (_, "V") => within(80.0..=500.0, 3.0, if (0.0..=1500.0).contains(&number) { 0.0 } else { -3.0 }),
        (_, "Cel") => within(-40.0..=150.0, 1.5, -4.0),
        (_, "%") => within(0.0..=100.0, 1.0, -4.0),
        (_, "A") => within(-1e4..=1e4, 0.5, -4.0),
        (_, "1") if point.key.contains("power-factor") => within(-1.0..=1.0, 2.0, -4.0),
        (_, "kW" | "kvar" | "kV.A" | "W" | "var" | "V.A") => within(-1e7..=1e7, 0.5, -4.0),
        _ => 0.2,
    }
}

/// A text that names the vendor or the model is the device's own word.
fn text_weight(profile: &Profile, text: &str) -> f64 {
    if text.is_empty() {
        return 0.0;
    }
    let plain =
        |text: &str| text.chars().filter(char::is_ascii_alphanumeric).collect::<String>().to_lowercase();
    let text = plain(text);
    let names = |name: &str| {
        let name = plain(name);
        name.len() > 2 && text.contains(&name)
    };
    if names(&profile.model) {
        10.0
    } else if names(&profile.vendor) {
        5.0
    } else if text.len() > 2 {
        2.0
    } else {
        -2.0
    }
}

/// What a device says of itself (function 43/14) for a profile.
pub fn identity_weight(profile: &Profile, said: &str) -> f64 {
    text_weight(profile, said).max(0.0)
}

/// Best first. `scores` are the sums of all weights, by profile; profiles that were not tried have none.
pub fn rank(scores: &[(usize, f64)]) -> Vec<Match> {
    let highest = scores.iter().map(|(_, s)| *s).fold(NOBODY, f64::max);
    let share = |score: f64| (score - highest).exp();
    let all: f64 = scores.iter().map(|(_, s)| share(*s)).sum::<f64>() + share(NOBODY);
    let mut matches: Vec<Match> = scores
        .iter()
        .map(|(profile, score)| Match { profile: *profile, score: *score, likelihood: share(*score) / all })
        .collect();
    matches.sort_by(|a, b| b.score.total_cmp(&a.score).then(a.profile.cmp(&b.profile)));
    matches
}

#[cfg(test)]
mod tests {
    use steward_shared::profile::Library;

    use super::*;

    fn profile() -> std::sync::Arc<Profile> {
        Library::compiled_in()
            .unwrap_or_else(|_| panic!("the library is broken"))
            .get("schneider/pm5350")
            .unwrap()
    }

    #[test]
    fn the_most_telling_points_are_read_first_and_not_all_of_one_kind() {
        let profile = profile();
        let probes = probes(&profile);
        assert!((4..=PROBES).contains(&probes.len()), "{probes:?}");
        assert_eq!(profile.points[probes[0]].unit, "Hz");
        let volts = probes.iter().filter(|i| profile.points[**i].unit == "V").count();
        assert!(volts <= PROBES / 3, "{volts}");
    }

    #[test]
    fn a_mains_frequency_speaks_for_a_profile_and_a_refusal_against_it() {
        let profile = profile();
        let hz = profile.points.iter().find(|p| p.unit == "Hz").unwrap();
        let number = |n: f64| weight(&profile, hz, Some(&Value::Number(n)), Quality::Good);
        assert!(number(49.98) > 5.0 && number(0.0) == 0.0 && number(1e-40) < -4.0 && number(5e7) < -4.0);
        assert!(weight(&profile, hz, None, Quality::Refused(2)) < -2.0);
        let text = |t: &str| text_weight(&profile, t);
        assert!(text("PM5350") > text("Schneider Electric") && text("Schneider Electric") > text("0123"));
    }

    #[test]
    fn a_few_plausible_values_are_no_proof() {
        let weak = rank(&[(0, 1.0), (1, -20.0)]);
        assert!(weak[0].likelihood < 0.1, "{weak:?}");
        let strong = rank(&[(0, 15.0), (1, 5.0), (2, -3.0)]);
        assert!(strong[0].profile == 0 && strong[0].likelihood > 0.99, "{strong:?}");
        let equal = rank(&[(0, 15.0), (1, 15.0)]);
        assert!((equal[0].likelihood - 0.5).abs() < 0.01, "both are told: {equal:?}");
    }
}
