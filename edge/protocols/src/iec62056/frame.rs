//! The messages: sign-on, identification, acknowledgement, and the block of data with its check character. All are ASCII
//! in seven bits.

use super::address::Address;

pub(super) const STX: u8 = 0x02;
pub(super) const ETX: u8 = 0x03;
const ACK: u8 = 0x06;
const START: u8 = b'/';
/// What stands behind the start of a request and never behind that of an identification.
const ASKS: u8 = b'?';
pub(super) const END: &[u8] = b"\r\n";
/// The longest identification: start, maker, rate, sixteen characters and their marks, end.
pub(super) const LONGEST_IDENTIFICATION: usize = 32;

/// How a meter goes on after its identification.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mode {
    /// At once and at the same rate.
    A,
    /// By itself at another rate.
    B { baud: u32 },
    /// After an acknowledgement, at another rate if that asks for it.
    C { offered: u32, code: u8 },
}

/// What a meter says that it is: `/LGZ4ZMF100AC.M26`.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Identification {
    /// Without start and end.
    pub text: String,
    pub mode: Mode,
}

impl Identification {
    fn of(text: &[u8]) -> Self {
        let code = text.get(3).copied().unwrap_or_default();
        let rate = |steps: u8| 300 << u32::from(steps);
        let mode = match code {
            b'0'..=b'6' => Mode::C { offered: rate(code - b'0'), code },
            b'A'..=b'F' => Mode::B { baud: rate(code - b'A' + 1) },
            _ => Mode::A,
        };
        Self { text: String::from_utf8_lossy(text).into_owned(), mode }
    }

    /// The first identification among what came, and the place behind it.
    pub fn find(came: &[u8]) -> Option<(Self, usize)> {
        let mut from = 0;
        loop {
            let rest = came.get(from..)?;
            let start = from + rest.iter().position(|byte| *byte == START)? + 1;
            let behind = came.get(start..)?;
            let len = behind.windows(END.len()).position(|pair| pair == END)?;
            let text = behind.get(..len)?;
            let plain = text.iter().all(|byte| byte.is_ascii_graphic() || *byte == b' ');
            if text.first() != Some(&ASKS) && text.len() >= 4 && plain && !text.contains(&START) {
                return Some((Self::of(text), start + len + END.len()));
            }
            from = start;
        }
    }
}

/// `/?!` with an address between, behind what wakes a meter.
pub fn sign_on(address: &Address, wake_up: u8) -> Vec<u8> {
    let mut bytes = vec![0; usize::from(wake_up)];
    bytes.extend(format!("/?{}!\r\n", address.as_str()).bytes());
    bytes
}

/// Normal protocol, the rate, data readout.
pub fn acknowledgement(code: u8) -> Vec<u8> {
    vec![ACK, b'0', code, b'0', b'\r', b'\n']
}

/// The exclusive or of all behind STX to ETX.
pub fn check_character(behind_stx: &[u8]) -> u8 {
    behind_stx.iter().fold(0, |check, byte| check ^ byte)
}

/// What a block of data among bytes is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Block<'a> {
    /// Not whole.
    Begins,
    Nothing,
    Damaged,
    /// What stands between STX and ETX, and the place behind the check character.
    Whole(&'a [u8], usize),
}

pub fn block(came: &[u8]) -> Block<'_> {
    let Some(start) = came.iter().position(|byte| *byte == STX) else { return Block::Nothing };
    let behind = came.get(start + 1..).unwrap_or_default();
    let Some(etx) = behind.iter().position(|byte| *byte == ETX) else { return Block::Begins };
    match (behind.get(..=etx), behind.get(etx + 1)) {
        (Some(checked), Some(stated)) if check_character(checked) == *stated => {
            Block::Whole(behind.get(..etx).unwrap_or_default(), start + etx + 3)
        }
        (_, Some(_)) => Block::Damaged,
        (_, None) => Block::Begins,
    }
}

/// One of the messages, as who overhears a line tells them apart.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Message {
    /// With the address that is asked, empty for anybody.
    SignOn(String),
    Identification,
    /// Which rate and which way to go on.
    Acknowledgement,
    /// A block whose check character holds.
    Block,
}

/// The message that begins at the first of the bytes, and its length.
pub fn message_at(bytes: &[u8]) -> Option<(Message, usize)> {
    match bytes {
        [START, ASKS, rest @ ..] => {
            let len = rest.iter().take(40).position(|byte| *byte == b'!')?;
            let address = std::str::from_utf8(rest.get(..len)?).ok()?;
            let _: Address = address.parse().ok()?;
            let is_ended = rest.get(len + 1..)?.starts_with(END);
            is_ended.then(|| (Message::SignOn(address.to_owned()), len + 5))
        }
        [START, ..] => {
            let (found, end) = Identification::find(bytes.get(..LONGEST_IDENTIFICATION.min(bytes.len()))?)?;
            (end == found.text.len() + 3).then_some((Message::Identification, end))
        }
        [ACK, _, _, _, b'\r', b'\n', ..] => Some((Message::Acknowledgement, 6)),
        [STX, ..] => match block(bytes) {
            Block::Whole(_, end) => Some((Message::Block, end)),
            Block::Begins | Block::Nothing | Block::Damaged => None,
        },
        _ => None,
    }
}
