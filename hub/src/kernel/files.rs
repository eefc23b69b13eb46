//! Files that people upload, by the hash of their content, in a folder beside the database. The type is found in
//! the bytes themselves; what the sender calls it does not count. A file is never changed, and the same content is
//! kept once. One that no row of any module names goes after a day; the audit trail keeps its hash.

use std::collections::HashSet;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, SystemTime};

use futures_util::future::BoxFuture;
use sha2::{Digest, Sha256};
use steward_shared::time::Timestamp;

use super::ctx::Ctx;
use super::disk;
use super::jobs::Job;
use super::module::BoxError;

/// A file that was just taken in is named by no row yet.
const UNNAMED_FOR: Duration = Duration::from_hours(24);

/// Putting a file in its place and sweeping it away exclude each other.
static TURN: Mutex<()> = Mutex::new(());

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

/// The hashes that a module's rows name.
pub type Named = for<'a> fn(&'a Ctx) -> BoxFuture<'a, Result<Vec<String>, BoxError>>;

/// Those of all modules; put into the context at start.
pub struct AllNamed(pub Vec<Named>);

/// Takes a file of one of these media types; on disk when this returns.
pub async fn keep(ctx: &Ctx, content: Vec<u8>, kinds: &[&str]) -> Result<Kept, FileError> {
    let kind = kind_of(&content).filter(|k| kinds.contains(k));
    let kind = kind.ok_or_else(|| FileError::WrongKind(kinds.join(", ")))?;
    let hash = data_encoding::HEXLOWER.encode(&Sha256::digest(&content));
    let (path, now) = (path_of(&ctx.settings.data, &hash), ctx.now());
    let kept = Kept { hash, kind };
    on_a_thread(move || write(&path, &content, now)).await?;
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

pub fn job() -> Job {
    Job {
        name: "kernel.files",
        every: Duration::from_hours(6),
        run: |ctx| Box::pin(async move { sweep(&ctx).await }),
    }
}

/// Removes what no row names, and drafts that were never finished.
pub async fn sweep(ctx: &Ctx) -> Result<(), BoxError> {
    let Some(all) = ctx.find_part::<AllNamed>() else { return Ok(()) };
    let mut named = HashSet::new();
    for of_module in &all.0 {
        named.extend(of_module(ctx).await?.iter().map(|hash| path_of(&ctx.settings.data, hash)));
    }
    let (folder, before) = (ctx.settings.data.join("files"), ctx.now().minus(UNNAMED_FOR));
    let gone = on_a_thread(move || remove_unnamed(&folder, &named, instant(before))).await?;
    if gone > 0 {
        tracing::info!(files = gone, "files that nothing names any more are removed");
    }
    Ok(())
}

async fn on_a_thread<T: Send + 'static>(
    work: impl FnOnce() -> std::io::Result<T> + Send + 'static,
) -> Result<T, FileError> {
    let done = tokio::task::spawn_blocking(work).await;
    done.unwrap_or_else(|e| Err(std::io::Error::other(e))).map_err(FileError::Disk)
}

fn path_of(data: &Path, hash: &str) -> PathBuf {
    let (first, rest) = hash.split_at(2.min(hash.len()));
    data.join("files").join(first).join(rest)
}

fn instant(at: Timestamp) -> SystemTime {
    SystemTime::UNIX_EPOCH + Duration::from_millis(u64::try_from(at.as_millis()).unwrap_or(0))
}

/// Whole or not at all, also through a power cut, and young from now on. A damaged file is replaced.
fn write(path: &Path, content: &[u8], now: Timestamp) -> std::io::Result<()> {
    let is_there = |path: &Path| std::fs::read(path).is_ok_and(|old| old == content);
    if is_there(path) {
        let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
        if path.exists() {
            return File::open(path)?.set_modified(instant(now));
        }
    }
    let draft = disk::draft(path, content, 0o600)?;
    File::open(&draft)?.set_modified(instant(now))?;
    let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
    disk::settle(&draft, path)
}

fn remove_unnamed(folder: &Path, named: &HashSet<PathBuf>, before: SystemTime) -> std::io::Result<usize> {
    let mut gone = 0;
    for first in entries(folder)? {
        for path in entries(&first)? {
            let _turn = TURN.lock().unwrap_or_else(PoisonError::into_inner);
            if !named.contains(&path) && path.metadata()?.modified()? < before {
                std::fs::remove_file(&path)?;
                gone += 1;
            }
        }
    }
    Ok(gone)
}

