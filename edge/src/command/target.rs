//! A point on its device: what it shows, what is written, how it is given up. Registers go through their line's owner,
//! between two questions of polling; a BACnet object is asked over the network that is open already.

use std::sync::Arc;

use steward_protocols::bacnet::client::{Failure as BacnetFailure, Peer};
use steward_protocols::bacnet::{ObjectId, Priority};
use steward_protocols::exchange::About;
use steward_protocols::modbus::put;
use steward_protocols::question::Address;
use steward_shared::reading::Value;
use steward_shared::time::Timestamp;
use steward_shared::wire::command::{WriteOrder, reason};

use super::check::{Refusal, Spot};
use crate::hold::{
    Back, BackError, HeldCommand, Hold, Slot, bring_back_command, bring_back_words, commanding, is_same,
    read_words, shown, shown_words, write_change,
};
use crate::lend::{Doors, Reach};
use crate::line::bacnet::{Network, NoAnswer, NotFound, locate};

/// What a device has at the point.
#[derive(Clone, Debug, PartialEq)]
pub struct Seen {
    /// What the point shows.
    pub present: Option<f64>,
    pub words: Vec<u16>,
    /// In the slot of a BACnet object that is commanded; none where nothing is commanded there.
    pub slot: Option<f64>,
}

/// What has become of what was written.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Effect {
    Effective,
    /// It does not stand there.
    Ignored,
    /// It stands in its slot, and a higher priority commands the object.
    Overridden,
}

/// Why nothing came of it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Trouble {
    /// Nobody knows what the device has done.
    NoAnswer(String),
    /// The device says no.
    Refused(String),
}

impl From<BackError> for Trouble {
    fn from(e: BackError) -> Self {
        match e {
            // What stands before the device says that it does not answer.
            BackError::Refused(refusal) if refusal.about == About::Absence => {
                Self::NoAnswer(refusal.to_string())
            }
            BackError::Refused(refusal) => Self::Refused(refusal.to_string()),
            BackError::Failure(failure) => Self::NoAnswer(with_cause(&failure)),
            BackError::Network(e) => e.into(),
            other => Self::NoAnswer(with_cause(&other)),
        }
    }
}

impl From<NotFound> for Trouble {
    fn from(e: NotFound) -> Self {
        match e {
            NotFound::NoAnswer(e) => e.into(),
            other => Self::NoAnswer(other.to_string()),
        }
    }
}

impl From<NoAnswer> for Trouble {
    fn from(e: NoAnswer) -> Self {
        match e {
            NoAnswer::Device(BacnetFailure::Refused(error)) => Self::Refused(error.to_string()),
            other => Self::NoAnswer(other.to_string()),
        }
    }
}

impl Trouble {
    pub const fn reason(&self) -> &'static str {
        match self {
            Self::NoAnswer(_) => reason::NO_ANSWER,
            Self::Refused(_) => reason::DEVICE_REFUSED,
        }
    }

    pub fn detail(&self) -> &str {
        let (Self::NoAnswer(detail) | Self::Refused(detail)) = self;
        detail
    }
}

/// A point that is reached.
pub struct Target<'c> {
    spot: Spot<'c>,
    way: Way,
}

enum Way {
    Registers(Box<Reach>),
    Object(Network, Peer, Priority),
}

impl<'c> Target<'c> {
    pub async fn reach(doors: &Arc<Doors>, spot: Spot<'c>, priority: Option<u8>) -> Result<Self, Trouble> {
        let gone = || Trouble::NoAnswer(format!("the line {} is not polled at present", spot.line.name));
        let door = doors.find(&spot.line.name).ok_or_else(gone)?;
        let Address::Bacnet(node) = spot.device.address else {
            return Ok(Self { spot, way: Way::Registers(Box::new(Reach::by_door(door, spot.line))) });
        };
        let network = door.network().await.ok_or_else(gone)?;
        let peer = locate(&network, node, spot.line.slowest()).await?;
        let priority = Priority::new(priority.unwrap_or(spot.remote.priority)).ok_or_else(gone)?;
        Ok(Self { spot, way: Way::Object(network, peer, priority) })
    }

