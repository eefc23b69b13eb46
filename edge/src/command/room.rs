//! What the courses of all commands share: the record and its reports, the points that somebody is busy with, how often
//! each was written. What cannot be kept is not done.

use std::collections::{BTreeMap, VecDeque};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use steward_shared::alarm::{About, EventKind};
use steward_shared::id::CommandId;
use steward_shared::time::{Clock, Timestamp};
use steward_shared::wire::command::{Report, Stage, WriteOrder};
use tokio::sync::watch;
use tokio::time::Instant;
use tracing::{error, info};

use super::record::{Record, State};
use crate::alarm::Alarms;
use crate::buffer::{Buffer, BufferError};
use crate::config::Config;
use crate::lend::Doors;

const MINUTE: Duration = Duration::from_mins(1);

/// How long is waited for what.
#[derive(Clone, Copy, Debug)]
pub struct Pace {
    /// After it was written it is read back, once and again.
    pub first_look: Duration,
    pub second_look: Duration,
    /// What nobody answers is asked again.
    pub again: Duration,
    /// The clock is looked at.
    pub tick: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            first_look: Duration::from_secs(2),
            second_look: Duration::from_secs(30),
            again: Duration::from_secs(5),
            tick: Duration::from_secs(1),
        }
    }
}

/// One for the program.
pub struct Room {
    pub buffer: Buffer,
    pub alarms: Alarms,
    pub doors: Arc<Doors>,
    pub config: watch::Receiver<Arc<Config>>,
    pub data: PathBuf,
    pub clock: Arc<dyn Clock>,
    pub pace: Pace,
    points: Mutex<BTreeMap<(String, String), Point>>,
}

/// What is remembered of a point.
#[derive(Default)]
struct Point {
    busy: Option<CommandId>,
    written: VecDeque<Instant>,
}

impl Room {
    pub fn new(
        (buffer, alarms, doors): (Buffer, Alarms, Arc<Doors>),
        config: watch::Receiver<Arc<Config>>,
        data: PathBuf,
        clock: Arc<dyn Clock>,
        pace: Pace,
    ) -> Self {
        Self { buffer, alarms, doors, config, data, clock, pace, points: Mutex::default() }
    }

    pub fn config(&self) -> Arc<Config> {
        Arc::clone(&self.config.borrow())
    }

    pub fn now(&self) -> Timestamp {
        self.clock.now()
    }

    /// The point is this command's until [`Self::let_go`]; false where another is at work on it.
    pub fn claim(&self, order: &WriteOrder) -> bool {
        let mut points = self.points.lock().unwrap_or_else(PoisonError::into_inner);
        let point = points.entry((order.device.clone(), order.point.clone())).or_default();
        *point.busy.get_or_insert(order.command) == order.command
    }

    pub fn let_go(&self, order: &WriteOrder) {
        let mut points = self.points.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(point) = points.get_mut(&(order.device.clone(), order.point.clone()))
            && point.busy == Some(order.command)
        {
            point.busy = None;
        }
    }

    /// Counts a write; false where there were too many within the last minute, and then it is not counted.
    pub fn may_write(&self, order: &WriteOrder, per_minute: u32) -> bool {
        let mut points = self.points.lock().unwrap_or_else(PoisonError::into_inner);
        let point = points.entry((order.device.clone(), order.point.clone())).or_default();
        while point.written.front().is_some_and(|at| at.elapsed() >= MINUTE) {
            point.written.pop_front();
        }
        let may = point.written.len() < per_minute as usize;
        if may {
            point.written.push_back(Instant::now());
        }
        may
    }

    /// Puts a command into a state, on the disk, without a word to the hub.
    pub async fn keep(&self, record: &mut Record, state: State) -> Result<(), BufferError> {
        record.state = state;
        self.buffer.keep_command(record.row()?, Vec::new()).await
    }

    /// The same with a report that tells of it.
    pub async fn tell(&self, record: &mut Record, state: State, report: Report) -> Result<(), BufferError> {
        record.state = state;
        record.last = Some(report.clone());
        let (command, how_far, reason) = (report.command, report.stage.word(), report.reason.clone());
        self.buffer.keep_command(record.row()?, vec![report]).await?;
        info!(%command, how_far, reason, "command");
        Ok(())
    }

    /// Tells it until it is kept: what was done must not be forgotten.
    pub async fn tell_for_sure(&self, record: &mut Record, state: State, report: Report) {
        let mut told = false;
        while let Err(e) = self.tell(record, state, report.clone()).await {
            if matches!(e, BufferError::Closed) {
                return;
            }
            if !std::mem::replace(&mut told, true) {
                let error = &e as &(dyn std::error::Error + 'static);
                error!(error, command = %record.command, "what became of a command cannot be kept; trying again");
            }
            tokio::time::sleep(self.pace.again).await;
        }
    }

    /// Says again what was said last: the hub asks because it has not got it.
    pub async fn repeat(&self, record: &Record) -> Result<(), BufferError> {
        self.buffer.keep_command(record.row()?, record.last.iter().cloned().collect()).await
    }

    /// What was written is not what the point shows: an event, besides the report.
    pub fn warn(&self, order: &WriteOrder, report: &Report) {
        if report.stage != Stage::NotEffective {
            return;
        }
        let config = self.config();
        let line = config.lines.iter().find(|l| l.devices.iter().any(|d| d.name == order.device));
        let Some(line) = line else { return };
        let reason = report.reason.clone().unwrap_or_default();
        let mut facts = BTreeMap::from([
            ("command".to_owned(), order.command.to_string()),
            ("point".to_owned(), order.point.clone()),
            ("value".to_owned(), order.value.to_string()),
            ("reason".to_owned(), reason.clone()),
        ]);
        facts.extend(report.now.map(|now| ("now".to_owned(), now.to_string())));
        let about = About { object: order.point.clone(), facts };
        let shows = report.now.map_or_else(|| "nothing".to_owned(), |now| now.to_string());
        let detail = format!(
            "{}/{} was to be {} by {} and shows {shows} ({reason})",
            order.device, order.point, order.value, order.by
        );
        let place = (line.name.as_str(), Some(order.device.as_str()));
        self.alarms.tell_about(EventKind::CommandNotEffective, place, true, detail, about);
    }
}
