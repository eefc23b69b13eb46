//! `steward-edge scan`: who answers on a line, at which speed and parity, and what it may be. Ctrl-C ends it and keeps
//! what was found.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::json;
use steward_protocols::character::{Character, Parity};
use steward_protocols::exchange::About;
use steward_protocols::modbus::{self, Request};
use steward_protocols::question::Address;
use steward_shared::document::listing;
use steward_shared::profile::{Framing, Library, Table};
use tokio::net::TcpStream;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

use super::super::out::Out;
use super::super::text::scan as text;
use super::identify_registers::known_registers;
use super::known::{self, Known};
use super::reach::why;
use super::scan_meters::{Meter, alone, bus, identity_said, meet};
use super::scan_network::scan_network;
use super::words::ScanWords;
use crate::config::{LineConfig, WireConfig};
use crate::lend::Reach;
use crate::line::Failure;

/// A host that is there takes a connection within this time.
const CONNECT: Duration = Duration::from_millis(800);
const AT_ONCE: usize = 32;
/// What a device behind Ethernet is usually asked by.
const USUAL_UNITS: [u8; 3] = [1, 255, 0];
/// How long an answer is waited for when nothing is said.
const USUAL_PATIENCE: Duration = Duration::from_millis(120);
/// What is tried when nothing is said.
const USUAL_SPEEDS: [u32; 6] = [9600, 19_200, 4800, 2400, 38_400, 115_200];

/// A device that answered.
struct Found {
    line: LineConfig,
    unit: u8,
    known: Known,
}

struct Scan {
    out: Out,
    words: ScanWords,
    library: Library,
    found: Vec<Found>,
    meters: Vec<Meter>,
    /// Questions put, of how many, since when.
    asked: usize,
    all: usize,
    start: Instant,
}

pub async fn scan(words: ScanWords, out: Out) -> Result<(), String> {
    if words.bacnet.is_some() || words.network.is_some() {
        return scan_network(words, out).await;
    }
    let library = Library::load(&words.profiles).map_err(|faults| listing(&faults))?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(|e| e.to_string())?;
    let mut terminate = signal(SignalKind::terminate()).map_err(|e| e.to_string())?;
    let mut scan = Scan {
        out,
        words,
        library,
        found: Vec::new(),
        meters: Vec::new(),
        asked: 0,
        all: 0,
        start: Instant::now(),
    };
    let ended = tokio::select! {
        done = scan.run() => done.map(|()| false),
        // A question that is given up takes nothing of what was found.
        _ = interrupt.recv() => Ok(true),
        _ = terminate.recv() => Ok(true),
    };
    out.progress_over();
    let broken_off = ended?;
    if broken_off {
        out.aside(text::broken_off(out.lang, scan.asked, scan.all));
    }
    scan.summary()
}

impl Scan {
    async fn run(&mut self) -> Result<(), String> {
        let line = self.words.line.config().ok_or_else(|| text::name_a_line(self.out.lang))?;
        if self.words.mbus {
            return self.mbus(&line).await;
        }
        match line.wire.clone() {
            WireConfig::Serial(_) => self.serial(&line).await,
            WireConfig::Tcp { host, port, .. } => self.tcp(&line, &host, port).await,
            WireConfig::Listen(_) | WireConfig::Bacnet(_) | WireConfig::Mstp(_) | WireConfig::Mqtt(_) => {
                Err(text::name_a_line(self.out.lang))
            }
        }
    }

    async fn serial(&mut self, line: &LineConfig) -> Result<(), String> {
        let units = self.words.addresses.as_deref().map_or_else(|| (1..=247).collect(), <[u8]>::to_vec);
        let settings = self.settings(line);
        self.all = settings.len() * units.len();
        let each = self.words.patience + Duration::from_millis(15);
        self.estimate(each * u32::try_from(self.all).unwrap_or(u32::MAX));
        for character in settings {
            let line = with_character(line, character);
            let before = self.found.len() + self.meters.len();
            self.alone(&line, &character.to_string()).await?;
            let mut reach = Reach::for_scan(&line);
            for unit in &units {
                self.step(&format!("{character}"), *unit);
                if self.answers(&mut reach, *unit).await? {
                    // The port is opened anew by whoever asks more, with all the care that polling takes.
                    drop(reach);
                    self.meet(&line, *unit, &character.to_string()).await?;
                    reach = Reach::for_scan(&line);
                }
            }
            if self.found.len() + self.meters.len() > before && !self.words.all {
                // A line has one setting.
                break;
            }
        }
        Ok(())
    }

