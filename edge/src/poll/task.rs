//! The owner of one line: it asks the rounds whose turn it is, puts the question to the wire, and tells what
//! came of it. One task a line, born in the supervisor; nobody else touches the wire. It tells by a bounded
//! channel: when that is full the line waits, polls later, and counts the slots that it missed.

use std::sync::Arc;
use std::time::Duration;

use steward_protocols::question::PointValue;
use steward_shared::alarm::EventKind;
use steward_shared::id::{Ids, PointNo};
use steward_shared::profile::Framing;
use steward_shared::reading::{Quality, Reading};
use steward_shared::time::Clock;
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until, timeout_at};
use tokio_util::sync::CancellationToken;
use tracing::{debug, info, warn};

use super::plan::Plan;
use super::round::{Ask, Follow, Outcome, Rounds, Turn};
use super::timing::Timing;
use crate::config::{LineConfig, WireConfig};
use crate::evidence::{Evidence, Heard, fingerprint};
use crate::health::LineGauge;
use crate::lend::Loan;
use crate::line::{Backoff, Dial, Failure, Wire, cost};

/// After so many failures in a row the line is down and somebody is told; before, it may be a hiccup.
const DOWN_AFTER: u32 = 3;
/// A line is tried again at least this often: a port that was plugged in again is polled within five seconds.
const TRY_AGAIN: Duration = Duration::from_secs(5);

/// The report of health comes each ten seconds.
const SHARE_EVERY: Duration = Duration::from_secs(5);

/// What a line has to tell.
#[derive(Debug, Clone, PartialEq)]
pub enum Told {
    Readings(Vec<Reading>),
    /// Something lasting began (`active`) or ended.
    Alarm {
        kind: EventKind,
        line: String,
        device: Option<String>,
        active: bool,
        detail: String,
    },
}

/// What a line's task needs.
pub struct LineTask {
    pub config: LineConfig,
    /// Per device the numbers of its profile's points, in the profile's order.
    pub numbers: Vec<Vec<PointNo>>,
    /// The longest that a device may take for its answer whom the owner before may have asked; zero where there was none.
    pub slowest_before: Duration,
    /// Per device whether it was silent under the owner before.
    pub silent_before: Vec<bool>,
    pub dial: Arc<dyn Dial>,
    pub gauge: Arc<LineGauge>,
    pub told: mpsc::Sender<Told>,
    /// Where raw answers go.
    pub evidence: Evidence,
    pub clock: Arc<dyn Clock>,
    pub ids: Arc<dyn Ids>,
    /// Tools that want the line for a while.
    pub loans: mpsc::Receiver<Loan>,
}

impl LineTask {
    /// Polls until `cancel`. A question under way is dropped with its wire, which harms nothing: the next
    /// owner opens the wire anew and asks nothing until an answer to it cannot come any more.
    pub async fn run(self, cancel: CancellationToken) {
        let line = self.config.name.clone();
        if matches!(self.config.wire, WireConfig::Bacnet(_) | WireConfig::Mstp(_)) {
            super::bacnet::run(self, &cancel).await;
        } else if let WireConfig::Mqtt(broker) = self.config.wire.clone() {
            super::mqtt::run(self, &broker, &cancel).await;
        } else {
            tokio::select! {
                () = cancel.cancelled() => {}
                () = Owner::new(self).run() => {}
            }
        }
        debug!(line, "line stopped");
    }
}

struct Owner {
    task: LineTask,
    framing: Framing,
    wire: Wire,
    rounds: Rounds,
    start: Instant,
    backoff: Backoff,
    /// Whether somebody has been told that the line is down.
    told_down: bool,
    warned_of_late: bool,
    /// Whether the wire has worked since this task began, and which devices have answered.
    worked: bool,
    answered: Vec<bool>,
    timings: Vec<Timing>,
    /// When the line's planned share is told again.
    share_due: Duration,
    /// Per device its name and what tells its profile from others.
    names: Vec<(Arc<str>, Arc<str>)>,
}

