//! The owner of one line: it asks the rounds whose turn it is, puts questions to the wires, and tells what came of them.
//! `task` starts it; nobody else touches the wires.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use steward_protocols::exchange::Exchange;
use steward_protocols::question::{PointValue, Question};
use steward_shared::alarm::EventKind;
use steward_shared::profile::Framing;
use steward_shared::reading::{Quality, Reading};
use tokio::time::{Instant, sleep_until, timeout_at};
use tracing::{debug, info, warn};

use super::attention::Judge;
use super::errands::Errands;
use super::plan::Plan;
use super::round::Rounds;
use super::task::{LineTask, Told};
use super::timing::Timing;
use super::turn::{Ask, Follow, Outcome, Turn};
use super::window::{FlightNo, Window};
use crate::evidence::Witness;
use crate::lend::{Errand, ErrandFailure, ForErrand, Loan, Visits, What};
use crate::line::{Answer, Backoff, Dial, Failure, Manner, Shared, Wire, cost};

/// After so many failures in a row the line is down and somebody is told; before, it may be a hiccup.
const DOWN_AFTER: u32 = 3;
/// A line is tried again at least this often: a port that was plugged in again is polled within five seconds.
const TRY_AGAIN: Duration = Duration::from_secs(5);

/// Whoever has nothing to do looks again after this.
const LOOK_AGAIN: Duration = Duration::from_secs(5);

/// Exception 6, server device busy: it has not taken the request (MODBUS Application Protocol V1.1b3, 7).
const BUSY: Quality = Quality::Refused(6);

pub(super) struct Owner {
    task: LineTask,
    framing: Framing,
    /// Those on which nobody is asked.
    wires: Vec<Wire>,
    /// Their connection, where it is one for all of them.
    shared: Option<Arc<Shared>>,
    window: Window,
    rounds: Rounds,
    errands: Errands,
    start: Instant,
    backoff: Backoff,
    /// Whether somebody has been told that the line is down.
    told_down: bool,
    warned_of_late: bool,
    /// Whether the wire has worked since this task began, and which devices have answered.
    worked: bool,
    answered: Vec<bool>,
    timings: Vec<Timing>,
    /// Of what the line is asked for.
    judge: Judge,
    witnesses: Vec<Witness>,
}

/// A question that is over, and the wire that it was put on.
struct Flight {
    no: FlightNo,
    wire: Wire,
    what: Carried,
    answer: Result<Answer, Failure>,
    took: Duration,
}

/// What a question is for.
enum Carried {
    Poll(Ask),
    Errand { device: usize, answer: ForErrand },
}

impl Carried {
    const fn device(&self) -> usize {
        match self {
            Self::Poll(ask) => ask.device,
            Self::Errand { device, .. } => *device,
        }
    }
}

type Flying = Pin<Box<dyn Future<Output = Flight> + Send>>;
type Flights = FuturesUnordered<Flying>;

impl Owner {
    pub(super) fn new(task: LineTask) -> Self {
        let slowest = task.config.slowest().max(task.slowest_before);
        let at_once = task.config.in_flight.max(1);
        let shared = (at_once > 1).then(|| Arc::new(Shared::new(Arc::clone(&task.dial))));
        let dial = || shared.clone().map_or_else(|| Arc::clone(&task.dial), |shared| shared as Arc<dyn Dial>);
        let wires: Vec<_> = (0..at_once).map(|_| Wire::new(dial(), &task.config, slowest)).collect();
        let cost_of_silence = wires.first().map_or(slowest, Wire::worst_cost);
        let plans =
            task.config.devices.iter().map(|d| Plan::new(d, cost(&task.config.wire, d, None))).collect();
        let mut rounds = Rounds::new(plans, cost_of_silence, task.clock.now(), Duration::ZERO);
        rounds.carry(at_once);
        for (device, _) in task.silent_before.iter().enumerate().filter(|(_, silent)| **silent) {
            rounds.stays_silent(device);
            task.gauge.silent(device, true);
        }
        let start = Instant::now();
        let answered = vec![false; task.config.devices.len()];
        let framing = task.config.wire.framing();
        let witnesses = task.config.devices.iter().map(|d| Witness::of(d, framing)).collect();
        let timings = vec![Timing::default(); task.config.devices.len()];
        Self {
            framing,
            task,
            wires,
            shared,
            window: Window::new(at_once),
            rounds,
            errands: Errands::new(cost_of_silence, Duration::ZERO),
            start,
            backoff: Backoff::new(TRY_AGAIN),
            told_down: false,
            warned_of_late: false,
            worked: false,
            answered,
            timings,
            judge: Judge::default(),
            witnesses,
        }
    }

