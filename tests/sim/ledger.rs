//! What the gateway has promised, kept by somebody who never crashes: each reading and each event that was durable there,
//! and which of them the hub has acknowledged.

use std::collections::BTreeSet;

use steward_shared::wire::message::Lane;

#[derive(Clone, Copy, Debug)]
struct Item {
    lane: Lane,
    /// No two are the same.
    serial: u64,
    /// It stands in this batch of its lane, or in one before it.
    seq: u64,
    acked: bool,
    /// It went with a database that was lost before the hub had it.
    gone: bool,
}

#[derive(Debug, Default)]
pub struct Ledger {
    serials: u64,
    items: Vec<Item>,
}

impl Ledger {
    pub const fn next_serial(&mut self) -> u64 {
        self.serials += 1;
        self.serials
    }

    /// These are durable at the gateway.
    pub fn stored(&mut self, lane: Lane, serials: &[u64], seq: u64) {
        let item = |serial: &u64| Item { lane, serial: *serial, seq, acked: false, gone: false };
        self.items.extend(serials.iter().map(item));
    }

    /// The gateway has heard that the hub has everything up to here.
    pub fn acked(&mut self, lane: Lane, to: u64) {
        for item in self.items.iter_mut().filter(|i| i.lane == lane && i.seq <= to && !i.gone) {
            item.acked = true;
        }
    }

    pub const fn len(&self) -> usize {
        self.items.len()
    }

    /// What was stored since then is lost at the gateway, with the database.
    pub fn lost_since(&mut self, then: usize) {
        for item in self.items.iter_mut().skip(then).filter(|i| !i.acked) {
            item.gone = true;
        }
    }

    pub fn acknowledged(&self) -> usize {
        self.items.iter().filter(|i| i.acked).count()
    }

    /// What must be at the hub and is not among these.
    pub fn missing(&self, at_hub: &BTreeSet<(bool, u64)>) -> Vec<String> {
        let wanted = self.items.iter().filter(|i| !i.gone);
        let missing = wanted.filter(|i| !at_hub.contains(&(i.lane == Lane::Alarm, i.serial)));
        missing
            .map(|i| {
                let acked = if i.acked { ", acknowledged" } else { "" };
                format!("{} of the {} lane, batch {}{acked}", i.serial, i.lane.word(), i.seq)
            })
            .collect()
    }
}
