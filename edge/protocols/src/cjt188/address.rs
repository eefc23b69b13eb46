//! The address of a meter: fourteen digits, four for the maker and ten for the meter, the lowest pair first on the
//! wire. `AA` in all of them stands for whichever meter is there.

use std::fmt;
use std::str::FromStr;

/// A meter's address as it stands on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address([u8; 7]);

impl Address {
    /// Whichever meter is there: only where it is alone on its line.
    pub const ANYBODY: Self = Self([0xAA; 7]);

    pub const fn new(wire: [u8; 7]) -> Self {
        Self(wire)
    }

    pub const fn wire(self) -> [u8; 7] {
        self.0
    }

    /// Whether a meter of the address `other` answers to this one.
    pub fn means(self, other: Self) -> bool {
        self.is_open() || self == other
    }

    /// Whether it leaves open which meter is meant.
    pub fn is_open(self) -> bool {
        self == Self::ANYBODY
    }
}

/// What is no address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a meter's address has fourteen digits: four of its maker, ten of its own")]
pub struct AddressFault;

/// `78330011223344`. Makers write their own part in hexadecimal too.
impl FromStr for Address {
    type Err = AddressFault;

    fn from_str(text: &str) -> Result<Self, AddressFault> {
        if text.len() != 14 || !text.chars().all(|c| c.is_ascii_hexdigit()) {
            return Err(AddressFault);
        }
        let mut wire = [0; 7];
        for (i, byte) in wire.iter_mut().rev().enumerate() {
            let pair = text.get(2 * i..2 * i + 2).ok_or(AddressFault)?;
            *byte = u8::from_str_radix(pair, 16).map_err(|_| AddressFault)?;
        }
        Ok(Self(wire))
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().rev().try_for_each(|byte| write!(f, "{byte:02X}"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_begins_with_its_maker_and_stands_turned_on_the_wire() {
        let address: Address = "78330011223344".parse().unwrap();
        assert_eq!(address.wire(), [0x44, 0x33, 0x22, 0x11, 0x00, 0x33, 0x78]);
        assert_eq!(address.to_string(), "78330011223344");
        assert!("AAAAAAAAAAAAAA".parse::<Address>().unwrap().means(address));
        for wrong in ["", "1122334455", "783300112233445", "7833001122334g", "水表水表水"] {
            assert_eq!(wrong.parse::<Address>(), Err(AddressFault), "{wrong}");
        }
    }
}
