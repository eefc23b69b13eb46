//! Opens what the simulated devices answer on, and closes it when an order or a signal says so.

use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use steward_protocols::character::Character;
use steward_protocols::far_end::Station;
use steward_protocols::modbus::device::{OnAscii, OnSerial, OnTcp};
use steward_shared::profile::Language;
use tokio::net::TcpListener;
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use super::super::execute::chain;
use super::super::out::Out;
use super::super::text::simulate as text;
use super::devices::{Device, find, meters, units};
use super::obey::obey;
use super::words::{FramingWord, SimulateWords};
use crate::lab::meters::{Meters, turnaround};
use crate::lab::{Bus, Serial, SerialError, serve, serve_bacnet, serve_transparent};

pub async fn simulate(words: SimulateWords, out: Out) -> Result<(), String> {
    let lang = out.lang;
    if words.listen.is_none() && words.pty.is_none() && words.port.is_none() {
        return Err(text::nowhere(lang));
    }
    let devices = find(&words, lang)?;
    let Some(first) = devices.first() else { return Err(text::nowhere(lang)) };
    let place = Place { stop: CancellationToken::new(), out, words: &words, devices: &devices };
    let mut serving = JoinSet::new();
    if matches!(first.language(), Language::Bacnet(_)) {
        place.bacnet(first, &mut serving)?;
    } else if words.listen.is_some() {
        place.tcp(&mut serving).await?;
    }
    let serial = place.serial()?;
    out.text(text::orders(lang));
    obey(&devices, out).await?;
    place.stop.cancel();
    while let Some(task) = serving.join_next().await {
        // A server that failed has nothing left to serve.
        if let Ok(Err(error)) = task {
            return Err(error.to_string());
        }
    }
    drop(serial);
    Ok(())
}

struct Place<'w> {
    stop: CancellationToken,
    out: Out,
    words: &'w SimulateWords,
    devices: &'w [Device],
}

type Serving = JoinSet<std::io::Result<()>>;

