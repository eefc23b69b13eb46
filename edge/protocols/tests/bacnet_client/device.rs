//! A device in virtual time. It knows the rules of the standard for whoever answers in segments (clause 5.4.5), and can
//! be made to lack each ability.

use std::collections::BTreeMap;
use std::net::{Ipv4Addr, SocketAddrV4};
use std::time::{Duration, Instant};

use steward_protocols::bacnet::apdu::{Apdu, Segment};
use steward_protocols::bacnet::bvlc::Bvlc;
use steward_protocols::bacnet::client::Peer;
use steward_protocols::bacnet::npdu::{Body, Npdu};
use steward_protocols::bacnet::tag::{
    Reader, put_closing, put_context, put_context_unsigned, put_opening, unsigned32,
};
use steward_protocols::bacnet::{ObjectId, ObjectType, PropertyId, PropertyRef, Value};

pub const MS: Duration = Duration::from_millis(1);

#[allow(clippy::disallowed_methods, reason = "any instant serves as the beginning of virtual time")]
pub fn beginning() -> Instant {
    Instant::now()
}

pub fn host(n: u8) -> Peer {
    Peer::direct(SocketAddrV4::new(Ipv4Addr::new(10, 0, 0, n), 47_808))
}

pub fn input(instance: u32) -> PropertyRef {
    PropertyRef::new(ObjectId::new(ObjectType::ANALOG_INPUT, instance), PropertyId::PRESENT_VALUE)
}

pub fn datagram(peer: Peer, apdu: Apdu<'_>) -> Vec<u8> {
    let apdu = apdu.encode();
    let npdu = Npdu { source: peer.station, ..Npdu::to(None, false, &apdu) }.encode();
    Bvlc::Unicast(&npdu).encode()
}

/// The APDU in a datagram of the client, and whether it expects a reply.
pub fn apdu_of(bytes: &[u8]) -> Option<Vec<u8>> {
    let Ok(Bvlc::Unicast(npdu) | Bvlc::Broadcast(npdu)) = Bvlc::decode(bytes) else { return None };
    match Npdu::decode(npdu).ok()?.body {
        Body::Apdu(apdu) => Some(apdu.to_vec()),
        _ => None,
    }
}

/// An answer that goes out in segments.
#[derive(Debug)]
struct Sending {
    service: u8,
    segments: Vec<Vec<u8>>,
    /// The first segment that is not acknowledged.
    from: usize,
    window: usize,
    due: Instant,
    tries: u8,
}

#[derive(Debug)]
pub struct Device {
    pub peer: Peer,
    pub instance: u32,
    pub max_apdu: u16,
    pub segments: bool,
    /// Knows ReadPropertyMultiple, and so many properties in one.
    pub batch: usize,
    /// Says nothing at all to a request of more properties than this.
    pub silent_above: usize,
    pub alive: bool,
    pub objects: u32,
    pub window: u8,
    /// Requests that it has read: how many properties each had.
    pub asked: Vec<usize>,
    sending: BTreeMap<u8, Sending>,
}

const SEGMENT_TIMEOUT: Duration = Duration::from_secs(2);

impl Device {
    pub fn new(n: u8) -> Self {
        Self {
            peer: host(n),
            instance: 1000 + u32::from(n),
            max_apdu: 1476,
            segments: true,
            batch: 1000,
            silent_above: usize::MAX,
            alive: true,
            objects: 600,
            window: 4,
            asked: Vec::new(),
            sending: BTreeMap::new(),
        }
    }

    pub fn i_am(&self) -> Vec<u8> {
        let mut data = Vec::new();
        Value::Object(ObjectId::device(self.instance)).put(&mut data);
        Value::Unsigned(u64::from(self.max_apdu)).put(&mut data);
        Value::Enumerated(if self.segments { 0 } else { 3 }).put(&mut data);
        Value::Unsigned(7).put(&mut data);
        datagram(self.peer, Apdu::Unconfirmed { service: 0, data: &data })
    }

