//! The data of a record, by its coding: whole numbers of two's powers, decimal digits, a real, characters, and dates
//! (EN 13757-3, annex A: types A to J).

use steward_shared::reading::Quality;

/// The bytes of a record's data, the lowest first.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Data<'a> {
    Nothing,
    /// Two's complement.
    Integer(&'a [u8]),
    Real(f32),
    /// Two decimal digits a byte; `negative` where the length says so.
    Digits {
        bytes: &'a [u8],
        negative: bool,
    },
    Text(&'a [u8]),
}

impl<'a> Data<'a> {
    /// The data at the front of `bytes`, and what is behind. None where their length is not known or does not fit.
    pub(super) fn split(coding: u8, bytes: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let take = |len: usize| bytes.split_at_checked(len);
        let integer = |len| take(len).map(|(data, rest)| (Self::Integer(data), rest));
        let digits = |len| take(len).map(|(bytes, rest)| (Self::Digits { bytes, negative: false }, rest));
        match coding & 0x0F {
            0x0 | 0x8 => Some((Self::Nothing, bytes)),
            coding @ 0x1..=0x4 => integer(usize::from(coding)),
            0x5 => {
                let (real, rest) = bytes.split_first_chunk::<4>()?;
                Some((Self::Real(f32::from_le_bytes(*real)), rest))
            }
            0x6 => integer(6),
            0x7 => integer(8),
            coding @ 0x9..=0xC => digits(usize::from(coding) - 8),
            0xD => Self::variable(bytes),
            0xE => digits(6),
            _ => None,
        }
    }

    /// Data that begin with their length (EN 13757-3, LVAR).
    fn variable(bytes: &'a [u8]) -> Option<(Self, &'a [u8])> {
        let (lvar, bytes) = bytes.split_first()?;
        let lvar = usize::from(*lvar);
        let take = |len: usize| bytes.split_at_checked(len);
        match lvar {
            0x00..=0xBF => take(lvar).map(|(text, rest)| (Self::Text(text), rest)),
            0xC0..=0xC9 => {
                take(lvar - 0xC0).map(|(bytes, rest)| (Self::Digits { bytes, negative: false }, rest))
            }
            0xD0..=0xD9 => {
                take(lvar - 0xD0).map(|(bytes, rest)| (Self::Digits { bytes, negative: true }, rest))
            }
            0xE0..=0xEF => take(lvar - 0xE0).map(|(data, rest)| (Self::Integer(data), rest)),
            0xF0..=0xF4 => take(4 * (lvar - 0xEC)).map(|(data, rest)| (Self::Integer(data), rest)),
            0xF5 => take(48).map(|(data, rest)| (Self::Integer(data), rest)),
            0xF6 => take(64).map(|(data, rest)| (Self::Integer(data), rest)),
            _ => None,
        }
    }

    /// The number before its power of ten, for what is no real.
    pub fn integer(self) -> Result<i128, Quality> {
        match self {
            Self::Integer(bytes) => signed(bytes),
            Self::Digits { bytes, negative } => digits(bytes).map(|n| if negative { -n } else { n }),
            Self::Nothing => Err(Quality::NoValue),
            Self::Real(_) | Self::Text(_) => Err(Quality::Undecodable),
        }
    }

    /// The lowest 64 bits.
    pub fn bits(self) -> Result<u64, Quality> {
        match self {
            Self::Integer(bytes) | Self::Digits { bytes, .. } => {
                Ok(bytes.iter().take(8).rev().fold(0, |bits, byte| bits << 8 | u64::from(*byte)))
            }
            Self::Nothing => Err(Quality::NoValue),
            Self::Real(_) | Self::Text(_) => Err(Quality::Undecodable),
        }
    }

    /// Characters, or the digits of a number.
    pub fn text(self) -> Result<String, Quality> {
        let bytes = match self {
            Self::Text(bytes) => bytes,
            Self::Digits { bytes, .. } => return digit_text(bytes),
            Self::Integer(bytes) => return signed(bytes).map(|number| number.to_string()),
            Self::Nothing => return Err(Quality::NoValue),
            Self::Real(_) => return Err(Quality::Undecodable),
        };
        // Latin 1, of which ASCII is a part.
        let text: String = bytes.iter().rev().filter(|b| **b != 0).map(|b| char::from(*b)).collect();
        match text.trim() {
            "" => Err(Quality::NoValue),
            text if text.chars().any(char::is_control) => Err(Quality::Undecodable),
            text => Ok(text.to_owned()),
        }
    }

    /// A date of type G, F or I, by its length.
    pub fn date(self) -> Result<String, Quality> {
        let Self::Integer(bytes) = self else { return Err(Quality::Undecodable) };
        match *bytes {
            [0xFF, 0xFF] | [0xFF, 0xFF, 0xFF, 0xFF] => Err(Quality::NoValue),
            [a, b] => day(a, b, 0),
            [minute, hour, a, b] => {
                let date = day(a, b, hour >> 5 & 3)?;
                // The highest bit of the minutes: the clock is not set.
                let (hour, minute) = (hour & 0x1F, minute & 0xBF);
                if hour > 23 || minute > 59 {
                    return Err(Quality::NoValue);
                }
                Ok(format!("{date} {hour:02}:{minute:02}"))
            }
            [second, minute, hour, a, b, _] => {
                let date = day(a, b, 0)?;
                let (hour, minute, second) = (hour & 0x1F, minute & 0xBF, second & 0x3F);
                if hour > 23 || minute > 59 || second > 59 {
                    return Err(Quality::NoValue);
                }
                Ok(format!("{date} {hour:02}:{minute:02}:{second:02}"))
            }
            _ => Err(Quality::Undecodable),
        }
    }
}

/// Day and month, and a year of two digits whose bits are spread over both bytes. Where no century is given, years up to
/// 80 are of this one.
fn day(a: u8, b: u8, century: u8) -> Result<String, Quality> {
    let (day, month) = (a & 0x1F, b & 0x0F);
    let year = u16::from(a >> 5 | (b & 0xF0) >> 1);
    // 0 stands for every day, 15 for every month, 127 for every year; nothing is set yet.
    if !(1..=31).contains(&day) || !(1..=12).contains(&month) || year > 99 {
        return Err(Quality::NoValue);
    }
    let century = if century == 0 && year <= 80 { 1 } else { u16::from(century) };
    Ok(format!("{:04}-{month:02}-{day:02}", 1900 + 100 * century + year))
}

/// The lowest number of all is how a meter says that it has none (type B).
fn signed(bytes: &[u8]) -> Result<i128, Quality> {
    if bytes.is_empty() {
        return Err(Quality::NoValue);
    }
    if bytes.len() > 8 {
        return Err(Quality::Undecodable);
    }
    let negative = bytes.last().is_some_and(|high| high & 0x80 != 0);
    let high = if negative { -1_i128 } else { 0 };
    let number = bytes.iter().rev().fold(high, |number, byte| number << 8 | i128::from(*byte));
    let lowest = -(1_i128 << (8 * bytes.len() - 1));
    if number == lowest && bytes.len() > 1 { Err(Quality::NoValue) } else { Ok(number) }
}

/// An F in the highest place is the sign (type A); nothing but F is no value, other letters are what a display shows of an
/// error.
fn digits(bytes: &[u8]) -> Result<i128, Quality> {
    if bytes.iter().all(|byte| *byte == 0xFF) {
        return Err(Quality::NoValue);
    }
    let nibbles = bytes.iter().rev().flat_map(|byte| [byte >> 4, byte & 0xF]);
    let negative = bytes.last().is_some_and(|high| high >> 4 == 0xF);
    let number = nibbles.skip(usize::from(negative)).try_fold(0_i128, |number, digit| {
        (digit <= 9).then_some(number * 10 + i128::from(digit)).ok_or(Quality::Undecodable)
    })?;
    Ok(if negative { -number } else { number })
}

fn digit_text(bytes: &[u8]) -> Result<String, Quality> {
    if bytes.iter().all(|byte| *byte == 0xFF) {
        return Err(Quality::NoValue);
    }
    let nibbles = bytes.iter().rev().flat_map(|byte| [byte >> 4, byte & 0xF]);
    let text: Option<String> = nibbles.map(|n| char::from_digit(u32::from(n), 10)).collect();
    text.ok_or(Quality::Undecodable)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dates_of_the_three_types_read_as_the_meter_shows_them() {
        // Multical 601 of the libmbus project: 6D 1A 2F 65 11 and 6C 5F 1C.
        assert_eq!(Data::Integer(&[0x1A, 0x2F, 0x65, 0x11]).date(), Ok("2011-01-05 15:26".to_owned()));
        assert_eq!(Data::Integer(&[0x5F, 0x1C]).date(), Ok("2010-12-31".to_owned()));
        assert_eq!(
            Data::Integer(&[0x0F, 0x1A, 0x0F, 0x65, 0x11, 0]).date(),
            Ok("2011-01-05 15:26:15".to_owned())
        );
        assert_eq!(Data::Integer(&[0xFF, 0xFF]).date(), Err(Quality::NoValue));
        assert_eq!(Data::Integer(&[0x00, 0x00, 0x00, 0x00]).date(), Err(Quality::NoValue));
        assert_eq!(Data::Integer(&[0x9A, 0x2F, 0x65, 0x11]).date(), Err(Quality::NoValue), "not set");
    }

    #[test]
    fn numbers_know_their_signs_and_how_a_meter_says_none() {
        let digits = |bytes| Data::Digits { bytes, negative: false }.integer();
        assert_eq!(digits(&[0x78, 0x56, 0x34, 0x12]), Ok(12_345_678));
        assert_eq!(digits(&[0x23, 0xF1]), Ok(-123));
        assert_eq!(digits(&[0xFF; 4]), Err(Quality::NoValue));
        assert_eq!(digits(&[0xBB, 0xEE]), Err(Quality::Undecodable));
        assert_eq!(Data::Integer(&[0xFE, 0xFF]).integer(), Ok(-2));
        assert_eq!(Data::Integer(&[0x00, 0x80]).integer(), Err(Quality::NoValue));
        assert_eq!(Data::Integer(&[0xFF; 8]).integer(), Ok(-1));
        assert_eq!(Data::Integer(&[0; 9]).integer(), Err(Quality::Undecodable));
        assert_eq!(Data::Integer(&[]).integer(), Err(Quality::NoValue));
    }
}
