//! One answer that comes in segments (ASHRAE 135, clause 5.4.4): what has come, what comes next, and when that is
//! acknowledged: after the first segment, then once a window. The sequence starts over after 256 segments.

use crate::bacnet::apdu::Segment;

/// What is to be said after a segment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Kept; the window is not full.
    Nothing,
    /// Acknowledge up to this sequence number.
    Ack(u8),
    /// Something is missing behind this sequence number.
    Nak(u8),
    /// Acknowledge it: it was the last.
    Complete(u8),
    /// It is longer than is taken.
    TooMuch,
}

#[derive(Clone, Debug)]
pub struct Assembly {
    bytes: Vec<u8>,
    most: usize,
    last: u8,
    /// The last segment that was acknowledged.
    acknowledged: u8,
    window: u8,
    /// A gap was told, and nothing has come in order since.
    complained: bool,
}

impl Assembly {
    /// Begins with the first segment, which is acknowledged at once so that the device learns our window. Nothing
    /// where it is not the first: that one is lost, and the device repeats it.
    pub fn begin(segment: Segment, data: &[u8], window: u8, most: usize) -> Option<(Self, Verdict)> {
        if segment.sequence != 0 {
            return None;
        }
        let assembly = Self {
            bytes: data.to_vec(),
            most,
            last: 0,
            acknowledged: 0,
            window: window.min(segment.window).max(1),
            complained: false,
        };
        let verdict = if data.len() > most {
            Verdict::TooMuch
        } else if segment.more {
            Verdict::Ack(0)
        } else {
            Verdict::Complete(0)
        };
        Some((assembly, verdict))
    }

    /// How many segments may come between two acknowledgements.
    pub const fn window(&self) -> u8 {
        self.window
    }

    pub fn push(&mut self, segment: Segment, data: &[u8]) -> Verdict {
        if segment.sequence != self.last.wrapping_add(1) {
            return self.out_of_order(segment.sequence);
        }
        if self.bytes.len() + data.len() > self.most {
            return Verdict::TooMuch;
        }
        self.bytes.extend_from_slice(data);
        self.last = segment.sequence;
        self.complained = false;
        if !segment.more {
            return Verdict::Complete(self.last);
        }
        if self.last.wrapping_sub(self.acknowledged) >= self.window {
            self.acknowledged = self.last;
            return Verdict::Ack(self.last);
        }
        Verdict::Nothing
    }

    fn out_of_order(&mut self, sequence: u8) -> Verdict {
        let behind = self.last.wrapping_sub(sequence);
        // The end of a window once more: its acknowledgement was lost.
        if sequence == self.last && self.acknowledged == self.last {
            return Verdict::Ack(self.last);
        }
        if behind < 128 {
            return Verdict::Nothing;
        }
        // One complaint a gap: the rest of the window is in the air already.
        if self.complained {
            return Verdict::Nothing;
        }
        self.complained = true;
        self.acknowledged = self.last;
        Verdict::Nak(self.last)
    }

    pub fn into_bytes(self) -> Vec<u8> {
        self.bytes
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn segment(sequence: u8, more: bool) -> Segment {
        Segment { sequence, window: 4, more }
    }

    #[test]
    fn the_first_segment_is_acknowledged_at_once_and_then_each_window() {
        let (mut assembly, verdict) = Assembly::begin(segment(0, true), &[0], 16, 100).unwrap();
        assert_eq!((verdict, assembly.window()), (Verdict::Ack(0), 4), "the smaller of both windows");
        let said: Vec<Verdict> = (1..=8).map(|i| assembly.push(segment(i, true), &[i])).collect();
        let nothing = Verdict::Nothing;
        assert_eq!(
            said,
            [nothing, nothing, nothing, Verdict::Ack(4), nothing, nothing, nothing, Verdict::Ack(8)]
        );
        assert_eq!(assembly.push(segment(9, false), &[9]), Verdict::Complete(9));
        assert_eq!(assembly.into_bytes(), [0, 1, 2, 3, 4, 5, 6, 7, 8, 9]);
    }

    #[test]
    fn a_gap_is_told_once_and_what_comes_again_is_not_kept_twice() {
        let (mut assembly, _) = Assembly::begin(segment(0, true), &[0], 4, 100).unwrap();
        assert_eq!(assembly.push(segment(1, true), &[1]), Verdict::Nothing);
        assert_eq!(assembly.push(segment(3, true), &[3]), Verdict::Nak(1));
        assert_eq!(assembly.push(segment(4, true), &[4]), Verdict::Nothing);
        assert_eq!(assembly.push(segment(1, true), &[1]), Verdict::Ack(1));
        assert_eq!(assembly.push(segment(2, true), &[2]), Verdict::Nothing);
        assert_eq!(assembly.push(segment(3, false), &[3]), Verdict::Complete(3));
        assert_eq!(assembly.into_bytes(), [0, 1, 2, 3]);
    }

    #[test]
    fn more_than_256_segments_are_one_answer() {
        let (mut assembly, _) = Assembly::begin(segment(0, true), &[0], 4, 10_000).unwrap();
        for i in 1..=999_u16 {
            let verdict = assembly.push(segment(i as u8, i < 999), &[1]);
            assert!(!matches!(verdict, Verdict::Nak(_) | Verdict::TooMuch), "{i}: {verdict:?}");
        }
        assert_eq!(assembly.into_bytes().len(), 1000);
    }

    #[test]
    fn it_begins_with_the_first_and_ends_at_its_bound() {
        assert!(Assembly::begin(segment(1, true), &[1], 4, 10).is_none());
        let (mut assembly, _) = Assembly::begin(segment(0, true), &[0; 6], 4, 10).unwrap();
        assert_eq!(assembly.push(segment(1, true), &[0; 6]), Verdict::TooMuch);
    }
}
