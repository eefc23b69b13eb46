//! A sample frame of a meter's profile, tried; see `sample.rs` above. The request is the sign-on, the response what the
//! meter says that it is and the block of data that it sends in the end.

use steward_shared::profile::{Language, Profile};

use super::address::Address;
use super::frame::Identification;
use super::plan::{Ask, plan};
use crate::exchange::{Exchange, Progress};
use crate::question::PointValue;
use crate::sample::{answered, same_request};

/// The values of all points.
pub fn read_sample(profile: &Profile, request: &[u8], response: &[u8]) -> Result<Vec<PointValue>, String> {
    let (ask, contents) = sample_answer(profile, request, response)?;
    Ok(ask.values(&profile.points, &contents))
}

/// What the request asks, and the contents of the answer.
pub fn sample_answer(profile: &Profile, request: &[u8], response: &[u8]) -> Result<(Ask, Vec<u8>), String> {
    let Language::Iec62056(limits) = &profile.language else { return Err("another language".to_owned()) };
    let text = String::from_utf8_lossy(request);
    let address =
        text.trim_start_matches('\0').strip_prefix("/?").and_then(|text| text.strip_suffix("!\r\n"));
    let address: Address = address
        .ok_or_else(|| "the request is no sign-on, which is /? and ! with an address between".to_owned())?
        .parse()
        .map_err(|fault: super::AddressFault| fault.to_string())?;
    let asks = plan(&profile.points, 0..profile.points.len(), limits);
    let ask = asks.into_iter().next().ok_or_else(|| "no point stands in a data set".to_owned())?;
    let mut exchange = ask.exchange(address);
    // How many characters wake the meter is no matter.
    let awake = |bytes: &[u8]| bytes.iter().copied().skip_while(|byte| *byte == 0).collect::<Vec<u8>>();
    same_request(&awake(&exchange.frame(0)), &awake(request))?;
    let (_, end) = Identification::find(response)
        .ok_or_else(|| "the response does not begin with what the meter is".to_owned())?;
    let (identification, data) = response.split_at_checked(end).unwrap_or((response, &[]));
    if exchange.received(identification) == Progress::Next {
        exchange.frame(0);
    }
    let contents = answered(exchange.received(data))?;
    Ok((ask, contents))
}
