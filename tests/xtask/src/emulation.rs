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

/// Tests of the program as it is given away: TCP, the disk, and the way to a hub that stands still meanwhile.
const AS_IT_IS: &[&str] = &["--test", "whole", "--", "a_hub_that_stood_still_has_no_gap_afterwards"];
/// Tests of the program with `SERIAL_PORTS` in it: a simulated meter on TCP and a serial line, signals, the engineer's bench;
/// then the whole plant room, value by value, and its broken devices.
const WITH_SERIAL_PORTS: &[&str] =
    &["--test", "daemon", "--test", "lab", "--test", "refine", "--test", "plant_and_edge"];

/// What the emulation of serial ports needs.
const SERIAL_PORTS: &str = "cross/termios2.c";

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

/// The edge on simulated devices, in the simulated plant room and before the real hub. The tests run as they are, and start
/// the emulated program.
pub fn scenarios(arch: &Arch, counts: &mut Counts) -> Result<(), String> {
    let cross = Cross::ready()?;
    programs::build()?;
    let with_serial_ports = [arch.mended_by, &[SERIAL_PORTS]].concat();
    let with_serial_ports = emulable(&cross, arch, &with_serial_ports, "with-serial-ports")?;
    let as_it_is = emulable(&cross, arch, arch.mended_by, "as-it-is")?;
    for (program, tests) in [(with_serial_ports, WITH_SERIAL_PORTS), (as_it_is, AS_IT_IS)] {
        say!("  {}: cargo test {}", arch.name, tests.join(" "));
        let args = [&["test", "--workspace", "--locked"], tests].concat();
        let mut command = shell::cargo(&args);
        command.env("STEWARD_EDGE_PROGRAM", program);
        count(&command, counts)?;
    }
    Ok(())
}

/// The program with the functions of these files of C, ready to be started; a copy, since the next build puts another one in
/// its place.
fn emulable(cross: &Cross, arch: &Arch, sources: &[&str], name: &str) -> Result<PathBuf, String> {
    let folder = folder(arch)?;
    let mut args: Vec<String> =
        ["--package", "steward-edge", "--bin", "steward-edge", "--profile", PROFILE, "--"]
            .map(str::to_owned)
            .into();
    for source in sources {
        args.push(format!("-Clink-arg={}", cross.compile_c(arch, source, &folder)?.display()));
    }
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    shell::show(&cross.command(arch, "rustc", &args)?)?;
    let copy = folder.join(format!("steward-edge-{name}"));
    std::fs::copy(arch.program(PROFILE), &copy)
        .map_err(|e| format!("cannot write {}: {e}", copy.display()))?;
    wrapper(arch, &copy, name)
}

fn folder(arch: &Arch) -> Result<PathBuf, String> {
    let folder = files::target().join("tools/emulated").join(arch.name);
    files::make_folder(&folder)?;
    Ok(folder)
}

/// It starts itself anew to be killed, and no kernel starts a program of another processor.
const NOT_UNDER_EMULATION: &str = "fault_s1_a_committed_batch_survives_a_hundred_kills";

/// What the edge is made of: the languages of devices, and what it shares with the hub.
pub const PARTS: &[&str] =
    &["--package", "steward-shared", "--package", "steward-protocols", "--lib", "--tests"];
/// The edge itself. Its tests that start programs are among the scenarios.
pub const EDGE: &[&str] = &["--package", "steward-edge", "--lib"];

/// Tests that are emulated themselves. Examples in docs are not tried: they are not code that runs on a gateway.
pub fn own_tests(arch: &Arch, of: &[&str], counts: &mut Counts) -> Result<(), String> {
    let args =
        [&["--profile", PROFILE, "--no-fail-fast"], of, &["--", "--skip", NOT_UNDER_EMULATION]].concat();
    let mut command = Cross::ready()?.command(arch, "test", &args)?;
    if let Some(emulator) = arch.emulator {
        command.env(arch.setting("RUNNER"), emulator);
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
fn wrapper(arch: &Arch, program: &Path, name: &str) -> Result<PathBuf, String> {
    let script = folder(arch)?.join(name);
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
        let arch = Arch { name: "its-own", emulator: Some("env"), ..cross::AMD64 };
        let script = wrapper(&arch, Path::new("/bin/echo"), "echo").unwrap();
        let said = shell::output(&shell::command(&script, &["run", "it is"], Path::new("/"))).unwrap();
        assert_eq!(said, "run it is\n");
        files::remove(&folder(&arch).unwrap()).unwrap();
    }
}
