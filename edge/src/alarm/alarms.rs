//! [`Alarms`]: a state comes in with each poll, an event goes out only when it changes. Telling never waits and is never
//! lost to a slow or failing disk: what is told waits here until the buffer has stored it, and is offered again until
//! then. The supervisor runs [`Alarms::keep`].

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use steward_shared::alarm::{About, Event, EventKind};
use steward_shared::id::{EventId, Ids};
use steward_shared::time::Clock;
use tokio::sync::Notify;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;
use tracing::{error, info};

use super::waiting::{Key, Waiting};
use crate::buffer::{Buffer, BufferError};

/// What the buffer did not take is offered again after this.
const AGAIN: Duration = Duration::from_secs(1);

/// A cheap handle; clones share what waits.
#[derive(Clone, Debug)]
pub struct Alarms {
    buffer: Buffer,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn Ids>,
    waiting: Arc<Mutex<Waiting>>,
    more: Arc<Notify>,
}

impl Alarms {
    /// With what was open when the program stopped: it is not told again, but it can end.
    pub async fn open(buffer: Buffer, clock: Arc<dyn Clock>, ids: Arc<dyn Ids>) -> Result<Self, BufferError> {
        let named = |text: String| (!text.is_empty()).then_some(text);
        let open = buffer.open_events().await?;
        let open =
            open.into_iter().map(|(kind, line, device, object)| (kind, named(line), named(device), object));
        let waiting = Arc::new(Mutex::new(Waiting::new(open)));
        Ok(Self { buffer, clock, ids, waiting, more: Arc::default() })
    }

    /// The state of something that lasts, or, for a kind that does not, that it happened (`active` is then not looked at).
    pub fn tell(
        &self,
        kind: EventKind,
        line: Option<&str>,
        device: Option<&str>,
        active: bool,
        detail: impl Into<String>,
    ) {
        let key = (kind, line.map(Into::into), device.map(Into::into), String::new());
        self.take(key, active, detail.into(), None);
    }

    /// The same of one object of a device, or with facts.
    pub fn tell_about(
        &self,
        kind: EventKind,
        (line, device): (&str, Option<&str>),
        active: bool,
        detail: String,
        about: About,
    ) {
        let key = (kind, Some(line.to_owned()), device.map(Into::into), about.object.clone());
        self.take(key, active, detail, Some(about));
    }

    /// These objects are all of which the device has something of this kind to tell: what is open of others is over.
    pub fn end_unlisted(&self, kind: EventKind, (line, device): (&str, &str), listed: &BTreeSet<String>) {
        let gone: Vec<Key> = {
            let waiting = self.waiting();
            let of_it = |key: &&Key| {
                key.0 == kind && key.1.as_deref() == Some(line) && key.2.as_deref() == Some(device)
            };
            waiting.open().filter(of_it).filter(|key| !listed.contains(&key.3)).cloned().collect()
        };
        for key in gone {
            let detail = format!("{} {}: the device lists it no more", key.2.as_deref().unwrap_or(""), key.3);
            let fact = |name: &str, fact: &str| (name.to_owned(), fact.to_owned());
            let facts = BTreeMap::from([fact("object", &key.3), fact("state", "normal")]);
            let about = About { object: key.3.clone(), facts };
            self.take(key, false, detail, Some(about));
        }
    }

    /// What is open of things that the configuration has no more would never end: ends it.
    pub fn end_unknown(&self, is_known: impl Fn(Option<&str>, Option<&str>) -> bool) {
        let gone: Vec<Key> = {
            let waiting = self.waiting();
            let unknown =
                waiting.open().filter(|(_, line, device, _)| !is_known(line.as_deref(), device.as_deref()));
            unknown.cloned().collect()
        };
        for key in gone {
            let about = (!key.3.is_empty()).then(|| About { object: key.3.clone(), ..About::default() });
            self.take(key, false, "no longer configured".to_owned(), about);
        }
    }

