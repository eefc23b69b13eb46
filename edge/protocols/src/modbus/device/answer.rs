//! A request and what a device says to it, apart from how either is framed; and how a broken device spoils
//! its answer. Whoever simulates a device calls it.

use std::sync::Arc;
use std::time::Duration;

use crate::far_end::{Answer, Heard, Station};
use crate::modbus::crc::crc_holds;
use crate::modbus::{Change, Write, with_crc};

/// A read request of functions 1 to 4; other functions carry zeros.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asked {
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
    /// It is written: the answer repeats what was asked.
    Done,
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
    /// A second device with the same address answers as well, so much later.
    pub again: Option<Duration>,
}

impl Reply {
    pub const NOTHING: Self = Self::of(Outcome::Nothing);

    /// In time and whole.
    pub const fn of(outcome: Outcome) -> Self {
        Self { outcome, spoilt: None, late: Duration::ZERO, again: None }
    }
}

/// Who answers on a line.
pub trait Answers: Send + Sync {
    fn answer(&self, asked: Asked) -> Reply;

    /// What a device says that is to be written to. Unit 0 is every device of a serial line, and none answers then.
    /// Who does not say otherwise knows no function that writes.
    fn change(&self, _unit: u8, _change: &Change) -> Reply {
        Reply::of(Outcome::Refused(1))
    }
}

impl<D: Answers + ?Sized> Answers for Arc<D> {
    fn answer(&self, asked: Asked) -> Reply {
        self.as_ref().answer(asked)
    }

    fn change(&self, unit: u8, change: &Change) -> Reply {
        self.as_ref().change(unit, change)
    }
}

/// What devices say to one request.
pub(super) fn reply(devices: &(impl Answers + ?Sized), unit: u8, pdu: &[u8]) -> Reply {
    let [function, rest @ ..] = pdu else { return Reply::NOTHING };
    if !Write::FUNCTIONS.contains(function) {
        return devices.answer(asked(unit, *function, rest));
    }
    match Write::of(unit, pdu) {
        Some(write) => devices.change(unit, write.change()),
        // Somebody is there: whether it takes the value is another question.
        None if devices.answer(asked(unit, *function, rest)).outcome == Outcome::Nothing => Reply::NOTHING,
        None => Reply::of(Outcome::Refused(3)),
    }
}

/// Reads a serial frame: a request, or that nobody is asked (unit 0 is a broadcast). None when the check sum does not
/// hold.
pub fn from_serial(frame: &[u8]) -> Option<Option<Asked>> {
    let (body, [_, _]) = frame.split_last_chunk::<2>()?;
    if body.len() < 2 || !crc_holds(frame) {
        return None;
    }
    let [unit, function, rest @ ..] = body else { return None };
    Some((*unit != 0).then(|| asked(*unit, *function, rest)))
}

fn asked(unit: u8, function: u8, rest: &[u8]) -> Asked {
    match rest {
        [a, b, c, d] if (1..=4).contains(&function) => {
            let (address, count) = (u16::from_be_bytes([*a, *b]), u16::from_be_bytes([*c, *d]));
            Asked { unit, function, address, count }
        }
        _ => Asked { unit, function, address: 0, count: 0 },
    }
}

/// What devices with this turnaround say on a serial line to a frame that they heard.
pub fn to_serial(frame: &[u8], turnaround: Duration, devices: &(impl Answers + ?Sized)) -> Heard {
    let Some(asked) = from_serial(frame) else { return Heard::Broken };
    let Some(([unit, pdu @ ..], _)) = frame.split_last_chunk::<2>() else { return Heard::Broken };
    if asked.is_none() && !pdu.first().is_some_and(|function| Write::FUNCTIONS.contains(function)) {
        return Heard::Nobody;
    }
    let reply = reply(devices, *unit, pdu);
    match serial_body(*unit, pdu, &reply) {
        Some(body) if *unit != 0 => Heard::Answered(answers(serial_bytes(body, &reply), turnaround, &reply)),
        _ => Heard::Nobody,
    }
}

/// Devices on a serial line, each of which begins to answer so long after the request.
pub struct OnSerial<D> {
    pub devices: D,
    pub turnaround: Duration,
}

impl<D: Answers> Station for OnSerial<D> {
    fn hear(&self, frame: &[u8]) -> Heard {
        to_serial(frame, self.turnaround, &self.devices)
    }
}

