//! A sample of a profile for MQTT, tried; see `sample.rs` above. The request holds the topic as the points write it, the
//! response the payload.

use steward_shared::profile::{Language, Profile, SampleFrame};

use super::payload::hear;
use crate::question::PointValue;

/// The values of all points of the topic.
pub fn read_sample(profile: &Profile, sample: &SampleFrame) -> Result<Vec<PointValue>, String> {
    let Language::Mqtt(limits) = &profile.language else { return Err("another language".to_owned()) };
    let own = |i: &usize| {
        let told = profile.points.get(*i).and_then(|point| point.told());
        told.is_some_and(|told| told.topic.as_str().as_bytes() == sample.request)
    };
    let wanted: Vec<usize> = (0..profile.points.len()).filter(own).collect();
    if wanted.is_empty() {
        return Err("no point has this topic".to_owned());
    }
    let heard = hear(&profile.points, &wanted, limits.partial, &sample.response);
    // A sample may show a message in which some points have no value; those that it states are compared.
    Ok(heard.into_iter().map(|h| PointValue { point: h.point, value: h.value, quality: h.quality }).collect())
}
