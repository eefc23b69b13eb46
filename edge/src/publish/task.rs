//! The owner of a publisher's session. It takes readings as they come and puts them into the queue, whether the broker is
//! there or not; it opens the session, again after every loss; it tells what waits, no more at a time than the broker
//! takes. One task, born in the supervisor.

use std::collections::{BTreeMap, BTreeSet};
use std::path::PathBuf;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use steward_protocols::mqtt::{Event, Will};
use steward_shared::id::Ids;
use steward_shared::reading::Reading;
use steward_shared::time::Clock;
use tokio::sync::{Notify, broadcast, watch};
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use super::directory::{Directory, level};
use super::json::Json;
use super::queue::Queue;
use super::sparkplug::Sparkplug;
use crate::config::{PublishConfig, PublishFormat};
use crate::health::{LineGauge, PublishGauge};
use crate::line::{Backoff, Broker, BrokerFault, Session, TcpDial, made_up_id};

/// Messages under way that are not acknowledged.
const WINDOW: usize = 100;
/// Bytes that may wait for the connection.
const WRITING: usize = 64 << 10;
/// Readings that are told together.
const TOGETHER: usize = 50;
const TRY_AGAIN: Duration = Duration::from_secs(30);
const LASTING: Duration = Duration::from_secs(20);
/// How often it is looked whether devices are there.
const LOOK: Duration = Duration::from_secs(1);

/// A message for the broker.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outgoing {
    pub topic: String,
    pub payload: Vec<u8>,
    pub at_least_once: bool,
    pub retained: bool,
}

/// What a publisher's task needs.
pub struct PublishTask {
    pub config: PublishConfig,
    /// Readings that are kept, as they come; one that lags misses some, and counts them.
    pub kept: broadcast::Receiver<Arc<[Reading]>>,
    pub directory: watch::Receiver<Arc<Directory>>,
    pub lines: watch::Receiver<Vec<Arc<LineGauge>>>,
    pub gauge: Arc<PublishGauge>,
    /// Where the number of the session is kept.
    pub data: PathBuf,
    pub clock: Arc<dyn Clock>,
    pub ids: Arc<dyn Ids>,
}

impl PublishTask {
    /// Tells until `cancel`, and says goodbye.
    pub async fn run(self, cancel: CancellationToken) {
        let Self { config, kept, directory, lines, gauge, data, clock, ids } = self;
        let shared = Shared { queue: Mutex::new(Queue::new(config.queue)), news: Notify::new() };
        let format = match &config.format {
            PublishFormat::Json { topic, status, retained, at_least_once } => Format::Json(Json {
                topic: topic.clone(),
                status: status.clone(),
                retained: *retained,
                at_least_once: *at_least_once,
            }),
            PublishFormat::Sparkplug { group, node } => {
                Format::Sparkplug(Sparkplug::new(group.clone(), node.clone()))
            }
        };
        let client_id = config.broker.client_id.clone().unwrap_or_else(|| made_up_id(&*ids));
        let mut teller = Teller {
            name: config.name.clone(),
            format,
            broker: Broker {
                client_id,
                timeout: config.timeout,
                dial: Arc::new(TcpDial { host: config.broker.host.clone(), port: config.broker.port }),
                clock: Arc::clone(&clock),
                config: config.broker,
            },
            shared: &shared,
            directory,
            lines,
            gauge,
            number: data.join(format!("publish-{}.bdseq", level(&config.name))),
            clock,
            ids,
            under_way: BTreeMap::new(),
            old: 0,
        };
        tokio::select! {
            // What is taken is in the queue, which lives as long as the other.
            () = take(kept, &shared, Arc::clone(&teller.gauge)) => {}
            () = teller.run(&cancel) => {}
        }
    }
}

struct Shared {
    queue: Mutex<Queue>,
    news: Notify,
}

