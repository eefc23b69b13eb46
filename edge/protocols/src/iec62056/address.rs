//! The address of a meter: up to 32 characters, or none where a meter is alone at its port.

use std::fmt;
use std::str::FromStr;

const MOST: usize = 32;

#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Address {
    len: u8,
    text: [u8; MOST],
}

impl Address {
    /// Whichever meter is there.
    pub const ANYBODY: Self = Self { len: 0, text: [0; MOST] };

    pub fn as_str(&self) -> &str {
        self.text
            .get(..usize::from(self.len))
            .and_then(|text| std::str::from_utf8(text).ok())
            .unwrap_or_default()
    }

    /// Whether a meter of the address `other` answers to this one. Leading zeros do not count (6.3.2).
    pub fn means(&self, other: &Self) -> bool {
        let plain = |address: &Self| address.as_str().trim_start_matches('0').to_owned();
        self.len == 0 || plain(self) == plain(other)
    }
}

/// What is no address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("a meter's address has at most 32 letters, digits and blanks; none where it is alone")]
pub struct AddressFault;

impl FromStr for Address {
    type Err = AddressFault;

    fn from_str(text: &str) -> Result<Self, AddressFault> {
        let plain = |c: char| c.is_ascii_alphanumeric() || c == ' ';
        if !text.chars().all(plain) {
            return Err(AddressFault);
        }
        let mut address = Self::ANYBODY;
        let room = address.text.get_mut(..text.len()).ok_or(AddressFault)?;
        room.copy_from_slice(text.as_bytes());
        address.len = text.len() as u8;
        Ok(address)
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        // Nobody in particular: a line has one such meter.
        f.write_str(if self.len == 0 { "-" } else { self.as_str() })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_what_stands_on_the_meter_or_nothing() {
        let address: Address = "00012345".parse().unwrap();
        assert_eq!(address.to_string(), "00012345");
        assert!("12345".parse::<Address>().unwrap().means(&address));
        assert!("".parse::<Address>().unwrap().means(&address));
        assert!(!"1234".parse::<Address>().unwrap().means(&address));
        for wrong in ["1!2", "a/b", "-", "表", "123456789012345678901234567890123"] {
            assert_eq!(wrong.parse::<Address>(), Err(AddressFault), "{wrong}");
        }
    }
}
