//! A month of history, written through the gateway's own buffer: the same numbers of points, the same codec,
//! the lane for history. The values are those that a poll would have read, so the live ones join on. Written
//! once: a buffer that holds history is left alone.

use std::fmt;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use steward_edge::buffer::{Buffer, BufferError, BufferSettings};
use steward_edge::config::{self, Config};
use steward_protocols::{bacnet, field, modbus};
use steward_shared::document::listing;
use steward_shared::id::{PointNo, RandomIds};
use steward_shared::profile::{PeriodClass, Place, PointDef};
use steward_shared::reading::{Quality, Reading, Value};
use steward_shared::time::{SystemClock, Timestamp};
use steward_shared::wire::message::Lane;

use super::house::{Device, House, HouseError};
use super::room::Gained;

/// History goes into the buffer in batches of this span.
const BATCH: Duration = Duration::from_hours(6);

#[derive(Clone, Debug)]
pub struct Order {
    pub config: PathBuf,
    pub data: Option<PathBuf>,
    pub days: u32,
    pub step: Duration,
    pub until: Timestamp,
    pub seed: u64,
}

/// What came of it.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Told {
    Written {
        readings: u64,
        points: usize,
        from: Timestamp,
        until: Timestamp,
    },
    /// The buffer holds history already.
    ThereAlready,
}

impl fmt::Display for Told {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Written { readings, points, from, until } => {
                write!(f, "history: {readings} readings of {points} points from {from} to {until}")
            }
            Self::ThereAlready => f.write_str("history: there already, nothing written"),
        }
    }
}

#[derive(Debug, thiserror::Error)]
pub enum HistoryError {
    #[error("the gateway's file has faults:\n{0}")]
    Config(String),
    #[error(transparent)]
    House(#[from] HouseError),
    #[error("the buffer in {dir} cannot be written")]
    Buffer { dir: PathBuf, source: BufferError },
    #[error("a step of zero has no end; write it like 60s")]
    Step,
}

/// One point of the gateway and what it is read from.
struct Source<'h> {
    no: PointNo,
    device: &'h Device,
    point: &'h PointDef,
    every: Duration,
}

/// Writes the history that `order` asks for; `progress` hears the share that is done.
pub async fn write(order: &Order, progress: impl Fn(f64)) -> Result<Told, HistoryError> {
    if order.step.is_zero() {
        return Err(HistoryError::Step);
    }
    let config = config::load(&order.config).map_err(|faults| HistoryError::Config(listing(&faults)))?;
    let dir = order.data.clone().unwrap_or_else(|| config.data.clone());
    let house = House::new(order.seed, Arc::new(SystemClock), Gained::default())?;
    let failed = |source| HistoryError::Buffer { dir: dir.clone(), source };
    let settings = BufferSettings { quota_bytes: config.buffer.quota_bytes, ..BufferSettings::default() };
    let buffer = Buffer::open(&dir, settings, Arc::new(SystemClock), Arc::new(RandomIds)).map_err(failed)?;
    let told = if buffer.heads().borrow().backfill > 0 {
        Told::ThereAlready
    } else {
        let sources = sources(&config, &house, &buffer, order.step).await.map_err(failed)?;
        let from = order.until.minus(Duration::from_hours(u64::from(order.days) * 24)).floor_to(BATCH);
        let mut readings = 0;
        let mut start = from;
        while start < order.until {
            let end = start.plus(BATCH).min(order.until);
            let batch = span(&house, &sources, start, end);
            readings += batch.len() as u64;
            buffer.import(Lane::Backfill, batch).await.map_err(failed)?;
            start = start.plus(BATCH);
            progress((end.0 - from.0) as f64 / (order.until.0 - from.0) as f64);
        }
        Told::Written { readings, points: sources.len(), from, until: order.until }
    };
    buffer.close().await.map_err(failed)?;
    Ok(told)
}

/// The points of the gateway that this plant knows, numbered as the gateway numbers them.
async fn sources<'h>(
    config: &Config,
    house: &'h House,
    buffer: &Buffer,
    step: Duration,
) -> Result<Vec<Source<'h>>, BufferError> {
    let mut names = Vec::new();
    let mut found = Vec::new();
    for d in config.lines.iter().flat_map(|l| &l.devices) {
        let Some(device) = house.device(&d.name) else { continue };
        for point in &device.profile.points {
            let every = match point.class {
                PeriodClass::Fast => step,
                PeriodClass::Normal => step * 5,
                PeriodClass::Slow => step * 15,
                PeriodClass::Static => BATCH,
            };
            names.push((d.name.clone(), point.key.clone()));
            found.push((device, point, every));
        }
    }
    let numbers = buffer.number_points(names).await?;
    let with_number = numbers.into_iter().zip(found);
    Ok(with_number.map(|(no, (device, point, every))| Source { no, device, point, every }).collect())
}

