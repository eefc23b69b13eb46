//! A device of BACnet/IP made of a profile: it introduces itself, is read, commanded by priority, and tells of changes.
//! Its owner hands in what comes, each instant, and what its points show, and sends what comes out. It cuts no message
//! into segments: whoever asks for too much is told so.

use core::net::SocketAddrV4;
use std::collections::BTreeMap;
use std::ops::Deref;
use std::time::Instant;

use steward_shared::profile::{PointDef, Profile, PropertyId};
use steward_shared::reading::Value as Shown;

use super::super::apdu::{Apdu, MAX_APDU, abort, reject};
use super::super::bvlc::Bvlc;
use super::super::client::{Datagram, Peer};
use super::super::contents::{Kind, Unfit, shown};
use super::super::npdu::{Body, Npdu};
use super::super::object::{ObjectId, PropertyRef, ServiceError};
use super::super::service::{Priority, confirmed, unconfirmed};
use super::super::tag::{Fault, put_closing, put_context, put_context_unsigned, put_opening};
use super::super::value::Value;
use super::asked::{Asked, asked, is_meant};
use super::changes::{Changes, Notice};
use super::objects::{Object, objects};
use super::properties::{
    Commands, NO_SEGMENTATION, UNKNOWN_OBJECT, UNKNOWN_PROPERTY, VENDOR, View, increment,
};

const INVALID_DATA_TYPE: ServiceError = ServiceError { class: 2, code: 9 };
const VALUE_OUT_OF_RANGE: ServiceError = ServiceError { class: 2, code: 37 };
const WRITE_ACCESS_DENIED: ServiceError = ServiceError { class: 2, code: 40 };
const NO_ARRAY: ServiceError = ServiceError { class: 2, code: 50 };
const SUBSCRIPTION_FAILED: ServiceError = ServiceError { class: 5, code: 43 };
/// The lowest, where a command says none (clause 19.2).
const LOWEST: usize = 16;

/// What the commands that hold make of points, by their keys.
pub type Commanded = BTreeMap<String, Shown>;

/// A device by its profile (borrowed or shared) and its instance number.
#[derive(Clone, Debug)]
pub struct Device<P> {
    profile: P,
    instance: u32,
    objects: Vec<Object>,
    commands: Commands,
    changes: Changes,
}

/// What comes of a confirmed request.
enum Outcome {
    Done,
    Content(Vec<u8>),
    Refused(ServiceError),
    Rejected(u8),
}

impl<P: Deref<Target = Profile>> Device<P> {
    pub fn new(profile: P, instance: u32) -> Self {
        let objects = objects(&profile);
        let of = |object: &Object| object.is_commandable.then_some((object.id, [const { None }; 16]));
        let commands = objects.iter().filter_map(of).collect();
        Self { profile, instance, objects, commands, changes: Changes::default() }
    }

    /// What the commands that hold make of the points.
    pub fn commanded(&self) -> Commanded {
        let one = |object: &Object| {
            let command = self.commands.get(&object.id)?.iter().flatten().next()?;
            let (def, place) = object.present(&self.profile)?;
            // What was taken is fit.
            Some((def.key.clone(), shown(def, Kind::of(place), object.id.kind, command).ok()?))
        };
        self.objects.iter().filter_map(one).collect()
    }

    /// A datagram came: what is said to it. With `refused` everything that wants an answer is refused so.
    pub fn received(
        &mut self,
        from: SocketAddrV4,
        datagram: &[u8],
        now: Instant,
        refused: Option<ServiceError>,
        show: &dyn Fn(&PointDef) -> Option<Shown>,
    ) -> Vec<Datagram> {
        // What is no BACnet, or not for a device, is for somebody else.
        self.take(from, datagram, now, refused, show).unwrap_or_default()
    }

    /// Notices that are due.
    pub fn poll(&mut self, now: Instant, show: &dyn Fn(&PointDef) -> Option<Shown>) -> Vec<Datagram> {
        let mut changes = std::mem::take(&mut self.changes);
        let view = self.view(show);
        let seen = |id: ObjectId| {
            let one = |property| view.read(id, property, None).ok()?.into_iter().next();
            let object = self.objects.iter().find(|object| object.id == id)?;
            let (def, _) = object.present(&self.profile)?;
            let (value, status) = (one(PropertyId::PRESENT_VALUE)?, one(PropertyId::STATUS_FLAGS)?);
            Some((value, status, f64::from(increment(def)) * 0.999))
        };
        let notices = changes.due(self.instance, now, seen);
        self.changes = changes;
        notices.into_iter().map(|notice| datagram_of(&notice)).collect()
    }

    fn view<'v>(&'v self, show: &'v dyn Fn(&PointDef) -> Option<Shown>) -> View<'v> {
        View {
            profile: &self.profile,
            instance: self.instance,
            objects: &self.objects,
            show,
            commands: &self.commands,
        }
    }

