//! Who is told of changes of value (ASHRAE 135, clause 13.1 and 13.14): at once when they subscribe, and then by each
//! change that is large enough, until their time is over. A confirmed notice is repeated until it is acknowledged.

use std::time::{Duration, Instant};

use super::super::client::Peer;
use super::super::object::ObjectId;
use super::super::tag::{put_closing, put_context, put_context_unsigned, put_opening};
use super::super::value::Value;
use super::asked::Terms;

/// Subscriptions that a device keeps, at most.
const MOST: usize = 128;
/// How often and in which distance a confirmed notice is said.
const TRIES: u8 = 4;
const PATIENCE: Duration = Duration::from_secs(3);
const PRESENT_VALUE: u64 = 85;
const STATUS_FLAGS: u64 = 111;

#[derive(Clone, Debug)]
pub struct Subscription {
    pub peer: Peer,
    pub process: u32,
    pub object: ObjectId,
    confirmed: bool,
    until: Option<Instant>,
    /// What was told last.
    told: Option<(Value, Value)>,
}

/// A notice that waits for its acknowledgement.
#[derive(Clone, Debug)]
struct Waiting {
    peer: Peer,
    invoke: u8,
    content: Vec<u8>,
    due: Instant,
    tries: u8,
}

/// A notice that is to be sent; a confirmed one has a number.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Notice {
    pub peer: Peer,
    pub invoke: Option<u8>,
    pub content: Vec<u8>,
}

#[derive(Clone, Debug, Default)]
pub struct Changes {
    all: Vec<Subscription>,
    waiting: Vec<Waiting>,
    next: u8,
}

impl Changes {
    /// Takes a subscription, anew where it is there. False when there are too many.
    pub fn subscribe(
        &mut self,
        (peer, process, object): (Peer, u32, ObjectId),
        terms: Terms,
        now: Instant,
    ) -> bool {
        self.unsubscribe(peer, process, object);
        if self.all.len() >= MOST {
            return false;
        }
        let until = (terms.lifetime > 0).then(|| now + Duration::from_secs(terms.lifetime.into()));
        self.all.push(Subscription { peer, process, object, confirmed: terms.confirmed, until, told: None });
        true
    }

    pub fn unsubscribe(&mut self, peer: Peer, process: u32, object: ObjectId) {
        self.all.retain(|s| (s.peer, s.process, s.object) != (peer, process, object));
    }

    pub fn acknowledged(&mut self, peer: Peer, invoke: u8) {
        self.waiting.retain(|w| (w.peer, w.invoke) != (peer, invoke));
    }

    /// Notices that are due: `seen` says what an object's value and status are, and from which change on it is told.
    pub fn due(
        &mut self,
        device: u32,
        now: Instant,
        seen: impl Fn(ObjectId) -> Option<(Value, Value, f64)>,
    ) -> Vec<Notice> {
        self.all.retain(|s| s.until.is_none_or(|until| now < until));
        let mut notices = Vec::new();
        for subscription in &mut self.all {
            let Some((value, status, increment)) = seen(subscription.object) else { continue };
            let is_news = subscription
                .told
                .as_ref()
                .is_none_or(|(old, flags)| *flags != status || is_changed(old, &value, increment));
            if !is_news {
                continue;
            }
            let rest = subscription.until.map_or(0, |until| (until - now).as_secs().max(1));
            let content = content(device, subscription, rest, &value, &status);
            let invoke = subscription.confirmed.then(|| {
                self.next = self.next.wrapping_add(1);
                self.next
            });
            if let Some(invoke) = invoke {
                let due = now + PATIENCE;
                let peer = subscription.peer;
                self.waiting.push(Waiting { peer, invoke, content: content.clone(), due, tries: 1 });
            }
            notices.push(Notice { peer: subscription.peer, invoke, content });
            subscription.told = Some((value, status));
        }
        self.waiting.retain(|w| w.tries < TRIES || now < w.due);
        for waiting in self.waiting.iter_mut().filter(|w| w.due <= now) {
            waiting.due = now + PATIENCE;
            waiting.tries += 1;
            notices.push(Notice {
                peer: waiting.peer,
                invoke: Some(waiting.invoke),
                content: waiting.content.clone(),
            });
        }
        notices
    }
}

fn is_changed(old: &Value, new: &Value, increment: f64) -> bool {
    match (old, new) {
        (Value::Real(_) | Value::Double(_), Value::Real(_) | Value::Double(_)) => {
            let number = |value: &Value| value.as_number().unwrap_or(0.0);
            (number(old) - number(new)).abs() >= increment
        }
        _ => old != new,
    }
}

fn content(device: u32, subscription: &Subscription, rest: u64, value: &Value, status: &Value) -> Vec<u8> {
    let mut out = Vec::new();
    put_context_unsigned(&mut out, 0, subscription.process.into());
    put_context(&mut out, 1, &ObjectId::device(device).bits().to_be_bytes());
    put_context(&mut out, 2, &subscription.object.bits().to_be_bytes());
    put_context_unsigned(&mut out, 3, rest);
    put_opening(&mut out, 4);
    for (property, value) in [(PRESENT_VALUE, value), (STATUS_FLAGS, status)] {
        put_context_unsigned(&mut out, 0, property);
        put_opening(&mut out, 2);
        value.put(&mut out);
        put_closing(&mut out, 2);
    }
    put_closing(&mut out, 4);
    out
}