/// All readings of a span, as polls on the grid would have given them.
fn span(house: &House, sources: &[Source<'_>], from: Timestamp, until: Timestamp) -> Vec<Reading> {
    let mut out = Vec::new();
    let Some(step) = sources.iter().map(|s| s.every).min() else { return out };
    let mut at = from;
    while at < until {
        let scene = house.scene_at(at);
        for s in sources.iter().filter(|s| at.floor_to(s.every) == at) {
            let value = house.value(s.device, s.point, &scene);
            // Through the registers, so that a reading of history has the digits that a poll would give it.
            if let Some((value, quality)) = polled(s.point, value.as_ref()) {
                out.push(Reading { point: s.no, at, value, quality });
            }
        }
        at = at.plus(step);
    }
    out
}

/// What a poll makes of a value: it goes through the registers or bytes of its point, and has their digits. None where
/// it does not fit.
pub fn polled(point: &PointDef, value: Option<&Value>) -> Option<(Option<Value>, Quality)> {
    let field = match &point.place {
        Place::Modbus(register) => {
            let words = modbus::encode(point, value).ok()?;
            let response = if register.table.is_bits() {
                modbus::Response::Bits(words.iter().map(|w| w & 1 == 1).collect())
            } else {
                modbus::Response::Registers(words)
            };
            return Some(modbus::decode(point, &response, 0));
        }
        Place::Bacnet(place) => {
            let held = bacnet::held(point, value)?;
            let content = bacnet::Content { values: vec![held], ..Default::default() };
            return Some(bacnet::value_of(point, place.data, &Ok(content), None));
        }
        // Reckoned from points that have gone through theirs.
        Place::Derived(_) => {
            return Some((value.cloned(), value.map_or(Quality::NoValue, |_| Quality::Good)));
        }
        // The room has none of these.
        Place::Mbus(_) | Place::Iec62056(_) | Place::Mqtt(_) => return None,
        Place::Dlt645(item) => item.field,
        // The simulated meter counts in the unit of the point.
        Place::Cjt188(item) => item.field,
    };
    let mut bytes = vec![0; field.end()];
    field::encode_into(point, field, value, &mut bytes).ok()?;
    Some(field::decode(point, field, &bytes))
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use super::*;
    use crate::plant::files::{EdgeSettings, edge_toml};
    use crate::programs;

    // 2026-11-18 02:00 UTC.
    const UNTIL: Timestamp = Timestamp(1_794_967_200_000);

    fn order(dir: &Path) -> Order {
        let config = dir.join("edge.toml");
        std::fs::write(&config, edge_toml(&EdgeSettings::in_folder(dir), (15_020, 15_021), dir)).unwrap();
        Order { config, data: None, days: 1, step: Duration::from_mins(1), until: UNTIL, seed: 1 }
    }

    async fn batches(dir: &Path) -> Vec<Reading> {
        programs::history(&dir.join("edge")).await.unwrap()
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn history_is_what_a_poll_would_have_read_and_is_written_once() {
        let dir = tempfile::tempdir().unwrap();
        let order = order(dir.path());
        let Told::Written { readings, points, from, .. } = write(&order, |_| ()).await.unwrap() else {
            panic!("nothing was there before")
        };
        assert!(from <= UNTIL.minus(Duration::from_hours(24)));
        let kept = batches(dir.path()).await;
        assert_eq!(kept.len() as u64, readings);
        // A meter that has no settlement day says so.
        let known = |q: Quality| matches!(q, Quality::Good | Quality::NoValue);
        assert!(kept.iter().all(|r| known(r.quality) && r.at >= from && r.at < UNTIL));
        // One point, through the same registers as a poll of that instant.
        let house = House::new(1, Arc::new(SystemClock), Gained::default()).unwrap();
        let meter = house.device("main-meter").unwrap();
        let energy = meter.profile.point("active-energy-import").unwrap();
        let no = PointNo(meter.profile.points.iter().position(|p| p.key == energy.key).unwrap() as u32);
        let first = kept.iter().map(|r| r.point).min().unwrap();
        let of_point: Vec<&Reading> = kept.iter().filter(|r| r.point.0 == no.0 + first.0).collect();
        assert!(of_point.len() > 280, "{} readings in a day", of_point.len());
        for reading in of_point {
            let truth = house.value(meter, energy, &house.scene_at(reading.at)).unwrap().as_number().unwrap();
            let shown = reading.value.as_ref().unwrap().as_number().unwrap();
            assert!((truth - shown).abs() < 0.001, "{}: {truth} {shown}", reading.at);
        }
        assert_eq!(points, house.devices().iter().map(|d| d.profile.points.len()).sum::<usize>());
        assert_eq!(write(&order, |_| ()).await.unwrap(), Told::ThereAlready);
        assert_eq!(batches(dir.path()).await.len() as u64, readings);
    }

    #[tokio::test]
    async fn a_gateways_file_with_faults_is_told_with_all_of_them() {
        let dir = tempfile::tempdir().unwrap();
        let order = order(dir.path());
        std::fs::write(&order.config, "[gateway]\nnmae = \"x\"\n").unwrap();
        let error = write(&order, |_| ()).await.unwrap_err().to_string();
        assert!(error.contains("edge.toml:2:1"), "{error}");
    }
}
