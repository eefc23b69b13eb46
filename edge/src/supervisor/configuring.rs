//! A configuration from the hub takes the place of the file on site: verified, checked, kept on the disk, applied, tried,
//! and then it stands or what was before comes back. What may be changed and what is kept is the room `configure`'s to say;
//! here is who does it.

use std::collections::BTreeMap;
use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use rustls_pki_types::CertificateDer;
use steward_shared::alarm::EventKind;
use steward_shared::document::{Fault, listing};
use steward_shared::id::GatewayId;
use steward_shared::time::Timestamp;
use steward_shared::wire::config::{
    CheckConfig, CheckedConfig, ConfigOutcome, ConfigReport, ConfigStage, MAX_TEXT, SignedConfig, reason,
};
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;
use tracing::{error, info, warn};

use super::catalogue::in_order;
use super::lines::Changes;
use super::run::Supervisor;
use crate::config::Config;
use crate::configure::{
    Held, Incoming, Link, NotTaken, Present, Record, Seen, Trial, Verdict, Worse, digest, holds_stay,
    only_line, present, set_aside, short, told, verified, wanted,
};
use crate::hold::Kept;
use crate::poll::AGE_PERIODS;

/// Wishes of the hub that may wait.
const INBOX: usize = 4;

/// What is in force, and what is tried.
pub(super) struct Configuring {
    path: PathBuf,
    /// Instead of the folder that the file names.
    data: Option<PathBuf>,
    record: Record,
    present: Present,
    trial: Option<Running>,
    report: watch::Sender<Arc<ConfigReport>>,
    inbox: mpsc::Sender<Incoming>,
    /// The record on the disk is older than what happened.
    is_unsaved: bool,
    /// One that came right after the start.
    waiting: Option<Incoming>,
}

/// A trial under way.
struct Running {
    trial: Trial,
    since: Instant,
    /// Since when the hub is there without a break.
    reached: Option<Instant>,
    /// What was in force before.
    before: Present,
    /// So far only this line is as it is wanted.
    first: Option<String>,
}

impl Configuring {
    /// What is in force at the start of the program, and what people are to be told of it. Blocks on the disk.
    pub fn open(
        path: &Path,
        data: Option<&Path>,
        site: &Config,
        now: Timestamp,
    ) -> Result<(Self, mpsc::Receiver<Incoming>, Option<String>), Vec<Fault>> {
        let folder = data.unwrap_or(&site.data);
        let mut news = None;
        let mut record = Record::load(folder).unwrap_or_else(|e| {
            let error = &e as &(dyn Error + 'static);
            error!(error, "what is known of configurations from the hub cannot be read");
            let aside =
                set_aside(folder).map_or_else(|_| "left there".to_owned(), |to| to.display().to_string());
            news = Some(format!("{e}: {aside}; the file on site is in force"));
            Record::default()
        });
        let tried = record.trial.as_ref().map(|held| held.version);
        if record.started()
            && let Some(version) = tried
        {
            let outcome =
                outcome(version, now, ConfigStage::TakenBack, reason::ENDED_PROGRAM, "it ended the program");
            news = Some(taken_back(&outcome));
            record.ended(outcome);
        }
        // Before anything is done by it: what ends the program again and again is counted.
        let is_unsaved = tried.is_some() && record.save(folder).is_err();
        let (inbox, wishes) = mpsc::channel(INBOX);
        let mut configuring = Self {
            present: present(path, data, &record)?,
            path: path.to_owned(),
            data: data.map(Path::to_owned),
            record,
            trial: None,
            report: watch::Sender::new(Arc::default()),
            inbox,
            is_unsaved,
            waiting: None,
        };
        let was_tried = configuring.record.trial.is_some();
        news = configuring.settle(now).or(news);
        if was_tried && configuring.record.trial.is_none() {
            // What stood before it.
            configuring.present = present(path, data, &configuring.record)?;
        }
        let record = &configuring.record;
        if record.trial.is_some() {
            let (mut without, before) = (record.clone(), record.before.clone());
            without.go_back();
            let stood = present(path, data, &without)?;
            let first = record.trial.as_ref().and_then(|held| held.first.clone());
            configuring.try_out(before, stood, first);
        }
        configuring.tell();
        Ok((configuring, wishes, news))
    }

    /// What is to run: what is in force, or as much of it as is tried by now.
    pub fn config(&self) -> Config {
        let whole = &self.present.config;
        let first = self.trial.as_ref().and_then(|running| Some((running, running.first.as_deref()?)));
        match first {
            // Where it cannot be tried alone any more, what was before runs on.
            Some((Running { before, .. }, line)) => {
                only_line(&before.config, whole, line).unwrap_or_else(|_| before.config.clone())
            }
            None => whole.clone(),
        }
    }

    pub fn report(&self) -> watch::Receiver<Arc<ConfigReport>> {
        self.report.subscribe()
    }

    pub fn link(&self) -> Link {
        Link { inbox: self.inbox.clone(), report: self.report() }
    }

    /// What is in force, read again; the disk's answer is to be handed to [`Self::take_over`].
    pub fn reader(&self) -> impl FnOnce() -> Result<Present, Vec<Fault>> + Send + 'static {
        let (path, data, record) = (self.path.clone(), self.data.clone(), self.record.clone());
        move || {
            let present = present(&path, data.as_deref(), &record)?;
            // A profile that is away for a moment changes nothing.
            if !present.broken.is_empty() {
                return Err(present.broken);
            }
            in_order(&path.display().to_string(), &present.config)?;
            Ok(present)
        }
    }

