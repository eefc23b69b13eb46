//! A profile's sample frames, tried: the request must be one that we would send, and the answer must give the
//! values that the profile states. `check` and the tests call this.

use std::fmt;

use steward_shared::document::{Fault, Spot};
use steward_shared::profile::{Framing, Profile, SampleFrame, SampleValue, Table};
use steward_shared::reading::{Quality, Value};

use super::framing::exchange;
use super::pdu::{Request, Response};
use super::value::decode;
use crate::exchange::Progress;

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
        match read(sample) {
            Ok((request, response)) => {
                let wrong =
                    sample.values.iter().filter_map(|(k, v)| compare(profile, request, &response, k, v));
                faults.extend(wrong.map(fault));
            }
            Err(message) => faults.push(fault(message)),
        }
    }
    faults
}

fn read(sample: &SampleFrame) -> Result<(Request, Response), String> {
    let (request, transaction) = request_of(sample)?;
    let mut decoder = exchange(request, sample.framing);
    let ours = decoder.frame(transaction);
    if ours != sample.request {
        return Err(format!("the request is not whole and sound: it should be {}", hex(&ours)));
    }
    match decoder.received(&sample.response) {
        Progress::Reply(Ok(data)) => Ok((request, Response::of(request.table(), request.count(), &data))),
        Progress::Reply(Err(refusal)) => Err(format!("the response is {refusal}")),
        Progress::More | Progress::Next => {
            Err("the response is not whole, or its check sum is wrong".to_owned())
        }
        Progress::Bad(fault) => Err(format!("the response is not one: {fault}")),
    }
}

fn request_of(sample: &SampleFrame) -> Result<(Request, u16), String> {
    let characters = super::ascii::bytes_of(&sample.request).unwrap_or_default();
    let (transaction, body) = match (sample.framing, sample.request.as_slice()) {
        (Framing::Rtu, body) => (0, body),
        (Framing::Ascii, _) => (0, characters.as_slice()),
        (Framing::Tcp, [t0, t1, _, _, _, _, body @ ..]) => (u16::from_be_bytes([*t0, *t1]), body),
        (Framing::Tcp, _) => return Err("the request is too short".to_owned()),
    };
    let [unit, function, a0, a1, c0, c1, ..] = *body else {
        return Err("the request is too short".to_owned());
    };
    let table = [Table::Coil, Table::Discrete, Table::Holding, Table::Input]
        .into_iter()
        .find(|t| t.function() == function)
        .ok_or_else(|| format!("function {function} does not read; use 1 to 4"))?;
    let (address, count) = (u16::from_be_bytes([a0, a1]), u16::from_be_bytes([c0, c1]));
    Request::new(unit, table, address, count).map(|r| (r, transaction)).map_err(|e| e.to_string())
}

fn compare(
    profile: &Profile,
    request: Request,
    response: &Response,
    key: &str,
    wanted: &SampleValue,
) -> Option<String> {
    let point = profile.point(key)?;
    let end = u32::from(request.address()) + u32::from(request.count());
    let register = point.register()?;
    if register.table != request.table() || register.address < request.address() || register.end() > end {
        return Some(format!("{key} is not among what the request asks for"));
    }
    let got = decode(point, response, usize::from(register.address - request.address()));
    let holds = match (&got, wanted) {
        ((Some(Value::Number(got)), Quality::Good), SampleValue::Number(wanted)) => {
            (got - wanted).abs() <= wanted.abs() * 1e-6
        }
        ((Some(Value::Text(got)), Quality::Good), SampleValue::Text(wanted)) => got == wanted,
        ((None, Quality::NoValue), SampleValue::Nothing) => true,
        _ => false,
    };
    (!holds).then(|| format!("{key} reads as {got:?} where {wanted:?} is stated"))
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|b| format!("{b:02X}")).collect::<Vec<_>>().join(" ")
}
