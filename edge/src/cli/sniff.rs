//! `steward-edge sniff`: shows what passes on a line where another master asks. It never writes to the port; a capture can
//! be taken apart the same way.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use serde_json::json;
use steward_protocols::hex::hex;
use steward_protocols::modbus::sniff::{QUIET, Seen, Sniffer, What};
use steward_protocols::modbus::{Exception, frame_gap};
use steward_shared::profile::Profile;
use steward_shared::unit;
use tokio::io::AsyncReadExt;
use tokio::time::{Instant, sleep, timeout};

use super::out::Out;
use super::profile;
use super::replay::read;
use super::simulate::shown;
use super::text::capture as text;
use super::words::{SerialWords, interrupted};
use crate::lab::capture;
use crate::line::{Dial, SerialDial};

#[derive(Debug, clap::Args)]
pub struct SniffWords {
    /// The serial port to listen at.
    #[arg(long, value_name = "PATH", required_unless_present = "file", conflicts_with = "file")]
    port: Option<String>,
    /// A capture of a line that was listened to, instead of a port.
    #[arg(long, value_name = "CAPTURE")]
    file: Option<PathBuf>,
    #[command(flatten)]
    serial: SerialWords,
    /// Read the answers through this profile; UNIT=PROFILE where there are several devices.
    #[arg(long, value_name = "[UNIT=]PROFILE")]
    profile: Vec<String>,
    /// End after this time; without it, with Ctrl-C.
    #[arg(long = "for", value_name = "TIME", value_parser = super::words::duration)]
    lasts: Option<Duration>,
    /// Folders with profiles of one's own.
    #[arg(long, value_name = "DIR")]
    profiles: Vec<PathBuf>,
}

pub async fn sniff(words: SniffWords, out: Out) -> Result<(), String> {
    let lang = out.lang;
    let mut profiles = Vec::new();
    for word in &words.profile {
        let (unit, id) = match word.split_once('=').and_then(|(unit, id)| Some((unit.parse().ok()?, id))) {
            Some((unit, id)) => (Some(unit), id),
            None => (None, word.as_str()),
        };
        profiles.push((unit, profile::find(id, &words.profiles, lang)?));
    }
    let mut book =
        Book { out, profiles, needed: Duration::ZERO, totals: Totals::default(), units: BTreeMap::new() };
    if let Some(path) = &words.file {
        let capture = read(path, out)?;
        let character = capture.header.character.unwrap_or_else(|| words.serial.character());
        book.needed = frame_gap(character.baud);
        let mut sniffer = Sniffer::new(character.time());
        let mut before = Duration::ZERO;
        for event in &capture.events {
            let (capture::What::Sent(bytes) | capture::What::Received(bytes) | capture::What::Heard(bytes)) =
                &event.what
            else {
                continue;
            };
            // What we sent is written down before it is on the wire.
            let is_sent = matches!(event.what, capture::What::Sent(_));
            let at = if is_sent { event.at + character.wire_time(bytes.len()) } else { event.at };
            if at > before + QUIET {
                sniffer.quiet().iter().for_each(|seen| book.show(seen));
            }
            before = at;
            sniffer.received(bytes, at).iter().for_each(|seen| book.show(seen));
        }
        sniffer.quiet().iter().for_each(|seen| book.show(seen));
    } else {
        let port = words.port.unwrap_or_default();
        let character = words.serial.character();
        book.needed = frame_gap(character.baud);
        let dial = SerialDial { path: port.clone(), character };
        let mut stream = dial.dial().await.map_err(|e| text::cannot_open(lang, &port, &e.to_string()))?;
        out.aside(text::sniffing(lang, &port, &character.to_string()));
        let began = Instant::now();
        let mut sniffer = Sniffer::new(character.time());
        let listening = async {
            let mut bytes = [0; 1024];
            loop {
                match timeout(QUIET, stream.read(&mut bytes)).await {
                    Err(_) => sniffer.quiet().iter().for_each(|seen| book.show(seen)),
                    Ok(Ok(0)) => return Err(text::closed(lang, &port)),
                    Ok(Ok(n)) => {
                        let bytes = bytes.get(..n).unwrap_or_default();
                        sniffer.received(bytes, began.elapsed()).iter().for_each(|seen| book.show(seen));
                    }
                    Ok(Err(e)) => return Err(text::cannot_open(lang, &port, &e.to_string())),
                }
            }
        };
        let lasts = async {
            match words.lasts {
                Some(lasts) => sleep(lasts).await,
                None => std::future::pending().await,
            }
        };
        tokio::select! {
            // A read that is dropped has taken nothing.
            failed = listening => failed?,
            heard = interrupted() => heard?,
            () = lasts => {}
        }
    }
    book.sum_up();
    Ok(())
}

