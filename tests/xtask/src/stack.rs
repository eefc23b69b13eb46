//! The whole product running on this machine: plant room, hub and edge, as three processes that end with us.
//! The demo keeps its folder between runs; the browser tests take a fresh one and ports that nobody else has.
//! One stack a folder: a second one is refused before it touches anything.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::os::unix::fs::OpenOptionsExt as _;
use std::path::{Path, PathBuf};
use std::time::Duration;

use crate::api::{self, Api};
use crate::child::{Running, wait_for};
use crate::claim::{self, Claim};
use crate::files;
use crate::json::quote;
use crate::ports::{self, Kind};
use crate::programs;
use crate::report::{say, step};
use crate::shell;

pub const USER: &str = "admin";
const GATEWAY: &str = "plant-room";
/// The plant's and the edge's settings lie here, below the stack's folder.
pub const PLANT: &str = "plant";
/// Which programs stand still because somebody wanted it: a file of the program's name in this folder.
const STOPPED: &str = "stopped";
const UP: Duration = Duration::from_mins(1);

/// The ports of one run.
struct Ports {
    page: u16,
    gateways: u16,
    edge: u16,
    plant: u16,
}

/// A program of the stack.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Part {
    Edge,
    Hub,
    Plant,
}

impl Part {
    /// In the order in which they stop: first who polls, then who listens.
    pub const ALL: [Self; 3] = [Self::Edge, Self::Hub, Self::Plant];

    pub const fn name(self) -> &'static str {
        match self {
            Self::Edge => "edge",
            Self::Hub => "hub",
            Self::Plant => "plant",
        }
    }
}

/// The stack's own folder, the right to it, and the ports of its programs.
struct Place {
    claim: Claim,
    ports: Ports,
}

/// Dropped in this order: the programs one after the other, then the right to the folder.
pub struct Stack {
    /// In the order of `Part::ALL`.
    running: [Option<Running>; 3],
    place: Place,
    password: String,
    /// How many points have a value, and how many there are.
    pub points: (usize, usize),
}

impl Place {
    fn take(
        folder: &Path,
        fresh: bool,
        ports: impl FnOnce() -> Result<Ports, String>,
    ) -> Result<Self, String> {
        let mut claim = Claim::on(folder, fresh)?;
        let ports = ports()?;
        claim.sign(ports.page)?;
        Ok(Self { claim, ports })
    }

    fn folder(&self) -> &Path {
        self.claim.folder()
    }

    fn at(&self, path: &str) -> PathBuf {
        self.folder().join(path)
    }

    fn edge_config(&self) -> PathBuf {
        self.at(PLANT).join("edge.toml")
    }

    fn start(&self, part: Part) -> Result<Running, String> {
        match part {
            Part::Edge => self.start_edge(),
            Part::Hub => self.start_hub(),
            Part::Plant => self.start_plant(),
        }
    }

    /// The plant room also writes the gateway's file, for the ports of this run.
    fn start_plant(&self) -> Result<Running, String> {
        let dir = self.at(PLANT);
        files::make_folder(&dir)?;
        let ready = dir.join("plant.json");
        // What a killed run has left would look like readiness.
        let _ = std::fs::remove_file(&ready);
        let [dir, data] = [&dir, &self.at("edge")].map(|path| path.display().to_string());
        let (port, hub) = (self.ports.plant.to_string(), format!("127.0.0.1:{}", self.ports.gateways));
        let http = format!("127.0.0.1:{}", self.ports.edge);
        let mut args = vec!["run", "--dir", &dir, "--tcp-port", &port, "--hub", &hub];
        args.extend_from_slice(&["--edge-data", &data, "--edge-http", &http]);
        let program = programs::path("steward-plant");
        let mut plant =
            Running::start("the plant room", &program, &args, self.folder(), &self.at("plant.log"))?;
        wait_for("the plant room", UP, &mut [&mut plant], || ready.is_file().then_some(()))?;
        Ok(plant)
    }

