//! The owner of a broker's session: opens it, again after every loss, subscribes to the topics of its devices, and tells
//! what comes. In the line's one task. While the channel that it tells by is full it reads nothing more, and the broker
//! waits or drops.

use std::sync::Arc;
use std::time::Duration;

use steward_protocols::mqtt::{Event, LONGEST, Manner, Message, excerpt, word, words};
use steward_protocols::question::Address;
use steward_shared::id::Ids;
use steward_shared::profile::{Framing, Language};
use steward_shared::reading::Quality;
use steward_shared::time::{Clock, Timestamp};
use tokio::time::{Instant, sleep, sleep_until};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use super::super::task::LineTask;
use super::super::teller::Teller;
use super::ages::{Ages, Change};
use super::gate::Gate;
use super::news::News;
use super::routes::{Route, Routes};
use crate::config::{BrokerConfig, LineConfig};
use crate::evidence::Witnesses;
use crate::line::{Backoff, Broker, BrokerFault, Session, made_up_id};

/// After so many failures in a row the broker is gone and somebody is told; before, it may be a hiccup.
const DOWN_AFTER: u32 = 3;
/// A broker is tried again at least this often.
const TRY_AGAIN: Duration = Duration::from_secs(15);
/// A session that lasted so long was none of a row of failures.
const LASTING: Duration = Duration::from_secs(20);
/// Topics in one subscription.
const TOGETHER: usize = 50;

/// Hears what the broker tells until `cancel`.
pub async fn run(task: LineTask, broker: &BrokerConfig, cancel: &CancellationToken) {
    let mut owner = Owner::new(task, broker.clone());
    tokio::select! {
        // The session is dropped with what it was waiting for: the broker sees that its end is closed.
        () = cancel.cancelled() => {}
        () = owner.run() => {}
    }
}

struct Owner {
    broker: Broker,
    config: LineConfig,
    routes: Routes,
    gate: Gate,
    news: News,
    ages: Ages,
    teller: Teller,
    witnesses: Witnesses,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn Ids>,
    backoff: Backoff,
    told_down: bool,
    opened: u64,
    dropped: u64,
}

impl Owner {
    fn new(task: LineTask, broker: BrokerConfig) -> Self {
        let client_id = broker.client_id.clone().unwrap_or_else(|| made_up_id(&*task.ids));
        let silent = |device: usize| task.silent_before.get(device).copied().unwrap_or_default();
        for device in (0..task.config.devices.len()).filter(|device| silent(*device)) {
            task.gauge.silent(device, true);
        }
        Self {
            routes: Routes::new(&task.config),
            gate: Gate::default(),
            news: News::default(),
            ages: Ages::new(&task.config.devices, &task.silent_before, now()),
            teller: Teller {
                line: task.config.name.clone(),
                target: task.dial.target(),
                silence: "has told nothing for too long",
                devices: task.config.devices.iter().map(|d| d.name.clone()).collect(),
                numbers: task.numbers,
                gauge: task.gauge,
                told: task.told,
            },
            broker: Broker {
                config: broker,
                client_id,
                timeout: task.config.timeout,
                dial: task.dial,
                clock: Arc::clone(&task.clock),
            },
            witnesses: Witnesses::of(task.evidence, &task.config.devices, Framing::Tcp),
            config: task.config,
            clock: task.clock,
            ids: task.ids,
            backoff: Backoff::new(TRY_AGAIN),
            told_down: false,
            opened: 0,
            dropped: 0,
        }
    }

    async fn run(&mut self) {
        loop {
            let fault = match self.broker.open(None).await {
                Ok(session) => self.hear(session).await,
                Err(fault) => fault,
            };
            let wait = self.lost(&fault).await;
            sleep(wait).await;
        }
    }

