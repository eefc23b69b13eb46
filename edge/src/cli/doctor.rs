//! `steward-edge doctor`: asks the program that runs what it has seen on its wires, and says in plain words what is wrong.

use std::net::SocketAddr;
use std::path::PathBuf;

use serde::{Deserialize, Serialize};
use steward_shared::document::listing;

use super::out::Out;
use super::status::status;
use super::table::table;
use super::text::{Lang, doctor as text, told as said};
use crate::config::load;
use crate::doctor::{TURNAROUNDS_MS, What};

/// Who has not answered so many questions may have been asked too soon.
const ASKED_ENOUGH: u64 = 3;

#[derive(Debug, clap::Args)]
pub struct DoctorWords {
    /// The line to tell of; all of them, when nothing is said.
    line: Option<String>,
    /// The gateway's file: it says where the program shows its pages.
    #[arg(long, default_value = super::args::FILE)]
    config: PathBuf,
    /// Where the program shows its pages, instead of what the file says.
    #[arg(long, value_name = "ADDRESS")]
    http: Option<SocketAddr>,
}

#[derive(Deserialize)]
struct Status {
    health: Health,
    #[serde(default)]
    doctor: Vec<Line>,
}

#[derive(Deserialize)]
struct Health {
    lines: Vec<OfLine>,
}

#[derive(Deserialize)]
struct OfLine {
    name: String,
    #[serde(default)]
    up: bool,
    #[serde(default)]
    last_error: Option<String>,
    #[serde(default)]
    requests: u64,
    #[serde(default)]
    troubles: Vec<Trouble>,
}

#[derive(Clone, Default, Deserialize, Serialize)]
pub struct Trouble {
    pub what: String,
    pub device: Option<String>,
    pub count: u64,
    pub of: u64,
    #[serde(default)]
    pub points: Vec<String>,
    #[serde(default)]
    pub baud: Option<u32>,
}

#[derive(Deserialize, Serialize)]
struct Line {
    name: String,
    asked: u64,
    early: u64,
    stray: u64,
    /// What devices told by themselves, where nobody is asked.
    #[serde(default)]
    messages: u64,
    devices: Vec<Device>,
    /// Why it is down, where it is.
    #[serde(default)]
    down: Option<String>,
    /// What is wrong, by the program's own judgement.
    #[serde(default)]
    troubles: Vec<Trouble>,
}

#[derive(Deserialize, Serialize)]
struct Device {
    key: String,
    asked: u64,
    answered: u64,
    silent: u64,
    damaged: Vec<u64>,
    came: Vec<u64>,
    turnarounds: Vec<u64>,
    twice: u64,
    foreign: u64,
    paused: u64,
    late: u64,
    hasty: u64,
}

pub fn doctor(words: &DoctorWords, out: Out) -> Result<(), String> {
    let lang = out.lang;
    let address = match words.http {
        Some(address) => address,
        None => load(&words.config).map_err(|faults| listing(&faults))?.http,
    };
    let mut lines = lines(address, lang)?;
    if let Some(name) = &words.line {
        let known: Vec<String> = lines.iter().map(|l| l.name.clone()).collect();
        lines.retain(|line| line.name == *name);
        if lines.is_empty() {
            return Err(text::no_line(lang, name, &known.join(", ")));
        }
    }
    if lines.is_empty() {
        out.text(text::no_lines(lang));
    }
    for line in &lines {
        out.text(shown(line, lang));
        out.value(line);
    }
    Ok(())
}

/// What the program at `address` has seen.
fn lines(address: SocketAddr, lang: Lang) -> Result<Vec<Line>, String> {
    let status: Status = status(address, lang)?;
    let of = |name: &str| status.health.lines.iter().find(|line| line.name == name);
    let whole = |line: Line| {
        let health = of(&line.name);
        let troubles = health.map(|of| of.troubles.clone()).unwrap_or_default();
        let messages = health.filter(|_| line.asked == 0).map_or(0, |of| of.requests);
        let down = health.filter(|of| !of.up).map(|of| of.last_error.clone().unwrap_or_default());
        Line { messages, down, troubles, ..line }
    };
    Ok(status.doctor.into_iter().map(whole).collect())
}

fn shown(line: &Line, lang: Lang) -> String {
    if line.asked == 0 && line.messages > 0 {
        return text::messages(lang, &line.name, line.messages) + "\n";
    }
    let mut told = vec![text::line(lang, &line.name, line.asked, line.early, line.stray)];
    let mut rows = vec![text::head(lang)];
    rows.extend(line.devices.iter().map(row));
    if line.devices.iter().any(|d| d.asked > 0) {
        told.push(table(&rows));
    }
    let mut found = never_answered(line, lang);
    found.extend(line.troubles.iter().map(|trouble| sentence(trouble, lang)));
    if let Some(why) = &line.down {
        told.push(text::down(lang, &said(lang, why)));
    } else if line.asked == 0 {
        told.push(text::never_asked(lang));
    } else if found.is_empty() {
        told.push(text::healthy(lang));
    }
    told.extend(found);
    told.join("\n") + "\n"
}

/// Whoever was asked and has never said a byte: all of the line, or each by its name.
fn never_answered(line: &Line, lang: Lang) -> Vec<String> {
    let asked = || line.devices.iter().filter(|d| d.asked >= ASKED_ENOUGH);
    let is_mute = |d: &&Device| d.silent == d.asked;
    if asked().count() > 1 && asked().all(|d| is_mute(&d)) {
        return vec![text::all_silent(lang)];
    }
    asked().filter(is_mute).map(|d| text::never_answered(lang, &d.key)).collect()
}