    fn take(
        &mut self,
        from: SocketAddrV4,
        datagram: &[u8],
        now: Instant,
        refused: Option<ServiceError>,
        show: &dyn Fn(&PointDef) -> Option<Shown>,
    ) -> Result<Vec<Datagram>, Fault> {
        let (address, npdu) = match Bvlc::decode(datagram)? {
            Bvlc::Unicast(npdu) | Bvlc::Broadcast(npdu) => (from, npdu),
            Bvlc::Forwarded { originator, npdu } => (originator, npdu),
            _ => return Ok(Vec::new()),
        };
        let npdu = Npdu::decode(npdu)?;
        let peer = Peer { address: address.into(), station: npdu.source };
        let Body::Apdu(bytes) = npdu.body else { return Ok(Vec::new()) };
        if npdu.destination.is_some_and(|station| station.network != u16::MAX) {
            return Ok(Vec::new());
        }
        Ok(match Apdu::decode(bytes)? {
            Apdu::Unconfirmed { service: unconfirmed::WHO_IS, data } if is_meant(data, self.instance) => {
                vec![self.introduction(peer)]
            }
            Apdu::Confirmed { invoke, segment: Some(_), .. } => {
                let reason = abort::SEGMENTATION_NOT_SUPPORTED;
                vec![Datagram::unicast(peer, false, Apdu::Abort { server: true, invoke, reason })]
            }
            Apdu::Confirmed { invoke, segment: None, takes, service, data } => {
                let outcome = match refused {
                    Some(error) => Outcome::Refused(error),
                    None => self.outcome(peer, service, data, now, show),
                };
                let mut out = vec![answer(peer, (invoke, service), &outcome, usize::from(takes))];
                if service == confirmed::SUBSCRIBE_COV || service == confirmed::WRITE_PROPERTY {
                    out.extend(self.poll(now, show));
                }
                out
            }
            Apdu::SimpleAck { invoke, service: confirmed::COV_NOTIFICATION } => {
                self.changes.acknowledged(peer, invoke);
                Vec::new()
            }
            _ => Vec::new(),
        })
    }

    /// I-Am, to whoever asked: a unicast is as good (clause 16.10.2).
    fn introduction(&self, peer: Peer) -> Datagram {
        let mut data = Vec::new();
        Value::Object(ObjectId::device(self.instance)).put(&mut data);
        Value::Unsigned(MAX_APDU.into()).put(&mut data);
        Value::Enumerated(NO_SEGMENTATION).put(&mut data);
        Value::Unsigned(VENDOR).put(&mut data);
        Datagram::unicast(peer, false, Apdu::Unconfirmed { service: unconfirmed::I_AM, data: &data })
    }

    fn outcome(
        &mut self,
        peer: Peer,
        service: u8,
        data: &[u8],
        now: Instant,
        show: &dyn Fn(&PointDef) -> Option<Shown>,
    ) -> Outcome {
        let done =
            |result: Result<(), ServiceError>| result.map_or_else(Outcome::Refused, |()| Outcome::Done);
        match asked(service, data) {
            None => Outcome::Rejected(reject::UNRECOGNIZED_SERVICE),
            Some(Err(fault)) => Outcome::Rejected(reason(fault)),
            Some(Ok(Asked::Read(target))) => {
                let target = self.own(target);
                match self.view(show).read(target.object, target.property, target.index) {
                    Ok(values) => Outcome::Content(read_answer(&target, &values)),
                    Err(error) => Outcome::Refused(error),
                }
            }
            Some(Ok(Asked::ReadMultiple(targets))) => Outcome::Content(self.read_multiple(&targets, show)),
            Some(Ok(Asked::Write { target, values, priority })) => {
                done(self.write(self.own(target), &values, priority))
            }
            Some(Ok(Asked::Subscribe { process, object, terms })) => {
                let Some(known) = self.objects.iter().find(|o| o.id == object) else {
                    return Outcome::Refused(UNKNOWN_OBJECT);
                };
                match terms {
                    None => self.changes.unsubscribe(peer, process, object),
                    Some(terms) => {
                        if known.present(&self.profile).is_none()
                            || !self.changes.subscribe((peer, process, object), terms, now)
                        {
                            return Outcome::Refused(SUBSCRIPTION_FAILED);
                        }
                    }
                }
                Outcome::Done
            }
        }
    }

    /// Device 4194303 is whichever hears it (clause 15.5.2).
    fn own(&self, target: PropertyRef) -> PropertyRef {
        let whichever = target.object == ObjectId::device(ObjectId::MAX_INSTANCE);
        let object = if whichever { ObjectId::device(self.instance) } else { target.object };
        PropertyRef { object, ..target }
    }