/// Function and what follows; none where nobody answers.
pub(super) fn answer_pdu(request: &[u8], outcome: &Outcome) -> Option<Vec<u8>> {
    let function = *request.first()?;
    Some(match outcome {
        Outcome::Nothing => return None,
        Outcome::Refused(code) => vec![function | 0x80, *code],
        // Address and value, or address and count.
        Outcome::Done => request.iter().copied().take(if function == 22 { 7 } else { 5 }).collect(),
        Outcome::Registers(words) => {
            let mut body = vec![function, (words.len() * 2) as u8];
            body.extend(words.iter().flat_map(|w| w.to_be_bytes()));
            body
        }
        Outcome::Bits(bits) => {
            let packed =
                bits.chunks(8).map(|eight| eight.iter().rev().fold(0u8, |b, on| (b << 1) | u8::from(*on)));
            let mut body = vec![function, bits.len().div_ceil(8) as u8];
            body.extend(packed);
            body
        }
    })
}

/// Unit and what it says, as far as it is spoilt there.
pub(super) fn serial_body(unit: u8, request: &[u8], reply: &Reply) -> Option<Vec<u8>> {
    let mut body = vec![unit];
    body.extend(answer_pdu(request, &reply.outcome)?);
    match (reply.spoilt, body.as_mut_slice()) {
        (Some(Spoilt::Foreign), [unit, ..]) => *unit = *unit % 247 + 1,
        (Some(Spoilt::Count), [_, _, count, ..]) => *count = count.wrapping_add(2),
        _ => {}
    }
    Some(body)
}

fn serial_bytes(body: Vec<u8>, reply: &Reply) -> Vec<u8> {
    let mut bytes = with_crc(body);
    match reply.spoilt {
        Some(Spoilt::CheckSum) => {
            if let Some(last) = bytes.last_mut() {
                *last ^= 0x55;
            }
        }
        Some(Spoilt::Short) => bytes.truncate(bytes.len().saturating_sub(3)),
        _ => {}
    }
    bytes
}

/// Takes one whole frame of Modbus TCP off the front of what came on a connection (Messaging on TCP/IP V1.0b, 3.1.3).
/// `Ok(None)` while it is not whole; an error where what came is none, and the connection means nothing any more.
pub fn tcp_frame(held: &mut Vec<u8>) -> Result<Option<Vec<u8>>, NoFrame> {
    let Some([_, _, p0, p1, l0, l1]) = held.first_chunk::<6>().copied() else { return Ok(None) };
    let length = u16::from_be_bytes([l0, l1]);
    if [p0, p1] != [0, 0] || !(2..=254).contains(&length) {
        return Err(NoFrame);
    }
    let whole = 6 + usize::from(length);
    Ok((held.len() >= whole).then(|| held.drain(..whole).collect()))
}

/// What came on a connection is not Modbus TCP.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
#[error("what came is no frame of Modbus TCP")]
pub struct NoFrame;

/// Devices behind Modbus TCP, each of which answers so long after the request.
pub struct OnTcp<D> {
    pub devices: D,
    pub turnaround: Duration,
}

impl<D: Answers> Station for OnTcp<D> {
    fn hear(&self, frame: &[u8]) -> Heard {
        let [high, low, _, _, _, _, unit, request @ ..] = frame else { return Heard::Broken };
        let reply = reply(&self.devices, *unit, request);
        let Some(pdu) = answer_pdu(request, &reply.outcome) else { return Heard::Nobody };
        let mut bytes = vec![*high, *low, 0, 0];
        bytes.extend((pdu.len() as u16 + 1).to_be_bytes());
        bytes.push(*unit);
        bytes.extend(pdu);
        if let Some(how) = reply.spoilt {
            bytes = spoil_tcp(&bytes, how);
        }
        Heard::Answered(answers(bytes, self.turnaround, &reply))
    }
}

/// What a whole frame of Modbus TCP asks.
pub fn from_tcp(frame: &[u8]) -> Option<Asked> {
    let [_, _, _, _, _, _, unit, function, rest @ ..] = frame else { return None };
    Some(asked(*unit, *function, rest))
}