    /// What people are to be told of it, where something from the hub is in force no more.
    pub fn take_over(&mut self, present: Present, now: Timestamp) -> Option<String> {
        self.present = present;
        let news = self.settle(now);
        self.tell();
        news
    }

    /// Drops what the file on site has taken the place of, and what cannot be tried any more.
    fn settle(&mut self, now: Timestamp) -> Option<String> {
        let gone = match self.record.changed_on_site(&digest(&self.present.site_text)) {
            Some(version) => {
                let detail = "the file on site was changed, and wins";
                outcome(version, now, ConfigStage::TakenBack, reason::CHANGED_ON_SITE, detail)
            }
            None if self.present.broken.is_empty() => return None,
            None => {
                let faults = told(&self.present.broken);
                let detail = listing(&self.present.broken);
                let Some(version) = self.record.trial.as_ref().map(|held| held.version) else {
                    // What was kept is kept: once its profiles are there again, it is in force.
                    return Some(format!(
                        "the configuration from the hub cannot be run, the file on site is: {}",
                        short(&detail)
                    ));
                };
                self.record.go_back();
                let stage = ConfigStage::TakenBack;
                ConfigOutcome { faults, ..outcome(version, now, stage, reason::FAULTS, &detail) }
            }
        };
        let news = taken_back(&gone);
        self.trial = None;
        self.record.ended(gone);
        self.is_unsaved = true;
        Some(news)
    }

    fn try_out(&mut self, devices: BTreeMap<String, Seen>, before: Present, first: Option<String>) {
        let reach = self.present.site.from_hub.trial;
        let trial = Trial { reach, watch: watch_of(reach), before: devices };
        self.trial = Some(Running { trial, since: Instant::now(), reached: None, before, first });
    }

    fn tell(&self) {
        let Present { text, version, site, .. } = &self.present;
        let report = ConfigReport {
            is_open: site.from_hub.configure,
            text: (text.len() <= MAX_TEXT).then(|| text.clone()),
            digest: digest(text),
            version: *version,
            taken: self.record.taken,
            outcome: self.record.outcome.clone(),
        };
        self.report.send_if_modified(|told| {
            let is_news = **told != report;
            if is_news {
                *told = Arc::new(report);
            }
            is_news
        });
    }
}

/// The devices are watched for two fifths of the time.
fn watch_of(reach: Duration) -> Duration {
    reach * 2 / 5
}

fn outcome(version: u64, at: Timestamp, stage: ConfigStage, why: &str, detail: &str) -> ConfigOutcome {
    let reason = (!why.is_empty()).then(|| why.to_owned());
    ConfigOutcome { version, at, stage, reason, detail: short(detail), faults: Vec::new() }
}

fn taken_back(outcome: &ConfigOutcome) -> String {
    format!("version {} from the hub is in force no more: {}", outcome.version, outcome.detail)
}

