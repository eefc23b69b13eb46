//! The devices' end of an RS-485 line, in virtual time: what the master wrote is on the wire for as long as its
//! characters take, a device turns round, its answer comes character by character. Counts a master that does
//! not keep the silence of 3.5 characters (MODBUS over Serial Line V1.02, clause 2.5.1.1). Simulated devices of any
//! language answer through it. No I/O here: whoever owns the terminal moves the bytes.

use std::collections::VecDeque;
use std::time::Duration;

use crate::character::Character;

/// How fast characters go.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Pace {
    pub baud: u32,
    /// Bits of one character with start, parity and stop.
    pub bits: u32,
}

impl From<Character> for Pace {
    fn from(character: Character) -> Self {
        Self { baud: character.baud, bits: character.bits() }
    }
}

impl Pace {
    pub fn character(self) -> Duration {
        Duration::from_nanos(u64::from(self.bits) * 1_000_000_000 / u64::from(self.baud.max(1)))
    }

    /// t3.5: 3.5 characters up to 19200 baud, 1.75 ms above.
    pub fn silence(self) -> Duration {
        if self.baud <= 19_200 { self.character() * 7 / 2 } else { Duration::from_micros(1750) }
    }
}

/// One answer to one request: its bytes with check sum, and how long the device takes to begin.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Answer {
    pub bytes: Vec<u8>,
    pub turnaround: Duration,
}

/// What became of a frame that the devices heard.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// It was damaged: its check sum does not hold.
    Broken,
    /// Nobody answers.
    Nobody,
    /// These answer, each after its turnaround; more than one where two devices have one address.
    Answered(Vec<Answer>),
}

/// Whoever hears the frames on a line: the devices on it.
pub trait Station: Send + Sync {
    fn hear(&self, frame: &[u8]) -> Heard;

    /// Whether its devices have baud rates of their own, so that the line is as fast as the port is set for whoever is
    /// asked. Then they are told by `hear_at`.
    fn has_own_rates(&self) -> bool {
        false
    }

    /// The same with the baud rate at which it was said.
    fn hear_at(&self, frame: &[u8], _baud: u32) -> Heard {
        self.hear(frame)
    }
}

impl From<Option<Answer>> for Heard {
    fn from(answer: Option<Answer>) -> Self {
        answer.map_or(Self::Nobody, |answer| Self::Answered(vec![answer]))
    }
}

/// What the line saw.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
pub struct Counts {
    pub requests: u64,
    pub answers: u64,
    /// Requests whose check sum was wrong.
    pub broken: u64,
    /// Requests that began before the line had been silent for 3.5 characters.
    pub too_early: u64,
    /// Requests written while an answer was under way: that answer is lost.
    pub collisions: u64,
}

/// The line. All instants count from its opening.
#[derive(Debug)]
pub struct Line {
    pace: Pace,
    received: Vec<u8>,
    /// When the last character of the master has left the wire.
    request_end: Duration,
    /// Last activity of either side.
    busy_until: Option<Duration>,
    /// Answers that have not begun, in their order.
    waiting: VecDeque<(Duration, Vec<u8>)>,
    /// The answer under way: when it began, its bytes, how many are out.
    under_way: Option<(Duration, Vec<u8>, usize)>,
    counts: Counts,
}

impl Line {
    pub fn new(pace: Pace) -> Self {
        Self {
            pace,
            received: Vec::new(),
            request_end: Duration::ZERO,
            busy_until: None,
            waiting: VecDeque::new(),
            under_way: None,
            counts: Counts::default(),
        }
    }

    pub fn counts(&self) -> Counts {
        self.counts
    }

    pub fn baud(&self) -> u32 {
        self.pace.baud
    }

    /// The port is set otherwise from now on.
    pub fn set_baud(&mut self, baud: u32) {
        self.pace.baud = baud;
    }