    fn value(&self, target: &PropertyRef) -> Result<Vec<Value>, [u32; 2]> {
        let object = |i| Value::Object(ObjectId::new(ObjectType::ANALOG_INPUT, i));
        let exists = target.object.instance < self.objects;
        match (target.object.kind, target.property, target.index) {
            (ObjectType::ANALOG_INPUT, PropertyId::PRESENT_VALUE, None) if exists => {
                Ok(vec![Value::Real(target.object.instance as f32)])
            }
            (ObjectType::DEVICE, PropertyId::OBJECT_LIST, None) => {
                Ok((0..self.objects).map(object).collect())
            }
            (ObjectType::DEVICE, PropertyId::OBJECT_LIST, Some(0)) => {
                Ok(vec![Value::Unsigned(u64::from(self.objects))])
            }
            (ObjectType::DEVICE, PropertyId::OBJECT_LIST, Some(i)) if i <= self.objects => {
                Ok(vec![object(i - 1)])
            }
            (ObjectType::ANALOG_INPUT, PropertyId::PRESENT_VALUE, _) => Err([1, 31]),
            _ => Err([2, 32]),
        }
    }

    /// What the device sends for what it got.
    pub fn received(&mut self, bytes: &[u8], now: Instant) -> Vec<Vec<u8>> {
        let Some(apdu) = apdu_of(bytes).filter(|_| self.alive) else { return Vec::new() };
        match Apdu::decode(&apdu) {
            Ok(Apdu::Confirmed { invoke, service, data, .. }) => self.requested(invoke, service, data, now),
            Ok(Apdu::SegmentAck { invoke, sequence, window, .. }) => {
                self.acknowledged(invoke, sequence, window, now)
            }
            Ok(Apdu::Abort { invoke, .. }) => {
                self.sending.remove(&invoke);
                Vec::new()
            }
            _ => Vec::new(),
        }
    }

    fn requested(&mut self, invoke: u8, service: u8, data: &[u8], now: Instant) -> Vec<Vec<u8>> {
        // A repetition of a request whose answer is on its way already.
        if self.sending.contains_key(&invoke) {
            return Vec::new();
        }
        let reply = |apdu| vec![datagram(self.peer, apdu)];
        let content = match service {
            12 => {
                self.asked.push(1);
                let target = read_target(data);
                match self.value(&target) {
                    Ok(values) => one(&target, &values),
                    Err([class, code]) => {
                        let data = [0x91, class as u8, 0x91, code as u8];
                        return reply(Apdu::Error { invoke, service, data: &data });
                    }
                }
            }
            14 if self.batch > 1 => {
                let targets = targets(data);
                self.asked.push(targets.len());
                if targets.len() > self.silent_above {
                    return Vec::new();
                }
                if targets.len() > self.batch {
                    return reply(Apdu::Abort { server: true, invoke, reason: 1 });
                }
                targets.iter().flat_map(|t| many(t, &self.value(t))).collect()
            }
            5 | 15 => return reply(Apdu::SimpleAck { invoke, service }),
            _ => return reply(Apdu::Reject { invoke, reason: 9 }),
        };
        if content.len() + 3 <= usize::from(self.max_apdu) {
            return reply(Apdu::ComplexAck { invoke, segment: None, service, data: &content });
        }
        if !self.segments {
            return reply(Apdu::Abort { server: true, invoke, reason: 4 });
        }
        let segments: Vec<Vec<u8>> =
            content.chunks(usize::from(self.max_apdu) - 5).map(<[u8]>::to_vec).collect();
        let sending = Sending { service, segments, from: 0, window: 1, due: now + SEGMENT_TIMEOUT, tries: 0 };
        self.sending.insert(invoke, sending);
        self.window_of(invoke)
    }

    /// The segments of the window, as they are sent or sent again.
    fn window_of(&self, invoke: u8) -> Vec<Vec<u8>> {
        let Some(sending) = self.sending.get(&invoke) else { return Vec::new() };
        let (last, service) = (sending.segments.len() - 1, sending.service);
        (sending.from..sending.segments.len().min(sending.from + sending.window))
            .map(|i| {
                let segment = Some(Segment { sequence: i as u8, window: self.window, more: i < last });
                datagram(self.peer, Apdu::ComplexAck { invoke, segment, service, data: &sending.segments[i] })
            })
            .collect()
    }

