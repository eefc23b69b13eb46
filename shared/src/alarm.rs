//! What a gateway has to say besides readings: a device fell silent, a line broke, data had to be dropped.
//! One event is one item of the alarm lane; the hub keeps each once.

use std::collections::BTreeMap;

use serde::de::{self, EnumAccess, VariantAccess};
use serde::{Deserialize, Deserializer, Serialize};

use crate::id::EventId;
use crate::time::Timestamp;

/// What happened. Words are stable: they name the event in the API, in logs and in translations.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize)]
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
    /// Who answers at the hub's address is not the hub that the gateway was enrolled at; `active` turns false when it is.
    HubUntrusted,
    /// What a command from the hub has written is not what its point shows.
    CommandNotEffective,
    /// What a newer gateway tells of and this program has no word for; its detail says it. Always the last here.
    #[serde(skip_serializing)]
    Unknown,
}

impl EventKind {
    pub const ALL: [Self; 20] = [
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
        Self::HubUntrusted,
        Self::CommandNotEffective,
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
            Self::HubUntrusted => "hub_untrusted",
            Self::CommandNotEffective => "command_not_effective",
            Self::Unknown => "unknown",
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
                | Self::HubUntrusted
        )
    }
}

/// By its place, or by its word: a kind that is not known is no reason to lose the event.
impl<'de> Deserialize<'de> for EventKind {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        struct Named(EventKind);
        impl<'de> Deserialize<'de> for Named {
            fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
                d.deserialize_identifier(Kind).map(Named)
            }
        }
        struct Kind;
        impl<'de> de::Visitor<'de> for Kind {
            type Value = EventKind;
            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("the kind of an event")
            }
            fn visit_u64<E: de::Error>(self, place: u64) -> Result<EventKind, E> {
                let known = usize::try_from(place).ok().and_then(|place| EventKind::ALL.get(place));
                Ok(known.copied().unwrap_or(EventKind::Unknown))
            }
            fn visit_str<E: de::Error>(self, word: &str) -> Result<EventKind, E> {
                let known = EventKind::ALL.into_iter().find(|kind| kind.word() == word);
                Ok(known.unwrap_or(EventKind::Unknown))
            }
            fn visit_enum<A: EnumAccess<'de>>(self, data: A) -> Result<EventKind, A::Error> {
                let (Named(kind), rest) = data.variant()?;
                rest.unit_variant()?;
                Ok(kind)
            }
        }
        d.deserialize_enum("EventKind", &[], Kind)
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::wire::frame::{from_cbor, to_cbor};

    #[test]
    fn each_kind_is_its_place_on_the_wire_and_its_word_elsewhere() {
        for (place, kind) in EventKind::ALL.into_iter().enumerate() {
            let bytes = to_cbor(&kind).unwrap();
            assert_eq!(bytes, to_cbor(&(place as u64)).unwrap());
            assert_eq!(from_cbor::<EventKind>(&bytes).unwrap(), kind);
            let words = serde_cbor::to_vec(&kind).unwrap();
            assert_eq!(words, serde_cbor::to_vec(&kind.word()).unwrap());
            assert_eq!(from_cbor::<EventKind>(&words).unwrap(), kind);
        }
    }

    #[test]
    fn fault_y11_a_kind_that_only_a_newer_gateway_knows_is_unknown_and_no_error() {
        assert_eq!(from_cbor::<EventKind>(&to_cbor(&200u64).unwrap()).unwrap(), EventKind::Unknown);
        assert_eq!(from_cbor::<EventKind>(&to_cbor(&"meteor").unwrap()).unwrap(), EventKind::Unknown);
        assert!(from_cbor::<EventKind>(&to_cbor(&vec![1u8; 3]).unwrap()).is_err(), "a list is no kind");
    }
}
