//! A sample frame of a meter's profile, tried; see `sample.rs` above.

use steward_shared::profile::dlt645::ItemId;
use steward_shared::profile::{Language, Profile};

use super::frame::frame_at;
use super::plan::{Ask, plan, single};
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
    let Language::Dlt645(limits) = &profile.language else { return Err("another language".to_owned()) };
    let (dialect, wanted) = (Dialect::from(limits), limits.version.item_bytes());
    let frame = first_frame(request, frame_at)
        .ok_or_else(|| "the request is not whole, or its check sum is wrong".to_owned())?;
    if frame.data.len() != wanted {
        return Err(format!("the request has {} bytes where an item has {wanted}", frame.data.len()));
    }
    let id = ItemId(frame.data.iter().rev().fold(0, |id, byte| id << 8 | u32::from(*byte)));
    let all = 0..profile.points.len();
    let ask = plan(&profile.points, all.clone(), limits)
        .into_iter()
        .find(|ask| ask.item == id)
        .unwrap_or_else(|| {
            // An item of a block, by itself.
            let is_there =
                |i: &usize| super::plan::item_of(&profile.points[*i]).is_some_and(|item| item.id == id);
            single(&profile.points, id, dialect, all.filter(is_there).collect())
        });
    let mut exchange = ask.exchange(frame.address).map_err(|e| e.to_string())?;
    same_request(&exchange.frame(0), request)?;
    let contents = answered(exchange.received(response))?;
    Ok((ask, contents))
}
