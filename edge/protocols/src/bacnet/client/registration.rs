//! Our registration as a foreign device with a BBMD (ASHRAE 135, Annex J.5.2): asked for until it is granted, renewed at
//! half of its life, asked for anew when the BBMD has forgotten it. Broadcasts that come before it are kept, a few.
//!
//! | state | left when | to |
//! |---|---|---|
//! | due | its time | asked (datagram) |
//! | asked | granted | due at half of the life; registered |
//! | asked | refused | due in half a minute; not registered |
//! | asked | nothing for a timeout | due at once; after three, in half a minute; not registered when the life is over |
//! | any | a broadcast was refused | due at once; not registered |

use std::collections::VecDeque;
use std::time::{Duration, Instant};

use super::settings::Foreign;
use super::transactions::Datagram;
use crate::bacnet::bvlc::{Bvlc, DISTRIBUTION_REFUSED, REGISTRATION_REFUSED};

const TRIES: u8 = 3;
const BACKOFF: Duration = Duration::from_secs(30);
const MAX_HELD: usize = 8;

/// What has become of the registration.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    Registered,
    /// The BBMD says no.
    Refused,
    /// The BBMD says nothing.
    Silent,
}

#[derive(Debug)]
pub struct Registration {
    foreign: Foreign,
    timeout: Duration,
    due: Option<Instant>,
    tries: u8,
    lives_until: Option<Instant>,
    told: Option<Standing>,
    held: VecDeque<Vec<u8>>,
}

impl Registration {
    pub const fn new(foreign: Foreign, timeout: Duration) -> Self {
        Self { foreign, timeout, due: None, tries: 0, lives_until: None, told: None, held: VecDeque::new() }
    }

    pub const fn foreign(&self) -> &Foreign {
        &self.foreign
    }

    /// Nothing before the first poll: that is due at once.
    pub const fn deadline(&self) -> Option<Instant> {
        self.due
    }

    /// A broadcast: sent through the BBMD, or kept until it takes us.
    pub fn broadcast(&mut self, npdu: Vec<u8>) -> Option<Datagram> {
        if self.lives_until.is_some() {
            return Some(Datagram {
                to: self.foreign.bbmd.into(),
                bytes: Bvlc::DistributeBroadcast(&npdu).encode(),
            });
        }
        if self.held.len() >= MAX_HELD {
            self.held.pop_front();
        }
        self.held.push_back(npdu);
        None
    }

    pub fn poll(&mut self, now: Instant) -> (Option<Datagram>, Option<Standing>) {
        if self.due.is_some_and(|due| due > now) {
            return (None, None);
        }
        let mut change = None;
        if self.lives_until.is_some_and(|end| end <= now) {
            self.lives_until = None;
        }
        if self.tries >= TRIES {
            self.tries = 0;
            self.due = Some(now + BACKOFF);
            if self.lives_until.is_none() {
                change = self.change(Standing::Silent);
            }
            return (None, change);
        }
        self.tries += 1;
        self.due = Some(now + self.timeout);
        let bytes = Bvlc::RegisterForeignDevice { ttl: self.foreign.ttl }.encode();
        (Some(Datagram { to: self.foreign.bbmd.into(), bytes }), change)
    }

    /// A result from the BBMD. What was kept goes out now.
    pub fn result(&mut self, code: u16, now: Instant) -> (Vec<Datagram>, Option<Standing>) {
        match code {
            0 if self.tries > 0 => {
                let life = Duration::from_secs(u64::from(self.foreign.ttl.max(2)));
                self.tries = 0;
                self.due = Some(now + life / 2);
                self.lives_until = Some(now + life);
                let held = std::mem::take(&mut self.held);
                let out = held.into_iter().filter_map(|npdu| self.broadcast(npdu)).collect();
                (out, self.change(Standing::Registered))
            }
            REGISTRATION_REFUSED => {
                self.tries = 0;
                self.due = Some(now + BACKOFF);
                self.lives_until = None;
                (Vec::new(), self.change(Standing::Refused))
            }
            // Only a registration that we believe in can have been forgotten; the rest are echoes of one refusal.
            DISTRIBUTION_REFUSED if self.lives_until.is_some() => {
                self.lives_until = None;
                self.tries = 0;
                self.due = Some(now);
                (Vec::new(), None)
            }
            _ => (Vec::new(), None),
        }
    }

    fn change(&mut self, standing: Standing) -> Option<Standing> {
        (self.told.replace(standing) != Some(standing)).then_some(standing)
    }
}
