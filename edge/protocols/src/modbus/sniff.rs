//! Takes a line apart on which somebody else asks: which frames pass, who is asked and what is answered, and the silence
//! between them. Fed with bytes and instants by whoever listens; it never has anything to send.
//!
//! RTU frames have no mark where they begin (MODBUS over Serial Line V1.02, 2.5.1), and a port hands bytes over in
//! bursts. So a frame is what has the length of one and a check sum that holds; a quiet line ends what does not become
//! one. Instants are those of the bytes' ends as far as the port tells them.

use std::collections::VecDeque;
use std::time::Duration;

use super::crc::crc_holds;
use super::device::Asked;
use super::rtu::MAX_FRAME;
use crate::overheard::{Spoken, overheard};

/// The longest that is waited for what a meter says: a readout of IEC 62056-21 has no bound of its own.
const MOST_NOISE: usize = 8192;
/// A line that is quiet for so long completes no frame any more: whoever listens says `quiet` then.
pub const QUIET: Duration = Duration::from_millis(50);

/// One frame, or bytes that are none.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Seen {
    /// When its first and its last byte had passed.
    pub first: Duration,
    pub last: Duration,
    /// Silence before it; none for the first.
    pub gap: Option<Duration>,
    /// The longest silence inside it.
    pub inner: Duration,
    pub bytes: Vec<u8>,
    pub what: What,
}

#[derive(Clone, Debug, PartialEq, Eq)]
pub enum What {
    /// A request to read.
    Asked(Asked),
    /// An answer to it: data, or an exception's code. `asked` is the request before it, where that fits.
    Answered { asked: Option<Asked>, unit: u8, function: u8, reply: Result<Vec<u8>, u8> },
    /// A frame of another function: writing, diagnosing.
    Other { unit: u8, function: u8 },
    /// A frame of a meter's language, on a line that both share.
    Meter(Spoken),
    /// No frame: damaged, cut, or noise.
    Broken,
}

/// What a line carries.
#[derive(Debug, Default)]
pub struct Sniffer {
    /// Time of one character.
    character: Duration,
    held: VecDeque<(u8, Duration)>,
    /// Bytes before the present position that belong to no frame.
    noise: Vec<(u8, Duration)>,
    pending: Option<Asked>,
    before: Option<Duration>,
}

/// How the bytes from the present position may be read.
enum Parsed {
    Frame(usize),
    /// Too few yet.
    More,
    /// None begins here.
    No,
}

impl Sniffer {
    /// `character`: the time of one character on the line.
    pub fn new(character: Duration) -> Self {
        Self { character, ..Self::default() }
    }

    /// Takes a burst whose last byte has passed at `now`, and tells what is whole by it.
    pub fn received(&mut self, bytes: &[u8], now: Duration) -> Vec<Seen> {
        let count = bytes.len();
        let latest = self.held.back().map_or(Duration::ZERO, |(_, at)| *at);
        self.held.extend(bytes.iter().enumerate().map(|(i, byte)| {
            let behind = self.character * u32::try_from(count - 1 - i).unwrap_or(u32::MAX);
            (*byte, now.saturating_sub(behind).max(latest))
        }));
        self.take(false)
    }

    /// The line has been quiet for long: what is held becomes no frame any more.
    pub fn quiet(&mut self) -> Vec<Seen> {
        self.take(true)
    }

    fn take(&mut self, last: bool) -> Vec<Seen> {
        let mut seen = Vec::new();
        while !self.held.is_empty() {
            match self.parse() {
                Parsed::Frame(len) => {
                    seen.extend(self.broken());
                    let frame: Vec<_> = self.held.drain(..len).collect();
                    let bytes: Vec<u8> = frame.iter().map(|(byte, _)| *byte).collect();
                    let what = self.judge(&bytes);
                    seen.extend(self.seen(&frame, what));
                }
                Parsed::More if !last => break,
                Parsed::More | Parsed::No => self.noise.extend(self.held.pop_front()),
            }
        }
        if last || self.noise.len() > MOST_NOISE {
            seen.extend(self.broken());
        }
        seen
    }

