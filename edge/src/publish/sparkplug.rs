//! The gateway as an edge node of Sparkplug B, each device as a device of it, each point as a metric. Source: Eclipse
//! Sparkplug 3.0.0; the clauses are named where they are kept. A point's alias is its number in the gateway, which stays as
//! long as the gateway's memory does. Commands are not taken, but for the wish for a new birth.

use std::collections::BTreeSet;

use prost::Message as _;
use steward_protocols::mqtt::Will;
use steward_shared::reading::{Quality, Reading, Value};
use steward_shared::time::Timestamp;
use steward_shared::wire::message::PointKind;

use super::directory::{Directory, NamedDevice, NamedPoint, level};
use super::payload::{Metric, MetricValue, Payload, Property, PropertySet, PropertyValue, kind};
use super::queue::Queue;
use super::task::Outgoing;

const REBIRTH: &str = "Node Control/Rebirth";
const BD_SEQ: &str = "bdSeq";
/// 6.4.13: what a metric's property Quality says.
const GOOD: u32 = 192;
const BAD: u32 = 0;
const STALE: u32 = 500;

#[derive(Debug)]
pub struct Sparkplug {
    group: String,
    /// Without it the gateway's name.
    node: Option<String>,
    /// Of the next message of a birth or of data; 0 to 255 (6.4.4).
    seq: u8,
    /// Of this session (6.4.18 and 6.4.25): birth and death bear the same.
    bd_seq: u8,
    /// Indices of the devices that are born and not dead.
    born: BTreeSet<usize>,
}

impl Sparkplug {
    pub fn new(group: String, node: Option<String>) -> Self {
        Self { group, node, seq: 0, bd_seq: 0, born: BTreeSet::new() }
    }

    fn topic(&self, directory: &Directory, kind: &str, device: Option<&str>) -> String {
        let node = level(self.node.as_deref().unwrap_or(&directory.gateway));
        let own = format!("spBv1.0/{}/{kind}/{node}", self.group);
        device.map_or(own.clone(), |device| format!("{own}/{}", level(device)))
    }

    /// Begins a session of this number, and gives what the broker tells when it breaks (5.3).
    pub fn will(&mut self, directory: &Directory, bd_seq: u8) -> Will {
        self.bd_seq = bd_seq;
        self.born.clear();
        let topic = self.topic(directory, "NDEATH", None);
        Will { topic, payload: self.death(), at_least_once: true, retained: false }
    }

    fn death(&self) -> Vec<u8> {
        Payload { timestamp: None, metrics: vec![self.bd_seq()], seq: None }.encode_to_vec()
    }

    fn bd_seq(&self) -> Metric {
        Metric {
            name: Some(BD_SEQ.to_owned()),
            datatype: Some(kind::INT64),
            value: Some(MetricValue::Long(u64::from(self.bd_seq))),
            ..Metric::default()
        }
    }

    /// What is subscribed to before the first birth (5.4).
    pub fn commands(&self, directory: &Directory) -> String {
        self.topic(directory, "NCMD", None)
    }

    /// Whether a command wishes for a new birth (6.4.20).
    pub fn wants_birth(payload: &[u8]) -> bool {
        let wish =
            |m: &Metric| m.name.as_deref() == Some(REBIRTH) && m.value == Some(MetricValue::Boolean(true));
        Payload::decode(payload).is_ok_and(|payload| payload.metrics.iter().any(wish))
    }

    fn next_seq(&mut self) -> u64 {
        let seq = self.seq;
        self.seq = seq.wrapping_add(1);
        u64::from(seq)
    }

    /// At QoS 0 and not retained (6.4.17 to 6.4.24), but for the death of the node.
    fn message(topic: String, payload: &Payload) -> Outgoing {
        Outgoing { topic, payload: payload.encode_to_vec(), at_least_once: false, retained: false }
    }

    /// The birth of the node, and of all devices that are not silent.
    pub fn birth(
        &mut self,
        directory: &Directory,
        queue: &Queue,
        silent: &BTreeSet<String>,
        now: Timestamp,
    ) -> Vec<Outgoing> {
        self.seq = 0;
        self.born.clear();
        let at = millis(now);
        let rebirth = Metric {
            name: Some(REBIRTH.to_owned()),
            datatype: Some(kind::BOOLEAN),
            timestamp: at,
            value: Some(MetricValue::Boolean(false)),
            ..Metric::default()
        };
        let bd_seq = Metric { timestamp: at, ..self.bd_seq() };
        let payload = Payload { timestamp: at, metrics: vec![bd_seq, rebirth], seq: Some(self.next_seq()) };
        let mut births = vec![Self::message(self.topic(directory, "NBIRTH", None), &payload)];
        births.extend(self.devices(directory, queue, silent, now));
        births
    }

