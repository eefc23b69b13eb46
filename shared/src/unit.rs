//! Units by their UCUM code (the Unified Code for Units of Measure, case sensitive), out of a list that
//! building services use. A code that is not listed is refused: a unit nobody can convert is no unit.

/// Code and the symbol that people read.
const UNITS: &[(&str, &str)] = &[
    ("1", ""),
    ("%", "%"),
    ("[ppm]", "ppm"),
    ("[ppb]", "ppb"),
    ("[pH]", "pH"),
    ("{count}", ""),
    // temperature and its differences
    ("Cel", "°C"),
    ("K", "K"),
    ("[degF]", "°F"),
    // electricity
    ("V", "V"),
    ("mV", "mV"),
    ("kV", "kV"),
    ("A", "A"),
    ("mA", "mA"),
    ("kA", "kA"),
    ("W", "W"),
    ("kW", "kW"),
    ("MW", "MW"),
    ("V.A", "VA"),
    ("kV.A", "kVA"),
    ("MV.A", "MVA"),
    ("var", "var"),
    ("kvar", "kvar"),
    ("Mvar", "Mvar"),
    ("W.h", "Wh"),
    ("kW.h", "kWh"),
    ("MW.h", "MWh"),
    ("GW.h", "GWh"),
    ("V.A.h", "VAh"),
    ("kV.A.h", "kVAh"),
    ("var.h", "varh"),
    ("kvar.h", "kvarh"),
    ("Mvar.h", "Mvarh"),
    ("A.h", "Ah"),
    ("Hz", "Hz"),
    ("kHz", "kHz"),
    ("MOhm", "MΩ"),
    ("kOhm", "kΩ"),
    ("Ohm", "Ω"),
    ("uF", "µF"),
    ("deg", "°"),
    // energy and power by other names
    ("J", "J"),
    ("kJ", "kJ"),
    ("MJ", "MJ"),
    ("GJ", "GJ"),
    ("[Btu]", "Btu"),
    ("kJ/kg", "kJ/kg"),
    // pressure
    ("Pa", "Pa"),
    ("hPa", "hPa"),
    ("kPa", "kPa"),
    ("MPa", "MPa"),
    ("bar", "bar"),
    ("mbar", "mbar"),
    ("[psi]", "psi"),
    ("m[H2O]", "mH₂O"),
    // volume, mass and their flows
    ("m3", "m³"),
    ("L", "L"),
    ("mL", "mL"),
    ("m3/h", "m³/h"),
    ("m3/s", "m³/s"),
    ("L/s", "L/s"),
    ("L/min", "L/min"),
    ("L/h", "L/h"),
    ("kg", "kg"),
    ("g", "g"),
    ("t", "t"),
    ("kg/h", "kg/h"),
    ("t/h", "t/h"),
    ("kg/s", "kg/s"),
    ("kg/m3", "kg/m³"),
    ("g/m3", "g/m³"),
    ("mg/m3", "mg/m³"),
    ("ug/m3", "µg/m³"),
    ("mg/L", "mg/L"),
    // length, speed, rotation
    ("mm", "mm"),
    ("cm", "cm"),
    ("m", "m"),
    ("km", "km"),
    ("m2", "m²"),
    ("m/s", "m/s"),
    ("mm/s", "mm/s"),
    ("/min", "r/min"),
    ("N.m", "N·m"),
    ("%/min", "%/min"),
    // time
    ("ms", "ms"),
    ("s", "s"),
    ("min", "min"),
    ("h", "h"),
    ("d", "d"),
    ("mo", "mo"),
    ("a", "a"),
    // light, sound, radiation, conductivity
    ("lx", "lx"),
    ("dB", "dB"),
    ("W/m2", "W/m²"),
    ("kW.h/m2", "kWh/m²"),
    ("uS/cm", "µS/cm"),
    ("mS/cm", "mS/cm"),
    ("[NTU]", "NTU"),
];

/// A unit of the list.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Unit {
    pub code: &'static str,
    /// What people read after the number; empty for a pure number.
    pub symbol: &'static str,
}

/// The unit of a UCUM code, if it is one that we know.
pub fn unit(code: &str) -> Option<Unit> {
    UNITS.iter().find(|(known, _)| *known == code).map(|(code, symbol)| Unit { code, symbol })
}

/// The symbol to show for a code; an unknown code shows as itself.
pub fn symbol(code: &str) -> &str {
    unit(code).map_or(code, |u| u.symbol)
}

/// The code that was probably meant: by its symbol (`°C`, `kWh`) or by a slip of the finger.
pub fn meant(given: &str) -> Option<&'static str> {
    let by_symbol = UNITS.iter().find(|(_, symbol)| !symbol.is_empty() && symbol.eq_ignore_ascii_case(given));
    let other = match given {
        "C" | "degC" | "celsius" | "℃" => Some("Cel"),
        "F" | "degF" => Some("[degF]"),
        "rpm" | "RPM" => Some("/min"),
        "" | "none" => Some("1"),
        "l" | "liter" | "litre" => Some("L"),
        "m3h" | "cmh" => Some("m3/h"),
        _ => None,
    };
    by_symbol.map(|(code, _)| *code).or(other).or_else(|| {
        crate::document::nearest(given, UNITS.iter().map(|(code, _)| *code)).filter(|_| given.len() > 2)
    })
}

pub fn all() -> impl Iterator<Item = Unit> {
    UNITS.iter().map(|(code, symbol)| Unit { code, symbol })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_ucum_and_symbols_are_what_people_read() {
        assert_eq!(symbol("Cel"), "°C");
        assert_eq!(symbol("kW.h"), "kWh");
        assert_eq!(symbol("m3/h"), "m³/h");
        assert_eq!(symbol("1"), "");
        assert_eq!(unit("kWh"), None);
        assert_eq!(unit("cel"), None, "UCUM is case sensitive");
    }

    #[test]
    fn a_symbol_instead_of_a_code_is_understood_for_the_message() {
        assert_eq!(meant("°C"), Some("Cel"));
        assert_eq!(meant("kWh"), Some("kW.h"));
        assert_eq!(meant("rpm"), Some("/min"));
        assert_eq!(meant("furlong"), None);
    }

    #[test]
    fn no_code_stands_twice() {
        let mut codes: Vec<_> = all().map(|u| u.code).collect();
        codes.sort_unstable();
        let count = codes.len();
        codes.dedup();
        assert_eq!(codes.len(), count);
    }
}
