//! A disk that refuses to write: it is told, once when it begins and once when it is over. SQLite itself takes nothing for
//! written whose sync has failed: it writes it again with the next transaction, or gives it up.

use steward_shared::alarm::EventKind;

use super::{Result, Writer};
use crate::buffer::error::BufferError;

/// One of the two databases.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Base {
    Telemetry,
    Alarms,
}

/// Which of them have refused a write, and stored nothing since.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Refused {
    telemetry: bool,
    alarms: bool,
}

impl Refused {
    pub const fn is_any(self) -> bool {
        self.telemetry || self.alarms
    }

    const fn of(&mut self, base: Base) -> &mut bool {
        match base {
            Base::Telemetry => &mut self.telemetry,
            Base::Alarms => &mut self.alarms,
        }
    }
}

impl Writer {
    /// Remembers a refusal. It is told by event as soon as one can be stored: until then the gateway's health tells it.
    pub(super) fn note<T>(&mut self, base: Base, done: Result<T>) -> Result<T> {
        if let Err(e) = &done
            && e.is_refusal()
        {
            if !self.refused.is_any() {
                self.tell(EventKind::StorageFailing, words(e));
            }
            *self.refused.of(base) = true;
        }
        done
    }

    /// Something was written, and synced.
    pub(super) fn wrote(&mut self, base: Base) {
        if std::mem::take(self.refused.of(base)) {
            // What waits to be told can be stored too, as it seems.
            self.tell_at = None;
            if !self.refused.is_any() {
                self.tell_end(EventKind::StorageFailing, "the disk writes again".to_owned());
            }
        }
    }
}

fn words(e: &BufferError) -> String {
    match std::error::Error::source(e) {
        Some(source) => format!("{e}: {source}"),
        None => e.to_string(),
    }
}
