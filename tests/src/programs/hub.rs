//! steward-hub as its own process.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use serde_json::{Value, json};

use super::http::Http;
use super::process::{Process, free_port, free_tcp_port, program};

const UP: Duration = Duration::from_mins(1);
const DOWN: Duration = Duration::from_secs(20);

/// The first user that tests make, and the password.
pub const ADMIN: &str = "admin";
pub const PASSWORD: &str = "correct-horse-battery-7";

#[derive(Clone, Debug, Default)]
pub struct HubOptions {
    /// `sqlite:…` or `postgres://…`; a file in the hub's folder without it.
    pub database: Option<String>,
}

/// A hub, running or not, on ports that stay the same over restarts.
#[derive(Debug)]
pub struct Hub {
    dir: PathBuf,
    config: PathBuf,
    pub http: SocketAddr,
    /// Where gateways reach it, by UDP and TCP.
    pub gateways: SocketAddr,
    process: Option<Process>,
}

impl Hub {
    /// Writes its file; does not start it.
    pub fn new(dir: &Path, options: &HubOptions) -> anyhow::Result<Self> {
        std::fs::create_dir_all(dir)?;
        let http = SocketAddr::from(([127, 0, 0, 1], free_tcp_port()?));
        let gateways = SocketAddr::from(([127, 0, 0, 1], free_port()?));
        let file = format!("sqlite:{}", dir.join("steward.db").display());
        let database = options.database.clone().unwrap_or(file);
        let text = |s: &str| toml_edit::Value::from(s).to_string().trim().to_owned();
        let config = dir.join("hub.toml");
        std::fs::write(
            &config,
            format!(
                "[http]\nlisten = {}\n\n[gateways]\nlisten = {}\n\n[database]\nurl = {}\n\n[data]\ndir = {}\n",
                text(&http.to_string()),
                text(&gateways.to_string()),
                text(&database),
                text(&dir.display().to_string()),
            ),
        )?;
        Ok(Self { dir: dir.to_owned(), config, http, gateways, process: None })
    }

    /// Starts it and waits until it answers.
    pub fn start(&mut self) -> anyhow::Result<()> {
        self.start_with(&[])
    }

    pub fn start_with(&mut self, variables: &[(&str, &str)]) -> anyhow::Result<()> {
        let config = self.config.display().to_string();
        let args = ["run", "--config", config.as_str()];
        let program = program("steward-hub", "steward-hub")?;
        let mut process = Process::start_with(&program, &args, &self.dir.join("hub.log"), variables)?;
        let http = Http::new(self.http);
        process.until("its /readyz", UP, || http.get("/readyz").ok().filter(|a| a.status == 200))?;
        self.process = Some(process);
        Ok(())
    }

    pub fn kill(&mut self) -> anyhow::Result<()> {
        self.process.take().context("the hub does not run")?.kill()?;
        Ok(())
    }

    pub fn stop(&mut self) -> anyhow::Result<()> {
        let status = self.process.take().context("the hub does not run")?.stop(DOWN)?;
        ensure!(status.success(), "the hub ended with {status}:\n{}", self.log());
        Ok(())
    }

    pub fn runs(&mut self) -> bool {
        self.process.as_mut().is_some_and(Process::runs)
    }

    pub fn process(&self) -> Option<&Process> {
        self.process.as_ref()
    }

    /// A client without a session.
    pub const fn stranger(&self) -> Http {
        Http::new(self.http)
    }

    /// A client logged in as the administrator, who is made first where there is none.
    pub fn admin(&self) -> anyhow::Result<Http> {
        let mut http = self.stranger();
        let needed = http.get("/api/v1/setup")?.ok()?["needed"].as_bool();
        if needed == Some(true) {
            http.log_in("/api/v1/setup", &json!({"user": ADMIN, "name": "Admin", "password": PASSWORD}))?;
        } else {
            http.log_in("/api/v1/session", &json!({"user": ADMIN, "password": PASSWORD}))?;
        }
        Ok(http)
    }

    /// Makes a gateway; gives its id and the one-time code.
    pub fn add_gateway(&self, admin: &Http, name: &str) -> anyhow::Result<(String, String)> {
        let made = admin.post("/api/v1/gateways", &json!({ "name": name }))?.ok()?;
        let id = made["gateway"]["id"].as_str().context("the answer names no gateway")?;
        let code = made["code"].as_str().context("the answer bears no code")?;
        Ok((id.to_owned(), code.to_owned()))
    }

    /// All items of a list, page by page.
    pub fn list(&self, http: &Http, path: &str) -> anyhow::Result<Vec<Value>> {
        let mut items = Vec::new();
        let mut after = String::new();
        loop {
            let sign = if path.contains('?') { '&' } else { '?' };
            let page = http.get(&format!("{path}{sign}limit=200{after}"))?.ok()?;
            items.extend(page["items"].as_array().context("the answer is no page")?.iter().cloned());
            match page["next"].as_str() {
                Some(cursor) => after = format!("&after={cursor}"),
                None => return Ok(items),
            }
        }
    }

    pub fn dir(&self) -> &Path {
        &self.dir
    }

    pub fn config(&self) -> &Path {
        &self.config
    }

    pub fn log(&self) -> String {
        std::fs::read_to_string(self.dir.join("hub.log")).unwrap_or_default()
    }
}
