//! What a device is asked for: its points grouped by period, and within a period into blocks that one question
//! reads. The line's task calls it when it begins; how blocks are made is the protocol's business.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use steward_protocols::modbus::{Block, contiguous};
use steward_shared::profile::Profile;

use crate::config::DeviceConfig;

/// A device's blocks with their periods, the fastest first.
#[derive(Debug, Clone)]
pub struct Plan {
    pub profile: Arc<Profile>,
    pub blocks: Vec<(Block, Duration)>,
}

pub fn plan(device: &DeviceConfig) -> Plan {
    let mut by_period: BTreeMap<Duration, Vec<usize>> = BTreeMap::new();
    for (index, point) in device.profile.points.iter().enumerate() {
        by_period.entry(device.periods.of(point.class)).or_default().push(index);
    }
    let blocks = by_period.into_iter().flat_map(|(period, points)| {
        let blocks = contiguous(&device.profile.points, points, &device.profile.modbus);
        blocks.into_iter().map(move |block| (block, period))
    });
    Plan { profile: Arc::clone(&device.profile), blocks: blocks.collect() }
}
