//! `steward-edge scan` on a BACnet network: Who-Is, and whoever introduces himself within the time; who he says that he is,
//! which profile he may have, and who claims the number of another.

use std::net::{Ipv4Addr, SocketAddrV4};
use std::path::Path;
use std::time::Duration;

use serde_json::json;
use steward_protocols::bacnet::IAm;
use steward_protocols::bacnet::client::{Event, LinkAddress, Peer};
use steward_shared::document::listing;
use steward_shared::profile::Library;
use tokio::signal::unix::{SignalKind, signal};
use tokio::time::{Instant, timeout_at};

use super::super::out::Out;
use super::super::text::scan as text;
use super::identify_network::known_node;
use super::known::{self, Known};
use super::network::Net;
use super::words::ScanWords;
use crate::config::{BacnetConfig, Config, LineConfig, WireConfig};
use crate::configure::load;
use crate::line::bacnet::Happening;

/// Who-Is is said so often: a broadcast is easily lost.
const TIMES: u32 = 3;

struct Found {
    peer: Peer,
    introduction: IAm,
    known: Known,
}

/// Two who claim one number.
struct Twice {
    instance: u32,
    known: Peer,
    other: Peer,
}

pub async fn scan_network(words: ScanWords, out: Out) -> Result<(), String> {
    let (line, config) = described(&words, out)?;
    let folders = config.as_ref().map_or_else(|| words.profiles.clone(), |config| config.folders.clone());
    let library = Library::load(&folders).map_err(|faults| listing(&faults))?;
    let mut net = match &config {
        Some(config) => Net::by_file(config, &line, out).await?,
        None => Net::by_hand(&line, out).await?,
    };
    let mut interrupt = signal(SignalKind::interrupt()).map_err(|e| e.to_string())?;
    let mut terminate = signal(SignalKind::terminate()).map_err(|e| e.to_string())?;
    let (mut heard, mut twice) = (Vec::new(), Vec::new());
    tokio::select! {
        () = listen(&mut net, &words, (&mut heard, &mut twice), out) => {}
        // What was heard is told all the same.
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    out.progress_over();
    heard.sort_by_key(|(_, introduction): &(Peer, IAm)| introduction.instance);
    let mut found = Vec::new();
    for (peer, introduction) in heard {
        let instance = introduction.instance;
        out.text(text::introduces(out.lang, instance, &peer.to_string(), introduction.vendor));
        let known = match known_node(&net, peer, instance, &library, out).await {
            Ok(known) => known,
            Err(why) => {
                out.aside(why);
                Known::default()
            }
        };
        out.progress_over();
        known::tell(&known, out);
        let mut value = known::value(&json!(instance), &known);
        value["host"] = json!(peer.address.to_string());
        value["station"] = json!(peer.station.map(|station| station.to_string()));
        value["vendor"] = json!(introduction.vendor);
        value["max_apdu"] = json!(introduction.max_apdu);
        value["segmentation"] = json!(format!("{:?}", introduction.segmentation).to_lowercase());
        out.value(&value);
        found.push(Found { peer, introduction, known });
    }
    for Twice { instance, known, other } in &twice {
        out.text(text::twice(out.lang, *instance, &known.to_string(), &other.to_string()));
        out.value(&json!({
            "duplicate": instance, "hosts": [known.to_string(), other.to_string()],
        }));
    }
    net.close().await;
    if found.is_empty() {
        return Err(text::nobody_introduces(out.lang));
    }
    out.text(format!("\n{}", text::paste(out.lang)));
    if let (None, WireConfig::Bacnet(network)) = (&config, &line.wire) {
        out.text(line_text(network));
    }
    for found in &found {
        let is_twice = twice.iter().any(|t| t.instance == found.introduction.instance);
        out.text(device_text(found, is_twice, out));
    }
    Ok(())
}

/// The network that is meant, and the file where it is one of a file.
fn described(words: &ScanWords, out: Out) -> Result<(LineConfig, Option<Config>), String> {
    if let Some(name) = &words.network {
        let config = load(Path::new(&words.config), None).map_err(|faults| listing(&faults))?;
        let line = config.lines.iter().find(|line| line.name == *name).cloned();
        let line = line.ok_or_else(|| text::no_network(out.lang, name, &words.config))?;
        if !line.wire.is_bacnet() {
            return Err(text::no_network(out.lang, name, &words.config));
        }
        return Ok((line, Some(config)));
    }
    let listen = words.bacnet.unwrap_or(SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 47_808));
    let usual =
        if listen.ip().is_loopback() { Ipv4Addr::new(127, 255, 255, 255) } else { Ipv4Addr::BROADCAST };
    let port = if listen.port() == 0 { 47_808 } else { listen.port() };
    let broadcast = words.broadcast.unwrap_or(SocketAddrV4::new(usual, port));
    let network = BacnetConfig { listen, broadcast, foreign: None, retries: 2 };
    let wire = WireConfig::Bacnet(network);
    let timeout = Duration::from_secs(1);
    let name = listen.to_string();
    Ok((LineConfig { name, wire, timeout, in_flight: 1, devices: Vec::new() }, None))
}

