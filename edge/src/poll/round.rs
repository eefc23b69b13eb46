//! Whose turn it is on one line: a pure machine that the line's task asks and tells. It reads no clock and
//! does no I/O: `now` is the wall clock, `mono` the time since the task began.
//!
//! | a device | is asked | goes on when |
//! |---|---|---|
//! | answering | each block in its slot, earliest deadline first | a question fails: asked once more |
//! | failing | not before its next slot | it answers: answering; three failed polls: silent |
//! | silent | one block at a time, out of the line's bounded share | it answers: answering, all blocks at once |
//!
//! From its first failure on a device is doubted, until it has answered `TRUST_AFTER` questions in a row: it is asked
//! when that keeps nobody waiting, or else out of the line's bounded share.
//! What is refused by itself is asked for ever more seldom, and the others are asked around it.
//! A block that fails three polls while its device answers is asked out of the same share. A line that is closed
//! over a question is a device that fails, unless it is closed over everybody.
//!
//! Where a line carries several questions at once, one of them at most is doubtful: to a device that is doubted or silent,
//! or of a block that never comes. So the dead take one place, and the others are free for those who answer.

use std::time::Duration;

use steward_protocols::cost::Cost;
use steward_protocols::exchange::About;
use steward_protocols::question::Question;
use steward_shared::reading::Quality;
use steward_shared::time::Timestamp;

use super::block::{BlockNo, Blocks, Scheduled};
use super::budget::Budget;
use super::grid::Grid;
use super::plan::Plan;
use super::trial::{Next, TrialNo, Trials};
use super::turn::{Ask, Follow, Outcome, Risk, Turn};

/// Polls without an answer until a device is silent, or a block is dead.
pub const DEAD_AFTER: u8 = 3;
/// Answers in a row until a device that failed is trusted with the line's time again.
const TRUST_AFTER: u8 = 20;
/// So many questions in a row over which the line was closed may all be one block's doing.
const DOUBTED: u32 = 2;
/// A silent device is asked at least this often when the line's share allows.
const PROBE_MOST: Duration = Duration::from_secs(30);
/// A silent device is asked after so many times the line time that the last probe cost: it takes at most a fiftieth.
const PROBE_SHARE: u32 = 50;
/// Of so many probes one waits as long as any question.
const PATIENT: u32 = 4;
/// Blocks that a device refused and that were halved are tried whole again after this time, and each time after twice as
/// long: it may only have been starting. Most are settled sooner, by trials.
const WHOLE_AGAIN: Duration = Duration::from_mins(10);
/// The wall clock is looked at again after this long, so that a step of it is seen.
const LOOK_AGAIN: Duration = Duration::from_secs(5);
/// The wall clock has jumped when it runs apart from the monotonic clock by more than this.
const CLOCK_STEP_MS: i64 = 1_000;

#[derive(Debug, Clone)]
struct Device {
    /// As planned, before anything was halved.
    plan: Plan,
    fastest: Duration,
    failed_polls: u8,
    /// Answers that are wanted until it is trusted again.
    doubt: u8,
    retrying: bool,
    rest_until: Duration,
    /// Questions to it under way.
    asked: usize,
    /// When it failed last: what was asked before says nothing new by failing too.
    failed_at: Duration,
    /// When a block of it was halved last, and after what time it is tried whole again.
    halved: Option<Duration>,
    whole_again: Duration,
    trials: Trials,
    /// What its questions cost, as far as is known.
    cost: Cost,
    /// Its plan is to be made anew when none of its slots is open.
    stale_plan: bool,
    /// Not before this for no other reason than what its questions cost.
    settled_until: Duration,
    silent: bool,
    probe_at: Duration,
    probes: u32,
    /// When the line was closed over a question to it, unless somebody has answered since.
    hung_up: Option<Duration>,
}

/// The rounds of one line.
#[derive(Debug)]
pub struct Rounds {
    devices: Vec<Device>,
    blocks: Blocks,
    /// How many questions the line carries at once.
    at_once: usize,
    /// Whether one that is doubtful is under way.
    doubtful: bool,
    budget: Budget,
    /// Whether the share went to a silent device last: the next turn is of one that is only doubted.
    probed: bool,
    /// What a question without answer costs in line time.
    cost: Duration,
    /// Slots that went by untaken, since the start.
    missed: u64,
    /// Questions over which the line was closed, since the last answer.
    hung_up: u32,
    last_look: (Timestamp, Duration),
}