    /// The master wrote these bytes: a pseudo-terminal hands them over at once, the wire takes its time.
    pub fn receive(&mut self, now: Duration, bytes: &[u8]) {
        if bytes.is_empty() {
            return;
        }
        let begins = self.received.is_empty();
        if begins {
            if self.under_way.take().is_some() {
                self.counts.collisions += 1;
            } else if self.busy_until.is_some_and(|end| now < end + self.pace.silence()) {
                self.counts.too_early += 1;
            }
            self.request_end = now;
        }
        self.received.extend_from_slice(bytes);
        let on_the_wire = self.pace.character() * u32::try_from(bytes.len()).unwrap_or(u32::MAX);
        self.request_end = self.request_end.max(now) + on_the_wire;
        self.busy_until = Some(self.request_end);
        // A late answer to an earlier request falls just behind this one: the worst place for it.
        for (start, _) in &mut self.waiting {
            *start = (*start).max(self.request_end + self.pace.character());
        }
    }

    /// Sends bytes that nobody asked for, at once.
    pub fn babble(&mut self, now: Duration, bytes: Vec<u8>) {
        if self.under_way.is_none() {
            self.waiting.push_back((now, bytes));
        }
    }

    /// Bytes whose time has come. `answer` is asked when a request is whole.
    pub fn advance(&mut self, now: Duration, mut answer: impl FnMut(&[u8]) -> Heard) -> Vec<u8> {
        if !self.received.is_empty() && now >= self.request_end + self.pace.silence() {
            let frame = std::mem::take(&mut self.received);
            self.counts.requests += 1;
            match answer(&frame) {
                Heard::Broken => self.counts.broken += 1,
                Heard::Nobody => {}
                Heard::Answered(replies) => {
                    let begins =
                        |turnaround: Duration| self.request_end + turnaround.max(self.pace.silence());
                    self.waiting.extend(replies.into_iter().map(|r| (begins(r.turnaround), r.bytes)));
                }
            }
        }
        let mut out = Vec::new();
        if self.under_way.is_none()
            && let Some((start, bytes)) = self.waiting.pop_front_if(|(start, _)| *start <= now)
        {
            self.under_way = Some((start, bytes, 0));
        }
        if let Some((start, bytes, sent)) = &mut self.under_way {
            let gone = now.saturating_sub(*start).as_nanos() / self.pace.character().as_nanos().max(1);
            let upto = usize::try_from(gone).unwrap_or(usize::MAX).min(bytes.len());
            if upto > *sent {
                out.extend_from_slice(bytes.get(*sent..upto).unwrap_or_default());
                *sent = upto;
                self.busy_until = Some(now);
            }
            if *sent == bytes.len() {
                self.counts.answers += 1;
                self.under_way = None;
            }
        }
        out
    }

