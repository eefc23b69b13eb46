//! The ballast: a file that keeps room for alarms. When the disk is full it is given up; when there is space again
//! it is made again. The writer owns it.

use std::fs::{self, OpenOptions};
use std::io;
use std::path::{Path, PathBuf};

use nix::sys::statvfs::statvfs;

/// Room for some ten thousand events and for the log of the transactions that drop telemetry.
pub(super) const BALLAST_BYTES: u64 = 4 << 20;

#[derive(Debug)]
pub(super) struct Ballast {
    path: PathBuf,
}

impl Ballast {
    pub fn in_folder(dir: &Path) -> Self {
        Self { path: dir.join("ballast") }
    }

    pub fn release(&self) -> io::Result<()> {
        match fs::remove_file(&self.path) {
            Err(e) if e.kind() != io::ErrorKind::NotFound => Err(e),
            _ => Ok(()),
        }
    }

    /// Makes the ballast if it is missing and the disk has room for it and as much again. Answers whether it stands.
    pub fn restore(&self) -> io::Result<bool> {
        if fs::metadata(&self.path).is_ok_and(|m| m.len() >= BALLAST_BYTES) {
            return Ok(true);
        }
        if free_bytes(self.path.parent().unwrap_or(Path::new("/")))? < 2 * BALLAST_BYTES {
            return Ok(false);
        }
        let file = OpenOptions::new().create(true).append(true).open(&self.path)?;
        let made = nix::fcntl::posix_fallocate(&file, 0, BALLAST_BYTES as nix::libc::off_t);
        if let Err(e) = made.map_err(io::Error::from).and_then(|()| file.sync_all()) {
            self.release()?;
            return if e.kind() == io::ErrorKind::StorageFull { Ok(false) } else { Err(e) };
        }
        Ok(true)
    }
}

/// Bytes that this user may still write to the disk of a folder.
pub(super) fn free_bytes(dir: &Path) -> io::Result<u64> {
    let s = statvfs(dir)?;
    #[allow(clippy::useless_conversion, reason = "the fields' type differs between targets")]
    Ok(u64::from(s.blocks_available()) * u64::from(s.fragment_size()))
}
