//! Subscriptions to changes of value (ASHRAE 135, clause 13.14): asked for, renewed at half of their life, watched. A
//! device that grants a subscription sends the present values at once: where nothing comes after a renewal, the
//! notices do not get through, and whoever wants the values must ask for them again.
//!
//! | state | left when | to |
//! |---|---|---|
//! | due | its time | asked |
//! | asked | granted | due at half of the life; a notice is expected |
//! | asked | refused or unanswered | due after a pause that grows; lost |
//! | any | the expected notice does not come | lost |
//! | any | a notice | live |

use std::collections::{BTreeMap, BTreeSet};
use std::time::{Duration, Instant};

use super::failure::Failure;
use super::settings::Peer;
use crate::bacnet::notice::CovNotice;
use crate::bacnet::object::ObjectId;
use crate::bacnet::service::Request;

/// From a grant to the notice with the present values, at most.
const FIRST_NOTICE: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_secs(30);
const LONGEST_PAUSE: Duration = Duration::from_mins(10);

/// What is subscribed to.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Wanted {
    pub peer: Peer,
    pub object: ObjectId,
    /// Whether the device repeats a notice until we acknowledge it.
    pub confirmed: bool,
    /// Seconds; at least 2.
    pub lifetime: u32,
}

/// Why notices are not to be relied on.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Loss {
    /// The subscription was not granted.
    NotGranted(Failure),
    /// It was granted, and nothing came.
    Silent,
}

#[derive(Debug)]
struct Subscription {
    wanted: Wanted,
    /// When it is asked for (again); nothing while it is being asked for.
    due: Option<Instant>,
    expected: Option<Instant>,
    /// A notice has come since it was last asked for: it may overtake the grant.
    heard: bool,
    /// What was told last: nothing yet, live, lost.
    live: Option<bool>,
    failures: u32,
}

impl Subscription {
    fn timer(&self) -> Option<Instant> {
        self.due.into_iter().chain(self.expected).min()
    }
}

#[derive(Debug, Default)]
pub struct Subscriptions {
    all: BTreeMap<u32, Subscription>,
    timers: BTreeSet<(Instant, u32)>,
    next: u32,
}

/// What is due of a subscription.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Due {
    Ask(u32, Wanted),
    Lost(u32, Loss),
}

impl Subscriptions {
    pub fn deadline(&self) -> Option<Instant> {
        self.timers.first().map(|(due, _)| *due)
    }

    /// The number of the subscription, which its notices bear.
    pub fn add(&mut self, wanted: Wanted, now: Instant) -> u32 {
        self.next = self.next.wrapping_add(1).max(1);
        let process = self.next;
        let subscription =
            Subscription { wanted, due: Some(now), expected: None, heard: false, live: None, failures: 0 };
        self.all.insert(process, subscription);
        self.timers.insert((now, process));
        process
    }

    pub fn remove(&mut self, process: u32) -> Option<Wanted> {
        let gone = self.all.remove(&process)?;
        gone.timer().map(|due| self.timers.remove(&(due, process)));
        Some(gone.wanted)
    }

    fn change<T>(&mut self, process: u32, change: impl FnOnce(&mut Subscription) -> T) -> Option<T> {
        let subscription = self.all.get_mut(&process)?;
        subscription.timer().map(|due| self.timers.remove(&(due, process)));
        let changed = change(subscription);
        subscription.timer().map(|due| self.timers.insert((due, process)));
        Some(changed)
    }

    /// The next thing that is due.
    pub fn poll(&mut self, now: Instant) -> Option<Due> {
        loop {
            let (due, process) = self.timers.first().copied().filter(|(due, _)| *due <= now)?;
            let found = self.change(process, |s| {
                if s.due.is_some_and(|due| due <= now) {
                    s.due = None;
                    s.heard = false;
                    return Some(Due::Ask(process, s.wanted));
                }
                s.expected = None;
                (s.live.replace(false) != Some(false)).then_some(Due::Lost(process, Loss::Silent))
            });
            match found {
                Some(Some(due)) => return Some(due),
                Some(None) => {}
                None => {
                    self.timers.remove(&(due, process));
                }
            }
        }
    }

    /// What came of asking for it. Answers with the loss, where one is to be told.
    pub fn asked(&mut self, process: u32, outcome: Result<(), Failure>, now: Instant) -> Option<Loss> {
        self.change(process, |s| match outcome {
            Ok(()) => {
                s.failures = 0;
                s.due = Some(now + Duration::from_secs(u64::from(s.wanted.lifetime.max(2))) / 2);
                s.expected = (!s.heard).then(|| now + FIRST_NOTICE);
                None
            }
            Err(failure) => {
                let pause = PAUSE * 2_u32.pow(s.failures.min(5));
                s.failures += 1;
                s.due = Some(now + pause.min(LONGEST_PAUSE));
                s.expected = None;
                (s.live.replace(false) != Some(false)).then_some(Loss::NotGranted(failure))
            }
        })?
    }

    /// Whether the notice is one that was subscribed to, and whether it is the first since it was lost.
    pub fn heard(&mut self, peer: Peer, notice: &CovNotice) -> Option<bool> {
        let process = notice.process;
        let subscription = self.all.get(&process)?;
        if subscription.wanted.peer != peer || subscription.wanted.object != notice.object {
            return None;
        }
        self.change(process, |s| {
            s.expected = None;
            s.heard = true;
            s.live.replace(true) != Some(true)
        })
    }
}

impl Wanted {
    pub const fn request(&self, process: u32) -> Request {
        let Self { object, confirmed, lifetime, .. } = *self;
        Request::SubscribeCov { process, object, confirmed, lifetime: Some(lifetime) }
    }

    pub const fn cancellation(&self, process: u32) -> Request {
        Request::SubscribeCov { process, object: self.object, confirmed: self.confirmed, lifetime: None }
    }
}