#[derive(Debug, Default)]
struct Totals {
    requests: u64,
    answers: u64,
    refused: u64,
    broken: u64,
    /// Requests before which the line was silent for less than it must be.
    early: u64,
    shortest: Option<Duration>,
}

#[derive(Debug, Default)]
struct OfUnit {
    asked: u64,
    answered: u64,
    turnaround: Option<(Duration, Duration)>,
}

struct Book {
    out: Out,
    profiles: Vec<(Option<u8>, Arc<Profile>)>,
    needed: Duration,
    totals: Totals,
    units: BTreeMap<u8, OfUnit>,
}

impl Book {
    fn show(&mut self, seen: &Seen) {
        let lang = self.out.lang;
        let bytes = hex(&seen.bytes);
        let (kind, told) = match &seen.what {
            What::Asked(asked) => {
                self.totals.requests += 1;
                self.units.entry(asked.unit).or_default().asked += 1;
                if let Some(gap) = seen.gap {
                    self.totals.early += u64::from(gap < self.needed);
                    self.totals.shortest = Some(self.totals.shortest.map_or(gap, |least| least.min(gap)));
                }
                ("asked", text::ask(lang, asked.unit, asked.function, asked.address, asked.count))
            }
            What::Answered { asked, unit, reply, .. } => {
                let of_unit = self.units.entry(*unit).or_default();
                of_unit.answered += 1;
                if let Some(gap) = seen.gap.filter(|_| asked.is_some()) {
                    let (least, most) = of_unit.turnaround.unwrap_or((gap, gap));
                    of_unit.turnaround = Some((least.min(gap), most.max(gap)));
                }
                match (reply, asked) {
                    (Err(code), _) => {
                        self.totals.refused += 1;
                        ("refused", text::refuses(lang, *unit, &Exception(*code).to_string()))
                    }
                    (Ok(_), None) => {
                        self.totals.answers += 1;
                        ("unasked", text::unasked(lang, *unit, &bytes))
                    }
                    (Ok(data), Some(_)) => {
                        self.totals.answers += 1;
                        ("answered", text::data(lang, *unit, &hex(data)))
                    }
                }
            }
            What::Other { unit, function } => ("other", text::other(lang, *unit, *function, &bytes)),
            What::Broken => {
                self.totals.broken += 1;
                ("broken", text::broken(lang, &bytes))
            }
        };
        let gap = seen.gap.map_or_else(|| "-".to_owned(), ms);
        self.out.text(format!("{:>10.3} s  {gap:>9}  {told}", seen.last.as_secs_f64()));
        let values = self.decoded(seen);
        for (point, value) in &values {
            self.out.text(format!("{:>25}  {point}  {value}", ""));
        }
        self.out.value(&json!({
            "at": seen.last.as_secs_f64(), "gap_ms": seen.gap.map(|gap| gap.as_secs_f64() * 1000.0), "what": kind, "bytes": bytes,
            "values": values.iter().map(|(key, value)| json!({ "key": key, "value": value })).collect::<Vec<_>>(),
        }));
    }

    fn decoded(&self, seen: &Seen) -> Vec<(String, String)> {
        let What::Answered { asked: Some(asked), reply: Ok(data), .. } = &seen.what else {
            return Vec::new();
        };
        let meant = self.profiles.iter().find(|(unit, _)| unit.is_none_or(|unit| unit == asked.unit));
        let Some((_, profile)) = meant else { return Vec::new() };
        let read = capture::values(profile, *asked, data);
        let told = read.into_iter().filter_map(|decoded| {
            let point = profile.point(&decoded.key)?;
            let value = match &decoded.value {
                Some(value) => format!(
                    "{} {}",
                    shown(Some(value), point.decimals, self.out.lang),
                    unit::symbol(&point.unit)
                ),
                None => decoded.quality.to_string(),
            };
            Some((decoded.key, value))
        });
        told.collect()
    }

    fn sum_up(&self) {
        let (out, t) = (self.out, &self.totals);
        let lang = out.lang;
        out.text(text::seen(lang, t.requests, t.answers, t.refused, t.broken));
        if let Some(shortest) = t.shortest {
            out.text(text::silences(lang, &ms(shortest), &ms(self.needed), t.early));
        }
        for (unit, of) in &self.units {
            let (least, most) = of
                .turnaround
                .map_or_else(|| ("-".to_owned(), "-".to_owned()), |(least, most)| (ms(least), ms(most)));
            out.text(text::of_unit(lang, *unit, of.asked, of.answered, &least, &most));
        }
        out.value(&json!({
            "requests": t.requests, "answers": t.answers, "refused": t.refused, "broken": t.broken, "early": t.early,
        }));
    }
}

fn ms(time: Duration) -> String {
    format!("{:.2} ms", time.as_secs_f64() * 1000.0)
}
