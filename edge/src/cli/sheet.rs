//! `steward-edge sheet`: the commissioning sheet of a device, out of what the program that runs has seen of it: pass or
//! fail, every value, what is missing, and the room that its line has left. A page for printing, a table, or JSON.

use std::fs::File;
use std::io::Write;
use std::net::SocketAddr;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use steward_shared::document::listing;
use steward_shared::time::Timestamp;
use steward_shared::unit;

use super::doctor::{Trouble, sentence};
use super::out::Out;
use super::sheet_page::page;
use super::status::status;
use super::table::table;
use super::text::{Lang, sheet as text, simulate::no_value};
use crate::config::{Config, DeviceConfig, LineConfig, WireConfig};
use crate::configure::load;
use crate::line::dial_of;
use crate::poll::ROOM;

/// Of a hundred questions so many may fail.
const ERRORS: f64 = 0.01;

#[derive(Debug, clap::Args)]
pub struct SheetWords {
    /// The devices, by their names in the gateway's file; all of them, when nothing is said.
    device: Vec<String>,
    /// The gateway's file.
    #[arg(long, default_value = super::args::FILE)]
    config: PathBuf,
    /// Where the program shows its pages, instead of what the file says.
    #[arg(long, value_name = "ADDRESS")]
    http: Option<SocketAddr>,
    /// Write the sheets here as one page for printing. A file that is there already is left alone.
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

#[derive(Deserialize)]
struct Status {
    now: Timestamp,
    health: Health,
    doctor: Vec<OfLine>,
    values: Vec<Read>,
}

#[derive(Deserialize)]
struct Health {
    lines: Vec<LineHealth>,
    devices: Vec<DeviceHealth>,
}

#[derive(Deserialize)]
struct LineHealth {
    name: String,
    #[serde(default)]
    wasted: f64,
    #[serde(default)]
    planned: f64,
    #[serde(default)]
    troubles: Vec<Trouble>,
}

#[derive(Deserialize)]
struct DeviceHealth {
    key: String,
    silent: bool,
    #[serde(default)]
    requests: u64,
    #[serde(default)]
    errors: u64,
    turnaround_ms: Option<f64>,
}

#[derive(Deserialize)]
struct OfLine {
    name: String,
    devices: Vec<OfDevice>,
}

/// A device that says no has answered: the program finds out so what it may ask.
#[derive(Deserialize)]
struct OfDevice {
    key: String,
    asked: u64,
    answered: u64,
}

#[derive(Deserialize)]
struct Read {
    device: String,
    point: String,
    value: Option<serde_json::Value>,
    quality: Option<String>,
}

/// The sheet of one device.
#[derive(Serialize)]
pub struct Sheet {
    pub gateway: String,
    pub line: String,
    /// The port and how it is set, or the address of the connection.
    pub wire: String,
    pub device: String,
    pub title: String,
    pub place: String,
    pub address: String,
    pub profile: String,
    pub model: String,
    pub at: Timestamp,
    pub passed: bool,
    /// Why it did not pass, in words.
    pub faults: Vec<String>,
    /// Or messages, where the device tells by itself.
    pub requests: u64,
    /// Of which without an answer that can be believed.
    pub errors: u64,
    pub turnaround_ms: Option<f64>,
    /// Share of the line's time that nothing is wanted of.
    pub margin: f64,
    pub points: Vec<Point>,
}

#[derive(Serialize)]
pub struct Point {
    pub key: String,
    pub title: String,
    /// The value with its unit, as people read it; none where there is none.
    pub shown: Option<String>,
    pub quality: String,
}

impl Point {
    /// Whether the device gave it, or said that it has no value for it.
    pub fn is_there(&self) -> bool {
        matches!(self.quality.as_str(), "good" | "no_value")
    }
}

impl Sheet {
    /// What the mark on the sheet says to a phone.
    pub fn mark(&self) -> String {
        format!(
            "steward:{}/{};profile={};line={};address={}",
            self.gateway, self.device, self.profile, self.line, self.address
        )
    }

