//! From registers to values and back. Decoding is what the product stands on; encoding serves simulators, and
//! no test of decoding relies on it.

use steward_shared::profile::{DataType, Order, PointDef, Register};
use steward_shared::reading::{Quality, Value};
use steward_shared::wire::message::PointKind;

use super::pdu::Response;

/// The value of `point` in `response`, where it begins `offset` addresses behind the first one.
/// A response that does not reach so far gives `BadReply`.
pub fn decode(point: &PointDef, response: &Response, offset: usize) -> (Option<Value>, Quality) {
    let Some(register) = point.register() else { return (None, Quality::BadReply) };
    match response {
        Response::Bits(bits) => match bits.get(offset) {
            Some(bit) => (Some(Value::Number(f64::from(u8::from(*bit)))), Quality::Good),
            None => (None, Quality::BadReply),
        },
        Response::Registers(registers) => {
            match registers.get(offset..).and_then(|r| r.get(..usize::from(register.data.width()))) {
                Some(words) => from_words(point, *register, words),
                None => (None, Quality::BadReply),
            }
        }
    }
}

fn from_words(point: &PointDef, register: Register, words: &[u16]) -> (Option<Value>, Quality) {
    if let DataType::Text { .. } = register.data {
        return text(words, register.order);
    }
    let raw = raw(words, register.order);
    let raw = match register.data {
        DataType::Bit { n } => raw >> n & 1,
        DataType::Bits { from, len } => raw >> from & ((1 << len) - 1),
        _ => raw,
    };
    if point.sentinels.contains(&raw) {
        return (None, Quality::NoValue);
    }
    if point.kind == PointKind::Flag && raw > 1 {
        return (None, Quality::Undecodable);
    }
    let whole = |raw: i128| Some(point.scale.apply(raw, point.offset));
    let float = |f: f64| f.is_finite().then(|| f * point.scale.as_f64() + point.offset.as_f64());
    let number = match register.data {
        DataType::U16 | DataType::U32 | DataType::U64 | DataType::Bit { .. } | DataType::Bits { .. } => {
            whole(i128::from(raw))
        }
        DataType::I16 => whole(i128::from(raw as u16 as i16)),
        DataType::I32 => whole(i128::from(raw as u32 as i32)),
        DataType::I64 => whole(i128::from(raw as i64)),
        DataType::F32 => float(f64::from(f32::from_bits(raw as u32))),
        DataType::F64 => float(f64::from_bits(raw)),
        DataType::Bcd16 => bcd(raw, 4).and_then(whole),
        DataType::Bcd32 => bcd(raw, 8).and_then(whole),
        DataType::Text { .. } => None,
    };
    match number.filter(|n| n.is_finite()) {
        Some(number) => (Some(Value::Number(number)), Quality::Good),
        None => (None, Quality::Undecodable),
    }
}

/// The bits of at most four registers, the first the highest once they are in order.
fn raw(words: &[u16], order: Order) -> u64 {
    let fold = |raw: u64, word: &u16| raw << 16 | u64::from(in_order(*word, order));
    if order.low_word_first { words.iter().rev().fold(0, fold) } else { words.iter().fold(0, fold) }
}

fn in_order(word: u16, order: Order) -> u16 {
    if order.low_byte_first { word.swap_bytes() } else { word }
}

/// Decimal digits in nibbles; none when a nibble is above nine.
fn bcd(raw: u64, digits: u32) -> Option<i128> {
    (0..digits).rev().try_fold(0, |number, i| {
        let digit = raw >> (4 * i) & 0xF;
        (digit <= 9).then_some(number * 10 + i128::from(digit))
    })
}

/// Characters up to the first NUL, without the blanks at the end. Words stand in reading order always. Nothing but
/// NUL is no text: so devices fill what they do not have.
fn text(words: &[u16], order: Order) -> (Option<Value>, Quality) {
    if words.iter().all(|w| *w == 0) {
        return (None, Quality::NoValue);
    }
    let mut bytes: Vec<u8> = words.iter().flat_map(|w| in_order(*w, order).to_be_bytes()).collect();
    if let Some(end) = bytes.iter().position(|b| *b == 0) {
        bytes.truncate(end);
    }
    match String::from_utf8(bytes) {
        Ok(text) if text.chars().any(char::is_control) => (None, Quality::Undecodable),
        Ok(text) => (Some(Value::Text(text.trim_end().to_owned())), Quality::Good),
        Err(_) => (None, Quality::Undecodable),
    }
}