impl Rounds {
    /// `cost`: the line time of a question that nobody answers.
    pub fn new(devices: Vec<Plan>, cost: Duration, now: Timestamp, mono: Duration) -> Self {
        let mut rounds = Self {
            devices: Vec::with_capacity(devices.len()),
            blocks: Blocks::default(),
            at_once: 1,
            doubtful: false,
            budget: Budget::new(cost, mono),
            probed: false,
            cost,
            missed: 0,
            hung_up: 0,
            last_look: (now, mono),
        };
        for (device, plan) in devices.into_iter().enumerate() {
            let fastest = plan.questions.iter().map(|(_, period)| *period).min().unwrap_or(LOOK_AGAIN);
            // The present slot may have begun long ago: the first poll bears its own instant.
            let first = |(question, period): &(Question, Duration)| Scheduled {
                catch_up: true,
                first: plan.is_first(question),
                ..Scheduled::new(device, question.clone(), *period, now)
            };
            plan.questions.iter().map(first).for_each(|block| rounds.blocks.add(block));
            rounds.devices.push(Device {
                cost: plan.cost,
                plan,
                fastest,
                failed_polls: 0,
                doubt: 0,
                retrying: false,
                rest_until: Duration::ZERO,
                asked: 0,
                failed_at: Duration::ZERO,
                halved: None,
                whole_again: WHOLE_AGAIN,
                trials: Trials::default(),
                stale_plan: false,
                settled_until: Duration::ZERO,
                silent: false,
                probe_at: Duration::ZERO,
                probes: 0,
                hung_up: None,
            });
        }
        rounds
    }

    /// The device was silent under the line's owner before, and whoever watches has been told: it is one still.
    pub fn stays_silent(&mut self, device: usize) {
        if let Some(silent) = self.devices.get_mut(device) {
            (silent.silent, silent.doubt) = (true, TRUST_AFTER);
        }
        for own in self.blocks.values_mut().filter(|b| b.device == device) {
            own.marked = Some(Quality::NoReply);
        }
    }

    /// How many questions the line carries at once, from now on.
    pub fn carry(&mut self, at_once: usize) {
        self.at_once = at_once;
    }

    pub fn missed(&self) -> u64 {
        self.missed
    }

    /// Whose turn it is. A question that is handed out is taken: tell its end by `settle`, or `give_back`.
    pub fn next(&mut self, now: Timestamp, mono: Duration) -> Turn {
        self.follow_clock(now, mono);
        self.renew(now, mono);
        let free = self.budget.wait(self.cost, mono);
        let mut wait = LOOK_AGAIN;
        let due = |b: &Scheduled| {
            let rest = self.devices[b.device].rest_until.saturating_sub(mono);
            b.grid.next().since(now).max(rest)
        };
        let is_trusted = |b: &&Scheduled| {
            b.failed < DEAD_AFTER && !self.devices[b.device].silent && self.devices[b.device].doubt == 0
        };
        // Then a doubted device may be asked: nobody who answers comes due before it has cost a whole timeout.
        let keeps_nobody =
            self.at_once > 1 || self.blocks.values().filter(is_trusted).all(|b| due(b) >= self.cost);
        // Whoever the line was closed over comes last, so that the others are asked in between.
        let order =
            |b: &Scheduled| (self.devices[b.device].hung_up.map(|at| (at, b.failed)), !b.first, b.deadline());
        let mut turn: Option<(BlockNo, bool)> = None;
        for (which, scheduled) in self.blocks.iter() {
            let device = &self.devices[scheduled.device];
            let is_dead = scheduled.failed >= DEAD_AFTER;
            let is_alone = !self.doubtful && device.asked == 0;
            if device.silent || scheduled.asked || (is_dead || device.doubt > 0) && !is_alone {
                continue;
            }
            let on_share = is_dead || device.doubt > 0 && !keeps_nobody;
            let until = if on_share { due(scheduled).max(free) } else { due(scheduled) };
            if !until.is_zero() {
                wait = wait.min(until);
            } else if turn.is_none_or(|(best, _)| order(scheduled) < order(&self.blocks[best])) {
                turn = Some((which, on_share));
            }
        }
        let wants_share = turn.is_some_and(|(_, on_share)| on_share);
        let probe = self.probe(mono, free, &mut wait).filter(|_| !(wants_share && self.probed));
        if let Some(probe) = probe {
            // A probe costs a whole timeout: it goes first only because its share is bounded.
            turn = Some((probe, true));
        }
        let Some((which, on_share)) = turn else { return Turn::Wait(wait.max(Duration::from_millis(1))) };
        if on_share {
            self.probed = probe.is_some();
        }
        Turn::Ask(self.take(which, on_share, now, mono))
    }

