//! Eclipse Mosquitto, the broker that we did not write, from the system's package: on a port of the loopback, with its
//! memory in a folder of the test. It is killed when the test is over.

use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use nix::unistd::Uid;

use super::process::Process;

const UP: Duration = Duration::from_secs(30);

/// A broker, running or not, on a port that stays the same.
#[derive(Debug)]
pub struct Mosquitto {
    folder: PathBuf,
    pub port: u16,
    process: Option<Process>,
}

impl Mosquitto {
    /// Whether tests with a broker are wanted here at all. Says so where they are not.
    pub fn wanted() -> bool {
        let wanted = std::env::var_os("STEWARD_WITHOUT_MOSQUITTO").is_none();
        if !wanted {
            println!("STEWARD_WITHOUT_MOSQUITTO is set: NOT tested with a broker of MQTT");
        }
        wanted
    }

    /// One that does not run yet. `settings` are lines of its file behind the listener's.
    pub fn new(folder: &Path, port: u16, settings: &str) -> anyhow::Result<Self> {
        std::fs::create_dir_all(folder)?;
        // As root it would become a user that may not read the folder.
        let user = if Uid::effective().is_root() { "user root\n" } else { "" };
        let anonymous = if settings.contains("password_file") { "false" } else { "true" };
        let text = format!(
            "{user}per_listener_settings false\npersistence true\npersistence_location {}/\nlistener {port} 127.0.0.1\n\
             allow_anonymous {anonymous}\n{settings}\n",
            folder.display()
        );
        std::fs::write(folder.join("mosquitto.conf"), text)?;
        Ok(Self { folder: folder.to_owned(), port, process: None })
    }

    pub fn start(&mut self) -> anyhow::Result<()> {
        let file = self.folder.join("mosquitto.conf").display().to_string();
        let log = self.folder.join("mosquitto.log");
        let mut process = Process::start(&program()?, &["-c", &file], &log)?;
        process.until("its port", UP, || std::net::TcpStream::connect(("127.0.0.1", self.port)).ok())?;
        self.process = Some(process);
        Ok(())
    }

    /// As a power cut.
    pub fn kill(&mut self) -> anyhow::Result<()> {
        self.process.take().context("the broker does not run")?.kill()?;
        Ok(())
    }

    /// Makes a file with one user.
    pub fn password_file(path: &Path, user: &str, password: &str) -> anyhow::Result<()> {
        std::fs::write(path, format!("{user}:{password}\n"))?;
        let done = std::process::Command::new(beside("mosquitto_passwd")?).arg("-U").arg(path).status()?;
        anyhow::ensure!(done.success(), "mosquitto_passwd ended with {done}");
        Ok(())
    }
}

fn program() -> anyhow::Result<PathBuf> {
    beside("mosquitto")
}

fn beside(name: &str) -> anyhow::Result<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    let folders = std::env::split_paths(&path).chain([PathBuf::from("/usr/sbin")]);
    let found = folders.map(|folder| folder.join(name)).find(|path| path.is_file());
    found.context("Mosquitto is not installed; install it (Debian: apt-get install mosquitto)")
}