impl Shared {
    fn queue(&self) -> MutexGuard<'_, Queue> {
        // Each change leaves it whole.
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// Ends when nobody can tell any more.
async fn take(mut kept: broadcast::Receiver<Arc<[Reading]>>, shared: &Shared, gauge: Arc<PublishGauge>) {
    loop {
        match kept.recv().await {
            Ok(readings) => shared.queue().push(&readings),
            Err(broadcast::error::RecvError::Lagged(blocks)) => shared.queue().missed(blocks),
            Err(broadcast::error::RecvError::Closed) => return std::future::pending().await,
        }
        let queue = shared.queue();
        gauge.waiting(queue.len(), queue.dropped());
        drop(queue);
        shared.news.notify_one();
    }
}

enum Format {
    Json(Json),
    Sparkplug(Sparkplug),
}

struct Teller<'a> {
    name: String,
    format: Format,
    broker: Broker,
    shared: &'a Shared,
    directory: watch::Receiver<Arc<Directory>>,
    lines: watch::Receiver<Vec<Arc<LineGauge>>>,
    gauge: Arc<PublishGauge>,
    number: PathBuf,
    clock: Arc<dyn Clock>,
    ids: Arc<dyn Ids>,
    /// What is not acknowledged, by the number of its message.
    under_way: BTreeMap<u16, Reading>,
    /// So many of those that wait are from before this session.
    old: usize,
}

/// Why a session ended.
enum End {
    Cancelled,
    Fault(BrokerFault),
}

impl From<BrokerFault> for End {
    fn from(fault: BrokerFault) -> Self {
        Self::Fault(fault)
    }
}

