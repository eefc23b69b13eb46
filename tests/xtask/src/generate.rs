//! `cargo xtask gen`: everything that is generated and committed, made again. `verify` calls the same and complains if
//! a file was not as it is made.

use std::fmt::Write;
use std::path::PathBuf;

use crate::checklist;
use crate::console;
use crate::files;
use crate::fuzz;
use crate::json::Json;
use crate::programs;
use crate::report::say;
use crate::shell;

const OPENAPI: &str = "hub/openapi.json";
const POLICIES: &str = "hub/policies.txt";
const CLIENT: &str = "hub/console/src/api/schema.d.ts";
const POLICY: &str = "docs/src/engineers/policy.md";
const DECISIONS: &str = "docs/src/contributors/decisions.md";
const FAULTS: &str = "docs/src/contributors/faults.md";
const DEVICES: &str = "docs/src/engineers/devices.md";
const DEVICES_ZH: &str = "docs/src/engineers/devices.zh.md";

pub fn run(args: &[&str]) -> Result<(), String> {
    if !args.is_empty() {
        return Err("`cargo xtask gen` takes nothing".into());
    }
    console::install()?;
    programs::build()?;
    match renew()?.as_slice() {
        [] => say!("everything generated was as it should be"),
        stale => say!("renewed: {}", stale.join(", ")),
    }
    Ok(())
}

/// Makes every generated file again; returns those that were out of date.
pub fn renew() -> Result<Vec<String>, String> {
    let made = [OPENAPI, POLICIES, CLIENT, POLICY, DEVICES, DEVICES_ZH, DECISIONS, FAULTS, fuzz::LOCK];
    let before: Vec<(String, String)> = made.iter().map(|name| ((*name).to_owned(), now(name))).collect();
    let hub = |word| shell::output(&shell::command(programs::path("steward-hub"), &[word], &files::root()));
    let openapi = hub("openapi")?;
    files::write(&place(OPENAPI), &openapi)?;
    files::write(&place(POLICIES), hub("policies")?)?;
    shell::output(&shell::command("npm", &["run", "gen"], &console::folder()))?;
    files::write(&place(POLICY), policy(&Json::parse(&openapi)?))?;
    for (name, page) in devices()? {
        files::write(&place(name), page)?;
    }
    files::write(&place(DECISIONS), decisions())?;
    files::write(&place(FAULTS), checklist::faults()?)?;
    fuzz::renew_lock()?;
    Ok(before.into_iter().filter(|(name, text)| now(name) != *text).map(|(name, _)| name).collect())
}

fn place(name: &str) -> PathBuf {
    files::root().join(name)
}

fn now(name: &str) -> String {
    files::read(&place(name)).unwrap_or_default()
}

/// Each route and who may call it. The hub enforces what stands in `security`: nobody's, everybody's, or a role's.
fn policy(openapi: &Json) -> String {
    let mut out = String::from(
        "# Who may call what\n\n<!-- made by `cargo xtask gen` from hub/openapi.json -->\n\n\
         A role may what the roles before it may: viewer, engineer, admin. A route without a policy is nobody's: the hub\n\
         refuses it.\n\n\
         | Method | Path | Who |\n|---|---|---|\n",
    );
    for (path, methods) in openapi.get("paths").members() {
        for (method, operation) in methods.members() {
            let who = who(operation.get("security"));
            let _ = writeln!(out, "| {} | `{path}` | {who} |", method.to_uppercase());
        }
    }
    out
}

/// `[{}]` is everybody; `[{"session": ["engineer"]}]` is an engineer and whoever may more.
fn who(security: &Json) -> String {
    match security {
        Json::List(ways) if ways.iter().all(|way| way.members().next().is_none()) => "everybody".to_owned(),
        Json::List(ways) => {
            let roles = ways.iter().flat_map(Json::members).flat_map(|(scheme, scopes)| {
                let scopes: Vec<String> =
                    scopes.items().iter().filter_map(Json::text).map(str::to_owned).collect();
                if scopes.is_empty() { vec![scheme.clone()] } else { scopes }
            });
            roles.collect::<Vec<_>>().join(", ")
        }
        _ => "nobody".to_owned(),
    }
}

/// One page that holds all decision records, so that the book has them without a second list.
fn decisions() -> String {
    let mut out = String::from(
        "# Decisions\n\n<!-- made by `cargo xtask gen` from docs/decisions/ -->\n\n\
         What binds us, why, and what lost.\n",
    );
    for path in files::below(&[place("docs/decisions")], &[]) {
        let name = path.file_name().unwrap_or_default().to_string_lossy().into_owned();
        let _ = write!(out, "\n{{{{#include ../../decisions/{name}}}}}\n");
    }
    out
}

