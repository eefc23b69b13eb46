//! `steward-edge orders`: which type, order and scale make the registers say what the display shows, and the lines to
//! paste into a profile.

use std::ffi::OsString;

use serde_json::json;
use steward_protocols::modbus::orders::{Candidate, Shown, rank};
use steward_protocols::question::Address;
use steward_shared::profile::{DataType, Decimal, Order, Table};
use steward_shared::unit;
use tokio::time::sleep;

use super::super::out::Out;
use super::super::text::{Lang, orders as text};
use super::place::Place;
use super::reach::by_file;
use super::registers::read_registers;
use super::words::OrdersWords;
use crate::lend::Reach;

/// As many of each are shown.
const TOLD: usize = 3;

pub async fn orders(words: OrdersWords, out: Out) -> Result<(), String> {
    let shown: Vec<(Option<String>, Shown)> =
        words.shown.iter().map(|given| understood(given, out)).collect::<Result<_, _>>()?;
    let samples = match &words.words {
        Some(bytes) => vec![registers_of(bytes, out)?],
        None => sampled(&words, out).await?,
    };
    let wanted: Vec<Shown> = shown.iter().map(|(_, s)| s.clone()).collect();
    let ranked = rank(words.read.from, &samples, &wanted);
    let mut toml = Vec::new();
    for (i, ((name, shown), candidates)) in shown.iter().zip(&ranked).enumerate() {
        let name = name.clone().unwrap_or_else(|| usual_name(shown, i));
        out.text(text::head(out.lang, &name, &format!("{:.*}", usize::from(shown.decimals), shown.value)));
        if candidates.is_empty() {
            out.text(text::none(out.lang));
        }
        for candidate in candidates.iter().take(TOLD) {
            out.text(line(candidate, out.lang));
            out.value(&value(&name, candidate));
        }
        if let Some(best) = candidates.first() {
            toml.push(lines(&name, words.read.table.table(), shown, best));
        }
    }
    if toml.is_empty() {
        return Err(text::nothing_agrees(out.lang));
    }
    out.text(format!("\n{}\n", text::paste(out.lang)));
    for lines in toml {
        out.text(lines);
    }
    Ok(())
}

/// A shown value below zero, `-5.5°C`, looks like an option, of which none begins with a digit: it gets a minus sign that
/// does not. What looks like an option everywhere is no way out, for then those behind a value would be values too.
pub fn with_minus(words: Vec<OsString>) -> Vec<OsString> {
    let is_orders = words.iter().any(|word| word == "orders");
    let below_zero = |word: OsString| {
        let number = word.to_str().filter(|_| is_orders).and_then(|word| word.strip_prefix('-'));
        match number.filter(|number| number.starts_with(|c: char| c.is_ascii_digit() || c == '.')) {
            Some(number) => format!("{MINUS}{number}").into(),
            None => word,
        }
    };
    words.into_iter().map(below_zero).collect()
}

/// The typographic one, U+2212, as copied texts have it.
const MINUS: char = '\u{2212}';

