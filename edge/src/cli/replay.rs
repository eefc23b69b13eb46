//! `steward-edge replay`: a capture as a device that answers as it did then, or as a test of a profile.

use std::fmt::Write as _;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use serde_json::json;
use steward_shared::document::listing;
use steward_shared::profile::{Framing, Profile};
use steward_shared::unit;
use tokio::net::TcpListener;
use tokio_util::sync::CancellationToken;

use super::execute::chain;
use super::out::Out;
use super::profile;
use super::simulate::shown;
use super::text::{capture as text, simulate};
use super::words::{SerialWords, interrupted};
use crate::lab::capture::{Capture, Checked, Replay, What, check, line_of};
use crate::lab::{Serial, serve, serve_transparent};

#[derive(Debug, clap::Args)]
pub struct ReplayWords {
    /// The capture.
    capture: PathBuf,
    /// Answer here as the capture did, like 127.0.0.1:1502: Modbus TCP, or a line behind a transparent converter.
    #[arg(long, value_name = "ADDRESS")]
    listen: Option<SocketAddr>,
    /// Answer on a pseudo-terminal that this path leads to.
    #[arg(long, value_name = "PATH", num_args = 0..=1, default_missing_value = "steward-device")]
    pty: Option<PathBuf>,
    #[command(flatten)]
    serial: SerialWords,
    /// Decode the capture's answers through this profile and compare them with the values that it states.
    #[arg(long, value_name = "PROFILE", conflicts_with_all = ["listen", "pty"])]
    check: Option<String>,
    /// The device that the profile is for, where several were asked: unit or meter's number.
    #[arg(long)]
    address: Option<String>,
    /// Write what was read into the capture, as what must be read from now on.
    #[arg(long, requires = "check")]
    state: bool,
    /// Folders with profiles of one's own.
    #[arg(long, value_name = "DIR")]
    profiles: Vec<PathBuf>,
}

impl ReplayWords {
    /// Whether the capture is a test and not a device.
    pub const fn checks(&self) -> bool {
        self.check.is_some()
    }
}

/// A capture out of its file.
pub fn read(path: &Path, out: Out) -> Result<Capture, String> {
    let name = path.display().to_string();
    let text = std::fs::read_to_string(path);
    let text = text.map_err(|e| text::cannot_read(out.lang, &name, &e.to_string()))?;
    Capture::parse(&name, &text).map_err(|faults| listing(&faults))
}

pub fn replay_check(words: &ReplayWords, out: Out) -> Result<(), String> {
    let lang = out.lang;
    let capture = read(&words.capture, out)?;
    let profile = profile::find(words.check.as_deref().unwrap_or_default(), &words.profiles, lang)?;
    let checked = check(&capture, &profile, words.address.as_deref()).map_err(|e| e.to_string())?;
    let path = words.capture.display().to_string();
    out.text(listed(&checked, &profile, out));
    out.value(&json!({
        "questions": checked.questions,
        "failed": checked.failed.iter().map(|(line, why)| json!({ "line": line, "why": why })).collect::<Vec<_>>(),
        "values": checked.values.iter().map(|d| json!({ "key": d.key, "value": d.value, "quality": d.quality.to_string() })).collect::<Vec<_>>(),
        "held": checked.held,
        "broken": checked.broken.iter().map(|(line, why)| json!({ "line": line, "why": why })).collect::<Vec<_>>(),
    }));
    if words.state {
        let mut added = String::new();
        let known = checked.values.iter().filter(|d| d.value.is_some());
        for decoded in known.clone() {
            let decimals = profile.point(&decoded.key).map_or(0, |p| p.decimals);
            let value = decoded.value.as_ref().map(|value| match value {
                steward_shared::reading::Value::Number(number) => {
                    format!("{number:.*}", usize::from(decimals))
                }
                steward_shared::reading::Value::Text(text) => text.clone(),
            });
            let stated = What::Stated { key: decoded.key.clone(), value };
            let _ = writeln!(added, "{}", line_of(std::time::Duration::ZERO, &stated));
        }
        let appended = std::fs::OpenOptions::new()
            .append(true)
            .open(&words.capture)
            .and_then(|mut file| std::io::Write::write_all(&mut file, added.as_bytes()));
        appended.map_err(|e| text::cannot_write(lang, &path, &e.to_string()))?;
        out.text(text::states_now(lang, known.count(), &path));
    }
    if !checked.broken.is_empty() {
        return Err(text::differs(lang, &path));
    }
    if checked.failed.len() == checked.questions { Err(text::nothing_believed(lang, &path)) } else { Ok(()) }
}

fn listed(checked: &Checked, profile: &Profile, out: Out) -> String {
    let lang = out.lang;
    let mut told = String::new();
    for decoded in &checked.values {
        let Some(point) = profile.point(&decoded.key) else { continue };
        let value = match &decoded.value {
            Some(value) => {
                format!("{} {}", shown(Some(value), point.decimals, lang), unit::symbol(&point.unit))
            }
            None => format!("{} ({})", simulate::no_value(lang), decoded.quality),
        };
        let _ = writeln!(told, "{}  {value}", decoded.key);
    }
    let _ = writeln!(told, "{}", text::asked(lang, checked.questions, checked.failed.len()));
    for (line, why) in checked.failed.iter().chain(&checked.broken) {
        let _ = writeln!(told, "{}", text::at_line(lang, *line, why));
    }
    told + &text::stated(lang, checked.held, checked.broken.len())
}

pub async fn replay(words: ReplayWords, out: Out) -> Result<(), String> {
    let lang = out.lang;
    let capture = read(&words.capture, out)?;
    let replay = Arc::new(Replay::new(&capture));
    match (capture.header.framing, words.listen, &words.pty) {
        (_, None, None) => Err(text::to_do(lang)),
        (framing, Some(address), None) => {
            let listener = TcpListener::bind(address).await;
            let listener =
                listener.map_err(|e| simulate::cannot_listen(lang, &address.to_string(), &e.to_string()))?;
            let at = listener.local_addr().map_err(|e| e.to_string())?.to_string();
            out.text(text::replaying(lang, replay.len(), &at));
            out.value(&json!({ "listen": at, "exchanges": replay.len() }));
            let stop = CancellationToken::new();
            let serving = async {
                if framing == Framing::Tcp {
                    serve(listener, replay, stop).await
                } else {
                    serve_transparent(listener, replay, stop).await
                }
            };
            tokio::select! {
                // Whoever is connected is cut off.
                served = serving => served.map_err(|e| e.to_string()),
                heard = interrupted() => heard,
            }
        }
        (Framing::Rtu | Framing::Ascii, None, Some(path)) => {
            let character = capture.header.character.unwrap_or_else(|| words.serial.character());
            let exchanges = replay.len();
            let serial = Serial::open_as(path, character, replay).map_err(|e| chain(&e))?;
            let at = path.display().to_string();
            out.text(text::replaying(lang, exchanges, &at));
            out.value(&json!({ "pty": at, "port": character.to_string(), "exchanges": exchanges }));
            let heard = interrupted().await;
            drop(serial);
            heard
        }
        (Framing::Tcp, None, Some(_)) => Err(text::wrong_way(lang)),
        (_, Some(_), Some(_)) => Err(text::one_way(lang)),
    }
}
