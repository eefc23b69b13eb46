//! The hot tail: what is stored and not compacted yet, decoded, in memory; and the latest sample of every point.
//! Pure. It is rebuilt from the frames after a start, so nothing here is the only copy of anything.

use std::collections::{BTreeMap, HashMap, HashSet};

use steward_shared::id::{GatewayId, PointId};
use steward_shared::reading::{Quality, Value};
use steward_shared::time::Timestamp;

use super::model::{AHEAD, Sample};

/// Bytes of one reading, without the words of a text.
pub const READING: usize = 17;
/// What a text costs besides its bytes.
const TEXT: usize = 48;
/// Room for six million readings. Of it half is for frames of hours that are over, which are compacted within a
/// minute: when many gateways come back at once, the hour that goes on must still be seen. Frames beyond are seen once
/// they are compacted.
const ROOM: usize = 6_000_000 * READING;

#[derive(Debug)]
pub struct Tail {
    room: usize,
    /// Frames in the order in which they came.
    frames: HashMap<GatewayId, BTreeMap<i64, Held>>,
    readings: usize,
    used: usize,
    used_by_past: usize,
    latest: HashMap<PointId, Sample>,
}

impl Default for Tail {
    fn default() -> Self {
        Self::with_room(ROOM)
    }
}

/// One frame in columns, sorted by point; within a point in the order of the frame.
#[derive(Debug)]
pub struct Held {
    t0: i64,
    t1: i64,
    is_past: bool,
    cost: usize,
    points: Vec<(PointId, u32, u32)>,
    t: Vec<i64>,
    /// NaN where there is no number.
    v: Vec<f64>,
    q: Vec<u8>,
    texts: HashMap<u32, String>,
}

