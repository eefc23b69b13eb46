//! `steward-edge scan`: who answers on a line, at which speed and parity, and what it may be. Ctrl-C ends it and keeps
//! what was found.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::json;
use steward_protocols::character::{Character, Parity};
use steward_protocols::dlt645;
use steward_protocols::exchange::About;
use steward_protocols::modbus::{self, Request};
use steward_shared::document::listing;
use steward_shared::profile::dlt645::Version;
use steward_shared::profile::{Framing, Library, Table};
use tokio::net::TcpStream;
use tokio::signal::unix::{SignalKind, signal};
use tokio::task::JoinSet;
use tokio::time::{Instant, timeout};

use super::super::out::Out;
use super::super::text::scan as text;
use super::identify::{self, Known};
use super::reach::why;
use super::words::ScanWords;
use crate::config::{LineConfig, WireConfig};
use crate::lend::Reach;
use crate::line::Failure;

/// A host that is there takes a connection within this time.
const CONNECT: Duration = Duration::from_millis(800);
const AT_ONCE: usize = 32;
/// What a device behind Ethernet is usually asked by.
const USUAL_UNITS: [u8; 3] = [1, 255, 0];
/// A meter of DL/T 645 wants to be woken, and may take half a second.
const METER: Duration = Duration::from_millis(600);

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
    /// Meters of DL/T 645, by their setting.
    meters: Vec<(String, String)>,
    /// Questions put, of how many, since when.
    asked: usize,
    all: usize,
    start: Instant,
}

pub async fn scan(words: ScanWords, out: Out) -> Result<(), String> {
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
            self.meter(&line, character).await?;
            let before = self.found.len();
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
            if self.found.len() > before && !self.words.all {
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

    /// A meter of DL/T 645 that is alone on the line says its address.
    async fn meter(&mut self, line: &LineConfig, character: Character) -> Result<(), String> {
        if character.parity != Parity::Even || line.wire.framing() != Framing::Rtu {
            return Ok(());
        }
        let dialect = dlt645::Dialect { version: Version::V2007, wake_up: 4 };
        let request = dlt645::Request::ReadAddress;
        let exchange =
            dlt645::Decoder::new(request, dlt645::Address::ANYBODY, dialect).map_err(|e| e.to_string())?;
        let mut reach = Reach::for_scan(line);
        match reach.ask_unknown(Box::new(exchange), Some(METER), None).await {
            Ok(Ok(contents)) => {
                let Some(wire) = contents.first_chunk::<6>() else { return Ok(()) };
                let address = dlt645::Address::new(*wire).to_string();
                self.out.progress_over();
                self.out.text(text::meter(self.out.lang, &character.to_string(), &address));
                self.out.value(&json!({ "setting": character.to_string(), "dlt645": address }));
                self.meters.push((character.to_string(), address));
                Ok(())
            }
            Ok(Err(_)) | Err(Failure::Device { .. } | Failure::HungUp(_) | Failure::Babbling) => Ok(()),
            Err(failure) => Err(why(&reach, &failure, self.out)),
        }
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
        let known = match identify::known(&mut reach, line, unit, &self.library, self.out).await {
            Ok(known) => known,
            Err(why) => {
                self.out.aside(why);
                Known::default()
            }
        };
        self.out.progress_over();
        identify::tell(&known, self.out);
        let mut value = identify::value(unit, &known);
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
        if !self.found.is_empty() {
            self.out.text(format!("\n{}", text::paste(self.out.lang)));
        }
        for found in &self.found {
            if last != Some(&found.line.wire) {
                self.out.text(line_text(&found.line, names.len() + 1));
                names.insert(found.line.name.clone());
                last = Some(&found.line.wire);
            }
            self.out.text(device_text(found, self.out));
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
                Framing::Rtu => "\nframing = \"rtu\"",
                Framing::Ascii => "\nframing = \"ascii\"",
            };
            format!(
                "\n[[line]]\nname = \"line-{number}\"\nkind = \"tcp\"\nhost = \"{host}\"\nport = {port}{framing}"
            )
        }
    }
}

fn device_text(found: &Found, out: Out) -> String {
    let best = found.known.proposals.first();
    let profile = best.map_or_else(
        || format!("profile = \"\"   # {}", text::no_profile(out.lang)),
        |best| format!("profile = \"{}\"", best.profile.id),
    );
    let model = best.and_then(|b| b.profile.id.split('/').nth(1)).unwrap_or("device");
    format!("\n[[line.device]]\nname = \"{model}-{}\"\n{profile}\naddress = {}", found.unit, found.unit)
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
