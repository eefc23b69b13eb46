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
use steward_protocols::overheard::{Spoken, Tongue, resembles};
use steward_protocols::sample::read_meter;
use steward_shared::profile::{Framing, PointDef, Profile};
use steward_shared::reading::{Quality, Value};
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
    let mut book = Book {
        out,
        profiles,
        needed: Duration::ZERO,
        totals: Totals::default(),
        units: BTreeMap::new(),
        asked: None,
        resembled: BTreeMap::new(),
    };
    if let Some(path) = &words.file {
        let capture = read(path, out)?;
        match capture.header.framing {
            Framing::Rtu => {}
            Framing::Tcp => return Err(text::not_a_line(lang, "Modbus TCP")),
            Framing::Ascii => return Err(text::not_a_line(lang, "Modbus ASCII")),
        }
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

impl OfUnit {
    fn answered(&mut self, turnaround: Option<Duration>) {
        self.answered += 1;
        if let Some(gap) = turnaround {
            let (least, most) = self.turnaround.unwrap_or((gap, gap));
            self.turnaround = Some((least.min(gap), most.max(gap)));
        }
    }
}

struct Book {
    out: Out,
    profiles: Vec<(Option<u8>, Arc<Profile>)>,
    needed: Duration,
    totals: Totals,
    /// By unit or meter's number.
    units: BTreeMap<String, OfUnit>,
    /// The meter that was asked last, and by which bytes.
    asked: Option<(String, Vec<u8>)>,
    /// How often what is no frame looked like one of a language.
    resembled: BTreeMap<&'static str, u64>,
}

impl Book {
    fn show(&mut self, seen: &Seen) {
        let lang = self.out.lang;
        let bytes = hex(&seen.bytes);
        let (kind, told) = match &seen.what {
            What::Asked(asked) => {
                self.totals.requests += 1;
                self.units.entry(asked.unit.to_string()).or_default().asked += 1;
                if let Some(gap) = seen.gap {
                    self.totals.early += u64::from(gap < self.needed);
                    self.totals.shortest = Some(self.totals.shortest.map_or(gap, |least| least.min(gap)));
                }
                ("asked", text::ask(lang, asked.unit, asked.function, asked.address, asked.count))
            }
            What::Answered { asked, unit, reply, .. } => {
                let of_unit = self.units.entry(unit.to_string()).or_default();
                of_unit.answered(seen.gap.filter(|_| asked.is_some()));
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
            What::Meter(spoken) => self.meter(spoken, seen.gap, &seen.bytes),
            What::Broken => {
                self.totals.broken += 1;
                if let Some(language) = resembles(&seen.bytes) {
                    *self.resembled.entry(language).or_default() += 1;
                }
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

    fn meter(&mut self, spoken: &Spoken, gap: Option<Duration>, frame: &[u8]) -> (&'static str, String) {
        let (lang, language) = (self.out.lang, spoken.tongue.name());
        let bytes = &hex(frame);
        if spoken.is_question {
            self.totals.requests += 1;
            self.units.entry(spoken.address.clone()).or_default().asked += 1;
            self.asked = Some((spoken.address.clone(), frame.to_vec()));
            return ("asked", text::meter_asked(lang, language, &spoken.address, bytes));
        }
        // An acknowledgement and a readout bear no address; who was asked by a secondary address, or by one for anybody,
        // answers with his own: whoever was asked last is counted.
        let asked = self.asked.as_ref().map_or(&spoken.address, |(address, _)| address).clone();
        let address = if spoken.address.is_empty() { &asked } else { &spoken.address };
        self.units.entry(asked.clone()).or_default().answered(gap);
        if spoken.refuses {
            self.totals.refused += 1;
            return ("refused", text::meter_refuses(lang, language, address, bytes));
        }
        self.totals.answers += 1;
        ("answered", text::meter_said(lang, language, address, bytes))
    }

    fn decoded(&self, seen: &Seen) -> Vec<(String, String)> {
        match &seen.what {
            What::Answered { asked: Some(asked), reply: Ok(data), .. } => {
                let meant = self.profiles.iter().find(|(unit, _)| unit.is_none_or(|unit| unit == asked.unit));
                let Some((_, profile)) = meant else { return Vec::new() };
                let read = capture::values(profile, *asked, data).into_iter();
                read.filter_map(|read| {
                    Some(self.told(profile.point(&read.key)?, read.value.as_ref(), read.quality))
                })
                .collect()
            }
            What::Meter(spoken) if !spoken.is_question => {
                let meant =
                    self.profiles.iter().find(|(_, p)| Tongue::of(&p.language) == Some(spoken.tongue));
                let Some(((_, profile), (_, request))) = meant.zip(self.asked.as_ref()) else {
                    return Vec::new();
                };
                let read = read_meter(profile, request, &seen.bytes).unwrap_or_default().into_iter();
                read.filter_map(|read| {
                    Some(self.told(profile.points.get(read.point)?, read.value.as_ref(), read.quality))
                })
                .collect()
            }
            _ => Vec::new(),
        }
    }

    /// A point's key and what it shows.
    fn told(&self, point: &PointDef, value: Option<&Value>, quality: Quality) -> (String, String) {
        let shown = value.map(|value| {
            format!("{} {}", shown(Some(value), point.decimals, self.out.lang), unit::symbol(&point.unit))
        });
        (point.key.clone(), shown.unwrap_or_else(|| quality.to_string()))
    }

    fn sum_up(&self) {
        let (out, t) = (self.out, &self.totals);
        let lang = out.lang;
        out.text(text::seen(lang, t.requests, t.answers, t.refused, t.broken));
        if let Some(shortest) = t.shortest {
            out.text(text::silences(lang, &ms(shortest), &ms(self.needed), t.early));
        }
        if t.requests + t.answers + t.refused == 0 && t.broken > 0 {
            let likeliest =
                self.resembled.iter().max_by_key(|(_, times)| **times).map(|(language, _)| *language);
            out.text(match likeliest {
                Some("Modbus ASCII") => text::resembles_ascii(lang),
                Some(language) => text::resembles(lang, language),
                None => text::nothing_whole(lang),
            });
        }
        for (unit, of) in &self.units {
            let (least, most) = of
                .turnaround
                .map_or_else(|| ("-".to_owned(), "-".to_owned()), |(least, most)| (ms(least), ms(most)));
            out.text(text::of_unit(lang, unit, of.asked, of.answered, &least, &most));
        }
        out.value(&json!({
            "requests": t.requests, "answers": t.answers, "refused": t.refused, "broken": t.broken, "early": t.early,
        }));
    }
}

fn ms(time: Duration) -> String {
    format!("{:.2} ms", time.as_secs_f64() * 1000.0)
}