    fn settings(&self, line: &LineConfig) -> Vec<Character> {
        let data_bits = if line.wire.framing() == Framing::Ascii { 7 } else { 8 };
        let parity = |word: &str| match word {
            "even" => Parity::Even,
            "odd" => Parity::Odd,
            _ => Parity::None,
        };
        let of_speed = |baud: &u32| {
            let baud = *baud;
            self.words.parities.iter().map(move |word| Character::new(baud, data_bits, parity(word), 1))
        };
        self.words.speeds.iter().flat_map(of_speed).collect()
    }

    /// Meters that are alone on the line and say their address.
    async fn alone(&mut self, line: &LineConfig, setting: &str) -> Result<(), String> {
        if line.wire.framing() != Framing::Rtu {
            return Ok(());
        }
        for address in alone(line, &self.library, self.out).await? {
            let is_known = self.meters.iter().any(|m| m.address == address && m.line.wire == line.wire);
            if !is_known {
                let meter = meet(line, address, Vec::new(), setting, &self.library, self.out).await?;
                self.meters.push(meter);
            }
        }
        Ok(())
    }

    /// All meters of an M-Bus.
    async fn mbus(&mut self, line: &LineConfig) -> Result<(), String> {
        let settings: Vec<Option<Character>> = match &line.wire {
            WireConfig::Serial(_) => self.mbus_settings().into_iter().map(Some).collect(),
            _ => vec![None],
        };
        self.all = settings.len() * 251;
        for character in settings {
            let line = character.map_or_else(|| line.clone(), |c| with_character(line, c));
            let setting = character.map_or_else(|| line.name.clone(), |c| c.to_string());
            let baud = character.map_or(2400, |c| c.baud);
            // EN 13757-2: an answer begins within 330 bit times and 50 ms; the first characters must have come by then.
            let usual = Duration::from_millis(120 + 400_000 / u64::from(baud));
            let patience = if self.words.patience == USUAL_PATIENCE { usual } else { self.words.patience };
            self.estimate(patience * u32::try_from(self.all).unwrap_or(u32::MAX));
            let out = self.out;
            let told = |at: &str, found: usize| out.progress(text::searching(out.lang, &setting, at, found));
            let found = match bus(&line, patience, &self.library, told, out).await {
                Ok(found) => found,
                // A port that cannot have a parity has no meter at it either; the next setting is tried.
                Err(why) if self.all > 251 => {
                    out.progress_over();
                    out.aside(why);
                    continue;
                }
                Err(why) => return Err(why),
            };
            for (address, identity) in found {
                let said = identity_said(identity, out);
                let address = Address::Mbus(address);
                self.meters.push(meet(&line, address, said, &setting, &self.library, out).await?);
            }
            if !self.meters.is_empty() && !self.words.all {
                break;
            }
        }
        Ok(())
    }

    /// Meters of M-Bus speak at 2400 or 300 baud with even parity, when nothing else is said.
    fn mbus_settings(&self) -> Vec<Character> {
        let words = &self.words;
        let speeds = if words.speeds == USUAL_SPEEDS { vec![2400, 300, 9600] } else { words.speeds.clone() };
        let mut parities = words.parities.clone();
        parities.sort_by_key(|word| word != "even");
        let parity = |word: &str| match word {
            "even" => Parity::Even,
            "odd" => Parity::Odd,
            _ => Parity::None,
        };
        let of = |baud: &u32| {
            let baud = *baud;
            parities.iter().map(move |word| Character::new(baud, 8, parity(word), 1))
        };
        speeds.iter().flat_map(of).collect()
    }

