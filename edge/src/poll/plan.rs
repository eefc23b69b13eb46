//! What a device is asked for: its points grouped by period, and within a period into questions that take the least
//! line time. Made when the line's task begins, and anew by the rounds when the device is known better: its turnaround,
//! or what it cannot be asked over.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use steward_protocols::cost::Cost;
use steward_protocols::question::{Hole, Question, questions};
use steward_shared::profile::Profile;

use crate::config::DeviceConfig;

/// A device's questions with their periods, the fastest first.
#[derive(Debug, Clone)]
pub struct Plan {
    pub profile: Arc<Profile>,
    /// Indices into the profile's points.
    pub wanted: Vec<(Duration, Vec<usize>)>,
    pub questions: Vec<(Question, Duration)>,
    /// What a question costs, as it was taken to be.
    pub cost: Cost,
    /// Points that the device refuses: in no question, and none reads over them.
    pub refused: BTreeSet<usize>,
}

impl Plan {
    pub fn new(device: &DeviceConfig, cost: Cost) -> Self {
        let mut wanted: BTreeMap<Duration, Vec<usize>> = BTreeMap::new();
        for (index, (point, rules)) in device.points().enumerate() {
            wanted.entry(device.period(point, rules)).or_default().push(index);
        }
        let wanted = wanted.into_iter().collect();
        let (profile, refused) = (Arc::clone(&device.profile), BTreeSet::new());
        let mut plan = Self { profile, wanted, questions: Vec::new(), cost, refused };
        plan.renew(cost, &[]);
        plan
    }

    pub fn renew(&mut self, cost: Cost, holes: &[Hole]) {
        self.cost = cost;
        let refused = self.refused.iter().filter_map(|i| Hole::of(self.profile.points.get(*i)?));
        let holes: Vec<Hole> = holes.iter().copied().chain(refused).collect();
        let by_period = self.wanted.iter().flat_map(|(period, points)| {
            let points = points.iter().copied().filter(|i| !self.refused.contains(i));
            let questions = questions(&self.profile, points, &cost, &holes);
            questions.into_iter().map(|question| (question, *period))
        });
        self.questions = by_period.collect();
    }

    /// The line time of a question, with the pause that the device wants.
    pub fn time(&self, question: &Question, cost: Cost) -> Duration {
        cost.of(question.contents_len()) + self.profile.pace.pause
    }

    /// The share of the line's time that all questions take.
    pub fn share(&self, cost: Cost) -> f64 {
        let share = |(question, period): &(Question, Duration)| {
            self.time(question, cost).as_secs_f64() / period.as_secs_f64()
        };
        self.questions.iter().map(share).sum()
    }

    /// Whether a question gives a point that raises alarms.
    pub fn is_first(&self, question: &Question) -> bool {
        question.points().iter().any(|i| self.profile.points.get(*i).is_some_and(|p| p.alarm))
    }
}
