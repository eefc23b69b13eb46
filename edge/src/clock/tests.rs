//! The timekeeper with a real buffer and real raw answers.

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use steward_shared::id::{PointNo, RandomIds};
use steward_shared::reading::{Quality, Reading, Value};
use steward_shared::time::{Clock, SystemClock, Timestamp};
use steward_shared::wire::columns::decode;
use steward_shared::wire::message::{Lane, Watermark};

use super::Timekeeper;
use crate::buffer::tests::Skewed;
use crate::buffer::{Buffer, BufferSettings};
use crate::evidence::{Evidence, EvidenceSettings, Heard, Reader};

const HOURS: i64 = 2 * 3_600_000;
const SPAN: &str = "holding 0 1";

struct Gateway {
    buffer: Buffer,
    evidence: Evidence,
    timekeeper: Timekeeper,
}

fn open(dir: &Path, clock: &Arc<Skewed>) -> Gateway {
    open_synchronised(dir, clock, || false)
}

fn open_synchronised(dir: &Path, clock: &Arc<Skewed>, synchronised: fn() -> bool) -> Gateway {
    let settings = EvidenceSettings { keep: Duration::from_hours(24), quota_bytes: 1 << 20 };
    let (clock, ids) = (Arc::clone(clock) as Arc<dyn Clock>, Arc::new(RandomIds));
    let buffer = Buffer::open(dir, BufferSettings::default(), Arc::clone(&clock), ids.clone()).unwrap();
    let evidence = Evidence::start(dir, settings, Arc::clone(&clock), buffer.clone());
    let timekeeper = Timekeeper::new(buffer.clone(), evidence.clone(), clock, ids, synchronised);
    Gateway { buffer, evidence, timekeeper }
}

impl Gateway {
    /// An answer of one byte, and the reading that is made of it.
    async fn hear(&self, clock: &Skewed, byte: u8) {
        // Each at an instant of its own, also when a wrong clock has been put right, and however fast this goes.
        let at = clock.now().plus(Duration::from_millis(10) * byte.into());
        let (device, profile, asked) = ("m".into(), "p".into(), "tcp 1".into());
        self.evidence.heard(Heard { device, profile, span: SPAN.into(), asked, at, contents: vec![byte] });
        let value = Some(Value::Number(byte.into()));
        self.buffer.record(vec![Reading { point: PointNo(1), at, value, quality: Quality::Good }]).await;
        self.buffer.flush().await.unwrap();
    }

    async fn readings(&self) -> Vec<Reading> {
        let (mut out, mut seq) = (Vec::new(), 0);
        while let Some(batch) = self.buffer.after(Lane::Live, seq).await.unwrap() {
            out.extend(decode(&batch.body).unwrap().readings);
            seq = batch.seq;
        }
        out
    }

    /// The same, and the hub has none of them.
    async fn readings_at_rest(&self) -> Vec<Reading> {
        let readings = self.readings().await;
        self.buffer.welcome(1, vec![Watermark { lane: Lane::Live, seq: 0 }]).await.unwrap();
        readings
    }
}

#[tokio::test]
async fn the_raw_answers_are_moved_with_the_readings_also_those_of_a_run_before() {
    let dir = tempfile::tempdir().unwrap();
    let clock = Skewed::by(-HOURS);
    let g = open(dir.path(), &clock);
    g.hear(&clock, 1).await;
    g.buffer.close().await.unwrap();
    g.evidence.flush();
    drop(g);
    let g = open(dir.path(), &clock);
    g.hear(&clock, 2).await;
    clock.set(0);
    g.hear(&clock, 3).await;
    g.timekeeper.greeted(SystemClock.now());
    g.buffer.welcome(1, vec![Watermark { lane: Lane::Live, seq: 0 }]).await.unwrap();
    g.timekeeper.settle().await.unwrap();
    g.evidence.flush();
    let readings = g.readings().await;
    let reader = Reader::open(dir.path()).unwrap();
    let recent = Timestamp(SystemClock.now().0 - HOURS / 2);
    for (reading, byte) in readings.iter().zip([1, 2, 3]) {
        assert!(reading.at > recent, "{reading:?}");
        let run = reader.newest("m", SPAN, reading.at).unwrap().unwrap();
        assert_eq!((run.from, run.contents), (reading.at, vec![byte]), "what it was made of");
    }
    assert_eq!(readings.len(), 3);
}

#[tokio::test]
async fn fault_c7_what_is_stored_stays_where_it_is_when_a_time_server_lies() {
    let dir = tempfile::tempdir().unwrap();
    let clock = Skewed::by(0);
    let g = open_synchronised(dir.path(), &clock, || true);
    g.timekeeper.greeted(SystemClock.now());
    g.buffer.welcome(1, vec![Watermark { lane: Lane::Live, seq: 0 }]).await.unwrap();
    g.hear(&clock, 1).await;
    g.timekeeper.settle().await.unwrap();
    let right = g.readings_at_rest().await[0].at;
    clock.set(HOURS);
    g.hear(&clock, 2).await;
    g.timekeeper.settle().await.unwrap();
    let at = |readings: Vec<Reading>| [readings[0].at.0, readings[1].at.0 - right.0 - HOURS];
    let [first, second] = at(g.readings_at_rest().await);
    assert_eq!(first, right.0, "it was right");
    assert!(second.abs() < 60_000, "the second bears the lie: {second}");
    // It tells the truth again: what it said is made right.
    clock.set(0);
    g.timekeeper.settle().await.unwrap();
    let [first, second] = at(g.readings_at_rest().await);
    assert_eq!(first, right.0);
    assert!((second + HOURS).abs() < 60_000, "{second}");
}
