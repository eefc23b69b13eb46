//! Who is on the network: devices by instance number, as they said themselves. A device that is known keeps its
//! address until a person says otherwise, whoever else claims its number: that is told, once a claimant. However many
//! strangers introduce themselves, memory is bounded and those that are wanted are heard.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Instant;

use super::bucket::Bucket;
use super::settings::Peer;
use crate::bacnet::notice::IAm;

/// Claimants of one number that are told of, at most.
const MAX_CLAIMANTS: usize = 8;

#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Device {
    pub peer: Peer,
    pub introduction: IAm,
    claimants: Vec<Peer>,
}

/// What is new after an I-Am.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Heard {
    /// Known, and as it was.
    Nothing,
    /// Seen for the first time, or changed.
    Device,
    /// Another address claims the number of a known device.
    Conflict { known: Peer },
    /// A stranger too many.
    Dropped,
}

#[derive(Debug)]
pub struct Devices {
    known: BTreeMap<u32, Device>,
    wanted: BTreeSet<u32>,
    most: usize,
    strangers: Bucket,
    dropped: u64,
}

impl Devices {
    pub const fn new(most: usize, (at_once, per_second): (u32, u32)) -> Self {
        Self {
            known: BTreeMap::new(),
            wanted: BTreeSet::new(),
            most,
            strangers: Bucket::new(at_once, per_second),
            dropped: 0,
        }
    }

    pub fn get(&self, instance: u32) -> Option<&Device> {
        self.known.get(&instance)
    }

    pub fn iter(&self) -> impl Iterator<Item = (u32, &Device)> {
        self.known.iter().map(|(instance, device)| (*instance, device))
    }

    /// I-Am that were not looked at.
    pub const fn dropped(&self) -> u64 {
        self.dropped
    }

    /// This device is to be heard whatever the crowd.
    pub fn want(&mut self, instance: u32) {
        self.wanted.insert(instance);
    }

    /// A person has decided where the device is from now on, or that whoever answers first is it.
    pub fn forget(&mut self, instance: u32) {
        self.known.remove(&instance);
    }

    pub fn heard(&mut self, peer: Peer, introduction: IAm, now: Instant) -> Heard {
        let instance = introduction.instance;
        if let Some(device) = self.known.get_mut(&instance) {
            if device.peer == peer {
                let same = device.introduction == introduction;
                device.introduction = introduction;
                return if same { Heard::Nothing } else { Heard::Device };
            }
            if device.claimants.contains(&peer) || device.claimants.len() >= MAX_CLAIMANTS {
                return Heard::Nothing;
            }
            device.claimants.push(peer);
            return Heard::Conflict { known: device.peer };
        }
        let room = self.known.len() < self.most && self.strangers.take(now);
        if !room && !self.wanted.contains(&instance) {
            self.dropped += 1;
            return Heard::Dropped;
        }
        self.known.insert(instance, Device { peer, introduction, claimants: Vec::new() });
        Heard::Device
    }
}
