//! What a line's task counts while it works. One gauge a line, shared with the reporter; its lock is held
//! for the writing of a few numbers and never over an await.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use steward_shared::time::Timestamp;
use steward_shared::wire::message::{DeviceHealth, LineHealth, Trouble};

use crate::doctor::{Book, Observed, Outcome, What, troubles};

/// The median turnaround is that of so many replies.
const REPLIES: usize = 31;

#[derive(Debug)]
pub struct LineGauge {
    name: String,
    inner: Mutex<Inner>,
}

#[derive(Debug, Default)]
struct Inner {
    up: bool,
    busy: Duration,
    /// Of which for questions that nobody answered.
    wasted: Duration,
    /// Share of its time that is wanted of it.
    planned: f64,
    requests: u64,
    errors: u64,
    missed: u64,
    stray: u64,
    reconnects: u64,
    /// Whoever dialled in and was not let in, and the last of them.
    turned_away: u64,
    last_turned_away: Option<String>,
    /// The numbers of the network that two claim, each with the device of ours that is meant by it.
    claimed_twice: BTreeMap<(&'static str, u32), Option<usize>>,
    last_error: Option<String>,
    /// More is asked of it than comes in time.
    overload: Option<Trouble>,
    devices: Vec<DeviceGauge>,
    book: Book,
    /// The device that was asked last.
    former: Option<usize>,
}

#[derive(Debug, Default, Clone)]
struct DeviceGauge {
    key: String,
    silent: bool,
    last_good: Option<Timestamp>,
    requests: u64,
    errors: u64,
    last_error: Option<String>,
    turnarounds: VecDeque<f32>,
}

impl LineGauge {
    pub fn new(name: &str, devices: impl IntoIterator<Item = String>) -> Self {
        let devices: Vec<_> =
            devices.into_iter().map(|key| DeviceGauge { key, ..DeviceGauge::default() }).collect();
        let book = Book::new(devices.len());
        Self { name: name.to_owned(), inner: Mutex::new(Inner { devices, book, ..Inner::default() }) }
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn up(&self, reconnected: bool) {
        let mut inner = self.inner();
        inner.up = true;
        inner.reconnects += u64::from(reconnected);
    }

    /// The wire could not be opened or broke; `down` when that has lasted.
    pub fn lost(&self, why: &str, down: bool) {
        let mut inner = self.inner();
        inner.up &= !down;
        inner.errors += 1;
        inner.last_error = Some(why.to_owned());
    }

    /// Something about the wire is not as it should be, while it works.
    pub fn trouble(&self, what: &str) {
        let mut inner = self.inner();
        inner.errors += 1;
        inner.last_error = Some(what.to_owned());
    }

    /// Two of the network claim one number; `device`: the one of ours that is meant by it.
    pub fn claimed_twice(&self, said: &str, number: (&'static str, u32), device: Option<usize>) {
        self.trouble(said);
        self.inner().claimed_twice.insert(number, device);
    }

    /// Somebody dialled in and was not let in.
    pub fn turned_away(&self, why: &str) {
        let mut inner = self.inner();
        inner.turned_away += 1;
        inner.last_turned_away = Some(why.to_owned());
    }

    /// How many were not let in, since the line's task began.
    pub fn strangers(&self) -> u64 {
        self.inner().turned_away
    }

    /// Slots that went by untaken, since the line's task began.
    pub fn missed(&self, missed: u64) {
        self.inner().missed = missed;
    }

    /// The share of the line's time that its questions take, by what is known of its devices.
    pub fn planned(&self, share: f64) {
        self.inner().planned = share;
    }

    /// Whether more is asked of the line than comes in time, and what is late; answers whether it was so before.
    pub fn overloaded(&self, overload: Option<Trouble>) -> bool {
        std::mem::replace(&mut self.inner().overload, overload).is_some()
    }

    /// Bytes that came when nobody was asked, since the line's task began.
    pub fn stray(&self, bytes: u64) {
        self.inner().stray = bytes;
    }

    /// One question to a device, the line time it took, and how it ended: values of a slot after the
    /// device's turnaround, or why there are none.
    pub fn asked(&self, device: usize, took: Duration, end: Result<(Timestamp, Duration), &str>) {
        let mut inner = self.inner();
        inner.busy += took;
        inner.requests += 1;
        let failed = end.is_err();
        inner.wasted += if failed { took } else { Duration::ZERO };
        inner.errors += u64::from(failed);
        if let Err(why) = end {
            inner.last_error = Some(why.to_owned());
        }
        let Some(gauge) = inner.devices.get_mut(device) else { return };
        gauge.requests += 1;
        gauge.errors += u64::from(failed);
        match end {
            Ok((at, turnaround)) => {
                gauge.last_good = Some(at);
                if gauge.turnarounds.len() == REPLIES {
                    gauge.turnarounds.pop_front();
                }
                gauge.turnarounds.push_back(turnaround.as_secs_f32() * 1000.0);
            }
            Err(why) => gauge.last_error = Some(why.to_owned()),
        }
    }

    /// What was seen on the wire of a question to a device.
    pub fn seen(&self, device: usize, seen: Observed, outcome: Outcome) {
        let mut inner = self.inner();
        let former = inner.former.replace(device);
        inner.book.note(device, former, seen, outcome);
    }

    /// What was seen on the wire since the line's task began, with the devices' names in their order.
    pub fn book(&self) -> (Book, Vec<String>) {
        let inner = self.inner();
        (inner.book.clone(), inner.devices.iter().map(|d| d.key.clone()).collect())
    }

    /// A message that a device told by itself, or why it cannot be understood.
    pub fn told(&self, device: usize, end: Result<Timestamp, &str>) {
        let mut inner = self.inner();
        let failed = end.is_err();
        inner.requests += 1;
        inner.errors += u64::from(failed);
        if let Err(why) = end {
            inner.last_error = Some(why.to_owned());
        }
        let Some(gauge) = inner.devices.get_mut(device) else { return };
        gauge.requests += 1;
        gauge.errors += u64::from(failed);
        match end {
            Ok(at) => gauge.last_good = Some(at),
            Err(why) => gauge.last_error = Some(why.to_owned()),
        }
    }

    pub fn silent(&self, device: usize, silent: bool) {
        if let Some(gauge) = self.inner().devices.get_mut(device) {
            gauge.silent = silent;
        }
    }

    pub fn is_silent(&self, device: &str) -> bool {
        self.inner().devices.iter().any(|d| d.key == device && d.silent)
    }

    /// Whether the device has answered since the line was started.
    pub fn has_answered(&self, device: &str) -> bool {
        self.inner().devices.iter().any(|d| d.key == device && d.last_good.is_some())
    }

    /// The present state. The time in use and the wasted time since the start come apart; the reporter makes shares of
    /// them.
    pub fn read(&self) -> (LineHealth, [Duration; 2], Vec<DeviceHealth>) {
        let inner = self.inner();
        let names: Vec<&str> = inner.devices.iter().map(|d| d.key.as_str()).collect();
        let line = LineHealth {
            name: self.name.clone(),
            up: inner.up,
            busy: 0.0,
            wasted: 0.0,
            planned: inner.planned,
            requests: inner.requests,
            errors: inner.errors,
            last_error: inner.last_error(),
            troubles: inner.troubles(&names),
        };
        (line, [inner.busy, inner.wasted], inner.devices.iter().map(DeviceGauge::health).collect())
    }

    /// Slots missed and connections opened anew, for the metrics.
    pub fn counts(&self) -> (u64, u64) {
        let inner = self.inner();
        (inner.missed, inner.reconnects)
    }

    pub fn stray_bytes(&self) -> u64 {
        self.inner().stray
    }

    fn inner(&self) -> MutexGuard<'_, Inner> {
        // Numbers for people: a panic elsewhere leaves at worst one of them old.
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Inner {
    /// Where nobody was let in, that may be why.
    fn last_error(&self) -> Option<String> {
        match (&self.last_error, &self.last_turned_away) {
            (error, Some(why)) if !self.up => {
                let error = error.as_deref().unwrap_or("nobody has dialled in");
                Some(format!("{error}; {} turned away, the last: {why}", self.turned_away))
            }
            (error, _) => error.clone(),
        }
    }

    fn troubles(&self, names: &[&str]) -> Vec<Trouble> {
        let mut found: Vec<_> = self.overload.iter().cloned().collect();
        found.extend(troubles(&self.book, names));
        if self.turned_away > 0 {
            let (what, count, of) = (What::Strangers.word().to_owned(), self.turned_away, self.requests);
            found.push(Trouble { what, count, of, ..Trouble::default() });
        }
        found.extend(self.numbers_claimed_twice(names));
        found
    }

    /// One for each device that is polled; one for all others of the network.
    fn numbers_claimed_twice(&self, names: &[&str]) -> Vec<Trouble> {
        let mut counts: BTreeMap<Option<&str>, u64> = BTreeMap::new();
        for device in self.claimed_twice.values() {
            *counts.entry(device.and_then(|at| names.get(at)).copied()).or_default() += 1;
        }
        let told = |(device, count): (Option<&str>, u64)| {
            let (what, device) = (What::NumberTwice.word().to_owned(), device.map(str::to_owned));
            Trouble { what, device, count, of: self.requests, ..Trouble::default() }
        };
        counts.into_iter().map(told).collect()
    }
}

impl DeviceGauge {
    fn health(&self) -> DeviceHealth {
        let mut sorted: Vec<f32> = self.turnarounds.iter().copied().collect();
        sorted.sort_by(f32::total_cmp);
        DeviceHealth {
            key: self.key.clone(),
            silent: self.silent,
            last_good: self.last_good,
            requests: self.requests,
            errors: self.errors,
            turnaround_ms: sorted.get(sorted.len() / 2).map(|ms| f64::from(*ms)),
            last_error: self.last_error.clone(),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_number_that_two_claim_is_one_trouble_of_its_device_however_often_it_is_heard() {
        let gauge = LineGauge::new("bms", ["ahu".to_owned(), "twin".to_owned()]);
        for _ in 0..3 {
            gauge.claimed_twice("two devices have the instance number 7", ("device", 7), Some(1));
        }
        gauge.claimed_twice("two routers lead to network 5", ("network", 5), None);
        gauge.claimed_twice("two devices have the instance number 5", ("device", 5), None);
        let troubles = gauge.read().0.troubles;
        let told: Vec<_> = troubles.iter().map(|t| (t.what.as_str(), t.device.as_deref(), t.count)).collect();
        assert_eq!(told, [("number_twice", None, 2), ("number_twice", Some("twin"), 1)]);
    }

    #[test]
    fn the_turnaround_is_the_median_of_the_last_replies() {
        let gauge = LineGauge::new("chw", ["meter".to_owned()]);
        for ms in [900, 900, 10, 12, 14] {
            gauge.asked(0, Duration::from_secs(1), Ok((Timestamp(5), Duration::from_millis(ms))));
        }
        assert_eq!(gauge.read().2[0].turnaround_ms, Some(14.0));
        for _ in 0..REPLIES {
            gauge.asked(0, Duration::from_secs(1), Ok((Timestamp(6), Duration::from_millis(20))));
        }
        assert_eq!(gauge.read().2[0].turnaround_ms, Some(20.0));
    }

    #[test]
    fn a_question_without_answer_counts_for_line_and_device() {
        let gauge = LineGauge::new("chw", ["meter".to_owned()]);
        gauge.asked(0, Duration::from_secs(1), Err("no answer within 1 s"));
        let (line, busy, devices) = gauge.read();
        assert_eq!((line.requests, line.errors, busy), (1, 1, [Duration::from_secs(1); 2]));
        assert_eq!(devices[0].last_error.as_deref(), Some("no answer within 1 s"));
        assert_eq!(devices[0].last_good, None);
    }
}