impl Held {
    /// `present` is the hour that goes on: a frame that does not reach into it is one of the past.
    pub fn of(readings: &[(PointId, Sample)], present: i64) -> Self {
        let mut order: Vec<&(PointId, Sample)> = readings.iter().collect();
        order.sort_by_key(|(p, _)| *p);
        let mut held = Self {
            t0: i64::MAX,
            t1: i64::MIN,
            is_past: false,
            cost: order.len() * READING,
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
                    held.cost += TEXT + text.len();
                    held.texts.insert(place, text.clone());
                    f64::NAN
                }
                None => f64::NAN,
            });
        }
        held.is_past = held.t1 < present;
        held
    }

    /// The last instant.
    pub fn t1(&self) -> i64 {
        self.t1
    }

    /// From the first instant to the last.
    pub fn span_ms(&self) -> i64 {
        self.t1.saturating_sub(self.t0)
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
    pub fn with_room(room: usize) -> Self {
        Self { room, frames: HashMap::new(), readings: 0, used: 0, used_by_past: 0, latest: HashMap::new() }
    }

    /// A frame that is committed. False when there is no room for it.
    pub fn add(&mut self, gateway: GatewayId, frame: i64, held: Held) -> bool {
        self.remove(gateway, &[frame]);
        if !self.has_room(held.cost, held.is_past) {
            return false;
        }
        self.readings += held.t.len();
        self.used += held.cost;
        if held.is_past {
            self.used_by_past += held.cost;
        }
        self.frames.entry(gateway).or_default().insert(frame, held);
        true
    }

    pub fn has_room(&self, cost: usize, is_past: bool) -> bool {
        self.used + cost <= self.room && (!is_past || self.used_by_past + cost <= self.room / 2)
    }

    /// Frames whose samples are in the chunks now.
    pub fn remove(&mut self, gateway: GatewayId, frames: &[i64]) {
        let Some(held) = self.frames.get_mut(&gateway) else { return };
        for frame in frames {
            if let Some(gone) = held.remove(frame) {
                self.readings -= gone.t.len();
                self.used -= gone.cost;
                if gone.is_past {
                    self.used_by_past -= gone.cost;
                }
            }
        }
        if held.is_empty() {
            self.frames.remove(&gateway);
        }
    }

    /// The numbers of the frames that are held.
    pub fn held(&self) -> HashSet<(GatewayId, i64)> {
        self.frames.iter().flat_map(|(g, frames)| frames.keys().map(|id| (*g, *id))).collect()
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

    pub fn latest(&self, point: PointId) -> Option<&Sample> {
        self.latest.get(&point)
    }

    /// Takes the sample as the latest one if it is; tells whether it was news. Of two of one instant the later word
    /// counts. What a clock that ran ahead has left behind gives way to whatever comes.
    pub fn take_latest(&mut self, point: PointId, sample: &Sample, now: Timestamp) -> bool {
        let not_after = now.plus(AHEAD);
        let is_news = sample.at <= not_after
            && self.latest.get(&point).is_none_or(|held| {
                held.at > not_after || held.at < sample.at || (held.at == sample.at && held != sample)
            });
        if is_news {
            self.latest.insert(point, sample.clone());
        }
        is_news
    }
}

#[cfg(test)]
mod tests {
    use steward_shared::id::RandomIds;

    use super::*;

    fn sample(at: i64, n: f64) -> Sample {
        Sample { at: Timestamp(at), value: Some(Value::Number(n)), quality: Quality::Good }
    }

    fn held(readings: &[(PointId, Sample)]) -> Held {
        Held::of(readings, 1000)
    }

    #[test]
    fn what_is_added_is_found_until_it_is_removed() {
        let gateway = GatewayId::new(&RandomIds);
        let mut tail = Tail::default();
        let text = Sample { value: Some(Value::Text("on".into())), ..sample(2, 0.0) };
        let first = held(&[(PointId(2), text.clone()), (PointId(1), sample(1, 5.0))]);
        assert!(tail.add(gateway, 1, first));
        assert!(tail.add(gateway, 2, held(&[(PointId(1), sample(3, 6.0))])));
        assert!(tail.add(gateway, 2, held(&[(PointId(1), sample(3, 6.0))])), "again");
        assert_eq!(tail.samples(gateway, PointId(1), 0, 9), [sample(1, 5.0), sample(3, 6.0)]);
        assert_eq!(tail.samples(gateway, PointId(2), 0, 9), [text]);
        assert_eq!(tail.samples(gateway, PointId(1), 2, 9), [sample(3, 6.0)]);
        tail.remove(gateway, &[1, 7]);
        assert_eq!(tail.samples(gateway, PointId(1), 0, 9), [sample(3, 6.0)]);
        assert_eq!((tail.readings(), tail.used), (1, READING));
        tail.remove(gateway, &[2]);
        assert_eq!((tail.readings(), tail.used, tail.used_by_past), (0, 0, 0));
    }

    #[test]
    fn hours_that_are_over_leave_half_the_room_to_the_one_that_goes_on() {
        let gateway = GatewayId::new(&RandomIds);
        let mut tail = Tail::with_room(10 * READING);
        let past = |at| held(&[(PointId(1), sample(at, 1.0))]);
        let added = (0..20).filter(|i| tail.add(gateway, *i, past(*i))).count();
        assert_eq!(added, 5);
        let present = |at| held(&[(PointId(1), sample(at, 1.0)), (PointId(1), sample(1000, 1.0))]);
        assert!(tail.add(gateway, 100, present(1)) && tail.add(gateway, 101, present(1001)));
        assert!(!tail.add(gateway, 102, present(1002)), "full");
        tail.remove(gateway, &[0, 1]);
        assert!(tail.add(gateway, 102, present(1002)));
    }

    #[test]
    fn the_words_of_texts_count() {
        let gateway = GatewayId::new(&RandomIds);
        let mut tail = Tail::with_room(1000 * READING);
        let text = Sample { value: Some(Value::Text("x".repeat(1000 * READING))), ..sample(1000, 0.0) };
        assert!(!tail.add(gateway, 1, held(&[(PointId(1), text)])));
    }

    #[test]
    fn the_latest_is_the_newest_in_whatever_order_samples_come() {
        let mut tail = Tail::default();
        let mut take = |at, n| tail.take_latest(PointId(1), &sample(at, n), Timestamp(0));
        assert!(take(5, 1.0));
        assert!(!take(4, 2.0));
        assert!(!take(5, 1.0));
        assert!(take(5, 3.0), "the later word of one instant");
        assert_eq!(tail.latest(PointId(1)), Some(&sample(5, 3.0)));
    }

    #[test]
    fn what_lies_ahead_of_the_clock_is_never_the_latest() {
        let mut tail = Tail::default();
        let ahead = AHEAD.as_millis() as i64;
        let mut take = |at, now| tail.take_latest(PointId(1), &sample(at, 1.0), Timestamp(now));
        assert!(take(5, 0) && take(ahead, 0));
        assert!(!take(ahead + 1, 0));
        assert!(!take(8_000_000_000, 10), "years ahead");
        // The hub's own clock was ahead, and was set right.
        assert!(take(5_000_000, 5_000_000));
        assert!(take(10, 10), "what comes then takes its place");
    }
}
