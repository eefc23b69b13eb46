//! A request and what a device says to it, apart from how either is framed; and how a broken device spoils
//! its answer. The serial line frames it here, Modbus TCP is framed by tokio-modbus (`tcp`).

use std::time::Duration;

use super::rtu::{Answer, with_crc};

/// A read request of functions 1 to 4; other functions carry zeros.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Request {
    pub unit: u8,
    pub function: u8,
    pub address: u16,
    pub count: u16,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Outcome {
    /// The device does not answer, or there is none.
    Nothing,
    /// Modbus exception code.
    Refused(u8),
    Registers(Vec<u16>),
    Bits(Vec<bool>),
}

/// How an answer is spoilt on its way.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Spoilt {
    /// The check sum is wrong; over TCP the transaction id is, as there is no check sum.
    CheckSum,
    /// It ends early; over TCP it is whole, but one register short.
    Short,
    /// It bears another unit id.
    Foreign,
    /// Its byte count is false.
    Count,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Reply {
    pub outcome: Outcome,
    pub spoilt: Option<Spoilt>,
    /// Beyond the device's usual turnaround.
    pub late: Duration,
}

impl Reply {
    pub const NOTHING: Self = Self { outcome: Outcome::Nothing, spoilt: None, late: Duration::ZERO };
}

/// Who answers on a line.
pub trait Answers: Send + Sync {
    fn answer(&self, request: Request) -> Reply;
}

/// How long a device of the simulated room takes before it answers on a serial line.
pub const TURNAROUND: Duration = Duration::from_millis(8);

/// Reads a serial request whose check sum holds.
pub fn from_serial(frame: &[u8]) -> Option<Request> {
    let (&unit, rest) = frame.split_first()?;
    let (&function, rest) = rest.split_first()?;
    // Unit 0 is a broadcast: nobody answers.
    if unit == 0 {
        return None;
    }
    match rest {
        [a, b, c, d, _, _] if (1..=4).contains(&function) => Some(Request {
            unit,
            function,
            address: u16::from_be_bytes([*a, *b]),
            count: u16::from_be_bytes([*c, *d]),
        }),
        _ => Some(Request { unit, function, address: 0, count: 0 }),
    }
}

/// Frames a reply for a serial line.
pub fn to_serial(request: Request, reply: Reply) -> Option<Answer> {
    let mut frame = vec![request.unit];
    frame.extend(match reply.outcome {
        Outcome::Nothing => return None,
        Outcome::Refused(code) => vec![request.function | 0x80, code],
        Outcome::Registers(words) => {
            let mut body = vec![request.function, (words.len() * 2) as u8];
            body.extend(words.iter().flat_map(|w| w.to_be_bytes()));
            body
        }
        Outcome::Bits(bits) => {
            let packed =
                bits.chunks(8).map(|eight| eight.iter().rev().fold(0u8, |b, on| (b << 1) | u8::from(*on)));
            let mut body = vec![request.function, bits.len().div_ceil(8) as u8];
            body.extend(packed);
            body
        }
    });
    match reply.spoilt {
        Some(Spoilt::Foreign) => frame[0] = frame[0] % 247 + 1,
        Some(Spoilt::Count) => {
            if let Some(count) = frame.get_mut(2) {
                *count = count.wrapping_add(2);
            }
        }
        _ => {}
    }
    let mut bytes = with_crc(frame);
    match reply.spoilt {
        Some(Spoilt::CheckSum) => {
            if let Some(last) = bytes.last_mut() {
                *last ^= 0x55;
            }
        }
        Some(Spoilt::Short) => bytes.truncate(bytes.len().saturating_sub(3)),
        _ => {}
    }
    Some(Answer { bytes, turnaround: TURNAROUND + reply.late })
}

