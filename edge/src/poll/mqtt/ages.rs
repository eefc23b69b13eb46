//! Who has told nothing for too long. Each point has its greatest age; a device whose points all have passed theirs is
//! silent, and so is one of which its availability says that it is gone.

use std::time::{Duration, Instant};

use crate::config::DeviceConfig;

#[derive(Debug)]
pub struct Ages(Vec<Device>);

#[derive(Debug)]
struct Device {
    points: Vec<Point>,
    offline: bool,
    silent: bool,
}

#[derive(Debug)]
struct Point {
    /// `None`: its value counts until the next one.
    max: Option<Duration>,
    since: Instant,
    /// Somebody was told that there is no value.
    marked: bool,
}

/// What has changed with a device.
#[derive(Debug, PartialEq, Eq)]
pub struct Change {
    pub device: usize,
    /// Points that have no value any more.
    pub overdue: Vec<usize>,
    /// It is silent now, and was not.
    pub silent: bool,
}

impl Ages {
    /// `silent_before`: who was silent under the owner before.
    pub fn new(devices: &[DeviceConfig], silent_before: &[bool], now: Instant) -> Self {
        let point = |max| Point { max, since: now, marked: false };
        let device = |(i, config): (usize, &DeviceConfig)| Device {
            // What is reckoned follows the others.
            points: config
                .points()
                .map(|(def, rules)| point(def.told().and_then(|_| config.max_age(def, rules))))
                .collect(),
            offline: false,
            silent: silent_before.get(i).copied().unwrap_or_default(),
        };
        Self(devices.iter().enumerate().map(device).collect())
    }

    /// The broker is there (again): nobody could tell us anything before.
    pub fn restart(&mut self, now: Instant) {
        for point in self.0.iter_mut().flat_map(|device| &mut device.points) {
            (point.since, point.marked) = (now, false);
        }
    }

    /// The device told something of the points. Answers whether it was silent.
    pub fn heard(&mut self, device: usize, points: &[usize], now: Instant) -> bool {
        let Some(device) = self.0.get_mut(device) else { return false };
        for point in points {
            if let Some(point) = device.points.get_mut(*point) {
                (point.since, point.marked) = (now, false);
            }
        }
        // Whoever tells is there, whatever its availability says.
        device.offline = false;
        std::mem::replace(&mut device.silent, false)
    }

    /// The device, or the broker for it, says that it is there. Answers whether it was silent.
    pub fn online(&mut self, device: usize, now: Instant) -> bool {
        let Some(device) = self.0.get_mut(device) else { return false };
        device.offline = false;
        for point in &mut device.points {
            (point.since, point.marked) = (now, false);
        }
        std::mem::replace(&mut device.silent, false)
    }

    /// The device, or the broker for it, says that it is gone.
    pub fn offline(&mut self, index: usize) -> Option<Change> {
        let device = self.0.get_mut(index).filter(|device| !device.offline)?;
        device.offline = true;
        let overdue = (0..device.points.len()).collect();
        for point in &mut device.points {
            point.marked = true;
        }
        let silent = !std::mem::replace(&mut device.silent, true);
        Some(Change { device: index, overdue, silent })
    }

    /// Who has passed an age by now.
    pub fn passed(&mut self, now: Instant) -> Vec<Change> {
        let mut changes = Vec::new();
        for (index, device) in self.0.iter_mut().enumerate() {
            let mut overdue = Vec::new();
            for (i, point) in device.points.iter_mut().enumerate() {
                let is_over = point.max.is_some_and(|max| now.saturating_duration_since(point.since) >= max);
                if is_over && !std::mem::replace(&mut point.marked, true) {
                    overdue.push(i);
                }
            }
            if overdue.is_empty() {
                continue;
            }
            let all = device.points.iter().filter(|p| p.max.is_some()).all(|p| p.marked);
            let silent = all && !std::mem::replace(&mut device.silent, true);
            changes.push(Change { device: index, overdue, silent });
        }
        changes
    }

    /// When the next one will have.
    pub fn next(&self) -> Option<Instant> {
        let points = self.0.iter().flat_map(|device| &device.points).filter(|point| !point.marked);
        points.filter_map(|point| point.since.checked_add(point.max?)).min()
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;

    const SEC: Duration = Duration::from_secs(1);

    fn ages(now: Instant) -> Ages {
        let text = "[gateway]\nname = \"east\"\n[[line]]\nname = \"l\"\nkind = \"mqtt\"\nhost = \"h\"\n\
                    [[line.device]]\nname = \"plug\"\nprofile = \"tasmota/energy-plug\"\ntopic = \"plug\"\n\
                    points = { voltage = { max_age = \"5s\" } }\n";
        let config = crate::config::parse("edge.toml", text, Path::new("/"), []).unwrap();
        Ages::new(&config.lines[0].devices, &[true], now)
    }

    #[test]
    fn a_point_that_is_told_no_more_has_no_value_and_a_device_that_tells_nothing_is_silent() {
        let start = tokio::time::Instant::now().into_std();
        let mut ages = ages(start);
        assert!(ages.heard(0, &[0, 1, 2, 3, 4, 5, 6], start), "it was silent before");
        assert_eq!(ages.next(), Some(start + 5 * SEC));
        assert_eq!(ages.passed(start + 4 * SEC), []);
        let voltage = Change { device: 0, overdue: vec![4], silent: false };
        assert_eq!(ages.passed(start + 5 * SEC), [voltage]);
        assert_eq!(ages.passed(start + 6 * SEC), [], "it is told once");
        let late = start + 900 * SEC;
        // The relay's state counts until the next one.
        let rest = Change { device: 0, overdue: vec![0, 1, 2, 3, 5, 6], silent: true };
        assert_eq!((ages.passed(late), ages.next()), (vec![rest], None));
        assert!(ages.heard(0, &[4], late) && !ages.heard(0, &[4], late));
        assert_eq!(ages.next(), Some(late + 5 * SEC));
    }

    #[test]
    fn whoever_is_said_to_be_gone_is_silent_at_once_and_back_when_it_is_said_or_tells() {
        let start = tokio::time::Instant::now().into_std();
        let mut ages = ages(start);
        assert!(ages.online(0, start));
        let gone = Change { device: 0, overdue: (0..8).collect(), silent: true };
        assert_eq!(ages.offline(0), Some(gone));
        assert_eq!(ages.offline(0), None);
        assert_eq!(ages.passed(start + 1000 * SEC), [], "nothing is told twice");
        assert!(ages.heard(0, &[4], start));
        assert!(ages.offline(0).is_some());
        assert!(ages.online(0, start) && !ages.online(0, start));
    }
}
