//! How the writer comes to life: both databases opened (a damaged one moved aside), their common identity checked, and
//! the thread started.

use std::collections::{HashMap, VecDeque};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rusqlite::Connection;
use steward_shared::alarm::EventKind;
use steward_shared::id::{BufferId, Ids};
use steward_shared::time::Clock;
use steward_shared::wire::message::{Catalogue, Lane};
use tokio::sync::{mpsc, watch};

use super::clock::Settled;
use super::refused::{Base, Refused};
use super::{Command, Result, Writer};
use crate::buffer::boot::Boot;
use crate::buffer::catalogue::Sealed;
use crate::buffer::error::BufferError;
use crate::buffer::settings::{BufferSettings, BufferStats, Heads};
use crate::buffer::space::Ballast;
use crate::buffer::store::{
    ALARM_SCHEMA, ALARM_VERSION, AlarmStore, TELEMETRY_SCHEMA, TELEMETRY_VERSION, TelemetryStore,
    assert_sqlite, move_aside, open, open_or_move_aside,
};

pub(in crate::buffer) const TELEMETRY: &str = "telemetry.db";
pub(in crate::buffer) const ALARMS: &str = "alarms.db";

type Started = (watch::Receiver<Heads>, watch::Receiver<BufferStats>);

pub(in crate::buffer) fn start(
    dir: &Path,
    settings: &BufferSettings,
    clock: &Arc<dyn Clock>,
    ids: &Arc<dyn Ids>,
    boot: &Boot,
    commands: mpsc::Receiver<Command>,
) -> Result<Started> {
    assert_sqlite(rusqlite::version_number(), rusqlite::version())?;
    std::fs::create_dir_all(dir).map_err(|e| BufferError::Folder(dir.to_owned(), e))?;
    let ballast = Ballast::in_folder(dir);
    let opened = match Writer::open(dir, settings, clock, ids, boot) {
        Err(e) if e.is_disk_full() => {
            ballast.release().map_err(BufferError::File)?;
            Writer::open(dir, settings, clock, ids, boot)
        }
        other => other,
    };
    let mut writer = opened?;
    // A failure is in the log; it is tried again, and must not keep the program from starting.
    let _ = writer.look_after();
    writer.tell_untold();
    writer.publish();
    let started = (writer.heads.subscribe(), writer.stats.subscribe());
    boot.0.work(Box::pin(writer.run(commands))).map_err(BufferError::File)?;
    Ok(started)
}

impl Writer {
    pub(super) fn open(
        dir: &Path,
        settings: &BufferSettings,
        clock: &Arc<dyn Clock>,
        ids: &Arc<dyn Ids>,
        boot: &Boot,
    ) -> Result<Self> {
        let now = clock.now();
        let (db, lost_telemetry) =
            open_or_move_aside(&dir.join(TELEMETRY), TELEMETRY_VERSION, TELEMETRY_SCHEMA, now)?;
        let telemetry = TelemetryStore::new(db);
        let (db, lost_alarms) = open_or_move_aside(&dir.join(ALARMS), ALARM_VERSION, ALARM_SCHEMA, now)?;
        let alarms = AlarmStore::new(db);
        let lanes = [
            alarms.lane(Lane::Alarm)?,
            telemetry.lane(Lane::Live)?,
            telemetry.lane(Lane::Backfill)?,
            alarms.lane(Lane::Command)?,
        ];
        let mut writer = Self {
            dir: dir.to_owned(),
            settings: settings.clone(),
            clock: clock.clone(),
            ids: ids.clone(),
            boot: boot.clone(),
            ballast: Ballast::in_folder(dir),
            id: BufferId::new(ids.as_ref()),
            epoch: telemetry.meta("epoch")?.unwrap_or(0),
            lanes,
            catalogue: stored_catalogue(&telemetry)?,
            open: HashMap::new(),
            untold: VecDeque::new(),
            tell_at: None,
            pending: Vec::new(),
            pending_offset: None,
            sent: lanes[1].last,
            of_before: lanes[1].last,
            settled: Settled::by(&boot.header(clock.as_ref())),
            flush_at: None,
            dropped: telemetry.meta::<i64>("dropped")?.unwrap_or(0) as u64,
            dropping: false,
            full: false,
            refused: Refused::default(),
            last_error: None,
            event_error: None,
            measured: None,
            bytes: 0,
            oldest_unacked: None,
            broken: false,
            heads: watch::Sender::new(Heads::default()),
            stats: watch::Sender::new(BufferStats::default()),
            telemetry,
            alarms,
        };
        writer.load_open()?;
        writer.begin_record()?;
        writer.identify()?;
        for aside in lost_telemetry.into_iter().chain(lost_alarms) {
            writer.tell(EventKind::BufferCorrupt, moved_aside(&aside));
        }
        Ok(writer)
    }

