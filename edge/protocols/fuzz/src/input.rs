//! Bytes of the fuzzer, taken apart by the targets: first what chooses a question, then what the line says to it. Bytes
//! that are not there are zeros, so that every input means something.

use steward_protocols::exchange::{Exchange, Progress, Reply};
use steward_protocols::question::PointValue;
use steward_shared::reading::Value;

#[derive(Clone, Copy, Debug)]
pub struct Input<'a>(pub &'a [u8]);

impl<'a> Input<'a> {
    pub fn byte(&mut self) -> u8 {
        let Some((first, rest)) = self.0.split_first() else { return 0 };
        self.0 = rest;
        *first
    }

    pub fn word(&mut self) -> u16 {
        u16::from_be_bytes([self.byte(), self.byte()])
    }

    /// So many bytes, or as many as there are.
    pub fn take(&mut self, len: usize) -> &'a [u8] {
        let (taken, rest) = self.0.split_at(len.min(self.0.len()));
        self.0 = rest;
        taken
    }

    pub const fn rest(self) -> &'a [u8] {
        self.0
    }
}

/// No answer is longer than a few frames of the language with the longest ones, and an exchange holds no more than that.
const MOST_HELD: usize = 16 * 1024;

/// Lets an exchange hear these bytes, so many at once; returns the reply if that is what they are.
///
/// # Panics
/// Where the exchange holds more than a few frames, or asks on without end.
pub fn hear(exchange: &mut dyn Exchange, bytes: &[u8], piece: u8, number: u16) -> Option<Reply> {
    assert!(!exchange.frame(number).is_empty(), "an exchange that says nothing");
    for part in bytes.chunks(usize::from(piece).max(1)) {
        let progress = exchange.received(part);
        assert!(exchange.held() <= MOST_HELD, "{} bytes are held", exchange.held());
        let _ = (exchange.verdict(), exchange.began_like_the_answer(), exchange.trailing());
        let _ = (exchange.character(), exchange.answer_character(), exchange.answer_len());
        match progress {
            Progress::More => {}
            Progress::Next => {
                exchange.frame(number);
            }
            Progress::Reply(reply) => return Some(reply),
            Progress::Bad(fault) => {
                assert!(!fault.to_string().is_empty());
                return None;
            }
        }
    }
    exchange.skip_foreign();
    None
}

/// A value without a reason, a reason without a value, and no number that is none.
///
/// # Panics
/// Where a value breaks that.
pub fn assert_sound(values: &[PointValue]) {
    for read in values {
        assert_eq!(read.value.is_some(), read.quality.is_good(), "{read:?}");
        if let Some(number) = read.value.as_ref().and_then(Value::as_number) {
            assert!(number.is_finite(), "{read:?}");
        }
    }
}

/// The bytes of a text of hexadecimal digits; whatever else stands between them is passed over.
pub fn hex(text: &str) -> Vec<u8> {
    let digits: Vec<u8> = text.chars().filter_map(|c| c.to_digit(16)).map(|digit| digit as u8).collect();
    digits.chunks_exact(2).map(|pair| pair[0] << 4 | pair[1]).collect()
}

/// The requests and answers of a file of golden frames: what stands behind `asks` and behind `says`.
pub fn golden<'t>(text: &'t str, asks: &'t str, says: &'t str) -> impl Iterator<Item = (&'t str, &'t str)> {
    let mut asked = None;
    text.lines().filter_map(move |line| {
        if let Some(request) = line.strip_prefix(asks) {
            asked = Some(request.trim());
            return None;
        }
        line.strip_prefix(says).and_then(|answer| Some((asked.take()?, answer.trim())))
    })
}
