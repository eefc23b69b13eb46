//! A running plant: its ports, its terminals, its socket. Started by the binary and by tests in process.

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::Duration;

use steward_edge::lab::{Serial, SerialError, serve_bacnet};
use steward_protocols::question::Address as At;
use steward_shared::reading::Value;
use steward_shared::time::{Clock, Timestamp};
use tokio::net::{TcpListener, UnixListener};
use tokio::sync::watch;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

use super::control::{Ask, Told};
use super::fault::Fault;
use super::files::{
    CONTROL_SOCKET, EDGE_FILE, EdgeSettings, FileError, PLANT_FILE, PlantFile, SerialPort, edge_toml,
    read_gained, write_gained, write_whole,
};
use super::house::{House, HouseError, OnLine, OnNetwork};
use super::plan::{DEVICES, LINES};
use super::{control, tcp};

/// The room is looked at this often, so that counters under a trip are integrated finely.
const TICK: Duration = Duration::from_secs(1);
/// The longest path that a Unix socket can have (`sun_path` of unix(7), with its closing NUL).
const LONGEST_SOCKET: usize = 107;

#[derive(Clone, Debug)]
pub struct Settings {
    pub dir: PathBuf,
    pub seed: u64,
    /// 0 takes a free port; one in use is an error.
    pub tcp_port: u16,
    pub edge: EdgeSettings,
}

