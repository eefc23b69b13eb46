//! What the hub may write into a device: `remote_write` of a `[[line.device]]`. Without it nothing is ever written from
//! the hub, whatever the profile allows: a point that moves plant is opened by an engineer who stands beside it.

use std::collections::BTreeMap;

use steward_shared::document::{Table, nearest};
use steward_shared::profile::Profile;
use steward_shared::wire::command::{PRIORITIES, PRIORITY};

/// Writes of one point within a minute, where the file says nothing.
const PER_MINUTE: u32 = 6;
const MOST_PER_MINUTE: u32 = 60;

/// How the hub may write one point.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RemoteWrite {
    pub two_persons: bool,
    /// What is written must come back by itself.
    pub time_boxed: bool,
    /// Of BACnet, where the command names none.
    pub priority: u8,
    pub per_minute: u32,
}

/// By the keys of the points.
pub(super) fn read_remote(table: &Table<'_>, profile: Option<&Profile>) -> BTreeMap<String, RemoteWrite> {
    let Some(own) = table.optional_table("remote_write") else { return BTreeMap::new() };
    let Some(profile) = profile else {
        // Which points there are is not known: none is told.
        own.ignore_rest();
        return BTreeMap::new();
    };
    let named = |key: &str| {
        let names = own.optional::<Vec<String>>(key);
        for name in names.iter().flatten() {
            check_point(&own, key, name, profile);
        }
        names
    };
    let points = named("points");
    let (two_persons, time_boxed) = (named("two_persons"), named("time_boxed"));
    let priority = own.within_or("priority", PRIORITIES, PRIORITY);
    let per_minute = own.within_or("per_minute", 1..=MOST_PER_MINUTE, PER_MINUTE);
    let has = |names: &Option<Vec<String>>, key: &str| names.iter().flatten().any(|name| name == key);
    let writable = profile.points.iter().filter_map(|point| Some((point, point.write?)));
    let open = writable.filter(|(point, _)| points.is_none() || has(&points, &point.key));
    let remote: BTreeMap<_, _> = open
        .map(|(point, write)| {
            let remote = RemoteWrite {
                two_persons: write.two_persons || has(&two_persons, &point.key),
                time_boxed: write.time_boxed || has(&time_boxed, &point.key),
                priority,
                per_minute,
            };
            (point.key.clone(), remote)
        })
        .collect();
    if remote.is_empty() && points.as_ref().is_none_or(Vec::is_empty) {
        let message = format!("{} has no point that is written, or none is named", profile.id);
        table.fault("remote_write", message, "remove it, or name points whose profile has `write`");
    }
    remote
}

fn check_point(own: &Table<'_>, key: &str, name: &str, profile: &Profile) {
    match profile.point(name) {
        Some(point) if point.write.is_some() => {}
        Some(_) => {
            let way_out = "remove it, or give the point `write = { … }` in its profile";
            own.fault(key, format!("{} does not let {name} be written", profile.id), way_out);
        }
        None => {
            let writable = profile.points.iter().filter(|p| p.write.is_some()).map(|p| p.key.as_str());
            let way_out = nearest(name, writable).map_or_else(
                || "name a point of the profile that has `write`".to_owned(),
                |meant| format!("did you mean {meant}?"),
            );
            own.fault(key, format!("{} has no point {name}", profile.id), way_out);
        }
    }
}
