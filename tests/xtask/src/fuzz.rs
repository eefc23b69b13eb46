//! `cargo xtask fuzz` and the step of `cargo verify`: builds the targets of `edge/protocols/fuzz` with marks that tell
//! libFuzzer which code an input has reached, and lets each run for a while. It needs no other toolchain than the
//! workspace's own, and no program from outside: the marks are a pass of LLVM that every rustc has.

use std::path::{Path, PathBuf};

use crate::files;
use crate::report::{Counts, say};
use crate::shell;
use crate::tools;

const MANIFEST: &str = "edge/protocols/fuzz/Cargo.toml";
pub const LOCK: &str = "edge/protocols/fuzz/Cargo.lock";

/// Counters at the edges of the code, and the operands of comparisons: what the fuzzer is guided by.
const MARKS: &str = "--cfg fuzzing -Cpasses=sancov-module -Cllvm-args=-sanitizer-coverage-level=4 \
                     -Cllvm-args=-sanitizer-coverage-inline-8bit-counters -Cllvm-args=-sanitizer-coverage-pc-table \
                     -Cllvm-args=-sanitizer-coverage-trace-compares";

/// In `cargo verify`: so many inputs for each target or so many seconds, whichever is over first. How many of them a
/// machine gets through decides nothing.
const RUNS: u32 = 20_000;
const SECONDS: u32 = 4;
/// A target that runs alone runs for so long, unless it is told otherwise.
const LONG_SECONDS: u32 = 60;
/// An input that takes longer, or more memory, is a fault like a panic.
const SLOWEST_S: u32 = 20;
const MOST_MB: u32 = 1024;

pub fn run(args: &[&str]) -> Result<(), String> {
    tools::need(tools::FUZZER)?;
    match args {
        ["try", target, file] => {
            build()?;
            let file = std::env::current_dir().unwrap_or_default().join(file);
            shell::show(&shell::command(program(target), &[&file.display().to_string()], &files::root()))
        }
        ["keep", wanted @ ..] => {
            build()?;
            chosen(wanted)?.iter().try_for_each(|target| keep(target))
        }
        args => {
            let (seconds, wanted) = match args {
                ["--seconds", seconds, wanted @ ..] => {
                    let number = seconds.parse::<u32>().ok().filter(|n| *n > 0);
                    (number.ok_or_else(|| format!("`{seconds}` is no number of seconds"))?, wanted)
                }
                wanted => (LONG_SECONDS, wanted),
            };
            if let Some(option) = wanted.iter().find(|word| word.starts_with('-')) {
                return Err(format!("`cargo xtask fuzz` has no option `{option}`; --seconds N stands first"));
            }
            build()?;
            let time = format!("-max_total_time={seconds}");
            let run = |target: &String| fuzz(target, &corpus(target), &[&time]).map(|told| say!("{told}"));
            chosen(wanted)?.iter().try_for_each(run)
        }
    }
}

/// Every target for a few seconds, from its seeds and what is kept. All run, also behind one that has failed.
pub fn short(counts: &mut Counts) -> Result<(), String> {
    build()?;
    let (runs, time) = (format!("-runs={RUNS}"), format!("-max_total_time={SECONDS}"));
    let mut faults = Vec::new();
    for target in chosen(&[])? {
        // Not where the inputs of longer runs gather.
        let corpus = folder().join("short").join(&target);
        files::remove(&corpus)?;
        match fuzz(&target, &corpus, &["-seed=1", &runs, &time]) {
            Ok(told) => {
                counts.passed += 1;
                say!("  {told}");
            }
            Err(fault) => {
                counts.failed += 1;
                faults.push(fault);
            }
        }
    }
    if faults.is_empty() { Ok(()) } else { Err(faults.join("\n")) }
}

/// The workspace of the targets takes its versions from a lock file of its own.
pub fn renew_lock() -> Result<(), String> {
    shell::output(&shell::cargo(&["metadata", "--format-version=1", "--manifest-path", MANIFEST])).map(drop)
}

pub fn formatted() -> Result<(), String> {
    shell::show(&shell::cargo(&["fmt", "--manifest-path", MANIFEST, "--check"]))
}

fn folder() -> PathBuf {
    files::target().join("fuzz")
}

/// Where inputs gather while a target runs for long.
fn corpus(target: &str) -> PathBuf {
    folder().join("corpus").join(target)
}

/// Named outright, so that what runs while building carries no marks.
fn host() -> Result<String, String> {
    let told = shell::output(&shell::command("rustc", &["-vV"], &files::root()))?;
    let host = told.lines().find_map(|line| line.strip_prefix("host: "));
    host.map(str::to_owned).ok_or_else(|| "rustc does not say for which machine it builds".to_owned())
}

fn build() -> Result<(), String> {
    let host = host()?;
    let args = ["build", "--release", "--locked", "--bins", "--manifest-path", MANIFEST, "--target", &host];
    let mut command = shell::cargo(&args);
    command.env("RUSTFLAGS", MARKS).env("CARGO_TARGET_DIR", folder());
    shell::show(&command).map_err(|error| format!("{error}\nwhere it is {LOCK}, `cargo xtask gen` renews it"))
}

