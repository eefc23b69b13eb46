//! A sample frame of a Modbus profile, tried; see `sample.rs` above.

use steward_shared::profile::{Framing, PointDef, Profile, SampleFrame, Table};

use super::framing::exchange;
use super::pdu::{Request, Response};
use super::value::decode;
use crate::hex::hex;
use crate::question::PointValue;
use crate::sample::answered;

/// The values of all points in the registers that the frames are about.
pub fn read_sample(profile: &Profile, sample: &SampleFrame) -> Result<Vec<PointValue>, String> {
    let (request, transaction) = request_of(sample)?;
    let mut decoder = exchange(request, sample.framing);
    let ours = decoder.frame(transaction);
    if ours != sample.request {
        return Err(format!("the request is not whole and sound: it should be {}", hex(&ours)));
    }
    let data = answered(decoder.received(&sample.response))?;
    let response = Response::of(request.table(), request.count(), &data);
    let end = u32::from(request.address()) + u32::from(request.count());
    let value = |(i, point): (usize, &PointDef)| {
        let register = point.register()?;
        let offset = register.address.checked_sub(request.address())?;
        if register.table != request.table() || register.end() > end {
            return None;
        }
        let (value, quality) = decode(point, &response, usize::from(offset));
        Some(PointValue { point: i, value, quality })
    };
    Ok(profile.points.iter().enumerate().filter_map(value).collect())
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
