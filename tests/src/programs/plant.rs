//! The simulated plant room as its own process.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::process::{Process, program};
use crate::plant::control::{Ask, Told, ask};
use crate::plant::fault::Fault;
use crate::plant::files::PlantFile;

const UP: Duration = Duration::from_mins(1);

#[derive(Clone, Debug)]
pub struct PlantOptions {
    pub seed: u64,
    /// Where the hub listens for gateways, `host:port`.
    pub hub: String,
    /// Where the edge shows its state, `host:port`.
    pub edge_http: String,
    /// Flush interval of the edge, like "1s".
    pub flush: String,
    /// Periods of fast, normal and slow points.
    pub periods: [String; 3],
}

impl Default for PlantOptions {
    fn default() -> Self {
        Self {
            seed: 1,
            hub: "127.0.0.1:7443".into(),
            edge_http: "127.0.0.1:9470".into(),
            flush: "1s".into(),
            // What the serial lines can carry at their pace.
            periods: ["1s".into(), "5s".into(), "10s".into()],
        }
    }
}

/// A plant room that runs.
#[derive(Debug)]
pub struct Plant {
    process: Option<Process>,
    dir: PathBuf,
    pub file: PlantFile,
}

impl Plant {
    /// Starts it in `dir` and waits until its ports are open.
    pub fn start(dir: &Path, options: &PlantOptions) -> anyhow::Result<Self> {
        let program = program("steward-plant", "steward-tests")?;
        let folder = dir.display().to_string();
        let seed = options.seed.to_string();
        let periods = options.periods.join(",");
        let args = [
            "run",
            "--dir",
            &folder,
            "--seed",
            &seed,
            "--hub",
            &options.hub,
            "--edge-http",
            &options.edge_http,
            "--flush",
            &options.flush,
            "--periods",
            &periods,
        ];
        std::fs::create_dir_all(dir)?;
        let log = dir.join("plant.log");
        // An earlier run's log must not look like this one's.
        std::fs::write(&log, "")?;
        let mut process = Process::start(&program, &args, &log)?;
        process.until("plant: ready", UP, || {
            std::fs::read_to_string(&log).ok().filter(|l| l.contains("plant: ready"))
        })?;
        let file = PlantFile::read(dir)?;
        Ok(Self { process: Some(process), dir: dir.to_owned(), file })
    }

    /// Modbus TCP, several devices behind one port.
    pub fn tcp(&self) -> SocketAddr {
        SocketAddr::from(([127, 0, 0, 1], self.file.tcp_port))
    }

    /// Breaks a device or line; it stays so for `lasts`, or until mended.
    pub fn break_at(&self, at: &str, fault: Fault, lasts: Option<Duration>) -> anyhow::Result<Told> {
        let for_ms = lasts.map(|d| u64::try_from(d.as_millis()).unwrap_or(u64::MAX));
        Ok(ask(&self.dir, &Ask::Break { at: at.to_owned(), fault, for_ms })?)
    }

    pub fn mend(&self, at: &str) -> anyhow::Result<Told> {
        Ok(ask(&self.dir, &Ask::Mend { at: Some(at.to_owned()) })?)
    }

    pub fn mend_all(&self) -> anyhow::Result<Told> {
        Ok(ask(&self.dir, &Ask::Mend { at: None })?)
    }

    /// What is broken, what the lines saw, how often devices were asked.
    pub fn told(&self) -> anyhow::Result<Told> {
        Ok(ask(&self.dir, &Ask::List)?)
    }

    /// The same with what every point shows now.
    pub fn values(&self) -> anyhow::Result<Told> {
        Ok(ask(&self.dir, &Ask::Values)?)
    }

    /// As a power cut; what it left in its folder stays.
    pub fn kill(&mut self) -> anyhow::Result<()> {
        if let Some(process) = self.process.take() {
            process.kill()?;
        }
        Ok(())
    }

    pub fn stop(mut self) -> anyhow::Result<()> {
        if let Some(process) = self.process.take() {
            let status = process.stop(Duration::from_secs(20))?;
            anyhow::ensure!(status.success(), "the plant ended with {status}");
        }
        Ok(())
    }
}
