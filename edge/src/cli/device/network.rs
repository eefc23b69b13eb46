//! A BACnet network for the tools: opened beside a running daemon, its devices found and read, with what stands in the way
//! told to people.

use std::time::Duration;

use steward_protocols::bacnet::client::{Failure, Peer, Reading};
use steward_protocols::bacnet::{Batch, PropertyRef};
use steward_protocols::question::Address;
use steward_shared::profile::{Language, Profile};
use steward_shared::reading::Quality;

use super::super::out::Out;
use super::super::text::device as text;
use super::points::Read;
use super::reach::not_lent;
use crate::config::{Config, DeviceConfig, LineConfig};
use crate::lend::NetworkReach;
use crate::line::bacnet::{Network, NoAnswer, locate};

/// An open network.
pub struct Net {
    pub reach: NetworkReach,
    patience: Duration,
}

impl Net {
    /// A network of the gateway's file.
    pub async fn by_file(config: &Config, line: &LineConfig, out: Out) -> Result<Self, String> {
        let reach = NetworkReach::by_file(&config.data, line).await;
        let reach = reach.map_err(|e| not_lent(&e, &config.data, &line.name, out))?;
        Self::open(reach, line, out).await
    }

    /// A network that is described in words.
    pub async fn by_hand(line: &LineConfig, out: Out) -> Result<Self, String> {
        Self::open(NetworkReach::by_hand(line), line, out).await
    }

    async fn open(reach: Option<NetworkReach>, line: &LineConfig, out: Out) -> Result<Self, String> {
        let fails = |why: &str| text::network_fails(out.lang, &line.name, why);
        let mut reach = reach.ok_or_else(|| fails("it is no network"))?;
        reach.up().await.map_err(|why| fails(&why))?;
        Ok(Self { reach, patience: line.slowest() })
    }

    pub fn network(&self) -> &Network {
        &self.reach.network
    }

    pub async fn close(self) {
        self.reach.give_back().await;
    }

    /// Where a device is.
    pub async fn find(&self, device: &DeviceConfig, out: Out) -> Result<Peer, String> {
        let Address::Bacnet(node) = device.address else {
            return Err(text::no_answer(out.lang, Quality::BadReply, "its address is no instance"));
        };
        locate(self.network(), node, self.patience)
            .await
            .map_err(|e| text::no_answer(out.lang, e.quality().unwrap_or(Quality::NoReply), &e.to_string()))
    }

    /// What properties are.
    pub async fn properties(
        &self,
        peer: Peer,
        targets: Vec<PropertyRef>,
        out: Out,
    ) -> Result<Vec<(PropertyRef, Reading)>, String> {
        self.network().read(peer, targets).await.map_err(|e| unanswered(&e, out))
    }

    /// Reads points of a profile, in its order.
    pub async fn points(
        &self,
        peer: Peer,
        profile: &Profile,
        wanted: &[usize],
        out: Out,
    ) -> Result<Vec<Read>, String> {
        let Language::Bacnet(limits) = &profile.language else { return Ok(Vec::new()) };
        let batch = Batch::of(&profile.points, wanted.to_vec(), limits);
        let readings = self.properties(peer, batch.targets.clone(), out).await?;
        let told = |point: usize| {
            let place = profile.points.get(point)?.bacnet()?;
            let is_own = |target: &PropertyRef| {
                (target.object.kind, target.object.instance, target.property, target.index)
                    == (place.object, place.instance, place.property, place.index)
            };
            let failure = readings.iter().find(|(target, _)| is_own(target))?.1.as_ref().err()?;
            Some(failed(failure, out))
        };
        let one = |v: steward_protocols::question::PointValue| Read {
            point: v.point,
            why: v
                .value
                .is_none()
                .then(|| told(v.point).unwrap_or_else(|| text::quality(out.lang, v.quality))),
            value: v.value,
            quality: v.quality,
        };
        Ok(batch.values(&profile.points, &readings).into_iter().map(one).collect())
    }
}

/// Why a property was not read.
fn failed(failure: &Failure, out: Out) -> String {
    match failure {
        Failure::Refused(error) => text::refused_as(out.lang, &error.to_string(), ""),
        other => text::no_answer(out.lang, other.quality(), &other.to_string()),
    }
}

/// Why nothing was answered.
pub fn unanswered(error: &NoAnswer, out: Out) -> String {
    match error {
        NoAnswer::Device(failure) => failed(failure, out),
        other => text::no_answer(out.lang, Quality::NoReply, &other.to_string()),
    }
}
