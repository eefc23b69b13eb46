//! What the gateway's file says, once it has been read and found in order. The supervisor compares two of
//! these line by line: what is equal keeps running.

use std::collections::BTreeMap;
use std::fmt;
use std::net::{IpAddr, SocketAddr, SocketAddrV4};
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use steward_protocols::bacnet::client::Foreign;
use steward_protocols::character::Character;
use steward_protocols::question::Address;
use steward_shared::document::HostPort;
use steward_shared::profile::{Framing, PeriodClass, PointDef, Profile, Rules};
use steward_shared::wire::message::Names;

use super::remote::RemoteWrite;
use crate::evidence::EvidenceSettings;

#[derive(Debug, Clone, PartialEq)]
pub struct Config {
    pub name: String,
    pub title: Names,
    /// Where readings, alarms and the identity are kept.
    pub data: PathBuf,
    pub hub: Option<HostPort>,
    pub from_hub: FromHub,
    pub buffer: BufferConfig,
    /// How long raw answers are kept, and in how much room.
    pub evidence: EvidenceSettings,
    /// Folders with profiles, besides the compiled-in ones; they are watched for changes.
    pub folders: Vec<PathBuf>,
    pub http: SocketAddr,
    pub log: Log,
    /// Names, ports and addresses are unique.
    pub lines: Vec<LineConfig>,
    /// Where readings are told besides the hub; names are unique.
    pub publish: Vec<PublishConfig>,
}

/// What the hub may do to this very configuration.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct FromHub {
    pub configure: bool,
    /// One from the hub proves itself within this time, or goes back.
    pub trial: Duration,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BufferConfig {
    pub flush: Duration,
    pub flush_readings: usize,
    pub retention: Duration,
    pub quota_bytes: u64,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Log {
    pub format: LogFormat,
    pub level: tracing::Level,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    Text,
    Json,
}

/// After so many of its periods a value is out of date, for the hub and for whoever looks at the gateway.
const AGE_PERIODS: u32 = 3;
/// A value that counts until the next one comes is expected once a week.
const NEVER: Duration = Duration::from_hours(24 * 7);

/// How often the points of each class are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Periods {
    pub fast: Duration,
    pub normal: Duration,
    pub slow: Duration,
    pub static_: Duration,
}

impl Periods {
    pub fn of(&self, class: PeriodClass) -> Duration {
        match class {
            PeriodClass::Fast => self.fast,
            PeriodClass::Normal => self.normal,
            PeriodClass::Slow => self.slow,
            PeriodClass::Static => self.static_,
        }
    }
}

/// One wire and the devices on it.
#[derive(Debug, Clone, PartialEq)]
pub struct LineConfig {
    pub name: String,
    pub wire: WireConfig,
    /// A device that has not answered by then will not; the time that the frames take comes on top.
    pub timeout: Duration,
    /// How many questions may be under way at once; more than one on Modbus TCP only.
    pub in_flight: usize,
    pub devices: Vec<DeviceConfig>,
}

impl LineConfig {
    /// The longest that any device on the line may take for its answer.
    pub fn slowest(&self) -> Duration {
        let own = self.devices.iter().filter_map(|d| d.profile.pace.timeout);
        own.fold(self.timeout, Duration::max)
    }

