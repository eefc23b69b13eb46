//! Where a number comes from: the answer that the point's value was last made of at an instant, the bytes that say it, and
//! the rule. The command line calls this; pure but for the reader that is handed in.

use serde::Serialize;
use steward_protocols::hex::hex;
use steward_protocols::question::{Part, PointValue, Question, Said};
use steward_shared::profile::{Derived, Language, PointDef, Profile, Rules};
use steward_shared::reading::{Quality, Value};
use steward_shared::time::Timestamp;

use super::asked::understood;
use super::decode::{fingerprint, instant_of, unit_of, word};
use super::rule::rule;
use super::runs::Run;
use super::store::{EvidenceError, Reader};
use crate::config::DeviceConfig;
use crate::poll::Word;
use crate::refine::can_be;

/// Where a number comes from.
#[derive(Clone, Debug, Default, PartialEq, Serialize)]
pub struct Explained {
    pub point: String,
    pub at: Timestamp,
    pub value: Option<Word>,
    pub unit: String,
    /// Absent where what the device said was too long to be kept.
    pub quality: Option<&'static str>,
    pub profile: String,
    /// Whether the profile was another one when the device answered: then another value may have been kept.
    pub profile_changed: bool,
    /// Who was asked then, and in which framing; of MQTT the device's own topic.
    pub asked: String,
    /// Whether nobody asked: the device told by itself.
    pub unasked: bool,
    /// As it went out, in hexadecimal; the number that a transport counts its frames by is 0 here.
    pub request: String,
    /// The whole frame of the answer, where its contents tell it: of Modbus.
    pub response: Option<String>,
    /// Of MQTT.
    pub topic: Option<String>,
    /// Of MQTT, where it is text.
    pub payload: Option<String>,
    /// What the device answered, without its wrapping.
    pub contents: String,
    /// The point's own bytes in it.
    pub bytes: Option<String>,
    pub offset: Option<usize>,
    /// What the device said of each property (BACnet), or at each place of a message (MQTT).
    pub parts: Vec<PartExplained>,
    /// How they become the value.
    pub rule: String,
    /// Of a total: what its ledger added then. Absent where nobody told.
    pub added: Option<f64>,
    /// Of a point that is reckoned: what it is made of.
    pub of: Vec<Explained>,
}

#[derive(Clone, Debug, PartialEq, Serialize)]
pub struct PartExplained {
    /// Which; empty for a message as a whole.
    pub of: String,
    pub bytes: Option<String>,
    /// What it says; absent where it says nothing, or too much.
    pub says: Option<String>,
    pub too_long: Option<TooLong>,
}

/// Why there are no bytes.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
pub struct TooLong {
    pub bytes: usize,
    /// As many are kept.
    pub most: usize,
}

impl PartExplained {
    fn of(part: Part, contents: &[u8]) -> Self {
        let bytes = part.bytes.and_then(|range| contents.get(range)).map(hex);
        let (says, too_long) = match part.says {
            Said::Words(words) => (Some(words), None),
            Said::TooLong { bytes, most } => (None, Some(TooLong { bytes, most })),
            Said::Nothing => (None, None),
        };
        Self { of: part.of, bytes, says, too_long }
    }
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
    Ok(newest(reader, device, point, at)?.map(|found| told(device, point, found)))
}

