//! The points by their names, as topics and metrics bear them. Made by the supervisor from a configuration; a new one
//! replaces it as a whole.

use std::collections::HashMap;

use steward_shared::id::PointNo;
use steward_shared::wire::message::PointKind;

#[derive(Debug, Default, PartialEq)]
pub struct Directory {
    pub gateway: String,
    pub devices: Vec<NamedDevice>,
    places: HashMap<PointNo, (usize, usize)>,
}

#[derive(Debug, PartialEq)]
pub struct NamedDevice {
    pub line: String,
    pub device: String,
    pub place: String,
    pub points: Vec<NamedPoint>,
}

#[derive(Debug, PartialEq)]
pub struct NamedPoint {
    pub no: PointNo,
    pub key: String,
    pub unit: String,
    pub kind: PointKind,
}

impl Directory {
    pub fn new(gateway: String, devices: Vec<NamedDevice>) -> Self {
        let places = devices.iter().enumerate().flat_map(|(i, device)| {
            device.points.iter().enumerate().map(move |(j, point)| (point.no, (i, j)))
        });
        Self { gateway, places: places.collect(), devices }
    }

    /// The index of a point's device, the device and the point.
    pub fn find(&self, no: PointNo) -> Option<(usize, &NamedDevice, &NamedPoint)> {
        let (i, j) = self.places.get(&no)?;
        let device = self.devices.get(*i)?;
        Some((*i, device, device.points.get(*j)?))
    }
}

/// A name as one level of a topic: what means something there is replaced.
pub fn level(name: &str) -> String {
    if name.is_empty() {
        return "_".to_owned();
    }
    name.chars().map(|c| if matches!(c, '/' | '+' | '#') || c.is_control() { '_' } else { c }).collect()
}
