//! The owner of a BACnet network: runs its port, its devices, and the hearing of what comes unasked: values that changed,
//! conflicts, what a BBMD says. All in the line's one task.

use std::collections::BTreeSet;
use std::pin::pin;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::future::join_all;
use steward_protocols::bacnet::client::{Event, Loss, Standing};
use steward_protocols::bacnet::{Batch, CovNotice, PropertyId, contents, value_of};
use steward_protocols::question::{Address, Question};
use steward_shared::alarm::{About, EventKind};
use steward_shared::profile::Framing;
use steward_shared::reading::Reading;
use steward_shared::time::{Clock, Timestamp};
use tokio::sync::{mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;
use tracing::{info, warn};

use super::super::task::LineTask;
use super::super::teller::Teller;
use super::alarms;
use super::device::Device;
use super::ringing::Ringing;
use super::subscribed::Subscribed;
use crate::config::LineConfig;
use crate::evidence::Witnesses;
use crate::lend::Loan;
use crate::line::bacnet::{Happening, Network, Owner, open};

/// After so many failures in a row the port is down and somebody is told; before, it may be a hiccup.
const DOWN_AFTER: u32 = 3;
/// Numbers claimed twice that become events, since the line's task began; more are a flood, and only counted.
const MOST_CONFLICTS: usize = 64;

/// Whether the port is open.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Link {
    Down,
    /// How often it has been opened, and whether every point was marked before.
    Up {
        opened: u64,
        was_told_down: bool,
    },
}

/// What the devices of a network share.
pub struct Shared {
    pub config: LineConfig,
    pub network: Network,
    pub link: watch::Sender<Link>,
    pub subscribed: Subscribed,
    pub ringing: Ringing,
    /// Claims that are events already: what of, its number, and by whom.
    conflicts: Mutex<BTreeSet<(&'static str, u32, String)>>,
    pub teller: Teller,
    witnesses: Witnesses,
    pub clock: Arc<dyn Clock>,
    missed: Mutex<Vec<u64>>,
}

impl Shared {
    /// What a device answered or told; the contents are made only where they are kept.
    pub fn keep(&self, device: usize, question: &Question, at: Timestamp, made: impl FnOnce() -> Vec<u8>) {
        self.witnesses.heard(device, at, || (question.words(), made()));
    }