/// `230.4V`, `power=1.52kW`, `-3.1 Cel`, `49.98`.
fn understood(given: &str, out: Out) -> Result<(Option<String>, Shown), String> {
    let given = given.replace(MINUS, "-");
    let given = given.as_str();
    let wrong = || text::not_shown(out.lang, given);
    let (name, rest) = match given.split_once('=') {
        Some((name, rest)) => (Some(name.trim().to_owned()), rest.trim()),
        None => (None, given.trim()),
    };
    let is_key = |n: &String| {
        !n.is_empty() && n.chars().all(|c| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-')
    };
    if name.as_ref().is_some_and(|n| !is_key(n)) {
        return Err(wrong());
    }
    let end = rest.find(|c: char| !c.is_ascii_digit() && !matches!(c, '.' | '-' | '+')).unwrap_or(rest.len());
    let (number, symbol) = rest.split_at(end);
    let value = number.parse::<f64>().map_err(|_| wrong())?;
    if value == 0.0 {
        return Err(text::zero(out.lang, given));
    }
    let decimals = number.split_once('.').map_or(0, |(_, behind)| behind.len().min(9) as u8);
    let symbol = symbol.trim();
    let unit = match symbol {
        "" => None,
        "pf" | "PF" | "1" => Some("1".to_owned()),
        "度" => return Err(text::two_units(out.lang, given)),
        symbol => {
            let unit = unit::named(symbol).ok_or_else(|| match unit::meant(symbol) {
                Some(meant) => text::no_unit_but(out.lang, symbol, unit::symbol(meant)),
                None => text::no_unit(out.lang, symbol),
            })?;
            Some(unit.code.to_owned())
        }
    };
    Ok((name, Shown { value, decimals, unit }))
}

/// `43 66 33 34`, `43663334`.
fn registers_of(bytes: &str, out: Out) -> Result<Vec<u16>, String> {
    let digits: String = bytes.chars().filter(|c| !c.is_whitespace()).collect();
    if digits.is_empty() || !digits.is_ascii() || !digits.len().is_multiple_of(4) {
        return Err(text::no_registers(out.lang, bytes));
    }
    let four = |at: usize| digits.get(at..at + 4).and_then(|hex| u16::from_str_radix(hex, 16).ok());
    let registers: Option<Vec<u16>> = (0..digits.len()).step_by(4).map(four).collect();
    registers.ok_or_else(|| text::no_registers(out.lang, bytes))
}

async fn sampled(words: &OrdersWords, out: Out) -> Result<Vec<Vec<u16>>, String> {
    let place = match (&words.device, words.read.line.config()) {
        (Some(device), _) => Some(Place::find(&words.config, device, out)?),
        (None, Some(_)) => None,
        (None, None) => return Err(text::from_where(out.lang)),
    };
    let mut samples = Vec::new();
    for i in 0..words.samples {
        if i > 0 {
            sleep(words.every).await;
        }
        let mut read = words.read.clone();
        let mut reach = match (&place, read.line.config()) {
            (Some(place), _) => {
                let Address::Modbus(unit) = place.device().address else {
                    return Err(text::not_modbus(out.lang));
                };
                read.address = unit;
                by_file(&place.config, place.line(), out).await?
            }
            (None, Some(line)) => Reach::by_hand(&line),
            (None, None) => return Err(text::from_where(out.lang)),
        };
        let cells = read_registers(&mut reach, &read, out).await?;
        samples.push(cells.into_iter().map(|(_, word)| word).collect());
        out.progress(text::sampled(out.lang, i + 1, words.samples));
    }
    out.progress_over();
    Ok(samples)
}

fn usual_name(shown: &Shown, i: usize) -> String {
    let word = match shown.unit.as_deref() {
        Some("V" | "kV") => "voltage",
        Some("A" | "mA") => "current",
        Some("W" | "kW" | "MW") => "active-power",
        Some("Hz") => "frequency",
        Some("W.h" | "kW.h" | "MW.h") => "energy",
        Some("Cel") => "temperature",
        Some("m3") => "volume",
        Some("1") => "power-factor",
        _ => return format!("value-{}", i + 1),
    };
    word.to_owned()
}

fn data_word(data: DataType) -> String {
    format!("{data:?}").to_lowercase()
}

const fn order_word(order: Order) -> &'static str {
    match (order.low_word_first, order.low_byte_first) {
        (false, false) => "abcd",
        (true, false) => "cdab",
        (false, true) => "badc",
        (true, true) => "dcba",
    }
}

fn line(c: &Candidate, lang: Lang) -> String {
    let why: Vec<_> = c.why.iter().map(|why| text::why(lang, *why)).collect();
    let why = why.join(lang.pick("，", ", "));
    format!(
        "  {:>3.0}  {:>5}  {:5} {}  × {:<6} = {}   {why}",
        c.score.clamp(0.0, 100.0),
        c.address,
        data_word(c.data),
        order_word(c.order),
        c.scale.to_string(),
        rounded(c.value),
    )
}