/// A value that does not fit its registers.
#[derive(Clone, Debug, PartialEq, thiserror::Error)]
pub enum EncodeFault {
    #[error("{value} does not fit {data:?} with its scale")]
    Range { value: f64, data: DataType },
    #[error("a {got} cannot be put into {data:?}")]
    Kind { got: &'static str, data: DataType },
    #[error("the point has no sentinel that means \"no value\"")]
    NoSentinel,
    #[error("{got} registers were given for {wanted}")]
    Room { wanted: usize, got: usize },
    #[error("the point stands in no register")]
    Place,
}

/// The registers that decode to `value` (nearest, where the scale rounds). A coil is one register, 0 or 1.
pub fn encode(point: &PointDef, value: Option<&Value>) -> Result<Vec<u16>, EncodeFault> {
    let register = point.register().ok_or(EncodeFault::Place)?;
    let mut registers = vec![0; usize::from(register.data.width())];
    encode_into(point, value, &mut registers)?;
    Ok(registers)
}

/// Puts a value into its registers; a bit or bit field leaves the other bits alone. `None` writes the first
/// sentinel.
pub fn encode_into(
    point: &PointDef,
    value: Option<&Value>,
    registers: &mut [u16],
) -> Result<(), EncodeFault> {
    let Register { data, order, .. } = *point.register().ok_or(EncodeFault::Place)?;
    let wanted = usize::from(data.width());
    if registers.len() != wanted {
        return Err(EncodeFault::Room { wanted, got: registers.len() });
    }
    let bits = match (data, value) {
        (_, None) => *point.sentinels.first().ok_or(EncodeFault::NoSentinel)?,
        (DataType::Text { .. }, Some(Value::Text(text))) => {
            put_text(text, order, registers);
            return Ok(());
        }
        (DataType::Text { .. }, Some(Value::Number(_))) => {
            return Err(EncodeFault::Kind { got: "number", data });
        }
        (_, Some(Value::Text(_))) => return Err(EncodeFault::Kind { got: "text", data }),
        (_, Some(Value::Number(number))) => bits_of(point, data, *number)?,
    };
    let (bits, mask) = match data {
        DataType::Bit { n } => (bits << n, 1 << n),
        DataType::Bits { from, len } => (bits << from, ((1_u64 << len) - 1) << from),
        _ => (bits, u64::MAX),
    };
    for (i, register) in registers.iter_mut().enumerate() {
        let place = if order.low_word_first { i } else { wanted - 1 - i };
        let (word, keep) = ((bits >> (16 * place)) as u16, !((mask >> (16 * place)) as u16));
        *register = (*register & in_order(keep, order)) | in_order(word, order);
    }
    Ok(())
}

fn bits_of(point: &PointDef, data: DataType, value: f64) -> Result<u64, EncodeFault> {
    let range = || EncodeFault::Range { value, data };
    let unscaled = (value - point.offset.as_f64()) / point.scale.as_f64();
    match data {
        DataType::F32 => return Ok(u64::from((unscaled as f32).to_bits())),
        DataType::F64 => return Ok(unscaled.to_bits()),
        _ => {}
    }
    let raw = point.scale.solve(value, point.offset).ok_or_else(range)?;
    let fits =
        |low: i128, high: i128| if (low..=high).contains(&raw) { Ok(raw as u64) } else { Err(range()) };
    let digits = |count: u32| {
        let number = fits(0, 10_i128.pow(count) - 1)?;
        Ok((0..count).fold(0, |bits, i| bits | (number / 10_u64.pow(i) % 10) << (4 * i)))
    };
    match data {
        DataType::U16 => fits(0, i128::from(u16::MAX)),
        DataType::I16 => fits(i128::from(i16::MIN), i128::from(i16::MAX)),
        DataType::U32 => fits(0, i128::from(u32::MAX)),
        DataType::I32 => fits(i128::from(i32::MIN), i128::from(i32::MAX)),
        DataType::U64 => fits(0, i128::from(u64::MAX)),
        DataType::I64 => fits(i128::from(i64::MIN), i128::from(i64::MAX)),
        DataType::Bcd16 => digits(4),
        DataType::Bcd32 => digits(8),
        DataType::Bit { .. } => fits(0, 1),
        DataType::Bits { len, .. } => fits(0, (1 << len) - 1),
        DataType::F32 | DataType::F64 | DataType::Text { .. } => Err(range()),
    }
}

fn put_text(text: &str, order: Order, registers: &mut [u16]) {
    let mut bytes = text.bytes();
    for register in registers {
        let pair = [bytes.next().unwrap_or(0), bytes.next().unwrap_or(0)];
        *register = in_order(u16::from_be_bytes(pair), order);
    }
}