    /// When `advance` has something to do next. While an answer is under way it comes by a few characters at
    /// a time, as from the FIFO of a real port, and its last character exactly at its time.
    pub fn next(&self, now: Duration) -> Option<Duration> {
        if let Some((start, bytes, _)) = &self.under_way {
            let whole = *start + self.pace.character() * u32::try_from(bytes.len()).unwrap_or(u32::MAX);
            return Some(whole.min(now + self.pace.character().max(Duration::from_millis(1))));
        }
        let request = (!self.received.is_empty()).then(|| self.request_end + self.pace.silence());
        let reply = self.waiting.front().map(|(start, _)| *start + self.pace.character());
        match (request, reply) {
            (Some(a), Some(b)) => Some(a.min(b)),
            (a, b) => a.or(b),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::modbus::device::from_serial;
    use crate::modbus::with_crc;

    /// 9600 baud, 8E1: one character is 1.1458 ms.
    const PACE: Pace = Pace { baud: 9600, bits: 11 };
    const MS: Duration = Duration::from_millis(1);

    fn request() -> Vec<u8> {
        with_crc(vec![0x11, 0x03, 0x00, 0x6b, 0x00, 0x03])
    }

    fn twenty(frame: &[u8]) -> Heard {
        if from_serial(frame).is_none() {
            return Heard::Broken;
        }
        assert_eq!(frame, request());
        Heard::Answered(vec![Answer { bytes: with_crc(vec![0x11; 18]), turnaround: 10 * MS }])
    }

    /// Runs the line to `until`, returns each burst with its instant.
    fn run(line: &mut Line, from: Duration, until: Duration) -> Vec<(Duration, Vec<u8>)> {
        let mut now = from;
        let mut out = Vec::new();
        while now <= until {
            let bytes = line.advance(now, twenty);
            if !bytes.is_empty() {
                out.push((now, bytes));
            }
            now = line.next(now).unwrap_or(until + MS).max(now + Duration::from_nanos(1));
        }
        out
    }

    #[test]
    fn an_answer_takes_its_time_on_the_wire() {
        let mut line = Line::new(PACE);
        line.receive(100 * MS, &request());
        let bytes = run(&mut line, 100 * MS, 500 * MS);
        // Request 8 characters, turnaround 10 ms, answer 20 characters.
        let c = PACE.character();
        let first = bytes.first().unwrap().0;
        let last = bytes.last().unwrap().0;
        assert!(first >= 100 * MS + c * 9 + 10 * MS, "{first:?}");
        assert_eq!(last, 100 * MS + c * 28 + 10 * MS);
        assert_eq!(bytes.iter().map(|(_, b)| b.len()).sum::<usize>(), 20);
        assert!(bytes.len() >= 15, "bytes come one by one at this pace, not at once");
        assert_eq!(line.counts(), Counts { requests: 1, answers: 1, ..Counts::default() });
    }

    #[test]
    fn a_fast_device_still_waits_for_the_silence() {
        let mut line = Line::new(PACE);
        line.receive(MS, &request());
        assert!(
            line.advance(MS + PACE.character() * 8, |_| unreachable!("the frame is not over yet")).is_empty()
        );
        let at = MS + PACE.character() * 8 + PACE.silence();
        line.advance(at, |_| Some(Answer { bytes: vec![1], turnaround: Duration::ZERO }).into());
        assert_eq!(line.next(at), Some(at + PACE.character()));
    }

    #[test]
    fn a_master_that_does_not_keep_the_silence_is_counted() {
        let mut line = Line::new(PACE);
        line.receive(Duration::ZERO, &request());
        let end = run(&mut line, Duration::ZERO, 200 * MS).last().unwrap().0;
        line.receive(end + PACE.character() * 3, &request());
        assert_eq!(line.counts().too_early, 1);
        let end = run(&mut line, end + 4 * MS, end + 200 * MS).last().unwrap().0;
        line.receive(end + PACE.silence(), &request());
        assert_eq!(line.counts().too_early, 1);
    }

    #[test]
    fn who_talks_into_an_answer_loses_both() {
        let mut line = Line::new(PACE);
        line.receive(Duration::ZERO, &request());
        run(&mut line, Duration::ZERO, 30 * MS);
        line.receive(30 * MS, &request());
        assert_eq!(line.counts().collisions, 1);
        let after: usize = run(&mut line, 30 * MS, 300 * MS).iter().map(|(_, b)| b.len()).sum();
        assert_eq!(after, 20, "the second request alone is answered");
    }

    #[test]
    fn a_broken_request_is_not_answered() {
        let mut line = Line::new(PACE);
        let mut frame = request();
        frame[3] ^= 1;
        line.receive(Duration::ZERO, &frame);
        assert!(run(&mut line, Duration::ZERO, 100 * MS).is_empty());
        assert_eq!(line.counts().broken, 1);
    }

    #[test]
    fn above_19200_baud_the_silence_is_fixed() {
        assert_eq!(Pace { baud: 115_200, bits: 10 }.silence(), Duration::from_micros(1750));
        assert_eq!(Pace { baud: 19_200, bits: 11 }.silence(), Duration::from_nanos(572_916) * 7 / 2);
    }
}
