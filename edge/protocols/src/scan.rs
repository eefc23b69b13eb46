//! Frames among the bytes of a meters' line: bytes FE come before them, noise between them, and a transceiver may hear
//! itself. DL/T 645 and CJ/T 188 listen by it. It holds no more than two frames, whatever comes.

use std::fmt;

use crate::exchange::{Fault, Progress};

/// Wakes a receiver; comes before frames in both directions.
pub const WAKE_UP: u8 = 0xFE;

/// What begins at a place in the bytes.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum At<F> {
    /// A frame, and how many bytes it takes.
    Frame(F, usize),
    /// It may become one.
    Begins,
    /// Head and end of a frame, and a wrong sum between them.
    Damaged,
    Nothing,
}

/// How a language's frames look.
#[derive(Clone, Copy)]
pub struct Look<F> {
    pub at: fn(&[u8]) -> At<F>,
    /// So many bytes that may become a frame are not noise any more.
    pub head: usize,
    /// Bytes of the longest frame.
    pub longest: usize,
}

/// Bytes that came and are no whole frame yet.
#[derive(Clone)]
pub struct Scan<F> {
    look: Look<F>,
    held: Vec<u8>,
}

impl<F> Scan<F> {
    pub const fn new(look: Look<F>) -> Self {
        Self { look, held: Vec::new() }
    }

    pub fn clear(&mut self) {
        self.held.clear();
    }

    pub fn held(&self) -> &[u8] {
        &self.held
    }

    /// Takes bytes in; returns how many there is no room for.
    pub fn push(&mut self, bytes: &[u8]) -> usize {
        let room = (2 * self.look.longest).saturating_sub(self.held.len());
        self.held.extend(bytes.iter().take(room));
        self.forget(0);
        bytes.len().saturating_sub(room)
    }

    /// Forgets what is no part of a frame at the front.
    fn forget(&mut self, bytes: usize) {
        let wake_up = self.held.iter().skip(bytes).take_while(|byte| **byte == WAKE_UP).count();
        self.held.drain(..(bytes + wake_up).min(self.held.len()));
    }

    fn at(&self, place: usize) -> At<F> {
        self.held.get(place..).map_or(At::Nothing, self.look.at)
    }

    /// The next whole frame. What came up to its end is forgotten.
    pub fn next_frame(&mut self) -> Option<F> {
        let (frame, end) = (0..self.held.len()).find_map(|place| match self.at(place) {
            At::Frame(frame, len) => Some((frame, place + len)),
            _ => None,
        })?;
        self.forget(end);
        Some(frame)
    }

    /// What is wrong with the bytes that are held, when no more will come.
    pub fn verdict(&self) -> Option<Fault> {
        let bytes = self.held.len();
        let mut short = false;
        for place in 0..bytes {
            match self.at(place) {
                At::Damaged => return Some(Fault::CheckSum),
                At::Begins => short |= bytes - place >= self.look.head,
                At::Frame(..) | At::Nothing => {}
            }
        }
        match bytes {
            0 => None,
            _ if short => Some(Fault::Short { bytes }),
            _ => Some(Fault::Noise { bytes }),
        }
    }
}

/// As many stray bytes behind an answer are noise of the line's turn-around, not a second answer.
const TURNAROUND_NOISE: usize = 2;

/// Listens for the answer to one request among all that passes.
#[derive(Clone, Debug)]
pub struct Listener<F> {
    scan: Scan<F>,
    trailing: usize,
    /// What the last whole frame was that is not the answer.
    foreign: Option<Fault>,
}

impl<F> Listener<F> {
    pub const fn new(look: Look<F>) -> Self {
        Self { scan: Scan::new(look), trailing: 0, foreign: None }
    }

    /// A request goes out: what came before it answers nothing.
    pub fn clear(&mut self) {
        self.scan.clear();
    }

    /// Takes bytes in. `judge` says what a whole frame means for the request: nothing where it is the request itself,
    /// heard again, and a fault where it is somebody else's, or late, and is let pass.
    pub fn received(
        &mut self,
        bytes: &[u8],
        mut judge: impl FnMut(&F) -> Result<Option<Progress>, Fault>,
    ) -> Progress {
        let without_room = self.scan.push(bytes);
        while let Some(frame) = self.scan.next_frame() {
            match judge(&frame) {
                Ok(None) => {}
                Ok(Some(progress)) => {
                    self.trailing = self.scan.held().len() + without_room;
                    let is_followed = self.trailing > TURNAROUND_NOISE;
                    return match progress {
                        Progress::Reply(_) if is_followed => {
                            Progress::Bad(Fault::Trailing { bytes: self.trailing })
                        }
                        progress => progress,
                    };
                }
                Err(fault) => self.foreign = Some(fault),
            }
        }
        if without_room > 0 {
            return Progress::Bad(Fault::Noise { bytes: self.scan.held().len() + without_room });
        }
        Progress::More
    }

    pub fn held(&self) -> &[u8] {
        self.scan.held()
    }

    /// What is wrong with that which came, when nothing more will.
    pub fn verdict(&self) -> Option<Fault> {
        self.scan.verdict().or(self.foreign)
    }

    /// Whether that which is held is an answer that was damaged or cut.
    pub fn is_damaged(&self) -> bool {
        matches!(self.verdict(), Some(Fault::CheckSum | Fault::Short { .. }))
    }

    pub const fn trailing(&self) -> usize {
        self.trailing
    }
}

impl<F> fmt::Debug for Scan<F> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Scan").field("held", &self.held).finish_non_exhaustive()
    }
}

/// The first frame among bytes that were heard at once.
pub fn first_frame<F>(heard: &[u8], at: fn(&[u8]) -> At<F>) -> Option<F> {
    (0..heard.len()).find_map(|place| match heard.get(place..).map(at) {
        Some(At::Frame(frame, _)) => Some(frame),
        _ => None,
    })
}
