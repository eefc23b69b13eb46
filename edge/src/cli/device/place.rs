//! Which device and point of the gateway's file is meant.

use std::path::Path;

use steward_shared::document::{listing, nearest};

use super::super::out::Out;
use super::super::text::device as text;
use crate::config::{Config, DeviceConfig, LineConfig, WireConfig};
use crate::configure::load;

/// A device of the file, and one of its points where one is named.
#[derive(Debug)]
pub struct Place {
    pub config: Config,
    line: usize,
    device: usize,
    /// Index into the profile's points.
    pub point: Option<usize>,
}

impl Place {
    pub fn find(file: &Path, target: &str, out: Out) -> Result<Self, String> {
        let config = load(file, None).map_err(|faults| listing(&faults))?;
        let (name, key) = target.split_once('/').map_or((target, None), |(name, key)| (name, Some(key)));
        let found = config.lines.iter().enumerate().find_map(|(l, line)| {
            let device = line.devices.iter().position(|d| d.name == name)?;
            Some((l, device))
        });
        let Some((line, device)) = found else {
            let names = config.lines.iter().flat_map(|l| l.devices.iter().map(|d| d.name.as_str()));
            return Err(match nearest(name, names) {
                Some(meant) => text::no_device_but(out.lang, name, file, meant),
                None => text::no_device(out.lang, name, file),
            });
        };
        if matches!(config.lines[line].wire, WireConfig::Mqtt(_)) {
            return Err(text::tells_by_mqtt(out.lang, name));
        }
        let mut place = Self { config, line, device, point: None };
        if let Some(key) = key {
            let points = &place.device().profile.points;
            let Some(point) = points.iter().position(|p| p.key == key) else {
                let profile = &place.device().profile.id;
                return Err(match nearest(key, points.iter().map(|p| p.key.as_str())) {
                    Some(meant) => text::no_point_but(out.lang, key, profile, meant),
                    None => text::no_point(out.lang, key, profile),
                });
            };
            place.point = Some(point);
        }
        Ok(place)
    }

    pub fn line(&self) -> &LineConfig {
        &self.config.lines[self.line]
    }

    pub fn device(&self) -> &DeviceConfig {
        &self.line().devices[self.device]
    }
}
