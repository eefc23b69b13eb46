//! Questions with what came to each, out of a capture: of a line that we asked ourselves, or of one that we listened to.

use std::time::Duration;

use steward_protocols::modbus::sniff::{QUIET, Seen, Sniffer, What as Frame};
use steward_shared::profile::Framing;

use super::file::{Capture, What};
use super::numbered;

/// A question, and the bursts that came to it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Exchanged {
    pub request: Vec<u8>,
    pub bursts: Vec<Burst>,
    /// The file's line in which it was asked or heard.
    pub line: usize,
    /// Which of the capture's events were taken in when it was over.
    pub events: usize,
}

/// Bytes that came without a silence between them.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Burst {
    /// From the end of the request on the wire to the burst's first byte.
    pub after: Duration,
    pub bytes: Vec<u8>,
}

impl Exchanged {
    /// All that came, as the decoder sees it.
    pub fn answer(&self) -> Vec<u8> {
        self.bursts.iter().flat_map(|burst| burst.bytes.iter().copied()).collect()
    }
}

/// A silence that ends a burst; ports hand one answer over in pieces.
const SILENCE: Duration = Duration::from_millis(20);

pub fn exchanges(capture: &Capture) -> Vec<Exchanged> {
    match capture.header.framing {
        Framing::Tcp => numbered::exchanges(capture),
        Framing::Rtu | Framing::Ascii => in_turn(capture),
    }
}

/// On a line what comes belongs to the question before it.
fn in_turn(capture: &Capture) -> Vec<Exchanged> {
    let character = capture.header.character.map_or(Duration::ZERO, |c| c.time());
    let wire = |bytes| capture.header.character.map_or(Duration::ZERO, |c| c.wire_time(bytes));
    let mut book = Book::default();
    let mut sniffer = Sniffer::new(character);
    let (mut heard, mut line) = (Duration::ZERO, 0);
    for (index, event) in capture.events.iter().enumerate() {
        match &event.what {
            What::Sent(bytes) => book.asked(bytes, event.at + wire(bytes.len()), event.line, index),
            What::Received(bytes) => {
                let first = event.at.saturating_sub(wire(bytes.len()));
                book.came(bytes, first, event.at, index);
            }
            What::Heard(bytes) => {
                let at_rest = if event.at > heard + QUIET { sniffer.quiet() } else { Vec::new() };
                (heard, line) = (event.at, event.line);
                for seen in at_rest.into_iter().chain(sniffer.received(bytes, event.at)) {
                    book.overheard(&seen, character, event.line, index);
                }
            }
            What::Note(_) | What::Stated { .. } => {}
        }
    }
    for seen in sniffer.quiet() {
        book.overheard(&seen, character, line, capture.events.len());
    }
    book.done()
}

/// The questions so far, in the order in which they were asked.
#[derive(Debug, Default)]
pub(super) struct Book {
    all: Vec<Noted>,
}

#[derive(Debug)]
struct Noted {
    exchanged: Exchanged,
    asked_at: Duration,
    /// When the last byte of an answer came.
    last: Duration,
}

impl Book {
    pub(super) fn asked(&mut self, request: &[u8], end: Duration, line: usize, event: usize) {
        let exchanged = Exchanged { request: request.to_vec(), bursts: Vec::new(), line, events: event + 1 };
        self.all.push(Noted { exchanged, asked_at: end, last: Duration::ZERO });
    }

    /// Somebody else asks, or is answered.
    fn overheard(&mut self, seen: &Seen, character: Duration, line: usize, event: usize) {
        match &seen.what {
            Frame::Asked(_) => self.asked(&seen.bytes, seen.last, line, event),
            Frame::Meter(spoken) if spoken.is_question => self.asked(&seen.bytes, seen.last, line, event),
            _ => self.came(&seen.bytes, seen.first.saturating_sub(character), seen.last, event),
        }
    }