/// Spoils a Modbus TCP answer as it stands on the wire: header of seven bytes, function, byte count, data.
pub fn spoil_tcp(frame: &[u8], how: Spoilt) -> Vec<u8> {
    let mut bytes = frame.to_vec();
    match (how, bytes.as_mut_slice()) {
        (Spoilt::CheckSum, [_, low, ..]) => *low = low.wrapping_add(0x5a),
        (Spoilt::Foreign, [_, _, _, _, _, _, unit, ..]) => *unit = *unit % 247 + 1,
        (Spoilt::Count, [_, _, _, _, _, _, _, _, count, _, ..]) => *count = count.wrapping_add(2),
        (Spoilt::Short, [_, _, _, _, _, length, _, function, count, _, _, ..]) if *function < 0x80 => {
            *length -= 2;
            *count -= 2;
            bytes.truncate(frame.len() - 2);
        }
        _ => {}
    }
    bytes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn reply(outcome: Outcome, spoilt: Option<Spoilt>) -> Reply {
        Reply { outcome, spoilt, late: Duration::ZERO }
    }

    #[test]
    fn the_example_of_the_specification_is_answered_as_it_stands_there() {
        // MODBUS Application Protocol V1.1b3, 6.3: registers 108 to 110 hold 02 2B, 00 00, 00 64.
        let frame = with_crc(vec![0x11, 0x03, 0x00, 0x6b, 0x00, 0x03]);
        let request = from_serial(&frame).unwrap();
        assert_eq!(request, Request { unit: 0x11, function: 3, address: 107, count: 3 });
        let answer = to_serial(request, reply(Outcome::Registers(vec![0x022b, 0, 0x64]), None)).unwrap();
        assert_eq!(answer.bytes[..9], [0x11, 0x03, 0x06, 0x02, 0x2b, 0x00, 0x00, 0x00, 0x64]);
        // 6.1: coils 20 to 38 read CD 6B 05.
        let bits: Vec<bool> = (0..19).map(|i| (0x05_6bcd_u32 >> i) & 1 == 1).collect();
        let request = Request { unit: 0x11, function: 1, address: 19, count: 19 };
        let answer = to_serial(request, reply(Outcome::Bits(bits), None)).unwrap();
        assert_eq!(answer.bytes[..6], [0x11, 0x01, 0x03, 0xcd, 0x6b, 0x05]);
    }

    #[test]
    fn a_spoilt_answer_is_spoilt_in_one_way_only() {
        let request = Request { unit: 5, function: 3, address: 0, count: 2 };
        let whole = to_serial(request, reply(Outcome::Registers(vec![1, 2]), None)).unwrap().bytes;
        let spoil = |how| to_serial(request, reply(Outcome::Registers(vec![1, 2]), Some(how))).unwrap().bytes;
        assert_eq!(spoil(Spoilt::CheckSum)[..7], whole[..7]);
        assert_ne!(spoil(Spoilt::CheckSum), whole);
        assert_eq!(spoil(Spoilt::Short), whole[..6]);
        assert_eq!(spoil(Spoilt::Foreign)[..7], with_crc(vec![6, 3, 4, 0, 1, 0, 2])[..7]);
        assert_eq!(spoil(Spoilt::Count), with_crc(vec![5, 3, 6, 0, 1, 0, 2]));
        assert_eq!(to_serial(request, reply(Outcome::Nothing, None)), None);
    }

    #[test]
    fn a_short_answer_over_tcp_is_whole_but_lacks_a_register() {
        let frame = [0, 9, 0, 0, 0, 7, 5, 3, 4, 0, 1, 0, 2];
        assert_eq!(spoil_tcp(&frame, Spoilt::Short), [0, 9, 0, 0, 0, 5, 5, 3, 2, 0, 1]);
        assert_eq!(spoil_tcp(&frame, Spoilt::Foreign)[6], 6);
        assert_eq!(spoil_tcp(&frame, Spoilt::Count)[8], 6);
        assert_eq!(spoil_tcp(&frame, Spoilt::CheckSum)[1], 0x63);
    }
}
