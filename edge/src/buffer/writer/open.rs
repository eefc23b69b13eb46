//! How the writer comes to life: both databases opened (a damaged one moved aside), their common identity checked, and
//! the thread started.

use std::path::Path;
use std::sync::Arc;

use steward_shared::alarm::EventKind;
use steward_shared::id::{BufferId, Ids};
use steward_shared::time::Clock;
use steward_shared::wire::message::Lane;
use tokio::sync::{mpsc, watch};

use super::{Command, Result, Writer};
use crate::buffer::boot::Boot;
use crate::buffer::catalogue;
use crate::buffer::error::BufferError;
use crate::buffer::settings::{BufferSettings, BufferStats, Heads};
use crate::buffer::space::Ballast;
use crate::buffer::store::{
    ALARM_SCHEMA, ALARM_VERSION, AlarmStore, TELEMETRY_SCHEMA, TELEMETRY_VERSION, TelemetryStore,
    assert_sqlite, begin_anew, open_or_move_aside,
};

pub(in crate::buffer) const TELEMETRY: &str = "telemetry.db";
pub(in crate::buffer) const ALARMS: &str = "alarms.db";

type Started = (watch::Receiver<Heads>, watch::Receiver<BufferStats>);

pub(in crate::buffer) fn start(
    dir: &Path,
    settings: &BufferSettings,
    clock: &Arc<dyn Clock>,
    ids: &Arc<dyn Ids>,
    boot: Boot,
    commands: mpsc::Receiver<Command>,
) -> Result<Started> {
    assert_sqlite()?;
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
    writer.publish();
    let started = (writer.heads.subscribe(), writer.stats.subscribe());
    // Its own runtime, for its timers only: SQLite blocks, and must not do so on the program's threads.
    let runtime =
        tokio::runtime::Builder::new_current_thread().enable_time().build().map_err(BufferError::File)?;
    std::thread::Builder::new()
        .name("buffer".into())
        .spawn(move || runtime.block_on(writer.run(commands)))
        .map_err(BufferError::File)?;
    Ok(started)
}

impl Writer {
    fn open(
        dir: &Path,
        settings: &BufferSettings,
        clock: &Arc<dyn Clock>,
        ids: &Arc<dyn Ids>,
        boot: Boot,
    ) -> Result<Self> {
        let now = clock.now();
        let (db, lost_telemetry) =
            open_or_move_aside(&dir.join(TELEMETRY), TELEMETRY_VERSION, TELEMETRY_SCHEMA, now)?;
        let telemetry = TelemetryStore::new(db);
        let (db, lost_alarms) = open_or_move_aside(&dir.join(ALARMS), ALARM_VERSION, ALARM_SCHEMA, now)?;
        let alarms = AlarmStore::new(db);
        let lanes = [alarms.lane()?, telemetry.lane(Lane::Live)?, telemetry.lane(Lane::Backfill)?];
        let mut writer = Self {
            dir: dir.to_owned(),
            settings: settings.clone(),
            clock: clock.clone(),
            ids: ids.clone(),
            boot,
            ballast: Ballast::in_folder(dir),
            id: BufferId::new(ids.as_ref()),
            epoch: telemetry.meta("epoch")?.unwrap_or(0),
            lanes,
            catalogue: Vec::new(),
            pending: Vec::new(),
            flush_at: None,
            dropped: telemetry.meta::<i64>("dropped")?.unwrap_or(0) as u64,
            dropping: false,
            full: false,
            last_error: None,
            heads: watch::Sender::new(Heads::default()),
            stats: watch::Sender::new(BufferStats::default()),
            telemetry,
            alarms,
        };
        writer.catalogue = catalogue::seal(&writer.stored_catalogue()?)?.1;
        writer.identify()?;
        for aside in lost_telemetry.into_iter().chain(lost_alarms) {
            let detail =
                format!("a damaged database was moved aside to {}; a new one begins", aside.display());
            writer.tell(EventKind::BufferCorrupt, detail);
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
        self.epoch = 0;
        self.telemetry.set_meta("epoch", 0)?;
        self.telemetry.set_meta("buffer", self.id.to_string())?;
        self.alarms.set_meta("buffer", self.id.to_string())?;
        Ok(())
    }

    /// `telemetry.db` turned out to be damaged while it was in use.
    pub(super) fn begin_anew(&mut self) -> Result<()> {
        // The old connection goes first: closing it later would remove the new file's log by its name.
        self.telemetry = TelemetryStore::new(rusqlite::Connection::open_in_memory()?);
        let path = self.dir.join(TELEMETRY);
        let (db, aside) = begin_anew(&path, TELEMETRY_VERSION, TELEMETRY_SCHEMA, self.clock.now())?;
        self.telemetry = TelemetryStore::new(db);
        self.lanes = [self.lanes[0], self.telemetry.lane(Lane::Live)?, self.telemetry.lane(Lane::Backfill)?];
        self.catalogue = catalogue::seal(&self.stored_catalogue()?)?.1;
        self.id = BufferId::new(self.ids.as_ref());
        self.identify()?;
        let detail = format!("a damaged database was moved aside to {}; a new one begins", aside.display());
        self.tell(EventKind::BufferCorrupt, detail);
        Ok(())
    }
}