impl Place<'_> {
    async fn tcp(&self, serving: &mut Serving) -> Result<(), String> {
        let Some(address) = self.words.listen else { return Ok(()) };
        let lang = self.out.lang;
        let listener = TcpListener::bind(address).await;
        let listener =
            listener.map_err(|e| text::cannot_listen(lang, &address.to_string(), &e.to_string()))?;
        let at = listener.local_addr().map_err(|e| e.to_string())?.to_string();
        let stop = self.stop.clone();
        let framing = match self.words.framing {
            None | Some(FramingWord::Tcp) if self.devices.iter().all(is_modbus) => FramingWord::Tcp,
            Some(FramingWord::Ascii) => FramingWord::Ascii,
            _ => FramingWord::Rtu,
        };
        if framing == FramingWord::Tcp {
            let devices = units(self.devices, None);
            let turnaround = self.turnaround(self.devices.first());
            serving.spawn(serve(listener, Arc::new(OnTcp { devices, turnaround }), stop));
        } else {
            serving.spawn(serve_transparent(listener, self.station(framing, None), stop));
        }
        self.told(
            framing,
            &at,
            |device, at| json!({ "profile": device.name, "address": device.word(), "listen": at }),
        );
        Ok(())
    }

    /// As long as is said, or as is usual for the device's language.
    fn turnaround(&self, device: Option<&Device>) -> Duration {
        let usual = || device.map_or(Duration::ZERO, |device| turnaround(device.language()));
        self.words.turnaround.unwrap_or_else(usual)
    }

    /// All that hear a line. A Modbus device alone answers to `usual`.
    fn station(&self, framing: FramingWord, usual: Option<u8>) -> Arc<dyn Station> {
        let mut all: Vec<Arc<dyn Station>> = Vec::new();
        if let Some(first) = self.devices.iter().find(|device| is_modbus(device)) {
            let (devices, turnaround) = (units(self.devices, usual), self.turnaround(Some(first)));
            all.push(if framing == FramingWord::Ascii {
                Arc::new(OnAscii { devices, turnaround })
            } else {
                Arc::new(OnSerial { devices, turnaround })
            });
        }
        if let Some(first) = self.devices.iter().find(|device| !is_modbus(device)) {
            let meters = meters(self.devices);
            all.push(Arc::new(Meters { meters, turnaround: self.turnaround(Some(first)) }));
        }
        Arc::new(Bus(all))
    }

    /// Says who answers where.
    fn told(&self, framing: FramingWord, at: &str, value: impl Fn(&Device, &str) -> serde_json::Value) {
        for device in self.devices {
            let (word, what) = (device.word(), language(device, framing));
            self.out.text(if word.is_empty() {
                text::answers(self.out.lang, &device.name, what, at)
            } else {
                text::answers_to(self.out.lang, &device.name, what, at, &word)
            });
            if matches!(device.language(), Language::Mbus(_)) {
                self.out.text(text::says_it_is(self.out.lang, &device.identity.to_string()));
            }
            self.out.value(&value(device, at));
        }
    }

    fn serial(&self) -> Result<Vec<Serial>, String> {
        let lang = self.out.lang;
        let framing = match self.words.framing {
            Some(FramingWord::Ascii) if self.devices.iter().any(is_modbus) => FramingWord::Ascii,
            _ => FramingWord::Rtu,
        };
        let character = self.words.serial.character_for(framing == FramingWord::Ascii);
        let has = |is: fn(&Language) -> bool| self.devices.iter().any(|device| is(device.language()));
        let mut all = Vec::new();
        let places = self.words.pty.iter().map(|path| (path, false));
        for (path, is_port) in places.chain(self.words.port.iter().map(|path| (path, true))) {
            if has(|language| matches!(language, Language::Bacnet(_))) {
                return Err(text::bacnet_is_ip(lang));
            }
            if is_port && has(|language| matches!(language, Language::Iec62056(_))) {
                return Err(text::no_rates(lang));
            }
            let station = self.station(framing, Some(1));
            all.push(open(path, is_port, character, station).map_err(|e| chain(&e))?);
            for device in self.devices {
                let is_alone = is_modbus(device) && device.address.is_none();
                let word = if is_alone { "1".to_owned() } else { device.word() };
                self.out.text(text::on_serial(
                    lang,
                    &device.name,
                    language(device, framing),
                    &path.display().to_string(),
                    &word,
                    &character.to_string(),
                ));
                if matches!(device.language(), Language::Mbus(_)) {
                    self.out.text(text::says_it_is(lang, &device.identity.to_string()));
                }
                let key = if is_port { "port" } else { "pty" };
                self.out.value(&json!({
                    "profile": device.name, key: path, "address": word, "character": character.to_string(),
                }));
            }
        }
        Ok(all)
    }

    fn bacnet(&self, device: &Device, serving: &mut Serving) -> Result<(), String> {
        let lang = self.out.lang;
        let Some(std::net::SocketAddr::V4(listen)) = self.words.listen else {
            return Err(text::bacnet_is_ip(lang));
        };
        let broadcast = match self.words.broadcast {
            Some(std::net::SocketAddr::V4(at)) => Some(at),
            Some(_) => return Err(text::bacnet_is_ip(lang)),
            None => None,
        };
        let instance = device.word().parse().unwrap_or(1);
        let simulated = Arc::clone(&device.simulated);
        let turnaround = self.turnaround(Some(device));
        let opened = serve_bacnet(simulated, instance, listen, broadcast, turnaround, self.stop.clone());
        let (at, task) =
            opened.map_err(|e| text::cannot_listen(lang, &listen.to_string(), &e.to_string()))?;
        serving.spawn(task);
        self.told(
            FramingWord::Tcp,
            &at.to_string(),
            |device, at| json!({ "profile": device.name, "instance": instance, "listen": at }),
        );
        Ok(())
    }
}

fn is_modbus(device: &Device) -> bool {
    matches!(device.language(), Language::Modbus(_))
}

/// What a device answers, as people call it.
fn language(device: &Device, framing: FramingWord) -> &'static str {
    match (device.language(), framing) {
        (Language::Modbus(_), FramingWord::Tcp) => "Modbus TCP",
        (Language::Modbus(_), FramingWord::Ascii) => "Modbus ASCII",
        (Language::Modbus(_), FramingWord::Rtu) => "Modbus RTU",
        (Language::Bacnet(_), _) => "BACnet/IP",
        (other, _) => other.name(),
    }
}

fn open(
    path: &std::path::Path,
    is_port: bool,
    character: Character,
    station: Arc<dyn Station>,
) -> Result<Serial, SerialError> {
    if is_port {
        Serial::on_port(path, character, station)
    } else {
        Serial::open_as(path, character, station)
    }
}
