//! Which of a profile's points tell a device apart: so many are read, not all of one kind.

use steward_shared::profile::{PointDef, Profile};
use steward_shared::wire::message::PointKind;

/// As many points of a profile are read.
const PROBES: usize = 12;

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

#[cfg(test)]
mod tests {
    use steward_shared::profile::Library;

    use super::*;

    #[test]
    fn the_most_telling_points_are_read_first_and_not_all_of_one_kind() {
        let profile = Library::compiled_in().unwrap().get("schneider/pm5350").unwrap();
        let probes = probes(&profile);
        assert!((4..=PROBES).contains(&probes.len()), "{probes:?}");
        assert_eq!(profile.points[probes[0]].unit, "Hz");
        let volts = probes.iter().filter(|i| profile.points[**i].unit == "V").count();
        assert!(volts <= PROBES / 3, "{volts}");
    }
}
