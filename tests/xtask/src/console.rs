//! The console: installed when its lock file changed, built when its sources changed, checked by `verify`.

use std::path::PathBuf;

use crate::files;
use crate::report::say;
use crate::shell;
use crate::tools;

pub fn folder() -> PathBuf {
    files::root().join("hub/console")
}

const NOT_SOURCES: &[&str] = &["node_modules", "dist", "test-results", "playwright-report"];

/// `npm ci`, unless what is installed came from this very lock file.
pub fn install() -> Result<(), String> {
    tools::need(&[tools::NODE])?;
    let stamp = folder().join("node_modules/.steward-lock");
    let print = files::fingerprint(&[folder().join("package-lock.json")], &[]);
    if files::read(&stamp).is_ok_and(|known| known == print) {
        say!("  npm packages are as the lock file says");
        return Ok(());
    }
    // No package of ours has an install script; none shall get one unseen.
    npm(&["ci", "--ignore-scripts", "--no-audit", "--no-fund"])?;
    files::write(&stamp, print)
}

/// Installs and builds, each only if something changed.
pub fn build() -> Result<(), String> {
    install()?;
    let stamp = folder().join("node_modules/.steward-dist");
    let print = files::fingerprint(&[folder()], NOT_SOURCES);
    if files::read(&stamp).is_ok_and(|known| known == print) && folder().join("dist/index.html").is_file() {
        say!("  the console's sources have not changed");
        return Ok(());
    }
    npm(&["run", "build"])?;
    files::write(&stamp, print)
}

pub fn npm(args: &[&str]) -> Result<(), String> {
    shell::show(&shell::command("npm", args, &folder()))
}
