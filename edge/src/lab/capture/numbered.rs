//! The same over TCP, where several questions may be under way at once: the number of a frame's header says which of them
//! it answers, and its length where it ends (Messaging on TCP/IP V1.0b, 3.1.3). `exchanges` calls it.

use std::time::Duration;

use steward_protocols::modbus::device::{NoFrame, tcp_frame};

use super::exchanges::{Book, Exchanged};
use super::file::{Capture, What};

pub(super) fn exchanges(capture: &Capture) -> Vec<Exchanged> {
    let mut book = Book::default();
    let (mut sent, mut received) = (Way::default(), Way::default());
    // Where the connection's questions begin: numbers start anew with each.
    let mut opened = 0;
    for (index, event) in capture.events.iter().enumerate() {
        match &event.what {
            What::Sent(bytes) => {
                sent.extend(bytes, event.at);
                while let Some(frame) = sent.frame() {
                    book.asked(&bytes_of(&frame), event.at, event.line, index);
                }
            }
            What::Received(bytes) | What::Heard(bytes) => {
                received.extend(bytes, event.at);
                while let Some(frame) = received.frame() {
                    came(&mut book, &frame, opened, index);
                }
            }
            What::Note(_) => {
                came(&mut book, &received.rest(), opened, index);
                sent.rest();
                opened = book.len();
            }
            What::Stated { .. } => {}
        }
    }
    came(&mut book, &received.rest(), opened, capture.events.len());
    book.done()
}

/// A frame belongs to the question of its number. One that bears the number of none comes to the newest: whoever asked
/// saw it then.
fn came(book: &mut Book, frame: &[(u8, Duration)], opened: usize, event: usize) {
    let bytes = bytes_of(frame);
    let number = bytes.first_chunk::<2>();
    let meant = book.unanswered(opened, |request| number.is_some() && request.first_chunk::<2>() == number);
    let index = meant.unwrap_or_else(|| book.len().saturating_sub(1));
    for piece in frame.chunk_by(|(_, a), (_, b)| a == b) {
        let Some((_, at)) = piece.first() else { continue };
        book.came_to(index, &bytes_of(piece), *at, *at, event);
    }
}

fn bytes_of(frame: &[(u8, Duration)]) -> Vec<u8> {
    frame.iter().map(|(byte, _)| *byte).collect()
}

/// What went one way and is no whole frame yet: each byte with its instant.
#[derive(Debug, Default)]
struct Way {
    bytes: Vec<u8>,
    at: Vec<Duration>,
}

impl Way {
    fn extend(&mut self, bytes: &[u8], at: Duration) {
        self.bytes.extend_from_slice(bytes);
        self.at.resize(self.bytes.len(), at);
    }

    /// The frame that stands first; all there is where that is no header, for then no end is known.
    fn frame(&mut self) -> Option<Vec<(u8, Duration)>> {
        match tcp_frame(&mut self.bytes) {
            Ok(None) => None,
            Ok(Some(frame)) => Some(frame.iter().copied().zip(self.at.drain(..frame.len())).collect()),
            Err(NoFrame) => Some(self.rest()),
        }
    }

    fn rest(&mut self) -> Vec<(u8, Duration)> {
        self.bytes.drain(..).zip(self.at.drain(..)).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(text: &str) -> Vec<Exchanged> {
        let text = format!("# steward capture 1\n# framing = tcp\n{text}");
        super::super::exchanges::exchanges(&Capture::parse("a", &text).unwrap())
    }

    // MODBUS Application Protocol V1.1b3, 6.3 with unit 17, under the numbers 1 and 2.
    const ASK_1: &str = "00 01 00 00 00 06 11 03 00 6B 00 03";
    const ASK_2: &str = "00 02 00 00 00 06 11 03 00 6B 00 01";
    const SAY_1: &str = "00 01 00 00 00 09 11 03 06 02 2B 00 00 00 64";
    const SAY_2: &str = "00 02 00 00 00 05 11 03 02 02 2B";

    #[test]
    fn answers_are_paired_with_their_questions_by_their_number() {
        let in_turn = format!("0.1 > {ASK_1}\n0.1 > {ASK_2}\n0.2 < {SAY_1}\n0.3 < {SAY_2}\n");
        let swapped = format!("0.1 > {ASK_1}\n0.1 > {ASK_2}\n0.2 < {SAY_2}\n0.3 < {SAY_1}\n");
        let joined =
            format!("0.1 > {ASK_1} {ASK_2}\n0.2 < {SAY_2} {}\n0.3 < {}\n", &SAY_1[..11], &SAY_1[12..]);
        for text in [in_turn, swapped, joined] {
            let all = of(&text);
            assert_eq!(all.len(), 2, "{text}");
            assert_eq!((all[0].answer().len(), all[1].answer().len()), (15, 11), "{all:?}");
            assert!(all.iter().all(|e| e.answer()[..2] == e.request[..2]), "{all:?}");
        }
    }

    #[test]
    fn a_number_of_another_connection_and_a_number_that_nobody_gave_come_to_the_newest_question() {
        let all = of(&format!(
            "0.0 ! opened\n0.1 > {ASK_1}\n0.2 ! closed\n0.3 ! opened\n0.4 > {ASK_2}\n0.5 < {SAY_1}\n"
        ));
        assert!(all[0].bursts.is_empty() && all[1].answer().len() == 15, "{all:?}");
        let cut = of(&format!("0.1 > {ASK_1}\n0.1 > {ASK_2}\n0.2 < {}\n0.3 ! closed\n", &SAY_1[..23]));
        assert_eq!((cut[0].answer().len(), cut[1].answer().len()), (8, 0), "it was cut: {cut:?}");
        let noise = of(&format!("0.1 > {ASK_1}\n0.2 < FF FF FF FF FF FF FF\n"));
        assert_eq!(noise[0].answer(), [0xFF; 7]);
    }
}
