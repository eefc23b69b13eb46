//! Fresh databases for tests: SQLite in a temporary folder, PostgreSQL on a server of our own. The server
//! starts with the first test that needs it, listens on a socket in a temporary folder only, and ends with the
//! process that runs the tests, however that one ends: it watches a pipe whose other end dies with us.

use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::time::Duration;

use tempfile::TempDir;
use tokio_postgres::NoTls;

use super::{DatabaseUrl, Db, Migration, migrate};

/// A database that is gone when this is dropped (PostgreSQL: when the tests end).
pub struct TestDb {
    pub db: Db,
    pub url: DatabaseUrl,
    /// A temporary folder, free for the test.
    pub dir: TempDir,
}

impl TestDb {
    /// The database goes away: PostgreSQL lets nobody in any more. SQLite's cannot.
    pub async fn go_away(&self) {
        let (DatabaseUrl::Postgres(config), Some(Ok(folder))) = (&self.url, SERVER.get()) else { return };
        let name = config.get_dbname().unwrap_or_default();
        let admin = self::config(folder, "postgres");
        let (client, connection) = admin.connect(NoTls).await.expect("the test server answers");
        let connection = tokio::spawn(connection);
        let gone = format!(
            "alter database {name} allow_connections false;
             select pg_terminate_backend(pid) from pg_stat_activity where datname = '{name}'"
        );
        client.batch_execute(&gone).await.expect("the test server obeys");
        drop(client);
        let _ = connection.await;
    }
}

/// Runs the test once on each database, with these tables.
///
/// # Panics
/// When PostgreSQL is not installed; `STEWARD_WITHOUT_POSTGRES=1` leaves it out and says so.
pub async fn on_each_database(modules: &[(&str, &[Migration])], test: impl AsyncFn(Db)) {
    for fresh in fresh_databases().await {
        println!("on {}", fresh.url);
        migrate(&fresh.db, modules, 0).await.expect("the migrations of a fresh database");
        test(fresh.db.clone()).await;
    }
}

/// One empty database of each kind.
pub async fn fresh_databases() -> Vec<TestDb> {
    let mut all = vec![fresh_sqlite().await];
    if std::env::var("STEWARD_WITHOUT_POSTGRES").is_ok_and(|v| v == "1") {
        println!("STEWARD_WITHOUT_POSTGRES=1: NOT tested on PostgreSQL");
    } else {
        all.push(fresh_postgres().await);
    }
    all
}

pub async fn fresh_sqlite() -> TestDb {
    let dir = TempDir::new().expect("a temporary folder");
    let url = DatabaseUrl::Sqlite(dir.path().join("steward.db"));
    TestDb { db: Db::open(&url).await.expect("a fresh SQLite database"), url, dir }
}

pub async fn fresh_postgres() -> TestDb {
    let server =
        tokio::task::spawn_blocking(|| SERVER.get_or_init(start)).await.expect("the start does not panic");
    let folder = server.as_ref().unwrap_or_else(|e| panic!("{e}"));
    let name = format!("t{:016x}", getrandom::u64().expect("randomness"));
    let admin = config(folder, "postgres");
    let (client, connection) = admin.connect(NoTls).await.expect("the test server answers");
    let connection = tokio::spawn(connection);
    client.batch_execute(&format!("create database {name}")).await.expect("a fresh PostgreSQL database");
    drop(client);
    let _ = connection.await;
    let url = DatabaseUrl::Postgres(Box::new(config(folder, &name)));
    let dir = TempDir::new().expect("a temporary folder");
    TestDb { db: Db::open(&url).await.expect("a fresh PostgreSQL database"), url, dir }
}

fn config(folder: &Path, database: &str) -> tokio_postgres::Config {
    let mut config = tokio_postgres::Config::new();
    config.host_path(folder).user("steward").dbname(database);
    config
}

static SERVER: OnceLock<Result<PathBuf, String>> = OnceLock::new();

/// The guard's script: `$1` initdb, `$2` postgres, `$3` the folder. It ends when its input does.
const GUARD: &str = r#"
trap '' INT TERM HUP
cd "$3" || exit 1
"$1" -D "$3/data" -U steward --auth=trust --no-sync -E UTF8 --locale=C >"$3/log" 2>&1 || exit 1
"$2" -D "$3/data" -k "$3" -c listen_addresses= -c fsync=off -c synchronous_commit=off \
  -c full_page_writes=off -c max_connections=200 -c shared_buffers=64MB >>"$3/log" 2>&1 </dev/null &
server=$!
touch "$3/started"
cat >/dev/null
kill -INT $server
wait $server
rm -rf "$3"
"#;

fn start() -> Result<PathBuf, String> {
    let bin = binaries().ok_or(
        "PostgreSQL is not installed and every store is tested on it; install it (Debian: apt-get install postgresql) \
         or set STEWARD_WITHOUT_POSTGRES=1",
    )?;
    let folder = tempfile::Builder::new().prefix("steward-pg-").tempdir().map_err(|e| e.to_string())?.keep();
    let mut guard = if am_root() {
        // PostgreSQL refuses to run as root.
        let user = if user_exists("postgres") { "postgres" } else { "nobody" };
        let given = Command::new("chown").arg(user).arg(&folder).status().map_err(|e| e.to_string())?;
        if !given.success() {
            return Err(format!("cannot give {} to the user {user}", folder.display()));
        }
        let mut c = Command::new("runuser");
        c.args(["-u", user, "--"]).arg("sh");
        c
    } else {
        Command::new("sh")
    };
    let mut running = guard
        .args(["-c", GUARD, "steward-test-postgres"])
        .arg(bin.join("initdb"))
        .arg(bin.join("postgres"))
        .arg(&folder)
        .stdin(Stdio::piped())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .map_err(|e| format!("cannot start PostgreSQL's guard: {e}"))?;
    for _ in 0..600 {
        if folder.join(".s.PGSQL.5432").exists()
            && std::fs::read_to_string(folder.join("log")).is_ok_and(|l| l.contains("ready to accept"))
        {
            // Its input stays open until this process is gone.
            std::mem::forget(running.stdin.take());
            return Ok(folder);
        }
        if running.try_wait().is_ok_and(|s| s.is_some()) {
            break;
        }
        std::thread::sleep(Duration::from_millis(100));
    }
    let log = std::fs::read_to_string(folder.join("log")).unwrap_or_default();
    Err(format!("PostgreSQL for the tests did not start in {}: {log}", folder.display()))
}

fn am_root() -> bool {
    Command::new("id").arg("-u").output().is_ok_and(|o| o.stdout.trim_ascii() == b"0")
}

fn user_exists(name: &str) -> bool {
    Command::new("id").args(["-u", name]).output().is_ok_and(|o| o.status.success())
}

/// The folder that holds `initdb` and `postgres`: the newest of the system's packages, or the path's.
fn binaries() -> Option<PathBuf> {
    let mut found: Vec<(u32, PathBuf)> = std::fs::read_dir("/usr/lib/postgresql")
        .into_iter()
        .flatten()
        .filter_map(|e| {
            let path = e.ok()?.path();
            let version = path.file_name()?.to_str()?.parse().ok()?;
            Some((version, path.join("bin")))
        })
        .collect();
    found.sort();
    let on_path = std::env::split_paths(&std::env::var_os("PATH").unwrap_or_default()).collect::<Vec<_>>();
    found
        .into_iter()
        .rev()
        .map(|(_, p)| p)
        .chain(on_path)
        .find(|p| p.join("initdb").exists() && p.join("postgres").exists())
}
