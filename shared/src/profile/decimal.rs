//! An exact decimal: scales and offsets are what the register map prints, not the nearest binary fraction.

use std::fmt;
use std::str::FromStr;

use crate::document::{FromNode, Kind, Node, Wrong};

/// `mantissa` times ten to the power of `exponent`. Never has trailing zeros in its mantissa.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Decimal {
    mantissa: i64,
    exponent: i16,
}

/// The powers of ten that a double holds exactly.
const POWERS: [f64; 23] = [
    1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9, 1e10, 1e11, 1e12, 1e13, 1e14, 1e15, 1e16, 1e17, 1e18,
    1e19, 1e20, 1e21, 1e22,
];

impl Decimal {
    pub const ZERO: Self = Self { mantissa: 0, exponent: 0 };
    pub const ONE: Self = Self { mantissa: 1, exponent: 0 };

    pub const fn new(mut mantissa: i64, mut exponent: i16) -> Self {
        if mantissa == 0 {
            return Self::ZERO;
        }
        while mantissa % 10 == 0 {
            mantissa /= 10;
            exponent += 1;
        }
        Self { mantissa, exponent }
    }

    pub const fn is_zero(self) -> bool {
        self.mantissa == 0
    }

    /// Digits behind the decimal point, at most 9.
    pub fn decimals(self) -> u8 {
        u8::try_from(-i32::from(self.exponent).min(0)).unwrap_or(9).min(9)
    }

    pub fn as_f64(self) -> f64 {
        nearest_double(i128::from(self.mantissa), i32::from(self.exponent))
    }

    /// `raw * self + offset`, exact up to the one rounding into the nearest double.
    pub fn apply(self, raw: i128, offset: Self) -> f64 {
        let exact = || {
            let scaled = raw.checked_mul(i128::from(self.mantissa))?;
            let (low, high) = (self.exponent.min(offset.exponent), self.exponent.max(offset.exponent));
            if offset.is_zero() {
                return Some((scaled, self.exponent));
            }
            let lift = 10_i128.checked_pow(u32::try_from(high - low).ok()?)?;
            let (scaled, added) = if self.exponent > offset.exponent {
                (scaled.checked_mul(lift)?, i128::from(offset.mantissa))
            } else {
                (scaled, i128::from(offset.mantissa).checked_mul(lift)?)
            };
            Some((scaled.checked_add(added)?, low))
        };
        match exact() {
            Some((mantissa, exponent)) => nearest_double(mantissa, i32::from(exponent)),
            None => (raw as f64) * self.as_f64() + offset.as_f64(),
        }
    }

    /// The raw number whose `apply` is nearest to `value`; none when the scale is zero or out of reach.
    pub fn solve(self, value: f64, offset: Self) -> Option<i128> {
        if self.is_zero() || !value.is_finite() {
            return None;
        }
        let guess = ((value - offset.as_f64()) / self.as_f64()).round();
        (guess.abs() < 1e38).then_some(guess as i128)
    }
}

/// The double nearest to `mantissa * 10^exponent`.
fn nearest_double(mantissa: i128, exponent: i32) -> f64 {
    // Both operands exact, one operation: the result is correctly rounded (IEEE 754).
    if mantissa.unsigned_abs() < (1 << 53) {
        let power = POWERS.get(exponent.unsigned_abs() as usize);
        match power {
            Some(p) if exponent < 0 => return mantissa as f64 / p,
            Some(p) => return mantissa as f64 * p,
            None => {}
        }
    }
    format!("{mantissa}e{exponent}").parse().unwrap_or(f64::NAN)
}

impl FromStr for Decimal {
    type Err = Wrong;

    fn from_str(text: &str) -> Result<Self, Wrong> {
        let wrong =
            || Wrong::new(format!("{text} is no decimal number"), "write it like 0.1, at most 18 digits");
        let plain: String = text.chars().filter(|c| *c != '_').collect();
        let (number, power) = match plain.split_once(['e', 'E']) {
            Some((number, power)) => (number, power.parse::<i16>().map_err(|_| wrong())?),
            None => (plain.as_str(), 0),
        };
        let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
        let digits = format!("{whole}{fraction}");
        let mantissa = digits.parse::<i64>().map_err(|_| wrong())?;
        let exponent =
            i16::try_from(fraction.len()).ok().and_then(|f| power.checked_sub(f)).ok_or_else(wrong)?;
        if exponent.unsigned_abs() > 40 {
            return Err(wrong());
        }
        Ok(Self::new(mantissa, exponent))
    }
}

impl fmt::Display for Decimal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.as_f64())
    }
}

impl FromNode for Decimal {
    const EXAMPLE: &'static str = "0.1";

    fn from_node(node: &Node) -> Result<Self, Wrong> {
        match &node.kind {
            Kind::Integer(i) => Ok(Self::new(*i, 0)),
            Kind::Float(_, digits) => digits.parse(),
            _ => Err(Wrong::new(
                format!("a number is wanted here, this is {}", node.what()),
                "write it like 0.1, without quotes",
            )),
        }
    }
}

#[cfg(test)]
#[allow(clippy::float_cmp, reason = "exactness is what is tested")]
mod tests {
    use super::*;

    fn decimal(text: &str) -> Decimal {
        text.parse().unwrap()
    }

    #[test]
    fn a_scaled_register_is_the_decimal_that_the_meter_shows() {
        for raw in 0..=65_535_i128 {
            let shown: f64 = format!("{}.{}", raw / 10, raw % 10).parse().unwrap();
            assert_eq!(decimal("0.1").apply(raw, Decimal::ZERO).to_bits(), shown.to_bits(), "{raw}");
        }
    }

    #[test]
    fn offsets_are_exact_too() {
        assert_eq!(decimal("0.01").apply(2715, decimal("-273.15")), -246.0);
        assert_eq!(decimal("0.5").apply(61, decimal("-50")), -19.5);
        assert_eq!(decimal("10").apply(7, decimal("0.3")), 70.3);
    }

    #[test]
    fn numbers_are_read_as_they_are_written() {
        assert_eq!(decimal("1e-3"), decimal("0.001"));
        assert_eq!(decimal("-0.50"), Decimal::new(-5, -1));
        assert_eq!(decimal("1_000"), Decimal::new(1, 3));
        assert_eq!(decimal("0.0"), Decimal::ZERO);
        assert!("".parse::<Decimal>().is_err());
        assert!("inf".parse::<Decimal>().is_err());
        assert!("1e99".parse::<Decimal>().is_err());
    }

    #[test]
    fn the_largest_registers_do_not_overflow() {
        assert_eq!(decimal("0.001").apply(i128::from(u64::MAX), Decimal::ZERO), 18_446_744_073_709_552.0);
        let worst = Decimal::new(i64::MAX, 40);
        assert!(worst.apply(i128::from(u64::MAX), Decimal::new(1, -40)).is_finite());
        assert_eq!(decimal("0.1").solve(230.1, Decimal::ZERO), Some(2301));
    }
}
