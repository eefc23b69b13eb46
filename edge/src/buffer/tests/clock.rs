use std::time::Duration;

use steward_shared::wire::columns::{Header, decode};
use steward_shared::wire::message::{Lane, Watermark};

use super::*;

const WRONG: Timestamp = Timestamp(1_000_000_000);
/// Three days.
const HOURS: i64 = 72 * 3_600_000;

async fn instants(b: &Buffer, from: u64) -> Vec<i64> {
    let (mut out, mut seq) = (Vec::new(), from);
    while let Some(batch) = b.after(Lane::Live, seq).await.unwrap() {
        let body = decode(&batch.body).unwrap();
        out.extend(body.readings.iter().map(|r| r.at.0));
        seq = batch.seq;
    }
    out
}

fn at(t: Timestamp) -> Vec<Reading> {
    readings(0, 1).into_iter().map(|r| Reading { at: t, ..r }).collect()
}

/// Within what a slow machine may take between two looks at its clocks.
fn is_near(got: i64, wanted: i64) -> bool {
    (got - wanted).abs() < 2_500
}

#[tokio::test]
async fn readings_of_a_wrong_clock_are_moved_when_it_is_right_and_those_that_were_sent_are_not() {
    let dir = tempfile::tempdir().unwrap();
    let clock = Arc::new(ManualClock::at(WRONG));
    let b = open(dir.path(), BufferSettings::default(), &clock);
    b.record(at(WRONG)).await;
    b.flush().await.unwrap();
    assert!(b.after(Lane::Live, 0).await.unwrap().is_some(), "the uplink takes the first");
    b.record(at(WRONG)).await;
    b.flush().await.unwrap();
    b.record(at(WRONG)).await;
    // What is asked is answered when what was recorded before has been taken.
    b.state().await.unwrap();
    clock.set(NOON);
    b.record(at(NOON)).await;
    let done = b.correct_clock(b.look(), None).await.unwrap();
    assert_eq!((done.readings, done.sent_before), (2, 1));
    assert!(is_near(done.moved[0].shift_ms, NOON.0 - WRONG.0), "{done:?}");
    let got = instants(&b, 0).await;
    assert_eq!((got[0], got[3]), (WRONG.0, NOON.0), "sent before, and of the right clock");
    assert!(is_near(got[1], NOON.0) && is_near(got[2], NOON.0), "{got:?}");
    assert_eq!(b.correct_clock(b.look(), None).await.unwrap().readings, 0, "what is right stays");
}

fn open_by(dir: &Path, clock: &Arc<Skewed>) -> Buffer {
    Buffer::open(dir, BufferSettings::default(), clock.clone(), Arc::new(RandomIds)).unwrap()
}

/// Stores a batch of one reading, stamped by this clock; answers when that really was.
async fn store(b: &Buffer, clock: &Skewed) -> i64 {
    let now = SystemClock.now();
    b.record(at(clock.now())).await;
    b.flush().await.unwrap();
    now.0
}

const fn taken(seq: u64) -> Watermark {
    Watermark { lane: Lane::Live, seq }
}

#[tokio::test]
async fn what_a_run_before_stored_is_moved_when_the_hub_has_said_how_far_it_has_everything() {
    let dir = tempfile::tempdir().unwrap();
    let clock = Skewed::by(-HOURS);
    let b = open_by(dir.path(), &clock);
    let mut really = Vec::new();
    for _ in 0..3 {
        really.push(store(&b, &clock).await);
    }
    b.close().await.unwrap();
    let b = open_by(dir.path(), &clock);
    clock.set(0);
    really.push(store(&b, &clock).await);
    assert_eq!(b.correct_clock(b.look(), None).await.unwrap().readings, 0, "the hub may have any of them");
    b.welcome(1, vec![taken(1)]).await.unwrap();
    let done = b.correct_clock(b.look(), None).await.unwrap();
    assert_eq!((done.readings, done.sent_before, done.moved.len()), (2, 0, 1));
    let got = instants(&b, 0).await;
    assert!(is_near(got[0], really[0] - HOURS), "the hub has the first");
    assert!((1..4).all(|i| is_near(got[i], really[i])), "{got:?} {really:?}");
}

