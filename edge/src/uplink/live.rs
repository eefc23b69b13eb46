//! What somebody watches right now: samples of the wanted points as datagrams, as soon as they are polled. No promise:
//! what does not fit is not sent, what is lost is lost; the kept road brings every reading anyway.

use std::collections::HashSet;
use std::sync::Arc;

use steward_shared::id::PointNo;
use steward_shared::reading::Reading;
use steward_shared::wire::frame::to_cbor;
use steward_shared::wire::message::{LiveSample, LiveSamples};
use tokio::sync::{broadcast, watch};
use tokio::time::Instant;

use super::error::UplinkError;
use super::road::Road;

/// What the hub wants to watch, and until when.
#[derive(Clone, Debug)]
pub(super) struct Wish {
    pub points: HashSet<PointNo>,
    pub until: Instant,
}

/// Map, key and array header around the samples of one datagram.
const AROUND: usize = 8;

pub(super) async fn send(
    road: &Road,
    mut samples: broadcast::Receiver<Arc<[Reading]>>,
    wish: watch::Receiver<Option<Wish>>,
) -> Result<(), UplinkError> {
    loop {
        let readings = match samples.recv().await {
            Ok(readings) => readings,
            // Polling was faster than this: only the newest are of interest.
            Err(broadcast::error::RecvError::Lagged(_)) => continue,
            // Nothing polls any more; the session goes on without.
            Err(broadcast::error::RecvError::Closed) => return std::future::pending().await,
        };
        let wanted: Vec<LiveSample> = match wish.borrow().as_ref() {
            Some(w) if Instant::now() < w.until => {
                readings.iter().filter(|r| w.points.contains(&r.point)).map(sample).collect()
            }
            _ => continue,
        };
        let Some(room) = road.datagram_room() else { continue };
        for datagram in pack(wanted, room)? {
            road.send_datagram(datagram)?;
        }
    }
}

fn sample(r: &Reading) -> LiveSample {
    LiveSample { no: r.point, at: r.at, value: r.value.clone(), quality: r.quality }
}

/// Datagrams of at most `room` bytes. A sample that alone is larger (a long text) is left out.
fn pack(samples: Vec<LiveSample>, room: usize) -> Result<Vec<Vec<u8>>, UplinkError> {
    let mut out = Vec::new();
    let mut held = LiveSamples { samples: Vec::new() };
    let mut used = AROUND;
    for sample in samples {
        let size = to_cbor(&sample)?.len();
        if AROUND + size > room {
            continue;
        }
        if used + size > room {
            out.push(to_cbor(&held)?);
            held.samples.clear();
            used = AROUND;
        }
        used += size;
        held.samples.push(sample);
    }
    if !held.samples.is_empty() {
        out.push(to_cbor(&held)?);
    }
    Ok(out)
}

#[cfg(test)]
mod tests {
    use steward_shared::reading::{Quality, Value};
    use steward_shared::time::Timestamp;
    use steward_shared::wire::frame::from_cbor;

    use super::*;

    #[test]
    fn samples_are_packed_within_the_limit_and_none_is_lost() {
        let one = |i: u32, value| LiveSample {
            no: PointNo(i),
            at: Timestamp(1_760_000_000_000),
            value: Some(value),
            quality: Quality::Good,
        };
        let mut samples: Vec<_> = (0..500).map(|i| one(i, Value::Number(f64::from(i) * 1.1))).collect();
        samples.push(one(999, Value::Text("x".repeat(2000))));
        let datagrams = pack(samples, 1200).unwrap();
        assert!(datagrams.iter().all(|d| d.len() <= 1200));
        let numbers: Vec<u32> = datagrams
            .iter()
            .flat_map(|d| from_cbor::<LiveSamples>(d).unwrap().samples)
            .map(|s| s.no.0)
            .collect();
        assert_eq!(numbers, (0..500).collect::<Vec<_>>());
    }
}