    /// Stores what is told until `cancel`, and then once more what still waits.
    pub async fn keep(self, cancel: CancellationToken) {
        let mut failing = false;
        loop {
            let stored = self.store_waiting().await;
            match &stored {
                Err(e) if !failing => {
                    error!(
                        error = e as &(dyn std::error::Error + 'static),
                        "events cannot be stored; trying again"
                    );
                }
                Ok(()) if failing => info!("events are stored again"),
                _ => {}
            }
            failing = stored.is_err();
            if cancel.is_cancelled() {
                return;
            }
            // A call that comes before somebody waits is kept, and a pause that is cut short only comes sooner.
            tokio::select! {
                () = cancel.cancelled() => {}
                () = self.more.notified(), if !failing => {}
                () = sleep(AGAIN), if failing => {}
            }
        }
    }

    /// Stores what waits, in its order; what is durable waits no more.
    pub(crate) async fn store_waiting(&self) -> Result<(), BufferError> {
        loop {
            let Some(event) = self.waiting().first() else { return Ok(()) };
            self.buffer.event(event.clone()).await?;
            self.waiting().stored(&event);
        }
    }

    fn take(&self, key: Key, active: bool, detail: String, about: Option<About>) {
        let given_way = {
            let mut waiting = self.waiting();
            if !waiting.is_news(&key, active) {
                return;
            }
            let (kind, line, device, _) = key;
            let (id, at) = (EventId::new(self.ids.as_ref()), self.clock.now());
            waiting.push(Event { id, at, kind, active: active || !kind.lasts(), line, device, detail, about })
        };
        if let Some(event) = given_way {
            error!(kind = event.kind.word(), event.detail, "too many events wait for the disk; one is lost");
        }
        self.more.notify_one();
    }

    fn waiting(&self) -> MutexGuard<'_, Waiting> {
        self.waiting.lock().unwrap_or_else(PoisonError::into_inner)
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
            a.tell(EventKind::DeviceSilent, Some("l"), Some("d"), active, "three polls without reply");
            a.store_waiting().await.unwrap();
        };
        let (buffer, a) = alarms(dir.path()).await;
        silent(a.clone(), true).await;
        silent(a, true).await;
        buffer.close().await.unwrap();
        let (buffer, a) = alarms(dir.path()).await;
        silent(a.clone(), true).await;
        silent(a.clone(), false).await;
        silent(a, false).await;
        assert_eq!(told(&buffer).await, [(EventKind::DeviceSilent, true), (EventKind::DeviceSilent, false)]);
    }

    #[tokio::test]
    async fn what_happens_is_told_each_time() {
        let dir = tempfile::tempdir().unwrap();
        let (buffer, a) = alarms(dir.path()).await;
        a.tell(EventKind::Started, None, None, true, "");
        a.tell(EventKind::Started, None, None, true, "");
        a.store_waiting().await.unwrap();
        assert_eq!(told(&buffer).await.len(), 2);
    }

    #[tokio::test]
    async fn each_object_of_a_device_has_its_own_alarm_and_a_list_ends_the_others_across_a_restart() {
        let dir = tempfile::tempdir().unwrap();
        let about = |object: &str| About { object: object.to_owned(), ..About::default() };
        let tell = |a: &Alarms, object, active| {
            a.tell_about(EventKind::DeviceAlarm, ("l", Some("d")), active, String::new(), about(object));
        };
        let (buffer, a) = alarms(dir.path()).await;
        for object in ["ai 1", "ai 2", "ai 1", "ai 3"] {
            tell(&a, object, true);
        }
        tell(&a, "ai 3", false);
        a.store_waiting().await.unwrap();
        buffer.close().await.unwrap();
        let (buffer, a) = alarms(dir.path()).await;
        tell(&a, "ai 2", true);
        a.end_unlisted(EventKind::DeviceAlarm, ("l", "other"), &BTreeSet::new());
        a.end_unlisted(EventKind::DeviceAlarm, ("l", "d"), &BTreeSet::from(["ai 2".to_owned()]));
        a.store_waiting().await.unwrap();
        assert_eq!(
            told(&buffer).await.iter().map(|(_, active)| *active).collect::<Vec<_>>(),
            [true, true, true, false, false]
        );
        let open: Vec<String> = buffer.open_events().await.unwrap().into_iter().map(|key| key.3).collect();
        assert_eq!(open, ["ai 2"]);
    }

    #[tokio::test]
    async fn what_was_open_before_objects_had_alarms_can_end() {
        let dir = tempfile::tempdir().unwrap();
        let (buffer, a) = alarms(dir.path()).await;
        a.tell(EventKind::DeviceSilent, Some("l"), Some("d"), true, "");
        a.store_waiting().await.unwrap();
        buffer.close().await.unwrap();
        let db = rusqlite::Connection::open(dir.path().join("alarms.db")).unwrap();
        db.execute_batch(
            "create table open(
                kind text not null, line text not null, device text not null, since integer not null,
                primary key (kind, line, device)
             ) without rowid;
             insert into open select kind, line, device, since from open_event;
             drop table open_event;
             pragma user_version = 1;",
        )
        .unwrap();
        drop(db);
        let (buffer, a) = alarms(dir.path()).await;
        a.tell(EventKind::DeviceSilent, Some("l"), Some("d"), false, "");
        a.store_waiting().await.unwrap();
        assert_eq!(told(&buffer).await.last(), Some(&(EventKind::DeviceSilent, false)));
    }

    #[tokio::test]
    async fn an_alarm_of_a_device_that_was_taken_out_ends() {
        let dir = tempfile::tempdir().unwrap();
        let (buffer, a) = alarms(dir.path()).await;
        a.tell(EventKind::DeviceSilent, Some("l"), Some("d"), true, "");
        a.end_unknown(|_, device| device != Some("d"));
        a.store_waiting().await.unwrap();
        assert_eq!(told(&buffer).await, [(EventKind::DeviceSilent, true), (EventKind::DeviceSilent, false)]);
    }

    #[tokio::test]
    async fn what_the_disk_refuses_is_offered_again_and_no_alarm_is_stuck() {
        let dir = tempfile::tempdir().unwrap();
        let (buffer, _) = alarms(dir.path()).await;
        buffer.close().await.unwrap();
        refuse_most(dir.path());
        let (buffer, a) = alarms(dir.path()).await;
        let (mut refused, mut wanted) = (0, Vec::new());
        for i in 0..20 {
            let active = i % 2 == 0;
            a.tell(EventKind::DeviceSilent, Some("l"), Some("d"), active, "");
            a.tell(EventKind::ClockStep, None, None, true, "");
            wanted.extend([(EventKind::DeviceSilent, active), (EventKind::ClockStep, true)]);
        }
        while a.store_waiting().await.is_err() {
            refused += 1;
        }
        assert!(refused > 0, "three of four are refused");
        assert_eq!(told(&buffer).await, wanted);
    }

    /// A disk that fails three writes of four.
    fn refuse_most(dir: &std::path::Path) {
        let db = rusqlite::Connection::open(dir.join("alarms.db")).unwrap();
        db.execute_batch(
            "create trigger refuse before insert on event when random() % 4 <> 0
             begin select raise(abort, 'refused'); end;",
        )
        .unwrap();
    }

    #[tokio::test]
    async fn what_is_told_is_stored_without_anybody_waiting_and_at_the_end() {
        let dir = tempfile::tempdir().unwrap();
        let (buffer, a) = alarms(dir.path()).await;
        let cancel = CancellationToken::new();
        let keeper = tokio::spawn(a.clone().keep(cancel.clone()));
        let mut heads = buffer.heads();
        a.tell(EventKind::Started, None, None, true, "");
        heads.wait_for(|h| h.alarm == 1).await.unwrap();
        cancel.cancel();
        a.tell(EventKind::ConfigApplied, None, None, true, "");
        keeper.await.unwrap();
        assert_eq!(told(&buffer).await, [(EventKind::Started, true), (EventKind::ConfigApplied, true)]);
    }
}
