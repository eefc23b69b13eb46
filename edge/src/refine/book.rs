//! What the refinery knows of each point. The supervisor makes it of a configuration and the numbers that the buffer
//! gave its points, and hands it over before the lines that it speaks of begin.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use steward_shared::id::PointNo;
use steward_shared::profile::{Derived, Profile, Role, Rules};
use steward_shared::unit;
use steward_shared::wire::message::PointKind;

use super::pace::common;
use crate::config::Config;
use crate::numbered::Numbered;
use crate::texts::Texts;

/// One point.
#[derive(Clone, Debug, PartialEq)]
pub struct Known {
    pub line: Arc<str>,
    pub device: Arc<str>,
    pub key: Arc<str>,
    /// As people read it.
    pub unit: &'static str,
    pub decimals: u8,
    pub period: Duration,
    pub rules: Arc<Rules>,
    /// Where its jumps are to be explained.
    pub counter: Option<Counter>,
    pub role: Option<Role>,
    /// How it is reckoned, where it is not measured, and of which points.
    pub derived: Option<Box<(Derived, Vec<PointNo>)>>,
}

#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Counter {
    /// The value at which it starts over, if it does.
    pub modulus: Option<f64>,
    /// What its like may rise by within a minute, before it is known better.
    pub common: f64,
    /// The step of its last digit.
    pub digit: f64,
}

impl Known {
    /// As people call it at the terminal.
    pub fn name(&self) -> String {
        format!("{}/{}", self.device, self.key)
    }

    /// A number with its unit, for people.
    pub fn shown(&self, value: f64) -> String {
        format!("{value:.*} {}", usize::from(self.decimals), self.unit).trim_end().to_owned()
    }
}

/// All points that are configured.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Book {
    pub points: Numbered<Known>,
    /// Of each point those that are reckoned of it.
    pub derived: Numbered<Vec<PointNo>>,
    /// Of each device its profile and the numbers of its points.
    pub devices: BTreeMap<String, (Arc<Profile>, Vec<PointNo>)>,
}

impl Book {
    /// The point that people call `device/point`.
    pub fn find(&self, name: &str) -> Option<(PointNo, &Known)> {
        let (device, key) = name.split_once('/')?;
        self.points.iter().find(|(_, k)| &*k.device == device && &*k.key == key)
    }
}

pub fn book(config: &Config, numbers: &[Vec<Vec<PointNo>>]) -> Book {
    let (mut points, mut derived) = (Vec::new(), BTreeMap::<PointNo, Vec<PointNo>>::new());
    let (mut devices, mut texts) = (BTreeMap::new(), Texts::default());
    for (line, numbers) in config.lines.iter().zip(numbers) {
        let name = texts.one(&line.name);
        for (device, numbers) in line.devices.iter().zip(numbers) {
            let key = texts.one(&device.name);
            devices.insert(device.name.clone(), (Arc::clone(&device.profile), numbers.clone()));
            for ((point, rules), no) in device.points().zip(numbers) {
                let known = Known {
                    line: Arc::clone(&name),
                    device: Arc::clone(&key),
                    key: texts.one(&point.key),
                    unit: unit::unit(&point.unit).map_or("", |unit| unit.symbol),
                    decimals: point.decimals,
                    period: device.period(point, rules),
                    rules: Arc::clone(rules),
                    counter: (point.kind == PointKind::Counter && rules.ledger).then(|| Counter {
                        modulus: point.modulus,
                        common: common(&point.unit),
                        digit: point.scale.as_f64().abs().max(0.1_f64.powi(i32::from(point.decimals))),
                    }),
                    role: point.role,
                    derived: point.derived().map(|how| {
                        let number = |key: &String| {
                            let index = device.profile.points.iter().position(|p| p.key == *key)?;
                            numbers.get(index).copied()
                        };
                        Box::new((how.clone(), how.inputs().iter().filter_map(number).collect()))
                    }),
                };
                for input in known.derived.iter().flat_map(|derived| &derived.1) {
                    derived.entry(*input).or_default().push(*no);
                }
                points.push((*no, known));
            }
        }
    }
    Book { points: points.into_iter().collect(), derived: derived.into_iter().collect(), devices }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    #[test]
    fn a_point_with_a_period_of_its_own_is_known_by_it() {
        let text = "[gateway]\nname = \"east\"\n[[line]]\nname = \"l\"\nkind = \"tcp\"\nhost = \"h\"\nport = 502\n\
                    [[line.device]]\nname = \"m\"\nprofile = \"omron/e5cc\"\naddress = 1\n\
                    points = { process-value = { period = \"3s\" } }\n";
        let config = crate::config::parse("edge.toml", text, Path::new("/"), []).unwrap();
        let device = &config.lines[0].devices[0];
        let numbers: Vec<PointNo> = (0..device.profile.points.len() as u32).map(PointNo).collect();
        let book = book(&config, &[vec![numbers]]);
        let period = |name: &str| book.find(name).unwrap().1.period;
        assert_eq!(period("m/process-value"), Duration::from_secs(3));
        assert_ne!(period("m/set-point"), Duration::from_secs(3), "the others go by their class");
    }
}