    pub async fn look(&mut self) -> Result<Seen, Trouble> {
        let point = self.spot.point;
        match &mut self.way {
            Way::Registers(reach) => {
                let words = read_words(reach, self.spot.device, point).await?;
                let present = shown_words(point, &words).as_ref().and_then(Value::as_number);
                Ok(Seen { present, words, slot: None })
            }
            Way::Object(network, peer, priority) => {
                let slot = Slot::find(network, *peer, object(self.spot), *priority).await?;
                let present = shown(point, &slot.present().await?);
                let content = slot.content().await?.and_then(|value| shown(point, &value));
                Ok(Seen { present, words: Vec::new(), slot: content })
            }
        }
    }

    /// The priority array, where the object has one and tells it.
    pub async fn slots(&self) -> Vec<Option<f64>> {
        let Way::Object(network, peer, priority) = &self.way else { return Vec::new() };
        let Ok(slot) = Slot::find(network, *peer, object(self.spot), *priority).await else {
            return Vec::new();
        };
        let slots = slot.all().await.unwrap_or_default();
        slots.into_iter().map(|value| value.and_then(|value| shown(self.spot.point, &value))).collect()
    }

    /// What stands there and what is to be written, as it is kept before it is done.
    pub fn hold(&self, order: &WriteOrder, seen: &Seen, until: Timestamp) -> Result<Hold, Refusal> {
        let value = Value::Number(order.value);
        let mut hold = Hold {
            device: self.spot.device.name.clone(),
            point: self.spot.point.key.clone(),
            before: seen.words.clone(),
            written: Vec::new(),
            command: None,
            until,
            by: order.by.clone(),
        };
        match &self.way {
            Way::Registers(_) => {
                hold.written = put::with_value(self.spot.point, &value, &seen.words)
                    .map_err(|e| Refusal::new(reason::OUT_OF_RANGE, e.to_string()))?;
            }
            Way::Object(_, _, priority) => {
                let before = seen.slot;
                hold.command =
                    Some(HeldCommand { priority: priority.number(), before, written: Some(order.value) });
            }
        }
        Ok(hold)
    }

    pub async fn put(&mut self, hold: &Hold) -> Result<(), Trouble> {
        let point = self.spot.point;
        let unwritable = || Trouble::Refused("the profile does not say how it is written".to_owned());
        match &mut self.way {
            Way::Registers(reach) => {
                let change = put::change(point, &hold.written).ok_or_else(unwritable)?;
                Ok(write_change(reach, self.spot.device, change).await?)
            }
            Way::Object(network, peer, priority) => {
                let slot = Slot::find(network, *peer, object(self.spot), *priority).await?;
                let number = hold.command.and_then(|c| c.written).ok_or_else(unwritable)?;
                let value = commanding(point, number).ok_or_else(unwritable)?;
                Ok(slot.put(Some(value)).await?)
            }
        }
    }

    pub fn effect(&self, hold: &Hold, seen: &Seen) -> Effect {
        let Some(slot) = hold.command else {
            let stands = put::with_words(self.spot.point, &hold.written, &seen.words) == seen.words;
            return if stands { Effect::Effective } else { Effect::Ignored };
        };
        if !is_same(seen.slot, slot.written) {
            Effect::Ignored
        } else if is_same(seen.present, slot.written) {
            Effect::Effective
        } else {
            Effect::Overridden
        }
    }

    /// Whether what stood there before still does.
    pub fn is_untouched(&self, hold: &Hold, seen: &Seen) -> bool {
        match hold.command {
            Some(slot) => is_same(seen.slot, slot.before),
            None => put::with_words(self.spot.point, &hold.before, &seen.words) == seen.words,
        }
    }

    pub async fn bring_back(&mut self, hold: &Hold) -> Result<Back, Trouble> {
        let Spot { line, device, point, .. } = self.spot;
        match (&mut self.way, hold.command) {
            (Way::Registers(reach), None) => Ok(bring_back_words(reach, (device, point), hold).await?),
            (Way::Object(network, ..), Some(slot)) => {
                Ok(bring_back_command(network, (line, device, point), slot).await?)
            }
            // The device speaks another language by now: what was written is not there any more.
            _ => Ok(Back::ChangedSince),
        }
    }
}

fn with_cause(error: &dyn std::error::Error) -> String {
    error.source().map_or_else(|| error.to_string(), |cause| format!("{error}: {cause}"))
}

fn object(spot: Spot<'_>) -> ObjectId {
    spot.point.bacnet().map_or(ObjectId::device(0), |place| ObjectId::new(place.object, place.instance))
}
