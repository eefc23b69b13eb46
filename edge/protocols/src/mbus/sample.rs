//! A sample frame of a meter's profile, tried; see `sample.rs` above. The request is the one for the first telegram, and
//! the response may be several telegrams, one behind the other.

use steward_shared::profile::{Language, Profile};

use super::address::{Address, Mask};
use super::exchange::identity;
use super::frame::{ACK, FCB, REQ_UD2, SELECTED, frame_at, short_frame};
use super::plan::{Ask, plan};
use super::record::HEADER;
use crate::exchange::{Exchange, Progress};
use crate::question::PointValue;
use crate::sample::{answered, same_request};
use crate::scan::At;

/// The values of all points.
pub fn read_sample(profile: &Profile, request: &[u8], response: &[u8]) -> Result<Vec<PointValue>, String> {
    let (ask, contents) = sample_answer(profile, request, response)?;
    Ok(ask.values(&profile.points, &contents))
}

/// What the request asks, and the contents of the answer.
pub fn sample_answer(profile: &Profile, request: &[u8], response: &[u8]) -> Result<(Ask, Vec<u8>), String> {
    let Language::Mbus(limits) = &profile.language else { return Err("another language".to_owned()) };
    let (control, number) = short_frame(request)
        .ok_or_else(|| "the request is not whole, or its check sum is wrong".to_owned())?;
    if control != REQ_UD2 | FCB {
        return Err("the request is not the one for the first telegram, 10 7B".to_owned());
    }
    let mut telegrams = Vec::new();
    let mut rest = response;
    while let At::Frame(frame, len) = frame_at(rest) {
        let (telegram, after) = rest.split_at_checked(len).unwrap_or((rest, &[]));
        telegrams.push((frame, telegram));
        rest = after;
    }
    let Some((first, _)) = telegrams.first().filter(|_| rest.is_empty()) else {
        return Err("the response is not whole, or its check sum is wrong".to_owned());
    };
    let header = first.data.first_chunk::<HEADER>();
    let address = match (number, header) {
        (SELECTED, Some(header)) => Address::Secondary(Mask::exactly(identity(header))),
        _ => Address::Primary(number),
    };
    let asks = plan(&profile.points, 0..profile.points.len(), limits);
    let ask = asks.into_iter().next().ok_or_else(|| "no point stands in a record".to_owned())?;
    let mut exchange = ask.exchange(address);
    exchange.frame(0);
    exchange.received(&[ACK]);
    same_request(&exchange.frame(0), request)?;
    let mut progress = Progress::More;
    for (_, telegram) in &telegrams {
        progress = exchange.received(telegram);
        if progress == Progress::Next {
            exchange.frame(0);
        }
    }
    // A capture may lack the telegrams that the meter would send behind it.
    let contents = if progress == Progress::Next { exchange.contents() } else { answered(progress)? };
    Ok((ask, contents))
}
