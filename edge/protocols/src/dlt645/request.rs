//! What a meter can be asked for or told, and how each of the two standards says it.

use steward_shared::profile::dlt645::{Dlt645, ItemId, Version};

use super::address::Address;
use super::frame::Frame;

/// How frames to a meter are made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Dialect {
    pub version: Version,
    /// Bytes FE before each frame.
    pub wake_up: u8,
}

impl From<&Dlt645> for Dialect {
    fn from(limits: &Dlt645) -> Self {
        Self { version: limits.version, wake_up: limits.wake_up }
    }
}

/// A moment as meters write it: no zone, the year by its last two digits.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Instant {
    pub year: u8,
    pub month: u8,
    pub day: u8,
    pub hour: u8,
    pub minute: u8,
    pub second: u8,
}

/// One request. Whoever writes bears the password; reading needs none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Request {
    /// Data items of so many bytes, where that is known; a meter may give them in several frames.
    Read { item: ItemId, bytes: Option<usize> },
    /// The meter's own address: only where it is alone on its line.
    ReadAddress,
    /// `password`: its level and three bytes. `operator` is who writes (2007 alone).
    Write { item: ItemId, password: [u8; 4], operator: [u8; 4], data: Vec<u8> },
    /// Sets the clocks of all meters of 2007, once a day at most and by less than five minutes, as the standard wants;
    /// none answers.
    Time(Instant),
    /// Lets the meter keep its counters as they are at a minute, hour, day or month that comes; `None` at once.
    Freeze { month: Option<u8>, day: Option<u8>, hour: Option<u8>, minute: Option<u8> },
}

/// A request that the standard does not know or allow.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum RequestFault {
    #[error("DL/T 645-1997 has no such request")]
    NotIn1997,
    #[error("{bytes} bytes cannot be written at once; 50 with the item, the password and the operator")]
    Length { bytes: usize },
    #[error("there is no such day or time")]
    Instant,
}

impl Request {
    pub(super) const fn function(&self, version: Version) -> u8 {
        match (self, version) {
            (Self::Read { .. }, Version::V2007) => 0x11,
            (Self::Read { .. }, Version::V1997) => 0x01,
            (Self::ReadAddress, _) => 0x13,
            (Self::Write { .. }, Version::V2007) => 0x14,
            (Self::Write { .. }, Version::V1997) => 0x04,
            (Self::Time(_), _) => 0x08,
            (Self::Freeze { .. }, _) => 0x16,
        }
    }

    /// The function that asks for what follows an answer.
    pub(super) const fn following(version: Version) -> u8 {
        match version {
            Version::V2007 => 0x12,
            Version::V1997 => 0x02,
        }
    }

    pub(super) const fn item(&self) -> Option<ItemId> {
        match self {
            Self::Read { item, .. } | Self::Write { item, .. } => Some(*item),
            Self::ReadAddress | Self::Time(_) | Self::Freeze { .. } => None,
        }
    }

    /// The first frame of the request.
    pub fn frame(&self, version: Version, address: Address) -> Result<Frame, RequestFault> {
        let data = match self {
            Self::Read { item, .. } => item_bytes(*item, version),
            Self::ReadAddress | Self::Freeze { .. } if version == Version::V1997 => {
                return Err(RequestFault::NotIn1997);
            }
            Self::ReadAddress => Vec::new(),
            Self::Write { item, password, operator, data } => {
                let mut all = item_bytes(*item, version);
                all.extend(password);
                if version == Version::V2007 {
                    all.extend(operator);
                }
                all.extend(data);
                if all.len() > 50 {
                    return Err(RequestFault::Length { bytes: all.len() });
                }
                all
            }
            Self::Time(instant) => instant.bytes()?.to_vec(),
            Self::Freeze { month, day, hour, minute } => [(minute, 59), (hour, 23), (day, 31), (month, 12)]
                .into_iter()
                .map(|(part, most)| part.map_or(Ok(0x99), |part| bcd(part, most)))
                .collect::<Result<_, _>>()?,
        };
        let address = match self {
            Self::ReadAddress => Address::ANYBODY,
            Self::Time(_) => Address::ALL,
            _ => address,
        };
        Ok(Frame { address, control: self.function(version), data })
    }

    /// Whether the meters that hear it say anything.
    pub(super) fn is_answered(&self, address: Address) -> bool {
        match self {
            Self::Time(_) => false,
            _ => address != Address::ALL,
        }
    }
}

impl Instant {
    /// Second to year, as they stand on the wire.
    pub(super) fn bytes(self) -> Result<[u8; 6], RequestFault> {
        if self.month == 0 || self.day == 0 {
            return Err(RequestFault::Instant);
        }
        let Self { year, month, day, hour, minute, second } = self;
        let parts = [(second, 59), (minute, 59), (hour, 23), (day, 31), (month, 12), (year, 99)];
        let mut bytes = [0; 6];
        for (byte, (part, most)) in bytes.iter_mut().zip(parts) {
            *byte = bcd(part, most)?;
        }
        Ok(bytes)
    }
}

fn bcd(part: u8, most: u8) -> Result<u8, RequestFault> {
    if part > most { Err(RequestFault::Instant) } else { Ok(((part / 10) << 4) | (part % 10)) }
}

/// The item's number, the lowest byte first.
pub(super) fn item_bytes(item: ItemId, version: Version) -> Vec<u8> {
    item.0.to_le_bytes().into_iter().take(version.item_bytes()).collect()
}
