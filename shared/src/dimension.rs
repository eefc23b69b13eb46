//! What a unit measures, in the base units of the SI: whether two may be added, and what their product is. Made of the
//! UCUM code itself (The Unified Code for Units of Measure 2.2, tables 1 to 6); factors are those tables'. An expression
//! of a profile is checked and reckoned with this, so that kW and W, or °C and °F, add up to what is meant.

use std::f64::consts::PI;

/// Powers of metre, kilogram, second, ampere and kelvin, each twice as large as it is: a root halves them. `own` tells
/// scales apart that are of none of these, like pH; 0 is no such scale.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Dimension {
    powers: [i8; 5],
    own: u8,
}

/// value in SI units = value * factor + shift.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Measure {
    pub factor: f64,
    pub shift: f64,
    pub dimension: Dimension,
}

impl Dimension {
    /// Of a pure number.
    pub const NONE: Self = Self { powers: [0; 5], own: 0 };
    pub const TEMPERATURE: Self = Self { powers: [0, 0, 0, 0, 2], own: 0 };

    const fn of(powers: [i8; 5]) -> Self {
        let [m, kg, s, a, k] = powers;
        Self { powers: [m * 2, kg * 2, s * 2, a * 2, k * 2], own: 0 }
    }

    const fn own(scale: u8) -> Self {
        Self { powers: [0; 5], own: scale }
    }

    /// Of a product. Scales of their own cannot be multiplied with one another.
    pub fn times(self, other: Self) -> Option<Self> {
        self.with(
            other,
            1,
            if self.own == 0 || other.own == 0 { self.own.max(other.own) } else { return None },
        )
    }

    pub fn over(self, other: Self) -> Option<Self> {
        match (self.own, other.own) {
            (own, 0) => self.with(other, -1, own),
            (own, other_own) if own == other_own => self.with(other, -1, 0),
            _ => None,
        }
    }

    /// To a power that leaves whole halves.
    pub fn to_the(self, power: f64) -> Option<Self> {
        if self == Self::NONE {
            return Some(self);
        }
        let mut powers = [0; 5];
        for (to, from) in powers.iter_mut().zip(self.powers) {
            let raised = f64::from(from) * power;
            if raised.fract() != 0.0 || raised.abs() > 100.0 {
                return None;
            }
            *to = raised as i8;
        }
        (self.own == 0).then_some(Self { powers, own: 0 })
    }

    fn with(self, other: Self, sign: i8, own: u8) -> Option<Self> {
        let mut powers = [0; 5];
        for (to, (a, b)) in powers.iter_mut().zip(self.powers.iter().zip(other.powers)) {
            *to = a.checked_add(b.checked_mul(sign)?)?;
        }
        Some(Self { powers, own })
    }
}

/// What the unit of a UCUM code measures; none of a code that is not understood.
pub fn measure(code: &str) -> Option<Measure> {
    if let Some(whole) = whole(code) {
        return Some(whole);
    }
    let mut parts = code.split('/');
    let mut product = terms(parts.next()?)?;
    for part in parts {
        let (factor, dimension) = terms(part)?;
        product = (product.0 / factor, product.1.over(dimension)?);
    }
    Some(Measure { factor: product.0, shift: 0.0, dimension: product.1 })
}

/// Codes that cannot be taken apart, or that do not begin at zero.
fn whole(code: &str) -> Option<Measure> {
    let of = |factor, shift, dimension| Some(Measure { factor, shift, dimension });
    match code {
        "Cel" => of(1.0, 273.15, Dimension::TEMPERATURE),
        "[degF]" => of(5.0 / 9.0, 459.67 * 5.0 / 9.0, Dimension::TEMPERATURE),
        "m[H2O]" => of(9_806.65, 0.0, PRESSURE),
        "[psi]" => of(6_894.757_293_168_36, 0.0, PRESSURE),
        "[Btu]" => of(1_054.35, 0.0, ENERGY),
        "%" => of(0.01, 0.0, Dimension::NONE),
        "[ppm]" => of(1e-6, 0.0, Dimension::NONE),
        "[ppb]" => of(1e-9, 0.0, Dimension::NONE),
        "{count}" => of(1.0, 0.0, Dimension::NONE),
        "[pH]" => of(1.0, 0.0, Dimension::own(1)),
        "dB" => of(1.0, 0.0, Dimension::own(2)),
        "[NTU]" => of(1.0, 0.0, Dimension::own(3)),
        "lx" => of(1.0, 0.0, Dimension::own(4)),
        _ => None,
    }
}

fn terms(text: &str) -> Option<(f64, Dimension)> {
    let mut product = (1.0, Dimension::NONE);
    for term in text.split('.').filter(|term| !term.is_empty()) {
        let (factor, dimension) = term_of(term)?;
        product = (product.0 * factor, product.1.times(dimension)?);
    }
    Some(product)
}

