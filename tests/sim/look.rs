//! What the hub has, read from its database by somebody else.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;

use rusqlite::{Connection, OpenFlags};
use steward_shared::reading::Value;
use steward_shared::wire::columns;

use crate::hub::DATABASE;

/// Of one reading at the hub: epoch, point and instant.
type Copy = (i64, u32, i64);

#[derive(Debug, Default)]
pub struct Look {
    readings: BTreeMap<u64, Vec<Copy>>,
    events: BTreeMap<u64, usize>,
    pub silent: BTreeMap<String, bool>,
    /// How long events were under way, from the gateway's clock to the hub's.
    pub late_ms: Vec<i64>,
    /// What was set aside, and why.
    pub aside: Vec<String>,
    /// What the hub's own events say is missing.
    pub told_missing: Vec<String>,
    /// All of it in its order, for the trace.
    pub words: Vec<String>,
}

impl Look {
    pub fn at(folder: &Path) -> rusqlite::Result<Self> {
        let mut look = Self::default();
        let file = folder.join(DATABASE);
        if !file.exists() {
            return Ok(look);
        }
        let db = Connection::open_with_flags(file, OpenFlags::SQLITE_OPEN_READ_ONLY)?;
        let mut frames = db.prepare("select epoch, lane, t0, t1, data from frame order by id")?;
        let mut rows = frames.query([])?;
        while let Some(row) = rows.next()? {
            let (epoch, lane): (i64, i64) = (row.get(0)?, row.get(1)?);
            let data: Vec<u8> = row.get(4)?;
            let body =
                columns::decode(&data).map_err(|e| rusqlite::Error::ToSqlConversionFailure(Box::new(e)))?;
            let (t0, t1): (i64, i64) = (row.get(2)?, row.get(3)?);
            look.words.push(format!("frame {epoch} {lane} {t0} {t1}"));
            for r in body.readings {
                if let Some(Value::Number(serial)) = r.value {
                    look.words.push(serial.to_string());
                    look.readings.entry(serial as u64).or_default().push((epoch, r.point.0, r.at.0));
                }
            }
        }
        let mut events = db.prepare(
            "select kind, active, coalesce(device, ''), detail, received_at, at from gateway_event order by id",
        )?;
        let mut rows = events.query([])?;
        while let Some(row) = rows.next()? {
            let (kind, active, device): (String, bool, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
            let (detail, at): (String, i64) = (row.get(3)?, row.get(4)?);
            look.words.push(format!("{kind} {active} {device} {at}"));
            match (kind.as_str(), detail.parse()) {
                ("config_applied", Ok(serial)) => {
                    *look.events.entry(serial).or_default() += 1;
                    look.late_ms.push(at - row.get::<_, i64>(5)?);
                }
                ("data_missing", _) => look.told_missing.push(detail),
                _ => {}
            }
        }
        let mut devices = db.prepare("select key, silent from device order by key")?;
        let mut rows = devices.query([])?;
        while let Some(row) = rows.next()? {
            look.silent.insert(row.get(0)?, row.get(1)?);
        }
        let mut aside = db.prepare("select lane, seq, reason from quarantine order by id")?;
        let mut rows = aside.query([])?;
        while let Some(row) = rows.next()? {
            let (lane, seq, reason): (i64, i64, String) = (row.get(0)?, row.get(1)?, row.get(2)?);
            look.aside.push(format!("batch {seq} of lane {lane}: {reason}"));
        }
        Ok(look)
    }

    /// Serials, and whether it is an event.
    pub fn all(&self) -> BTreeSet<(bool, u64)> {
        let readings = self.readings.keys().map(|serial| (false, *serial));
        readings.chain(self.events.keys().map(|serial| (true, *serial))).collect()
    }

    /// What is there more than once. Where the gateway was restored from a copy it may come again in the next epoch: then
    /// one point has one value at one instant.
    pub fn doubled(&self, comes_again: bool) -> Vec<String> {
        let readings = self.readings.iter().filter(|(_, copies)| match copies.as_slice() {
            [] | [_] => false,
            [first, rest @ ..] if comes_again => rest.iter().any(|c| (c.1, c.2) != (first.1, first.2)),
            _ => true,
        });
        let readings = readings.map(|(serial, copies)| format!("reading {serial}: {copies:?}"));
        let events = self.events.iter().filter(|(_, n)| **n > 1);
        readings.chain(events.map(|(serial, n)| format!("event {serial}: {n} times"))).collect()
    }
}
