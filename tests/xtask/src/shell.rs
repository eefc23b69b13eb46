//! Runs a command to its end: shown as it runs, quietly with its output kept, or read line by line.

use std::io::{BufRead, BufReader, Read};
use std::path::{Path, PathBuf};
use std::process::Command;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::time::Duration;

use crate::group::{Group, Words};
use crate::report::say;
use crate::signals;

/// A command that runs in `dir`.
pub fn command(program: impl AsRef<Path>, args: &[&str], dir: &Path) -> Command {
    let mut command = Command::new(program.as_ref());
    command.args(args).current_dir(dir);
    command
}

/// Cargo, at the root.
pub fn cargo(args: &[&str]) -> Command {
    let program = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    cargos(Path::new(&program), args)
}

/// What runs cargo, at the root. The variables that cargo set for this very process would make it rebuild crates that
/// read them.
pub fn cargos(program: &Path, args: &[&str]) -> Command {
    let mut command = command(program, args, &crate::files::root());
    for (name, _) in std::env::vars_os() {
        let text = name.to_string_lossy();
        if text.starts_with("CARGO_PKG_") || text.starts_with("CARGO_MANIFEST_") || text == "CARGO_BIN_NAME" {
            command.env_remove(&name);
        }
    }
    command
}

/// What a person would type to run it.
pub fn line_of(command: &Command) -> String {
    let program =
        Path::new(command.get_program()).file_name().unwrap_or_default().to_string_lossy().into_owned();
    let args = command.get_args().map(|a| a.to_string_lossy().into_owned());
    std::iter::once(program).chain(args).collect::<Vec<_>>().join(" ")
}

/// Runs with its output on the screen.
pub fn show(command: &Command) -> Result<(), String> {
    let line = line_of(command);
    let mut group = start(command, &line, Words::Screen)?;
    let status = group.wait().map_err(|e| format!("lost `{line}`: {e}"))?;
    outcome(&line, status.success(), "")
}

/// Runs without a word; its output is returned, and is part of the error when it fails.
pub fn output(command: &Command) -> Result<String, String> {
    let line = line_of(command);
    let mut group = start(command, &line, Words::Pipes)?;
    let readers = group.words().map(|mut words| {
        std::thread::spawn(move || {
            let mut bytes = Vec::new();
            // What came before it broke off is what there is.
            let _ = words.read_to_end(&mut bytes);
            String::from_utf8_lossy(&bytes).into_owned()
        })
    });
    let status = group.wait().map_err(|e| format!("lost `{line}`: {e}"))?;
    let [out, err] = readers.map(|reader| reader.join().unwrap_or_default());
    outcome(&line, status.success(), &format!("{out}{err}"))?;
    Ok(out)
}

/// Runs with its output on the screen, and hands every line of it to `each`.
pub fn watch(command: &Command, mut each: impl FnMut(&str)) -> Result<(), String> {
    let line = line_of(command);
    let mut group = start(command, &line, Words::Pipes)?;
    let (send, lines) = mpsc::channel();
    for stream in group.words() {
        let send = send.clone();
        std::thread::spawn(move || {
            let mut stream = BufReader::new(stream);
            let mut bytes = Vec::new();
            while stream.read_until(b'\n', &mut bytes).is_ok_and(|n| n > 0) {
                let text = String::from_utf8_lossy(&bytes).trim_end().to_owned();
                if send.send(text).is_err() {
                    break;
                }
                bytes.clear();
            }
        });
    }
    drop(send);
    loop {
        match lines.recv_timeout(Duration::from_millis(100)) {
            Ok(text) => {
                say!("{text}");
                each(&plain(&text));
            }
            Err(RecvTimeoutError::Timeout) if !signals::stopped() => {}
            // Nobody writes any more, or nobody shall.
            Err(_) => break,
        }
    }
    let status = group.wait().map_err(|e| format!("lost `{line}`: {e}"))?;
    outcome(&line, status.success(), "")
}

fn start(command: &Command, line: &str, words: Words) -> Result<Group, String> {
    Group::start(command, words).map_err(|e| format!("cannot start `{line}`: {e}"))
}

fn outcome(line: &str, success: bool, output: &str) -> Result<(), String> {
    if signals::stopped() {
        return Err("stopped".into());
    }
    match (success, output.trim()) {
        (true, _) => Ok(()),
        (false, "") => Err(format!("`{line}` failed; its output is above")),
        (false, output) => Err(format!("`{line}` failed:\n{output}")),
    }
}

/// Is there such a program on the PATH?
pub fn exists(program: &str) -> bool {
    found(program).is_some()
}

/// Where on the PATH it is.
pub fn found(program: &str) -> Option<PathBuf> {
    let path = std::env::var_os("PATH").unwrap_or_default();
    std::env::split_paths(&path).map(|dir| dir.join(program)).find(|file| file.is_file())
}

/// The text without its colours.
pub fn plain(text: &str) -> String {
    let mut out = String::with_capacity(text.len());
    let mut chars = text.chars();
    while let Some(c) = chars.next() {
        if c != '\u{1b}' {
            out.push(c);
        } else if chars.next() == Some('[') {
            // A control sequence ends with a letter.
            chars.by_ref().find(char::is_ascii_alphabetic);
        }
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn colours_are_taken_off() {
        assert_eq!(plain("\u{1b}[32m3 passed\u{1b}[0m (1.2s)"), "3 passed (1.2s)");
    }

    #[test]
    fn a_failing_command_says_what_it_said() {
        let error =
            output(&command("sh", &["-c", "echo no such luck >&2; exit 3"], Path::new("/"))).unwrap_err();
        assert!(error.contains("no such luck"), "{error}");
    }
}
