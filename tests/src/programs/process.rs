//! One program as a process: found beside the test's own executable, its output in a log file.

use std::fs::File;
use std::io;
use std::net::{TcpListener, UdpSocket};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::Duration;

use anyhow::{Context as _, bail};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use rustix::process::{Resource, Rlimit, getrlimit, prlimit};
use tokio::time::Instant;

/// A running program. Dropped, it is killed.
#[derive(Debug)]
pub struct Process {
    name: String,
    child: Child,
    log: PathBuf,
}

/// The built program `name`: in the folder of this executable or the one above, where cargo puts both.
pub fn program(name: &str, package: &str) -> anyhow::Result<PathBuf> {
    let own = std::env::current_exe().context("this executable has no path")?;
    let found = own.ancestors().skip(1).take(2).map(|dir| dir.join(name)).find(|path| path.is_file());
    found.with_context(|| {
        format!(
            "the program {name} is not built beside {}; run: cargo build -p {package} --bins",
            own.display()
        )
    })
}

impl Process {
    /// Starts `program`; what it prints goes to the end of `log`.
    pub fn start(program: &Path, args: &[&str], log: &Path) -> anyhow::Result<Self> {
        Self::start_with(program, args, log, &[])
    }

    /// The same with variables of the environment.
    pub fn start_with(
        program: &Path,
        args: &[&str],
        log: &Path,
        variables: &[(&str, &str)],
    ) -> anyhow::Result<Self> {
        let name = program.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let file = File::options()
            .create(true)
            .append(true)
            .open(log)
            .with_context(|| format!("the log {} cannot be opened", log.display()))?;
        let child = Command::new(program)
            .args(args)
            .envs(variables.iter().copied())
            .stdin(Stdio::null())
            .stdout(file.try_clone()?)
            .stderr(file)
            .spawn()
            .with_context(|| format!("{} cannot be started", program.display()))?;
        Ok(Self { name, child, log: log.to_owned() })
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    pub fn log(&self) -> String {
        // Not written yet is empty.
        std::fs::read(&self.log).map(|b| String::from_utf8_lossy(&b).into_owned()).unwrap_or_default()
    }

    /// Whether it still runs; a failure to ask counts as ended.
    pub fn runs(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Waits until `up` gives something. A program that ends before, or takes too long, is an error with the
    /// end of its log.
    pub fn until<T>(
        &mut self,
        what: &str,
        within: Duration,
        mut up: impl FnMut() -> Option<T>,
    ) -> anyhow::Result<T> {
        let begun = Instant::now();
        loop {
            if let Some(found) = up() {
                return Ok(found);
            }
            if !self.runs() {
                bail!("{} ended before it was up ({what}):\n{}", self.name, self.end_of_log());
            }
            if begun.elapsed() > within {
                bail!("{} was not up in {within:?} ({what}):\n{}", self.name, self.end_of_log());
            }
            std::thread::sleep(Duration::from_millis(25));
        }
    }

    fn end_of_log(&self) -> String {
        let log = self.log();
        let lines: Vec<&str> = log.lines().collect();
        lines[lines.len().saturating_sub(30)..].join("\n")
    }

    /// How much the running program may have of this from now on; none is as much as at its start.
    pub fn limit(&self, what: Resource, most: Option<u64>) -> io::Result<()> {
        let id = i32::try_from(self.child.id()).map_err(io::Error::other)?;
        let id = rustix::process::Pid::from_raw(id);
        let own = getrlimit(what);
        let current = most.or(own.current);
        prlimit(id, what, Rlimit { current, maximum: own.maximum })?;
        Ok(())
    }

    pub fn signal(&self, signal: Signal) -> io::Result<()> {
        let id = i32::try_from(self.child.id()).map_err(io::Error::other)?;
        Ok(kill(Pid::from_raw(id), signal)?)
    }

    /// As a power cut: no warning, no farewell.
    pub fn kill(mut self) -> io::Result<ExitStatus> {
        self.child.kill()?;
        self.child.wait()
    }

    /// As an operator: asks it to stop and waits. A program that does not is an error with its log.
    pub fn stop(mut self, within: Duration) -> anyhow::Result<ExitStatus> {
        self.signal(Signal::SIGTERM)?;
        let begun = Instant::now();
        loop {
            if let Some(status) = self.child.try_wait()? {
                return Ok(status);
            }
            if begun.elapsed() > within {
                bail!("{} did not stop in {within:?}:\n{}", self.name, self.end_of_log());
            }
            std::thread::sleep(Duration::from_millis(20));
        }
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        // Ended already is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A port that nobody listened on a moment ago.
pub fn free_tcp_port() -> io::Result<u16> {
    Ok(TcpListener::bind("127.0.0.1:0")?.local_addr()?.port())
}

/// The same for UDP.
pub fn free_udp_port() -> io::Result<u16> {
    Ok(UdpSocket::bind("127.0.0.1:0")?.local_addr()?.port())
}

/// The same for both: gateways come to one port by either.
pub fn free_port() -> io::Result<u16> {
    loop {
        let port = free_udp_port()?;
        if TcpListener::bind(("127.0.0.1", port)).is_ok() {
            return Ok(port);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_program_that_is_not_built_is_named_with_the_command_that_builds_it() {
        let error = program("steward-nothing", "steward-nothing").unwrap_err().to_string();
        assert!(error.contains("cargo build -p steward-nothing"), "{error}");
    }

    #[test]
    fn a_program_that_ends_too_soon_shows_its_log() {
        let dir = tempfile::tempdir().unwrap();
        let log = dir.path().join("sh.log");
        let mut p =
            Process::start(Path::new("/bin/sh"), &["-c", "echo the port is taken; exit 3"], &log).unwrap();
        let error = p.until("never", Duration::from_secs(10), || None::<()>).unwrap_err().to_string();
        assert!(error.contains("the port is taken"), "{error}");
    }

    #[test]
    fn a_stopped_program_gives_its_status() {
        let dir = tempfile::tempdir().unwrap();
        let script = "trap 'exit 7' TERM; echo up; while :; do sleep 0.05; done";
        let log = dir.path().join("sh.log");
        let mut p = Process::start(Path::new("/bin/sh"), &["-c", script], &log).unwrap();
        p.until("up", Duration::from_secs(10), || {
            std::fs::read_to_string(&log).ok().filter(|l| l.contains("up"))
        })
        .unwrap();
        assert_eq!(p.stop(Duration::from_secs(10)).unwrap().code(), Some(7));
    }
}
