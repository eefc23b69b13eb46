//! The way through one router: how many requests are on it, who waits, and when the next may go. Behind a router lies
//! a slow line more often than not, and a router that is asked for too much drops the rest without a word.

use std::collections::VecDeque;
use std::time::Instant;

use super::settings::Peer;

#[derive(Debug, Default)]
pub struct Gate {
    flying: usize,
    waiting: VecDeque<Peer>,
    not_before: Option<Instant>,
    /// Only time holds the first up.
    timed: bool,
}

impl Gate {
    pub fn wait(&mut self, peer: Peer) {
        if !self.waiting.contains(&peer) {
            self.waiting.push_back(peer);
        }
    }

    /// Who may go now. It no longer waits.
    pub fn next(&mut self, most: usize, now: Instant) -> Option<Peer> {
        let room = self.flying < most.max(1);
        let early = self.not_before.is_some_and(|t| t > now);
        self.timed = room && early && !self.waiting.is_empty();
        if !room || early { None } else { self.waiting.pop_front() }
    }

    pub const fn entered(&mut self, next: Instant) {
        self.flying += 1;
        self.not_before = Some(next);
    }

    pub const fn left(&mut self) {
        self.flying = self.flying.saturating_sub(1);
    }

    pub const fn pause(&mut self, until: Option<Instant>) {
        self.not_before = until;
        self.timed = true;
    }

    /// When somebody who waits may go.
    pub fn deadline(&self) -> Option<Instant> {
        self.not_before.filter(|_| self.timed && !self.waiting.is_empty())
    }
}
