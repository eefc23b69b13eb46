//! Where the hub was reached last, on disk: a hub that is given by name is found again though no name server answers. One
//! small file, written only when the address is another one; it is no secret, and without it only the name helps.

use std::fs;
use std::io::{self, Write as _};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};

use crate::owner::hand_over;

const FILE: &str = "hub-address";

/// The last good address of the hub that is given as `hub`; none where there is none, or where it was another hub's.
pub(super) fn recall(state_dir: &Path, hub: &str) -> Option<SocketAddr> {
    let text = fs::read_to_string(state_dir.join(FILE)).ok()?;
    let (name, address) = text.trim_end().split_once('\n')?;
    (name == hub).then(|| address.parse().ok())?
}

/// Whether the hub is given by a name; an address needs no memory.
pub(super) fn is_by_name(hub: &str) -> bool {
    hub.parse::<SocketAddr>().is_err()
}

/// Keeps it. A file that cannot be written is no reason to do without the hub that was just found.
pub(super) fn keep(state_dir: &Path, hub: &str, address: SocketAddr) {
    if is_by_name(hub)
        && recall(state_dir, hub) != Some(address)
        && let Err(e) = write(state_dir, &format!("{hub}\n{address}\n"))
    {
        tracing::warn!(error = %e, "the hub's address cannot be kept; without a name server it will not be found");
    }
}

fn write(state_dir: &Path, text: &str) -> io::Result<()> {
    let (file, next): (PathBuf, PathBuf) = (state_dir.join(FILE), state_dir.join(format!("{FILE}.next")));
    let mut out = fs::File::create(&next)?;
    hand_over(&next, &fs::metadata(state_dir)?)?;
    out.write_all(text.as_bytes())?;
    out.sync_all()?;
    fs::rename(&next, &file)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_is_kept_for_the_name_that_it_was_found_by() {
        let dir = tempfile::tempdir().unwrap();
        let (a, b) = ("10.0.0.7:7443".parse().unwrap(), "[fd00::1]:7443".parse().unwrap());
        assert_eq!(recall(dir.path(), "hub.example:7443"), None);
        keep(dir.path(), "hub.example:7443", a);
        assert_eq!(recall(dir.path(), "hub.example:7443"), Some(a));
        assert_eq!(recall(dir.path(), "other.example:7443"), None);
        keep(dir.path(), "hub.example:7443", b);
        assert_eq!(recall(dir.path(), "hub.example:7443"), Some(b));
        keep(dir.path(), "10.0.0.9:7443", a);
        assert_eq!(recall(dir.path(), "10.0.0.9:7443"), None, "an address needs no memory");
        for damaged in ["", "hub.example:7443", "hub.example:7443\nnowhere\n", "\0"] {
            fs::write(dir.path().join(FILE), damaged).unwrap();
            assert_eq!(recall(dir.path(), "hub.example:7443"), None, "{damaged:?}");
        }
    }
}
