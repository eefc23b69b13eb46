//! Whose a topic is: the points of devices, and who says whether a device is there. Made once for a line; nothing is
//! subscribed to that does not stand here.

use std::collections::BTreeMap;

use steward_protocols::question::Address;
use steward_shared::profile::Language;

use crate::config::LineConfig;

/// What a message under a topic speaks of.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Route {
    /// Indices of a device and of points of its profile.
    Points { device: usize, points: Vec<usize> },
    /// Whether the device is there.
    Availability { device: usize },
}

impl Route {
    pub const fn device(&self) -> usize {
        match self {
            Self::Points { device, .. } | Self::Availability { device } => *device,
        }
    }
}

#[derive(Debug, Default)]
pub struct Routes(BTreeMap<String, Vec<Route>>);

impl Routes {
    pub fn new(line: &LineConfig) -> Self {
        let mut routes: BTreeMap<String, Vec<Route>> = BTreeMap::new();
        for (device, config) in line.devices.iter().enumerate() {
            let (Address::Mqtt(own), Language::Mqtt(limits)) = (config.address, &config.profile.language)
            else {
                continue;
            };
            let mut of_device: BTreeMap<String, Vec<usize>> = BTreeMap::new();
            for (point, def) in config.profile.points.iter().enumerate() {
                if let Some(told) = def.told() {
                    of_device.entry(told.topic.of(own.as_str())).or_default().push(point);
                }
            }
            for (topic, points) in of_device {
                routes.entry(topic).or_default().push(Route::Points { device, points });
            }
            if let Some(availability) = &limits.availability {
                let topic = availability.topic.of(own.as_str());
                routes.entry(topic).or_default().push(Route::Availability { device });
            }
        }
        Self(routes)
    }

    pub fn topics(&self) -> impl Iterator<Item = &String> {
        self.0.keys()
    }

    pub fn of(&self, topic: &str) -> &[Route] {
        self.0.get(topic).map(Vec::as_slice).unwrap_or_default()
    }
}
