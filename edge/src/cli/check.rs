//! `steward-edge check`: reads the gateway's file and says every fault of it, or what it would poll.

use std::fmt::Write;
use std::path::Path;

use steward_shared::document::{Fault, listing};

use crate::config::Config;
use crate::poll::load;
use crate::supervisor::read;

/// What to print, as a success or as faults.
pub fn check(path: &Path) -> Result<String, String> {
    read(path).map(|config| summary(path, &config)).map_err(|faults| told(path, &faults))
}

fn summary(path: &Path, config: &Config) -> String {
    let mut text = String::new();
    let mut points = 0;
    for line in &config.lines {
        let of_line: usize = line.devices.iter().map(|d| d.profile.points.len()).sum();
        points += of_line;
        let load = load(line);
        let percent = (load.usual * 100.0).round();
        let _ = writeln!(
            text,
            "line {}: {} devices, {of_line} points, about {percent} % of its time",
            line.name,
            line.devices.len()
        );
        if let Some(trouble) = load.trouble(&line.name) {
            let _ = writeln!(text, "  attention: {trouble}; {}", load.way_out());
        }
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

#[cfg(test)]
mod tests {
    use super::*;

    const GOOD: &str = r#"
[gateway]
name = "east"
[hub]
address = "10.0.0.5:7443"
[[line]]
name = "chw"
kind = "tcp"
host = "10.0.0.20"
port = 502
[[line.device]]
name = "main"
profile = "schneider/pm5350"
address = 1
[[line.device]]
name = "second"
profile = "schneider/pm5350"
address = 2
"#;

    fn checked(text: &str) -> Result<String, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("edge.toml");
        std::fs::write(&path, text).unwrap();
        let at = format!("{}/", folder.path().display());
        check(&path).map(|t| t.replace(&at, "")).map_err(|t| t.replace(&at, ""))
    }

    #[test]
    fn a_good_file_is_told_with_what_it_would_poll() {
        let library = steward_shared::profile::Library::compiled_in().unwrap();
        let points = 2 * library.get("schneider/pm5350").unwrap().points.len();
        let told = checked(GOOD).unwrap();
        let wanted = format!(
            "line chw: 2 devices, {points} points, about 1 % of its time\nhub: 10.0.0.5:7443\nedge.toml is in order: 1 lines, {points} points"
        );
        assert_eq!(told, wanted);
        let told = checked(&GOOD.replace("[hub]\naddress = \"10.0.0.5:7443\"", "")).unwrap();
        assert!(told.contains("hub: none, readings stay here"), "{told}");
    }

    #[test]
    fn the_faults_are_listed_and_counted() {
        let told = checked(&GOOD.replace("port = 502", "port = 0")).unwrap_err();
        assert!(told.starts_with("edge.toml:10:8: line[0].port: 0 is out of range"), "{told}");
        assert!(told.ends_with("\nedge.toml: 1 fault"), "{told}");
        let two = GOOD.replace("port = 502", "port = 0").replace("address = 2", "address = 1");
        assert!(checked(&two).unwrap_err().ends_with("\nedge.toml: 2 faults"));
        let missing = check(Path::new("/nowhere/edge.toml")).unwrap_err();
        assert!(missing.contains("cannot be read") && missing.contains("edge.default.toml"), "{missing}");
    }

    #[test]
    fn a_line_that_cannot_carry_what_is_asked_of_it_is_refused_and_a_full_one_is_told() {
        let serial = |devices: usize, period: &str| {
            let mut text = format!(
                "[gateway]\nname = \"east\"\n[periods]\nfast = \"{period}\"\nnormal = \"{period}\"\n[[line]]\nname = \"COM2\"\n\
                 kind = \"serial\"\nport = \"/dev/ttyS1\"\n"
            );
            for unit in 1..=devices {
                let device = format!(
                    "[[line.device]]\nname = \"m{unit}\"\nprofile = \"eastron/sdm630\"\naddress = {unit}\n"
                );
                text.push_str(&device);
            }
            checked(&text)
        };
        let told = serial(2, "10s").unwrap();
        assert!(told.contains("% of its time") && !told.contains("attention"), "{told}");
        let told = serial(11, "2s").unwrap();
        assert!(
            told.contains("attention: line COM2 needs 1") && told.contains("19200 baud would do"),
            "{told}"
        );
        let told = serial(16, "2s").unwrap_err();
        assert!(
            told.contains("line COM2 needs 1")
                && told.contains("points would be late: m")
                && told.contains("baud would do"),
            "{told}"
        );
    }
}