#[tokio::test]
async fn what_was_handed_over_and_never_taken_by_the_hub_is_moved_at_the_next_greeting() {
    let dir = tempfile::tempdir().unwrap();
    let clock = Skewed::by(HOURS);
    let b = open_by(dir.path(), &clock);
    let really = [store(&b, &clock).await, store(&b, &clock).await];
    assert_eq!(instants(&b, 0).await.len(), 2, "both are under way when the hub refuses them");
    clock.set(0);
    let done = b.correct_clock(b.look(), None).await.unwrap();
    assert_eq!((done.readings, done.sent_before), (0, 2), "the hub may have them");
    b.welcome(1, vec![taken(0)]).await.unwrap();
    assert_eq!(b.correct_clock(b.look(), None).await.unwrap().readings, 2);
    let got = instants(&b, 0).await;
    assert!((0..2).all(|i| is_near(got[i], really[i])), "{got:?} {really:?}");
}

#[tokio::test]
async fn batches_of_a_clock_that_did_not_jump_stay() {
    let dir = tempfile::tempdir().unwrap();
    let clock = Skewed::by(HOURS);
    let b = open_by(dir.path(), &clock);
    store(&b, &clock).await;
    b.welcome(1, vec![taken(0)]).await.unwrap();
    assert_eq!(b.correct_clock(b.look(), None).await.unwrap(), super::super::Correction::default());
}

const WEEK: i64 = 7 * 86_400_000;
/// What 500 in a million make in a week.
const DRIFTED: i64 = WEEK / 2_000;

/// What is stored now, by a clock that was right `before` and that is set a week from now.
async fn drifted(before: i64, set_ms: i64) -> i64 {
    let dir = tempfile::tempdir().unwrap();
    let clock = Skewed::by(0);
    let b = open_by(dir.path(), &clock);
    let really = store(&b, &clock).await;
    let now = b.look();
    let (mono_ms, wall) = (now.mono_ms + WEEK as u64, now.wall.0 + WEEK + set_ms);
    let right = Header { mono_ms, wall: Timestamp(wall), ..now };
    let vouched = now.mono_ms as i64 - before;
    b.correct_clock(right, Some(vouched)).await.unwrap();
    let moved = instants(&b, 0).await[0] - really;
    let again = Header { mono_ms: mono_ms + 10_000, wall: Timestamp(wall + 10_000), ..now };
    assert_eq!(b.correct_clock(again, Some(mono_ms as i64)).await.unwrap().readings, 0, "it is right now");
    moved
}

#[tokio::test]
async fn fault_c4_what_a_drifting_clock_stamped_is_moved_by_as_much_as_it_was_off_by_then() {
    for (before, set, wanted) in [
        (0, -DRIFTED, 0),
        (WEEK, -DRIFTED, -DRIFTED / 2),
        (WEEK, DRIFTED, DRIFTED / 2),
        (9 * WEEK, -5 * DRIFTED, -9 * DRIFTED / 2),
        // No clock drifts like this: somebody had set it wrong.
        (0, -HOURS, -HOURS),
        (WEEK, HOURS, HOURS),
    ] {
        let moved = drifted(before, set).await;
        assert!(is_near(moved, wanted), "{before} {set}: {moved} and not {wanted}");
    }
}

#[tokio::test]
async fn small_steps_that_add_up_to_a_great_one_are_corrected() {
    let dir = tempfile::tempdir().unwrap();
    let clock = Skewed::by(0);
    let b = open_by(dir.path(), &clock);
    store(&b, &clock).await;
    clock.set(2_000);
    assert_eq!(b.correct_clock(b.look(), None).await.unwrap().readings, 0);
    clock.set(4_000);
    assert_eq!(b.correct_clock(b.look(), None).await.unwrap().readings, 1);
}

#[tokio::test]
async fn a_long_wait_for_the_right_time_is_corrected_whole() {
    let dir = tempfile::tempdir().unwrap();
    let clock = Arc::new(ManualClock::at(WRONG));
    let b = open(dir.path(), BufferSettings::default(), &clock);
    // Corrected instants lie as far apart as the readings were written, and that takes its time on a slow machine.
    let begun = tokio::time::Instant::now();
    for i in 0..250 {
        b.record(at(WRONG.plus(Duration::from_millis(i)))).await;
        b.flush().await.unwrap();
    }
    clock.set(NOON);
    let done = b.correct_clock(b.look(), None).await.unwrap();
    assert_eq!(done.readings, 250);
    assert!(done.from.unwrap() < done.to.unwrap());
    let earliest = NOON.0 - begun.elapsed().as_millis() as i64;
    assert!(instants(&b, 0).await.into_iter().all(|t| is_near(t, earliest) || t > earliest));
}
