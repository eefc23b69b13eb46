//! `steward-edge simulate`: any profile as a device, on a TCP port, on a pseudo-terminal or on both, until it is told to
//! stop. Orders come on its standard input, one a line.

use std::io::BufRead;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use steward_protocols::modbus::device::{OnSerial, OnTcp};
use steward_shared::profile::Language;
use steward_shared::reading::Value;
use steward_shared::time::SystemClock;
use steward_shared::unit;
use tokio::net::TcpListener;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tokio_util::sync::CancellationToken;

use super::execute::chain;
use super::out::Out;
use super::profile;
use super::text::{Lang, common, simulate as text};
use super::words::SerialWords;
use crate::lab::{Break, Only, Order, Serial, Simulated, serve};

/// Where the link to the pseudo-terminal is when nothing is said.
const LINK: &str = "steward-device";
/// Orders that wait; whoever writes faster waits himself.
const ORDERS: usize = 16;

#[derive(Debug, clap::Args)]
pub struct SimulateWords {
    /// The profile: vendor/model, or the path of its file.
    profile: String,
    /// Answer Modbus TCP here, like 127.0.0.1:1502.
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<SocketAddr>,
    /// Answer Modbus RTU on a pseudo-terminal that this path leads to.
    #[arg(long, value_name = "PATH", num_args = 0..=1, default_missing_value = LINK)]
    pty: Option<PathBuf>,
    #[command(flatten)]
    serial: SerialWords,
    /// The unit that answers; 1 on a serial line and any on TCP, when nothing is said.
    #[arg(long, value_parser = clap::value_parser!(u8).range(1..=247))]
    address: Option<u8>,
    /// How long the device takes before it answers.
    #[arg(long, value_parser = super::words::duration, default_value = "8ms")]
    turnaround: Duration,
    /// Fix a point, like frequency=49.2; may stand several times.
    #[arg(long = "set", value_name = "KEY=VALUE")]
    set: Vec<String>,
    /// Break the device, like "late by=200ms share=0.5"; may stand several times. Faults: silent late exception
    /// wrong-crc cut foreign false-count two-answers reboot rollover.
    #[arg(long = "break", value_name = "FAULT")]
    broken: Vec<Break>,
    /// Another seed, other values.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Folders with profiles of one's own.
    #[arg(long, value_name = "DIR")]
    profiles: Vec<PathBuf>,
}

pub async fn simulate(words: SimulateWords, out: Out) -> Result<(), String> {
    let lang = out.lang;
    if words.listen.is_none() && words.pty.is_none() {
        return Err(text::nowhere(lang));
    }
    let profile = profile::find(&words.profile, &words.profiles, lang)?;
    if !matches!(profile.language, Language::Modbus(_)) {
        return Err(text::only_modbus(lang, &profile.id, profile.language.name()));
    }
    let name = profile.id.clone();
    let device = Arc::new(Simulated::new(profile, words.seed, Arc::new(SystemClock)));
    for set in &words.set {
        let (key, value) = set.split_once('=').ok_or_else(|| text::set_how(lang, set))?;
        device.set(key.trim(), value.trim()).map_err(|e| e.to_string())?;
    }
    for broken in &words.broken {
        device.break_by(*broken);
    }
    let stop = CancellationToken::new();
    let mut serving = None;
    if let Some(address) = words.listen {
        let listener = TcpListener::bind(address).await;
        let listener =
            listener.map_err(|e| text::cannot_listen(lang, &address.to_string(), &e.to_string()))?;
        let at = listener.local_addr().map_err(|e| e.to_string())?;
        let devices = Only { unit: words.address, devices: Arc::clone(&device) };
        let station = OnTcp { devices, turnaround: words.turnaround };
        serving = Some(tokio::spawn(serve(listener, Arc::new(station), stop.clone())));
        out.text(text::on_tcp(lang, &name, &at.to_string()));
        out.value(&json!({ "profile": name, "listen": at.to_string() }));
    }
    let character = words.serial.character();
    let serial = match &words.pty {
        Some(path) => {
            let unit = words.address.unwrap_or(1);
            let devices = Only { unit: Some(unit), devices: Arc::clone(&device) };
            let station = Arc::new(OnSerial { devices, turnaround: words.turnaround });
            let serial = Serial::open(path, character.into(), station).map_err(|e| chain(&e))?;
            out.text(text::on_pty(lang, &name, unit, &path.display().to_string(), &character.to_string()));
            out.value(&json!({ "profile": name, "pty": path, "unit": unit, "port": character.to_string() }));
            Some(serial)
        }
        None => None,
    };
    out.text(text::orders(lang));
    obey(&device, out).await?;
    stop.cancel();
    if let Some(task) = serving {
        // A server that failed has nothing left to serve.
        if let Ok(Err(error)) = task.await {
            return Err(error.to_string());
        }
    }
    drop(serial);
    Ok(())
}

