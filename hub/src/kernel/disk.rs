//! Files of the data folder: there whole or not at all, also after a power cut. Everything here blocks.

use std::fs::{File, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::OpenOptionsExt;
use std::path::{Path, PathBuf};

/// A key that cannot be had.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    #[error("{path}: the key cannot be read or written; check that the hub owns its data folder")]
    File { path: PathBuf, source: io::Error },
    #[error(
        "{0}: this is no key of 32 bytes; restore it from the backup, or remove it to have a new one made"
    )]
    Damaged(PathBuf),
}

/// The content on disk under a name that nobody else has, beside the place that it is meant for.
pub fn draft(path: &Path, content: &[u8], mode: u32) -> io::Result<PathBuf> {
    let folder = path.parent().ok_or(io::ErrorKind::InvalidInput)?;
    make_folder(folder)?;
    let draft = path.with_extension(format!("{:016x}.part", getrandom::u64().map_err(io::Error::other)?));
    let mut file = OpenOptions::new().write(true).create_new(true).mode(mode).open(&draft)?;
    let written = file.write_all(content).and_then(|()| file.sync_all());
    if written.is_err() {
        let _ = std::fs::remove_file(&draft);
    }
    written.map(|()| draft)
}

/// Puts a draft in its place.
pub fn settle(draft: &Path, path: &Path) -> io::Result<()> {
    std::fs::rename(draft, path)?;
    sync_folder(path)
}

/// The 32 random bytes that are kept in this file; made when they are not there.
pub fn own_key(path: &Path) -> Result<[u8; 32], KeyError> {
    let at = |source| KeyError::File { path: path.to_owned(), source };
    if !path.try_exists().map_err(at)? {
        let mut key = [0; 32];
        getrandom::fill(&mut key).map_err(|e| at(io::Error::other(e)))?;
        let draft = draft(path, &key, 0o600).map_err(at)?;
        // Another hub of the same folder may have been faster: its key counts.
        let linked = std::fs::hard_link(&draft, path);
        let _ = std::fs::remove_file(&draft);
        match linked {
            Err(e) if e.kind() != io::ErrorKind::AlreadyExists => return Err(at(e)),
            _ => sync_folder(path).map_err(at)?,
        }
    }
    let kept = std::fs::read(path).map_err(at)?;
    kept.try_into().map_err(|_| KeyError::Damaged(path.to_owned()))
}

/// A folder is on disk when the one that it lies in is synced.
fn make_folder(folder: &Path) -> io::Result<()> {
    if folder.is_dir() {
        return Ok(());
    }
    if let Some(parent) = folder.parent() {
        make_folder(parent)?;
    }
    match std::fs::create_dir(folder) {
        Err(e) if e.kind() != io::ErrorKind::AlreadyExists => Err(e),
        _ => sync_folder(folder),
    }
}

/// Syncs the folder that the file or folder lies in.
fn sync_folder(path: &Path) -> io::Result<()> {
    File::open(path.parent().ok_or(io::ErrorKind::InvalidInput)?)?.sync_all()
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;

    #[test]
    fn a_key_is_made_once_and_nobody_else_may_read_it() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("deep/test.key");
        let key = own_key(&path).unwrap();
        assert_eq!(own_key(&path).unwrap(), key);
        assert_ne!(key, own_key(&dir.path().join("other.key")).unwrap());
        assert_eq!(path.metadata().unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(std::fs::read_dir(dir.path().join("deep")).unwrap().count(), 1);
        std::fs::write(&path, b"short").unwrap();
        assert!(own_key(&path).unwrap_err().to_string().contains("test.key: this is no key"));
    }
}