fn program(name: &str) -> PathBuf {
    folder().join(host().unwrap_or_default()).join("release").join(name)
}

fn corpus_program(args: &[&str]) -> Result<String, String> {
    shell::output(&shell::command(program("corpus"), args, &files::root()))
}

/// The targets of these names, or all.
fn chosen(wanted: &[&str]) -> Result<Vec<String>, String> {
    let names: Vec<String> = corpus_program(&["names"])?.lines().map(str::to_owned).collect();
    if let Some(unknown) = wanted.iter().find(|name| !names.iter().any(|known| known == *name)) {
        return Err(format!("there is no target `{unknown}`; there are {}", names.join(", ")));
    }
    Ok(names.into_iter().filter(|name| wanted.is_empty() || wanted.contains(&name.as_str())).collect())
}

/// Runs one target, whose inputs gather in `corpus`, and says what it did.
fn fuzz(target: &str, corpus: &Path, limits: &[&str]) -> Result<String, String> {
    let found = folder().join("found").join(target);
    files::make_folder(&found)?;
    corpus_program(&["write", target, &corpus.display().to_string()])?;
    let (slowest, most) = (format!("-timeout={SLOWEST_S}"), format!("-rss_limit_mb={MOST_MB}"));
    let prefix = format!("-artifact_prefix={}/", found.display());
    let corpus = corpus.display().to_string();
    let mut args = vec!["-print_final_stats=1", "-verbosity=0", &slowest, &most, &prefix];
    args.extend_from_slice(limits);
    args.push(&corpus);
    let said = libfuzzer(target, &args).map_err(|error| {
        format!("{target}: {}\ntry it again with `cargo xtask fuzz try {target} FILE`", essence(&error))
    })?;
    let figure = |name: &str| figure(&said, name).unwrap_or(0);
    let inputs = figure("stat::number_of_executed_units:");
    if inputs == 0 {
        return Err(format!("{target}: nothing was put to it:\n{said}"));
    }
    let (new, peak) = (figure("stat::new_units_added:"), figure("stat::peak_rss_mb:"));
    Ok(format!("{target}: {inputs} inputs, {new} of them new to the code, {peak} MiB"))
}

/// Its words go to standard error, where nothing is kept of a run that ends well.
fn libfuzzer(target: &str, args: &[&str]) -> Result<String, String> {
    let program = program(target).display().to_string();
    let mut words = vec!["-c", "exec \"$0\" \"$@\" 2>&1", &program];
    words.extend_from_slice(args);
    shell::output(&shell::command("sh", &words, &files::root()))
}

/// Leaves of the folder only what reaches something that nothing shorter does, and writes it into the repository.
fn keep(target: &str) -> Result<(), String> {
    let least = folder().join("least").join(target);
    files::remove(&least)?;
    files::make_folder(&least)?;
    let (from, to) = (corpus(target).display().to_string(), least.display().to_string());
    corpus_program(&["write", target, &from])?;
    libfuzzer(target, &["-merge=1", &to, &from])?;
    corpus_program(&["keep", target, &to])?;
    say!("{target}: edge/protocols/fuzz/corpus/{target}.txt has what it found");
    Ok(())
}

/// The lines that say what broke and where the input lies.
fn essence(output: &str) -> String {
    let telling = |line: &&str| {
        ["panicked at", "ERROR:", "Test unit written", "assertion", "left:", "right:"]
            .iter()
            .any(|word| line.contains(word))
    };
    let mut lines: Vec<&str> = Vec::new();
    let mut behind_panic = false;
    for line in output.lines() {
        if behind_panic || telling(&line) {
            lines.push(line);
        }
        behind_panic = line.contains("panicked at");
    }
    if lines.is_empty() { output.trim().to_owned() } else { lines.join("\n") }
}

/// The number behind a name in libFuzzer's closing figures.
fn figure(said: &str, name: &str) -> Option<u64> {
    said.lines().find_map(|line| line.trim().strip_prefix(name))?.trim().parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    const SAID: &str = "stat::number_of_executed_units: 20000\nstat::average_exec_per_sec:     0\n\
                        stat::new_units_added:          17\nstat::peak_rss_mb:              35\n";

    #[test]
    fn the_closing_figures_are_read() {
        assert_eq!(figure(SAID, "stat::number_of_executed_units:"), Some(20_000));
        assert_eq!(figure(SAID, "stat::new_units_added:"), Some(17));
        assert_eq!(figure("", "stat::peak_rss_mb:"), None);
    }

    #[test]
    fn of_a_crash_only_what_tells_is_said() {
        let said = "INFO: seed corpus: files: 4\n\nthread '<unnamed>' panicked at src/a.rs:3:4:\nindex out of bounds\n\
                    stack backtrace:\n   0: begin\n==1== ERROR: libFuzzer: deadly signal\nTest unit written to f/crash-1\n";
        assert_eq!(
            essence(said),
            "thread '<unnamed>' panicked at src/a.rs:3:4:\nindex out of bounds\n\
             ==1== ERROR: libFuzzer: deadly signal\nTest unit written to f/crash-1"
        );
        assert_eq!(essence("no such file\n"), "no such file");
    }
}
