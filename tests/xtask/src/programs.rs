//! Builds the programs of the workspace in the development profile, and knows where they lie.

use std::path::PathBuf;

use crate::files;
use crate::shell;
use crate::tools;

/// One command with the features of the whole workspace, so that tests and demo share what was built.
pub fn build() -> Result<(), String> {
    tools::need(&[tools::C_COMPILER])?;
    shell::show(&shell::cargo(&["build", "--workspace", "--exclude", "xtask", "--bins", "--locked"]))
}

pub fn path(name: &str) -> PathBuf {
    files::target().join("debug").join(name)
}