    pub(super) async fn run(mut self) {
        let Visits { mut loans, mut errands } = std::mem::replace(&mut self.task.visits, Visits::none());
        let mut flights = Flights::new();
        let mut waiting = None;
        loop {
            waiting = waiting.or_else(|| loans.try_recv().ok());
            while self.errands.has_room()
                && let Ok(errand) = errands.try_recv()
            {
                self.errands.add(errand);
            }
            if flights.is_empty()
                && let Some(loan) = waiting.take()
            {
                self.lend(loan).await;
            }
            // Nobody is asked before a loan.
            let next = if waiting.is_none() { self.next(flights.len()) } else { Err(LOOK_AGAIN) };
            let wait = match next {
                Ok(flight) => {
                    flights.push(flight);
                    continue;
                }
                Err(wait) => wait,
            };
            let (is_quiet, has_room) = (flights.is_empty(), self.errands.has_room());
            tokio::select! {
                // What is over waits here until it is looked at.
                Some(flight) = flights.next(), if !is_quiet => self.landed(flight, &mut flights).await,
                // A rest that is broken off has taken nothing; a loan or an errand that is not taken now waits.
                () = self.rest(wait, is_quiet) => {}
                Some(loan) = loans.recv(), if waiting.is_none() => waiting = Some(loan),
                Some(errand) = errands.recv(), if has_room => self.errands.add(errand),
            }
            self.tell_stray();
        }
    }

    /// What is put now, beside `under_way`; or for how long there is nothing to put unless something lands.
    fn next(&mut self, under_way: usize) -> Result<Flying, Duration> {
        let at_once = match &self.shared {
            // The first question opens the connection.
            Some(shared) if !shared.is_open() => 1,
            _ => self.window.limit(),
        };
        if under_way >= at_once {
            return Err(LOOK_AGAIN);
        }
        let (now, mono) = (Instant::now(), self.start.elapsed());
        if let Some(errand) = self.errands.first(now, mono) {
            return self.run_errand(errand);
        }
        match self.rounds.next(self.task.clock.now(), mono) {
            Turn::Ask(ask) => {
                self.errands.polled();
                Ok(self.ask(ask))
            }
            Turn::Wait(wait) => match self.errands.between(mono, wait) {
                Some(errand) => self.run_errand(errand),
                None => Err(self.errands.wait(now, mono).map_or(wait, |errands| errands.min(wait))),
            },
        }
    }

    fn ask(&mut self, ask: Ask) -> Flying {
        let device = &self.task.config.devices[ask.device];
        let patience = self.timings[ask.device].patience().filter(|_| ask.is_probe);
        let exchange = ask.question.exchange(device.address, self.framing).map_err(|e| e.to_string());
        self.put(ask.device, exchange, patience, Carried::Poll(ask))
    }

    fn run_errand(&mut self, errand: Errand) -> Result<Flying, Duration> {
        let devices = &self.task.config.devices;
        let Some(device) = devices.iter().position(|d| d.name == errand.device) else {
            errand.answer.end(Err(ErrandFailure::NoSuchDevice));
            return Err(Duration::ZERO);
        };
        let Errand { what, answer, .. } = errand;
        let of = &devices[device];
        let exchange = match what {
            What::Exchange(exchange) => exchange,
            What::Span(words) => {
                let question = Question::of(&of.profile, &words);
                let Some(exchange) = question.and_then(|q| q.exchange(of.address, self.framing).ok()) else {
                    answer.end(Err(ErrandFailure::NoSuchPart));
                    return Err(Duration::ZERO);
                };
                exchange
            }
        };
        Ok(self.put(device, Ok(exchange), None, Carried::Errand { device, answer }))
    }

