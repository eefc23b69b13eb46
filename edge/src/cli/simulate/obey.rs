//! Orders on the standard input of `simulate`, one a line; `@ADDRESS` before one means one of several devices.

use std::io::BufRead;

use serde_json::json;
use steward_shared::reading::Value;
use steward_shared::unit;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;

use super::super::out::Out;
use super::super::text::{Lang, common, simulate as text};
use super::devices::{Device, meant};
use crate::lab::Order;

/// Orders that wait; whoever writes faster waits himself.
const ORDERS: usize = 16;

/// Takes orders until one says to quit, or a signal does. Without anybody who writes it goes on all the same.
pub async fn obey(devices: &[Device], out: Out) -> Result<(), String> {
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
                if !line.trim().is_empty() && !obeyed(devices, &line, out) {
                    return Ok(());
                }
            }
        }
    }
}

/// Follows one order; false when it was the last.
fn obeyed(devices: &[Device], line: &str, out: Out) -> bool {
    let line = line.trim();
    let (which, rest) = match line.strip_prefix('@') {
        Some(line) => {
            let (which, rest) = line.split_once(char::is_whitespace).unwrap_or((line, "values"));
            (Some(which), rest)
        }
        None => (None, line),
    };
    let done = match (rest.parse::<Order>(), meant(devices, which, out.lang)) {
        (Ok(Order::Quit), _) => return false,
        (Err(fault), _) => Err(fault.to_string()),
        (_, Err(why)) => Err(why),
        (Ok(Order::Help), _) => {
            out.text(text::help(out.lang));
            Ok(())
        }
        (Ok(order), Ok(meant)) => follow(&order, &meant, devices.len() > 1, out),
    };
    if let Err(why) = done {
        out.failed(&why);
    }
    true
}

fn follow(order: &Order, devices: &[&Device], several: bool, out: Out) -> Result<(), String> {
    let lang = out.lang;
    match order {
        Order::Set { key, value } => {
            // Of several devices those that have the point.
            let has = |d: &&&Device| d.simulated.profile().point(key).is_some();
            let some: Vec<_> = devices.iter().filter(has).collect();
            for device in if some.is_empty() { devices.iter().collect() } else { some } {
                device.simulated.set(key, value).map_err(|e| e.to_string())?;
            }
            out.text(text::is_set(lang, key, value));
        }
        Order::Free { key } => {
            let freed = devices.iter().map(|d| d.simulated.free(key.as_deref())).sum();
            out.text(text::freed(lang, freed));
        }
        Order::Break(broken) => {
            for device in devices {
                device.break_by(*broken, lang)?;
            }
            let mut all: Vec<String> = Vec::new();
            for broken in devices.iter().flat_map(|d| d.simulated.broken()).map(|b| b.to_string()) {
                if !all.contains(&broken) {
                    all.push(broken);
                }
            }
            out.text(text::broken(lang, &all.join("; ")));
            out.value(&json!({ "broken": all }));
        }
        Order::Mend => out.text(text::mended(lang, devices.iter().map(|d| d.simulated.mend()).sum())),
        Order::Values => {
            for device in devices {
                values(device, several, out);
            }
        }
        Order::Help | Order::Quit => {}
    }
    Ok(())
}

fn values(device: &Device, several: bool, out: Out) {
    let word = device.word();
    if several {
        out.text(format!("@{word}  {}", device.name));
    }
    for (point, value) in device.simulated.values() {
        let shown = shown(value.as_ref(), point.decimals, out.lang);
        let title = out.lang.pick(&point.title.zh, &point.title.en);
        out.text(format!("{}  {shown} {}  {title}", point.key, unit::symbol(&point.unit)));
        let value = json!({ "address": word, "key": point.key, "value": value, "unit": point.unit });
        out.value(&value);
    }
}

/// A value as people read it.
pub fn shown(value: Option<&Value>, decimals: u8, lang: Lang) -> String {
    match value {
        Some(Value::Number(number)) => format!("{number:.*}", usize::from(decimals)),
        Some(Value::Text(text)) => format!("\"{text}\""),
        None => text::no_value(lang),
    }
}
