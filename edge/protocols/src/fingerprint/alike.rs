//! Several points of one kind say less than as many of different kinds: where one register holds what may be a temperature,
//! the next one easily does so too.

use steward_shared::profile::PointDef;
use steward_shared::wire::message::PointKind;

/// Kind and unit of each point that has spoken for a profile.
#[derive(Clone, Debug, Default)]
pub struct Alike<'p>(Vec<(PointKind, &'p str)>);

impl<'p> Alike<'p> {
    /// What a point's weight is worth behind those before it: the second of its kind half, the third a third. What speaks
    /// against a profile counts in full each time.
    pub fn worth(&mut self, point: &'p PointDef, weighed: f64) -> f64 {
        if weighed <= 0.0 {
            return weighed;
        }
        let kind = (point.kind, point.unit.as_str());
        self.0.push(kind);
        weighed / self.0.iter().filter(|met| **met == kind).count() as f64
    }
}

#[cfg(test)]
mod tests {
    use steward_shared::profile::Library;

    use super::*;

    #[test]
    fn the_third_voltage_says_a_third_and_the_first_frequency_all() {
        let profile = Library::compiled_in().unwrap().get("schneider/pm5350").unwrap();
        let of = |unit: &str| profile.points.iter().find(|p| p.unit == unit).unwrap();
        let mut alike = Alike::default();
        let worth = [of("V"), of("V"), of("V"), of("Hz")].map(|point| alike.worth(point, 3.0));
        let near = |a: f64, b: f64| (a - b).abs() < 1e-9;
        assert!(worth.into_iter().zip([3.0, 1.5, 1.0, 3.0]).all(|(a, b)| near(a, b)), "{worth:?}");
        assert!(near(alike.worth(of("V"), -3.0), -3.0), "against it each counts in full");
    }
}