/// Says Who-Is and hears who answers, until the time is over.
async fn listen(
    net: &mut Net,
    words: &ScanWords,
    (heard, twice): (&mut Vec<(Peer, IAm)>, &mut Vec<Twice>),
    out: Out,
) {
    let each = words.wait / TIMES;
    for _ in 0..TIMES {
        if net.network().who_is(words.range).await.is_err() {
            return;
        }
        let until = Instant::now() + each;
        while let Ok(Some(happening)) = timeout_at(until, net.reach.happened.recv()).await {
            match happening {
                Happening::Event(Event::Device { peer, introduction }) => {
                    let in_range =
                        words.range.is_none_or(|(low, high)| (low..=high).contains(&introduction.instance));
                    let is_new = heard.iter().all(|(_, known)| known.instance != introduction.instance);
                    if in_range && is_new {
                        heard.push((peer, introduction));
                    }
                }
                Happening::Event(Event::DeviceConflict { instance, known, other }) => {
                    twice.push(Twice { instance, known, other });
                }
                Happening::Trouble(what) => {
                    out.progress_over();
                    out.aside(what);
                }
                _ => {}
            }
            out.progress(text::introduced(out.lang, heard.len()));
        }
    }
}

fn line_text(network: &BacnetConfig) -> String {
    let BacnetConfig { listen, broadcast, .. } = network;
    let usual = *listen == SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, 47_808);
    let own = if usual { String::new() } else { format!("\nlisten = \"{listen}\"") };
    let usual = *broadcast == SocketAddrV4::new(Ipv4Addr::BROADCAST, listen.port());
    let to = if usual { String::new() } else { format!("\nbroadcast = \"{broadcast}\"") };
    format!("\n[[line]]\nname = \"bms\"\nkind = \"bacnet-ip\"{own}{to}")
}

fn device_text(found: &Found, is_twice: bool, out: Out) -> String {
    let (profile, model) = found.known.pasted(out);
    let instance = found.introduction.instance;
    // One of two with the number is meant: it is written down where it is.
    let host = if is_twice { host_text(&found.peer) } else { String::new() };
    format!("\n[[line.device]]\nname = \"{model}-{instance}\"\n{profile}\ninstance = {instance}{host}")
}

fn host_text(peer: &Peer) -> String {
    match (peer.address, peer.station) {
        (LinkAddress::Mstp(mac), _) => format!("\nmac = {mac}"),
        (LinkAddress::Ip(host), None) => format!("\nhost = \"{host}\""),
        (LinkAddress::Ip(host), Some(station)) => {
            let mac = station.mac.bytes().iter().map(|b| format!("{b:02X}")).collect::<Vec<_>>().concat();
            format!("\nhost = \"{host}\"\nnetwork = {}\nmac = \"{mac}\"", station.network)
        }
    }
}
