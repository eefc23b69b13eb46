//! The errands that wait for a line, and when one is put between two questions of polling. Pure; the line's task asks it.
//!
//! Two promises are kept. An errand waits for no more than the questions under way, as long as errands have not
//! used up their share of the line; and polling waits for no more than one errand, since two of them never follow each
//! other while something is due. An order goes before a question, and the earlier deadline before the later. Nothing is
//! put twice: whether an order without an answer was carried out, whoever gave it must find out.

use std::collections::VecDeque;
use std::time::Duration;

use tokio::time::Instant;

use super::budget::Budget;
use crate::lend::{Errand, ErrandFailure};

/// Of the line's time, while polling wants the rest.
const SHARE: f64 = 0.25;
/// As many wait in the queue; behind them in the channel.
const MOST: usize = 16;

/// Those that wait.
#[derive(Debug)]
pub struct Errands {
    waiting: VecDeque<Errand>,
    budget: Budget,
    /// What one may cost.
    cost: Duration,
    /// The last that was put was an errand, and polling has not had its turn since.
    owes_turn: bool,
}

impl Errands {
    /// `cost`: the line time of a question that nobody answers.
    pub fn new(cost: Duration, mono: Duration) -> Self {
        Self { waiting: VecDeque::new(), budget: Budget::of(SHARE, cost, mono), cost, owes_turn: false }
    }

    pub fn has_room(&self) -> bool {
        self.waiting.len() < MOST
    }

    pub fn add(&mut self, errand: Errand) {
        self.waiting.push_back(errand);
    }

    /// The errand that goes before polling, whatever is due. Those whose time is over are told so.
    pub fn first(&mut self, now: Instant, mono: Duration) -> Option<Errand> {
        self.end_late(now);
        let may = !self.owes_turn && self.budget.wait(self.cost, mono).is_zero();
        self.owes_turn = may && !self.waiting.is_empty();
        if may { self.take() } else { None }
    }

    /// The errand that is put while polling wants nothing for so long.
    pub fn between(&mut self, mono: Duration, idle: Duration) -> Option<Errand> {
        let may = idle >= self.cost || self.budget.wait(self.cost, mono).is_zero();
        self.owes_turn = may && !self.waiting.is_empty();
        if may { self.take() } else { None }
    }

    fn take(&mut self) -> Option<Errand> {
        let best = self.waiting.iter().enumerate().min_by_key(|(_, e)| (e.class, e.deadline))?.0;
        self.waiting.remove(best)
    }

    /// Polling has had its turn.
    pub fn polled(&mut self) {
        self.owes_turn = false;
    }

    /// When to look again, where some wait.
    pub fn wait(&mut self, now: Instant, mono: Duration) -> Option<Duration> {
        let first = self.waiting.iter().map(|e| e.deadline).min()?;
        let late = first.saturating_duration_since(now);
        Some(self.budget.wait(self.cost, mono).min(late).max(Duration::from_millis(1)))
    }

    pub fn pay(&mut self, took: Duration, mono: Duration) {
        self.budget.pay(took, mono);
    }

    fn end_late(&mut self, now: Instant) {
        let (late, waiting) =
            std::mem::take(&mut self.waiting).into_iter().partition::<VecDeque<_>, _>(|e| now >= e.deadline);
        self.waiting = waiting;
        for errand in late {
            errand.answer.end(Err(ErrandFailure::TooLate));
        }
    }
}
