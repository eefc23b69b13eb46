//! What a gateway has to say besides readings: a device fell silent, a line broke, data had to be dropped.
//! One event is one item of the alarm lane; the hub keeps each once.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::id::EventId;
use crate::time::Timestamp;

/// What happened. Words are stable: they name the event in the API, in logs and in translations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EventKind {
    /// A device has not answered for three polls; `active` turns false when it answers again.
    DeviceSilent,
    /// A serial port or connection cannot be opened or used; `active` turns false when it can.
    LineDown,
    /// The disk is full or the quota reached: telemetry was dropped, oldest first.
    BufferDropped,
    /// The stored copy of a batch does not match its hash any more.
    BufferCorrupt,
    /// The program started.
    Started,
    /// A new configuration is in force.
    ConfigApplied,
    /// A changed configuration was broken; the former one stays in force.
    ConfigRefused,
    /// The wall clock jumped against the monotonic clock.
    ClockStep,
    /// A device's values cannot be what they say; `active` turns false when they can be believed again.
    Implausible,
    /// A counter of a device jumped and is held back; `active` turns false when it is known what it was.
    CounterHeld,
    /// A counter passed its last digit and began anew.
    CounterRolledOver,
    /// A counter goes on from another value: the meter was replaced or set.
    MeterReplaced,
    /// The ratio of a meter's current transformers was changed.
    RatioChanged,
    /// The wall clock became right: readings that a wrong one had stamped were moved.
    ClockCorrected,
    /// The clock of a device is further off than it may be; `active` turns false when it is right.
    DeviceClock,
    /// A device tells of an alarm of its own, or lists it; `active` turns false when it is over.
    DeviceAlarm,
    /// Two devices or two routers of a network claim one number.
    NumberConflict,
    /// The gateway's disk refuses to write; `active` turns false when it writes again. What happens meanwhile is only in
    /// the memory, and is lost with the power.
    StorageFailing,
}

impl EventKind {
    pub const ALL: [Self; 18] = [
        Self::DeviceSilent,
        Self::LineDown,
        Self::BufferDropped,
        Self::BufferCorrupt,
        Self::Started,
        Self::ConfigApplied,
        Self::ConfigRefused,
        Self::ClockStep,
        Self::Implausible,
        Self::CounterHeld,
        Self::CounterRolledOver,
        Self::MeterReplaced,
        Self::RatioChanged,
        Self::ClockCorrected,
        Self::DeviceClock,
        Self::DeviceAlarm,
        Self::NumberConflict,
        Self::StorageFailing,
    ];

    pub const fn word(self) -> &'static str {
        match self {
            Self::DeviceSilent => "device_silent",
            Self::LineDown => "line_down",
            Self::BufferDropped => "buffer_dropped",
            Self::BufferCorrupt => "buffer_corrupt",
            Self::Started => "started",
            Self::ConfigApplied => "config_applied",
            Self::ConfigRefused => "config_refused",
            Self::ClockStep => "clock_step",
            Self::Implausible => "implausible",
            Self::CounterHeld => "counter_held",
            Self::CounterRolledOver => "counter_rolled_over",
            Self::MeterReplaced => "meter_replaced",
            Self::RatioChanged => "ratio_changed",
            Self::ClockCorrected => "clock_corrected",
            Self::DeviceClock => "device_clock",
            Self::DeviceAlarm => "device_alarm",
            Self::NumberConflict => "number_conflict",
            Self::StorageFailing => "storage_failing",
        }
    }

    /// Whether the event lasts (it is raised, and later cleared) or is over as soon as it is told.
    pub const fn lasts(self) -> bool {
        matches!(
            self,
            Self::DeviceSilent
                | Self::LineDown
                | Self::Implausible
                | Self::CounterHeld
                | Self::DeviceClock
                | Self::DeviceAlarm
                | Self::StorageFailing
        )
    }
}

/// One event of a gateway.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    pub id: EventId,
    pub at: Timestamp,
    pub kind: EventKind,
    /// For an event that lasts: true when it begins, false when it ends.
    pub active: bool,
    /// The line it happened on, by its name in the gateway's file.
    #[serde(default)]
    pub line: Option<String>,
    /// The device it happened to, by its name in the gateway's file.
    #[serde(default)]
    pub device: Option<String>,
    /// Plain words for the log; pages translate `kind` and do not show this alone.
    #[serde(default)]
    pub detail: String,
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub about: Option<About>,
}

impl Event {
    /// The part of the device that it is about; empty where it is about no one of them.
    pub fn object(&self) -> &str {
        self.about.as_ref().map_or("", |about| about.object.as_str())
    }
}

/// What an event is about, more closely than its line and device say.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct About {
    /// A part of the device that can have an event of the kind for itself, by its name there: an object of BACnet.
    #[serde(default)]
    pub object: String,
    /// Words and numbers that a page makes a sentence of in the reader's language.
    #[serde(default)]
    pub facts: BTreeMap<String, String>,
}
