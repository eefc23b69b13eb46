//! Registers of any device, without a profile: each as it stands, and what two together may mean.

use serde_json::json;
use steward_protocols::modbus::{Request, Response, exchange};

use super::super::out::Out;
use super::super::text::device as text;
use super::reach::why;
use super::words::RegisterWords;
use crate::lend::Reach;

/// One address and its contents.
pub type Cell = (u16, u16);

/// Asks once, in as many questions as the standard needs.
pub async fn read_registers(reach: &mut Reach, words: &RegisterWords, out: Out) -> Result<Vec<Cell>, String> {
    let table = words.table.table();
    let most = if table.is_bits() { Request::MAX_BITS } else { Request::MAX_REGISTERS };
    let mut cells = Vec::new();
    let mut from = u32::from(words.from);
    let end = from + u32::from(words.count);
    while from < end {
        let count = (end - from).min(u32::from(most)) as u16;
        let start = u16::try_from(from).map_err(|_| text::past_the_end(out.lang))?;
        let request = Request::new(words.address, table, start, count).map_err(|e| e.to_string())?;
        let asked = reach.ask_unknown(exchange(request, reach.framing), None, None).await;
        let reply = asked.map_err(|failure| why(reach, &failure, out))?;
        let contents = reply.map_err(|refusal| text::refused(out.lang, &refusal))?;
        let values: Vec<u16> = match Response::of(table, count, &contents) {
            Response::Bits(bits) => bits.into_iter().map(u16::from).collect(),
            Response::Registers(registers) => registers,
        };
        cells.extend((start..).zip(values));
        from += u32::from(count);
    }
    Ok(cells)
}

/// One line for each address.
pub fn lines(cells: &[Cell], is_bits: bool) -> Vec<(String, String)> {
    let line = |(i, (address, word)): (usize, &Cell)| {
        let text = if is_bits {
            format!("{address:>5}  {word}")
        } else {
            let characters: String = word
                .to_be_bytes()
                .iter()
                .map(|b| if b.is_ascii_graphic() || *b == b' ' { char::from(*b) } else { '.' })
                .collect();
            let pair = cells.get(i + 1).map_or_else(String::new, |(_, low)| {
                let bits = u32::from(*word) << 16 | u32::from(*low);
                format!("  u32 {bits:<10}  f32 {}", float(bits))
            });
            format!("{address:>5}  {word:04X}  {word:>5}  {:>6}  {characters}{pair}", *word as i16)
        };
        (address.to_string(), text)
    };
    cells.iter().enumerate().map(line).collect()
}

/// A float as far as a person would believe it.
fn float(bits: u32) -> String {
    let number = f32::from_bits(bits);
    let believable = number == 0.0 || (number.is_finite() && (1e-6..1e12).contains(&number.abs()));
    if believable { format!("{number}") } else { "-".to_owned() }
}

pub fn json(words: &RegisterWords, (address, value): Cell) -> serde_json::Value {
    json!({
        "address": words.address,
        "table": words.table.table().word(),
        "register": address,
        "value": value,
    })
}
