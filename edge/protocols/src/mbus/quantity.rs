//! What value information means: the quantity, the unit's size, the power of ten. And the value of a record in the unit
//! of a point, exact up to one rounding.

use m_bus_application_layer::value_information::{
    Unit, UnitName, ValueInformation, ValueInformationBlock, ValueLabel,
};
use steward_shared::profile::Decimal;
use steward_shared::profile::mbus::Quantity;
use steward_shared::profile::measure::Dimension;

/// Value information that is understood.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Meaning {
    pub quantity: Quantity,
    /// None where the unit is one that nothing is brought to.
    pub unit: Option<(Dimension, i64)>,
    pub exponent: i16,
    /// What stands behind and does not belong to the unit, without extension bits.
    pub vife: Vec<u8>,
}

const PLAIN_TEXT: u8 = 0x7C;
const EXTENSION: [u8; 2] = [0x7B, 0x7D];

/// None for what is no quantity.
pub fn meaning(vif: &[u8]) -> Option<Meaning> {
    let (first, extensions) = vif.split_first()?;
    if first & 0x7F == PLAIN_TEXT {
        return None;
    }
    let block = ValueInformationBlock::try_from(vif).ok()?;
    let information = ValueInformation::try_from(&block).ok()?;
    let quantity = quantity(information.labels().next()?)?;
    let units: Vec<Unit> = information.units().collect();
    let extended = usize::from(EXTENSION.contains(&(first & 0x7F)) && first & 0x80 != 0);
    let rest = extensions.iter().skip(extended).map(|vife| vife & 0x7F);
    Some(Meaning {
        quantity,
        unit: unit(quantity, &units),
        exponent: i16::try_from(information.decimal_scale_exponent).ok()?,
        // Factors of ten are part of the exponent.
        vife: rest.filter(|vife| !matches!(vife, 0x70..=0x77 | 0x7D)).collect(),
    })
}

const fn quantity(label: ValueLabel) -> Option<Quantity> {
    Some(match label {
        ValueLabel::Energy => Quantity::Energy,
        ValueLabel::ReactiveEnergy => Quantity::ReactiveEnergy,
        ValueLabel::ApparentEnergy => Quantity::ApparentEnergy,
        ValueLabel::Volume => Quantity::Volume,
        ValueLabel::Mass => Quantity::Mass,
        ValueLabel::Power => Quantity::Power,
        ValueLabel::ReactivePower => Quantity::ReactivePower,
        ValueLabel::ApparentPower => Quantity::ApparentPower,
        ValueLabel::VolumeFlow => Quantity::VolumeFlow,
        ValueLabel::MassFlow => Quantity::MassFlow,
        ValueLabel::FlowTemperature => Quantity::FlowTemperature,
        ValueLabel::ReturnTemperature => Quantity::ReturnTemperature,
        ValueLabel::TemperatureDifference => Quantity::TemperatureDifference,
        ValueLabel::ExternalTemperature => Quantity::ExternalTemperature,
        ValueLabel::Pressure => Quantity::Pressure,
        ValueLabel::RelativeHumidity => Quantity::Humidity,
        ValueLabel::Voltage => Quantity::Voltage,
        ValueLabel::Current => Quantity::Current,
        ValueLabel::Frequency => Quantity::Frequency,
        ValueLabel::OnTime => Quantity::OnTime,
        ValueLabel::OperatingTime => Quantity::OperatingTime,
        ValueLabel::DimensionlessHCA => Quantity::HeatCost,
        ValueLabel::Date => Quantity::Date,
        ValueLabel::DateTime => Quantity::DateTime,
        _ => return None,
    })
}

