//! The course of one command, from its receipt to its end. Nothing is written twice: the state "begun" is on the disk
//! before the one write, and whoever finds a command there only reads. What is to be given up is in a file of the holds
//! before it is written, so that a person at the gateway sees it and the daemon gives it up also after a damaged record.

use std::sync::Arc;
use std::time::Duration;

use steward_shared::time::Timestamp;
use steward_shared::wire::command::{Report, Stage, WriteOrder, reason};
use tokio::sync::watch;
use tokio::time::{Instant, sleep, sleep_until};
use tracing::{error, warn};

use super::check::{Refusal, find, is_expected};
use super::record::{Record, State};
use super::room::Room;
use super::target::{Effect, Seen, Target, Trouble};
use crate::hold::{Back, Hold, HoldError, Kept};

/// An interrupted write of a point that nobody can read is given up as unknown after this.
const LOOKED_FOR: Duration = Duration::from_mins(10);

/// Right after a start a line may not be open yet: so many tries in vain are told.
const TOLD_AFTER: u32 = 3;

pub struct Course {
    pub room: Arc<Room>,
    pub record: Record,
    pub order: WriteOrder,
    /// It must be written before this, whatever the clock says; none after a restart.
    pub deadline: Option<Instant>,
    /// Turns true when what was written is to be given up now.
    pub give_up: watch::Receiver<bool>,
    /// The hold's file, locked as long as this lives.
    pub kept: Option<Kept>,
}

impl Course {
    pub async fn run(mut self) {
        loop {
            match self.record.state {
                State::Received => self.begin().await,
                State::Begun => self.find_out().await,
                State::Written => self.look_back().await,
                State::Holding => self.hold().await,
                State::GivingUp => self.bring_back().await,
                // Somebody may have given it up while its last word was kept.
                State::Stands if *self.give_up.borrow() => self.record.state = State::GivingUp,
                State::Stands | State::Over => break,
            }
        }
        self.room.let_go(&self.order);
    }

    /// Looks, checks what depends on the device, writes.
    async fn begin(&mut self) {
        let refused = match self.ready().await {
            Ok((seen, mut hold)) => match self.keep_hold(&mut hold) {
                Ok(kept) => return self.write(&seen, hold, kept).await,
                Err(refusal) => (refusal, seen.present),
            },
            Err(Some(refused)) => refused,
            Err(None) => return,
        };
        self.refuse(refused.0, refused.1).await;
    }

    async fn refuse(&mut self, refusal: Refusal, now: Option<f64>) {
        let stage = if refusal.reason == EXPIRED { Stage::Expired } else { Stage::Refused };
        let reason = (refusal.reason != EXPIRED).then(|| refusal.reason.to_owned());
        let report = Report { reason, now, detail: refusal.detail, ..self.report(stage) };
        self.room.tell_for_sure(&mut self.record, State::Over, report).await;
    }

    /// What the point shows and what is to be kept of it, once the device answers; or why it is not written.
    async fn ready(&mut self) -> Result<(Seen, Hold), Option<(Refusal, Option<f64>)>> {
        let order = self.order.clone();
        if !self.room.claim(&order) {
            let detail = "another command is at work on this point; wait for its end";
            return Err(Some((Refusal::new(reason::HELD, detail), None)));
        }
        let mut silence = String::new();
        loop {
            if *self.give_up.borrow() {
                let detail = "it was given up before it was written";
                return Err(Some((Refusal::new(reason::CANCELLED, detail), None)));
            }
            if self.is_expired() {
                return Err(Some((Refusal::new(EXPIRED, silence), None)));
            }
            let config = self.room.config();
            let spot = find(&config, &order.device, &order.point).map_err(|refusal| Some((refusal, None)))?;
            let looked = match Target::reach(&self.room.doors, spot, order.priority).await {
                Ok(mut target) => target.look().await.map(|seen| (target, seen)),
                Err(e) => Err(e),
            };
            match looked {
                Ok((target, seen)) => {
                    if let Some(expected) = order.expected
                        && !is_expected(spot.point, expected, seen.present)
                    {
                        let detail = format!("it was to be written while the point shows {expected}");
                        let refusal = Refusal::new(reason::UNEXPECTED_VALUE, detail);
                        return Err(Some((refusal, seen.present)));
                    }
                    if !self.room.may_write(&order, spot.remote.per_minute) {
                        let detail =
                            format!("it is written {} times a minute at most", spot.remote.per_minute);
                        return Err(Some((Refusal::new(reason::TOO_OFTEN, detail), seen.present)));
                    }
                    let until = order.relinquish_at.unwrap_or(Timestamp(i64::MAX));
                    let hold = target.hold(&order, &seen, until);
                    return hold.map(|hold| (seen.clone(), hold)).map_err(|r| Some((r, seen.present)));
                }
                Err(trouble @ Trouble::Refused(_)) => {
                    let refusal = Refusal::new(trouble.reason(), trouble.detail());
                    return Err(Some((refusal, None)));
                }
                Err(Trouble::NoAnswer(why)) => silence = why,
            }
            sleep(self.room.pace.again).await;
        }
    }

