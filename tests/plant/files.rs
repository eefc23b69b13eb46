//! The files of a running plant in its folder: `plant.json` (where it listens; written last), `edge.toml` (how
//! a gateway reaches all of it), `counters.json` (what trips did to the counters).

use std::fmt::Write as _;
use std::fs;
use std::io;
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use steward_protocols::question::Address;

use super::plan::{DEVICES, LINES};
use super::room::Gained;

/// What a running plant says of itself.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct PlantFile {
    pub pid: u32,
    pub seed: u64,
    /// Socket for `break`, `mend` and `list`.
    pub control: PathBuf,
    /// Port of Modbus TCP on 127.0.0.1.
    pub tcp_port: u16,
    /// Port of BACnet/IP on 127.0.0.1.
    #[serde(default)]
    pub bacnet_port: u16,
    pub serial: Vec<SerialPort>,
    pub edge_config: PathBuf,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct SerialPort {
    pub line: String,
    pub path: PathBuf,
    pub baud: u32,
}

#[derive(Debug, thiserror::Error)]
pub enum FileError {
    #[error("{path} cannot be written")]
    Write { path: PathBuf, source: io::Error },
    #[error("{path} cannot be read; start the plant first: steward-plant run --dir {dir}")]
    Read { path: PathBuf, dir: PathBuf, source: io::Error },
    #[error("{path} is not what a plant writes; remove it and start the plant again")]
    Broken { path: PathBuf, source: serde_json::Error },
}

pub const PLANT_FILE: &str = "plant.json";
pub const EDGE_FILE: &str = "edge.toml";
pub const CONTROL_SOCKET: &str = "plant.sock";
const COUNTERS_FILE: &str = "counters.json";

impl PlantFile {
    pub fn read(dir: &Path) -> Result<Self, FileError> {
        let path = dir.join(PLANT_FILE);
        let text = fs::read_to_string(&path).map_err(|source| FileError::Read {
            path: path.clone(),
            dir: dir.to_owned(),
            source,
        })?;
        serde_json::from_str(&text).map_err(|source| FileError::Broken { path, source })
    }

    /// Written whole or not at all: who waits for the file sees no half of it.
    pub fn write(&self, dir: &Path) -> Result<(), FileError> {
        let text = serde_json::to_string_pretty(self).expect("a plant file is plain data");
        write_whole(&dir.join(PLANT_FILE), &text)
    }
}

/// What the counters gained in earlier runs; nothing where there is no such file.
pub fn read_gained(dir: &Path) -> Result<Gained, FileError> {
    let path = dir.join(COUNTERS_FILE);
    match fs::read_to_string(&path) {
        Ok(text) => serde_json::from_str(&text).map_err(|source| FileError::Broken { path, source }),
        Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(Gained::default()),
        Err(source) => Err(FileError::Read { path, dir: dir.to_owned(), source }),
    }
}

pub fn write_gained(dir: &Path, gained: &Gained) -> Result<(), FileError> {
    let text = serde_json::to_string(gained).expect("counters are plain data");
    write_whole(&dir.join(COUNTERS_FILE), &text)
}

pub fn write_whole(path: &Path, text: &str) -> Result<(), FileError> {
    let fresh = path.with_extension("new");
    fs::write(&fresh, text)
        .and_then(|()| fs::rename(&fresh, path))
        .map_err(|source| FileError::Write { path: path.to_owned(), source })
}

/// What a gateway's file says besides the lines.
#[derive(Clone, Debug)]
pub struct EdgeSettings {
    pub name: String,
    pub data: PathBuf,
    /// `host:port` of the hub's gateway port.
    pub hub: String,
    /// Where the edge serves its own state, `host:port`.
    pub http: String,
    /// Flush interval of the buffer, in the words of the file.
    pub flush: String,
    /// Periods of fast, normal and slow points, in the words of the file.
    pub periods: [String; 3],
}

impl EdgeSettings {
    pub fn in_folder(dir: &Path) -> Self {
        Self {
            name: "plant-room".into(),
            data: dir.join("edge"),
            hub: "127.0.0.1:7443".into(),
            http: "127.0.0.1:9470".into(),
            flush: "10s".into(),
            periods: ["1s".into(), "5s".into(), "30s".into()],
        }
    }
}

