//! steward-edge as its own process.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use serde_json::Value;

use super::http::Http;
use super::process::{Process, program};

const UP: Duration = Duration::from_secs(30);
const DOWN: Duration = Duration::from_secs(20);

/// The edge of this machine, or what `STEWARD_EDGE_PROGRAM` names: one for another processor.
fn edge_program() -> anyhow::Result<PathBuf> {
    std::env::var_os("STEWARD_EDGE_PROGRAM")
        .map_or_else(|| program("steward-edge", "steward-edge"), |path| Ok(path.into()))
}

/// An edge, running or not, with its file and its log.
#[derive(Debug)]
pub struct Edge {
    config: PathBuf,
    pub http: SocketAddr,
    log: PathBuf,
    process: Option<Process>,
}

impl Edge {
    /// An edge that does not run yet. `http` is what its file says.
    pub fn new(config: &Path, http: SocketAddr) -> Self {
        Self { config: config.to_owned(), http, log: config.with_file_name("edge.log"), process: None }
    }

    /// Redeems a one-time code, as the person at the gateway does.
    pub fn enrol(&self, code: &str) -> anyhow::Result<()> {
        let config = self.config.display().to_string();
        let out = std::process::Command::new(edge_program()?)
            .args(["enrol", "--config", &config, code])
            .output()?;
        let said = String::from_utf8_lossy(&out.stderr);
        ensure!(
            out.status.success(),
            "the edge could not enrol: {said}{}",
            String::from_utf8_lossy(&out.stdout)
        );
        Ok(())
    }

    /// Starts it and waits until it answers.
    pub fn start(&mut self) -> anyhow::Result<()> {
        self.start_with(&[])
    }

    pub fn start_with(&mut self, variables: &[(&str, &str)]) -> anyhow::Result<()> {
        let config = self.config.display().to_string();
        let args = ["run", "--config", config.as_str()];
        let mut process = Process::start_with(&edge_program()?, &args, &self.log, variables)?;
        let http = self.http();
        process.until("its /healthz", UP, || http.get("/healthz").ok().filter(|a| a.status == 200))?;
        self.process = Some(process);
        Ok(())
    }

    /// As a power cut.
    pub fn kill(&mut self) -> anyhow::Result<()> {
        self.process.take().context("the edge does not run")?.kill()?;
        Ok(())
    }

    pub fn stop(&mut self) -> anyhow::Result<()> {
        let status = self.process.take().context("the edge does not run")?.stop(DOWN)?;
        ensure!(status.success(), "the edge ended with {status}:\n{}", self.log());
        Ok(())
    }

    pub fn runs(&mut self) -> bool {
        self.process.as_mut().is_some_and(Process::runs)
    }

    pub fn process(&self) -> Option<&Process> {
        self.process.as_ref()
    }

    pub fn http(&self) -> Http {
        Http::new(self.http)
    }

    /// Health and latest values, as the edge itself shows them.
    pub fn status(&self) -> anyhow::Result<Value> {
        self.http().get("/status")?.ok()
    }

    pub fn config(&self) -> &Path {
        &self.config
    }

    pub fn log(&self) -> String {
        std::fs::read_to_string(&self.log).unwrap_or_default()
    }
}