    fn read_multiple(&self, targets: &[PropertyRef], show: &dyn Fn(&PointDef) -> Option<Shown>) -> Vec<u8> {
        let view = self.view(show);
        let mut out = Vec::new();
        for object in targets.chunk_by(|a, b| a.object == b.object) {
            let Some(first) = object.first().map(|target| self.own(*target)) else { continue };
            put_context(&mut out, 0, &first.object.bits().to_be_bytes());
            put_opening(&mut out, 1);
            for target in object {
                for property in view.meant(first.object, target.property) {
                    put_context_unsigned(&mut out, 2, property.0.into());
                    if let Some(index) = target.index {
                        put_context_unsigned(&mut out, 3, index.into());
                    }
                    match view.read(first.object, property, target.index) {
                        Ok(values) => {
                            put_opening(&mut out, 4);
                            for value in values {
                                value.put(&mut out);
                            }
                            put_closing(&mut out, 4);
                        }
                        Err(error) => {
                            put_opening(&mut out, 5);
                            put_error(&mut out, error);
                            put_closing(&mut out, 5);
                        }
                    }
                }
            }
            put_closing(&mut out, 1);
        }
        out
    }

    fn write(
        &mut self,
        target: PropertyRef,
        values: &[Value],
        priority: Option<Priority>,
    ) -> Result<(), ServiceError> {
        let is_own = target.object == ObjectId::device(self.instance);
        let Some(object) = self.objects.iter().find(|object| object.id == target.object) else {
            return Err(if is_own { WRITE_ACCESS_DENIED } else { UNKNOWN_OBJECT });
        };
        let (Some((def, place)), PropertyId::PRESENT_VALUE) =
            (object.present(&self.profile), target.property)
        else {
            let known = self.view(&|_| None).list(target.object).unwrap_or_default();
            return Err(if known.contains(&target.property) {
                WRITE_ACCESS_DENIED
            } else {
                UNKNOWN_PROPERTY
            });
        };
        if target.index.is_some() {
            return Err(NO_ARRAY);
        }
        let [value] = values else { return Err(INVALID_DATA_TYPE) };
        let Some(slots) = self.commands.get_mut(&target.object) else { return Err(WRITE_ACCESS_DENIED) };
        let slot = priority.map_or(LOWEST, |priority| usize::from(priority.number()));
        let command = match value {
            Value::Null => None,
            value => match shown(def, Kind::of(place), object.id.kind, value) {
                Ok(_) => Some(value.clone()),
                Err(Unfit::Type) => return Err(INVALID_DATA_TYPE),
                Err(Unfit::Range) => return Err(VALUE_OUT_OF_RANGE),
            },
        };
        if let Some(held) = slots.get_mut(slot - 1) {
            *held = command;
        }
        Ok(())
    }
}

/// Why a request that cannot be read is rejected (clause 21, BACnetRejectReason).
const fn reason(fault: Fault) -> u8 {
    match fault {
        Fault::Cut => 5,
        Fault::Tag(_) | Fault::Nesting => 4,
        Fault::Length(_) => 3,
        Fault::Reserved(_) => 6,
    }
}

fn put_error(out: &mut Vec<u8>, error: ServiceError) {
    Value::Enumerated(error.class).put(out);
    Value::Enumerated(error.code).put(out);
}

fn read_answer(target: &PropertyRef, values: &[Value]) -> Vec<u8> {
    let mut out = Vec::new();
    put_context(&mut out, 0, &target.object.bits().to_be_bytes());
    put_context_unsigned(&mut out, 1, target.property.0.into());
    if let Some(index) = target.index {
        put_context_unsigned(&mut out, 2, index.into());
    }
    put_opening(&mut out, 3);
    for value in values {
        value.put(&mut out);
    }
    put_closing(&mut out, 3);
    out
}

fn answer(peer: Peer, (invoke, service): (u8, u8), outcome: &Outcome, longest: usize) -> Datagram {
    let mut content = Vec::new();
    let apdu = match outcome {
        Outcome::Done => Apdu::SimpleAck { invoke, service },
        // Three bytes stand before it.
        Outcome::Content(data) if data.len() + 3 > longest => {
            Apdu::Abort { server: true, invoke, reason: abort::SEGMENTATION_NOT_SUPPORTED }
        }
        Outcome::Content(data) => Apdu::ComplexAck { invoke, segment: None, service, data },
        Outcome::Refused(error) => {
            put_error(&mut content, *error);
            Apdu::Error { invoke, service, data: &content }
        }
        Outcome::Rejected(reason) => Apdu::Reject { invoke, reason: *reason },
    };
    Datagram::unicast(peer, false, apdu)
}

fn datagram_of(notice: &Notice) -> Datagram {
    let data = notice.content.as_slice();
    if let Some(invoke) = notice.invoke {
        let service = confirmed::COV_NOTIFICATION;
        let apdu = Apdu::Confirmed { invoke, segment: None, takes: MAX_APDU, service, data };
        Datagram::unicast(notice.peer, true, apdu)
    } else {
        let apdu = Apdu::Unconfirmed { service: unconfirmed::COV_NOTIFICATION, data };
        Datagram::unicast(notice.peer, false, apdu)
    }
}
