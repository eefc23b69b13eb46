//! A device that answers as it did in a capture: to the same request the answer that came then, after the same time;
//! what came late or damaged comes so again. What was never asked is not answered.

use std::sync::Mutex;
use std::sync::PoisonError;

use steward_protocols::far_end::{Answer, Heard, Station};
use steward_shared::profile::Framing;

use super::exchanges::{Exchanged, exchanges};
use super::file::{Capture, What};

#[derive(Debug)]
pub struct Replay {
    framing: Framing,
    /// Whether the port was set otherwise while it was captured, as for IEC 62056-21.
    has_own_rates: bool,
    exchanges: Vec<Exchanged>,
    /// The exchange that comes next.
    next: Mutex<usize>,
}

impl Replay {
    pub fn new(capture: &Capture) -> Self {
        let has_own_rates =
            capture.events.iter().any(|e| matches!(&e.what, What::Note(note) if note.starts_with("set ")));
        Self {
            framing: capture.header.framing,
            has_own_rates,
            exchanges: exchanges(capture),
            next: Mutex::new(0),
        }
    }

    pub fn len(&self) -> usize {
        self.exchanges.len()
    }

    pub fn is_empty(&self) -> bool {
        self.exchanges.is_empty()
    }

    /// A request apart from its number, which differs from time to time.
    fn body<'f>(&self, frame: &'f [u8]) -> &'f [u8] {
        match self.framing {
            Framing::Tcp => frame.get(2..).unwrap_or_default(),
            Framing::Rtu | Framing::Ascii => frame,
        }
    }
}

impl Station for Replay {
    fn has_own_rates(&self) -> bool {
        self.has_own_rates
    }

    fn hear(&self, frame: &[u8]) -> Heard {
        let wanted = self.body(frame);
        let mut next = self.next.lock().unwrap_or_else(PoisonError::into_inner);
        let in_turn = (*next..self.exchanges.len()).chain(0..*next);
        let found = in_turn
            .filter_map(|index| Some((index, self.exchanges.get(index)?)))
            .find(|(_, exchanged)| self.body(&exchanged.request) == wanted);
        let Some((index, exchanged)) = found else { return Heard::Nobody };
        *next = index + 1;
        if exchanged.bursts.is_empty() {
            return Heard::Nobody;
        }
        let renumbered = |bytes: &[u8]| {
            let mut bytes = bytes.to_vec();
            // An answer that bore another number than its request keeps it: that was its fault.
            if self.framing == Framing::Tcp
                && bytes.first_chunk::<2>() == exchanged.request.first_chunk::<2>()
                && let (Some(to), Some(from)) = (bytes.first_chunk_mut::<2>(), frame.first_chunk::<2>())
            {
                *to = *from;
            }
            bytes
        };
        let answer = |burst: &super::exchanges::Burst| Answer {
            bytes: renumbered(&burst.bytes),
            turnaround: burst.after,
        };
        Heard::Answered(exchanged.bursts.iter().map(answer).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn replay(text: &str) -> Replay {
        Replay::new(&Capture::parse("a", &format!("# steward capture 1\n{text}")).unwrap())
    }

    #[test]
    fn the_same_request_gets_the_answers_in_their_order_and_then_again_the_first() {
        let replay = replay(
            "# framing = rtu\n# character = 9600 8N1\n0.0 > 01 AA\n0.02 < 01\n0.5 > 02 AA\n0.6 > 01 AA\n0.7 < 02\n",
        );
        let hear = |frame: &[u8]| match replay.hear(frame) {
            Heard::Answered(answers) => Some(answers[0].bytes[0]),
            _ => None,
        };
        let said: Vec<_> = (0..3).map(|_| hear(&[1, 0xAA])).collect();
        assert_eq!(said, [Some(1), Some(2), Some(1)]);
        assert_eq!(hear(&[2, 0xAA]), None, "it was silent then");
        assert_eq!(hear(&[3, 0xAA]), None, "it was never asked");
    }

    #[test]
    fn over_tcp_an_answer_bears_the_number_of_its_request_unless_it_did_not_then() {
        let replay = replay(
            "# framing = tcp\n0.0 > 00 07 00 00 00 02 01 03\n0.02 < 00 07 00 00 00 02 01 83\n\
             0.5 > 00 08 00 00 00 02 02 03\n0.51 < 00 07 00 00 00 02 02 83\n",
        );
        let said = |unit: u8| match replay.hear(&[0x12, 0x34, 0, 0, 0, 2, unit, 3]) {
            Heard::Answered(answers) => answers[0].bytes.clone(),
            other => panic!("{other:?}"),
        };
        assert_eq!(said(1), [0x12, 0x34, 0, 0, 0, 2, 1, 0x83]);
        assert_eq!(said(2), [0, 7, 0, 0, 0, 2, 2, 0x83]);
    }
}
