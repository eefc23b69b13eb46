//! Files that people upload, by the hash of their content, in a folder beside the database. The type is found in
//! the bytes themselves; what the sender calls it does not count. A file is never changed; the same content is
//! kept once, and stays when nothing names it any more, because the audit trail does.

use std::io::Write;
use std::path::{Path, PathBuf};

use sha2::{Digest, Sha256};

/// Why a file is not taken or not given.
#[derive(Debug, thiserror::Error)]
pub enum FileError {
    #[error("this is none of the kinds that are taken here: {0}")]
    WrongKind(String),
    #[error("the file {0} is not in the hub's folder; restore it from a backup")]
    Missing(String),
    #[error("the hub's folder for files cannot be used")]
    Disk(#[source] std::io::Error),
}

/// A file that was taken in.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Kept {
    /// SHA-256 of the content, in hex: the file's name.
    pub hash: String,
    /// Its media type.
    pub kind: &'static str,
}

/// Takes a file of one of these media types; on disk when this returns.
pub async fn keep(data: &Path, content: Vec<u8>, kinds: &[&str]) -> Result<Kept, FileError> {
    let kind = kind_of(&content).filter(|k| kinds.contains(k));
    let kind = kind.ok_or_else(|| FileError::WrongKind(kinds.join(", ")))?;
    let hash = data_encoding::HEXLOWER.encode(&Sha256::digest(&content));
    let path = path_of(data, &hash);
    let kept = Kept { hash, kind };
    let written = tokio::task::spawn_blocking(move || write(&path, &content));
    written.await.unwrap_or_else(|e| Err(std::io::Error::other(e))).map_err(FileError::Disk)?;
    Ok(kept)
}

/// The content of a file that was taken in; a damaged one counts as missing.
pub async fn read(data: &Path, hash: &str) -> Result<Vec<u8>, FileError> {
    let missing = || FileError::Missing(hash.to_owned());
    match tokio::fs::read(path_of(data, hash)).await {
        Ok(content) if data_encoding::HEXLOWER.encode(&Sha256::digest(&content)) == hash => Ok(content),
        Ok(_) => Err(missing()),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Err(missing()),
        Err(e) => Err(FileError::Disk(e)),
    }
}

fn path_of(data: &Path, hash: &str) -> PathBuf {
    let (first, rest) = hash.split_at(2.min(hash.len()));
    data.join("files").join(first).join(rest)
}

/// Whole or not at all, also through a power cut.
fn write(path: &Path, content: &[u8]) -> std::io::Result<()> {
    if path.exists() {
        return Ok(());
    }
    let folder = path.parent().ok_or(std::io::ErrorKind::InvalidInput)?;
    std::fs::create_dir_all(folder)?;
    let draft = path.with_extension("part");
    let mut file = std::fs::File::create(&draft)?;
    file.write_all(content)?;
    file.sync_all()?;
    std::fs::rename(&draft, path)?;
    std::fs::File::open(folder)?.sync_all()
}

/// The media type by the first bytes (WHATWG MIME Sniffing, clause 6).
fn kind_of(content: &[u8]) -> Option<&'static str> {
    match content {
        [0x89, b'P', b'N', b'G', 0x0d, 0x0a, 0x1a, 0x0a, ..] => Some("image/png"),
        [0xff, 0xd8, 0xff, ..] => Some("image/jpeg"),
        [b'R', b'I', b'F', b'F', _, _, _, _, b'W', b'E', b'B', b'P', ..] => Some("image/webp"),
        [b'%', b'P', b'D', b'F', b'-', ..] => Some("application/pdf"),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const PNG: &[u8] = b"\x89PNG\r\n\x1a\n and so on";

    #[tokio::test]
    async fn a_file_comes_back_as_it_came_and_a_damaged_one_does_not() {
        let dir = tempfile::tempdir().unwrap();
        let kept = keep(dir.path(), PNG.to_vec(), &["image/png"]).await.unwrap();
        assert_eq!(keep(dir.path(), PNG.to_vec(), &["image/png"]).await.unwrap(), kept);
        assert_eq!(read(dir.path(), &kept.hash).await.unwrap(), PNG);
        std::fs::write(path_of(dir.path(), &kept.hash), b"other").unwrap();
        assert!(matches!(read(dir.path(), &kept.hash).await, Err(FileError::Missing(_))));
    }

    #[tokio::test]
    async fn the_kind_is_in_the_bytes_and_not_in_the_name() {
        let dir = tempfile::tempdir().unwrap();
        for wrong in [&b"<svg onload=alert(1)>"[..], b"MZ\x90", b"", PNG] {
            let refused = keep(dir.path(), wrong.to_vec(), &["application/pdf"]).await;
            assert!(matches!(refused, Err(FileError::WrongKind(_))));
        }
        assert!(!dir.path().join("files").exists());
    }
}
