//! Power cuts at any moment, on what gateway and hub keep: what a program wrote and did not sync is lost or torn, and what it
//! had promised by then is there all the same. Each seed is one cut; a failure names it. And disks that refuse or dawdle.
#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::print_stderr,
    reason = "a test says with a panic what broke, and its child speaks to the recorder"
)]

#[path = "power/disk.rs"]
mod disk;
#[path = "power/gateway.rs"]
mod gateway;
#[path = "power/hub.rs"]
mod hub;
#[path = "power/moods.rs"]
mod moods;

use std::path::Path;

use disk::{Chance, Cut, Disk, Entry};
use tempfile::TempDir;

/// Cuts the power at as many moments of a record as wanted and hands each folder that is left to `look`, with the entries
/// that had been played. `lies` is a disk that syncs nothing.
fn cut_everywhere(
    entries: &[Entry],
    cuts: usize,
    cut: Cut,
    lies: bool,
    mut look: impl FnMut(&Path, &[Entry], &str),
) {
    let mut chance = Chance(1);
    let mut moments: Vec<usize> = (0..cuts).map(|_| chance.below(entries.len() + 1)).collect();
    moments.sort_unstable();
    let (mut disk, mut played) = (Disk::new(lies), 0);
    for (seed, moment) in moments.into_iter().enumerate() {
        for entry in &entries[played..moment] {
            disk.play(entry);
        }
        played = moment;
        let folder = in_memory();
        disk.leave(cut, &mut Chance(seed as u64), folder.path());
        let what = format!("{cut:?}, seed {seed}, after {played} of {} entries", entries.len());
        look(folder.path(), &entries[..played], &what);
    }
}

/// Cuts the power at so many moments of a record, in both ways: nothing that had been told by then is missing.
fn assert_kept(entries: &[Entry], cuts: usize, missing: impl Fn(&Path, &[Entry]) -> Result<(), String>) {
    for cut in [Cut::LosesAll, Cut::Tears] {
        cut_everywhere(entries, cuts, cut, false, |left, played, what| {
            missing(left, played).unwrap_or_else(|missing| panic!("{what}: {missing}"));
        });
    }
}

/// A folder whose syncs cost nothing, where there is one: hundreds of them are opened.
fn in_memory() -> TempDir {
    tempfile::tempdir_in("/dev/shm").or_else(|_| tempfile::tempdir()).unwrap()
}

/// Whether tests with a recorder are wanted here at all. Says so where they are not.
fn wanted() -> bool {
    let wanted = std::env::var_os("STEWARD_WITHOUT_POWER_CUTS").is_none();
    if !wanted {
        println!("STEWARD_WITHOUT_POWER_CUTS is set: NOT tested with power cuts");
    }
    wanted
}
