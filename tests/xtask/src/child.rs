//! A program that runs beside us: in a process group of its own, its output in a log file, and never longer than we do.
//! Whoever drops it stops it. If we die without a chance to do so (kill -9), the kernel sends it SIGTERM: `setpriv`
//! asks for that. The kernel ties this to the thread that started the child, so start children from the main thread.

use std::fs::{File, OpenOptions};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use crate::shell;
use crate::stopwatch::eventually;

/// How long a program may take to flush and go, before it is killed.
const GRACE: Duration = Duration::from_secs(20);

pub struct Running {
    name: String,
    log: PathBuf,
    child: Child,
}

impl Running {
    /// Starts `program`; its log is added to.
    pub fn start(name: &str, program: &Path, args: &[&str], dir: &Path, log: &Path) -> Result<Self, String> {
        let fault = |e: std::io::Error| format!("cannot start {name} ({}): {e}", program.display());
        let out = OpenOptions::new().create(true).append(true).open(log).map_err(fault)?;
        let err: File = out.try_clone().map_err(fault)?;
        let mut command = if shell::exists("setpriv") {
            let mut wrapped = Command::new("setpriv");
            wrapped.args(["--pdeathsig", "TERM", "--"]).arg(program);
            wrapped
        } else {
            Command::new(program)
        };
        command.args(args).current_dir(dir).stdin(Stdio::null()).stdout(out).stderr(err).process_group(0);
        let child = command.spawn().map_err(fault)?;
        Ok(Self { name: name.to_owned(), log: log.to_owned(), child })
    }

    /// An error that carries the last lines of the log, when the program has ended by itself.
    pub fn check(&mut self) -> Result<(), String> {
        match self.child.try_wait() {
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

    fn signal(&self, signal: &str) {
        let line = format!("kill -{signal} -{}", self.child.id());
        let _ = Command::new("sh").args(["-c", &line]).stderr(Stdio::null()).status();
    }

    /// Asks it to stop, waits, and kills what does not.
    pub fn stop(&mut self) {
        if self.child.try_wait().is_ok_and(|ended| ended.is_some()) {
            return;
        }
        self.signal("TERM");
        // Not `eventually`: that gives up on Ctrl-C, and Ctrl-C is why we are here.
        let mut waited = Duration::ZERO;
        while waited < GRACE {
            if self.child.try_wait().is_ok_and(|ended| ended.is_some()) {
                return;
            }
            std::thread::sleep(Duration::from_millis(50));
            waited += Duration::from_millis(50);
        }
        eprintln!(
            "{} did not stop within {} s and is killed; see {}",
            self.name,
            GRACE.as_secs(),
            self.log.display()
        );
        self.signal("KILL");
        let _ = self.child.wait();
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
    fn what_is_dropped_is_stopped() {
        let dir = files::target().join("xtask-child-test");
        files::make_folder(&dir).unwrap();
        let log = dir.join("sleep.log");
        let running = Running::start("sleep", Path::new("sleep"), &["1000"], &dir, &log).unwrap();
        let proc = PathBuf::from(format!("/proc/{}", running.child.id()));
        assert!(proc.exists());
        drop(running);
        assert!(!proc.exists());
    }

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
