//! Which profile of its language a meter looks like: it is read by each, and what comes is weighed. For DL/T 645, CJ/T 188,
//! M-Bus and IEC 62056-21.

use std::sync::Arc;

use steward_protocols::fingerprint::{probes_where, weight};
use steward_protocols::question::{Address, questions};
use steward_shared::profile::{Language, Library, Profile};
use steward_shared::reading::Quality;

use super::super::out::Out;
use super::super::text::scan as text;
use super::known::{Known, Said, Weighing};
use super::reach::why;
use crate::config::LineConfig;
use crate::lend::Reach;
use crate::line::{Failure, cost};

/// Whether profiles of a language are for a meter of this address.
fn speaks(profile: &Profile, address: Address) -> bool {
    matches!(
        (&profile.language, address),
        (Language::Dlt645(_), Address::Dlt645(_))
            | (Language::Cjt188(_), Address::Cjt188(_))
            | (Language::Mbus(_), Address::Mbus(_))
            | (Language::Iec62056(_), Address::Iec62056(_))
    )
}

pub async fn known_meter(
    reach: &mut Reach,
    line: &LineConfig,
    address: Address,
    said: Vec<Said>,
    library: &Library,
    out: Out,
) -> Result<Known, String> {
    let mut known = Known { said, proposals: Vec::new() };
    let profiles: Vec<&Arc<Profile>> = library.iter().filter(|p| speaks(p, address)).collect();
    let mut weighing = Weighing::default();
    for (i, profile) in profiles.iter().enumerate() {
        out.progress(text::compared(out.lang, i + 1, profiles.len()));
        // Meters say numbers of themselves, not names.
        weighing.begin(i, profile, "", out);
        let probes = probes_where(profile, |_| true);
        for question in questions(profile, probes, &cost(&line.wire, &***profile, None), &[]) {
            let exchange = question.exchange(address, reach.framing).map_err(|e| e.to_string())?;
            let quality = match reach.ask(exchange, (&***profile).into(), None).await {
                Ok(Ok(contents)) => {
                    for read in question.values(&profile.points, &contents) {
                        if let Some(point) = profile.points.get(read.point) {
                            let weighed = weight(profile, point, read.value.as_ref(), read.quality);
                            weighing.add(point, read.value.as_ref(), weighed, out);
                        }
                    }
                    continue;
                }
                Ok(Err(refusal)) => refusal.quality,
                Err(Failure::Device { quality, .. }) => quality,
                Err(Failure::HungUp(_)) => Quality::NoReply,
                Err(failure) => return Err(why(reach, &failure, out)),
            };
            for point in question.points().iter().filter_map(|i| profile.points.get(*i)) {
                weighing.add(point, None, weight(profile, point, None, quality), out);
            }
        }
    }
    known.proposals = weighing.proposals(&profiles);
    Ok(known)
}
