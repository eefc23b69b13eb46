//! What comes of a question that is over: whether the line works, what its device is, and whether others are given up too.
//! The owner's loop calls it with each question that has landed.

use std::time::Duration;

use futures_util::StreamExt;
use steward_shared::alarm::EventKind;
use steward_shared::reading::Quality;
use tracing::{debug, info, warn};

use super::super::task::Told;
use super::super::turn::{Ask, Outcome};
use super::asking::{Carried, Flight, Flights, Owner};
use crate::lend::{ErrandFailure, ForErrand};
use crate::line::{Answer, Failure, cost};

/// After so many failures in a row the line is down and somebody is told; before, it may be a hiccup.
const DOWN_AFTER: u32 = 3;

/// Exception 6, server device busy: it has not taken the request (MODBUS Application Protocol V1.1b3, 7).
const BUSY: Quality = Quality::Refused(6);

impl Owner {
    /// Takes in what came of a question. Where the line was lost over it, so are the others that were under way.
    pub(super) async fn landed(&mut self, flight: Flight, flights: &mut Flights) {
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
}
