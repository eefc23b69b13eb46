//! What the flush interval costs, for `docs/src/engineers/flush-interval.md`: six hours of sixty points each ten seconds,
//! acknowledged at once, an hour's retention, so that what leaves is counted too. On the disk that is asked about:
//!
//! `TMPDIR=<a folder on it> cargo run --release -p steward-edge --example wear`

use std::sync::Arc;
use std::time::Duration;

use anyhow::Context;
use steward_edge::buffer::{Buffer, BufferSettings};
use steward_shared::id::{PointNo, RandomIds};
use steward_shared::reading::{Quality, Reading, Value};
use steward_shared::time::{ManualClock, Timestamp};
use steward_shared::wire::message::Lane;

const NOON: Timestamp = Timestamp(1_760_000_000_000);
const POLLS: i64 = 2160;
const POINTS: u32 = 60;

#[tokio::main(flavor = "current_thread")]
async fn main() -> anyhow::Result<()> {
    println!(
        "| flush | commits | ms a commit | bytes stored a reading | bytes written a reading | MB written a day |"
    );
    println!("|---|---|---|---|---|---|");
    for (name, polls) in [("10 s", 1), ("60 s", 6), ("5 min", 30)] {
        let dir = tempfile::tempdir()?;
        let clock = Arc::new(ManualClock::at(NOON));
        let settings = BufferSettings { retention: Duration::from_hours(1), ..BufferSettings::default() };
        let b = Buffer::open(dir.path(), settings, clock.clone(), Arc::new(RandomIds))?;
        let (before, started) = (written()?, tokio::time::Instant::now());
        let (mut stored, mut commits) = (0, 0);
        for poll in 0..POLLS {
            b.record(plant(poll)).await;
            clock.advance(Duration::from_secs(10));
            if poll % polls == polls - 1 {
                b.flush().await?;
                commits += 1;
                stored += b.after(Lane::Live, commits - 1).await?.context("the batch")?.body.len();
                b.ack(Lane::Live, commits).await?;
            }
            if poll % 360 == 359 {
                b.look_after().await?;
            }
        }
        let ms = started.elapsed().as_secs_f64() * 1000.0 / commits as f64;
        b.close().await?;
        let (readings, bytes) = (POLLS as f64 * f64::from(POINTS), (written()? - before) as f64);
        println!(
            "| {name} | {commits} | {ms:.1} | {:.2} | {:.0} | {:.1} |",
            stored as f64 / readings,
            bytes / readings,
            bytes * 4.0 / 1e6
        );
    }
    Ok(())
}

/// Bytes that this process made the kernel write to a disk.
fn written() -> anyhow::Result<u64> {
    let io = std::fs::read_to_string("/proc/self/io")?;
    let bytes = io.lines().find_map(|l| l.strip_prefix("write_bytes: "));
    Ok(bytes.context("the kernel counts no bytes")?.trim().parse()?)
}

/// Sixty points: temperatures at 0.1, powers at 0.01, counters, flags.
fn plant(poll: i64) -> Vec<Reading> {
    let wave = |p: u32, i: i64| ((i * 31 + i64::from(p) * 17) % 7) as f64;
    let value = |p: u32| match p {
        0..=24 => {
            (200.0 + f64::from(p) * 3.0 + (poll / 20) as f64 % 40.0 + (wave(p, poll) / 4.0).floor()) / 10.0
        }
        25..=36 => (5000.0 + f64::from(p) * 100.0 + wave(p, poll) * 13.0) / 100.0,
        37..=48 => (100_000.0 + poll as f64 * f64::from(p) + wave(p, poll)) / 100.0,
        _ => f64::from(u8::from((poll / 400 + i64::from(p)) % 2 == 0)),
    };
    let reading = |p: u32| Reading {
        point: PointNo(p),
        at: Timestamp(NOON.0 + poll * 10_000),
        value: Some(Value::Number(value(p))),
        quality: Quality::Good,
    };
    (1..=POINTS).map(reading).collect()
}
