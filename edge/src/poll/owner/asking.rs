//! The owner itself and its loop: whose turn it is, questions put to the wires, loans, and rests. Nobody else touches the
//! wires.

use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use futures_util::stream::FuturesUnordered;
use steward_protocols::exchange::Exchange;
use steward_protocols::question::Question;
use steward_shared::profile::Framing;
use steward_shared::reading::Quality;
use tokio::time::{Instant, sleep_until, timeout_at};
use tracing::{debug, info, warn};

use super::super::attention::Judge;
use super::super::errands::Errands;
use super::super::plan::Plan;
use super::super::round::Rounds;
use super::super::task::LineTask;
use super::super::timing::Timing;
use super::super::turn::{Ask, Turn};
use super::super::window::{FlightNo, Window};
use crate::evidence::Witnesses;
use crate::lend::{Errand, ErrandFailure, ForErrand, Loan, Visits, What};
use crate::line::{Answer, Backoff, Dial, Failure, Manner, Shared, Wire, cost};

/// A line is tried again at least this often: a port that was plugged in again is polled within five seconds.
const TRY_AGAIN: Duration = Duration::from_secs(5);

/// Whoever has nothing to do looks again after this.
const LOOK_AGAIN: Duration = Duration::from_secs(5);

pub(in super::super) struct Owner {
    pub(super) task: LineTask,
    framing: Framing,
    /// Those on which nobody is asked.
    pub(super) wires: Vec<Wire>,
    /// Their connection, where it is one for all of them.
    pub(super) shared: Option<Arc<Shared>>,
    pub(super) window: Window,
    pub(super) rounds: Rounds,
    pub(super) errands: Errands,
    pub(super) start: Instant,
    pub(super) backoff: Backoff,
    /// Whether somebody has been told that the line is down.
    pub(super) told_down: bool,
    pub(super) warned_of_late: bool,
    /// Whether the wire has worked since this task began, and which devices have answered.
    pub(super) worked: bool,
    pub(super) answered: Vec<bool>,
    pub(super) timings: Vec<Timing>,
    /// Of what the line is asked for.
    pub(super) judge: Judge,
    pub(super) witnesses: Witnesses,
}

/// A question that is over, and the wire that it was put on.
pub(super) struct Flight {
    pub(super) no: FlightNo,
    pub(super) wire: Wire,
    pub(super) what: Carried,
    pub(super) answer: Result<Answer, Failure>,
    pub(super) took: Duration,
}

/// What a question is for.
pub(super) enum Carried {
    Poll(Ask),
    Errand { device: usize, answer: ForErrand },
}

impl Carried {
    pub(super) const fn device(&self) -> usize {
        match self {
            Self::Poll(ask) => ask.device,
            Self::Errand { device, .. } => *device,
        }
    }
}

pub(super) type Flying = Pin<Box<dyn Future<Output = Flight> + Send>>;
pub(super) type Flights = FuturesUnordered<Flying>;

impl Owner {
    pub(in super::super) fn new(task: LineTask) -> Self {
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
        let witnesses = Witnesses::of(task.evidence.clone(), &task.config.devices, framing);
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

    pub(in super::super) async fn run(mut self) {
        let Visits { mut loans, mut errands, networks: _ } =
            std::mem::replace(&mut self.task.visits, Visits::none());
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
}