fn unit(quantity: Quantity, units: &[Unit]) -> Option<(Dimension, i64)> {
    use UnitName as N;
    let (first, by) = match units {
        [] => return Some((quantity.dimension()?, 1)),
        [first] | [first, Unit { name: N::Hour, exponent: 1 | -1 }] => (first, 1),
        [first, Unit { name: N::Minute, exponent: -1 }] => (first, 60),
        [first, Unit { name: N::Second, exponent: -1 }] => (first, 3_600),
        _ => return None,
    };
    let size = match (first.name, first.exponent) {
        // In J/h, so that what is counted in W.h is in J.
        (N::Watt | N::Hour, 1) => 3_600,
        (N::Meter, 3) | (N::Tonne, 1) => 1_000_000,
        (N::Kilogram | N::Volt | N::Ampere, 1) => 1_000,
        (N::Bar, 1) => 100_000,
        (N::Minute, 1) => 60,
        (N::Day, 1) => 86_400,
        (
            N::Joul
            | N::ReactiveWatt
            | N::ApparentWatt
            | N::Second
            | N::Celsius
            | N::Kelvin
            | N::Percent
            | N::Hertz
            | N::HCA
            | N::HCAUnit,
            1,
        ) => 1,
        _ => return None,
    };
    Some((quantity.dimension()?, size * by))
}