/// The pages of the device profiles that come with Steward, by vendor.
fn devices() -> Result<[(&'static str, String); 2], String> {
    let made = "<!-- made by `cargo xtask gen` from device-profiles/ -->";
    let mut en = format!(
        "# Devices that Steward knows\n\n{made}\n\n\
         | Profile | Device | Vendor | Model | Points | Where its registers are published |\n|---|---|---|---|---|---|\n",
    );
    let mut zh = format!(
        "# 管家认识的设备\n\n{made}\n\n\
         | 档案 | 设备 | 厂商 | 型号 | 点数 | 寄存器表来源 |\n|---|---|---|---|---|---|\n",
    );
    let root = place("device-profiles");
    for path in files::below(std::slice::from_ref(&root), &[]) {
        if path.extension().is_none_or(|e| e != "toml") {
            continue;
        }
        let text = files::read(&path)?;
        let profile = path.strip_prefix(&root).unwrap_or(&path).with_extension("").display().to_string();
        for (page, language) in [(&mut en, "en"), (&mut zh, "zh")] {
            let _ = writeln!(page, "| `{profile}` | {} |", device(&text, language));
        }
    }
    Ok([(DEVICES, en), (DEVICES_ZH, zh)])
}

/// What a profile's head says of the device, as cells of a table.
fn device(profile: &str, language: &str) -> String {
    let head = profile.split("\n[").next().unwrap_or(profile);
    let line = |key: &str| head.lines().find(|line| line.starts_with(&format!("{key} ="))).unwrap_or("");
    let title = quoted_after(line("title"), language).unwrap_or_default();
    let [vendor, model] = ["vendor", "model"].map(|key| quoted_after(line(key), key).unwrap_or_default());
    let points = profile.lines().filter(|line| *line == "[[point]]").count().to_string();
    let sources = head.split_once("\nsource =").map_or("", |(_, rest)| rest);
    let sources: Vec<&str> = sources.split('"').skip(1).step_by(2).collect();
    [title, vendor, model, points, sources.join("; ")].map(|cell| cell.replace('|', "\\|")).join(" | ")
}

/// The text in quotes after `key =`.
fn quoted_after(line: &str, key: &str) -> Option<String> {
    let rest = &line[line.find(&format!("{key} ="))?..];
    rest.split('"').nth(1).map(str::to_owned)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_title_is_read_in_both_languages() {
        let line = r#"title = { zh = "电力仪表", en = "Power meter" }"#;
        assert_eq!(quoted_after(line, "zh").as_deref(), Some("电力仪表"));
        assert_eq!(quoted_after(line, "en").as_deref(), Some("Power meter"));
        assert_eq!(quoted_after("", "en"), None);
    }

    #[test]
    fn a_device_shows_its_title_its_points_and_all_its_sources() {
        let profile = "# A meter.\nvendor = \"Acme\"\nmodel = \"M|1\"\n\
                       title = { zh = \"电表\", en = \"Meter\" }\n\
                       source = [\n  \"Acme [manual], table 3\",\n  \"a repository\",\n]\n\n[modbus]\npause = \"20ms\"\n\n\
                       [[point]]\nkey = \"a\"\n\n[[point]]\nkey = \"b\"\n\n[[frame]]\nsource = \"made\"\n";
        assert_eq!(device(profile, "en"), "Meter | Acme | M\\|1 | 2 | Acme [manual], table 3; a repository");
        assert!(device(profile, "zh").starts_with("电表 | "));
    }

    #[test]
    fn the_pages_of_the_devices_are_those_of_the_folder() {
        for (name, page) in devices().unwrap() {
            assert_eq!(now(name), page, "{name} is out of date; run `cargo xtask gen`");
        }
    }

    #[test]
    fn a_route_without_a_policy_shows_as_nobodys() {
        let paths =
            r#"{"/a":{"get":{"security":[{"session":["viewer"]}]},"post":{},"put":{"security":[{}]}}}"#;
        let text = policy(&Json::parse(&format!(r#"{{"paths":{paths}}}"#)).unwrap());
        for row in ["| GET | `/a` | viewer |", "| POST | `/a` | nobody |", "| PUT | `/a` | everybody |"] {
            assert!(text.contains(row), "{text}");
        }
    }
}