    /// The block to probe a silent device with, if one may be probed now; the longest waiting goes first.
    fn probe(&self, mono: Duration, free: Duration, wait: &mut Duration) -> Option<BlockNo> {
        if self.doubtful {
            return None;
        }
        let (index, device) =
            self.devices.iter().enumerate().filter(|(_, d)| d.silent).min_by_key(|(_, d)| d.probe_at)?;
        let until = device.probe_at.saturating_sub(mono).max(free);
        if !until.is_zero() {
            *wait = (*wait).min(until);
            return None;
        }
        let mut own = self.blocks.iter().filter(|(_, b)| b.device == index).map(|(which, _)| which);
        let count = own.clone().count().max(1);
        // Another block each time: the first may be the one that this device never answers.
        own.nth(device.probes as usize % count)
    }

    fn take(&mut self, which: BlockNo, on_share: bool, now: Timestamp, mono: Duration) -> Ask {
        let scheduled = &mut self.blocks[which];
        let device = &mut self.devices[scheduled.device];
        let silent = device.silent;
        let is_probe = silent && device.probes % PATIENT != PATIENT - 1;
        let is_doubtful = silent || device.doubt > 0 || scheduled.failed >= DEAD_AFTER;
        let risk = match (is_doubtful, on_share) {
            (_, true) => Risk::OnShare,
            (true, false) => Risk::Doubtful,
            (false, false) => Risk::None,
        };
        scheduled.asked = true;
        device.asked += 1;
        self.doubtful |= is_doubtful;
        let catch_up = silent || scheduled.failed >= DEAD_AFTER || scheduled.catch_up;
        let slot = match scheduled.grid.take(now) {
            _ if catch_up => now,
            Some((slot, missed)) => {
                self.missed += missed;
                slot
            }
            // A second try within a slot that was taken.
            None => now.floor_to(scheduled.grid.period()),
        };
        Ask {
            device: scheduled.device,
            question: scheduled.question.clone(),
            slot,
            catch_up,
            is_probe,
            risk,
            begun: mono,
            which,
        }
    }

    /// It is under way no more.
    fn land(&mut self, ask: &Ask) {
        if let Some(scheduled) = self.blocks.get_mut(ask.which) {
            scheduled.asked = false;
        }
        let device = &mut self.devices[ask.device];
        device.asked = device.asked.saturating_sub(1);
        self.doubtful &= ask.risk == Risk::None;
    }

    /// Takes the end of a question in. `took` is the line time it cost, quarantine and all.
    pub fn settle(
        &mut self,
        ask: &Ask,
        outcome: Outcome,
        took: Duration,
        now: Timestamp,
        mono: Duration,
    ) -> Vec<Follow> {
        self.land(ask);
        if !matches!(outcome, Outcome::Failed(_)) {
            self.hung_up = 0;
            self.devices.iter_mut().for_each(|d| d.hung_up = None);
        }
        match outcome {
            Outcome::Answered => {
                self.end_rest(ask);
                self.answered(ask, now)
            }
            Outcome::Refused { quality, about: About::Absence } | Outcome::Failed(quality) => {
                self.failed(ask, quality, took, now, mono)
            }
            Outcome::Refused { quality, about } => self.refused(ask, quality, about, now, mono),
        }
    }

