//! One lane of a session: batches go out in sequence, a few at a time; acknowledgements come back. A lane waits for no
//! other: alarms have the highest priority on the wire, and history at most two batches in flight.

use std::time::Duration;

use steward_shared::wire::message::{Batch, Lane, LaneDown, LaneUp};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, timeout, timeout_at};

use super::error::UplinkError;
use super::frames::{self, FrameReader};
use super::road::Road;
use crate::buffer::{Buffer, Heads};
use crate::clock::Timekeeper;

/// A batch that is under way this long is not coming back in this session.
const ANSWER: Duration = Duration::from_mins(1);
const OPEN: Duration = Duration::from_secs(10);
/// A hub that cannot take a batch now is asked again this much later, and twice as much each time.
const RETRY: Duration = Duration::from_millis(200);
/// As often the same batch is offered in one session.
const RETRIES: u32 = 6;

/// Batches under way at once.
fn window(lane: Lane) -> u64 {
    match lane {
        Lane::Alarm | Lane::Command => 32,
        Lane::Live => 4,
        Lane::Backfill => 2,
    }
}

fn priority(lane: Lane) -> i32 {
    match lane {
        Lane::Alarm => 20,
        Lane::Command => 15,
        Lane::Live => 0,
        Lane::Backfill => -10,
    }
}

/// Sends the lane on from `acked` until the session ends; never returns but with the reason.
pub(super) async fn send(
    road: &Road,
    buffer: &Buffer,
    timekeeper: &Timekeeper,
    lane: Lane,
    epoch: u32,
    mut acked: u64,
) -> Result<(), UplinkError> {
    let opened = timeout(OPEN, road.open(priority(lane))).await;
    let (mut up, down) = opened.map_err(|_| UplinkError::Deadline(lane.word()))??;
    frames::write(&mut up, &LaneUp::Open(lane), lane.word()).await?;
    let mut answers = FrameReader::new(down, lane.word());
    let mut heads = buffer.heads();
    let mut sent = acked;
    // After a refusal of n, what was under way behind it is refused too: so many refusals say nothing new.
    let mut echoes = 0u64;
    let mut refusals = 0u32;
    loop {
        heads.mark_unchanged();
        while sent - acked < window(lane) {
            let stored = match lane {
                // It may wait for the right time; answers to what is under way wait in the stream meanwhile.
                Lane::Live => timekeeper.next_batch(sent).await?,
                Lane::Alarm | Lane::Backfill | Lane::Command => buffer.after(lane, sent).await?,
            };
            let Some(stored) = stored else {
                // What is announced and not there was dropped for want of space: only a new hello can say so.
                if heads.borrow().of(lane) > sent && buffer.first(lane).await? > sent + 1 {
                    return Err(UplinkError::Gap(lane.word(), sent + 1));
                }
                break;
            };
            if stored.seq != sent + 1 {
                return Err(UplinkError::Gap(lane.word(), sent + 1));
            }
            sent = stored.seq;
            let (seq, count) = (stored.seq, stored.count);
            let batch = Batch { lane, epoch, seq, count, hash: stored.hash, body: stored.body };
            frames::write(&mut up, &LaneUp::Batch(batch), lane.word()).await?;
        }
        let reached = match next(&mut answers, &mut heads, lane, acked, sent).await? {
            None => continue,
            Some(LaneDown::Ack(seq)) => seq,
            Some(LaneDown::Quarantined(q)) => {
                tracing::warn!(
                    lane = lane.word(),
                    seq = q.seq,
                    reason = q.reason,
                    "the hub set a batch aside"
                );
                q.seq
            }
            Some(LaneDown::Nack(_)) if echoes > 0 => {
                echoes -= 1;
                continue;
            }
            Some(LaneDown::Nack(seq)) => {
                refusals += 1;
                if refusals > RETRIES {
                    return Err(UplinkError::NoProgress(lane.word(), seq + 1));
                }
                echoes = sent.saturating_sub(seq + 1);
                tracing::debug!(lane = lane.word(), seq, "the hub wants this lane again from here");
                (acked, sent) = (seq, seq);
                sleep(RETRY * (1 << (refusals - 1))).await;
                continue;
            }
        };
        // Answers come in order: what was under way behind a refusal has been answered, or never will be.
        echoes = 0;
        if reached > acked {
            (acked, refusals) = (reached.min(sent), 0);
            buffer.ack(lane, acked).await?;
        }
    }
}

/// The next answer, or none when there may be something new to send. Both only wait: what the other one's turn leaves
/// behind is in the reader and in the watch.
async fn next(
    answers: &mut FrameReader,
    heads: &mut watch::Receiver<Heads>,
    lane: Lane,
    acked: u64,
    sent: u64,
) -> Result<Option<LaneDown>, UplinkError> {
    let deadline = Instant::now() + ANSWER;
    if sent - acked >= window(lane) {
        let answer = timeout_at(deadline, answers.next()).await;
        return answer.map_err(|_| UplinkError::Deadline(lane.word()))?.map(Some);
    }
    tokio::select! {
        answer = answers.next() => answer.map(Some),
        changed = heads.wait_for(|h| h.of(lane) > sent) => match changed {
            Ok(_) => Ok(None),
            Err(_) => Err(UplinkError::Buffer(crate::buffer::BufferError::Closed)),
        },
        () = tokio::time::sleep_until(deadline), if sent > acked => Err(UplinkError::Deadline(lane.word())),
    }
}
