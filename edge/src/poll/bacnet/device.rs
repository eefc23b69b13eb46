//! One device of a BACnet network: found by its number, asked in its slots, subscribed to where its profile says so. It
//! has rounds of its own, so that nothing it does or does not costs another device anything.

use std::time::Duration;

use steward_protocols::bacnet::client::{Failure, Peer, Wanted};
use steward_protocols::bacnet::{ObjectId, contents, target};
use steward_protocols::question::{Address, Node, Question};
use steward_shared::profile::Language;
use steward_shared::reading::{Quality, Reading};
use tokio::sync::watch;
use tokio::time::{Instant, sleep};
use tracing::{debug, info, warn};

use super::super::plan::Plan;
use super::super::round::Rounds;
use super::super::turn::{Ask, Follow, Outcome, Turn};
use super::alarms::Listing;
use super::network::{Link, Shared};
use crate::config::DeviceConfig;
use crate::doctor::{self, Observed};
use crate::line::bacnet::{NoAnswer, NotFound, locate};
use crate::line::cost;

/// A question to one device takes no other's time: what it costs is only bookkeeping.
const COST: Duration = Duration::from_millis(100);
/// Seconds for which a device is asked to tell of changes; it is asked again at half of them.
const LIFETIME: u32 = 300;

pub struct Device<'a> {
    shared: &'a Shared,
    index: usize,
    config: &'a DeviceConfig,
    node: Node,
    link: watch::Receiver<Link>,
    rounds: Rounds,
    start: Instant,
    /// Whether it was made sure that this device is where it is asked.
    identified: Option<Peer>,
    subscribed: bool,
    listing: Listing,
    answered: bool,
    /// How often the port has been opened, as far as this device has seen.
    opened: u64,
}

impl<'a> Device<'a> {
    /// Nothing where the device is none of this network: the file's reader lets no other through.
    pub fn new(shared: &'a Shared, index: usize, silent_before: bool) -> Option<Self> {
        let config = shared.config.devices.get(index)?;
        let (Address::Bacnet(node), Language::Bacnet(_)) = (config.address, &config.profile.language) else {
            return None;
        };
        let plan = Plan::new(config, cost(&shared.config.wire, config, None));
        let mut rounds = Rounds::new(vec![plan], COST, shared.clock.now(), Duration::ZERO);
        if silent_before {
            rounds.stays_silent(0);
            shared.teller.gauge.silent(index, true);
        }
        Some(Self {
            shared,
            index,
            config,
            node,
            link: shared.link.subscribe(),
            rounds,
            start: Instant::now(),
            identified: None,
            subscribed: false,
            listing: Listing::default(),
            answered: false,
            opened: 0,
        })
    }

    pub async fn run(mut self) {
        loop {
            if !self.wait_for_link().await {
                return;
            }
            match self.rounds.next(self.shared.clock.now(), self.start.elapsed()) {
                Turn::Wait(wait) => sleep(wait).await,
                Turn::Ask(ask) => self.ask(ask).await,
            }
        }
    }

    /// Waits until the port is open. Answers whether it may ever be.
    async fn wait_for_link(&mut self) -> bool {
        let up = |link: &Link| matches!(link, Link::Up { .. });
        let Ok(link) = self.link.wait_for(up).await.map(|link| *link) else { return false };
        if let Link::Up { opened, was_told_down } = link
            && opened != self.opened
        {
            let first = self.opened == 0;
            (self.opened, self.identified, self.subscribed) = (opened, None, false);
            if !first {
                self.rounds.line_back(self.shared.clock.now(), was_told_down);
            }
        }
        true
    }

    async fn ask(&mut self, ask: Ask) {
        let begun = Instant::now();
        let read = match self.locate().await {
            Ok(peer) => self.read(peer, &ask, begun).await,
            Err(failed) => Err(failed),
        };
        let outcome = match read {
            Ok(()) => Outcome::Answered,
            Err(Failed::Device(quality, why)) => {
                self.shared.teller.gauge.asked(self.index, Duration::ZERO, Err(&why));
                let silent = quality == Quality::NoReply;
                self.note(None, if silent { doctor::Outcome::Silent } else { doctor::Outcome::Foreign });
                debug!(line = self.shared.teller.line, device = self.config.name, why, "no value");
                Outcome::Failed(quality)
            }
            Err(Failed::Link) => return self.rounds.give_back(&ask),
        };
        self.shared.teller.gauge.missed(self.shared.missed(self.index, self.rounds.missed()));
        if outcome == Outcome::Answered && !std::mem::replace(&mut self.answered, true) {
            // It may have been silent when the program was stopped: that is over.
            self.shared.teller.silent(self.index, false).await;
        }
        let (now, mono) = (self.shared.clock.now(), self.start.elapsed());
        for follow in self.rounds.settle(&ask, outcome, COST, now, mono) {
            self.follow(&ask, follow).await;
        }
    }