    fn start_hub(&self) -> Result<Running, String> {
        let (config, data) = (self.at("hub.toml"), self.at("hub"));
        files::make_folder(&data)?;
        let text = format!(
            "# Written anew at each start.\n\
             [http]\nlisten = \"127.0.0.1:{}\"\n\n[gateways]\nlisten = \"127.0.0.1:{}\"\n\n\
             [data]\ndir = {}\n",
            self.ports.page,
            self.ports.gateways,
            quote(&data.display().to_string()),
        );
        files::write(&config, text)?;
        let config = config.display().to_string();
        let program = programs::path("steward-hub");
        let args = ["run", "--config", &config];
        let mut hub = Running::start("the hub", &program, &args, &files::root(), &self.at("hub.log"))?;
        wait_for("the hub", UP, &mut [&mut hub], || api::is_ready(self.ports.page).then_some(()))?;
        Ok(hub)
    }

    fn start_edge(&self) -> Result<Running, String> {
        let config = self.edge_config().display().to_string();
        let program = programs::path("steward-edge");
        let args = ["run", "--config", &config];
        Running::start("the edge", &program, &args, &files::root(), &self.at("edge.log"))
    }

    /// Made once, kept in the folder, readable by its owner only.
    fn password(&self) -> Result<String, String> {
        let path = self.at("password");
        if let Ok(known) = files::read(&path) {
            return Ok(known.trim().to_owned());
        }
        let fault = |e: std::io::Error| format!("cannot make a password in {}: {e}", path.display());
        let mut bytes = [0_u8; 16];
        File::open("/dev/urandom").and_then(|mut file| file.read_exact(&mut bytes)).map_err(fault)?;
        // 32 letters and digits that nobody confuses: five bits each.
        let letters = b"abcdefghjkmnpqrstuvwxyz23456789z";
        let text: String = bytes.iter().map(|b| char::from(letters[usize::from(b % 32)])).collect();
        // Whole or not at all: a run may be killed at any time.
        let half = self.at("password.new");
        files::remove(&half)?;
        let mut file = File::options().write(true).create_new(true).mode(0o600).open(&half).map_err(fault)?;
        file.write_all(text.as_bytes()).map_err(fault)?;
        std::fs::rename(&half, &path).map_err(fault)?;
        Ok(text)
    }

    /// Sites, gateway, a month of history and the enrolment, where an earlier run has not come so far.
    fn enrol(&self, api: &Api, days: u32) -> Result<(), String> {
        if self.at("edge/identity/gateway").is_file() {
            return Ok(());
        }
        // Half a history of a run that was stopped is worth nothing, and looks like a whole one.
        files::remove(&self.at("edge"))?;
        let code = step("sites, gateway, enrolment code", || {
            let room = api.make_sites()?;
            api.enrolment_code(GATEWAY, &room)
        })?;
        let config = self.edge_config().display().to_string();
        step("history", || {
            let days = days.to_string();
            let args = ["history", "--config", &config, "--days", &days];
            // Shown: it tells how far it is.
            shell::show(&shell::command(programs::path("steward-plant"), &args, self.folder()))
        })?;
        step("enrolment", || {
            let args = ["enrol", "--config", &config, &code];
            shell::output(&shell::command(programs::path("steward-edge"), &args, &files::root())).map(drop)
        })
    }

    fn way_out_of_a_wrong_password(&self) -> String {
        format!(
            "the password of {USER} was changed on the page: write the new one into {}, or set another with\n    \
             {} users reset-password {USER} --config {}",
            self.at("password").display(),
            programs::path("steward-hub").display(),
            self.at("hub.toml").display(),
        )
    }
}

/// The demo's stack. The page's port is the wanted one or the next that is free.
pub fn for_demo(folder: &Path, days: u32, page: u16, fresh: bool) -> Result<Stack, String> {
    let ports = || {
        let mut taken = Vec::new();
        let mut free = |kind, wanted, what| {
            let port = ports::free(kind, wanted, what, &taken)?;
            taken.push(port);
            Ok::<_, String>(port)
        };
        Ok(Ports {
            page: free(Kind::Tcp, page, "the page")?,
            gateways: free(Kind::Both, 7443, "the gateways' door")?,
            edge: free(Kind::Tcp, 9470, "the edge's status page")?,
            plant: free(Kind::Tcp, 15020, "the plant room")?,
        })
    };
    start(Place::take(folder, fresh, ports)?, days)
}

