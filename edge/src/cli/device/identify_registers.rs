//! Which profile a device of registers looks like: by what it says of itself (function 43/14), by the values at the
//! profile's addresses, and by which addresses it has at all. Asks each question once, and never writes.

use std::sync::Arc;

use steward_protocols::fingerprint::{Alike, Area, Strength, probes, strength, weight};
use steward_shared::profile::{Language, Library, Profile};

use super::super::out::Out;
use super::super::text::scan as text;
use super::identify_asker::{Asker, Read};
use super::known::{Known, Weighing};
use crate::config::LineConfig;
use crate::lend::Reach;

/// So many points of each profile are read before it is judged whether the others are worth it.
const FIRST: usize = 3;
const HOPELESS: f64 = -4.0;
/// Profiles that are not further behind the best are looked at more closely, by so many more points.
const NEAR: f64 = 3.0;
const MORE: usize = 40;
/// What addresses must say to be told as a reason.
const TELLING: f64 = 1.0;

/// A profile that is compared, and what was read of it.
struct Candidate {
    /// Among all profiles.
    index: usize,
    area: Area,
    reads: Vec<Read>,
}

/// Asks the device who it is, and for what the profiles of the library would have there.
pub async fn known_registers(
    reach: &mut Reach,
    line: &LineConfig,
    unit: u8,
    library: &Library,
    out: Out,
) -> Result<Known, String> {
    let profiles: Vec<&Arc<Profile>> =
        library.iter().filter(|p| matches!(p.language, Language::Modbus(_))).collect();
    known_among(reach, line, unit, &profiles, out).await
}

async fn known_among(
    reach: &mut Reach,
    line: &LineConfig,
    unit: u8,
    profiles: &[&Arc<Profile>],
    out: Out,
) -> Result<Known, String> {
    let mut asker = Asker::new(reach, line, unit, out);
    let mut known = Known { said: asker.identity().await?, proposals: Vec::new() };
    let words = known.words();
    let mut candidates = Vec::new();
    for (index, profile) in profiles.iter().enumerate() {
        let reads = first_reads(&mut asker, profile).await?;
        if !reads.is_empty() {
            candidates.push(Candidate { index, area: Area::of(profile), reads });
        }
        out.progress(text::compared(out.lang, index + 1, profiles.len()));
    }
    let weighing = weigh(&candidates, profiles, &words, &asker);
    // Models of one family stand in the same registers as far as they go: what only one of them has decides. And what is
    // weak may become stronger.
    let near = weighing.near(NEAR);
    let is_sure = near.len() == 1 && strength(weighing.best()) == Strength::Strong;
    for candidate in candidates.iter_mut().filter(|c| !is_sure && near.contains(&c.index)) {
        let Some(profile) = profiles.get(candidate.index) else { continue };
        let first = probes(profile);
        let others = (0..profile.points.len()).filter(|p| !first.contains(p)).take(MORE);
        for point in others {
            candidate.reads.extend(asker.read(profile, point).await?);
        }
        for (table, address) in candidate.area.rim() {
            asker.look(table, address).await?;
        }
    }
    known.proposals = weigh(&candidates, profiles, &words, &asker).proposals(profiles);
    Ok(known)
}

/// What a profile's most telling points read as: no more than some where they speak against it.
async fn first_reads(asker: &mut Asker<'_>, profile: &Profile) -> Result<Vec<Read>, String> {
    let mut reads = Vec::new();
    let mut score = 0.0;
    for (n, probe) in probes(profile).into_iter().enumerate() {
        if n >= FIRST && score < HOPELESS {
            break;
        }
        if let Some(read) = asker.read(profile, probe).await? {
            if let Some(point) = profile.points.get(probe) {
                score += weight(profile, point, read.value.as_ref(), read.quality);
            }
            reads.push(read);
        }
    }
    Ok(reads)
}

fn weigh(candidates: &[Candidate], profiles: &[&Arc<Profile>], words: &str, asker: &Asker<'_>) -> Weighing {
    let out = asker.out;
    let mut weighing = Weighing::default();
    for candidate in candidates {
        let Some(profile) = profiles.get(candidate.index) else { continue };
        weighing.begin(candidate.index, profile, words, out);
        let mut alike = Alike::default();
        for read in &candidate.reads {
            let Some(point) = profile.points.get(read.point) else { continue };
            let weighed = weight(profile, point, read.value.as_ref(), read.quality);
            let own = if weighed > 0.0 { asker.own(read) } else { 1.0 };
            weighing.add(point, read.value.as_ref(), alike.worth(point, weighed * own), out);
        }
        let places = asker.places.weight(&candidate.area);
        weighing.because(places, (places > TELLING).then(|| text::its_addresses(out.lang)));
    }
    weighing
}

#[cfg(test)]
#[path = "identify_tests.rs"]
mod tests;
