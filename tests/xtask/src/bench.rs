//! `cargo xtask bench [NAME]`: the figures of docs/benchmarks.md, in the release profile.

use crate::peers;
use crate::shell;

pub fn run(args: &[&str]) -> Result<(), String> {
    let python = peers::python()?;
    let mut all =
        vec!["run", "--release", "--locked", "--package", "steward-tests", "--bin", "steward-bench", "--"];
    all.extend_from_slice(args);
    let mut command = shell::cargo(&all);
    command.env("STEWARD_PYTHON", python);
    shell::show(&command)
}
