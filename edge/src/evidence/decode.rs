//! From raw answers to values, by the profile of now and by another one: what would change, and what a mended profile makes
//! of what a wrong one read. The command line and the control socket call this; pure but for the reader that is handed in.

use std::collections::{BTreeSet, HashMap};
use std::ops::Range;

use serde::Serialize;
use sha2::{Digest, Sha256};
use steward_protocols::hex::hex;
use steward_protocols::question::{PointValue, Question};
use steward_shared::id::PointNo;
use steward_shared::profile::{PointDef, Profile};
use steward_shared::reading::{Reading, Value};
use steward_shared::time::Timestamp;

use super::runs::Run;
use super::store::{EvidenceError, Others, Reader};
use crate::config::DeviceConfig;
use crate::poll::Word;

/// Answers to one question that are looked through for points that the newest leave out.
const MOST_BACK: usize = 256;

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

/// What another profile would make of what is kept.
#[derive(Debug, Default)]
pub struct Comparison {
    pub changed: Vec<Compared>,
    /// Its points of which no answer was found.
    pub unseen: Vec<String>,
}

/// What tells a profile's way of reading from another's.
pub fn fingerprint(profile: &Profile) -> String {
    let reads = |p: &PointDef| format!("{:?}", (&p.key, &p.place, p.scale, p.offset, p.kind, &p.sentinels));
    let points: Vec<String> = profile.points.iter().map(reads).collect();
    let text = format!("{:?} {points:?}", profile.language);
    let digest = Sha256::digest(text);
    hex(digest.get(..8).unwrap_or_default())
}

/// The last instant of a run that is not after `at`.
pub(super) fn instant_of(run: &Run, at: Timestamp) -> Timestamp {
    run.instants().take_while(|instant| *instant <= at).last().unwrap_or(run.from)
}

/// What another profile would make of the newest answers.
pub fn compare(
    reader: &Reader,
    device: &DeviceConfig,
    other: &Profile,
    at: Timestamp,
) -> Result<Comparison, EvidenceError> {
    let profiles = [&*device.profile, other];
    let mut found: [HashMap<String, Side>; 2] = Default::default();
    for span in reader.spans(&device.name)? {
        for (profile, found) in profiles.into_iter().zip(&mut found) {
            let Some(question) = Question::of(profile, &span) else { continue };
            let mut open: BTreeSet<usize> = question.points().iter().copied().collect();
            if open.is_empty() {
                continue;
            }
            let mut left = MOST_BACK;
            reader.back(&device.name, &span, at, |run| {
                let came = instant_of(&run, at);
                for (v, _) in question.values_at(&profile.points, &run.contents, came) {
                    let Some(point) = profile.points.get(v.point).filter(|_| open.remove(&v.point)) else {
                        continue;
                    };
                    if found.get(&point.key).is_none_or(|newest| newest.at < came) {
                        let value = v.value.filter(|_| v.quality.is_good()).map(word);
                        found.insert(point.key.clone(), Side { at: came, unit: unit_of(point), value });
                    }
                }
                left -= 1;
                left > 0 && !open.is_empty()
            })?;
        }
    }
    let [mut before, mut after] = found;
    let is_unseen = |point: &&PointDef| point.derived().is_none() && !after.contains_key(&point.key);
    let unseen = other.points.iter().filter(is_unseen).map(|point| point.key.clone()).collect();
    let in_order = profiles.into_iter().flat_map(|profile| &profile.points).map(|point| &point.key);
    let changed = in_order.filter_map(|key| changed(key, before.remove(key), after.remove(key))).collect();
    Ok(Comparison { changed, unseen })
}

/// What a profile makes of the newest answer that says something of a point.
struct Side {
    at: Timestamp,
    unit: String,
    value: Option<Word>,
}

fn changed(key: &str, before: Option<Side>, after: Option<Side>) -> Option<Compared> {
    let at = after.as_ref().or(before.as_ref())?.at;
    let apart = |side: Option<Side>| side.map_or((None, None), |side| (Some(side.unit), side.value));
    let ((before_unit, before), (after_unit, after)) = (apart(before), apart(after));
    let differs = (&before_unit, &before) != (&after_unit, &after);
    differs.then(|| Compared { point: key.to_owned(), at, before, before_unit, after, after_unit })
}

/// What the profile makes of answers that came within some time and that another profile had read: blocks of readings in the
/// order of time. `numbers` of its points.
pub fn redecoded(
    reader: &Reader,
    others: &Others,
    profile: &Profile,
    numbers: &[PointNo],
    within: &Range<Timestamp>,
) -> Result<Vec<Vec<Reading>>, EvidenceError> {
    let mut blocks = Vec::new();
    for run in reader.within(others, within)? {
        let Some(question) = Question::of(profile, &run.span) else { continue };
        let values = question.values_at(&profile.points, &run.contents, run.from);
        for came in run.instants().filter(|came| within.contains(came)) {
            let reading = |(v, own): &(PointValue, Option<Timestamp>)| {
                // An instant that is said again is no other one.
                let at = own.map_or(Some(came), |own| (came == run.from).then_some(own))?;
                let point = *numbers.get(v.point)?;
                Some(Reading { point, at, value: v.value.clone(), quality: v.quality })
            };
            blocks.push((came, values.iter().filter_map(reading).collect::<Vec<_>>()));
        }
    }
    blocks.sort_by_key(|(came, _)| *came);
    Ok(blocks.into_iter().map(|(_, readings)| readings).collect())
}

pub(super) fn unit_of(point: &PointDef) -> String {
    steward_shared::unit::symbol(&point.unit).to_owned()
}

pub(super) fn word(value: Value) -> Word {
    match value {
        Value::Number(n) => Word::Number(n),
        Value::Text(t) => Word::Text(t),
    }
}