    /// What is no frame of Modbus: frames of meters, and noise.
    fn broken(&mut self) -> Vec<Seen> {
        let mut noise = std::mem::take(&mut self.noise);
        let bytes: Vec<u8> = noise.iter().map(|(byte, _)| *byte).collect();
        let mut seen = Vec::new();
        for part in overheard(&bytes) {
            let rest = noise.split_off(part.len.min(noise.len()));
            seen.extend(self.seen(&noise, part.spoken.map_or(What::Broken, What::Meter)));
            noise = rest;
        }
        seen
    }

    fn seen(&mut self, frame: &[(u8, Duration)], what: What) -> Option<Seen> {
        let (first, last) = (frame.first()?.1, frame.last()?.1);
        let inner = frame
            .windows(2)
            .filter_map(|pair| Some(pair.last()?.1.saturating_sub(pair.first()?.1)))
            .max()
            .unwrap_or_default()
            .saturating_sub(self.character);
        let gap = self.before.map(|before| first.saturating_sub(before + self.character));
        self.before = Some(last);
        Some(Seen { first, last, gap, inner, bytes: frame.iter().map(|(byte, _)| *byte).collect(), what })
    }

    fn parse(&self) -> Parsed {
        let at = |i: usize| self.held.get(i).map(|(byte, _)| *byte);
        let (Some(unit), Some(function)) = (at(0), at(1)) else { return Parsed::More };
        if unit > 247 {
            return Parsed::No;
        }
        let counted = |i: usize, around: usize| at(i).map(|count| usize::from(count) + around);
        let lengths: [Option<Option<usize>>; 2] = match function {
            1..=4 => [Some(Some(8)), Some(counted(2, 5))],
            5 | 6 | 8 => [Some(Some(8)), None],
            15 | 16 => [Some(Some(8)), Some(counted(6, 9))],
            22 => [Some(Some(10)), None],
            23 => [Some(counted(10, 13)), Some(counted(2, 5))],
            0x81..=0xFF => [Some(Some(5)), None],
            _ => return Parsed::No,
        };
        let mut more = false;
        for length in lengths.into_iter().flatten() {
            match length.filter(|length| *length <= self.held.len()) {
                Some(length) => {
                    let frame: Vec<u8> = self.held.iter().take(length).map(|(byte, _)| *byte).collect();
                    if crc_holds(&frame) {
                        return Parsed::Frame(length);
                    }
                }
                None => more |= length.is_none_or(|length| length <= MAX_FRAME),
            }
        }
        if more { Parsed::More } else { Parsed::No }
    }

