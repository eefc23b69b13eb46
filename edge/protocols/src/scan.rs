//! Frames among the bytes of a meters' line: bytes FE come before them, noise between them, and a transceiver may hear
//! itself. DL/T 645 and CJ/T 188 listen by it. It holds no more than two frames, whatever comes.

use std::fmt;

use crate::exchange::Fault;

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
