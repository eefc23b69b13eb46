//! From raw answers to values: by the profile that is in force, to say where a number comes from, and by another one, to
//! say what would change. The command line and the control socket call this; pure but for the reader that is handed in.

use serde::Serialize;
use sha2::{Digest, Sha256};
use steward_protocols::hex::hex;
use steward_protocols::question::Question;
use steward_shared::id::PointNo;
use steward_shared::profile::{Derived, PointDef, Profile};
use steward_shared::reading::{Quality, Reading, Value};
use steward_shared::time::Timestamp;

use super::asked::understood;
use super::runs::Run;
use super::store::{EvidenceError, Reader};
use crate::config::DeviceConfig;
use crate::poll::Word;

/// Where a number comes from.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Explained {
    pub point: String,
    pub at: Timestamp,
    pub value: Option<Word>,
    pub unit: String,
    pub quality: &'static str,
    pub profile: String,
    /// Whether the profile was another one when the device answered: then another value may have been kept.
    pub profile_changed: bool,
    /// Who was asked then, and in which framing.
    pub asked: String,
    /// As it went out, in hexadecimal; the number that a transport counts its frames by is 0 here.
    pub request: String,
    /// The whole frame of the answer, where its contents tell it: of Modbus.
    pub response: Option<String>,
    /// What the device answered, without its wrapping.
    pub contents: String,
    /// The point's own bytes in it.
    pub bytes: Option<String>,
    pub offset: Option<usize>,
    /// How they become the value.
    pub rule: String,
    /// Of a total: what its ledger added then. Absent where nobody told.
    pub added: Option<f64>,
    /// Of a point that is reckoned: what it is made of.
    pub of: Vec<Explained>,
}

/// A point that another profile would read otherwise.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct Compared {
    pub point: String,
    pub at: Timestamp,
    /// Absent where the profile does not have the point, or has no value for it.
    pub before: Option<Word>,
    pub before_unit: Option<String>,
    pub after: Option<Word>,
    pub after_unit: Option<String>,
}

/// What tells a profile's way of reading from another's.
pub fn fingerprint(profile: &Profile) -> String {
    let reads = |p: &PointDef| format!("{:?}", (&p.key, &p.place, p.scale, p.offset, p.kind, &p.sentinels));
    let points: Vec<String> = profile.points.iter().map(reads).collect();
    let text = format!("{:?} {points:?}", profile.language);
    let digest = Sha256::digest(text);
    hex(digest.get(..8).unwrap_or_default())
}

/// What the ledger of a counter added at an instant, if that is known.
pub type Added<'a> = &'a dyn Fn(&PointDef, Timestamp) -> Option<f64>;

/// `None` where no answer of `at` or before is kept that has the point in it.
pub fn explain(
    reader: &Reader,
    device: &DeviceConfig,
    point: &PointDef,
    at: Timestamp,
    added: Added<'_>,
) -> Result<Option<Explained>, EvidenceError> {
    if let Some(derived) = point.derived() {
        return explain_derived(reader, device, (point, derived), at, added);
    }
    let profile = &device.profile;
    let Some((run, question)) = newest(reader, device, point, at)? else { return Ok(None) };
    let values = question.values(&profile.points, &run.contents);
    let index = profile.points.iter().position(|p| p.key == point.key);
    let found = values.into_iter().find(|v| Some(v.point) == index);
    let (value, quality) = found.map_or((None, Quality::BadReply), |v| (v.value, v.quality));
    let bytes = question.bytes(point, &run.contents).filter(|range| range.end <= run.contents.len());
    let frames = understood(&run.asked, &profile.language).map(|(address, framing)| {
        let request = question.exchange(address, framing).map(|mut exchange| exchange.frame(0));
        (request, question.answer_frame(address, framing, &run.contents))
    });
    let (request, response) = frames.unzip();
    Ok(Some(Explained {
        point: point.key.clone(),
        at: instant_of(&run, at),
        value: value.map(word),
        unit: unit_of(point),
        quality: quality.word(),
        profile: profile.id.clone(),
        profile_changed: *run.profile != *fingerprint(profile),
        asked: run.asked.to_string(),
        request: request.and_then(Result::ok).map(|frame| hex(&frame)).unwrap_or_default(),
        response: response.flatten().map(|frame| hex(&frame)),
        contents: hex(&run.contents),
        offset: bytes.as_ref().map(|range| range.start),
        bytes: bytes.and_then(|range| run.contents.get(range)).map(hex),
        rule: rule(point),
        added: None,
        of: Vec::new(),
    }))
}

fn explain_derived(
    reader: &Reader,
    device: &DeviceConfig,
    (point, derived): (&PointDef, &Derived),
    at: Timestamp,
    added: Added<'_>,
) -> Result<Option<Explained>, EvidenceError> {
    let mut of = Vec::new();
    for key in derived.inputs() {
        let Some(input) = device.profile.point(key) else { continue };
        let Some(explained) = explain(reader, device, input, at, added)? else { return Ok(None) };
        of.push(explained);
    }
    let numbers: Option<Vec<f64>> = of
        .iter()
        .map(|input| match input.value {
            Some(Word::Number(n)) => Some(n),
            _ => None,
        })
        .collect();
    let Some(newest) = of.iter().map(|input| input.at).max() else { return Ok(None) };
    let (value, added) = match derived {
        Derived::Expression(expression) => (numbers.and_then(|numbers| expression.value(&numbers)), None),
        Derived::Total(of) => {
            let added = device.profile.point(of).and_then(|counter| added(counter, newest));
            let shown = numbers.as_ref().and_then(|numbers| numbers.first());
            let total = shown.zip(added).map(|(shown, added)| ((shown + added) * 1e6).round() / 1e6);
            (total, added)
        }
    };
    Ok(Some(Explained {
        point: point.key.clone(),
        at: newest,
        quality: if value.is_some() { Quality::Good } else { Quality::NoValue }.word(),
        value: value.map(Word::Number),
        unit: unit_of(point),
        profile: device.profile.id.clone(),
        profile_changed: of.iter().any(|input| input.profile_changed),
        asked: String::new(),
        request: String::new(),
        response: None,
        contents: String::new(),
        bytes: None,
        offset: None,
        rule: added.map_or_else(|| rule(point), |added| format!("{} + {added}", rule(point))),
        added,
        of,
    }))
}

