//! Where things lie, and a fingerprint of folders, so that nothing is built twice.

use std::fs;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::path::{Path, PathBuf};

/// The root of the workspace.
pub fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).ancestors().nth(2).expect("xtask stands in tests/xtask").to_owned()
}

/// Where cargo puts what it builds: wherever it has put this program (`<target>/debug/xtask`, or a test of it one folder
/// deeper), however that was set.
pub fn target() -> PathBuf {
    let own = std::env::current_exe().unwrap_or_default();
    let profile =
        own.ancestors().find(|dir| dir.file_name().is_some_and(|name| name == "debug" || name == "release"));
    profile.and_then(Path::parent).map_or_else(|| root().join("target"), Path::to_owned)
}

pub fn read(path: &Path) -> Result<String, String> {
    fs::read_to_string(path).map_err(|e| format!("cannot read {}: {e}", path.display()))
}

pub fn write(path: &Path, text: impl AsRef<[u8]>) -> Result<(), String> {
    make_folder(path.parent().expect("a file lies in a folder"))?;
    fs::write(path, text).map_err(|e| format!("cannot write {}: {e}", path.display()))
}

pub fn make_folder(path: &Path) -> Result<(), String> {
    fs::create_dir_all(path).map_err(|e| format!("cannot make the folder {}: {e}", path.display()))
}

/// The file or the folder with all that is in it; it need not be there.
pub fn remove(path: &Path) -> Result<(), String> {
    let removed = if path.is_dir() { fs::remove_dir_all(path) } else { fs::remove_file(path) };
    match removed {
        Err(e) if e.kind() != std::io::ErrorKind::NotFound => {
            Err(format!("cannot remove {}: {e}", path.display()))
        }
        _ => Ok(()),
    }
}

/// What lies in a folder, sorted.
pub fn entries(folder: &Path) -> Result<Vec<PathBuf>, String> {
    let fault = |e: std::io::Error| format!("cannot read the folder {}: {e}", folder.display());
    let entries = fs::read_dir(folder).map_err(fault)?.map(|entry| entry.map(|e| e.path()));
    let mut entries: Vec<PathBuf> = entries.collect::<Result<_, _>>().map_err(fault)?;
    entries.sort();
    Ok(entries)
}

/// Every file below the paths, sorted; folders named in `without` are passed over.
pub fn below(paths: &[PathBuf], without: &[&str]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    let mut open: Vec<PathBuf> = paths.to_vec();
    while let Some(path) = open.pop() {
        if path.is_dir() {
            let named = path.file_name().and_then(|n| n.to_str()).unwrap_or("");
            if !without.contains(&named) {
                open.extend(fs::read_dir(&path).into_iter().flatten().flatten().map(|entry| entry.path()));
            }
        } else if path.is_file() {
            found.push(path);
        }
    }
    found.sort();
    found
}

/// A fingerprint of names and contents. It decides only whether to build again, so a fast hash is enough.
pub fn fingerprint(paths: &[PathBuf], without: &[&str]) -> String {
    let mut hasher = DefaultHasher::new();
    for path in below(paths, without) {
        path.hash(&mut hasher);
        fs::read(&path).unwrap_or_default().hash(&mut hasher);
    }
    format!("{:016x}", hasher.finish())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_changed_byte_changes_the_fingerprint() {
        let dir = target().join("xtask-fingerprint-test");
        write(&dir.join("a"), "one").unwrap();
        let before = fingerprint(std::slice::from_ref(&dir), &[]);
        assert_eq!(before, fingerprint(std::slice::from_ref(&dir), &[]));
        write(&dir.join("a"), "two").unwrap();
        assert_ne!(before, fingerprint(std::slice::from_ref(&dir), &[]));
        remove(&dir).unwrap();
    }
}
