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

/// Other words for a unit that mean no second one: what displays and people write.
const WORDS: &[(&str, &str)] = &[
    ("℃", "Cel"),
    ("C", "Cel"),
    ("degC", "Cel"),
    ("celsius", "Cel"),
    ("摄氏度", "Cel"),
    ("F", "[degF]"),
    ("degF", "[degF]"),
    ("℉", "[degF]"),
    ("华氏度", "[degF]"),
    ("开", "K"),
    ("％", "%"),
    ("伏", "V"),
    ("伏特", "V"),
    ("毫伏", "mV"),
    ("千伏", "kV"),
    ("安", "A"),
    ("安培", "A"),
    ("毫安", "mA"),
    ("瓦", "W"),
    ("千瓦", "kW"),
    ("兆瓦", "MW"),
    ("伏安", "V.A"),
    ("千伏安", "kV.A"),
    ("乏", "var"),
    ("千乏", "kvar"),
    ("瓦时", "W.h"),
    ("千瓦时", "kW.h"),
    ("兆瓦时", "MW.h"),
    ("千乏时", "kvar.h"),
    ("安时", "A.h"),
    ("赫", "Hz"),
    ("赫兹", "Hz"),
    ("欧", "Ohm"),
    ("欧姆", "Ohm"),
    ("千欧", "kOhm"),
    ("兆欧", "MOhm"),
    ("焦", "J"),
    ("千焦", "kJ"),
    ("兆焦", "MJ"),
    ("吉焦", "GJ"),
    ("帕", "Pa"),
    ("千帕", "kPa"),
    ("兆帕", "MPa"),
    ("巴", "bar"),
    ("立方米", "m3"),
    ("立方", "m3"),
    ("m^3", "m3"),
    ("升", "L"),
    ("l", "L"),
    ("liter", "L"),
    ("litre", "L"),
    ("毫升", "mL"),
    ("立方米/时", "m3/h"),
    ("立方米/小时", "m3/h"),
    ("m^3/h", "m3/h"),
    ("m3h", "m3/h"),
    ("cmh", "m3/h"),
    ("升/秒", "L/s"),
    ("升/分", "L/min"),
    ("千克", "kg"),
    ("公斤", "kg"),
    ("克", "g"),
    ("吨", "t"),
    ("毫米", "mm"),
    ("厘米", "cm"),
    ("米", "m"),
    ("公里", "km"),
    ("米/秒", "m/s"),
    ("rpm", "/min"),
    ("RPM", "/min"),
    ("转/分", "/min"),
    ("毫秒", "ms"),
    ("秒", "s"),
    ("分钟", "min"),
    ("小时", "h"),
    ("天", "d"),
    ("分贝", "dB"),
    ("勒克斯", "lx"),
];

/// The unit that is named without a doubt: by its code, its symbol, or another word of its own. Case is forgiven (`KWH`)
/// where it makes no other prefix: `MV` is no `mV`.
pub fn named(given: &str) -> Option<Unit> {
    let plain: String = given.trim().replace('\u{3bc}', "µ").replace('\u{2126}', "Ω");
    let given = plain.as_str();
    let is_same = |symbol: &str| {
        let prefix = |word: &str| word.chars().next().filter(|c| matches!(c, 'm' | 'M'));
        symbol.eq_ignore_ascii_case(given) && prefix(symbol) == prefix(given)
    };
    let symbols = || UNITS.iter().filter(|(_, symbol)| !symbol.is_empty());
    let by_word = || WORDS.iter().find(|(word, _)| *word == given).map(|(_, code)| *code);
    let found = unit(given)
        .map(|found| found.code)
        .or_else(|| symbols().find(|(_, symbol)| *symbol == given).map(|(code, _)| *code))
        .or_else(by_word)
        .or_else(|| symbols().find(|(_, symbol)| is_same(symbol)).map(|(code, _)| *code))?;
    unit(found)
}

/// The code that was probably meant: by its symbol (`°C`, `kWh`) or by a slip of the finger. A guess, for a message.
pub fn meant(given: &str) -> Option<&'static str> {
    let by_symbol = || UNITS.iter().find(|(_, s)| !s.is_empty() && s.eq_ignore_ascii_case(given));
    let nearest = || crate::document::nearest(given, UNITS.iter().map(|(code, _)| *code));
    match given {
        "" | "none" => Some("1"),
        // On an electricity meter a kilowatt hour, on a thermometer a degree.
        "度" => None,
        _ => named(given)
            .map(|unit| unit.code)
            .or_else(|| by_symbol().map(|(code, _)| *code))
            .or_else(|| nearest().filter(|_| given.chars().count() > 2)),
    }
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
        assert_eq!(meant("Kwh "), Some("kW.h"));
        for one_character in ["度", "伐", "x"] {
            assert_eq!(meant(one_character), None, "nothing is near enough to a single character");
        }
    }

    #[test]
    fn a_unit_is_named_by_code_symbol_or_word_and_never_guessed() {
        for (given, code) in [
            ("kW.h", "kW.h"),
            ("KWH", "kW.h"),
            ("伏", "V"),
            ("安", "A"),
            ("千瓦", "kW"),
            ("千瓦时", "kW.h"),
            ("摄氏度", "Cel"),
            ("°c", "Cel"),
            ("MPa", "MPa"),
            ("mV", "mV"),
            ("\u{3bc}F", "uF"),
            ("k\u{2126}", "kOhm"),
        ] {
            assert_eq!(named(given).map(|unit| unit.code), Some(code), "{given}");
        }
        for guessed in ["m3s", "kWg", "MV", "mpa", "度", "", "gallon"] {
            assert_eq!(named(guessed), None, "{guessed}");
        }
        for (word, code) in WORDS {
            assert!(unit(code).is_some() && unit(word).is_none(), "{word}");
            assert_eq!(WORDS.iter().filter(|(other, _)| other == word).count(), 1, "{word}");
        }
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
