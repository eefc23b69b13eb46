//! The address of a meter: its primary number, or what it is by itself (identification, maker, version, medium), of
//! which parts may be left open.

use std::fmt;
use std::str::FromStr;

/// Who is asked.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Address {
    /// 0 to 250. A meter that was never given a number has 0.
    Primary(u8),
    Secondary(Mask),
}

impl Address {
    /// Whether there can be a meter that answers to both. Which number a meter of a secondary address has is not known.
    pub fn overlaps(self, other: Self) -> bool {
        match (self, other) {
            (Self::Secondary(a), Self::Secondary(b)) => a.overlaps(b),
            (a, b) => a == b,
        }
    }
}

/// What a meter says that it is, at the head of its answer.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Identity {
    /// Eight digits, one in each nibble, the first in the highest.
    pub number: u32,
    /// Three letters in five bits each.
    pub maker: u16,
    pub version: u8,
    pub medium: u8,
}

/// A secondary address: an identity whose digits may be left open (F), and whose other parts too (FF).
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Mask(Identity);

impl Identity {
    /// From the eight bytes of a header or of a selection.
    pub fn from_wire(bytes: [u8; 8]) -> Self {
        let [a, b, c, d, low, high, version, medium] = bytes;
        let (number, maker) = (u32::from_le_bytes([a, b, c, d]), u16::from_le_bytes([low, high]));
        Self { number, maker, version, medium }
    }

    pub fn wire(self) -> [u8; 8] {
        let ([a, b, c, d], [low, high]) = (self.number.to_le_bytes(), self.maker.to_le_bytes());
        [a, b, c, d, low, high, self.version, self.medium]
    }
}

/// `12345678-KAM-1B-04`
impl fmt::Display for Identity {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:08X}-{}-{:02X}-{:02X}", self.number, letters(self.maker), self.version, self.medium)
    }
}

/// The maker's letters (EN 13757-3: five bits each, A is 1), or its bytes where they are none.
fn letters(maker: u16) -> String {
    let letter = |shift: u16| char::from_u32(u32::from(maker >> shift & 0x1F) + 64);
    let text: Option<String> = [letter(10), letter(5), letter(0)].into_iter().collect();
    text.filter(|text| maker < 0x8000 && text.chars().all(|c| c.is_ascii_uppercase()))
        .unwrap_or_else(|| format!("{maker:04X}"))
}

fn maker(text: &str) -> Option<u16> {
    match text.len() {
        3 => text.bytes().try_fold(0, |code, c| {
            let letter = c.is_ascii_uppercase().then(|| u16::from(c - b'A' + 1))?;
            Some(code << 5 | letter)
        }),
        4 => u16::from_str_radix(text, 16).ok(),
        _ => None,
    }
}

impl Mask {
    /// Everybody.
    pub const OPEN: Self = Self(Identity { number: 0xFFFF_FFFF, maker: 0xFFFF, version: 0xFF, medium: 0xFF });

    pub const fn exactly(identity: Identity) -> Self {
        Self(identity)
    }

    pub fn wire(self) -> [u8; 8] {
        self.0.wire()
    }

    /// Whether a meter is meant.
    pub fn means(self, meter: Identity) -> bool {
        self.overlaps(Self(meter))
    }

    pub fn overlaps(self, other: Self) -> bool {
        let (Self(a), Self(b)) = (self, other);
        let digits = (0..8).all(|i| {
            let (x, y) = (a.number >> (4 * i) & 0xF, b.number >> (4 * i) & 0xF);
            x == y || x == 0xF || y == 0xF
        });
        digits
            && (a.maker == b.maker || a.maker == 0xFFFF || b.maker == 0xFFFF)
            && [(a.version, b.version), (a.medium, b.medium)]
                .iter()
                .all(|(x, y)| x == y || *x == 0xFF || *y == 0xFF)
    }

    /// Whether something is left open.
    pub fn is_open(self) -> bool {
        let Self(it) = self;
        it.maker == 0xFFFF
            || it.version == 0xFF
            || it.medium == 0xFF
            || (0..8).any(|i| it.number >> (4 * i) & 0xF == 0xF)
    }

