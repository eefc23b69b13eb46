//! Background work: idempotent functions that run by period and by nudge. A lease in the database sees to it
//! that of several hubs only one runs a job at a time.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;

use super::ctx::Ctx;
use super::module::Working;

/// What a module hands over. The function must bear being run twice and being stopped in the middle.
#[derive(Clone)]
pub struct Job {
    /// `<module>.<what>`, unique.
    pub name: &'static str,
    pub every: Duration,
    pub run: fn(Ctx) -> Working,
}

/// The bells of the jobs: nudge one to have it run now.
#[derive(Clone, Debug, Default)]
pub struct Jobs(Arc<Mutex<HashMap<&'static str, Arc<Notify>>>>);

impl Jobs {
    /// Many nudges before the job comes round are one.
    pub fn nudge(&self, name: &'static str) {
        self.bell(name).notify_one();
    }

    pub fn bell(&self, name: &'static str) -> Arc<Notify> {
        let mut bells = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        Arc::clone(bells.entry(name).or_default())
    }
}
