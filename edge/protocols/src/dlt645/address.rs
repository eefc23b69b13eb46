//! The address of a meter: twelve decimal digits, the lowest pair first on the wire. `AA` stands for any pair.

use std::fmt;
use std::str::FromStr;

/// A meter's address as it stands on the wire.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address([u8; 6]);

/// Stands for any two digits.
const ANY: u8 = 0xAA;

impl Address {
    /// Whichever meter is there: only where it is alone on its line.
    pub const ANYBODY: Self = Self([ANY; 6]);
    /// All meters; none answers.
    pub const ALL: Self = Self([0x99; 6]);

    pub const fn new(wire: [u8; 6]) -> Self {
        Self(wire)
    }

    pub const fn wire(self) -> [u8; 6] {
        self.0
    }

    /// Whether a meter of the address `other` answers to this one.
    pub fn means(self, other: Self) -> bool {
        self.0.iter().zip(other.0).all(|(own, other)| *own == ANY || *own == other)
    }

    /// Whether there can be a meter that answers to both.
    pub fn overlaps(self, other: Self) -> bool {
        self.0.iter().zip(other.0).all(|(a, b)| *a == b || *a == ANY || b == ANY)
    }

    /// Whether it leaves open which meter is meant.
    pub fn is_open(self) -> bool {
        self.0.contains(&ANY)
    }
}

/// What is no address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a meter's address has twelve digits, of which the first ones may be AA for any")]
pub struct AddressFault;

/// `000000000161`, as it is printed on the meter; `AAAAAAAA0161` for a shortened one.
impl FromStr for Address {
    type Err = AddressFault;

    fn from_str(text: &str) -> Result<Self, AddressFault> {
        let mut wire = [0; 6];
        if text.len() != 12 || !text.is_ascii() {
            return Err(AddressFault);
        }
        let mut any_above = true;
        for (i, byte) in wire.iter_mut().rev().enumerate() {
            let pair = text.get(2 * i..2 * i + 2).ok_or(AddressFault)?;
            *byte = u8::from_str_radix(pair, 16).map_err(|_| AddressFault)?;
            let digits = pair.chars().all(|c| c.is_ascii_digit());
            let open = any_above && *byte == ANY;
            if !(digits || open) {
                return Err(AddressFault);
            }
            any_above &= *byte == ANY;
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
    fn an_address_is_written_as_on_the_meter_and_stands_turned_on_the_wire() {
        let address: Address = "000000000161".parse().unwrap();
        assert_eq!(address.wire(), [0x61, 0x01, 0, 0, 0, 0]);
        assert_eq!(address.to_string(), "000000000161");
        let short: Address = "AAAAAAAA0161".parse().unwrap();
        assert!(short.means(address) && short.is_open() && !address.means(short));
        assert!(Address::ANYBODY.means(address));
        for wrong in ["", "161", "0000000001611", "00000000016A", "0161AAAAAAAA", "电表电表"] {
            assert_eq!(wrong.parse::<Address>(), Err(AddressFault), "{wrong}");
        }
    }
}
