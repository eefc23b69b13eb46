//! A process and all that it starts, as one: a process group of its own, told to stop as a whole, never longer alive
//! than we are. If we die without a chance to stop it (kill -9), the kernel sends it SIGTERM: `setpriv` asks for that.
//! The kernel ties this to the thread that started the child, so start groups from the main thread.

use std::fs::File;
use std::io;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use crate::shell;
use crate::signals;

/// How long a program may take to flush and go, before it is killed.
pub const GRACE: Duration = Duration::from_secs(20);
const LOOK: Duration = Duration::from_millis(20);

/// Where its words go. It is never asked anything.
pub enum Words {
    Screen,
    Pipes,
    Log(File),
}

pub struct Group {
    child: Child,
}

impl Group {
    pub fn start(command: &Command, words: Words) -> io::Result<Self> {
        let mut command = tied_to_us(command);
        let (out, err) = match words {
            Words::Screen => (Stdio::inherit(), Stdio::inherit()),
            Words::Pipes => (Stdio::piped(), Stdio::piped()),
            Words::Log(file) => (file.try_clone()?.into(), file.into()),
        };
        command.stdin(Stdio::null()).stdout(out).stderr(err).process_group(0);
        Ok(Self { child: command.spawn()? })
    }

    /// What it says, where that goes into pipes.
    pub fn words(&mut self) -> [Box<dyn io::Read + Send>; 2] {
        let out = self.child.stdout.take().map_or_else(nothing, |out| Box::new(out) as _);
        let err = self.child.stderr.take().map_or_else(nothing, |err| Box::new(err) as _);
        [out, err]
    }

    /// Whether it has ended, and how.
    pub fn ended(&mut self) -> io::Result<Option<ExitStatus>> {
        self.child.try_wait()
    }

    /// Waits for its end; stops it when somebody stops us.
    pub fn wait(&mut self) -> io::Result<ExitStatus> {
        loop {
            if let Some(status) = self.ended()? {
                return Ok(status);
            }
            if signals::stopped() {
                self.stop(GRACE);
            }
            std::thread::sleep(LOOK);
        }
    }

    /// Asks the whole group to stop, waits, and kills what does not. False when it had to be killed.
    pub fn stop(&mut self, grace: Duration) -> bool {
        if self.ended().is_ok_and(|ended| ended.is_some()) {
            return true;
        }
        self.signal("TERM");
        let mut waited = Duration::ZERO;
        while waited < grace {
            if self.ended().is_ok_and(|ended| ended.is_some()) {
                return true;
            }
            std::thread::sleep(LOOK);
            waited += LOOK;
        }
        self.signal("KILL");
        // It cannot refuse.
        let _ = self.child.wait();
        false
    }

    fn signal(&self, signal: &str) {
        Self::send(signal, &format!("-{}", self.child.id()));
    }

    /// To the first of the group only.
    pub fn signal_leader(&self, signal: &str) {
        Self::send(signal, &self.child.id().to_string());
    }

    fn send(signal: &str, whom: &str) {
        let line = format!("kill -{signal} {whom}");
        // Gone in the meantime is as good.
        let _ = Command::new("sh").args(["-c", &line]).stderr(Stdio::null()).status();
    }
}

impl Drop for Group {
    fn drop(&mut self) {
        self.stop(GRACE);
    }
}

fn nothing() -> Box<dyn io::Read + Send> {
    Box::new(io::empty())
}

/// The same command, ended by the kernel when we end.
fn tied_to_us(command: &Command) -> Command {
    let mut tied = if shell::exists("setpriv") {
        let mut tied = Command::new("setpriv");
        tied.args(["--pdeathsig", "TERM", "--"]).arg(command.get_program());
        tied
    } else {
        Command::new(command.get_program())
    };
    tied.args(command.get_args());
    for (name, value) in command.get_envs() {
        match value {
            Some(value) => tied.env(name, value),
            None => tied.env_remove(name),
        };
    }
    if let Some(dir) = command.get_current_dir() {
        tied.current_dir(dir);
    }
    tied
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};

    use super::*;

    #[test]
    fn what_is_dropped_is_stopped_with_all_that_it_started() {
        let script = "sleep 1000 & echo $!; wait";
        let mut group =
            Group::start(&shell::command("sh", &["-c", script], Path::new("/")), Words::Pipes).unwrap();
        let mut line = String::new();
        let [out, _] = group.words();
        io::BufRead::read_line(&mut io::BufReader::new(out), &mut line).unwrap();
        let grandchild = PathBuf::from(format!("/proc/{}/cmdline", line.trim()));
        let command_line = || std::fs::read_to_string(&grandchild).unwrap_or_default();
        // It has none for an instant, when it turns from the shell into `sleep`.
        let up = crate::stopwatch::eventually(GRACE, || command_line().contains("sleep").then_some(()));
        assert!(up.is_some());
        drop(group);
        // A zombie that nobody has collected yet has none either.
        let gone = crate::stopwatch::eventually(GRACE, || command_line().is_empty().then_some(()));
        assert!(gone.is_some());
    }

    #[test]
    fn who_does_not_stop_is_killed() {
        let script = "trap '' TERM; echo up; while :; do sleep 0.05; done";
        let mut group =
            Group::start(&shell::command("sh", &["-c", script], Path::new("/")), Words::Pipes).unwrap();
        let [out, _] = group.words();
        io::BufRead::read_line(&mut io::BufReader::new(out), &mut String::new()).unwrap();
        assert!(!group.stop(Duration::from_millis(200)));
        assert!(group.ended().unwrap().is_some());
    }
}
