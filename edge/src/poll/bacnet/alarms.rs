//! Alarms that devices find themselves: what they tell unasked, and what they list when they are reached (ASHRAE 135,
//! clauses 13.8 and 13.12). They become events of the gateway. `network` hands in notices, `device` asks for lists. A
//! list that could not be had ends no alarm.

use std::collections::BTreeMap;
use std::time::Duration;

use steward_protocols::bacnet::client::{Failure, Peer};
use steward_protocols::bacnet::{
    Answer, EventNotice, ObjectId, PropertyId, PropertyRef, Request, Value, event_state,
};
use steward_protocols::question::Address;
use steward_shared::alarm::{About, EventKind};
use tokio::time::Instant;
use tracing::{debug, info};

use super::network::Shared;
use super::ringing::Change;
use crate::line::bacnet::NoAnswer;

/// From one list of a device to the next: a device need not know us to be asked, and a notice may get lost.
const AGAIN: Duration = Duration::from_mins(5);
/// Answers that one list may take.
const MOST_ANSWERS: usize = 64;
/// Its bit in what a device supports (clause 21, BACnetServicesSupported).
const GET_EVENT_INFORMATION: usize = 39;
/// The kind of notice that only says that a person has seen an alarm.
const ACKNOWLEDGEMENT: u32 = 2;
const LONGEST_TEXT: usize = 200;

/// When a device is asked for its alarms.
#[derive(Clone, Copy, Debug, Default)]
pub struct Listing {
    /// Whether it says that it can be asked; nothing before that is known.
    supported: Option<bool>,
    listed: Option<Instant>,
}

impl Listing {
    /// A device that has just answered is asked, if it is time.
    pub async fn look(&mut self, shared: &Shared, device: usize, instance: u32, peer: Peer) {
        let now = Instant::now();
        let waits = self.listed.is_some_and(|at| now.duration_since(at) < AGAIN);
        if self.supported == Some(false) || waits && !shared.ringing.is_behind(device) {
            return;
        }
        self.listed = Some(now);
        shared.ringing.found(device, peer);
        if self.supported.is_none() {
            self.supported = can_list(shared, instance, peer).await;
        }
        if self.supported == Some(true) && list(shared, device, peer).await == Err(Refused) {
            self.supported = Some(false);
        }
    }
}

/// The device cannot be asked, whatever it has said.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
struct Refused;

/// Nothing where it did not say.
async fn can_list(shared: &Shared, instance: u32, peer: Peer) -> Option<bool> {
    let target = PropertyRef::new(ObjectId::device(instance), PropertyId::SERVICES_SUPPORTED);
    let readings = shared.network.read(peer, vec![target]).await.ok()?;
    match readings.into_iter().next()?.1 {
        Ok(values) => match values.first() {
            Some(Value::Bits(bits)) => Some(bits.get(GET_EVENT_INFORMATION).unwrap_or_default()),
            _ => Some(false),
        },
        Err(failure) => failure.was_answered().then_some(false),
    }
}

async fn list(shared: &Shared, device: usize, peer: Peer) -> Result<(), Refused> {
    shared.ringing.asked(device);
    let (mut found, mut after, mut whole, mut refused) = (Vec::new(), None, false, false);
    for _ in 0..MOST_ANSWERS {
        match shared.network.ask(peer, Request::GetEventInformation { after }).await {
            Ok(Answer::Events { list, more }) => {
                let last = list.last().map(|summary| summary.object);
                found.extend(list.into_iter().map(|summary| (summary.object, summary.state)));
                // One that says "more" behind the same object for ever is not believed.
                whole = !more;
                if whole || last.is_none() || last == after {
                    break;
                }
                after = last;
            }
            Ok(_) => break,
            Err(why) => {
                let name = shared.teller.name(device);
                debug!(line = shared.teller.line, device = name, %why, "alarms are not listed");
                refused = matches!(why, NoAnswer::Device(Failure::Refused(_) | Failure::Rejected(_)));
                break;
            }
        }
    }
    let (changes, open) = shared.ringing.listed(device, &found, whole);
    for change in changes {
        tell(shared, device, change, None).await;
    }
    if let Some(open) = open {
        let objects = open.iter().map(ToString::to_string).collect();
        shared.teller.listed(EventKind::DeviceAlarm, device, objects).await;
    }
    if refused { Err(Refused) } else { Ok(()) }
}

/// A device has told of an event. Only what devices of the gateway's file tell is taken.
pub async fn noticed(shared: &Shared, peer: Peer, notice: &EventNotice) {
    let is_it = |address| matches!(address, Address::Bacnet(node) if node.instance == notice.device);
    let found = shared.config.devices.iter().position(|device| is_it(device.address));
    let (line, object) = (shared.teller.line.as_str(), notice.object);
    let Some(device) = found else {
        return debug!(line, %peer, device = notice.device, %object, "a device that is not asked tells of an event");
    };
    if notice.notify_type == ACKNOWLEDGEMENT {
        return info!(line, device = shared.teller.name(device), %object, "an alarm was acknowledged at the device");
    }
    for change in shared.ringing.told(device, peer, object, notice.to, Instant::now()) {
        tell(shared, device, change, notice.text.as_deref()).await;
    }
}

async fn tell(shared: &Shared, device: usize, change: Change, text: Option<&str>) {
    let Change { object, state, active } = change;
    let points = shared.config.devices.get(device).map(|device| &device.profile.points);
    let is_it = |def: &&steward_shared::profile::PointDef| {
        def.bacnet().is_some_and(|b| (b.object, b.instance) == (object.kind, object.instance))
    };
    let point = points.and_then(|points| points.iter().find(is_it)).map(|def| def.key.as_str());
    let named = point.map_or_else(|| object.to_string(), |key| format!("{key} ({object})"));
    let text: String =
        text.unwrap_or_default().chars().filter(|c| !c.is_control()).take(LONGEST_TEXT).collect();
    let state = if active { event_state(state) } else { event_state(0) };
    let mut detail = format!("{} {named}: {state}", shared.teller.name(device));
    let mut facts = BTreeMap::from([("object".to_owned(), named), ("state".to_owned(), state.to_owned())]);
    if !text.is_empty() {
        detail = format!("{detail}: {text}");
        facts.insert("text".to_owned(), text);
    }
    let about = About { object: object.to_string(), facts };
    shared.teller.about(EventKind::DeviceAlarm, Some(device), active, detail, about).await;
}