/// A unit with its power, like `m3`.
fn term_of(term: &str) -> Option<(f64, Dimension)> {
    if term == "1" {
        return Some((1.0, Dimension::NONE));
    }
    let symbol = term.trim_end_matches(|c: char| c.is_ascii_digit());
    let power: i32 = match term.strip_prefix(symbol)? {
        "" => 1,
        digits => digits.parse().ok()?,
    };
    let (factor, dimension) = match whole(symbol) {
        Some(whole) if whole.shift == 0.0 => (whole.factor, whole.dimension),
        Some(_) => return None,
        None => atom(symbol).or_else(|| {
            let (prefix, factor) = PREFIXES.iter().find(|(prefix, _)| symbol.starts_with(*prefix))?;
            let (of_atom, dimension) = atom(symbol.strip_prefix(prefix)?)?;
            Some((factor * of_atom, dimension))
        })?,
    };
    Some((factor.powi(power), dimension.to_the(f64::from(power))?))
}

const PREFIXES: [(&str, f64); 7] =
    [("k", 1e3), ("M", 1e6), ("G", 1e9), ("m", 1e-3), ("u", 1e-6), ("h", 1e2), ("c", 1e-2)];
const PRESSURE: Dimension = Dimension::of([-1, 1, -2, 0, 0]);
const ENERGY: Dimension = Dimension::of([2, 1, -2, 0, 0]);
const POWER: Dimension = Dimension::of([2, 1, -3, 0, 0]);
const TIME: Dimension = Dimension::of([0, 0, 1, 0, 0]);

fn atom(symbol: &str) -> Option<(f64, Dimension)> {
    Some(match symbol {
        "m" => (1.0, Dimension::of([1, 0, 0, 0, 0])),
        "g" => (1e-3, Dimension::of([0, 1, 0, 0, 0])),
        "t" => (1e3, Dimension::of([0, 1, 0, 0, 0])),
        "L" => (1e-3, Dimension::of([3, 0, 0, 0, 0])),
        "s" => (1.0, TIME),
        "min" => (60.0, TIME),
        "h" => (3_600.0, TIME),
        "d" => (86_400.0, TIME),
        "mo" => (2_629_800.0, TIME),
        "a" => (31_557_600.0, TIME),
        "Hz" => (1.0, Dimension::of([0, 0, -1, 0, 0])),
        "A" => (1.0, Dimension::of([0, 0, 0, 1, 0])),
        "K" => (1.0, Dimension::TEMPERATURE),
        "N" => (1.0, Dimension::of([1, 1, -2, 0, 0])),
        "J" => (1.0, ENERGY),
        "W" | "var" => (1.0, POWER),
        "V" => (1.0, Dimension::of([2, 1, -3, -1, 0])),
        "Ohm" => (1.0, Dimension::of([2, 1, -3, -2, 0])),
        "S" => (1.0, Dimension::of([-2, -1, 3, 2, 0])),
        "F" => (1.0, Dimension::of([-2, -1, 4, 2, 0])),
        "Pa" => (1.0, PRESSURE),
        "bar" => (1e5, PRESSURE),
        "deg" => (PI / 180.0, Dimension::NONE),
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_unit_of_the_list_measures_something() {
        for unit in crate::unit::all() {
            let measure = measure(unit.code).unwrap_or_else(|| panic!("{}", unit.code));
            assert!(measure.factor > 0.0, "{}", unit.code);
        }
        assert_eq!(measure("furlong"), None);
        assert_eq!(measure("Cel/h"), None, "a change of temperature is K/h");
    }

    /// NIST SP 811 (2008), appendix B.8 and table 6; UCUM 2.2, tables 3 and 5.
    #[test]
    fn factors_are_those_of_the_standards() {
        for (code, factor) in [
            ("kW.h", 3.6e6),
            ("kvar", 1e3),
            ("V.A", 1.0),
            ("m3/h", 1.0 / 3600.0),
            ("L/s", 1e-3),
            ("hPa", 100.0),
            ("mbar", 100.0),
            ("MPa", 1e6),
            ("kg/m3", 1.0),
            ("mg/L", 1e-3),
            ("uS/cm", 1e-4),
            ("/min", 1.0 / 60.0),
            ("kW.h/m2", 3.6e6),
            ("[Btu]", 1054.35),
            ("mm", 1e-3),
            ("min", 60.0),
        ] {
            let got = measure(code).unwrap().factor;
            assert!((got / factor - 1.0).abs() < 1e-12, "{code}: {got}");
        }
        let boiling = measure("[degF]").unwrap();
        assert!((212.0 * boiling.factor + boiling.shift - 373.15).abs() < 1e-9);
    }

    #[test]
    fn what_is_the_same_by_another_name_has_the_same_dimension() {
        let of = |code: &str| measure(code).unwrap().dimension;
        assert_eq!(of("V").times(of("A")), Some(of("kW")));
        assert_eq!(of("MW.h").over(of("h")), Some(of("W")));
        assert_eq!(of("kJ/kg").times(of("kg/s")), Some(of("kW")));
        assert_eq!(of("W").to_the(2.0).and_then(|d| d.to_the(0.5)), Some(of("var")));
        assert_eq!(of("bar"), of("m[H2O]"));
        assert_ne!(of("kW"), of("kW.h"));
        assert_eq!(of("[pH]").times(of("dB")), None);
    }
}
