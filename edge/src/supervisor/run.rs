//! The supervisor itself: start, the loop of signals and file changes, the orderly stop.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use steward_shared::alarm::EventKind;
use steward_shared::document::Fault;
use steward_shared::id::{Ids, RandomIds};
use steward_shared::reading::Reading;
use steward_shared::systemd::{self, Systemd};
use steward_shared::time::{Clock, SystemClock};
use steward_shared::wire::message::Health;
use tokio::sync::{Notify, broadcast, mpsc, watch};
use tokio::task::JoinHandle;
use tokio::time::{Instant, interval, timeout};
use tokio_util::sync::CancellationToken;
use tracing::{error, info, warn};

use super::catalogue::{catalogue, described, names, shared_out};
use super::configuring::Configuring;
use super::files::Files;
use super::health::HealthTask;
use super::lines::{Changes, DialOf, Lines};
use super::opening::{Opened, open};
use super::publishers::Publishers;
use super::recorder::Recorder;
use crate::alarm::Alarms;
use crate::buffer::{Buffer, BufferError};
use crate::clock::{Timekeeper, is_synchronised};
use crate::command::{self, Incoming, Pace, Room};
use crate::config::Config;
use crate::control::{self, Asked, Redecoder};
use crate::evidence::Evidence;
use crate::health::{LineGauge, Pages, bind, serve};
use crate::line::dial_of;
use crate::poll::{Latest, Told};
use crate::refine::{Book, book};
use crate::uplink::{self, MachineNetwork, Means, UplinkSettings, UplinkState};
use crate::{configure, hold, lend};

/// How often the gateway's file is looked at and broken tasks are looked for.
const TICK: Duration = Duration::from_secs(2);
/// Blocks of readings that may wait for the recorder; about a second of the busiest gateway.
const TOLD: usize = 256;
/// Blocks of readings that a slow watcher may lag behind before it misses some.
const LIVE: usize = 256;
/// Questions of people that may wait.
const ASKED: usize = 8;
/// Orders from the hub that may wait to be taken down; then the hub's stream waits.
const ORDERS: usize = 16;
const STOP_DEADLINE: Duration = Duration::from_secs(10);

