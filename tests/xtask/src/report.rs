//! What was done and how long it took: one line a step while it runs, a table and one closing line at the end.

use std::time::Duration;

use crate::stopwatch::{Seconds, Stopwatch};

/// As `println!`, but a terminal that went away is no reason to break off: what we started still has to be stopped.
macro_rules! say {
    ($($words:tt)*) => {{
        use std::io::Write as _;
        let mut out = std::io::stdout().lock();
        let _ = writeln!(out, $($words)*).and_then(|()| out.flush());
    }};
}
pub(crate) use say;

/// Does one step of a command and says how long it took. The step's own output stands between the two lines.
pub fn step<T>(name: &str, act: impl FnOnce() -> Result<T, String>) -> Result<T, String> {
    say!("▸ {name}");
    let watch = Stopwatch::start();
    let result = act();
    let came_out = if result.is_ok() { "done in" } else { "failed after" };
    say!("  {name}: {came_out} {watch}");
    result
}

/// How many checks of a step went which way.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Counts {
    pub passed: usize,
    pub failed: usize,
    pub skipped: usize,
}

impl Counts {
    pub fn add(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
        self.skipped += other.skipped;
    }

    pub fn is_empty(self) -> bool {
        self == Self::default()
    }

    /// Reads the closing line of a test runner: every `N passed`, `N failed`, `N skipped` or `N ignored` in it.
    pub fn read(line: &str) -> Self {
        let mut counts = Self::default();
        let words: Vec<&str> = line.split(|c: char| !c.is_alphanumeric()).filter(|w| !w.is_empty()).collect();
        for pair in words.windows(2) {
            let Ok(number) = pair[0].parse::<usize>() else { continue };
            match pair[1] {
                "passed" => counts.passed += number,
                "failed" => counts.failed += number,
                "skipped" | "ignored" => counts.skipped += number,
                _ => {}
            }
        }
        counts
    }
}

pub enum Outcome {
    Passed,
    Failed(String),
    /// Something is missing on this machine; the text says what installs it.
    Skipped(String),
}

pub struct Line {
    pub name: &'static str,
    pub outcome: Outcome,
    pub counts: Counts,
    pub took: Duration,
}

/// The lines of all steps. In CI a skipped suite is a failed one: nobody is there to read that it was skipped.
pub struct Report {
    ci: bool,
    lines: Vec<Line>,
}

impl Report {
    pub fn new(ci: bool) -> Self {
        Self { ci, lines: Vec::new() }
    }

    pub fn add(&mut self, mut line: Line) {
        if self.ci
            && let Outcome::Skipped(reason) = line.outcome
        {
            line.outcome = Outcome::Failed(format!("skipped, which is a failure where CI is set: {reason}"));
        }
        if self.ci && line.counts.skipped > 0 && matches!(line.outcome, Outcome::Passed) {
            let skipped = line.counts.skipped;
            line.outcome = Outcome::Failed(format!(
                "{skipped} of its tests were skipped; nothing may be where CI is set"
            ));
        }
        // A step without a test runner is one check; a runner that died without a count is one failure.
        match &line.outcome {
            Outcome::Passed if line.counts.is_empty() => line.counts.passed = 1,
            Outcome::Failed(_) if line.counts.failed == 0 => line.counts.failed = 1,
            Outcome::Skipped(_) => line.counts.skipped += 1,
            _ => {}
        }
        let word = match &line.outcome {
            Outcome::Passed => "passed".to_owned(),
            Outcome::Failed(why) => format!("FAILED: {why}"),
            Outcome::Skipped(why) => format!("SKIPPED: {why}"),
        };
        say!("  {} ({}): {word}\n", line.name, Seconds(line.took));
        self.lines.push(line);
    }

    pub fn total(&self) -> Counts {
        let mut total = Counts::default();
        self.lines.iter().for_each(|line| total.add(line.counts));
        total
    }

    /// Prints the table and, as the very last line, the totals.
    pub fn close(&self) -> Result<(), String> {
        say!("{:<22} {:>7} {:>7} {:>8}  {:>12}", "step", "passed", "failed", "skipped", "time");
        for line in &self.lines {
            let Counts { passed, failed, skipped } = line.counts;
            let time = Seconds(line.took).to_string();
            say!("{:<22} {passed:>7} {failed:>7} {skipped:>8}  {time:>12}", line.name);
        }
        for line in &self.lines {
            match &line.outcome {
                Outcome::Passed if line.counts.skipped == 0 => {}
                Outcome::Passed => {
                    say!("\nSKIPPED in {}: {}; its output says which", line.name, line.counts.skipped);
                }
                Outcome::Failed(why) => say!("\nFAILED {}: {why}", line.name),
                Outcome::Skipped(why) => say!("\nSKIPPED {}: {why}", line.name),
            }
        }
        let Counts { passed, failed, skipped } = self.total();
        say!("\n{passed} passed, {failed} failed, {skipped} skipped");
        if failed == 0 { Ok(()) } else { Err(String::new()) }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn closing_lines_of_test_runners_are_read() {
        let counts = |passed, failed, skipped| Counts { passed, failed, skipped };
        let nextest = "     Summary [   4.1s] 63 tests run: 60 passed (2 slow), 3 failed, 4 skipped";
        assert_eq!(Counts::read(nextest), counts(60, 3, 4));
        let doctest =
            "test result: ok. 5 passed; 0 failed; 1 ignored; 0 measured; 0 filtered out; finished in 0.3s";
        assert_eq!(Counts::read(doctest), counts(5, 0, 1));
        assert_eq!(Counts::read("      Tests  1 failed | 22 passed (23)"), counts(22, 1, 0));
        assert_eq!(Counts::read("  12 passed (31.4s)"), counts(12, 0, 0));
    }

    fn line(outcome: Outcome) -> Line {
        Line { name: "a step", outcome, counts: Counts::default(), took: Duration::ZERO }
    }

    #[test]
    fn a_skip_is_a_failure_in_ci_only() {
        let mut report = Report::new(true);
        report.add(line(Outcome::Skipped("no browser".into())));
        assert_eq!(report.total().failed, 1);
        assert!(report.close().is_err());
        let mut report = Report::new(false);
        report.add(line(Outcome::Skipped("no browser".into())));
        report.add(line(Outcome::Passed));
        assert_eq!(report.total(), Counts { passed: 1, failed: 0, skipped: 1 });
        assert!(report.close().is_ok());
    }

    #[test]
    fn a_skipped_test_is_a_failure_in_ci_too() {
        let counts = Counts { passed: 7, failed: 0, skipped: 1 };
        for (ci, good) in [(true, false), (false, true)] {
            let mut report = Report::new(ci);
            report.add(Line { counts, ..line(Outcome::Passed) });
            assert_eq!(report.close().is_ok(), good);
        }
    }

    #[test]
    fn a_runner_that_dies_without_a_count_is_a_failure() {
        let mut report = Report::new(false);
        report.add(line(Outcome::Failed("it fell over".into())));
        assert_eq!(report.total().failed, 1);
    }
}