fn told(device: &DeviceConfig, point: &PointDef, found: Found) -> Explained {
    let Found { run, question, at, value } = found;
    let (profile, rules) = (&device.profile, rules_of(device, point));
    let quality = value.as_ref().map(|v| {
        let number = v.value.as_ref().and_then(Value::as_number);
        let is_out = v.quality.is_good() && number.is_some_and(|number| !can_be(number, rules));
        if is_out { Quality::OutOfRange } else { v.quality }
    });
    let own =
        question.bytes(point, &run.contents).and_then(|range| Some((range.start, run.contents.get(range)?)));
    let frames = understood(&run.asked, &profile.language).map(|(address, framing)| {
        let request = question.exchange(address, framing).map(|mut exchange| exchange.frame(0));
        (request, question.answer_frame(address, framing, &run.contents))
    });
    let (request, response) = frames.unzip();
    let message = match &question {
        Question::Mqtt(subject) => Some(subject),
        _ => None,
    };
    let (contents, offset) = match &question {
        // A network's device is asked for much at once that has nothing to do with the point.
        Question::Bacnet(_) => (own.map(|(_, bytes)| bytes), None),
        Question::Mqtt(subject) => (subject.is_kept().then_some(run.contents.as_slice()), None),
        _ => (Some(run.contents.as_slice()), own.map(|(offset, _)| offset)),
    };
    let text = |bytes| std::str::from_utf8(bytes).ok().map(str::to_owned);
    let parts = question.parts(point, &run.contents);
    Explained {
        point: point.key.clone(),
        at,
        value: value.and_then(|v| v.value).map(word),
        unit: unit_of(point),
        quality: quality.map(Quality::word),
        profile: profile.id.clone(),
        profile_changed: *run.profile != *fingerprint(profile),
        asked: run.asked.to_string(),
        unasked: question.was_told(),
        request: request.and_then(Result::ok).map(|frame| hex(&frame)).unwrap_or_default(),
        response: response.flatten().map(|frame| hex(&frame)),
        topic: message.map(|subject| subject.topic.clone()),
        payload: message.and(contents).and_then(text),
        contents: contents.map(hex).unwrap_or_default(),
        offset,
        bytes: own.map(|(_, bytes)| hex(bytes)),
        parts: parts.into_iter().map(|part| PartExplained::of(part, &run.contents)).collect(),
        rule: rule(point, rules),
        ..Explained::default()
    }
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
    // As they are reckoned while polling: what is made of something doubtful is as doubtful.
    let doubt = of.iter().find_map(|input| input.quality.filter(|quality| *quality != Quality::Good.word()));
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
    let rules = rules_of(device, point);
    let rule = rule(point, rules);
    let value = value.filter(|_| doubt.is_none());
    let quality = match value {
        Some(value) if can_be(value, rules) => Quality::Good.word(),
        Some(_) => Quality::OutOfRange.word(),
        None => doubt.unwrap_or(Quality::NoValue.word()),
    };
    Ok(Some(Explained {
        point: point.key.clone(),
        at: newest,
        quality: Some(quality),
        value: value.map(Word::Number),
        unit: unit_of(point),
        profile: device.profile.id.clone(),
        profile_changed: of.iter().any(|input| input.profile_changed),
        rule: added.map_or_else(|| rule.clone(), |added| format!("{rule} + {added}")),
        added,
        of,
        ..Explained::default()
    }))
}

/// What is done with the point's values at this device.
fn rules_of<'d>(device: &'d DeviceConfig, point: &'d PointDef) -> &'d Rules {
    let own = device.points().find(|(def, _)| def.key == point.key);
    own.map_or(&point.rules, |(_, rules)| rules)
}

/// An answer that says something of a point, or was too long to be kept.
struct Found {
    run: Run,
    question: Question,
    /// When the point was so.
    at: Timestamp,
    value: Option<PointValue>,
}

/// The answer that the point's value of `at` came in, or of the last instant before it.
fn newest(
    reader: &Reader,
    device: &DeviceConfig,
    point: &PointDef,
    at: Timestamp,
) -> Result<Option<Found>, EvidenceError> {
    let Some(index) = device.profile.points.iter().position(|p| p.key == point.key) else { return Ok(None) };
    // A message that bears an instant may come long after it, and its clock may be ahead of ours.
    let bears_instants = point.told().is_some_and(|told| told.time.is_some());
    let before = if bears_instants { Timestamp(i64::MAX) } else { at };
    let mut best: Option<Found> = None;
    for span in reader.spans(&device.name)? {
        let Some(question) = Question::of(&device.profile, &span) else { continue };
        if !question.points().contains(&index) {
            continue;
        }
        let mut found = None;
        reader.back(&device.name, &span, before, |run| {
            found = said(&device.profile, &question, index, &run, at).map(|(at, value)| (run, at, value));
            found.is_none()
        })?;
        if let Some((run, at, value)) = found
            && best.as_ref().is_none_or(|best| best.at < at)
        {
            best = Some(Found { run, question, at, value });
        }
    }
    Ok(best)
}

/// What the answers of a run say of a point at `at` or before, and since when; nothing where they leave it out.
fn said(
    profile: &Profile,
    question: &Question,
    index: usize,
    run: &Run,
    at: Timestamp,
) -> Option<(Timestamp, Option<PointValue>)> {
    let came = instant_of(run, at);
    let values = question.values_at(&profile.points, &run.contents, came);
    let (instant, value) = match values.into_iter().find(|(value, _)| value.point == index) {
        Some((value, own)) => (own.unwrap_or(came), Some(value)),
        None if matches!(profile.language, Language::Bacnet(_) | Language::Mqtt(_)) => {
            let parts = profile.points.get(index).map(|point| question.parts(point, &run.contents));
            let is_too_long = |part: &Part| matches!(part.says, Said::TooLong { .. });
            parts?.iter().any(is_too_long).then_some((came, None))?
        }
        None => (came, Some(PointValue { point: index, value: None, quality: Quality::BadReply })),
    };
    (instant <= at).then_some((instant, value))
}

#[cfg(test)]
#[path = "explain_tests.rs"]
mod tests;
