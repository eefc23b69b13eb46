//! Which objects of a network's devices are in alarm, as the devices tell by themselves and list when they are asked. What
//! was told while a list was under way is newer than the list. Bounded, whatever a device tells. Called by `alarms`.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use steward_protocols::bacnet::ObjectId;
use steward_protocols::bacnet::client::Peer;
use tokio::time::Instant;

/// Objects of one device that are in alarm, at most; more are not told.
const MOST: usize = 256;
/// Notices of one device that are taken at once, and from one to the next when those are used up.
const AT_ONCE: u32 = 64;
const EACH: Duration = Duration::from_millis(500);

/// BACnetEventState.
const NORMAL: u32 = 0;

/// What is news of an object.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Change {
    pub object: ObjectId,
    /// What it is in now, or was in before it is normal again.
    pub state: u32,
    pub active: bool,
}

#[derive(Debug, Default)]
pub struct Ringing {
    devices: Mutex<BTreeMap<usize, One>>,
}

#[derive(Debug, Default)]
struct One {
    at: Option<Peer>,
    open: BTreeMap<ObjectId, u32>,
    /// Objects of which a notice came since the device was asked for its list.
    meanwhile: Option<BTreeSet<ObjectId>>,
    taken: u32,
    since: Option<Instant>,
    /// Notices were not taken: only a list tells what is true.
    behind: bool,
}

impl Ringing {
    fn of<T>(&self, device: usize, act: impl FnOnce(&mut One) -> T) -> T {
        // Whole after each step: a panic elsewhere leaves it so.
        let mut devices: MutexGuard<'_, _> = self.devices.lock().unwrap_or_else(PoisonError::into_inner);
        act(devices.entry(device).or_default())
    }

    /// Where the device is: what others tell in its name is not taken.
    pub fn found(&self, device: usize, at: Peer) {
        self.of(device, |one| one.at = Some(at));
    }

    /// A device has told of one of its objects.
    pub fn told(&self, device: usize, from: Peer, object: ObjectId, state: u32, now: Instant) -> Vec<Change> {
        self.of(device, |one| {
            if one.at.is_some_and(|at| at != from) || !one.has_room(now) {
                return Vec::new();
            }
            if let Some(meanwhile) = &mut one.meanwhile
                && meanwhile.len() < MOST
            {
                meanwhile.insert(object);
            }
            // An end is told also where no beginning was: that may have been before the program started.
            let ended = Change { object, state, active: false };
            if state == NORMAL && !one.open.contains_key(&object) {
                vec![ended]
            } else {
                one.is(object, state)
            }
        })
    }

    /// The device is about to be asked for its list.
    pub fn asked(&self, device: usize) {
        self.of(device, |one| {
            one.meanwhile = Some(BTreeSet::new());
            one.behind = false;
        });
    }

    /// The device has told its list; `whole` where it came to its end. With the objects that are in alarm now, where that
    /// is known of all.
    pub fn listed(
        &self,
        device: usize,
        list: &[(ObjectId, u32)],
        whole: bool,
    ) -> (Vec<Change>, Option<BTreeSet<ObjectId>>) {
        self.of(device, |one| {
            let meanwhile = one.meanwhile.take().unwrap_or_default();
            let mut changes = Vec::new();
            for (object, state) in list.iter().filter(|(object, _)| !meanwhile.contains(object)) {
                changes.extend(one.is(*object, *state));
            }
            if whole {
                let listed: BTreeSet<ObjectId> = list.iter().map(|(object, _)| *object).collect();
                let gone = |object: &&ObjectId| !listed.contains(object) && !meanwhile.contains(object);
                let gone: Vec<ObjectId> = one.open.keys().filter(gone).copied().collect();
                for object in gone {
                    changes.extend(one.is(object, NORMAL));
                }
            }
            (changes, whole.then(|| one.open.keys().copied().collect()))
        })
    }

    /// Whether a list is needed because notices were passed over.
    pub fn is_behind(&self, device: usize) -> bool {
        self.of(device, |one| one.behind)
    }
}

