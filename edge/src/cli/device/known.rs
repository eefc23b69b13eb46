//! What is known of a device: what it says of itself, and which profiles it may have, the likeliest first. `identify` and
//! `scan` tell it in one way, whatever the device speaks.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::json;
use steward_protocols::fingerprint::{Match, Strength, identity_weight, rank};
use steward_shared::profile::{PointDef, Profile};
use steward_shared::reading::Value;

use super::super::out::Out;
use super::super::text::scan as text;
use super::shown;

/// So many are told.
const TOLD: usize = 3;
/// What is less likely is no proposal where another is more than a guess.
const LEAST: f64 = 0.05;
/// What weighs so much is at least a guess.
const GUESS: f64 = 1.0;
/// What a value must weigh to be told as a reason.
const TELLING: f64 = 0.4;

/// A profile that a device may have.
#[derive(Debug, Clone)]
pub struct Proposal {
    pub profile: Arc<Profile>,
    /// Among all profiles and none of them, 0 to 1.
    pub likelihood: f64,
    pub strength: Strength,
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
    /// The likeliest profile, where it is more than a guess.
    fn strong(&self) -> Option<&Proposal> {
        self.proposals.first().filter(|best| best.strength == Strength::Strong)
    }

    /// The key of the gateway's file, and the model that it names: a guess is marked as one, and what is less likely than
    /// all others together stands beside it only.
    pub fn pasted(&self, out: Out) -> (String, &str) {
        let guess = self.proposals.first().filter(|best| best.likelihood >= 0.5);
        let (best, beside) = match (self.strong(), guess) {
            (Some(best), _) => (Some(best), String::new()),
            (None, Some(guess)) => (Some(guess), text::a_guess(out.lang)),
            (None, None) if self.proposals.is_empty() => (None, text::no_profile(out.lang)),
            (None, None) => {
                let ids: Vec<&str> = self.proposals.iter().map(|p| p.profile.id.as_str()).collect();
                (None, text::perhaps(out.lang, &ids.join(out.lang.pick("、", ", "))))
            }
        };
        let id = best.map_or("", |best| best.profile.id.as_str());
        let beside = if beside.is_empty() { beside } else { format!("   # {beside}") };
        let model = id.split('/').nth(1).unwrap_or("device");
        (format!("profile = \"{id}\"{beside}"), model)
    }

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
    /// Begins with a profile: what the device says of itself may name it.
    pub fn begin(&mut self, index: usize, profile: &Profile, words: &str, out: Out) {
        let score = identity_weight(profile, words);
        if score > 0.0 {
            self.reasons.entry(index).or_default().push((score, text::says(out.lang, words.trim())));
        }
        self.scores.push((index, score));
    }

    /// Adds what a point that reads so says for the profile that was begun last.
    pub fn add(&mut self, point: &PointDef, value: Option<&Value>, weighed: f64, out: Out) {
        let told = value.filter(|_| weighed > TELLING);
        self.because(
            weighed,
            told.map(|value| format!("{} {}", point.key, shown::value(point, value, out.lang))),
        );
    }

    /// Adds something else that speaks for the profile that was begun last, or against it.
    pub fn because(&mut self, weighed: f64, reason: Option<String>) {
        let Some((index, score)) = self.scores.last_mut() else { return };
        *score += weighed;
        if let Some(reason) = reason {
            self.reasons.entry(*index).or_default().push((weighed, reason));
        }
    }

    /// What the best weighs.
    pub fn best(&self) -> f64 {
        self.scores.iter().map(|(_, score)| *score).fold(f64::MIN, f64::max)
    }

    /// Those that are not further behind the best.
    pub fn near(&self, distance: f64) -> Vec<usize> {
        let best = self.best();
        self.scores.iter().filter(|(_, score)| *score > best - distance).map(|(index, _)| *index).collect()
    }

    /// The likeliest. Where none is more than a guess, those for which anything speaks.
    pub fn proposals(mut self, profiles: &[&Arc<Profile>]) -> Vec<Proposal> {
        let ranked = rank(&self.scores);
        let is_known = ranked.iter().any(|m| m.strength == Strength::Strong);
        let is_told = |m: &&Match| m.likelihood >= LEAST || !is_known && m.score >= GUESS;
        let proposal = |m: &Match| {
            let mut why = self.reasons.remove(&m.profile).unwrap_or_default();
            why.sort_by(|(a, _), (b, _)| b.total_cmp(a));
            let why = why.into_iter().take(4).map(|(_, text)| text).collect();
            let profile = Arc::clone(profiles.get(m.profile)?);
            Some(Proposal { profile, likelihood: m.likelihood, strength: m.strength, why })
        };
        ranked.iter().filter(is_told).take(TOLD).filter_map(proposal).collect()
    }
}

pub fn tell(known: &Known, out: Out) {
    for said in &known.said {
        out.text(format!("    {}: {}", said.name, said.text));
    }
    for proposal in &known.proposals {
        let (id, why) = (&proposal.profile.id, proposal.why.join(out.lang.pick("，", ", ")));
        let percent = (proposal.likelihood * 100.0).round();
        out.text(match proposal.strength {
            Strength::Strong => text::proposal(out.lang, id, percent, &why),
            Strength::Weak => text::weak_proposal(out.lang, id, percent, &why),
        });
    }
    if !known.proposals.is_empty() && known.strong().is_none() {
        out.text(text::all_weak(out.lang));
    }
}

pub fn value(address: &serde_json::Value, known: &Known) -> serde_json::Value {
    let said: BTreeMap<&String, &String> = known.said.iter().map(|s| (&s.key, &s.text)).collect();
    let proposals: Vec<_> = known
        .proposals
        .iter()
        .map(|p| json!({ "profile": p.profile.id, "likelihood": p.likelihood, "strength": p.strength.word(), "why": p.why }))
        .collect();
    json!({ "address": address, "identity": said, "proposals": proposals })
}
