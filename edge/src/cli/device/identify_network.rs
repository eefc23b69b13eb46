//! Which profile a device on a BACnet network looks like: by what its device object says, and by its values.

use std::sync::Arc;

use steward_protocols::bacnet::client::{Peer, first};
use steward_protocols::bacnet::{ObjectId, PropertyId, PropertyRef, Value};
use steward_protocols::fingerprint::{probes_where, weight};
use steward_shared::profile::{Language, Library, Profile};

use super::super::out::Out;
use super::super::text::scan as text;
use super::known::{Known, Said, Weighing};
use super::network::Net;

/// What a device says of itself, in the order in which it is told.
const SAYS: [PropertyId; 6] = [
    PropertyId::OBJECT_NAME,
    PropertyId(121),
    PropertyId(70),
    PropertyId(44),
    PropertyId(12),
    PropertyId::DESCRIPTION,
];
/// So many are vendor, model and name: what may name a profile.
const NAMES: usize = 3;

/// Asks the device who it is, and for what the profiles of the library would have there.
pub async fn known_node(
    net: &Net,
    peer: Peer,
    instance: u32,
    library: &Library,
    out: Out,
) -> Result<Known, String> {
    let of = |property| PropertyRef::new(ObjectId::device(instance), property);
    let readings = net.properties(peer, SAYS.map(of).to_vec(), out).await?;
    let said = readings.iter().filter_map(|(target, reading)| match first(reading) {
        Some(Value::Text(told)) if !told.trim().is_empty() => Some(Said {
            key: target.property.to_string(),
            name: target.property.to_string(),
            text: told.trim().to_owned(),
        }),
        _ => None,
    });
    let mut known = Known { said: said.collect(), proposals: Vec::new() };
    let named = |said: &&Said| SAYS.iter().take(NAMES).any(|property| property.to_string() == said.key);
    let words: Vec<&str> = known.said.iter().filter(named).map(|said| said.text.as_str()).collect();
    let words = words.join(" ");
    let profiles: Vec<&Arc<Profile>> =
        library.iter().filter(|p| matches!(p.language, Language::Bacnet(_))).collect();
    let mut weighing = Weighing::default();
    for (i, profile) in profiles.iter().enumerate() {
        out.progress(text::compared(out.lang, i + 1, profiles.len()));
        weighing.begin(i, profile, &words, out);
        let probes = probes_where(profile, |point| point.bacnet().is_some());
        for read in net.points(peer, profile, &probes, out).await? {
            if let Some(point) = profile.points.get(read.point) {
                let weighed = weight(profile, point, read.value.as_ref(), read.quality);
                weighing.add(point, read.value.as_ref(), weighed, out);
            }
        }
    }
    known.proposals = weighing.proposals(&profiles);
    Ok(known)
}
