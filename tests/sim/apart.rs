//! Each world in a process of its own, whose chance is that of its seed (`chance.c`): keys, hash tables and the turns of
//! `select!` are the same in each run. The process is the same test once more, told by the environment what to do.

use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::sync::Once;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tempfile::TempDir;
use tokio::time::Instant;

/// A world takes a second; one whose time stands still is ended.
const PATIENCE: Duration = Duration::from_mins(5);

/// The seed of the world that this process is for.
const SEED: &str = "STEWARD_SIM_SEED";
/// Where it writes what became of it.
const OUTCOME: &str = "STEWARD_SIM_OUTCOME";
/// First letters of an outcome.
const GOOD: &str = "good ";
const BROKEN: &str = "broken ";

static PANICS: AtomicUsize = AtomicUsize::new(0);

/// A folder with the library that hands out chance.
pub struct Apart {
    folder: TempDir,
}

impl Apart {
    pub fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        if !is_apart() {
            build(&folder.path().join("chance.so"));
        }
        Self { folder }
    }

    /// Does the work in another process; what it says, or what was broken there. In that process itself it answers only
    /// for its own seed.
    pub fn run(
        &self,
        test: &str,
        seed: u64,
        work: impl FnOnce(u64) -> Result<String, String>,
    ) -> Result<String, String> {
        if let Ok(own) = std::env::var(SEED) {
            if own == seed.to_string() {
                let outcome = PathBuf::from(std::env::var_os(OUTCOME).unwrap());
                std::fs::write(outcome, outcome_of(work(seed))).unwrap();
            }
            return Ok(String::new());
        }
        let outcome = self.folder.path().join("outcome");
        let (said_there, wrong) = (self.folder.path().join("said"), self.folder.path().join("wrong"));
        let mut process = Command::new(std::env::current_exe().unwrap())
            .args(["--exact", "--nocapture", test])
            .env(SEED, seed.to_string())
            .env(OUTCOME, &outcome)
            .env("STEWARD_CHANCE", seed.to_string())
            .env("LD_PRELOAD", self.folder.path().join("chance.so"))
            .stdout(File::create(&said_there).unwrap())
            .stderr(File::create(&wrong).unwrap())
            .spawn()
            .unwrap();
        let ended = within(&mut process, PATIENCE);
        let said = std::fs::read_to_string(&outcome).unwrap_or_default();
        let _ = std::fs::remove_file(&outcome);
        if std::env::var_os("STEWARD_SIM_TELL").is_some() {
            println!("{}", std::fs::read_to_string(&said_there).unwrap());
        }
        match (said.strip_prefix(GOOD), said.strip_prefix(BROKEN)) {
            (Some(good), _) => Ok(good.to_owned()),
            (_, Some(broken)) => Err(broken.to_owned()),
            _ if ended => Err(format!("the process broke: {}", std::fs::read_to_string(&wrong).unwrap())),
            _ => Err(format!("within {PATIENCE:?} its time did not pass: something turns and turns")),
        }
    }
}

/// Whether this is the process of one world.
pub fn is_apart() -> bool {
    std::env::var_os(SEED).is_some()
}

/// Whether it ended by itself.
fn within(process: &mut Child, patience: Duration) -> bool {
    let begun = Instant::now();
    while process.try_wait().unwrap().is_none() {
        if begun.elapsed() > patience {
            process.kill().unwrap();
            process.wait().unwrap();
            return false;
        }
        std::thread::sleep(Duration::from_millis(2));
    }
    true
}

fn outcome_of(done: Result<String, String>) -> String {
    let panics = PANICS.load(Ordering::SeqCst);
    match done {
        Err(broken) => format!("{BROKEN}{broken}"),
        Ok(_) if panics > 0 => format!("{BROKEN}I5: {panics} panics"),
        Ok(good) => format!("{GOOD}{good}"),
    }
}

/// From here on a panic of any task is counted, though nobody awaits it.
pub fn count_panics() {
    static ONCE: Once = Once::new();
    ONCE.call_once(|| {
        let before = std::panic::take_hook();
        std::panic::set_hook(Box::new(move |panic| {
            PANICS.fetch_add(1, Ordering::SeqCst);
            before(panic);
        }));
    });
}

fn build(library: &Path) {
    let source = Path::new(env!("CARGO_MANIFEST_DIR")).join("sim/chance.c");
    let mut cc = Command::new("cc");
    cc.args(["-O1", "-Wall", "-Wextra", "-Werror", "-shared", "-fPIC", "-o"]);
    assert!(cc.arg(library).arg(source).arg("-ldl").status().unwrap().success(), "chance.c cannot be built");
}