/// A stack for the browser tests, with the month of history that the demo has.
pub fn for_tests() -> Result<Stack, String> {
    let ports = || {
        Ok(Ports {
            page: ports::any(Kind::Tcp)?,
            gateways: ports::any(Kind::Both)?,
            edge: ports::any(Kind::Tcp)?,
            plant: ports::any(Kind::Tcp)?,
        })
    };
    let folder = files::target().join("browser-tests");
    // Below `target` all is ours, also what an older version has left there without its mark.
    if !claim::is_marked(&folder) {
        files::remove(&folder)?;
    }
    start(Place::take(&folder, true, ports)?, 30)
}

fn start(place: Place, days: u32) -> Result<Stack, String> {
    files::remove(&place.at(STOPPED))?;
    let password = place.password()?;
    let mut plant = step("plant room", || place.start(Part::Plant))?;
    let mut hub = step("hub", || place.start(Part::Hub))?;
    let way_out = place.way_out_of_a_wrong_password();
    let api = Api::open(place.ports.page, USER, &password, &way_out)?;
    place.enrol(&api, days)?;
    let mut edge = step("edge", || place.start(Part::Edge))?;
    let points = step("first values", || {
        wait_for("values on the page", UP, &mut [&mut edge, &mut hub, &mut plant], || {
            let (fresh, all) = api.points_with_values().ok()?;
            (all > 0 && fresh * 10 >= all * 9).then_some((fresh, all))
        })
    })?;
    Ok(Stack { running: [Some(edge), Some(hub), Some(plant)], place, password, points })
}

impl Stack {
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.place.ports.page)
    }

    pub fn password(&self) -> &str {
        &self.password
    }

    pub fn folder(&self) -> &Path {
        self.place.folder()
    }

    /// Stops and starts what somebody wants stopped and started (`stop`, `start`). A program that has ended by
    /// itself is told of and waits for its start; the others go on.
    pub fn tend(&mut self) -> Result<(), String> {
        for part in Part::ALL {
            let mark = self.place.at(STOPPED).join(part.name());
            let running = &mut self.running[part as usize];
            if let Some(error) = running.as_mut().and_then(|program| program.check().err()) {
                *running = None;
                files::write(&mark, "")?;
                say!("{error}\n  the others go on; `cargo demo start {}` starts it again", part.name());
            } else if mark.is_file() && running.take().is_some() {
                say!("the {} was stopped; `cargo demo start {0}` starts it again", part.name());
            } else if !mark.is_file() && running.is_none() {
                match self.place.start(part) {
                    Ok(program) => {
                        *running = Some(program);
                        say!("the {} runs again", part.name());
                    }
                    Err(error) => {
                        files::write(&mark, "")?;
                        say!("{error}\n  `cargo demo start {}` tries again", part.name());
                    }
                }
            }
        }
        Ok(())
    }
}

/// Wishes that a running stack in `folder` shall stop or start one of its programs.
pub fn wish(folder: &Path, part: Part, stopped: bool) -> Result<(), String> {
    if claim::holder(folder).is_none() {
        return Err(format!("no demo runs in {}; start one with `cargo demo`", folder.display()));
    }
    let mark = folder.join(STOPPED).join(part.name());
    if stopped {
        return files::write(&mark, "");
    }
    match std::fs::remove_file(&mark) {
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Err(format!("the {} runs", part.name())),
        other => other.map_err(|e| format!("cannot remove {}: {e}", mark.display())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_is_stopped_where_nothing_runs() {
        let folder = files::target().join("xtask-stack-nobody");
        assert!(wish(&folder, Part::Hub, true).unwrap_err().contains("`cargo demo`"));
    }
}