impl Supervisor {
    pub(super) async fn hear(&mut self, incoming: Incoming) {
        match incoming {
            Incoming::Check { check: CheckConfig { id, text }, answers } => {
                let faults = self.wanted(text).await.err().unwrap_or_default();
                // A session that has ended meanwhile wants no answer.
                let _ = answers.try_send(CheckedConfig { id, faults: told(&faults) });
            }
            // Right after a start nobody knows how the devices fared before.
            new @ Incoming::New { .. } if self.is_too_early() => {
                self.configuring.waiting = Some(new);
            }
            Incoming::New { signed, ca, gateway } => self.receive(&signed, &ca, gateway).await,
        }
    }

    /// What is not allowed at all need not wait for that.
    fn is_too_early(&self) -> bool {
        let from_hub = self.configuring.present.site.from_hub;
        from_hub.configure && self.started.elapsed() < watch_of(from_hub.trial)
    }

    /// What a text would be as the configuration in force.
    async fn wanted(&self, text: String) -> Result<Config, Vec<Fault>> {
        let Configuring { path, data, present, .. } = &self.configuring;
        let (path, data, site) = (path.clone(), data.clone(), present.site.clone());
        let (in_force, folder) = (self.config.clone(), self.config.data.clone());
        let whole = |message: &str, way_out: &str| Err(vec![Fault::of_file("", message, way_out)]);
        if text.len() > MAX_TEXT {
            return whole("this text is too long", "a configuration from the hub has at most 256 KiB");
        }
        if !site.from_hub.configure {
            return whole(
                "the file on site does not let the hub configure this gateway",
                "write configure = true below [hub] there",
            );
        }
        let read = tokio::task::spawn_blocking(move || {
            let mut config = wanted(&path, &site, &text)?;
            in_order("", &config)?;
            let moved = holds_stay(&in_force, &config, &Kept::points(&folder));
            if !moved.is_empty() {
                return Err(moved);
            }
            if let Some(data) = data {
                config.data = data;
            }
            Ok(config)
        });
        read.await
            .unwrap_or_else(|e| whole(&format!("its reader broke: {e}"), "tell the makers of steward-edge"))
    }

    async fn receive(&mut self, signed: &SignedConfig, ca: &CertificateDer<'_>, gateway: GatewayId) {
        let Some(new) = verified(signed, ca, gateway) else {
            let detail =
                "a configuration came that this gateway's hub has not signed for it; it is not taken";
            warn!("{detail}");
            return self.tell(EventKind::ConfigRefused, detail);
        };
        let (version, now) = (new.version, self.setup.clock.now());
        let text = new.text.clone();
        let first = new.first;
        let held = Held {
            version,
            text: new.text,
            site: String::new(),
            by: new.by,
            why: new.why,
            first: first.clone(),
        };
        let (by, why) = (held.by.clone(), held.why.clone());
        let configuring = &mut self.configuring;
        let begun = configuring.record.begin(held, &new.base, &configuring.present.site_text);
        match begun {
            Ok(()) => {}
            Err(e @ (NotTaken::OldVersion { .. } | NotTaken::Trying(_))) => {
                return info!(version, "a configuration from the hub is not taken: {e}");
            }
            Err(e @ NotTaken::OtherBase) => {
                return self.refuse_new(version, reason::OTHER_BASE, &e.to_string(), &[]).await;
            }
        }
        let before = self.configuring.present.config.clone();
        let staged = |config: Config| match &first {
            Some(line) => {
                only_line(&before, &config, line).map(|staged| (config, staged)).map_err(|f| vec![f])
            }
            None => Ok((config.clone(), config)),
        };
        let (whole, mut config) = match self.wanted(text.clone()).await.and_then(staged) {
            Ok(both) => both,
            Err(faults) => {
                self.configuring.record.go_back();
                let why = if self.configuring.present.site.from_hub.configure {
                    reason::FAULTS
                } else {
                    reason::NOT_ALLOWED
                };
                return self.refuse_new(version, why, &listing(&faults), &faults).await;
            }
        };
        self.put_off(&mut config);
        let devices = self.seen();
        self.configuring.record.before.clone_from(&devices);
        let word = if first.is_some() { reason::FIRST_LINE } else { "" };
        self.configuring.record.ended(outcome(version, now, ConfigStage::Trying, word, ""));
        // A power cut from here on finds it on the disk, with its way back.
        if !self.save().await {
            self.configuring.record.go_back();
            let detail = "the gateway cannot store it";
            return self.refuse_new(version, reason::NOT_STORED, detail, &[]).await;
        }
        let changes = match self.apply(config).await {
            Ok(changes) => changes,
            Err(e) => {
                self.configuring.record.go_back();
                return self.refuse_new(version, reason::NOT_STORED, &e.to_string(), &[]).await;
            }
        };
        let detail =
            format!("version {version} from the hub is being tried ({by}: {why}); {}", changes.told());
        self.tell(EventKind::ConfigApplied, &detail);
        let now_present =
            Present { config: whole, text, version: Some(version), ..self.configuring.present.clone() };
        let before = std::mem::replace(&mut self.configuring.present, now_present);
        self.try_out(devices, before, first, &changes).await;
        // Whether the hub is reached is known only of a session that begins now.
        self.restart_uplink().await;
    }

