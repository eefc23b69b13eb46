//! Events on their way to the buffer, in the order in which they happened, and which lasting ones are open once all of
//! them are stored. Bounded: when there are too many, what no longer says anything about the present goes first. Pure.

use std::collections::{HashSet, VecDeque};

use steward_shared::alarm::{Event, EventKind};

/// What lasts, on which line and device, and about which of its objects: empty where it is about no one of them.
pub(super) type Key = (EventKind, Option<String>, Option<String>, String);

/// More than these wait only if as many different things are wrong at once.
const MOST: usize = 1024;

#[derive(Debug, Default)]
pub(super) struct Waiting {
    open: HashSet<Key>,
    events: VecDeque<Event>,
}

impl Waiting {
    pub fn new(open: impl IntoIterator<Item = Key>) -> Self {
        Self { open: open.into_iter().collect(), events: VecDeque::new() }
    }

    /// Whether this would be news.
    pub fn is_news(&self, key: &Key, active: bool) -> bool {
        !key.0.lasts() || self.open.contains(key) != active
    }

    pub fn open(&self) -> impl Iterator<Item = &Key> {
        self.open.iter()
    }

    /// Answers the event that had to give way, if one had.
    pub fn push(&mut self, event: Event) -> Option<Event> {
        let key = key(&event);
        if event.kind.lasts() {
            if event.active {
                self.open.insert(key);
            } else {
                self.open.remove(&key);
            }
        }
        self.events.push_back(event);
        if self.events.len() <= MOST { None } else { self.give_way() }
    }

    pub fn first(&self) -> Option<Event> {
        self.events.front().cloned()
    }

    pub fn stored(&mut self, event: &Event) {
        self.events.retain(|e| e.id != event.id);
    }

    /// The oldest that is over or that a later one of the same thing has overtaken.
    fn give_way(&mut self) -> Option<Event> {
        let mut later = HashSet::new();
        let mut goes = None;
        for (i, event) in self.events.iter().enumerate().rev() {
            if !later.insert(key(event)) || !event.kind.lasts() {
                goes = Some(i);
            }
        }
        goes.and_then(|i| self.events.remove(i))
    }
}

fn key(event: &Event) -> Key {
    (event.kind, event.line.clone(), event.device.clone(), event.object().to_owned())
}

#[cfg(test)]
mod tests {
    use steward_shared::id::{EventId, RandomIds};
    use steward_shared::time::Timestamp;

    use super::*;

    fn event(kind: EventKind, device: usize, active: bool) -> Event {
        Event {
            id: EventId::new(&RandomIds),
            at: Timestamp(0),
            kind,
            active,
            line: Some("l".into()),
            device: Some(format!("d{device}")),
            detail: String::new(),
            about: None,
        }
    }

    #[test]
    fn what_must_give_way_is_not_the_present_state_of_anything() {
        let mut waiting = Waiting::default();
        let silent = |device, active| event(EventKind::DeviceSilent, device, active);
        for device in 0..MOST - 1 {
            assert_eq!(waiting.push(silent(device, true)), None);
        }
        assert_eq!(waiting.push(event(EventKind::ClockStep, 0, true)), None);
        let gone = waiting.push(silent(7, false)).unwrap();
        assert_eq!(
            (gone.kind, gone.device.as_deref(), gone.active),
            (EventKind::DeviceSilent, Some("d7"), true)
        );
        assert_eq!(waiting.push(silent(2000, true)).unwrap().kind, EventKind::ClockStep);
        assert_eq!(waiting.push(silent(2001, true)), None, "rather one more than the state of a device lost");
        assert!(
            waiting.is_news(&key(&silent(7, true)), true) && !waiting.is_news(&key(&silent(8, true)), true)
        );
    }
}
