//! A meter as it answers, for simulated ones: what it is asked for is filled through its profile, in the units of the
//! profile's points. It reads only; what would change a meter it refuses.

use steward_shared::profile::cjt188::{Cjt188, ItemId, meter_unit};
use steward_shared::profile::{Language, PointDef, Profile};
use steward_shared::reading::Value;

use super::address::Address;
use super::frame::{FROM_METER, FUNCTION, Frame, REFUSES, frame_at};
use super::plan::{end, item_of};
use super::request::{Dialect, Request, is_meter};
use super::unit::Unit;
use crate::field::{Misfit, encode_into};
use crate::scan::first_frame;

/// Real meters send as many before their answers.
const WAKE_UP: [u8; 4] = [0xFE; 4];

/// A meter by its profile and its address.
#[derive(Clone, Debug)]
pub struct Meter<'p> {
    profile: &'p Profile,
    limits: &'p Cjt188,
    address: Address,
}

impl<'p> Meter<'p> {
    /// None for a profile of another language.
    pub fn new(profile: &'p Profile, address: Address) -> Option<Self> {
        match &profile.language {
            Language::Cjt188(limits) => Some(Self { profile, limits, address }),
            _ => None,
        }
    }

    /// What it says to the bytes of one request; nothing to what is not for it.
    pub fn answer(&self, heard: &[u8], value: impl FnMut(&PointDef) -> Option<Value>) -> Option<Vec<u8>> {
        let request = first_frame(heard, frame_at).filter(|frame| frame.control & FROM_METER == 0)?;
        if !is_meter(request.meter, self.limits.meter) || !request.address.means(self.address) {
            return None;
        }
        let serial = request.data.get(2).copied().unwrap_or_default();
        let (control, data) = match self.reply(&request, value) {
            Some(data) => (FROM_METER, data),
            // The request's number and two bytes of state.
            None => (FROM_METER | REFUSES, vec![serial, 0, 0]),
        };
        let control = request.control & FUNCTION | control;
        let frame = Frame { meter: self.limits.meter, address: self.address, control, data };
        Some([WAKE_UP.as_slice(), &frame.bytes()].concat())
    }

    fn reply(&self, request: &Frame, value: impl FnMut(&PointDef) -> Option<Value>) -> Option<Vec<u8>> {
        let [first, second, serial, ..] = *request.data.as_slice() else { return None };
        let id = Dialect::from(self.limits).id([first, second]);
        let mut data = vec![first, second, serial];
        match request.control & FUNCTION {
            function if function == Request::ReadAddress.function() => {}
            function if function == (Request::Read { item: id, bytes: 0 }).function() => {
                // A value that its bytes cannot hold is shown as none, as an overflowing display would.
                data.extend(self.contents(id, value)?.0);
            }
            _ => return None,
        }
        Some(data)
    }

    /// The data of an item, and the first value that did not fit.
    pub fn contents(
        &self,
        id: ItemId,
        mut value: impl FnMut(&PointDef) -> Option<Value>,
    ) -> Option<(Vec<u8>, Option<Misfit>)> {
        let own =
            || self.profile.points.iter().filter_map(|p| Some((p, item_of(p)?))).filter(|(_, i)| i.id == id);
        let mut data = vec![0; own().map(|(_, item)| end(item)).max()?];
        let mut fault = None;
        for (point, item) in own() {
            if let Err(e) = encode_into(point, item.field, value(point).as_ref(), &mut data) {
                fault.get_or_insert(Misfit { point: point.key.clone(), fault: e });
                // Room it has: then nothing but FF fits always.
                let _ = encode_into(point, item.field, None, &mut data);
            }
            let code = meter_unit(&point.unit).and_then(|(quantity, size)| Unit::code(quantity, size));
            if let (Some(at), Some(code)) = (item.unit_at, code)
                && let Some(byte) = data.get_mut(usize::from(at))
            {
                *byte = code;
            }
        }
        Some((data, fault))
    }
}
