//! `steward-edge identify`: which profile of the library a device looks like, and why. `scan` asks the same of what it
//! finds.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::json;
use steward_protocols::fingerprint::{probes, weight};
use steward_protocols::modbus::{Identity, Level, identify as ask_identity};
use steward_protocols::question::{Address, questions};
use steward_shared::document::listing;
use steward_shared::profile::{Library, Profile, Register};
use steward_shared::reading::{Quality, Value};

use super::super::out::Out;
use super::super::text::scan as text;
use super::identify_meter::known_meter;
use super::identify_network::known_node;
use super::known::{Known, Said, Weighing, tell, value};
use super::network::Net;
use super::place::Place;
use super::reach::{by_file, why};
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
pub async fn identify(words: IdentifyWords, out: Out) -> Result<(), String> {
    let (known, address) = match (words.line.config(), &words.target) {
        (Some(line), _) => {
            let library = Library::load(&words.profiles).map_err(|faults| listing(&faults))?;
            let mut reach = Reach::by_hand(&line);
            let known = known(&mut reach, &line, words.address, &library, out).await?;
            (known, json!(words.address))
        }
        (None, Some(target)) => {
            let place = Place::find(&words.config, target, out)?;
            let address = match place.device().address {
                Address::Modbus(unit) => json!(unit),
                Address::Bacnet(node) => json!(node.instance),
                address => json!(address.to_string()),
            };
            (of_place(&place, out).await?, address)
        }
        (None, None) => return Err(text::name_it(out.lang)),
    };
    out.progress_over();
    tell(&known, out);
    out.value(&value(&address, &known));
    if known.proposals.is_empty() { Err(text::no_profile(out.lang)) } else { Ok(()) }
}

/// A device of the gateway's file, whatever it speaks.
async fn of_place(place: &Place, out: Out) -> Result<Known, String> {
    let library = Library::load(&place.config.folders).map_err(|faults| listing(&faults))?;
    let (line, device) = (place.line(), place.device());
    if let Address::Bacnet(node) = device.address {
        let net = Net::by_file(&place.config, line, out).await?;
        let known = match net.find(device, out).await {
            Ok(peer) => known_node(&net, peer, node.instance, &library, out).await,
            Err(why) => Err(why),
        };
        net.close().await;
        return known;
    }
    let mut reach = by_file(&place.config, line, out).await?;
    match device.address {
        Address::Modbus(unit) => known(&mut reach, line, unit, &library, out).await,
        address => known_meter(&mut reach, line, address, Vec::new(), &library, out).await,
    }
}

/// Asks the device who it is, and for what the profiles of the library would have there.
pub async fn known(
    reach: &mut Reach,
    line: &LineConfig,
    unit: u8,
    library: &Library,
    out: Out,
) -> Result<Known, String> {
    let said = identity(reach, unit, out).await?;
    let mut known = Known { said, proposals: Vec::new() };
    let words = known.words();
    let profiles: Vec<&Arc<Profile>> = library.iter().collect();
    let mut asker = Asker { reach, line, unit, cache: BTreeMap::new(), silent: 0, out };
    let mut weighing = Weighing::default();
    for (i, profile) in profiles.iter().enumerate() {
        let probes = probes(profile);
        if probes.is_empty() {
            continue;
        }
        let mut score = weighing.begin(i, profile, &words, out);
        for (n, probe) in probes.iter().enumerate() {
            if n >= FIRST && score < HOPELESS {
                break;
            }
            let Some(point) = profile.points.get(*probe) else { continue };
            let (value, quality) = asker.read(profile, *probe).await?;
            score = weighing.add(profile, point, value.as_ref(), quality, out);
        }
        out.progress(text::compared(out.lang, i + 1, profiles.len()));
    }
    // Models of one family stand in the same registers as far as they go: what only one of them has decides.
    let near = weighing.near(NEAR);
    for i in near.iter().copied().filter(|_| near.len() > 1) {
        let Some(profile) = profiles.get(i) else { continue };
        let first = probes(profile);
        let others = (0..profile.points.len()).filter(|p| !first.contains(p)).take(MORE);
        for other in others {
            let Some(point) = profile.points.get(other).filter(|p| p.register().is_some()) else {
                continue;
            };
            let (value, quality) = asker.read(profile, other).await?;
            weighing.more(i, weight(profile, point, value.as_ref(), quality));
        }
    }
    known.proposals = weighing.proposals(&profiles);
    Ok(known)
}

async fn identity(reach: &mut Reach, unit: u8, out: Out) -> Result<Vec<Said>, String> {
    let exchange = ask_identity(unit, Level::Basic, reach.framing).map_err(|e| e.to_string())?;
    match reach.ask_unknown(exchange, None, None).await {
        Ok(Ok(contents)) => {
            let said = |(id, text): &(u8, String)| Said {
                key: id.to_string(),
                name: Identity::name(*id).map_or_else(|| id.to_string(), str::to_owned),
                text: text.clone(),
            };
            Ok(Identity::of(&contents).objects.iter().map(said).collect())
        }
        // It does not know the function, or does not even say so.
        Ok(Err(_)) | Err(Failure::Device { .. } | Failure::HungUp(_)) => Ok(Vec::new()),
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
