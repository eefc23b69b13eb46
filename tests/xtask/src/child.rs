//! A program that runs beside us, its output in a log file. Whoever drops it stops it.

use std::fs::OpenOptions;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

use crate::group::{GRACE, Group, Words};
use crate::report::say;
use crate::shell;
use crate::stopwatch::eventually;

pub struct Running {
    name: String,
    log: PathBuf,
    group: Group,
}

impl Running {
    /// Starts `program`; its log is added to.
    pub fn start(name: &str, program: &Path, args: &[&str], dir: &Path, log: &Path) -> Result<Self, String> {
        Self::of(name, &shell::command(program, args, dir), log)
    }

    pub fn of(name: &str, command: &Command, log: &Path) -> Result<Self, String> {
        let fault = |e: std::io::Error| format!("cannot start {name} ({}): {e}", shell::line_of(command));
        let words = OpenOptions::new().create(true).append(true).open(log).map_err(fault)?;
        let group = Group::start(command, Words::Log(words)).map_err(fault)?;
        Ok(Self { name: name.to_owned(), log: log.to_owned(), group })
    }

    /// An error that carries the last lines of the log, when the program has ended by itself.
    pub fn check(&mut self) -> Result<(), String> {
        match self.group.ended() {
            Ok(None) => Ok(()),
            Ok(Some(status)) => {
                Err(format!("{} ended by itself ({status}):\n{}", self.name, self.last_lines()))
            }
            Err(e) => Err(format!("{} cannot be watched: {e}", self.name)),
        }
    }

    /// The end of the log, with its place.
    pub fn last_lines(&self) -> String {
        let text = std::fs::read_to_string(&self.log).unwrap_or_default();
        let lines: Vec<&str> = text.lines().collect();
        let tail = lines[lines.len().saturating_sub(15)..].join("\n");
        format!("{}\n{}", self.log.display(), shell::plain(&tail))
    }

    /// To the program itself, as a terminal or an operator would.
    pub fn signal(&self, signal: &str) {
        self.group.signal_leader(signal);
    }

    /// Asks it to stop, waits, and kills what does not.
    pub fn stop(&mut self) {
        if !self.group.stop(GRACE) {
            let (name, log) = (&self.name, self.log.display());
            say!("{name} did not stop within {} s and was killed; see {log}", GRACE.as_secs());
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Waits for a state of the programs; ends early with the log when one of them dies.
pub fn wait_for<T>(
    what: &str,
    limit: Duration,
    programs: &mut [&mut Running],
    mut ask: impl FnMut() -> Option<T>,
) -> Result<T, String> {
    let answer = eventually(limit, || {
        if let Some(error) = programs.iter_mut().find_map(|p| p.check().err()) {
            return Some(Err(error));
        }
        ask().map(Ok)
    });
    answer.unwrap_or_else(|| {
        let logs: Vec<String> = programs.iter().map(|p| p.last_lines()).collect();
        Err(format!("waited {} s for {what} in vain\n{}", limit.as_secs(), logs.join("\n")))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::files;

    #[test]
    fn a_program_that_ends_by_itself_is_noticed() {
        let dir = files::target().join("xtask-child-test");
        files::make_folder(&dir).unwrap();
        let log = dir.join("false.log");
        let args = ["-c", "echo the reason; exit 7"];
        let mut running = Running::start("gone", Path::new("sh"), &args, &dir, &log).unwrap();
        let error =
            wait_for("nothing", Duration::from_secs(10), &mut [&mut running], || None::<()>).unwrap_err();
        assert!(error.contains("ended by itself") && error.contains("the reason"), "{error}");
    }
}