    fn answered(&mut self, ask: &Ask, now: Timestamp) -> Vec<Follow> {
        let device = &mut self.devices[ask.device];
        device.failed_polls = 0;
        device.doubt = device.doubt.saturating_sub(1);
        device.retrying = false;
        if !device.silent {
            let scheduled = &mut self.blocks[ask.which];
            (scheduled.failed, scheduled.marked, scheduled.catch_up) = (0, None, false);
            return match scheduled.trial.take() {
                Some(no) => {
                    let next = self.devices[ask.device].trials.answered(no);
                    self.try_on(ask, no, next)
                }
                None => Vec::new(),
            };
        }
        device.silent = false;
        // It may have been restarted or exchanged: what it refused before is tried again as planned.
        device.plan.refused.clear();
        device.whole_again = WHOLE_AGAIN;
        self.blocks.retain(|b| b.device != ask.device);
        self.replan(ask.device, now);
        for scheduled in self.blocks.values_mut().filter(|b| b.device == ask.device) {
            scheduled.catch_up = scheduled.question != ask.question;
            if !scheduled.catch_up {
                scheduled.grid.take(now);
            }
        }
        vec![Follow::AnswersAgain { device: ask.device }]
    }

    fn refused(
        &mut self,
        ask: &Ask,
        quality: Quality,
        about: About,
        now: Timestamp,
        mono: Duration,
    ) -> Vec<Follow> {
        let trial = self.blocks[ask.which].trial.take();
        let mut follow = self.answered(ask, now);
        if !follow.is_empty() {
            // It has just come back, and is asked anew by its plan: then it may refuse again.
            return follow;
        }
        let points = &self.devices[ask.device].plan.profile.points;
        match (about == About::Place).then(|| ask.question.split(points)).flatten() {
            Some(split) => {
                // Both parts are due at once, in the slot of the whole.
                let device = &mut self.devices[ask.device];
                device.halved = Some(mono);
                let no = device.trials.begin(ask.question.bare(), &split);
                let period = self.blocks[ask.which].grid.period();
                let part = |question| Scheduled {
                    catch_up: ask.catch_up,
                    trial: no,
                    first: device.plan.is_first(&question),
                    ..Scheduled::new(ask.device, question, period, ask.slot)
                };
                let [left, right] = split.parts.map(part);
                self.blocks[ask.which] = left;
                self.blocks.add(right);
            }
            None if ask.question.points().is_empty() => {}
            None => {
                if about == About::Place {
                    self.rest(ask, now);
                }
                let points = ask.question.points().to_vec();
                follow.push(Follow::Mark { device: ask.device, points, quality });
            }
        }
        if let Some(no) = trial {
            let next = self.devices[ask.device].trials.refused(no);
            follow.extend(self.try_on(ask, no, next));
        }
        follow
    }

    /// It was refused, and cannot be asked in parts: it is asked ever more seldom, and the others without it.
    fn rest(&mut self, ask: &Ask, now: Timestamp) {
        let (scheduled, device) = (&mut self.blocks[ask.which], &mut self.devices[ask.device]);
        if scheduled.rest(now) {
            device.plan.refused.extend(ask.question.points());
            device.stale_plan = true;
        }
    }

    /// What was refused is answered: it goes with the others again.
    fn end_rest(&mut self, ask: &Ask) {
        if self.blocks[ask.which].end_rest() {
            let device = &mut self.devices[ask.device];
            device.plan.refused.retain(|point| !ask.question.points().contains(point));
            device.stale_plan = true;
        }
    }

    /// Goes on with a trial after one of its questions.
    fn try_on(&mut self, ask: &Ask, no: TrialNo, next: Next) -> Vec<Follow> {
        if ask.question.points().is_empty() {
            // It was asked for its own sake, and once.
            self.blocks.remove(ask.which);
        }
        let device = &mut self.devices[ask.device];
        match next {
            Next::Nothing => Vec::new(),
            Next::Ask(question) => {
                let period = device.fastest;
                self.blocks.add(Scheduled {
                    trial: Some(no),
                    catch_up: true,
                    ..Scheduled::new(ask.device, question, period, ask.slot)
                });
                Vec::new()
            }
            Next::Over(found) => {
                device.stale_plan = true;
                found.into_iter().map(|hole| Follow::Hole { device: ask.device, hole }).collect()
            }
        }
    }