/// The gateway's file for the whole room.
pub fn edge_toml(settings: &EdgeSettings, (tcp_port, bacnet_port): (u16, u16), dir: &Path) -> String {
    let text = |s: &str| toml_edit::Value::from(s).to_string().trim().to_owned();
    let path = |p: &Path| text(&p.display().to_string());
    let [fast, normal, slow] = &settings.periods;
    format!(
        "# Written by steward-plant for its simulated plant room; written anew at each start.\n\n\
         [gateway]\nname = {}\ntitle = {{ zh = \"冷冻机房\", en = \"Plant room\" }}\ndata = {}\n\n\
         [hub]\naddress = {}\nconfigure = true\ntrial = \"1min\"\n\n[http]\nlisten = {}\n\n[buffer]\nflush = {}\n\n\
         [periods]\nfast = {}\nnormal = {}\nslow = {}\nstatic = \"1h\"\n{}",
        text(&settings.name),
        path(&settings.data),
        text(&settings.hub),
        text(&settings.http),
        text(&settings.flush),
        text(fast),
        text(normal),
        text(slow),
        lines_toml(tcp_port, bacnet_port, dir),
    )
}

/// The part of a gateway's file that tells of the room: its lines and their devices.
fn lines_toml(tcp_port: u16, bacnet_port: u16, dir: &Path) -> String {
    let text = |s: &str| toml_edit::Value::from(s).to_string().trim().to_owned();
    let path = |p: &Path| text(&p.display().to_string());
    let mut out = String::new();
    let fits = "a String takes all that is written to it";
    for line in LINES {
        write!(out, "\n[[line]]\nname = {}\n", text(line.name)).expect(fits);
        match line.serial {
            None if line.bacnet => writeln!(
                out,
                "kind = \"bacnet-ip\"\nlisten = \"127.0.0.1:0\"\nbroadcast = \"127.255.255.255:{bacnet_port}\"",
            )
            .expect(fits),
            None => writeln!(out, "kind = \"tcp\"\nhost = \"127.0.0.1\"\nport = {tcp_port}").expect(fits),
            Some((link, pace)) => writeln!(
                out,
                "kind = \"serial\"\nport = {}\nbaud = {}\ndata_bits = 8\nparity = \"none\"\nstop_bits = 2",
                path(&dir.join(link)),
                pace.baud,
            )
            .expect(fits),
        }
        for d in DEVICES.iter().filter(|d| d.line == line.name) {
            write!(
                out,
                "\n[[line.device]]\nname = {}\ntitle = {{ zh = {}, en = {} }}\nprofile = {}\n{}\n{}place = {}\n",
                text(d.name),
                text(d.zh),
                text(d.en),
                text(d.profile),
                match d.address {
                    Address::Modbus(unit) => format!("address = {unit}"),
                    Address::Bacnet(node) => format!("instance = {}", node.instance),
                    number => format!("address = {}", text(&number.to_string())),
                },
                // A pseudo-terminal has no parity; with two stop bits a character is as long.
                d.baud.map_or_else(String::new, |baud| format!(
                    "serial = {{ baud = {baud}, parity = \"none\", stop_bits = 2 }}\n"
                )),
                text(d.place),
            )
            .expect(fits);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_gateway_can_read_what_the_plant_writes_for_it() {
        let dir = Path::new("/tmp/a \"plant\"");
        let text = edge_toml(&EdgeSettings::in_folder(dir), (15_020, 15_021), dir);
        let config = steward_edge::config::parse("edge.toml", &text, dir, []).unwrap_or_else(|faults| {
            panic!("{}", faults.iter().map(ToString::to_string).collect::<Vec<_>>().join("\n"))
        });
        let devices: usize = config.lines.iter().map(|l| l.devices.len()).sum();
        assert_eq!(devices, DEVICES.len());
        let points: usize =
            config.lines.iter().flat_map(|l| &l.devices).map(|d| d.profile.points.len()).sum();
        assert!(points >= 100, "{points} points are no plant room");
    }

    #[test]
    fn a_plant_that_does_not_run_is_told_with_the_way_out() {
        let dir = tempfile::tempdir().unwrap();
        let error = PlantFile::read(dir.path()).unwrap_err().to_string();
        assert!(error.contains("steward-plant run --dir"), "{error}");
    }
}
