//! `steward-edge identify`: which profile of the library a device looks like, and why. `scan` asks the same of what it
//! finds.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::json;
use steward_protocols::fingerprint::{identity_weight, probes, rank, weight};
use steward_protocols::modbus::{Identity, Level, identify as ask_identity};
use steward_protocols::question::{Address, questions};
use steward_shared::document::listing;
use steward_shared::profile::{Library, Profile, Register};
use steward_shared::reading::{Quality, Value};

use super::super::out::Out;
use super::super::text::scan as text;
use super::place::Place;
use super::reach::{by_file, why};
use super::shown;
use super::words::IdentifyWords;
use crate::config::LineConfig;
use crate::lend::Reach;
use crate::line::{Failure, cost};

/// So many points of each profile are read before it is judged whether the others are worth it.
const FIRST: usize = 3;
const HOPELESS: f64 = -4.0;
/// Profiles that are not further behind the best are looked at more closely, by so many more points.
const NEAR: f64 = 3.0;
const MORE: usize = 40;
/// A device that has not answered so often in a row has gone.
const GONE: u32 = 5;
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

/// What is known of a device.
#[derive(Debug, Clone, Default)]
pub struct Known {
    /// What it says of itself.
    pub identity: Option<Identity>,
    pub proposals: Vec<Proposal>,
}

pub async fn identify(words: IdentifyWords, out: Out) -> Result<(), String> {
    let (line, mut reach, unit, folders) = match (words.line.config(), &words.target) {
        (Some(line), _) => {
            let reach = Reach::by_hand(&line);
            (line, reach, words.address, words.profiles.clone())
        }
        (None, Some(target)) => {
            let place = Place::find(&words.config, target, out)?;
            let reach = by_file(&place.config, place.line(), out).await?;
            let Address::Modbus(unit) = place.device().address else {
                return Err(text::only_modbus(out.lang));
            };
            (place.line().clone(), reach, unit, place.config.folders.clone())
        }
        (None, None) => return Err(text::name_it(out.lang)),
    };
    let library = Library::load(&folders).map_err(|faults| listing(&faults))?;
    let known = known(&mut reach, &line, unit, &library, out).await?;
    out.progress_over();
    tell(&known, out);
    out.value(&value(unit, &known));
    if known.proposals.is_empty() { Err(text::no_profile(out.lang)) } else { Ok(()) }
}

/// Asks the device who it is, and for what the profiles of the library would have there.
pub async fn known(
    reach: &mut Reach,
    line: &LineConfig,
    unit: u8,
    library: &Library,
    out: Out,
) -> Result<Known, String> {
    let identity = identity(reach, unit, out).await?;
    let said: String = identity.iter().flat_map(|i| i.objects.iter().map(|(_, t)| format!("{t} "))).collect();
    let profiles: Vec<&Arc<Profile>> = library.iter().collect();
    let mut asker = Asker { reach, line, unit, cache: BTreeMap::new(), silent: 0, out };
    let mut scores = Vec::new();
    let mut reasons: BTreeMap<usize, Vec<(f64, String)>> = BTreeMap::new();
    for (i, profile) in profiles.iter().enumerate() {
        let probes = probes(profile);
        if probes.is_empty() {
            continue;
        }
        let mut score = identity_weight(profile, &said);
        let mut why = Vec::new();
        if score > 0.0 {
            why.push((score, text::says(out.lang, said.trim())));
        }
        for (n, probe) in probes.iter().enumerate() {
            if n >= FIRST && score < HOPELESS {
                break;
            }
            let Some(point) = profile.points.get(*probe) else { continue };
            let (value, quality) = asker.read(profile, *probe).await?;
            let weighed = weight(profile, point, value.as_ref(), quality);
            score += weighed;
            if let (Some(value), true) = (&value, weighed > 0.4) {
                why.push((weighed, format!("{} {}", point.key, shown::value(point, value, out.lang))));
            }
        }
        scores.push((i, score));
        reasons.insert(i, why);
        out.progress(text::compared(out.lang, i + 1, profiles.len()));
    }
    // Models of one family stand in the same registers as far as they go: what only one of them has decides.
    let best = scores.iter().map(|(_, score)| *score).fold(f64::MIN, f64::max);
    let near = scores.iter().filter(|(_, score)| *score > best - NEAR).count();
    if near > 1 {
        for (i, score) in scores.iter_mut().filter(|(_, score)| *score > best - NEAR) {
            let Some(profile) = profiles.get(*i) else { continue };
            let first = probes(profile);
            let others = (0..profile.points.len()).filter(|p| !first.contains(p)).take(MORE);
            for other in others {
                let Some(point) = profile.points.get(other).filter(|p| p.register().is_some()) else {
                    continue;
                };
                let (value, quality) = asker.read(profile, other).await?;
                *score += weight(profile, point, value.as_ref(), quality);
            }
        }
    }
    let proposal = |m: &steward_protocols::fingerprint::Match| {
        let mut why = reasons.remove(&m.profile).unwrap_or_default();
        why.sort_by(|(a, _), (b, _)| b.total_cmp(a));
        let why = why.into_iter().take(4).map(|(_, text)| text).collect();
        Some(Proposal { profile: Arc::clone(profiles.get(m.profile)?), likelihood: m.likelihood, why })
    };
    let ranked = rank(&scores);
    let proposals =
        ranked.iter().filter(|m| m.likelihood >= LEAST).take(TOLD).map(proposal).collect::<Option<_>>();
    Ok(Known { identity, proposals: proposals.unwrap_or_default() })
}