    fn judge(&mut self, bytes: &[u8]) -> What {
        let (Some((body, _)), pending) = (bytes.split_last_chunk::<2>(), self.pending.take()) else {
            return What::Broken;
        };
        let [unit, function, rest @ ..] = body else { return What::Broken };
        let (unit, function) = (*unit, *function);
        let fits = pending.filter(|asked| asked.unit == unit && asked.function == function & 0x7F);
        if let ([code], 0x81..=0xFF) = (rest, function) {
            return What::Answered { asked: fits, unit, function: function & 0x7F, reply: Err(*code) };
        }
        if !(1..=4).contains(&function) {
            return What::Other { unit, function };
        }
        // Eight bytes may be a request or three bytes of bits: whoever was asked for those answers.
        let wanted = fits.map(|asked| if function <= 2 { asked.count.div_ceil(8) } else { asked.count * 2 });
        match rest {
            [a, b, c, d] if wanted != Some(3) || *a != 3 => {
                let (address, count) = (u16::from_be_bytes([*a, *b]), u16::from_be_bytes([*c, *d]));
                let asked = Asked { unit, function, address, count };
                self.pending = Some(asked);
                What::Asked(asked)
            }
            [_, data @ ..] => {
                let asked = fits.filter(|_| wanted == u16::try_from(data.len()).ok());
                What::Answered { asked, unit, function, reply: Ok(data.to_vec()) }
            }
            [] => What::Broken,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::modbus::with_crc;

    const CHARACTER: Duration = Duration::from_micros(1042);
    const MS: Duration = Duration::from_millis(1);
    // MODBUS Application Protocol V1.1b3, 6.3 and 6.1, with unit 17.
    const ASK: [u8; 6] = [0x11, 3, 0, 0x6B, 0, 3];
    const SAY: [u8; 9] = [0x11, 3, 6, 2, 0x2B, 0, 0, 0, 0x64];

    fn frames(parts: &[&[u8]]) -> Vec<u8> {
        parts.iter().flat_map(|part| with_crc(part.to_vec())).collect()
    }

    fn kinds(seen: &[Seen]) -> Vec<&'static str> {
        let kind = |s: &Seen| match &s.what {
            What::Asked(_) => "asked",
            What::Answered { asked: Some(_), reply: Ok(_), .. } => "answered",
            What::Answered { asked: None, reply: Ok(_), .. } => "answered another",
            What::Answered { reply: Err(_), .. } => "refused",
            What::Other { .. } => "other",
            What::Meter(spoken) if spoken.is_question => "meter asked",
            What::Meter(_) => "meter answered",
            What::Broken => "broken",
        };
        seen.iter().map(kind).collect()
    }

    #[test]
    fn request_and_answer_are_told_apart_however_the_port_cuts_them() {
        let bytes = frames(&[&ASK, &SAY]);
        for cut in 1..bytes.len() {
            let mut sniffer = Sniffer::new(CHARACTER);
            let mut seen = sniffer.received(&bytes[..cut], 20 * MS);
            seen.extend(sniffer.received(&bytes[cut..], 60 * MS));
            assert_eq!(kinds(&seen), ["asked", "answered"], "cut at {cut}");
            let What::Answered { reply: Ok(data), .. } = &seen[1].what else { panic!() };
            assert_eq!(data[..2], [2, 0x2B]);
        }
    }

    #[test]
    fn the_silence_between_frames_is_what_passed_between_their_bytes() {
        let mut sniffer = Sniffer::new(CHARACTER);
        let asked = sniffer.received(&frames(&[&ASK]), 10 * MS);
        let said = sniffer.received(&frames(&[&SAY]), 10 * MS + 8 * MS + CHARACTER * 11);
        assert_eq!(asked[0].gap, None);
        assert_eq!(
            said[0].gap,
            Some(8 * MS),
            "the answer's eleven characters came behind eight milliseconds"
        );
    }

    #[test]
    fn noise_and_damage_are_set_apart_and_the_frames_after_them_found() {
        let mut damaged = frames(&[&SAY]);
        damaged[4] ^= 1;
        let all = [&[0xFF, 0x00][..], &frames(&[&ASK]), &damaged, &frames(&[&ASK, &SAY])].concat();
        let mut sniffer = Sniffer::new(CHARACTER);
        let mut seen = sniffer.received(&all, 100 * MS);
        seen.extend(sniffer.quiet());
        assert_eq!(kinds(&seen), ["broken", "asked", "broken", "asked", "answered"]);
        assert_eq!(seen[2].bytes, damaged);
        assert!(sniffer.quiet().is_empty());
        let mut seen = sniffer.received(&frames(&[&SAY])[..6], 200 * MS);
        seen.extend(sniffer.quiet());
        assert_eq!(kinds(&seen), ["broken"], "an answer that is cut");
    }

    #[test]
    fn a_second_answer_and_a_refusal_and_a_write_are_seen_as_such() {
        let write: &[u8] = &[0x11, 16, 0, 1, 0, 2, 4, 0, 10, 1, 2];
        let mut sniffer = Sniffer::new(CHARACTER);
        let seen = sniffer.received(&frames(&[&ASK, &SAY, &SAY, &ASK, &[0x11, 0x83, 2], write]), 500 * MS);
        assert_eq!(kinds(&seen), ["asked", "answered", "answered another", "asked", "refused", "other"]);
    }

    #[test]
    fn three_bytes_of_coils_are_an_answer_and_no_request() {
        let mut sniffer = Sniffer::new(CHARACTER);
        let coils = frames(&[&[0x11, 1, 0, 0x13, 0, 0x13], &[0x11, 1, 3, 0xCD, 0x6B, 5]]);
        assert_eq!(kinds(&sniffer.received(&coils, 100 * MS)), ["asked", "answered"]);
    }

    #[test]
    fn whatever_comes_is_taken_without_end() {
        let mut sniffer = Sniffer::new(CHARACTER);
        let mut taken = 0;
        for round in 0..200_u64 {
            let noise: Vec<u8> = (0..61).map(|i| (round * 31 + i * i * 7) as u8).collect();
            taken += sniffer.received(&noise, MS * round as u32).iter().map(|s| s.bytes.len()).sum::<usize>();
        }
        taken += sniffer.quiet().iter().map(|s| s.bytes.len()).sum::<usize>();
        assert_eq!(taken, 200 * 61);
    }
}
