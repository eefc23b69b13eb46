//! What a meter can be asked for.

use steward_shared::profile::cjt188::{Cjt188, ItemId};

use super::address::Address;
use super::frame::Frame;

/// How frames to a meter are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dialect {
    /// The meter's type as it stands in the frames.
    pub meter: u8,
    /// The low byte of an item's number comes first.
    pub low_byte_first: bool,
    /// Bytes FE before each frame.
    pub wake_up: u8,
}

impl From<&Cjt188> for Dialect {
    fn from(limits: &Cjt188) -> Self {
        let Cjt188 { meter, low_byte_first, wake_up } = *limits;
        Self { meter, low_byte_first, wake_up }
    }
}

impl Dialect {
    /// The item's number as it stands on the wire.
    pub fn item(self, id: ItemId) -> [u8; 2] {
        if self.low_byte_first { id.0.to_le_bytes() } else { id.0.to_be_bytes() }
    }

    pub(super) fn id(self, bytes: [u8; 2]) -> ItemId {
        ItemId(if self.low_byte_first { u16::from_le_bytes(bytes) } else { u16::from_be_bytes(bytes) })
    }
}

/// One request.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Request {
    /// A data item, of so many bytes as are needed at least.
    Read { item: ItemId, bytes: usize },
    /// The meter's own address: only where it is alone on its line.
    ReadAddress,
}

/// The item that is a meter's address.
const ADDRESS: ItemId = ItemId(0x810A);
/// Any type of meter.
const ANY_METER: u8 = 0xAA;

impl Request {
    pub(super) const fn function(self) -> u8 {
        match self {
            Self::Read { .. } => 0x01,
            Self::ReadAddress => 0x03,
        }
    }

    pub(super) const fn item(self) -> ItemId {
        match self {
            Self::Read { item, .. } => item,
            Self::ReadAddress => ADDRESS,
        }
    }

    /// The request's frame. The answer bears the same `serial` number.
    pub fn frame(self, address: Address, dialect: Dialect, serial: u8) -> Frame {
        let [first, second] = dialect.item(self.item());
        let (meter, address) = match self {
            Self::Read { .. } => (dialect.meter, address),
            Self::ReadAddress => (ANY_METER, Address::ANYBODY),
        };
        Frame { meter, address, control: self.function(), data: vec![first, second, serial] }
    }
}

pub(super) fn is_meter(wanted: u8, got: u8) -> bool {
    wanted == ANY_METER || wanted == got
}