    fn put(
        &mut self,
        device: usize,
        exchange: Result<Box<dyn Exchange>, String>,
        patience: Option<Duration>,
        what: Carried,
    ) -> Flying {
        let device = &self.task.config.devices[device];
        let (profile, character) = (Arc::clone(&device.profile), device.character);
        let mut wire = self.wires.pop().expect("there is a wire for each question that may be under way");
        let no = self.window.put();
        Box::pin(async move {
            let begun = Instant::now();
            let manner = Manner { character, ..Manner::from(&*profile) };
            let answer = match exchange {
                Ok(exchange) => wire.ask(exchange, manner, patience).await,
                // The file's reader and the planner keep to the standard: this is a fault of ours, told as such.
                Err(why) => Err(Failure::Device { quality: Quality::BadReply, why }),
            };
            Flight { no, wire, what, answer, took: begun.elapsed() }
        })
    }

    /// Takes in what came of a question. Where the line was lost over it, so are the others that were under way.
    async fn landed(&mut self, flight: Flight, flights: &mut Flights) {
        let Some(why) = self.settle(flight).await else { return };
        if let Some(shared) = &self.shared {
            shared.give_up(&why);
        }
        while let Some(flight) = flights.next().await {
            self.settle(flight).await;
        }
        self.lost(&why).await;
    }

    /// What came of one question, and why the line is lost, where it is.
    async fn settle(&mut self, flight: Flight) -> Option<String> {
        let Flight { no, mut wire, what, answer, mut took } = flight;
        let among_others = self.window.landed(no);
        took += answer.as_ref().err().map_or(Duration::ZERO, |_| wire.rest());
        let seen = wire.seen();
        if answer.is_err() && self.shared.is_some() {
            // What comes late is for nobody, and holds up nobody.
            wire.close();
        }
        self.wires.push(wire);
        if self.shared.as_ref().is_some_and(|shared| shared.was_refused()) {
            self.fall_back("it closes the connection when it is asked several things at once");
        }
        let device = what.device();
        if let Some((seen, how)) = seen {
            self.task.gauge.seen(device, seen, how);
        }
        match what {
            Carried::Poll(ask) => self.polled(ask, answer, took, among_others).await,
            Carried::Errand { answer: to, .. } => self.ran(device, to, answer, took).await,
        }
    }

    async fn ran(
        &mut self,
        device: usize,
        to: ForErrand,
        answer: Result<Answer, Failure>,
        took: Duration,
    ) -> Option<String> {
        self.errands.pay(took, self.start.elapsed());
        match answer {
            Ok(answer) => {
                self.works().await;
                let at = self.task.clock.now();
                self.task.gauge.asked(device, self.share_of(took), Ok((at, answer.turnaround)));
                to.end(Ok(answer.reply));
                None
            }
            Err(failure) => {
                let why = failure.to_string();
                let is_lost = matches!(failure, Failure::Lost(_) | Failure::Babbling);
                if !is_lost {
                    self.task.gauge.asked(device, self.share_of(took), Err(&why));
                }
                to.end(Err(ErrandFailure::Failed(why.clone())));
                is_lost.then_some(why)
            }
        }
    }

    /// The line time of a question, where several share it.
    fn share_of(&self, took: Duration) -> Duration {
        took / u32::try_from(self.window.limit()).unwrap_or(1)
    }

    fn fall_back(&mut self, why: &str) {
        if self.window.fall_back() {
            self.one_at_a_time(why);
        }
    }

    fn one_at_a_time(&mut self, why: &str) {
        self.rounds.carry(1);
        warn!(line = self.task.config.name, why, "one question at a time from now on; set in_flight = 1");
    }

