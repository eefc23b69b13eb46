//! `steward-edge read`: asks a device once. `watch`: asks it again and again, and marks what has changed.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::signal::unix::{SignalKind, signal};
use tokio::time::sleep;

use super::super::out::Out;
use super::super::text::device as text;
use super::network::Net;
use super::place::Place;
use super::points::{Read, read_points};
use super::reach::by_file;
use super::words::{ReadWords, WatchWords};
use super::{registers, shown};
use crate::config::LineConfig;
use crate::lend::Reach;

/// What was read: for people line by line, each under what it is known by, and for programs.
struct Round {
    lines: Vec<(String, String)>,
    values: Vec<serde_json::Value>,
    /// Whether anything came at all.
    any: bool,
}

pub async fn read(words: ReadWords, out: Out) -> Result<(), String> {
    let asked = Asked::find(&words, out)?;
    let round = asked.once(&words, out).await?;
    out.text(asked.head(&words, out));
    for (_, line) in &round.lines {
        out.text(line);
    }
    for value in &round.values {
        out.value(value);
    }
    if round.any { Ok(()) } else { Err(text::nothing_read(out.lang)) }
}

/// Each round borrows the line anew: the daemon polls in between. What cannot be reached at first is a fault; what is lost
/// later may come back.
pub async fn watch(words: WatchWords, out: Out) -> Result<(), String> {
    let asked = Asked::find(&words.read, out)?;
    let mut interrupt = signal(SignalKind::interrupt()).map_err(|e| e.to_string())?;
    let mut terminate = signal(SignalKind::terminate()).map_err(|e| e.to_string())?;
    let mut before: BTreeMap<String, String> = BTreeMap::new();
    out.text(asked.head(&words.read, out));
    let (mut rounds, mut lost) = (0_u32, None);
    loop {
        let round = tokio::select! {
            round = asked.once(&words.read, out) => round,
            // A question that is given up gives its line back.
            _ = interrupt.recv() => return Ok(()),
            _ = terminate.recv() => return Ok(()),
        };
        match round {
            Ok(round) => {
                if lost.take().is_some() {
                    out.aside(text::goes_well(out.lang));
                }
                let first = before.is_empty();
                for (which, line) in &round.lines {
                    let changed = before.insert(which.clone(), line.clone()).is_some_and(|old| old != *line);
                    if first || changed {
                        out.text(format!("{} {line}", if changed { '*' } else { ' ' }));
                    }
                }
                round.values.iter().for_each(|value| out.value(value));
            }
            Err(why) if rounds == 0 => return Err(why),
            // Told once for as long as it is the same.
            Err(why) if lost.as_ref() == Some(&why) => {}
            Err(why) => {
                out.failed(&text::goes_on(out.lang, &why));
                lost = Some(why);
            }
        }
        rounds += 1;
        if words.rounds.is_some_and(|most| rounds >= most) {
            return Ok(());
        }
        tokio::select! {
            () = sleep(words.every.max(Duration::from_millis(100))) => {}
            // Nothing is under way.
            _ = interrupt.recv() => return Ok(()),
            _ = terminate.recv() => return Ok(()),
        }
    }
}

/// What is asked: a device of the file, or a line that was described.
enum Asked {
    File(Box<Place>),
    Hand(Box<LineConfig>),
}

impl Asked {
    fn find(words: &ReadWords, out: Out) -> Result<Self, String> {
        match (words.registers.line.config(), &words.target) {
            (Some(line), _) => Ok(Self::Hand(Box::new(line))),
            (None, Some(target)) => Place::find(&words.config, target, out).map(Box::new).map(Self::File),
            (None, None) => Err(text::name_a_device(out.lang)),
        }
    }

    /// Borrows the line, asks, and gives it back.
    async fn once(&self, words: &ReadWords, out: Out) -> Result<Round, String> {
        match self {
            Self::File(place) => {
                let device = place.device();
                let wanted: Vec<usize> = match place.point {
                    Some(point) => vec![point],
                    None => (0..device.profile.points.len()).collect(),
                };
                let reads = of_place(place, &wanted, out).await?;
                Ok(Round {
                    lines: shown::lines(&device.profile, &reads, out.lang),
                    values: reads.iter().map(|r| shown::json(&device.name, &device.profile, r)).collect(),
                    any: reads.iter().any(|r| r.value.is_some()),
                })
            }
            Self::Hand(line) => {
                let mut reach = Reach::by_hand(line);
                let cells = registers::read_registers(&mut reach, &words.registers, out).await?;
                Ok(Round {
                    lines: registers::lines(&cells, words.registers.table.table().is_bits()),
                    values: cells.iter().map(|cell| registers::json(&words.registers, *cell)).collect(),
                    any: true,
                })
            }
        }
    }

    fn head(&self, words: &ReadWords, out: Out) -> String {
        match self {
            Self::File(place) => {
                let device = place.device();
                text::head(
                    out.lang,
                    &device.name,
                    &device.profile.id,
                    &place.line().name,
                    &device.address.to_string(),
                )
            }
            Self::Hand(line) => text::head_by_hand(
                out.lang,
                &line.name,
                words.registers.address,
                words.registers.table.table().word(),
            ),
        }
    }
}

/// Points of a device of the file, over its wire or its network.
async fn of_place(place: &Place, wanted: &[usize], out: Out) -> Result<Vec<Read>, String> {
    let device = place.device();
    if place.line().wire.is_bacnet() {
        let net = Net::by_file(&place.config, place.line(), out).await?;
        let reads = match net.find(device, out).await {
            Ok(peer) => net.points(peer, &device.profile, wanted, out).await,
            Err(why) => Err(why),
        };
        net.close().await;
        return reads;
    }
    let mut reach = by_file(&place.config, place.line(), out).await?;
    read_points(&mut reach, place.line(), device, wanted, out).await
}
