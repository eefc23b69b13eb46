//! The file of one hold: `holds/<device>.<point>.json`. It is on the disk before anything is written to the device, and
//! locked by the tool as long as that lives, so that whoever finds it unlocked knows that its tool has died. It belongs to
//! whom the data folder belongs: a tool of root must not leave the daemon a hold that it cannot read or remove.

use std::fs::File;
use std::io::{self, Write};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use steward_shared::time::Timestamp;

use crate::owner::hand_over;

const FOLDER: &str = "holds";

/// What is held, and what comes back.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Hold {
    pub device: String,
    pub point: String,
    /// The point's registers as they were.
    pub before: Vec<u16>,
    /// What was written.
    pub written: Vec<u16>,
    /// Of a BACnet object, in place of registers.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub command: Option<HeldCommand>,
    pub until: Timestamp,
    /// Who wrote it.
    pub by: String,
}

/// What is held in a BACnet object, as its point shows it.
#[derive(Clone, Copy, Debug, PartialEq, Serialize, Deserialize)]
pub struct HeldCommand {
    /// The slot of its priority array.
    pub priority: u8,
    /// What stood in the slot; none where nothing was commanded there.
    pub before: Option<f64>,
    /// What was put there; none where it was given up.
    pub written: Option<f64>,
}

/// A hold with its file, locked.
#[derive(Debug)]
pub struct Kept {
    pub hold: Hold,
    path: PathBuf,
    _lock: File,
}

#[derive(Debug, thiserror::Error)]
pub enum HoldError {
    #[error("it is held already")]
    Held(Box<Hold>),
    #[error("{0} cannot be used")]
    File(PathBuf, #[source] io::Error),
}

/// Where the hold of a point lies.
fn place(data: &Path, device: &str, point: &str) -> PathBuf {
    data.join(FOLDER).join(format!("{device}.{point}.json"))
}

impl Kept {
    /// Writes the file and locks it. A point that is held is not held twice.
    pub fn begin(data: &Path, hold: Hold) -> Result<Self, HoldError> {
        let folder = data.join(FOLDER);
        let path = place(data, &hold.device, &hold.point);
        let fault = |e| HoldError::File(path.clone(), e);
        std::fs::create_dir_all(&folder).map_err(fault)?;
        let owner = std::fs::metadata(data).map_err(fault)?;
        hand_over(&folder, &owner).map_err(fault)?;
        let mut file = match File::options().write(true).create_new(true).open(&path) {
            Ok(file) => file,
            Err(e) if e.kind() == io::ErrorKind::AlreadyExists => {
                return Err(match read(&path) {
                    Ok(first) => HoldError::Held(Box::new(first)),
                    Err(e) => HoldError::File(path, e),
                });
            }
            Err(e) => return Err(fault(e)),
        };
        file.try_lock().map_err(|e| fault(e.into()))?;
        hand_over(&path, &owner).map_err(fault)?;
        let text = serde_json::to_vec(&hold).expect("a hold has texts for keys");
        file.write_all(&text).and_then(|()| file.sync_all()).map_err(fault)?;
        // The name too must survive a power cut.
        File::open(&folder).and_then(|folder| folder.sync_all()).map_err(fault)?;
        Ok(Self { hold, path, _lock: file })
    }

    /// Who holds this point, if anybody does.
    pub fn held(data: &Path, device: &str, point: &str) -> Option<Hold> {
        read(&place(data, device, point)).ok()
    }

    /// Device and key of every point that somebody holds.
    pub fn points(data: &Path) -> Vec<(String, String)> {
        let Ok(entries) = std::fs::read_dir(data.join(FOLDER)) else { return Vec::new() };
        let hold = |path: PathBuf| read(&path).ok().map(|hold| (hold.device, hold.point));
        entries.filter_map(|entry| hold(entry.ok()?.path())).collect()
    }

