//! Finding who is on a line by secondary addresses: everybody is selected; where several answer at once, the next digit
//! of the identification is tried from 0 to 9. It does no I/O: whoever searches identifies the meter of each mask and
//! says what was heard.

use super::address::{Identity, Mask};

/// What came of a mask.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Heard {
    /// Nothing acknowledged the selection.
    Nobody,
    One(Identity),
    /// Something came that is no answer: several speak at once, or the line is disturbed.
    Several,
}

/// A search under way.
#[derive(Clone, Debug)]
pub struct Search {
    /// The next one is the last.
    open: Vec<Mask>,
    found: Vec<Identity>,
    undecided: Vec<Mask>,
}

impl Search {
    /// Among those that the mask means.
    pub fn new(mask: Mask) -> Self {
        Self { open: vec![mask], found: Vec::new(), undecided: Vec::new() }
    }

    /// Whom to identify next; none when the search is over.
    pub fn next(&self) -> Option<Mask> {
        self.open.last().copied()
    }

    /// What came of `next`.
    pub fn heard(&mut self, heard: Heard) {
        let Some(mask) = self.open.pop() else { return };
        match heard {
            Heard::Nobody => {}
            Heard::One(identity) if mask.means(identity) => {
                if !self.found.contains(&identity) {
                    self.found.push(identity);
                }
            }
            Heard::One(_) | Heard::Several => {
                let narrower = mask.narrower();
                if narrower.is_empty() {
                    self.undecided.push(mask);
                }
                self.open.extend(narrower.into_iter().rev());
            }
        }
    }

    pub fn found(&self) -> &[Identity] {
        &self.found
    }

    /// Masks whose digits are all given and that several answer to: meters of different makers with one number, or a
    /// disturbed line.
    pub fn undecided(&self) -> &[Mask] {
        &self.undecided
    }
}