impl Owner {
    fn new(task: LineTask) -> Self {
        let slowest = task.config.slowest().max(task.slowest_before);
        let wire = Wire::new(Arc::clone(&task.dial), &task.config, slowest);
        let plans =
            task.config.devices.iter().map(|d| Plan::new(d, cost(&task.config.wire, d, None))).collect();
        let mut rounds = Rounds::new(plans, wire.worst_cost(), task.clock.now(), Duration::ZERO);
        for (device, _) in task.silent_before.iter().enumerate().filter(|(_, silent)| **silent) {
            rounds.stays_silent(device);
            task.gauge.silent(device, true);
        }
        let start = Instant::now();
        let answered = vec![false; task.config.devices.len()];
        let names = task.config.devices.iter();
        let names = names.map(|d| (d.name.as_str().into(), fingerprint(&d.profile).into())).collect();
        let timings = vec![Timing::default(); task.config.devices.len()];
        Self {
            framing: task.config.wire.framing(),
            task,
            wire,
            rounds,
            start,
            backoff: Backoff::new(TRY_AGAIN),
            told_down: false,
            warned_of_late: false,
            worked: false,
            answered,
            timings,
            share_due: Duration::ZERO,
            names,
        }
    }

    async fn run(mut self) {
        let mut loans = std::mem::replace(&mut self.task.loans, mpsc::channel(1).1);
        loop {
            if let Ok(loan) = loans.try_recv() {
                self.lend(loan).await;
            }
            match self.rounds.next(self.task.clock.now(), self.start.elapsed()) {
                Turn::Wait(wait) => tokio::select! {
                    // A rest that is broken off has taken nothing, and a loan that is not taken now waits.
                    () = self.rest(wait) => {}
                    Some(loan) = loans.recv() => self.lend(loan).await,
                },
                Turn::Ask(ask) => self.ask(ask).await,
            }
            self.tell_stray();
        }
    }

    /// Gives the line to a tool. What was due meanwhile is not read: the tool has asked for it, or for something else.
    async fn lend(&mut self, loan: Loan) {
        let rest = self.wire.lend();
        info!(line = self.task.config.name, "line lent to a tool");
        if loan.hand_over(rest).await {
            info!(line = self.task.config.name, "line given back");
        } else {
            warn!(line = self.task.config.name, "the tool kept the line too long; it is taken back");
        }
        self.rounds.line_back(self.task.clock.now(), self.told_down);
    }

    /// Bytes that nobody asked for are counted; the dangerous kind is warned of, once.
    fn tell_stray(&mut self) {
        self.task.gauge.stray(self.wire.stray_bytes());
        if self.wire.was_late() && !std::mem::replace(&mut self.warned_of_late, true) {
            warn!(
                line = self.task.config.name,
                "a device answered after the line had waited for it; give the line or its profile a longer timeout"
            );
        }
    }

    /// Waits for the next turn. An open wire is listened to meanwhile: what comes unasked is thrown away, and
    /// a wire that breaks is closed at once, to be opened again when there is something to ask.
    async fn rest(&mut self, wait: Duration) {
        let until = Instant::now() + wait;
        if self.wire.is_open() {
            // Losing the listening when the time is over is harmless: it has taken nothing that is wanted.
            let Ok(why) = timeout_at(until, self.wire.listen()).await else { return };
            debug!(line = self.task.config.name, why = %why, "idle line closed");
            self.wire.close();
        }
        sleep_until(until).await;
    }

