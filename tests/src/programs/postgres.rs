//! A PostgreSQL server of our own, from the system's packages: in a temporary folder, reached by a socket in it only.
//! It ends with the process that started it, however that one ends: its guard watches a pipe.

use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use anyhow::{Context as _, ensure};
use nix::unistd::{Uid, User, chown};
use tempfile::TempDir;
use tokio::time::Instant;

const UP: Duration = Duration::from_mins(1);

/// Whether what was committed survives a power cut. Tests do not need it, figures do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Durability {
    Real,
    None,
}

/// A running server with one empty database.
#[derive(Debug)]
pub struct Postgres {
    /// As `[database] url` takes it.
    pub url: String,
    guard: Child,
    /// Dropped after the guard has ended.
    folder: TempDir,
}

/// `$1` initdb, `$2` postgres, `$3` the folder, the rest settings. It ends when its input does.
const GUARD: &str = r#"
trap '' INT TERM HUP
initdb="$1" postgres="$2" folder="$3"
shift 3
cd "$folder" || exit 1
"$initdb" -D "$folder/data" -U steward --auth=trust --no-sync -E UTF8 --locale=C >"$folder/log" 2>&1 || exit 1
"$postgres" -D "$folder/data" -k "$folder" -c listen_addresses= -c max_connections=100 "$@" \
  >>"$folder/log" 2>&1 </dev/null &
server=$!
cat >/dev/null
kill -INT $server
wait $server
"#;

impl Postgres {
    pub fn start(durability: Durability) -> anyhow::Result<Self> {
        let bin = binaries()
            .context("PostgreSQL is not installed; install it (Debian: apt-get install postgresql)")?;
        let folder = tempfile::Builder::new().prefix("steward-pg-").tempdir()?;
        let path = folder.path();
        let mut guard = as_its_user(path)?;
        guard
            .args(["-c", GUARD, "steward-postgres"])
            .arg(bin.join("initdb"))
            .arg(bin.join("postgres"))
            .arg(path);
        if durability == Durability::None {
            guard.args(["-c", "fsync=off", "-c", "synchronous_commit=off", "-c", "full_page_writes=off"]);
        }
        let guard = guard
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .context("PostgreSQL's guard cannot be started")?;
        let url = format!("postgres://steward@localhost/postgres?host={}", path.display());
        let mut server = Self { url, guard, folder };
        server.wait()?;
        Ok(server)
    }

    fn wait(&mut self) -> anyhow::Result<()> {
        let begun = Instant::now();
        loop {
            let log = std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default();
            if log.contains("ready to accept connections") {
                return Ok(());
            }
            let ended = self.guard.try_wait()?.is_some();
            ensure!(!ended && begun.elapsed() < UP, "PostgreSQL did not start:\n{log}");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Bytes of the server's folder: data, log, indexes.
    pub fn bytes(&self) -> u64 {
        size_of(&self.folder.path().join("data/base"))
    }

    /// Ids of the server's processes.
    pub fn folder(&self) -> &Path {
        self.folder.path()
    }
}

impl Drop for Postgres {
    fn drop(&mut self) {
        // The guard stops the server when its input ends, and then ends itself.
        drop(self.guard.stdin.take());
        let _ = self.guard.wait();
    }
}

/// A shell; PostgreSQL refuses to run as root, so root gives the folder away first.
fn as_its_user(folder: &Path) -> anyhow::Result<Command> {
    if !Uid::effective().is_root() {
        return Ok(Command::new("sh"));
    }
    let find = |name| User::from_name(name).ok().flatten();
    let user = find("postgres").or_else(|| find("nobody")).context("there is neither postgres nor nobody")?;
    chown(folder, Some(user.uid), Some(user.gid))?;
    let mut command = Command::new("runuser");
    command.args(["-u", &user.name, "--", "sh"]);
    Ok(command)
}

/// The folder that holds `initdb` and `postgres`: the newest of the system's packages, or the path's.
fn binaries() -> Option<PathBuf> {
    let packaged = std::fs::read_dir("/usr/lib/postgresql").into_iter().flatten().flatten();
    let mut versions: Vec<(u32, PathBuf)> = packaged
        .filter_map(|e| Some((e.file_name().to_str()?.parse().ok()?, e.path().join("bin"))))
        .collect();
    versions.sort();
    let path = std::env::var_os("PATH").unwrap_or_default();
    let all = versions.into_iter().rev().map(|(_, bin)| bin).chain(std::env::split_paths(&path));
    all.into_iter().find(|bin| bin.join("initdb").is_file() && bin.join("postgres").is_file())
}

fn size_of(path: &Path) -> u64 {
    let Ok(entries) = std::fs::read_dir(path) else { return 0 };
    let one = |e: std::fs::DirEntry| match e.metadata() {
        Ok(meta) if meta.is_dir() => size_of(&e.path()),
        Ok(meta) => meta.len(),
        Err(_) => 0,
    };
    entries.flatten().map(one).sum()
}
