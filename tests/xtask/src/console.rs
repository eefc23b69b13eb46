//! The console: installed when its lock file changed, built when its sources changed, checked by `verify`.

use std::path::PathBuf;

use crate::fetched;
use crate::files;
use crate::report::say;
use crate::shell;

pub fn folder() -> PathBuf {
    files::root().join("hub/console")
}

const NOT_SOURCES: &[&str] = &["node_modules", "dist", "test-results", "playwright-report"];

/// `npm ci`, unless what is installed came from this very lock file.
pub fn install() -> Result<(), String> {
    if !fetched::npm(&folder())? {
        say!("  npm packages are as the lock file says");
    }
    Ok(())
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