    /// Lines that are as they were tell nothing of the change.
    async fn try_out(
        &mut self,
        devices: BTreeMap<String, Seen>,
        before: Present,
        first: Option<String>,
        changes: &Changes,
    ) {
        let started = self.config.lines.iter().filter(|line| changes.started.contains(&line.name));
        let names: Vec<&str> = started.flat_map(|line| &line.devices).map(|d| d.name.as_str()).collect();
        let devices: BTreeMap<_, _> =
            devices.into_iter().filter(|(name, _)| names.contains(&name.as_str())).collect();
        self.configuring.record.before.clone_from(&devices);
        self.save().await;
        self.configuring.try_out(devices, before, first);
        self.configuring.tell();
    }

    async fn refuse_new(&mut self, version: u64, why: &str, detail: &str, faults: &[Fault]) {
        let now = self.setup.clock.now();
        let first = detail.lines().next().unwrap_or_default();
        warn!(version, why, "a configuration from the hub is not taken: {first}");
        let refused = outcome(version, now, ConfigStage::Refused, why, first);
        self.configuring.record.ended(ConfigOutcome { faults: told(faults), ..refused });
        self.tell(EventKind::ConfigRefused, &format!("version {version} from the hub: {first}"));
        self.save().await;
        self.configuring.tell();
    }

    /// Looks how what is tried fares.
    pub(super) async fn watch_trial(&mut self) {
        self.save_if_needed().await;
        if !self.is_too_early()
            && let Some(Incoming::New { signed, ca, gateway }) = self.configuring.waiting.take()
        {
            self.receive(&signed, &ca, gateway).await;
        }
        if self.configuring.trial.is_none() {
            return;
        }
        let is_reached = self.hub.borrow().connected;
        let seen = self.seen();
        let Some(running) = &mut self.configuring.trial else { return };
        running.reached = if is_reached { running.reached.or_else(|| Some(Instant::now())) } else { None };
        // One welcome is no link: a session that breaks again and again is none.
        let is_reached = running.reached.is_some_and(|since| since.elapsed() >= running.trial.watch / 4);
        let watched = running.trial.before.keys();
        let now: BTreeMap<_, _> = watched.filter_map(|name| Some((name.clone(), *seen.get(name)?))).collect();
        let (reach, is_staged) = (running.trial.reach, running.first.is_some());
        match running.trial.look(running.since.elapsed(), is_reached, &now) {
            Verdict::Wait => {}
            Verdict::Keep if is_staged => self.go_on().await,
            Verdict::Keep => self.keep().await,
            Verdict::GoBack(Worse::HubNotReached) => {
                let detail = format!("the hub was not reached within {} s", reach.as_secs());
                self.take_back(reason::HUB_NOT_REACHED, &detail).await;
            }
            Verdict::GoBack(Worse::Devices(names)) => {
                let detail = format!("devices fare worse than before: {}", names.join(", "));
                self.take_back(reason::DEVICES_WORSE, &detail).await;
            }
        }
    }