/// Seven digits are what a float32 holds.
fn rounded(value: f64) -> f64 {
    format!("{value:.6e}").parse().unwrap_or(value)
}

fn value(name: &str, c: &Candidate) -> serde_json::Value {
    json!({
        "name": name,
        "score": c.score,
        "address": c.address,
        "type": data_word(c.data),
        "order": order_word(c.order),
        "scale": c.scale.to_string(),
        "value": c.value,
        "why": c.why.iter().map(|w| format!("{w:?}").to_lowercase()).collect::<Vec<_>>(),
    })
}

/// The point as a profile has it.
fn lines(name: &str, table: Table, shown: &Shown, c: &Candidate) -> String {
    let unit = shown.unit.as_deref().unwrap_or("1");
    let order =
        if c.order == Order::ABCD { String::new() } else { format!("order = \"{}\"\n", order_word(c.order)) };
    let scale = if c.scale == Decimal::ONE { String::new() } else { format!("scale = {}\n", c.scale) };
    let kind = if matches!(unit, "W.h" | "kW.h" | "MW.h" | "m3") { "kind = \"counter\"\n" } else { "" };
    format!(
        "[[point]]\nkey = \"{name}\"\ntitle = {{ zh = \"{name}\", en = \"{name}\" }}\ntable = \"{}\"\naddress = {}\n\
         type = \"{}\"\n{order}{scale}unit = \"{unit}\"\n{kind}",
        table.word(),
        c.address,
        data_word(c.data)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    const OUT: Out = Out::new(Lang::En, false);

    #[test]
    fn a_shown_value_is_understood_with_its_digits_and_unit() {
        let read = |given: &str| understood(given, OUT).map(|(n, s)| (n, s.value, s.decimals, s.unit));
        assert_eq!(read("230.4V"), Ok((None, 230.4, 1, Some("V".to_owned()))));
        assert_eq!(read("power=-1.520 kW"), Ok((Some("power".to_owned()), -1.52, 3, Some("kW".to_owned()))));
        assert_eq!(read("1234kWh").unwrap().3.as_deref(), Some("kW.h"));
        assert_eq!(read("0.95pf").unwrap().3.as_deref(), Some("1"));
        assert_eq!(read("23.5伏").unwrap().3.as_deref(), Some("V"));
        assert_eq!(read("-5.5℃"), Ok((None, -5.5, 1, Some("Cel".to_owned()))));
        assert_eq!(read("\u{2212}5.5°C"), Ok((None, -5.5, 1, Some("Cel".to_owned()))));
        assert_eq!(read("50"), Ok((None, 50.0, 0, None)));
        for (wrong, told) in [
            ("abc", "no shown value"),
            ("0.0V", "zero"),
            ("5furlong", "furlong"),
            ("A B=5V", "no shown value"),
            ("5m3s", "did you mean m/s?"),
            ("23.5度", "write 23.5°C or 23.5kWh"),
        ] {
            assert!(read(wrong).unwrap_err().contains(told), "{wrong}: {:?}", read(wrong));
        }
        assert_eq!(registers_of("43 66 3334", OUT), Ok(vec![0x4366, 0x3334]));
        assert!(registers_of("43 6", OUT).is_err() && registers_of("xxxx", OUT).is_err());
    }

    #[test]
    fn the_lines_to_paste_are_a_point_of_a_profile() {
        let shown = Shown { value: 1234.56, decimals: 2, unit: Some("kW.h".to_owned()) };
        let best = rank(10, &[vec![0xE240, 0x0001]], std::slice::from_ref(&shown)).remove(0).remove(0);
        let point = lines("energy", Table::Input, &shown, &best);
        let head = "vendor = \"A\"\nmodel = \"M\"\ntitle = { zh = \"表\", en = \"M\" }\nsource = [\"x\"]\n";
        let profile = steward_shared::profile::Profile::parse("a/m.toml", &format!("{head}{point}")).unwrap();
        let register = profile.points[0].register().unwrap();
        assert_eq!((register.address, register.data, register.order), (10, DataType::U32, Order::CDAB));
    }
}
