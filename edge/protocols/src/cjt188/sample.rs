//! A sample frame of a meter's profile, tried; see `sample.rs` above.

use steward_shared::profile::{Language, Profile};

use super::frame::frame_at;
use super::plan::{Ask, plan};
use super::request::Dialect;
use crate::exchange::Exchange;
use crate::question::PointValue;
use crate::sample::{answered, same_request};
use crate::scan::first_frame;

/// The values of all points in the item that the frames are about.
pub fn read_sample(profile: &Profile, request: &[u8], response: &[u8]) -> Result<Vec<PointValue>, String> {
    let (ask, contents) = sample_answer(profile, request, response)?;
    Ok(ask.values(&profile.points, &contents))
}

/// What the request asks, and the contents of the answer.
pub fn sample_answer(profile: &Profile, request: &[u8], response: &[u8]) -> Result<(Ask, Vec<u8>), String> {
    let Language::Cjt188(limits) = &profile.language else { return Err("another language".to_owned()) };
    let frame = first_frame(request, frame_at)
        .ok_or_else(|| "the request is not whole, or its check sum is wrong".to_owned())?;
    let [first, second, serial] = *frame.data.as_slice() else {
        return Err("the request is none for data: they have three bytes".to_owned());
    };
    let id = Dialect::from(limits).id([first, second]);
    let asks = plan(&profile.points, 0..profile.points.len(), limits);
    let ask = asks.into_iter().find(|ask| ask.item == id);
    let ask = ask.ok_or_else(|| format!("no point stands in the item {id}; is item_order right?"))?;
    let mut exchange = ask.exchange(frame.address);
    same_request(&exchange.frame(u16::from(serial)), request)?;
    let contents = answered(exchange.received(response))?;
    Ok((ask, contents))
}
