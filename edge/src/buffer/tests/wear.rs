//! What the flush interval costs, for `docs/src/engineers/flush-interval.md`.

use std::time::Duration;

use steward_shared::wire::message::Lane;

use super::*;

/// Six hours of sixty points each ten seconds, acknowledged at once, an hour's retention, so that what leaves is counted too.
/// `TMPDIR=<a folder on the disk> cargo test -p steward-edge --lib wear -- --ignored --nocapture`
#[tokio::test]
#[ignore = "a measurement, not a check"]
async fn bytes_written_by_flush_interval() {
    println!(
        "| flush | commits | ms a commit | bytes stored a reading | bytes written a reading | MB written a day |"
    );
    println!("|---|---|---|---|---|---|");
    for (name, polls) in [("10 s", 1), ("60 s", 6), ("5 min", 30)] {
        let dir = tempfile::tempdir().unwrap();
        let clock = clock();
        let settings = BufferSettings { retention: Duration::from_hours(1), ..BufferSettings::default() };
        let b = open(dir.path(), settings, &clock);
        let (before, started) = (written(), tokio::time::Instant::now());
        let (mut stored, mut commits) = (0, 0);
        for poll in 0..2160 {
            b.record(plant(poll)).await;
            clock.advance(Duration::from_secs(10));
            if poll % polls == polls - 1 {
                b.flush().await.unwrap();
                commits += 1;
                stored += b.after(Lane::Live, commits - 1).await.unwrap().unwrap().body.len();
                b.ack(Lane::Live, commits).await.unwrap();
            }
            if poll % 360 == 359 {
                b.look_after().await.unwrap();
            }
        }
        let ms = started.elapsed().as_secs_f64() * 1000.0 / commits as f64;
        b.close().await.unwrap();
        let (readings, bytes) = (2160.0 * 60.0, (written() - before) as f64);
        println!(
            "| {name} | {commits} | {ms:.1} | {:.2} | {:.0} | {:.1} |",
            stored as f64 / readings,
            bytes / readings,
            bytes * 4.0 / 1e6
        );
    }
}

/// Bytes that this process made the kernel write to a disk.
fn written() -> u64 {
    let io = std::fs::read_to_string("/proc/self/io").unwrap();
    io.lines().find_map(|l| l.strip_prefix("write_bytes: ")).unwrap().trim().parse().unwrap()
}

/// Sixty points: temperatures at 0.1, powers at 0.01, counters, flags.
fn plant(poll: i64) -> Vec<Reading> {
    let wave = |p: u32, i: i64| ((i * 31 + i64::from(p) * 17) % 7) as f64;
    readings(poll, 60)
        .into_iter()
        .map(|r| {
            let p = r.point.0;
            let v = match p {
                0..=24 => {
                    (200.0 + f64::from(p) * 3.0 + (poll / 20) as f64 % 40.0 + (wave(p, poll) / 4.0).floor())
                        / 10.0
                }
                25..=36 => (5000.0 + f64::from(p) * 100.0 + wave(p, poll) * 13.0) / 100.0,
                37..=48 => (100_000.0 + poll as f64 * f64::from(p) + wave(p, poll)) / 100.0,
                _ => f64::from(u8::from((poll / 400 + i64::from(p)) % 2 == 0)),
            };
            Reading { value: Some(Value::Number(v)), ..r }
        })
        .collect()
}