    /// Counts a failure, tells of it where it lasts, and says how long to wait.
    async fn lost(&mut self, fault: &BrokerFault) -> Duration {
        let wait = self.backoff.failed(&*self.ids);
        let (why, down) = (fault.to_string(), self.backoff.failures() >= DOWN_AFTER);
        debug!(line = self.teller.line, why, "no session with the broker");
        self.teller.gauge.lost(&why, down);
        if down && !std::mem::replace(&mut self.told_down, true) {
            warn!(line = self.teller.line, why, "broker cannot be used");
            self.teller.down(&why, self.clock.now()).await;
        }
        wait
    }

    async fn up(&mut self) {
        self.opened += 1;
        info!(line = self.teller.line, target = self.teller.target, "broker is up");
        self.teller.gauge.up(self.opened > 1);
        // Also at the start: it may have been down when the program was stopped.
        if std::mem::replace(&mut self.told_down, false) || self.opened == 1 {
            self.teller.up().await;
        }
        self.ages.restart(now());
    }

    /// Hears until the session ends, and says why it did.
    async fn hear(&mut self, mut session: Session) -> BrokerFault {
        let began = Instant::now();
        self.up().await;
        let topics: Vec<String> = self.routes.topics().cloned().collect();
        for topics in topics.chunks(TOGETHER) {
            session.client().subscribe(topics.to_vec());
        }
        loop {
            if began.elapsed() > LASTING {
                self.backoff.succeeded();
            }
            let due = [self.gate.next(), self.ages.next()].into_iter().flatten().min();
            let timer = async {
                match due {
                    Some(at) => sleep_until(Instant::from_std(at)).await,
                    None => std::future::pending().await,
                }
            };
            // An event that is not waited for stays in the session, and what is due stays due.
            let event = tokio::select! {
                event = session.next() => match event {
                    Ok(event) => Some(event),
                    Err(fault) => return fault,
                },
                () = timer => None,
            };
            match event {
                Some(Event::Message(message)) => {
                    if let Some(message) = self.gate.offer(message, now()) {
                        self.take(&message).await;
                    }
                }
                Some(Event::TooLarge(message, bytes)) => self.too_large(&message, bytes).await,
                Some(Event::Refused(topics)) => self.refused(&topics).await,
                Some(Event::Subscribed) => {
                    info!(
                        line = self.teller.line,
                        topics = self.routes.topics().count(),
                        "topics subscribed"
                    );
                }
                Some(Event::Connected | Event::Acknowledged(_)) | None => {}
            }
            self.pass().await;
        }
    }

    /// What is due: messages that waited, ages that passed.
    async fn pass(&mut self) {
        while let Some(message) = self.gate.due(now()) {
            self.take(&message).await;
        }
        let dropped = self.gate.dropped();
        if dropped > self.dropped {
            if self.dropped == 0 {
                let line = self.teller.line.as_str();
                warn!(
                    line,
                    "a device tells faster than ten times a second; of what waits the newest is heard"
                );
            }
            self.dropped = dropped;
            self.teller.gauge.missed(dropped);
        }
        for change in self.ages.passed(now()) {
            self.change(change, "tells nothing any more").await;
        }
    }

    async fn change(&self, change: Change, why: &str) {
        let Change { device, overdue, silent } = change;
        self.teller.mark(device, &overdue, Quality::NoReply, self.clock.now()).await;
        if silent {
            warn!(line = self.teller.line, device = self.teller.name(device), "device {why}");
            self.teller.silent(device, true).await;
        }
    }

    async fn answers_again(&self, device: usize) {
        info!(line = self.teller.line, device = self.teller.name(device), "device tells again");
        self.teller.silent(device, false).await;
    }

    async fn take(&mut self, message: &Message) {
        for route in self.routes.of(&message.topic).to_vec() {
            match route {
                Route::Points { device, points } => self.points(device, &points, message).await,
                Route::Availability { device } => self.availability(device, message).await,
            }
        }
    }

