//! What a capture asks of meters, read through a profile of their language as its sample frames are. `check` calls it.
//! Several questions may make one reading: M-Bus selects a meter and takes its telegrams one by one, IEC 62056-21 signs on
//! before it acknowledges.

use steward_protocols::mbus;
use steward_protocols::overheard::{Overheard, Tongue, overheard};
use steward_protocols::sample::read_meter;
use steward_shared::profile::Profile;

use super::check::{Asking, Decoded};
use super::exchanges::{Exchanged, exchanges};
use super::file::Capture;

pub(super) fn asked(capture: &Capture, profile: &Profile, tongue: Tongue) -> Vec<Asking> {
    let mut talks: Vec<Talk> = Vec::new();
    for exchanged in exchanges(capture) {
        let Some((address, request)) = question(&exchanged.request, tongue) else { continue };
        let goes_on = talks.last_mut().filter(|talk| talk.goes_on(tongue, &address, &request));
        match goes_on {
            Some(talk) => talk.take(&exchanged),
            // What only prepares a reading is one of its own where nothing came to it.
            None if begins(tongue, &request) || exchanged.bursts.is_empty() => {
                talks.push(Talk::new(address, request, &exchanged));
            }
            None => {}
        }
    }
    talks.into_iter().map(|talk| talk.read(profile)).collect()
}

/// Whom a request of the language is for, and its bytes without what woke the meter.
fn question(bytes: &[u8], tongue: Tongue) -> Option<(String, Vec<u8>)> {
    let mut from = 0;
    for Overheard { len, spoken } in overheard(bytes) {
        let part = bytes.get(from..from + len).unwrap_or_default();
        if let Some(spoken) = spoken.filter(|spoken| spoken.tongue == tongue && spoken.is_question) {
            let awake = part.iter().skip_while(|byte| matches!(**byte, 0xFE | 0)).copied().collect();
            return Some((spoken.address, awake));
        }
        from += len;
    }
    None
}

/// Whether a reading begins with this request.
fn begins(tongue: Tongue, request: &[u8]) -> bool {
    match tongue {
        Tongue::Dlt645 | Tongue::Cjt188 => true,
        Tongue::Mbus => {
            mbus::short_frame(request).is_some_and(|(control, _)| control & !mbus::FCB == mbus::REQ_UD2)
        }
        Tongue::Iec62056 => request.starts_with(b"/?"),
    }
}

/// The requests of one reading and all that came to them.
struct Talk {
    address: String,
    request: Vec<u8>,
    answer: Vec<u8>,
    line: usize,
    events: usize,
}

impl Talk {
    fn new(address: String, request: Vec<u8>, exchanged: &Exchanged) -> Self {
        // Whoever asks first may count frames either way; the profile's question is counted as the first.
        let request = match mbus::short_frame(&request) {
            Some((_, number)) => mbus::short(mbus::REQ_UD2 | mbus::FCB, number),
            None => request,
        };
        Self { address, request, answer: exchanged.answer(), line: exchanged.line, events: exchanged.events }
    }

    fn goes_on(&self, tongue: Tongue, address: &str, request: &[u8]) -> bool {
        match tongue {
            Tongue::Dlt645 | Tongue::Cjt188 => false,
            Tongue::Mbus => {
                self.address == address && begins(tongue, request) && mbus::announces_more(&self.answer)
            }
            Tongue::Iec62056 => !request.starts_with(b"/?"),
        }
    }

    fn take(&mut self, exchanged: &Exchanged) {
        self.answer.extend(exchanged.answer());
        self.events = exchanged.events;
    }

    fn read(self, profile: &Profile) -> Asking {
        let value = |read: steward_protocols::question::PointValue| {
            let key = profile.points.get(read.point)?.key.clone();
            Some(Decoded { key, value: read.value, quality: read.quality })
        };
        let read = if self.answer.is_empty() {
            Err("no reply".to_owned())
        } else {
            read_meter(profile, &self.request, &self.answer)
                .map(|read| read.into_iter().filter_map(value).collect())
        };
        Asking { address: self.address, line: self.line, events: self.events, read }
    }
}