/// How a quantity is written in one unit: the bytes of the smallest power of ten, that power, how many there are, and the
/// unit's size.
type Codes = (Quantity, &'static [u8], i16, i16, i64);

const CODES: [Codes; 28] = [
    (Quantity::Energy, &[0x00], -3, 8, 3_600),
    (Quantity::Energy, &[0x08], 0, 8, 1),
    (Quantity::ReactiveEnergy, &[0xFB, 0x02], 3, 2, 1),
    (Quantity::ApparentEnergy, &[0xFB, 0x04], 3, 2, 1),
    (Quantity::Volume, &[0x10], -6, 8, 1_000_000),
    (Quantity::Mass, &[0x18], -3, 8, 1_000),
    (Quantity::Power, &[0x28], -3, 8, 3_600),
    (Quantity::ReactivePower, &[0xFB, 0x14], 0, 4, 1),
    (Quantity::ApparentPower, &[0xFB, 0x34], 0, 4, 1),
    (Quantity::VolumeFlow, &[0x38], -6, 8, 1_000_000),
    (Quantity::VolumeFlow, &[0x40], -7, 8, 60_000_000),
    (Quantity::VolumeFlow, &[0x48], -9, 8, 3_600_000_000),
    (Quantity::MassFlow, &[0x50], -3, 8, 1_000),
    (Quantity::FlowTemperature, &[0x58], -3, 4, 1),
    (Quantity::ReturnTemperature, &[0x5C], -3, 4, 1),
    (Quantity::TemperatureDifference, &[0x60], -3, 4, 1),
    (Quantity::ExternalTemperature, &[0x64], -3, 4, 1),
    (Quantity::Pressure, &[0x68], -3, 4, 100_000),
    (Quantity::Humidity, &[0xFB, 0x1A], -1, 2, 1),
    (Quantity::Voltage, &[0xFD, 0x40], -9, 16, 1_000),
    (Quantity::Current, &[0xFD, 0x50], -12, 16, 1_000),
    (Quantity::Frequency, &[0xFB, 0x2C], -3, 4, 1),
    (Quantity::OnTime, &[0x20], 0, 1, 1),
    (Quantity::OnTime, &[0x22], 0, 1, 3_600),
    (Quantity::OperatingTime, &[0x24], 0, 1, 1),
    (Quantity::OperatingTime, &[0x26], 0, 1, 3_600),
    (Quantity::OperatingTime, &[0x27], 0, 1, 86_400),
    (Quantity::HeatCost, &[0x6E], 0, 1, 1),
];

/// Value information for a quantity in units of the size `to` with so many decimals, and how many of what it counts are
/// one of `to`.
pub fn written(quantity: Quantity, to: i64, decimals: u8) -> Option<(Vec<u8>, f64)> {
    CODES.iter().filter(|(own, ..)| *own == quantity).find_map(|(_, first, least, count, size)| {
        let ten =
            (0_i16..=18).find(|ten| size.checked_mul(10_i64.pow(u32::from(ten.unsigned_abs()))) == Some(to));
        let below =
            (0_i16..=18).find(|ten| to.checked_mul(10_i64.pow(u32::from(ten.unsigned_abs()))) == Some(*size));
        let power = ten.or(below.map(|ten| -ten))?;
        let exponent = (power - i16::from(decimals)).clamp(*least, *least + count - 1);
        let (last, before) = first.split_last()?;
        let code = last + u8::try_from(exponent - least).ok()?;
        Some(([before, &[code]].concat(), 10_f64.powi(i32::from(power - exponent))))
    })
}

/// `raw` times ten to the power of `exponent`, counted in units of the size `from`, in units of the size `to`.
pub fn scaled(raw: i128, exponent: i16, from: i64, to: i64) -> f64 {
    let common = gcd(from, to);
    let (mut factor, mut divisor, mut exponent) = (from / common, to / common, exponent);
    // A divisor of twos and fives is a power of ten.
    for (prime, other) in [(2, 5), (5, 2)] {
        while divisor % prime == 0 && exponent > -30 {
            (divisor, factor, exponent) = (divisor / prime, factor * other, exponent - 1);
        }
    }
    if divisor == 1 {
        return Decimal::new(factor, exponent).apply(raw, Decimal::ZERO);
    }
    let (up, down) = (i32::from(exponent).max(0), i32::from(-exponent).max(0));
    let ten = |power: i32| Decimal::new(1, power as i16).as_f64();
    (raw.saturating_mul(i128::from(factor)) as f64 * ten(up)) / (divisor as f64 * ten(down))
}

/// A real number the same way.
pub fn scaled_real(raw: f64, exponent: i16, from: i64, to: i64) -> f64 {
    let power = Decimal::new(1, exponent.abs()).as_f64();
    let number = if exponent < 0 { raw / power } else { raw * power };
    number * from as f64 / to as f64
}

const fn gcd(a: i64, b: i64) -> i64 {
    let (mut a, mut b) = (a, b);
    while b != 0 {
        (a, b) = (b, a % b);
    }
    if a == 0 { 1 } else { a }
}

#[cfg(test)]
#[allow(clippy::float_cmp, reason = "exactness is what is tested")]
mod tests {
    use super::*;

    #[test]
    fn a_value_in_another_unit_is_the_nearest_double() {
        assert_eq!(scaled(37_351, 3, 3_600, 3_600_000), 37_351.0, "kWh in kWh");
        assert_eq!(scaled(56_108, -2, 1_000_000, 1_000_000), 561.08, "m3");
        assert_eq!(scaled(1_234, 7, 1, 1_000_000_000), 12.34, "10 MJ in GJ");
        assert_eq!(scaled(3_546_000, 0, 1, 3_600), 985.0, "s in h");
        assert_eq!(scaled(1, 6, 1, 3_600_000), 1.0 / 3.6, "MJ in kWh");
        assert_eq!(scaled(287, -3, 1_000_000, 1_000), 287.0, "m3/h in L/h");
        assert_eq!(scaled(23_456, -3, 60_000_000, 1_000_000), 1407.36, "m3/min in m3/h");
    }

    #[test]
    fn value_information_tells_quantity_unit_and_power_of_ten() {
        let of = |vif: &[u8]| meaning(vif).map(|m| (m.quantity, m.unit, m.exponent, m.vife));
        let energy = Some((Dimension::Energy, 3_600));
        assert_eq!(of(&[0x06]), Some((Quantity::Energy, energy, 3, vec![])));
        assert_eq!(of(&[0x86, 0x3C]), Some((Quantity::Energy, energy, 3, vec![0x3C])));
        assert_eq!(of(&[0xFB, 0x01]), Some((Quantity::Energy, energy, 6, vec![])));
        assert_eq!(of(&[0x86, 0x77]), Some((Quantity::Energy, energy, 4, vec![])));
        assert_eq!(
            of(&[0xFD, 0x48]),
            Some((Quantity::Voltage, Some((Dimension::Voltage, 1_000)), -1, vec![]))
        );
        assert_eq!(of(&[0xFF, 0x07]), None);
        assert_eq!(of(&[0x7C]), None);
    }
}
