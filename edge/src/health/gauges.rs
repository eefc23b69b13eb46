//! What a line's task counts while it works. One gauge a line, shared with the reporter; its lock is held
//! for the writing of a few numbers and never over an await.

use std::collections::VecDeque;
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
    /// Claims of a number of the network that another has.
    claimed_twice: u64,
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

    /// Two of the network claim one number.
    pub fn claimed_twice(&self, what: &str) {
        self.trouble(what);
        self.inner().claimed_twice += 1;
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
        for (what, count) in [(What::Strangers, self.turned_away), (What::NumberTwice, self.claimed_twice)] {
            if count > 0 {
                let what = what.word().to_owned();
                found.push(Trouble { what, count, of: self.requests, ..Trouble::default() });
            }
        }
        found
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