    /// Takes over the hold of this point whose holder has died.
    pub fn take_over(data: &Path, device: &str, point: &str) -> Option<Self> {
        let path = place(data, device, point);
        let lock = File::open(&path).ok()?;
        lock.try_lock().ok()?;
        Some(Self { hold: read(&path).ok()?, path, _lock: lock })
    }

    /// The holds whose tool has died. A file that is no hold is left alone.
    pub fn orphans(data: &Path) -> Vec<Self> {
        let Ok(entries) = std::fs::read_dir(data.join(FOLDER)) else { return Vec::new() };
        let orphan = |path: PathBuf| {
            let lock = File::open(&path).ok()?;
            lock.try_lock().ok()?;
            Some(Self { hold: read(&path).ok()?, path, _lock: lock })
        };
        entries.filter_map(|entry| orphan(entry.ok()?.path())).collect()
    }

    /// The files of holds that this user may not read, so that nobody can tell what they hold.
    pub fn unreadable(data: &Path) -> Vec<PathBuf> {
        let Ok(entries) = std::fs::read_dir(data.join(FOLDER)) else { return Vec::new() };
        let closed =
            |path: &PathBuf| File::open(path).is_err_and(|e| e.kind() == io::ErrorKind::PermissionDenied);
        entries.filter_map(|entry| Some(entry.ok()?.path())).filter(closed).collect()
    }

    /// It is over: what stood before stands again, or somebody else has written since.
    pub fn end(self) -> io::Result<()> {
        std::fs::remove_file(&self.path)
    }
}

fn read(path: &Path) -> io::Result<Hold> {
    Ok(serde_json::from_slice(&std::fs::read(path)?)?)
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{MetadataExt, chown};

    use super::*;

    fn hold() -> Hold {
        Hold {
            device: "ahu".to_owned(),
            point: "setpoint".to_owned(),
            before: vec![225],
            written: vec![240],
            command: None,
            until: Timestamp::from_millis(1_000),
            by: "anna".to_owned(),
        }
    }

    #[test]
    fn a_hold_is_an_orphan_only_when_its_tool_has_died() {
        let data = tempfile::tempdir().unwrap();
        let kept = Kept::begin(data.path(), hold()).unwrap();
        assert!(Kept::orphans(data.path()).is_empty(), "its tool lives");
        assert!(matches!(Kept::begin(data.path(), hold()), Err(HoldError::Held(held)) if *held == hold()));
        drop(kept);
        let orphans = Kept::orphans(data.path());
        assert_eq!(orphans.iter().map(|k| k.hold.clone()).collect::<Vec<_>>(), [hold()]);
        assert!(Kept::orphans(data.path()).is_empty(), "somebody brings it back already");
        for orphan in orphans {
            orphan.end().unwrap();
        }
        assert!(Kept::orphans(data.path()).is_empty());
        Kept::begin(data.path(), hold()).unwrap();
    }

    #[test]
    fn a_hold_of_root_belongs_to_the_user_of_the_data_folder() {
        let data = tempfile::tempdir().unwrap();
        let daemon = if nix::unistd::getuid().is_root() {
            65_534
        } else {
            eprintln!("only root can give files away: that a user keeps its own is all that is tried here");
            nix::unistd::getuid().as_raw()
        };
        chown(data.path(), Some(daemon), None).unwrap();
        drop(Kept::begin(data.path(), hold()).unwrap());
        let (folder, file) = (data.path().join(FOLDER), data.path().join("holds/ahu.setpoint.json"));
        for path in [folder, file] {
            assert_eq!(std::fs::metadata(&path).unwrap().uid(), daemon, "{}", path.display());
        }
        assert!(Kept::unreadable(data.path()).is_empty());
    }

    #[test]
    fn a_file_that_is_no_hold_is_left_alone() {
        let data = tempfile::tempdir().unwrap();
        std::fs::create_dir(data.path().join(FOLDER)).unwrap();
        std::fs::write(data.path().join("holds/x.json"), "{").unwrap();
        assert!(Kept::orphans(data.path()).is_empty());
        assert!(data.path().join("holds/x.json").exists());
    }
}