    fn is_expired(&self) -> bool {
        let by_clock = self.room.now() > self.order.not_after;
        // A clock that was set back makes nothing valid for longer.
        let went_back = self.room.now() < self.record.received;
        let by_receipt = self.deadline.map_or(went_back, |deadline| Instant::now() > deadline);
        by_clock || by_receipt
    }

    /// A point that somebody holds is not written; what comes back by itself is held.
    fn keep_hold(&self, hold: &mut Hold) -> Result<Option<Kept>, Refusal> {
        let taken = |first: &Hold| {
            let detail = format!("{} holds it until {}; let that be given up first", first.by, first.until);
            Refusal::new(reason::HELD, detail)
        };
        if self.order.relinquish_at.is_none() {
            let first = Kept::held(&self.room.data, &hold.device, &hold.point);
            return first.map_or(Ok(None), |first| Err(taken(&first)));
        }
        Kept::begin(&self.room.data, hold.clone()).map(Some).map_err(|e| match e {
            HoldError::Held(first) => taken(&first),
            HoldError::File(path, e) => {
                Refusal::new(reason::NOT_STORED, format!("{} cannot be used: {e}", path.display()))
            }
        })
    }

    async fn write(&mut self, seen: &Seen, hold: Hold, kept: Option<Kept>) {
        (self.kept, self.record.before, self.record.hold) = (kept, seen.present, Some(hold.clone()));
        if let Err(e) = self.room.keep(&mut self.record, State::Begun).await {
            self.end_hold();
            let refusal = Refusal::new(reason::NOT_STORED, format!("its record cannot be kept: {e}"));
            return self.refuse(refusal, seen.present).await;
        }
        let config = self.room.config();
        let put = match find(&config, &self.order.device, &self.order.point) {
            // The disk may have taken its time.
            _ if self.is_expired() => {
                self.end_hold();
                return self.refuse(Refusal::new(EXPIRED, String::new()), seen.present).await;
            }
            Ok(spot) => match Target::reach(&self.room.doors, spot, self.order.priority).await {
                Ok(mut target) => target.put(&hold).await,
                Err(e) => Err(e),
            },
            Err(refusal) => {
                self.end_hold();
                return self.refuse(refusal, seen.present).await;
            }
        };
        self.record.written = Some(self.room.now());
        match put {
            Ok(()) => {
                let report = Report { before: seen.present, ..self.report(Stage::Written) };
                self.room.tell_for_sure(&mut self.record, State::Written, report).await;
            }
            Err(trouble @ Trouble::Refused(_)) => {
                self.end_hold();
                let refusal = Refusal::new(trouble.reason(), trouble.detail());
                self.refuse(refusal, seen.present).await;
            }
            // Whether it was written shows only when the device is read.
            Err(Trouble::NoAnswer(why)) => {
                warn!(command = %self.record.command, why, "a device did not answer to a command; it is read");
            }
        }
    }

