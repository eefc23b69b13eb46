//! Answers that say the same at a steady pace are one run: a quiet plant room costs little. Pure.

use std::collections::HashMap;
use std::sync::Arc;

use steward_shared::time::Timestamp;

/// What a device answered to one question.
#[derive(Clone, Debug, PartialEq)]
pub struct Heard {
    pub device: Arc<str>,
    /// Of the profile that was in force, so that another one is told from it.
    pub profile: Arc<str>,
    /// What was asked for, in the words of its language.
    pub span: String,
    /// Who was asked, and in which framing.
    pub asked: Arc<str>,
    pub at: Timestamp,
    pub contents: Vec<u8>,
}

/// The same contents from `from` on, `count` times, each `step_ms` after the one before.
#[derive(Clone, Debug, PartialEq)]
pub struct Run {
    pub device: Arc<str>,
    pub profile: Arc<str>,
    pub span: String,
    pub asked: Arc<str>,
    pub from: Timestamp,
    pub step_ms: i64,
    pub count: i64,
    pub contents: Vec<u8>,
}

impl Run {
    pub fn instants(&self) -> impl Iterator<Item = Timestamp> + '_ {
        (0..self.count).map(|i| Timestamp(self.from.0 + i * self.step_ms))
    }

    pub fn last(&self) -> Timestamp {
        Timestamp(self.from.0 + (self.count - 1) * self.step_ms)
    }

    /// Whether the answer belongs to the run; then it is part of it.
    fn goes_on(&mut self, heard: &Heard) -> bool {
        let step = heard.at.0.saturating_sub(self.last().0);
        let fits = step > 0
            && (self.count == 1 || step == self.step_ms)
            && self.contents == heard.contents
            && (&self.profile, &self.asked) == (&heard.profile, &heard.asked);
        if fits {
            self.step_ms = step;
            self.count += 1;
        }
        fits
    }
}

/// Runs that may still go on.
#[derive(Debug, Default)]
pub struct Runs {
    open: HashMap<(Arc<str>, String), Run>,
    over: Vec<Run>,
}

impl Runs {
    /// Answers how many bytes it is held in: none where it says the same again.
    pub fn take(&mut self, heard: Heard) -> usize {
        let key = (Arc::clone(&heard.device), heard.span.clone());
        if self.open.get_mut(&key).is_some_and(|run| run.goes_on(&heard)) {
            return 0;
        }
        let bytes = heard.span.len() + heard.contents.len();
        let Heard { device, profile, span, asked, at, contents } = heard;
        let run = Run { device, profile, span, asked, from: at, step_ms: 0, count: 1, contents };
        self.over.extend(self.open.insert(key, run));
        bytes
    }

    /// All runs so far; each begins anew with its next answer.
    pub fn close(&mut self) -> Vec<Run> {
        let mut over = std::mem::take(&mut self.over);
        over.extend(std::mem::take(&mut self.open).into_values());
        over
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn heard(at: i64, byte: u8) -> Heard {
        let (device, profile) = ("m".into(), "p".into());
        let (span, asked) = ("holding 0 1".into(), "rtu 1".into());
        Heard { device, profile, span, asked, at: Timestamp(at), contents: vec![byte] }
    }

    #[test]
    fn what_repeats_itself_is_one_run_and_its_instants_are_known() {
        let mut runs = Runs::default();
        let answers = [(0, 1), (10, 1), (20, 1), (30, 2), (40, 2), (55, 2), (65, 1)];
        for (at, byte) in answers {
            runs.take(heard(at, byte));
        }
        let mut closed = runs.close();
        closed.sort_by_key(|run| run.from);
        let instants: Vec<(i64, u8)> =
            closed.iter().flat_map(|run| run.instants().map(|at| (at.0, run.contents[0]))).collect();
        assert_eq!(instants, answers);
        assert_eq!(closed.len(), 4);
        assert!(runs.close().is_empty());
    }
}