    fn acknowledged(&mut self, invoke: u8, sequence: u8, window: u8, now: Instant) -> Vec<Vec<u8>> {
        let Some(sending) = self.sending.get_mut(&invoke) else { return Vec::new() };
        let ahead = usize::from(sequence.wrapping_sub(sending.from as u8));
        // One of before: the window is still under way.
        if ahead >= sending.window {
            return Vec::new();
        }
        sending.from += ahead + 1;
        sending.window = usize::from(window);
        sending.due = now + SEGMENT_TIMEOUT;
        sending.tries = 0;
        if sending.from >= sending.segments.len() {
            self.sending.remove(&invoke);
            return Vec::new();
        }
        self.window_of(invoke)
    }

    pub fn deadline(&self) -> Option<Instant> {
        self.sending.values().map(|s| s.due).min()
    }

    pub fn poll(&mut self, now: Instant) -> Vec<Vec<u8>> {
        let mut out = Vec::new();
        let due: Vec<u8> = self.sending.iter().filter(|(_, s)| s.due <= now).map(|(id, _)| *id).collect();
        for invoke in due {
            if let Some(sending) = self.sending.get_mut(&invoke) {
                sending.tries += 1;
                sending.due = now + SEGMENT_TIMEOUT;
                if sending.tries > 3 {
                    self.sending.remove(&invoke);
                    continue;
                }
            }
            out.extend(self.window_of(invoke));
        }
        out
    }
}

fn reference(reader: &mut Reader<'_>, object: ObjectId, number: u8) -> PropertyRef {
    let property = PropertyId(unsigned32(reader.context(number).unwrap()).unwrap());
    let index = reader.optional(number + 1).unwrap().map(|bytes| unsigned32(bytes).unwrap());
    PropertyRef { object, property, index }
}

fn read_target(data: &[u8]) -> PropertyRef {
    let mut reader = Reader::new(data);
    let object = ObjectId::from_bytes(reader.context(0).unwrap()).unwrap();
    reference(&mut reader, object, 1)
}

fn targets(data: &[u8]) -> Vec<PropertyRef> {
    let mut reader = Reader::new(data);
    let mut found = Vec::new();
    while !reader.is_empty() {
        let object = ObjectId::from_bytes(reader.context(0).unwrap()).unwrap();
        let mut list = reader.enclosed(1).unwrap();
        while !list.is_empty() {
            found.push(reference(&mut list, object, 0));
        }
    }
    found
}

fn put_target(out: &mut Vec<u8>, target: &PropertyRef, number: u8) {
    put_context_unsigned(out, number, u64::from(target.property.0));
    if let Some(index) = target.index {
        put_context_unsigned(out, number + 1, u64::from(index));
    }
}

fn put_values(out: &mut Vec<u8>, number: u8, values: &[Value]) {
    put_opening(out, number);
    for value in values {
        value.put(out);
    }
    put_closing(out, number);
}

fn one(target: &PropertyRef, values: &[Value]) -> Vec<u8> {
    let mut out = Vec::new();
    put_context(&mut out, 0, &target.object.bits().to_be_bytes());
    put_target(&mut out, target, 1);
    put_values(&mut out, 3, values);
    out
}

fn many(target: &PropertyRef, value: &Result<Vec<Value>, [u32; 2]>) -> Vec<u8> {
    let mut out = Vec::new();
    put_context(&mut out, 0, &target.object.bits().to_be_bytes());
    put_opening(&mut out, 1);
    put_target(&mut out, target, 2);
    match value {
        Ok(values) => put_values(&mut out, 4, values),
        Err(error) => put_values(&mut out, 5, &error.map(Value::Enumerated)),
    }
    put_closing(&mut out, 1);
    out
}