    pub fn missing(&self) -> Vec<&str> {
        self.points.iter().filter(|p| !p.is_there()).map(|p| p.key.as_str()).collect()
    }
}

pub fn sheet(words: &SheetWords, out: Out) -> Result<(), String> {
    let lang = out.lang;
    let config = load(&words.config, None).map_err(|faults| listing(&faults))?;
    let known: Vec<&str> = config.lines.iter().flat_map(|l| &l.devices).map(|d| d.name.as_str()).collect();
    if let Some(unknown) = words.device.iter().find(|name| !known.contains(&name.as_str())) {
        return Err(text::no_device(lang, unknown, &known.join(", ")));
    }
    if known.is_empty() {
        return Err(text::no_devices(lang, &words.config.display().to_string()));
    }
    let status: Status = status(words.http.unwrap_or(config.http), lang)?;
    let wanted = |device: &DeviceConfig| words.device.is_empty() || words.device.contains(&device.name);
    let sheets: Vec<Sheet> = config
        .lines
        .iter()
        .flat_map(|line| line.devices.iter().map(move |device| (line, device)))
        .filter(|(_, device)| wanted(device))
        .map(|(line, device)| made(&config, line, device, &status, lang))
        .collect();
    if let Some(path) = &words.out {
        let written =
            File::create_new(path).and_then(|mut file| file.write_all(page(&sheets, lang).as_bytes()));
        written.map_err(|e| text::cannot_write(lang, &path.display().to_string(), &e.to_string()))?;
        out.text(text::written(lang, &path.display().to_string()));
    }
    out.text(summary(&sheets, lang));
    for sheet in &sheets {
        out.value(sheet);
    }
    let failed = sheets.iter().filter(|sheet| !sheet.passed).count();
    if failed == 0 { Ok(()) } else { Err(text::not_all_passed(lang, failed, sheets.len())) }
}

fn made(config: &Config, line: &LineConfig, device: &DeviceConfig, status: &Status, lang: Lang) -> Sheet {
    let own = status.health.devices.iter().find(|d| d.key == device.name);
    let seen = status.doctor.iter().find(|l| l.name == line.name);
    let seen = seen.and_then(|l| l.devices.iter().find(|d| d.key == device.name));
    let of_line = status.health.lines.iter().find(|l| l.name == line.name);
    let points: Vec<Point> = device
        .profile
        .points
        .iter()
        .map(|point| {
            let value = status.values.iter().find(|v| v.device == device.name && v.point == point.key);
            let shown = value.and_then(|v| v.value.as_ref()).map(|value| match value.as_f64() {
                Some(number) => {
                    let digits = usize::from(point.decimals);
                    format!("{number:.digits$} {}", unit::symbol(&point.unit)).trim_end().to_owned()
                }
                None => value.as_str().unwrap_or_default().to_owned(),
            });
            let quality = value.and_then(|v| v.quality.clone()).unwrap_or_else(|| "never_read".to_owned());
            Point {
                key: point.key.clone(),
                title: lang.pick(&point.title.zh, &point.title.en).clone(),
                shown,
                quality,
            }
        })
        .collect();
    // Who tells by himself is never asked: there the program's own counts of messages stand.
    let tells = matches!(line.wire, WireConfig::Mqtt(_));
    let (requests, errors) = if tells {
        own.map_or((0, 0), |d| (d.requests, d.errors))
    } else {
        seen.map_or((0, 0), |d| (d.asked, d.asked.saturating_sub(d.answered)))
    };
    let wire = match &line.wire {
        WireConfig::Serial(serial) => format!("{} {}", serial.path, serial.character),
        WireConfig::Tcp { .. }
        | WireConfig::Listen(_)
        | WireConfig::Bacnet(_)
        | WireConfig::Mstp(_)
        | WireConfig::Mqtt(_) => dial_of(&line.wire).target(),
    };
    let mut sheet = Sheet {
        gateway: config.name.clone(),
        line: line.name.clone(),
        wire,
        device: device.name.clone(),
        title: lang.pick(&device.title.zh, &device.title.en).clone(),
        place: device.place.clone(),
        address: device.address.to_string(),
        profile: device.profile.id.clone(),
        model: lang.pick(&device.profile.title.zh, &device.profile.title.en).clone(),
        at: status.now,
        passed: false,
        faults: Vec::new(),
        requests,
        errors,
        turnaround_ms: own.and_then(|d| d.turnaround_ms),
        margin: of_line.map_or(0.0, |l| 1.0 - l.planned - l.wasted),
        points,
    };
    let troubles: Vec<&Trouble> = of_line.map(|l| l.troubles.iter().collect()).unwrap_or_default();
    let own_troubles = troubles.into_iter().filter(|t| t.device.as_ref().is_none_or(|d| *d == device.name));
    let nothing_came = requests == 0 && !sheet.points.iter().any(Point::is_there);
    sheet.faults = match (nothing_came, tells) {
        (true, true) => vec![text::never_told(lang)],
        (true, false) => vec![text::never_asked(lang)],
        (false, _) => faults(&sheet, own.is_none_or(|d| d.silent), lang),
    };
    sheet.faults.extend(own_troubles.map(|trouble| sentence(trouble, lang)));
    sheet.passed = sheet.faults.is_empty();
    sheet
}

fn faults(sheet: &Sheet, silent: bool, lang: Lang) -> Vec<String> {
    let mut faults = Vec::new();
    if silent {
        faults.push(text::silent(lang));
    }
    let missing = sheet.missing();
    if !missing.is_empty() {
        let few: Vec<&str> = missing.iter().take(12).copied().collect();
        let more = if missing.len() > few.len() { " …" } else { "" };
        faults.push(text::missing(lang, missing.len(), &(few.join(" ") + more)));
    }
    // The counts may be some seconds older than the values.
    let errors = sheet.errors as f64 / sheet.requests.max(1) as f64;
    if errors > ERRORS && !silent {
        faults.push(text::errors(lang, errors * 100.0));
    }
    if sheet.margin < 1.0 - ROOM {
        faults.push(text::no_margin(lang, sheet.margin * 100.0));
    }
    faults
}

/// A fault with the name of its device, which some of the doctor's sentences begin with already.
fn of_device(device: &str, fault: &str, lang: Lang) -> String {
    let begins_so = fault.strip_prefix(device).is_some_and(|rest| rest.starts_with([':', '：']));
    if begins_so { fault.to_owned() } else { format!("{device}{}{fault}", lang.pick("：", ": ")) }
}

fn summary(sheets: &[Sheet], lang: Lang) -> String {
    let mut rows = vec![text::head(lang)];
    rows.extend(sheets.iter().map(|sheet| {
        let there = sheet.points.len() - sheet.missing().len();
        vec![
            sheet.device.clone(),
            if sheet.passed { text::passed(lang) } else { text::failed(lang) },
            format!("{there}/{}", sheet.points.len()),
            sheet.turnaround_ms.map_or_else(|| no_value(lang), |ms| format!("{ms:.1} ms")),
            format!("{:.0} %", sheet.margin * 100.0),
        ]
    }));
    let faults =
        sheets.iter().flat_map(|s| s.faults.iter().map(move |fault| of_device(&s.device, fault, lang)));
    std::iter::once(table(&rows)).chain(faults).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_names_its_device_once() {
        assert_eq!(of_device("i", "it does not answer", Lang::En), "i: it does not answer");
        assert_eq!(
            of_device("twin", "twin：网络里另有一台设备用同一编号", Lang::Zh),
            "twin：网络里另有一台设备用同一编号"
        );
    }
}