    /// Both files bear the identity of the buffer. If one of them is new, its sequences are, and so is the buffer.
    fn identify(&mut self) -> Result<()> {
        let (a, b) = (self.telemetry.meta::<String>("buffer")?, self.alarms.meta::<String>("buffer")?);
        if let (Some(a), Some(b)) = (a, b)
            && a == b
            && let Ok(id) = a.parse()
        {
            self.id = id;
            return Ok(());
        }
        self.begin_life()
    }

    pub(super) fn begin_life(&mut self) -> Result<()> {
        self.id = BufferId::new(self.ids.as_ref());
        self.epoch = 0;
        self.telemetry.set_meta("epoch", 0)?;
        self.telemetry.set_meta("buffer", self.id.to_string())?;
        self.alarms.set_meta("buffer", self.id.to_string())?;
        Ok(())
    }

    /// Does `work`. If `telemetry.db` turns out to be damaged, a new one takes its place and the work is done there.
    pub(super) fn on_telemetry<T>(&mut self, work: impl Fn(&mut Self) -> Result<T>) -> Result<T> {
        let done = match work(self) {
            Err(e) if e.is_damage() => {
                let replaced = self.replace_telemetry();
                self.broken |= replaced.is_err();
                replaced.and_then(|()| work(self))
            }
            other => other,
        };
        self.note(Base::Telemetry, done)
    }

    /// The same with `alarms.db`.
    pub(super) fn on_alarms<T>(&mut self, work: impl Fn(&mut Self) -> Result<T>) -> Result<T> {
        let done = match work(self) {
            Err(e) if e.is_damage() => {
                let replaced = self.replace_alarms();
                self.broken |= replaced.is_err();
                replaced.and_then(|()| work(self))
            }
            other => other,
        };
        self.note(Base::Alarms, done)
    }

    /// The points keep their numbers, and the hub gets the catalogue of before: what is polled next means what it meant.
    pub(super) fn replace_telemetry(&mut self) -> Result<()> {
        // The old connection goes first: closing it later would remove the new file's log by its name.
        self.telemetry = TelemetryStore::new(Connection::open_in_memory()?);
        let (db, aside) = self.new_file(TELEMETRY, TELEMETRY_VERSION, TELEMETRY_SCHEMA)?;
        self.telemetry = TelemetryStore::new(db);
        self.telemetry.set_catalogue(&self.catalogue.bytes, &self.catalogue.read()?.points)?;
        self.telemetry.set_meta("dropped", self.dropped as i64)?;
        let [alarm, _, _, command] = self.lanes;
        self.lanes = [alarm, self.telemetry.lane(Lane::Live)?, self.telemetry.lane(Lane::Backfill)?, command];
        (self.of_before, self.sent) = (self.lanes[1].last, self.lanes[1].last);
        self.begin_life()?;
        self.tell(EventKind::BufferCorrupt, moved_aside(&aside));
        Ok(())
    }

    /// What is open stays open, and is told again; events that the hub had not got are lost, and so are commands: those
    /// from before are not written any more.
    pub(super) fn replace_alarms(&mut self) -> Result<()> {
        self.alarms = AlarmStore::new(Connection::open_in_memory()?);
        let (db, aside) = self.new_file(ALARMS, ALARM_VERSION, ALARM_SCHEMA)?;
        self.alarms = AlarmStore::new(db);
        self.reopen()?;
        self.begin_record()?;
        self.begin_life()?;
        self.tell(EventKind::BufferCorrupt, moved_aside(&aside));
        Ok(())
    }

    fn new_file(&mut self, name: &str, version: i64, schema: &str) -> Result<(Connection, PathBuf)> {
        let path = self.dir.join(name);
        let aside = move_aside(&path, self.clock.now())?;
        let db = self.with_ballast(|_| open(&path, version, schema))?;
        Ok((db, aside))
    }
}

/// One that cannot be read does not keep the program from starting: the present configuration makes the next.
fn stored_catalogue(telemetry: &TelemetryStore) -> Result<Sealed> {
    let stored = telemetry.meta("catalogue")?.map(Sealed::from_bytes);
    let read = |sealed: &Sealed| {
        sealed.read().inspect_err(|e| {
            tracing::error!(error = e as &dyn std::error::Error, "the stored catalogue is damaged");
        })
    };
    match stored.filter(|sealed| read(sealed).is_ok()) {
        Some(sealed) => Ok(sealed),
        None => Ok(Sealed::of(&Catalogue::default())?),
    }
}

fn moved_aside(to: &Path) -> String {
    format!("a damaged database was moved aside to {}; a new one begins", to.display())
}
