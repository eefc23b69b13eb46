//! A profile's sample frames, tried: the request must be one that we would send, and the answer must give the
//! values that the profile states. `check` and the tests call this.

use std::fmt;

use steward_shared::document::{Fault, Spot};
use steward_shared::profile::{Language, Profile, SampleFrame, SampleValue};
use steward_shared::reading::{Quality, Value};

use crate::exchange::Progress;
use crate::hex::hex;
use crate::question::{PointValue, Question};
use crate::scan::WAKE_UP;
use crate::{bacnet, cjt188, dlt645, iec62056, mbus, modbus, mqtt};

/// A sample frame that does not hold.
#[derive(Clone, Debug)]
pub struct SampleFault {
    pub profile: String,
    /// Where the frame begins.
    pub spot: Spot,
    pub message: String,
}

impl From<SampleFault> for Fault {
    fn from(fault: SampleFault) -> Self {
        fault.spot.fault(fault.message, "correct the frame, or the point that it contradicts")
    }
}

impl fmt::Display for SampleFault {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", Fault::from(self.clone()))
    }
}

/// Everything that is wrong with the profile's sample frames.
pub fn verify_samples(profile: &Profile) -> Vec<SampleFault> {
    let mut faults = Vec::new();
    for sample in &profile.frames {
        let fault = |message| SampleFault { profile: profile.id.clone(), spot: sample.spot.clone(), message };
        match read_sample(profile, sample) {
            Ok(values) => faults.extend(wrong(profile, sample, &values).into_iter().map(fault)),
            Err(message) => faults.push(fault(message)),
        }
    }
    faults
}

/// The values that a sample frame holds, or what is wrong with it.
pub fn read_sample(profile: &Profile, sample: &SampleFrame) -> Result<Vec<PointValue>, String> {
    match &profile.language {
        Language::Modbus(_) => modbus::read_sample(profile, sample),
        Language::Bacnet(_) => bacnet::read_sample(profile, sample),
        Language::Mqtt(_) => mqtt::read_sample(profile, sample),
        _ => read_meter(profile, &sample.request, &sample.response),
    }
}

/// The same for a meter's profile and bytes from elsewhere: a request, and all that came to it.
pub fn read_meter(profile: &Profile, request: &[u8], response: &[u8]) -> Result<Vec<PointValue>, String> {
    match &profile.language {
        Language::Dlt645(_) => dlt645::read_sample(profile, request, response),
        Language::Cjt188(_) => cjt188::read_sample(profile, request, response),
        Language::Mbus(_) => mbus::read_sample(profile, request, response),
        Language::Iec62056(_) => iec62056::read_sample(profile, request, response),
        other => Err(format!("{} is no language of meters", other.name())),
    }
}

/// The question of a sample frame and the contents of its answer, where a language keeps the two apart.
pub fn sample_answer(profile: &Profile, sample: &SampleFrame) -> Result<Option<(Question, Vec<u8>)>, String> {
    let SampleFrame { request, response, .. } = sample;
    Ok(Some(match &profile.language {
        Language::Dlt645(_) => {
            dlt645::sample_answer(profile, request, response).map(|(ask, c)| (Question::Dlt645(ask), c))?
        }
        Language::Cjt188(_) => {
            cjt188::sample_answer(profile, request, response).map(|(ask, c)| (Question::Cjt188(ask), c))?
        }
        Language::Mbus(_) => {
            mbus::sample_answer(profile, request, response).map(|(ask, c)| (Question::Mbus(ask), c))?
        }
        Language::Iec62056(_) => iec62056::sample_answer(profile, request, response)
            .map(|(ask, c)| (Question::Iec62056(ask), c))?,
        Language::Modbus(_) | Language::Bacnet(_) | Language::Mqtt(_) => return Ok(None),
    }))
}

fn wrong(profile: &Profile, sample: &SampleFrame, read: &[PointValue]) -> Vec<String> {
    let compare = |(key, wanted): &(String, SampleValue)| {
        let index = profile.points.iter().position(|p| p.key == *key)?;
        let Some(got) = read.iter().find(|value| value.point == index) else {
            return Some(format!("{key} is not among what the request asks for"));
        };
        let holds = match (&got.value, got.quality, wanted) {
            (Some(Value::Number(got)), Quality::Good, SampleValue::Number(wanted)) => {
                (got - wanted).abs() <= wanted.abs() * 1e-6
            }
            (Some(Value::Text(got)), Quality::Good, SampleValue::Text(wanted)) => got == wanted,
            (None, Quality::NoValue, SampleValue::Nothing) => true,
            _ => false,
        };
        let got = (&got.value, got.quality);
        (!holds).then(|| format!("{key} reads as {got:?} where {wanted:?} is stated"))
    };
    sample.values.iter().filter_map(compare).collect()
}

/// The contents of an answer that came whole.
pub(crate) fn answered(progress: Progress) -> Result<Vec<u8>, String> {
    match progress {
        Progress::Reply(Ok(contents)) => Ok(contents),
        Progress::Reply(Err(refusal)) => Err(format!("the response is {refusal}")),
        Progress::More | Progress::Next => {
            Err("the response is not whole, or its check sum is wrong".to_owned())
        }
        Progress::Bad(fault) => Err(format!("the response is not one: {fault}")),
    }
}

/// Whether a sample's request is the one that we send. How many bytes wake the meter before it is no matter.
pub(crate) fn same_request(ours: &[u8], given: &[u8]) -> Result<(), String> {
    let awake = |bytes: &[u8]| bytes.iter().skip_while(|byte| **byte == WAKE_UP).copied().collect::<Vec<_>>();
    if awake(ours) == awake(given) {
        return Ok(());
    }
    Err(format!("the request is not whole and sound: it should be {}", hex(ours)))
}
