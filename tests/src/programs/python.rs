//! Python programs of `tests/peers`: devices that we did not write. They say that they serve by writing `peer.json`.

use std::io::{self, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::time::Duration;

use serde_json::Value;

use super::eventually;

const LONG: Duration = Duration::from_mins(1);

/// One of them; it ends when we do, for it reads our end of a pipe.
pub struct Peer {
    child: Child,
    /// What it wrote when it was ready.
    pub ready: Value,
}

impl Peer {
    /// Whether tests with peers are wanted here at all. Says so where they are not.
    pub fn wanted(of: &str) -> bool {
        let wanted = std::env::var_os("STEWARD_WITHOUT_PEERS").is_none();
        if !wanted {
            println!("STEWARD_WITHOUT_PEERS is set: NOT tested on {of}");
        }
        wanted
    }

    /// Starts a script with a folder for `peer.json` and its other arguments, and waits until it serves.
    ///
    /// # Panics
    /// When the environment of the peers is not there, or the script does not come up.
    pub fn start(script: &str, folder: &Path, args: &[&str]) -> io::Result<Self> {
        let python = std::env::var_os("STEWARD_PYTHON").map_or_else(venv, PathBuf::from);
        assert!(
            python.is_file(),
            "the tests against peers need their environment; `cargo verify tests` makes it at {}",
            python.display()
        );
        let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("peers").join(script);
        let mut command = Command::new(python);
        command.arg(&script).arg(folder).args(args).stdin(Stdio::piped());
        let child = command.spawn()?;
        let mut peer = Self { child, ready: Value::Null };
        peer.ready = eventually(&format!("{} serves", script.display()), LONG, || {
            serde_json::from_str(&std::fs::read_to_string(folder.join("peer.json")).ok()?).ok()
        });
        Ok(peer)
    }

    /// Tells it to do something: one line on its standard input.
    pub fn tell(&mut self, line: &str) -> io::Result<()> {
        let input = self.child.stdin.as_mut().ok_or(io::ErrorKind::BrokenPipe)?;
        writeln!(input, "{line}")?;
        input.flush()
    }
}

impl Drop for Peer {
    fn drop(&mut self) {
        // Ended already is as good.
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

fn venv() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR"))
        .parent()
        .map(|root| root.join(".venv/bin/python"))
        .unwrap_or_default()
}