/// None where there is no such folder yet.
fn entries(folder: &Path) -> std::io::Result<Vec<PathBuf>> {
    match std::fs::read_dir(folder) {
        Ok(entries) => entries.map(|e| e.map(|e| e.path())).collect(),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound => Ok(Vec::new()),
        Err(e) => Err(e),
    }
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
    use std::sync::Arc;

    use steward_shared::id::RandomIds;
    use steward_shared::time::{Clock, ManualClock};

    use super::*;
    use crate::kernel::db::testing::{TestDb, fresh_sqlite};
    use crate::kernel::settings::Settings;

    const PNG: &[u8] = b"\x89PNG\r\n\x1a\n and so on";

    async fn site() -> (TestDb, Ctx, Arc<ManualClock>) {
        let fresh = fresh_sqlite().await;
        let clock = Arc::new(ManualClock::at("2026-03-01T08:00:00Z".parse().unwrap()));
        let settings = Settings { data: fresh.dir.path().to_owned(), ..Settings::default() };
        let ctx = Ctx::new(fresh.db.clone(), clock.clone(), Arc::new(RandomIds), settings);
        (fresh, ctx, clock)
    }

    #[tokio::test]
    async fn a_file_comes_back_as_it_came_and_a_damaged_one_does_not() {
        let (fresh, ctx, _) = site().await;
        let data = fresh.dir.path();
        let kept = keep(&ctx, PNG.to_vec(), &["image/png"]).await.unwrap();
        assert_eq!(keep(&ctx, PNG.to_vec(), &["image/png"]).await.unwrap(), kept);
        assert_eq!(read(data, &kept.hash).await.unwrap(), PNG);
        std::fs::write(path_of(data, &kept.hash), b"other").unwrap();
        assert!(matches!(read(data, &kept.hash).await, Err(FileError::Missing(_))));
        // Who has it still may bring it again.
        keep(&ctx, PNG.to_vec(), &["image/png"]).await.unwrap();
        assert_eq!(read(data, &kept.hash).await.unwrap(), PNG);
    }

    #[tokio::test]
    async fn the_kind_is_in_the_bytes_and_not_in_the_name() {
        let (fresh, ctx, _) = site().await;
        for wrong in [&b"<svg onload=alert(1)>"[..], b"MZ\x90", b"", PNG] {
            let refused = keep(&ctx, wrong.to_vec(), &["application/pdf"]).await;
            assert!(matches!(refused, Err(FileError::WrongKind(_))));
        }
        assert!(!fresh.dir.path().join("files").exists());
    }

    #[tokio::test(flavor = "multi_thread")]
    async fn the_same_file_by_many_at_once_is_there_whole_and_leaves_no_draft() {
        let (fresh, ctx, _) = site().await;
        let content: Vec<u8> = PNG.iter().copied().chain(std::iter::repeat_n(7, 1 << 20)).collect();
        let many = (0..8).map(|_| {
            let (ctx, content) = (ctx.clone(), content.clone());
            tokio::spawn(async move { keep(&ctx, content, &["image/png"]).await })
        });
        let mut hash = String::new();
        for one in many.collect::<Vec<_>>() {
            hash = one.await.unwrap().unwrap().hash;
        }
        assert_eq!(read(fresh.dir.path(), &hash).await.unwrap(), content);
        let folder = path_of(fresh.dir.path(), &hash).parent().unwrap().to_owned();
        assert_eq!(entries(&folder).unwrap().len(), 1);
    }

    /// The first of two files is named.
    fn first(ctx: &Ctx) -> BoxFuture<'_, Result<Vec<String>, BoxError>> {
        Box::pin(async { Ok(vec![ctx.part::<Kept>().hash.clone()]) })
    }

    #[tokio::test]
    async fn what_nothing_names_goes_after_a_day_and_comes_back_when_it_is_brought_again() {
        let (fresh, ctx, clock) = site().await;
        sweep(&ctx).await.unwrap();
        let named = keep(&ctx, PNG.to_vec(), &["image/png"]).await.unwrap();
        ctx.put(Arc::new(named.clone()));
        ctx.put(Arc::new(AllNamed(vec![first])));
        sweep(&ctx).await.unwrap();
        let other = keep(&ctx, b"%PDF-1.7".to_vec(), &["application/pdf"]).await.unwrap();
        let draft = path_of(fresh.dir.path(), &other.hash).with_extension("0.part");
        std::fs::write(&draft, b"half").unwrap();
        File::open(&draft).unwrap().set_modified(instant(clock.now())).unwrap();
        let is_there = async |kept: &Kept| read(fresh.dir.path(), &kept.hash).await.is_ok();

        clock.advance(UNNAMED_FOR);
        sweep(&ctx).await.unwrap();
        assert!(is_there(&named).await && is_there(&other).await && draft.exists());
        // Brought again: young again.
        clock.advance(Duration::from_secs(1));
        keep(&ctx, b"%PDF-1.7".to_vec(), &["application/pdf"]).await.unwrap();
        sweep(&ctx).await.unwrap();
        assert!(is_there(&named).await && is_there(&other).await && !draft.exists());
        clock.advance(UNNAMED_FOR + Duration::from_secs(1));
        sweep(&ctx).await.unwrap();
        assert!(is_there(&named).await && !is_there(&other).await);
    }
}