/// The answer that holds the point, of `at` or the last before it.
fn newest(
    reader: &Reader,
    device: &DeviceConfig,
    point: &PointDef,
    at: Timestamp,
) -> Result<Option<(Run, Question)>, EvidenceError> {
    let index = device.profile.points.iter().position(|p| p.key == point.key);
    let mut best: Option<(Run, Question)> = None;
    for span in reader.spans(&device.name)? {
        let Some(question) = Question::of(&device.profile, &span) else { continue };
        if !question.points().iter().any(|p| Some(*p) == index) {
            continue;
        }
        if let Some(run) = reader.newest(&device.name, &span, at)?
            && best.as_ref().is_none_or(|(b, _)| instant_of(b, at) < instant_of(&run, at))
        {
            best = Some((run, question));
        }
    }
    Ok(best)
}

/// The last instant of a run that is not after `at`.
fn instant_of(run: &Run, at: Timestamp) -> Timestamp {
    run.instants().take_while(|instant| *instant <= at).last().unwrap_or(run.from)
}

/// What another profile would make of the newest answers.
pub fn compare(
    reader: &Reader,
    device: &DeviceConfig,
    other: &Profile,
    at: Timestamp,
) -> Result<Vec<Compared>, EvidenceError> {
    let mut out: Vec<Compared> = Vec::new();
    for span in reader.spans(&device.name)? {
        let Some(run) = reader.newest(&device.name, &span, at)? else { continue };
        let values = |profile: &Profile| -> Vec<(String, String, Option<Word>)> {
            let Some(question) = Question::of(profile, &span) else { return Vec::new() };
            let values = question.values(&profile.points, &run.contents);
            let named = values.into_iter().filter_map(|v| {
                let point = profile.points.get(v.point)?;
                Some((point.key.clone(), unit_of(point), v.value.filter(|_| v.quality.is_good()).map(word)))
            });
            named.collect()
        };
        let (before, after) = (values(&device.profile), values(other));
        let keys = before.iter().chain(&after).map(|(key, ..)| key);
        for key in keys {
            let of = |side: &[(String, String, Option<Word>)]| side.iter().find(|(k, ..)| k == key).cloned();
            let (was, is) = (of(&before), of(&after));
            if was == is || out.iter().any(|c| c.point == *key) {
                continue;
            }
            out.push(Compared {
                point: key.clone(),
                at: instant_of(&run, at),
                before_unit: was.as_ref().map(|(_, unit, _)| unit.clone()),
                before: was.and_then(|(.., value)| value),
                after_unit: is.as_ref().map(|(_, unit, _)| unit.clone()),
                after: is.and_then(|(.., value)| value),
            });
        }
    }
    Ok(out)
}

/// What the profile makes of a device's answers since then that another profile had read: blocks of readings in the order
/// of time. `numbers` of its points.
pub fn redecoded(
    reader: &Reader,
    device: &str,
    profile: &Profile,
    numbers: &[PointNo],
    since: Timestamp,
) -> Result<Vec<Vec<Reading>>, EvidenceError> {
    let mut blocks = Vec::new();
    for run in reader.of_other_profiles(device, &fingerprint(profile), since)? {
        let Some(question) = Question::of(profile, &run.span) else { continue };
        let values = question.values(&profile.points, &run.contents);
        for at in run.instants().filter(|at| *at >= since) {
            let reading = |v: &steward_protocols::question::PointValue| {
                let point = *numbers.get(v.point)?;
                Some(Reading { point, at, value: v.value.clone(), quality: v.quality })
            };
            blocks.push((at, values.iter().filter_map(reading).collect::<Vec<_>>()));
        }
    }
    blocks.sort_by_key(|(at, _)| *at);
    Ok(blocks.into_iter().map(|(_, readings)| readings).collect())
}

fn rule(point: &PointDef) -> String {
    match (point.derived(), point.register()) {
        (Some(Derived::Expression(expression)), _) => expression.text.clone(),
        (Some(Derived::Total(of)), _) => format!("total_of {of}"),
        (None, Some(r)) => {
            let words = if r.order.low_word_first { "low word first" } else { "high word first" };
            let bytes = if r.order.low_byte_first { "low byte first" } else { "high byte first" };
            let place = format!("{} {} {:?}", r.table.word(), r.address, r.data);
            format!("{place}, {words}, {bytes}, x {} + {}", point.scale, point.offset)
        }
        (None, None) => format!("{:?}, x {} + {}", point.place, point.scale, point.offset),
    }
}

fn unit_of(point: &PointDef) -> String {
    steward_shared::unit::symbol(&point.unit).to_owned()
}

fn word(value: Value) -> Word {
    match value {
        Value::Number(n) => Word::Number(n),
        Value::Text(t) => Word::Text(t),
    }
}
