//! The hot tail: what is stored and not compacted yet, decoded, in memory; and the latest sample of every point.
//! Pure. It is rebuilt from the frames after a start, so nothing here is the only copy of anything.

use std::collections::{BTreeMap, HashMap};

use steward_shared::id::{GatewayId, PointId};
use steward_shared::reading::{Quality, Value};
use steward_shared::time::Timestamp;

use super::model::Sample;

/// Readings that are held at most, about 17 bytes each. Frames beyond are seen only once they are compacted, which
/// for data of past hours is a matter of seconds.
const MOST: usize = 6_000_000;

#[derive(Debug, Default)]
pub struct Tail {
    /// Frames in the order in which they came.
    frames: HashMap<GatewayId, BTreeMap<i64, Held>>,
    readings: usize,
    latest: HashMap<PointId, Sample>,
}

/// One frame in columns, sorted by point; within a point in the order of the frame.
#[derive(Debug)]
struct Held {
    t0: i64,
    t1: i64,
    points: Vec<(PointId, u32, u32)>,
    t: Vec<i64>,
    /// NaN where there is no number.
    v: Vec<f64>,
    q: Vec<u8>,
    texts: HashMap<u32, String>,
}

impl Held {
    fn of(readings: &[(PointId, Sample)]) -> Self {
        let mut order: Vec<&(PointId, Sample)> = readings.iter().collect();
        order.sort_by_key(|(p, _)| *p);
        let mut held = Self {
            t0: i64::MAX,
            t1: i64::MIN,
            points: Vec::new(),
            t: Vec::with_capacity(order.len()),
            v: Vec::with_capacity(order.len()),
            q: Vec::with_capacity(order.len()),
            texts: HashMap::new(),
        };
        for (place, (point, s)) in (0_u32..).zip(order) {
            match held.points.last_mut() {
                Some((last, _, end)) if last == point => *end = place + 1,
                _ => held.points.push((*point, place, place + 1)),
            }
            let at = s.at.as_millis();
            held.t0 = held.t0.min(at);
            held.t1 = held.t1.max(at);
            held.t.push(at);
            held.q.push(s.quality.code());
            held.v.push(match &s.value {
                Some(Value::Number(n)) => *n,
                Some(Value::Text(text)) => {
                    held.texts.insert(place, text.clone());
                    f64::NAN
                }
                None => f64::NAN,
            });
        }
        held
    }

    fn samples(&self, point: PointId) -> impl Iterator<Item = Sample> {
        let found = self.points.binary_search_by_key(&point, |(p, _, _)| *p).ok();
        let (start, end) = found.and_then(|i| self.points.get(i)).map_or((0, 0), |(_, s, e)| (*s, *e));
        (start..end).filter_map(|place| {
            let i = place as usize;
            let number = self.v.get(i).copied().filter(|n| !n.is_nan()).map(Value::Number);
            Some(Sample {
                at: Timestamp(*self.t.get(i)?),
                value: self.texts.get(&place).cloned().map(Value::Text).or(number),
                quality: Quality::from_code(*self.q.get(i)?),
            })
        })
    }
}

impl Tail {
    /// A frame that is committed.
    pub fn add(&mut self, gateway: GatewayId, frame: i64, readings: &[(PointId, Sample)]) {
        if readings.is_empty() || self.readings + readings.len() > MOST {
            return;
        }
        self.readings += readings.len();
        self.frames.entry(gateway).or_default().insert(frame, Held::of(readings));
    }

    /// Frames whose samples are in the chunks now.
    pub fn remove(&mut self, gateway: GatewayId, frames: &[i64]) {
        let Some(held) = self.frames.get_mut(&gateway) else { return };
        for frame in frames {
            if let Some(gone) = held.remove(frame) {
                self.readings -= gone.t.len();
            }
        }
    }

    /// The samples of a point in `from..=to`, in the order in which they came.
    pub fn samples(&self, gateway: GatewayId, point: PointId, from: i64, to: i64) -> Vec<Sample> {
        let frames = self.frames.get(&gateway).into_iter().flat_map(BTreeMap::values);
        frames
            .filter(|f| f.t0 <= to && f.t1 >= from)
            .flat_map(|f| f.samples(point))
            .filter(|s| (from..=to).contains(&s.at.as_millis()))
            .collect()
    }

    pub fn readings(&self) -> usize {
        self.readings
    }

    pub fn begin_with(&mut self, latest: HashMap<PointId, Sample>) {
        self.latest = latest;
    }

    pub fn latest(&self, point: PointId) -> Option<&Sample> {
        self.latest.get(&point)
    }

    /// Takes the sample as the latest one if it is; tells whether it was news.
    pub fn take_latest(&mut self, point: PointId, sample: &Sample) -> bool {
        match self.latest.get(&point) {
            Some(held) if held.at >= sample.at => false,
            _ => {
                self.latest.insert(point, sample.clone());
                true
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use steward_shared::id::RandomIds;

    use super::*;

    fn sample(at: i64, n: f64) -> Sample {
        Sample { at: Timestamp(at), value: Some(Value::Number(n)), quality: Quality::Good }
    }

    #[test]
    fn what_is_added_is_found_until_it_is_removed() {
        let gateway = GatewayId::new(&RandomIds);
        let mut tail = Tail::default();
        let text = Sample { value: Some(Value::Text("on".into())), ..sample(2, 0.0) };
        tail.add(gateway, 1, &[(PointId(2), text.clone()), (PointId(1), sample(1, 5.0))]);
        tail.add(gateway, 2, &[(PointId(1), sample(3, 6.0))]);
        assert_eq!(tail.samples(gateway, PointId(1), 0, 9), [sample(1, 5.0), sample(3, 6.0)]);
        assert_eq!(tail.samples(gateway, PointId(2), 0, 9), [text]);
        assert_eq!(tail.samples(gateway, PointId(1), 2, 9), [sample(3, 6.0)]);
        tail.remove(gateway, &[1, 7]);
        assert_eq!(tail.samples(gateway, PointId(1), 0, 9), [sample(3, 6.0)]);
        assert_eq!(tail.readings(), 1);
    }

    #[test]
    fn the_latest_is_the_newest_in_whatever_order_samples_come() {
        let mut tail = Tail::default();
        assert!(tail.take_latest(PointId(1), &sample(5, 1.0)));
        assert!(!tail.take_latest(PointId(1), &sample(4, 2.0)));
        assert!(!tail.take_latest(PointId(1), &sample(5, 3.0)));
        assert_eq!(tail.latest(PointId(1)), Some(&sample(5, 1.0)));
    }
}
