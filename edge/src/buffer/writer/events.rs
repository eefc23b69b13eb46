//! Events: those that others raise, and the buffer's own. Which lasting ones are open is remembered here too, so that an
//! `alarms.db` that takes a damaged one's place knows it.

use steward_shared::alarm::{About, Event, EventKind};
use steward_shared::id::EventId;
use steward_shared::wire::message::Lane;
use tokio::time::Instant;

use super::refused::Base;
use super::{Result, UPKEEP, Writer};
use crate::buffer::store::Key;

/// The buffer's own events that may wait; the oldest give way.
const UNTOLD: usize = 64;

impl Writer {
    pub(super) fn event(&mut self, event: &Event) -> Result<bool> {
        let stored = self.on_alarms(|w| w.append_event(event));
        self.event_error = stored.as_ref().err().map(ToString::to_string);
        let stored = stored?;
        if let Some(seq) = stored {
            self.wrote(Base::Alarms);
            self.lanes[0].last = seq;
            self.lanes[0].first = self.lanes[0].first.min(seq);
        }
        if event.kind.lasts() {
            let key = key(event);
            if event.active {
                self.open.entry(key).or_insert_with(|| event.clone());
            } else {
                self.open.remove(&key);
            }
        }
        Ok(stored.is_some())
    }

    fn append_event(&mut self, event: &Event) -> Result<Option<u64>> {
        let now = self.clock.now();
        self.with_ballast(|w| w.alarms.append(event, now))
    }

    /// What was open in the former `alarms.db`, into the new one. The hub knows an event by its id when it comes again.
    pub(super) fn reopen(&mut self) -> Result<()> {
        for event in self.open.values() {
            self.alarms.append(event, self.clock.now())?;
        }
        for lane in [Lane::Alarm, Lane::Command] {
            *self.lane_mut(lane) = self.alarms.lane(lane)?;
        }
        Ok(())
    }

    pub(super) fn load_open(&mut self) -> Result<()> {
        for ((kind, line, device, object), since) in self.alarms.open_events()? {
            let about = || About { object: object.clone(), ..About::default() };
            let named = |text: &str| (!text.is_empty()).then(|| text.to_owned());
            let event = Event {
                at: since,
                line: named(&line),
                device: named(&device),
                about: (!object.is_empty()).then(about),
                ..self.own_event(kind, String::new())
            };
            self.open.insert((kind, line, device, object), event);
        }
        Ok(())
    }

    /// An event of the buffer itself; it is stored after the present turn.
    pub(super) fn tell(&mut self, kind: EventKind, detail: String) {
        tracing::warn!(kind = kind.word(), "{detail}");
        let event = self.own_event(kind, detail);
        self.will_tell(event);
    }

    /// The end of one that lasts.
    pub(super) fn tell_end(&mut self, kind: EventKind, detail: String) {
        tracing::info!(kind = kind.word(), "{detail}");
        let event = Event { active: false, ..self.own_event(kind, detail) };
        self.will_tell(event);
    }

    fn will_tell(&mut self, event: Event) {
        if self.untold.len() == UNTOLD {
            self.untold.pop_front();
        }
        self.untold.push_back(event);
    }

    /// Stores what waits. What fails is tried again as often as the disk is looked after.
    pub(super) fn tell_untold(&mut self) {
        if self.tell_at.is_some_and(|at| Instant::now() < at) {
            return;
        }
        self.tell_at = None;
        while let Some(event) = self.untold.front().cloned() {
            if let Err(e) = self.event(&event) {
                tracing::error!(
                    error = &e as &dyn std::error::Error,
                    "an event of the buffer could not be stored; trying again"
                );
                self.tell_at = Some(Instant::now() + UPKEEP);
                return;
            }
            self.untold.pop_front();
        }
    }

    pub(super) fn own_event(&self, kind: EventKind, detail: String) -> Event {
        let (id, at) = (EventId::new(self.ids.as_ref()), self.clock.now());
        Event { id, at, kind, active: true, line: None, device: None, detail, about: None }
    }
}

fn key(event: &Event) -> Key {
    let text = |t: &Option<String>| t.clone().unwrap_or_default();
    (event.kind, text(&event.line), text(&event.device), event.object().to_owned())
}