async fn identity(reach: &mut Reach, unit: u8, out: Out) -> Result<Option<Identity>, String> {
    let exchange = ask_identity(unit, Level::Basic, reach.framing).map_err(|e| e.to_string())?;
    match reach.ask_unknown(exchange, None, None).await {
        Ok(Ok(contents)) => Ok(Some(Identity::of(&contents)).filter(|i| !i.objects.is_empty())),
        // It does not know the function, or does not even say so.
        Ok(Err(_)) | Err(Failure::Device { .. } | Failure::HungUp(_)) => Ok(None),
        Err(failure) => Err(why(reach, &failure, out)),
    }
}

/// Reads points, each register once.
struct Asker<'r> {
    reach: &'r mut Reach,
    line: &'r LineConfig,
    unit: u8,
    cache: BTreeMap<(u8, u16, u16), Result<Vec<u8>, Quality>>,
    silent: u32,
    out: Out,
}

impl Asker<'_> {
    async fn read(&mut self, profile: &Profile, point: usize) -> Result<(Option<Value>, Quality), String> {
        let none = Ok((None, Quality::Undecodable));
        let Some(Register { table, address, data, .. }) =
            profile.points.get(point).and_then(|p| p.register())
        else {
            return none;
        };
        let cost = cost(&self.line.wire, profile, None);
        let Some(question) = questions(profile, [point], &cost, &[]).into_iter().next() else { return none };
        let key = (table.function(), *address, data.width());
        if !self.cache.contains_key(&key) {
            let exchange = question.exchange(Address::Modbus(self.unit), self.reach.framing);
            let exchange = exchange.map_err(|e| e.to_string())?;
            let answer = match self.reach.ask(exchange, profile.into(), None).await {
                Ok(reply) => {
                    self.silent = 0;
                    reply.map_err(|refusal| refusal.quality)
                }
                Err(Failure::Device { quality, .. }) => {
                    self.silent += 1;
                    Err(quality)
                }
                Err(Failure::HungUp(_)) => {
                    self.silent += 1;
                    Err(Quality::NoReply)
                }
                Err(failure) => return Err(why(self.reach, &failure, self.out)),
            };
            if self.silent >= GONE {
                return Err(text::gone(self.out.lang));
            }
            self.cache.insert(key, answer);
        }
        match self.cache.get(&key) {
            Some(Ok(contents)) => {
                let value = question.values(&profile.points, contents).into_iter().next();
                Ok(value.map_or((None, Quality::Undecodable), |v| (v.value, v.quality)))
            }
            Some(Err(quality)) => Ok((None, *quality)),
            None => none,
        }
    }
}

pub fn tell(known: &Known, out: Out) {
    for (id, said) in known.identity.iter().flat_map(|i| &i.objects) {
        let name = Identity::name(*id).map_or_else(|| id.to_string(), str::to_owned);
        out.text(format!("    {name}: {said}"));
    }
    for proposal in &known.proposals {
        let percent = (proposal.likelihood * 100.0).round();
        out.text(text::proposal(out.lang, &proposal.profile.id, percent, &proposal.why.join(", ")));
    }
}

pub fn value(unit: u8, known: &Known) -> serde_json::Value {
    let objects: BTreeMap<String, &String> = known
        .identity
        .iter()
        .flat_map(|i| i.objects.iter().map(|(id, text)| (id.to_string(), text)))
        .collect();
    let proposals: Vec<_> = known
        .proposals
        .iter()
        .map(|p| json!({ "profile": p.profile.id, "likelihood": p.likelihood, "why": p.why }))
        .collect();
    json!({ "address": unit, "identity": objects, "proposals": proposals })
}