pub(super) fn answers(bytes: Vec<u8>, turnaround: Duration, reply: &Reply) -> Vec<Answer> {
    let turnaround = turnaround + reply.late;
    let again = reply.again.map(|after| Answer { bytes: bytes.clone(), turnaround: turnaround + after });
    std::iter::once(Answer { bytes, turnaround }).chain(again).collect()
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

    struct Five;

    impl Answers for Five {
        fn answer(&self, asked: Asked) -> Reply {
            assert_eq!(asked, Asked { unit: 0xFF, function: 3, address: 4, count: 1 });
            Reply::of(Outcome::Registers(vec![5]))
        }
    }

    /// Says one thing to everything.
    struct Says(Reply);

    impl Answers for Says {
        fn answer(&self, _: Asked) -> Reply {
            self.0.clone()
        }
    }

    fn said(frame: &[u8], outcome: Outcome, spoilt: Option<Spoilt>) -> Vec<u8> {
        let reply = Reply { spoilt, ..Reply::of(outcome) };
        match to_serial(frame, Duration::ZERO, &Says(reply)) {
            Heard::Answered(answers) => answers[0].bytes.clone(),
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn the_example_of_the_specification_is_answered_as_it_stands_there() {
        // MODBUS Application Protocol V1.1b3, 6.3: registers 108 to 110 hold 02 2B, 00 00, 00 64.
        let frame = with_crc(vec![0x11, 0x03, 0x00, 0x6b, 0x00, 0x03]);
        let asked = Asked { unit: 0x11, function: 3, address: 107, count: 3 };
        assert_eq!(from_serial(&frame), Some(Some(asked)));
        let bytes = said(&frame, Outcome::Registers(vec![0x022b, 0, 0x64]), None);
        assert_eq!(bytes[..9], [0x11, 0x03, 0x06, 0x02, 0x2b, 0x00, 0x00, 0x00, 0x64]);
        // 6.1: coils 20 to 38 read CD 6B 05.
        let bits: Vec<bool> = (0..19).map(|i| (0x05_6bcd_u32 >> i) & 1 == 1).collect();
        let frame = with_crc(vec![0x11, 1, 0, 19, 0, 19]);
        assert_eq!(said(&frame, Outcome::Bits(bits), None)[..6], [0x11, 0x01, 0x03, 0xcd, 0x6b, 0x05]);
    }

    #[test]
    fn a_spoilt_answer_is_spoilt_in_one_way_only() {
        let frame = with_crc(vec![5, 3, 0, 0, 0, 2]);
        let spoil = |how| said(&frame, Outcome::Registers(vec![1, 2]), how);
        let whole = spoil(None);
        assert_eq!(spoil(Some(Spoilt::CheckSum))[..7], whole[..7]);
        assert_ne!(spoil(Some(Spoilt::CheckSum)), whole);
        assert_eq!(spoil(Some(Spoilt::Short)), whole[..6]);
        assert_eq!(spoil(Some(Spoilt::Foreign)), with_crc(vec![6, 3, 4, 0, 1, 0, 2]));
        assert_eq!(spoil(Some(Spoilt::Count)), with_crc(vec![5, 3, 6, 0, 1, 0, 2]));
        let nobody = |frame: &[u8]| to_serial(frame, Duration::ZERO, &Says(Reply::NOTHING));
        assert_eq!(nobody(&frame), Heard::Nobody);
        assert_eq!(nobody(&frame[..7]), Heard::Broken);
        assert_eq!(nobody(&with_crc(vec![0, 3, 0, 0, 0, 2])), Heard::Nobody, "a broadcast");
    }

    #[test]
    fn two_devices_with_one_address_both_answer() {
        let again = Some(Duration::from_millis(3));
        let reply = Reply { again, ..Reply::of(Outcome::Refused(2)) };
        let frame = with_crc(vec![5, 3, 0, 0, 0, 2]);
        let Heard::Answered(answers) = to_serial(&frame, Duration::from_millis(8), &Says(reply)) else {
            panic!()
        };
        let after: Vec<_> = answers.iter().map(|a| a.turnaround.as_millis()).collect();
        assert_eq!(after, [8, 11]);
        assert_eq!(answers[0].bytes, answers[1].bytes);
    }

    #[test]
    fn requests_over_tcp_are_taken_off_whole_one_after_the_other() {
        // MODBUS Messaging on TCP/IP V1.0b, appendix A: read of one register from 4, number 0x1501, unit 0xFF.
        let one = [0x15, 0x01, 0, 0, 0, 6, 0xFF, 3, 0, 4, 0, 1];
        let mut held = Vec::new();
        for byte in &one[..11] {
            held.push(*byte);
            assert_eq!(tcp_frame(&mut held), Ok(None));
        }
        held.extend([&one[11..], &one].concat());
        let gateway = OnTcp { devices: Five, turnaround: Duration::ZERO };
        for _ in 0..2 {
            let frame = tcp_frame(&mut held).unwrap().unwrap();
            let Heard::Answered(answers) = gateway.hear(&frame) else { panic!() };
            assert_eq!(answers[0].bytes, [0x15, 0x01, 0, 0, 0, 5, 0xFF, 3, 2, 0, 5]);
        }
        assert!(held.is_empty());
        assert_eq!(tcp_frame(&mut b"GET / HTTP/1.1".to_vec()), Err(NoFrame));
        assert_eq!(tcp_frame(&mut vec![0, 1, 0, 0, 0, 1, 1]), Err(NoFrame));
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