    /// What comes before the first question answers nothing, and is left out.
    pub(super) fn came(&mut self, bytes: &[u8], first: Duration, last: Duration, event: usize) {
        self.came_to(self.all.len().saturating_sub(1), bytes, first, last, event);
    }

    /// What comes to the question that was asked as the `index`th.
    pub(super) fn came_to(
        &mut self,
        index: usize,
        bytes: &[u8],
        first: Duration,
        last: Duration,
        event: usize,
    ) {
        let Some(noted) = self.all.get_mut(index) else { return };
        let exchanged = &mut noted.exchanged;
        exchanged.events = event + 1;
        let goes_on = first <= noted.last + SILENCE;
        noted.last = last;
        match exchanged.bursts.last_mut().filter(|_| goes_on) {
            Some(burst) => burst.bytes.extend_from_slice(bytes),
            None => exchanged
                .bursts
                .push(Burst { after: first.saturating_sub(noted.asked_at), bytes: bytes.to_vec() }),
        }
    }

    /// The newest question, from the `from`th on, that bears this and was not answered.
    pub(super) fn unanswered(&self, from: usize, is_meant: impl Fn(&[u8]) -> bool) -> Option<usize> {
        let of = |noted: &Noted| noted.exchanged.bursts.is_empty() && is_meant(&noted.exchanged.request);
        self.all.get(from..)?.iter().rposition(of).map(|index| from + index)
    }

    pub(super) fn len(&self) -> usize {
        self.all.len()
    }

    pub(super) fn done(self) -> Vec<Exchanged> {
        self.all.into_iter().map(|noted| noted.exchanged).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HEAD: &str = "# steward capture 1\n# framing = rtu\n# character = 9600 8N1\n";

    fn of(text: &str) -> Vec<Exchanged> {
        exchanges(&Capture::parse("a", &format!("{HEAD}{text}")).unwrap())
    }

    #[test]
    fn what_we_asked_and_what_a_line_carried_give_the_same_exchanges() {
        let ours = of("0.000000 > 11 03 00 6B 00 03 76 87\n\
                       0.030000 < 11 03 06 02 2B 00\n0.036000 < 00 00 64 C8 BA\n\
                       0.100000 > 11 03 00 6B 00 03 76 87\n0.300000 < 11\n");
        let heard = of("0.008000 ? 11 03 00 6B 00\n0.010000 ? 03 76 87\n\
                        0.036000 ? 11 03 06 02 2B 00 00 00 64 C8 BA\n\
                        0.109000 ? 11 03 00 6B 00 03 76 87\n0.300000 ? 11\n");
        for all in [&ours, &heard] {
            assert_eq!(all.len(), 2);
            assert_eq!(all[0].request, [0x11, 3, 0, 0x6B, 0, 3, 0x76, 0x87]);
            assert_eq!(all[0].bursts.len(), 1, "{all:?}");
            assert_eq!(all[0].answer().len(), 11);
            let after = all[0].bursts[0].after;
            assert!((10..25).contains(&after.as_millis()), "{after:?}");
            assert_eq!(all[1].answer(), [0x11]);
        }
    }

    #[test]
    fn a_meter_that_is_asked_on_a_line_is_heard_as_well() {
        // github: a log of a meter 000000000161 with each frame read aloud (WuSong, 2017-05-02).
        let all = of("0.1 ? FE FE FE FE 68 61 01 00 00 00 00 68 11 04 33 33 34 33 14 16\n\
                      0.13 ? 68 61 01 00 00 00 00 68 91 08 33 33 34 33 59 33 33 33 8A 16\n\
                      0.5 ? 11 03 00 6B 00 03 76 87\n");
        assert_eq!(all.len(), 2, "{all:?}");
        assert_eq!((all[0].request.len(), all[0].answer().len()), (20, 20));
        assert!(all[0].bursts[0].after < Duration::from_millis(20), "{all:?}");
    }
}
