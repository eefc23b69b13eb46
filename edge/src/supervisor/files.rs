//! Whether the gateway's file or a profile has changed: looks at modification time and size every few
//! seconds, which costs nothing and works on every file system, network shares too. The supervisor asks.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::SystemTime;

type Stamp = BTreeMap<PathBuf, (Option<SystemTime>, u64)>;

/// Files as they were when their content was last taken over.
#[derive(Debug)]
pub struct Files {
    config: PathBuf,
    folders: Vec<PathBuf>,
    taken: Stamp,
    before: Stamp,
}

impl Files {
    pub fn new(config: &Path, folders: &[PathBuf]) -> Self {
        let mut files = Self {
            config: config.to_owned(),
            folders: folders.to_vec(),
            taken: Stamp::new(),
            before: Stamp::new(),
        };
        files.taken = files.look();
        files.before = files.taken.clone();
        files
    }

    /// The folders that the configuration in force names.
    pub fn watch(&mut self, folders: &[PathBuf]) {
        if self.folders != folders {
            self.folders = folders.to_vec();
            self.taken = self.look();
            self.before = self.taken.clone();
        }
    }

    /// True once for each change, and not before two looks in a row saw the same: an editor that is still
    /// writing is waited for.
    pub fn changed(&mut self) -> bool {
        let now = self.look();
        let settled = now == self.before;
        self.before = now;
        if settled && self.before != self.taken {
            self.taken = self.before.clone();
            return true;
        }
        false
    }

    /// What is there now is known: somebody else (a signal) had it read.
    pub fn taken(&mut self) {
        self.taken = self.look();
        self.before = self.taken.clone();
    }

    fn look(&self) -> Stamp {
        let mut stamp = Stamp::new();
        add(&mut stamp, &self.config);
        for vendor in self.folders.iter().flat_map(|folder| entries(folder)).filter(|p| p.is_dir()) {
            for file in entries(&vendor).into_iter().filter(|p| p.extension().is_some_and(|e| e == "toml")) {
                add(&mut stamp, &file);
            }
        }
        stamp
    }
}

fn entries(folder: &Path) -> Vec<PathBuf> {
    let Ok(entries) = std::fs::read_dir(folder) else { return Vec::new() };
    entries.filter_map(|e| Some(e.ok()?.path())).collect()
}

/// A file that is missing for a moment, while an editor replaces it, is a change like any other.
fn add(stamp: &mut Stamp, path: &Path) {
    let seen = std::fs::metadata(path).map_or((None, 0), |m| (m.modified().ok(), m.len()));
    stamp.insert(path.to_owned(), seen);
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_change_is_told_once_and_only_when_it_has_settled() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("edge.toml");
        std::fs::write(&file, "a").unwrap();
        let mut files = Files::new(&file, &[]);
        assert!(!files.changed());
        std::fs::write(&file, "ab").unwrap();
        assert!(!files.changed(), "seen for the first time");
        std::fs::write(&file, "abc").unwrap();
        assert!(!files.changed(), "still being written");
        assert!(files.changed());
        assert!(!files.changed());
    }

    #[test]
    fn a_profile_that_comes_changes_or_goes_is_a_change() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("edge.toml");
        let profiles = folder.path().join("profiles");
        std::fs::create_dir_all(profiles.join("acme")).unwrap();
        let mut files = Files::new(&file, std::slice::from_ref(&profiles));
        std::fs::write(profiles.join("acme/m1.toml"), "x").unwrap();
        assert!(!files.changed());
        assert!(files.changed());
        std::fs::remove_file(profiles.join("acme/m1.toml")).unwrap();
        assert!(!files.changed());
        assert!(files.changed());
    }
}
