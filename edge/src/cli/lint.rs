//! `steward-edge lint`: a profile's registers as a picture, and what is odd about it. Ends with 1 when something
//! contradicts itself.

use std::path::PathBuf;
use std::time::Duration;

use serde_json::{Value, json};
use steward_protocols::cost::Cost;
use steward_protocols::modbus::frame_gap;
use steward_shared::profile::{Language, Profile};

use super::out::Out;
use super::profile;
use super::text::{Lang, lint as text};
use super::words::SerialWords;
use crate::config::Periods;
use crate::lint::{Finding, Legend, Rank, load, map, rules, svg, text as drawn};
use crate::poll::ROOM;

#[derive(Debug, clap::Args)]
pub struct LintWords {
    /// The profile: vendor/model, or the path of its file.
    profile: String,
    /// Write the picture of the registers here, as SVG.
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
    #[command(flatten)]
    serial: SerialWords,
    /// How long the device takes before it answers.
    #[arg(long, value_parser = super::words::duration, default_value = "20ms")]
    turnaround: Duration,
    /// How often fast, normal, slow and static points are read.
    #[arg(long, value_name = "TIME,TIME,TIME,TIME", value_delimiter = ',', value_parser = super::words::duration,
        default_value = "1s,10s,60s,1h")]
    periods: Vec<Duration>,
    /// Folders with profiles of one's own.
    #[arg(long, value_name = "DIR")]
    profiles: Vec<PathBuf>,
}

pub fn lint(words: &LintWords, out: Out) -> Result<(), String> {
    let lang = out.lang;
    let [fast, normal, slow, static_] = *words.periods.as_slice() else { return Err(text::periods(lang)) };
    if [fast, normal, slow, static_].iter().any(Duration::is_zero) {
        return Err(text::periods(lang));
    }
    let periods = Periods { fast, normal, slow, static_ };
    let profile = profile::find(&words.profile, &words.profiles, lang)?;
    let character = words.serial.character();
    let cost = Cost::serial(character, frame_gap(character.baud), words.turnaround);
    let map = map(&profile, &cost);
    let legend = legend(&profile, lang);
    if let Some(path) = &words.svg {
        let written = std::fs::write(path, svg(&map, &legend));
        written.map_err(|e| text::cannot_write(lang, &path.display().to_string(), &e.to_string()))?;
    }
    if !map.runs.is_empty() {
        out.text(drawn(&map, &legend));
    }
    let found = rules(&profile);
    for finding in &found {
        out.text(sentence(finding, lang));
    }
    // BACnet and MQTT have a network to themselves: their profiles take no time of a line.
    let has_line = !matches!(profile.language, Language::Bacnet(_) | Language::Mqtt(_));
    let load = has_line.then(|| load(&profile, &cost, &periods));
    if let Some(load) = load {
        let (round, share) = (load.round.as_secs_f64() * 1000.0, load.share * 100.0);
        out.text(text::load(lang, load.questions, round, share, &character.to_string()));
        if load.share > 1.0 {
            out.text(text::infeasible(lang, share));
        } else if load.share > ROOM {
            out.text(text::busy(lang, share));
        }
    }
    let is_infeasible = load.is_some_and(|load| load.share > 1.0);
    let errors = found.iter().filter(|f| f.rank() == Rank::Error).count() + usize::from(is_infeasible);
    let warnings = found.iter().filter(|f| f.rank() == Rank::Warning).count();
    out.value(&json!({
        "profile": profile.id,
        "findings": found.iter().map(|finding| told(finding, lang)).collect::<Vec<_>>(),
        "line": load.map(|load| json!({
            "questions": load.questions, "round_ms": load.round.as_secs_f64() * 1000.0, "share": load.share,
        })),
    }));
    if errors > 0 {
        Err(text::bad(lang, &profile.id, errors))
    } else {
        out.text(text::good(lang, &profile.id, warnings));
        Ok(())
    }
}

/// What `check` has to say of a profile: only what somebody should mend.
pub fn warnings(profile: &Profile, lang: Lang) -> Vec<String> {
    let found = rules(profile).into_iter().filter(|f| f.rank() != Rank::Note);
    found.map(|finding| text::of_profile(lang, &profile.id, &sentence(&finding, lang))).collect()
}

fn legend(profile: &Profile, lang: Lang) -> Legend {
    Legend {
        title: format!("{}  {}", profile.id, lang.pick(&profile.title.zh, &profile.title.en)),
        seen: text::seen(lang),
        made: text::made(lang),
        wanted: text::wanted(lang),
        read_over: text::read_over(lang),
        hole: text::hole(lang),
        overlap: text::overlap_mark(lang),
        apart: match lang {
            Lang::Zh => |n| text::apart(Lang::Zh, n),
            Lang::En => |n| text::apart(Lang::En, n),
        },
    }
}

fn sentence(finding: &Finding, lang: Lang) -> String {
    let what = match finding {
        Finding::Overlap { a, b } => text::overlap(lang, a, b),
        Finding::SameBits { a, b } => text::same_bits(lang, a, b),
        Finding::NoUnit { key } => text::no_unit(lang, key),
        Finding::ModulusOutOfReach { key, modulus, most } => text::modulus(lang, key, *modulus, *most),
        Finding::LabelOutOfReach { key, code } => text::label(lang, key, *code),
        Finding::TooSmall { key, most, usual, unit } => {
            text::too_small(lang, key, *most, *usual, steward_shared::unit::symbol(unit))
        }
        Finding::StartsOver { key, end, days } => text::starts_over(lang, key, *end, *days),
        Finding::Unverified { keys, of } => text::unverified(lang, keys.len(), *of, &a_few(keys)),
        Finding::OnlyMade { keys, of } => text::only_made(lang, keys.len(), *of, &a_few(keys)),
    };
    match finding.rank() {
        Rank::Error => text::error(lang, &what),
        Rank::Warning => text::warning(lang, &what),
        Rank::Note => text::note(lang, &what),
    }
}

fn a_few(keys: &[String]) -> String {
    let few: Vec<&str> = keys.iter().take(6).map(String::as_str).collect();
    let more = if keys.len() > few.len() { " …" } else { "" };
    few.join(" ") + more
}

fn told(finding: &Finding, lang: Lang) -> Value {
    let (rule, keys): (&str, Vec<&str>) = match finding {
        Finding::Overlap { a, b } => ("overlap", vec![a, b]),
        Finding::SameBits { a, b } => ("same-bits", vec![a, b]),
        Finding::NoUnit { key } => ("no-unit", vec![key]),
        Finding::ModulusOutOfReach { key, .. } => ("modulus", vec![key]),
        Finding::LabelOutOfReach { key, .. } => ("label", vec![key]),
        Finding::TooSmall { key, .. } => ("too-small", vec![key]),
        Finding::StartsOver { key, .. } => ("starts-over", vec![key]),
        Finding::Unverified { keys, .. } => ("unverified", keys.iter().map(String::as_str).collect()),
        Finding::OnlyMade { keys, .. } => ("only-made", keys.iter().map(String::as_str).collect()),
    };
    let rank = match finding.rank() {
        Rank::Error => "error",
        Rank::Warning => "warning",
        Rank::Note => "note",
    };
    json!({ "rank": rank, "rule": rule, "points": keys, "text": sentence(finding, lang) })
}