    /// Devices that are there and not born, or born and not there any more.
    pub fn devices(
        &mut self,
        directory: &Directory,
        queue: &Queue,
        silent: &BTreeSet<String>,
        now: Timestamp,
    ) -> Vec<Outgoing> {
        let mut messages = Vec::new();
        for (index, device) in directory.devices.iter().enumerate() {
            let is_there = !silent.contains(&device.device);
            if is_there && self.born.insert(index) {
                let metrics = device.points.iter().map(|point| birth_of(point, queue, now)).collect();
                let payload = Payload { timestamp: millis(now), metrics, seq: Some(self.next_seq()) };
                let topic = self.topic(directory, "DBIRTH", Some(&device.device));
                messages.push(Self::message(topic, &payload));
            } else if !is_there && self.born.remove(&index) {
                let payload =
                    Payload { timestamp: millis(now), metrics: Vec::new(), seq: Some(self.next_seq()) };
                let topic = self.topic(directory, "DDEATH", Some(&device.device));
                messages.push(Self::message(topic, &payload));
            }
        }
        messages
    }

    /// Readings, those of one device together. Of devices that are not born nothing is told: their birth will say it.
    pub fn readings(
        &mut self,
        directory: &Directory,
        readings: &[Reading],
        are_old: bool,
        now: Timestamp,
    ) -> Vec<Outgoing> {
        let mut runs: Vec<(usize, &NamedDevice, Vec<Metric>)> = Vec::new();
        for reading in readings {
            let Some((index, device, point)) = directory.find(reading.point) else { continue };
            if !self.born.contains(&index) {
                continue;
            }
            let metric = Metric {
                alias: Some(u64::from(reading.point.0)),
                is_historical: are_old.then_some(true),
                ..metric(point, Some(reading), now)
            };
            match runs.last_mut() {
                Some((last, _, metrics)) if *last == index => metrics.push(metric),
                _ => runs.push((index, device, vec![metric])),
            }
        }
        let mut messages = Vec::with_capacity(runs.len());
        for (_, device, metrics) in runs {
            let payload = Payload { timestamp: millis(now), metrics, seq: Some(self.next_seq()) };
            messages.push(Self::message(self.topic(directory, "DDATA", Some(&device.device)), &payload));
        }
        messages
    }

    /// Said before the gateway leaves by its own will, for then the broker does not tell the will (5.3).
    pub fn goodbye(&self, directory: &Directory) -> Outgoing {
        let topic = self.topic(directory, "NDEATH", None);
        Outgoing { topic, payload: self.death(), at_least_once: true, retained: false }
    }
}

fn millis(at: Timestamp) -> Option<u64> {
    u64::try_from(at.as_millis()).ok()
}

/// With its name, its alias, its type and its unit; the others bear the alias only.
fn birth_of(point: &NamedPoint, queue: &Queue, now: Timestamp) -> Metric {
    let mut metric = metric(point, queue.last(point.no), now);
    let unit = PropertyValue { kind: Some(kind::STRING), value: Some(Property::Text(point.unit.clone())) };
    if let Some(properties) = &mut metric.properties {
        properties.keys.push("engUnit".to_owned());
        properties.values.push(unit);
    }
    let datatype = match point.kind {
        PointKind::Gauge | PointKind::Counter => kind::DOUBLE,
        PointKind::Flag => kind::BOOLEAN,
        PointKind::Enumeration => kind::INT64,
        PointKind::Text => kind::STRING,
    };
    Metric {
        name: Some(point.key.clone()),
        alias: Some(u64::from(point.no.0)),
        datatype: Some(datatype),
        ..metric
    }
}

/// Value, instant and quality. Without a reading there is no value yet.
fn metric(point: &NamedPoint, reading: Option<&Reading>, now: Timestamp) -> Metric {
    let value = reading.and_then(|reading| reading.value.as_ref()).map(|value| match (point.kind, value) {
        (PointKind::Flag, Value::Number(number)) => MetricValue::Boolean(*number != 0.0),
        // A negative number stands as its two's complement (6.4.16).
        (PointKind::Enumeration, Value::Number(number)) => MetricValue::Long(*number as i64 as u64),
        (_, Value::Number(number)) => MetricValue::Double(*number),
        (_, Value::Text(text)) => MetricValue::Text(text.clone()),
    });
    let quality = match reading.map(|reading| reading.quality) {
        Some(Quality::Good) => GOOD,
        Some(Quality::NoReply | Quality::LineDown | Quality::Stale) | None => STALE,
        Some(_) => BAD,
    };
    let quality = PropertyValue { kind: Some(kind::INT32), value: Some(Property::Int(quality)) };
    Metric {
        timestamp: millis(reading.map_or(now, |reading| reading.at)),
        is_null: value.is_none().then_some(true),
        value,
        properties: Some(PropertySet { keys: vec!["Quality".to_owned()], values: vec![quality] }),
        ..Metric::default()
    }
}

