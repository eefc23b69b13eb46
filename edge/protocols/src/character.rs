//! How a character stands on a serial line: rate, data bits, parity, stop bits. Times on the wire follow from it.

use std::fmt;
use std::time::Duration;

#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Parity {
    None,
    Even,
    Odd,
}

/// The settings of a port.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Character {
    pub baud: u32,
    /// 7 or 8.
    pub data_bits: u8,
    pub parity: Parity,
    /// 1 or 2.
    pub stop_bits: u8,
}

impl Character {
    pub const fn new(baud: u32, data_bits: u8, parity: Parity, stop_bits: u8) -> Self {
        Self { baud, data_bits, parity, stop_bits }
    }

    /// Start, data, parity and stop bits: 10 for 8N1, 11 for 8E1.
    pub const fn bits(&self) -> u32 {
        let parity = !matches!(self.parity, Parity::None) as u32;
        1 + self.data_bits as u32 + parity + self.stop_bits as u32
    }

    /// Time of one character on the wire.
    pub fn time(&self) -> Duration {
        Duration::from_nanos(u64::from(self.bits()) * 1_000_000_000 / u64::from(self.baud.max(1)))
    }

    /// Time of so many characters on the wire.
    pub fn wire_time(&self, characters: usize) -> Duration {
        self.time() * u32::try_from(characters).unwrap_or(u32::MAX)
    }
}

/// `9600 8N1`.
impl fmt::Display for Character {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parity = match self.parity {
            Parity::None => 'N',
            Parity::Even => 'E',
            Parity::Odd => 'O',
        };
        write!(f, "{} {}{parity}{}", self.baud, self.data_bits, self.stop_bits)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_character_takes_the_time_of_all_its_bits() {
        let modbus = Character::new(9600, 8, Parity::None, 1);
        assert_eq!((modbus.bits(), modbus.time()), (10, Duration::from_nanos(1_041_666)));
        let meter = Character::new(2400, 8, Parity::Even, 1);
        assert_eq!((meter.bits(), meter.time()), (11, Duration::from_nanos(4_583_333)));
        assert_eq!(Character::new(300, 7, Parity::Even, 1).to_string(), "300 7E1");
    }
}
