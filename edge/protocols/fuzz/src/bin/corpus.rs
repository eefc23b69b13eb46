//! Makes the folder that a target begins with, and keeps what a run has found. `cargo xtask fuzz` calls it.
//!
//! corpus names                    the targets, one a line
//! corpus write TARGET FOLDER      the seeds, and what is kept in `corpus/TARGET.txt`
//! corpus keep TARGET FOLDER       writes `corpus/TARGET.txt` from the files of the folder that are no seeds

use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

// What is built with marks for the fuzzer links only with it.
use libfuzzer_sys as _;
use steward_fuzz::input::hex;
use steward_fuzz::list::{TARGETS, Target};
use steward_fuzz::{capture, gateway};

/// Longer inputs are not kept: what they show, a shorter one mostly shows too.
const MOST_BYTES: usize = 600;
/// Bytes in all that are kept for a target.
const MOST_KEPT: usize = 8 * 1024;

fn main() -> ExitCode {
    let args: Vec<String> = std::env::args().skip(1).collect();
    let args: Vec<&str> = args.iter().map(String::as_str).collect();
    let done = match args.as_slice() {
        ["names"] => {
            targets().for_each(|target| println!("{}", target.name));
            Ok(())
        }
        ["write", name, folder] => named(name).and_then(|target| write(target, Path::new(folder))),
        ["keep", name, folder] => named(name).and_then(|target| keep(target, Path::new(folder))),
        _ => Err("corpus names | write TARGET FOLDER | keep TARGET FOLDER".to_owned()),
    };
    match done {
        Ok(()) => ExitCode::SUCCESS,
        Err(message) => {
            eprintln!("{message}");
            ExitCode::FAILURE
        }
    }
}

fn targets() -> impl Iterator<Item = &'static Target> {
    TARGETS.iter().chain([&gateway::TARGET, &capture::TARGET])
}

fn named(name: &str) -> Result<&'static Target, String> {
    targets().find(|target| target.name == name).ok_or_else(|| format!("there is no target `{name}`"))
}

fn kept_file(target: &Target) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("corpus").join(format!("{}.txt", target.name))
}

fn write(target: &Target, folder: &Path) -> Result<(), String> {
    let fault = |e: std::io::Error| format!("{}: {e}", folder.display());
    fs::create_dir_all(folder).map_err(fault)?;
    let kept = fs::read_to_string(kept_file(target)).unwrap_or_default();
    let kept = kept.lines().filter(|line| !line.starts_with('#')).map(hex);
    for (number, bytes) in (target.seeds)().into_iter().chain(kept).enumerate() {
        fs::write(folder.join(format!("{number:05}")), bytes).map_err(fault)?;
    }
    Ok(())
}

fn keep(target: &Target, folder: &Path) -> Result<(), String> {
    let fault = |e: std::io::Error| format!("{}: {e}", folder.display());
    let seeds: BTreeSet<Vec<u8>> = (target.seeds)().into_iter().collect();
    let mut found = BTreeSet::new();
    for entry in fs::read_dir(folder).map_err(fault)? {
        let bytes = fs::read(entry.map_err(fault)?.path()).map_err(fault)?;
        if bytes.len() <= MOST_BYTES && !seeds.contains(&bytes) {
            found.insert((bytes.len(), bytes));
        }
    }
    let mut text = format!(
        "# What runs of {} have found beyond its seeds, one input a line; made by `cargo xtask fuzz keep`.\n",
        target.name
    );
    let mut room = MOST_KEPT;
    // The shortest first: most of them for the room that there is.
    for (len, bytes) in found {
        let Some(left) = room.checked_sub(len) else { break };
        room = left;
        text.extend(bytes.iter().map(|byte| format!("{byte:02x}")));
        text.push('\n');
    }
    fs::write(kept_file(target), text).map_err(|e| format!("{}: {e}", kept_file(target).display()))
}