/// Takes orders until one says to quit, or a signal does. Without anybody who writes it goes on all the same.
async fn obey(device: &Simulated, out: Out) -> Result<(), String> {
    let told = |e: std::io::Error| format!("{}: {e}", common::signals(out.lang));
    let mut terminate = signal(SignalKind::terminate()).map_err(told)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(told)?;
    let (orders, mut heard) = mpsc::channel(ORDERS);
    let reader = std::thread::Builder::new().name("orders".to_owned()).spawn(move || {
        for line in std::io::stdin().lock().lines().map_while(Result::ok) {
            if orders.blocking_send(line).is_err() {
                return;
            }
        }
    });
    reader.map_err(|e| e.to_string())?;
    loop {
        // A signal or a line that is not taken in this turn is taken in the next.
        tokio::select! {
            _ = terminate.recv() => return Ok(()),
            _ = interrupt.recv() => return Ok(()),
            Some(line) = heard.recv() => {
                if !line.trim().is_empty() && !obeyed(device, &line, out) {
                    return Ok(());
                }
            }
        }
    }
}

/// Follows one order; false when it was the last.
fn obeyed(device: &Simulated, line: &str, out: Out) -> bool {
    let lang = out.lang;
    let order = match line.parse::<Order>() {
        Ok(order) => order,
        Err(fault) => {
            out.failed(&fault.to_string());
            return true;
        }
    };
    match order {
        Order::Set { key, value } => match device.set(&key, &value) {
            Ok(()) => out.text(text::is_set(lang, &key, &value)),
            Err(fault) => out.failed(&fault.to_string()),
        },
        Order::Free { key } => out.text(text::freed(lang, device.free(key.as_deref()))),
        Order::Break(broken) => {
            device.break_by(broken);
            let all: Vec<String> = device.broken().iter().map(ToString::to_string).collect();
            out.text(text::broken(lang, &all.join("; ")));
            out.value(&json!({ "broken": all }));
        }
        Order::Mend => out.text(text::mended(lang, device.mend())),
        Order::Values => {
            for (point, value) in device.values() {
                let (shown, title) = (
                    shown(value.as_ref(), point.decimals, lang),
                    lang.pick(&point.title.zh, &point.title.en),
                );
                out.text(format!("{}  {shown} {}  {title}", point.key, unit::symbol(&point.unit)));
                out.value(&json!({ "key": point.key, "value": value, "unit": point.unit }));
            }
        }
        Order::Help => out.text(text::help(lang)),
        Order::Quit => return false,
    }
    true
}

/// A value as people read it.
pub fn shown(value: Option<&Value>, decimals: u8, lang: Lang) -> String {
    match value {
        Some(Value::Number(number)) => format!("{number:.*}", usize::from(decimals)),
        Some(Value::Text(text)) => format!("\"{text}\""),
        None => text::no_value(lang),
    }
}