#[derive(Debug, thiserror::Error)]
pub enum SupervisorError {
    #[error("the buffer cannot be used")]
    Buffer(#[from] BufferError),
    #[error("the gateway's file has changed while the program started:\n{0}")]
    File(String),
    #[error("the {0} task ended by itself")]
    TaskEnded(&'static str),
}

/// What the supervisor is given.
pub struct Setup {
    /// The gateway's file, read again when it changes.
    pub path: PathBuf,
    /// Instead of the data folder that the file names.
    pub data: Option<PathBuf>,
    pub clock: Arc<dyn Clock>,
    pub ids: Arc<dyn Ids>,
    pub dial: DialOf,
    pub systemd: Systemd,
}

impl Setup {
    /// What the machine has, for a program that nobody supervises.
    pub fn of(path: PathBuf) -> Self {
        Self {
            path,
            data: None,
            clock: Arc::new(SystemClock),
            ids: Arc::new(RandomIds),
            dial: Arc::new(dial_of),
            systemd: Systemd::default(),
        }
    }
}

pub struct Supervisor {
    pub(super) setup: Setup,
    pub(super) config: Config,
    pub(super) configuring: Configuring,
    /// What the hub wants of the configuration.
    wishes: mpsc::Receiver<configure::Incoming>,
    files: Files,
    buffer: Buffer,
    alarms: Alarms,
    pub(super) latest: Arc<Latest>,
    book: watch::Sender<Arc<Book>>,
    live: broadcast::Sender<Arc<[Reading]>>,
    pub(super) lines: Lines,
    publishers: Publishers,
    gauges: watch::Sender<Vec<Arc<LineGauge>>>,
    health: watch::Receiver<Health>,
    recorder: JoinHandle<()>,
    reporter: Stoppable,
    /// Stores the events.
    keeper: Stoppable,
    /// Lends lines to tools.
    lender: Stoppable,
    /// Brings back what a tool has written for a while only.
    guard: Stoppable,
    uplink: Option<Stoppable>,
    /// Orders from the hub go here.
    commands: mpsc::Sender<Incoming>,
    /// Carries them out.
    desk: Option<Stoppable>,
    /// The configuration in force.
    configs: watch::Sender<Arc<Config>>,
    /// How the way to the hub fares.
    pub(super) hub: watch::Sender<UplinkState>,
    timekeeper: Timekeeper,
    pub(super) started: Instant,
    pages: Option<Stoppable>,
    pages_failed: bool,
    /// What people at the gateway ask goes here.
    asked: mpsc::Sender<Asked>,
    evidence: Evidence,
    control: Option<Stoppable>,
    control_failed: bool,
}

/// A task and how it is told to stop.
pub(super) struct Stoppable {
    cancel: CancellationToken,
    task: JoinHandle<()>,
}

impl Supervisor {
    /// Opens the buffer and starts polling by `config`.
    pub async fn start(setup: Setup, mut config: Config) -> Result<Self, SupervisorError> {
        if let Some(data) = &setup.data {
            config.data.clone_from(data);
        }
        let (clock, ids) = (Arc::clone(&setup.clock), Arc::clone(&setup.ids));
        let Opened { buffer, alarms, configuring, wishes, news } = open(&setup, &config).await?;
        config = configuring.config();
        let latest = Arc::new(Latest::default());
        let (live, kept) = (broadcast::Sender::new(LIVE), broadcast::Sender::new(LIVE));
        let changed = Arc::new(Notify::new());
        let (told, to_record) = mpsc::channel::<Told>(TOLD);
        let book = watch::Sender::new(Arc::<Book>::default());
        let (asked, to_answer) = mpsc::channel(ASKED);
        let evidence = Evidence::start(&config.data, config.evidence, Arc::clone(&clock), buffer.clone());
        let recorder = Recorder {
            book: book.subscribe(),
            asked: to_answer,
            told: to_record,
            buffer: buffer.clone(),
            alarms: alarms.clone(),
            latest: Arc::clone(&latest),
            clock: Arc::clone(&clock),
            live: live.clone(),
            kept: kept.clone(),
            changed: Arc::clone(&changed),
        };
        let (started, hub) = (Instant::now(), watch::Sender::new(UplinkState::default()));
        let (gauges, of_lines) = watch::channel(Vec::new());
        let (report, health) = watch::channel(Health::default());
        let timekeeper = Timekeeper::new(
            buffer.clone(),
            evidence.clone(),
            Arc::clone(&clock),
            Arc::clone(&ids),
            is_synchronised,
        );
        let reporter = HealthTask {
            data: config.data.clone(),
            buffer: buffer.clone(),
            alarms: alarms.clone(),
            lines: of_lines.clone(),
            report,
            changed,
            clock: Arc::clone(&clock),
            timekeeper: timekeeper.clone(),
            started,
        };
        let keeper = alarms.clone();
        let publishers =
            Publishers::new(kept, of_lines, config.data.clone(), Arc::clone(&clock), Arc::clone(&ids));
        let lines = Lines::new(Arc::clone(&setup.dial), told, evidence.clone(), clock, ids);
        let (data, doors) = (config.data.clone(), Arc::clone(&lines.doors));
        let held = (setup.path.clone(), config.data.clone(), Arc::clone(&setup.clock));
        let (configs, in_force) = watch::channel(Arc::new(config.clone()));
        let (commands, orders) = mpsc::channel(ORDERS);
        let parts = (buffer.clone(), alarms.clone(), Arc::clone(&lines.doors));
        let room = Room::new(parts, in_force, config.data.clone(), Arc::clone(&setup.clock), Pace::default());
        let mut supervisor = Self {
            files: Files::new(&setup.path, &config.folders),
            lines,
            lender: Stoppable::spawn(|cancel| async move { lend::serve(&data, doors, cancel).await }),
            guard: Stoppable::spawn(|cancel| hold::guard(held.0, held.1, held.2, cancel)),
            publishers,
            setup,
            config: config.clone(),
            configuring,
            wishes,
            buffer,
            alarms,
            latest,
            book,
            live,
            gauges,
            health,
            recorder: tokio::spawn(recorder.run()),
            reporter: Stoppable::spawn(|cancel| reporter.run(cancel)),
            keeper: Stoppable::spawn(|cancel| keeper.keep(cancel)),
            uplink: None,
            commands,
            desk: None,
            configs,
            hub,
            timekeeper,
            started,
            pages: None,
            pages_failed: false,
            asked,
            evidence,
            control: None,
            control_failed: false,
        };
        supervisor.tell(EventKind::Started, concat!("steward-edge ", env!("CARGO_PKG_VERSION")));
        if let Some(news) = news {
            supervisor.tell(EventKind::ConfigRefused, &news);
        }
        supervisor.apply(config).await?;
        supervisor.desk = Some(Stoppable::spawn(|cancel| command::run(Arc::new(room), orders, cancel)));
        Ok(supervisor)
    }

    pub fn latest(&self) -> Arc<Latest> {
        Arc::clone(&self.latest)
    }

    #[cfg(test)]
    pub fn buffer(&self) -> Buffer {
        self.buffer.clone()
    }

    #[cfg(test)]
    pub fn alarms(&self) -> Alarms {
        self.alarms.clone()
    }

    pub fn health(&self) -> watch::Receiver<Health> {
        self.health.clone()
    }

    /// Every sample as it is polled; a receiver that lags misses some.
    pub fn live(&self) -> broadcast::Receiver<Arc<[Reading]>> {
        self.live.subscribe()
    }

    /// Works until `stop`; `reload` has the gateway's file read again. Then stops polling, flushes, and ends.
    pub async fn run(
        mut self,
        stop: CancellationToken,
        mut reload: mpsc::Receiver<()>,
    ) -> Result<(), SupervisorError> {
        self.setup.systemd.tell(systemd::READY);
        let mut tick = interval(TICK);
        let ended = loop {
            // Each branch only says that something is to be looked at; one that is lost comes again.
            tokio::select! {
                () = stop.cancelled() => break None,
                Some(()) = reload.recv() => {
                    self.files.taken();
                    self.reload().await;
                }
                Some(incoming) = self.wishes.recv() => self.hear(incoming).await,
                _ = tick.tick() => {
                    let dead = self.dead();
                    if dead.is_some() {
                        break dead;
                    }
                    self.tick().await;
                    self.setup.systemd.tell(systemd::ALIVE);
                }
            }
        };
        self.stop().await;
        ended.map_or(Ok(()), |task| Err(SupervisorError::TaskEnded(task)))
    }

    /// What nothing works without, and which ends only when it is told to: then the program does not go on, and whoever
    /// started it starts it again.
    fn dead(&self) -> Option<&'static str> {
        let parts = [
            ("buffer", self.buffer.is_closed()),
            ("recorder", self.recorder.is_finished()),
            ("health", self.reporter.task.is_finished()),
            ("alarms", self.keeper.task.is_finished()),
            ("commands", self.desk.as_ref().is_some_and(Stoppable::is_finished)),
        ];
        parts.into_iter().find_map(|(name, is_dead)| is_dead.then_some(name))
    }

    async fn tick(&mut self) {
        // What a line told just before it was taken out of the file comes only now.
        self.end_unknown(&self.config);
        if self.files.changed() {
            self.reload().await;
        }
        if self.lines.revive().await {
            self.gauges.send_replace(self.lines.gauges());
        }
        self.publishers.revive();
        self.watch_trial().await;
        if self.uplink.as_ref().is_some_and(|uplink| uplink.task.is_finished()) {
            error!("the uplink's task broke; it is started again");
            self.start_uplink();
        }
        if self.pages.as_ref().is_none_or(|pages| pages.task.is_finished()) {
            self.start_pages().await;
        }
        if self.control.as_ref().is_none_or(|control| control.task.is_finished()) {
            self.start_control();
        }
    }

    /// Reads the gateway's file again. A broken one changes nothing, and says every fault of it.
    pub(super) async fn reload(&mut self) {
        let done = tokio::task::spawn_blocking(self.configuring.reader()).await;
        let present = match done {
            Ok(Ok(present)) => present,
            Ok(Err(faults)) => return self.refuse(&faults),
            Err(e) => {
                return error!(error = &e as &(dyn std::error::Error + 'static), "the file's reader broke");
            }
        };
        if let Some(news) = self.configuring.take_over(present, self.setup.clock.now()) {
            warn!("{news}");
            self.tell(EventKind::ConfigRefused, &news);
            self.save_if_needed().await;
        }
        let mut config = self.configuring.config();
        self.files.watch(&config.folders);
        self.put_off(&mut config);
        if config == self.config {
            info!("the configuration is as before");
            return;
        }
        match self.apply(config).await {
            Ok(changes) => self.tell(EventKind::ConfigApplied, &changes.told()),
            Err(e) => {
                let detail = format!("the new configuration could not be taken over: {e}");
                error!(error = &e as &(dyn std::error::Error + 'static), "{detail}");
                self.tell(EventKind::ConfigRefused, &detail);
            }
        }
    }

    /// What only a new start changes stays as it is until then, all of it: an identity in the new folder and readings in
    /// the old one would be nobody's wish.
    pub(super) fn put_off(&self, config: &mut Config) {
        let of = |c: &Config| (c.data.clone(), c.buffer.clone(), c.evidence, c.log.clone());
        if of(config) != of(&self.config) {
            warn!(
                "[gateway] data, [buffer], [evidence] and [log] take effect when steward-edge is started again"
            );
        }
        config.data.clone_from(&self.config.data);
        config.buffer.clone_from(&self.config.buffer);
        config.evidence = self.config.evidence;
        config.log.clone_from(&self.config.log);
    }

    fn refuse(&mut self, faults: &[Fault]) {
        for fault in faults {
            error!("{fault}");
        }
        error!(faults = faults.len(), "the gateway's file is broken; the configuration in force stays");
        let first = faults.first().map(ToString::to_string).unwrap_or_default();
        let detail = format!("{} faults, the first: {first}", faults.len());
        self.tell(EventKind::ConfigRefused, &detail);
    }

    /// Puts a configuration in force. Only what differs is restarted.
    pub(super) async fn apply(&mut self, config: Config) -> Result<Changes, SupervisorError> {
        let flat = self.buffer.number_points(names(&config)).await?;
        let numbers = shared_out(&config, &flat);
        self.buffer.set_catalogue(catalogue(&config, &numbers)).await?;
        let rows = described(&config, &numbers);
        info!(lines = config.lines.len(), points = rows.len(), "configuration in force");
        self.latest.describe(rows);
        self.book.send_replace(Arc::new(book(&config, &numbers)));
        self.publishers.apply(&config, &numbers).await;
        let wanted = config.lines.iter().cloned().zip(numbers).collect();
        let changes = self.lines.apply(wanted).await;
        self.gauges.send_replace(self.lines.gauges());
        self.end_unknown(&config);
        if self.config.hub != config.hub && self.uplink.is_some() {
            self.stop_uplink().await;
        }
        let shown = |c: &Config| (c.http, c.name.clone(), c.title.clone());
        if shown(&self.config) != shown(&config)
            && let Some(pages) = self.pages.take()
        {
            pages.stop("pages").await;
        }
        self.configs.send_replace(Arc::new(config.clone()));
        self.config = config;
        if self.uplink.is_none() {
            self.start_uplink();
        }
        if self.pages.is_none() {
            self.start_pages().await;
        }
        if self.control.is_none() {
            self.start_control();
        }
        info!("{}", changes.told());
        Ok(changes)
    }

    /// What was wrong with a line or device that is configured no more is over.
    fn end_unknown(&self, config: &Config) {
        let known = |line: Option<&str>, device: Option<&str>| {
            line.is_none_or(|line| {
                config.lines.iter().any(|l| {
                    l.name == line && device.is_none_or(|device| l.devices.iter().any(|d| d.name == device))
                })
            })
        };
        self.alarms.end_unknown(known);
    }

    async fn stop_uplink(&mut self) {
        if let Some(uplink) = self.uplink.take() {
            uplink.stop("uplink").await;
            self.hub.send_replace(UplinkState::default());
        }
    }

    pub(super) async fn restart_uplink(&mut self) {
        self.stop_uplink().await;
        self.start_uplink();
    }

    fn start_uplink(&mut self) {
        let Some(hub) = &self.config.hub else {
            info!("no hub: readings stay here; name one in [hub] address");
            return;
        };
        let settings = UplinkSettings {
            hub: hub.to_string(),
            state_dir: self.config.data.clone(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
        };
        let means = Means {
            network: Arc::new(MachineNetwork),
            buffer: self.buffer.clone(),
            alarms: self.alarms.clone(),
            live: self.live.clone(),
            health: self.health.clone(),
            timekeeper: self.timekeeper.clone(),
            commands: self.commands.clone(),
            configuration: self.configuring.link(),
        };
        let state = self.hub.clone();
        self.uplink = Some(Stoppable::spawn(|cancel| uplink::run(settings, means, cancel, state)));
    }

    /// The pages are for people; without them the gateway still does its work, and tries again.
    async fn start_pages(&mut self) {
        let listener = match bind(self.config.http).await {
            Ok(listener) => listener,
            Err(e) => {
                if !std::mem::replace(&mut self.pages_failed, true) {
                    let listen = self.config.http;
                    error!(%listen, "the status pages cannot listen: {e}; free the port or change [http] listen");
                }
                return;
            }
        };
        self.pages_failed = false;
        info!(listen = %self.config.http, "status pages");
        let pages = Pages {
            gateway: self.config.name.clone(),
            title: self.config.title.clone(),
            buffer: self.buffer.clone(),
            started: self.started,
            latest: Arc::clone(&self.latest),
            health: self.health.clone(),
            hub: self.hub.subscribe(),
            configuration: self.configuring.report(),
            lines: self.gauges.subscribe(),
            publishers: self.publishers.gauges.subscribe(),
            clock: Arc::clone(&self.setup.clock),
        };
        self.pages = Some(Stoppable::spawn(|cancel| async move {
            if let Err(e) = serve(listener, pages, cancel).await {
                error!(error = &e as &(dyn std::error::Error + 'static), "the status pages broke");
            }
        }));
    }

    /// Without it people cannot ask; the gateway still does its work, and tries again.
    fn start_control(&mut self) {
        match control::bind(&self.config.data) {
            Ok(listener) => {
                self.control_failed = false;
                let asked = self.asked.clone();
                let redecoder = Redecoder {
                    data: self.config.data.clone(),
                    buffer: self.buffer.clone(),
                    evidence: self.evidence.clone(),
                    book: self.book.subscribe(),
                };
                self.control =
                    Some(Stoppable::spawn(|cancel| control::serve(listener, asked, redecoder, cancel)));
            }
            Err(e) => {
                if !std::mem::replace(&mut self.control_failed, true) {
                    let folder = self.config.data.display();
                    error!("no socket for questions in {folder}: {e}; steward-edge ledger cannot be used");
                }
            }
        }
    }

    pub(super) fn tell(&self, kind: EventKind, detail: &str) {
        self.alarms.tell(kind, None, None, true, detail);
    }

    /// Stops taking, hands everything over, stops sending, flushes, closes: what the hub has not got is on disk.
    async fn stop(mut self) {
        info!("stopping");
        self.setup.systemd.tell(systemd::STOPPING);
        if let Some(desk) = self.desk {
            desk.stop("commands").await;
        }
        self.guard.stop("guard").await;
        self.lender.stop("lender").await;
        self.lines.stop_all().await;
        // With the lines the last sender goes, and the recorder ends when it has handed over what it has.
        drop(self.lines);
        if timeout(STOP_DEADLINE, &mut self.recorder).await.is_err() {
            error!("the recorder does not stop; what it still held is lost");
            self.recorder.abort();
        }
        let evidence = self.evidence.clone();
        if tokio::task::spawn_blocking(move || evidence.flush()).await.is_err() {
            error!("the raw answers of the last half minute are lost");
        }
        for (name, task) in [("control", self.control), ("pages", self.pages), ("uplink", self.uplink)] {
            if let Some(task) = task {
                task.stop(name).await;
            }
        }
        self.publishers.stop_all().await;
        self.reporter.stop("health").await;
        self.keeper.stop("alarms").await;
        if let Err(e) = self.buffer.close().await {
            error!(error = &e as &(dyn std::error::Error + 'static), "the buffer did not close cleanly");
        }
        info!("stopped");
    }
}

impl Stoppable {
    pub(super) fn spawn<F: Future<Output = ()> + Send + 'static>(
        task: impl FnOnce(CancellationToken) -> F,
    ) -> Self {
        let cancel = CancellationToken::new();
        Self { task: tokio::spawn(task(cancel.clone())), cancel }
    }

    pub(super) fn is_finished(&self) -> bool {
        self.task.is_finished()
    }

    pub(super) async fn stop(mut self, name: &str) {
        self.cancel.cancel();
        if timeout(STOP_DEADLINE, &mut self.task).await.is_err() {
            error!(task = name, "the task does not stop; it is abandoned");
            self.task.abort();
        }
    }
}