#[derive(Debug, thiserror::Error)]
pub enum RunError {
    #[error("the folder {path} cannot be used")]
    Folder { path: PathBuf, source: io::Error },
    #[error("port {port} cannot be opened; take another, or 0 for a free one")]
    Port { port: u16, source: io::Error },
    #[error("a plant (process {pid}) runs in {dir} already; end it, or take another folder")]
    RunsAlready { pid: u32, dir: PathBuf },
    #[error(transparent)]
    House(#[from] HouseError),
    #[error(transparent)]
    Serial(#[from] SerialError),
    #[error(transparent)]
    File(#[from] FileError),
}

/// A plant that runs.
#[derive(Debug)]
pub struct Running {
    pub house: Arc<House>,
    pub file: PlantFile,
    dir: PathBuf,
    serial: Vec<(&'static str, Serial)>,
    plugged: watch::Sender<bool>,
}

/// The tasks of a running plant. Dropping it without `stop` leaves them to the runtime.
#[derive(Debug)]
pub struct Plant {
    pub running: Arc<Running>,
    stop: CancellationToken,
    tasks: Vec<JoinHandle<()>>,
}

impl Plant {
    /// Opens everything and writes the files.
    pub async fn start(settings: Settings, clock: Arc<dyn Clock>) -> Result<Self, RunError> {
        let folder = |source| RunError::Folder { path: settings.dir.clone(), source };
        std::fs::create_dir_all(&settings.dir).map_err(folder)?;
        let dir = settings.dir.canonicalize().map_err(folder)?;
        if let Ok(other) = PlantFile::read(&dir)
            && std::os::unix::net::UnixStream::connect(&other.control).is_ok()
        {
            return Err(RunError::RunsAlready { pid: other.pid, dir });
        }
        // What a killed plant left must not pass for this one's.
        match std::fs::remove_file(dir.join(PLANT_FILE)) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => return Err(folder(e)),
            _ => {}
        }
        let house = Arc::new(House::new(settings.seed, clock, read_gained(&dir)?)?);
        // Integrates the meters up to now before anybody asks.
        house.scene();
        let port = |source| RunError::Port { port: settings.tcp_port, source };
        let listener = TcpListener::bind(("127.0.0.1", settings.tcp_port)).await.map_err(port)?;
        let address = listener.local_addr().map_err(port)?;
        let stop = CancellationToken::new();
        let (bacnet_port, network) = open_network(&house, address.port(), &stop).map_err(port)?;
        let control = socket_path(&dir);
        if control.exists() {
            std::fs::remove_file(&control).map_err(folder)?;
        }
        let socket = UnixListener::bind(&control).map_err(folder)?;
        let mut serial = Vec::new();
        for line in LINES {
            if let Some((link, pace)) = line.serial {
                let devices = Arc::new(OnLine { house: house.clone(), line: line.name });
                serial.push((line.name, Serial::open(&dir.join(link), pace, devices)?));
            }
        }
        let ports = LINES.iter().filter_map(|line| {
            let (link, pace) = line.serial?;
            Some(SerialPort { line: line.name.to_owned(), path: dir.join(link), baud: pace.baud })
        });
        let file = PlantFile {
            pid: std::process::id(),
            seed: settings.seed,
            control,
            tcp_port: address.port(),
            bacnet_port,
            serial: ports.collect(),
            edge_config: dir.join(EDGE_FILE),
        };
        write_whole(&file.edge_config, &edge_toml(&settings.edge, (address.port(), bacnet_port), &dir))?;
        file.write(&dir)?;
        let (plugged, _) = watch::channel(true);
        let running = Arc::new(Running { house, file, dir, serial, plugged });
        let tasks = vec![
            network,
            tokio::spawn(control::serve(socket, running.clone(), stop.clone())),
            tokio::spawn(serve_tcp(listener, address, running.clone(), stop.clone())),
            tokio::spawn(tick(running.clone(), stop.clone())),
        ];
        Ok(Self { running, stop, tasks })
    }

    /// Ends the tasks, closes the lines, writes the counters down and removes what only a running plant has.
    pub async fn stop(self) -> Result<(), FileError> {
        self.stop.cancel();
        for task in self.tasks {
            // A task that panicked has said so already.
            let _ = task.await;
        }
        let running = self.running;
        running.house.scene();
        write_gained(&running.dir, &running.house.gained())?;
        for path in [running.dir.join(PLANT_FILE), running.file.control.clone()] {
            // Gone already is as good.
            let _ = std::fs::remove_file(path);
        }
        Ok(())
    }
}

impl Running {
    /// Does what a question asks and tells how things are.
    pub fn told(&self, question: Ask) -> Told {
        let mut told = Told::default();
        match question {
            Ask::Break { at, fault, for_ms } => {
                let broken = self.house.break_at(&at, fault, for_ms.map(Duration::from_millis));
                told.error = broken.err().map(|e| e.to_string());
            }
            Ask::Mend { at } => {
                if self.house.mend(at.as_deref()) == 0 && at.is_some() {
                    told.error = Some("nothing is broken there; see steward-plant list".into());
                }
            }
            Ask::List => {}
            Ask::Values => told.values = self.values(),
        }
        self.obey();
        told.breaks = self.house.breaks();
        told.lines = self.serial.iter().map(|(name, line)| ((*name).to_owned(), line.counts())).collect();
        told.asked = self.house.asked().into_iter().map(|(name, n)| (name.to_owned(), n)).collect();
        told
    }

    fn values(
        &self,
    ) -> std::collections::BTreeMap<String, std::collections::BTreeMap<String, serde_json::Value>> {
        let scene = self.house.scene();
        let devices = self.house.devices().iter();
        devices
            .map(|d| {
                let points = d.profile.points.iter();
                let shown = points.map(|p| {
                    let value = match self.house.shown(d, p, &scene) {
                        Some(Value::Number(n)) => serde_json::json!(n),
                        Some(Value::Text(t)) => serde_json::json!(t),
                        None => serde_json::Value::Null,
                    };
                    (p.key.clone(), value)
                });
                (d.name.to_owned(), shown.collect())
            })
            .collect()
    }

    /// Brings the lines to the state that the breaks ask for.
    fn obey(&self) {
        let breaks = self.house.breaks();
        let is = |line: &str, fault: Fault| breaks.iter().any(|b| b.at == line && b.fault == fault);
        for (name, line) in &self.serial {
            line.orders.unplugged.store(is(name, Fault::Unplugged), Ordering::SeqCst);
            line.orders.babbling.store(is(name, Fault::Babble), Ordering::SeqCst);
        }
        let tcp = LINES.iter().filter(|l| l.is_tcp());
        let plugged = !tcp.into_iter().any(|l| is(l.name, Fault::Unplugged));
        self.plugged.send_if_modified(|now| std::mem::replace(now, plugged) != plugged);
    }

    pub fn dir(&self) -> &Path {
        &self.dir
    }
}

async fn serve_tcp(listener: TcpListener, address: SocketAddr, plant: Arc<Running>, stop: CancellationToken) {
    let line = LINES.iter().find(|l| l.is_tcp()).map_or("", |l| l.name);
    let devices = Arc::new(OnLine { house: plant.house.clone(), line });
    let plugged = plant.plugged.subscribe();
    if let Err(error) = tcp::serve(Some(listener), address, devices, plugged, stop).await {
        tracing::error!(%error, %address, "the Modbus TCP port cannot be served any more");
    }
}

/// The device of the BACnet network, on the UDP port of this number, which stays when the plant is started anew; or on a
/// free one where somebody has that.
fn open_network(
    house: &Arc<House>,
    port: u16,
    stop: &CancellationToken,
) -> io::Result<(u16, JoinHandle<()>)> {
    let device = DEVICES.iter().find_map(|d| match d.address {
        At::Bacnet(node) => Some((d.name, node.instance)),
        _ => None,
    });
    let (name, instance) = device.expect("the list has a device of BACnet");
    let open = |port: u16| {
        let behind = OnNetwork::new(house, name).expect("the house has all devices of the list");
        let listen = std::net::SocketAddrV4::new(std::net::Ipv4Addr::LOCALHOST, port);
        serve_bacnet(Arc::new(behind), instance, listen, None, Duration::from_millis(5), stop.clone())
    };
    let (at, serve) = match open(port) {
        Err(e) if e.kind() == io::ErrorKind::AddrInUse => open(0)?,
        other => other?,
    };
    let task = tokio::spawn(async move {
        if let Err(error) = serve.await {
            tracing::error!(%error, %at, "the BACnet port cannot be served any more");
        }
    });
    Ok((at.port(), task))
}

/// Looks at the room each second, mends what has run out, keeps the counters.
async fn tick(plant: Arc<Running>, stop: CancellationToken) {
    let mut every = tokio::time::interval(TICK);
    every.set_missed_tick_behavior(tokio::time::MissedTickBehavior::Skip);
    let mut kept = plant.house.gained();
    loop {
        tokio::select! {
            // A tick that is lost to the stop is made up by the last look in `stop`.
            _ = every.tick() => {}
            () = stop.cancelled() => return,
        }
        plant.house.scene();
        plant.obey();
        // At once: a counter that fell after a kill would look like another meter.
        let gained = plant.house.gained();
        if gained != kept {
            match write_gained(&plant.dir, &gained) {
                Ok(()) => kept = gained,
                Err(error) => tracing::warn!(%error, "the counters cannot be written down"),
            }
        }
    }
}

/// In the plant's folder, or where that is too deep in the temporary one; `plant.json` says where.
fn socket_path(dir: &Path) -> PathBuf {
    let path = dir.join(CONTROL_SOCKET);
    if path.as_os_str().len() <= LONGEST_SOCKET {
        return path;
    }
    std::env::temp_dir().join(format!("steward-plant-{}.sock", std::process::id()))
}

/// A clock that runs `speed` times as fast from the moment it was made.
#[derive(Debug)]
pub struct FastClock<C> {
    pub inner: C,
    pub from: Timestamp,
    pub speed: f64,
}

impl<C: Clock> Clock for FastClock<C> {
    fn now(&self) -> Timestamp {
        let gone = (self.inner.now().0 - self.from.0) as f64;
        Timestamp(self.from.0 + (gone * self.speed) as i64)
    }
}
