//! Devices behind ASCII frames (MODBUS over Serial Line V1.02, 2.5.2): the same requests and answers as in RTU, in
//! characters, with another check sum. Whoever simulates such a line calls it.

use std::time::Duration;

use super::answer::{Answers, Spoilt, answers, reply, serial_body};
use crate::far_end::{Heard, Station};
use crate::modbus::Write;
use crate::modbus::ascii::{bytes_of, frame_of, lrc};

/// Devices on an ASCII line, each of which begins to answer so long after the request.
pub struct OnAscii<D> {
    pub devices: D,
    pub turnaround: Duration,
}

impl<D: Answers> Station for OnAscii<D> {
    fn hear(&self, frame: &[u8]) -> Heard {
        // What came before the last colon broke off.
        let from = frame.iter().rposition(|byte| *byte == b':').unwrap_or(0);
        let Some(bytes) = frame.get(from..).and_then(bytes_of) else { return Heard::Broken };
        let Some((sum, [unit, request @ ..])) = bytes.split_last() else { return Heard::Broken };
        let Some(function) = request.first() else { return Heard::Broken };
        if lrc(bytes.get(..bytes.len() - 1).unwrap_or_default()) != *sum {
            return Heard::Broken;
        }
        if *unit == 0 && !Write::FUNCTIONS.contains(function) {
            return Heard::Nobody;
        }
        let reply = reply(&self.devices, *unit, request);
        let Some(body) = serial_body(*unit, request, &reply).filter(|_| *unit != 0) else {
            return Heard::Nobody;
        };
        let mut characters = frame_of(body);
        match reply.spoilt {
            // The last digit of the sum.
            Some(Spoilt::CheckSum) => {
                if let Some([digit, _, _]) = characters.last_chunk_mut::<3>() {
                    *digit = if *digit == b'0' { b'1' } else { b'0' };
                }
            }
            Some(Spoilt::Short) => characters.truncate(characters.len().saturating_sub(6)),
            _ => {}
        }
        Heard::Answered(answers(characters, self.turnaround, &reply))
    }
}

#[cfg(test)]
mod tests {
    use super::super::answer::{Asked, Outcome, Reply};
    use super::*;

    struct Alarms;

    impl Answers for Alarms {
        fn answer(&self, asked: Asked) -> Reply {
            assert_eq!(asked, Asked { unit: 247, function: 3, address: 0x1389, count: 10 });
            Reply::of(Outcome::Registers(vec![10]))
        }
    }

    #[test]
    fn a_request_in_characters_is_answered_in_characters() {
        let station = OnAscii { devices: Alarms, turnaround: Duration::ZERO };
        // The request is the example of simplymodbus.ca, "ASCII vs RTU".
        let Heard::Answered(answers) = station.hear(b":F7031389000A60\r\n") else { panic!("no answer") };
        assert_eq!(answers[0].bytes, b":F70302000AFA\r\n");
        assert_eq!(station.hear(b":F7031389000A61\r\n"), Heard::Broken);
        assert_eq!(station.hear(b":F703138\r\n"), Heard::Broken);
        assert_eq!(station.hear(b""), Heard::Broken);
        assert_eq!(station.hear(b":00031389000160\r\n"), Heard::Nobody, "a broadcast asks for nothing");
    }
}