    async fn ask(&mut self, ask: Ask) {
        let (begun, was_down) = (self.start.elapsed(), self.told_down);
        let device = &self.task.config.devices[ask.device];
        let profile = Arc::clone(&device.profile);
        let answer = match ask.question.exchange(device.address, self.framing) {
            Ok(exchange) => {
                let patience = self.timings[ask.device].patience().filter(|_| ask.is_probe);
                self.wire.ask(exchange, device.into(), patience).await
            }
            // The file's reader and the planner keep to the standard: this is a fault of ours, told as such.
            Err(fault) => Err(Failure::Device { quality: Quality::BadReply, why: fault.to_string() }),
        };
        let mut took = self.start.elapsed().saturating_sub(begun);
        self.task.gauge.missed(self.rounds.missed());
        if let Some((seen, how)) = self.wire.seen() {
            self.task.gauge.seen(ask.device, seen, how);
        }
        let outcome = match answer {
            Ok(answer) => {
                self.works().await;
                self.learn(ask.device, answer.turnaround.saturating_sub(answer.on_wire));
                match answer.reply {
                    Ok(contents) => {
                        self.task.gauge.asked(ask.device, took, Ok((ask.slot, answer.turnaround)));
                        let numbers = &self.task.numbers[ask.device];
                        let values = ask.question.values(&profile.points, &contents);
                        let reading = |v: PointValue| {
                            let point = *numbers.get(v.point)?;
                            Some(Reading { point, at: ask.slot, value: v.value, quality: v.quality })
                        };
                        let readings = values.into_iter().filter_map(reading).collect();
                        self.tell(Told::Readings(readings)).await;
                        if let Some(span) = ask.question.words() {
                            let (device, profile) = self.names[ask.device].clone();
                            self.task.evidence.heard(Heard { device, profile, span, at: ask.slot, contents });
                        }
                        Outcome::Answered
                    }
                    Err(refusal) => {
                        self.task.gauge.asked(ask.device, took, Err(&refusal.to_string()));
                        Outcome::Refused { quality: refusal.quality, about: refusal.about }
                    }
                }
            }
            Err(Failure::Device { quality, why }) => {
                self.works().await;
                took += self.wire.rest();
                self.task.gauge.asked(ask.device, took, Err(&why));
                debug!(line = self.task.config.name, device = self.name(ask.device), why, "no value");
                Outcome::Failed(quality)
            }
            Err(Failure::HungUp(why)) => {
                took += self.wire.rest();
                let why = format!("the line was closed over the question: {why}");
                if self.rounds.hung_up(&ask, self.start.elapsed()) {
                    self.rounds.give_back(&ask);
                    return self.lost(&why).await;
                }
                self.task.gauge.asked(ask.device, took, Err(&why));
                debug!(line = self.task.config.name, device = self.name(ask.device), why, "no value");
                Outcome::Failed(Quality::NoReply)
            }
            Err(Failure::Lost(why)) => {
                self.rounds.give_back(&ask);
                return self.lost(&why.to_string()).await;
            }
            Err(Failure::Babbling) => {
                self.rounds.give_back(&ask);
                return self.lost(&Failure::Babbling.to_string()).await;
            }
        };
        if outcome == Outcome::Answered && !std::mem::replace(&mut self.answered[ask.device], true) {
            // It may have been silent when the program was stopped: that is over.
            self.tell_silent(ask.device, false).await;
        }
        let now = self.task.clock.now();
        for follow in self.rounds.settle(&ask, outcome, took, now, self.start.elapsed()) {
            self.follow(&ask, follow).await;
        }
        if was_down && !self.told_down {
            // Whoever was silent before the line went down is so for its own reason.
            for mark in self.rounds.marks() {
                self.follow(&ask, mark).await;
            }
        }
    }

    /// How long a device takes says how its points are best put together.
    fn learn(&mut self, device: usize, turnaround: Duration) {
        let timing = &mut self.timings[device];
        timing.answered(turnaround);
        if let Some(usual) = timing.usual() {
            let cost = cost(&self.task.config.wire, &self.task.config.devices[device], Some(usual));
            self.rounds.learned(device, cost);
            self.tell_share();
        }
    }

    /// Now and then: it is the sum over every question of the line.
    fn tell_share(&mut self) {
        let now = self.start.elapsed();
        if now >= self.share_due {
            self.share_due = now + SHARE_EVERY;
            self.task.gauge.planned(self.rounds.share());
        }
    }