#[cfg(test)]
mod tests {
    use steward_shared::id::PointNo;

    use super::*;

    const NOW: Timestamp = Timestamp(1_760_000_000_000);

    fn directory() -> Directory {
        let device = |i: u32| {
            let point = |j: u32| NamedPoint {
                no: PointNo(i * 10 + j),
                key: format!("p{j}"),
                unit: "kW".into(),
                kind: PointKind::Gauge,
            };
            NamedDevice {
                line: "l".into(),
                device: format!("d{i}"),
                place: String::new(),
                points: vec![point(0), point(1)],
            }
        };
        Directory::new("east".into(), vec![device(0), device(1)])
    }

    fn reading(point: u32, value: f64) -> Reading {
        Reading { point: PointNo(point), at: NOW, value: Some(Value::Number(value)), quality: Quality::Good }
    }

    fn shown(messages: &[Outgoing]) -> Vec<(String, Option<u64>)> {
        let seq = |m: &Outgoing| Payload::decode(m.payload.as_slice()).unwrap().seq;
        messages.iter().map(|m| (m.topic.clone(), seq(m))).collect()
    }

    #[test]
    fn seq_counts_from_the_nodes_birth_to_255_and_on_from_0() {
        let (directory, queue, silent) = (directory(), Queue::new(10), BTreeSet::new());
        let mut sparkplug = Sparkplug::new("g".into(), None);
        let births = sparkplug.birth(&directory, &queue, &silent, NOW);
        let topic = |kind: &str| format!("spBv1.0/g/{kind}");
        assert_eq!(
            shown(&births),
            [
                (topic("NBIRTH/east"), Some(0)),
                (topic("DBIRTH/east/d0"), Some(1)),
                (topic("DBIRTH/east/d1"), Some(2))
            ]
        );
        for seq in 3..=255 {
            let told = sparkplug.readings(&directory, &[reading(0, 1.0)], false, NOW);
            assert_eq!(shown(&told), [(topic("DDATA/east/d0"), Some(seq))]);
        }
        let told =
            sparkplug.readings(&directory, &[reading(0, 1.0), reading(1, 2.0), reading(10, 3.0)], false, NOW);
        assert_eq!(shown(&told), [(topic("DDATA/east/d0"), Some(0)), (topic("DDATA/east/d1"), Some(1))]);
        sparkplug.birth(&directory, &queue, &silent, NOW);
        assert_eq!(shown(&sparkplug.readings(&directory, &[reading(0, 1.0)], false, NOW))[0].1, Some(3));
    }

    #[test]
    fn a_silent_device_dies_and_is_born_again_with_what_is_known_of_it() {
        let (directory, mut queue) = (directory(), Queue::new(10));
        let mut sparkplug = Sparkplug::new("g".into(), Some("n".into()));
        let silent: BTreeSet<String> = ["d1".to_owned()].into();
        assert_eq!(sparkplug.birth(&directory, &queue, &silent, NOW).len(), 2, "a dead device is not born");
        assert_eq!(sparkplug.readings(&directory, &[reading(10, 1.0)], false, NOW), []);
        queue.push(&[reading(10, 4.5)]);
        let back = sparkplug.devices(&directory, &queue, &BTreeSet::new(), NOW);
        assert_eq!(shown(&back), [("spBv1.0/g/DBIRTH/n/d1".to_owned(), Some(2))]);
        let birth = Payload::decode(back[0].payload.as_slice()).unwrap();
        assert_eq!(birth.metrics[0].value, Some(MetricValue::Double(4.5)));
        assert_eq!(birth.metrics[1].is_null, Some(true));
        let gone = sparkplug.devices(&directory, &queue, &silent, NOW);
        assert_eq!(shown(&gone), [("spBv1.0/g/DDEATH/n/d1".to_owned(), Some(3))]);
    }

    #[test]
    fn only_the_wish_for_a_birth_is_a_command() {
        let command = |value| {
            let wish = Metric {
                name: Some(REBIRTH.into()),
                value: Some(MetricValue::Boolean(value)),
                ..Metric::default()
            };
            Payload { timestamp: Some(1), metrics: vec![wish], seq: None }.encode_to_vec()
        };
        assert!(Sparkplug::wants_birth(&command(true)));
        assert!(!Sparkplug::wants_birth(&command(false)));
        assert!(!Sparkplug::wants_birth(b"\xff\xff\xff"));
    }
}
