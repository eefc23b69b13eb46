//! Asks a device for points of its profile, as the daemon would: together where they stand together, in smaller parts
//! where it refuses the whole.

use steward_protocols::exchange::About;
use steward_protocols::question::{Question, questions};
use steward_shared::reading::{Quality, Value};

use super::super::out::Out;
use super::super::text::device as text;
use super::reach::why;
use crate::config::{DeviceConfig, LineConfig};
use crate::lend::Reach;
use crate::line::{Failure, cost};

/// What a point reads as, or why not.
#[derive(Clone, Debug)]
pub struct Read {
    /// Index into the profile's points.
    pub point: usize,
    pub value: Option<Value>,
    pub quality: Quality,
    /// In words, where there is no value.
    pub why: Option<String>,
}

/// Reads them, in the order of the profile. A device that does not answer once is not asked for the rest.
pub async fn read_points(
    reach: &mut Reach,
    line: &LineConfig,
    device: &DeviceConfig,
    wanted: &[usize],
    out: Out,
) -> Result<Vec<Read>, String> {
    let profile = &device.profile;
    let mut asked: Vec<Question> =
        questions(profile, wanted.iter().copied(), &cost(&line.wire, device, None), &[])
            .into_iter()
            .rev()
            .collect();
    let mut all = Vec::new();
    let mut silent: Option<(Quality, String)> = None;
    while let Some(question) = asked.pop() {
        let none = |quality: Quality, why: &str| {
            let read =
                move |point: &usize| Read { point: *point, value: None, quality, why: Some(why.to_owned()) };
            question.points().iter().map(read).collect::<Vec<_>>()
        };
        if let Some((quality, why)) = &silent {
            all.extend(none(*quality, why));
            continue;
        }
        let exchange = question.exchange(device.address, reach.framing).map_err(|e| e.to_string())?;
        match reach.ask(exchange, device.into(), None).await {
            Ok(Ok(contents)) => {
                all.extend(question.values(&profile.points, &contents).into_iter().map(|v| Read {
                    point: v.point,
                    why: v.value.is_none().then(|| text::quality(out.lang, v.quality)),
                    value: v.value,
                    quality: v.quality,
                }));
            }
            Ok(Err(refusal)) => match question.split(&profile.points) {
                Some(split) if refusal.about == About::Place => {
                    let [first, second] = split.parts;
                    asked.extend([second, first]);
                }
                _ => all.extend(none(refusal.quality, &text::refused(out.lang, &refusal))),
            },
            Err(failure @ (Failure::Lost(_) | Failure::Babbling)) => return Err(why(reach, &failure, out)),
            Err(failure) => {
                let quality = match &failure {
                    Failure::Device { quality, .. } => *quality,
                    _ => Quality::NoReply,
                };
                let told = why(reach, &failure, out);
                all.extend(none(quality, &told));
                if quality == Quality::NoReply {
                    silent = Some((quality, told));
                }
            }
        }
    }
    all.sort_by_key(|read| read.point);
    Ok(all)
}
