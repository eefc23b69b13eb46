//! Which router leads to which network, as the routers say (ASHRAE 135, clause 6.6). The first to claim a network has
//! it; a second claim is told once, for it means a loop or a network number that was given twice. Bounded.

use std::collections::BTreeMap;

use super::settings::LinkAddress;

/// Networks that are remembered, at most.
const MAX_NETWORKS: usize = 1024;

#[derive(Debug, Default)]
pub struct Routers {
    networks: BTreeMap<u16, (LinkAddress, bool)>,
}

/// What is new after a router has named a network.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Claim {
    Known,
    New,
    Conflict { known: LinkAddress },
}

impl Routers {
    pub fn to(&self, network: u16) -> Option<LinkAddress> {
        self.networks.get(&network).map(|(router, _)| *router)
    }

    pub fn iter(&self) -> impl Iterator<Item = (u16, LinkAddress)> {
        self.networks.iter().map(|(network, (router, _))| (*network, *router))
    }

    pub fn heard(&mut self, router: LinkAddress, network: u16) -> Claim {
        // 0 is "here" and 65535 "everywhere": no router leads there.
        if matches!(network, 0 | u16::MAX) {
            return Claim::Known;
        }
        let full = self.networks.len() >= MAX_NETWORKS;
        match self.networks.get_mut(&network) {
            Some((known, _)) if *known == router => Claim::Known,
            Some((known, told)) if !*told => {
                *told = true;
                Claim::Conflict { known: *known }
            }
            Some(_) => Claim::Known,
            None if full => Claim::Known,
            None => {
                self.networks.insert(network, (router, false));
                Claim::New
            }
        }
    }
}