    async fn polled(
        &mut self,
        ask: Ask,
        answer: Result<Answer, Failure>,
        took: Duration,
        among_others: bool,
    ) -> Option<String> {
        let was_down = self.told_down;
        let line_time = self.share_of(took);
        self.task.gauge.missed(self.rounds.missed());
        let outcome = match answer {
            Ok(answer) => {
                self.works().await;
                if answer.reply.as_ref().err().is_some_and(|no| no.quality == BUSY) && among_others {
                    self.fall_back("it is busy when it is asked several things at once");
                    self.rounds.give_back(&ask);
                    return None;
                }
                if self.window.answered(ask.device, among_others) {
                    self.one_at_a_time("it passes over questions when it is asked several at once");
                }
                self.learn(ask.device, answer.turnaround.saturating_sub(answer.on_wire));
                match answer.reply {
                    Ok(contents) => {
                        self.task.gauge.asked(ask.device, line_time, Ok((ask.slot, answer.turnaround)));
                        self.tell_values(&ask, contents).await;
                        Outcome::Answered
                    }
                    Err(refusal) => {
                        self.task.gauge.asked(ask.device, line_time, Err(&refusal.to_string()));
                        Outcome::Refused { quality: refusal.quality, about: refusal.about }
                    }
                }
            }
            Err(Failure::Device { quality, why }) => {
                self.works().await;
                if among_others && quality == Quality::NoReply {
                    self.window.lost(ask.device);
                }
                self.task.gauge.asked(ask.device, line_time, Err(&why));
                debug!(line = self.task.config.name, device = self.name(ask.device), why, "no value");
                Outcome::Failed(quality)
            }
            Err(Failure::HungUp(why)) => {
                let why = format!("the line was closed over the question: {why}");
                // Over which of several questions, nobody knows.
                if among_others || self.rounds.hung_up(&ask, self.start.elapsed()) {
                    self.rounds.give_back(&ask);
                    return Some(why);
                }
                self.task.gauge.asked(ask.device, line_time, Err(&why));
                debug!(line = self.task.config.name, device = self.name(ask.device), why, "no value");
                Outcome::Failed(Quality::NoReply)
            }
            Err(failure @ (Failure::Lost(_) | Failure::Babbling)) => {
                self.rounds.give_back(&ask);
                return Some(match failure {
                    Failure::Lost(why) => why.to_string(),
                    other => other.to_string(),
                });
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
        None
    }

    async fn tell_values(&self, ask: &Ask, contents: Vec<u8>) {
        let profile = &self.task.config.devices[ask.device].profile;
        let numbers = &self.task.numbers[ask.device];
        let values = ask.question.values(&profile.points, &contents);
        let reading = |v: PointValue| {
            let point = *numbers.get(v.point)?;
            Some(Reading { point, at: ask.slot, value: v.value, quality: v.quality })
        };
        self.tell(Told::Readings(values.into_iter().filter_map(reading).collect())).await;
        if let Some(span) = ask.question.words() {
            self.task.evidence.heard(self.witnesses[ask.device].heard(span, ask.slot, contents));
        }
    }

    /// Gives the line to a tool. What was due meanwhile is not read: the tool has asked for it, or for something else.
    async fn lend(&mut self, loan: Loan) {
        let rest = self.wires.iter_mut().map(Wire::lend).max().unwrap_or_default();
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
        let strange = self.shared.as_ref().map_or(0, |shared| shared.strange_bytes());
        self.task.gauge.stray(self.wires.iter().map(Wire::stray_bytes).sum::<u64>() + strange);
        if self.wires.iter().any(Wire::was_late) && !std::mem::replace(&mut self.warned_of_late, true) {
            warn!(
                line = self.task.config.name,
                "a device answered after the line had waited for it; give the line or its profile a longer timeout"
            );
        }
    }

    /// Waits for the next turn. An open wire is listened to meanwhile, where no question is under way: what comes unasked
    /// is thrown away, and a wire that breaks is closed at once, to be opened again when there is something to ask.
    async fn rest(&mut self, wait: Duration, is_quiet: bool) {
        let until = Instant::now() + wait;
        if let Some(wire) = self.wires.iter_mut().find(|wire| is_quiet && wire.is_open()) {
            // Losing the listening when the time is over is harmless: it has taken nothing that is wanted.
            let Ok(why) = timeout_at(until, wire.listen()).await else { return };
            debug!(line = self.task.config.name, why = %why, "idle line closed");
            wire.close();
        }
        sleep_until(until).await;
    }

    /// How long a device takes says how its points are best put together.
    fn learn(&mut self, device: usize, turnaround: Duration) {
        let timing = &mut self.timings[device];
        timing.answered(turnaround);
        if let Some(usual) = timing.usual() {
            let cost = cost(&self.task.config.wire, &self.task.config.devices[device], Some(usual));
            self.rounds.learned(device, cost);
            let share = || self.rounds.share() / self.window.limit() as f64;
            self.judge.look(self.start.elapsed(), share, &self.task, &self.timings);
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
        self.wires.iter_mut().for_each(|wire| {
            wire.close();
        });
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
#[path = "owner_tests.rs"]
mod tests;
