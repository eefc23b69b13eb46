//! Keeps a topic that tells too much from the others: each may tell so often, with some room for bursts. What comes faster
//! waits, and of what waits under a topic only the newest stays. So nothing here grows, and the last word is always heard.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use steward_protocols::mqtt::Message;

/// A message each so often is heard for ever.
const PAUSE: Duration = Duration::from_millis(100);
/// So many at once, of a device that was quiet before: some send what they measured while they had no network.
const BURST: u32 = 200;

#[derive(Debug, Default)]
pub struct Gate {
    topics: BTreeMap<String, Spell>,
    /// Messages that gave way to newer ones.
    dropped: u64,
}

#[derive(Debug)]
struct Spell {
    /// When the next message could be heard if there were no room for bursts.
    paid: Instant,
    waiting: Option<Message>,
}

impl Spell {
    fn is_open(&self, now: Instant) -> bool {
        self.paid <= now + PAUSE * BURST
    }

    fn pay(&mut self, now: Instant) {
        self.paid = self.paid.max(now) + PAUSE;
    }
}

impl Gate {
    /// The message, where it may be heard now.
    pub fn offer(&mut self, message: Message, now: Instant) -> Option<Message> {
        let spell = self.topics.entry(message.topic.clone()).or_insert(Spell { paid: now, waiting: None });
        if spell.waiting.is_none() && spell.is_open(now) {
            spell.pay(now);
            return Some(message);
        }
        self.dropped += u64::from(spell.waiting.replace(message).is_some());
        None
    }

    /// A message that has waited long enough.
    pub fn due(&mut self, now: Instant) -> Option<Message> {
        let spell = self.topics.values_mut().find(|s| s.waiting.is_some() && s.is_open(now))?;
        spell.pay(now);
        spell.waiting.take()
    }

    /// When one will have.
    pub fn next(&self) -> Option<Instant> {
        let waits = self.topics.values().filter(|spell| spell.waiting.is_some());
        waits.filter_map(|spell| spell.paid.checked_sub(PAUSE * BURST)).min()
    }

    pub const fn dropped(&self) -> u64 {
        self.dropped
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(topic: &str, payload: u32) -> Message {
        Message { topic: topic.to_owned(), payload: payload.to_be_bytes().to_vec(), ..Message::default() }
    }

    #[test]
    fn a_flood_is_thinned_to_its_newest_and_harms_no_other_topic() {
        let start = tokio::time::Instant::now().into_std();
        let mut gate = Gate::default();
        let heard = (0..10_000).filter(|i| gate.offer(message("loud", *i), start).is_some()).count();
        assert_eq!(heard, 201);
        assert!(gate.offer(message("quiet", 1), start).is_some());
        assert_eq!(gate.dropped(), 10_000 - 201 - 1, "one waits");
        let due = gate.next().unwrap();
        assert!(due > start && due <= start + PAUSE);
        assert_eq!(gate.due(start), None);
        assert_eq!(gate.due(due), Some(message("loud", 9_999)));
        assert_eq!((gate.due(due), gate.next()), (None, None));
    }

    #[test]
    fn after_a_while_of_quiet_a_burst_is_heard_again() {
        let start = tokio::time::Instant::now().into_std();
        let mut gate = Gate::default();
        for i in 0..300 {
            gate.offer(message("t", i), start);
        }
        let later = start + Duration::from_mins(1);
        assert_eq!(gate.due(later), Some(message("t", 299)));
        let heard = (0..300).filter(|i| gate.offer(message("t", *i), later).is_some()).count();
        assert_eq!(heard, 200);
    }
}
