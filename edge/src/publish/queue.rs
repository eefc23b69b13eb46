//! What waits to be told. It never grows beyond its room: the oldest gives way, and is counted.

use std::collections::{BTreeMap, VecDeque};

use steward_shared::id::PointNo;
use steward_shared::reading::Reading;

#[derive(Debug)]
pub struct Queue {
    room: usize,
    waiting: VecDeque<Reading>,
    /// Of every point the newest.
    last: BTreeMap<PointNo, Reading>,
    dropped: u64,
}

impl Queue {
    pub fn new(room: usize) -> Self {
        Self { room, waiting: VecDeque::new(), last: BTreeMap::new(), dropped: 0 }
    }

    pub fn push(&mut self, readings: &[Reading]) {
        for reading in readings {
            if self.last.get(&reading.point).is_none_or(|last| last.at <= reading.at) {
                self.last.insert(reading.point, reading.clone());
            }
            self.waiting.push_back(reading.clone());
        }
        self.make_room();
    }

    /// What was told and has not arrived, the oldest first.
    pub fn push_back(&mut self, readings: Vec<Reading>) {
        for reading in readings.into_iter().rev() {
            self.waiting.push_front(reading);
        }
        self.make_room();
    }

    fn make_room(&mut self) {
        while self.waiting.len() > self.room {
            self.waiting.pop_front();
            self.dropped += 1;
        }
    }

    /// Blocks of readings that were missed, each of which had one at least.
    pub fn missed(&mut self, blocks: u64) {
        self.dropped += blocks;
    }

    /// At most so many.
    pub fn take(&mut self, most: usize) -> Vec<Reading> {
        let most = most.min(self.waiting.len());
        self.waiting.drain(..most).collect()
    }

    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    pub const fn dropped(&self) -> u64 {
        self.dropped
    }

    pub fn last(&self, point: PointNo) -> Option<&Reading> {
        self.last.get(&point)
    }
}

#[cfg(test)]
mod tests {
    use steward_shared::reading::Quality;
    use steward_shared::time::Timestamp;

    use super::*;

    fn reading(at: i64) -> Reading {
        Reading { point: PointNo(7), at: Timestamp(at), value: None, quality: Quality::NoReply }
    }

    #[test]
    fn the_oldest_gives_way_and_is_counted() {
        let mut queue = Queue::new(3);
        queue.push(&[reading(1), reading(2), reading(3), reading(4)]);
        assert_eq!((queue.len(), queue.dropped()), (3, 1));
        let told = queue.take(2);
        assert_eq!(told, [reading(2), reading(3)]);
        queue.push(&[reading(5), reading(6)]);
        queue.push_back(told);
        assert_eq!(queue.take(9), [reading(4), reading(5), reading(6)]);
        assert_eq!(queue.dropped(), 3);
        queue.missed(2);
        assert_eq!(queue.dropped(), 5);
        assert_eq!(queue.last(PointNo(7)).map(|r| r.at), Some(Timestamp(6)));
    }
}
