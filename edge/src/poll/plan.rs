//! What a device is asked for: its points grouped by period, and within a period into questions.
//! The line's task calls it when it begins; how points are put together is their language's business.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use steward_protocols::question::{Question, questions};
use steward_shared::profile::Profile;

use crate::config::DeviceConfig;

/// A device's questions with their periods, the fastest first.
#[derive(Debug, Clone)]
pub struct Plan {
    pub profile: Arc<Profile>,
    pub questions: Vec<(Question, Duration)>,
}

pub fn plan(device: &DeviceConfig) -> Plan {
    let mut by_period: BTreeMap<Duration, Vec<usize>> = BTreeMap::new();
    for (index, point) in device.profile.points.iter().enumerate() {
        by_period.entry(device.periods.of(point.class)).or_default().push(index);
    }
    let questions = by_period.into_iter().flat_map(|(period, points)| {
        questions(&device.profile, points).into_iter().map(move |question| (question, period))
    });
    Plan { profile: Arc::clone(&device.profile), questions: questions.collect() }
}