    fn failed(
        &mut self,
        ask: &Ask,
        quality: Quality,
        took: Duration,
        now: Timestamp,
        mono: Duration,
    ) -> Vec<Follow> {
        if ask.risk == Risk::OnShare {
            self.budget.pay(took, mono);
        }
        if let Some(no) = self.blocks[ask.which].trial.filter(|_| ask.question.points().is_empty()) {
            let next = self.devices[ask.device].trials.given_up(no);
            return self.try_on(ask, no, next);
        }
        let scheduled = &mut self.blocks[ask.which];
        let device = &mut self.devices[ask.device];
        if ask.begun < device.failed_at {
            // It was under way when its device failed: that is one failure, not several.
            scheduled.grid.retake(ask.slot);
            return Vec::new();
        }
        device.failed_at = mono;
        if device.silent {
            device.probes = device.probes.saturating_add(1);
            let pause = device.fastest.saturating_mul(1 << device.probes.min(16)).min(PROBE_MOST);
            device.probe_at = mono + pause.max(took.saturating_mul(PROBE_SHARE));
            return Vec::new();
        }
        if scheduled.failed >= DEAD_AFTER {
            return Vec::new();
        }
        device.doubt = TRUST_AFTER;
        // Silence costs a whole timeout, so only its first is doubted; a damaged answer shows that the device lives.
        if (device.failed_polls == 0 || quality == Quality::BadReply) && !device.retrying {
            device.retrying = true;
            scheduled.grid.retake(ask.slot);
            return Vec::new();
        }
        device.retrying = false;
        device.failed_polls += 1;
        device.rest_until = mono + now.floor_to(device.fastest).plus(device.fastest).since(now);
        scheduled.failed += 1;
        let mark = |points| Follow::Mark { device: ask.device, points, quality };
        if device.failed_polls >= DEAD_AFTER {
            device.silent = true;
            device.probes = 0;
            device.probe_at = mono + device.fastest;
            let points = device.plan.questions.iter().flat_map(|(q, _)| q.points().iter().copied()).collect();
            for own in self.blocks.values_mut().filter(|b| b.device == ask.device) {
                own.marked = Some(quality);
            }
            return vec![mark(points), Follow::Silent { device: ask.device }];
        }
        if scheduled.failed >= DEAD_AFTER {
            scheduled.marked = Some(quality);
            return vec![mark(ask.question.points().to_vec())];
        }
        Vec::new()
    }

    /// What is marked still: to be told again where another reason stood for a while.
    pub fn marks(&self) -> Vec<Follow> {
        let mark = |b: &Scheduled| {
            Some(Follow::Mark { device: b.device, points: b.question.points().to_vec(), quality: b.marked? })
        };
        self.blocks.values().filter_map(mark).collect()
    }

    /// The line was closed over this question. True when it is the line's fault: that happened more than once
    /// or twice without an answer in between, and to every device that was believed to answer.
    pub fn hung_up(&mut self, ask: &Ask, mono: Duration) -> bool {
        if self.devices[ask.device].silent || self.blocks[ask.which].failed >= DEAD_AFTER {
            return false;
        }
        self.hung_up = self.hung_up.saturating_add(1);
        self.devices[ask.device].hung_up = Some(mono);
        self.hung_up > DOUBTED && self.devices.iter().all(|d| d.silent || d.hung_up.is_some())
    }

    /// The line was lost over this question: it is as if it had not been put.
    pub fn give_back(&mut self, ask: &Ask) {
        self.land(ask);
        self.blocks[ask.which].grid.retake(ask.slot);
    }

    /// The line may be back after it was lost: what is due is due in the present slot, and nothing was missed
    /// for want of time. Where every point was `marked`, every block is due.
    pub fn line_back(&mut self, now: Timestamp, marked: bool) {
        for scheduled in self.blocks.values_mut() {
            scheduled.catch_up |= marked;
            if scheduled.catch_up || now >= scheduled.grid.next() {
                scheduled.grid = Grid::new(scheduled.grid.period(), now);
            }
        }
    }

    fn follow_clock(&mut self, now: Timestamp, mono: Duration) {
        let (then, before) = self.last_look;
        self.last_look = (now, mono);
        let wall = now.as_millis().saturating_sub(then.as_millis());
        let real = i64::try_from(mono.saturating_sub(before).as_millis()).unwrap_or(i64::MAX);
        if wall.saturating_sub(real).abs() > CLOCK_STEP_MS {
            for scheduled in self.blocks.values_mut() {
                scheduled.grid.realign(now);
            }
        }
    }
}

#[path = "round_plans.rs"]
mod plans;
#[cfg(test)]
#[path = "round_tests.rs"]
mod tests;