    async fn tcp(&mut self, line: &LineConfig, host: &str, port: u16) -> Result<(), String> {
        let hosts = hosts(host).ok_or_else(|| text::no_hosts(self.out.lang, host))?;
        let many = hosts.len() > 1;
        let open = if many { self.open(hosts, port).await } else { hosts };
        let units = self.words.addresses.as_deref().unwrap_or(&USUAL_UNITS).to_vec();
        self.all = open.len() * units.len();
        for host in open {
            let framing = line.wire.framing();
            let name = format!("{host}:{port}");
            let line = LineConfig {
                name: name.clone(),
                wire: WireConfig::Tcp { host, port, framing },
                ..line.clone()
            };
            self.alone(&line, &name).await?;
            let mut reach = Reach::for_scan(&line);
            for unit in &units {
                self.step(&name, *unit);
                match self.answers(&mut reach, *unit).await {
                    Ok(true) => {
                        drop(reach);
                        self.meet(&line, *unit, &name).await?;
                        reach = Reach::for_scan(&line);
                        if self.words.addresses.is_none() {
                            // It answers to any of the usual units as the same device.
                            break;
                        }
                    }
                    Ok(false) => {}
                    Err(why) if many => {
                        self.out.aside(why);
                        break;
                    }
                    Err(why) => return Err(why),
                }
            }
        }
        Ok(())
    }

    /// The hosts that take a connection.
    async fn open(&mut self, hosts: Vec<String>, port: u16) -> Vec<String> {
        let count = hosts.len();
        let mut rest = hosts.into_iter();
        let (mut tried, mut open) = (JoinSet::new(), BTreeSet::new());
        let mut done = 0;
        loop {
            while tried.len() < AT_ONCE
                && let Some(host) = rest.next()
            {
                tried.spawn(async move {
                    let is_open = timeout(CONNECT, TcpStream::connect((host.as_str(), port))).await;
                    is_open.is_ok_and(|stream| stream.is_ok()).then_some(host)
                });
            }
            let Some(tried) = tried.join_next().await else { break };
            open.extend(tried.ok().flatten());
            done += 1;
            self.out.progress(text::hosts(self.out.lang, done, count, open.len()));
        }
        open.into_iter().collect()
    }

    /// Whether a device says anything, be it no.
    async fn answers(&mut self, reach: &mut Reach, unit: u8) -> Result<bool, String> {
        for table in [Table::Holding, Table::Input] {
            let request = Request::new(unit, table, self.words.register, 1).map_err(|e| e.to_string())?;
            let exchange = modbus::exchange(request, reach.framing);
            match reach.ask_unknown(exchange, None, Some(self.words.patience)).await {
                // A gateway's word that nobody is there.
                Ok(Err(refusal)) if refusal.about == About::Absence => return Ok(false),
                Ok(_) => return Ok(true),
                Err(Failure::Device { .. } | Failure::HungUp(_) | Failure::Babbling) => {}
                Err(failure) => return Err(why(reach, &failure, self.out)),
            }
            if !self.words.thorough {
                break;
            }
        }
        Ok(false)
    }

    /// Asks a device that was found who it is.
    async fn meet(&mut self, line: &LineConfig, unit: u8, setting: &str) -> Result<(), String> {
        self.out.progress_over();
        self.out.text(text::found(self.out.lang, setting, unit));
        let mut reach = Reach::by_hand(line);
        let known = match known_registers(&mut reach, line, unit, &self.library, self.out).await {
            Ok(known) => known,
            Err(why) => {
                self.out.aside(why);
                Known::default()
            }
        };
        self.out.progress_over();
        known::tell(&known, self.out);
        let mut value = known::value(&json!(unit), &known);
        value["setting"] = json!(setting);
        self.out.value(&value);
        self.found.push(Found { line: line.clone(), unit, known });
        Ok(())
    }

    fn step(&mut self, setting: &str, unit: u8) {
        self.asked += 1;
        let spent = self.start.elapsed();
        let left = spent.mul_f64((self.all.saturating_sub(self.asked)) as f64 / self.asked as f64);
        let found = self.found.len() + self.meters.len();
        self.out.progress(text::progress(
            self.out.lang,
            setting,
            unit,
            found,
            &text::time(self.out.lang, left),
        ));
    }

    fn estimate(&self, most: Duration) {
        self.out.aside(text::estimate(self.out.lang, self.all, &text::time(self.out.lang, most)));
    }

