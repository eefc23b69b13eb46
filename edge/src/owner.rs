//! Whose the files of the data folder are: the program runs as a user of its own, and root's commands beside it (`enrol`,
//! `write`) make files there too. Whoever makes one hands it over, or the program could neither read nor remove it.

use std::fs::{self, Metadata};
use std::io;
use std::os::unix::fs::{MetadataExt, chown};
use std::path::Path;

/// Gives `path` to whom the data folder belongs, whose `owner` this is. Only root may give away; for anybody else it is
/// the program's own file already.
pub(crate) fn hand_over(path: &Path, owner: &Metadata) -> io::Result<()> {
    let present = fs::metadata(path)?;
    if (present.uid(), present.gid()) == (owner.uid(), owner.gid()) {
        return Ok(());
    }
    match chown(path, Some(owner.uid()), Some(owner.gid())) {
        Err(e) if e.kind() == io::ErrorKind::PermissionDenied => Ok(()),
        done => done,
    }
}