    /// Whether the line is polled by this as by the other: what people read may differ, and the order of the devices
    /// may not.
    pub fn polls_like(&self, other: &Self) -> bool {
        let Self { name, wire, timeout, in_flight, devices } = self;
        (name, wire, timeout, in_flight) == (&other.name, &other.wire, &other.timeout, &other.in_flight)
            && devices.len() == other.devices.len()
            && devices.iter().zip(&other.devices).all(|(a, b)| a.polls_like(b))
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum WireConfig {
    Tcp {
        host: String,
        port: u16,
        framing: Framing,
    },
    /// The other end dials in.
    Listen(ListenConfig),
    Serial(SerialConfig),
    /// A network, not a wire: its devices are asked side by side.
    Bacnet(BacnetConfig),
    /// A serial line on which masters pass a token: whoever has it asks.
    Mstp(MstpConfig),
    /// No wire: devices tell a broker, and that tells us.
    Mqtt(BrokerConfig),
}

impl WireConfig {
    /// Whether it is a BACnet network, over whichever data link.
    pub const fn is_bacnet(&self) -> bool {
        matches!(self, Self::Bacnet(_) | Self::Mstp(_))
    }

    pub const fn framing(&self) -> Framing {
        match self {
            Self::Tcp { framing, .. } => *framing,
            Self::Listen(listen) => listen.framing,
            Self::Serial(serial) => serial.framing,
            // Frames with numbers of their own, too.
            Self::Bacnet(_) | Self::Mstp(_) | Self::Mqtt(_) => Framing::Tcp,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SerialConfig {
    pub path: String,
    pub character: Character,
    /// RTU or ASCII.
    pub framing: Framing,
    /// Silence between frames, instead of the 3.5 characters of the standard.
    pub gap: Option<Duration>,
}

/// A modem or serial server that dials in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ListenConfig {
    pub listen: SocketAddr,
    /// What it says first; empty where it says nothing and has the port to itself.
    pub register: Vec<u8>,
    /// What it says now and then to keep its connection; empty where it does not.
    pub heartbeat: Vec<u8>,
    /// Where it may come from; empty for anywhere.
    pub allow: Vec<Network>,
    pub framing: Framing,
}

impl ListenConfig {
    pub fn lets_in(&self, from: IpAddr) -> bool {
        self.allow.is_empty() || self.allow.iter().any(|network| network.holds(from))
    }

    /// What it says that is no answer.
    pub fn ignored(&self) -> Vec<Vec<u8>> {
        [&self.heartbeat, &self.register].into_iter().filter(|i| !i.is_empty()).cloned().collect()
    }
}

impl fmt::Display for ListenConfig {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}", self.listen)?;
        if self.register.is_empty() { Ok(()) } else { write!(f, " as \"{}\"", self.register.escape_ascii()) }
    }
}

/// The addresses that begin with the same bits.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Network {
    pub address: IpAddr,
    pub bits: u32,
}

impl Network {
    pub fn holds(&self, address: IpAddr) -> bool {
        match (self.address, address.to_canonical()) {
            (IpAddr::V4(ours), IpAddr::V4(theirs)) => {
                (ours.to_bits() ^ theirs.to_bits()).leading_zeros() >= self.bits
            }
            (IpAddr::V6(ours), IpAddr::V6(theirs)) => {
                (ours.to_bits() ^ theirs.to_bits()).leading_zeros() >= self.bits
            }
            _ => false,
        }
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BacnetConfig {
    pub listen: SocketAddrV4,
    pub broadcast: SocketAddrV4,
    pub foreign: Option<Foreign>,
    /// How often a request is repeated that nobody answers.
    pub retries: u8,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct MstpConfig {
    pub path: String,
    pub baud: u32,
    /// The gateway's own station: 0 to 127.
    pub mac: u8,
    /// The highest address at which other masters are looked for; not below `mac`.
    pub max_master: u8,
    /// Requests under one token.
    pub max_info_frames: u8,
    pub retries: u8,
}

/// How an MQTT broker is reached.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct BrokerConfig {
    pub host: String,
    pub port: u16,
    /// With TLS: the file of the authorities that are trusted.
    pub ca: Option<PathBuf>,
    pub user: Option<String>,
    /// Its first line is the password; read for each connection.
    pub password_file: Option<PathBuf>,
    /// Without it one is made up at each start.
    pub client_id: Option<String>,
    pub keep_alive: Duration,
}

/// Somebody besides the hub who is told readings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PublishConfig {
    pub name: String,
    pub broker: BrokerConfig,
    /// How long the broker may take for an answer.
    pub timeout: Duration,
    /// Readings that wait while the broker is away or slow; the oldest give way.
    pub queue: usize,
    pub format: PublishFormat,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PublishFormat {
    /// Topics with names in braces: of readings, and of whether the gateway is there.
    Json { topic: String, status: String, retained: bool, at_least_once: bool },
    /// Without a node's name it is the gateway's.
    Sparkplug { group: String, node: Option<String> },
}

#[derive(Debug, Clone, PartialEq)]
pub struct DeviceConfig {
    /// Its identity: unique in the gateway.
    pub name: String,
    pub title: Names,
    pub profile: Arc<Profile>,
    pub address: Address,
    /// How the port is set for it, where that is not as the line says.
    pub character: Option<Character>,
    pub place: String,
    pub periods: Periods,
    /// Of each of the profile's points, in its order.
    pub rules: Vec<Arc<Rules>>,
    /// What the hub may write, by the keys of the points; nothing unless the file says so.
    pub remote: BTreeMap<String, RemoteWrite>,
}

impl DeviceConfig {
    /// How often a point is read: what its rules say, or else its class. One that its device tells by itself is expected
    /// so often that three of them are its greatest age.
    pub fn period(&self, point: &PointDef, rules: &Rules) -> Duration {
        match rules.max_age {
            Some(age) if age.is_zero() => NEVER,
            Some(age) => age / AGE_PERIODS,
            None => rules.period.unwrap_or_else(|| self.periods.of(point.class)),
        }
    }

    /// How long a value counts that a device told by itself; `None`: until the next one.
    pub fn max_age(&self, point: &PointDef, rules: &Rules) -> Option<Duration> {
        match rules.max_age {
            Some(age) => (!age.is_zero()).then_some(age),
            None => Some(self.period(point, rules) * AGE_PERIODS),
        }
    }

    /// The profile's points, each with what is done with its values.
    pub fn points(&self) -> impl Iterator<Item = (&PointDef, &Arc<Rules>)> {
        self.profile.points.iter().zip(&self.rules)
    }

    pub fn polls_like(&self, other: &Self) -> bool {
        let Self { name, title: _, profile, address, character, place: _, periods, rules, remote: _ } = self;
        let often = |rules: &Arc<Rules>| (rules.period, rules.max_age);
        let is_as_often = rules.iter().map(often).eq(other.rules.iter().map(often));
        (name, address) == (&other.name, &other.address)
            && (character, periods) == (&other.character, &other.periods)
            && is_as_often
            && profile.reads_like(&other.profile)
    }
}