    /// Slots that a device has missed, and with them those of all.
    pub fn missed(&self, device: usize, missed: u64) -> u64 {
        let mut all = self.missed.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(own) = all.get_mut(device) {
            *own = missed;
        }
        all.iter().sum()
    }
}

/// Polls the network until `cancel`.
pub async fn run(task: LineTask, cancel: &CancellationToken) {
    if let Some(opened) = open(&task.config, &task.dial, Arc::clone(&task.ids), cancel) {
        poll(task, opened).await;
    }
}

/// Polls until the port's owner has ended.
async fn poll(task: LineTask, (port, network, happened): (Owner, Network, mpsc::Receiver<Happening>)) {
    let shared = Shared {
        network,
        link: watch::Sender::new(Link::Down),
        subscribed: Subscribed::default(),
        ringing: Ringing::default(),
        conflicts: Mutex::default(),
        teller: Teller {
            line: task.config.name.clone(),
            target: task.dial.target(),
            silence: "has not answered for three polls",
            devices: task.config.devices.iter().map(|d| d.name.clone()).collect(),
            numbers: task.numbers,
            gauge: task.gauge,
            told: task.told,
        },
        // Nobody is asked in frames that differ by their line.
        witnesses: Witnesses::of(task.evidence, &task.config.devices, Framing::Tcp),
        missed: Mutex::new(vec![0; task.config.devices.len()]),
        config: task.config,
        clock: task.clock,
    };
    let devices = (0..shared.config.devices.len()).filter_map(|index| {
        let silent = task.silent_before.get(index).copied().unwrap_or_default();
        Device::new(&shared, index, silent).map(Device::run)
    });
    let devices = pin!(join_all(devices));
    let hearing = pin!(hear(&shared, happened));
    let lending = pin!(lend(&shared, task.visits.loans));
    let showing = pin!(show(&shared, task.visits.networks));
    tokio::select! {
        // The port ends by itself when it is told to; the rest is dropped with what it was waiting for.
        () = port => {}
        _ = async { tokio::join!(devices, hearing, lending, showing) } => {}
    }
}

/// Lends the port to tools, one after the other: closed for the daemon as long as a tool has it.
async fn lend(shared: &Shared, mut loans: mpsc::Receiver<Loan>) {
    while let Some(loan) = loans.recv().await {
        let Ok(resting) = shared.network.rest().await else { return };
        let line = shared.teller.line.as_str();
        info!(line, "network is lent to a tool");
        // A late answer to us comes to a port that asks under other numbers: nothing need be waited out.
        if !loan.hand_over(Duration::ZERO).await {
            warn!(line, "the tool did not give the network back in time; it is taken back");
        }
        drop(resting);
    }
}

/// Gives the way to the network to whoever has a single order for a device of it.
async fn show(shared: &Shared, mut wanted: mpsc::Receiver<oneshot::Sender<Network>>) {
    while let Some(tell) = wanted.recv().await {
        // Who asked may have gone.
        let _ = tell.send(shared.network.clone());
    }
}

/// Takes what happens until the port's owner has ended.
async fn hear(shared: &Shared, mut happened: mpsc::Receiver<Happening>) {
    let (mut failures, mut told_down, mut opened) = (0, false, 0);
    while let Some(happening) = happened.recv().await {
        match happening {
            Happening::Up(port) => {
                opened += 1;
                info!(line = shared.teller.line, %port, "network is up");
                shared.teller.gauge.up(opened > 1);
                shared.subscribed.clear();
                // Also at the start: it may have been down when the program was stopped.
                if told_down || opened == 1 {
                    shared.teller.up().await;
                }
                shared.link.send_replace(Link::Up { opened, was_told_down: told_down });
                (failures, told_down) = (0, false);
            }
            Happening::Down(why) => {
                failures += 1;
                shared.link.send_replace(Link::Down);
                shared.teller.gauge.lost(&why, failures >= DOWN_AFTER);
                if failures >= DOWN_AFTER && !told_down {
                    told_down = true;
                    warn!(line = shared.teller.line, %why, "network is down");
                    shared.teller.down(&why, shared.clock.now()).await;
                }
            }
            Happening::Trouble(what) => {
                warn!(line = shared.teller.line, %what, "the line is not as it should be");
                shared.teller.gauge.trouble(&what);
            }
            Happening::Resting => {
                shared.link.send_replace(Link::Down);
            }
            Happening::Event(event) => heard(shared, event).await,
            Happening::Missed(count) => {
                warn!(line = shared.teller.line, count, "changes of value came faster than they were taken");
            }
        }
    }
}

async fn heard(shared: &Shared, event: Event) {
    let line = shared.teller.line.as_str();
    match event {
        Event::Changed { subscription, notice } => changed(shared, subscription, &notice).await,
        Event::DeviceConflict { instance, known, other } => {
            let said = format!(
                "two devices have the instance number {instance}: {known} is asked, {other} is not; give one of them another"
            );
            let between = (known.to_string(), other.to_string());
            claimed_twice(shared, ("device", instance), between, said).await;
        }
        Event::RouterConflict { network, known, other } => {
            let said = format!(
                "two routers lead to network {network}: {known} is used, {other} is not; it is a loop, or a number given twice"
            );
            let between = (known.to_string(), other.to_string());
            claimed_twice(shared, ("network", network.into()), between, said).await;
        }
        Event::SubscriptionLost { subscription, loss } => {
            let device =
                shared.subscribed.place(subscription).map_or("", |(device, _)| shared.teller.name(device));
            match loss {
                Loss::NotGranted(failure) => {
                    warn!(line, device, why = %failure, "changes of value are not told; they are seen at the next poll");
                }
                Loss::Silent => {
                    warn!(line, device, "changes of value do not come; they are seen at the next poll");
                }
            }
        }
        Event::Registration(Standing::Registered) => info!(line, "registered with the BBMD"),
        Event::Registration(standing) => {
            warn!(line, ?standing, "the BBMD does not take us: devices beyond it are not found");
        }
        Event::Device { peer, introduction } => {
            info!(line, instance = introduction.instance, %peer, "device introduced itself");
        }
        Event::Router { router, network } => info!(line, %router, network, "router found"),
        Event::Notice { peer, notice } => {
            alarms::noticed(shared, peer, &notice).await;
        }
        Event::SubscriptionLive { .. } | Event::Answered { .. } | Event::Read { .. } => {}
    }
}

/// Two claim one number. Each claim becomes an event once, and no more in all than are of use to anybody.
async fn claimed_twice(
    shared: &Shared,
    (what, number): (&'static str, u32),
    (known, other): (String, String),
    said: String,
) {
    warn!(line = shared.teller.line, "{said}");
    let is_news = {
        let mut conflicts = shared.conflicts.lock().unwrap_or_else(PoisonError::into_inner);
        conflicts.len() < MOST_CONFLICTS && conflicts.insert((what, number, other.clone()))
    };
    if !is_news {
        return;
    }
    let is_it = |address| matches!(address, Address::Bacnet(node) if node.instance == number);
    let device = shared.config.devices.iter().position(|d| what == "device" && is_it(d.address));
    shared.teller.gauge.claimed_twice(&said, (what, number), device);
    let facts =
        [("what", what.to_owned()), ("number", number.to_string()), ("known", known), ("other", other)];
    let facts = facts.map(|(name, fact)| (name.to_owned(), fact)).into();
    let about = About { facts, ..About::default() };
    shared.teller.about(EventKind::NumberConflict, device, true, said, about).await;
}

/// A value that its device has told by itself.
async fn changed(shared: &Shared, subscription: u32, notice: &CovNotice) {
    let Some((device, point)) = shared.subscribed.place(subscription) else { return };
    let Some(number) = shared.teller.number(device, point) else { return };
    let def = shared.config.devices.get(device).and_then(|d| d.profile.points.get(point));
    let Some((def, bacnet)) = def.and_then(|def| Some((def, def.bacnet()?))) else { return };
    let of = |property| {
        let found =
            notice.values.iter().find(|p| p.target.property == property && p.target.index.is_none())?;
        Some(found.value.clone().map_err(steward_protocols::bacnet::client::Failure::Refused))
    };
    let Some(value) = of(bacnet.property) else { return };
    let flags = of(PropertyId::STATUS_FLAGS);
    let (shown, quality) = value_of(def, bacnet.data, &value, flags.as_ref());
    let at = shared.clock.now();
    shared.subscribed.told(number);
    shared.teller.readings(vec![Reading { point: number, at, value: shown, quality }]).await;
    let batch = Question::Bacnet(Batch::notice(point, bacnet, flags.is_some()));
    shared.keep(device, &batch, at, || contents([&value].into_iter().chain(&flags)));
}

#[cfg(test)]
#[path = "network_tests.rs"]
mod tests;
