//! When the rounds make a device's plan anew: it is known better by now, or what it refused is tried again.

use std::time::Duration;

use steward_protocols::cost::Cost;
use steward_shared::time::Timestamp;

use super::{Device, Rounds, Scheduled};

/// A plan is made anew when a question costs this much more or less than it was made for.
const DRIFT: f64 = 0.25;
/// For that reason alone no oftener than so: on a network the cost of a question comes and goes.
const SETTLED: Duration = Duration::from_mins(1);
/// Whole blocks are tried again at least so often.
const WHOLE_AGAIN_MOST: Duration = Duration::from_hours(24);

impl Rounds {
    /// What a question to the device costs, as it is known by now.
    pub fn learned(&mut self, device: usize, cost: Cost) {
        if let Some(device) = self.devices.get_mut(device) {
            device.cost = cost;
        }
    }

    /// The share of the line's time that is wanted of it, by what is known of its devices.
    pub fn share(&self) -> f64 {
        self.devices.iter().filter(|d| !d.silent).map(|d| d.plan.share(d.cost)).sum()
    }

    /// Makes plans anew: halving is undone after a while, and what is known better by now is taken in. Between two
    /// slots, so that no slot is polled twice.
    pub(super) fn renew(&mut self, now: Timestamp, mono: Duration) {
        for device in 0..self.devices.len() {
            let own = &self.devices[device];
            let is_over = own.halved.is_some_and(|at| mono >= at + own.whole_again);
            let is_stale = own.stale_plan || mono >= own.settled_until && costs_otherwise(own);
            let wanted = is_over || is_stale && !own.silent && own.doubt == 0 && !own.trials.is_open();
            let between = |b: &Scheduled| b.grid.next() > now && (is_over || b.failed == 0);
            let between = |b: &Scheduled| b.device != device || between(b);
            if wanted && own.asked == 0 && self.blocks.values().all(between) {
                if is_over {
                    // It will likely refuse again.
                    self.devices[device].whole_again = (own.whole_again * 2).min(WHOLE_AGAIN_MOST);
                }
                self.devices[device].settled_until = mono + SETTLED;
                self.replan(device, now);
                for scheduled in self.blocks.values_mut().filter(|b| b.device == device) {
                    scheduled.grid.take(now);
                }
            }
        }
    }

    pub(super) fn replan(&mut self, device: usize, now: Timestamp) {
        let own = &mut self.devices[device];
        own.halved = None;
        own.trials.forget();
        own.stale_plan = false;
        own.plan.renew(own.cost, own.trials.holes());
        // What rests is asked for by itself.
        self.blocks.retain(|b| b.device != device || b.rests());
        let plan = &self.devices[device].plan;
        for (question, period) in &plan.questions {
            self.blocks.add(Scheduled {
                first: plan.is_first(question),
                ..Scheduled::new(device, question.clone(), *period, now)
            });
        }
    }
}

fn costs_otherwise(device: &Device) -> bool {
    let (old, new) = (device.plan.cost.question.as_secs_f64(), device.cost.question.as_secs_f64());
    (new - old).abs() > old * DRIFT
}
