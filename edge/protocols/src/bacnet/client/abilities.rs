//! What is known of a device's abilities: from its I-Am, from what it has refused, and from what it was silent to. What a
//! device has refused is remembered until it introduces itself otherwise. Silence is a weaker sign: a device that was off
//! for a while must not be read in small pieces for ever, so that more is tried again after a while, ever more seldom.

use crate::bacnet::apdu::MAX_APDU;
use crate::bacnet::notice::{IAm, Segmentation};

/// The most properties in one request.
pub(super) const MAX_BATCH: usize = 100;
/// What a device takes of which nothing is known: as much as the smaller data links carry.
const UNKNOWN_APDU: u16 = 480;
/// Segments that an answer may need where the device can cut it.
const SEGMENTS: usize = 4;
/// After so many good answers, each as long as the device is asked for, twice as much is tried.
const TRY_MORE_AFTER: u32 = 32;
/// The same of a device that falls silent each time.
const TRY_MORE_SELDOM: u32 = 4096;

#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Abilities {
    pub max_apdu: u16,
    pub can_segment: bool,
    /// Properties at once, at most.
    pub batch: usize,
    /// It reads one property at a time only.
    pub singly: bool,
    /// It has answered us before.
    pub answered: bool,
    /// What `batch` may grow to: it has refused more.
    ceiling: usize,
    /// Good answers of `batch` properties since that was last changed, and how many make it grow.
    good: u32,
    enough: u32,
}

impl Default for Abilities {
    fn default() -> Self {
        Self {
            max_apdu: UNKNOWN_APDU,
            can_segment: false,
            batch: MAX_BATCH,
            singly: false,
            answered: false,
            ceiling: MAX_BATCH,
            good: 0,
            enough: TRY_MORE_AFTER,
        }
    }
}

impl Abilities {
    /// The device introduces itself for the first time, or as another than it was: nothing that was learned holds.
    pub fn introduced(&mut self, introduction: &IAm) {
        *self = Self {
            // The shortest that the standard allows (clause 20.1.2.5).
            max_apdu: introduction.max_apdu.clamp(50, MAX_APDU),
            can_segment: Segmentation::can_send(introduction.segmentation),
            answered: self.answered,
            ..Self::default()
        };
    }

    /// Properties that are put into one request.
    pub(super) fn most(&self) -> usize {
        if self.singly { 1 } else { self.batch.clamp(1, MAX_BATCH) }
    }

    /// Bytes that an answer may take.
    pub(super) const fn room(&self) -> usize {
        let one = self.max_apdu as usize - 10;
        if self.can_segment { one * SEGMENTS } else { one }
    }

    /// So many properties are too much for it, as it says.
    pub(super) fn refuses(&mut self, count: usize) {
        self.ceiling = (count / 2).clamp(1, self.ceiling);
        self.lower(self.ceiling);
    }

    /// It says nothing to so many properties at once and answers to one, or breaks off.
    pub(super) fn is_silent_to(&mut self, count: usize) {
        self.enough = (self.enough * 2).min(TRY_MORE_SELDOM);
        self.lower(count / 2);
    }

    fn lower(&mut self, to: usize) {
        self.batch = to.clamp(1, self.batch.max(1));
        self.good = 0;
    }

    /// It has answered to so many properties at once.
    pub(super) fn bears(&mut self, count: usize) {
        if count < self.batch {
            return;
        }
        self.good += 1;
        if self.good < self.enough {
            return;
        }
        self.good = 0;
        if self.batch < self.ceiling {
            self.batch = (self.batch * 2).min(self.ceiling);
        } else {
            self.enough = TRY_MORE_AFTER;
        }
    }
}