    async fn follow(&mut self, ask: &Ask, follow: Follow) {
        let line = self.task.config.name.clone();
        match follow {
            Follow::Mark { device, points, quality } => {
                let numbers = &self.task.numbers[device];
                let marks = points.iter().filter_map(|p| numbers.get(*p)).map(|no| Reading {
                    point: *no,
                    at: ask.slot,
                    value: None,
                    quality,
                });
                let marks = marks.collect();
                self.tell(Told::Readings(marks)).await;
            }
            Follow::Silent { device } => {
                warn!(
                    line,
                    device = self.name(device),
                    "device does not answer; it is looked for now and then"
                );
                self.tell_silent(device, true).await;
            }
            Follow::Hole { device, hole } => {
                let (table, last) = (hole.table.word(), hole.to.saturating_sub(1));
                info!(
                    line,
                    device = self.name(device),
                    table,
                    from = hole.from,
                    to = last,
                    "the device refuses to be asked over these addresses; they are left out from now on"
                );
            }
            Follow::AnswersAgain { device } => {
                info!(line, device = self.name(device), "device answers again");
                self.tell_silent(device, false).await;
            }
        }
    }

    async fn tell_silent(&mut self, device: usize, active: bool) {
        self.task.gauge.silent(device, active);
        let (line, key) = (self.task.config.name.clone(), self.name(device));
        let detail = if active {
            format!("{key} on {line} has not answered for three polls")
        } else {
            format!("{key} on {line} answers")
        };
        let kind = EventKind::DeviceSilent;
        self.tell(Told::Alarm { kind, line, device: Some(key), active, detail }).await;
    }

    /// The wire works: something came, or at least went out.
    async fn works(&mut self) {
        let was_lost = self.backoff.failures() > 0;
        self.backoff.succeeded();
        if was_lost || !self.worked {
            self.task.gauge.up(self.worked);
            info!(line = self.task.config.name, target = self.task.dial.target(), "line is up");
        }
        // Also at the start: it may have been down when the program was stopped.
        if self.told_down || !self.worked {
            self.told_down = false;
            let line = self.task.config.name.clone();
            let detail = format!("{} works again", self.task.dial.target());
            let kind = EventKind::LineDown;
            self.tell(Told::Alarm { kind, line, device: None, active: false, detail }).await;
        }
        self.worked = true;
    }

    /// The wire cannot be opened or was lost: waits, longer each time. Once it has lasted, every point on
    /// the line is marked and somebody is told, once.
    async fn lost(&mut self, why: &str) {
        self.wire.close();
        let wait = self.backoff.failed(self.task.ids.as_ref());
        debug!(line = self.task.config.name, why, ?wait, "line lost");
        self.task.gauge.lost(why, self.backoff.failures() >= DOWN_AFTER);
        if self.backoff.failures() >= DOWN_AFTER && !self.told_down {
            self.told_down = true;
            self.tell_down(why).await;
        }
        tokio::time::sleep(wait).await;
        self.rounds.line_back(self.task.clock.now(), self.told_down);
    }

    async fn tell_down(&mut self, why: &str) {
        let target = self.task.dial.target();
        let line = self.task.config.name.clone();
        warn!(line, target, why, "line is down");
        let at = self.task.clock.now();
        let marks = self.task.numbers.iter().flatten().map(|no| Reading {
            point: *no,
            at,
            value: None,
            quality: Quality::LineDown,
        });
        let marks = marks.collect();
        self.tell(Told::Readings(marks)).await;
        let detail = format!("{target} cannot be used: {why}");
        self.tell(Told::Alarm { kind: EventKind::LineDown, line, device: None, active: true, detail }).await;
    }

    /// Nobody listens only while the program stops: then what is told is no longer wanted.
    async fn tell(&self, told: Told) {
        if self.task.told.send(told).await.is_err() {
            debug!(line = self.task.config.name, "nobody takes readings any more");
        }
    }

    fn name(&self, device: usize) -> String {
        self.task.config.devices[device].name.clone()
    }
}

#[cfg(test)]
#[path = "task_tests.rs"]
mod tests;
