//! `steward-edge check`: reads the gateway's file and says every fault of it, or what it would poll.

use std::fmt::Write;
use std::path::Path;

use steward_shared::document::{Fault, listing};

use crate::config::{Config, load};

/// What to print, as a success or as faults.
pub fn check(path: &Path) -> Result<String, String> {
    load(path).map(|config| summary(path, &config)).map_err(|faults| told(path, &faults))
}

fn summary(path: &Path, config: &Config) -> String {
    let mut text = String::new();
    let mut points = 0;
    for line in &config.lines {
        let of_line: usize = line.devices.iter().map(|d| d.profile.points.len()).sum();
        points += of_line;
        let _ = writeln!(text, "line {}: {} devices, {of_line} points", line.name, line.devices.len());
    }
    let hub = config.hub.as_ref().map_or_else(|| "none, readings stay here".to_owned(), ToString::to_string);
    let _ = writeln!(text, "hub: {hub}");
    let _ = write!(text, "{} is in order: {} lines, {points} points", path.display(), config.lines.len());
    text
}

fn told(path: &Path, faults: &[Fault]) -> String {
    let count = if faults.len() == 1 { "1 fault".to_owned() } else { format!("{} faults", faults.len()) };
    format!("{}\n{}: {count}", listing(faults), path.display())
}
