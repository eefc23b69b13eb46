//! The ARM programs tried where there is no ARM: under QEMU's user-mode emulation, one process each. The real plant room
//! and hub run as they are, the edge between them is emulated; then the edge's own tests. Called by `verify`.
//! No emulator is registered with the kernel: the machine is left as it was.

use std::os::unix::fs::PermissionsExt as _;
use std::path::{Path, PathBuf};

use crate::cross::{Arch, Cross};
use crate::files;
use crate::programs;
use crate::report::{Counts, say};
use crate::shell;

/// Static and small as what is given away, and built in less time.
pub const PROFILE: &str = "cross";

/// Tests of the product (`tests/it`) that an emulated edge must pass, by the file and the name that they stand in: real
/// values over TCP and serial lines, all of them on its disk after a stop, a broken device, and the way to a hub.
const SCENARIOS: [(&str, &str); 2] =
    [("plant_and_edge", ""), ("whole", "a_hub_that_stood_still_has_no_gap_afterwards")];

/// What the program says of itself; nothing where its emulator is missing.
pub fn version(arch: &Arch, program: &Path) -> Result<Option<String>, String> {
    let said = match arch.emulator.map(shell::found) {
        Some(None) => return Ok(None),
        Some(Some(emulator)) => {
            let name = program.display().to_string();
            shell::output(&shell::command(emulator, &[&name, "--version"], &files::root()))?
        }
        None => shell::output(&shell::command(program, &["--version"], &files::root()))?,
    };
    Ok(Some(said.trim().to_owned()))
}

/// The edge on the simulated plant room and before the real hub.
pub fn scenarios(arch: &Arch, counts: &mut Counts) -> Result<(), String> {
    let program = Cross::ready()?.build(arch, PROFILE)?;
    programs::build()?;
    let started_by = wrapper(arch, &program)?;
    for (file, name) in SCENARIOS {
        say!("  {}: {file} {name}", arch.name);
        let args = ["test", "--workspace", "--locked", "--test", file, "--", name];
        let mut command = shell::cargo(&args);
        command.env("STEWARD_EDGE_PROGRAM", &started_by);
        count(&command, counts)?;
    }
    Ok(())
}

/// The edge's own tests and those of what it is made of. Examples in docs are not among them: they are not code that runs
/// on a gateway.
pub fn own_tests(arch: &Arch, counts: &mut Counts) -> Result<(), String> {
    let mut args = vec!["--profile", PROFILE, "--no-fail-fast", "--lib", "--bins", "--tests"];
    for package in ["steward-shared", "steward-protocols", "steward-edge"] {
        args.extend_from_slice(&["--package", package]);
    }
    let mut command = Cross::ready()?.command(arch, "test", &args)?;
    if let Some(emulator) = arch.emulator {
        command.env(arch.setting("RUNNER"), emulator).env("STEWARD_RUNNER", emulator);
    }
    count(&command, counts)
}

fn count(command: &std::process::Command, counts: &mut Counts) -> Result<(), String> {
    let before = counts.passed;
    shell::watch(command, |line| {
        if line.trim_start().starts_with("test result:") {
            counts.add(Counts::read(line));
        }
    })?;
    if counts.passed == before { Err("no test was run".into()) } else { Ok(()) }
}

/// A script that is the emulated program to whoever starts it: `exec` keeps the process, so signals reach it.
fn wrapper(arch: &Arch, program: &Path) -> Result<PathBuf, String> {
    let script = files::target().join("tools/emulated").join(arch.name).join("steward-edge");
    let emulator = arch.emulator.unwrap_or("env");
    let text = format!("#!/bin/sh\nexec {emulator} '{}' \"$@\"\n", program.display());
    files::write(&script, text)?;
    let mode = std::fs::Permissions::from_mode(0o755);
    std::fs::set_permissions(&script, mode).map_err(|e| format!("cannot mark {}: {e}", script.display()))?;
    Ok(script)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cross;

    #[test]
    fn whoever_starts_the_script_has_started_the_program() {
        let arch = Arch { emulator: Some("env"), name: "xtask-test", ..cross::AMD64 };
        let script = wrapper(&arch, Path::new("/bin/echo")).unwrap();
        let said = shell::output(&shell::command(&script, &["run", "it is"], Path::new("/"))).unwrap();
        assert_eq!(said, "run it is\n");
        files::remove(&script).unwrap();
    }
}
