//! Reads the workspace's sources, and what of a Rust text is code, string or test.

use std::fs;
use std::path::{Path, PathBuf};

/// One file, with its path from the root of the workspace.
pub struct Source {
    pub path: String,
    pub text: String,
}

fn root() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the tests stand in the workspace").to_owned()
}

pub fn manifests() -> Vec<Source> {
    let cargo = fs::read_to_string(root().join("Cargo.toml")).expect("the workspace has a Cargo.toml");
    let members = cargo.lines().find(|l| l.starts_with("members")).expect("the workspace names its members");
    let dirs = members.split('"').skip(1).step_by(2);
    dirs.map(|dir| Source {
        path: format!("{dir}/Cargo.toml"),
        text: fs::read_to_string(root().join(dir).join("Cargo.toml")).expect("a member has a Cargo.toml"),
    })
    .collect()
}

pub fn rust_sources() -> Vec<Source> {
    let dirs = ["shared/src", "edge/src", "edge/protocols/src", "hub/src", "tests"];
    dirs.iter().flat_map(|dir| read_all(dir, &["rs"])).collect()
}

pub fn console_sources() -> Vec<Source> {
    read_all("hub/console/src", &["ts", "tsx", "css"])
}

pub fn read_all(dir: &str, endings: &[&str]) -> Vec<Source> {
    let mut found = Vec::new();
    let mut open = vec![root().join(dir)];
    while let Some(folder) = open.pop() {
        let Ok(entries) = fs::read_dir(&folder) else { continue };
        for entry in entries.flatten() {
            let path = entry.path();
            if path.is_dir() {
                open.push(path);
            } else if path.extension().is_some_and(|e| endings.iter().any(|wanted| e == *wanted)) {
                let text = fs::read_to_string(&path).expect("a source is UTF-8");
                let path = path.strip_prefix(root()).expect("it lies below the root").display().to_string();
                found.push(Source { path, text });
            }
        }
    }
    found.sort_by(|a, b| a.path.cmp(&b.path));
    found
}

pub fn is_test(path: &str) -> bool {
    path.ends_with("tests.rs")
        || path.contains("/tests/")
        || path.contains(".test.ts")
        || path.starts_with("tests/it/")
        || path.starts_with("tests/faults/")
}

/// The text up to its closing `#[cfg(test)] mod … {` block; tests stand last in a file. A line that only names a file
/// of tests ends nothing.
pub fn without_tests(text: &str) -> &str {
    let opens_a_block = |at: &usize| {
        text[*at..]
            .lines()
            .nth(1)
            .is_some_and(|line| line.starts_with("mod ") && line.trim_end().ends_with('{'))
    };
    let end = text.match_indices("#[cfg(test)]\n").map(|(at, _)| at).find(opens_a_block);
    end.map_or(text, |at| &text[..at])
}

/// Numbered lines without comments and without the file's own tests.
pub fn code_lines(text: &str) -> impl Iterator<Item = (usize, &str)> {
    without_tests(text).lines().enumerate().filter_map(|(index, line)| {
        let code = line.split("//").next().unwrap_or("");
        (!code.trim().is_empty()).then_some((index + 1, code))
    })
}

/// Code by statements: a `use` that rustfmt has broken into several lines is one, at the line where it begins.
pub fn statements(text: &str) -> Vec<(usize, String)> {
    let mut found: Vec<(usize, String)> = Vec::new();
    let mut open = false;
    for (number, line) in code_lines(text) {
        match found.last_mut() {
            Some((_, statement)) if open => *statement += line.trim(),
            _ => found.push((number, line.to_owned())),
        }
        let import = line.trim_start().trim_start_matches("pub ").starts_with("use ");
        open = (open || import) && !line.trim_end().ends_with(';');
    }
    found
}

/// String literals with the line they start on; comments are passed over.
pub fn string_literals(text: &str) -> Vec<(usize, String)> {
    let bytes = text.as_bytes();
    let mut found = Vec::new();
    let (mut at, mut line) = (0, 1);
    while at < bytes.len() {
        match bytes[at] {
            b'\n' => line += 1,
            b'/' if bytes.get(at + 1) == Some(&b'/') => {
                at += text[at..].find('\n').unwrap_or(text.len() - at);
                continue;
            }
            b'\'' if bytes.get(at + 2) == Some(&b'\'') => at += 2,
            b'\'' if bytes.get(at + 1) == Some(&b'\\') => at += 3,
            b'"' => {
                let raw = text[..at].trim_end_matches('#').ends_with('r');
                let hashes = text[..at].len() - text[..at].trim_end_matches('#').len();
                let close = format!("\"{}", "#".repeat(if raw { hashes } else { 0 }));
                let start = at + 1;
                let mut end = start;
                while end < bytes.len() && !text.as_bytes()[end..].starts_with(close.as_bytes()) {
                    end += if !raw && bytes[end] == b'\\' { 2 } else { 1 };
                }
                let literal = text.get(start..end.min(text.len())).unwrap_or("");
                found.push((line, literal.to_owned()));
                line += literal.matches('\n').count();
                at = end + close.len();
                continue;
            }
            _ => {}
        }
        at += 1;
    }
    found
}