    /// The ten masks that say one more digit of the identification, the first that is open; none where no digit is.
    pub fn narrower(self) -> Vec<Self> {
        let Self(it) = self;
        let Some(place) = (0..8).rev().find(|i| it.number >> (4 * i) & 0xF == 0xF) else { return Vec::new() };
        let with = |digit: u32| it.number & !(0xF << (4 * place)) | digit << (4 * place);
        (0..10).map(|digit| Self(Identity { number: with(digit), ..it })).collect()
    }
}

/// Open parts at the end are left out: `12345678`, `1234FFFF-KAM`.
impl fmt::Display for Mask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(it) = *self;
        let whole = it.to_string();
        let parts = match (it.maker, it.version, it.medium) {
            (0xFFFF, 0xFF, 0xFF) => 1,
            (_, 0xFF, 0xFF) => 2,
            (_, _, 0xFF) => 3,
            _ => 4,
        };
        f.write_str(&whole.split('-').take(parts).collect::<Vec<_>>().join("-"))
    }
}

impl fmt::Display for Address {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Primary(number) => write!(f, "{number}"),
            Self::Secondary(mask) => write!(f, "{mask}"),
        }
    }
}

/// What is no address.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "a meter is asked by its primary number from 0 to 250, or by its eight digits like 12345678-KAM-1B-04"
)]
pub struct AddressFault;

impl FromStr for Mask {
    type Err = AddressFault;

    fn from_str(text: &str) -> Result<Self, AddressFault> {
        let mut parts = text.split('-');
        let digits = parts.next().filter(|part| part.len() == 8).ok_or(AddressFault)?;
        if !digits.chars().all(|c| c.is_ascii_digit() || c == 'F') {
            return Err(AddressFault);
        }
        let number = u32::from_str_radix(digits, 16).map_err(|_| AddressFault)?;
        let Self(open) = Self::OPEN;
        let byte = |part: &str| u8::from_str_radix(part, 16).ok().filter(|_| part.len() == 2);
        let maker = parts.next().map_or(Some(open.maker), maker).ok_or(AddressFault)?;
        let version = parts.next().map_or(Some(open.version), byte).ok_or(AddressFault)?;
        let medium = parts.next().map_or(Some(open.medium), byte).ok_or(AddressFault)?;
        match parts.next() {
            Some(_) => Err(AddressFault),
            None => Ok(Self(Identity { number, maker, version, medium })),
        }
    }
}

impl FromStr for Address {
    type Err = AddressFault;

    fn from_str(text: &str) -> Result<Self, AddressFault> {
        if text.len() <= 3 {
            let number = text.parse::<u8>().ok().filter(|number| *number <= 250);
            return number.map(Self::Primary).ok_or(AddressFault);
        }
        text.parse().map(Self::Secondary)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_a_number_or_what_a_meter_is() {
        assert_eq!("5".parse(), Ok(Address::Primary(5)));
        let whole: Mask = "06855817-KAM-08-04".parse().unwrap();
        assert_eq!(whole.wire(), [0x17, 0x58, 0x85, 0x06, 0x2D, 0x2C, 0x08, 0x04]);
        assert_eq!(whole.to_string(), "06855817-KAM-08-04");
        assert!(!whole.is_open());
        for text in ["06855817", "0685FFFF-KAM", "06855817-2C2D-08"] {
            let mask: Mask = text.parse().unwrap();
            assert!(mask.is_open() && mask.means(Identity::from_wire(whole.wire())), "{text}");
            assert_eq!(mask.to_string().parse(), Ok(mask));
        }
        for wrong in ["", "251", "-1", "1234567", "1234567A", "12345678-KA", "12345678-KAM-1B-04-00", "表"] {
            assert_eq!(wrong.parse::<Address>(), Err(AddressFault), "{wrong}");
        }
    }

    #[test]
    fn a_mask_narrows_by_one_digit_at_a_time() {
        let first = Mask::OPEN.narrower();
        assert_eq!(first.len(), 10);
        assert_eq!(first[3].to_string(), "3FFFFFFF");
        assert_eq!(first[3].narrower()[7].to_string(), "37FFFFFF");
        assert!("12345678".parse::<Mask>().unwrap().narrower().is_empty());
    }
}
