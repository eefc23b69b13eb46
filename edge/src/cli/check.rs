//! `steward-edge check`: reads the gateway's file and says every fault of it, or what it would poll.

use std::collections::BTreeMap;
use std::path::Path;

use serde::Serialize;
use steward_shared::document::{Fault, listing};
use steward_shared::profile::Profile;

use super::out::Out;
use super::text::{Lang, check as text};
use crate::config::Config;
use crate::configure::{InForce, Record, digest};
use crate::poll::{Load, load};
use crate::supervisor::read;

/// Says what the file has polled; its faults come back.
pub fn check(path: &Path, out: Out) -> Result<(), String> {
    match read(path) {
        Ok(config) => {
            out.text(summary(path, &config, out.lang));
            let warnings: Vec<_> =
                instead(path, &config.data, out.lang).into_iter().chain(odd(&config, out.lang)).collect();
            for warning in &warnings {
                out.text(warning);
            }
            out.value(&Told { warnings, ..told(&config) });
            Ok(())
        }
        Err(faults) if out.json => {
            out.value(&serde_json::json!({ "in_order": false, "faults": faults.iter().map(shown).collect::<Vec<_>>() }));
            Err(text::faults(out.lang, &path.display().to_string(), faults.len()))
        }
        Err(faults) => Err(listed(path, &faults, out.lang)),
    }
}

#[derive(Serialize)]
struct Told<'c> {
    in_order: bool,
    hub: Option<String>,
    lines: Vec<Line<'c>>,
    /// Which configuration is in force, where that is not the file; what is odd about the profiles in use.
    warnings: Vec<String>,
}

#[derive(Serialize)]
struct Line<'c> {
    name: &'c str,
    devices: usize,
    points: usize,
    load: Load,
}

fn lines(config: &Config) -> impl Iterator<Item = Line<'_>> {
    config.lines.iter().map(|line| Line {
        name: &line.name,
        devices: line.devices.len(),
        points: line.devices.iter().map(|d| d.profile.points.len()).sum(),
        load: load(line),
    })
}

fn told(config: &Config) -> Told<'_> {
    Told {
        in_order: true,
        hub: config.hub.as_ref().map(ToString::to_string),
        lines: lines(config).collect(),
        warnings: Vec::new(),
    }
}

/// What the hub has put in the place of the file, or had until it was changed.
fn instead(path: &Path, data: &Path, lang: Lang) -> Option<String> {
    let (record, site) = (Record::load(data).ok()?, crate::config::text(path).ok()?);
    let held = record.trial.as_ref().or(record.stands.as_ref())?;
    Some(match record.in_force(&digest(&site)) {
        InForce::Hub(held) => text::from_hub(lang, held.version, &held.by),
        InForce::Site => text::changed_on_site(lang, held.version),
    })
}

/// What is odd about the profiles that the file uses, each told once.
fn odd(config: &Config, lang: Lang) -> Vec<String> {
    let devices = config.lines.iter().flat_map(|line| &line.devices);
    let profiles: BTreeMap<&str, &Profile> = devices.map(|d| (d.profile.id.as_str(), &*d.profile)).collect();
    profiles.into_values().flat_map(|profile| super::lint::warnings(profile, lang)).collect()
}

fn shown(fault: &Fault) -> serde_json::Value {
    let Fault { file, line, column, path, message, way_out } = fault;
    serde_json::json!({ "file": file, "line": line, "column": column, "path": path, "message": message, "way_out": way_out })
}

fn summary(path: &Path, config: &Config, lang: Lang) -> String {
    let mut said = Vec::new();
    for line in lines(config) {
        let percent = (line.load.usual * 100.0).round();
        said.push(text::line(lang, line.name, line.devices, line.points, percent));
        said.extend(attention(&line.load, lang));
    }
    let points = lines(config).map(|l| l.points).sum();
    said.push(match &config.hub {
        Some(hub) => text::hub(lang, &hub.to_string()),
        None => text::no_hub(lang),
    });
    said.push(text::in_order(lang, &path.display().to_string(), config.lines.len(), points));
    if points == 0 {
        said.push(text::polls_nothing(lang));
    }
    said.join("\n")
}

/// What is wrong with a line's load, and what to do about it.
fn attention(load: &Load, lang: Lang) -> Option<String> {
    (!load.has_room()).then(|| text::attention(lang, &text::trouble(lang, load), &text::way_out(lang, load)))
}

fn listed(path: &Path, faults: &[Fault], lang: Lang) -> String {
    format!("{}\n{}", listing(faults), text::faults(lang, &path.display().to_string(), faults.len()))
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
        checked_in(Lang::En, text)
    }

    fn checked_in(lang: Lang, text: &str) -> Result<String, String> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("edge.toml");
        std::fs::write(&path, text).unwrap();
        let at = format!("{}/", folder.path().display());
        let said = read(&path).map(|c| summary(&path, &c, lang)).map_err(|f| listed(&path, &f, lang));
        said.map(|t| t.replace(&at, "")).map_err(|t| t.replace(&at, ""))
    }

    #[test]
    fn a_good_file_is_told_with_what_it_would_poll() {
        let library = steward_shared::profile::Library::compiled_in().unwrap();
        let points = 2 * library.get("schneider/pm5350").unwrap().points.len();
        let told = checked(GOOD).unwrap();
        let wanted = format!(
            "line chw: 2 devices, {points} points, about 1 % of its time\nhub: 10.0.0.5:7443\nedge.toml is in order: 1 line, {points} points"
        );
        assert_eq!(told, wanted);
        let told = checked(&GOOD.replace("[hub]\naddress = \"10.0.0.5:7443\"", "")).unwrap();
        assert!(told.contains("hub: none, readings stay here"), "{told}");
        let nothing = checked("[gateway]\nname = \"new\"\n").unwrap();
        assert!(nothing.contains("0 lines, 0 points\nnothing is polled yet: write a [[line]]"), "{nothing}");
        let zh = checked_in(Lang::Zh, GOOD).unwrap();
        assert!(
            zh.starts_with(&format!(
                "线路 chw：2 台设备，{points} 个点位，约占线路时间的 1%\n服务器：10.0.0.5:7443"
            )),
            "{zh}"
        );
    }

    #[test]
    fn the_faults_are_listed_and_counted() {
        let told = checked(&GOOD.replace("port = 502", "port = 0")).unwrap_err();
        assert!(told.starts_with("edge.toml:10:8: line[0].port: 0 is out of range"), "{told}");
        assert!(told.ends_with("\nedge.toml: 1 fault"), "{told}");
        let two = GOOD.replace("port = 502", "port = 0").replace("address = 2", "address = 1");
        assert!(checked(&two).unwrap_err().ends_with("\nedge.toml: 2 faults"));
        let nowhere = Path::new("/nowhere/edge.toml");
        let missing = listed(nowhere, &read(nowhere).unwrap_err(), Lang::Zh);
        assert!(missing.contains("cannot be read") && missing.ends_with("：1 处错误"), "{missing}");
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
        assert!(told.contains("attention: ") && told.contains("19200 baud would do"), "{told}");
        let told = serial(16, "2s").unwrap_err();
        assert!(
            told.contains("line COM2 needs 1")
                && told.contains("points would be late")
                && told.contains("baud would do"),
            "{told}"
        );
    }
}
