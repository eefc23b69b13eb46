//! The right to a folder: one run at a time, and only in a folder that was empty when a run first came or that bears the
//! mark of an earlier one. What somebody else has put into a folder is never removed.

use std::fs::File;
use std::io::{Read as _, Write as _};
use std::path::{Path, PathBuf};

use crate::files;

/// Marks a folder as ours, is locked while a run has it, and says which run that is.
const MARK: &str = "run.lock";

/// Held as long as the run goes on.
pub struct Claim {
    folder: PathBuf,
    mark: File,
}

/// Whether a run has been here.
pub fn is_marked(folder: &Path) -> bool {
    folder.join(MARK).is_file()
}

/// Who runs in this folder, if somebody does.
pub fn holder(folder: &Path) -> Option<String> {
    let mut file = File::open(folder.join(MARK)).ok()?;
    let free = file.try_lock().is_ok();
    let mut said = String::new();
    // An unreadable word about itself does not change that it runs.
    let _ = file.read_to_string(&mut said);
    (!free).then_some(said)
}

impl Claim {
    /// `fresh`: what earlier runs have left in the folder is thrown away.
    pub fn on(folder: &Path, fresh: bool) -> Result<Self, String> {
        files::make_folder(folder)?;
        let path = folder.join(MARK);
        if !is_marked(folder) && !files::entries(folder)?.is_empty() {
            return Err(format!(
                "{} holds files that no demo has put there; name a folder that is new or empty",
                folder.display()
            ));
        }
        let fault = |e: std::io::Error| format!("cannot lock {}: {e}", path.display());
        let mark = File::options().create(true).read(true).append(true).open(&path).map_err(fault)?;
        if mark.try_lock().is_err() {
            let who = holder(folder).unwrap_or_default();
            return Err(format!(
                "{} is in use by another run ({}); stop that one first, with Ctrl-C where it runs or by \
                 its process id",
                folder.display(),
                who.trim(),
            ));
        }
        if fresh {
            for entry in files::entries(folder)?.iter().filter(|entry| **entry != path) {
                files::remove(entry)?;
            }
        }
        Ok(Self { folder: folder.to_owned(), mark })
    }

    pub fn folder(&self) -> &Path {
        &self.folder
    }

    /// What a second run is told of this one.
    pub fn sign(&mut self, page: u16) -> Result<(), String> {
        let own = std::process::id();
        let signed =
            self.mark.set_len(0).and_then(|()| writeln!(self.mark, "process {own}, http://127.0.0.1:{page}"));
        signed.map_err(|e| format!("cannot write {}: {e}", self.folder.join(MARK).display()))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(name: &str) -> PathBuf {
        let folder = files::target().join(name);
        files::remove(&folder).unwrap();
        folder
    }

    #[test]
    fn a_folder_belongs_to_one_run_at_a_time_and_a_second_one_leaves_it_as_it_is() {
        let folder = folder("xtask-claim-test");
        assert_eq!(holder(&folder), None);
        let mut first = Claim::on(&folder, true).unwrap();
        first.sign(8080).unwrap();
        files::write(&folder.join("kept"), "x").unwrap();
        let refused = Claim::on(&folder, true).err().unwrap();
        let own = std::process::id();
        assert!(refused.contains(&format!("process {own}, http://127.0.0.1:8080")), "{refused}");
        assert!(folder.join("kept").is_file());
        drop(first);
        assert_eq!(holder(&folder), None);
        drop(Claim::on(&folder, false).unwrap());
        assert!(folder.join("kept").is_file());
        drop(Claim::on(&folder, true).unwrap());
        assert!(!folder.join("kept").exists());
        files::remove(&folder).unwrap();
    }

    #[test]
    fn a_folder_of_somebody_else_is_left_alone() {
        let folder = folder("xtask-claim-other");
        files::write(&folder.join("thesis/chapter-1"), "x").unwrap();
        for fresh in [true, false] {
            let refused = Claim::on(&folder, fresh).err().unwrap();
            assert!(refused.contains("new or empty"), "{refused}");
        }
        assert_eq!(files::entries(&folder).unwrap(), [folder.join("thesis")]);
        files::remove(&folder).unwrap();
    }
}
