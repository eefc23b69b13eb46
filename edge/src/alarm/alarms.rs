//! [`Alarms`]: a state comes in with each poll, an event goes out only when it changes. The truth is in the buffer's
//! `alarms.db`; the set in memory only saves asking it each time.

use std::collections::HashSet;
use std::sync::{Arc, Mutex, PoisonError};

use steward_shared::alarm::{Event, EventKind};
use steward_shared::id::{EventId, Ids};
use steward_shared::time::Clock;

use crate::buffer::{Buffer, BufferError};

type Key = (EventKind, Option<String>, Option<String>);

/// A cheap handle; clones share what is open.
#[derive(Clone, Debug)]
pub struct Alarms {
    buffer: Buffer,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn Ids>,
    open: Arc<Mutex<HashSet<Key>>>,
}

impl Alarms {
    /// With what was open when the program stopped: it is not told again, but it can end.
    pub async fn open(buffer: Buffer, clock: Arc<dyn Clock>, ids: Arc<dyn Ids>) -> Result<Self, BufferError> {
        let named = |text: String| (!text.is_empty()).then_some(text);
        let open = buffer.open_events().await?;
        let open = open.into_iter().map(|(kind, line, device)| (kind, named(line), named(device))).collect();
        Ok(Self { buffer, clock, ids, open: Arc::new(Mutex::new(open)) })
    }

    /// The state of something that lasts, or, for a kind that does not, that it happened (`active` is then not looked at).
    /// Durable when this returns. Answers whether it was news.
    pub async fn set(
        &self,
        kind: EventKind,
        line: Option<&str>,
        device: Option<&str>,
        active: bool,
        detail: impl Into<String>,
    ) -> Result<bool, BufferError> {
        let key: Key = (kind, line.map(Into::into), device.map(Into::into));
        if kind.lasts() && self.is_open(&key) == active {
            return Ok(false);
        }
        let event = Event {
            id: EventId::new(self.ids.as_ref()),
            at: self.clock.now(),
            kind,
            active: active || !kind.lasts(),
            line: key.1.clone(),
            device: key.2.clone(),
            detail: detail.into(),
        };
        let news = self.buffer.raise(event).await?;
        if kind.lasts() {
            let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
            if active {
                open.insert(key);
            } else {
                open.remove(&key);
            }
        }
        Ok(news)
    }

    /// What is open of things that the configuration has no more would never end: ends it.
    pub async fn end_unknown(
        &self,
        is_known: impl Fn(Option<&str>, Option<&str>) -> bool,
    ) -> Result<(), BufferError> {
        let gone: Vec<Key> = {
            let open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
            open.iter()
                .filter(|(_, line, device)| !is_known(line.as_deref(), device.as_deref()))
                .cloned()
                .collect()
        };
        for (kind, line, device) in gone {
            self.set(kind, line.as_deref(), device.as_deref(), false, "no longer configured").await?;
        }
        Ok(())
    }

    fn is_open(&self, key: &Key) -> bool {
        self.open.lock().unwrap_or_else(PoisonError::into_inner).contains(key)
    }
}

#[cfg(test)]
mod tests {
    use steward_shared::id::RandomIds;
    use steward_shared::time::SystemClock;
    use steward_shared::wire::frame::from_cbor;
    use steward_shared::wire::message::Lane;

    use super::*;
    use crate::buffer::BufferSettings;

    async fn alarms(dir: &std::path::Path) -> (Buffer, Alarms) {
        let buffer =
            Buffer::open(dir, BufferSettings::default(), Arc::new(SystemClock), Arc::new(RandomIds)).unwrap();
        let alarms = Alarms::open(buffer.clone(), Arc::new(SystemClock), Arc::new(RandomIds)).await.unwrap();
        (buffer, alarms)
    }

    async fn told(buffer: &Buffer) -> Vec<(EventKind, bool)> {
        let (mut out, mut seq) = (vec![], 0);
        while let Some(item) = buffer.after(Lane::Alarm, seq).await.unwrap() {
            let event: Event = from_cbor(&item.body).unwrap();
            out.push((event.kind, event.active));
            seq = item.seq;
        }
        out
    }

    #[tokio::test]
    async fn a_lasting_alarm_is_told_once_even_across_a_restart() {
        let dir = tempfile::tempdir().unwrap();
        let silent = |a: Alarms, active| async move {
            a.set(EventKind::DeviceSilent, Some("l"), Some("d"), active, "three polls without reply")
                .await
                .unwrap()
        };
        let (buffer, a) = alarms(dir.path()).await;
        assert!(silent(a.clone(), true).await);
        assert!(!silent(a.clone(), true).await);
        buffer.close().await.unwrap();
        let (buffer, a) = alarms(dir.path()).await;
        assert!(!silent(a.clone(), true).await);
        assert!(silent(a.clone(), false).await);
        assert!(!silent(a, false).await);
        assert_eq!(told(&buffer).await, [(EventKind::DeviceSilent, true), (EventKind::DeviceSilent, false)]);
    }

    #[tokio::test]
    async fn what_happens_is_told_each_time() {
        let dir = tempfile::tempdir().unwrap();
        let (buffer, a) = alarms(dir.path()).await;
        for _ in 0..2 {
            assert!(a.set(EventKind::Started, None, None, true, "").await.unwrap());
        }
        assert_eq!(told(&buffer).await.len(), 2);
    }

    #[tokio::test]
    async fn an_alarm_of_a_device_that_was_taken_out_ends() {
        let dir = tempfile::tempdir().unwrap();
        let (buffer, a) = alarms(dir.path()).await;
        a.set(EventKind::DeviceSilent, Some("l"), Some("d"), true, "").await.unwrap();
        a.end_unknown(|_, device| device != Some("d")).await.unwrap();
        assert_eq!(told(&buffer).await.last(), Some(&(EventKind::DeviceSilent, false)));
    }
}
