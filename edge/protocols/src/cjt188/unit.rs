//! The byte that says a value's unit (CJ/T 188-2004, table of units; per hour since 2018).

use steward_shared::profile::cjt188::Quantity;

/// What a unit code means: so many of the smallest unit of its quantity (J, J/h, L, L/h).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unit {
    pub quantity: Quantity,
    pub size: u64,
}

/// The first code of each three, which stand for one, ten and a hundred of the unit.
const CODES: [(u8, Quantity, u64); 16] = [
    (0x02, Quantity::Energy, 3_600),
    (0x05, Quantity::Energy, 3_600_000),
    (0x08, Quantity::Energy, 3_600_000_000),
    (0x0B, Quantity::Energy, 1_000),
    (0x0E, Quantity::Energy, 1_000_000),
    (0x11, Quantity::Energy, 1_000_000_000),
    (0x14, Quantity::Power, 3_600),
    (0x17, Quantity::Power, 3_600_000),
    (0x1A, Quantity::Power, 3_600_000_000),
    (0x29, Quantity::Volume, 1),
    (0x2C, Quantity::Volume, 1_000),
    (0x32, Quantity::Flow, 1),
    (0x35, Quantity::Flow, 1_000),
    (0x43, Quantity::Power, 1_000),
    (0x46, Quantity::Power, 1_000_000),
    (0x49, Quantity::Power, 1_000_000_000),
];
const JOULE: (u8, Unit) = (0x01, Unit { quantity: Quantity::Energy, size: 1 });
const JOULE_AN_HOUR: (u8, Unit) = (0x40, Unit { quantity: Quantity::Power, size: 1 });

impl Unit {
    /// None for a code that the standard does not have.
    pub fn of(code: u8) -> Option<Self> {
        if let Some((_, unit)) = [JOULE, JOULE_AN_HOUR].into_iter().find(|(known, _)| *known == code) {
            return Some(unit);
        }
        CODES.iter().find_map(|(first, quantity, size)| {
            let tens = code.checked_sub(*first).filter(|tens| *tens < 3)?;
            Some(Self { quantity: *quantity, size: size * 10_u64.pow(u32::from(tens)) })
        })
    }

    /// A code for a quantity that is counted in so many of its smallest unit.
    pub fn code(quantity: Quantity, size: u64) -> Option<u8> {
        (0..=u8::MAX).find(|code| Self::of(*code) == Some(Self { quantity, size }))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_go_by_threes_of_one_ten_and_a_hundred() {
        let unit = |code| Unit::of(code).map(|u| (u.quantity, u.size));
        assert_eq!(unit(0x05), Some((Quantity::Energy, 3_600_000)), "kWh");
        assert_eq!(unit(0x07), Some((Quantity::Energy, 360_000_000)), "kWh x 100");
        assert_eq!(unit(0x08), Some((Quantity::Energy, 3_600_000_000)), "MWh");
        assert_eq!(unit(0x2C), Some((Quantity::Volume, 1_000)), "m3");
        assert_eq!(unit(0x35), Some((Quantity::Flow, 1_000)), "m3/h");
        assert_eq!(unit(0x17), Some((Quantity::Power, 3_600_000)), "kW");
        assert_eq!((unit(0x00), unit(0x2F), unit(0x1D)), (None, None, None));
        assert_eq!(Unit::code(Quantity::Volume, 1_000), Some(0x2C));
    }
}
