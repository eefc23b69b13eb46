//! What may be written after the commands that ask a device.

use std::net::SocketAddrV4;
use std::path::{Path, PathBuf};
use std::time::Duration;

use clap::ValueEnum;
use steward_protocols::character::{Character, Parity};
use steward_shared::profile::{Framing, Table};

use super::super::args::FILE;
use super::super::words::Unfit;
use crate::config::{LineConfig, SerialConfig, WireConfig};

/// Beside a name in the gateway's file: a line that is described in words.
#[derive(Debug, Clone, clap::Args)]
pub struct LineWords {
    /// A serial port or a host with its port, without any file: /dev/ttyS1, 10.0.0.20:502.
    #[arg(long, value_name = "PORT", value_parser = port_or_host)]
    pub line: Option<String>,
    /// Speed of the serial line.
    #[arg(long, default_value_t = 9600, value_parser = clap::value_parser!(u32).range(300..=921_600))]
    pub baud: u32,
    /// Its parity; even for ASCII when nothing is said, else none.
    #[arg(long, value_enum, value_name = "none|even|odd", hide_possible_values = true)]
    parity: Option<ParityWord>,
    /// Its data bits; 7 for ASCII when nothing is said, else 8.
    #[arg(long, value_parser = clap::value_parser!(u8).range(7..=8))]
    data_bits: Option<u8>,
    /// Its stop bits.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(1..=2))]
    stop_bits: u8,
    /// How frames stand on it: rtu or ascii, on TCP also tcp, which is usual there.
    #[arg(long, value_enum, value_name = "rtu|ascii|tcp", hide_possible_values = true)]
    framing: Option<FramingWord>,
    /// How long a device may take for its answer.
    #[arg(long, value_parser = duration, default_value = "500ms")]
    timeout: Duration,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ParityWord {
    None,
    Even,
    Odd,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum FramingWord {
    Rtu,
    Ascii,
    Tcp,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum TableWord {
    Coil,
    Discrete,
    Holding,
    Input,
}

impl TableWord {
    pub const fn table(self) -> Table {
        match self {
            Self::Coil => Table::Coil,
            Self::Discrete => Table::Discrete,
            Self::Holding => Table::Holding,
            Self::Input => Table::Input,
        }
    }
}

impl LineWords {
    /// The line that is described; none where a name in the file is meant.
    pub fn config(&self) -> Option<LineConfig> {
        let port = self.line.clone()?;
        let serial = port.starts_with('/');
        let framing = match self.framing {
            Some(FramingWord::Ascii) => Framing::Ascii,
            Some(FramingWord::Rtu) => Framing::Rtu,
            None if serial => Framing::Rtu,
            Some(FramingWord::Tcp) | None => Framing::Tcp,
        };
        let wire = if serial {
            let (data_bits, usual) =
                if framing == Framing::Ascii { (7, Parity::Even) } else { (8, Parity::None) };
            let parity = match self.parity {
                Some(ParityWord::None) => Parity::None,
                Some(ParityWord::Even) => Parity::Even,
                Some(ParityWord::Odd) => Parity::Odd,
                None => usual,
            };
            let character =
                Character::new(self.baud, self.data_bits.unwrap_or(data_bits), parity, self.stop_bits);
            let framing = if framing == Framing::Tcp { Framing::Rtu } else { framing };
            WireConfig::Serial(SerialConfig { path: port.clone(), character, framing, gap: None })
        } else {
            let (host, port) = host_and_port(&port);
            WireConfig::Tcp { host, port, framing }
        };
        Some(LineConfig { name: port, wire, timeout: self.timeout, in_flight: 1, devices: Vec::new() })
    }
}

/// What `--line` may be: the path of a port, which may be a link beside us, or a host.
fn port_or_host(text: &str) -> Result<String, Unfit> {
    if text.starts_with('/') {
        return Ok(text.to_owned());
    }
    if Path::new(text).exists() {
        let whole = std::path::absolute(text).map_err(|_| Unfit::SerialPort)?;
        return whole.to_str().map(str::to_owned).ok_or(Unfit::SerialPort);
    }
    let lower = text.to_ascii_lowercase();
    let is_windows = lower.strip_prefix("com").is_some_and(|n| n.parse::<u8>().is_ok());
    if is_windows || lower.starts_with("tty") && !lower.contains(['.', ':']) {
        return Err(Unfit::SerialPort);
    }
    match split_port(text) {
        Some((_, port)) if !port.parse::<u16>().is_ok_and(|port| port > 0) => Err(Unfit::Port),
        _ => Ok(text.to_owned()),
    }
}

/// Host and port where there are two; the colons of an IPv6 address part nothing.
fn split_port(text: &str) -> Option<(&str, &str)> {
    text.rsplit_once(':').filter(|(host, _)| !host.contains(':') || host.ends_with(']'))
}

/// `10.0.0.20`, `meter.plant:1502`, `[fd00::7]:502`.
pub fn host_and_port(text: &str) -> (String, u16) {
    let usual = 502;
    let (host, port) = match split_port(text).map(|(host, port)| (host, port.parse::<u16>())) {
        Some((host, Ok(port))) => (host, port),
        _ => (text, usual),
    };
    (host.trim_start_matches('[').trim_end_matches(']').to_owned(), port)
}

/// A device of the gateway's file, or registers of any device on a line that is described.
#[derive(Debug, clap::Args)]
pub struct ReadWords {
    /// The device in the gateway's file, or one point of it: main-meter, main-meter/power.
    #[arg(value_name = "DEVICE[/POINT]", required_unless_present = "line", conflicts_with = "line")]
    pub target: Option<String>,
    /// The gateway's file.
    #[arg(long, value_name = "FILE", default_value = FILE)]
    pub config: PathBuf,
    #[command(flatten)]
    pub registers: RegisterWords,
}

/// Registers of any device on a line that is described.
#[derive(Debug, Clone, clap::Args)]
pub struct RegisterWords {
    #[command(flatten)]
    pub line: LineWords,
    /// With --line: the device's address.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(0..=255))]
    pub address: u8,
    /// With --line: the table.
    #[arg(long, value_enum, default_value_t = TableWord::Holding, value_name = "coil|discrete|holding|input", hide_possible_values = true)]
    pub table: TableWord,
    /// With --line: the first address as it stands in the request, from 0.
    #[arg(long, default_value_t = 0)]
    pub from: u16,
    /// With --line: how many.
    #[arg(long, default_value_t = 10, value_parser = clap::value_parser!(u16).range(1..=2000))]
    pub count: u16,
}

#[derive(Debug, clap::Args)]
pub struct WatchWords {
    #[command(flatten)]
    pub read: ReadWords,
    /// How often.
    #[arg(long, value_parser = duration, default_value = "2s")]
    pub every: Duration,
    /// End after so many rounds; else by Ctrl-C.
    #[arg(long)]
    pub rounds: Option<u32>,
}

#[derive(Debug, clap::Args)]
pub struct OrdersWords {
    /// What the display shows, each with its unit: 230.4V, power=1.52kW, 49.98Hz, 0.95pf, 1234.5kWh.
    #[arg(required = true, value_name = "SHOWN", allow_negative_numbers = true)]
    pub shown: Vec<String>,
    /// What the registers hold, in hexadecimal, the first at --from: "4366 3334".
    #[arg(long, value_name = "HEX", conflicts_with_all = ["line", "device"])]
    pub words: Option<String>,
    /// A device in the gateway's file, instead of --line.
    #[arg(long, conflicts_with = "line")]
    pub device: Option<String>,
    /// The gateway's file.
    #[arg(long, value_name = "FILE", default_value = FILE)]
    pub config: PathBuf,
    #[command(flatten)]
    pub read: RegisterWords,
    /// How often the registers are read: what agrees by chance does not stay plausible.
    #[arg(long, default_value_t = 3, value_parser = clap::value_parser!(u32).range(1..=100))]
    pub samples: u32,
    /// How long from one to the next.
    #[arg(long, value_parser = duration, default_value = "2s")]
    pub every: Duration,
}

#[derive(Debug, clap::Args)]
pub struct IdentifyWords {
    /// The device in the gateway's file.
    #[arg(value_name = "DEVICE", required_unless_present = "line", conflicts_with = "line")]
    pub target: Option<String>,
    /// The gateway's file.
    #[arg(long, value_name = "FILE", default_value = FILE)]
    pub config: PathBuf,
    #[command(flatten)]
    pub line: LineWords,
    /// With --line: the device's address.
    #[arg(long, default_value_t = 1, value_parser = clap::value_parser!(u8).range(0..=255))]
    pub address: u8,
    /// With --line: a folder of profiles of your own.
    #[arg(long, value_name = "FOLDER")]
    pub profiles: Vec<PathBuf>,
}

#[derive(Debug, clap::Args)]
pub struct ScanWords {
    #[command(flatten)]
    pub line: LineWords,
    /// Ask a BACnet/IP network instead, from this address and port of ours; 0.0.0.0:47808 when none is said.
    #[arg(long, value_name = "IP:PORT", num_args = 0..=1, default_missing_value = "0.0.0.0:47808", conflicts_with = "line")]
    pub bacnet: Option<SocketAddrV4>,
    /// The same for a BACnet line of the gateway's file; the running program lends it.
    #[arg(long, value_name = "LINE", conflicts_with_all = ["line", "bacnet"])]
    pub network: Option<String>,
    /// The gateway's file.
    #[arg(long, value_name = "FILE", default_value = FILE)]
    pub config: PathBuf,
    /// BACnet: where broadcasts go, like 192.168.1.255:47808.
    #[arg(long, value_name = "IP:PORT")]
    pub broadcast: Option<SocketAddrV4>,
    /// BACnet: only devices of these instance numbers, like 1000-1999.
    #[arg(long, value_parser = instances, value_name = "LOW-HIGH")]
    pub range: Option<(u32, u32)>,
    /// BACnet: how long devices are waited for.
    #[arg(long, value_parser = duration, default_value = "4s")]
    pub wait: Duration,
    /// Search an M-Bus: primary numbers, then secondary addresses; 2400 and 300 baud, even parity, when nothing is said.
    #[arg(long, requires = "line")]
    pub mbus: bool,
    /// Speeds that are tried on a serial line, the likeliest first.
    #[arg(long, value_delimiter = ',', default_value = "9600,19200,4800,2400,38400,115200", value_parser = clap::value_parser!(u32).range(300..=921_600))]
    pub speeds: Vec<u32>,
    /// Parities that are tried.
    #[arg(long, value_delimiter = ',', default_value = "none,even", value_parser = ["none", "even", "odd"], hide_possible_values = true)]
    pub parities: Vec<String>,
    /// Addresses that are asked: 1-32,100. All on a serial line when nothing is said; 1, 255 and 0 on TCP.
    #[arg(long, value_parser = addresses)]
    pub addresses: Option<Addresses>,
    /// The register that is asked for.
    #[arg(long, default_value_t = 0)]
    pub register: u16,
    /// How long an answer is waited for.
    #[arg(long, value_parser = duration, default_value = "120ms")]
    pub patience: Duration,
    /// Ask for an input register too where nobody answers.
    #[arg(long)]
    pub thorough: bool,
    /// Go on with other speeds and parities when devices were found.
    #[arg(long)]
    pub all: bool,
    /// A folder of profiles of your own.
    #[arg(long, value_name = "FOLDER")]
    pub profiles: Vec<PathBuf>,
}

/// `1000-1999`, `1001`.
fn instances(text: &str) -> Result<(u32, u32), Unfit> {
    let (low, high) = text.split_once('-').unwrap_or((text, text));
    let number = |text: &str| text.trim().parse::<u32>().ok().filter(|n| *n <= 4_194_302);
    match (number(low), number(high)) {
        (Some(low), Some(high)) if low <= high => Ok((low, high)),
        _ => Err(Unfit::Instances),
    }
}

/// A list of addresses; not a plain `Vec`, which would be one value each.
pub type Addresses = std::sync::Arc<[u8]>;

/// `1-32,100`.
fn addresses(text: &str) -> Result<Addresses, Unfit> {
    let part = |part: &str| {
        let (first, last) = part.split_once('-').unwrap_or((part, part));
        let (first, last) = (first.trim().parse::<u8>().ok()?, last.trim().parse::<u8>().ok()?);
        (first <= last && !(first..=last).any(|a| matches!(a, 248..=254)))
            .then(|| (first..=last).collect::<Vec<u8>>())
    };
    let parts: Option<Vec<Vec<u8>>> = text.split(',').map(part).collect();
    parts.map(|parts| parts.concat().into()).ok_or(Unfit::Addresses)
}

#[derive(Debug, clap::Args)]
#[allow(clippy::struct_excessive_bools, reason = "each is a word of its own on the command line")]
pub struct WriteWords {
    /// The device in the gateway's file and its point: ahu-1/setpoint.
    #[arg(value_name = "DEVICE/POINT")]
    pub target: String,
    /// A number, the word of a label, on or off.
    #[arg(allow_negative_numbers = true)]
    pub value: Option<String>,
    /// The gateway's file.
    #[arg(long, value_name = "FILE", default_value = FILE)]
    pub config: PathBuf,
    /// Write only if this stands there now.
    #[arg(long, value_name = "VALUE", allow_negative_numbers = true)]
    pub expect: Option<String>,
    /// BACnet: the priority of the command, 1 to 16; 8, by hand, when nothing is said.
    #[arg(long, value_parser = clap::value_parser!(u8).range(1..=16))]
    pub priority: Option<u8>,
    /// BACnet: give the command of this priority up.
    #[arg(long, conflicts_with = "value")]
    pub relinquish: bool,
    /// For so long only: what stood there comes back then, or at Ctrl-C.
    #[arg(long = "for", value_name = "TIME", value_parser = duration)]
    pub for_: Option<Duration>,
    /// Show the frame or the APDU, and write nothing.
    #[arg(long)]
    pub dry_run: bool,
    /// Do not ask.
    #[arg(long)]
    pub yes: bool,
    /// Put back now what was written for a while by a tool that has died.
    #[arg(long, conflicts_with_all = ["value", "for_", "dry_run", "expect", "relinquish"])]
    pub back: bool,
}

/// A time like 500ms, 60s, 10min, 2h.
pub fn duration(text: &str) -> Result<Duration, Unfit> {
    let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
    let (number, unit) = text.split_at(end);
    let factor = match unit {
        "ms" => 0.001,
        "s" => 1.0,
        "min" | "m" => 60.0,
        "h" => 3600.0,
        _ => 0.0,
    };
    let seconds = number.parse::<f64>().ok().map(|n| n * factor).filter(|s| *s > 0.0);
    let time = seconds.and_then(|s| Duration::try_from_secs_f64(s).ok());
    time.ok_or(Unfit::Time)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_and_hosts_are_read_as_people_write_them() {
        assert_eq!(duration("500ms"), Ok(Duration::from_millis(500)));
        assert_eq!(duration("10min"), Ok(Duration::from_mins(10)));
        assert_eq!(duration("1.5h"), Ok(Duration::from_mins(90)));
        for wrong in ["10", "min", "-1s", "0s", "1d", "", "1e9h"] {
            assert!(duration(wrong).is_err(), "{wrong}");
        }
        for host in
            ["10.0.0.20", "meter:1502", "[fd00::7]:503", "fd00::7", "10.0.0.0/24", "/dev/ttyS1", "compressor"]
        {
            assert_eq!(port_or_host(host).as_deref(), Ok(host));
        }
        for wrong in ["127.0.0.1:99999", "meter:0", "meter:"] {
            assert_eq!(port_or_host(wrong), Err(Unfit::Port), "{wrong}");
        }
        for wrong in ["ttyUSB0", "COM3"] {
            assert_eq!(port_or_host(wrong), Err(Unfit::SerialPort), "{wrong}");
        }
        let beside = port_or_host("Cargo.toml").unwrap();
        assert!(beside.starts_with('/') && beside.ends_with("/Cargo.toml"), "{beside}");
        assert_eq!(host_and_port("10.0.0.20"), ("10.0.0.20".to_owned(), 502));
        assert_eq!(host_and_port("meter:1502"), ("meter".to_owned(), 1502));
        assert_eq!(host_and_port("[fd00::7]:503"), ("fd00::7".to_owned(), 503));
        assert_eq!(host_and_port("fd00::7"), ("fd00::7".to_owned(), 502));
    }
}