fn row(device: &Device) -> Vec<String> {
    let damaged: u64 = device.damaged.iter().sum();
    let by_length: Vec<String> = device
        .damaged
        .iter()
        .zip(&device.came)
        .filter(|(_, came)| **came > 0)
        .map(|(d, c)| format!("{d}/{c}"))
        .collect();
    vec![
        device.key.clone(),
        device.asked.to_string(),
        device.silent.to_string(),
        if damaged == 0 { "0".to_owned() } else { format!("{damaged} ({})", by_length.join(" ")) },
        device.twice.to_string(),
        device.late.to_string(),
        device.paused.to_string(),
        spread(&device.turnarounds),
    ]
}

/// The turnarounds as a row of bars with what the first and the last stand for: `5 ms ▁▇▂ 50 ms`.
fn spread(classes: &[u64]) -> String {
    const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
    let most = classes.iter().copied().max().unwrap_or(0).max(1);
    let (Some(first), Some(last)) =
        (classes.iter().position(|n| *n > 0), classes.iter().rposition(|n| *n > 0))
    else {
        return "-".to_owned();
    };
    let bar = |n: &u64| {
        if *n == 0 { ' ' } else { BARS.get((n * 7).div_ceil(most) as usize).copied().unwrap_or('█') }
    };
    let bars: String = classes.iter().skip(first).take(last + 1 - first).map(bar).collect();
    let from = first.checked_sub(1).and_then(|i| TURNAROUNDS_MS.get(i)).copied().unwrap_or(0);
    let to = TURNAROUNDS_MS.get(last).map_or_else(|| "…".to_owned(), u64::to_string);
    format!("{from} {bars} {to} ms")
}

/// A trouble in words, and what to look at.
pub fn sentence(trouble: &Trouble, lang: Lang) -> String {
    let device = trouble.device.as_deref().unwrap_or_default();
    let (count, of) = (trouble.count, trouble.of);
    let share = if of == 0 { 0.0 } else { count as f64 / of as f64 * 100.0 };
    match What::of(&trouble.what) {
        Some(What::TwoAnswers) => text::two_answers(lang, device, count, of),
        Some(What::ErrorsGrow) => text::errors_grow(lang, device, share),
        Some(What::Damaged) => text::damaged(lang, device, share),
        Some(What::Late) => text::late(lang, device, count),
        Some(What::Pauses) => text::pauses(lang, device, share),
        Some(What::Hasty) => text::hasty(lang, device, share),
        Some(What::Babble) => text::babble(lang, count),
        Some(What::OwnSilence) => text::own_silence(lang, count, of),
        Some(What::Strangers) => text::strangers(lang, count),
        Some(What::Overloaded) => text::overloaded(lang, count, &trouble.points, trouble.baud),
        Some(What::NumberTwice) if device.is_empty() => text::number_twice(lang, count),
        Some(What::NumberTwice) => text::its_number_twice(lang, device),
        None => text::unknown(lang, &trouble.what, device, count, of),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn turnarounds_are_drawn_between_their_bounds() {
        assert_eq!(spread(&[0, 0, 10, 100, 1, 0]), "5 ▂█▂ 50 ms");
        assert_eq!(spread(&[0; 11]), "-");
        let mut last = [0; 11];
        last[10] = 3;
        assert_eq!(spread(&last), "2000 █ … ms");
    }

    fn line(devices: &[(&str, u64, u64)]) -> Line {
        let device = |(key, asked, silent): &(&str, u64, u64)| {
            serde_json::json!({ "key": key, "asked": asked, "answered": asked - silent, "silent": silent,
                "damaged": [], "came": [], "turnarounds": [], "twice": 0, "foreign": 0, "paused": 0, "late": 0, "hasty": 0 })
        };
        let devices: Vec<_> = devices.iter().map(device).collect();
        let asked: u64 = devices.iter().filter_map(|d| d["asked"].as_u64()).sum();
        let line =
            serde_json::json!({ "name": "a", "asked": asked, "early": 0, "stray": 0, "devices": devices });
        serde_json::from_value(line).unwrap()
    }

    #[test]
    fn a_line_on_which_devices_are_silent_is_not_called_in_order() {
        let one = shown(&line(&[("a", 9, 0), ("b", 9, 9), ("new", 1, 1)]), Lang::En);
        assert!(one.contains("b: has never answered") && !one.contains("new:"), "{one}");
        assert!(!one.contains("nothing is wrong"), "{one}");
        let all = shown(&line(&[("a", 9, 9), ("b", 9, 9)]), Lang::Zh);
        assert!(all.contains("没有一台设备应答过") && !all.contains("没有发现线路故障"), "{all}");
        let well = shown(&line(&[("a", 9, 1)]), Lang::En);
        assert!(well.contains("nothing is wrong with its wires"), "{well}");
    }

    #[test]
    fn a_line_that_is_down_says_why() {
        let down = Line { down: Some("Connection refused (os error 111)".into()), ..line(&[("a", 0, 0)]) };
        assert!(shown(&down, Lang::En).contains("the line is down: Connection refused"));
        let zh = shown(&down, Lang::Zh);
        assert!(zh.contains("线路中断：对方拒绝连接") && !zh.contains("还没有"), "{zh}");
    }

    #[test]
    fn every_trouble_has_its_sentence_in_both_languages() {
        for what in What::ALL {
            let (what_is, device) = (what.word().to_owned(), Some("pump".into()));
            let trouble = Trouble { what: what_is, device, count: 3, of: 10, ..Trouble::default() };
            for lang in [Lang::Zh, Lang::En] {
                assert_ne!(sentence(&trouble, lang), text::unknown(lang, what.word(), "pump", 3, 10));
            }
        }
        let later = Trouble { what: "resonance".into(), count: 1, of: 2, ..Trouble::default() };
        assert!(sentence(&later, Lang::En).contains("resonance"));
    }
}