    /// What may be pasted into the gateway's file.
    fn summary(&self) -> Result<(), String> {
        if self.found.is_empty() && self.meters.is_empty() {
            return Err(text::nobody(self.out.lang));
        }
        let mut names = BTreeSet::new();
        let mut last: Option<&WireConfig> = None;
        self.out.text(format!("\n{}", text::paste(self.out.lang)));
        for found in &self.found {
            if last != Some(&found.line.wire) {
                self.out.text(line_text(&found.line, names.len() + 1));
                names.insert(found.line.name.clone());
                last = Some(&found.line.wire);
            }
            self.out.text(device_text(&found.known, &found.unit.to_string(), self.out));
        }
        for meter in &self.meters {
            if last != Some(&meter.line.wire) {
                self.out.text(line_text(&meter.line, names.len() + 1));
                names.insert(format!("{} {:?}", meter.line.name, meter.line.wire));
                last = Some(&meter.line.wire);
            }
            self.out.text(device_text(&meter.known, &meter.address.to_string(), self.out));
        }
        Ok(())
    }
}

fn with_character(line: &LineConfig, character: Character) -> LineConfig {
    let mut line = line.clone();
    if let WireConfig::Serial(serial) = &mut line.wire {
        serial.character = character;
    }
    line
}

fn line_text(line: &LineConfig, number: usize) -> String {
    match &line.wire {
        WireConfig::Serial(serial) => {
            let parity = match serial.character.parity {
                Parity::None => "none",
                Parity::Even => "even",
                Parity::Odd => "odd",
            };
            let framing = if serial.framing == Framing::Ascii { "framing = \"ascii\"\n" } else { "" };
            format!(
                "\n[[line]]\nname = \"line-{number}\"\nkind = \"serial\"\nport = \"{}\"\n{framing}baud = {}\nparity = \"{parity}\"",
                serial.path, serial.character.baud
            )
        }
        // A network is not scanned by addresses, and nobody waits for a modem.
        WireConfig::Listen(_) | WireConfig::Bacnet(_) | WireConfig::Mstp(_) | WireConfig::Mqtt(_) => {
            String::new()
        }
        WireConfig::Tcp { host, port, framing } => {
            let framing = match framing {
                Framing::Tcp => "",
                Framing::Rtu => "\nframing = \"transparent\"",
                Framing::Ascii => "\nframing = \"ascii\"",
            };
            format!(
                "\n[[line]]\nname = \"line-{number}\"\nkind = \"tcp\"\nhost = \"{host}\"\nport = {port}{framing}"
            )
        }
    }
}

fn device_text(known: &Known, address: &str, out: Out) -> String {
    let (profile, model) = known.pasted(out);
    // The number of a meter stands in quotes: its zeros belong to it.
    let quote = if address.len() > 3 { "\"" } else { "" };
    let name = address.split('-').next().unwrap_or_default();
    format!("\n[[line.device]]\nname = \"{model}-{name}\"\n{profile}\naddress = {quote}{address}{quote}")
}

/// `10.0.0.20`, a name, or a network of at most 1024 hosts: `10.0.0.0/24`.
fn hosts(text: &str) -> Option<Vec<String>> {
    let Some((network, bits)) = text.split_once('/') else { return Some(vec![text.to_owned()]) };
    let network: u32 = network.parse::<std::net::Ipv4Addr>().ok()?.into();
    let bits: u32 = bits.parse().ok().filter(|bits| (22..=32).contains(bits))?;
    let count = 1_u32 << (32 - bits);
    let first = network & !(count - 1);
    // The first and the last address of a network are nobody's.
    let inner = if count > 2 { 1..count - 1 } else { 0..count };
    Some(inner.map(|i| std::net::Ipv4Addr::from(first + i).to_string()).collect())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_network_is_all_its_hosts_and_no_more() {
        assert_eq!(hosts("meter.plant"), Some(vec!["meter.plant".to_owned()]));
        let all = hosts("10.0.0.77/29").unwrap();
        assert_eq!((all.len(), all[0].as_str(), all[5].as_str()), (6, "10.0.0.73", "10.0.0.78"));
        assert_eq!(hosts("10.0.0.1/32"), Some(vec!["10.0.0.1".to_owned()]));
        assert!(hosts("10.0.0.0/8").is_none() && hosts("x/24").is_none());
    }
}