impl Teller<'_> {
    async fn run(&mut self, cancel: &CancellationToken) {
        let mut backoff = Backoff::new(TRY_AGAIN);
        let mut told = false;
        loop {
            let will = self.will().await;
            let opened = tokio::select! {
                () = cancel.cancelled() => return,
                opened = self.broker.open(Some(will)) => opened,
            };
            let fault = match opened {
                Ok(session) => {
                    info!(publisher = self.name, "broker is up");
                    told = false;
                    self.gauge.up(self.clock.now());
                    let began = Instant::now();
                    let Err(end) = self.tell(session, cancel).await else { return };
                    if began.elapsed() > LASTING {
                        backoff.succeeded();
                    }
                    match end {
                        End::Cancelled => return,
                        End::Fault(fault) => fault,
                    }
                }
                Err(fault) => fault,
            };
            let lost = std::mem::take(&mut self.under_way).into_values().collect();
            self.shared.queue().push_back(lost);
            let why = fault.to_string();
            if std::mem::replace(&mut told, true) {
                debug!(publisher = self.name, why, "no session with the broker");
            } else {
                warn!(
                    publisher = self.name,
                    why, "broker cannot be used; readings wait, the oldest give way"
                );
            }
            self.gauge.down(&why);
            tokio::select! {
                () = cancel.cancelled() => return,
                () = sleep(backoff.failed(&*self.ids)) => {}
            }
        }
    }

    async fn will(&mut self) -> Will {
        let directory = Arc::clone(&self.directory.borrow());
        match &mut self.format {
            Format::Json(json) => json.will(&directory),
            Format::Sparkplug(sparkplug) => {
                let number = next_number(&self.number, &self.name).await;
                sparkplug.will(&directory, number)
            }
        }
    }

    /// Devices that do not answer.
    fn silent(&self) -> BTreeSet<String> {
        let lines = self.lines.borrow();
        let directory = self.directory.borrow();
        let is_silent =
            |device: &str, line: &str| lines.iter().any(|g| g.name() == line && g.is_silent(device));
        let devices = directory.devices.iter().filter(|d| is_silent(&d.device, &d.line));
        devices.map(|d| d.device.clone()).collect()
    }

    /// Tells until the session breaks or is ended.
    async fn tell(&mut self, mut session: Session, cancel: &CancellationToken) -> Result<(), End> {
        if let Format::Sparkplug(sparkplug) = &self.format {
            let commands = sparkplug.commands(&self.directory.borrow());
            session.client().subscribe(vec![commands]);
        }
        self.old = self.shared.queue().len();
        self.birth(&mut session);
        let mut look = interval(LOOK);
        look.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            self.pump(&mut session);
            let news = self.shared.news.notified();
            // An event that is not waited for stays in the session; news and ticks come again.
            tokio::select! {
                () = cancel.cancelled() => {
                    self.goodbye(session).await;
                    return Err(End::Cancelled);
                }
                event = session.next() => self.event(event?, &mut session),
                () = news => {}
                _ = look.tick() => self.look(&mut session),
            }
        }
    }

    fn event(&mut self, event: Event, session: &mut Session) {
        match event {
            Event::Acknowledged(id) => {
                self.under_way.remove(&id);
            }
            Event::Message(message) => {
                let is_sparkplug = matches!(self.format, Format::Sparkplug(_));
                if is_sparkplug && Sparkplug::wants_birth(&message.payload) {
                    info!(publisher = self.name, "somebody wishes for a new birth");
                    self.birth(session);
                }
            }
            Event::Refused(topics) => {
                let topics = topics.join(", ");
                warn!(
                    publisher = self.name,
                    topics, "the broker does not give this topic: births cannot be wished for"
                );
            }
            Event::Connected | Event::Subscribed | Event::TooLarge(..) => {}
        }
    }

    /// What is told first, and again when it is wished for or when the points are others.
    fn birth(&mut self, session: &mut Session) {
        let directory = Arc::clone(&self.directory.borrow_and_update());
        let (silent, now) = (self.silent(), self.clock.now());
        let messages = match &mut self.format {
            Format::Json(json) => vec![json.says(&directory, "online")],
            Format::Sparkplug(sparkplug) => sparkplug.birth(&directory, &self.shared.queue(), &silent, now),
        };
        for message in messages {
            give(session, message);
        }
    }

    fn look(&mut self, session: &mut Session) {
        let (silent, now) = (self.silent(), self.clock.now());
        let directory = Arc::clone(&self.directory.borrow());
        if let Format::Sparkplug(sparkplug) = &mut self.format {
            let messages = sparkplug.devices(&directory, &self.shared.queue(), &silent, now);
            for message in messages {
                give(session, message);
            }
        }
    }

    /// Hands over what waits, as long as the broker keeps up.
    fn pump(&mut self, session: &mut Session) {
        if self.directory.has_changed().unwrap_or(false) {
            self.birth(session);
        }
        let directory = Arc::clone(&self.directory.borrow());
        while self.under_way.len() < WINDOW && session.client().outgoing().len() < WRITING {
            let most = TOGETHER.min(WINDOW - self.under_way.len());
            // Those from before are told as such, and so never together with the others.
            let most = if self.old > 0 { most.min(self.old) } else { most };
            let are_old = self.old > 0;
            let readings = self.shared.queue().take(most);
            self.old = self.old.saturating_sub(readings.len());
            if readings.is_empty() {
                self.old = 0;
                break;
            }
            let count = readings.len();
            match &mut self.format {
                Format::Json(json) => {
                    for reading in readings {
                        if let Some(message) = json.reading(&directory, &reading)
                            && let Some(id) = give(session, message)
                        {
                            self.under_way.insert(id, reading);
                        }
                    }
                }
                Format::Sparkplug(sparkplug) => {
                    let now = self.clock.now();
                    for message in sparkplug.readings(&directory, &readings, are_old, now) {
                        give(session, message);
                    }
                }
            }
            let queue = self.shared.queue();
            self.gauge.told(count as u64);
            self.gauge.waiting(queue.len(), queue.dropped());
        }
    }

    async fn goodbye(&self, mut session: Session) {
        let directory = Arc::clone(&self.directory.borrow());
        let message = match &self.format {
            Format::Json(json) => json.says(&directory, "offline"),
            Format::Sparkplug(sparkplug) => sparkplug.goodbye(&directory),
        };
        give(&mut session, message);
        session.close().await;
    }
}

fn give(session: &mut Session, message: Outgoing) -> Option<u16> {
    let Outgoing { topic, payload, at_least_once, retained } = message;
    session.client().publish(&topic, payload, at_least_once, retained)
}

/// One more than the last session's, 0 to 255. It outlives the program, so that a death that comes late is not taken for
/// that of the new session.
async fn next_number(path: &PathBuf, publisher: &str) -> u8 {
    let last = tokio::fs::read_to_string(path).await.ok().and_then(|text| text.trim().parse::<u8>().ok());
    let number = last.map_or(0, |last| last.wrapping_add(1));
    if let Err(why) = tokio::fs::write(path, format!("{number}\n")).await {
        warn!(publisher, %why, "the number of the session cannot be kept in {}", path.display());
    }
    number
}