    async fn read(&mut self, peer: Peer, ask: &Ask, begun: Instant) -> Result<(), Failed> {
        // The planner makes no other of this language.
        let Question::Bacnet(batch) = &ask.question else { return Err(Failed::Link) };
        let points = &self.config.profile.points;
        let mut readings = self.shared.network.read(peer, batch.targets.clone()).await?;
        let absence = |r: &Result<_, Failure>| r.as_ref().err().copied().filter(|f| f.is_absence());
        if let Some(failure) = readings.first().and_then(|(_, r)| absence(r))
            && readings.iter().all(|(_, r)| absence(r).is_some())
        {
            self.identified = None;
            return Err(Failed::Device(failure.quality(), failure.to_string()));
        }
        self.shared.teller.gauge.asked(self.index, Duration::ZERO, Ok((ask.slot, begun.elapsed())));
        self.note(Some(begun.elapsed()), doctor::Outcome::Answered);
        let (mut values, mut told_since, mut shown) = (Vec::new(), Vec::new(), Vec::new());
        for v in batch.values(points, &readings) {
            let Some(point) = self.shared.teller.number(self.index, v.point) else { continue };
            let property = points.get(v.point).and_then(|def| def.bacnet()).map(target);
            if self.shared.subscribed.is_newer(point, self.shared.clock.now().since(ask.slot)) {
                told_since.extend(property);
            } else {
                shown.extend(property);
                values.push(Reading { point, at: ask.slot, value: v.value, quality: v.quality });
            }
        }
        self.shared.teller.readings(values).await;
        // What made no reading is not kept as if it had; a property may be two points'.
        told_since.retain(|property| !shown.contains(property));
        for (_, reading) in readings.iter_mut().filter(|(target, _)| told_since.contains(target)) {
            *reading = Err(Failure::Expired);
        }
        self.shared.keep(self.index, &ask.question, ask.slot, || contents(readings.iter().map(|(_, r)| r)));
        if !std::mem::replace(&mut self.subscribed, true) {
            self.subscribe(peer).await?;
        }
        self.listing.look(self.shared, self.index, self.node.instance, peer).await;
        Ok(())
    }

    /// One question for the doctor's book. Bytes and pauses are not seen here: datagrams are whole or lost.
    fn note(&self, turnaround: Option<Duration>, outcome: doctor::Outcome) {
        let seen = Observed { turnaround, ..Observed::default() };
        self.shared.teller.gauge.seen(self.index, seen, outcome);
    }

    /// Where the device is. One at a written address says first who it is.
    async fn locate(&mut self) -> Result<Peer, Failed> {
        if let Some(peer) = self.identified {
            return Ok(peer);
        }
        let found = locate(&self.shared.network, self.node, self.shared.config.timeout).await;
        let peer = found.map_err(|why| {
            if matches!(why, NotFound::Another { .. }) {
                let (line, device) = (&self.shared.teller.line, &self.config.name);
                warn!(%line, %device, %why, "another device answers");
            }
            why.quality().map_or(Failed::Link, |quality| Failed::Device(quality, why.to_string()))
        })?;
        self.identified = Some(peer);
        // It may have been another, or have lost what it knew.
        self.listing = Listing::default();
        Ok(peer)
    }

    async fn subscribe(&self, peer: Peer) -> Result<(), Failed> {
        for (point, def) in self.config.profile.points.iter().enumerate() {
            if let Some(bacnet) = def.bacnet().filter(|b| b.cov) {
                let object = ObjectId::new(bacnet.object, bacnet.instance);
                let wanted = Wanted { peer, object, confirmed: false, lifetime: LIFETIME };
                let subscription = self.shared.network.subscribe(wanted).await?;
                self.shared.subscribed.add(subscription, (self.index, point));
            }
        }
        Ok(())
    }

    async fn follow(&self, ask: &Ask, follow: Follow) {
        let (teller, device) = (&self.shared.teller, self.config.name.as_str());
        match follow {
            Follow::Mark { points, quality, .. } => {
                teller.mark(self.index, &points, quality, ask.slot).await;
            }
            Follow::Silent { .. } => {
                warn!(line = teller.line, device, "device does not answer; it is looked for now and then");
                teller.silent(self.index, true).await;
            }
            Follow::AnswersAgain { .. } => {
                info!(line = teller.line, device, "device answers again");
                teller.silent(self.index, false).await;
            }
            Follow::Hole { .. } => debug!(line = teller.line, device, "BACnet has no addresses to ask over"),
        }
    }
}

/// Why nothing was read.
enum Failed {
    Device(Quality, String),
    /// The port is not open: it is as if nothing had been asked.
    Link,
}

impl From<NoAnswer> for Failed {
    fn from(why: NoAnswer) -> Self {
        match why {
            NoAnswer::Device(failure) => Self::Device(failure.quality(), failure.to_string()),
            NoAnswer::Down(_) | NoAnswer::Ended => Self::Link,
        }
    }
}