    async fn points(&mut self, device: usize, points: &[usize], message: &Message) {
        let (Some(config), Some(numbers)) =
            (self.config.devices.get(device), self.teller.numbers.get(device))
        else {
            return;
        };
        let at = self.clock.now();
        let gained = self.news.take(config, numbers, points, message, at);
        let key = |point: &usize| config.profile.points.get(*point).map_or("", |p| p.key.as_str());
        let (line, name) = (self.teller.line.as_str(), config.name.as_str());
        for (point, why) in &gained.faults {
            warn!(line, device = name, point = key(point), why, "message not understood");
        }
        for point in &gained.mended {
            info!(line, device = name, point = key(point), "message understood again");
        }
        if gained.points.is_empty() {
            return;
        }
        self.teller.gauge.told(device, gained.fault.as_deref().map_or(Ok(at), Err));
        let was_silent = self.ages.heard(device, &gained.points, now());
        self.teller.readings(gained.readings).await;
        let manner = if message.retained { Manner::Retained } else { Manner::Told };
        match message.payload.len() {
            bytes if bytes > LONGEST => self.keep_length(device, &message.topic, bytes, at),
            _ => self.keep(device, manner, &message.topic, || message.payload.clone(), at),
        }
        if was_silent {
            self.answers_again(device).await;
        }
    }

    /// What the device told under a topic, for as long as raw answers are kept.
    fn keep(
        &self,
        device: usize,
        manner: Manner,
        topic: &str,
        payload: impl FnOnce() -> Vec<u8>,
        at: Timestamp,
    ) {
        let own = self.config.devices.get(device).map(|device| device.address);
        if let Some(Address::Mqtt(own)) = own {
            self.witnesses.heard(device, at, || (words(manner, topic, own.as_str()), payload()));
        }
    }

    /// A message that is not kept itself: so much is.
    fn keep_length(&self, device: usize, topic: &str, bytes: usize, at: Timestamp) {
        self.keep(device, Manner::TooLong, topic, || bytes.to_string().into_bytes(), at);
    }

    async fn availability(&mut self, device: usize, message: &Message) {
        let Some(config) = self.config.devices.get(device) else { return };
        let Language::Mqtt(limits) = &config.profile.language else { return };
        let Some(availability) = &limits.availability else { return };
        let said = word(availability.path.as_ref(), &message.payload);
        match said {
            Some(word) if word == availability.online => {
                if self.ages.online(device, now()) {
                    self.answers_again(device).await;
                }
            }
            Some(word) if word == availability.offline => {
                if let Some(change) = self.ages.offline(device) {
                    self.change(change, "is said to be gone").await;
                }
            }
            _ => {
                let (online, offline) = (&availability.online, &availability.offline);
                let came = excerpt(&message.payload);
                let why =
                    format!("{}: {online} or {offline} was wanted, and this came: {came}", message.topic);
                debug!(line = self.teller.line, device = config.name, why, "availability not understood");
                self.teller.gauge.told(device, Err(&why));
            }
        }
    }

    /// Of a message that was not kept nothing is known but that its points have no value that could be.
    async fn too_large(&mut self, message: &Message, bytes: usize) {
        let why = format!("{}: {bytes} bytes came, and at most 262144 are taken", message.topic);
        for route in self.routes.of(&message.topic).to_vec() {
            let device = route.device();
            debug!(line = self.teller.line, device = self.teller.name(device), why, "message too large");
            self.teller.gauge.told(device, Err(&why));
            if let (Route::Points { points, .. }, false) = (route, message.retained) {
                let at = self.clock.now();
                self.teller.mark(device, &points, Quality::Undecodable, at).await;
                self.keep_length(device, &message.topic, bytes, at);
            }
        }
    }

    async fn refused(&self, topics: &[String]) {
        for topic in topics {
            warn!(
                line = self.teller.line,
                topic, "the broker does not give this topic; see its access rules"
            );
            for route in self.routes.of(topic) {
                let why = format!("{topic}: the broker does not give this topic");
                self.teller.gauge.told(route.device(), Err(&why));
                if let Route::Points { device, points } = route {
                    self.teller.mark(*device, points, Quality::NoReply, self.clock.now()).await;
                }
            }
        }
    }
}

fn now() -> std::time::Instant {
    Instant::now().into_std()
}