impl One {
    fn is(&mut self, object: ObjectId, state: u32) -> Vec<Change> {
        let before = self.open.get(&object).copied();
        let ended = before.map(|state| Change { object, state, active: false });
        match before {
            Some(before) if before == state => return Vec::new(),
            None if state == NORMAL || self.open.len() >= MOST => return Vec::new(),
            _ => {}
        }
        if state == NORMAL {
            self.open.remove(&object);
            return ended.into_iter().collect();
        }
        self.open.insert(object, state);
        ended.into_iter().chain([Change { object, state, active: true }]).collect()
    }

    fn has_room(&mut self, now: Instant) -> bool {
        let since = *self.since.get_or_insert(now);
        let back = (now.saturating_duration_since(since).as_millis() / EACH.as_millis()) as u32;
        if back > 0 {
            self.taken = self.taken.saturating_sub(back);
            self.since = Some(now);
        }
        let room = self.taken < AT_ONCE;
        self.taken += u32::from(room);
        self.behind |= !room;
        room
    }
}

#[cfg(test)]
mod tests {
    use std::net::{Ipv4Addr, SocketAddrV4};

    use steward_protocols::bacnet::ObjectType;

    use super::*;

    fn object(instance: u32) -> ObjectId {
        ObjectId::new(ObjectType::ANALOG_INPUT, instance)
    }

    fn peer(host: u8) -> Peer {
        Peer::direct(SocketAddrV4::new(Ipv4Addr::new(10, 0, 0, host), 47_808))
    }

    fn begins(instance: u32, state: u32) -> Change {
        Change { object: object(instance), state, active: true }
    }

    fn ends(instance: u32, state: u32) -> Change {
        Change { object: object(instance), state, active: false }
    }

    #[tokio::test]
    async fn an_alarm_is_told_once_ends_once_and_changes_in_two_steps() {
        let (ringing, now) = (Ringing::default(), Instant::now());
        let told = |instance, state| ringing.told(0, peer(1), object(instance), state, now);
        assert_eq!(told(1, 3), [begins(1, 3)]);
        assert_eq!(told(1, 3), []);
        assert_eq!(told(1, 4), [ends(1, 3), begins(1, 4)]);
        assert_eq!(told(1, 0), [ends(1, 4)]);
        assert_eq!(told(2, 0), [ends(2, 0)], "it may have begun before the program did");
    }

    #[tokio::test]
    async fn a_list_ends_what_it_does_not_name_but_not_what_was_told_meanwhile() {
        let (ringing, now) = (Ringing::default(), Instant::now());
        let told = |instance, state| ringing.told(0, peer(1), object(instance), state, now);
        told(1, 3);
        told(2, 3);
        ringing.asked(0);
        told(3, 2);
        told(4, 0);
        // 2 is normal again and only not acknowledged; 4 was in alarm when the list was made.
        let list = [(object(2), 0), (object(4), 3), (object(5), 1)];
        let (changes, open) = ringing.listed(0, &list, true);
        assert_eq!(changes, [ends(2, 3), begins(5, 1), ends(1, 3)]);
        assert_eq!(open, Some(BTreeSet::from([object(3), object(5)])));
        ringing.asked(0);
        let (changes, open) = ringing.listed(0, &[], false);
        assert!(changes.is_empty() && open.is_none(), "a list that broke off ends nothing");
    }

    #[tokio::test]
    async fn what_another_tells_in_its_name_and_a_flood_are_not_taken() {
        let (ringing, now) = (Ringing::default(), Instant::now());
        ringing.found(0, peer(1));
        assert!(ringing.told(0, peer(2), object(1), 3, now).is_empty());
        let taken =
            |at| (0..1000).filter(|i| !ringing.told(0, peer(1), object(*i), 3, at).is_empty()).count();
        assert_eq!(taken(now), 64);
        assert!(ringing.is_behind(0));
        ringing.asked(0);
        let (_, open) = ringing.listed(0, &(0..1000).map(|i| (object(i), 3)).collect::<Vec<_>>(), true);
        assert_eq!(open.map(|open| open.len()), Some(MOST));
        assert!(!ringing.is_behind(0));
    }
}