    /// The one line does well: now all of it.
    async fn go_on(&mut self) {
        let devices = self.seen();
        let now = self.setup.clock.now();
        let Some(running) = self.configuring.trial.take() else { return };
        let Some(held) = &mut self.configuring.record.trial else { return };
        held.first = None;
        let version = held.version;
        self.configuring.record.before.clone_from(&devices);
        self.configuring.record.ended(outcome(version, now, ConfigStage::Trying, "", ""));
        self.save().await;
        let mut config = self.configuring.config();
        self.put_off(&mut config);
        match self.apply(config).await {
            Ok(changes) => {
                let line = running.first.as_deref().unwrap_or_default();
                let detail = format!(
                    "line {line} does well with version {version} from the hub; now the others: {}",
                    changes.told()
                );
                self.tell(EventKind::ConfigApplied, &detail);
                self.try_out(devices, running.before, None, &changes).await;
                self.restart_uplink().await;
            }
            Err(e) => {
                self.configuring.trial = Some(running);
                self.take_back(reason::NOT_STORED, &e.to_string()).await;
            }
        }
    }

    async fn keep(&mut self) {
        let now = self.setup.clock.now();
        let configuring = &mut self.configuring;
        configuring.trial = None;
        let Some(version) = configuring.record.trial.as_ref().map(|held| held.version) else { return };
        configuring.record.keep();
        configuring.record.ended(outcome(version, now, ConfigStage::Kept, "", ""));
        self.save().await;
        self.configuring.tell();
        self.tell(EventKind::ConfigApplied, &format!("version {version} from the hub stands"));
    }

    async fn take_back(&mut self, why: &str, detail: &str) {
        let now = self.setup.clock.now();
        let configuring = &mut self.configuring;
        let Some(running) = configuring.trial.take() else { return };
        let Some(version) = configuring.record.trial.as_ref().map(|held| held.version) else { return };
        configuring.record.go_back();
        let outcome = outcome(version, now, ConfigStage::TakenBack, why, detail);
        let news = taken_back(&outcome);
        configuring.record.ended(outcome);
        configuring.present = running.before;
        let mut config = configuring.config();
        self.put_off(&mut config);
        warn!("{news}");
        self.save().await;
        if let Err(e) = self.apply(config).await {
            error!(error = &e as &(dyn Error + 'static), "what was in force before could not be taken over");
        }
        self.tell(EventKind::ConfigRefused, &news);
        self.configuring.tell();
        // Profiles may have changed meanwhile.
        self.reload().await;
    }

    /// How every device fares. Of its points those count that a new value must have come of within the watch.
    fn seen(&self) -> BTreeMap<String, Seen> {
        let reach = self.configuring.present.site.from_hub.trial;
        let watch = watch_of(reach);
        let gauges = self.lines.gauges();
        let mut seen: BTreeMap<String, Seen> = BTreeMap::new();
        for device in self.config.lines.iter().flat_map(|line| &line.devices) {
            let is_silent = gauges.iter().any(|gauge| gauge.is_silent(&device.name));
            let has_answered = gauges.iter().any(|gauge| gauge.has_answered(&device.name));
            let of = Seen { is_silent, has_answered, is_due: false, good: 0, points: 0 };
            seen.insert(device.name.clone(), of);
        }
        for row in self.latest.show(self.setup.clock.now()) {
            let Some(device) = seen.get_mut(&row.device) else { continue };
            device.is_due |= row.period <= reach;
            if row.period * AGE_PERIODS <= watch {
                device.points += 1;
                device.good += usize::from(row.quality == Some("good"));
            }
        }
        seen
    }

    async fn save(&mut self) -> bool {
        let (record, data) = (self.configuring.record.clone(), self.config.data.clone());
        let saved = tokio::task::spawn_blocking(move || record.save(&data)).await;
        let is_saved = match saved {
            Ok(Ok(())) => true,
            Ok(Err(e)) => {
                error!(error = &e as &(dyn Error + 'static), "what became of a configuration cannot be kept");
                false
            }
            Err(_) => false,
        };
        self.configuring.is_unsaved = !is_saved;
        is_saved
    }

    pub(super) async fn save_if_needed(&mut self) {
        if self.configuring.is_unsaved {
            self.save().await;
        }
    }
}
