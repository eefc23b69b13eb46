//! The values of one point. Meters give decimals: 23.4 becomes 234 with one digit, wherever that gives back the very
//! same bits; so does a single-precision 23.4. What is no decimal stays a float, single where that is exact.
//! A zero with a minus sign, NaN and infinities are floats.

/// Powers of ten that are exact doubles.
const POW10: [f64; 10] = [1e0, 1e1, 1e2, 1e3, 1e4, 1e5, 1e6, 1e7, 1e8, 1e9];
/// Integers up to here are exact doubles.
const EXACT: f64 = 9_007_199_254_740_992.0;
/// Digits that are tried: meters show no more, and with more of them noise would pass for a decimal.
const TRIED: u8 = 6;
/// The same for single precision, of which seven digits are all there is.
const TRIED_SINGLE: u8 = 3;
const SINGLE: u8 = 0x10;
const FLOAT32: u8 = 0x20;
const FLOAT64: u8 = 0x21;

/// How the values of a point are written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Form {
    /// `i / 10^digits` in double precision.
    Decimal(u8),
    /// `i / 10^digits`, rounded to single precision.
    Single(u8),
    Float32,
    Float64,
}

impl Form {
    pub fn code(self) -> u8 {
        match self {
            Self::Decimal(d) => d,
            Self::Single(d) => SINGLE | d,
            Self::Float32 => FLOAT32,
            Self::Float64 => FLOAT64,
        }
    }

    pub fn from_code(code: i64) -> Option<Self> {
        match u8::try_from(code).ok()? {
            d if usize::from(d) < POW10.len() => Some(Self::Decimal(d)),
            FLOAT32 => Some(Self::Float32),
            FLOAT64 => Some(Self::Float64),
            s if s >= SINGLE && usize::from(s - SINGLE) < POW10.len() => Some(Self::Single(s - SINGLE)),
            _ => None,
        }
    }

    /// The shortest form that gives every one of `values` back bit for bit.
    pub fn of(values: &[f64]) -> Self {
        let fits = |form: Self| values.iter().all(|v| form.integer(*v).is_some());
        if let Some(form) = (0..=TRIED).map(Self::Decimal).find(|f| fits(*f)) {
            return form;
        }
        if !values.iter().all(|v| f64::from(*v as f32).to_bits() == v.to_bits()) {
            return Self::Float64;
        }
        (0..=TRIED_SINGLE).map(Self::Single).find(|f| fits(*f)).unwrap_or(Self::Float32)
    }

    /// The integer that stands for `v`, if this form has one that gives `v` back.
    pub fn integer(self, v: f64) -> Option<i64> {
        let (Self::Decimal(d) | Self::Single(d)) = self else { return None };
        let scaled = (v * POW10.get(usize::from(d))?).round();
        if scaled.abs() > EXACT || scaled.is_nan() {
            return None;
        }
        let i = scaled as i64;
        (self.value(i).to_bits() == v.to_bits()).then_some(i)
    }

    /// The value that `i` stands for.
    pub fn value(self, i: i64) -> f64 {
        match self {
            Self::Decimal(d) => i as f64 / POW10[usize::from(d).min(9)],
            Self::Single(d) => f64::from((i as f64 / POW10[usize::from(d).min(9)]) as f32),
            Self::Float32 | Self::Float64 => i as f64,
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn decimals_are_found_with_the_fewest_digits() {
        assert_eq!(Form::of(&[1.0, 0.0, -7.0]), Form::Decimal(0));
        assert_eq!(Form::of(&[21.5, 21.6]), Form::Decimal(1));
        assert_eq!(Form::of(&[1234.56, 0.01]), Form::Decimal(2));
        assert_eq!(Form::of(&[f64::from(23.4f32), 7.0]), Form::Single(1));
        assert_eq!(Form::of(&[f64::from(std::f32::consts::PI)]), Form::Float32);
        assert_eq!(Form::of(&[std::f64::consts::PI]), Form::Float64);
    }

    #[test]
    fn what_is_no_decimal_stays_a_float() {
        for v in [-0.0, f64::NAN, f64::INFINITY, f64::NEG_INFINITY, 1e300, f64::MIN_POSITIVE] {
            assert!(matches!(Form::of(&[v]), Form::Float32 | Form::Float64), "{v}");
        }
    }

    proptest! {
        #[test]
        fn every_integer_form_gives_back_the_same_bits(v in any::<f64>(), i in -10_000_000i64..10_000_000, d in 0u8..10) {
            for v in [v, i as f64 / POW10[usize::from(d)], f64::from((i as f64 / POW10[usize::from(d)]) as f32)] {
                let form = Form::of(&[v]);
                if let Some(n) = form.integer(v) {
                    prop_assert_eq!(form.value(n).to_bits(), v.to_bits());
                }
                prop_assert_eq!(Form::from_code(i64::from(form.code())), Some(form));
            }
        }
    }
}