    /// It may have been written or not: it is read, and told as what it is found to be.
    async fn find_out(&mut self) {
        let Some(hold) = self.record.hold.clone() else {
            let refusal = Refusal::new(reason::INTERRUPTED, "its record does not say what it was to write");
            return self.refuse(refusal, None).await;
        };
        let until = Instant::now() + LOOKED_FOR;
        loop {
            match self.see(&hold).await {
                Ok((_, Effect::Effective | Effect::Overridden, _)) => {
                    let detail = "found written".to_owned();
                    let report = Report { detail, ..self.report(Stage::Written) };
                    self.record.written.get_or_insert(self.room.now());
                    return self.room.tell_for_sure(&mut self.record, State::Written, report).await;
                }
                Ok((seen, Effect::Ignored, is_untouched)) => {
                    let (reason, detail) = if is_untouched {
                        (reason::INTERRUPTED, "it was not written before the interruption, and is not now")
                    } else {
                        (reason::CHANGED_SINCE, "another value stands there")
                    };
                    self.end_hold();
                    return self.without_effect(reason, detail, seen.present, Vec::new(), State::Over).await;
                }
                Err(trouble) => {
                    let is_due = self.order.relinquish_at.is_some_and(|until| self.room.now() >= until);
                    if is_due || *self.give_up.borrow() || Instant::now() >= until {
                        let detail = trouble.detail().to_owned();
                        let next = State::Holding;
                        return self.without_effect(reason::NO_ANSWER, &detail, None, Vec::new(), next).await;
                    }
                }
            }
            sleep(self.room.pace.again).await;
        }
    }

    /// What the device has at the point, whether that is what was written, and whether it is what stood there before.
    async fn see(&self, hold: &Hold) -> Result<(Seen, Effect, bool), Trouble> {
        let config = self.room.config();
        let spot = find(&config, &self.order.device, &self.order.point)
            .map_err(|refusal| Trouble::NoAnswer(refusal.detail))?;
        let mut target = Target::reach(&self.room.doors, spot, self.order.priority).await?;
        let seen = target.look().await?;
        let (effect, is_untouched) = (target.effect(hold, &seen), target.is_untouched(hold, &seen));
        Ok((seen, effect, is_untouched))
    }

    /// Reads back twice; the second look decides. A device that ignores it is not written again.
    async fn look_back(&mut self) {
        let (pace, begun) = (self.room.pace, Instant::now());
        let Some(hold) = self.record.hold.clone() else {
            let report = self.report(Stage::Written);
            return self.room.tell_for_sure(&mut self.record, State::Stands, report).await;
        };
        let mut last = Err(Trouble::NoAnswer(String::new()));
        for look in [pace.first_look, pace.second_look] {
            tokio::select! {
                // Whoever gives it up does not wait for the second look; the first one is taken.
                () = sleep_until(begun + look) => {}
                _ = self.give_up.wait_for(|now| *now), if look == pace.second_look => break,
            }
            last = self.see(&hold).await;
            if let (Ok((seen, Effect::Effective, _)), true) = (&last, look == pace.first_look) {
                let report = Report { now: seen.present, ..self.report(Stage::Written) };
                self.room.tell_for_sure(&mut self.record, State::Written, report).await;
            }
        }
        let next = if self.order.relinquish_at.is_some() || *self.give_up.borrow() {
            State::Holding
        } else {
            State::Stands
        };
        match last {
            Ok((seen, Effect::Effective, _)) => {
                let slots = self.slots().await;
                let report = Report { now: seen.present, slots, ..self.report(Stage::Confirmed) };
                self.room.tell_for_sure(&mut self.record, next, report).await;
            }
            Ok((seen, effect, _)) => {
                let (reason, detail) = if effect == Effect::Overridden {
                    (reason::OVERRIDDEN, "a higher priority commands the object")
                } else {
                    (reason::IGNORED, "the device took it and shows another value")
                };
                let slots = self.slots().await;
                self.without_effect(reason, detail, seen.present, slots, next).await;
            }
            Err(trouble) => {
                let detail = trouble.detail().to_owned();
                self.without_effect(trouble.reason(), &detail, None, Vec::new(), next).await;
            }
        }
        self.room.let_go(&self.order);
    }

