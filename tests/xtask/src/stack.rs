//! The whole product running on this machine: plant room, hub and edge, as three processes that end with us.
//! The demo keeps its folder between runs; the browser tests take a fresh one and ports that nobody else has.

use std::path::Path;
use std::time::Duration;

use crate::api::{self, Api};
use crate::child::{Running, wait_for};
use crate::files;
use crate::ports::{self, Kind};
use crate::programs;
use crate::report::step;
use crate::shell;

pub const USER: &str = "admin";
const GATEWAY: &str = "plant-room";

/// The ports of one run.
struct Ports {
    page: u16,
    gateways: u16,
    edge: u16,
    plant: u16,
}

/// Dropped in this order: first who polls, then who listens.
pub struct Stack {
    edge: Running,
    hub: Running,
    plant: Running,
    page: u16,
    password: String,
    pub points: usize,
}

impl Stack {
    pub fn url(&self) -> String {
        format!("http://127.0.0.1:{}", self.page)
    }

    pub fn password(&self) -> &str {
        &self.password
    }

    /// An error when one of the three has ended by itself.
    pub fn check(&mut self) -> Result<(), String> {
        self.edge.check()?;
        self.hub.check()?;
        self.plant.check()
    }
}

/// The demo's stack. The page's port is the wanted one or the next that is free.
pub fn for_demo(folder: &Path, days: u32, page: u16) -> Result<Stack, String> {
    let ports = Ports {
        page: ports::free(Kind::Tcp, page, "the page")?,
        gateways: ports::free(Kind::Udp, 7443, "the gateways' door")?,
        edge: ports::free(Kind::Tcp, 9470, "the edge's status page")?,
        plant: ports::free(Kind::Tcp, 15020, "the plant room")?,
    };
    start(folder, days, &ports)
}

/// A stack for the browser tests: a few days of history are enough for a chart.
pub fn for_tests() -> Result<Stack, String> {
    let folder = files::target().join("browser-tests");
    files::remove_folder(&folder)?;
    let ports = Ports {
        page: ports::any(Kind::Tcp)?,
        gateways: ports::any(Kind::Udp)?,
        edge: ports::any(Kind::Tcp)?,
        plant: ports::any(Kind::Tcp)?,
    };
    start(&folder, 3, &ports)
}

fn start(folder: &Path, days: u32, ports: &Ports) -> Result<Stack, String> {
    files::make_folder(folder)?;
    let password = password(folder)?;
    let mut plant = step("plant room", || start_plant(folder, ports))?;
    let mut hub = step("hub", || start_hub(folder, ports, &mut plant))?;
    let api = Api::open(ports.page, USER, &password)?;
    let enrolled = folder.join("edge/identity/gateway").is_file();
    let code = if enrolled {
        None
    } else {
        Some(step("sites, gateway, enrolment code", || {
            let room = api.make_sites()?;
            api.enrolment_code(GATEWAY, &room)
        })?)
    };
    let config = folder.join("plant/edge.toml");
    if let Some(code) = code {
        step("history", || history(folder, &config, days))?;
        step("enrolment", || enrol(&config, &code))?;
    }
    let mut edge = step("edge", || start_edge(folder, &config))?;
    let points = step("first values", || {
        wait_for("values on the page", Duration::from_mins(1), &mut [&mut edge, &mut hub, &mut plant], || {
            let (fresh, all) = api.points_with_values().ok()?;
            (all > 0 && fresh * 10 >= all * 9).then_some(all)
        })
    })?;
    Ok(Stack { edge, hub, plant, page: ports.page, password, points })
}

/// Made once, kept in the folder, readable by its owner only.
fn password(folder: &Path) -> Result<String, String> {
    use std::io::{Read, Write};
    use std::os::unix::fs::OpenOptionsExt;
    let path = folder.join("password");
    if let Ok(known) = files::read(&path) {
        return Ok(known.trim().to_owned());
    }
    let fault = |e: std::io::Error| format!("cannot make a password in {}: {e}", path.display());
    let mut bytes = [0_u8; 16];
    std::fs::File::open("/dev/urandom").and_then(|mut file| file.read_exact(&mut bytes)).map_err(fault)?;
    // 32 letters and digits that nobody confuses: five bits each.
    let letters = b"abcdefghjkmnpqrstuvwxyz23456789z";
    let text: String = bytes.iter().map(|b| char::from(letters[usize::from(b % 32)])).collect();
    let mut file =
        std::fs::OpenOptions::new().write(true).create_new(true).mode(0o600).open(&path).map_err(fault)?;
    file.write_all(text.as_bytes()).map_err(fault)?;
    Ok(text)
}

/// The plant room also writes the gateway's file, for the ports of this run.
fn start_plant(folder: &Path, ports: &Ports) -> Result<Running, String> {
    let place = folder.join("plant");
    files::make_folder(&place)?;
    let ready = place.join("plant.json");
    // What a killed run has left would look like readiness.
    let _ = std::fs::remove_file(&ready);
    let [dir, data] = [&place, &folder.join("edge")].map(|path| path.display().to_string());
    let (port, hub) = (ports.plant.to_string(), format!("127.0.0.1:{}", ports.gateways));
    let http = format!("127.0.0.1:{}", ports.edge);
    let mut args = vec!["run", "--dir", &dir, "--tcp-port", &port, "--hub", &hub];
    args.extend_from_slice(&["--edge-data", &data, "--edge-http", &http]);
    let program = programs::path("steward-plant");
    let mut plant = Running::start("the plant room", &program, &args, folder, &folder.join("plant.log"))?;
    wait_for("the plant room", Duration::from_mins(1), &mut [&mut plant], || ready.is_file().then_some(()))?;
    Ok(plant)
}

fn start_hub(folder: &Path, ports: &Ports, plant: &mut Running) -> Result<Running, String> {
    let config = folder.join("hub.toml");
    let data = folder.join("hub");
    files::make_folder(&data)?;
    let text = format!(
        "# Written anew at each start of the demo.\n\
         [http]\nlisten = \"127.0.0.1:{}\"\n\n[gateways]\nlisten = \"127.0.0.1:{}\"\n\n\
         [data]\ndir = \"{}\"\n",
        ports.page,
        ports.gateways,
        data.display(),
    );
    files::write(&config, text)?;
    let config = config.display().to_string();
    let program = programs::path("steward-hub");
    let args = ["run", "--config", &config];
    let mut hub = Running::start("the hub", &program, &args, &files::root(), &folder.join("hub.log"))?;
    wait_for("the hub", Duration::from_mins(1), &mut [&mut hub, plant], || {
        api::is_ready(ports.page).then_some(())
    })?;
    Ok(hub)
}

fn history(folder: &Path, config: &Path, days: u32) -> Result<(), String> {
    let config = config.display().to_string();
    let days = days.to_string();
    let args = ["history", "--config", &config, "--days", &days];
    // Shown: it tells how far it is.
    shell::show(shell::command(programs::path("steward-plant"), &args, folder))
}

fn enrol(config: &Path, code: &str) -> Result<(), String> {
    let config = config.display().to_string();
    let args = ["enrol", "--config", &config, code];
    shell::output(shell::command(programs::path("steward-edge"), &args, &files::root())).map(drop)
}

fn start_edge(folder: &Path, config: &Path) -> Result<Running, String> {
    let config = config.display().to_string();
    let program = programs::path("steward-edge");
    Running::start(
        "the edge",
        &program,
        &["run", "--config", &config],
        &files::root(),
        &folder.join("edge.log"),
    )
}
