//! A meter as it answers, for simulated ones: what it is asked for is filled through its profile. It reads only; what
//! would change a meter it refuses.

use steward_shared::profile::dlt645::{Dlt645, ItemId, Version};
use steward_shared::profile::{Language, PointDef, Profile};
use steward_shared::reading::Value;

use super::address::Address;
use super::frame::{FROM_METER, FUNCTION, Frame, REFUSES, frame_at};
use super::plan::item_of;
use super::refusal::{NO_SUCH_DATA, NOT_ALLOWED};
use super::request::{Request, item_bytes};
use crate::field::{Misfit, encode_into};
use crate::scan::first_frame;

/// Real meters send as many before their answers.
const WAKE_UP: [u8; 4] = [0xFE; 4];

/// A meter by its profile and its address.
#[derive(Clone, Debug)]
pub struct Meter<'p> {
    profile: &'p Profile,
    limits: &'p Dlt645,
    address: Address,
}

impl<'p> Meter<'p> {
    /// None for a profile of another language.
    pub fn new(profile: &'p Profile, address: Address) -> Option<Self> {
        match &profile.language {
            Language::Dlt645(limits) => Some(Self { profile, limits, address }),
            _ => None,
        }
    }

    /// What it says to the bytes of one request; nothing to what is not for it, and to what all are told.
    pub fn answer(&self, heard: &[u8], value: impl FnMut(&PointDef) -> Option<Value>) -> Option<Vec<u8>> {
        let request = first_frame(heard, frame_at).filter(|frame| frame.control & FROM_METER == 0)?;
        if !request.address.means(self.address) {
            return None;
        }
        let (control, data) = match self.reply(&request, value) {
            Ok(data) => (FROM_METER, data),
            Err(error) => (FROM_METER | REFUSES, vec![error]),
        };
        let frame = Frame { address: self.address, control: request.control & FUNCTION | control, data };
        Some([WAKE_UP.as_slice(), &frame.bytes()].concat())
    }

    fn reply(&self, request: &Frame, value: impl FnMut(&PointDef) -> Option<Value>) -> Result<Vec<u8>, u8> {
        let version = self.limits.version;
        let reads = Request::Read { item: ItemId(0), bytes: None }.function(version);
        let own = Request::ReadAddress.function(version);
        match request.control & FUNCTION {
            function if function == reads => {
                let number = request.data.get(..version.item_bytes()).ok_or(NO_SUCH_DATA)?;
                let id = ItemId(number.iter().rev().fold(0, |id, byte| id << 8 | u32::from(*byte)));
                let mut data = item_bytes(id, version);
                // A value that its bytes cannot hold is shown as none, as an overflowing display would.
                data.extend(self.contents(id, value).ok_or(NO_SUCH_DATA)?.0);
                Ok(data)
            }
            function if function == own && version == Version::V2007 => Ok(self.address.wire().to_vec()),
            _ => Err(NOT_ALLOWED),
        }
    }

    /// The data of an item or block, and the first value that did not fit.
    pub fn contents(
        &self,
        id: ItemId,
        mut value: impl FnMut(&PointDef) -> Option<Value>,
    ) -> Option<(Vec<u8>, Option<Misfit>)> {
        let mut fault = None;
        if let Some(block) = self.limits.blocks.iter().find(|block| block.item == id) {
            let each = usize::from(block.bytes);
            let mut data = Vec::with_capacity(each * block.holds.len());
            for held in &block.holds {
                // An item that no point stands in is there, and shows nothing.
                let item = self.item(*held, &mut value, &mut fault).unwrap_or_else(|| vec![0xFF; each]);
                data.extend(item);
            }
            return Some((data, fault));
        }
        self.item(id, &mut value, &mut fault).map(|data| (data, fault))
    }

    fn item(
        &self,
        id: ItemId,
        value: &mut impl FnMut(&PointDef) -> Option<Value>,
        fault: &mut Option<Misfit>,
    ) -> Option<Vec<u8>> {
        let own =
            || self.profile.points.iter().filter_map(|p| Some((p, item_of(p)?))).filter(|(_, i)| i.id == id);
        let of_block =
            self.limits.blocks.iter().find(|b| b.holds.contains(&id)).map(|b| usize::from(b.bytes));
        let most = own().map(|(_, item)| item.field.end()).max()?;
        let mut data = vec![0; of_block.unwrap_or(most)];
        for (point, item) in own() {
            if let Err(e) = encode_into(point, item.field, value(point).as_ref(), &mut data) {
                fault.get_or_insert(Misfit { point: point.key.clone(), fault: e });
                // Room it has: then nothing but FF fits always.
                let _ = encode_into(point, item.field, None, &mut data);
            }
        }
        Some(data)
    }
}
