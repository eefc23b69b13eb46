//! What is known of a device: what it says of itself, and which profiles it may have, the likeliest first. `identify` and
//! `scan` tell it in one way, whatever the device speaks.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::json;
use steward_protocols::fingerprint::{identity_weight, rank, weight};
use steward_shared::profile::{PointDef, Profile};
use steward_shared::reading::{Quality, Value};

use super::super::out::Out;
use super::super::text::scan as text;
use super::shown;

/// So many are told.
const TOLD: usize = 3;
/// What is less likely is no proposal.
const LEAST: f64 = 0.05;

/// A profile that a device may have.
#[derive(Debug, Clone)]
pub struct Proposal {
    pub profile: Arc<Profile>,
    pub likelihood: f64,
    pub why: Vec<String>,
}

/// Something that a device says of itself.
#[derive(Debug, Clone)]
pub struct Said {
    pub key: String,
    pub name: String,
    pub text: String,
}

#[derive(Debug, Clone, Default)]
pub struct Known {
    pub said: Vec<Said>,
    pub proposals: Vec<Proposal>,
}

impl Known {
    /// All that it says, as one text.
    pub fn words(&self) -> String {
        self.said.iter().map(|said| said.text.as_str()).collect::<Vec<_>>().join(" ")
    }
}

/// What speaks for each of some profiles.
#[derive(Debug, Default)]
pub struct Weighing {
    scores: Vec<(usize, f64)>,
    reasons: BTreeMap<usize, Vec<(f64, String)>>,
}

impl Weighing {
    /// Begins with a profile: what the device says of itself may name it. Returns its score.
    pub fn begin(&mut self, index: usize, profile: &Profile, words: &str, out: Out) -> f64 {
        let score = identity_weight(profile, words);
        if score > 0.0 {
            self.reasons.entry(index).or_default().push((score, text::says(out.lang, words.trim())));
        }
        self.scores.push((index, score));
        score
    }

    /// Adds what a point reads as to the profile that was begun last. Returns its score.
    pub fn add(
        &mut self,
        profile: &Profile,
        point: &PointDef,
        value: Option<&Value>,
        quality: Quality,
        out: Out,
    ) -> f64 {
        let weighed = weight(profile, point, value, quality);
        let Some((index, score)) = self.scores.last_mut() else { return 0.0 };
        *score += weighed;
        if let (Some(value), true) = (value, weighed > 0.4) {
            let told = format!("{} {}", point.key, shown::value(point, value, out.lang));
            self.reasons.entry(*index).or_default().push((weighed, told));
        }
        *score
    }

    /// Adds to one that was begun before, without a reason that is told.
    pub fn more(&mut self, index: usize, weighed: f64) {
        if let Some((_, score)) = self.scores.iter_mut().find(|(of, _)| *of == index) {
            *score += weighed;
        }
    }

    /// Those that are not further behind the best.
    pub fn near(&self, distance: f64) -> Vec<usize> {
        let best = self.scores.iter().map(|(_, score)| *score).fold(f64::MIN, f64::max);
        self.scores.iter().filter(|(_, score)| *score > best - distance).map(|(index, _)| *index).collect()
    }

    pub fn proposals(mut self, profiles: &[&Arc<Profile>]) -> Vec<Proposal> {
        let ranked = rank(&self.scores);
        let proposal = |m: &steward_protocols::fingerprint::Match| {
            let mut why = self.reasons.remove(&m.profile).unwrap_or_default();
            why.sort_by(|(a, _), (b, _)| b.total_cmp(a));
            let why = why.into_iter().take(4).map(|(_, text)| text).collect();
            Some(Proposal { profile: Arc::clone(profiles.get(m.profile)?), likelihood: m.likelihood, why })
        };
        ranked.iter().filter(|m| m.likelihood >= LEAST).take(TOLD).filter_map(proposal).collect()
    }
}

pub fn tell(known: &Known, out: Out) {
    for said in &known.said {
        out.text(format!("    {}: {}", said.name, said.text));
    }
    for proposal in &known.proposals {
        let percent = (proposal.likelihood * 100.0).round();
        out.text(text::proposal(out.lang, &proposal.profile.id, percent, &proposal.why.join(", ")));
    }
}

pub fn value(address: &serde_json::Value, known: &Known) -> serde_json::Value {
    let said: BTreeMap<&String, &String> = known.said.iter().map(|s| (&s.key, &s.text)).collect();
    let proposals: Vec<_> = known
        .proposals
        .iter()
        .map(|p| json!({ "profile": p.profile.id, "likelihood": p.likelihood, "why": p.why }))
        .collect();
    json!({ "address": address, "identity": said, "proposals": proposals })
}