    async fn slots(&self) -> Vec<Option<f64>> {
        let config = self.room.config();
        let Ok(spot) = find(&config, &self.order.device, &self.order.point) else { return Vec::new() };
        match Target::reach(&self.room.doors, spot, self.order.priority).await {
            Ok(target) => target.slots().await,
            Err(_) => Vec::new(),
        }
    }

    async fn without_effect(
        &mut self,
        reason: &str,
        detail: &str,
        now: Option<f64>,
        slots: Vec<Option<f64>>,
        next: State,
    ) {
        let (reason, detail) = (Some(reason.to_owned()), detail.to_owned());
        let report = Report { reason, detail, now, slots, ..self.report(Stage::NotEffective) };
        self.room.warn(&self.order, &report);
        self.room.tell_for_sure(&mut self.record, next, report).await;
    }

    /// Until its time is over by our own clock, or until somebody gives it up.
    async fn hold(&mut self) {
        let until = self.order.relinquish_at.unwrap_or(Timestamp(i64::MAX));
        while self.room.now() < until && !*self.give_up.borrow() {
            let tick = self.room.pace.tick;
            // What is missed in one turn is seen in the next.
            tokio::select! {
                () = sleep(tick) => {}
                changed = self.give_up.changed() => if changed.is_err() { sleep(tick).await; },
            }
        }
        if let Err(e) = self.room.keep(&mut self.record, State::GivingUp).await {
            let error = &e as &(dyn std::error::Error + 'static);
            error!(error, command = %self.record.command, "a command's record cannot be kept; it is given up all the same");
        }
    }

    async fn bring_back(&mut self) {
        let Some(hold) = self.record.hold.clone() else {
            let report = self.report(Stage::Relinquished);
            return self.room.tell_for_sure(&mut self.record, State::Over, report).await;
        };
        let mut is_told = self.record.last.as_ref().is_some_and(|l| l.stage == Stage::NotRelinquished);
        for failures in 1u32.. {
            match self.back(&hold).await {
                Ok((back, now)) => {
                    self.end_hold();
                    let reason = match back {
                        Back::Restored => reason::RESTORED,
                        Back::ChangedSince => reason::CHANGED_SINCE,
                    };
                    let slots = self.slots().await;
                    let reason = Some(reason.to_owned());
                    let report = Report { reason, now, slots, ..self.report(Stage::Relinquished) };
                    return self.room.tell_for_sure(&mut self.record, State::Over, report).await;
                }
                Err(trouble) if !is_told && failures >= TOLD_AFTER => {
                    is_told = true;
                    let (reason, detail) = (Some(trouble.reason().to_owned()), trouble.detail().to_owned());
                    let report = Report { reason, detail, ..self.report(Stage::NotRelinquished) };
                    self.room.tell_for_sure(&mut self.record, State::GivingUp, report).await;
                }
                Err(_) => {}
            }
            sleep(self.room.pace.again).await;
        }
    }

    async fn back(&self, hold: &Hold) -> Result<(Back, Option<f64>), Trouble> {
        let config = self.room.config();
        let spot = find(&config, &self.order.device, &self.order.point)
            .map_err(|refusal| Trouble::NoAnswer(refusal.detail))?;
        let mut target = Target::reach(&self.room.doors, spot, self.order.priority).await?;
        let back = target.bring_back(hold).await?;
        let now = target.look().await.ok().and_then(|seen| seen.present);
        Ok((back, now))
    }

    fn end_hold(&mut self) {
        let Some(kept) = self.kept.take() else { return };
        if let Err(error) = kept.end() {
            error!(%error, command = %self.record.command, "the file of a hold cannot be removed; remove it as root");
        }
    }

    fn report(&self, stage: Stage) -> Report {
        self.record.report(self.room.now(), stage)
    }
}

/// In place of a word of [`reason`]: its time was over.
const EXPIRED: &str = "expired";
